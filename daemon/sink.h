/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the daemon's events go: a file or standard output. */
#ifndef KVMWARDEN_SINK_H
#define KVMWARDEN_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kw_sink;

/*
 * path NULL: standard output; as readable text if that is a terminal and json
 * is false, else as JSON lines. A file is created 0640 and appended to.
 */
int kw_sink_open(const char *path, bool json, struct kw_sink **ret);
struct kw_sink *kw_sink_free(struct kw_sink *sink); /* flushes; returns NULL */

/* Buffers one event, a JSON object without newline. */
void kw_sink_write(struct kw_sink *sink, const char *json, size_t len);

/* To be called when a batch is complete. 0, or -errno of a write since the last call. */
int kw_sink_flush(struct kw_sink *sink);

/* Events that could not be written so far. */
uint64_t kw_sink_failed(const struct kw_sink *sink);

#endif
