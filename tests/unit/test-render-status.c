/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's status against docs/events.schema.json, and against what was meant. */
#include "unit.h"

#include <jansson.h>
#include <linux/capability.h>

#include "render.h"
#include "schema.h"
#include "util.h"

static char name_a[] = "protected-state", name_b[] = "log-all";
static char file_a[] = "/etc/kvmwarden/policy.d/50-a.yaml", file_b[] = "/run/b.yaml";
static struct kw_policy policies[] = {
	{.name = name_a, .file = file_a, .line = 2, .mode = KW_MODE_ENFORCE},
	{.name = name_b, .file = file_b, .line = 1},
};
static struct kw_ruleset ruleset = {
	.set = {.policies = policies, .count = KW_ARRAY_SIZE(policies)},
	.generation = 3,
};

static json_t *load_status(const struct kw_status *status)
{
	struct kw_json json = {};
	json_error_t error;
	json_t *root;

	kw_render_status(&json, status);
	assert_false(json.failed);
	root = json_loadb(json.text, json.len, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		print_error("%s\n%s\n", json.text, error.text);
	assert_non_null(root);
	kw_json_done(&json);
	assert_def("status", root);
	return root;
}

static void test_enforcing(void **state)
{
	const struct kw_backend_refusal refusal = {KW_BACKEND_LSM, "'bpf' is not active"};
	const struct kw_confinement confinement = {};
	struct kw_status status = {
		.enforcement = KW_ENFORCING,
		.backend = KW_BACKEND_FMOD_RET,
		.refuses = true,
		.since_ns = 1700000000000000000,
		.proved_ns = 1700000000000000000,
		.proved = {true, true},
		.refusals = &refusal,
		.refusal_count = 1,
		.rules = &ruleset,
		.confinement = &confinement,
	};
	json_t *root;

	(void)state;
	status.programs[0] = (struct kw_program){"kw_lsm", 3, 450, 1};
	status.programs[1] = (struct kw_program){"kw_lsm_compat", 0, 0, 4};
	status.program_count = 2;
	root = load_status(&status);
	assert_int_equal(json_array_size(json_object_get(root, "programs")), 2);
	assert_int_equal(json_integer_value(json_object_get(
				 json_array_get(json_object_get(root, "programs"), 0), "ns")),
			 450);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(root, "counters"), "missed")),
		5);
	assert_int_equal(json_integer_value(json_object_get(root, "generation")), 3);
	assert_int_equal(json_array_size(json_object_get(root, "policies")), 2);
	json_decref(root);
}

static void test_starting(void **state)
{
	const struct kw_confinement confinement = {};
	struct kw_status status = {
		.enforcement = KW_STARTING,
		.compat_absent = true,
		.confinement = &confinement,
	};
	json_t *root;

	(void)state;
	root = load_status(&status);
	assert_true(json_is_null(json_object_get(json_object_get(root, "proof"), "compat")));
	assert_true(json_is_null(json_object_get(root, "generation")));
	json_decref(root);
}

/* The confinement of a status, as text. */
static void assert_confinement(const struct kw_confinement *confinement, const char *wanted)
{
	struct kw_status status = {.confinement = confinement};
	json_t *root = load_status(&status);
	char *text = json_dumps(json_object_get(root, "confinement"), JSON_COMPACT);

	assert_string_equal(text, wanted);
	free(text);
	json_decref(root);
}

static void test_confinement(void **state)
{
	static char why[] = "this kernel has no Landlock";
	struct kw_confinement confinement = {};

	(void)state;
	assert_confinement(&confinement, "{\"active\":false,\"stages\":[],\"missing\":[],"
					 "\"capabilities\":[]}");
	confinement = (struct kw_confinement){
		.wanted = true,
		.stages = {true, true, true, true},
		.capabilities = 1ull << CAP_BPF,
	};
	assert_confinement(&confinement, "{\"active\":true,\"stages\":[\"process\",\"files\","
					 "\"capabilities\",\"calls\"],\"missing\":[],"
					 "\"capabilities\":[\"CAP_BPF\"]}");
	confinement.stages[KW_CONFINE_FILES] = false;
	confinement.missing[KW_CONFINE_FILES] = why;
	confinement.capabilities |= 1ull << CAP_KILL;
	assert_confinement(&confinement,
			   "{\"active\":true,\"stages\":[\"process\",\"capabilities\",\"calls\"],"
			   "\"missing\":[{\"stage\":\"files\",\"reason\":\"this kernel has no "
			   "Landlock\"}],\"capabilities\":[\"CAP_KILL\",\"CAP_BPF\"]}");
}

static int setup(void **state)
{
	(void)state;
	return load_schema() ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free_schema();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enforcing),
		cmocka_unit_test(test_starting),
		cmocka_unit_test(test_confinement),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
