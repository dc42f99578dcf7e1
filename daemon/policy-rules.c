/* SPDX-License-Identifier: GPL-2.0-only */
/* The language of policy files: the rules. */
#define _GNU_SOURCE 1
#include "policy-rules.h"

#include <errno.h>
#include <string.h>

#include "names.h"
#include "util.h"

#define STATES_ANY ((1u << _KW_STATE_MAX) - 1)

/* A rule and where its parts stand, as some faults show only when all is read. */
struct rule_reader {
	struct kw_rule rule;
	struct kw_yaml_mark start;
	struct kw_yaml_mark state;
	struct kw_yaml_mark error;
	struct kw_yaml_mark limit;
	struct kw_yaml_mark not_refusable;
	const char *not_refusable_name; /* the first such operation, or NULL */
};

/* Adds an operation and, as the ioctl it is, those that share it. */
static void add_operation(struct kw_yaml *yaml, struct rule_reader *reader, unsigned int index)
{
	const struct kw_operation *operation = kw_operation(index), *other;

	reader->rule.operations[index / 8] |= 1u << (index % 8);
	for (unsigned int i = 0; operation->command && (other = kw_operation(i)); i++)
		if (other->parent == index && other->family && !other->hidden)
			reader->rule.operations[i / 8] |= 1u << (i % 8);
	if (operation->refusable || reader->not_refusable_name)
		return;
	reader->not_refusable_name = operation->name;
	reader->not_refusable = kw_yaml_mark(yaml);
}

static int read_operation(struct kw_yaml *yaml, const char *text, void *target)
{
	struct rule_reader *reader = target;
	const struct kw_group *group;
	int index;

	if (text[0] == '@') {
		group = kw_group_from_name(text);
		for (size_t i = 0; group && i < group->count; i++)
			add_operation(yaml, reader, group->operations[i]);
		if (group)
			return 0;
	} else {
		index = kw_operation_from_name(text);
		if (index >= 0) {
			add_operation(yaml, reader, index);
			reader->rule.named[index / 8] |= 1u << (index % 8);
			return 0;
		}
	}
	kw_yaml_suggest(yaml, text, kw_operation_list);
	return kw_yaml_error(yaml, kw_yaml_mark(yaml), "unknown %s '%s'",
			     text[0] == '@' ? "group" : "operation", text);
}

static int read_operations(struct kw_yaml *yaml, void *target)
{
	return kw_yaml_scalars(yaml, "operations", read_operation, target);
}

static const char *state_list(unsigned int index)
{
	return index == _KW_STATE_MAX ? "any" : kw_state_list(index);
}

static int read_state(struct kw_yaml *yaml, void *target)
{
	struct rule_reader *reader = target;
	const char *text;
	int r, state;

	r = kw_yaml_scalar(yaml, "state", &text);
	if (r < 0)
		return r;
	if (kw_streq(text, "any"))
		return 0;
	state = kw_state_from_name(text);
	if (state < 0) {
		kw_yaml_suggest(yaml, text, state_list);
		return kw_yaml_error(yaml, kw_yaml_mark(yaml),
				     "unknown state '%s': building, sealed or any", text);
	}
	reader->rule.states = 1u << state;
	reader->state = kw_yaml_mark(yaml);
	return 0;
}

static int read_verdict(struct kw_yaml *yaml, void *target)
{
	struct rule_reader *reader = target;
	const char *text;
	int r, verdict;

	r = kw_yaml_scalar(yaml, "verdict", &text);
	if (r < 0)
		return r;
	verdict = kw_verdict_from_name(text);
	if (verdict < 0) {
		kw_yaml_suggest(yaml, text, kw_verdict_list);
		return kw_yaml_error(yaml, kw_yaml_mark(yaml),
				     "unknown verdict '%s': allow, audit, deny or kill", text);
	}
	reader->rule.verdict = verdict;
	return 0;
}

/* A name or a number; *ret is the errno, 0 when there is no such one. */
static int parse_errno(const char *text, uint32_t *ret)
{
	int error = kw_errno_from_name(text);
	int r;

	if (error > 0) {
		*ret = error;
		return 0;
	}
	r = kw_parse_u32(text, UINT8_MAX, ret);
	if (r < 0)
		return r;
	return kw_errno_name(*ret) ? 0 : -ERANGE;
}

