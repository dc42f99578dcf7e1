/* SPDX-License-Identifier: GPL-2.0-only */
/* Fuzzes what reads the records of the BPF programs: bytes to JSON, JSON to a line. */

/*
 * The first byte of the input says what the rest is: a struct kw_event or a struct
 * kw_vm, cut off or filled up with zeros, and whether its policy set is known. What
 * a caller is named, and what a stray write into a record would leave, is in it.
 * What is asserted, beyond what the sanitizers see:
 *
 * - a record becomes one JSON object, on one line, without a character that a
 *   terminal would obey, and with the members that every reader relies on;
 * - the line for people is one line as well, and its colours are all it says to a terminal.
 */
#define _GNU_SOURCE 1
#undef NDEBUG
#include <assert.h>
#include <jansson.h>
#include <string.h>

#include "event-kinds.h"
#include "names.h"
#include "policy-read.h"
#include "recorded.h"
#include "render.h"
#include "text.h"
#include "util.h"

#define IS_VM 1
#define HAS_RULES 2
#define IS_RETIRED 4 /* of older generations the daemon keeps the names only */

static const struct kw_origin_host host = {
	.host = "fuzzed",
	.boot_id = "0123456789abcdef0123456789abcdef",
	.realtime_offset_ns = 1700000000000000000,
};

static struct kw_ruleset *compile(void)
{
	static const char text[] =
		"policy: some\n"
		"match: {vm-types: [sev-es, sev-snp], exe: /usr/bin/qemu*, user: 107}\n"
		"rules:\n"
		"  - {operations: ['@set-registers'], state: sealed, verdict: deny}\n"
		"  - {operations: ['@all'], verdict: audit}\n";
	_cleanup_(kw_policy_set_done) struct kw_policy_set set = {};
	_cleanup_(kw_diag_done) struct kw_diag diag = {};
	struct kw_ruleset *rs = NULL;

	set.policies = calloc(1, sizeof(*set.policies));
	assert(set.policies);
	assert(kw_policy_parse("some", text, sizeof(text) - 1, &set, set.policies, &diag) == 0);
	set.count = 1;
	assert(kw_ruleset_compile(&set, 1, &rs, &diag) == 0);
	return rs;
}

/* --- what is in a record ------------------------------------------------------ */

static void has_text(json_t *object, const char *key, const char *expected)
{
	assert(kw_streq(json_string_value(json_object_get(object, key)), expected));
}

static void has_name_or_null(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	assert(json_is_null(value) || json_is_string(value));
}

/* Numbers are read as reals: 64 bits without a sign are more than jansson has. */
static void has_number(json_t *object, const char *key, double expected)
{
	assert(json_real_value(json_object_get(object, key)) == expected);
}

static void check_path(json_t *object, const char *key, const struct kw_path *path)
{
	json_t *value = json_object_get(object, key);

	if (path->flags & KW_PATH_UNKNOWN)
		assert(json_is_null(value));
	else
		assert(json_is_string(value) &&
		       json_string_length(value) <= 3 * (size_t)KW_PATH_MAX);
}

static void check_identity(json_t *object, const struct kw_identity *who)
{
	assert(json_is_object(object));
	has_number(object, "pid", who->pid);
	has_number(object, "tid", who->tid);
	has_number(object, "uid", who->uid);
	has_number(object, "gid", who->gid);
	assert(json_is_string(json_object_get(object, "comm")));
	check_path(object, "exe", &who->exe);
	check_path(object, "cgroup", &who->cgroup);
	has_name_or_null(object, "unit");
}

/* What the guard of a sealed host tells: no ioctl, no VM. */
static void check_attempt(json_t *object, const struct kw_event *event)
{
	has_number(object, "version", KW_EVENT_VERSION);
	has_number(object, "seq", event->seq);
	has_text(object, "event", "tampering");
	has_name_or_null(object, "verdict");
	has_name_or_null(object, "errno");
	assert(json_is_string(json_object_get(object, "act")));
	assert(json_is_string(json_object_get(object, "time")));
	has_number(object, "detail", event->vm_id);
	has_number(object, "suppressed", event->suppressed);
	check_identity(json_object_get(object, "process"), &event->caller);
}

