/* SPDX-License-Identifier: GPL-2.0-only */
/* One table of commands and options: what getopt(3) reads, help, man pages and completions say. */
#ifndef KVMWARDEN_USAGE_H
#define KVMWARDEN_USAGE_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* What a shell offers for the value of an option, or for an argument. */
enum kw_words {
	KW_WORDS_NONE, /* nothing: a number, a text */
	KW_WORDS_FILE,
	KW_WORDS_DIRECTORY,
	KW_WORDS_COMMAND, /* a program and its arguments */
	KW_WORDS_TYPE,
	KW_WORDS_STATE,
	KW_WORDS_VERDICT,
	KW_WORDS_OPERATION,
	KW_WORDS_MODE, /* of a policy */
	KW_WORDS_LIST, /* those of the option: "words" */
	KW_WORDS_VM, /* the ids of living VMs, asked of the daemon */
	KW_WORDS_USER,
};

struct kw_usage_option {
	const char *name; /* without "--"; NULL ends a list */
	int code; /* what getopt_long(3) returns */
	bool letter; /* the code is a short option, too */
	const char *value; /* its name in the help; NULL: it takes none */
	enum kw_words words;
	const char *list; /* KW_WORDS_LIST: the words, with blanks between them */
	const char *help; /* one sentence, without a full stop */
};

struct kw_usage {
	const char *program; /* "kvmwarden" or "kvmwardend" */
	const char *name; /* "policy explain"; "" of the daemon; NULL ends the table */
	const char *synopsis; /* what follows the name; a line for each form */
	const char
		*title; /* what it does, in a line; NULL: named with the command it is a part of */
	const char *text; /* paragraphs, each a line: they are filled when printed; or NULL */
	const struct kw_usage_option *options; /* or NULL */
	enum kw_words arguments;
	const char *list; /* as in an option */
};

extern const struct kw_usage kw_usages[];
/* What every command of kvmwarden(1) takes. */
extern const struct kw_usage_option kw_usage_shared[];
extern const char kw_usage_exit_status[];

/* By program and name; NULL if there is none. */
const struct kw_usage *kw_usage_find(const char *program, const char *name);
/*
 * Of a command with parts, such as "policy", or, with NULL, of kvmwarden itself: the next one after one
 * of them, or the first after NULL.
 */
const struct kw_usage *kw_usage_part(const struct kw_usage *whole, const struct kw_usage *after);

#define KW_USAGE_OPTIONS_MAX 24

struct kw_getopt {
	char letters[2 * KW_USAGE_OPTIONS_MAX + 2];
	struct option options[KW_USAGE_OPTIONS_MAX + 1];
};

/*
 * What getopt_long(3) wants for a command of kvmwarden(1). prefix: "", or "+" or ":" with their
 * meaning there. Starts a new scan.
 */
void kw_usage_getopt(const char *name, const char *prefix, struct kw_getopt *ret);
void kw_usage_getopt_daemon(struct kw_getopt *ret);

/* "kvmwarden events --help". */
void kw_usage_print(const struct kw_usage *usage, FILE *out);
/* "kvmwarden --help": a line for each command. everything: all there is to say of each, too. */
void kw_usage_print_all(bool everything, FILE *out);

/* A completion script for "bash", "zsh" or "fish"; -EINVAL for another shell. */
int kw_usage_complete(const char *shell, FILE *out);

#endif
