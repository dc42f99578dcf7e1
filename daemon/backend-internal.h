/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of a backend, for backend*.c only. */
#ifndef KVMWARDEN_BACKEND_INTERNAL_H
#define KVMWARDEN_BACKEND_INTERNAL_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/filter.h>

#include "backend.h"
#include "canary.h"
#include "kvmwarden.skel.h"
#include "plain.h"

#define KW_LINKS_MAX KW_PROGRAMS_MAX

/* The maps of a set that are used from here. Those of the first row are shared by all sets. */
enum kw_map {
	KW_MAP_COUNTERS,
	KW_MAP_CONDEMNED,
	KW_MAP_VMS,
	KW_MAP_TABLES,
	KW_MAP_EMPTY_TABLE,
	KW_MAP_EXCEPTIONS,
	KW_MAP_LIMITS,
	KW_MAP_STATS,
	KW_MAP_EVENTS,
	KW_MAP_BSS,
	KW_MAP_DATA,
	_KW_MAP_MAX,
};

#define KW_MAP_OWN KW_MAP_VMS /* the first one that each set has for itself */

/* Their names as pins. */
extern const char *const kw_map_names[_KW_MAP_MAX];

#define KW_PIN_WALKER "kw_files" /* programs; the other pins are links and maps */
#define KW_PIN_JUDGE "kw_judge"
#define KW_PIN_MARK "mark"

/*
 * A set of programs in the kernel, held by file descriptors alone, so that it makes
 * no difference whether it was loaded by us or by an earlier daemon.
 */
struct kw_backend {
	unsigned int id;
	struct kw_mark mark;
	uint64_t wanted; /* programs, as in mark.hooks: those the kernel has no function for, too */
	bool adopted;
	int maps[_KW_MAP_MAX];
	int walker; /* the iterator over files */
	int table_btf; /* type information of the rule tables: opening it takes CAP_SYS_ADMIN */
	struct sock_fprog trial_filter; /* under which the proof is, where VMMs are under one */
	int judge; /* the one over a task; -1: this backend has no use for it */
	int links[KW_LINKS_MAX], programs[KW_LINKS_MAX];
	const char *names[KW_LINKS_MAX]; /* of the programs */
	size_t link_count;
	struct kw_plain *plain; /* what decides without BPF, or NULL; then of the following ... */
	char *plain_why;
	struct kw_counters *counters; /* ... only this is there. These three are mapped */
	struct kvmwarden_bpf__bss *bss;
	struct kvmwarden_bpf__data *data;
	struct kvmwarden_bpf *skel; /* until it is attached */

	const char *unwatched[KW_LINKS_MAX]; /* see kw_backend_watches() */
	size_t unwatched_count;
	char unwatched_names[KW_LINKS_MAX][64];
	struct ring_buffer *ring;
	struct kw_canary canary;
	char *epoch; /* directory of our pins, or NULL */
	int leftovers; /* why older pins could not be removed, or 0 */

	unsigned int drained; /* in this call of kw_backend_drain() */
	unsigned int taken; /* 1: the last one, which is not counted as delivered yet */
	void (*handle)(void *userdata, const struct kw_event *event); /* while draining */
	void *userdata;
};

/* To be called before programs are opened; again is harmless. */
int kw_backend_register_sections(void);

/* What libbpf complained of last, "" if of nothing; forgotten by kw_libbpf_listen(). */
const char *kw_libbpf_said(void);
void kw_libbpf_listen(void);

/*
 * backend-load.c: opens the BPF object and says in b->mark and b->wanted which set it
 * would be; then loads the programs that this kernel has functions for; then, when they
 * are fed, attaches them.
 */
int kw_backend_prepare(struct kw_backend *b, const struct kw_kernel_facts *facts,
		       const struct kw_backend_wish *wish, char **reterr);
int kw_backend_load(struct kw_backend *b, bool pin, char **reterr);
int kw_backend_attach(struct kw_backend *b, char **reterr);
/* Could these be the programs of the set that is wanted? */
bool kw_backend_hooks_fit(const struct kw_backend *b, uint64_t there);
/* Notes which functions are not looked at, of the set that is in force. */
void kw_backend_note_unwatched(struct kw_backend *b);
/* A map of the BPF object, while that is open. */
struct bpf_map *kw_backend_map_of(const struct kw_backend *b, enum kw_map map);
/* Is kw_judge a part of this backend? */
bool kw_backend_has_judge(unsigned int id);
/* The name of a program by its bit in kw_mark.hooks, or NULL beyond the last. */
const char *kw_backend_hook(unsigned int bit);

/*
 * backend-pins.c: opens a pin, or makes one; the mark of a set, of whatever layout, frozen
 * and pinned; the only element of an array that must be of this size.
 */
int kw_pin_get(const char *dir, const char *name);
int kw_pin_put(int fd, const char *dir, const char *name);
int kw_pin_mark(const char *dir, const void *mark, size_t size);
int kw_pin_read(const char *dir, const char *name, void *ret, size_t size);

/*
 * backend-pins.c: takes over a complete set that is pinned and has b->mark. 0: there
 * is none, 1: b is that set now. pin puts all of it, and the mark last, into b->epoch.
 */
int kw_backend_adopt(struct kw_backend *b);
int kw_backend_pin(struct kw_backend *b, char **reterr);

/* Holds what is needed to make rule tables later. */
int kw_backend_find_btf(struct kw_backend *b);
/* Maps counters, .bss and .data into our memory. */
int kw_backend_map_memory(struct kw_backend *b, char **reterr);
/* Lets go of the links: what is not pinned is off then. */
void kw_backend_detach(struct kw_backend *b);
/* Lets go of everything that is held, in the order that takes our hooks off first. */
void kw_backend_let_go(struct kw_backend *b);

/* Counts as lost what a set wrote to its feed and nobody read; the feed can be used anew then. */
void kw_backend_book_feed(struct kw_backend *b, unsigned int number);

/* Counts as lost what an earlier daemon had in hand when it was killed. Once, at start. */
void kw_backend_book_killed(struct kw_backend *b);

/* Counts the last event of the ring as delivered, if it is not counted yet. */
void kw_backend_count_taken(struct kw_backend *b);

/* Runs the iterator over files once, for the whole host. */
int kw_backend_walk(struct kw_backend *backend);
/* Runs an iterator: attaches it with these options of the link, and reads to its end. */
int kw_backend_iterate(int program, const struct bpf_link_create_opts *options);

/*
 * backend-plain.c: makes it one that does without BPF, for this reason, with these rules in
 * force, proved; and ends that.
 */
int kw_backend_make_plain(struct kw_backend *b, const char *why, struct kw_ruleset *rules,
			  const struct kw_backend_wish *wish, char **reterr);
void kw_backend_plain_done(struct kw_backend *b);

/*
 * backend-judge.c: the proof where nothing is attached: a thread of ours under such a filter
 * as launches get issues the canary ioctl, and we answer it as we would answer theirs.
 * Returns as kw_canary_sing().
 */
int kw_backend_sing_filtered(struct kw_backend *b, enum kw_entry entry);

#endif
