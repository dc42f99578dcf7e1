/* SPDX-License-Identifier: GPL-2.0-only */
/* The reader of policy files: what it refuses and where, and what it takes. */
#define _GNU_SOURCE 1
#include "policy.h"

#include <errno.h>
#include <sys/stat.h>

#include "broken.h"
#include "every-rule.h"
#include "names.h"
#include "unit.h"
#include "util.h"

/* The first lines say what is expected: "# expect: LINE:COLUMN: TEXT", "# hint: TEXT". */
static void check_fixture(const char *path)
{
	_cleanup_(kw_diag_done) struct kw_diag diag = {};
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char expect[512], hint[512];
	unsigned int line, column;
	int at_text = 0;

	assert_non_null(f);
	assert_non_null(fgets(expect, sizeof(expect), f));
	expect[strcspn(expect, "\n")] = '\0';
	/* NOLINTNEXTLINE(cert-err34-c): our own file */
	assert_int_equal(sscanf(expect, "# expect: %u:%u: %n", &line, &column, &at_text), 2);
	assert_true(at_text && expect[at_text]);
	expect_broken(path, line, column, expect + at_text);
	if (!fgets(hint, sizeof(hint), f) || strncmp(hint, "# hint: ", 8) != 0)
		return;
	hint[strcspn(hint, "\n")] = '\0';
	read_broken(path, &diag);
	if (!diag.hint || !strstr(diag.hint, hint + 8))
		fail_msg("%s: expected the hint '%s', got '%s'", path, hint + 8,
			 diag.hint ?: "none");
}

static unsigned int each_fixture(const char *dir_path, void (*check)(const char *path))
{
	_cleanup_closedir_ DIR *dir = opendir(dir_path);
	const struct dirent *entry;
	unsigned int count = 0;
	char path[512];

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (!strstr(entry->d_name, ".yaml"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir_path, entry->d_name);
		check(path);
		count++;
	}
	return count;
}

static void broken_fixtures(void **state)
{
	(void)state;
	assert_true(each_fixture(TEST_POLICIES "/broken", check_fixture) >= 100);
}

static void check_good(const char *path)
{
	_cleanup_(kw_policy_set_done) struct kw_policy_set set = {};
	_cleanup_(kw_diag_done) struct kw_diag diag = {};

	if (kw_policy_read(path, false, &set, &diag) < 0)
		fail_msg("%s:%u:%u: %s", path, diag.line, diag.column, diag.message);
	assert_int_equal(set.count, 1);
	assert_null(diag.message);
}

static void good_fixtures(void **state)
{
	(void)state;
	assert_true(each_fixture(TEST_POLICIES "/good", check_good) >= 7);
	assert_int_equal(each_fixture("policies", check_good), 3);
}

static bool names(const struct kw_rule *rule, const char *operation)
{
	int index = kw_operation_from_name(operation);

	assert_true(index >= 0);
	return rule->operations[index / 8] & (1u << (index % 8));
}

static void every_key(void **state)
{
	_cleanup_(kw_policy_set_done) struct kw_policy_set set = {};
	const char *path = TEST_POLICIES "/good/everything.yaml";
	const struct kw_policy *p;

	(void)state;
	assert_int_equal(kw_policy_read(path, false, &set, NULL), 0);
	p = &set.policies[0];
	assert_string_equal(p->name, "everything");
	assert_string_equal(p->description, "Grüße: every key, all states.");
	assert_string_equal(p->file, path);
	assert_int_equal(p->line, 4);
	assert_int_equal(p->mode, KW_MODE_AUDIT);
	assert_int_equal(p->selector.match.types, 1u << KW_TYPE_SEV_SNP | 1u << KW_TYPE_TDX);
	assert_int_equal(p->selector.match.tests,
			 KW_SELECT_TYPES | KW_SELECT_EXE | KW_SELECT_UNIT | KW_SELECT_USER);
	assert_int_equal(p->selector.match.uid, 0);
	assert_string_equal(p->match.exe, "/usr/bin/qemu-system-*");
	assert_int_equal(p->selector.match.exe.prefix_len, 21);
	assert_int_equal(p->selector.match.exe.suffix_len, 0);
	assert_int_equal(p->selector.match.exe.star, 1);
	assert_int_equal(p->selector.match.unit.prefix_len, 0);
	assert_memory_equal(p->selector.match.unit.text, ".scope", 7);
	assert_int_equal(p->rule_count, 4);
	assert_int_equal(p->rules[0].line, 15);
	assert_true(names(&p->rules[0], "KVM_SET_GUEST_DEBUG"));
	assert_false(names(&p->rules[0], "KVM_SET_REGS"));
	assert_int_equal(p->rules[0].verdict, KW_ALLOW);
	assert_int_equal(p->rules[0].error, 0);
	assert_int_equal(p->rules[0].states, 3);
	assert_int_equal(p->rules[1].verdict, KW_KILL);
	assert_int_equal(p->rules[1].error, EACCES);
	assert_int_equal(p->rules[1].states, 1u << KW_STATE_SEALED);
	assert_true(names(&p->rules[1], "KVM_GET_XSAVE2"));
	assert_int_equal(p->rules[2].error, EINVAL);
	assert_int_equal(p->rules[2].states, 1u << KW_STATE_BUILDING);
	assert_true(names(&p->rules[3], "VM_DESTROY"));
	assert_int_equal(p->rules[3].verdict, KW_AUDIT);
}

