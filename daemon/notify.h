/* SPDX-License-Identifier: GPL-2.0-only */
/* seccomp user notifications: received, answered, and tried on a thread of our own. */
#ifndef KVMWARDEN_NOTIFY_H
#define KVMWARDEN_NOTIFY_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvmwarden.h"
#include "plan.h"

/*
 * The kernel's structures grow with time; what we read is their beginning. Where a
 * notification is received there must be room for that of any kernel to come.
 */
union kw_notif {
	struct seccomp_notif notif;
	char room[256];
};

/*
 * Takes the next notification of a listener that is readable. -EAGAIN: there is none, its
 * thread has gone on; else -errno. The kernel writes the id as soon as the notification is
 * ours: if *ret is in shared memory, who finds us dead finds it there.
 */
int kw_notify_receive(int listener, union kw_notif *ret);

/* Is the descriptor a listener at all? */
bool kw_notify_is_listener(int fd);
/* Does its thread still wait? If not, nothing that was learnt of it by its number holds. */
bool kw_notify_waits(int listener, uint64_t id);

/*
 * Ends the wait: with this errno, or by letting the kernel carry the system call out.
 * -ENOENT: the thread does not wait any more.
 */
int kw_notify_refuse(int listener, uint64_t id, int error);
int kw_notify_continue(int listener, uint64_t id);

/* An ioctl, as the kernel will take it: descriptor and command have 32 bits. */
struct kw_call {
	uint32_t fd;
	uint32_t command;
	uint64_t arg;
	enum kw_entry entry;
};

/* Is this, of whatever architecture, the number of ioctl(2)? */
bool kw_notify_is_ioctl(int64_t nr);
/* False: not an ioctl. */
bool kw_notify_call(const struct seccomp_data *data, struct kw_call *ret);

/*
 * Calls act in a thread of its own under this filter, and answers
 * what it notifies of by the errno that answer returns (0: let it go on). Returns
 * when the thread has ended; the filter is gone then. -errno: it could not be tried.
 */
int kw_notify_run_filtered(const struct sock_fprog *filter, void (*act)(void *userdata),
			   int (*answer)(void *userdata, const struct kw_call *call, uint32_t tid),
			   void *userdata);

#endif
