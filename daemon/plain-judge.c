/* SPDX-License-Identifier: GPL-2.0-only */
/* Decides without BPF: the counterpart of bpf/judge.h and bpf/verdict.h. */
#include <errno.h>

#include "notify.h"
#include "plain-internal.h"
#include "task.h"
#include "util.h"

/* What is asked, and what becomes of it. */
struct question {
	struct kw_plain *p;
	const struct kw_inquiry *inquiry;
	const struct kw_ruleset *rules;
	uint32_t operation; /* KW_NONE: none that any rule names */
	uint32_t scope;
	uint32_t kind; /* enum kw_event_kind */
	uint32_t verdict; /* what was done */
};

/*
 * Only while it sleeps are a thread's registers shown. One that runs may be in its ioctl, but not
 * if it was in a guest since it was first asked about: what is decided on by us is not KVM_RUN.
 */
static int peek(uint32_t tid, struct kw_ruling *ret)
{
	struct kw_task_call call;
	uint64_t ticks = 0;
	int r;

	r = kw_task_call(tid, &call);
	if (r == -ESRCH)
		return 0;
	if (r == -EAGAIN) {
		r = kw_task_guest_ticks(tid, &ticks);
		if (r == -ESRCH)
			return 0;
		ret->guest_ticks = ticks;
		ret->running = 1;
	} else if (r == 0) {
		ret->nr = call.nr;
		ret->args[0] = call.args[0];
		ret->args[1] = call.args[1];
	}
	if (r < 0)
		return r;
	ret->given = 1;
	return 0;
}

/* Which operation is asked about? As find_operation() of bpf/judge.h. */
static const struct kw_slot *find_operation(struct question *q)
{
	const struct kw_table *table = q->rules->table;
	uint32_t command = q->inquiry->command;
	const struct kw_slot *slot =
		&table->slots[kw_slot_index(command, table->slot_multiplier) & (KW_SLOTS - 1)];

	q->operation = KW_NONE;
	q->scope = KW_SCOPE_VM;
	if (slot->command != command || !command)
		return NULL;
	q->operation = slot->operation;
	if (slot->scopes & (1u << KW_SCOPE_VCPU))
		q->scope = KW_SCOPE_VCPU;
	if (slot->scopes & (1u << KW_SCOPE_VM))
		q->scope = KW_SCOPE_VM;
	if (slot->scopes & (1u << KW_SCOPE_SYSTEM))
		q->scope = KW_SCOPE_SYSTEM;
	return slot;
}

static void decide(const struct question *q, struct kw_vm *vm, struct kw_decision *ret)
{
	const struct kw_table *table = q->rules->table;
	const struct kw_subject subject = {vm->type, vm->flags, &vm->creator};

	if (vm->match_generation != q->rules->generation) {
		vm->matched[0] = vm->matched[1] = kw_ruleset_match(q->rules, &subject);
		vm->match_generation = q->rules->generation;
	}
	kw_decide(&table->cells[q->operation][KW_STATE_BUILDING],
		  table->origins[q->operation][KW_STATE_BUILDING], vm->matched[0], ret);
}

static bool emit(const struct question *q, const struct kw_decision *decision,
		 const struct kw_vm *vm, uint32_t suppressed, uint32_t exception)
{
	struct kw_event event = {
		.time_ns = kw_clock_ns(CLOCK_BOOTTIME),
		.generation = q->rules->generation,
		.vm_id = vm->id,
		.kind = (uint16_t)q->kind,
		.verdict = decision->verdict,
		.intended = decision->intended,
		.error = decision->error,
		.operation = (uint16_t)q->operation,
		.scope = (uint16_t)q->scope,
		.state = KW_STATE_BUILDING,
		.entry = (uint16_t)q->inquiry->entry,
		.command = q->inquiry->command,
		.vcpu = -1,
		.policy = decision->policy,
		.rule = decision->rule,
		.backend = KW_BACKEND_SECCOMP,
		.vm_type = (uint16_t)vm->type,
		.vm_flags = vm->flags,
		.kvm_type = vm->kvm_type,
		.suppressed = suppressed,
		.exception = exception,
		.caller = vm->creator,
	};

	/* Should it be gone by now, its number is all that is known. */
	if (kw_task_caller(q->inquiry->tid, &event.caller) < 0)
		event.caller.tid = q->inquiry->tid;
	return kw_plain_emit(q->p, &event);
}

static uint64_t limited_vm(const struct question *q, const struct kw_vm *vm)
{
	uint32_t tgid = 0;

	if (vm->id)
		return vm->id;
	kw_task_tgid(q->inquiry->tid, &tgid);
	return 1ull << 63 | tgid;
}