/* Reads the one policy of a good fixture. */
static const struct kw_policy *read_good(const char *name, struct kw_policy_set *set)
{
	char path[256];

	snprintf(path, sizeof(path), TEST_POLICIES "/good/%s", name);
	assert_int_equal(kw_policy_read(path, false, set, NULL), 0);
	return &set->policies[0];
}

static void both_sides(void **state)
{
	_cleanup_(kw_policy_set_done) struct kw_policy_set set = {};
	const struct kw_policy *p = read_good("selectors.yaml", &set);
	const struct kw_match *match = &p->selector.match, *except = &p->selector.except;

	(void)state;
	assert_int_equal(match->tests, KW_SELECT_PROTECTED_STATE | KW_SELECT_PRIVATE_MEMORY |
					       KW_SELECT_CGROUP | KW_SELECT_USER);
	assert_int_equal(match->flags, KW_VM_PRIVATE_MEMORY);
	assert_int_equal(match->uid, 64055);
	assert_string_equal(p->match.cgroup, "/machine.slice/*");
	assert_string_equal(p->match.user, "64055");
	assert_null(p->match.exe);
	assert_int_equal(except->tests, KW_SELECT_TYPES | KW_SELECT_PROTECTED_STATE |
						KW_SELECT_EXE | KW_SELECT_UNIT | KW_SELECT_CGROUP |
						KW_SELECT_USER);
	assert_int_equal(except->types, 1u << KW_TYPE_SW_PROTECTED);
	assert_int_equal(except->flags, 0);
	assert_int_equal(except->uid, 0);
	assert_string_equal(p->except.exe, "*/qemu-system-x86_64");
	assert_string_equal(p->except.unit, "machine-*.scope");
	assert_string_equal(p->except.cgroup, "*/payload");
	assert_string_equal(p->except.user, "root");
}

static void rates(void **state)
{
	static const uint16_t expected[][2] = {
		{1, 1}, {100, 60}, {65535, 3600}, {KW_LIMIT_EVENTS, KW_LIMIT_SECONDS},
		{0, 0}, {0, 0},
	};
	_cleanup_(kw_policy_set_done) struct kw_policy_set set = {};
	const struct kw_policy *p = read_good("rate-limits.yaml", &set);

	(void)state;
	assert_int_equal(p->rule_count, KW_ARRAY_SIZE(expected));
	for (size_t i = 0; i < p->rule_count; i++) {
		assert_int_equal(p->rules[i].limit_events, expected[i][0]);
		assert_int_equal(p->rules[i].limit_seconds, expected[i][1]);
	}
}

/* "an ioctl stands for all that share it, but none of them for the ioctl" */
static void families(void **state)
{
	_cleanup_(kw_policy_set_done) struct kw_policy_set set = {};
	const struct kw_policy *p = read_good("families.yaml", &set);

	(void)state;
	assert_true(names(&p->rules[0], "KVM_SEV_DBG_DECRYPT"));
	assert_false(names(&p->rules[0], "KVM_SEV_DBG_ENCRYPT"));
	assert_false(names(&p->rules[0], "KVM_MEMORY_ENCRYPT_OP"));
	assert_true(names(&p->rules[1], "KVM_MEMORY_ENCRYPT_OP"));
	assert_true(names(&p->rules[1], "KVM_SEV_DBG_DECRYPT"));
	assert_true(names(&p->rules[1], "KVM_TDX_GET_CPUID"));
	assert_false(names(&p->rules[1], "KVM_CAP_SYNC_REGS"));
	assert_false(names(&p->rules[2], "KVM_RUN"));
	assert_true(names(&p->rules[3], "KVM_RUN"));
	assert_true(names(&p->rules[3], "SYNC_REGS"));
	for (unsigned int i = 0; i < kw_operation_count(); i++)
		if (kw_operation(i)->hidden)
			assert_false(kw_rule_names(&p->rules[4], i));
}

