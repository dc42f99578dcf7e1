/* SPDX-License-Identifier: GPL-2.0-only */
/* The compiler of policy sets: slots, cells, origins, and what explain makes of them. */
#define _GNU_SOURCE 1
#include "ruleset.h"

#include <errno.h>
#include <time.h>

#include "every-rule.h"
#include "names.h"
#include "ruleset-of.h"
#include "unit.h"
#include "util.h"

static const struct kw_identity nobody = {.uid = 65534};

/* A new VM of a type, with the flags KVM gives it. */
static struct kw_subject subject_of(unsigned int type)
{
	return (struct kw_subject){.type = type, .flags = kw_type_flags(type), .who = &nobody};
}

static struct kw_decision explain(const struct kw_ruleset *rs, const char *operation,
				  unsigned int state, unsigned int type)
{
	const struct kw_subject subject = subject_of(type);
	struct kw_decision decision;

	kw_ruleset_explain(rs, op_of(operation), state, &subject, &decision);
	return decision;
}

static uint64_t matched(const struct kw_ruleset *rs, unsigned int type)
{
	const struct kw_subject subject = subject_of(type);

	return kw_ruleset_match(rs, &subject);
}

/* What the BPF programs do with a command. */
static const struct kw_slot *find(const struct kw_table *table, uint32_t command)
{
	const struct kw_slot *slot = &table->slots[kw_slot_index(command, table->slot_multiplier)];

	return slot->command == command ? slot : NULL;
}

static unsigned int used_slots(const struct kw_table *table)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < KW_SLOTS; i++)
		used += table->slots[i].command != 0;
	return used;
}

static void empty_set(void **state)
{
	struct kw_policy_set set = {};
	_cleanup_ruleset_ struct kw_ruleset *rs = compile(&set);

	(void)state;
	assert_int_equal(rs->table->generation, 7);
	assert_int_equal(rs->table->policies, 0);
	assert_int_equal(used_slots(rs->table), 2);
	assert_int_equal(find(rs->table, KW_CMD_CREATE_VM)->operation, KW_OP_CREATE_VM);
	assert_int_equal(find(rs->table, KW_CMD_CANARY)->operation, KW_OP_CANARY);
	assert_false(kw_ruleset_denies(rs));
	assert_null(kw_ruleset_policy(rs, 0));
	assert_null(kw_ruleset_policy(rs, KW_NONE));
	assert_int_equal(explain(rs, "KVM_RUN", 0, 0).verdict, KW_ALLOW);
	assert_null(kw_ruleset_free(NULL));
}

/* "every operation there is fits into the slots" */
static void whole_table(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *rs = ruleset_of(
		"policy: all\nrules: [{operations: ['@all', VM_DESTROY], verdict: audit}]\n");
	unsigned int commands = 0;

	(void)state;
	for (unsigned int i = 0; i < kw_operation_count(); i++) {
		const struct kw_operation *operation = kw_operation(i);
		const struct kw_slot *slot;

		if (!operation->command)
			continue;
		slot = find(rs->table, operation->command);
		assert_non_null(slot);
		assert_int_equal(slot->operation, i);
		assert_int_equal(slot->scopes, operation->scopes);
		commands++;
		if (!operation->compat_command)
			continue;
		slot = find(rs->table, operation->compat_command);
		assert_non_null(slot);
		assert_int_equal(slot->operation, i);
		commands++;
	}
	assert_int_equal(used_slots(rs->table), commands);
	assert_int_equal(rs->table->slot_multiplier & 1, 1);
}

/* "what no rule restricts has no slot" */
static void only_what_is_named(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *rs =
		ruleset_of("policy: p\nrules:\n"
			   "  - {operations: [KVM_NMI], verdict: deny}\n"
			   "  - {operations: [KVM_SMI], verdict: allow}\n");

	(void)state;
	assert_int_equal(used_slots(rs->table), 3);
	assert_non_null(find(rs->table, 0x0000ae9a));
	assert_null(find(rs->table, 0x0000aeb7));
	assert_null(find(rs->table, 0x0000ae81));
}

