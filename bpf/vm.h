/* SPDX-License-Identifier: GPL-2.0-only */
/* VM records: classification, birth, adoption, and which policies match. */
#ifndef KVMWARDEN_VM_H
#define KVMWARDEN_VM_H

#include "decide.h"
#include "identity.h"
#include "maps.h"

/* .match_generation while another CPU writes .matched. */
#define KW_MATCH_BUSY (~0ull)

static __always_inline bool vcpu_sealed(__u64 vcpu)
{
	return vcpu && LOAD8(vcpu, struct kvm_vcpu, arch.guest_state_protected);
}

/* Does an ioctl on this vCPU run now, so that another one would have to wait for it? */
static __always_inline bool vcpu_busy(__u64 vcpu)
{
	return LOAD64(vcpu, struct kvm_vcpu, mutex.owner.counter) & ~7ull;
}

/*
 * The vCPU created first, or 0: entry 0 of kvm->vcpu_array. An xarray keeps a
 * lone entry 0 in its head; else the head is a node (bits 10), at most two
 * levels above the entries, as KVM allows 4096 vCPUs.
 */
static __always_inline __u64 first_vcpu(__u64 kvm)
{
	__u64 entry;
	int i;

	if (!HAS_FIELD(struct kvm, vcpu_array))
		return 0;
	entry = LOAD64(kvm, struct kvm, vcpu_array.xa_head);
	for (i = 0; i < 3 && (entry & 3) == 2 && entry > 4096; i++)
		entry = load64(FIELD(entry - 2, struct xa_node, slots[0]));
	return entry & 3 ? 0 : entry;
}

/* Has a VM an SEV context of any kind? */
static __always_inline bool is_sev(__u64 kvm)
{
	if (kw_svm && HAS_FIELD(struct kvm_svm, sev_info.active))
		return LOAD8(kvm, struct kvm_svm, sev_info.active);
	return false;
}

/* Has a VM of type 0 an SEV-ES context? A sealed vCPU proves it on any vendor's module. */
static __always_inline bool has_es_context(__u64 kvm, bool sealed)
{
	if (sealed)
		return true;
	if (kw_svm && HAS_FIELD(struct kvm_svm, sev_info.es_active))
		return LOAD8(kvm, struct kvm_svm, sev_info.es_active);
	return false;
}

/* Notes what a VM has become: once sealed, or with an SEV-ES context, it stays that. */
static __always_inline void vm_look(struct kw_vm *vm, __u64 kvm, __u64 vcpu)
{
	bool sealed = vcpu_sealed(vcpu);

	if (sealed && !(vm->flags & KW_VM_SEALED))
		__sync_fetch_and_or(&vm->flags, KW_VM_SEALED);
	if (vm->type == KW_TYPE_DEFAULT && !(vm->flags & KW_VM_ES) && has_es_context(kvm, sealed))
		__sync_fetch_and_or(&vm->flags, KW_VM_ES);
}

static __always_inline void classify(struct kw_vm *vm, __u64 kvm, __u32 kvm_type)
{
	if (HAS_FIELD(struct kvm, arch.vm_type))
		kvm_type = LOAD8(kvm, struct kvm, arch.vm_type);
	vm->maker = LOAD32(kvm, struct kvm, userspace_pid);
	vm->kvm_type = kvm_type;
	vm->type = kvm_type <= KW_TYPE_TDX ? kvm_type : KW_TYPE_UNKNOWN;
	if (HAS_FIELD(struct kvm, arch.has_private_mem) &&
	    LOAD8(kvm, struct kvm, arch.has_private_mem))
		vm->flags |= KW_VM_PRIVATE_MEMORY;
	if (HAS_FIELD(struct kvm, arch.has_protected_state) &&
	    LOAD8(kvm, struct kvm, arch.has_protected_state))
		vm->flags |= KW_VM_PROTECTED_STATE;
	/* Of a type that this version does not know the most is assumed. */
	if (vm->type == KW_TYPE_UNKNOWN)
		vm->flags |= KW_VM_PRIVATE_MEMORY | KW_VM_PROTECTED_STATE;
}

/* Is the record of another VM, that had the same address? Where no hook tells of ends it may be. */
static __always_inline bool is_stale(const struct kw_vm *vm, __u64 kvm)
{
	if (HAS_FIELD(struct kvm, arch.vm_type) &&
	    LOAD8(kvm, struct kvm, arch.vm_type) != vm->kvm_type)
		return true;
	return vm->maker != LOAD32(kvm, struct kvm, userspace_pid);
}

static __always_inline bool is_self(const struct kw_identity *who)
{
	const struct kw_counters *count = only_element(&counters);

	return count && who->pid == count->self_pid && who->started_ns == count->self_started_ns;
}

