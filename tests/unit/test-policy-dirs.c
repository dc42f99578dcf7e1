/* SPDX-License-Identifier: GPL-2.0-only */
/* The drop-in directories of policies: order, masking, and whose files are obeyed. */
#define _GNU_SOURCE 1
#include "policy.h"

#include <errno.h>

#include "scratch.h"
#include "unit.h"
#include "util.h"

static void load_names(const char *const *dirs, const char *expected)
{
	_cleanup_(kw_policy_set_done) struct kw_policy_set set = {};
	_cleanup_(kw_diag_done) struct kw_diag diag = {};
	char found[256] = "";
	size_t len = 0;

	if (kw_policy_set_load(dirs, false, false, &set, &diag) < 0)
		fail_msg("%s: %s", diag.file, diag.message);
	for (size_t i = 0; i < set.count && len < sizeof(found); i++)
		len += snprintf(found + len, sizeof(found) - len, "%s ", set.policies[i].name);
	assert_string_equal(found, expected);
}

static void directories(void **state)
{
	char etc[256], run[256], lib[256];
	const char *dirs[] = {etc, run, lib, NULL};

	(void)state;
	snprintf(etc, sizeof(etc), "%s", at("etc"));
	snprintf(run, sizeof(run), "%s", at("run"));
	snprintf(lib, sizeof(lib), "%s", at("lib"));
	assert_int_equal(mkdir(etc, 0755) + mkdir(run, 0755) + mkdir(lib, 0755), 0);
	load_names(dirs, "");
	write_policy("lib/50-b.yaml", "lib-b");
	write_policy("lib/10-a.yaml", "lib-a");
	write_policy("lib/90-c.yaml", "lib-c");
	load_names(dirs, "lib-a lib-b lib-c ");
	/* Order is by file name, wherever the file is. */
	write_policy("etc/20-x.yaml", "etc-x");
	load_names(dirs, "lib-a etc-x lib-b lib-c ");
	/* A stronger directory masks by name. */
	write_policy("run/50-b.yaml", "run-b");
	load_names(dirs, "lib-a etc-x run-b lib-c ");
	write_policy("etc/50-b.yaml", "etc-b");
	load_names(dirs, "lib-a etc-x etc-b lib-c ");
	assert_int_equal(symlink("/dev/null", at("etc/90-c.yaml")), 0);
	load_names(dirs, "lib-a etc-x etc-b ");
	/* A weaker link disables nothing. */
	assert_int_equal(symlink("/dev/null", at("lib/20-x.yaml")), 0);
	load_names(dirs, "lib-a etc-x etc-b ");
	/* Other files are none of ours. */
	write_text("etc/README", "[");
	write_text("etc/.hidden.yaml", "[");
	write_text("etc/60-d.yaml~", "[");
	write_text("etc/.yaml", "[");
	load_names(dirs, "lib-a etc-x etc-b ");
	/* A link to a policy is a policy. */
	assert_int_equal(symlink(at("lib/90-c.yaml"), at("run/95-link.yaml")), 0);
	load_names(dirs, "lib-a etc-x etc-b lib-c ");
}

static void broken_directories(void **state)
{
	_cleanup_(kw_diag_done) struct kw_diag diag = {}, missing = {};
	struct kw_policy_set set = {.count = 77};
	const char *dirs[] = {at("only"), NULL};
	const char *none[] = {"/nonexistent/policy.d", NULL};

	(void)state;
	assert_int_equal(mkdir(at("only"), 0755), 0);
	write_policy("only/10-good.yaml", "good");
	write_text("only/20-bad.yaml", "policy: bad\nrules: []\n");
	dirs[0] = at("only");
	assert_int_equal(kw_policy_set_load(dirs, false, false, &set, &diag), -EINVAL);
	assert_int_equal(set.count, 77);
	assert_non_null(strstr(diag.file, "20-bad.yaml"));
	assert_int_equal(diag.line, 2);
	assert_int_equal(kw_policy_set_load(none, false, false, &set, &missing), -ENOENT);
	assert_string_equal(missing.file, none[0]);
	assert_int_equal(set.count, 77);
	assert_int_equal(kw_policy_set_load(none, true, false, &set, NULL), 0);
	assert_int_equal(set.count, 0);
}

static void expect_strict(const char *path, int expected)
{
	_cleanup_(kw_policy_set_done) struct kw_policy_set set = {};
	_cleanup_(kw_diag_done) struct kw_diag diag = {};

	assert_int_equal(kw_policy_read(path, true, &set, &diag), expected);
	assert_int_equal(diag.message != NULL, expected != 0);
}

/* "what a daemon obeys belongs to root, and only root can write it" */
static void strict_owner(void **state)
{
	_cleanup_(kw_policy_set_done) struct kw_policy_set set = {};
	const char *path = at("owned.yaml");
	const char *dirs[] = {scratch, NULL};

	(void)state;
	write_policy("owned.yaml", "owned");
	if (geteuid() != 0) {
		expect_strict(path, -EPERM);
		assert_int_equal(kw_policy_set_load(dirs, false, true, &set, NULL), -EPERM);
		return;
	}
	expect_strict(path, 0);
	assert_int_equal(chmod(path, 0664), 0);
	expect_strict(path, -EPERM);
	assert_int_equal(chmod(path, 0646), 0);
	expect_strict(path, -EPERM);
	assert_int_equal(chmod(path, 0600), 0);
	expect_strict(path, 0);
	assert_int_equal(chown(path, 1, 0), 0);
	expect_strict(path, -EPERM);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(at("open"), 0755), 0);
	dirs[0] = at("open");
	assert_int_equal(kw_policy_set_load(dirs, false, true, &set, NULL), 0);
	assert_int_equal(chmod(dirs[0], 0777), 0);
	assert_int_equal(kw_policy_set_load(dirs, false, true, &set, NULL), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strict_owner),
		cmocka_unit_test(directories),
		cmocka_unit_test(broken_directories),
	};

	return cmocka_run_group_tests_name("policy-dirs", tests, scratch_make, scratch_remove);
}