static void first_rule_wins(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *rs =
		ruleset_of("policy: p\nrules:\n"
			   "  - {operations: [KVM_SET_REGS], state: sealed, verdict: allow}\n"
			   "  - {operations: [KVM_SET_SREGS], verdict: kill, errno: EACCES}\n"
			   "  - {operations: ['@set-registers'], verdict: deny, errno: EINVAL}\n");
	struct kw_decision d;

	(void)state;
	assert_int_equal(explain(rs, "KVM_SET_REGS", KW_STATE_SEALED, 0).verdict, KW_ALLOW);
	d = explain(rs, "KVM_SET_REGS", KW_STATE_BUILDING, 0);
	assert_int_equal(d.verdict, KW_DENY);
	assert_int_equal(d.error, EINVAL);
	assert_int_equal(d.rule, 2);
	d = explain(rs, "KVM_SET_SREGS", KW_STATE_SEALED, 0);
	assert_int_equal(d.verdict, KW_KILL);
	assert_int_equal(d.error, EACCES);
	assert_int_equal(d.rule, 1);
	assert_int_equal(explain(rs, "KVM_RUN", KW_STATE_SEALED, 0).verdict, KW_ALLOW);
	assert_int_equal(kw_ruleset_rule(rs, 0, 1)->line, 4);
	assert_null(kw_ruleset_rule(rs, 0, 3));
	assert_null(kw_ruleset_rule(rs, 1, 0));
	assert_null(kw_ruleset_rule(rs, KW_NONE, KW_NONE));
	assert_true(kw_ruleset_denies(rs));
}

/* "allow in one policy overrules no other; the stricter and then the earlier one is named" */
static void several_policies(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *rs = NULL;
	struct kw_policy_set set = {};
	struct kw_decision d;

	(void)state;
	add_text(&set, "policy: a\nrules: [{operations: [KVM_NMI], verdict: allow}]\n");
	add_text(&set, "policy: b\nrules: [{operations: [KVM_NMI], verdict: audit}]\n");
	add_text(&set, "policy: c\nrules: [{operations: [KVM_NMI], verdict: deny, errno: EIO}]\n");
	add_text(&set, "policy: d\nrules: [{operations: [KVM_NMI], verdict: deny}]\n");
	add_text(&set, "policy: e\nmatch: {vm-types: tdx}\n"
		       "rules: [{operations: [KVM_NMI], verdict: kill}]\n");
	rs = compile(&set);
	d = explain(rs, "KVM_NMI", 0, KW_TYPE_SEV);
	assert_int_equal(d.verdict, KW_DENY);
	assert_int_equal(d.error, EIO);
	assert_string_equal(kw_ruleset_policy(rs, d.policy)->name, "c");
	d = explain(rs, "KVM_NMI", 0, KW_TYPE_TDX);
	assert_int_equal(d.verdict, KW_KILL);
	assert_string_equal(kw_ruleset_policy(rs, d.policy)->name, "e");
	/* Of a type this version does not know, the strictest is true. */
	assert_int_equal(explain(rs, "KVM_NMI", 0, KW_TYPE_UNKNOWN).verdict, KW_KILL);
	assert_int_equal(matched(rs, KW_TYPE_SEV), 0xf);
	assert_int_equal(matched(rs, KW_TYPE_UNKNOWN), 0x1f);
}

static void audit_mode(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *rs =
		ruleset_of("policy: p\nmode: audit\nrules:\n"
			   "  - {operations: [KVM_NMI], verdict: deny, errno: EIO}\n"
			   "  - {operations: [KVM_SMI], verdict: kill}\n"
			   "  - {operations: [KVM_RUN], verdict: audit}\n"
			   "  - {operations: [KVM_INTERRUPT], verdict: allow}\n");
	struct kw_decision d;

	(void)state;
	assert_false(kw_ruleset_denies(rs));
	d = explain(rs, "KVM_NMI", 0, 0);
	assert_int_equal(d.verdict, KW_AUDIT);
	assert_int_equal(d.intended, KW_DENY);
	assert_int_equal(d.error, 0);
	d = explain(rs, "KVM_SMI", 0, 0);
	assert_int_equal(d.verdict, KW_AUDIT);
	assert_int_equal(d.intended, KW_KILL);
	d = explain(rs, "KVM_RUN", 0, 0);
	assert_int_equal(d.intended, KW_AUDIT);
	assert_int_equal(explain(rs, "KVM_INTERRUPT", 0, 0).verdict, KW_ALLOW);
}

