/* SPDX-License-Identifier: GPL-2.0-only */
/* Who is a keeper, what is guarded, and how an attempt is told. */
#ifndef KVMWARDEN_KEEPER_H
#define KVMWARDEN_KEEPER_H

#include "guard.h"

#include "counters.h"
#include "identity.h"

#define EPERM 1
#define ENOMEM 12

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct inode {
	unsigned short i_mode;
	struct super_block *i_sb;
	unsigned long i_ino;
};

struct bpf_map {
	__u32 id;
	struct {
		long long counter;
	} usercnt;
};

struct bpf_prog_aux {
	__u32 id;
};

struct bpf_prog {
	struct bpf_prog_aux *aux;
};

#pragma clang attribute pop

/* Who loads the programs; set before. */
const volatile __u32 kw_loader_pid = 0;
const volatile __u64 kw_loader_ticks = 0;

/* From now on those in the map are keepers, and tokens are looked at. */
__u32 kw_sealed;

/* The file system of our pins, and where it is mounted (struct vfsmount). */
__u64 kw_sb;
__u64 kw_mount;

/* By thread group id: when it was started. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KW_KEEPERS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} keepers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KW_GUARDED_MAX);
	__type(key, struct kw_guard_key);
	__type(value, struct kw_guard_value);
} guarded SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kw_guard_token);
} secret SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, _KW_ACT_MAX);
	__type(key, __u32);
	__type(value, struct kw_limit);
} act_limits SEC(".maps");

/*
 * Apart from the ring of verdicts, so that a storm of attempts pushes none of them
 * out. It holds the 600 of one kind that its limit lets through.
 */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} attempts SEC(".maps");

static __always_inline __u64 ticks_of(__u64 task)
{
	__u64 leader = LOAD64(task, struct task_struct, group_leader);

	return LOAD64(leader, struct task_struct, start_boottime) / KW_TICK_NS;
}

static __noinline bool is_keeper_task(__u64 task)
{
	__u32 tgid = LOAD32(task, struct task_struct, tgid);
	__u64 ticks = ticks_of(task), *known;

	if (tgid == kw_loader_pid && ticks == kw_loader_ticks)
		return true;
	known = kw_sealed ? bpf_map_lookup_elem(&keepers, &tgid) : 0;
	return known && *known == ticks;
}

static __always_inline bool is_keeper(void)
{
	return is_keeper_task(bpf_get_current_task());
}

/* Tells of an attempt. detail: the object's id, the signal, whatever there is a number for. */
static __noinline int tell(__u32 act, __u64 detail)
{
	struct kw_limit *limit = bpf_map_lookup_elem(&act_limits, &act);
	struct kw_counters *count = only_element(&counters);
	__u32 suppressed = 0;
	struct kw_event *e;
	__u64 seq;

	if (!count || !limit ||
	    limit_reached(limit, bpf_ktime_get_boot_ns(), KW_LIMIT_EVENTS, KW_LIMIT_SECONDS,
			  &suppressed))
		return 0;
	seq = __sync_fetch_and_add(&count->seq, 1) + 1;
	e = bpf_ringbuf_reserve(&attempts, sizeof(*e), 0);
	if (!e) {
		__sync_fetch_and_add(&count->lost[KW_LOSS_RING], 1);
		return 0;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->seq = seq;
	e->time_ns = bpf_ktime_get_boot_ns();
	e->kind = KW_EVENT_TAMPERING;
	e->verdict = KW_DENY;
	e->intended = KW_DENY;
	e->error = EPERM;
	e->operation = KW_NONE;
	e->policy = KW_NONE;
	e->rule = KW_NONE;
	e->backend = KW_BACKEND_LSM;
	e->vm_type = KW_TYPE_NONE;
	e->vcpu = -1;
	e->command = act;
	e->vm_id = detail;
	e->suppressed = suppressed;
	identity_of_task(&e->caller, bpf_get_current_task());
	bpf_ringbuf_submit(e, 0);
	return 0;
}

static __always_inline int refuse(__u32 act, __u64 detail)
{
	tell(act, detail);
	return -EPERM;
}

static __always_inline struct kw_guard_value *find(__u64 kind, __u64 object)
{
	struct kw_guard_key key = {.kind = kind, .object = object};

	return bpf_map_lookup_elem(&guarded, &key);
}

static __noinline int guard(__u64 kind, __u64 object, __u32 id, __u32 users)
{
	struct kw_guard_key key = {.kind = kind, .object = object};
	struct kw_guard_value value = {.id = id, .users = users};

	return bpf_map_update_elem(&guarded, &key, &value, BPF_ANY) ? -ENOMEM : 0;
}

static __noinline int forget(__u64 kind, __u64 object)
{
	struct kw_guard_key key = {.kind = kind, .object = object};

	bpf_map_delete_elem(&guarded, &key);
	return 0;
}

#endif
