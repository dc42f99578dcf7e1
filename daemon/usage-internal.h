/* SPDX-License-Identifier: GPL-2.0-only */
/* What the completions of the shells share. */
#ifndef KVMWARDEN_USAGE_INTERNAL_H
#define KVMWARDEN_USAGE_INTERNAL_H

#include "usage.h"

#define KW_USAGE_HEAD "made by 'kvmwarden completion"
/* Shell: the daemon is asked. */
#define KW_USAGE_VM_IDS "kvmwarden vms 2>/dev/null | sed -n 's/^\\([0-9][0-9]*\\) .*/\\1/p'"

/* With blanks between them; none where only the shell or the daemon knows them. */
void kw_usage_put_words(enum kw_words words, const char *list, FILE *out);
/* The parts of a command, or, of NULL, the commands of kvmwarden; a blank after each. */
void kw_usage_put_names(const struct kw_usage *whole, FILE *out);
/* For within single quotes; characters of special are given a backslash. */
void kw_usage_put_quoted(const char *text, const char *special, FILE *out);

void kw_usage_complete_bash(FILE *out);
void kw_usage_complete_zsh(FILE *out);

#endif