/* A set that no file reader has seen. */
static void not_refusable(void **state)
{
	_cleanup_(kw_policy_set_done) struct kw_policy_set set = {};
	_cleanup_(kw_diag_done) struct kw_diag diag = {};
	struct kw_ruleset *rs = NULL;

	(void)state;
	add_text(&set, "policy: p\nrules: [{operations: [VM_DESTROY], verdict: audit}]\n");
	set.policies[0].rules[0].verdict = KW_DENY;
	assert_int_equal(kw_ruleset_compile(&set, 1, &rs, &diag), -EINVAL);
	assert_null(rs);
	assert_int_equal(set.count, 1);
	assert_non_null(strstr(diag.message, "VM_DESTROY"));
	assert_int_equal(diag.line, 2);
}

static unsigned int verdict(const struct kw_ruleset *rs, const char *operation)
{
	return explain(rs, operation, KW_STATE_BUILDING, KW_TYPE_DEFAULT).verdict;
}

/* "a rule on an ioctl covers all that share it" */
static void families(void **state)
{
	static const char *const members[][3] = {
		{"KVM_MEMORY_ENCRYPT_OP", "KVM_SEV_DBG_DECRYPT", "KVM_TDX_INIT_VM"},
		{"KVM_ENABLE_CAP", "KVM_CAP_VM_COPY_ENC_CONTEXT_FROM", "KVM_CAP_HYPERV_SYNIC"},
		{"KVM_RUN", "SYNC_REGS", "SYNC_REGS"},
	};

	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(members); i++) {
		_cleanup_ruleset_ struct kw_ruleset *rs = NULL;
		struct kw_policy_set set = {};
		char text[128];

		snprintf(text, sizeof(text),
			 "policy: p\nrules: [{operations: [%s], verdict: deny, errno: EIO}]\n",
			 members[i][0]);
		add_text(&set, text);
		rs = compile(&set);
		for (size_t j = 0; j < KW_ARRAY_SIZE(members[i]); j++)
			assert_int_equal(verdict(rs, members[i][j]), KW_DENY);
		assert_int_equal(verdict(rs, "KVM_NMI"), KW_ALLOW);
	}
}

/* "a rule on a member decides if it comes first, and leaves the ioctl and its other members alone" */
static void family_members(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *before = ruleset_of(
		"policy: p\nrules:\n"
		"  - {operations: [KVM_SEV_INIT2, KVM_CAP_SYNC_REGS], verdict: allow}\n"
		"  - {operations: [KVM_MEMORY_ENCRYPT_OP, KVM_ENABLE_CAP], verdict: deny}\n");
	_cleanup_ruleset_ struct kw_ruleset *alone =
		ruleset_of("policy: p\nrules: [{operations: [KVM_SEV_DBG_DECRYPT, SYNC_REGS], "
			   "verdict: kill}]\n");
	_cleanup_ruleset_ struct kw_ruleset *after = ruleset_of(
		"policy: p\nrules:\n"
		"  - {operations: [KVM_MEMORY_ENCRYPT_OP], state: sealed, verdict: deny}\n"
		"  - {operations: [KVM_SEV_DBG_DECRYPT], verdict: audit}\n");

	(void)state;
	assert_int_equal(verdict(before, "KVM_SEV_INIT2"), KW_ALLOW);
	assert_int_equal(verdict(before, "KVM_CAP_SYNC_REGS"), KW_ALLOW);
	assert_int_equal(verdict(before, "KVM_SEV_INIT"), KW_DENY);
	assert_int_equal(verdict(before, "KVM_MEMORY_ENCRYPT_OP"), KW_DENY);
	assert_int_equal(verdict(before, "KVM_CAP_HALT_POLL"), KW_DENY);
	assert_int_equal(verdict(alone, "KVM_SEV_DBG_DECRYPT"), KW_KILL);
	assert_int_equal(verdict(alone, "KVM_SEV_DBG_ENCRYPT"), KW_ALLOW);
	assert_int_equal(verdict(alone, "KVM_MEMORY_ENCRYPT_OP"), KW_ALLOW);
	assert_int_equal(verdict(alone, "SYNC_REGS"), KW_KILL);
	assert_int_equal(verdict(alone, "KVM_RUN"), KW_ALLOW);
	assert_int_equal(verdict(after, "KVM_SEV_DBG_DECRYPT"), KW_AUDIT);
	assert_int_equal(
		explain(after, "KVM_SEV_DBG_DECRYPT", KW_STATE_SEALED, KW_TYPE_SEV).verdict,
		KW_DENY);
	assert_int_equal(verdict(after, "KVM_MEMORY_ENCRYPT_OP"), KW_ALLOW);
}

