/* SPDX-License-Identifier: GPL-2.0-only */
/* The launches of a host: who comes to be supervised, and who is. */
#ifndef KVMWARDEN_SUPERVISOR_H
#define KVMWARDEN_SUPERVISOR_H

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "launch.h"
#include "plan.h"

/*
 * The protocol of "kvmwarden run", on a SOCK_SEQPACKET unix socket: one JSON object a
 * message. A launch is three of them, after which the connection stays open for as long
 * as the keeper (see run-keeper.h) wants to know whether we live.
 *   -> {"method":"Plan","policySet":DIRECTORY or null,"name":...}
 *   <- {"launch":ID,"plan":[...]}, or {"enforcedBy":BACKEND}: there is nothing to do
 *   -> {"method":"Supervise"} with the listener
 *   <- {"supervised":true} with the record (struct kw_launch_record)
 * and where an earlier daemon had it
 *   -> {"method":"Resume"} with listener and record
 *   <- as to "Supervise"
 * or <- {"error":SENTENCE,"status":EXIT STATUS}, after which the connection ends.
 */
#define KW_LAUNCH_SOCKET "launch" /* beside the manager's */
#define KW_LAUNCH_MESSAGE_MAX (128 * 1024)
#define KW_LAUNCHES_MAX 1024
#define KW_LAUNCH_CLIENTS_MAX 64 /* that are not supervised yet */

/*
 * The protocol of an OCI runtime (runtime-spec, "seccomp", listenerPath), on a SOCK_STREAM
 * socket: the state of a container's process as JSON, with its descriptors, and no answer.
 * The runtime's "metadata" may name a directory of policies.
 */
#define KW_OCI_SOCKET "oci"

enum kw_launch_news {
	KW_LAUNCH_STARTED,
	KW_LAUNCH_RESUMED,
	KW_LAUNCH_ENDED, /* no process has the filter any more */
	KW_LAUNCH_REFUSED, /* error says why */
	KW_LAUNCH_OUTDATED, /* policies name more than its filter asks about: error says what */
};

/* What the supervisor asks of the daemon. */
struct kw_supervisor_ops {
	struct kw_judge judge;
	/*
	 * Which set of policies a launch gets (NULL or "": those in force), and what its
	 * filter has to notify of: *ret_set is an index for struct kw_inquiry. Returns 1 if the
	 * backend needs no filter, -errno with *reterr and *ret_status (enum kw_exit).
	 */
	int (*plan)(void *userdata, const char *directory, struct kw_plan *ret, uint32_t *ret_set,
		    int *ret_status, char **reterr);
	/* What it would have to notify of now. */
	int (*replan)(void *userdata, uint32_t set, struct kw_plan *ret);
	/* It is used by one launch less. */
	void (*release)(void *userdata, uint32_t set);
	/*
	 * What a launch asks for is judged from here on, until the end; over: no process has
	 * it any more. begin: -errno, it cannot be supervised.
	 */
	int (*begin)(void *userdata, struct kw_asked *asked);
	void (*end)(void *userdata, struct kw_asked *asked, uint32_t set, bool over);
	void (*tell)(void *userdata, enum kw_launch_news news,
		     const struct kw_launch_record *launch, const char *error);
	const char *backend; /* its name */
	void *userdata;
};

struct kw_supervisor;

/*
 * Listens beside the manager's socket (NULL: nowhere), for processes of the group "kvm",
 * which may use KVM, and root; ops is borrowed. Launches that an earlier daemon left with
 * the service manager (sd_listen_fds()) are resumed.
 */
int kw_supervisor_new(sd_event *loop, const char *manager_socket,
		      const struct kw_supervisor_ops *ops, struct kw_supervisor **ret);
/* Launches go on for as long as somebody else has their listeners. NULL is fine. */
struct kw_supervisor *kw_supervisor_free(struct kw_supervisor *supervisor);

/*
 * Policies changed: compares the launches with what they would have to notify of now. A filter
 * cannot be changed, so an operation that policies began to name since is not asked about.
 */
void kw_supervisor_compare(struct kw_supervisor *supervisor);

struct kw_supervisor_stats {
	uint64_t launches; /* now */
	uint64_t outdated; /* of these */
	struct kw_launch_stats total; /* of all launches, those that ended too */
};

void kw_supervisor_stats(const struct kw_supervisor *supervisor, struct kw_supervisor_stats *ret);

#endif
