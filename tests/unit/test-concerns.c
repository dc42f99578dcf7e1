/* SPDX-License-Identifier: GPL-2.0-only */
/* Whom a policy may be about: what is let go before any map is looked at. */
#define _GNU_SOURCE 1
#include "ruleset.h"

#include "names.h"
#include "ruleset-of.h"
#include "unit.h"
#include "util.h"

static const struct kw_identity nobody = {.uid = 65534};

/* Of VMs that can leave the hook early, with the flags that one or another kernel gives them. */
static void assert_leaves_early(const struct kw_ruleset *rs, unsigned int op, unsigned int type)
{
	const uint32_t flags[] = {0, KW_VM_PRIVATE_MEMORY};

	for (size_t i = 0; i < KW_ARRAY_SIZE(flags); i++) {
		const struct kw_subject subject = {.type = type, .flags = flags[i], .who = &nobody};
		struct kw_decision decision;

		if (flags[i] && type != KW_TYPE_SW_PROTECTED)
			continue;
		kw_ruleset_explain(rs, op, KW_STATE_BUILDING, &subject, &decision);
		if (!kw_ruleset_concerns(rs->table, op, KW_STATE_BUILDING, type) &&
		    decision.verdict != KW_ALLOW)
			fail_msg("%s on type %u leaves early", kw_operation(op)->name, type);
	}
}

/* "who leaves the hook early is allowed what it asks for, and who made the VM does not matter" */
static void concerns(void **state)
{
	static const char *const matches[] = {
		"vm-types: [default]",
		"vm-types: [sw-protected, sev]",
		"vm-types: [sev-es, sev-snp]",
		"protected-state: false",
		"protected-state: true",
		"private-memory: false",
		"private-memory: true",
		"exe: /nowhere",
		"user: 0",
		"user: 65534",
	};
	const unsigned int ours[] = {KW_TYPE_DEFAULT, KW_TYPE_SW_PROTECTED, KW_TYPE_SEV};
	const bool expected[][3] = {
		{true, false, false}, {false, true, true},   {false, false, false},
		{true, true, true},   {false, false, false}, {true, true, true},
		{false, true, false}, {true, true, true},    {true, true, true},
		{true, true, true},
	};

	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(matches); i++) {
		struct kw_policy_set set = {};
		_cleanup_ruleset_ struct kw_ruleset *rs = NULL;
		_cleanup_free_ char *text = NULL;

		assert_true(
			asprintf(&text,
				 "policy: p\nmatch:\n  %s\nrules:\n"
				 "  - {operations: [KVM_SET_REGS], verdict: deny}\n"
				 "  - {operations: [KVM_SET_FPU], state: sealed, verdict: kill}\n",
				 matches[i]) > 0);
		add_text(&set, text);
		rs = compile(&set);
		for (size_t t = 0; t < KW_ARRAY_SIZE(ours); t++) {
			if (kw_ruleset_concerns(rs->table, op_of("KVM_SET_REGS"), KW_STATE_BUILDING,
						ours[t]) != expected[i][t])
				fail_msg("%s, type %u", matches[i], ours[t]);
			assert_false(kw_ruleset_concerns(rs->table, op_of("KVM_SET_FPU"),
							 KW_STATE_BUILDING, ours[t]));
			assert_int_equal(kw_ruleset_concerns(rs->table, op_of("KVM_SET_FPU"),
							     KW_STATE_SEALED, ours[t]),
					 expected[i][t]);
			for (unsigned int op = 0; op < kw_operation_count(); op++)
				assert_leaves_early(rs, op, ours[t]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(concerns)};

	return cmocka_run_group_tests_name("concerns", tests, NULL, NULL);
}
