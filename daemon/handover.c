/* SPDX-License-Identifier: GPL-2.0-only */
/* What a daemon leaves to the next one of the same boot: a file beside the socket. */
#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>

#include "names.h"
#include "util.h"

#define STATE_VERSION 1

KW_DEFINE_CLEANUP(json_t, json_decref)
KW_DEFINE_CLEANUP(struct kw_ruleset, kw_ruleset_free)

void kw_granted_done(struct kw_granted *granted)
{
	free(granted->operation);
	free(granted->reason);
	*granted = (struct kw_granted){};
}

void kw_handover_done(struct kw_handover *state)
{
	for (size_t i = 0; i < KW_GENERATIONS_KEPT; i++)
		kw_ruleset_free(state->generations[i]);
	while (state->override_count)
		free(state->overrides[--state->override_count].policy);
	while (state->granted_count)
		kw_granted_done(&state->granted[--state->granted_count]);
	*state = (struct kw_handover){};
}

/* --- writing ---------------------------------------------------------------- */

static void render_policy(struct kw_json *json, const struct kw_policy *policy)
{
	kw_json_open_object(json);
	kw_json_member_string(json, "name", policy->name);
	kw_json_member_string(json, "file", policy->file);
	kw_json_member_unsigned(json, "line", policy->line);
	kw_json_key(json, "rules");
	kw_json_open_array(json);
	for (size_t i = 0; i < policy->rule_count; i++)
		kw_json_unsigned(json, policy->rules[i].line);
	kw_json_close_array(json);
	kw_json_close_object(json);
}

static void render_generation(struct kw_json *json, const struct kw_ruleset *rules)
{
	kw_json_open_object(json);
	kw_json_member_unsigned(json, "generation", rules->generation);
	kw_json_key(json, "policies");
	kw_json_open_array(json);
	for (size_t i = 0; i < rules->set.count; i++)
		render_policy(json, &rules->set.policies[i]);
	kw_json_close_array(json);
	kw_json_close_object(json);
}

static void render_granted(struct kw_json *json, const struct kw_granted *granted)
{
	kw_json_open_object(json);
	kw_json_member_unsigned(json, "id", granted->id);
	kw_json_member_unsigned(json, "vm", granted->vm);
	kw_json_member_string(json, "operation", granted->operation);
	kw_json_member_string(json, "reason", granted->reason);
	kw_json_member_unsigned(json, "uid", granted->uid);
	kw_json_member_unsigned(json, "until_ns", granted->until_ns);
	kw_json_close_object(json);
}

void kw_handover_render(struct kw_json *json, const struct kw_handover *state, const char *boot_id)
{
	kw_json_open_object(json);
	kw_json_member_unsigned(json, "version", STATE_VERSION);
	kw_json_member_string(json, "boot_id", boot_id);
	kw_json_key(json, "generations");
	kw_json_open_array(json);
	for (size_t i = 0; i < KW_GENERATIONS_KEPT; i++)
		if (state->generations[i])
			render_generation(json, state->generations[i]);
	kw_json_close_array(json);
	kw_json_key(json, "modes");
	kw_json_open_array(json);
	for (size_t i = 0; i < state->override_count; i++) {
		kw_json_open_object(json);
		kw_json_member_string(json, "policy", state->overrides[i].policy);
		kw_json_member_string(json, "mode", kw_mode_name(state->overrides[i].mode));
		kw_json_close_object(json);
	}
	kw_json_close_array(json);
	kw_json_key(json, "exceptions");
	kw_json_open_array(json);
	for (size_t i = 0; i < state->granted_count; i++)
		render_granted(json, &state->granted[i]);
	kw_json_close_array(json);
	kw_json_member_unsigned(json, "last_exception", state->last_exception);
	kw_json_close_object(json);
}

/* --- reading ---------------------------------------------------------------- */

