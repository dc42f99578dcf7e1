/* SPDX-License-Identifier: GPL-2.0-only */
/* Completion for zsh. */
#include <string.h>

#include "usage-internal.h"
#include "util.h"

/* ":message:action", of an option's value or an argument. */
static void zsh_action(const char *message, enum kw_words words, const char *list, FILE *out)
{
	fprintf(out, ":%s:", message);
	switch (words) {
	case KW_WORDS_FILE:
		fputs("_files", out);
		break;
	case KW_WORDS_DIRECTORY:
		fputs("_files -/", out);
		break;
	case KW_WORDS_COMMAND:
		fputs("_normal", out);
		break;
	case KW_WORDS_USER:
		fputs("_users", out);
		break;
	case KW_WORDS_VM:
		fputs("_kvmwarden_vms", out);
		break;
	case KW_WORDS_NONE:
		break;
	case KW_WORDS_TYPE:
	case KW_WORDS_STATE:
	case KW_WORDS_VERDICT:
	case KW_WORDS_OPERATION:
	case KW_WORDS_MODE:
	case KW_WORDS_LIST:
		putc('(', out);
		kw_usage_put_words(words, list, out);
		putc(')', out);
		break;
	}
}

static void zsh_options(const struct kw_usage_option *option, FILE *out)
{
	for (; option && option->name; option++) {
		fputs("\t\t'", out);
		if (option->letter)
			fprintf(out, "(-%c --%s)'{-%c,--%s", option->code, option->name,
				option->code, option->name);
		else
			fprintf(out, "*--%s", option->name);
		fputs(option->value ? "=" : "", out);
		fputs(option->letter ? "}'[" : "[", out);
		kw_usage_put_quoted(option->help, "[]:\\", out);
		putc(']', out);
		if (option->value)
			zsh_action(option->value, option->words, option->list, out);
		fputs("' \\\n", out);
	}
}

/* The array that _describe wants: names and titles. */
static void zsh_titles(const struct kw_usage *whole, FILE *out)
{
	const struct kw_usage *usage = NULL;
	size_t skip = whole ? strlen(whole->name) + 1 : 0;

	fputs("\tlocal -a titles=(\n", out);
	while ((usage = kw_usage_part(whole, usage))) {
		fprintf(out, "\t\t'%s:", usage->name + skip);
		kw_usage_put_quoted(usage->title, ":\\", out);
		fputs("'\n", out);
	}
	fputs("\t)\n", out);
}

/* "_kvmwarden_policy_check" */
static void zsh_name(const struct kw_usage *usage, FILE *out)
{
	const char *c;

	fprintf(out, "_%s%s", usage->program, *usage->name ? "_" : "");
	for (c = usage->name; *c; c++)
		putc(*c == ' ' ? '_' : *c, out);
}

static void zsh_function(const struct kw_usage *usage, FILE *out)
{
	bool parts = kw_usage_part(usage, NULL);

	zsh_name(usage, out);
	fputs("() {\n", out);
	if (parts) {
		zsh_titles(usage, out);
		fputs("\tif ((CURRENT > 2)) && (($+functions[$0_$words[2]])); then\n"
		      "\t\tlocal part=$0_$words[2]\n"
		      "\t\tshift words\n\t\t((CURRENT--))\n"
		      "\t\t$part\n\t\treturn\n\tfi\n",
		      out);
	}
	fputs("\t_arguments -s \\\n", out);
	zsh_options(usage->options, out);
	if (kw_streq(usage->program, "kvmwarden"))
		zsh_options(kw_usage_shared, out);
	if (parts) {
		fputs("\t\t'1: :{_describe part titles}'\n}\n", out);
		return;
	}
	fprintf(out, "\t\t'*:");
	zsh_action("argument", usage->arguments, usage->list, out);
	fputs("'\n}\n", out);
}

void kw_usage_complete_zsh(FILE *out)
{
	const struct kw_usage *usage;

	fputs("#compdef kvmwarden kvmwardend\n# " KW_USAGE_HEAD " zsh'\n\n"
	      "_kvmwarden_vms() {\n\tlocal -a ids=(${(f)\"$(" KW_USAGE_VM_IDS ")\"})\n"
	      "\tcompadd -a ids\n}\n",
	      out);
	for (usage = kw_usages; usage->name; usage++)
		zsh_function(usage, out);
	fputs("__kvmwarden() {\n", out);
	zsh_titles(NULL, out);
	fputs("\tlocal curcontext=$curcontext state line\n"
	      "\t_arguments -C \\\n",
	      out);
	zsh_options(kw_usage_shared, out);
	fputs("\t\t'1: :{_describe command titles}' '*::argument:->argument'\n"
	      "\t[[ $state != argument ]] || (($+functions[_kvmwarden_$words[1]] == 0)) || "
	      "_kvmwarden_$words[1]\n"
	      "}\n"
	      "_kvmwarden() {\n"
	      "\tcase $service in\n\tkvmwardend) _kvmwardend ;;\n\t*) __kvmwarden ;;\n\tesac\n"
	      "}\n"
	      "_kvmwarden \"$@\"\n",
	      out);
}
