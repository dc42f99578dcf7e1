/* SPDX-License-Identifier: GPL-2.0-only */
/* The pure decision: every verdict, every pair of policies, every bit. */
#include "decide.h"

#include "unit.h"
#include "util.h"

static void set_bit(struct kw_cell *cell, unsigned int verdict, unsigned int policy)
{
	uint64_t bit = 1ull << policy;

	if (verdict == KW_KILL)
		cell->kill |= bit;
	else if (verdict == KW_DENY)
		cell->deny |= bit;
	else if (verdict == KW_AUDIT)
		cell->audit |= bit;
}

static void assert_allowed(const struct kw_decision *decision)
{
	assert_int_equal(decision->verdict, KW_ALLOW);
	assert_int_equal(decision->intended, KW_ALLOW);
	assert_int_equal(decision->policy, KW_NONE);
	assert_int_equal(decision->rule, KW_NONE);
	assert_int_equal(decision->error, 0);
}

/* "a policy decides if and only if it matches, and names itself, its rule and its errno" */
static void one_policy(void **state)
{
	(void)state;
	for (unsigned int policy = 0; policy < KW_POLICIES_MAX; policy++)
		for (unsigned int verdict = 0; verdict < _KW_VERDICT_MAX; verdict++) {
			struct kw_origin origins[KW_POLICIES_MAX] = {};
			struct kw_decision decision;
			struct kw_cell cell = {};

			origins[policy] = (struct kw_origin){
				.rule = policy + 7, .verdict = verdict, .error = 13};
			set_bit(&cell, verdict, policy);
			memset(&decision, 0xff, sizeof(decision));
			kw_decide(&cell, origins, ~(1ull << policy), &decision);
			assert_allowed(&decision);
			memset(&decision, 0xff, sizeof(decision));
			kw_decide(&cell, origins, 1ull << policy, &decision);
			if (verdict == KW_ALLOW) {
				assert_allowed(&decision);
				continue;
			}
			assert_int_equal(decision.verdict, verdict);
			assert_int_equal(decision.intended, verdict);
			assert_int_equal(decision.policy, policy);
			assert_int_equal(decision.rule, policy + 7);
			assert_int_equal(decision.error, verdict >= KW_DENY ? 13 : 0);
		}
}

static void check_pair(unsigned int a, unsigned int b, unsigned int va, unsigned int vb)
{
	struct kw_origin origins[KW_POLICIES_MAX] = {};
	unsigned int strictest = va > vb ? va : vb;
	unsigned int winner = va >= vb ? a : b;
	struct kw_decision decision;
	struct kw_cell cell = {};

	origins[a] = (struct kw_origin){.rule = 1, .verdict = va, .error = 1};
	origins[b] = (struct kw_origin){.rule = 2, .verdict = vb, .error = 2};
	set_bit(&cell, va, a);
	set_bit(&cell, vb, b);
	kw_decide(&cell, origins, 1ull << a | 1ull << b, &decision);
	if (strictest == KW_ALLOW) {
		assert_allowed(&decision);
		return;
	}
	assert_int_equal(decision.verdict, strictest);
	assert_int_equal(decision.policy, winner);
	assert_int_equal(decision.rule, winner == a ? 1 : 2);
	assert_int_equal(decision.error, strictest >= KW_DENY ? (winner == a ? 1 : 2) : 0);
	/* Only one of the two matches. */
	kw_decide(&cell, origins, 1ull << b, &decision);
	assert_int_equal(decision.verdict, vb);
}

/* "the strictest verdict wins; of equals, the lowest policy names it" */
static void two_policies(void **state)
{
	static const unsigned int pairs[][2] = {{0, 1}, {0, 63}, {31, 32}, {62, 63}};

	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(pairs); i++)
		for (unsigned int va = 0; va < _KW_VERDICT_MAX; va++)
			for (unsigned int vb = 0; vb < _KW_VERDICT_MAX; vb++)
				check_pair(pairs[i][0], pairs[i][1], va, vb);
}

/* "in audit mode a verdict is reported, with what the rule says, and no errno is given" */
static void audit_mode(void **state)
{
	struct kw_origin origins[KW_POLICIES_MAX] = {
		[5] = {.rule = 3, .verdict = KW_DENY, .error = 1}};
	struct kw_cell cell = {.audit = 1ull << 5};
	struct kw_decision decision;

	(void)state;
	kw_decide(&cell, origins, ~0ull, &decision);
	assert_int_equal(decision.verdict, KW_AUDIT);
	assert_int_equal(decision.intended, KW_DENY);
	assert_int_equal(decision.error, 0);
	assert_int_equal(decision.policy, 5);
	assert_int_equal(decision.rule, 3);
}

static void all_policies_at_once(void **state)
{
	struct kw_origin origins[KW_POLICIES_MAX] = {};
	struct kw_cell cell = {.audit = ~0ull, .deny = 1ull << 63};
	struct kw_decision decision;

	(void)state;
	origins[63] = (struct kw_origin){.rule = 9, .verdict = KW_DENY, .error = 2};
	kw_decide(&cell, origins, ~0ull, &decision);
	assert_int_equal(decision.verdict, KW_DENY);
	assert_int_equal(decision.policy, 63);
	kw_decide(&cell, origins, ~0ull >> 1, &decision);
	assert_int_equal(decision.verdict, KW_AUDIT);
	assert_int_equal(decision.policy, 0);
	kw_decide(&cell, origins, 0, &decision);
	assert_allowed(&decision);
}

static void lowest_bit(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 64; i++) {
		assert_int_equal(kw_lowest_bit(1ull << i), i);
		assert_int_equal(kw_lowest_bit(~0ull << i), i);
		assert_int_equal(kw_lowest_bit(1ull << 63 | 1ull << i), i);
	}
}

static void slot_index(void **state)
{
	(void)state;
	assert_int_equal(kw_slot_index(0, 0xffffffff), 0);
	assert_int_equal(kw_slot_index(1, 0xffffffff), KW_SLOTS - 1);
	assert_int_equal(kw_slot_index(1, 1u << (32 - KW_SLOT_BITS)), 1);
	/* The product is cut to 32 bits. */
	assert_int_equal(kw_slot_index(0x80000000, 2), 0);
	for (uint32_t i = 1; i; i <<= 1)
		assert_true(kw_slot_index(0x4090ae82, i) < KW_SLOTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_policy), cmocka_unit_test(two_policies),
		cmocka_unit_test(audit_mode), cmocka_unit_test(all_policies_at_once),
		cmocka_unit_test(lowest_bit), cmocka_unit_test(slot_index),
	};

	return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}
