/* SPDX-License-Identifier: GPL-2.0-only */
/* Completion: what the shells have in common, and fish. */
#include <errno.h>
#include <string.h>

#include "names.h"
#include "usage-internal.h"
#include "util.h"

/* --- the words ------------------------------------------------------------------- */

static void put_list(const char *(*list)(unsigned int index), FILE *out)
{
	unsigned int i;

	for (i = 0; list(i); i++)
		fprintf(out, "%s%s", i > 0 ? " " : "", list(i));
}

void kw_usage_put_words(enum kw_words words, const char *list, FILE *out)
{
	switch (words) {
	case KW_WORDS_TYPE:
		put_list(kw_type_list, out);
		break;
	case KW_WORDS_STATE:
		put_list(kw_state_list, out);
		break;
	case KW_WORDS_VERDICT:
		put_list(kw_verdict_list, out);
		break;
	case KW_WORDS_OPERATION:
		put_list(kw_operation_list, out);
		break;
	case KW_WORDS_MODE:
		put_list(kw_mode_list, out);
		break;
	case KW_WORDS_LIST:
		fputs(list, out);
		break;
	case KW_WORDS_NONE:
	case KW_WORDS_FILE:
	case KW_WORDS_DIRECTORY:
	case KW_WORDS_COMMAND:
	case KW_WORDS_VM:
	case KW_WORDS_USER:
		break;
	}
}

void kw_usage_put_names(const struct kw_usage *whole, FILE *out)
{
	const struct kw_usage *usage = NULL;
	size_t skip = whole ? strlen(whole->name) + 1 : 0;

	while ((usage = kw_usage_part(whole, usage)))
		fprintf(out, "%s ", usage->name + skip);
}

void kw_usage_put_quoted(const char *text, const char *special, FILE *out)
{
	for (; *text; text++) {
		if (*text == '\'') {
			fputs("'\\''", out);
			continue;
		}
		if (strchr(special, *text))
			putc('\\', out);
		putc(*text, out);
	}
}

/* --- fish --------------------------------------------------------------------------- */

static void fish_words(enum kw_words words, const char *list, FILE *out)
{
	if (words == KW_WORDS_FILE)
		fputs(" -r -F", out);
	else if (words == KW_WORDS_DIRECTORY)
		fputs(" -x -a '(__fish_complete_directories)'", out);
	else if (words == KW_WORDS_COMMAND)
		fputs(" -x -a '(__fish_complete_subcommand)'", out);
	else if (words == KW_WORDS_USER)
		fputs(" -x -a '(__fish_complete_users)'", out);
	else if (words == KW_WORDS_VM)
		fputs(" -x -a '(__kvmwarden_vms)'", out);
	else if (words == KW_WORDS_NONE)
		fputs(" -x", out);
	else {
		fputs(" -x -a '", out);
		kw_usage_put_words(words, list, out);
		putc('\'', out);
	}
}

/* Prints "complete -c PROGRAM" with the condition that this command was given. */
static void fish_start(const struct kw_usage *usage, FILE *out)
{
	const char *part = strchr(usage->name, ' ');

	fprintf(out, "complete -c %s", usage->program);
	if (part)
		fprintf(out,
			" -n '__fish_seen_subcommand_from %.*s; and __fish_seen_subcommand_from "
			"%s'",
			(int)(part - usage->name), usage->name, part + 1);
	else if (*usage->name)
		fprintf(out, " -n '__fish_seen_subcommand_from %s'", usage->name);
}

static void fish_options(const struct kw_usage *usage, const struct kw_usage_option *option,
			 FILE *out)
{
	for (; option && option->name; option++) {
		if (usage)
			fish_start(usage, out);
		else
			fputs("complete -c kvmwarden", out);
		if (option->letter)
			fprintf(out, " -s %c", option->code);
		fprintf(out, " -l %s", option->name);
		if (option->value)
			fish_words(option->words, option->list, out);
		fputs(" -d '", out);
		kw_usage_put_quoted(option->help, "", out);
		fputs("'\n", out);
	}
}

static void fish_name(const struct kw_usage *usage, FILE *out)
{
	const char *part = strchr(usage->name, ' ');

	if (!usage->title)
		return;
	if (part)
		fprintf(out,
			"complete -c kvmwarden -n '__fish_seen_subcommand_from %.*s; and test "
			"(count "
			"(commandline -opc)) -lt 3' -a %s",
			(int)(part - usage->name), usage->name, part + 1);
	else
		fprintf(out, "complete -c kvmwarden -n __fish_use_subcommand -a %s", usage->name);
	fputs(" -d '", out);
	kw_usage_put_quoted(usage->title, "", out);
	fputs("'\n", out);
}

static void complete_fish(FILE *out)
{
	const struct kw_usage *usage;

	fputs("# " KW_USAGE_HEAD " fish'\nfunction __kvmwarden_vms\n\t" KW_USAGE_VM_IDS "\nend\n"
	      "complete -c kvmwarden -f\ncomplete -c kvmwardend -f\n",
	      out);
	fish_options(NULL, kw_usage_shared, out);
	for (usage = kw_usages; usage->name; usage++) {
		fish_name(usage, out);
		fish_options(usage, usage->options, out);
		if (usage->arguments == KW_WORDS_NONE)
			continue;
		fish_start(usage, out);
		fish_words(usage->arguments, usage->list, out);
		putc('\n', out);
	}
}

/* --- all ----------------------------------------------------------------------------- */

int kw_usage_complete(const char *shell, FILE *out)
{
	if (kw_streq(shell, "bash"))
		kw_usage_complete_bash(out);
	else if (kw_streq(shell, "zsh"))
		kw_usage_complete_zsh(out);
	else if (kw_streq(shell, "fish"))
		complete_fish(out);
	else
		return -EINVAL;
	return 0;
}
