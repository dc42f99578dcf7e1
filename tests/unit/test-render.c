/* SPDX-License-Identifier: GPL-2.0-only */
/* Events and VMs against docs/events.schema.json, and against what was meant. */
#include "unit.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "chain.h"
#include "guard.h"
#include "names.h"
#include "render.h"
#include "schema.h"
#include "util.h"

/* The daemon's side of things, as small as possible. */

static const struct kw_origin_host host = {
	.host = "testhost",
	.boot_id = "0123456789abcdef0123456789abcdef",
	.realtime_offset_ns = 1700000000000000000,
};

static struct kw_rule rules_a[] = {{.line = 7, .verdict = KW_AUDIT},
				   {.line = 11, .verdict = KW_DENY, .error = EPERM}};
static struct kw_rule rules_b[] = {{.line = 9, .verdict = KW_AUDIT}};
static char name_a[] = "protected-state", name_b[] = "log-all";
static char file_a[] = "/etc/kvmwarden/policy.d/50-a.yaml", file_b[] = "/run/b.yaml";
static struct kw_policy policies[] = {
	{.name = name_a,
	 .file = file_a,
	 .line = 2,
	 .rules = rules_a,
	 .rule_count = 2,
	 .mode = KW_MODE_ENFORCE},
	{.name = name_b, .file = file_b, .line = 1, .rules = rules_b, .rule_count = 1},
};
static struct kw_ruleset ruleset;
static struct kw_table table; /* large: not on the stack */

static void set_path(struct kw_path *path, const char *text)
{
	path->len = strlen(text);
	memcpy(path->text, text, path->len + 1);
}

static void set_identity(struct kw_identity *who)
{
	*who = (struct kw_identity){.pid = 4242,
				    .tid = 4243,
				    .uid = 107,
				    .gid = 108,
				    .cgroup_id = 5,
				    .comm = "CPU 0/KVM"};
	set_path(&who->exe, "/usr/bin/qemu-system-x86_64");
	set_path(&who->cgroup, "/machine.slice/machine-qemu1.scope");
	who->unit_offset = strlen("/machine.slice/");
	who->unit_len = strlen("machine-qemu1.scope");
}

static struct kw_event denied_event(void)
{
	struct kw_event event = {
		.seq = 17,
		.time_ns = 5000000001,
		.generation = 3,
		.vm_id = 7,
		.kind = KW_EVENT_IOCTL,
		.verdict = KW_DENY,
		.intended = KW_DENY,
		.error = EPERM,
		.scope = KW_SCOPE_VCPU,
		.state = KW_STATE_SEALED,
		.entry = KW_ENTRY_COMPAT,
		.command = 0x4090ae82,
		.vcpu = 0,
		.policy = 0,
		.rule = 1,
		.backend = KW_BACKEND_LSM,
		.vm_type = KW_TYPE_SEV_SNP,
		.vm_flags = KW_VM_PRIVATE_MEMORY | KW_VM_PROTECTED_STATE | KW_VM_SEALED,
		.kvm_type = 4,
	};
	int operation = kw_operation_from_name("KVM_SET_REGS");

	assert_true(operation >= 0);
	event.operation = operation;
	set_identity(&event.caller);
	return event;
}

