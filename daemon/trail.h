/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the daemon's events go: a file or standard output. */
#ifndef KVMWARDEN_TRAIL_H
#define KVMWARDEN_TRAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chain.h"

struct kw_trail;

/*
 * Lines of JSON are a chain (chain.h), which goes on where the file ends: over
 * restarts, and from one file to the next one. Text for a terminal has none.
 */
enum kw_resumed {
	KW_RESUMED_NEW, /* nothing was there, nor remembered: from the genesis */
	KW_RESUMED_GIVEN, /* nothing was there to look at: from the head that was remembered */
	KW_RESUMED_TAIL, /* from the end of the file, which is the one remembered, if any is */
	KW_RESUMED_BEHIND, /* the same, but lines follow the one remembered: killed before it was */
	KW_RESUMED_BROKEN, /* the end is not the one remembered, nor is it near: cut, or changed */
};

/*
 * path NULL: standard output; as readable text if that is a terminal and json
 * is false, else as JSON lines. A file is created 0640 and appended to. head is
 * what kw_trail_head() said last, if that was remembered, or NULL.
 */
int kw_trail_open(const char *path, bool json, const struct kw_chain *head, struct kw_trail **ret);
struct kw_trail *kw_trail_free(struct kw_trail *trail); /* flushes; returns NULL */

/*
 * Opens its path anew, after somebody moved the file away; the chain goes on.
 * Standard output stays what it is. On failure the old file stays in use.
 */
int kw_trail_reopen(struct kw_trail *trail);

/* Buffers one event, a JSON object with members, without newline. */
void kw_trail_write(struct kw_trail *trail, const char *json, size_t len);

/* To be called when a batch is complete. 0, or -errno of a write since the last call. */
int kw_trail_flush(struct kw_trail *trail);

/* Waits until what was flushed is on disk; what has none is no failure. 0 or -errno. */
int kw_trail_sync(const struct kw_trail *trail);

int kw_trail_fd(const struct kw_trail *trail);

/* Events that could not be written so far. */
uint64_t kw_trail_failed(const struct kw_trail *trail);

/* The head of the last line that is wholly written. */
void kw_trail_head(const struct kw_trail *trail, struct kw_chain *ret);

/*
 * Where the chain went on from, when the file was opened last. expected: the
 * head it was to be; behind: the lines that follow it. Both may be NULL.
 */
enum kw_resumed kw_trail_resumed(const struct kw_trail *trail, struct kw_chain *ret_expected,
				 uint64_t *ret_behind);

#endif
