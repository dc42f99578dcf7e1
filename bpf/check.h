/* SPDX-License-Identifier: GPL-2.0-only */
/* The way of one ioctl: whose file, which operation, which verdict, which event. */
#ifndef KVMWARDEN_CHECK_H
#define KVMWARDEN_CHECK_H

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
};

static __always_inline bool has_dirty_registers(__u64 vcpu)
{
	return LOAD64(LOAD64(vcpu, struct kvm_vcpu, run), struct kvm_run, kvm_dirty_regs);
}

/*
 * Where rules name SYNC_REGS, but not KVM_RUN itself: most calls of KVM_RUN are of
 * vCPUs that are not sealed and bring no registers.
 */
static __noinline bool run_matters(__u64 file)
{
	__u64 vcpu;

	if (LOAD64(file, struct file, f_op) != kw_fops[KW_SCOPE_VCPU])
		return false;
	vcpu = LOAD64(file, struct file, private_data);
	return has_dirty_registers(vcpu) || vcpu_sealed(vcpu);
}

/* Most ioctls of a host leave here: not KVM's, or no rule names them. */
static __always_inline bool worth_checking(__u32 command)
{
	if ((command >> 8 & 0xff) != KW_IOC_TYPE)
		return false;
	return kw_interesting[command & 0xff] || (command == KW_CMD_RUN && kw_condemned);
}

/* Whose file is it? False: not KVM's. Any file can be given a KVM ioctl number. */
static __always_inline bool find_target(struct request *req, __u64 file)
{
	__u64 fop = LOAD64(file, struct file, f_op);
	__u64 data;

	if (!fop)
		return false;
	data = LOAD64(file, struct file, private_data);
	if (fop == kw_fops[KW_SCOPE_VCPU]) {
		req->scope = KW_SCOPE_VCPU;
		req->vcpu = data;
		req->kvm = LOAD64(data, struct kvm_vcpu, kvm);
	} else if (fop == kw_fops[KW_SCOPE_VM]) {
		req->scope = KW_SCOPE_VM;
		req->kvm = data;
	} else if (fop == kw_fops[KW_SCOPE_DEVICE]) {
		req->scope = KW_SCOPE_DEVICE;
		req->kvm = LOAD64(data, struct kvm_device, kvm);
	} else if (fop == kw_fops[KW_SCOPE_SYSTEM]) {
		req->scope = KW_SCOPE_SYSTEM;
	} else {
		return false;
	}
	return true;
}

/* Writes the event of a decision that has been taken. A full ring changes nothing but a count. */
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
		__sync_fetch_and_add(&count->lost, 1);
		return 0;
	}
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
	e->backend = kw_backend;
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
	id = bpf_get_current_task();
	e->caller.started_ns = LOAD64(LOAD64(id, struct task_struct, group_leader),
				      struct task_struct, start_boottime);
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

/* Does an exception apply to the operation on this VM, now? Its number, or 0. */
static __noinline __u32 find_exception(const struct request *req, const struct kw_vm *vm)
{
	struct kw_exception_key key = {.vm = vm->id, .operation = req->operation};
	struct kw_exception *exception;

	exception = bpf_map_lookup_elem(&exceptions, &key);
	if (!exception || exception->until_ns <= bpf_ktime_get_boot_ns())
		return 0;
	__sync_fetch_and_add(&exception->uses, 1);
	STAT(excepted);
	return exception->id;
}

/*
 * Is this event over its rule's limit? The first one of a VM, an operation and a
 * state never is, and the next one that is written tells how many were not. Two
 * CPUs at the turn of an interval may both begin it: that writes one too many.
 */
