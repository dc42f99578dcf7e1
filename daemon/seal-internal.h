/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of a seal, for seal*.c only. */
#ifndef KVMWARDEN_SEAL_INTERNAL_H
#define KVMWARDEN_SEAL_INTERNAL_H

#include "guard.skel.h"
#include "pins.h"
#include "seal.h"

#define KW_GUARD_HOOKS_MAX 64

struct kw_seal {
	struct kw_guard_mark mark;
	bool adopted;
	int pins; /* the locked directory, borrowed */
	int keepers, guarded, attempts, counters_map; /* maps */
	int links[KW_GUARD_HOOKS_MAX];
	size_t link_count;
	struct kw_counters *counters; /* mapped */
	struct ring_buffer *ring;
	struct guard_bpf *skel; /* until the guard is pinned */
	const char *missing[KW_GUARD_HOOKS_MAX];
	size_t missing_count;

	unsigned int drained; /* in this call of kw_seal_drain() */
	void (*handle)(void *userdata, const struct kw_event *event); /* while draining */
	void *userdata;
};

/* When a thread group was started, in the ticks of /proc/PID/stat; 0: there is none. */
uint64_t kw_seal_ticks(uint32_t pid);

/*
 * seal-load.c: opens the BPF object and decides which hooks this kernel gets; then makes
 * them a guard that is in force, with this process as its only keeper.
 */
int kw_guard_open(struct kw_seal *seal, char **reterr);
int kw_guard_load(struct kw_seal *seal, const struct kw_guard_token *token, char **reterr);
/* The name of a program by its bit in the mark, or NULL beyond the last. */
const char *kw_guard_program(unsigned int bit);

#endif