static json_t *load(struct kw_json *json)
{
	json_error_t error;
	json_t *root;

	assert_false(json->failed);
	root = json_loadb(json->text, json->len, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		print_error("%s\n%s\n", json->text, error.text);
	assert_non_null(root);
	kw_json_done(json);
	return root;
}

static json_t *load_event(const struct kw_event *event, const struct kw_ruleset *rules)
{
	struct kw_json json = {};
	json_t *root;

	kw_render_event(&json, event, rules, &host);
	root = load(&json);
	assert_true(conforms(schema, root, "event", true));
	return root;
}

static void test_denied_event_as_written(void **state)
{
	struct kw_event event = denied_event();
	struct kw_json json = {};

	(void)state;
	kw_render_event(&json, &event, &ruleset, &host);
	assert_string_equal(
		json.text,
		"{\"version\":1,\"time\":\"2023-11-14T22:13:25.000000001Z\",\"seq\":17,"
		"\"event\":\"ioctl\",\"verdict\":\"deny\",\"intended\":\"deny\","
		"\"operation\":\"KVM_SET_REGS\",\"command\":\"0x4090ae82\",\"errno\":\"EPERM\","
		"\"scope\":\"vcpu\",\"state\":\"sealed\",\"entry\":\"compat\",\"backend\":\"lsm\","
		"\"generation\":3,\"host\":\"testhost\","
		"\"boot_id\":\"0123456789abcdef0123456789abcdef\","
		"\"vm\":{\"id\":7,\"type\":\"sev-snp\",\"kvm_type\":4,\"private_memory\":true,"
		"\"protected_state\":true,\"sealed\":true,\"adopted\":false,\"condemned\":false,"
		"\"vcpu\":0},"
		"\"process\":{\"pid\":4242,\"tid\":4243,\"uid\":107,\"gid\":108,"
		"\"comm\":\"CPU 0/KVM\",\"exe\":\"/usr/bin/qemu-system-x86_64\",\"cgroup_id\":5,"
		"\"cgroup\":\"/machine.slice/machine-qemu1.scope\","
		"\"unit\":\"machine-qemu1.scope\"},\"policy\":\"protected-state\",\"rule\":2,"
		"\"file\":\"/etc/kvmwarden/policy.d/50-a.yaml\",\"line\":11,\"exception\":null,"
		"\"suppressed\":0}");
	json_decref(load(&json));
}

/* It is of no VM and by no policy, and who tried is all there is to know. */
static void test_tampering_as_written(void **state)
{
	struct kw_event event = denied_event();
	json_t *root;

	(void)state;
	event.kind = KW_EVENT_TAMPERING;
	event.operation = KW_NONE;
	event.command = KW_ACT_KILL;
	event.vm_id = 9;
	event.suppressed = 3;
	root = load_event(&event, &ruleset);
	assert_string_equal(json_string_value(json_object_get(root, "event")), "tampering");
	assert_string_equal(json_string_value(json_object_get(root, "act")), "kill");
	assert_int_equal(json_integer_value(json_object_get(root, "detail")), 9);
	assert_int_equal(json_integer_value(json_object_get(root, "suppressed")), 3);
	assert_null(json_object_get(root, "vm"));
	assert_null(json_object_get(root, "policy"));
	assert_null(json_object_get(root, "operation"));
	json_object_del(root, "act");
	assert_false(conforms(schema, root, "event", false));
	json_decref(root);
	for (unsigned int act = 0; act < _KW_ACT_MAX; act++)
		assert_string_not_equal(kw_act_name(act), "unknown");
	assert_string_equal(kw_act_name(_KW_ACT_MAX), "unknown");
}

/* Every value of every enumeration, and one past the end, conforms or is refused by the schema. */
static void test_events_of_all_kinds_conform(void **state)
{
	struct kw_event event = denied_event();
	unsigned int kind, verdict, scope, type, backend;

	(void)state;
	for (kind = 0; kind < _KW_EVENT_MAX; kind++)
		for (verdict = 0; verdict < _KW_VERDICT_MAX; verdict++)
			for (scope = 0; scope < _KW_SCOPE_MAX; scope++)
				for (type = 0; type < _KW_TYPE_MAX; type++) {
					backend = type % _KW_BACKEND_MAX;
					event.kind = kind;
					event.verdict = verdict;
					event.scope = scope;
					event.vm_type = type;
					event.backend = backend;
					json_decref(load_event(&event, &ruleset));
				}
}

static void test_event_without_vm(void **state)
{
	struct kw_event event = denied_event();
	json_t *root;

	(void)state;
	event.vm_id = 0;
	event.vcpu = -1;
	root = load_event(&event, &ruleset);
	assert_true(json_is_null(json_object_get(json_object_get(root, "vm"), "id")));
	assert_true(json_is_null(json_object_get(json_object_get(root, "vm"), "vcpu")));
	json_decref(root);

	event.vm_type = KW_TYPE_NONE;
	root = load_event(&event, &ruleset);
	assert_true(json_is_null(json_object_get(root, "vm")));
	json_decref(root);
}

static void test_event_of_forgotten_rules(void **state)
{
	struct kw_event event = denied_event();
	json_t *root;

	(void)state;
	root = load_event(&event, NULL);
	assert_true(json_is_null(json_object_get(root, "policy")));
	assert_true(json_is_null(json_object_get(root, "file")));
	assert_true(json_is_null(json_object_get(root, "line")));
	assert_int_equal(json_integer_value(json_object_get(root, "policy_index")), 0);
	assert_int_equal(json_integer_value(json_object_get(root, "rule")), 2);
	json_decref(root);

	event.policy = KW_NONE;
	event.rule = KW_NONE;
	root = load_event(&event, &ruleset);
	assert_null(json_object_get(root, "policy_index"));
	assert_true(json_is_null(json_object_get(root, "policy")));
	assert_true(json_is_null(json_object_get(root, "rule")));
	json_decref(root);
}

static void test_unknown_numbers_are_shown(void **state)
{
	struct kw_event event = denied_event();
	json_t *root;

	(void)state;
	event.operation = 0xfff0;
	event.error = 250;
	root = load_event(&event, &ruleset);
	assert_string_equal(json_string_value(json_object_get(root, "operation")), "0x4090ae82");
	assert_string_equal(json_string_value(json_object_get(root, "errno")), "250");
	json_decref(root);

	event.command = 0;
	event.error = 0;
	root = load_event(&event, &ruleset);
	assert_true(json_is_null(json_object_get(root, "command")));
	assert_true(json_is_null(json_object_get(root, "errno")));
	json_decref(root);
}

static void test_odd_identities(void **state)
{
	struct kw_event event = denied_event();
	struct kw_identity *who = &event.caller;
	json_t *root, *process;

	(void)state;
	memset(who->comm, 'x', sizeof(who->comm)); /* no NUL */
	set_path(&who->exe, "/opt/\xff/vmm");
	who->cgroup.flags = KW_PATH_UNKNOWN;
	who->cgroup.len = 0;
	root = load_event(&event, &ruleset);
	process = json_object_get(root, "process");
	assert_int_equal(json_string_length(json_object_get(process, "comm")), KW_COMM_LEN);
	assert_string_equal(json_string_value(json_object_get(process, "exe_hex")),
			    "2f6f70742fff2f766d6d");
	assert_true(json_is_null(json_object_get(process, "cgroup")));
	assert_true(json_is_null(json_object_get(process, "unit")));
	json_decref(root);

	/* Lengths and offsets out of range must not be believed. */
	set_identity(who);
	who->exe.len = UINT16_MAX;
	who->exe.flags = KW_PATH_TRUNCATED;
	who->unit_offset = UINT16_MAX;
	root = load_event(&event, &ruleset);
	process = json_object_get(root, "process");
	assert_true(json_is_true(json_object_get(process, "exe_truncated")));
	assert_true(json_is_null(json_object_get(process, "unit")));
	json_decref(root);
}

static void test_own_events_conform(void **state)
{
	static const char *const kinds[] = {"started",	      "stopped", "policy-loaded",
					    "policy-refused", "lost",	 "proof-failed",
					    "reopened"};
	static const char digits[] = "00112233445566778899aabbccddeeff"
				     "00112233445566778899aabbccddeeff";
	size_t i;

	(void)state;
	for (i = 0; i < KW_ARRAY_SIZE(kinds); i++) {
		struct kw_json json = {};
		json_t *root;

		kw_render_own_event_begin(&json, kinds[i], 9, 1, &host);
		kw_json_member_unsigned(&json, "count", 3);
		kw_render_own_event_end(&json);
		root = load(&json);
		assert_true(conforms(schema, root, kinds[i], true));
		/* As it stands in a file, and not otherwise. */
		json_object_set_new(root, "chain", json_stringn(digits, KW_CHAIN_HEX));
		assert_true(conforms(schema, root, kinds[i], true));
		json_object_set_new(root, "chain", json_stringn(digits, KW_CHAIN_HEX - 1));
		assert_false(conforms(schema, root, kinds[i], false));
		json_decref(root);
	}
}

static void test_schema_refuses(void **state)
{
	static const char *const rows[] = {"verdict", "vm", "process", "policy", "line", "seq"};
	struct kw_event event = denied_event();
	json_t *root = load_event(&event, &ruleset);
	size_t i;

	(void)state;
	for (i = 0; i < KW_ARRAY_SIZE(rows); i++) {
		json_t *copy = json_deep_copy(root);

		json_object_del(copy, rows[i]);
		assert_false(conforms(schema, copy, rows[i], false));
		json_object_set_new(copy, rows[i], json_real(1.5));
		assert_false(conforms(schema, copy, rows[i], false));
		json_decref(copy);
	}
	json_object_set_new(root, "added-later", json_true());
	assert_true(conforms(schema, root, "event", true));
	json_decref(root);
}

static struct kw_vm plain_vm(void)
{
	struct kw_vm vm = {
		.id = 7,
		.born_ns = 1,
		.match_generation = 3,
		.matched = {1, 2},
		.denied = 5,
		.vcpus = 4,
	};

	set_identity(&vm.creator);
	return vm;
}

static json_t *load_vm(const struct kw_vm *vm, const struct kw_ruleset *rules)
{
	struct kw_json json = {};
	json_t *root;

	kw_render_vm(&json, vm, rules, &host);
	root = load(&json);
	assert_def("vm", root);
	return root;
}

static void assert_policies(json_t *vm, const char *first, const char *second)
{
	json_t *names = json_object_get(vm, "policies");

	assert_int_equal(json_array_size(names), (first ? 1 : 0) + (second ? 1 : 0));
	if (first)
		assert_string_equal(json_string_value(json_array_get(names, 0)), first);
	if (second)
		assert_string_equal(json_string_value(json_array_get(names, 1)), second);
}

static void test_vms(void **state)
{
	struct kw_vm vm = plain_vm();
	json_t *root;

	(void)state;
	root = load_vm(&vm, &ruleset);
	assert_string_equal(json_string_value(json_object_get(root, "type")), "default");
	assert_string_equal(json_string_value(json_object_get(root, "state")), "building");
	assert_string_equal(json_string_value(json_object_get(root, "provenance")), "created");
	assert_policies(root, name_a, NULL);
	json_decref(root);

	vm.flags = KW_VM_ES | KW_VM_SEALED | KW_VM_ADOPTED;
	root = load_vm(&vm, &ruleset);
	assert_string_equal(json_string_value(json_object_get(root, "type")), "legacy-sev-es");
	assert_string_equal(json_string_value(json_object_get(root, "state")), "sealed");
	assert_string_equal(json_string_value(json_object_get(root, "provenance")), "adopted");
	assert_policies(root, name_b, NULL);
	json_decref(root);

	root = load_vm(&vm, NULL);
	assert_true(json_is_null(json_object_get(root, "policies")));
	json_decref(root);
}

static void test_vm_of_an_older_generation(void **state)
{
	struct kw_vm vm = plain_vm();
	json_t *root;

	(void)state;
	vm.match_generation = 2; /* its mask means other policies */
	root = load_vm(&vm, &ruleset);
	assert_policies(root, name_b, NULL);
	json_decref(root);

	vm.type = KW_TYPE_SEV_SNP;
	root = load_vm(&vm, &ruleset);
	assert_policies(root, name_a, name_b);
	json_decref(root);
}

static int setup(void **state)
{
	(void)state;
	if (!load_schema())
		return -1;
	ruleset.set.policies = policies;
	ruleset.set.count = KW_ARRAY_SIZE(policies);
	ruleset.generation = 3;
	ruleset.table = &table;
	table.generation = 3;
	table.policies = KW_ARRAY_SIZE(policies);
	table.selectors[0].match.tests = KW_SELECT_TYPES;
	table.selectors[0].match.types = 1u << KW_TYPE_SEV_SNP;
	return 0;
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
		cmocka_unit_test(test_denied_event_as_written),
		cmocka_unit_test(test_tampering_as_written),
		cmocka_unit_test(test_events_of_all_kinds_conform),
		cmocka_unit_test(test_event_without_vm),
		cmocka_unit_test(test_event_of_forgotten_rules),
		cmocka_unit_test(test_unknown_numbers_are_shown),
		cmocka_unit_test(test_odd_identities),
		cmocka_unit_test(test_own_events_conform),
		cmocka_unit_test(test_schema_refuses),
		cmocka_unit_test(test_vms),
		cmocka_unit_test(test_vm_of_an_older_generation),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
