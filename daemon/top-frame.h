/* SPDX-License-Identifier: GPL-2.0-only */
/* What "kvmwarden top" shows at a time, as lines of text or as JSON. */
#ifndef KVMWARDEN_TOP_FRAME_H
#define KVMWARDEN_TOP_FRAME_H

#include <stdio.h>
#include <time.h>

#include "top.h"

/* All is borrowed. */
struct kw_top_frame {
	const char *host;
	time_t time; /* of this frame */
	const char *trouble; /* why there was no answer, or NULL */
	json_t *status; /* NULL when there was none */
	struct kw_top top; /* empty when there was none */
	enum kw_top_column column; /* that it is sorted by */
	bool only_denials;
};

/* How loud a line is to be. */
enum kw_top_tone {
	KW_TOP_PLAIN,
	KW_TOP_GOOD,
	KW_TOP_BAD,
};

/* Which lines are which; the VMs follow, in the order of the rows. */
#define KW_TOP_VERDICT_LINE 1
#define KW_TOP_SORT_LINE 4
#define KW_TOP_HEADING_LINE 5
#define KW_TOP_ROWS_LINE 6

/*
 * Lines that no terminal obeys, each with its newline; without any VM one says so in the
 * place of the heading. -ENOMEM.
 */
int kw_top_frame_print(const struct kw_top_frame *frame, FILE *out);
/* Is it enforced what policies say? */
enum kw_top_tone kw_top_frame_tone(const struct kw_top_frame *frame);
/* One object; NULL: out of memory. */
json_t *kw_top_frame_json(const struct kw_top_frame *frame);

#endif