/* Tells of a decision, unless there were too many like it lately. */
static void report(const struct question *q, const struct kw_decision *decision,
		   const struct kw_vm *vm, uint32_t exception)
{
	const struct kw_origin *origin = NULL;
	struct kw_limit_key key = {
		.vm = limited_vm(q, vm),
		.generation = (uint32_t)q->rules->generation,
		.policy = decision->policy,
		.operation = (uint8_t)q->operation,
		.state = KW_STATE_BUILDING,
	};
	uint32_t suppressed = 0;

	if (decision->policy != KW_NONE)
		origin = &q->rules->table->origins[q->operation][KW_STATE_BUILDING]
						  [decision->policy & (KW_POLICIES_MAX - 1)];
	if ((!origin || origin->limit_events) &&
	    kw_plain_over_limit(q->p, &key, origin ? origin->limit_events : KW_LIMIT_EVENTS,
				origin ? origin->limit_seconds : KW_LIMIT_SECONDS, &suppressed))
		return;
	/* What a lost event would have told is left to the next one. */
	if (!emit(q, decision, vm, suppressed, exception))
		kw_plain_give_back(q->p, &key, suppressed);
}

/* Carries a decision out, but for the signal. Returns 0 or the errno to refuse with. */
static uint32_t apply(struct question *q, struct kw_decision *decision, struct kw_vm *vm)
{
	struct kw_exception *exception = NULL;

	if (decision->verdict == KW_ALLOW)
		return 0;
	if (decision->verdict >= KW_DENY)
		exception = kw_plain_exception(q->p, vm->id, q->operation);
	if (exception) {
		exception->uses++;
		q->p->stats.excepted++;
		decision->verdict = KW_ALLOW;
	}
	if (decision->verdict < KW_DENY)
		decision->error = 0;
	if (decision->verdict == KW_DENY)
		vm->denied++;
	else if (decision->verdict == KW_KILL)
		vm->killed++;
	else
		vm->audited++;
	q->verdict = decision->verdict;
	report(q, decision, vm, exception ? (uint32_t)exception->id : 0);
	return decision->error;
}

static bool same_path(const struct kw_path *a, const struct kw_path *b)
{
	return a->len == b->len && a->flags == b->flags && memcmp(a->text, b->text, a->len) == 0;
}

/* The record of a VM that no policy can tell from this one. */
static struct kw_vm *find_alike(struct kw_asked *asked, const struct kw_vm *vm)
{
	for (uint32_t i = 0; i < asked->count; i++) {
		struct kw_vm *other = &asked->vms[i];

		if (other->type == vm->type && other->creator.uid == vm->creator.uid &&
		    same_path(&other->creator.exe, &vm->creator.exe) &&
		    same_path(&other->creator.cgroup, &vm->creator.cgroup))
			return other;
	}
	return NULL;
}

static int describe(uint32_t tid, uint32_t type, uint32_t kvm_type, struct kw_vm *ret)
{
	struct kw_vm vm = {
		.born_ns = kw_clock_ns(CLOCK_BOOTTIME),
		.type = type,
		.kvm_type = kvm_type,
		.flags = kw_type_flags(type) | KW_VM_SUPERVISED,
	};
	int r;

	r = kw_task_identity(tid, &vm.creator);
	if (r == 0)
		*ret = vm;
	return r;
}

static struct kw_vm *record(struct kw_plain *p, struct kw_asked *asked, const struct kw_vm *vm)
{
	struct kw_vm *place = &asked->vms[asked->count];

	*place = *vm;
	place->id = ++p->counters->next_vm_id;
	asked->types |= 1u << vm->type;
	asked->count++;
	return place;
}

/*
 * There is no room for another record: 0, or the errno to refuse with. Of a launch that has used
 * up its own, nothing could be remembered.
 */
static uint32_t refuse_beyond(struct question *q, const struct kw_asked *asked, struct kw_vm *vm)
{
	bool full = asked->count == KW_ASKED_MAX;
	bool refuse = q->p->full_refuses || full;
	const struct kw_decision decision = {
		.verdict = refuse ? KW_DENY : KW_AUDIT,
		.intended = refuse ? KW_DENY : KW_AUDIT,
		.policy = KW_NONE,
		.rule = KW_NONE,
		.error = refuse ? KW_FULL_ERRNO : 0,
	};

	if (!full && kw_plain_count_vms(q->p) < q->p->vms_max)
		return 0;
	q->kind = KW_EVENT_VMS_FULL;
	q->p->counters->vms_refused++;
	report(q, &decision, vm, 0);
	q->kind = KW_EVENT_IOCTL;
	return decision.error;
}

