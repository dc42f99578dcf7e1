/* SPDX-License-Identifier: GPL-2.0-only */
/* What a change of policies means: rows that cover the differences, all of them and nothing else. */
#define _GNU_SOURCE 1
#include "diff.h"

#include <errno.h>

#include "explain.h"
#include "identity-text.h"
#include "policy-read.h"
#include "random.h"
#include "ruleset-of.h"
#include "unit.h"
#include "util.h"

/* Of the property test: pairs of sets, and identities asked about each. */
#define PAIRS 100
#define IDENTITIES 40

static void diff_done(struct kw_diff *diff)
{
	kw_diff_done(diff);
}

/* --- some changes, and how they read ---------------------------------------- */

static const struct {
	const char *old;
	const char *new;
	const char *words; /* NULL: no difference */
	const char *who;
	unsigned int from;
	unsigned int to;
} cases[] = {
	{"", "", NULL, NULL, 0, 0},
	{"# a comment\n", "description: another text\n", NULL, NULL, 0, 0},
	{"", "match: {exe: '*'}\n", NULL, NULL, 0, 0},
	{"", "match: {vm-types: [sev-snp, tdx], protected-state: true}\n", "@set-registers",
	 "any VMM", KW_DENY, KW_ALLOW},
	{"", "mode: audit\n", "@set-registers", "any VMM", KW_DENY, KW_AUDIT},
	{"match: {exe: /q*}\n", "", "@set-registers", "exe other than /q* or unknown", KW_ALLOW,
	 KW_DENY},
	{"", "match: {exe: /q*}\n", "@set-registers", "exe other than /q* or unknown", KW_DENY,
	 KW_ALLOW},
	{"match: {exe: /q}\n", "match: {exe: /q*}\n", "@set-registers", "exe /q*", KW_ALLOW,
	 KW_DENY},
	{"", "except: {exe: /q}\n", "@set-registers", "exe /q", KW_DENY, KW_ALLOW},
	{"", "except: {unit: vm-*.scope, uid: 7}\n", "@set-registers", "unit vm-*.scope, user 7",
	 KW_DENY, KW_ALLOW},
	{"match: {cgroup: /a/*}\n", "match: {cgroup: /a/*, unit: b.scope}\n", "@set-registers",
	 "cgroup /a/*", KW_DENY, KW_ALLOW},
};

static struct kw_ruleset *registers_policy(const char *more)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "policy: p\n%srules: [{operations: ['@set-registers'], verdict: deny}]\n", more);
	return ruleset_of(text);
}

static void one_change(void **state)
{
	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(cases); i++) {
		_cleanup_ruleset_ struct kw_ruleset *old = registers_policy(cases[i].old);
		_cleanup_ruleset_ struct kw_ruleset *new = registers_policy(cases[i].new);
		_cleanup_(diff_done) struct kw_diff diff = {};
		_cleanup_free_ char *who = NULL;

		assert_int_equal(kw_diff(old, new, &diff), 0);
		assert_true(diff.who.complete);
		assert_int_equal(diff.count, cases[i].words != NULL);
		if (!cases[i].words)
			continue;
		who = kw_who_text(&diff.who, &diff.rows[0].who);
		assert_string_equal(diff.rows[0].words, cases[i].words);
		assert_string_equal(who, cases[i].who);
		assert_int_equal(diff.rows[0].sides[0].verdict, cases[i].from);
		assert_int_equal(diff.rows[0].sides[1].verdict, cases[i].to);
		assert_true(kw_diff_all_states(&diff.rows[0]));
	}
}

/* "errno and rate limit are part of the answer" */
static void not_only_verdicts(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *plain =
		ruleset_of("policy: p\nrules: [{operations: [KVM_NMI], verdict: deny}]\n");
	_cleanup_ruleset_ struct kw_ruleset *other = ruleset_of(
		"policy: p\nrules: [{operations: [KVM_NMI], verdict: deny, errno: EIO}]\n");
	_cleanup_ruleset_ struct kw_ruleset *limited = ruleset_of(
		"policy: p\nrules: [{operations: [KVM_NMI], verdict: deny, rate-limit: 5/h}]\n");
	_cleanup_(diff_done) struct kw_diff error = {}, limit = {}, none = {};

	(void)state;
	assert_int_equal(kw_diff(plain, other, &error), 0);
	assert_int_equal(error.count, 1);
	assert_int_equal(error.rows[0].sides[0].error, EPERM);
	assert_int_equal(error.rows[0].sides[1].error, EIO);
	assert_true(kw_diff_all_types(&error.rows[0]));
	assert_int_equal(kw_diff(plain, limited, &limit), 0);
	assert_int_equal(limit.count, 1);
	assert_int_equal(limit.rows[0].sides[1].limit_seconds, 3600);
	assert_int_equal(kw_diff(limited, limited, &none), 0);
	assert_int_equal(none.count, 0);
}

