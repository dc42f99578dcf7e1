/* SPDX-License-Identifier: GPL-2.0-only */
/* Compiles a policy set into the kernel's table, and runs the kernel's decision on it. */
#define _GNU_SOURCE 1
#include "ruleset.h"

#include <errno.h>
#include <string.h>

#include "names.h"
#include "util.h"

/* How many multipliers are tried. The whole table of operations needs a few hundred. */
#define MULTIPLIERS_MAX 100000

/* Knuth's multiplier: successive multiples of it are spread over all 32 bits. */
#define GOLDEN_RATIO 2654435761u

/* Inside one policy the first matching rule decides. KW_NONE: none matches. */
static unsigned int first_rule(const struct kw_policy *policy, unsigned int operation,
			       unsigned int state)
{
	for (size_t i = 0; i < policy->rule_count; i++)
		if ((policy->rules[i].states & (1u << state)) &&
		    kw_rule_names(&policy->rules[i], operation))
			return i;
	return KW_NONE;
}

static unsigned int strictness(const struct kw_policy *policy, unsigned int rule)
{
	return rule == KW_NONE ? KW_ALLOW : policy->rules[rule].verdict;
}

/*
 * An operation whose number could not be read is taken for the one of its
 * family that the policy is strictest about, or for the ioctl itself.
 */
static unsigned int strictest_rule(const struct kw_policy *policy,
				   const struct kw_operation *unreadable, unsigned int state)
{
	unsigned int strictest = first_rule(policy, unreadable->parent, state), rule;
	const struct kw_operation *operation;

	for (unsigned int i = 0; (operation = kw_operation(i)); i++) {
		if (operation->family != unreadable->family || operation->hidden)
			continue;
		rule = first_rule(policy, i, state);
		if (strictness(policy, rule) > strictness(policy, strictest))
			strictest = rule;
	}
	return strictest;
}

static unsigned int deciding_rule(const struct kw_policy *policy, unsigned int index,
				  unsigned int state)
{
	const struct kw_operation *operation = kw_operation(index);

	if (operation->family && operation->member == KW_MEMBER_UNREADABLE)
		return strictest_rule(policy, operation, state);
	return first_rule(policy, index, state);
}

static void fill_cell(struct kw_table *table, const struct kw_policy *policy, unsigned int number,
		      unsigned int operation, unsigned int state)
{
	struct kw_origin *origin = &table->origins[operation][state][number];
	struct kw_cell *cell = &table->cells[operation][state];
	unsigned int index = deciding_rule(policy, operation, state);
	const uint64_t bit = 1ull << number;
	const struct kw_rule *rule;
	enum kw_verdict verdict;

	if (index == KW_NONE)
		return;
	rule = &policy->rules[index];
	verdict = rule->verdict;
	*origin = (struct kw_origin){
		.rule = index,
		.verdict = verdict,
		.error = rule->error,
		.limit_events = rule->limit_events,
		.limit_seconds = rule->limit_seconds,
	};
	if (policy->mode == KW_MODE_AUDIT && verdict > KW_AUDIT)
		verdict = KW_AUDIT;
	switch (verdict) {
	case KW_ALLOW:
	case _KW_VERDICT_MAX:
		break;
	case KW_AUDIT:
		cell->audit |= bit;
		break;
	case KW_DENY:
		cell->deny |= bit;
		break;
	case KW_KILL:
		cell->kill |= bit;
		break;
	}
}

static void fill_policy(struct kw_table *table, const struct kw_policy *policy, unsigned int number)
{
	table->selectors[number] = policy->selector;
	for (unsigned int operation = 0; operation < kw_operation_count(); operation++)
		for (unsigned int state = 0; state < _KW_STATE_MAX; state++)
			fill_cell(table, policy, number, operation, state);
}

/* The same in every table. */
static void fill_families(struct kw_table *table)
{
	const struct kw_operation *operation;

	for (unsigned int i = 0; (operation = kw_operation(i)); i++) {
		if (operation->family)
			table->members[operation->family][operation->member] = i;
		if (operation->firmware)
			table->firmware[operation->firmware] =
				(struct kw_firmware){.operation = i, .also = operation->also};
	}
}