/* KVM_CREATE_VM: decided for the VM that is asked for, and noted when it is let pass. */
static int judge_creation(struct question *q, struct kw_asked *asked, struct kw_ruling *ret)
{
	uint32_t type = kw_asked_type(q->inquiry->arg);
	struct kw_vm fresh = {}, *vm;
	struct kw_decision decision;
	int r;

	r = describe(q->inquiry->tid, type, (uint32_t)q->inquiry->arg, &fresh);
	if (r < 0)
		return r;
	decide(q, &fresh, &decision);
	vm = find_alike(asked, &fresh);
	/* What was let pass before could still be carried out on the new one. */
	ret->again = !vm && decision.verdict <= KW_AUDIT && q->inquiry->sealing;
	if (ret->again)
		return 0;
	if (!vm)
		ret->error = refuse_beyond(q, asked, &fresh);
	if (ret->error)
		return 0;
	if (decision.verdict > KW_AUDIT) {
		ret->error = apply(q, &decision, &fresh);
		return 0;
	}
	if (!vm)
		vm = record(q->p, asked, &fresh);
	if (decision.verdict == KW_ALLOW)
		return 0;
	/* It is told of now, as nobody sees whether KVM makes it. */
	q->kind = KW_EVENT_VM_CREATED;
	ret->error = apply(q, &decision, vm);
	return 0;
}

/* Types that were let pass under another backend, which knew more of their VMs than we do. */
static int adopt(struct question *q, struct kw_asked *asked)
{
	struct kw_vm vm = {};
	int r;

	for (uint32_t type = 0; type <= KW_TYPE_UNKNOWN; type++) {
		bool known = !(asked->types & 1u << type);

		for (uint32_t i = 0; i < asked->count && !known; i++)
			known = asked->vms[i].type == type;
		if (known)
			continue;
		if (asked->count == KW_ASKED_MAX)
			return -E2BIG;
		r = describe(q->inquiry->tid, type, type, &vm);
		if (r < 0)
			return r;
		vm.flags |= KW_VM_ADOPTED;
		record(q->p, asked, &vm);
		q->p->stats.adopted++;
	}
	return 0;
}

/* How strict a verdict is, an exception considered. */
static unsigned int rank(const struct question *q, struct kw_vm *vm)
{
	struct kw_decision decision;

	decide(q, vm, &decision);
	return 2 * decision.verdict -
	       (decision.verdict >= KW_DENY && kw_plain_exception(q->p, vm->id, q->operation));
}

/* On all that it could be meant for: the VMs, and /dev/kvm itself. */
static int judge_others(struct question *q, struct kw_asked *asked, bool system,
			uint32_t *ret_error)
{
	struct kw_vm none = {}, *strictest = NULL;
	unsigned int highest = 0, this;
	struct kw_decision decision;
	int r;

	for (uint32_t i = 0; i < asked->count; i++) {
		this = rank(q, &asked->vms[i]);
		if (this > highest)
			strictest = &asked->vms[i];
		highest = this > highest ? this : highest;
	}
	if (system) {
		r = describe(q->inquiry->tid, KW_TYPE_NONE, 0, &none);
		if (r < 0)
			return r;
		if (rank(q, &none) > highest)
			strictest = &none;
	}
	if (!strictest)
		return 0;
	decide(q, strictest, &decision);
	*ret_error = apply(q, &decision, strictest);
	return 0;
}

/*
 * The canary: a thread of ours asks. It counts only if what /proc says of the thread is what we
 * were told, as decisions depend on it.
 */
static void answer_canary(const struct question *q, struct kw_ruling *ret)
{
	const struct kw_inquiry *inquiry = q->inquiry;
	struct kw_ruling seen = {};
	uint32_t tgid = 0;

	if ((uint32_t)inquiry->arg != q->p->canary || kw_task_tgid(inquiry->tid, &tgid) < 0 ||
	    tgid != (uint32_t)getpid())
		return;
	if (peek(inquiry->tid, &seen) < 0 || !seen.given || !kw_notify_is_ioctl(seen.nr) ||
	    (uint32_t)seen.args[1] != KW_CMD_CANARY)
		return;
	q->p->stats.canary[inquiry->entry & 1]++;
	ret->error = KW_CANARY_ERRNO;
}

int kw_plain_judge(struct kw_plain *p, const struct kw_inquiry *inquiry, struct kw_asked *asked,
		   struct kw_ruling *ret)
{
	struct question q = {
		.p = p,
		.inquiry = inquiry,
		.rules = inquiry->set < KW_SETS_MAX ? p->sets[inquiry->set] : NULL,
		.kind = KW_EVENT_IOCTL,
	};
	const struct kw_slot *slot;
	int r = 0;

	memset(ret, 0, sizeof(*ret));
	if (inquiry->kind == KW_INQUIRY_PEEK)
		return peek(inquiry->tid, ret);
	if (!q.rules || !q.rules->table)
		return -ENOENT;
	p->stats.checked++;
	slot = find_operation(&q);
	if (q.operation == KW_OP_CANARY && !asked)
		answer_canary(&q, ret);
	if (asked)
		r = adopt(&q, asked);
	if (r == 0 && asked && q.operation == KW_OP_CREATE_VM)
		r = judge_creation(&q, asked, ret);
	else if (r == 0 && asked && slot && q.operation != KW_OP_CANARY)
		r = judge_others(&q, asked, slot->scopes & (1u << KW_SCOPE_SYSTEM), &ret->error);
	if (r < 0)
		return r;
	ret->vms = asked ? asked->count : 0;
	ret->verdict = q.verdict;
	ret->given = 1;
	return 0;
}
