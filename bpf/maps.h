/* SPDX-License-Identifier: GPL-2.0-only */
/* Maps and knobs of the BPF programs. */
#ifndef KVMWARDEN_MAPS_H
#define KVMWARDEN_MAPS_H

#include "counters.h"

/* Set by the daemon before loading. */
const volatile __u32 kw_backend = KW_BACKEND_NONE; /* enum kw_backend_id */
const volatile _Bool kw_after = 0; /* the programs of after.h are loaded, too */
const volatile _Bool kw_svm = 0; /* struct kvm is embedded in kvm_amd's struct kvm_svm */
const volatile __u32 kw_vms_max = KW_VMS_MAX;
const volatile __u32 kw_feed = 0; /* which of the counters' feeds is ours */

/*
 * The daemon opens one KVM file of each scope and tells their numbers; the
 * iterator reads off the f_op of each, which is how KVM itself tells its files
 * from others (file_is_kvm()). This needs no symbol table. -1: not to
 * be learnt; while the first is not -1, who the daemon is is taken down as well.
 */
__s32 kw_learn_fds[_KW_SCOPE_MAX] = {-1, -1, -1, -1};
__u64 kw_fops[_KW_SCOPE_MAX];

/* The argument of our canary ioctl, so that another set of programs does not answer it. */
__u32 kw_canary_argument;

/* Number of the iterator's current walk: see struct kw_vm.sweep. */
__u32 kw_sweep;

/*
 * By the low byte of an ioctl number: may a rule name it, and for whom (enum kw_interest)? While
 * tables are exchanged this covers both. Everything else leaves the hook here.
 */
__u8 kw_interesting[256];

/* KW_CONCERNS_ALL: there is, or was, a condemned VM, and every ioctl of KVM is looked at. Else 0. */
__u8 kw_condemned;

/* How many exceptions there may be in the map: 0 saves looking. */
__u32 kw_exceptions;

/* How many records are in the vms map, and whether a VM beyond kw_vms_max is refused. */
__u32 kw_vms;
_Bool kw_full_refuses;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, KW_VMS_MAX + KW_VMS_SPARE);
	__type(key, __u64); /* struct kvm * */
	__type(value, struct kw_vm);
} vms SEC(".maps");

/*
 * Where a record is put together. Per task and not per CPU: the programs can be
 * preempted, and another task may run them on the same CPU meanwhile.
 */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct kw_vm);
} scratch SEC(".maps");

/*
 * What the hook let pass and KVM might carry out otherwise: see after.h. Of the
 * ioctl that the task is in, or of an earlier one.
 */
struct passed {
	__u64 kvm;
	__u64 vcpu; /* or 0 */
	__u64 generation; /* of the table that decided */
	__u32 command;
	__u32 operation; /* that the hook saw */
	__u32 ioctl_operation; /* the one that is decided where a number is not known */
	__u16 entry;
	__u16 scope;
	__u16 type; /* in force: enum kw_vm_type */
	__u16 active; /* the VM was an SEV one */
	__u32 sealed_operation; /* what the vCPU would be asked for if it were sealed by then ... */
	__u32 sealed_differs; /* ... and whether that makes a difference */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct passed);
} passed SEC(".maps");

/* The daemon writes them, the programs take them for void once their time is over. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KW_EXCEPTIONS_MAX);
	__type(key, struct kw_exception_key);
	__type(value, struct kw_exception);
} exceptions SEC(".maps");

/* What is pushed out of it starts anew: its next event is a first one, and written. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, KW_LIMITS_MAX);
	__type(key, struct kw_limit_key);
	__type(value, struct kw_limit);
} limits SEC(".maps");

struct table_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kw_table);
} empty_table SEC(".maps");

/*
 * The rule table in force, and after it those that hold for single launches only (see
 * judge.h). The daemon fills a new inner map, then exchanges it
 * for the old one: a program sees the whole of either, and the kernel frees the
 * old one when no program can be reading it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, KW_SETS_MAX);
	__type(key, __u32);
	__array(values, struct table_map);
} tables SEC(".maps") = {.values = {&empty_table}};

/*
 * The VMs that are condemned: their records say so too, but these are lost when
 * another daemon's programs take over, who adopt the VMs anew. One that falls out
 * of it is condemned until then.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64); /* struct kvm * */
	__type(value, __u64); /* the id it had */
} condemned SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kw_stats);
} stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1024 * 1024);
} events SEC(".maps");

#define COUNT(member)                                                    \
	do {                                                             \
		struct kw_counters *counters_ = only_element(&counters); \
		if (counters_)                                           \
			__sync_fetch_and_add(&counters_->member, 1);     \
	} while (0)

#define STAT(member)                                              \
	do {                                                      \
		struct kw_stats *stats_ = only_element(&stats);   \
		if (stats_)                                       \
			__sync_fetch_and_add(&stats_->member, 1); \
	} while (0)

static __always_inline const struct kw_table *current_table(void)
{
	void *inner = only_element(&tables);

	return inner ? only_element(inner) : 0;
}

#endif
