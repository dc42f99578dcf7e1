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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns),    cmocka_unit_test(patterns_inside),
		cmocka_unit_test(longest),     cmocka_unit_test(types),
		cmocka_unit_test(executables), cmocka_unit_test(units),
		cmocka_unit_test(users),       cmocka_unit_test(conjunction),
	};

	return cmocka_run_group_tests_name("glob", tests, NULL, NULL);
}
