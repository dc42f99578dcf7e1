/* SPDX-License-Identifier: GPL-2.0-only */
/* What each kind of sink does by itself; for sink*.c only. */
#ifndef KVMWARDEN_SINK_INTERNAL_H
#define KVMWARDEN_SINK_INTERNAL_H

#include "sink.h"

/* What is kept in memory of what could not be sent, in bytes. */
#define KW_SINK_BACKLOG_MAX (1024 * 1024)
#define KW_SINK_FOLLOWERS_MAX 32

struct kw_outlet;

/* Those that may be NULL have nothing to do, or are true. */
struct kw_outlet_ops {
	/*
	 * One event. 0: it was sent, or is kept to be; -EAGAIN: there is no room for it, then
	 * on_room is called later; -EMSGSIZE: there never will be. With now it is not kept if
	 * the other side is known not to take it.
	 */
	int (*write)(struct kw_outlet *outlet, const char *data, size_t len, bool now);
	/* Half of what can be kept is free; or NULL. */
	bool (*has_room)(const struct kw_outlet *outlet);
	void (*flush)(struct kw_outlet *outlet, bool sync); /* or NULL */
	/* Tries again what is kept; or NULL. */
	void (*retry)(struct kw_outlet *outlet);
	int (*reopen)(struct kw_outlet *outlet); /* or NULL */
	int (*fd)(const struct kw_outlet *outlet); /* of a file; or NULL */
	/* kept: events that are still to be sent; lost: of those that were taken. */
	void (*stats)(const struct kw_outlet *outlet, struct kw_sink_stats *ret);
	void (*free)(struct kw_outlet *outlet);
};

struct kw_outlet {
	const struct kw_outlet_ops *ops;
	/* To be called when there is room again; true: it would take more room, soon. */
	bool (*on_room)(void *userdata);
	void *userdata;
};

int kw_outlet_datagram(sd_event *loop, const char *path, struct kw_outlet **ret, char **reterr);
int kw_outlet_file(const char *path, struct kw_outlet **ret, char **reterr);
/* format: in which followers are told of what they missed. */
int kw_outlet_socket(sd_event *loop, const char *path, enum kw_format format,
		     struct kw_outlet **ret, char **reterr);

/* An event that says that so many were lost, in a format; a line without newline. */
int kw_sink_format_lost(enum kw_format format, enum kw_sink_kind kind, uint64_t count,
			const char *reason, FILE *out);

#endif
