/* SPDX-License-Identifier: GPL-2.0-only */
/* A decision on behalf of another task, which waits for it in a seccomp notification. */
#ifndef KVMWARDEN_JUDGE_H
#define KVMWARDEN_JUDGE_H

#include "check.h"
#include "inquiry.h"
#include "lifecycle.h"

/*
 * Theory of operation
 *
 * seccomp shows the number of a descriptor, which another thread can make stand for
 * another file before KVM looks. So nothing here depends on it. What is decided on are
 * all VMs that the task could mean: those whose kvm->mm is its own, as KVM answers EIO
 * to everybody else. They are found on KVM's own list of VMs, which is walked from the
 * daemon's canary, a VM like others: a descriptor can be hidden (in flight in a socket,
 * in a table of another task's), the list cannot. The strictest verdict counts.
 *
 * The list is read without its lock. If a step back does not lead where it came from, as
 * when a VM comes or goes meanwhile, the daemon asks again; if that does not end, it
 * refuses. The list's head is passed like a VM: what
 * lies where its mm would be is no address of a struct mm_struct.
 *
 * One question at a time: the daemon has one thread.
 */

#define LIST_MAX (1 << 20) /* more than there can be VMs */

__u64 kw_judged; /* the task */
struct kw_inquiry kw_inquiry;
struct kw_ruling kw_ruling;

/* The daemon's canary, and what the walk finds. Addresses of struct kvm. */
__u64 kw_anchor;
__u64 kw_found[KW_JUDGED_MAX];

/* Not on the stack: the verifier would follow each number that is counted there. */
struct kw_walk kw_walk;

static long walk_step(__u32 index, void *context)
{
	struct kw_walk *w = &kw_walk;
	__u64 next = LOAD64(w->at, struct list_head, next), kvm;
	__u32 n;

	if (!next || LOAD64(next, struct list_head, prev) != w->at)
		return 1;
	if (next == w->end) {
		w->whole = 1;
		return 1;
	}
	w->at = next;
	kvm = next - bpf_core_field_offset(struct kvm, vm_list);
	if (kw_inquiry.kind == KW_INQUIRY_MARK) {
		struct kw_vm *vm = bpf_map_lookup_elem(&vms, &kvm);

		if (vm)
			vm->sweep = kw_sweep;
		return 0;
	}
	if (LOAD64(kvm, struct kvm, mm) != w->mm)
		return 0;
	n = w->found++;
	if (n < KW_JUDGED_MAX)
		kw_found[n & (KW_JUDGED_MAX - 1)] = kvm;
	return 0;
}

/* Fills kw_found with the VMs of an mm. False: the list changed under the walk. */
static __always_inline bool find_vms(__u64 mm)
{
	struct kw_walk *w = &kw_walk;

	w->end = FIELD(kw_anchor, struct kvm, vm_list);
	w->at = w->end;
	w->mm = mm;
	w->found = 0;
	w->whole = 0;
	/* The canary is where it begins, and is not met again. */
	if (LOAD64(kw_anchor, struct kvm, mm) == mm) {
		kw_found[0] = kw_anchor;
		w->found = 1;
	}
	bpf_loop(LIST_MAX, walk_step, 0, 0);
	return w->whole;
}

static __always_inline const struct kw_table *asked_table(void)
{
	__u32 set = kw_inquiry.set;
	void *inner = bpf_map_lookup_elem(&tables, &set);

	return inner ? only_element(inner) : 0;
}

/* Sees to it that a VM of the task's has a record: one that has none was born since the last look. */
static __always_inline void meet(__u64 kvm, __u64 task)
{
	struct kw_vm *vm = bpf_map_lookup_elem(&vms, &kvm);

	if (vm && (kw_backend != KW_BACKEND_SECCOMP || !is_stale(vm, kvm)))
		return;
	if (kw_backend == KW_BACKEND_SECCOMP)
		vm_found(kvm, task);
	else
		vm_adopted(kvm, task);
}

