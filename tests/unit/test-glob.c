/* SPDX-License-Identifier: GPL-2.0-only */
/* Selectors: patterns, types, users, and what happens when an identity is not known. */
#include "decide.h"
#include "unit.h"
#include "util.h"

static struct kw_glob glob_of(const char *text)
{
	const char *star = strchr(text, '*');
	size_t prefix = star ? (size_t)(star - text) : strlen(text);
	struct kw_glob glob = {.prefix_len = prefix, .star = star != NULL};

	memcpy(glob.text, text, prefix);
	if (star) {
		glob.suffix_len = strlen(star + 1);
		memcpy(glob.text + prefix, star + 1, glob.suffix_len);
	}
	return glob;
}

static struct kw_path path_of(const char *text)
{
	struct kw_path path = {.len = strlen(text)};

	memcpy(path.text, text, path.len);
	return path;
}

static const struct {
	const char *glob;
	const char *text;
	int matches;
} globs[] = {
	{"a", "a", 1},
	{"a", "b", 0},
	{"a", "ab", 0},
	{"ab", "a", 0},
	{"a", "", 0},
	{"*", "", 1},
	{"*", "anything", 1},
	{"ab*", "ab", 1},
	{"ab*", "abc", 1},
	{"ab*", "a", 0},
	{"ab*", "xab", 0},
	{"*ab", "ab", 1},
	{"*ab", "xab", 1},
	{"*ab", "abx", 0},
	{"*ab", "b", 0},
	/* What is before and what is behind the star do not overlap. */
	{"ab*ba", "aba", 0},
	{"ab*ba", "abba", 1},
	{"ab*ba", "abxba", 1},
	{"a*a", "a", 0},
	{"a*a", "aa", 1},
	{"/usr/bin/qemu-system-*", "/usr/bin/qemu-system-x86_64", 1},
	{"/usr/bin/qemu-system-*", "/usr/bin/qemu-img", 0},
	{"/usr/bin/qemu-system-*", "/tmp/usr/bin/qemu-system-x86_64", 0},
	{"machine-qemu*.scope", "machine-qemu\\x2d1.scope", 1},
	{"machine-qemu*.scope", "machine-qemu.service", 0},
};

static void patterns(void **state)
{
	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(globs); i++) {
		struct kw_glob glob = glob_of(globs[i].glob);
		struct kw_path path = path_of(globs[i].text);

		if (kw_glob_matches(&glob, &path, 0, path.len) != globs[i].matches)
			fail_msg("'%s' and '%s': expected %d", globs[i].glob, globs[i].text,
				 globs[i].matches);
	}
}

/* A part of a path, at any offset: bytes around it do not count. */
static void patterns_inside(void **state)
{
	struct kw_path path = path_of("/machine.slice/vm-1.scope/emulator");
	struct kw_glob glob;

	(void)state;
	glob = glob_of("vm-*.scope");
	assert_true(kw_glob_matches(&glob, &path, 15, 10));
	assert_false(kw_glob_matches(&glob, &path, 14, 11));
	assert_false(kw_glob_matches(&glob, &path, 15, 11));
	glob = glob_of("vm-1.scope");
	assert_true(kw_glob_matches(&glob, &path, 15, 10));
	assert_false(kw_glob_matches(&glob, &path, 15, 9));
}

static void longest(void **state)
{
	char text[KW_PATH_MAX];
	struct kw_glob glob;
	struct kw_path path;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	path = path_of(text);
	glob = glob_of(text);
	assert_true(kw_glob_matches(&glob, &path, 0, path.len));
	path.text[254] = 'y';
	assert_false(kw_glob_matches(&glob, &path, 0, path.len));
	text[0] = '*';
	glob = glob_of(text);
	assert_false(kw_glob_matches(&glob, &path, 0, path.len));
	path.text[254] = 'x';
	assert_true(kw_glob_matches(&glob, &path, 0, path.len));
}

/* With the flags KVM gives a new VM of the type. */
static int matches(const struct kw_selector *sel, const struct kw_identity *who, unsigned int type)
{
	return kw_selector_matches(sel, who, type, kw_type_flags(type));
}

static void types(void **state)
{
	struct kw_selector sel = {
		.match = {.tests = KW_SELECT_TYPES, .types = 1u << KW_TYPE_SEV_ES}};
	struct kw_identity who = {};

	(void)state;
	for (unsigned int type = 0; type < _KW_TYPE_MAX; type++)
		assert_int_equal(matches(&sel, &who, type),
				 type == KW_TYPE_SEV_ES || type == KW_TYPE_UNKNOWN);
	sel.match.tests = 0;
	for (unsigned int type = 0; type < _KW_TYPE_MAX; type++)
		assert_true(matches(&sel, &who, type));
}

