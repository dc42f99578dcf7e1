/* SPDX-License-Identifier: GPL-2.0-only */
/* What of a set of policies a plan leaves out. */
#include "plan-shortfall.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>

#include "names.h"
#include "util.h"

#define BY_WHO (KW_SELECT_EXE | KW_SELECT_UNIT | KW_SELECT_CGROUP | KW_SELECT_USER)

void kw_shortfalls_done(struct kw_shortfalls *shortfalls)
{
	free(shortfalls->list);
	*shortfalls = (struct kw_shortfalls){};
}

bool kw_plan_selects_all(const struct kw_selector *selector, uint32_t types)
{
	static const struct kw_identity nobody = {
		.exe.flags = KW_PATH_UNKNOWN,
		.cgroup.flags = KW_PATH_UNKNOWN,
	};

	/* Even an exception for some processes only makes it depend on the process. */
	if ((selector->match.tests | selector->except.tests) & BY_WHO)
		return false;
	for (unsigned int type = 0; type < _KW_TYPE_MAX; type++)
		if ((types & 1u << type) &&
		    !kw_selector_matches(selector, &nobody, type, kw_type_flags(type)))
			return false;
	return true;
}

/* Does one side of a selector tell a legacy SEV-ES VM from a default one? */
static bool tells_legacy(const struct kw_match *match)
{
	uint32_t both = 1u << KW_TYPE_DEFAULT | 1u << KW_TYPE_LEGACY_SEV_ES;

	return (match->tests & KW_SELECT_TYPES) && (match->types & both) != 0 &&
	       (match->types & both) != both;
}

static unsigned int first_rule(const struct kw_policy *policy, unsigned int operation,
			       unsigned int state)
{
	unsigned int i = 0;

	while (i < policy->rule_count && !((policy->rules[i].states & 1u << state) &&
					   kw_rule_names(&policy->rules[i], operation)))
		i++;
	return i;
}

/* Is the rule the one that decides this operation in its policy, in any of its states? */
static bool decides(const struct kw_policy *policy, const struct kw_rule *rule,
		    unsigned int operation)
{
	for (unsigned int state = 0; state < _KW_STATE_MAX; state++)
		if (first_rule(policy, operation, state) == (unsigned int)(rule - policy->rules))
			return true;
	return false;
}

/* And in all of them? An earlier rule may have taken one of its states. */
static bool decides_always(const struct kw_policy *policy, const struct kw_rule *rule,
			   unsigned int operation)
{
	for (unsigned int state = 0; state < _KW_STATE_MAX; state++)
		if (first_rule(policy, operation, state) != (unsigned int)(rule - policy->rules))
			return false;
	return true;
}

/* Does another rule of the policy come first for an operation that shares the ioctl? */
static bool is_split(const struct kw_policy *policy, const struct kw_rule *rule,
		     unsigned int parent)
{
	const struct kw_operation *operation;

	for (unsigned int i = 0; (operation = kw_operation(i)); i++)
		for (unsigned int state = 0; state < _KW_STATE_MAX; state++)
			if (operation->family && operation->parent == parent &&
			    !operation->hidden && (rule->states & 1u << state) &&
			    first_rule(policy, i, state) != first_rule(policy, parent, state))
				return true;
	return false;
}

/*
 * KVM_RUN is refused by the filter or not at all, and so in one way: that of the policies which are
 * about every VM. A rule that is about some of them must want no other.
 */
static bool is_run_refused(const struct kw_ruleset *rules, const struct kw_policy *policy,
			   const struct kw_rule *rule, unsigned int index)
{
	bool kills = rule->verdict == KW_KILL;
	struct kw_plan_entry entry;

	if (!kw_plan_refuses_for_all(rules, index, &entry))
		return false;
	return kw_plan_selects_all(&policy->selector, KW_PLAN_TYPES) || rule->verdict < KW_DENY ||
	       (kills == (entry.disposition == KW_PLAN_KILL) &&
		(kills || rule->error == entry.error));
}

/* Whatever the means: why it cannot be decided, or NULL. */
static const char *undecidable(const struct kw_ruleset *rules, const struct kw_policy *policy,
			       const struct kw_rule *rule, unsigned int index)
{
	const struct kw_operation *operation = kw_operation(index);
	bool refuses = rule->verdict >= KW_DENY;

	if (operation->family == KW_FAMILY_RUN)
		return "registers in kvm_run are written without any ioctl of their own";
	if (operation->family)
		return "which of the operations that share an ioctl it is stands in memory that "
		       "the VMM can change after any look";
	if (refuses && is_split(policy, rule, index))
		return "an earlier rule has another verdict for some of the operations that share "
		       "this ioctl, and only memory that the VMM can change tells which it is";
	if (operation->command == KVM_RUN && !is_run_refused(rules, policy, rule, index))
		return "it is issued at each exit of a guest, and would have to wait for the "
		       "daemon each time";
	return NULL;
}

