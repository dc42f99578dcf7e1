/* SPDX-License-Identifier: GPL-2.0-only */
/* Which questions have answers, identities out of text, and words for sets of operations. */
#define _GNU_SOURCE 1
#include "explain.h"

#include <errno.h>

#include "explain-table.h"
#include "identity-text.h"
#include "names.h"
#include "operation-set.h"
#include "ruleset-of.h"
#include "unit.h"
#include "util.h"

static bool makes_sense(const char *operation, unsigned int type, unsigned int state)
{
	return kw_question_makes_sense(op_of(operation), type, state);
}

static void questions(void **state)
{
	(void)state;
	assert_true(makes_sense("KVM_SET_REGS", KW_TYPE_DEFAULT, KW_STATE_SEALED));
	assert_false(makes_sense("KVM_SET_REGS", KW_TYPE_NONE, KW_STATE_BUILDING));
	assert_true(makes_sense("KVM_CHECK_EXTENSION", KW_TYPE_NONE, KW_STATE_BUILDING));
	assert_false(makes_sense("KVM_CHECK_EXTENSION", KW_TYPE_NONE, KW_STATE_SEALED));
	assert_true(makes_sense("KVM_CREATE_VM", KW_TYPE_TDX, KW_STATE_BUILDING));
	assert_false(makes_sense("KVM_CREATE_VM", KW_TYPE_TDX, KW_STATE_SEALED));
	assert_false(makes_sense("KVM_CREATE_VM", KW_TYPE_NONE, KW_STATE_BUILDING));
	assert_false(kw_question_makes_sense(KW_OP_CANARY, 0, 0));
	assert_false(kw_question_makes_sense(KW_OPERATIONS_MAX, 0, 0));
	for (unsigned int type = 0; type < KW_TYPE_NONE; type++) {
		assert_int_equal(makes_sense("KVM_SEV_INIT", type, 0), type != KW_TYPE_TDX);
		assert_int_equal(makes_sense("KVM_TDX_INIT_VM", type, 0), type == KW_TYPE_TDX);
		assert_true(makes_sense("KVM_MEMORY_ENCRYPT_OP", type, 0));
		assert_true(makes_sense("SYNC_REGS", type, 1));
	}
}

static const struct {
	const char *cgroup;
	const char *unit;
} units[] = {
	{"/", ""},
	{"/machine.slice", ""},
	{"/machine.slice/machine-qemu\\x2d1.scope", "machine-qemu\\x2d1.scope"},
	{"/machine.slice/vm.scope/libvirt/emulator", "vm.scope"},
	{"/system.slice/libvirtd.service", "libvirtd.service"},
	/* The topmost one, not the innermost. */
	{"/user.slice/user@1000.service/app.slice/app.scope", "user@1000.service"},
	/* A name needs something before its suffix. */
	{"/a/.scope/.service", ""},
	{"/a/.service/x.scope", "x.scope"},
	{"/scope/service", ""},
};

static void cgroups_and_units(void **state)
{
	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(units); i++) {
		struct kw_identity who = kw_identity_unknown();

		kw_identity_set_cgroup(&who, units[i].cgroup);
		assert_string_equal(who.cgroup.text, units[i].cgroup);
		assert_int_equal(who.cgroup.flags, 0);
		assert_int_equal(who.unit_len, strlen(units[i].unit));
		assert_memory_equal(who.cgroup.text + who.unit_offset, units[i].unit, who.unit_len);
	}
}

static void identities(void **state)
{
	struct kw_identity who = kw_identity_unknown();
	char text[KW_PATH_MAX + 1];

	(void)state;
	assert_int_equal(who.exe.flags, KW_PATH_UNKNOWN);
	assert_int_equal(who.cgroup.flags, KW_PATH_UNKNOWN);
	assert_int_equal(who.uid, UINT32_MAX);
	assert_int_equal(kw_identity_set_unit(&who, "vm.slice"), -EINVAL);
	assert_int_equal(kw_identity_set_unit(&who, "a/vm.scope"), -EINVAL);
	assert_int_equal(kw_identity_set_unit(&who, ""), -EINVAL);
	assert_int_equal(who.cgroup.flags, KW_PATH_UNKNOWN);
	assert_int_equal(kw_identity_set_unit(&who, "vm.scope"), 0);
	assert_string_equal(who.cgroup.text, "/system.slice/vm.scope");
	assert_int_equal(who.unit_len, 8);
	kw_identity_set_cgroup(&who, NULL);
	assert_int_equal(who.cgroup.flags, KW_PATH_UNKNOWN);
	assert_int_equal(who.unit_len, 0);
	memset(text, 'x', sizeof(text));
	text[KW_PATH_MAX] = '\0';
	kw_identity_set_exe(&who, text);
	assert_int_equal(who.exe.flags, KW_PATH_TRUNCATED);
	text[KW_PATH_MAX - 1] = '\0';
	kw_identity_set_exe(&who, text);
	assert_int_equal(who.exe.flags, 0);
	assert_int_equal(who.exe.len, KW_PATH_MAX - 1);
}

/* A set as a list of names with blanks between them. */
static struct kw_operation_set set_of(const char *names)
{
	struct kw_operation_set set = {};
	char text[512], *save = NULL;

