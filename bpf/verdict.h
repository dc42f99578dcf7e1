/* SPDX-License-Identifier: GPL-2.0-only */
/* What comes of a decision: exception, count, signal, event, errno. */
#ifndef KVMWARDEN_VERDICT_H
#define KVMWARDEN_VERDICT_H

#include "vm.h"

/* What is asked of us: an ioctl, or the birth or end of a VM. */
struct request {
	__u64 kvm;
	__u64 vcpu; /* or 0 */
	__u32 command;
	__u32 operation;
	__u32 scope;
	__u32 state;
	__u32 entry;
	__u32 kind; /* enum kw_event_kind */
	__u32 type; /* enum kw_vm_type, in force */
	__u32 family; /* enum kw_family */
	__u32 ioctl_operation; /* .operation, before the family's memory was looked at */
	__u32 suppressed; /* events before this one that were held back */
	__u32 exception; /* the number of the one that applies, or 0 */
	__u32 verdict; /* what was done */
	__u64 task; /* on behalf of which one, if not the current */
};

static __always_inline __u64 task_of(const struct request *req)
{
	return req->task ?: bpf_get_current_task();
}

/* In force for this request: what the daemon is asked for is refused by seccomp. */
static __always_inline __u32 backend_of(const struct request *req)
{
	return req->task ? KW_BACKEND_SECCOMP : kw_backend;
}

/* Writes the event of a decision that has been taken; -1 if the ring is full, which is counted. */
static __noinline int emit(const struct request *req, const struct kw_decision *decision,
			   const struct kw_vm *vm, __u64 generation)
{
	struct kw_counters *count = only_element(&counters);
	__u64 seq, id;
	struct kw_event *e;

	if (!count)
		return 0;
	seq = __sync_fetch_and_add(&count->seq, 1) + 1;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		__sync_fetch_and_add(&count->lost[KW_LOSS_RING], 1);
		STAT(lost);
		return -1;
	}
	__sync_fetch_and_add(&count->feeds[kw_feed & (KW_FEEDS - 1)].written, 1);
	e->seq = seq;
	e->time_ns = bpf_ktime_get_boot_ns();
	e->generation = generation;
	e->vm_id = vm->id;
	e->kind = req->kind;
	e->verdict = decision->verdict;
	e->intended = decision->intended;
	e->error = decision->error;
	e->operation = req->operation;
	e->scope = req->scope;
	e->state = req->state;
	e->entry = req->entry;
	e->command = req->command;
	e->vcpu = req->vcpu ? (__s32)LOAD32(req->vcpu, struct kvm_vcpu, vcpu_idx) : -1;
	e->policy = decision->policy;
	e->rule = decision->rule;
	e->backend = backend_of(req);
	e->vm_type = req->type;
	e->vm_flags = vm->flags;
	e->kvm_type = vm->kvm_type;
	e->suppressed = req->suppressed;
	e->exception = req->exception;
	__builtin_memcpy(&e->caller, &vm->creator, sizeof(e->caller));
	/* Whoever drops the last reference need not be the creator, nor have its mm. */
	if (req->kind == KW_EVENT_VM_DESTROYED) {
		bpf_ringbuf_submit(e, 0);
		return 0;
	}
	id = task_of(req);
	e->caller.started_ns = LOAD64(LOAD64(id, struct task_struct, group_leader),
				      struct task_struct, start_boottime);
	if (req->task) {
		identity_of_caller(&e->caller, id);
		bpf_ringbuf_submit(e, 0);
		return 0;
	}
	id = bpf_get_current_pid_tgid();
	e->caller.pid = id >> 32;
	e->caller.tid = (__u32)id;
	id = bpf_get_current_uid_gid();
	e->caller.uid = (__u32)id;
	e->caller.gid = id >> 32;
	e->caller.cgroup_id = bpf_get_current_cgroup_id();
	bpf_get_current_comm(e->caller.comm, sizeof(e->caller.comm));
	bpf_ringbuf_submit(e, 0);
	return 0;
}

/* The exception that applies to the operation on this VM now, or NULL. */
static __always_inline struct kw_exception *exception_for(const struct request *req,
							  const struct kw_vm *vm)
{
	struct kw_exception_key key = {.vm = vm->id, .operation = req->operation};
	struct kw_exception *exception;

	exception = bpf_map_lookup_elem(&exceptions, &key);
	return exception && exception->until_ns > bpf_ktime_get_boot_ns() ? exception : 0;
}

/* Its number, or 0; counts that it was made use of. */
static __noinline __u32 find_exception(const struct request *req, const struct kw_vm *vm)
{
	struct kw_exception *exception = exception_for(req, vm);

	if (!exception)
		return 0;
	__sync_fetch_and_add(&exception->uses, 1);
	STAT(excepted);
	return exception->id;
}

/*
 * Is an event over the limit of its kind? The first one of a VM, an operation and a
 * state never is, and the next one that is written tells how many were not.
 */