/* A zeroed record of the current task's own, with the identity of task; NULL without memory. */
static __always_inline struct kw_vm *scratch_vm(__u64 task)
{
	struct kw_vm *vm;

	vm = bpf_task_storage_get(&scratch, bpf_get_current_task_btf(), 0,
				  BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!vm) {
		COUNT(no_memory);
		return 0;
	}
	__builtin_memset(vm, 0, sizeof(*vm));
	identity_of_task(&vm->creator, task);
	return vm;
}

/* Removes a record, if there is one. A daemon's own VM is not counted. */
static __always_inline void vm_forget(__u64 kvm)
{
	const struct kw_vm *vm = bpf_map_lookup_elem(&vms, &kvm);
	bool counts = vm && !(vm->flags & KW_VM_CANARY);

	if (bpf_map_delete_elem(&vms, &kvm) == 0 && counts)
		__sync_fetch_and_sub(&kw_vms, 1);
}

/*
 * Makes the record of a VM that belongs to task. Returns the record in the map;
 * or the scratch record when the map is full, which decides as well but is not
 * remembered; or NULL without memory.
 */
static __noinline struct kw_vm *vm_record(__u64 kvm, __u64 task, __u32 kvm_type, __u32 flags)
{
	struct kw_vm *vm, *stored;
	struct kw_counters *count = only_element(&counters);

	vm = scratch_vm(task);
	if (!vm || !count)
		return 0;
	vm->id = __sync_fetch_and_add(&count->next_vm_id, 1) + 1;
	vm->born_ns = bpf_ktime_get_boot_ns();
	vm->flags = flags;
	vm->sweep = kw_sweep;
	if (is_self(&vm->creator))
		vm->flags |= KW_VM_CANARY;
	if ((flags & KW_VM_ADOPTED) && bpf_map_lookup_elem(&condemned, &kvm)) {
		vm->flags |= KW_VM_CONDEMNED;
		kw_condemned = KW_CONCERNS_ALL;
	}
	classify(vm, kvm, kvm_type);
	/* An adoption that comes second keeps the first; a birth replaces what is stale. */
	if (!(flags & KW_VM_ADOPTED))
		vm_forget(kvm);
	if (bpf_map_update_elem(&vms, &kvm, vm, BPF_NOEXIST) == 0 && !(vm->flags & KW_VM_CANARY))
		__sync_fetch_and_add(&kw_vms, 1);
	stored = bpf_map_lookup_elem(&vms, &kvm);
	if (stored)
		return stored;
	COUNT(vms_full);
	return vm;
}

/* The policies whose selector matches the VM, were it of this type. */
__noinline __u64 match_policies(const struct kw_table *table, const struct kw_vm *vm, __u32 type)
{
	__u64 matched = 0;
	__u32 i;

	if (!table || !vm)
		return ~0ull;
	for (i = 0; i < KW_POLICIES_MAX; i++) {
		if (i >= table->policies)
			break;
		matched |= (__u64)(kw_selector_matches(&table->selectors[i], &vm->creator, type,
						       vm->flags) &
				   1)
			   << i;
	}
	return matched;
}

/*
 * The policies of this table that match a VM; es: it has an SEV-ES context.
 *
 * The answer is kept in the record, under its generation, as under a sequence
 * lock: a writer claims the record by putting KW_MATCH_BUSY where the older
 * generation stood, and puts the new one there last. A reader takes the masks
 * only if the generation is its table's before and after. Whoever loses a race
 * uses the masks it computed itself. So no mask is ever used with another
 * table than its own, and a table that was already replaced is never written
 * over a newer one. x86 keeps the order of loads and of stores; the compiler
 * is told by barrier().
 */
__noinline __u64 vm_matched(const struct kw_table *table, struct kw_vm *vm, __u32 es)
{
	volatile __u64 *generation;
	__u64 seen, matched[2];

	if (!table || !vm)
		return ~0ull;
	generation = &vm->match_generation;
	seen = *generation;

	if (seen == table->generation) {
		matched[0] = vm->matched[es & 1];
		barrier();
		if (*generation == seen)
			return matched[0];
	}
	matched[0] = match_policies(table, vm, vm->type);
	matched[1] = matched[0];
	if (vm->type == KW_TYPE_DEFAULT)
		matched[1] = match_policies(table, vm, KW_TYPE_LEGACY_SEV_ES);
	if (seen < table->generation &&
	    __sync_val_compare_and_swap(&vm->match_generation, seen, KW_MATCH_BUSY) == seen) {
		vm->matched[0] = matched[0];
		vm->matched[1] = matched[1];
		barrier();
		*generation = table->generation;
	}
	return es ? matched[1] : matched[0];
}

#endif