bool kw_ruleset_has_verdict(const struct kw_table *table, unsigned int operation)
{
	const struct kw_cell *cell = table->cells[operation];
	uint64_t any = 0;

	for (unsigned int state = 0; state < _KW_STATE_MAX; state++)
		any |= cell[state].kill | cell[state].deny | cell[state].audit;
	return any != 0;
}

/* With the flags of such a type in any version of KVM. */
static bool may_match(const struct kw_match *match, uint32_t type)
{
	return kw_kind_holds(match, type, kw_type_flags(type), 1) ||
	       kw_kind_holds(match, type, 0, 1);
}

bool kw_ruleset_concerns(const struct kw_table *table, unsigned int operation, unsigned int state,
			 uint32_t type)
{
	const struct kw_cell *cell = &table->cells[operation][state];
	const uint64_t any = cell->kill | cell->deny | cell->audit;

	for (uint32_t i = 0; i < table->policies; i++)
		if ((any & 1ull << i) && may_match(&table->selectors[i].match, type))
			return true;
	return false;
}

/* The family whose members share this ioctl; of KVM_MEMORY_ENCRYPT_OP the first one. */
static unsigned int family_of(unsigned int parent)
{
	const struct kw_operation *operation;

	for (unsigned int i = 0; (operation = kw_operation(i)); i++)
		if (operation->family && operation->parent == parent)
			return operation->family;
	return KW_FAMILY_NONE;
}

/*
 * Is there anything to decide about this ioctl? The canary always needs its slot, and a
 * VM that there is no room for is refused without a rule.
 */
static bool needs_slot(const struct kw_table *table, unsigned int index)
{
	const struct kw_operation *operation;

	if (index == KW_OP_CANARY || index == KW_OP_CREATE_VM ||
	    kw_ruleset_has_verdict(table, index))
		return true;
	for (unsigned int i = 0; (operation = kw_operation(i)); i++)
		if (operation->family && operation->parent == index &&
		    kw_ruleset_has_verdict(table, i))
			return true;
	return false;
}

/* Puts an operation's numbers where the multiplier sends them; false: the slot is taken. */
static bool place(struct kw_table *table, unsigned int operation, uint32_t multiplier)
{
	const struct kw_operation *op = kw_operation(operation);
	const uint32_t commands[] = {op->command, op->compat_command};
	struct kw_slot *slot;

	for (size_t i = 0; i < KW_ARRAY_SIZE(commands); i++) {
		if (!commands[i])
			continue;
		slot = &table->slots[kw_slot_index(commands[i], multiplier)];
		if (slot->command)
			return false;
		*slot = (struct kw_slot){commands[i], operation, op->scopes, family_of(operation)};
	}
	return true;
}

static bool place_all(struct kw_table *table, const bool *wanted, uint32_t multiplier)
{
	memset(table->slots, 0, sizeof(table->slots));
	for (unsigned int i = 0; i < kw_operation_count(); i++)
		if (wanted[i] && !place(table, i, multiplier))
			return false;
	return true;
}

static int choose_multiplier(struct kw_table *table, struct kw_diag *reterr)
{
	bool wanted[KW_OPERATIONS_MAX] = {};

	for (unsigned int i = 0; i < kw_operation_count(); i++)
		wanted[i] = needs_slot(table, i);
	for (uint32_t i = 1; i <= MULTIPLIERS_MAX; i++) {
		uint32_t multiplier = i * GOLDEN_RATIO | 1;

		if (!place_all(table, wanted, multiplier))
			continue;
		table->slot_multiplier = multiplier;
		return 0;
	}
	kw_diag_set(reterr, NULL, 0, 0, "the rules name more operations than a table holds");
	return -ENOSPC;
}

/* The reader of files refuses this too; a set may have come from elsewhere. */
static int check_rules(const struct kw_policy *policy, struct kw_diag *reterr)
{
	const struct kw_operation *operation;

	for (size_t i = 0; i < policy->rule_count; i++) {
		if (policy->rules[i].verdict < KW_DENY)
			continue;
		for (unsigned int j = 0; (operation = kw_operation(j)); j++) {
			if (operation->refusable || !kw_rule_names(&policy->rules[i], j))
				continue;
			kw_diag_set(reterr, policy->file, policy->rules[i].line, 0,
				    "%s cannot be refused", operation->name);
			return -EINVAL;
		}
	}
	return 0;
}