static __always_inline bool is_over_limit(const struct kw_limit_key *key, __u32 events,
					  __u64 seconds, struct request *req)
{
	struct kw_limit fresh = {.since_ns = bpf_ktime_get_boot_ns(), .events = 1}, *limit;

	limit = bpf_map_lookup_elem(&limits, key);
	if (!limit) {
		bpf_map_update_elem(&limits, key, &fresh, BPF_ANY);
		return false;
	}
	if (!limit_reached(limit, fresh.since_ns, events, seconds, &req->suppressed))
		return false;
	STAT(suppressed);
	return true;
}

static __always_inline __u32 caller_tgid(const struct request *req)
{
	if (req->task)
		return LOAD32(req->task, struct task_struct, tgid);
	return bpf_get_current_pid_tgid() >> 32;
}

/* Writes the event of a decision, unless there were too many like it lately. */
static __noinline int report(const struct kw_table *table, struct request *req,
			     const struct kw_decision *decision, const struct kw_vm *vm)
{
	const struct kw_origin *origin = 0;
	struct kw_limit *limit;
	struct kw_limit_key key = {
		.vm = vm->id ?: 1ull << 63 | caller_tgid(req),
		.generation = table->generation,
		.policy = decision->policy,
		.operation = req->operation,
		.state = req->state,
	};

	if (decision->policy != KW_NONE)
		origin = &table->origins[req->operation & (KW_OPERATIONS_MAX - 1)][req->state & 1]
					[decision->policy & (KW_POLICIES_MAX - 1)];
	if (origin && !origin->limit_events) {
		emit(req, decision, vm, table->generation);
		return 0;
	}
	if (is_over_limit(&key, origin ? origin->limit_events : KW_LIMIT_EVENTS,
			  origin ? origin->limit_seconds : KW_LIMIT_SECONDS, req))
		return 0;
	if (emit(req, decision, vm, table->generation) == 0)
		return 0;
	/* What a lost event would have told is left to the next one. */
	limit = req->suppressed ? bpf_map_lookup_elem(&limits, &key) : 0;
	if (limit)
		__sync_fetch_and_add(&limit->suppressed, req->suppressed);
	return 0;
}

/*
 * Carries a decision out; returns 0 or the errno to refuse with. Killing means
 * SIGKILL to the caller's thread group and, where the backend can, refusal.
 */
static __always_inline __u32 apply(const struct kw_table *table, struct request *req,
				   struct kw_decision *decision, struct kw_vm *vm)
{
	if (decision->verdict == KW_ALLOW)
		return 0;
	if (decision->verdict >= KW_DENY && kw_exceptions) {
		req->exception = find_exception(req, vm);
		if (req->exception)
			decision->verdict = KW_ALLOW;
	}
	if (backend_of(req) == KW_BACKEND_TRACEPOINT && decision->verdict == KW_DENY)
		decision->verdict = KW_AUDIT;
	if (backend_of(req) == KW_BACKEND_TRACEPOINT || decision->verdict < KW_DENY)
		decision->error = 0;
	if (decision->verdict == KW_DENY) {
		__sync_fetch_and_add(&vm->denied, 1);
	} else if (decision->verdict == KW_KILL) {
		/* Whoever is judged on behalf of is killed by the daemon. */
		if (!req->task)
			bpf_send_signal(9 /* SIGKILL */);
		__sync_fetch_and_add(&vm->killed, 1);
	} else {
		__sync_fetch_and_add(&vm->audited, 1);
	}
	req->verdict = decision->verdict;
	report(table, req, decision, vm);
	return decision->error;
}

/*
 * A VM whose VMM won a race. The process was killed, but others may have its memory
 * and its descriptors: the guest must not run on with what was done to it.
 */
static __noinline __u32 refuse_condemned(const struct kw_table *table, struct request *req,
					 struct kw_vm *vm)
{
	struct kw_decision decision = {
		.verdict = KW_DENY,
		.intended = KW_DENY,
		.policy = KW_NONE,
		.rule = KW_NONE,
		.error = KW_CONDEMNED_ERRNO,
	};

	req->type = vm->type;
	req->verdict = KW_DENY;
	__sync_fetch_and_add(&vm->denied, 1);
	report(table, req, &decision, vm);
	return KW_CONDEMNED_ERRNO;
}

/* There would be no record of the VM that is asked for: 0, or the errno to refuse it with. */
static __noinline __u32 refuse_beyond(const struct kw_table *table, struct request *req,
				      struct kw_vm *vm)
{
	bool refuse = kw_full_refuses && backend_of(req) != KW_BACKEND_TRACEPOINT;
	struct kw_decision decision = {
		.verdict = refuse ? KW_DENY : KW_AUDIT,
		.intended = kw_full_refuses ? KW_DENY : KW_AUDIT,
		.policy = KW_NONE,
		.rule = KW_NONE,
		.error = refuse ? KW_FULL_ERRNO : 0,
	};

	req->kind = KW_EVENT_VMS_FULL;
	COUNT(vms_refused);
	report(table, req, &decision, vm);
	return decision.error;
}

#endif
