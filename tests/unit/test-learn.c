/* SPDX-License-Identifier: GPL-2.0-only */
/* A policy out of recorded events: it allows these, and nothing else. */
#define _GNU_SOURCE 1
#include "learn.h"

#include <errno.h>

#include "explain.h"
#include "operation-set.h"
#include "random.h"
#include "recorded-line.h"
#include "ruleset-of.h"
#include "unit.h"
#include "util.h"

#define ROUNDS 60

static struct kw_learn learn; /* large: not on the stack */

static void start(struct kw_learn_filter filter)
{
	assert_int_equal(kw_learn_init(&learn, &filter), 0);
}

static void add(struct said said)
{
	const struct kw_recorded event = recorded(&said);

	kw_learn_add(&learn, &event);
}

static char *text_of(struct kw_learn_style style)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(kw_learn_write(&learn, &style, out), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static unsigned int verdict_of(const struct kw_ruleset *rs, struct said said)
{
	const struct kw_recorded event = recorded(&said);
	struct kw_decision decision;

	kw_recorded_decide(rs, &event, &decision);
	return decision.verdict;
}

static void as_text(void **state)
{
	_cleanup_free_ char *text = NULL;

	(void)state;
	start((struct kw_learn_filter){});
	for (unsigned int i = 0; i < 3; i++)
		add((struct said){"KVM_NMI", KW_STATE_SEALED, KW_TYPE_SEV_SNP, .vm = i + 1,
				  .seconds = i});
	add((struct said){"KVM_CREATE_VM", 0, KW_TYPE_SEV_SNP, .kind = KW_EVENT_VM_CREATED});
	add((struct said){"VM_DESTROY", 1, KW_TYPE_SEV_SNP, .kind = KW_EVENT_VM_DESTROYED});
	text = text_of((struct kw_learn_style){});
	assert_non_null(strstr(text, "from 5 events of 3 VMs, 1970-01-01T00:00:00Z to "
				     "1970-01-01T00:00:02Z.\n"));
	assert_non_null(strstr(text, "reset, hotplug, migration"));
	assert_non_null(strstr(text, "\npolicy: vmm\nmode: audit\nmatch:\n"
				     "  exe: \"/usr/bin/vmm\"\n  vm-types: [sev-snp]\nrules:\n"));
	assert_non_null(strstr(text, "- KVM_NMI"));
	assert_non_null(strstr(text, "# 3 times, 1970-01-01T00:00:00Z to 1970-01-01T00:00:02Z\n"
				     "    state: sealed\n    verdict: allow\n"));
	assert_non_null(strstr(text, "  - operations: [\"@all\"]\n    verdict: deny\n"));
	assert_null(strstr(text, "VM_DESTROY"));
	assert_null(strstr(text, "was not recorded"));
}

/* "a whole group is named as one, a part of it is not" */
static void groups(void **state)
{
	const struct kw_group *group = kw_group_from_name("@get-registers");
	_cleanup_free_ char *whole = NULL, *part = NULL;

	(void)state;
	start((struct kw_learn_filter){});
	for (size_t i = 0; i + 1 < group->count; i++)
		add((struct said){kw_operation(group->operations[i])->name});
	part = text_of((struct kw_learn_style){});
	assert_null(strstr(part, "@get-registers"));
	assert_non_null(strstr(part, "KVM_CREATE_VM was not recorded"));
	add((struct said){kw_operation(group->operations[group->count - 1])->name});
	whole = text_of((struct kw_learn_style){});
	assert_non_null(strstr(whole, "- \"@get-registers\""));
}

/* "KVM_RUN does not bring SYNC_REGS with it, nor an unknown capability the known ones" */
static void families(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *rs = NULL;
	_cleanup_free_ char *text = NULL;

	(void)state;
	start((struct kw_learn_filter){});
	add((struct said){"KVM_RUN"});
	add((struct said){"KVM_RUN", KW_STATE_SEALED});
	add((struct said){"KVM_SEV_INIT2"});
	add((struct said){"KVM_ENABLE_CAP"});
	add((struct said){"KVM_CAP_HALT_POLL"});
	add((struct said){"KVM_CAP_SPLIT_IRQCHIP", KW_STATE_SEALED});
	text = text_of((struct kw_learn_style){.enforce = true});
	rs = ruleset_of(text);
	assert_int_equal(verdict_of(rs, (struct said){"KVM_RUN"}), KW_ALLOW);
	assert_int_equal(verdict_of(rs, (struct said){"SYNC_REGS"}), KW_DENY);
	assert_int_equal(verdict_of(rs, (struct said){"SYNC_REGS", 1}), KW_DENY);
	assert_int_equal(verdict_of(rs, (struct said){"KVM_SEV_INIT2"}), KW_ALLOW);
	assert_int_equal(verdict_of(rs, (struct said){"KVM_SEV_INIT"}), KW_DENY);
	assert_int_equal(verdict_of(rs, (struct said){"KVM_MEMORY_ENCRYPT_OP"}), KW_DENY);
	assert_int_equal(verdict_of(rs, (struct said){"KVM_ENABLE_CAP"}), KW_ALLOW);
	assert_int_equal(verdict_of(rs, (struct said){"KVM_ENABLE_CAP", 1}), KW_DENY);
	assert_int_equal(verdict_of(rs, (struct said){"KVM_CAP_HALT_POLL"}), KW_ALLOW);
	assert_int_equal(verdict_of(rs, (struct said){"KVM_CAP_SYNC_REGS"}), KW_DENY);
	assert_int_equal(verdict_of(rs, (struct said){"KVM_CAP_SPLIT_IRQCHIP"}), KW_DENY);
	assert_int_equal(verdict_of(rs, (struct said){"KVM_CAP_SPLIT_IRQCHIP", 1}), KW_ALLOW);
}

/* "what was refused is not learnt, nor what went past the hook, nor what cannot be named" */
static void not_learnt(void **state)
{
	_cleanup_free_ char *text = NULL;

	(void)state;
	start((struct kw_learn_filter){});
	add((struct said){"KVM_NMI"});
	add((struct said){"KVM_SET_REGS", 1, KW_TYPE_SEV_SNP, KW_DENY, EPERM});
	add((struct said){"KVM_SMI", 1, KW_TYPE_SEV_SNP, KW_AUDIT, .kind = KW_EVENT_RACE});
	add((struct said){"KVM_SEV_UNREADABLE"});
	text = text_of((struct kw_learn_style){});
	assert_null(strstr(text, "KVM_SET_REGS"));
	assert_null(strstr(text, "KVM_SMI"));
	assert_null(strstr(text, "UNREADABLE"));
	assert_non_null(strstr(text, "# 2 events were refused when this was recorded"));
	assert_non_null(strstr(text, "# 1 commands could not be read"));
}

static void filters(void **state)
{
	_cleanup_free_ char *text = NULL;
	char *none = NULL;
	size_t size;
	FILE *out;

	(void)state;
	start((struct kw_learn_filter){});
	add((struct said){"KVM_NMI", .exe = "/bin/a"});
	add((struct said){"KVM_NMI", .exe = "/bin/b"});
	assert_int_equal(learn.exe_count, 2);
	out = open_memstream(&none, &size);
	assert_int_equal(kw_learn_write(&learn, &(struct kw_learn_style){}, out), -EINVAL);
	fclose(out);
	free(none);

	start((struct kw_learn_filter){.exe = "/bin/*", .unit = "vm-*.scope", .vm = 3});
	add((struct said){"KVM_NMI", .exe = "/bin/a", .cgroup = "/vm-1.scope/x", .vm = 3});
	add((struct said){"KVM_SMI", .exe = "/bin/b", .cgroup = "/vm-2.scope", .vm = 3});
	add((struct said){"KVM_RUN", .exe = "/bin/a", .cgroup = "/vm-1.scope", .vm = 4});
	add((struct said){"KVM_RUN", .exe = "/bin/a", .cgroup = "/ct-1.scope", .vm = 3});
	add((struct said){"KVM_RUN", .exe = "/usr/bin/a", .cgroup = "/vm-1.scope", .vm = 3});
	assert_int_equal(learn.others, 3);
	text = text_of((struct kw_learn_style){.name = "mine"});
	assert_non_null(strstr(text, "policy: mine\n"));
	assert_non_null(strstr(text, "  exe: \"/bin/*\"\n  unit: \"vm-*.scope\"\n"));
	assert_non_null(strstr(text, "KVM_SMI"));
	assert_null(strstr(text, "KVM_RUN"));
	assert_int_equal(kw_learn_init(&learn, &(struct kw_learn_filter){.exe = "/*/*"}), -EINVAL);
}

/* "whatever the executable is called, the policy is one and matches it" */
static void odd_names(void **state)
{
	static const char *const names[] = {"/a b",
					    "/\"quoted\"",
					    "/back\\slash",
					    "/tab\there",
					    "/new\nline",
					    "/# no comment",
					    "/Ünï/cödé",
					    "/---",
					    "/nel\xc2\x85"
					    "ls\u2028ps\u2029",
					    "/c1\xc2\x9f",
					    "/bom\ufeff",
					    "/\U0001f600"};

	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(names); i++) {
		_cleanup_ruleset_ struct kw_ruleset *rs = NULL;
		_cleanup_free_ char *text = NULL;

		start((struct kw_learn_filter){});
		add((struct said){"KVM_NMI", .exe = names[i]});
		text = text_of((struct kw_learn_style){.enforce = true});
		rs = ruleset_of(text);
		assert_string_equal(rs->set.policies[0].match.exe, names[i]);
		assert_int_equal(verdict_of(rs, (struct said){"KVM_SMI", .exe = names[i]}),
				 KW_DENY);
	}
}

