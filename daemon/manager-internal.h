/* SPDX-License-Identifier: GPL-2.0-only */
/* What manager.c, manager-session.c and manager-calls.c share. */
#ifndef KVMWARDEN_MANAGER_INTERNAL_H
#define KVMWARDEN_MANAGER_INTERNAL_H

#include <stdbool.h>
#include <sys/stat.h>

#include "manager.h"
#include "varlink.h"

/*
 * Theory of operation
 *
 * A client is reading (requests), writing (a reply that did not go out at once)
 * or following (events, until it hangs up). Requests are answered one at a time
 * and one per turn of the event loop; nothing is read while something is still
 * to be written, so that the reply to a request bounds what a client can make
 * us hold. Nothing ever blocks. A follower's events wait in its outbox up to
 * KW_MANAGER_BACKLOG_MAX; further ones are dropped and counted until half of
 * them are gone, when a notice takes the place of what was dropped.
 */

struct session {
	struct kw_manager *manager;
	int fd;
	uid_t uid;
	sd_event_source *source;
	struct kw_inbox in;
	struct kw_outbox out;
	bool ended; /* the other side sends nothing more */
	bool following;
	uint64_t lost; /* events dropped since the last notice */
};

/* One recent event; its buffer is used again for a later one. */
struct recent {
	char *text;
	size_t len;
	size_t size;
};

struct kw_manager {
	sd_event *loop;
	const struct kw_manager_ops *ops;
	void *userdata;
	struct kw_manager_stats stats;

	int fd; /* the listening socket, or -1 */
	sd_event_source *source;
	char *path;
	struct stat stat; /* of the socket, to remove only our own */

	struct session *clients[KW_MANAGER_CLIENTS_MAX];
	struct recent recent[KW_MANAGER_RECENT_MAX];
	size_t recent_next;
	size_t recent_count;

	struct kw_json reply; /* used again for each */
};

/* Serves the socket. -EBUSY when there are too many clients. Owns fd, also on failure. */
int kw_session_new(struct kw_manager *manager, int fd, uid_t uid);
struct session *kw_session_end(struct session *session); /* frees it; returns NULL */

/* Appends an event to a follower's outbox, or counts it as lost. */
int kw_session_event(struct session *session, const char *json, size_t len);

/* Puts one reply into the outbox: {"parameters":PARAMETERS} or with "continues". */
int kw_session_reply(struct session *session, const char *parameters, size_t len, bool continues);
/* As above, of {"event":JSON}. */
int kw_session_reply_event(struct session *session, const char *json, size_t len);
int kw_session_reply_error(struct session *session, const char *error, const char *name,
			   const char *value);

/* Answers one request. An error means that the client is to be dropped. */
int kw_manager_call(struct session *session, const char *text, size_t len);

#endif
