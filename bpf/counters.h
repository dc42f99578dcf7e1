/* SPDX-License-Identifier: GPL-2.0-only */
/* What the programs that decide and those of the guard have in common. */
#ifndef KVMWARDEN_COUNTERS_H
#define KVMWARDEN_COUNTERS_H

#include "kernel.h"
#include "kvmwarden.h"

/* Pinned, and the same for all sets of programs: numbers of events are one row. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kw_counters);
} counters SEC(".maps");

static __always_inline void *only_element(void *map)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(map, &zero);
}

/*
 * Is one more event over its limit? Else *ret is how many were held back before it. Two
 * CPUs at the turn of an interval may both begin it: that lets one too many through.
 */
static __always_inline bool limit_reached(struct kw_limit *limit, __u64 now, __u32 events,
					  __u64 seconds, __u32 *ret)
{
	if (now - limit->since_ns >= seconds * 1000000000ull) {
		limit->since_ns = now;
		limit->events = 1;
	} else if (__sync_fetch_and_add(&limit->events, 1) >= events) {
		__sync_fetch_and_add(&limit->suppressed, 1);
		return true;
	}
	*ret = __sync_lock_test_and_set(&limit->suppressed, 0);
	return false;
}

#endif
