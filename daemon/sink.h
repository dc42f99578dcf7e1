/* SPDX-License-Identifier: GPL-2.0-only */
/* Where events go beside the trail, as many places as one wants. */
#ifndef KVMWARDEN_SINK_H
#define KVMWARDEN_SINK_H

#include <systemd/sd-event.h>

#include "news.h"
#include "rotate.h"

/*
 * Theory of operation
 *
 * A sink takes what it can at once and never waits: none delays another one, the trail, or
 * an answer. What it cannot send it keeps, up to a megabyte. Beyond that an event is lost to this
 * sink, counted, and told in it when there is room again; or, if it is a refusal and the sink was
 * given a spool, it waits on disk, over a restart of the daemon too. Whatever waits there is sent
 * before anything newer that would be kept: within a kind, events stay in order. One whose
 * sending and whose crossing-out a crash came between is sent twice.
 */

enum kw_sink_kind {
	KW_SINK_JOURNAL,
	KW_SINK_SYSLOG,
	KW_SINK_FILE,
	KW_SINK_SOCKET, /* a stream, to as many as connect */
	_KW_SINK_KIND_MAX,
};

/* When what was written to a file must be on disk before the daemon goes on. */
enum kw_sync {
	KW_SYNC_NEVER, /* the kernel's own time */
	KW_SYNC_DENIALS, /* after each batch with a refusal */
	KW_SYNC_ALWAYS,
	_KW_SYNC_MAX,
};

struct kw_sink_wish {
	char *name; /* unique */
	enum kw_sink_kind kind;
	char *path; /* of a file or socket, absolute; NULL: the one that everybody has */
	enum kw_format format;
	uint32_t verdicts; /* of events that have one: bits of enum kw_verdict; 0: all */
	uint64_t events; /* bits of kw_kind(); 0: all */
	struct kw_rotation rotation; /* files */
	enum kw_sync sync; /* files */
	uint64_t spool; /* bytes on disk for refusals, 0: none; not for sockets */
	char *spool_path;
};

void kw_sink_wish_done(struct kw_sink_wish *wish);

const char *kw_sink_kind_name(enum kw_sink_kind kind); /* "journal", "syslog", "file", "socket" */
const char *kw_sync_name(enum kw_sync sync);
int kw_sync_from_name(const char *name);
const char *kw_sync_list(unsigned int index);

struct kw_sink;

/* wish is borrowed. On failure *reterr (malloc()ed) says why. */
int kw_sink_new(sd_event *loop, const struct kw_sink_wish *wish, struct kw_sink **ret,
		char **reterr);
struct kw_sink *kw_sink_free(struct kw_sink *sink); /* sends what can be sent at once; NULL */

/* One event, if the filter lets it pass. */
void kw_sink_event(struct kw_sink *sink, struct kw_news *news);
/* The end of a batch. */
void kw_sink_flush(struct kw_sink *sink);
/* Now and then: tries again, and moves a file away when it is time. */
void kw_sink_tend(struct kw_sink *sink);
/* Of a file: opens its path anew, after somebody moved it away. On failure it stays as it is. */
int kw_sink_reopen(struct kw_sink *sink);

/* Of the events that passed the filter: produced + recalled = written + lost + waiting + spooled. */
struct kw_sink_stats {
	uint64_t produced;
	uint64_t recalled; /* left on disk by an earlier daemon */
	uint64_t written; /* taken by whoever is behind the sink */
	uint64_t lost;
	uint64_t waiting; /* in memory */
	uint64_t spooled; /* on disk */
	uint64_t filtered; /* did not pass it */
	uint64_t followers; /* of a socket, now */
	uint64_t missed; /* by followers that did not read; each event once for each of them */
	const char *error; /* why nothing can be sent, or NULL; static */
};

void kw_sink_stats(const struct kw_sink *sink, struct kw_sink_stats *ret);
const struct kw_sink_wish *kw_sink_wish(const struct kw_sink *sink);

#endif
