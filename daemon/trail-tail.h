/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a file of events ends: what a trail that appends to it has to know. */
#ifndef KVMWARDEN_TRAIL_TAIL_H
#define KVMWARDEN_TRAIL_TAIL_H

#include "chain.h"

/*
 * How far back is looked. A daemon that was killed had at most what the ring
 * holds, 1 MiB, between what it wrote and what it remembered; as JSON that is
 * less than this.
 */
#define KW_TAIL_MAX (4 * 1024 * 1024)

struct kw_tail {
	bool empty;
	bool torn; /* it ends within a line */
	bool chained; /* .head is that of the last line that has one */
	struct kw_chain head;
	bool found; /* expected is the head of a line in it, or before its first one */
	uint64_t behind; /* lines with a chain after that line */
};

/* fd is read from; what is not a regular file counts as empty. expected may be NULL. */
int kw_tail_read(int fd, const struct kw_chain *expected, struct kw_tail *ret);

#endif
