/* SPDX-License-Identifier: GPL-2.0-only */
/* Fuzzes the language of policies: text to set, set to table, table to verdicts. */

/*
 * The input is up to FILES_MAX policy files, with a line "%%%%" between each
 * two. What is asserted, beyond what the sanitizers see:
 *
 * - a file that is refused is refused in words, at a place that is in the file,
 *   and leaves everything as it was;
 * - every set of files that were taken compiles;
 * - the table's verdicts are those that the policies give when they are read
 *   one by one as the README tells it (decide_by_hand(), which shares no code
 *   with the daemon's decision).
 */
#define _GNU_SOURCE 1
#undef NDEBUG
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "names.h"
#include "policy-read.h"
#include "ruleset.h"
#include "util.h"

#define FILES_MAX 4
#define SEPARATOR "%%%%"

/*
 * --- what a decision is about -------------------------------------------------
 *
 * All that depends on the signature of the decision, and on the selectors there
 * are, is in these few lines.
 */

static struct kw_decision decide(const struct kw_ruleset *rs, unsigned int operation,
				 unsigned int state, const struct kw_subject *subject)
{
	struct kw_decision decision;

	kw_ruleset_explain(rs, operation, state, subject, &decision);
	return decision;
}

static bool fits(const char *pattern, const struct kw_path *path, const char *text, size_t len,
		 bool unknown)
{
	const char *star;
	size_t prefix, suffix;

	if (!pattern)
		return true;
	if (path->flags)
		return unknown;
	star = strchr(pattern, '*');
	prefix = star ? star - pattern : strlen(pattern);
	suffix = star ? strlen(star + 1) : 0;
	if (len < prefix + suffix || (!star && len != prefix))
		return false;
	return memcmp(text, pattern, prefix) == 0 &&
	       memcmp(text + len - suffix, pattern + prefix + (star ? 1 : 0), suffix) == 0;
}

/* Is the VM of the kind, as far as a side asks? One of unknown type is as unknown says. */
static bool is_kind(const struct kw_match *match, const struct kw_subject *subject, bool unknown)
{
	const uint32_t wants_protected = match->tests & KW_SELECT_PROTECTED_STATE;
	const uint32_t wants_private = match->tests & KW_SELECT_PRIVATE_MEMORY;
	const uint32_t wants_type = match->tests & KW_SELECT_TYPES;

	if (!wants_type && !wants_protected && !wants_private)
		return true;
	if (subject->type == KW_TYPE_UNKNOWN)
		return unknown;
	if (subject->type == KW_TYPE_NONE && (wants_protected || wants_private))
		return false;
	if (wants_type && !(match->types >> subject->type & 1))
		return false;
	if (wants_protected && (match->flags ^ subject->flags) & KW_VM_PROTECTED_STATE)
		return false;
	return !wants_private || !((match->flags ^ subject->flags) & KW_VM_PRIVATE_MEMORY);
}

static bool side_holds(const struct kw_match *match, const struct kw_match_text *text,
		       const struct kw_subject *subject, bool unknown)
{
	const struct kw_identity *who = subject->who;
	const struct kw_path *cgroup = &who->cgroup;

	return is_kind(match, subject, unknown) && (!text->user || match->uid == who->uid) &&
	       fits(text->exe, &who->exe, who->exe.text, who->exe.len, unknown) &&
	       fits(text->unit, cgroup, cgroup->text + who->unit_offset, who->unit_len, unknown) &&
	       fits(text->cgroup, cgroup, cgroup->text, cgroup->len, unknown);
}

static bool selects(const struct kw_policy *policy, const struct kw_subject *subject)
{
	return side_holds(&policy->selector.match, &policy->match, subject, true) &&
	       !(policy->selector.except.tests &&
		 side_holds(&policy->selector.except, &policy->except, subject, false));
}

/* --- who creates a VM ------------------------------------------------------- */

/* A name that a pattern is made for, or one that misses it narrowly. */
enum likeness {
	FITTING, /* something for the star */
	LONGER, /* a letter more than that at the end */
	SHORTER, /* what stands before the star, which the part behind it may look like */
};

static void set_path(struct kw_path *path, const char *start, const char *pattern,
		     enum likeness likeness)
{
	size_t prefix = strcspn(pattern, "*");
	const char *rest = pattern[prefix] && likeness != SHORTER ? pattern + prefix + 1 : "";

	snprintf(path->text, sizeof(path->text), "%s%.*s%s%s%s", start, (int)prefix, pattern,
		 *rest ? "x" : "", rest, likeness == LONGER ? "x" : "");
	path->len = strlen(path->text);
}

static struct kw_identity identity(uint32_t uid, const char *exe, const char *unit,
				   enum likeness likeness)
{
	struct kw_identity who = {.uid = uid, .unit_offset = 1};

	set_path(&who.exe, "", exe, likeness);
	set_path(&who.cgroup, "/", unit, likeness);
	who.unit_len = who.cgroup.len - who.unit_offset;
	return who;
}

static struct kw_identity nobody_knows(void)
{
	struct kw_identity who = identity(65534, "", "", FITTING);