/* "what is taken off comes first" */
static void order(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *old =
		ruleset_of("policy: p\nrules: [{operations: [KVM_SMI], verdict: deny}]\n");
	_cleanup_ruleset_ struct kw_ruleset *new =
		ruleset_of("policy: p\nrules: [{operations: [KVM_NMI], verdict: deny}]\n");
	_cleanup_(diff_done) struct kw_diff diff = {};

	(void)state;
	assert_int_equal(kw_diff(old, new, &diff), 0);
	assert_int_equal(diff.count, 2);
	assert_string_equal(diff.rows[0].words, "KVM_SMI");
	assert_string_equal(diff.rows[1].words, "KVM_NMI");
}

/* "more kinds of VMM than can be compared are told as such" */
static void too_many_kinds(void **state)
{
	struct kw_policy_set set = {};
	_cleanup_ruleset_ struct kw_ruleset *old = NULL, *new = NULL;
	_cleanup_(diff_done) struct kw_diff diff = {};
	char text[256];

	(void)state;
	for (unsigned int i = 0; i < KW_POLICIES_MAX; i++) {
		snprintf(text, sizeof(text),
			 "policy: p%u\nmatch: {exe: /e%u*, unit: u%u.scope, uid: %u}\n"
			 "rules: [{operations: [KVM_NMI], verdict: deny}]\n",
			 i, i, i, i);
		add_text(&set, text);
	}
	old = compile(&set);
	new = ruleset_of("policy: p\nrules: [{operations: [KVM_SMI], verdict: deny}]\n");
	assert_int_equal(kw_diff(old, new, &diff), 0);
	assert_false(diff.who.complete);
	assert_int_equal(diff.who.count, KW_WHO_MAX);
	assert_true(diff.count > 0);
}

/* --- the property ------------------------------------------------------------ */

#define PICK(list) ((list)[below(KW_ARRAY_SIZE(list))])

/*
 * Patterns that overlap, contain each other, and meet in the middle. Those of a
 * pair of sets are taken from a few neighbours: they have more to do with each other.
 */
static const char *const exes[] = {"/ab*ba", "/ab*", "*ba", "/aba", "*ab", "/a*b", "/ab*b",
				   "*b",     "/a*",  "/a",  "/a*a", "/*",  "*",	   "*/b"};
static const char *const units[] = {"a*.scope", "ab.scope", "ab*b.scope", "*b.scope",
				    "*.scope",	"a*",	    "*.service",  "*"};
static const char *const cgroups[] = {"/a*", "/a/*",   "/a/a*",	  "/a/ab.scope", "/a/ab.scope/b",
				      "*/b", "*ope/b", "*.scope", "*b.scope",	 "/"};
static unsigned int neighbourhood;

#define NEIGHBOUR(list) ((list)[(neighbourhood + below(4)) % KW_ARRAY_SIZE(list)])

static void write_side(FILE *out, const char *side)
{
	static const char *const types[] = {"sev", "sev-snp", "tdx", "[sev, tdx]", "legacy-sev-es"};
	unsigned int which = below(64);
	const char *comma = "";

	if (!which)
		return;
	fprintf(out, "%s: {", side);
	if (which & 1 || below(2)) {
		fprintf(out, "%sexe: '%s'", comma, NEIGHBOUR(exes));
		comma = ", ";
	}
	if (which & 2) {
		fprintf(out, "%sunit: '%s'", comma, NEIGHBOUR(units));
		comma = ", ";
	}
	if (which & 4) {
		fprintf(out, "%scgroup: '%s'", comma, NEIGHBOUR(cgroups));
		comma = ", ";
	}
	if (which & 8) {
		fprintf(out, "%suid: %u", comma, below(3));
		comma = ", ";
	}
	if ((which & 48) == 32)
		fprintf(out, "%svm-types: %s", comma, PICK(types));
	else if ((which & 48) == 16)
		fprintf(out, "%sprotected-state: %s", comma, below(2) ? "true" : "false");
	fputs("}\n", out);
}

