/* SPDX-License-Identifier: GPL-2.0-only */
/* The varlink interface io.kvmwarden.Manager, served on a unix socket. */
#ifndef KVMWARDEN_MANAGER_H
#define KVMWARDEN_MANAGER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "json.h"

/* Limits per server; what is over them is refused or dropped, and counted. */
#define KW_MANAGER_CLIENTS_MAX 32
#define KW_MANAGER_REQUEST_MAX (64 * 1024)
#define KW_MANAGER_BACKLOG_MAX (1024 * 1024) /* unsent bytes per follower */
#define KW_MANAGER_RECENT_MAX 512 /* events kept for "events" without -f */

struct kw_manager;

/* An exception that is asked for. Strings are borrowed. */
#define KW_ALLOW_SECONDS_MAX (24 * 60 * 60)
#define KW_ALLOW_REASON_MAX 256 /* bytes */

struct kw_allow {
	uint64_t vm;
	const char *operation; /* or a group */
	uint64_t seconds; /* from 1 to KW_ALLOW_SECONDS_MAX */
	const char *reason; /* not empty */
	uint32_t uid; /* who asks */
};

/*
 * What the manager asks of the daemon. Each appends one JSON object to reply
 * and returns 0, or returns -errno with *reterr set to a malloc()ed sentence.
 * They may call kw_manager_event(), but not free the manager.
 */
struct kw_manager_ops {
	int (*status)(void *userdata, struct kw_json *reply, char **reterr);
	int (*prove)(void *userdata, struct kw_json *reply, char **reterr); /* then as status */
	int (*vms)(void *userdata, struct kw_json *reply, char **reterr); /* {"vms":[...]} */
	int (*reload)(void *userdata, struct kw_json *reply, char **reterr); /* root only */
	/* mode: enum kw_mode, or -1 for the one of the policy's file; root only, as are all below */
	int (*set_mode)(void *userdata, const char *policy, int mode, uint32_t uid,
			struct kw_json *reply, char **reterr);
	int (*allow)(void *userdata, const struct kw_allow *allow, struct kw_json *reply,
		     char **reterr);
	int (*end_exception)(void *userdata, uint64_t id, struct kw_json *reply, char **reterr);
	int (*unload)(void *userdata, struct kw_json *reply, char **reterr); /* root only */
};

/*
 * Listens on path, for root and the group "kvmwarden", until freed: see kw_listen(). ops is
 * borrowed. A path of NULL listens nowhere.
 */
int kw_manager_new(sd_event *loop, const char *path, const struct kw_manager_ops *ops,
		   void *userdata, struct kw_manager **ret);
struct kw_manager *kw_manager_free(struct kw_manager *manager); /* returns NULL */

/*
 * Serves one connected stream socket, which it owns from here on, also on
 * failure. uid is the other side's: 0 may do everything, others read and follow.
 */
int kw_manager_serve(struct kw_manager *manager, int fd, uid_t uid);

/* Hands one event (a JSON object, no newline) to the followers and to the recent ones. */
void kw_manager_event(struct kw_manager *manager, const char *json, size_t len);

struct kw_manager_stats {
	uint64_t clients; /* now */
	uint64_t refused; /* connections over the limit, ever */
	uint64_t lost; /* events that slow followers missed, ever */
};

void kw_manager_stats(const struct kw_manager *manager, struct kw_manager_stats *ret);

#endif