static int check_set(const struct kw_policy_set *set, struct kw_diag *reterr)
{
	int r;

	if (set->count > KW_POLICIES_MAX) {
		kw_diag_set(reterr, NULL, 0, 0, "%zu policies: at most %d can be active",
			    set->count, KW_POLICIES_MAX);
		return -EINVAL;
	}
	for (size_t i = 0; i < set->count; i++) {
		r = check_rules(&set->policies[i], reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Fills an empty table. */
static int compile(const struct kw_policy_set *set, uint64_t generation, struct kw_table *table,
		   struct kw_diag *reterr)
{
	table->generation = generation;
	table->policies = set->count;
	fill_families(table);
	for (size_t i = 0; i < set->count; i++)
		fill_policy(table, &set->policies[i], i);
	return choose_multiplier(table, reterr);
}

int kw_ruleset_compile(struct kw_policy_set *set, uint64_t generation, struct kw_ruleset **ret,
		       struct kw_diag *reterr)
{
	_cleanup_free_ struct kw_table *table = NULL;
	struct kw_ruleset *rs;
	int r;

	r = check_set(set, reterr);
	if (r < 0)
		return r;
	table = calloc(1, sizeof(*table));
	if (!table)
		return -ENOMEM;
	r = compile(set, generation, table, reterr);
	if (r < 0)
		return r;
	rs = malloc(sizeof(*rs));
	if (!rs)
		return -ENOMEM;
	*rs = (struct kw_ruleset){*set, generation, TAKE_PTR(table)};
	*set = (struct kw_policy_set){};
	*ret = rs;
	return 0;
}

void kw_ruleset_renumber(struct kw_ruleset *rs, uint64_t generation)
{
	rs->generation = generation;
	rs->table->generation = generation;
}

void kw_ruleset_retire(struct kw_ruleset *rs)
{
	free(rs->table);
	rs->table = NULL;
}

struct kw_ruleset *kw_ruleset_free(struct kw_ruleset *rs)
{
	if (!rs)
		return NULL;
	kw_ruleset_retire(rs);
	kw_policy_set_done(&rs->set);
	free(rs);
	return NULL;
}

const struct kw_policy *kw_ruleset_policy(const struct kw_ruleset *rs, unsigned int policy)
{
	return policy < rs->set.count ? &rs->set.policies[policy] : NULL;
}

const struct kw_rule *kw_ruleset_rule(const struct kw_ruleset *rs, unsigned int policy,
				      unsigned int rule)
{
	const struct kw_policy *owner = kw_ruleset_policy(rs, policy);

	return owner && rule < owner->rule_count ? &owner->rules[rule] : NULL;
}

bool kw_ruleset_denies(const struct kw_ruleset *rs)
{
	for (size_t i = 0; i < rs->set.count; i++) {
		const struct kw_policy *policy = &rs->set.policies[i];

		if (policy->mode != KW_MODE_ENFORCE)
			continue;
		for (size_t j = 0; j < policy->rule_count; j++)
			if (policy->rules[j].verdict == KW_DENY)
				return true;
	}
	return false;
}

uint64_t kw_ruleset_match(const struct kw_ruleset *rs, const struct kw_subject *subject)
{
	uint64_t matched = 0;

	for (unsigned int i = 0; i < rs->table->policies; i++)
		if (kw_selector_matches(&rs->table->selectors[i], subject->who, subject->type,
					subject->flags))
			matched |= 1ull << i;
	return matched;
}

void kw_ruleset_explain(const struct kw_ruleset *rs, unsigned int operation, unsigned int state,
			const struct kw_subject *subject, struct kw_decision *ret)
{
	kw_decide(&rs->table->cells[operation][state], rs->table->origins[operation][state],
		  kw_ruleset_match(rs, subject), ret);
}
