/* SPDX-License-Identifier: GPL-2.0-only */
/* What a seccomp filter can do of a set of policies: the plan. */
#include "plan.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>

#include "names.h"
#include "plan-shortfall.h"
#include "util.h"

const char *kw_means_name(unsigned int means)
{
	static const char *const names[] = {
		[KW_MEANS_KERNEL] = "seccomp",
		[KW_MEANS_TYPES] = "seccomp-plain",
		[KW_MEANS_ALONE] = "seccomp-alone",
	};

	return means < _KW_MEANS_MAX ? names[means] : "unknown";
}

void kw_plan_done(struct kw_plan *plan)
{
	free(plan->entries);
	*plan = (struct kw_plan){};
}

static int add(struct kw_plan *plan, const struct kw_plan_entry *entry)
{
	struct kw_plan_entry *entries =
		reallocarray(plan->entries, plan->count + 1, sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	plan->entries = entries;
	plan->entries[plan->count++] = *entry;
	return 0;
}

static bool has(const struct kw_plan *plan, uint32_t command)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->entries[i].command == command)
			return true;
	return false;
}

/*
 * What all policies together do to an operation whatever the VM: they are asked about a VM of
 * this type in a state, of nobody in particular; only those count that do not look at who it is.
 */
static void decide_for_anybody(const struct kw_ruleset *rules, unsigned int operation,
			       unsigned int state, uint32_t types, struct kw_decision *ret)
{
	uint64_t matched = 0;

	for (size_t i = 0; i < rules->set.count; i++)
		if (kw_plan_selects_all(&rules->set.policies[i].selector, types))
			matched |= 1ull << i;
	kw_decide(&rules->table->cells[operation][state], rules->table->origins[operation][state],
		  matched, ret);
}

bool kw_plan_refuses_for_all(const struct kw_ruleset *rules, unsigned int operation,
			     struct kw_plan_entry *ret)
{
	struct kw_decision building, sealed;

	decide_for_anybody(rules, operation, KW_STATE_BUILDING, KW_PLAN_TYPES, &building);
	decide_for_anybody(rules, operation, KW_STATE_SEALED, KW_PLAN_TYPES, &sealed);
	if (building.verdict < KW_DENY || sealed.verdict != building.verdict ||
	    sealed.error != building.error)
		return false;
	ret->disposition = building.verdict == KW_KILL ? KW_PLAN_KILL : KW_PLAN_REFUSE;
	ret->error = building.verdict == KW_KILL ? 0 : building.error;
	return true;
}

/* KVM_CREATE_VM says which type: one entry for all types that are refused alike. */
static int add_creation(struct kw_plan *plan, const struct kw_ruleset *rules)
{
	struct kw_plan_entry entries[_KW_TYPE_MAX] = {};
	size_t count = 0, i;
	int r = 0;

	for (unsigned int type = 0; type <= KW_TYPE_UNKNOWN; type++) {
		struct kw_decision d;
		uint8_t how, error;

		/* Nobody can ask for it: it is a default VM's later life. */
		if (type == KW_TYPE_LEGACY_SEV_ES)
			continue;
		decide_for_anybody(rules, KW_OP_CREATE_VM, KW_STATE_BUILDING, 1u << type, &d);
		if (d.verdict < KW_DENY)
			continue;
		how = d.verdict == KW_KILL ? KW_PLAN_KILL : KW_PLAN_REFUSE;
		error = d.verdict == KW_KILL ? 0 : d.error;
		for (i = 0;
		     i < count && (entries[i].error != error || entries[i].disposition != how); i++)
			;
		if (i == count)
			count++;
		entries[i].command = KVM_CREATE_VM;
		entries[i].disposition = how;
		entries[i].error = error;
		entries[i].types |= 1u << type;
	}
	for (i = 0; i < count && r == 0; i++)
		r = add(plan, &entries[i]);
	return r;
}

/* An operation's entry, with the number that 32-bit callers use where that is another one. */
static int add_operation(struct kw_plan *plan, const struct kw_operation *operation,
			 struct kw_plan_entry entry)
{
	int r;

	entry.command = operation->command;
	r = add(plan, &entry);
	if (r < 0 || !operation->compat_command)
		return r;
	entry.command = operation->compat_command;
	return add(plan, &entry);
}

/* Does a policy have more to say of it than to allow it, or (refusals) to report it? */
static bool has_verdict(const struct kw_table *table, unsigned int operation, bool refusals)
{
	for (unsigned int state = 0; state < _KW_STATE_MAX; state++) {
		const struct kw_cell *cell = &table->cells[operation][state];

		if (cell->kill | cell->deny | (refusals ? 0 : cell->audit))
			return true;
	}
	return false;
}

static int plan_operation(struct kw_plan *plan, const struct kw_ruleset *rules, unsigned int index,
			  enum kw_means means, bool refusals_only)
{
	const struct kw_operation *operation = kw_operation(index);
	struct kw_plan_entry entry = {.disposition = KW_PLAN_NOTIFY};

