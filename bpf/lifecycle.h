/* SPDX-License-Identifier: GPL-2.0-only */
/* The birth and the end of a VM. */
#ifndef KVMWARDEN_LIFECYCLE_H
#define KVMWARDEN_LIFECYCLE_H

#include "verdict.h"

/* Records a VM that was created by a task (0: the current one), which came by this entry, and tells. */
static __always_inline int note_birth(__u64 kvm, __u32 kvm_type, __u32 entry, __u64 task)
{
	struct request req = {
		.kvm = kvm,
		.command = KW_CMD_CREATE_VM,
		.operation = KW_OP_CREATE_VM,
		.scope = KW_SCOPE_SYSTEM,
		.entry = entry,
		.kind = KW_EVENT_VM_CREATED,
		.task = task,
	};
	const struct kw_table *table = current_table();
	struct kw_decision decision;
	struct kw_vm *vm;

	vm = vm_record(kvm, task_of(&req), kvm_type, 0);
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
	return report(table, &req, &decision, vm);
}

/* A VM that the current task has just created. */
static __noinline int vm_created(__u64 kvm, __u32 kvm_type, __u32 entry)
{
	return note_birth(kvm, kvm_type, entry, 0);
}

/*
 * The same where no hook tells of births: it was found afterwards. This and the next one are
 * global functions, as they are called in a loop; these take numbers only, no pointers.
 */
__noinline int vm_found(__u64 kvm, __u64 task)
{
	return note_birth(kvm, KW_TYPE_DEFAULT, KW_ENTRY_NATIVE, task);
}

/* Records a VM of a task's that nobody has seen being created. */
__noinline int vm_adopted(__u64 kvm, __u64 task)
{
	vm_record(kvm, task, KW_TYPE_DEFAULT, KW_VM_ADOPTED);
	return 0;
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
			report(table, &req, &decision, vm);
	}
	vm_forget(kvm);
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
