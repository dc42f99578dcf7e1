/* SPDX-License-Identifier: GPL-2.0-only */
/* One VMM under a seccomp filter of ours: its notifications, and what was let pass of them. */
#ifndef KVMWARDEN_LAUNCH_H
#define KVMWARDEN_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>

#include "asked.h"
#include "inquiry.h"
#include "kvmwarden.h"
#include "notify.h"

#define KW_LAUNCH_ID_LEN 32 /* hexadecimal digits */
#define KW_LAUNCH_SET_MAX 256 /* bytes of a directory's name, with its NUL */
#define KW_LAUNCH_COMMANDS 512
#define KW_LAUNCH_SLOTS 32 /* notifications that are looked at, at a time */
#define KW_LAUNCH_PASSED 64 /* ioctls that were let pass and may not be over */

/* An ioctl that was let pass; tid 0: none. */
struct kw_passed {
	uint32_t tid;
	uint32_t fd;
	uint32_t command;
	uint32_t changes; /* it may give its process other VMs or vCPUs, or seal one */
	uint64_t guest_ticks; /* without BPF: when it was first asked about, plus one; 0: not yet */
};

/*
 * What another daemon has to know to go on where this one was killed. It is in shared
 * memory that whoever keeps the listener has, too, for reading only.
 */
struct kw_launch_record {
	uint32_t size; /* of this structure: another version's is not taken over */
	uint32_t uid; /* of who started it */
	uint32_t pid; /* of the VMM when it was started */
	uint32_t pad;
	uint64_t started_ns; /* CLOCK_REALTIME */
	char id[KW_LAUNCH_ID_LEN + 8];
	char set[KW_LAUNCH_SET_MAX]; /* directory of its own policies; "": those in force */
	char name[64]; /* what was started, for people */
	/* What its filter asks about, and how many; foreign: somebody else made it. */
	uint32_t commands[KW_LAUNCH_COMMANDS];
	uint32_t command_count;
	uint32_t foreign;
	struct kw_asked asked;
	struct kw_passed passed[KW_LAUNCH_PASSED];
	union kw_notif slots[KW_LAUNCH_SLOTS]; /* .notif.id not 0: received, not answered */
};

struct kw_launch_stats {
	uint64_t asked;
	uint64_t refused;
	uint64_t killed;
	uint64_t held; /* that had to wait for another ioctl to end */
	uint64_t failed; /* refused because no decision was to be had */
};

/* How a decision is made; userdata is passed on. */
struct kw_judge {
	/* As kw_backend_judge(). */
	int (*judge)(void *userdata, const struct kw_inquiry *inquiry, struct kw_asked *asked,
		     struct kw_ruling *ret);
	void *userdata;
	/* It knows nothing but the types that are asked for: then nothing else changes anything. */
	bool by_types;
};

struct kw_launch;

/*
 * A launch with this listener, which it owns from here on, also on failure. The fields of
 * record that say who it is are copied; the rest begins empty. -ENOTTY: it is no listener.
 */
int kw_launch_new(int listener, const struct kw_launch_record *record, struct kw_launch **ret);

/*
 * Goes on with one that another daemon had: record_fd (borrowed) is what kw_launch_record_fd()
 * gave. -EINVAL: it is none of this version; -ENOTTY.
 */
int kw_launch_resume(int listener, int record_fd, struct kw_launch **ret);

/* Whoever still waits is answered ENOSYS, unless somebody else has the listener, too. NULL is fine. */
struct kw_launch *kw_launch_free(struct kw_launch *launch);

int kw_launch_listener(const struct kw_launch *launch); /* borrowed; readable: serve it */
/* A descriptor for reading, to be given away: the caller closes it. -errno. */
int kw_launch_record_fd(const struct kw_launch *launch);
const struct kw_launch_record *kw_launch_record(const struct kw_launch *launch);
struct kw_asked *kw_launch_asked(struct kw_launch *launch); /* a part of the record */
const struct kw_launch_stats *kw_launch_stats(const struct kw_launch *launch);

/*
 * Answers what is asked, by the table with this index. Returns 0; 1 if some have to wait and
 * this should be called again in a millisecond; -EPIPE when no process has the filter any more.
 */
int kw_launch_serve(struct kw_launch *launch, const struct kw_judge *judge, uint32_t set);

#endif
