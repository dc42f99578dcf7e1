/* SPDX-License-Identifier: GPL-2.0-only */
/* Recorded events under other policies: what would have been different. */
#ifndef KVMWARDEN_REPLAY_H
#define KVMWARDEN_REPLAY_H

#include "recorded.h"
#include "ruleset.h"

/* Rows beyond these are only counted: memory does not grow with the recording. */
#define KW_REPLAY_ROWS_MAX 8192

/* Events that differ in the same way. */
struct kw_replay_row {
	uint64_t count;
	uint64_t first_seq;
	unsigned int operation;
	unsigned int state;
	uint32_t type;
	uint32_t uid;
	unsigned int verdict; /* as recorded */
	unsigned int error;
	struct kw_decision decision; /* what it would have been */
	struct kw_path exe;
	size_t next; /* in its bucket: index + 1, or 0 */
};

struct kw_replay {
	const struct kw_ruleset *rs; /* borrowed */
	struct kw_replay_row *rows; /* owned; sorted by kw_replay_sort() */
	size_t count;
	size_t size;
	size_t *buckets; /* owned */
	uint64_t beyond; /* differences that found no row */
	uint64_t same;
	uint64_t changes[_KW_VERDICT_MAX][_KW_VERDICT_MAX]; /* from, to; from = to: another errno */
};

/* Start with (struct kw_replay){.rs = rs}. -ENOMEM. */
int kw_replay_add(struct kw_replay *replay, const struct kw_recorded *event);
void kw_replay_done(struct kw_replay *replay);

/* First what would have been answered otherwise: the strictest, then the most frequent. */
void kw_replay_sort(struct kw_replay *replay);

/* Would its callers have got another answer? From allow to audit, or back, they would not. */
bool kw_replay_matters(const struct kw_replay_row *row);
/* The number of events whose callers would. */
uint64_t kw_replay_answers(const struct kw_replay *replay);

#endif