/* The errnos of ioctl(2) that its callers look for; enough to correct a slip. */
static const char *errno_list(unsigned int index)
{
	static const int likely[] = {EPERM,  EACCES, EINVAL, ENOTTY, EBUSY,	 ENODEV, ENXIO,
				     ENOSYS, EIO,    EFAULT, EAGAIN, EOPNOTSUPP, ENOMEM, ENOENT};

	return index < KW_ARRAY_SIZE(likely) ? kw_errno_name(likely[index]) : NULL;
}

static int read_errno(struct kw_yaml *yaml, void *target)
{
	struct rule_reader *reader = target;
	const char *text;
	uint32_t error;
	int r;

	r = kw_yaml_scalar(yaml, "errno", &text);
	if (r < 0)
		return r;
	r = parse_errno(text, &error);
	if (r == -ERANGE)
		return kw_yaml_error(yaml, kw_yaml_mark(yaml), "errno '%s' is out of range", text);
	if (r < 0) {
		kw_yaml_suggest(yaml, text, errno_list);
		return kw_yaml_error(yaml, kw_yaml_mark(yaml), "unknown errno '%s'", text);
	}
	_Static_assert(sizeof(reader->rule.error) == 1, "UINT8_MAX in parse_errno()");
	reader->rule.error = error;
	reader->error = kw_yaml_mark(yaml);
	return 0;
}

/* "100/s": events, and the length of the time they are counted in. */
static int parse_rate(const char *text, struct kw_rule *rule)
{
	static const struct {
		const char *name;
		uint16_t seconds;
	} units[] = {{"s", 1}, {"min", 60}, {"h", 3600}};
	const char *slash = strchr(text, '/');
	char number[sizeof("65535")];
	uint32_t events;

	if (!slash || (size_t)(slash - text) >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, slash - text);
	number[slash - text] = '\0';
	if (kw_parse_u32(number, UINT16_MAX, &events) < 0 || events == 0)
		return -EINVAL;
	for (size_t i = 0; i < KW_ARRAY_SIZE(units); i++) {
		if (!kw_streq(slash + 1, units[i].name))
			continue;
		rule->limit_events = events;
		rule->limit_seconds = units[i].seconds;
		return 0;
	}
	return -EINVAL;
}

static int read_rate_limit(struct kw_yaml *yaml, void *target)
{
	struct rule_reader *reader = target;
	const char *text;
	int r;

	r = kw_yaml_scalar(yaml, "rate-limit", &text);
	if (r < 0)
		return r;
	reader->limit = kw_yaml_mark(yaml);
	if (kw_streq(text, "none") || parse_rate(text, &reader->rule) == 0)
		return 0;
	kw_diag_hint(yaml->diag, "such as 10/s, 100/min or 1000/h, at most %d; or none",
		     UINT16_MAX);
	return kw_yaml_error(yaml, reader->limit, "'%s' is no rate", text);
}

/* A sealed VM is named, but only ioctls on /dev/kvm, where there is no VM yet. */
static bool is_too_early(const struct kw_rule *rule)
{
	const struct kw_operation *operation;

	if (rule->states != 1u << KW_STATE_SEALED)
		return false;
	for (unsigned int i = 0; (operation = kw_operation(i)); i++)
		if (kw_rule_names(rule, i) && operation->scopes != 1u << KW_SCOPE_SYSTEM)
			return false;
	return true;
}

/* The faults of a rule that is complete. */
static int check_rule(struct kw_yaml *yaml, const struct rule_reader *reader)
{
	if (is_too_early(&reader->rule))
		return kw_yaml_error(yaml, reader->state,
				     "this rule never applies: its operations are issued on "
				     "/dev/kvm, where nothing is sealed");
	if (reader->rule.verdict == KW_ALLOW && reader->limit.line)
		return kw_yaml_error(yaml, reader->limit,
				     "what is allowed makes no events that could be limited");
	if (reader->rule.verdict < KW_DENY) {
		if (!reader->error.line)
			return 0;
		return kw_yaml_error(yaml, reader->error,
				     "errno needs the verdict deny or kill, not %s",
				     kw_verdict_name(reader->rule.verdict));
	}
	if (!reader->not_refusable_name)
		return 0;
	kw_diag_hint(yaml->diag, "use allow or audit, or leave %s out", reader->not_refusable_name);
	return kw_yaml_error(yaml, reader->not_refusable,
			     "%s cannot be refused: it is reported after the fact",
			     reader->not_refusable_name);
}