	who.exe.flags = KW_PATH_UNKNOWN;
	who.cgroup.flags = KW_PATH_TRUNCATED;
	return who;
}

/* Somebody whom the patterns of the set are made for, more or less. */
static struct kw_identity like_the_set(const struct kw_policy_set *set, enum likeness likeness)
{
	const char *exe = "/bin/sh", *unit = "";
	uint32_t uid = 0;

	for (size_t i = set->count; i-- > 0;) {
		const struct kw_policy *policy = &set->policies[i];

		exe = policy->match.exe ?: policy->except.exe ?: exe;
		unit = policy->match.unit ?: policy->except.unit ?: unit;
		uid = policy->match.user    ? policy->selector.match.uid
		      : policy->except.user ? policy->selector.except.uid
					    : uid;
	}
	return identity(uid, exe, unit, likeness);
}

/* --- files ------------------------------------------------------------------ */

static size_t line_length(const char *text, size_t size)
{
	const char *end = memchr(text, '\n', size);

	return end ? (size_t)(end - text) : size;
}

static void check_place(const struct kw_diag *diag, const char *text, size_t size)
{
	size_t len = line_length(text, size), characters = 0;
	unsigned int line = 1;

	while (line < diag->line && len < size) {
		text += len + 1;
		size -= len + 1;
		len = line_length(text, size);
		line++;
	}
	/* A text ends in the line behind its last newline, at the latest. */
	assert(diag->line <= line + 1);
	if (diag->line != line) {
		assert(diag->column <= 1);
		return;
	}
	for (size_t i = 0; i < len; i++)
		characters += ((unsigned char)text[i] & 0xc0) != 0x80;
	assert(diag->column <= characters + 1);
	assert(diag->source);
	assert(strlen(diag->source) <= len);
	assert(memcmp(diag->source, text, strlen(diag->source)) == 0);
}

/* Nothing a terminal would obey may come out, whatever the file says. */
static void check_print(const struct kw_diag *diag)
{
	_cleanup_free_ char *printed = NULL;
	size_t size = 0, lines = 0;
	FILE *f = open_memstream(&printed, &size);

	assert(f);
	kw_diag_print(diag, f);
	assert(fclose(f) == 0);
	for (size_t i = 0; i < size; i++) {
		lines += printed[i] == '\n';
		assert(printed[i] == '\n' || !iscntrl((unsigned char)printed[i]));
	}
	/* The error, the source, the caret and the hint. */
	assert(lines == 1 + (diag->source ? 1u : 0) + (diag->source && diag->column ? 1u : 0) +
				(diag->hint ? 1u : 0));
}

static void check_refusal(const struct kw_diag *diag, const char *file, const char *text,
			  size_t size)
{
	assert(diag->message && *diag->message);
	assert(diag->file && kw_streq(diag->file, file));
	assert(diag->line || !diag->column);
	if (diag->line)
		check_place(diag, text, size);
	check_print(diag);
}

static void check_policy(const struct kw_policy *policy, const char *file)
{
	assert(policy->name && *policy->name);
	assert(kw_streq(policy->file, file));
	assert(policy->line && policy->rule_count && policy->rule_count <= KW_RULES_MAX);
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct kw_rule *rule = &policy->rules[i];

		assert(rule->line && rule->states && rule->verdict < _KW_VERDICT_MAX);
		assert((rule->verdict >= KW_DENY) == (rule->error != 0));
	}
}

static void add_file(struct kw_policy_set *set, unsigned int number, const uint8_t *data,
		     size_t size)
{
	_cleanup_(kw_diag_done) struct kw_diag diag = {};
	/* A block of its own, whose end the sanitizer guards. */
	_cleanup_free_ char *text = malloc(size ?: 1);
	const struct kw_policy untouched = {.line = 4711};
	struct kw_policy policy = untouched;
	char file[16];
	int r;

	assert(text);
	if (size)
		memcpy(text, data, size);
	snprintf(file, sizeof(file), "%u.yaml", number);
	r = kw_policy_parse(file, text, size, set, &policy, &diag);
	if (r < 0) {
		assert(r == -EINVAL);
		assert(memcmp(&policy, &untouched, sizeof(policy)) == 0);
		check_refusal(&diag, file, text, size);
		return;
	}
	assert(r == 0 && !diag.message);
	check_policy(&policy, file);
	for (size_t i = 0; i < set->count; i++)
		assert(!kw_streq(set->policies[i].name, policy.name));
	set->policies = reallocarray(set->policies, set->count + 1, sizeof(policy));
	assert(set->policies);
	set->policies[set->count++] = policy;
}

static const uint8_t *find_separator(const uint8_t *data, size_t size)
{
	const size_t len = strlen(SEPARATOR "\n");
	const uint8_t *at = data;

	while ((at = memmem(at, size - (at - data), SEPARATOR "\n", len))) {
		if (at == data || at[-1] == '\n')
			return at;
		at++;
	}
	return NULL;
}