/* --- the property: it allows exactly what was recorded ------------------------ */

static bool seen[KW_OPERATIONS_MAX][_KW_STATE_MAX];

static void record_some(void)
{
	unsigned int share = below(100);

	start((struct kw_learn_filter){});
	memset(seen, 0, sizeof(seen));
	/* Something in any case. */
	seen[op_of("KVM_NMI")][0] = true;
	for (unsigned int i = 0; i < kw_operation_count(); i++)
		for (unsigned int state = 0; state < _KW_STATE_MAX; state++) {
			if (!kw_question_makes_sense(i, KW_TYPE_SEV_SNP, state))
				continue;
			seen[i][state] |= below(100) < share;
			if (seen[i][state])
				add((struct said){kw_operation(i)->name, state, KW_TYPE_SEV_SNP});
		}
}

static void exactly_this(void **state)
{
	(void)state;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		_cleanup_ruleset_ struct kw_ruleset *rs = NULL;
		_cleanup_free_ char *text = NULL;

		record_some();
		text = text_of((struct kw_learn_style){.enforce = true});
		rs = ruleset_of(text);
		for (unsigned int i = 0; i < kw_operation_count(); i++)
			for (unsigned int s = 0; s < _KW_STATE_MAX; s++) {
				const struct said said = {kw_operation(i)->name, s,
							  KW_TYPE_SEV_SNP};
				bool allowed = seen[i][s] || i == KW_OP_VM_DESTROY;

				if (!kw_question_makes_sense(i, KW_TYPE_SEV_SNP, s))
					continue;
				if (verdict_of(rs, said) != (allowed ? KW_ALLOW : KW_DENY))
					fail_msg("%s, %s\n%s", said.operation, kw_state_name(s),
						 text);
			}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_text),	cmocka_unit_test(groups),
		cmocka_unit_test(families),	cmocka_unit_test(not_learnt),
		cmocka_unit_test(filters),	cmocka_unit_test(odd_names),
		cmocka_unit_test(exactly_this),
	};

	return cmocka_run_group_tests_name("learn", tests, NULL, NULL);
}
