/* SPDX-License-Identifier: GPL-2.0-only */
/* After the fact: what KVM carries out, beside what the hook let pass. */
#ifndef KVMWARDEN_AFTER_H
#define KVMWARDEN_AFTER_H

#include "check.h"

/*
 * Theory of operation
 *
 * The hook decides before KVM does anything, and two things can change until KVM
 * does: the vCPU may be sealed by then, and what is named in memory (a command, a
 * capability, dirty registers) may be named otherwise. So functions of KVM behind
 * the hook are looked at, where their arguments are KVM's own: under the vCPU's
 * mutex, with KVM's copy of the structure, at the firmware's door. If what is
 * carried out there differs from what the hook let pass, and a policy refuses
 * it, the caller is killed, a "race" event says so, and the VM is condemned: its
 * descriptors answer EIO from then on, as others may hold them, too. Nothing can
 * be undone here: a register is written, a page is decrypted into the memory of a
 * process that no longer runs. Who needs more refuses the whole ioctl, which no
 * memory can disguise.
 *
 * Only a difference counts. An ioctl that was let pass under one rule table and is
 * carried out under the next is not the caller's fault: if the generations
 * differ, nothing is done.
 */

/* What the hook took down of this task's ioctl, if it is about this VM. */
static __always_inline struct passed *passed_for(__u64 kvm, const struct kw_table *table)
{
	struct passed *pass = bpf_task_storage_get(&passed, bpf_get_current_task_btf(), 0, 0);

	if (!pass || !table || pass->kvm != kvm || pass->generation != table->generation)
		return 0;
	return pass;
}

/*
 * Kills the caller if a policy refuses the operation that is carried out; one that
 * only reports it reports that.
 */
static __noinline int race(const struct kw_table *table, const struct passed *pass, __u32 operation,
			   __u32 state)
{
	struct request req = {
		.kvm = pass->kvm,
		.vcpu = pass->vcpu,
		.command = pass->command,
		.operation = operation,
		.scope = pass->scope,
		.state = state,
		.entry = pass->entry,
		.kind = KW_EVENT_RACE,
		.type = pass->type,
	};
	struct kw_decision decision;
	struct kw_vm *vm;
	__u32 op = operation & (KW_OPERATIONS_MAX - 1);

	vm = bpf_map_lookup_elem(&vms, &req.kvm);
	if (!vm)
		return 0;
	kw_decide(&table->cells[op][state & 1], table->origins[op][state & 1],
		  vm_matched(table, vm, pass->type == KW_TYPE_LEGACY_SEV_ES), &decision);
	if (decision.verdict == KW_ALLOW)
		return 0;
	decision.error = 0;
	if (decision.verdict == KW_AUDIT) {
		__sync_fetch_and_add(&vm->audited, 1);
		return report(table, &req, &decision, vm);
	}
	if (kw_exceptions && find_exception(&req, vm))
		return 0;
	bpf_send_signal(9 /* SIGKILL */);
	kw_condemned = KW_CONCERNS_ALL;
	__sync_fetch_and_or(&vm->flags, KW_VM_CONDEMNED);
	bpf_map_update_elem(&condemned, &req.kvm, &vm->id, BPF_ANY);
	STAT(races);
	__sync_fetch_and_add(&vm->killed, 1);
	decision.verdict = KW_KILL;
	emit(&req, &decision, vm, table->generation);
	return 0;
}

/*
 * KVM is about to carry out an ioctl of this number, or KVM_RUN if also_run, on a
 * vCPU whose mutex it holds. If there is a rule for that number every one of them
 * goes through the hook, so that what was taken down is of this one.
 */
