/* SPDX-License-Identifier: GPL-2.0-only */
/* What a daemon leaves to the next one. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "handover.h"
#include "ruleset-of.h"

static void done(struct kw_handover *state)
{
	kw_handover_done(state);
}

/* A state with one of everything; the ruleset's table is not part of it. */
static void fill(struct kw_handover *state)
{
	struct kw_ruleset *rules =
		ruleset_of("policy: one\nrules:\n  - {operations: [KVM_NMI], verdict: deny}\n"
			   "  - {operations: [KVM_SMI], verdict: audit}\n");

	kw_ruleset_renumber(rules, 21);
	state->generations[21 % KW_GENERATIONS_KEPT] = rules;
	state->overrides[0] = (struct kw_override){strdup("one"), KW_MODE_AUDIT};
	state->override_count = 1;
	state->granted[0] = (struct kw_granted){
		.id = 5,
		.vm = 6,
		.operation = strdup("@set-registers"),
		.reason = strdup("a \"reason\" \xc3\xa9"),
		.uid = 1000,
		.until_ns = 1ull << 50,
	};
	state->granted_count = 1;
	state->last_exception = 9;
}

/* "what is written is read again" */
static void round_trip(void **unused)
{
	_cleanup_(done) struct kw_handover state = {}, again = {};
	struct kw_json json = {};
	const struct kw_ruleset *rules;
	char *why = NULL;

	(void)unused;
	fill(&state);
	kw_handover_render(&json, &state, "boot");
	assert_int_equal(kw_handover_parse(json.text, json.len, "boot", &again, &why), 0);
	rules = again.generations[21 % KW_GENERATIONS_KEPT];
	assert_int_equal(rules->generation, 21);
	assert_null(rules->table);
	assert_string_equal(kw_ruleset_policy(rules, 0)->name, "one");
	assert_int_equal(kw_ruleset_rule(rules, 0, 0)->line, 3);
	assert_int_equal(kw_ruleset_rule(rules, 0, 1)->line, 4);
	assert_null(kw_ruleset_rule(rules, 0, 2));
	assert_string_equal(again.overrides[0].policy, "one");
	assert_int_equal(again.overrides[0].mode, KW_MODE_AUDIT);
	assert_int_equal(again.granted[0].id, 5);
	assert_int_equal(again.granted[0].vm, 6);
	assert_string_equal(again.granted[0].reason, "a \"reason\" \xc3\xa9");
	assert_int_equal(again.granted[0].uid, 1000);
	assert_true(again.granted[0].until_ns == 1ull << 50);
	assert_int_equal(again.last_exception, 9);
	kw_json_done(&json);
}

static void expect(const char *text, int error, const char *part)
{
	_cleanup_(done) struct kw_handover state = {};
	char *why = NULL;

	assert_int_equal(kw_handover_parse(text, strlen(text), "boot", &state, &why), error);
	if (part)
		assert_non_null(strstr(why, part));
	free(why);
}

#define HEAD "{\"version\":1,\"boot_id\":\"boot\",\"last_exception\":0,"

/* "nothing is half taken" */
static void refused(void **unused)
{
	(void)unused;
	expect("{", -EINVAL, "line 1, column 1");
	expect("[]", -EINVAL, "object");
	expect(HEAD "\"generations\":[],\"modes\":[],\"exceptions\":[]}", 0, NULL);
	expect(HEAD "\"generations\":[],\"modes\":[],\"exceptions\":[],\"more\":1}", -EINVAL,
	       "more");
	expect(HEAD "\"generations\":[],\"modes\":{},\"exceptions\":[]}", -EINVAL, "entry");
	expect(HEAD "\"generations\":[{\"generation\":0,\"policies\":[]}],\"modes\":[],"
		    "\"exceptions\":[]}",
	       -EINVAL, "entry");
	expect(HEAD "\"generations\":[{\"generation\":1,\"policies\":[]},"
		    "{\"generation\":17,\"policies\":[]}],\"modes\":[],\"exceptions\":[]}",
	       -EINVAL, "entry");
	expect(HEAD "\"generations\":[],\"modes\":[{\"policy\":\"p\",\"mode\":\"off\"}],"
		    "\"exceptions\":[]}",
	       -EINVAL, "entry");
	expect("{\"version\":2,\"boot_id\":\"boot\",\"last_exception\":0,\"generations\":[],"
	       "\"modes\":[],\"exceptions\":[]}",
	       -EINVAL, "version 2");
	expect("{\"version\":1,\"boot_id\":\"other\",\"last_exception\":0,\"generations\":[],"
	       "\"modes\":[],\"exceptions\":[]}",
	       -ESTALE, NULL);
}

/* "a file is replaced whole, and believed only if it is root's" */
static void file(void **unused)
{
	_cleanup_(done) struct kw_handover state = {}, again = {};
	_cleanup_free_ char *why = NULL;
	char dir[] = "/tmp/kvmwarden-handover.XXXXXX", path[64], fresh[72];
	int r;

	(void)unused;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/state", dir);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	fill(&state);
	assert_int_equal(kw_handover_load(path, "boot", &again, &why), -ENOENT);
	assert_int_equal(kw_handover_save(path, &state, "boot"), 0);
	assert_int_equal(access(fresh, F_OK), -1);
	r = kw_handover_load(path, "boot", &again, &why);
	assert_int_equal(r, geteuid() == 0 ? 0 : -EPERM);
	assert_int_equal(chmod(path, 0620), 0);
	free(why);
	why = NULL;
	assert_int_equal(kw_handover_load(path, "boot", &again, &why), -EPERM);
	/* What cannot be written leaves the old one. */
	assert_int_equal(mkdir(fresh, 0700), 0);
	assert_true(kw_handover_save(path, &state, "boot") < 0);
	assert_int_equal(access(path, F_OK), 0);
	rmdir(fresh);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(refused),
		cmocka_unit_test(file),
	};

	return cmocka_run_group_tests_name("handover", tests, NULL, NULL);
}