static __noinline bool is_over_limit(const struct kw_table *table, struct request *req,
				     const struct kw_decision *decision, const struct kw_vm *vm)
{
	struct kw_limit fresh = {.since_ns = bpf_ktime_get_boot_ns(), .events = 1}, *limit;
	struct kw_limit_key key = {
		.vm = vm->id ?: 1ull << 63 | bpf_get_current_pid_tgid() >> 32,
		.generation = table->generation,
		.policy = decision->policy,
		.operation = req->operation,
		.state = req->state,
	};
	const struct kw_origin *origin;

	origin = &table->origins[req->operation & (KW_OPERATIONS_MAX - 1)][req->state & 1]
				[decision->policy & (KW_POLICIES_MAX - 1)];
	if (!origin->limit_events)
		return false;
	limit = bpf_map_lookup_elem(&limits, &key);
	if (!limit) {
		bpf_map_update_elem(&limits, &key, &fresh, BPF_ANY);
		return false;
	}
	if (fresh.since_ns - limit->since_ns >= origin->limit_seconds * 1000000000ull) {
		limit->since_ns = fresh.since_ns;
		limit->events = 1;
	} else if (__sync_fetch_and_add(&limit->events, 1) >= origin->limit_events) {
		__sync_fetch_and_add(&limit->suppressed, 1);
		STAT(suppressed);
		return true;
	}
	req->suppressed = limit->suppressed;
	__sync_fetch_and_add(&limit->suppressed, -req->suppressed);
	return false;
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
	if (kw_backend == KW_BACKEND_TRACEPOINT && decision->verdict == KW_DENY)
		decision->verdict = KW_AUDIT;
	if (kw_backend == KW_BACKEND_TRACEPOINT || decision->verdict < KW_DENY)
		decision->error = 0;
	if (decision->verdict == KW_DENY) {
		__sync_fetch_and_add(&vm->denied, 1);
	} else if (decision->verdict == KW_KILL) {
		bpf_send_signal(9 /* SIGKILL */);
		__sync_fetch_and_add(&vm->killed, 1);
	} else {
		__sync_fetch_and_add(&vm->audited, 1);
	}
	if (!is_over_limit(table, req, decision, vm))
		emit(req, decision, vm, table->generation);
	return decision->error;
}

/*
 * An ioctl on /dev/kvm: there is no VM yet. KVM_CREATE_VM is decided for the VM
 * it asks for, whose type is the scalar argument; when it is only audited, the
 * event is that of the birth.
 */
static __noinline __u32 check_system(const struct kw_table *table, struct request *req, __u64 arg)
{
	struct kw_decision decision;
	struct kw_vm *vm;
	bool creation = req->operation == KW_OP_CREATE_VM;

	vm = scratch_vm(bpf_get_current_task());
	if (!vm)
		return creation ? 12 /* ENOMEM */ : 0;
	vm->kvm_type = arg;
	vm->type = KW_TYPE_NONE;
	if (creation)
		vm->type = arg <= KW_TYPE_TDX ? arg : KW_TYPE_UNKNOWN;
	vm->flags = kw_type_flags(vm->type);
	if (creation && is_self(&vm->creator))
		return 0;
	req->type = vm->type;
	kw_decide(&table->cells[req->operation & (KW_OPERATIONS_MAX - 1)][KW_STATE_BUILDING],
		  table->origins[req->operation & (KW_OPERATIONS_MAX - 1)][KW_STATE_BUILDING],
		  match_policies(table, vm, vm->type), &decision);
	if (creation && (decision.verdict <= KW_AUDIT ||
			 (decision.verdict == KW_DENY && kw_backend == KW_BACKEND_TRACEPOINT)))
		return 0;
	return apply(table, req, &decision, vm);
}

/*
 * Which operation is it, of those that share the ioctl? The number is in memory
 * that can be changed after this look: after.h looks again. KVM_SEV_* and
 * KVM_TDX_* share numbers, too.
 */
static __noinline __u32 member_operation(const struct kw_table *table, const struct request *req,
					 __u64 arg)
{
	__u32 number = KW_MEMBER_UNREADABLE, family = req->family, operation;

	if (family == KW_FAMILY_SEV && req->type == KW_TYPE_TDX)
		family = KW_FAMILY_TDX;
	/* sev_mem_enc_ioctl() reads nothing then, and answers that there is SEV. */
	if (family >= _KW_FAMILY_MAX || (family == KW_FAMILY_SEV && !arg))
		return req->operation;
	if (family == KW_FAMILY_RUN) {
		number = has_dirty_registers(req->vcpu) ? KW_MEMBER_SYNC_REGS : 0;
	} else if (bpf_probe_read_user(&number, sizeof(number), (void *)arg)) {
		number = KW_MEMBER_UNREADABLE;
		STAT(unreadable);
	} else if (number >= KW_MEMBER_UNREADABLE) {
		return req->operation;
	}
	operation = table->members[family][number & (KW_MEMBERS_MAX - 1)];
	return operation ?: req->operation;
}

/*
 * A VM whose VMM won a race. The process was killed, but others may have its memory
 * and its descriptors: the guest must not run on with what was done to it.
 */
static __noinline __u32 refuse_condemned(struct request *req, struct kw_vm *vm, __u64 generation)
{
	struct kw_decision decision = {
		.verdict = KW_DENY,
		.intended = KW_DENY,
		.policy = KW_NONE,
		.rule = KW_NONE,
		.error = KW_CONDEMNED_ERRNO,
	};

	req->type = vm->type;
	__sync_fetch_and_add(&vm->denied, 1);
	emit(req, &decision, vm, generation);
	return KW_CONDEMNED_ERRNO;
}