static void executables(void **state)
{
	struct kw_selector sel = {.match.tests = KW_SELECT_EXE};
	struct kw_identity who = {};

	(void)state;
	sel.match.exe = glob_of("/bin/q*");
	who.exe = path_of("/bin/qemu");
	assert_true(matches(&sel, &who, 0));
	who.exe = path_of("/bin/sh");
	assert_false(matches(&sel, &who, 0));
	/* Not knowing must not be a way around a policy. */
	who.exe.flags = KW_PATH_TRUNCATED;
	assert_true(matches(&sel, &who, 0));
	who.exe = (struct kw_path){.flags = KW_PATH_UNKNOWN};
	assert_true(matches(&sel, &who, 0));
	who.exe.flags = 0;
	assert_false(matches(&sel, &who, 0));
}

static void units(void **state)
{
	struct kw_selector sel = {.match.tests = KW_SELECT_UNIT};
	struct kw_identity who = {};

	(void)state;
	sel.match.unit = glob_of("vm-*.scope");
	who.cgroup = path_of("/machine.slice/vm-1.scope");
	who.unit_offset = 15;
	who.unit_len = 10;
	assert_true(matches(&sel, &who, 0));
	sel.match.unit = glob_of("ct-*.scope");
	assert_false(matches(&sel, &who, 0));
	who.cgroup.flags = KW_PATH_TRUNCATED;
	assert_true(matches(&sel, &who, 0));
	/* In no unit at all, for sure. */
	who.cgroup = path_of("/");
	who.unit_offset = who.unit_len = 0;
	assert_false(matches(&sel, &who, 0));
}

static void users(void **state)
{
	struct kw_selector sel = {.match = {.tests = KW_SELECT_USER, .uid = 64055}};
	struct kw_identity who = {.uid = 64055};

	(void)state;
	assert_true(matches(&sel, &who, 0));
	who.uid = 0;
	assert_false(matches(&sel, &who, 0));
	sel.match.tests = 0;
	assert_true(matches(&sel, &who, 0));
}

/* "all tests of a selector must agree" */
static void conjunction(void **state)
{
	(void)state;
	for (unsigned int wrong = 0; wrong < 16; wrong++) {
		struct kw_selector sel = {.match.types =
						  1u << (wrong & 1 ? KW_TYPE_SEV : KW_TYPE_TDX)};
		struct kw_identity who = {.uid = wrong & 2 ? 1 : 2, .unit_len = 1};

		sel.match.tests = KW_SELECT_TYPES | KW_SELECT_EXE | KW_SELECT_UNIT | KW_SELECT_USER;
		sel.match.uid = 2;
		sel.match.exe = glob_of("/e");
		sel.match.unit = glob_of("u");
		who.exe = path_of(wrong & 4 ? "/x" : "/e");
		who.cgroup = path_of(wrong & 8 ? "x" : "u");
		assert_int_equal(matches(&sel, &who, KW_TYPE_TDX), wrong == 0);
	}
}

/* "protected-state and private-memory go by what KVM says of the VM, not by its type" */
static void flags(void **state)
{
	static const struct {
		uint32_t test;
		uint32_t flag;
	} tests[] = {{KW_SELECT_PROTECTED_STATE, KW_VM_PROTECTED_STATE},
		     {KW_SELECT_PRIVATE_MEMORY, KW_VM_PRIVATE_MEMORY}};
	const struct kw_identity who = {};

	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(tests); i++) {
		struct kw_selector yes = {
			.match = {.tests = tests[i].test, .flags = tests[i].flag}};
		struct kw_selector no = {.match.tests = tests[i].test};
		uint32_t other = tests[!i].flag;

		for (uint32_t type = 0; type < KW_TYPE_UNKNOWN; type++) {
			assert_true(kw_selector_matches(&yes, &who, type, tests[i].flag | other));
			assert_false(kw_selector_matches(&yes, &who, type, other));
			assert_true(kw_selector_matches(&no, &who, type, other | KW_VM_SEALED));
			assert_false(kw_selector_matches(&no, &who, type, tests[i].flag));
		}
		/* Of a type nobody knows, both may be true. On /dev/kvm neither is. */
		assert_true(kw_selector_matches(&yes, &who, KW_TYPE_UNKNOWN, 0));
		assert_true(kw_selector_matches(&no, &who, KW_TYPE_UNKNOWN, tests[i].flag));
		assert_false(kw_selector_matches(&yes, &who, KW_TYPE_NONE, 0));
		assert_false(kw_selector_matches(&no, &who, KW_TYPE_NONE, 0));
	}
}