/* "an ioctl is in the table when anything that shares it is, with the family it is told apart by" */
static void family_slots(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *rs = ruleset_of(
		"policy: p\nrules: [{operations: [KVM_TDX_INIT_VM, SYNC_REGS], verdict: deny}]\n");
	const struct kw_table *table = rs->table;

	(void)state;
	assert_int_equal(used_slots(table), 4);
	assert_int_equal(find(table, KW_CMD_CANARY)->family, KW_FAMILY_NONE);
	assert_int_equal(find(table, KW_CMD_RUN)->family, KW_FAMILY_RUN);
	assert_int_equal(find(table, 0xc008aeba)->family, KW_FAMILY_SEV);
	assert_int_equal(table->members[KW_FAMILY_RUN][KW_MEMBER_SYNC_REGS], op_of("SYNC_REGS"));
	assert_int_equal(table->members[KW_FAMILY_SEV][17], op_of("KVM_SEV_DBG_DECRYPT"));
	assert_int_equal(table->members[KW_FAMILY_TDX][1], op_of("KVM_TDX_INIT_VM"));
	assert_int_equal(table->members[KW_FAMILY_CAP][197],
			 op_of("KVM_CAP_VM_COPY_ENC_CONTEXT_FROM"));
	assert_int_equal(table->members[KW_FAMILY_SEV][99], 0);
	assert_int_equal(table->firmware[0x60].operation, op_of("KVM_SEV_DBG_DECRYPT"));
	assert_int_equal(table->firmware[0x60].also, op_of("KVM_SEV_DBG_ENCRYPT"));
	assert_int_equal(table->firmware[0xa1].operation, op_of("KVM_SEV_SNP_LAUNCH_UPDATE"));
	assert_int_equal(table->firmware[0xa1].also, op_of("KVM_SEV_SNP_LAUNCH_FINISH"));
	assert_int_equal(table->firmware[0].operation, 0);
}

/* The operation that stands for one of a family whose number could not be read. */
static unsigned int unreadable(const struct kw_table *table, unsigned int family)
{
	unsigned int index = table->members[family][KW_MEMBER_UNREADABLE];

	assert_int_not_equal(index, 0);
	assert_true(kw_operation(index)->hidden);
	return index;
}

static struct kw_decision explain_unreadable(const struct kw_ruleset *rs, unsigned int family,
					     unsigned int state)
{
	const struct kw_subject subject = subject_of(KW_TYPE_SEV);
	struct kw_decision decision;

	kw_ruleset_explain(rs, unreadable(rs->table, family), state, &subject, &decision);
	return decision;
}

