/* SPDX-License-Identifier: GPL-2.0-only */
/* A diagnostic: what is wrong with which place of which file. */
#ifndef KVMWARDEN_DIAG_H
#define KVMWARDEN_DIAG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/*
 * Owned by the caller, who starts with (struct kw_diag){} and ends with
 * kw_diag_done(). A function that fails fills it once; the first one wins.
 */
struct kw_diag {
	char *file; /* NULL: not about a file */
	unsigned int line; /* from 1; 0: about the file as a whole */
	unsigned int column; /* from 1, in characters; 0: about the line as a whole */
	char *message; /* one sentence, no full stop; may quote a file, hence hold any character */
	char *hint; /* "did you mean 'KVM_SET_REGS'?", or NULL */
	char *source; /* the text of the line, or NULL */
};

void kw_diag_done(struct kw_diag *diag);

/* Sets file, line, column and message, unless a message is there already. diag may be NULL. */
void kw_diag_set(struct kw_diag *diag, const char *file, unsigned int line, unsigned int column,
		 const char *format, ...) __attribute__((format(printf, 5, 6)));
void kw_diag_hint(struct kw_diag *diag, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * "FILE:LINE:COLUMN: error: MESSAGE", then the line and a caret, then
 * "hint: ..."; ends in a newline. Long lines are cut around the caret, and
 * bytes a terminal might obey are shown as \xNN.
 */
void kw_diag_print(const struct kw_diag *diag, FILE *out);

#endif