/* What KVM_CREATE_VM makes of each type. */
static void flags_of_types(void **state)
{
	static const uint32_t expected[_KW_TYPE_MAX] = {
		[KW_TYPE_SW_PROTECTED] = KW_VM_PRIVATE_MEMORY,
		[KW_TYPE_SEV_ES] = KW_VM_PROTECTED_STATE,
		[KW_TYPE_SEV_SNP] = KW_VM_PROTECTED_STATE | KW_VM_PRIVATE_MEMORY,
		[KW_TYPE_TDX] = KW_VM_PROTECTED_STATE | KW_VM_PRIVATE_MEMORY,
	};

	(void)state;
	for (uint32_t type = 0; type < _KW_TYPE_MAX; type++)
		assert_int_equal(kw_type_flags(type), expected[type]);
	assert_int_equal(kw_type_flags(UINT32_MAX), 0);
}

static void cgroups(void **state)
{
	struct kw_selector sel = {.match.tests = KW_SELECT_CGROUP};
	struct kw_identity who = {};

	(void)state;
	sel.match.cgroup = glob_of("/machine.slice/*");
	who.cgroup = path_of("/machine.slice/vm-1.scope/emulator");
	assert_true(matches(&sel, &who, 0));
	sel.match.cgroup = glob_of("/machine.slice/vm-1.scope");
	assert_false(matches(&sel, &who, 0));
	who.cgroup = path_of("/");
	assert_false(matches(&sel, &who, 0));
	who.cgroup.flags = KW_PATH_UNKNOWN;
	assert_true(matches(&sel, &who, 0));
	sel.match.cgroup = glob_of("/");
	who.cgroup.flags = 0;
	assert_true(matches(&sel, &who, 0));
}

/* "an exception holds when all its tests do; none is no exception" */
static void exceptions(void **state)
{
	struct kw_selector sel = {};
	struct kw_identity who = {.uid = 7};

	(void)state;
	who.exe = path_of("/bin/qemu");
	who.cgroup = path_of("/vm.scope");
	who.unit_offset = 1;
	who.unit_len = 8;
	assert_true(matches(&sel, &who, KW_TYPE_TDX));
	sel.except = (struct kw_match){.tests = KW_SELECT_USER, .uid = 7};
	assert_false(matches(&sel, &who, KW_TYPE_TDX));
	sel.except.tests |= KW_SELECT_EXE | KW_SELECT_UNIT | KW_SELECT_CGROUP;
	sel.except.exe = glob_of("/bin/q*");
	sel.except.unit = glob_of("vm.scope");
	sel.except.cgroup = glob_of("/vm.scope");
	assert_false(matches(&sel, &who, KW_TYPE_TDX));
	who.uid = 8;
	assert_true(matches(&sel, &who, KW_TYPE_TDX));
	who.uid = 7;
	sel.except.tests |= KW_SELECT_TYPES;
	sel.except.types = 1u << KW_TYPE_SEV;
	assert_true(matches(&sel, &who, KW_TYPE_TDX));
	assert_false(matches(&sel, &who, KW_TYPE_SEV));
	/* An exception selects nothing. */
	sel.match = (struct kw_match){.tests = KW_SELECT_USER, .uid = 9};
	assert_false(matches(&sel, &who, KW_TYPE_TDX));
}

/* "what is not known selects, and never excepts" */
static void unknown_is_no_exception(void **state)
{
	static const uint32_t names[] = {KW_SELECT_EXE, KW_SELECT_UNIT, KW_SELECT_CGROUP};
	static const uint32_t kinds[] = {KW_SELECT_TYPES, KW_SELECT_PROTECTED_STATE,
					 KW_SELECT_PRIVATE_MEMORY};
	struct kw_identity who = {};

	(void)state;
	for (uint32_t flag = KW_PATH_UNKNOWN; flag <= KW_PATH_TRUNCATED; flag <<= 1)
		for (size_t i = 0; i < KW_ARRAY_SIZE(names); i++) {
			struct kw_selector sel = {.except.tests = names[i]};

			sel.except.exe = sel.except.unit = sel.except.cgroup = glob_of("*");
			who.exe.flags = who.cgroup.flags = flag;
			assert_true(matches(&sel, &who, 0));
			who.exe.flags = who.cgroup.flags = 0;
			assert_false(matches(&sel, &who, 0));
		}
	for (size_t i = 0; i < KW_ARRAY_SIZE(kinds); i++) {
		struct kw_selector sel = {.except = {.tests = kinds[i], .types = UINT32_MAX}};

		assert_true(matches(&sel, &who, KW_TYPE_UNKNOWN));
		assert_false(matches(&sel, &who, KW_TYPE_DEFAULT));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns),
		cmocka_unit_test(patterns_inside),
		cmocka_unit_test(longest),
		cmocka_unit_test(types),
		cmocka_unit_test(executables),
		cmocka_unit_test(units),
		cmocka_unit_test(users),
		cmocka_unit_test(conjunction),
		cmocka_unit_test(flags),
		cmocka_unit_test(flags_of_types),
		cmocka_unit_test(cgroups),
		cmocka_unit_test(exceptions),
		cmocka_unit_test(unknown_is_no_exception),
	};

	return cmocka_run_group_tests_name("glob", tests, NULL, NULL);
}
