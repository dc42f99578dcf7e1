/* SPDX-License-Identifier: GPL-2.0-only */
/* What a seccomp filter is to do of policies, and what it cannot: against what the policies decide. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <jansson.h>
#include <linux/kvm.h>

#include "identity-text.h"
#include "plan-shortfall.h"
#include "random.h"
#include "ruleset-of.h"

/* The policies of the round, for whoever has to find out what went wrong. */
static char policies_text[4096];

struct planned {
	struct kw_plan plan;
	struct kw_shortfalls lacks;
};

static void done(struct planned *p)
{
	kw_plan_done(&p->plan);
	kw_shortfalls_done(&p->lacks);
}

#define _cleanup_planned_ _cleanup_(done)

static struct planned plan_of(const struct kw_ruleset *rs, enum kw_means means)
{
	struct planned p = {};

	assert_int_equal(kw_plan_make(rs, means, false, &p.plan, &p.lacks), 0);
	return p;
}

static const struct kw_plan_entry *entry_of(const struct kw_plan *plan, uint32_t command)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->entries[i].command == command)
			return &plan->entries[i];
	return NULL;
}

/* --- single rules ------------------------------------------------------------- */

/* The first shortfall; NULL: none. */
static const char *reason(const struct planned *p)
{
	return p->lacks.count ? p->lacks.list[0].reason : NULL;
}

static const struct {
	const char *policy;
	const char *kernel, *types, *alone; /* what each lacks: a part of the sentence, or NULL */
	int command; /* which each of them that lacks nothing has an entry for */
} single[] = {
	{"policy: p\nrules: [{operations: [KVM_SET_REGS], verdict: deny}]", NULL, NULL, NULL,
	 (int)KVM_SET_REGS},
	{"policy: p\nrules: [{operations: [KVM_SET_REGS], verdict: deny, state: sealed}]", NULL,
	 "not known without BPF", "whether a guest is sealed", (int)KVM_SET_REGS},
	{"policy: p\nmatch: {vm-types: [default]}\nrules: [{operations: [KVM_SET_REGS], verdict: "
	 "deny}]",
	 NULL, "legacy-sev-es", "type of a VM", (int)KVM_SET_REGS},
	{"policy: p\nmatch: {vm-types: [sev-snp]}\nrules: [{operations: [KVM_SET_REGS], verdict: "
	 "deny}]",
	 NULL, NULL, "type of a VM", (int)KVM_SET_REGS},
	{"policy: p\nmatch: {exe: /x}\nrules: [{operations: [KVM_SET_REGS], verdict: deny}]", NULL,
	 NULL, "whose VM", (int)KVM_SET_REGS},
	{"policy: p\nrules: [{operations: [KVM_SET_REGS], verdict: audit}]", NULL, NULL,
	 "reports nothing", (int)KVM_SET_REGS},
	{"policy: p\nmode: audit\nrules: [{operations: [KVM_SET_REGS], verdict: deny}]", NULL, NULL,
	 "reports nothing", (int)KVM_SET_REGS},
	{"policy: p\nrules: [{operations: [KVM_CREATE_VM], verdict: deny}]", NULL, NULL, NULL,
	 (int)KVM_CREATE_VM},
	{"policy: p\nrules: [{operations: [KVM_SEV_DBG_DECRYPT], verdict: deny}]", "in memory",
	 "in memory", "in memory", 0},
	{"policy: p\nrules: [{operations: [SYNC_REGS], verdict: deny}]", "without any ioctl",
	 "without any ioctl", "without any ioctl", 0},
	{"policy: p\nmatch: {vm-types: [sev]}\nrules: [{operations: [KVM_RUN], verdict: deny}]",
	 "each exit", "each exit", "each exit", 0},
	{"policy: p\nrules: [{operations: [KVM_RUN], verdict: deny}]", NULL, NULL, NULL,
	 (int)KVM_RUN},
};

static void each_rule_by_each_means(void **state)
{
	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(single); i++) {
		_cleanup_ruleset_ struct kw_ruleset *rs = ruleset_of(single[i].policy);
		const char *wanted[] = {single[i].kernel, single[i].types, single[i].alone};

		for (unsigned int means = 0; means < _KW_MEANS_MAX; means++) {
			_cleanup_planned_ struct planned p = plan_of(rs, means);
			const char *got = reason(&p);

			if (!got != !wanted[means] || (got && !strstr(got, wanted[means])))
				fail_msg("%s by %s: '%s'", single[i].policy, kw_means_name(means),
					 got ?: "");
			if (!got)
				assert_non_null(entry_of(&p.plan, (uint32_t)single[i].command));
		}
	}
}