static const char *unknown_to_types(const struct kw_policy *policy, const struct kw_rule *rule,
				    unsigned int index)
{
	if (!decides_always(policy, rule, index))
		return "whether a guest is sealed is not known without BPF: only 'state: any' is";
	if (tells_legacy(&policy->selector.match) || tells_legacy(&policy->selector.except))
		return "a legacy-sev-es VM cannot be told from a default one without BPF";
	return NULL;
}

static const char *unknown_to_nobody(const struct kw_policy *policy, const struct kw_rule *rule,
				     unsigned int index)
{
	uint32_t tests = policy->selector.match.tests | policy->selector.except.tests;

	if (rule->verdict < KW_DENY || policy->mode != KW_MODE_ENFORCE)
		return "a filter alone reports nothing";
	if (!kw_operation(index)->command)
		return "the end of a VM is no system call";
	if (tests & BY_WHO)
		return "a filter alone does not know whose VM it is";
	if (index == KW_OP_CREATE_VM)
		return NULL;
	if (!kw_plan_selects_all(&policy->selector, KW_PLAN_TYPES))
		return "a filter alone does not know the type of a VM";
	if (!decides_always(policy, rule, index))
		return "a filter alone does not know whether a guest is sealed";
	return NULL;
}

static const char *reason_for(const struct kw_ruleset *rules, enum kw_means means,
			      const struct kw_policy *policy, const struct kw_rule *rule,
			      unsigned int index)
{
	const char *reason = undecidable(rules, policy, rule, index);

	if (reason)
		return reason;
	switch (means) {
	case KW_MEANS_TYPES:
		return unknown_to_types(policy, rule, index);
	case KW_MEANS_ALONE:
		return unknown_to_nobody(policy, rule, index);
	case KW_MEANS_KERNEL:
	case _KW_MEANS_MAX:
		break;
	}
	return NULL;
}

static int note(struct kw_shortfalls *list, size_t first, const struct kw_shortfall *one)
{
	struct kw_shortfall *grown;

	/* The same rule, for the same reason and of the same weight: one line. */
	for (size_t i = first; i < list->count; i++) {
		if (list->list[i].reason != one->reason || list->list[i].is_error != one->is_error)
			continue;
		list->list[i].more++;
		return 0;
	}
	grown = reallocarray(list->list, list->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	list->list = grown;
	list->list[list->count++] = *one;
	list->errors += one->is_error;
	return 0;
}

static int find_in_rule(const struct kw_ruleset *rules, enum kw_means means,
			const struct kw_policy *policy, const struct kw_rule *rule,
			struct kw_shortfalls *list)
{
	bool matters = rule->verdict >= KW_DENY && policy->mode == KW_MODE_ENFORCE;
	size_t first = list->count, planned = 0;
	const struct kw_operation *operation;
	int r = 0;

	if (rule->verdict == KW_ALLOW)
		return 0;
	for (unsigned int i = 0; (operation = kw_operation(i)) && r == 0; i++) {
		struct kw_shortfall one = {.policy = policy, .rule = rule, .operation = i};

		if (operation->hidden || !kw_rule_names(rule, i) || !decides(policy, rule, i))
			continue;
		/* As the ioctl they share is named, they are as well. */
		if (operation->family && kw_rule_names(rule, operation->parent) &&
		    !is_split(policy, rule, operation->parent))
			continue;
		one.reason = reason_for(rules, means, policy, rule, i);
		/* Whoever names a group of registers need not mean that one. */
		one.is_error = matters &&
			       (operation->family != KW_FAMILY_RUN || kw_rule_means(rule, i));
		if (one.reason)
			r = note(list, first, &one);
		else
			planned++;
	}
	/* Of a rule in force nothing at all is left. */
	for (size_t i = first; matters && !planned && i < list->count; i++) {
		list->errors += !list->list[i].is_error;
		list->list[i].is_error = true;
	}
	return r;
}

int kw_shortfalls_find(const struct kw_ruleset *rules, enum kw_means means,
		       struct kw_shortfalls *ret)
{
	struct kw_shortfalls list = {};
	int r = 0;

	for (size_t p = 0; p < rules->set.count && r == 0; p++)
		for (size_t i = 0; i < rules->set.policies[p].rule_count && r == 0; i++)
			r = find_in_rule(rules, means, &rules->set.policies[p],
					 &rules->set.policies[p].rules[i], &list);
	if (r < 0)
		kw_shortfalls_done(&list);
	else
		*ret = list;
	return r;
}
