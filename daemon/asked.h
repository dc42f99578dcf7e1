/* SPDX-License-Identifier: GPL-2.0-only */
/* The VMs that a launch has asked KVM for, as far as their types go. */
#ifndef KVMWARDEN_ASKED_H
#define KVMWARDEN_ASKED_H

#include "kvmwarden.h"

#define KW_ASKED_MAX 16

/*
 * A part of what outlives the daemon: struct kw_launch_record. Where there is no BPF nobody
 * knows of single VMs, so a record stands for all that were asked for with the same type, by
 * processes that policies cannot tell apart.
 */
struct kw_asked {
	__u32 types; /* bits, enum kw_vm_type: let pass at KVM_CREATE_VM, under any backend */
	__u32 count; /* of .vms; without BPF only */
	struct kw_vm vms[KW_ASKED_MAX];
};

/* KVM_CREATE_VM's argument, of which KVM takes all bits. */
static inline __u32 kw_asked_type(__u64 argument)
{
	return argument <= KW_TYPE_TDX ? (__u32)argument : KW_TYPE_UNKNOWN;
}

#endif