static int take_string(const char *text, char **ret)
{
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int parse_policy(json_t *value, struct kw_policy *ret)
{
	const char *name, *file;
	json_int_t line;
	json_t *rules, *rule;
	size_t i;

	if (json_unpack(value, "{s:s, s:s, s:I, s:o !}", "name", &name, "file", &file, "line",
			&line, "rules", &rules) < 0 ||
	    line < 0 || line > UINT32_MAX || !json_is_array(rules) ||
	    json_array_size(rules) > KW_RULES_MAX)
		return -EINVAL;
	ret->line = (unsigned int)line;
	if (take_string(name, &ret->name) < 0 || take_string(file, &ret->file) < 0)
		return -ENOMEM;
	ret->rules = calloc(json_array_size(rules) ?: 1, sizeof(*ret->rules));
	if (!ret->rules)
		return -ENOMEM;
	json_array_foreach (rules, i, rule) {
		line = json_integer_value(rule);
		if (!json_is_integer(rule) || line < 0 || line > UINT32_MAX)
			return -EINVAL;
		ret->rules[i].line = (unsigned int)line;
		ret->rule_count++;
	}
	return 0;
}

static int parse_generation(json_t *value, struct kw_handover *state)
{
	_cleanup_(kw_ruleset_free_cleanup) struct kw_ruleset *rules = calloc(1, sizeof(*rules));
	struct kw_ruleset **place;
	json_t *policies, *policy;
	json_int_t number;
	size_t i;
	int r;

	if (!rules)
		return -ENOMEM;
	if (json_unpack(value, "{s:I, s:o !}", "generation", &number, "policies", &policies) < 0 ||
	    number < 1 || !json_is_array(policies) || json_array_size(policies) > KW_POLICIES_MAX)
		return -EINVAL;
	rules->generation = (uint64_t)number;
	rules->set.policies = calloc(json_array_size(policies) ?: 1, sizeof(*rules->set.policies));
	if (!rules->set.policies)
		return -ENOMEM;
	json_array_foreach (policies, i, policy) {
		rules->set.count++;
		r = parse_policy(policy, &rules->set.policies[i]);
		if (r < 0)
			return r;
	}
	place = &state->generations[rules->generation % KW_GENERATIONS_KEPT];
	if (*place)
		return -EINVAL;
	*place = TAKE_PTR(rules);
	return 0;
}

static int parse_override(json_t *value, struct kw_handover *state)
{
	const char *policy, *mode;
	int number;

	if (json_unpack(value, "{s:s, s:s !}", "policy", &policy, "mode", &mode) < 0 ||
	    state->override_count >= KW_OVERRIDES_MAX)
		return -EINVAL;
	number = kw_mode_from_name(mode);
	if (number < 0)
		return -EINVAL;
	if (take_string(policy, &state->overrides[state->override_count].policy) < 0)
		return -ENOMEM;
	state->overrides[state->override_count++].mode = number;
	return 0;
}

static int parse_granted(json_t *value, struct kw_handover *state)
{
	struct kw_granted *granted = &state->granted[state->granted_count];
	json_int_t id, vm, uid, until;
	const char *operation, *reason;

	if (state->granted_count >= KW_GRANTED_MAX ||
	    json_unpack(value, "{s:I, s:I, s:s, s:s, s:I, s:I !}", "id", &id, "vm", &vm,
			"operation", &operation, "reason", &reason, "uid", &uid, "until_ns",
			&until) < 0 ||
	    id < 1 || vm < 1 || uid < 0 || uid > UINT32_MAX || until < 0)
		return -EINVAL;
	state->granted_count++;
	granted->id = (uint64_t)id;
	granted->vm = (uint64_t)vm;
	granted->uid = (uint32_t)uid;
	granted->until_ns = (uint64_t)until;
	if (take_string(operation, &granted->operation) < 0 ||
	    take_string(reason, &granted->reason) < 0)
		return -ENOMEM;
	return 0;
}

static int parse_each(json_t *array, int (*parse)(json_t *value, struct kw_handover *state),
		      struct kw_handover *state)
{
	json_t *value;
	size_t i;
	int r = 0;

	if (!json_is_array(array))
		return -EINVAL;
	json_array_foreach (array, i, value) {
		r = parse(value, state);
		if (r < 0)
			break;
	}
	return r;
}

int kw_handover_parse(const char *text, size_t len, const char *boot_id, struct kw_handover *ret,
		      char **reterr)
{
	_cleanup_(json_decref_cleanup) json_t *root = NULL;
	json_t *generations, *modes, *exceptions;
	struct kw_handover state = {};
	json_error_t error;
	json_int_t last;
	const char *boot;
	int version, r;

	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		return kw_fail(-EINVAL, reterr, "line %d, column %d: %s", error.line, error.column,
			       error.text);
	if (json_unpack_ex(root, &error, 0, "{s:i, s:s, s:o, s:o, s:o, s:I !}", "version", &version,
			   "boot_id", &boot, "generations", &generations, "modes", &modes,
			   "exceptions", &exceptions, "last_exception", &last) < 0)
		return kw_fail(-EINVAL, reterr, "%s", error.text);
	if (version != STATE_VERSION)
		return kw_fail(-EINVAL, reterr, "it is of version %d", version);
	if (!kw_streq(boot, boot_id))
		return -ESTALE;
	r = last < 0 ? -EINVAL : parse_each(generations, parse_generation, &state);
	if (r == 0)
		r = parse_each(modes, parse_override, &state);
	if (r == 0)
		r = parse_each(exceptions, parse_granted, &state);
	if (r < 0) {
		kw_handover_done(&state);
		return r == -EINVAL ? kw_fail(r, reterr, "an entry is not what it should be") : r;
	}
	state.last_exception = (uint64_t)last;
	*ret = state;
	return 0;
}

/* --- the file --------------------------------------------------------------- */

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

int kw_handover_save(const char *path, const struct kw_handover *state, const char *boot_id)
{
	_cleanup_free_ char *fresh = NULL;
	struct kw_json json = {};
	int fd, r;

	if (asprintf(&fresh, "%s.new", path) < 0) {
		fresh = NULL;
		return -ENOMEM;
	}
	kw_handover_render(&json, state, boot_id);
	fd = json.failed ? -1
			 : open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	r = json.failed ? -ENOMEM : fd < 0 ? -errno : write_all(fd, json.text, json.len);
	if (fd >= 0 && close(fd) < 0 && r == 0)
		r = -errno;
	kw_json_done(&json);
	if (r == 0 && rename(fresh, path) < 0)
		r = -errno;
	if (r < 0 && fd >= 0)
		unlink(fresh);
	return r;
}

int kw_handover_load(const char *path, const char *boot_id, struct kw_handover *ret, char **reterr)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t len = 0;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return kw_fail(-EPERM, reterr, "it is not a file that only root can write");
	if (st.st_size > KW_HANDOVER_FILE_MAX)
		return kw_fail(-EINVAL, reterr, "it is larger than %d bytes", KW_HANDOVER_FILE_MAX);
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	do {
		n = read(fd, text + len, (size_t)st.st_size - len);
		if (n < 0 && errno != EINTR)
			return -errno;
		len += n > 0 ? (size_t)n : 0;
	} while (n != 0 && len < (size_t)st.st_size);
	return kw_handover_parse(text, len, boot_id, ret, reterr);
}
