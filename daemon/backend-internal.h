/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of a backend, for backend*.c only. */
#ifndef KVMWARDEN_BACKEND_INTERNAL_H
#define KVMWARDEN_BACKEND_INTERNAL_H

#include <bpf/libbpf.h>

#include "backend.h"
#include "canary.h"
#include "kvmwarden.skel.h"

#define KW_LINKS_MAX 16

struct kw_backend {
	unsigned int id;
	struct kvmwarden_bpf *skel;
	struct bpf_link *links[KW_LINKS_MAX];
	const char *programs[KW_LINKS_MAX]; /* their names */
	size_t link_count;
	const char *unwatched[KW_LINKS_MAX]; /* see kw_backend_unwatched() */
	size_t unwatched_count;
	bool watching;
	struct ring_buffer *ring;
	struct kw_counters *counters; /* mapped */
	uint64_t unheard; /* see kw_backend_unheard() */
	struct kw_canary canary;
	char *epoch; /* directory of our pins, or NULL */
	int leftovers; /* why older pins could not be removed, or 0 */

	unsigned int drained; /* in this call of kw_backend_drain() */
	void (*handle)(void *userdata, const struct kw_event *event); /* while draining */
	void *userdata;
};

/* To be called before programs are opened; again is harmless. */
int kw_backend_register_sections(void);

/* Runs the iterator once, for the whole host. */
int kw_backend_walk(struct kw_backend *backend);

#endif