static void creations_by_type(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *rs =
		ruleset_of("policy: p\nmatch: {vm-types: [default, sev]}\n"
			   "rules: [{operations: [KVM_CREATE_VM], verdict: deny, errno: ENODEV}]");
	_cleanup_planned_ struct planned p = plan_of(rs, KW_MEANS_ALONE);
	const struct kw_plan_entry *entry = entry_of(&p.plan, KVM_CREATE_VM);

	(void)state;
	assert_int_equal(p.plan.count, 1);
	/* Which every policy is about that asks for a type. */
	assert_int_equal(entry->types,
			 1u << KW_TYPE_DEFAULT | 1u << KW_TYPE_SEV | 1u << KW_TYPE_UNKNOWN);
	assert_int_equal(entry->disposition, KW_PLAN_REFUSE);
	assert_int_equal(entry->error, ENODEV);
}

/* Where somebody is asked, evidence is left of each refusal; without rules there is nothing to ask. */
static void who_is_asked(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *rs = ruleset_of(
		"policy: p\nrules: [{operations: [KVM_SET_REGS, KVM_GET_REGS], verdict: audit}, "
		"{operations: [KVM_SET_FPU], verdict: kill}]");
	_cleanup_planned_ struct planned asked = plan_of(rs, KW_MEANS_KERNEL);
	_cleanup_planned_ struct planned alone = plan_of(rs, KW_MEANS_ALONE);
	_cleanup_planned_ struct planned refusals = {};

	(void)state;
	for (size_t i = 0; i < asked.plan.count; i++)
		assert_int_equal(asked.plan.entries[i].disposition, KW_PLAN_NOTIFY);
	assert_int_equal(asked.plan.count, 3 + 4);
	assert_non_null(entry_of(&asked.plan, KVM_CREATE_VCPU));
	assert_int_equal(alone.plan.count, 1);
	assert_int_equal(entry_of(&alone.plan, KVM_SET_FPU)->disposition, KW_PLAN_KILL);
	assert_int_equal(kw_plan_make(rs, KW_MEANS_KERNEL, true, &refusals.plan, &refusals.lacks),
			 0);
	assert_null(entry_of(&refusals.plan, KVM_SET_REGS));
	assert_non_null(entry_of(&refusals.plan, KVM_SET_FPU));
}

/* --- any policies ------------------------------------------------------------- */

static bool is_short_of(const struct planned *p, unsigned int operation, bool error)
{
	for (size_t i = 0; i < p->lacks.count; i++) {
		const struct kw_shortfall *s = &p->lacks.list[i];

		/* One line stands for several operations of its rule. */
		if ((!error || s->is_error) && kw_rule_names(s->rule, operation))
			return true;
	}
	return false;
}

/* Does the filter let it through without a word? Then why. */
static bool passes(const struct planned *p, const struct kw_operation *operation, unsigned int type)
{
	const struct kw_plan_entry *entry = entry_of(&p->plan, operation->command);

	if (operation->command != KVM_CREATE_VM || !entry || !entry->types)
		return !entry;
	for (size_t i = 0; i < p->plan.count; i++)
		if (p->plan.entries[i].command == KVM_CREATE_VM &&
		    (p->plan.entries[i].types & 1u << type))
			return false;
	return true;
}

/* What is refused by the filter itself, and with what; -1: it is not. */
static int refused_with(const struct planned *p, const struct kw_operation *operation,
			unsigned int type)
{
	for (size_t i = 0; i < p->plan.count; i++) {
		const struct kw_plan_entry *entry = &p->plan.entries[i];

		if (entry->command == operation->command && entry->disposition != KW_PLAN_NOTIFY &&
		    (!entry->types || (entry->types & 1u << type)))
			return entry->error;
	}
	return -1;
}