static const char *const asked[] = {"KVM_NMI",
				    "KVM_RUN",
				    "SYNC_REGS",
				    "KVM_SET_REGS",
				    "KVM_SEV_DBG_DECRYPT",
				    "KVM_TDX_INIT_VM",
				    "KVM_CREATE_VM",
				    "KVM_CHECK_EXTENSION",
				    "KVM_MEMORY_ENCRYPT_OP"};

static void write_rule(FILE *out)
{
	static const char *const states[] = {"", ", state: sealed", ", state: building"};
	static const char *const verdicts[] = {
		"allow", "audit", "deny", "deny, errno: EIO", "kill", "audit, rate-limit: 5/s"};
	static const char *const groups[] = {"@all", "@set-registers", "@debug"};

	fprintf(out, "  - {operations: ['%s']%s, verdict: %s}\n",
		below(3) ? PICK(asked) : PICK(groups), PICK(states), PICK(verdicts));
}

/* A policy that may be one nobody would write, such as one that no VM can match. */
static char *random_policy(unsigned int number)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	fprintf(out, "policy: p%u\nmode: %s\n", number, below(4) ? "enforce" : "audit");
	write_side(out, "match");
	if (below(2))
		write_side(out, "except");
	fputs("rules:\n", out);
	for (unsigned int i = 0; i <= below(3); i++)
		write_rule(out);
	fclose(out);
	return text;
}

static struct kw_ruleset *random_set(void)
{
	struct kw_policy_set set = {};
	unsigned int wanted = below(4);

	/* The set owns its array. */
	set.policies = calloc(4, sizeof(*set.policies));
	assert_non_null(set.policies);
	while (set.count < wanted) {
		_cleanup_free_ char *text = random_policy(set.count);

		if (kw_policy_parse("f", text, strlen(text), &set, &set.policies[set.count],
				    NULL) == 0)
			set.count++;
	}
	return compile(&set);
}

static void random_text(char *text, size_t size, const char *const *parts, size_t count)
{
	size_t at = 1;

	text[0] = '/';
	text[1] = '\0';
	for (unsigned int n = below(4); n > 0; n--)
		at += snprintf(text + at, size - at, "%s", parts[below(count)]);
}

static struct kw_identity random_identity(void)
{
	static const char *const letters[] = {"a", "b", "ab", "ba", "/", "c"};
	static const char *const names[] = {"a/",	 "b", "a",	   "ab.scope", "a.scope",
					    "b.service", "/", "ab.scope/", "c.scope/", "c"};
	struct kw_identity who = kw_identity_unknown();
	char text[128];

	if (below(10)) {
		random_text(text, sizeof(text), letters, KW_ARRAY_SIZE(letters));
		kw_identity_set_exe(&who, text);
	}
	if (below(10)) {
		random_text(text, sizeof(text), names, KW_ARRAY_SIZE(names));
		kw_identity_set_cgroup(&who, text);
	}
	who.uid = below(4);
	return who;
}

static struct kw_match only(const struct kw_match *match, uint32_t tests)
{
	struct kw_match part = *match;

	part.tests &= tests;
	return part;
}

/* Does each pattern of this way hold for both or for none, as a match and as an exception? */
static bool alike(const struct kw_ruleset *rs, uint32_t tests, const struct kw_identity *a,
		  const struct kw_identity *b)
{
	for (size_t i = 0; i < rs->set.count; i++) {
		const struct kw_selector *selector = &rs->set.policies[i].selector;
		const struct kw_match sides[] = {selector->match, selector->except};

		for (size_t j = 0; j < KW_ARRAY_SIZE(sides); j++)
			for (uint32_t test = 1; test <= tests; test <<= 1) {
				struct kw_match one = only(&sides[j], tests & test);

				if (kw_match_holds(&one, a, 0, 0, 0) !=
					    kw_match_holds(&one, b, 0, 0, 0) ||
				    kw_match_holds(&one, a, 0, 0, 1) !=
					    kw_match_holds(&one, b, 0, 0, 1))
					return false;
			}
	}
	return true;
}

/* The class an identity is in, in one way: there must be one. */
static size_t class_of(const struct kw_who *who, const struct kw_ruleset *const *sets,
		       unsigned int way, const struct kw_identity *identity)
{
	static const uint32_t tests[] = {KW_SELECT_EXE, KW_SELECT_UNIT | KW_SELECT_CGROUP,
					 KW_SELECT_USER};
	const struct kw_who_classes *classes = &who->ways[way];

	for (size_t i = 0; i < classes->count; i++)
		if (alike(sets[0], tests[way], &classes->classes[i].who, identity) &&
		    alike(sets[1], tests[way], &classes->classes[i].who, identity))
			return i;
	fail_msg("a kind of VMM is missing: exe '%s', cgroup '%s', uid %u", identity->exe.text,
		 identity->cgroup.text, identity->uid);
	return 0;
}

