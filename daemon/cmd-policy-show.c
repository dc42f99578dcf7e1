/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden policy show": the policies of the drop-in directories, in their order. */
#define _GNU_SOURCE 1
#include "cmd-policy.h"

#include <stdio.h>

#include "explain.h"
#include "names.h"
#include "util.h"

static const char *state_name(const struct kw_rule *rule)
{
	if (rule->states == 1u << KW_STATE_BUILDING)
		return kw_state_name(KW_STATE_BUILDING);
	if (rule->states == 1u << KW_STATE_SEALED)
		return kw_state_name(KW_STATE_SEALED);
	return "any";
}

static const char *truth(const struct kw_match *match, uint32_t flag)
{
	return match->flags & flag ? "true" : "false";
}

static void print_text(const char *key, const char *text)
{
	if (text)
		printf("    %s: %s\n", key, text);
}

static void print_match(const char *side, const struct kw_match *match,
			const struct kw_match_text *text)
{
	if (!match->tests)
		return;
	printf("  %s\n", side);
	if (match->tests & KW_SELECT_TYPES) {
		fputs("    vm-types:", stdout);
		for (unsigned int i = 0; kw_type_list(i); i++)
			if (match->types & (1u << i))
				printf(" %s", kw_type_list(i));
		putchar('\n');
	}
	if (match->tests & KW_SELECT_PROTECTED_STATE)
		print_text("protected-state", truth(match, KW_VM_PROTECTED_STATE));
	if (match->tests & KW_SELECT_PRIVATE_MEMORY)
		print_text("private-memory", truth(match, KW_VM_PRIVATE_MEMORY));
	print_text("exe", text->exe);
	print_text("unit", text->unit);
	print_text("cgroup", text->cgroup);
	print_text("user", text->user);
}

/* An ioctl stands for those that share it, where the rule names all of them. */
static bool is_implied(const struct kw_rule *rule, unsigned int index)
{
	const struct kw_operation *operation = kw_operation(index);

	return operation->family && kw_rule_names(rule, operation->parent);
}

static void print_policy(const struct kw_policy *policy)
{
	printf("%s: %s%s\n", policy->name, kw_mode_name(policy->mode),
	       policy->selector.match.tests ? "" : ", every VM");
	printf("  from %s\n", policy->file);
	if (policy->description)
		printf("  %s\n", policy->description);
	print_match("match", &policy->selector.match, &policy->match);
	print_match("except", &policy->selector.except, &policy->except);
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct kw_rule *rule = &policy->rules[i];

		printf("  rule %zu, line %u, %s: %s", i + 1, rule->line, state_name(rule),
		       kw_verdict_name(rule->verdict));
		if (rule->error)
			printf(" with %s", kw_errno_name(rule->error));
		if (!rule->limit_events && rule->verdict > KW_ALLOW)
			fputs(", every event", stdout);
		else if (rule->limit_events && rule->limit_events != KW_LIMIT_EVENTS)
			printf(", at most %u events in %u s", rule->limit_events,
			       rule->limit_seconds);
		fputs("\n   ", stdout);
		for (unsigned int j = 0; j < kw_operation_count(); j++)
			if (kw_rule_names(rule, j) && !is_implied(rule, j))
				printf(" %s", kw_operation(j)->name);
		putchar('\n');
	}
}

static json_t *operations_json(const struct kw_rule *rule)
{
	json_t *names = json_array();

	for (unsigned int i = 0; names && i < kw_operation_count(); i++)
		if (kw_rule_names(rule, i))
			json_array_append_new(names, json_string(kw_operation(i)->name));
	return names;
}

static json_t *rules_json(const struct kw_policy *policy)
{
	json_t *rules = json_array();

	for (size_t i = 0; rules && i < policy->rule_count; i++) {
		const struct kw_rule *rule = &policy->rules[i];

		json_array_append_new(
			rules,
			json_pack("{s:I, s:I, s:o, s:s, s:s, s:s?, s:i, s:i}", "rule",
				  (json_int_t)i + 1, "line", (json_int_t)rule->line, "operations",
				  operations_json(rule), "state", state_name(rule), "verdict",
				  kw_verdict_name(rule->verdict), "errno",
				  kw_errno_name(rule->error), "limit_events", rule->limit_events,
				  "limit_seconds", rule->limit_seconds));
	}
	return rules;
}

static json_t *types_json(const struct kw_match *match)
{
	json_t *types;

	if (!(match->tests & KW_SELECT_TYPES))
		return json_null();
	types = json_array();
	for (unsigned int i = 0; types && kw_type_list(i); i++)
		if (match->types & (1u << i))
			json_array_append_new(types, json_string(kw_type_list(i)));
	return types;
}

static json_t *truth_json(const struct kw_match *match, uint32_t test, uint32_t flag)
{
	return match->tests & test ? json_boolean(match->flags & flag) : json_null();
}

static json_t *match_json(const struct kw_match *match, const struct kw_match_text *text)
{
	return json_pack("{s:o, s:o, s:o, s:s?, s:s?, s:s?, s:s?}", "vm-types", types_json(match),
			 "protected-state",
			 truth_json(match, KW_SELECT_PROTECTED_STATE, KW_VM_PROTECTED_STATE),
			 "private-memory",
			 truth_json(match, KW_SELECT_PRIVATE_MEMORY, KW_VM_PRIVATE_MEMORY), "exe",
			 text->exe, "unit", text->unit, "cgroup", text->cgroup, "user", text->user);
}

static json_t *policy_json(const struct kw_policy *policy)
{
	const struct kw_selector *selector = &policy->selector;

	return json_pack("{s:s, s:s?, s:o, s:s, s:o, s:o, s:o}", "policy", policy->name,
			 "description", policy->description, "file", kw_json_text(policy->file),
			 "mode", kw_mode_name(policy->mode), "match",
			 match_json(&selector->match, &policy->match), "except",
			 selector->except.tests ? match_json(&selector->except, &policy->except)
						: json_null(),
			 "rules", rules_json(policy));
}

static int show(const struct kw_ruleset *rs, bool json)
{
	json_t *all;

	if (!json) {
		for (size_t i = 0; i < rs->set.count; i++)
			print_policy(&rs->set.policies[i]);
		if (!rs->set.count)
			puts("no policies");
		return KW_EXIT_OK;
	}
	all = json_array();
	for (size_t i = 0; i < rs->set.count; i++)
		if (json_array_append_new(all, policy_json(&rs->set.policies[i]))) {
			json_decref(all);
			return kw_policy_dump(NULL);
		}
	return kw_policy_dump(all);
}

int kw_policy_show(const struct kw_cli *cli, int argc, char **argv)
{
	struct kw_ruleset *rs = NULL;
	int status;

	status = kw_policy_options(argc, argv, NULL, NULL);
	if (status == KW_EXIT_OK)
		status = kw_policy_no_arguments(argc, argv);
	if (status == KW_EXIT_OK)
		status = kw_policy_load(cli, &rs);
	if (status != KW_EXIT_OK)
		return status;
	status = show(rs, cli->json);
	kw_ruleset_free(rs);
	return status;
}