/*
 * Takes down what was let pass, for after.h: as what it was let pass, and whether
 * it would have been, were the vCPU sealed. Not 0 without memory.
 */
static __noinline int remember(const struct kw_table *table, const struct request *req,
			       __u64 matched)
{
	struct kw_decision decision;
	struct passed *pass;
	__u32 op = req->operation & (KW_OPERATIONS_MAX - 1);

	pass = bpf_task_storage_get(&passed, bpf_get_current_task_btf(), 0,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!pass) {
		COUNT(no_memory);
		return 1;
	}
	/* Registers that are not there yet when KVM_RUN begins may be there in a moment. */
	if (req->family == KW_FAMILY_RUN)
		op = table->members[KW_FAMILY_RUN][KW_MEMBER_SYNC_REGS] & (KW_OPERATIONS_MAX - 1);
	kw_decide(&table->cells[op][KW_STATE_SEALED], table->origins[op][KW_STATE_SEALED], matched,
		  &decision);
	pass->kvm = req->kvm;
	pass->vcpu = req->vcpu;
	pass->generation = table->generation;
	pass->command = req->command;
	pass->operation = req->operation;
	pass->ioctl_operation = req->ioctl_operation;
	pass->entry = req->entry;
	pass->scope = req->scope;
	pass->type = req->type;
	pass->active = kw_svm && LOAD8(req->kvm, struct kvm_svm, sev_info.active);
	pass->sealed_operation = op;
	pass->sealed_refused = decision.verdict >= KW_DENY;
	return 0;
}

/* An ioctl on a VM, a vCPU or a device. */
static __always_inline __u32 check_vm(const struct kw_table *table, struct request *req, __u64 arg)
{
	struct kw_decision decision;
	__u64 task = bpf_get_current_task();
	__u64 mm = LOAD64(task, struct task_struct, mm);
	__u64 vcpu, matched;
	struct kw_vm *vm;
	bool es = false;
	__u32 op;

	/* KVM answers EIO to anyone but the process that made the VM. */
	if (LOAD64(req->kvm, struct kvm, mm) != mm)
		return 0;
	STAT(checked);
	vm = bpf_map_lookup_elem(&vms, &req->kvm);
	if (!vm) {
		STAT(adopted);
		vm = vm_record(req->kvm, task, KW_TYPE_DEFAULT, KW_VM_ADOPTED);
	}
	if (!vm)
		return 12 /* ENOMEM: who it is cannot be known, so nothing may pass */;
	/* No policy applies to a daemon's own VM, which has one vCPU that never runs. */
	if (vm->flags & KW_VM_CANARY) {
		if (req->operation != KW_OP_CANARY || (__u32)arg != kw_canary_argument)
			return 0;
		STAT(canary[req->entry & 1]);
		return kw_backend == KW_BACKEND_TRACEPOINT ? 0 : KW_CANARY_ERRNO;
	}
	if (req->operation == KW_OP_CANARY)
		return 0;
	if (vm->flags & KW_VM_CONDEMNED)
		return refuse_condemned(req, vm, table->generation);

	vcpu = req->vcpu ?: first_vcpu(req->kvm);
	req->state = vcpu_sealed(vcpu) ? KW_STATE_SEALED : KW_STATE_BUILDING;
	req->type = vm->type;
	if (vm->type == KW_TYPE_DEFAULT && has_es_context(req->kvm, req->state)) {
		req->type = KW_TYPE_LEGACY_SEV_ES;
		es = true;
		if (!(vm->flags & KW_VM_ES))
			__sync_fetch_and_or(&vm->flags, KW_VM_ES);
	}
	if (req->state == KW_STATE_SEALED && !(vm->flags & KW_VM_SEALED))
		__sync_fetch_and_or(&vm->flags, KW_VM_SEALED);

	/*
	 * An ioctl that has to wait for the vCPU would be carried out whenever it
	 * gets it, which may be after the seal that waits as well. One that may be
	 * sealed by then is decided as if it were. No VMM that we know of issues
	 * two ioctls on one vCPU at a time while it builds a guest.
	 */
	if (req->vcpu && (es || (vm->flags & KW_VM_PROTECTED_STATE)) && vcpu_busy(req->vcpu))
		req->state = KW_STATE_SEALED;

	if (req->family)
		req->operation = member_operation(table, req, arg);
	op = req->operation & (KW_OPERATIONS_MAX - 1);
	matched = vm_matched(table, vm, es);
	kw_decide(&table->cells[op][req->state & 1], table->origins[op][req->state & 1], matched,
		  &decision);
	if (kw_after && decision.verdict <= KW_AUDIT &&
	    (req->family || es || (vm->flags & KW_VM_PROTECTED_STATE)) &&
	    remember(table, req, matched))
		return 12 /* ENOMEM */;
	return apply(table, req, &decision, vm);
}