/* Does one of the rule's operations and states lie outside of decided? Adds them to it. */
static bool decide_more(const struct kw_rule *rule, struct kw_policy_reader *reader)
{
	uint8_t *decided;
	bool more = false;

	for (unsigned int state = 0; state < _KW_STATE_MAX; state++) {
		decided = reader->decided[state];
		if (!(rule->states & (1u << state)))
			continue;
		for (size_t i = 0; i < sizeof(rule->operations); i++) {
			more |= (rule->operations[i] & ~decided[i]) != 0;
			decided[i] |= rule->operations[i];
		}
	}
	return more;
}

static bool overlap(const struct kw_rule *a, const struct kw_rule *b)
{
	if (!(a->states & b->states))
		return false;
	for (size_t i = 0; i < sizeof(a->operations); i++)
		if (a->operations[i] & b->operations[i])
			return true;
	return false;
}

/*
 * A rule whose operations and states are all decided by earlier rules never
 * applies. It is an error, as its author believes in what it says.
 */
static int check_reachable(struct kw_yaml *yaml, struct kw_policy_reader *reader,
			   const struct rule_reader *rule)
{
	const struct kw_policy *policy = reader->policy;
	size_t i = 0;

	if (decide_more(&rule->rule, reader))
		return 0;
	while (!overlap(&policy->rules[i], &rule->rule))
		i++;
	kw_diag_hint(yaml->diag, "the first rule that matches decides: put the narrower one first");
	return kw_yaml_error(yaml, rule->start,
			     "this rule never applies: earlier ones, the first in line %u, cover "
			     "all its operations and states",
			     policy->rules[i].line);
}

/* Every rule decides something no earlier one does, which bounds their number. */
_Static_assert(KW_OPERATIONS_MAX *_KW_STATE_MAX <= KW_RULES_MAX, "a policy may have more rules");

static int append_rule(struct kw_policy_reader *reader, const struct kw_rule *rule)
{
	struct kw_policy *policy = reader->policy;
	struct kw_rule *rules;
	size_t size;

	if (policy->rule_count >= reader->rules_size) {
		size = reader->rules_size ? 2 * reader->rules_size : 8;
		rules = reallocarray(policy->rules, size, sizeof(*rules));
		if (!rules)
			return -ENOMEM;
		policy->rules = rules;
		reader->rules_size = size;
	}
	policy->rules[policy->rule_count++] = *rule;
	return 0;
}

int kw_policy_read_rule(struct kw_yaml *yaml, void *target)
{
	static const struct kw_yaml_key keys[] = {
		{"operations", true, read_operations},	{"state", false, read_state},
		{"verdict", true, read_verdict},	{"errno", false, read_errno},
		{"rate-limit", false, read_rate_limit},
	};
	struct kw_policy_reader *reader = target;
	struct rule_reader rule = {.rule.states = STATES_ANY, .start = kw_yaml_mark(yaml)};
	int r;

	rule.rule.line = rule.start.line;
	r = kw_yaml_mapping(yaml, "rule", keys, KW_ARRAY_SIZE(keys), &rule);
	if (r < 0)
		return r;
	r = check_rule(yaml, &rule);
	if (r < 0)
		return r;
	if (rule.rule.verdict >= KW_DENY && !rule.rule.error)
		rule.rule.error = EPERM;
	if (rule.rule.verdict > KW_ALLOW && !rule.limit.line) {
		rule.rule.limit_events = KW_LIMIT_EVENTS;
		rule.rule.limit_seconds = KW_LIMIT_SECONDS;
	}
	r = check_reachable(yaml, reader, &rule);
	if (r < 0)
		return r;
	return append_rule(reader, &rule.rule);
}