static void check_cell(const struct kw_ruleset *rs, const struct planned *p, unsigned int index,
		       unsigned int state, unsigned int type, const struct kw_identity *who)
{
	const struct kw_subject subject = {type, kw_type_flags(type), who};
	const struct kw_operation *operation = kw_operation(index);
	int error = refused_with(p, operation, type);
	struct kw_decision d;

	kw_ruleset_explain(rs, index, state, &subject, &d);
	if (d.verdict >= KW_DENY && passes(p, operation, type) && !is_short_of(p, index, true))
		fail_msg("%s of a %s VM is refused by policies, and passes\n%s", operation->name,
			 kw_type_name(type), policies_text);
	if (d.verdict == KW_AUDIT && passes(p, operation, type) && !is_short_of(p, index, false))
		fail_msg("%s of a %s VM is to be reported, and passes\n%s", operation->name,
			 kw_type_name(type), policies_text);
	if (error < 0)
		return;
	/* With another errno, or alive, only as a policy is left out that would decide before. */
	if (d.verdict < KW_DENY ||
	    (error != (d.verdict == KW_KILL ? 0 : d.error) && !is_short_of(p, index, true)))
		fail_msg("%s of a %s VM is refused with %d, and by policies with %d\n%s",
			 operation->name, kw_type_name(type), error,
			 d.verdict < KW_DENY ? 0 : d.error, policies_text);
}

/* Whatever the means: nothing that is refused is lost without a word, and nothing else is refused. */
static void check_all(const struct kw_ruleset *rs)
{
	struct kw_identity someone = kw_identity_unknown(), nobody = kw_identity_unknown();
	const struct kw_operation *operation;

	someone.uid = 7;
	someone.exe = (struct kw_path){.len = 2, .text = "/x"};
	for (unsigned int means = 0; means < _KW_MEANS_MAX; means++) {
		_cleanup_planned_ struct planned p = plan_of(rs, means);

		for (unsigned int i = 0; (operation = kw_operation(i)); i++) {
			if (operation->hidden || !operation->command || operation->family)
				continue;
			for (unsigned int type = 0; type < KW_TYPE_NONE; type++) {
				/* Of no VM, or before there is one: not asked for as such. */
				if (i == KW_OP_CREATE_VM && type == KW_TYPE_LEGACY_SEV_ES)
					continue;
				for (unsigned int s = 0; s < _KW_STATE_MAX; s++) {
					if (i == KW_OP_CREATE_VM && s == KW_STATE_SEALED)
						continue;
					check_cell(rs, &p, i, s, type, &nobody);
					check_cell(rs, &p, i, s, type, &someone);
				}
			}
		}
	}
}

static const char *some(const char *const *words, size_t count)
{
	return words[below((unsigned int)count)];
}

static void write_rule(FILE *f)
{
	static const char *const operations[] = {
		"KVM_SET_REGS",	  "KVM_SET_FPU",	   "\"@set-registers\"", "KVM_CREATE_VM",
		"KVM_RUN",	  "KVM_CHECK_EXTENSION",   "KVM_CREATE_VCPU",	 "KVM_ENABLE_CAP",
		"KVM_SET_SREGS2", "KVM_MEMORY_ENCRYPT_OP", "\"@inject\""};
	static const char *const states[] = {"any", "any", "sealed", "building"};
	static const char *const verdicts[] = {
		"allow", "audit", "deny", "deny, errno: ENODEV", "deny, errno: EACCES", "kill"};
	const char *operation = some(operations, KW_ARRAY_SIZE(operations));
	bool of_system = strstr(operation, "CREATE_VM") && !strstr(operation, "VCPU");

	fprintf(f, "  - {operations: [%s], state: %s, verdict: %s}\n", operation,
		of_system ? "any" : some(states, KW_ARRAY_SIZE(states)),
		some(verdicts, KW_ARRAY_SIZE(verdicts)));
}

/* Not each of them is one: a rule may stand behind others that leave nothing to it. */
static bool add_random(struct kw_policy_set *set, unsigned int number)
{
	static const char *const matches[] = {
		"",
		"",
		"match: {vm-types: [default]}\n",
		"match: {vm-types: [sev-snp, sev-es]}\n",
		"match: {protected-state: true}\n",
		"match: {exe: /x}\n",
		"match: {uid: 7}\n",
		"except: {exe: /x}\n",
		"except: {vm-types: [sev]}\n",
		"match: {vm-types: [legacy-sev-es]}\n",
	};
	_cleanup_(kw_diag_done) struct kw_diag diag = {};
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	fprintf(f, "policy: p%u\nmode: %s\n%srules:\n", number, below(4) ? "enforce" : "audit",
		some(matches, KW_ARRAY_SIZE(matches)));
	for (unsigned int rules = 1 + below(3); rules-- > 0;)
		write_rule(f);
	assert_int_equal(fclose(f), 0);
	if (strlen(policies_text) + size < sizeof(policies_text))
		strcat(policies_text, text);
	return try_text(set, text, &diag) == 0;
}