struct question {
	unsigned int operation;
	unsigned int state;
	unsigned int type;
};

static bool covers(const struct kw_diff_row *row, const struct question *q, const size_t *classes)
{
	if (!(row->types & (1u << q->type)) || !(row->states & (1u << q->state)) ||
	    !kw_operation_set_has(&row->operations, q->operation))
		return false;
	for (unsigned int way = 0; way < _KW_WHO_WAYS; way++)
		if (!kw_who_set_has(&row->who, way, classes[way]))
			return false;
	return true;
}

/* What the second, independent look at the sets says: the answer as one number. */
static uint64_t answer(const struct kw_ruleset *rs, const struct question *q,
		       const struct kw_identity *who)
{
	const struct kw_subject subject = {q->type, kw_type_flags(q->type), who};
	const struct kw_origin *origin;
	struct kw_decision decision;
	uint64_t limit = 0;

	kw_ruleset_explain(rs, q->operation, q->state, &subject, &decision);
	if (decision.policy != KW_NONE) {
		origin = &rs->table->origins[q->operation][q->state][decision.policy];
		limit = (uint64_t)origin->limit_events << 16 | origin->limit_seconds;
	}
	return limit << 32 | (uint64_t)decision.error << 16 | decision.verdict;
}

static void check_question(const struct kw_diff *diff, const struct kw_ruleset *const *sets,
			   const struct question *q, const struct kw_identity *who,
			   const size_t *classes)
{
	uint64_t answers[] = {answer(sets[0], q, who), answer(sets[1], q, who)};
	unsigned int rows = 0;

	for (size_t i = 0; i < diff->count; i++) {
		if (!covers(&diff->rows[i], q, classes))
			continue;
		rows++;
		for (unsigned int j = 0; j < 2; j++) {
			assert_int_equal(diff->rows[i].sides[j].verdict, answers[j] & 0xffff);
			assert_int_equal(diff->rows[i].sides[j].error, answers[j] >> 16 & 0xffff);
		}
	}
	if (rows != (answers[0] != answers[1]))
		fail_msg("%s, %s, %s, exe '%s', cgroup '%s', uid %u: %u rows for %lx and %lx",
			 kw_operation(q->operation)->name, kw_type_name(q->type),
			 kw_state_name(q->state), who->exe.text, who->cgroup.text, who->uid, rows,
			 (unsigned long)answers[0], (unsigned long)answers[1]);
}

static void check_identity(const struct kw_diff *diff, const struct kw_ruleset *const *sets)
{
	const struct kw_identity who = random_identity();
	size_t classes[_KW_WHO_WAYS];
	struct question q;

	for (unsigned int way = 0; way < _KW_WHO_WAYS; way++)
		classes[way] = class_of(&diff->who, sets, way, &who);
	for (size_t i = 0; i < KW_ARRAY_SIZE(asked); i++)
		for (q.type = 0; q.type < _KW_TYPE_MAX; q.type++)
			for (q.state = 0; q.state < _KW_STATE_MAX; q.state++) {
				q.operation = op_of(asked[i]);
				if (kw_question_makes_sense(q.operation, q.type, q.state))
					check_question(diff, sets, &q, &who, classes);
			}
}

/* "two sets answer a question differently exactly when one row, and only one, covers it" */
static void property(void **state)
{
	unsigned int different = 0;

	(void)state;
	for (unsigned int i = 0; i < PAIRS; i++) {
		_cleanup_ruleset_ struct kw_ruleset *old = (neighbourhood = i, random_set());
		_cleanup_ruleset_ struct kw_ruleset *new = random_set();
		const struct kw_ruleset *const sets[] = {old, new};
		_cleanup_(diff_done) struct kw_diff diff = {};

		assert_int_equal(kw_diff(old, new, &diff), 0);
		assert_true(diff.who.complete);
		different += diff.count > 0;
		for (unsigned int j = 0; j < IDENTITIES; j++)
			check_identity(&diff, sets);
	}
	assert_in_range(different, PAIRS / 3, PAIRS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_change), cmocka_unit_test(not_only_verdicts),
		cmocka_unit_test(order),      cmocka_unit_test(too_many_kinds),
		cmocka_unit_test(property),
	};

	return cmocka_run_group_tests_name("diff", tests, NULL, NULL);
}
