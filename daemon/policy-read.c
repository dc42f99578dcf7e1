/* SPDX-License-Identifier: GPL-2.0-only */
/* The language of policy files: the header of a policy and its selector. */
#define _GNU_SOURCE 1
#include "policy-read.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>

#include "names.h"
#include "policy-rules.h"
#include "util.h"

#define NAME_MAX_LEN 64
#define DESCRIPTION_MAX 1024
/* getpwnam_r() wants a buffer; entries larger than this are no users of a VMM. */
#define PASSWD_BUFFER 16384

void kw_policy_done(struct kw_policy *policy)
{
	free(policy->name);
	free(policy->description);
	free(policy->file);
	free(policy->exe);
	free(policy->unit);
	free(policy->user);
	free(policy->rules);
	*policy = (struct kw_policy){};
}

static int store(char **ret, const char *text)
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
	return store(&reader->policy->name, text);
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
	return store(&reader->policy->description, text);
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

static int read_type(struct kw_yaml *yaml, const char *text, void *target)
{
	struct kw_policy_reader *reader = target;
	int type = kw_type_from_name(text);

	/* An unknown type is matched by every policy; none can ask for it. */
	if (type < 0 || type >= KW_TYPE_UNKNOWN) {
		kw_yaml_suggest(yaml, text, kw_type_list);
		return kw_yaml_error(yaml, kw_yaml_mark(yaml), "unknown VM type '%s'", text);
	}
	reader->policy->selector.types |= 1u << type;
	return 0;
}

static int read_types(struct kw_yaml *yaml, void *target)
{
	struct kw_policy_reader *reader = target;

	reader->policy->selector.types = 0;
	return kw_yaml_scalars(yaml, "vm-types", read_type, reader);
}

static int read_glob(struct kw_yaml *yaml, const char *noun, struct kw_glob *glob, char **ret)
{
	struct kw_yaml_mark at = kw_yaml_mark(yaml);
	const char *text, *star;
	size_t len;
	int r;

	r = kw_yaml_scalar(yaml, noun, &text);
	if (r < 0)
		return r;
	star = strchr(text, '*');
	len = strlen(text) - (star ? 1 : 0);
	if (star && strchr(star + 1, '*'))
		return kw_yaml_error(yaml, at, "the pattern '%s' has more than one '*'", text);
	if (len >= KW_PATH_MAX)
		return kw_yaml_error(yaml, at, "the pattern is longer than %d bytes",
				     KW_PATH_MAX - 1);
	*glob = (struct kw_glob){.star = star != NULL};
	glob->prefix_len = star ? star - text : (ptrdiff_t)len;
	glob->suffix_len = len - glob->prefix_len;
	memcpy(glob->text, text, glob->prefix_len);
	if (star)
		memcpy(glob->text + glob->prefix_len, star + 1, glob->suffix_len);
	return store(ret, text);
}

static int read_exe(struct kw_yaml *yaml, void *target)
{
	struct kw_policy *policy = ((struct kw_policy_reader *)target)->policy;
	int r;

	r = read_glob(yaml, "exe", &policy->selector.exe, &policy->exe);
	if (r < 0)
		return r;
	if (policy->exe[0] != '/' && policy->exe[0] != '*')
		return kw_yaml_error(yaml, kw_yaml_mark(yaml),
				     "'%s' matches no executable: their paths begin with '/'",
				     policy->exe);
	policy->selector.tests |= KW_SELECT_EXE;
	return 0;
}

static int read_unit(struct kw_yaml *yaml, void *target)
{
	struct kw_policy *policy = ((struct kw_policy_reader *)target)->policy;
	int r;

	r = read_glob(yaml, "unit", &policy->selector.unit, &policy->unit);
	if (r < 0)
		return r;
	if (strchr(policy->unit, '/'))
		return kw_yaml_error(yaml, kw_yaml_mark(yaml),
				     "'%s' matches no unit: their names have no '/'", policy->unit);
	policy->selector.tests |= KW_SELECT_UNIT;
	return 0;
}

int kw_policy_user(const char *text, uint32_t *ret)
{
	_cleanup_free_ char *buffer = NULL;
	struct passwd entry, *found = NULL;

	/* The highest uid means "none". */
	if (kw_parse_u32(text, UINT32_MAX - 1, ret) == 0)
		return 0;
	buffer = malloc(PASSWD_BUFFER);
	if (!buffer)
		return -ENOMEM;
	if (getpwnam_r(text, &entry, buffer, PASSWD_BUFFER, &found) || !found)
		return -ESRCH;
	*ret = entry.pw_uid;
	return 0;
}

static int read_user(struct kw_yaml *yaml, void *target)
{
	struct kw_policy *policy = ((struct kw_policy_reader *)target)->policy;
	const char *text;
	int r;

	r = kw_yaml_scalar(yaml, "user", &text);
	if (r < 0)
		return r;
	r = kw_policy_user(text, &policy->selector.uid);
	if (r == -ESRCH)
		return kw_yaml_error(yaml, kw_yaml_mark(yaml), "unknown user '%s'", text);
	if (r < 0)
		return r;
	policy->selector.tests |= KW_SELECT_USER;
	return store(&policy->user, text);
}

static int read_match(struct kw_yaml *yaml, void *target)
{
	static const struct kw_yaml_key keys[] = {
		{"vm-types", false, read_types},
		{"exe", false, read_exe},
		{"unit", false, read_unit},
		{"user", false, read_user},
	};

	return kw_yaml_mapping(yaml, "match", keys, KW_ARRAY_SIZE(keys), target);
}

static int read_rules(struct kw_yaml *yaml, void *target)
{
	return kw_yaml_sequence(yaml, "rules", kw_policy_read_rule, target);
}

int kw_policy_parse(const char *file, const char *text, size_t size,
		    const struct kw_policy_set *set, struct kw_policy *ret, struct kw_diag *reterr)
{
	static const struct kw_yaml_key keys[] = {
		{"policy", true, read_name}, {"description", false, read_description},
		{"mode", false, read_mode},  {"match", false, read_match},
		{"rules", true, read_rules},
	};
	struct kw_policy policy = {.mode = KW_MODE_ENFORCE, .selector.types = UINT32_MAX};
	struct kw_policy_reader reader = {.policy = &policy, .set = set};
	int r;

	r = store(&policy.file, file);
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
