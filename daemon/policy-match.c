/* SPDX-License-Identifier: GPL-2.0-only */
/* The language of policy files: which VMs a policy is about. */
#define _GNU_SOURCE 1
#include "policy-match.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>

#include "decide.h"
#include "names.h"
#include "policy-read.h"
#include "policy-rules.h"
#include "util.h"

/* One side of the selector, and where the tests of the VM's kind stand. */
struct match_reader {
	struct kw_match *match;
	struct kw_match_text *text;
	struct kw_yaml_mark kind; /* the last of vm-types, protected-state, private-memory */
	struct kw_yaml_mark user;
};

static int read_type(struct kw_yaml *yaml, const char *text, void *target)
{
	struct match_reader *reader = target;
	int type = kw_type_from_name(text);

	/* An unknown type is matched by every policy; none can ask for it. */
	if (type < 0 || type >= KW_TYPE_UNKNOWN) {
		kw_yaml_suggest(yaml, text, kw_type_list);
		return kw_yaml_error(yaml, kw_yaml_mark(yaml), "unknown VM type '%s'", text);
	}
	reader->match->types |= 1u << type;
	return 0;
}

static int read_types(struct kw_yaml *yaml, void *target)
{
	struct match_reader *reader = target;

	reader->match->tests |= KW_SELECT_TYPES;
	reader->kind = kw_yaml_mark(yaml);
	return kw_yaml_scalars(yaml, "vm-types", read_type, reader);
}

static const char *truth_list(unsigned int index)
{
	return index == 0 ? "true" : index == 1 ? "false" : NULL;
}

static int read_truth(struct kw_yaml *yaml, const char *noun, struct match_reader *reader,
		      uint32_t test, uint32_t flag)
{
	const char *text;
	int r;

	r = kw_yaml_scalar(yaml, noun, &text);
	if (r < 0)
		return r;
	if (!kw_streq(text, "true") && !kw_streq(text, "false")) {
		kw_yaml_suggest(yaml, text, truth_list);
		return kw_yaml_error(yaml, kw_yaml_mark(yaml), "%s is true or false, not '%s'",
				     noun, text);
	}
	reader->match->tests |= test;
	if (kw_streq(text, "true"))
		reader->match->flags |= flag;
	reader->kind = kw_yaml_mark(yaml);
	return 0;
}

static int read_protected_state(struct kw_yaml *yaml, void *target)
{
	return read_truth(yaml, "protected-state", target, KW_SELECT_PROTECTED_STATE,
			  KW_VM_PROTECTED_STATE);
}

static int read_private_memory(struct kw_yaml *yaml, void *target)
{
	return read_truth(yaml, "private-memory", target, KW_SELECT_PRIVATE_MEMORY,
			  KW_VM_PRIVATE_MEMORY);
}

int kw_policy_glob(const char *text, struct kw_glob *ret)
{
	const char *star = strchr(text, '*');
	size_t len = strlen(text) - (star ? 1 : 0);

	if (star && strchr(star + 1, '*'))
		return -EINVAL;
	if (len >= KW_PATH_MAX)
		return -ENAMETOOLONG;
	*ret = (struct kw_glob){.star = star != NULL};
	ret->prefix_len = star ? star - text : (ptrdiff_t)len;
	ret->suffix_len = len - ret->prefix_len;
	memcpy(ret->text, text, ret->prefix_len);
	if (star)
		memcpy(ret->text + ret->prefix_len, star + 1, ret->suffix_len);
	return 0;
}

static int read_glob(struct kw_yaml *yaml, const char *noun, struct kw_glob *glob, char **ret)
{
	struct kw_yaml_mark at = kw_yaml_mark(yaml);
	const char *text;
	int r;

	r = kw_yaml_scalar(yaml, noun, &text);
	if (r < 0)
		return r;
	r = kw_policy_glob(text, glob);
	if (r == -EINVAL)
		return kw_yaml_error(yaml, at, "the pattern '%s' has more than one '*'", text);
	if (r < 0)
		return kw_yaml_error(yaml, at, "the pattern is longer than %d bytes",
				     KW_PATH_MAX - 1);
	return kw_policy_store(ret, text);
}

/* A pattern for a path: as all of these are absolute, others match nothing. */
static int read_path_glob(struct kw_yaml *yaml, const char *noun, const char *things,
			  struct kw_glob *glob, char **ret)
{
	int r;

	r = read_glob(yaml, noun, glob, ret);
	if (r < 0 || (*ret)[0] == '/' || (*ret)[0] == '*')
		return r;
	return kw_yaml_error(yaml, kw_yaml_mark(yaml),
			     "'%s' matches no %s: their paths begin with '/'", *ret, things);
}

static int read_exe(struct kw_yaml *yaml, void *target)
{
	struct match_reader *reader = target;

	reader->match->tests |= KW_SELECT_EXE;
	return read_path_glob(yaml, "exe", "executable", &reader->match->exe, &reader->text->exe);
}

