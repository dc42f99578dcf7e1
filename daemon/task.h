/* SPDX-License-Identifier: GPL-2.0-only */
/* What /proc says of a task. */
#ifndef KVMWARDEN_TASK_H
#define KVMWARDEN_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvmwarden.h"

/*
 * Of a thread by its number, which stands for the same one only for as long as it is known to
 * live; see kw_notify_waits(). All return 0 or -errno, -ESRCH: there is no such thread.
 */

/* Its thread group. */
int kw_task_tgid(uint32_t tid, uint32_t *ret);

/* Is /proc there, and the one of our own pid namespace? -errno with *reterr (malloc()ed). */
int kw_task_check_proc(char **reterr);

struct kw_task_call {
	int64_t nr; /* as in the registers; -1: it is in no system call */
	uint64_t args[2]; /* the first two */
};

/*
 * The system call that a thread sleeps in. -EAGAIN: it does not sleep. Takes what ptrace(2)
 * takes: CAP_SYS_PTRACE, or the same user and no more capabilities than ours.
 */
int kw_task_call(uint32_t tid, struct kw_task_call *ret);

/* How long the thread itself was in a guest, in ticks of the clock, as these met it there. */
int kw_task_guest_ticks(uint32_t tid, uint64_t *ret);

/*
 * Who a thread is, as bpf/identity.h would see it, with these differences: ids are those of our
 * user namespace, .started_ns has the resolution of a tick, the cgroup is seen from our cgroup
 * namespace, and what cannot be read, or not be told, is unknown (KW_PATH_UNKNOWN).
 */
int kw_task_identity(uint32_t tid, struct kw_identity *ret);

/* The parts of it that are the thread's own; the others stay as they are. */
int kw_task_caller(uint32_t tid, struct kw_identity *who);

/* What is read there, for kw_task_*() and the unit tests. -EINVAL: it is not of that form. */
int kw_task_parse_call(const char *text, struct kw_task_call *ret); /* -EAGAIN as above */
/* "stat": start of the thread, and its time in guests, in ticks. */
int kw_task_parse_stat(const char *text, uint64_t *ret_started, uint64_t *ret_guest);
int kw_task_parse_status(const char *text, struct kw_identity *ret); /* ids */
/* The link "exe"; links is how many names the file itself has. */
void kw_task_parse_exe(const char *link, uint64_t links, struct kw_path *ret);
/* "cgroup": the path in the hierarchy of version 2, and the unit in it. */
void kw_task_parse_cgroup(const char *text, struct kw_identity *ret);

#endif