	snprintf(text, sizeof(text), "%s", names);
	for (char *name = strtok_r(text, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
		const struct kw_group *group = kw_group_from_name(name);

		for (size_t i = 0; group && i < group->count; i++)
			kw_operation_set_add(&set, group->operations[i]);
		if (!group)
			kw_operation_set_add(&set, op_of(name));
	}
	return set;
}

static const struct {
	const char *set;
	const char *words;
} words[] = {
	{"", ""},
	{"KVM_NMI", "KVM_NMI"},
	{"KVM_SMI KVM_NMI", "KVM_NMI, KVM_SMI"},
	{"@set-registers", "@set-registers"},
	{"@set-registers KVM_RUN", "@set-registers, KVM_RUN"},
	{"@get-registers @memory KVM_NMI", "@get-registers, @memory, KVM_NMI"},
	{"@lifecycle", "@lifecycle"},
	{"@all", "@all"},
	{"@all VM_DESTROY", "@all, VM_DESTROY"},
	/* An ioctl without those that share it, and with them. */
	{"KVM_RUN", "KVM_RUN alone"},
	{"KVM_RUN SYNC_REGS", "KVM_RUN"},
	{"SYNC_REGS", "SYNC_REGS"},
	{"KVM_SEV_INIT KVM_SEV_DBG_DECRYPT", "KVM_SEV_INIT, KVM_SEV_DBG_DECRYPT"},
};

static void words_of_sets(void **state)
{
	const struct kw_operation_set universe = kw_operation_set_all();

	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(words); i++) {
		const struct kw_operation_set set = set_of(words[i].set);
		_cleanup_free_ char *text = kw_operation_set_text(&set, &universe);

		assert_non_null(text);
		assert_string_equal(text, words[i].words);
	}
}

/* "what cannot be issued does not count": a group is whole without it */
static void words_of_a_type(void **state)
{
	const struct kw_operation_set tdx = kw_operation_set_of(KW_TYPE_TDX, KW_STATE_SEALED);
	const struct kw_operation_set snp = kw_operation_set_of(KW_TYPE_SEV_SNP, KW_STATE_SEALED);
	const struct kw_operation_set debug = set_of("KVM_SET_GUEST_DEBUG KVM_TRANSLATE");
	struct kw_operation_set most = set_of("@all");
	_cleanup_free_ char *on_tdx = kw_operation_set_text(&debug, &tdx);
	_cleanup_free_ char *on_snp = kw_operation_set_text(&debug, &snp);
	_cleanup_free_ char *exception = NULL;

	(void)state;
	assert_string_equal(on_tdx, "@debug");
	assert_string_equal(on_snp, "KVM_SET_GUEST_DEBUG, KVM_TRANSLATE");
	kw_operation_set_remove(&most, op_of("KVM_NMI"));
	kw_operation_set_remove(&most, op_of("SYNC_REGS"));
	exception = kw_operation_set_text(&most, &snp);
	assert_string_equal(exception, "@all except KVM_NMI, SYNC_REGS");
}

static char *table_of(const char *policy, int type, int state)
{
	const struct kw_identity who = kw_identity_unknown();
	const struct kw_explain_scope scope = {
		.type = type, .state = state, .operation = -1, .who = &who};
	_cleanup_ruleset_ struct kw_ruleset *rs = ruleset_of(policy);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(kw_explain_table(rs, &scope, out), 0);
	fclose(out);
	return text;
}

/* "an ioctl and what shares it are together, and what repeats it is left out" */
static void table(void **state)
{
	_cleanup_free_ char *text =
		table_of("policy: p\nrules:\n"
			 "  - {operations: [SYNC_REGS, KVM_CAP_SYNC_REGS], verdict: deny}\n"
			 "  - {operations: [KVM_RUN, KVM_ENABLE_CAP, '@memory'], verdict: audit}\n",
			 KW_TYPE_SEV_SNP, KW_STATE_SEALED);

	(void)state;
	assert_non_null(strstr(text, "sev-snp\n  OPERATION               SEALED      BY\n"
				     "  @memory                 audit       /tmp/"));
	assert_non_null(strstr(text, "\n  KVM_ENABLE_CAP, except  audit "));
	assert_non_null(strstr(text, "\n    KVM_CAP_SYNC_REGS     deny EPERM "));
	assert_non_null(strstr(text, "\n  KVM_RUN, except         audit "));
	assert_non_null(strstr(text, "\n    SYNC_REGS             deny EPERM "));
	assert_non_null(strstr(text, "\n  all others ("));
	assert_null(strstr(text, "KVM_CAP_HALT_POLL"));
}

/* "types of the same answers share a table, and nothing is asked twice" */
static void tables_of_types(void **state)
{
	_cleanup_free_ char *text =
		table_of("policy: p\nmatch: {vm-types: [sev, sev-es]}\n"
			 "rules: [{operations: [KVM_NMI], state: sealed, verdict: kill}]\n",
			 -1, -1);

	(void)state;
	assert_non_null(strstr(text, "\nsev, sev-es, unknown\n"));
	assert_non_null(strstr(text, "\n  KVM_NMI           allow         kill EPERM  /tmp/"));
	assert_non_null(strstr(text, "\nnone (on /dev/kvm)\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions),	   cmocka_unit_test(cgroups_and_units),
		cmocka_unit_test(identities),	   cmocka_unit_test(words_of_sets),
		cmocka_unit_test(words_of_a_type), cmocka_unit_test(table),
		cmocka_unit_test(tables_of_types),
	};

	return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
