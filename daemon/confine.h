/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon gives up what it does not need, in stages. */
#ifndef KVMWARDEN_CONFINE_H
#define KVMWARDEN_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

#include "policy.h"
#include "sink.h"

/* In the order in which they come into force. */
enum kw_confine_stage {
	KW_CONFINE_PROCESS, /* no memory image, no gain by exec, no foreign descriptors */
	KW_CONFINE_FILES, /* Landlock: no file outside of its directories */
	KW_CONFINE_CAPABILITIES, /* none but those that the loop needs */
	KW_CONFINE_CALLS, /* seccomp: no system call that the loop does not need */
	_KW_CONFINE_MAX,
};

/* What is in place, and why the rest is not. Start with (struct kw_confinement){}. */
struct kw_confinement {
	bool wanted; /* false: --no-confine */
	bool stages[_KW_CONFINE_MAX];
	/* What this kernel, or whoever started us, lacks for a stage; a sentence, owned. */
	char *missing[_KW_CONFINE_MAX];
	uint64_t capabilities; /* kept, one bit each, if that stage is in place */
};

/* What the loop will want to do. All borrowed. */
struct kw_confine_wish {
	const char *socket;
	const char *events; /* file of events, or NULL */
	bool rotates; /* it is moved away by us */
	const struct kw_sink_wish *sinks;
	size_t sink_count;
	const char *metrics; /* a socket's path, or a port; or NULL */
	const char *token; /* file of the token, or NULL; it was read before the last stage */
	const char *const *policy_dirs; /* NULL-terminated */
	const struct kw_policy_set *policies; /* in force; NULL: not known yet */
	bool pin; /* pins are removed at the end, and a file of state is kept */
	/*
	 * VMMs of other users may have to be killed: keeps CAP_KILL, and signals are let out
	 * of our Landlock domain.
	 */
	bool supervises;
	/*
	 * Links of /proc/PID, exe and fd, of other processes are read, which Landlock keeps
	 * from whoever is under it: keeps CAP_SYS_PTRACE, and leaves out that stage.
	 */
	bool inspects;
};

/*
 * The first stage, and the capabilities that not even the start needs. At the top of
 * kw_daemon_run(): before a file is read, a thread is made or a descriptor opened that is
 * to stay. Closes descriptors above 2 that were inherited, but those of LISTEN_FDS and those
 * that wish names as /dev/fd/N.
 */
int kw_confine_begin(struct kw_confinement *c, const struct kw_confine_wish *wish, char **reterr);

/*
 * The other stages. In serve(), when everything is open that will ever be needed, and before
 * anything from outside is answered. Capabilities and Landlock belong to a thread, so there
 * must be no other one yet (-EBUSY); those that are made later have what this one has.
 *
 * Both return 0, or -errno and in *reterr (malloc()ed) a sentence: the process may be confined
 * in part then, and is to end. What the kernel does not have is no error, but in c->missing.
 */
int kw_confine_serve(struct kw_confinement *c, const struct kw_confine_wish *wish, char **reterr);

/* "process", "files", "capabilities", "calls" */
const char *kw_confine_stage_name(enum kw_confine_stage stage);

/* "CAP_BPF"; of those that the loop may keep. */
const char *kw_confine_capability_name(unsigned int capability);

void kw_confinement_done(struct kw_confinement *c);

#endif
