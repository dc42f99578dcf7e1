/* SPDX-License-Identifier: GPL-2.0-only */
/* Says which verdict a rule set gives, and which line of which file decides. */
#define _GNU_SOURCE 1
#include "explain.h"

#include "names.h"
#include "util.h"

bool kw_question_makes_sense(unsigned int operation, unsigned int type, unsigned int state)
{
	const struct kw_operation *op = kw_operation(operation);
	const uint32_t system = 1u << KW_SCOPE_SYSTEM;

	if (!op || op->hidden)
		return false;
	if (operation == KW_OP_CREATE_VM)
		return type != KW_TYPE_NONE && state == KW_STATE_BUILDING;
	if (type == KW_TYPE_NONE)
		return (op->scopes & system) && state == KW_STATE_BUILDING;
	if (op->family == KW_FAMILY_SEV || op->family == KW_FAMILY_TDX)
		return (op->family == KW_FAMILY_TDX) == (type == KW_TYPE_TDX);
	return op->scopes & ~system;
}

static void print_place(const struct kw_ruleset *rs, unsigned int policy, unsigned int rule,
			FILE *out)
{
	const struct kw_policy *owner = kw_ruleset_policy(rs, policy);

	fprintf(out, "  %s:%u (policy '%s', rule %u)\n", owner->file,
		kw_ruleset_rule(rs, policy, rule)->line, owner->name, rule + 1);
}

/* Allowed means that nothing restricts it; a rule that says "allow" is worth naming. */
static void print_allowed(const struct kw_ruleset *rs, const struct kw_question *question,
			  FILE *out)
{
	uint64_t matched = kw_ruleset_match(rs, &question->subject);

	for (unsigned int i = 0; i < rs->set.count; i++) {
		const struct kw_policy *policy = &rs->set.policies[i];

		if (!(matched & (1ull << i)))
			continue;
		for (unsigned int j = 0; j < policy->rule_count; j++) {
			if (!(policy->rules[j].states & (1u << question->state)) ||
			    !kw_rule_names(&policy->rules[j], question->operation))
				continue;
			fprintf(out, "allow: a rule says so, and no other policy objects\n");
			print_place(rs, i, j, out);
			return;
		}
	}
	fprintf(out, "allow: no rule of the active policies names it\n");
}

void kw_explain_print(const struct kw_ruleset *rs, const struct kw_question *question, FILE *out)
{
	const struct kw_policy *policy;
	const struct kw_rule *rule;
	struct kw_decision decision;

	kw_ruleset_explain(rs, question->operation, question->state, &question->subject, &decision);
	policy = kw_ruleset_policy(rs, decision.policy);
	rule = kw_ruleset_rule(rs, decision.policy, decision.rule);
	if (!policy || !rule) {
		print_allowed(rs, question, out);
		return;
	}
	fputs(kw_verdict_name(decision.verdict), out);
	if (decision.error)
		fprintf(out, " with %s", kw_errno_name(decision.error));
	if (decision.intended != decision.verdict)
		fprintf(out, ", where the rule says %s with %s", kw_verdict_name(decision.intended),
			kw_errno_name(rule->error));
	fprintf(out, " (mode %s)\n", kw_mode_name(policy->mode));
	print_place(rs, decision.policy, decision.rule, out);
}

json_t *kw_json_text(const char *text)
{
	_cleanup_free_ char *escaped = NULL;
	json_t *string = json_string(text);
	size_t len = strlen(text);

	if (string)
		return string;
	escaped = malloc(4 * len + 1);
	if (!escaped)
		return NULL;
	escaped[0] = '\0';
	for (size_t i = 0, at = 0; i < len; i++)
		at += sprintf(escaped + at, (unsigned char)text[i] < 0x80 ? "%c" : "\\x%02x",
			      (unsigned char)text[i]);
	return json_string(escaped);
}

json_t *kw_explain_json(const struct kw_ruleset *rs, const struct kw_question *question)
{
	const struct kw_policy *policy;
	const struct kw_rule *rule;
	struct kw_decision decision;

	kw_ruleset_explain(rs, question->operation, question->state, &question->subject, &decision);
	policy = kw_ruleset_policy(rs, decision.policy);
	rule = kw_ruleset_rule(rs, decision.policy, decision.rule);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:s?, s:o?, s:o?, s:o?}",
			 "operation", kw_operation(question->operation)->name, "type",
			 kw_type_name(question->subject.type), "state",
			 kw_state_name(question->state), "verdict",
			 kw_verdict_name(decision.verdict), "intended",
			 kw_verdict_name(decision.intended), "errno", kw_errno_name(decision.error),
			 "mode", policy ? kw_mode_name(policy->mode) : NULL, "policy",
			 policy ? policy->name : NULL, "rule",
			 rule ? json_integer(decision.rule + 1) : json_null(), "file",
			 policy ? kw_json_text(policy->file) : json_null(), "line",
			 rule ? json_integer(rule->line) : json_null());
}
