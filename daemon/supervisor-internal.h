/* SPDX-License-Identifier: GPL-2.0-only */
/* What supervisor*.c share. */
#ifndef KVMWARDEN_SUPERVISOR_INTERNAL_H
#define KVMWARDEN_SUPERVISOR_INTERNAL_H

#include <sys/stat.h>

#include "supervisor.h"

/* Why a listener is not taken where kw_supervisor_ops.plan() returns 1. */
#define KW_NO_FILTERS "the backend in force refuses by itself, and answers no filter"

struct supervised {
	struct kw_supervisor *supervisor;
	struct kw_launch *launch;
	uint32_t set;
	bool outdated;
	uint32_t stored; /* how often the service manager was given a record of it */
	sd_event_source *source;
	sd_event_source *timer; /* while somebody has to wait */
};

/* Somebody who wants to be supervised, or a keeper. */
struct client {
	struct kw_supervisor *supervisor;
	int fd;
	sd_event_source *source;
	sd_event_source *timer; /* who takes too long is let go */
	bool oci; /* a container's runtime */
	struct kw_launch_record record; /* of the launch that is planned */
	uint32_t set;
	bool planned;
	bool keeping; /* nothing more is expected of it */
};

struct kw_supervisor {
	sd_event *loop;
	const struct kw_supervisor_ops *ops;
	int sockets[2]; /* launch, oci; or -1 */
	char *paths[2];
	struct stat stats[2];
	sd_event_source *sources[2];
	struct supervised *launches[KW_LAUNCHES_MAX];
	struct client *clients[KW_LAUNCHES_MAX + KW_LAUNCH_CLIENTS_MAX];
	size_t clients_waiting;
	struct kw_launch_stats ended; /* sum of those that are over */
};

/* One message and its descriptors, at most two; unused ones are -1. */
struct message {
	char *text; /* KW_LAUNCH_MESSAGE_MAX bytes and a NUL */
	ssize_t len;
	int fds[2];
};

/* -errno of recvmsg(2), -EMSGSIZE, or 0 with .len 0 at the end. Descriptors are then the caller's. */
int kw_supervisor_receive(int fd, struct message *ret);

/* supervisor-socket.c: opens both sockets; begins and ends clients. */
int kw_supervisor_listen(struct kw_supervisor *supervisor, const char *manager_socket);
struct client *kw_supervisor_forget(struct client *client);
/* supervisor-oci.c: what a runtime sent. */
void kw_supervisor_oci(struct client *client, struct message *message);

/* supervisor-plan.c: notes what a filter asks about. -E2BIG. */
int kw_supervisor_note_plan(struct kw_launch_record *record, const struct kw_plan *plan);
void kw_supervisor_compare_one(struct supervised *one);

/* Adds a launch, which it owns from here on, also on failure. -E2BIG: there are too many. */
int kw_supervisor_add(struct kw_supervisor *supervisor, struct kw_launch *launch, uint32_t set,
		      enum kw_launch_news news, uint32_t stored);

/* supervisor-store.c: what the service manager keeps of a launch between daemons. */
void kw_supervisor_store(struct supervised *one);
void kw_supervisor_unstore(const struct supervised *one);
/* Resumes what an earlier daemon stored; what is no launch is told of, and closed. */
void kw_supervisor_take_stored(struct kw_supervisor *supervisor);

/* Is there one with the same id, and the same listener? */
bool kw_supervisor_has(const struct kw_supervisor *supervisor, const struct kw_launch *launch);

/* Why a launch could not be made of what came: a sentence for -errno of launch.h. */
const char *kw_supervisor_why(int error);

/* A new id, in hexadecimal digits. */
int kw_launch_new_id(char ret[static KW_LAUNCH_ID_LEN + 1]);

#endif
