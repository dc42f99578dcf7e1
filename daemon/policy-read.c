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

static const char *mode_list(unsigned int index)
{
	return index == 0 ? "enforce" : index == 1 ? "audit" : NULL;
}

static int read_mode(struct kw_yaml *yaml, void *target)
{
	struct kw_policy_reader *reader = target;
	const char *text;
	int r;

	r = kw_yaml_scalar(yaml, "mode", &text);
	if (r < 0)
		return r;
	if (kw_streq(text, "enforce")) {
		reader->policy->mode = KW_MODE_ENFORCE;
		return 0;
	}
	if (kw_streq(text, "audit")) {
		reader->policy->mode = KW_MODE_AUDIT;
		return 0;
	}
	kw_yaml_suggest(yaml, text, mode_list);
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
	*ret = policy;
	return 0;
}
