/* SPDX-License-Identifier: GPL-2.0-only */
/* What the daemon asks about a task that waits in a seccomp notification, and the answer. */
#ifndef KVMWARDEN_INQUIRY_H
#define KVMWARDEN_INQUIRY_H

#include <linux/types.h>

/* No implicit padding: as in kvmwarden.h. */

enum kw_inquiry_kind {
	KW_INQUIRY_JUDGE,
	KW_INQUIRY_PEEK, /* only which system call the task is in, or was in last */
	KW_INQUIRY_MARK, /* of any task: marks the record of each VM there is as met (.sweep) */
};

/* What the daemon asks for a task that waits in a seccomp notification. */
struct kw_inquiry {
	__u64 arg; /* of the ioctl */
	__u32 tid;
	__u32 command; /* 0: only look which VMs the task has */
	__u32 entry; /* enum kw_entry */
	__u32 set; /* index of the rule table */
	/*
	 * Something that may seal a guest of this task is under way; without BPF, where it is about
	 * KVM_CREATE_VM: something that was decided about.
	 */
	__u32 sealing;
	__u32 kind; /* enum kw_inquiry_kind */
	__u32 operation; /* the program's own, as is .scope */
	__u32 scope;
};

struct kw_ruling {
	__u32 given; /* 0: the task is gone, or its VMs are too many */
	__u32 error; /* errno to refuse with, or 0 */
	__u32 verdict; /* enum kw_verdict */
	__u32 vms; /* that the task has; more than KW_JUDGED_MAX: too many */
	__u32 sealed; /* one of them is */
	__u32 again; /* VMs came or went meanwhile, or it has to wait: ask again */
	/* Of a peek: number, descriptor and command as in the registers; -1 is no system call. */
	__s64 nr;
	__u64 args[2];
	/* Of a peek without BPF: it runs, so its registers are not known; its time in a guest. */
	__u64 guest_ticks;
	__u32 running;
	__u32 pad;
};

/* The programs' own: a walk over KVM's list of VMs. */
struct kw_walk {
	__u64 at; /* a list_head */
	__u64 end;
	__u64 mm;
	__u32 found;
	__u32 whole; /* it came back to where it began */
};

#endif