/* Fills in what a request has to know of the VM that it is about. */
static __always_inline bool look_at_vm(struct request *req, struct kw_vm *vm)
{
	bool es = false;

	vm_look(vm, req->kvm, first_vcpu(req->kvm));
	if (!(vm->flags & KW_VM_SUPERVISED))
		__sync_fetch_and_or(&vm->flags, KW_VM_SUPERVISED);
	req->state = vcpu_sealed(first_vcpu(req->kvm)) ? KW_STATE_SEALED : KW_STATE_BUILDING;
	req->type = vm->type;
	if (vm->type == KW_TYPE_DEFAULT && has_es_context(req->kvm, req->state)) {
		req->type = KW_TYPE_LEGACY_SEV_ES;
		es = true;
	}
	/* What may seal the guest is under way, and this one could be carried out after it. */
	if (kw_inquiry.sealing && (es || (vm->flags & KW_VM_PROTECTED_STATE)))
		req->state = KW_STATE_SEALED;
	return es;
}

static __always_inline void request_of_question(struct request *req, __u64 task, __u64 kvm)
{
	__builtin_memset(req, 0, sizeof(*req));
	req->task = task;
	req->kvm = kvm;
	req->command = kw_inquiry.command;
	req->entry = kw_inquiry.entry & 1;
	req->operation = kw_inquiry.operation;
	req->scope = kw_inquiry.scope;
	req->kind = KW_EVENT_IOCTL;
}

/* How strict a verdict is, an exception considered. */
#define RANK(verdict, excepted) (2 * (verdict) - ((excepted) ? 1 : 0))

/*
 * What would be decided on one VM, as a rank; 0 if nothing. A global function: the
 * verifier looks at it once, not for each VM.
 */
__noinline __u32 judge_rank(__u64 kvm, __u64 task)
{
	const struct kw_table *table = asked_table();
	struct kw_decision decision;
	struct request req;
	struct kw_vm *vm;
	__u32 op;
	bool es;

	vm = bpf_map_lookup_elem(&vms, &kvm);
	if (!vm || !table)
		return RANK(_KW_VERDICT_MAX, 0);
	request_of_question(&req, task, kvm);
	if (vm->flags & KW_VM_CANARY) {
		if (req.operation == KW_OP_CANARY && (__u32)kw_inquiry.arg == kw_canary_argument) {
			STAT(canary[req.entry]);
			kw_ruling.error = KW_CANARY_ERRNO;
		}
		return 0;
	}
	es = look_at_vm(&req, vm);
	if (req.state == KW_STATE_SEALED)
		kw_ruling.sealed = 1;
	if (req.operation == KW_OP_CANARY || req.operation == KW_NONE)
		return 0;
	if (vm->flags & KW_VM_CONDEMNED)
		return RANK(KW_DENY, 0);
	op = req.operation & (KW_OPERATIONS_MAX - 1);
	kw_decide(&table->cells[op][req.state & 1], table->origins[op][req.state & 1],
		  vm_matched(table, vm, es), &decision);
	return RANK(decision.verdict,
		    decision.verdict >= KW_DENY && kw_exceptions && exception_for(&req, vm));
}

/* Carries out what was decided on the VM that the strictest verdict is about. */
__noinline __u32 judge_apply(__u64 kvm, __u64 task)
{
	const struct kw_table *table = asked_table();
	struct kw_decision decision;
	struct request req;
	struct kw_vm *vm;
	__u32 op, error;
	bool es;

	vm = bpf_map_lookup_elem(&vms, &kvm);
	if (!vm || !table)
		return 12 /* ENOMEM */;
	request_of_question(&req, task, kvm);
	es = look_at_vm(&req, vm);
	if (vm->flags & KW_VM_CONDEMNED)
		return refuse_condemned(table, &req, vm);
	op = req.operation & (KW_OPERATIONS_MAX - 1);
	kw_decide(&table->cells[op][req.state & 1], table->origins[op][req.state & 1],
		  vm_matched(table, vm, es), &decision);
	/* What the tracepoints see as well, and tell of, need not be told twice. */
	if (kw_backend == KW_BACKEND_TRACEPOINT && decision.verdict <= KW_AUDIT)
		return 0;
	error = apply(table, &req, &decision, vm);
	kw_ruling.verdict = req.verdict;
	return error;
}