static void add_files(struct kw_policy_set *set, const uint8_t *data, size_t size)
{
	const uint8_t *end = data;

	for (unsigned int i = 0; i < FILES_MAX && end; i++) {
		end = i < FILES_MAX - 1 ? find_separator(data, size) : NULL;
		add_file(set, i, data, end ? (size_t)(end - data) : size);
		if (!end)
			break;
		end += strlen(SEPARATOR "\n");
		size -= end - data;
		data = end;
	}
}

/* --- verdicts --------------------------------------------------------------- */

static unsigned int first_rule_by_hand(const struct kw_policy *policy, unsigned int operation,
				       unsigned int state)
{
	for (unsigned int i = 0; i < policy->rule_count; i++)
		if ((policy->rules[i].operations[operation / 8] >> (operation % 8) & 1) &&
		    (policy->rules[i].states >> state & 1))
			return i;
	return KW_NONE;
}

static struct kw_decision decide_by_hand(const struct kw_ruleset *rs, uint64_t selected,
					 unsigned int operation, unsigned int state)
{
	struct kw_decision best = {.policy = KW_NONE, .rule = KW_NONE};

	for (unsigned int i = 0; i < rs->set.count; i++) {
		const struct kw_policy *policy = &rs->set.policies[i];
		unsigned int rule = first_rule_by_hand(policy, operation, state);
		unsigned int says, verdict;

		if (!(selected >> i & 1) || rule == KW_NONE)
			continue;
		says = policy->rules[rule].verdict;
		verdict = policy->mode == KW_MODE_AUDIT && says > KW_AUDIT ? KW_AUDIT : says;
		if (verdict <= best.verdict)
			continue;
		best = (struct kw_decision){verdict, says, i, rule, 0};
		if (verdict >= KW_DENY)
			best.error = policy->rules[rule].error;
	}
	return best;
}

static void check_decision(const struct kw_ruleset *rs, const struct kw_decision *decision)
{
	assert(decision->verdict < _KW_VERDICT_MAX && decision->intended >= decision->verdict);
	if (decision->policy == KW_NONE) {
		assert(decision->verdict == KW_ALLOW && decision->rule == KW_NONE);
		return;
	}
	assert(kw_ruleset_policy(rs, decision->policy));
	assert(kw_ruleset_rule(rs, decision->policy, decision->rule));
}

/* Can the BPF programs find the operation by its number? */
static bool has_slot(const struct kw_table *table, uint32_t command)
{
	return table->slots[kw_slot_index(command, table->slot_multiplier)].command == command;
}

static void check_operation(const struct kw_ruleset *rs, const struct kw_subject *subject,
			    uint64_t selected, unsigned int operation)
{
	const struct kw_operation *op = kw_operation(operation);
	uint32_t command = op->family ? kw_operation(op->parent)->command : op->command;

	for (unsigned int state = 0; state < _KW_STATE_MAX; state++) {
		struct kw_decision told = decide(rs, operation, state, subject);
		struct kw_decision own = decide_by_hand(rs, selected, operation, state);

		check_decision(rs, &told);
		assert(told.verdict == own.verdict);
		assert(told.intended == own.intended);
		assert(told.policy == own.policy);
		assert(told.rule == own.rule);
		assert(told.error == own.error);
		assert(told.verdict != KW_DENY || kw_ruleset_denies(rs));
		assert(told.verdict == KW_ALLOW || !command || has_slot(rs->table, command));
	}
}

static void check_identity(const struct kw_ruleset *rs, const struct kw_identity *who)
{
	for (unsigned int type = 0; type < _KW_TYPE_MAX; type++) {
		const struct kw_subject subject = {type, kw_type_flags(type), who};
		uint64_t selected = 0;

		for (unsigned int i = 0; i < rs->set.count; i++)
			selected |= (uint64_t)selects(&rs->set.policies[i], &subject) << i;
		for (unsigned int i = 0; i < kw_operation_count(); i++)
			if (!kw_operation(i)->hidden)
				check_operation(rs, &subject, selected, i);
	}
}

static void check_set(struct kw_policy_set *set)
{
	_cleanup_(kw_diag_done) struct kw_diag diag = {};
	const struct kw_identity people[] = {
		identity(107, "/usr/bin/qemu-system-x86_64", "machine-qemu.scope", FITTING),
		nobody_knows(),
		like_the_set(set, FITTING),
		like_the_set(set, LONGER),
		like_the_set(set, SHORTER),
	};
	struct kw_ruleset *rs = NULL;
	const size_t count = set->count;

	/* What the reader of files takes, the compiler has no reason to refuse. */
	assert(kw_ruleset_compile(set, 1, &rs, &diag) == 0);
	assert(!diag.message && !set->policies && !set->count && rs->set.count == count);
	assert(has_slot(rs->table, KW_CMD_CANARY));
	for (size_t i = 0; i < KW_ARRAY_SIZE(people); i++)
		check_identity(rs, &people[i]);
	kw_ruleset_free(rs);
}

/* libFuzzer declares it nowhere. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(kw_policy_set_done) struct kw_policy_set set = {};

	add_files(&set, data, size);
	if (set.count)
		check_set(&set);
	return 0;
}