static int read_cgroup(struct kw_yaml *yaml, void *target)
{
	struct match_reader *reader = target;

	reader->match->tests |= KW_SELECT_CGROUP;
	return read_path_glob(yaml, "cgroup", "control group", &reader->match->cgroup,
			      &reader->text->cgroup);
}

static int read_unit(struct kw_yaml *yaml, void *target)
{
	struct match_reader *reader = target;
	int r;

	r = read_glob(yaml, "unit", &reader->match->unit, &reader->text->unit);
	if (r < 0)
		return r;
	if (strchr(reader->text->unit, '/'))
		return kw_yaml_error(yaml, kw_yaml_mark(yaml),
				     "'%s' matches no unit: their names have no '/'",
				     reader->text->unit);
	reader->match->tests |= KW_SELECT_UNIT;
	return 0;
}

int kw_policy_user(const char *text, uint32_t *ret)
{
	_cleanup_fclose_ FILE *file = NULL;
	const struct passwd *entry = NULL;

	/* The highest uid means "none". */
	if (kw_parse_u32(text, UINT32_MAX - 1, ret) == 0)
		return 0;
	/*
	 * The file alone, which has all users of the system. getpwnam() would load modules, which a
	 * daemon that gave up what it does not need cannot, and could wait for a network.
	 */
	file = fopen("/etc/passwd", "re");
	if (!file)
		return -errno;
	errno = 0;
	while ((entry = fgetpwent(file)) && !kw_streq(entry->pw_name, text))
		;
	if (!entry)
		return errno == ENOMEM ? -ENOMEM : -ESRCH;
	*ret = entry->pw_uid;
	return 0;
}

/* Stores what "user" or "uid" says; only one of them may. */
static int store_user(struct kw_yaml *yaml, struct match_reader *reader, const char *text)
{
	if (reader->user.line)
		return kw_yaml_error(yaml, kw_yaml_mark(yaml),
				     "user and uid say the same; one of them, please");
	reader->user = kw_yaml_mark(yaml);
	reader->match->tests |= KW_SELECT_USER;
	return kw_policy_store(&reader->text->user, text);
}

static int read_user(struct kw_yaml *yaml, void *target)
{
	struct match_reader *reader = target;
	const char *text;
	int r;

	r = kw_yaml_scalar(yaml, "user", &text);
	if (r < 0)
		return r;
	r = kw_policy_user(text, &reader->match->uid);
	if (r == -ESRCH)
		return kw_yaml_error(yaml, kw_yaml_mark(yaml), "/etc/passwd has no user '%s'",
				     text);
	if (r < 0 && r != -ENOMEM)
		return kw_yaml_error(yaml, kw_yaml_mark(yaml),
				     "user '%s' cannot be looked up in /etc/passwd: %s", text,
				     strerror(-r));
	if (r < 0)
		return r;
	return store_user(yaml, reader, text);
}

static int read_uid(struct kw_yaml *yaml, void *target)
{
	struct match_reader *reader = target;
	const char *text;
	int r;

	r = kw_yaml_scalar(yaml, "uid", &text);
	if (r < 0)
		return r;
	if (kw_parse_u32(text, UINT32_MAX - 1, &reader->match->uid) < 0)
		return kw_yaml_error(yaml, kw_yaml_mark(yaml), "'%s' is no uid", text);
	return store_user(yaml, reader, text);
}

/* Is there a VM type all tests of the kind hold for? */
static bool is_possible(const struct kw_match *match)
{
	for (uint32_t type = 0; type < KW_TYPE_UNKNOWN; type++)
		if (kw_kind_holds(match, type, kw_type_flags(type), 0))
			return true;
	return false;
}

static int read_side(struct kw_yaml *yaml, const char *noun, struct match_reader *reader)
{
	static const struct kw_yaml_key keys[] = {
		{"vm-types", false, read_types},
		{"protected-state", false, read_protected_state},
		{"private-memory", false, read_private_memory},
		{"exe", false, read_exe},
		{"unit", false, read_unit},
		{"cgroup", false, read_cgroup},
		{"user", false, read_user},
		{"uid", false, read_uid},
	};
	int r;

	r = kw_yaml_mapping(yaml, noun, keys, KW_ARRAY_SIZE(keys), reader);
	if (r < 0 || is_possible(reader->match))
		return r;
	return kw_yaml_error(yaml, reader->kind,
			     "there is no VM type all of this holds for: nothing matches");
}

int kw_policy_read_match(struct kw_yaml *yaml, void *target)
{
	struct kw_policy *policy = ((struct kw_policy_reader *)target)->policy;
	struct match_reader reader = {.match = &policy->selector.match, .text = &policy->match};

	return read_side(yaml, "match", &reader);
}

int kw_policy_read_except(struct kw_yaml *yaml, void *target)
{
	struct kw_policy *policy = ((struct kw_policy_reader *)target)->policy;
	struct match_reader reader = {.match = &policy->selector.except, .text = &policy->except};
	struct kw_yaml_mark start = kw_yaml_mark(yaml);
	int r;

	r = read_side(yaml, "exception", &reader);
	if (r < 0 || policy->selector.except.tests)
		return r;
	return kw_yaml_error(yaml, start, "this excepts every VM: name some");
}
