/* SPDX-License-Identifier: GPL-2.0-only */
/* The varlink interface io.kvmwarden.Manager, served on a unix socket. */
#ifndef KVMWARDEN_MANAGER_H
#define KVMWARDEN_MANAGER_H

#include <stddef.h>
#include <systemd/sd-event.h>

#include "json.h"

/* Limits per server; what is over them is refused or dropped, and counted. */
#define KW_MANAGER_CLIENTS_MAX 32
#define KW_MANAGER_REQUEST_MAX (64 * 1024)
#define KW_MANAGER_BACKLOG_MAX (1024 * 1024) /* unsent bytes per follower */
#define KW_MANAGER_RECENT_MAX 512	     /* events kept for "events" without -f */

struct kw_manager;

/*
 * What the manager asks of the daemon. Each appends one JSON object to reply
 * and returns 0, or returns -errno with *reterr set to a malloc()ed sentence.
 */
struct kw_manager_ops {
	int (*status)(void *userdata, struct kw_json *reply, char **reterr);
	int (*vms)(void *userdata, struct kw_json *reply, char **reterr); /* {"vms":[...]} */
	int (*reload)(void *userdata, struct kw_json *reply, char **reterr); /* root only */
	int (*unload)(void *userdata, struct kw_json *reply, char **reterr); /* root only */
};

/*
 * Listens on path (its directory is created 0750, the socket is 0660, both of
 * group "kvmwarden" if it exists) until freed; a stale socket is replaced, a
 * living daemon's is -EADDRINUSE.
 */
int kw_manager_new(sd_event *loop, const char *path, const struct kw_manager_ops *ops,
		   void *userdata, struct kw_manager **ret);
struct kw_manager *kw_manager_free(struct kw_manager *manager); /* returns NULL */

/* Hands one event (a JSON object, no newline) to the followers and to the recent ones. */
void kw_manager_event(struct kw_manager *manager, const char *json, size_t len);

#endif