/* "a number that cannot be read is taken for the one the policy is strictest about" */
static void unreadable_members(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *rs = ruleset_of(
		"policy: p\nrules:\n"
		"  - {operations: [KVM_SEV_DBG_DECRYPT], state: sealed, verdict: deny, errno: "
		"EACCES}\n"
		"  - {operations: [KVM_SEV_INIT], verdict: audit}\n"
		"  - {operations: [KVM_MEMORY_ENCRYPT_OP], verdict: allow}\n"
		"  - {operations: [KVM_ENABLE_CAP], state: building, verdict: kill}\n");
	struct kw_decision d;

	(void)state;
	d = explain_unreadable(rs, KW_FAMILY_SEV, KW_STATE_SEALED);
	assert_int_equal(d.verdict, KW_DENY);
	assert_int_equal(d.error, EACCES);
	assert_int_equal(d.rule, 0);
	d = explain_unreadable(rs, KW_FAMILY_SEV, KW_STATE_BUILDING);
	assert_int_equal(d.verdict, KW_AUDIT);
	assert_int_equal(d.rule, 1);
	/* What is strict about SEV says nothing about TDX. */
	assert_int_equal(explain_unreadable(rs, KW_FAMILY_TDX, KW_STATE_SEALED).verdict, KW_ALLOW);
	assert_int_equal(explain_unreadable(rs, KW_FAMILY_CAP, KW_STATE_SEALED).verdict, KW_ALLOW);
	/* The ioctl itself counts: it stands for members this version does not know. */
	assert_int_equal(explain_unreadable(rs, KW_FAMILY_CAP, KW_STATE_BUILDING).verdict, KW_KILL);
}

/* "an unreadable number is as strict in audit mode as any: reported" */
static void unreadable_in_audit_mode(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *rs =
		ruleset_of("policy: p\nmode: audit\nrules:\n"
			   "  - {operations: [KVM_SEV_DBG_ENCRYPT], verdict: deny}\n");
	struct kw_decision d = explain_unreadable(rs, KW_FAMILY_SEV, KW_STATE_SEALED);

	(void)state;
	assert_int_equal(d.verdict, KW_AUDIT);
	assert_int_equal(d.intended, KW_DENY);
}

static void selectors(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *rs =
		ruleset_of("policy: p\nmatch: {protected-state: true, private-memory: true}\n"
			   "except: {vm-types: tdx}\n"
			   "rules: [{operations: [KVM_NMI], verdict: deny}]\n");

	(void)state;
	for (unsigned int type = 0; type < KW_TYPE_UNKNOWN; type++)
		assert_int_equal(matched(rs, type), type == KW_TYPE_SEV_SNP);
	/* Unknown: it may be one of those that match, and is none that is excepted. */
	assert_int_equal(matched(rs, KW_TYPE_UNKNOWN), 1);
	assert_int_equal(matched(rs, KW_TYPE_NONE), 0);
}

static void rate_limits(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *rs = ruleset_of(
		"policy: p\nrules:\n"
		"  - {operations: [KVM_NMI], state: sealed, verdict: audit, rate-limit: 5/min}\n"
		"  - {operations: [KVM_NMI], verdict: deny}\n");
	const struct kw_origin(*origins)[KW_POLICIES_MAX] = rs->table->origins[op_of("KVM_NMI")];

	(void)state;
	assert_int_equal(origins[KW_STATE_SEALED][0].limit_events, 5);
	assert_int_equal(origins[KW_STATE_SEALED][0].limit_seconds, 60);
	assert_int_equal(origins[KW_STATE_BUILDING][0].limit_events, KW_LIMIT_EVENTS);
	assert_int_equal(origins[KW_STATE_BUILDING][0].limit_seconds, KW_LIMIT_SECONDS);
}

/* The shipped policies, by a second, independent statement of what they say. */
static unsigned int shipped_verdict(unsigned int operation, unsigned int state, unsigned int type)
{
	static const char *const registers[] = {
		"KVM_SET_REGS",	     "KVM_SET_SREGS",	    "KVM_SET_SREGS2",
		"KVM_SET_FPU",	     "KVM_SET_XSAVE",	    "KVM_SET_XCRS",
		"KVM_SET_DEBUGREGS", "KVM_SET_GUEST_DEBUG", "SYNC_REGS",
	};
	const char *name = kw_operation(operation)->name;

	if (kw_streq(name, "KVM_CREATE_VM") || kw_streq(name, "VM_DESTROY"))
		return KW_AUDIT;
	if (state != KW_STATE_SEALED)
		return KW_ALLOW;
	for (size_t i = 0; i < KW_ARRAY_SIZE(registers); i++) {
		if (!kw_streq(registers[i], name))
			continue;
		if (type == KW_TYPE_SEV_ES || type == KW_TYPE_SEV_SNP || type == KW_TYPE_TDX ||
		    type == KW_TYPE_UNKNOWN)
			return KW_DENY;
		return type == KW_TYPE_LEGACY_SEV_ES ? KW_AUDIT : KW_ALLOW;
	}
	return KW_ALLOW;
}