static __always_inline int on_registers(__u64 vcpu, __u32 command, bool also_run)
{
	const struct kw_table *table;
	struct passed *pass;

	if (!vcpu_sealed(vcpu))
		return 0;
	table = current_table();
	pass = passed_for(LOAD64(vcpu, struct kvm_vcpu, kvm), table);
	if (!pass || pass->vcpu != vcpu || !pass->sealed_differs)
		return 0;
	if (pass->command != command && !(also_run && pass->command == KW_CMD_RUN))
		return 0;
	/* Once per ioctl: KVM_RUN may bring general and special registers. */
	pass->sealed_differs = 0;
	return race(table, pass, pass->sealed_operation, KW_STATE_SEALED);
}

/*
 * Does KVM, behind the place where we look, refuse this one by itself on a sealed
 * vCPU? It does on VMs of a protected type (517987e3fb19, 6.10), under the mutex.
 */
static __always_inline bool kvm_refuses(__u64 vcpu, __u32 command)
{
	__u64 kvm = LOAD64(vcpu, struct kvm_vcpu, kvm);

	if (command != KW_CMD_SET_SREGS2 && command != KW_CMD_SET_XCRS &&
	    command != KW_CMD_SET_DEBUGREGS)
		return false;
	return HAS_FIELD(struct kvm, arch.has_protected_state) &&
	       LOAD8(kvm, struct kvm, arch.has_protected_state);
}

/* KVM carries out one of the operations that share an ioctl: is it the one that was let pass? */
static __always_inline int on_member(const struct kw_table *table, const struct passed *pass,
				     __u32 operation)
{
	__u64 vcpu;

	if (!operation || operation == pass->operation)
		return 0;
	vcpu = pass->vcpu ?: first_vcpu(pass->kvm);
	return race(table, pass, operation, vcpu_sealed(vcpu));
}

static __always_inline int on_capability(__u64 kvm, __u32 number)
{
	const struct kw_table *table = current_table();
	struct passed *pass = passed_for(kvm, table);
	__u32 operation = 0;

	if (!pass || pass->command != KW_CMD_ENABLE_CAP)
		return 0;
	barrier_var(number); /* as in on_firmware() */
	if (number < KW_MEMBER_UNREADABLE)
		operation = table->members[KW_FAMILY_CAP][number & (KW_MEMBERS_MAX - 1)];
	return on_member(table, pass, operation ?: pass->ioctl_operation);
}

/*
 * The firmware's door. Which VM a command is for is known from the ioctl that the
 * task is in; a guest's own requests come this way too, from KVM_RUN.
 */
static __always_inline int on_firmware(__u32 command)
{
	struct passed *pass = bpf_task_storage_get(&passed, bpf_get_current_task_btf(), 0, 0);
	const struct kw_table *table = current_table();
	const struct kw_firmware *firmware;

	if (!pass || !pass->kvm || pass->command != KW_CMD_MEMORY_ENCRYPT_OP || !table ||
	    pass->generation != table->generation || command >= KW_FIRMWARE_MAX)
		return 0;
	barrier_var(command); /* or clang drops the mask, and the verifier the bound */
	firmware = &table->firmware[command & (KW_FIRMWARE_MAX - 1)];
	if (firmware->also && firmware->also == pass->operation)
		return 0;
	return on_member(table, pass, firmware->operation);
}

/*
 * The end of KVM_MEMORY_ENCRYPT_OP. The commands that make a VM an SEV one do not
 * ask the firmware, but they show: it is one now and was not before.
 */
static __always_inline int on_encrypt_op(__u64 kvm, int ret)
{
	const struct kw_table *table = current_table();
	struct passed *pass = passed_for(kvm, table);
	__u32 init = 22 /* KVM_SEV_INIT2 */;

	if (!pass)
		return 0;
	if (!ret && !pass->active && is_sev(kvm)) {
		if (pass->type == KW_TYPE_DEFAULT)
			init = has_es_context(kvm, false);
		on_member(table, pass, table->members[KW_FAMILY_SEV][init]);
	}
	/* What comes next is another ioctl. */
	pass->kvm = 0;
	return 0;
}

#endif
