/* SPDX-License-Identifier: GPL-2.0-only */
/* What the programs that decide and those of the guard have in common. */
#ifndef KVMWARDEN_COUNTERS_H
#define KVMWARDEN_COUNTERS_H

#include "kernel.h"
#include "kvmwarden.h"
#include "limit.h"

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

#endif