static void nothing_is_lost_or_made_up(void **state)
{
	unsigned int sets = 0;

	(void)state;
	for (unsigned int round = 0; round < 3000; round++) {
		_cleanup_ruleset_ struct kw_ruleset *rs = NULL;
		_cleanup_(kw_diag_done) struct kw_diag diag = {};
		struct kw_policy_set set = {};

		*policies_text = '\0';
		for (unsigned int policies = 1 + below(3), i = 0; i < policies; i++)
			add_random(&set, i);
		/* Nor can all be refused. */
		if (set.count && kw_ruleset_compile(&set, 1, &rs, &diag) == 0) {
			check_all(rs);
			sets++;
		}
		kw_policy_set_done(&set);
	}
	assert_true(sets > 1000);
}

static void shipped(void **state)
{
	static const char *const dirs[][2] = {{"policies", NULL}, {"policies/optional", NULL}};

	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(dirs); i++) {
		_cleanup_ruleset_ struct kw_ruleset *rs = NULL;
		_cleanup_(kw_diag_done) struct kw_diag diag = {};
		struct kw_policy_set set = {};

		assert_int_equal(kw_policy_set_load(dirs[i], false, false, &set, &diag), 0);
		assert_true(set.count > 0);
		rs = compile(&set);
		check_all(rs);
		/* What is shipped to be in force can be so here, too. */
		if (i == 0) {
			_cleanup_planned_ struct planned p = plan_of(rs, KW_MEANS_KERNEL);

			for (size_t k = 0; k < p.lacks.count; k++)
				print_message("%s: %s\n", p.lacks.list[k].policy->name,
					      p.lacks.list[k].reason);
			assert_int_equal(p.lacks.errors, 0);
		}
	}
}

/* --- on their way to a launcher ----------------------------------------------- */

static int parse(const char *text, struct kw_plan *ret, char **reterr)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	int r;

	assert_non_null(value);
	r = kw_plan_parse(value, ret, reterr);
	json_decref(value);
	return r;
}

static void there_and_back(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *rs =
		ruleset_of("policy: p\nrules: [{operations: [KVM_SET_REGS], verdict: deny}, "
			   "{operations: [KVM_SET_FPU], verdict: kill}]\n");
	_cleanup_planned_ struct planned p = plan_of(rs, KW_MEANS_ALONE);
	_cleanup_(kw_plan_done) struct kw_plan back = {};
	_cleanup_free_ char *why = NULL;
	struct kw_json json = {};

	(void)state;
	assert_int_equal(p.plan.count, 2);
	kw_plan_render(&json, &p.plan);
	assert_int_equal(parse(json.text, &back, &why), 0);
	kw_json_done(&json);
	assert_int_equal(back.count, p.plan.count);
	assert_memory_equal(back.entries, p.plan.entries, p.plan.count * sizeof(*back.entries));
}

static void broken_ones(void **state)
{
	static const char *const texts[] = {
		"null",
		"{}",
		"[null]",
		"[{}]",
		"[{\"command\":1,\"do\":\"notify\",\"errno\":0}]",
		"[{\"command\":1,\"do\":\"notify\",\"errno\":0,\"types\":0,\"more\":1}]",
		"[{\"command\":-1,\"do\":\"notify\",\"errno\":0,\"types\":0}]",
		"[{\"command\":4294967296,\"do\":\"notify\",\"errno\":0,\"types\":0}]",
		"[{\"command\":1,\"do\":\"allow\",\"errno\":0,\"types\":0}]",
		"[{\"command\":1,\"do\":\"refuse\",\"errno\":0,\"types\":0}]",
		"[{\"command\":1,\"do\":\"refuse\",\"errno\":256,\"types\":0}]",
		"[{\"command\":1,\"do\":\"notify\",\"errno\":1,\"types\":0}]",
		"[{\"command\":1,\"do\":\"notify\",\"errno\":0,\"types\":\"0\"}]",
	};

	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(texts); i++) {
		_cleanup_free_ char *why = NULL;
		struct kw_plan plan = {};

		if (parse(texts[i], &plan, &why) != -EINVAL || !why || plan.entries)
			fail_msg("%s: %s", texts[i], why ?: "taken");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_by_each_means),
		cmocka_unit_test(creations_by_type),
		cmocka_unit_test(who_is_asked),
		cmocka_unit_test(nothing_is_lost_or_made_up),
		cmocka_unit_test(shipped),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(broken_ones),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
