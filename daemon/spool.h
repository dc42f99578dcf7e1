/* SPDX-License-Identifier: GPL-2.0-only */
/* Records that wait on disk, first in, first out, over restarts too. */
#ifndef KVMWARDEN_SPOOL_H
#define KVMWARDEN_SPOOL_H

#include <stddef.h>
#include <stdint.h>

struct kw_spool;

/* The longest record, in bytes. */
#define KW_SPOOL_RECORD_MAX (256 * 1024)

/*
 * Opens or makes the file, which grows to at most max bytes. What an earlier one left is there
 * again; a record that was cut off, and all behind what makes no sense, is dropped and counted as
 * one. -errno of the file.
 */
int kw_spool_open(const char *path, uint64_t max, struct kw_spool **ret, uint64_t *ret_dropped);
struct kw_spool *kw_spool_free(struct kw_spool *spool); /* returns NULL; the file stays */

uint64_t kw_spool_waiting(const struct kw_spool *spool); /* records */

/* -ENOSPC: it would be more than max. -EMSGSIZE. On failure nothing of it is there. */
int kw_spool_put(struct kw_spool *spool, const char *data, size_t len);

/*
 * The oldest record: 1 with *ret valid until the next call, 0: there is none, or -errno. It stays
 * until kw_spool_drop(), which is remembered in the file.
 */
int kw_spool_peek(struct kw_spool *spool, const char **ret, size_t *ret_len);
int kw_spool_drop(struct kw_spool *spool);

#endif