static void check_event(json_t *object, const struct kw_event *event)
{
	static const char *const names[] = {"verdict", "intended", "errno",  "scope",
					    "state",   "entry",	   "policy", "file"};
	json_t *vm = json_object_get(object, "vm");

	has_number(object, "version", KW_EVENT_VERSION);
	has_number(object, "seq", event->seq);
	has_number(object, "generation", event->generation);
	has_text(object, "host", host.host);
	has_text(object, "boot_id", host.boot_id);
	if (event->kind < _KW_EVENT_MAX)
		has_text(object, "event", kw_event_kind_name(event->kind));
	for (size_t i = 0; i < KW_ARRAY_SIZE(names); i++)
		has_name_or_null(object, names[i]);
	assert(json_is_string(json_object_get(object, "time")));
	assert(json_is_string(json_object_get(object, "operation")));
	if (event->vm_type == KW_TYPE_NONE)
		assert(json_is_null(vm));
	else
		has_number(vm, "kvm_type", event->kvm_type);
	check_identity(json_object_get(object, "process"), &event->caller);
}

static void check_vm(json_t *object, const struct kw_vm *vm, bool has_rules)
{
	json_t *policies = json_object_get(object, "policies");

	has_number(object, "id", vm->id);
	has_number(object, "vcpus", vm->vcpus);
	has_number(object, "denied", vm->denied);
	has_text(object, "state", vm->flags & KW_VM_SEALED ? "sealed" : "building");
	assert(json_is_string(json_object_get(object, "since")));
	assert(has_rules ? json_is_array(policies) : json_is_null(policies));
	check_identity(json_object_get(object, "creator"), &vm->creator);
}

/* --- what is made of it ------------------------------------------------------- */

static json_t *parse(const struct kw_json *json)
{
	json_t *object;

	assert(!json->failed && json->len == strlen(json->text));
	for (size_t i = 0; i < json->len; i++)
		assert((unsigned char)json->text[i] >= ' ' && json->text[i] != 0x7f);
	object = json_loadb(json->text, json->len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL,
			    NULL);
	assert(json_is_object(object));
	return object;
}

static void check_line(const struct kw_json *json, bool colour)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&line, &size);

	assert(out);
	kw_text_event(json->text, json->len, colour, out);
	assert(fclose(out) == 0);
	assert(size && line[size - 1] == '\n' && strlen(line) == size);
	for (size_t i = 0; i < size - 1; i++) {
		if (colour && line[i] == '\033')
			assert(line[++i] == '[');
		assert((unsigned char)line[i] >= ' ' && line[i] != 0x7f);
	}
}

static void render(const uint8_t *data, size_t size, unsigned int how,
		   const struct kw_ruleset *rules)
{
	struct kw_event event = {};
	struct kw_vm vm = {};
	struct kw_json json = {};
	struct kw_line line;
	json_t *object;

	if (how & IS_VM) {
		memcpy(&vm, data, size < sizeof(vm) ? size : sizeof(vm));
		kw_render_vm(&json, &vm, rules, &host);
		object = parse(&json);
		check_vm(object, &vm, rules);
	} else {
		memcpy(&event, data, size < sizeof(event) ? size : sizeof(event));
		kw_render_event(&json, &event, rules, &host);
		object = parse(&json);
		if (event.kind == KW_EVENT_TAMPERING)
			check_attempt(object, &event);
		else
			check_event(object, &event);
		check_line(&json, false);
		check_line(&json, true);
		kw_recorded_parse(json.text, json.len, &line);
	}
	json_decref(object);
	kw_json_done(&json);
}

/* libFuzzer declares it nowhere. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct kw_ruleset *rules, *retired;
	const struct kw_ruleset *set = NULL;

	if (!size)
		return 0;
	if (!rules) {
		rules = compile();
		retired = compile();
		kw_ruleset_retire(retired);
	}
	if (data[0] & HAS_RULES)
		set = data[0] & IS_RETIRED && !(data[0] & IS_VM) ? retired : rules;
	render(data + 1, size - 1, data[0], set);
	return 0;
}
