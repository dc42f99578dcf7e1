/* SPDX-License-Identifier: GPL-2.0-only */
/* Shortfalls of a plan, told to people. */
#include "shortfall.h"

#include "cmd-policy.h"
#include "names.h"
#include "text.h"

void kw_shortfall_print(const struct kw_shortfall *s, enum kw_means means, FILE *out)
{
	kw_text_safe(out, s->policy->file);
	fprintf(out, ":%u: %s: %s", s->rule->line, s->is_error ? "error" : "warning",
		kw_operation(s->operation)->name);
	if (s->more)
		fprintf(out, " and %u more", s->more);
	/* In mode audit nothing is refused by anybody. */
	fprintf(out, ": %s by %s: %s\n",
		s->rule->verdict >= KW_DENY && s->policy->mode == KW_MODE_ENFORCE ? "not refused"
										  : "not reported",
		kw_means_name(means), s->reason);
}

int kw_plan_load_alone(const struct kw_cli *cli, struct kw_plan *ret)
{
	struct kw_shortfalls shortfalls = {};
	struct kw_ruleset *rules = NULL;
	size_t errors;
	int r, status;

	status = kw_policy_load(cli, &rules);
	if (status != KW_EXIT_OK)
		return status;
	r = kw_plan_make(rules, KW_MEANS_ALONE, false, ret, &shortfalls);
	for (size_t i = 0; r == 0 && i < shortfalls.count; i++)
		if (shortfalls.list[i].is_error)
			kw_shortfall_print(&shortfalls.list[i], KW_MEANS_ALONE, stderr);
	errors = shortfalls.errors;
	kw_shortfalls_done(&shortfalls);
	kw_ruleset_free(rules);
	if (r < 0)
		return kw_policy_no_memory();
	if (!errors)
		return KW_EXIT_OK;
	kw_plan_done(ret);
	fprintf(stderr, "kvmwarden run: these rules need a supervisor; nothing was started\n");
	return KW_EXIT_FINDING;
}