	if (!operation->command || operation->hidden ||
	    !has_verdict(rules->table, index, refusals_only))
		return 0;
	if (means == KW_MEANS_ALONE && index == KW_OP_CREATE_VM)
		return add_creation(plan, rules);
	/* KVM_RUN cannot wait for anybody each time. */
	if ((means == KW_MEANS_ALONE || operation->command == KVM_RUN) &&
	    !kw_plan_refuses_for_all(rules, index, &entry))
		return 0;
	/* What a refusal of the filter's own would not leave is evidence: others are notified of. */
	return add_operation(plan, operation, entry);
}

/*
 * What gives a process other VMs or vCPUs, or seals one, is put in order with what is decided
 * about: see launch.c.
 */
static int add_changers(struct kw_plan *plan)
{
	static const uint32_t changers[] = {KVM_CREATE_VM, KVM_CREATE_VCPU, KVM_ENABLE_CAP,
					    KVM_MEMORY_ENCRYPT_OP};
	int r = 0;

	for (size_t i = 0; i < KW_ARRAY_SIZE(changers) && r == 0; i++)
		if (!has(plan, changers[i]))
			r = add(plan, &(struct kw_plan_entry){.command = changers[i],
							      .disposition = KW_PLAN_NOTIFY});
	return r;
}

static int by_command(const void *a, const void *b)
{
	const struct kw_plan_entry *x = a, *y = b;

	return x->command < y->command ? -1 : x->command > y->command;
}

int kw_plan_make(const struct kw_ruleset *rules, enum kw_means means, bool refusals_only,
		 struct kw_plan *ret, struct kw_shortfalls *ret_shortfalls)
{
	struct kw_plan plan = {};
	int r = 0;

	for (unsigned int i = 0; i < kw_operation_count() && r == 0; i++)
		r = plan_operation(&plan, rules, i, means, refusals_only);
	if (r == 0 && means != KW_MEANS_ALONE)
		r = add_changers(&plan);
	if (r == 0)
		r = kw_shortfalls_find(rules, means, ret_shortfalls);
	if (r < 0) {
		kw_plan_done(&plan);
		return r;
	}
	if (plan.count)
		qsort(plan.entries, plan.count, sizeof(*plan.entries), by_command);
	*ret = plan;
	return 0;
}

static const char *const disposition_names[] = {
	[KW_PLAN_REFUSE] = "refuse",
	[KW_PLAN_KILL] = "kill",
	[KW_PLAN_NOTIFY] = "notify",
};

_Static_assert(KW_ARRAY_SIZE(disposition_names) == _KW_PLAN_MAX, "a disposition lacks a name");

void kw_plan_render(struct kw_json *json, const struct kw_plan *plan)
{
	kw_json_open_array(json);
	for (size_t i = 0; i < plan->count; i++) {
		const struct kw_plan_entry *entry = &plan->entries[i];

		kw_json_open_object(json);
		kw_json_member_unsigned(json, "command", entry->command);
		kw_json_member_string(json, "do", disposition_names[entry->disposition]);
		kw_json_member_unsigned(json, "errno", entry->error);
		kw_json_member_unsigned(json, "types", entry->types);
		kw_json_close_object(json);
	}
	kw_json_close_array(json);
}

static int parse_entry(json_t *object, struct kw_plan_entry *ret)
{
	json_int_t command, error, types;
	const char *what;
	uint8_t i = 0;

	if (json_unpack_ex(object, NULL, JSON_STRICT, "{s:I, s:s, s:I, s:I}", "command", &command,
			   "do", &what, "errno", &error, "types", &types) < 0 ||
	    command < 0 || command > UINT32_MAX || error < 0 || error > UINT8_MAX || types < 0 ||
	    types > UINT32_MAX)
		return -EINVAL;
	while (i < _KW_PLAN_MAX && !kw_streq(disposition_names[i], what))
		i++;
	if (i == _KW_PLAN_MAX || (i == KW_PLAN_REFUSE) != (error != 0))
		return -EINVAL;
	*ret = (struct kw_plan_entry){
		.command = (uint32_t)command,
		.types = (uint32_t)types,
		.disposition = i,
		.error = (uint8_t)error,
	};
	return 0;
}

int kw_plan_parse(const json_t *array, struct kw_plan *ret, char **reterr)
{
	struct kw_plan plan = {};
	struct kw_plan_entry entry;
	size_t count = json_array_size(array);
	int r = json_is_array(array) ? 0 : -EINVAL;

	for (size_t i = 0; i < count && r == 0; i++) {
		r = parse_entry(json_array_get(array, i), &entry);
		if (r == 0)
			r = add(&plan, &entry);
	}
	if (r < 0) {
		kw_plan_done(&plan);
		return kw_fail(r, reterr, "an entry of the plan is not of this version");
	}
	*ret = plan;
	return 0;
}
