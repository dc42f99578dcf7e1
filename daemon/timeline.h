/* SPDX-License-Identifier: GPL-2.0-only */
/* Events in the course of time, in a fixed number of steps however long it is. */
#ifndef KVMWARDEN_TIMELINE_H
#define KVMWARDEN_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#include "kvmwarden.h"

#define KW_TIMELINE_MAX 120

enum kw_moment {
	KW_MOMENT_STARTED, /* a daemon */
	KW_MOMENT_STOPPED, /* or enforcement was taken off */
	KW_MOMENT_POLICY, /* policies, modes or exceptions changed, or were to */
	KW_MOMENT_ALARM, /* events were lost, a proof failed, somebody tampered */
	_KW_MOMENT_MAX,
};

const char *kw_moment_name(unsigned int moment); /* "policy" */

struct kw_bucket {
	uint64_t verdicts[_KW_VERDICT_MAX];
	uint64_t marks[_KW_MOMENT_MAX];
};

/* All zero is an empty one. */
struct kw_timeline {
	int64_t step; /* seconds: 1, 5, 10, 30, a minute... */
	int64_t first; /* the first bucket begins at first * step, since 1970 */
	size_t count; /* of buckets */
	struct kw_bucket buckets[KW_TIMELINE_MAX];
};

/*
 * The bucket of a moment, in seconds since 1970, of any order; until the next call. Where it would
 * take more buckets than there are, steps become longer.
 */
struct kw_bucket *kw_timeline_at(struct kw_timeline *timeline, int64_t seconds);

/* What is drawn: some room on both sides where there is little. */
struct kw_timeline_view {
	int64_t first; /* as above */
	size_t count; /* at least 30, unless there is nothing at all */
	size_t offset; /* of the first bucket that there is */
};

struct kw_timeline_view kw_timeline_view(const struct kw_timeline *timeline);

#endif