/* The decision on one ioctl: 0, or the errno to refuse it with. */
static __noinline __u32 check(__u64 file, __u32 command, __u64 arg, __u32 entry)
{
	struct request req = {
		.command = command,
		.entry = entry,
		.kind = KW_EVENT_IOCTL,
	};
	const struct kw_table *table = current_table();
	const struct kw_slot *slot;

	if (!table)
		return 0;
	if (command == KW_CMD_RUN && kw_interesting[KW_CMD_RUN & 0xff] == KW_INTERESTING_DIRTY &&
	    !kw_condemned && !run_matters(file))
		return 0;
	slot = &table->slots[kw_slot_index(command, table->slot_multiplier) & (KW_SLOTS - 1)];
	if (slot->command != command)
		return 0;
	if (!find_target(&req, file) || !(slot->scopes & (1u << req.scope)))
		return 0;
	req.operation = slot->operation;
	req.ioctl_operation = slot->operation;
	req.family = slot->family;
	if (req.scope == KW_SCOPE_SYSTEM)
		return check_system(table, &req, arg);
	return check_vm(table, &req, arg);
}

/* Records a VM that was just created by the current task, which came by this entry. */
static __noinline int vm_created(__u64 kvm, __u32 kvm_type, __u32 entry)
{
	struct request req = {
		.kvm = kvm,
		.command = KW_CMD_CREATE_VM,
		.operation = KW_OP_CREATE_VM,
		.scope = KW_SCOPE_SYSTEM,
		.entry = entry,
		.kind = KW_EVENT_VM_CREATED,
	};
	const struct kw_table *table = current_table();
	struct kw_decision decision;
	struct kw_vm *vm;

	vm = vm_record(kvm, bpf_get_current_task(), kvm_type, 0);
	if (!vm || !table || (vm->flags & KW_VM_CANARY))
		return 0;
	req.type = vm->type;
	kw_decide(&table->cells[KW_OP_CREATE_VM][KW_STATE_BUILDING],
		  table->origins[KW_OP_CREATE_VM][KW_STATE_BUILDING], vm_matched(table, vm, false),
		  &decision);
	if (decision.verdict == KW_ALLOW)
		return 0;
	/* It exists: what should have been refused can only be told. */
	decision.verdict = KW_AUDIT;
	decision.error = 0;
	__sync_fetch_and_add(&vm->audited, 1);
	return emit(&req, &decision, vm, table->generation);
}

/* Forgets a VM that is about to be freed. */
static __noinline int vm_destroyed(__u64 kvm)
{
	struct request req = {
		.kvm = kvm,
		.operation = KW_OP_VM_DESTROY,
		.scope = KW_SCOPE_VM,
		.kind = KW_EVENT_VM_DESTROYED,
	};
	const struct kw_table *table = current_table();
	struct kw_decision decision;
	struct kw_vm *vm;
	bool es;

	bpf_map_delete_elem(&condemned, &kvm);
	vm = bpf_map_lookup_elem(&vms, &kvm);
	if (!vm)
		return 0;
	if (table && !(vm->flags & KW_VM_CANARY)) {
		es = vm->type == KW_TYPE_DEFAULT && (vm->flags & KW_VM_ES);
		req.type = es ? KW_TYPE_LEGACY_SEV_ES : vm->type;
		req.state = vm->flags & KW_VM_SEALED ? KW_STATE_SEALED : KW_STATE_BUILDING;
		kw_decide(&table->cells[KW_OP_VM_DESTROY][req.state & 1],
			  table->origins[KW_OP_VM_DESTROY][req.state & 1],
			  vm_matched(table, vm, es), &decision);
		if (decision.verdict != KW_ALLOW)
			emit(&req, &decision, vm, table->generation);
	}
	bpf_map_delete_elem(&vms, &kvm);
	return 0;
}

/*
 * A VM was created where an older one has its record: that one is gone, and no
 * sweep has noticed. Unless a sweep was so quick to adopt the new one.
 */
static __always_inline void vm_replaced(__u64 kvm)
{
	struct kw_vm *vm = bpf_map_lookup_elem(&vms, &kvm);

	if (!vm)
		return;
	if ((vm->flags & KW_VM_ADOPTED) && vm->sweep == kw_sweep &&
	    vm->creator.pid == bpf_get_current_pid_tgid() >> 32)
		return;
	vm_destroyed(kvm);
}

#endif
