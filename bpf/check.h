/* SPDX-License-Identifier: GPL-2.0-only */
/* The way of one ioctl: whose file, which operation, which verdict. */
#ifndef KVMWARDEN_CHECK_H
#define KVMWARDEN_CHECK_H

#include "verdict.h"

static __always_inline bool has_dirty_registers(__u64 vcpu)
{
	return LOAD64(LOAD64(vcpu, struct kvm_vcpu, run), struct kvm_run, kvm_dirty_regs);
}

/*
 * Where rules name SYNC_REGS, but not KVM_RUN itself: most calls of KVM_RUN are of
 * VMs that are never sealed, and bring no registers. Where a vCPU can be sealed it
 * may be, and registers may be there, by the time that KVM has it: after.h has to
 * know of the call then.
 */
static __noinline bool run_matters(__u64 fop, __u64 vcpu)
{
	__u64 kvm;

	if (fop != kw_fops[KW_SCOPE_VCPU])
		return false;
	kvm = LOAD64(vcpu, struct kvm_vcpu, kvm);
	if (HAS_FIELD(struct kvm, arch.has_protected_state) &&
	    LOAD8(kvm, struct kvm, arch.has_protected_state))
		return true;
	return has_dirty_registers(vcpu) || has_es_context(kvm, vcpu_sealed(vcpu));
}

/* Most ioctls of a host leave here: not KVM's, or no rule names them. Else enum kw_interest. */
static __always_inline __u32 interest_of(__u32 command)
{
	if ((command & 0xff00) != KW_IOC_TYPE << 8)
		return 0;
	return kw_interesting[command & 0xff] | kw_condemned;
}

/*
 * Whose file is it, by its f_op and private_data? False: not KVM's. Any file can be given a
 * KVM ioctl number.
 */
static __always_inline bool find_target(struct request *req, __u64 fop, __u64 data)
{
	if (!fop)
		return false;
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

/*
 * Can no policy say anything about this ioctl on a VM like this one, whoever made it? Then
 * nobody needs to know who did. Only vCPUs without an SEV-ES context, of VMs whose type has no
 * protected state, leave here: of others after.h has to know the last ioctl of each task.
 */
static __always_inline bool is_of_no_concern(__u32 interest, __u64 fop, __u64 vcpu)
{
	__u32 type = KW_TYPE_DEFAULT;
	__u64 kvm;

	/* No vCPU is sealed without an SEV-ES context, where KVM tells of that. */
	if (!kw_svm || !HAS_FIELD(struct kvm_svm, sev_info.es_active))
		return false;
	if ((interest & KW_CONCERNS_ALL) == KW_CONCERNS_ALL || fop != kw_fops[KW_SCOPE_VCPU])
		return false;
	kvm = LOAD64(vcpu, struct kvm_vcpu, kvm);
	if (HAS_FIELD(struct kvm, arch.vm_type))
		type = LOAD8(kvm, struct kvm, arch.vm_type);
	if (type > KW_TYPE_SEV || (interest & KW_CONCERNS_DEFAULT << type))
		return false;
	return !LOAD8(kvm, struct kvm_svm, sev_info.es_active);
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

	vm = scratch_vm(task_of(req));
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
	if (creation && kw_vms >= kw_vms_max) {
		__u32 error = refuse_beyond(table, req, vm);

		if (error)
			return error;
	}
	kw_decide(&table->cells[req->operation & (KW_OPERATIONS_MAX - 1)][KW_STATE_BUILDING],
		  table->origins[req->operation & (KW_OPERATIONS_MAX - 1)][KW_STATE_BUILDING],
		  match_policies(table, vm, vm->type), &decision);
	if (creation && (decision.verdict <= KW_AUDIT ||
			 (decision.verdict == KW_DENY && backend_of(req) == KW_BACKEND_TRACEPOINT)))
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
 * Takes down what was let pass, for after.h: as what it was let pass, and whether
 * that would have been noted, were the vCPU sealed. Not 0 without memory.
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
	pass->active = is_sev(req->kvm);
	pass->sealed_operation = op;
	/* What was decided as that already is no difference. */
	pass->sealed_differs = decision.verdict != KW_ALLOW &&
			       (req->state != KW_STATE_SEALED || op != req->operation);
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
		return refuse_condemned(table, req, vm);

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
	if (kw_after && (decision.verdict <= KW_AUDIT || kw_exceptions) &&
	    (req->family || es || (vm->flags & KW_VM_PROTECTED_STATE)) &&
	    remember(table, req, matched))
		return 12 /* ENOMEM */;
	return apply(table, req, &decision, vm);
}

/* An ioctl that no rule names: only a VM that is condemned is refused it. */
static __noinline __u32 check_condemned(const struct kw_table *table, struct request *req,
					__u64 fop, __u64 data)
{
	struct kw_vm *vm;

	if (!find_target(req, fop, data) || req->scope == KW_SCOPE_SYSTEM)
		return 0;
	vm = bpf_map_lookup_elem(&vms, &req->kvm);
	if (!vm || !(vm->flags & KW_VM_CONDEMNED))
		return 0;
	req->operation = KW_NONE;
	return refuse_condemned(table, req, vm);
}

/* An ioctl that a rule names. */
static __always_inline __u32 check_further(__u64 fop, __u64 data, __u32 command, __u64 arg,
					   __u32 entry)
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
	if (command == KW_CMD_RUN && !(kw_interesting[KW_CMD_RUN & 0xff] & KW_INTERESTING_YES) &&
	    !kw_condemned && !run_matters(fop, data))
		return 0;
	slot = &table->slots[kw_slot_index(command, table->slot_multiplier) & (KW_SLOTS - 1)];
	if (slot->command != command)
		return kw_condemned ? check_condemned(table, &req, fop, data) : 0;
	if (!find_target(&req, fop, data) || !(slot->scopes & (1u << req.scope)))
		return 0;
	req.operation = slot->operation;
	req.ioctl_operation = slot->operation;
	req.family = slot->family;
	if (req.scope == KW_SCOPE_SYSTEM)
		return check_system(table, &req, arg);
	return check_vm(table, &req, arg);
}

/*
 * The decision on one ioctl, by the f_op and private_data of its file: 0, or the errno to
 * refuse it with.
 */
static __noinline __u32 check(__u64 fop, __u64 data, __u32 command, __u64 arg, __u32 entry)
{
	if (is_of_no_concern(interest_of(command), fop, data))
		return 0;
	return check_further(fop, data, command, arg, entry);
}

#endif