/* What would be decided on /dev/kvm itself, for an ioctl that it has, too: a rank. */
__noinline __u32 judge_system_rank(__u64 task)
{
	const struct kw_table *table = asked_table();
	__u32 op = kw_inquiry.operation & (KW_OPERATIONS_MAX - 1);
	struct kw_decision decision;
	struct kw_vm *vm = scratch_vm(task);

	if (!table || !vm)
		return RANK(_KW_VERDICT_MAX, 0);
	vm->type = KW_TYPE_NONE;
	vm->flags = kw_type_flags(vm->type);
	kw_decide(&table->cells[op][KW_STATE_BUILDING], table->origins[op][KW_STATE_BUILDING],
		  match_policies(table, vm, vm->type), &decision);
	/* As above: once is enough. */
	if (kw_backend == KW_BACKEND_TRACEPOINT && decision.verdict <= KW_AUDIT)
		return 0;
	return RANK(decision.verdict, 0);
}

/* Carries that out; KVM_CREATE_VM is decided for the VM that is asked for. */
__noinline __u32 judge_system(__u64 task)
{
	const struct kw_table *table = asked_table();
	struct request req;
	__u32 error;

	if (!table)
		return 12 /* ENOMEM */;
	request_of_question(&req, task, 0);
	req.scope = KW_SCOPE_SYSTEM;
	error = check_system(table, &req, kw_inquiry.arg);
	kw_ruling.verdict = req.verdict;
	return error;
}

/* Which operation is asked about? False: none that any table knows. */
static __always_inline bool find_operation(void)
{
	const struct kw_table *table = asked_table();
	const struct kw_slot *slot;
	__u32 command = kw_inquiry.command;

	kw_inquiry.operation = KW_NONE;
	kw_inquiry.scope = KW_SCOPE_VM;
	if (!table)
		return false;
	slot = &table->slots[kw_slot_index(command, table->slot_multiplier) & (KW_SLOTS - 1)];
	if (slot->command != command || !command)
		return true;
	kw_inquiry.operation = slot->operation;
	/* As a descriptor would tell. Where an ioctl has several kinds of them it is the first. */
	if (slot->scopes & (1u << KW_SCOPE_VCPU))
		kw_inquiry.scope = KW_SCOPE_VCPU;
	if (slot->scopes & (1u << KW_SCOPE_VM))
		kw_inquiry.scope = KW_SCOPE_VM;
	if (slot->scopes & (1u << KW_SCOPE_SYSTEM))
		kw_inquiry.scope = KW_SCOPE_SYSTEM;
	return true;
}

static __always_inline void mark(void)
{
	if (find_vms(~0ull))
		kw_ruling.given = 1;
	else
		kw_ruling.again = 1;
}

static __always_inline void judge(__u64 task)
{
	__u32 n, i, rank, strictest = 0;
	__u64 which = 0;

	if (!find_operation())
		return;
	STAT(checked);
	if (!find_vms(LOAD64(task, struct task_struct, mm))) {
		kw_ruling.again = 1;
		return;
	}
	n = kw_walk.found;
	kw_ruling.vms = n;
	if (n > KW_JUDGED_MAX)
		return;
	for (i = 0; i < KW_JUDGED_MAX; i++) {
		if (i >= n)
			break;
		meet(kw_found[i], task);
		rank = judge_rank(kw_found[i], task);
		if (rank > strictest) {
			strictest = rank;
			which = kw_found[i];
		}
	}
	if (kw_inquiry.scope == KW_SCOPE_SYSTEM &&
	    (kw_inquiry.operation == KW_OP_CREATE_VM || judge_system_rank(task) > strictest))
		kw_ruling.error = judge_system(task);
	else if (which)
		kw_ruling.error = judge_apply(which, task);
	kw_ruling.given = 1;
}

#endif
