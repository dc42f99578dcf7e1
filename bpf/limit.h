/* SPDX-License-Identifier: GPL-2.0-only */
/* A rate limit: shared by the programs, the guard, and the daemon where it decides by itself. */
#ifndef KVMWARDEN_LIMIT_H
#define KVMWARDEN_LIMIT_H

#include "kvmwarden.h"

/*
 * Is one more event over its limit? Else *ret is how many were held back before it. Two
 * CPUs at the turn of an interval may both begin it: that lets one too many through.
 */
static inline int limit_reached(struct kw_limit *limit, __u64 now, __u32 events, __u64 seconds,
				__u32 *ret)
{
	if (now - limit->since_ns >= seconds * 1000000000ull) {
		limit->since_ns = now;
		limit->events = 1;
	} else if (__sync_fetch_and_add(&limit->events, 1) >= events) {
		__sync_fetch_and_add(&limit->suppressed, 1);
		return 1;
	}
	*ret = __sync_lock_test_and_set(&limit->suppressed, 0);
	return 0;
}

#endif
