/* SPDX-License-Identifier: GPL-2.0-only */
/* The language of policy files: the header of a policy. */
#define _GNU_SOURCE 1
#include "policy-read.h"

#include <errno.h>
#include <string.h>

#include "names.h"
#include "policy-match.h"
#include "policy-rules.h"
#include "util.h"

#define NAME_MAX_LEN 64
#define DESCRIPTION_MAX 1024

static void match_text_done(struct kw_match_text *text)
{
	free(text->exe);
	free(text->unit);
	free(text->cgroup);
	free(text->user);
}

void kw_policy_done(struct kw_policy *policy)
{
	free(policy->name);
	free(policy->description);
	free(policy->file);
	match_text_done(&policy->match);
	match_text_done(&policy->except);
	free(policy->rules);
	*policy = (struct kw_policy){};
}

int kw_policy_store(char **ret, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*ret);
	*ret = copy;
	return 0;
}

static int copy_text(char **ret, const char *text)
{
	return text ? kw_policy_store(ret, text) : 0;
}

static int copy_match_text(struct kw_match_text *ret, const struct kw_match_text *text)
{
	int r;

	r = copy_text(&ret->exe, text->exe);
	if (r == 0)
		r = copy_text(&ret->unit, text->unit);
	if (r == 0)
		r = copy_text(&ret->cgroup, text->cgroup);
	if (r == 0)
		r = copy_text(&ret->user, text->user);
	return r;
}

static int copy_parts(struct kw_policy *ret, const struct kw_policy *policy)
{
	int r;

	r = copy_text(&ret->name, policy->name);
	if (r == 0)
		r = copy_text(&ret->description, policy->description);
	if (r == 0)
		r = copy_text(&ret->file, policy->file);
	if (r == 0)
		r = copy_match_text(&ret->match, &policy->match);
	if (r == 0)
		r = copy_match_text(&ret->except, &policy->except);
	if (r < 0)
		return r;
	ret->rules = calloc(policy->rule_count, sizeof(*ret->rules));
	if (!ret->rules)
		return -ENOMEM;
	memcpy(ret->rules, policy->rules, policy->rule_count * sizeof(*ret->rules));
	return 0;
}

int kw_policy_copy(const struct kw_policy *policy, struct kw_policy *ret)
{
	struct kw_policy copy = {
		.line = policy->line,
		.mode = policy->mode,
		.file_mode = policy->file_mode,
		.selector = policy->selector,
		.rule_count = policy->rule_count,
	};
	int r;

	r = copy_parts(&copy, policy);
	if (r < 0) {
		kw_policy_done(&copy);
		return r;
	}
	*ret = copy;
	return 0;
}

static bool is_name(const char *text)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t len = strspn(text, alphabet);

	return !text[len] && text[0] != '-' && len <= NAME_MAX_LEN;
}

static int read_name(struct kw_yaml *yaml, void *target)
{
	struct kw_policy_reader *reader = target;
	const struct kw_policy_set *set = reader->set;
	const char *text;
	int r;

	r = kw_yaml_scalar(yaml, "policy", &text);
	if (r < 0)
		return r;
	if (!is_name(text))
		return kw_yaml_error(yaml, kw_yaml_mark(yaml),
				     "'%s' is no name for a policy: lower-case letters, digits and "
				     "dashes, at most %d",
				     text, NAME_MAX_LEN);
	for (size_t i = 0; i < set->count; i++)
		if (kw_streq(set->policies[i].name, text))
			return kw_yaml_error(yaml, kw_yaml_mark(yaml),
					     "a policy '%s' is defined already, in %s:%u", text,
					     set->policies[i].file, set->policies[i].line);
	reader->policy->line = kw_yaml_mark(yaml).line;
	return kw_policy_store(&reader->policy->name, text);
}

static int read_description(struct kw_yaml *yaml, void *target)
{
	struct kw_policy_reader *reader = target;
	const char *text;
	int r;

	r = kw_yaml_scalar(yaml, "description", &text);
	if (r < 0)
		return r;
	if (strlen(text) > DESCRIPTION_MAX)
		return kw_yaml_error(yaml, kw_yaml_mark(yaml),
				     "the description is longer than %d bytes", DESCRIPTION_MAX);
	return kw_policy_store(&reader->policy->description, text);
}

static int read_mode(struct kw_yaml *yaml, void *target)
{
	struct kw_policy_reader *reader = target;
	const char *text;
	int r, mode;

	r = kw_yaml_scalar(yaml, "mode", &text);
	if (r < 0)
		return r;
	mode = kw_mode_from_name(text);
	if (mode >= 0) {
		reader->policy->mode = mode;
		return 0;
	}
	kw_yaml_suggest(yaml, text, kw_mode_list);
	return kw_yaml_error(yaml, kw_yaml_mark(yaml), "unknown mode '%s': enforce or audit", text);
}

static int read_rules(struct kw_yaml *yaml, void *target)
{
	return kw_yaml_sequence(yaml, "rules", kw_policy_read_rule, target);
}

int kw_policy_parse(const char *file, const char *text, size_t size,
		    const struct kw_policy_set *set, struct kw_policy *ret, struct kw_diag *reterr)
{
	static const struct kw_yaml_key keys[] = {
		{"policy", true, read_name},
		{"description", false, read_description},
		{"mode", false, read_mode},
		{"match", false, kw_policy_read_match},
		{"except", false, kw_policy_read_except},
		{"rules", true, read_rules},
	};
	struct kw_policy policy = {.mode = KW_MODE_ENFORCE};
	struct kw_policy_reader reader = {.policy = &policy, .set = set};
	int r;

	r = kw_policy_store(&policy.file, file);
	if (r == 0)
		r = kw_yaml_read(file, text, size, "policy", keys, KW_ARRAY_SIZE(keys), &reader,
				 reterr);
	if (r < 0) {
		kw_policy_done(&policy);
		return r;
	}
	policy.file_mode = policy.mode;
	*ret = policy;
	return 0;
}
