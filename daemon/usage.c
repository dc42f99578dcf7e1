/* SPDX-License-Identifier: GPL-2.0-only */
/* Help, and what getopt(3) reads. */
#include "usage.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "util.h"

#define WIDTH 96 /* columns of a line, at most */
#define OPTIONS_COLUMN 22 /* where the help of an option starts */
#define TITLES_COLUMN 22

const struct kw_usage *kw_usage_find(const char *program, const char *name)
{
	const struct kw_usage *usage;

	for (usage = kw_usages; usage->name; usage++)
		if (kw_streq(usage->program, program) && kw_streq(usage->name, name))
			return usage;
	return NULL;
}

/* Of the first words of a name: are they whole's, and is there more; or, without one, is there no more? */
static bool is_part(const struct kw_usage *whole, const struct kw_usage *usage)
{
	size_t len = whole ? strlen(whole->name) : 0;

	if (!kw_streq(usage->program, whole ? whole->program : "kvmwarden"))
		return false;
	if (!whole)
		return !strchr(usage->name, ' ');
	return strncmp(usage->name, whole->name, len) == 0 && usage->name[len] == ' ';
}

const struct kw_usage *kw_usage_part(const struct kw_usage *whole, const struct kw_usage *after)
{
	const struct kw_usage *usage = after ? after + 1 : kw_usages;

	for (; usage->name; usage++)
		if (is_part(whole, usage))
			return usage;
	return NULL;
}

/* --- getopt -------------------------------------------------------------------- */

static void fill_getopt(const struct kw_usage *usage, const char *prefix, struct kw_getopt *ret)
{
	const struct kw_usage_option *option = usage ? usage->options : NULL;
	char *letter = stpcpy(ret->letters, prefix);
	size_t n = 0;

	for (; option && option->name; option++) {
		assert(n < KW_USAGE_OPTIONS_MAX);
		ret->options[n++] = (struct option){option->name,
						    option->value ? required_argument : no_argument,
						    NULL, option->code};
		if (!option->letter)
			continue;
		*letter++ = (char)option->code;
		if (option->value)
			*letter++ = ':';
	}
	*letter = '\0';
	ret->options[n] = (struct option){};
	optind = 0;
}

void kw_usage_getopt(const char *name, const char *prefix, struct kw_getopt *ret)
{
	fill_getopt(kw_usage_find("kvmwarden", name), prefix, ret);
}

void kw_usage_getopt_daemon(struct kw_getopt *ret)
{
	fill_getopt(kw_usage_find("kvmwardend", ""), "", ret);
}

/* --- help ------------------------------------------------------------------------ */

/* Fills text into the columns from indent on; the cursor is at column at. */
static void print_filled(const char *text, size_t at, size_t indent, FILE *out)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		if (at > indent && at + 1 + len > WIDTH) {
			putc('\n', out);
			at = 0;
		}
		if (at < indent) {
			fprintf(out, "%*s", (int)(indent - at), "");
			at = indent;
		} else if (at > indent) {
			putc(' ', out);
			at++;
		}
		fprintf(out, "%.*s", (int)len, text);
		at += len;
		text += len + strspn(text + len, " ");
	}
	putc('\n', out);
}

/* Each line is a paragraph; one that starts with blanks is an example and stays as it is. */
static void print_text(const char *text, FILE *out)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		char paragraph[1024];

		snprintf(paragraph, sizeof(paragraph), "%.*s", (int)len, text);
		if (*text == ' ')
			fprintf(out, "%s\n", paragraph);
		else
			print_filled(paragraph, 0, 0, out);
		text += len + (text[len] == '\n');
		if (*text && *text != ' ')
			putc('\n', out);
	}
}

/* The term, and in the column beside it, or the next line if the term is long, what it means. */
static void print_item(const char *term, size_t column, const char *meaning, FILE *out)
{
	size_t at = (size_t)fprintf(out, "  %s", term);

	if (at + 2 > column) {
		putc('\n', out);
		at = 0;
	}
	print_filled(meaning, at, column, out);
}

static void print_options(const struct kw_usage_option *option, FILE *out)
{
	char term[64];

	for (; option && option->name; option++) {
		char letter[] = {'-', (char)option->code, ',', ' ', '\0'};

		snprintf(term, sizeof(term), "%s--%s%s%s", option->letter ? letter : "",
			 option->name, option->value ? " " : "", option->value ?: "");
		print_item(term, OPTIONS_COLUMN, option->help, out);
	}
}

/* The first line starts with before, the others are indented as far. */
static void print_forms(const struct kw_usage *usage, const char *before, FILE *out)
{
	const char *form = usage->synopsis;
	int indent = (int)strlen(before);

	do {
		size_t len = strcspn(form, "\n");

		fprintf(out, "%-*s%s%s%s%s%.*s\n", indent, before, usage->program,
			*usage->name ? " " : "", usage->name, len ? " " : "", (int)len, form);
		form += len + (form[len] == '\n');
		before = "";
	} while (*form);
}

static void print_title(const struct kw_usage *usage, FILE *out)
{
	print_item(usage->name, TITLES_COLUMN, usage->title, out);
}

/* The title as a sentence. */
static void print_sentence(const char *title, FILE *out)
{
	char last = title[strlen(title) - 1];

	fprintf(out, "%c%s%s\n", toupper((unsigned char)title[0]), title + 1,
		last == '?' ? "" : ".");
}

void kw_usage_print(const struct kw_usage *usage, FILE *out)
{
	const struct kw_usage *part = NULL;

	print_forms(usage, "Usage: ", out);
	putc('\n', out);
	if (usage->title)
		print_sentence(usage->title, out);
	if (kw_usage_part(usage, NULL))
		putc('\n', out);
	while ((part = kw_usage_part(usage, part)))
		print_title(part, out);
	if (usage->options) {
		if (usage->title)
			putc('\n', out);
		print_options(usage->options, out);
	}
	if (usage->text) {
		putc('\n', out);
		print_text(usage->text, out);
	}
	if (kw_streq(usage->program, "kvmwarden"))
		fputs("\nSee 'kvmwarden --help' for the options of all commands.\n", out);
}

/* Of a man page: the headings are help2man's way to tell sections. */
static void print_details(FILE *out)
{
	const struct kw_usage *usage;

	for (usage = kw_usages; usage->name; usage++) {
		if (!kw_streq(usage->program, "kvmwarden"))
			continue;
		fprintf(out, "\n*%s*\n\n", usage->name);
		print_sentence(usage->title, out);
		putc('\n', out);
		print_forms(usage, "    ", out);
		putc('\n', out);
		if (usage->text)
			print_text(usage->text, out);
		print_options(usage->options, out);
	}
}

void kw_usage_print_all(bool everything, FILE *out)
{
	const struct kw_usage *usage;

	fputs("Usage: kvmwarden [OPTION...] COMMAND [ARGUMENT...]\n\nCommands:\n", out);
	for (usage = kw_usages; usage->name; usage++)
		if (kw_streq(usage->program, "kvmwarden"))
			print_title(usage, out);
	fputs("\nOptions of all commands:\n", out);
	print_options(kw_usage_shared, out);
	if (everything)
		print_details(out);
	else
		fputs("\n'kvmwarden COMMAND --help' tells what a command takes.\n", out);
	putc('\n', out);
	print_text(kw_usage_exit_status, out);
}