static void shipped_policies(void **state)
{
	const char *const dirs[] = {"policies", NULL};
	_cleanup_ruleset_ struct kw_ruleset *rs = NULL;
	struct kw_policy_set set = {};
	struct kw_decision d;

	(void)state;
	assert_int_equal(kw_policy_set_load(dirs, false, false, &set, NULL), 0);
	assert_int_equal(set.count, 3);
	rs = compile(&set);
	assert_true(kw_ruleset_denies(rs));
	for (unsigned int i = KW_OP_CANARY + 1; i < kw_operation_count(); i++)
		for (unsigned int s = 0; s < _KW_STATE_MAX; s++)
			for (unsigned int type = 0; type < _KW_TYPE_MAX; type++) {
				const struct kw_subject subject = subject_of(type);

				kw_ruleset_explain(rs, i, s, &subject, &d);
				if (d.verdict != shipped_verdict(i, s, type))
					fail_msg("%s, %s, %s: %s", kw_operation(i)->name,
						 kw_state_name(s), kw_type_name(type),
						 kw_verdict_name(d.verdict));
				assert_int_equal(d.error, d.verdict == KW_DENY ? EPERM : 0);
			}
	d = explain(rs, "KVM_SET_REGS", KW_STATE_SEALED, KW_TYPE_LEGACY_SEV_ES);
	assert_int_equal(d.intended, KW_DENY);
	assert_string_equal(kw_ruleset_policy(rs, d.policy)->name, "legacy-sev-es");
}

static void add_large(struct kw_policy_set *set, unsigned int number)
{
	_cleanup_free_ char *text = NULL;
	char name[16];
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	snprintf(name, sizeof(name), "p%u", number);
	write_every_rule(f, name, "deny");
	fclose(f);
	add_text(set, text);
}

static void largest_set(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *rs = NULL;
	struct kw_policy_set set = {};
	struct timespec start, end;
	struct kw_decision d;

	(void)state;
	for (unsigned int i = 0; i < KW_POLICIES_MAX; i++)
		add_large(&set, i);
	assert_true(set.policies[0].rule_count >= 200);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	rs = compile(&set);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	/* A few ms without the sanitizers: a reload must not be felt. */
	assert_true(end.tv_sec - start.tv_sec <= 1);
	assert_int_equal(rs->table->policies, KW_POLICIES_MAX);
	d = explain(rs, "KVM_RUN", KW_STATE_BUILDING, KW_TYPE_TDX);
	assert_int_equal(d.policy, 0);
	assert_true(rs->table->cells[op_of("KVM_RUN")][0].deny == ~0ull);
	assert_true(rs->table->cells[KW_OP_VM_DESTROY][0].audit == ~0ull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_set),	      cmocka_unit_test(whole_table),
		cmocka_unit_test(only_what_is_named), cmocka_unit_test(first_rule_wins),
		cmocka_unit_test(several_policies),   cmocka_unit_test(audit_mode),
		cmocka_unit_test(not_refusable),      cmocka_unit_test(shipped_policies),
		cmocka_unit_test(largest_set),	      cmocka_unit_test(families),
		cmocka_unit_test(family_members),     cmocka_unit_test(family_slots),
		cmocka_unit_test(unreadable_members), cmocka_unit_test(unreadable_in_audit_mode),
		cmocka_unit_test(selectors),	      cmocka_unit_test(rate_limits),
	};

	return cmocka_run_group_tests_name("ruleset", tests, NULL, NULL);
}