static void defaults(void **state)
{
	_cleanup_(kw_policy_set_done) struct kw_policy_set set = {};
	const struct kw_policy *p;

	(void)state;
	assert_int_equal(kw_policy_read(TEST_POLICIES "/good/minimal.yaml", false, &set, NULL), 0);
	p = &set.policies[0];
	assert_int_equal(p->mode, KW_MODE_ENFORCE);
	assert_int_equal(p->selector.match.tests, 0);
	assert_null(p->description);
	assert_null(p->match.exe);
	assert_int_equal(p->selector.except.tests, 0);
	assert_null(p->except.exe);
	assert_int_equal(p->rules[0].states, 3);
	assert_int_equal(p->rules[0].error, EPERM);
}

static void not_a_file(void **state)
{
	_cleanup_(kw_diag_done) struct kw_diag diag = {}, missing = {};

	(void)state;
	assert_int_equal(read_broken(scratch, &diag), -EISDIR);
	assert_non_null(strstr(diag.message, "is a directory"));
	/* Must not wait for a writer. */
	assert_int_equal(mkfifo(at("fifo"), 0600), 0);
	expect_broken(at("fifo"), 0, 0, "is not a regular file");
	expect_broken("/dev/zero", 0, 0, "is not a regular file");
	assert_int_equal(read_broken(at("missing"), &missing), -ENOENT);
}

/* "there are at most as many rules as operations and states": one more repeats something */
static void too_many_rules(void **state)
{
	_cleanup_fclose_ FILE *f = fopen(at("rules"), "we");
	unsigned int count;

	(void)state;
	assert_non_null(f);
	count = write_every_rule(f, "p", "audit");
	assert_int_equal(fflush(f), 0);
	check_good(at("rules"));
	fprintf(f, "  - {operations: [KVM_RUN], verdict: audit}\n");
	assert_int_equal(fflush(f), 0);
	expect_broken(at("rules"), count + 3, 5, "never applies");
}

static void duplicate_policy(void **state)
{
	_cleanup_(kw_policy_set_done) struct kw_policy_set set = {};
	_cleanup_(kw_diag_done) struct kw_diag diag = {};
	char where[300];

	(void)state;
	write_policy("one", "same");
	write_text("two", "rules: [{operations: [KVM_RUN], verdict: audit}]\npolicy: same\n");
	snprintf(where, sizeof(where), "defined already, in %s:1", at("one"));
	assert_int_equal(kw_policy_read(at("one"), false, &set, NULL), 0);
	assert_int_equal(kw_policy_read(at("two"), false, &set, &diag), -EINVAL);
	assert_int_equal(set.count, 1);
	assert_non_null(strstr(diag.message, where));
	assert_int_equal(diag.line, 2);
	assert_int_equal(diag.column, 9);
}

static void one_policy_too_many(void **state)
{
	_cleanup_(kw_policy_set_done) struct kw_policy_set set = {};
	_cleanup_(kw_diag_done) struct kw_diag diag = {};
	char name[16];

	(void)state;
	for (unsigned int i = 0; i < KW_POLICIES_MAX; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		write_policy("many", name);
		assert_int_equal(kw_policy_read(at("many"), false, &set, NULL), 0);
	}
	write_policy("many", "last");
	assert_int_equal(kw_policy_read(at("many"), false, &set, &diag), -EINVAL);
	assert_non_null(strstr(diag.message, "at most 64"));
	assert_int_equal(set.count, KW_POLICIES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_fixtures),
		cmocka_unit_test(good_fixtures),
		cmocka_unit_test(every_key),
		cmocka_unit_test(defaults),
		cmocka_unit_test(not_a_file),
		cmocka_unit_test(too_many_rules),
		cmocka_unit_test(both_sides),
		cmocka_unit_test(rates),
		cmocka_unit_test(families),
		cmocka_unit_test(duplicate_policy),
		cmocka_unit_test(one_policy_too_many),
	};

	return cmocka_run_group_tests_name("policy", tests, scratch_make, scratch_remove);
}
