/* SPDX-License-Identifier: GPL-2.0-only */
/* Completion for bash, which needs nothing of the package bash-completion. */
#include <string.h>

#include "usage-internal.h"
#include "util.h"

/* A line of shell that puts what may stand there into COMPREPLY. */
static void bash_offer(enum kw_words words, const char *list, FILE *out)
{
	switch (words) {
	case KW_WORDS_FILE:
	case KW_WORDS_DIRECTORY:
		fprintf(out,
			"compopt -o filenames; mapfile -t COMPREPLY < <(compgen -%s -- \"$cur\")",
			words == KW_WORDS_FILE ? "f" : "d");
		break;
	case KW_WORDS_COMMAND:
		fputs("mapfile -t COMPREPLY < <(compgen -c -- \"$cur\")", out);
		break;
	case KW_WORDS_USER:
		fputs("mapfile -t COMPREPLY < <(compgen -u -- \"$cur\")", out);
		break;
	case KW_WORDS_VM:
		fputs("mapfile -t COMPREPLY < <(compgen -W \"$(" KW_USAGE_VM_IDS ")\" -- \"$cur\")",
		      out);
		break;
	case KW_WORDS_NONE:
		putc(':', out);
		break;
	case KW_WORDS_TYPE:
	case KW_WORDS_STATE:
	case KW_WORDS_VERDICT:
	case KW_WORDS_OPERATION:
	case KW_WORDS_MODE:
	case KW_WORDS_LIST:
		fputs("mapfile -t COMPREPLY < <(compgen -W '", out);
		kw_usage_put_words(words, list, out);
		fputs("' -- \"$cur\")", out);
		break;
	}
}

/* For "where:--option", where: the name of a command, or *. */
static void bash_values(const char *where, const struct kw_usage_option *option, FILE *out)
{
	for (; option && option->name; option++) {
		if (!option->value)
			continue;
		fprintf(out, "\t%s:--%s", where, option->name);
		if (option->letter)
			fprintf(out, " | %s:-%c", where, option->code);
		fputs(") ", out);
		bash_offer(option->words, option->list, out);
		fputs("; return ;;\n", out);
	}
}

static void bash_options(const struct kw_usage_option *option, FILE *out)
{
	for (; option && option->name; option++) {
		if (option->letter)
			fprintf(out, "-%c ", option->code);
		fprintf(out, "--%s ", option->name);
	}
}

/* Of each command, what is not the value of an option. */
static void bash_arguments(const char *program, FILE *out)
{
	const struct kw_usage *usage;

	for (usage = kw_usages; usage->name; usage++) {
		if (!kw_streq(usage->program, program))
			continue;
		fprintf(out, "\t'%s')\n\t\toptions='", usage->name);
		bash_options(usage->options, out);
		fputs("' words='", out);
		if (kw_usage_part(usage, NULL))
			kw_usage_put_names(usage, out);
		fputs("'\n", out);
		if (usage->arguments != KW_WORDS_NONE) {
			fputs("\t\t[[ $cur == -* ]] || { ", out);
			bash_offer(usage->arguments, usage->list, out);
			fputs("; return; }\n", out);
		}
		fputs("\t\t;;\n", out);
	}
}

/* Those that take a value, as a pattern. before: what stands before the next one. */
static void bash_values_of(const struct kw_usage_option *option, const char **before, FILE *out)
{
	for (; option && option->name; option++) {
		if (!option->value)
			continue;
		fprintf(out, "%s--%s", *before, option->name);
		*before = " | ";
	}
}

/* The loop over the words so far: which command is it? */
static void bash_find_command(const char *program, FILE *out)
{
	bool commands = kw_streq(program, "kvmwarden");
	const struct kw_usage *usage;
	const char *before = "";

	fputs("\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	      "\t\tcase ${COMP_WORDS[i]} in\n"
	      "\t\t--) mapfile -t COMPREPLY < <(compgen -c -f -- \"$cur\" | sort -u); return ;;\n"
	      "\t\t",
	      out);
	for (usage = kw_usages; usage->name; usage++)
		if (kw_streq(usage->program, program))
			bash_values_of(usage->options, &before, out);
	if (commands)
		bash_values_of(kw_usage_shared, &before, out);
	fputs(")\n"
	      "\t\t\t((i++))\n"
	      "\t\t\t[ \"${COMP_WORDS[i]}\" != = ] || ((i++))\n"
	      "\t\t\t;;\n"
	      "\t\t-* | =) ;;\n",
	      out);
	if (commands) {
		fputs("\t\t*)\n"
		      "\t\t\tcase \"$command ${COMP_WORDS[i]}\" in\n"
		      "\t\t\t\" ${COMP_WORDS[i]}\") command=${COMP_WORDS[i]} ;;\n"
		      "\t\t\t",
		      out);
		before = "";
		for (usage = kw_usages; usage->name; usage++) {
			if (!strchr(usage->name, ' '))
				continue;
			fprintf(out, "%s'%s'", before, usage->name);
			before = " | ";
		}
		fputs(") command+=\" ${COMP_WORDS[i]}\" ;;\n\t\t\tesac\n\t\t\t;;\n", out);
	}
	fputs("\t\tesac\n\tdone\n", out);
}

static void bash_function(const char *program, FILE *out)
{
	const struct kw_usage *usage;

	fprintf(out,
		"_%s() {\n"
		"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} "
		"command='' i options words\n"
		"\t[ \"$cur\" != = ] || cur=''\n"
		"\t[ \"$prev\" != = ] || prev=${COMP_WORDS[COMP_CWORD - 2]}\n",
		program);
	bash_find_command(program, out);
	fputs("\tcase $command:$prev in\n", out);
	for (usage = kw_usages; usage->name; usage++) {
		char where[64];

		snprintf(where, sizeof(where), "'%s'", usage->name);
		if (kw_streq(usage->program, program))
			bash_values(where, usage->options, out);
	}
	if (kw_streq(program, "kvmwarden"))
		bash_values("*", kw_usage_shared, out);
	fputs("\tesac\n\tcase $command in\n", out);
	bash_arguments(program, out);
	if (kw_streq(program, "kvmwarden")) {
		fputs("\t*) words='", out);
		kw_usage_put_names(NULL, out);
		fputs("' ;;\n\tesac\n\toptions+='", out);
		bash_options(kw_usage_shared, out);
		fputs("'\n", out);
	} else {
		fputs("\tesac\n", out);
	}
	fprintf(out,
		"\t[[ $cur != -* ]] || words=$options\n"
		"\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
		"}\n"
		"complete -F _%s %s\n",
		program, program);
}

void kw_usage_complete_bash(FILE *out)
{
	fputs("# bash completion, " KW_USAGE_HEAD
	      " bash'\n# shellcheck shell=bash disable=SC2154,SC2221,SC2222 # options have the "
	      "same name in many commands\n",
	      out);
	bash_function("kvmwarden", out);
	bash_function("kvmwardend", out);
}
