/* SPDX-License-Identifier: GPL-2.0-only */
/* Policy files: reading one, and the drop-in directories they come from. */
#define _GNU_SOURCE 1
#include "policy.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "policy-read.h"
#include "trusted.h"
#include "util.h"

#define SUFFIX ".yaml"

const char *const kw_policy_default_dirs[] = {
	"/etc/kvmwarden/policy.d",
	"/run/kvmwarden/policy.d",
	"/usr/lib/kvmwarden/policy.d",
	NULL,
};

void kw_policy_set_done(struct kw_policy_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		kw_policy_done(&set->policies[i]);
	free(set->policies);
	*set = (struct kw_policy_set){};
}

int kw_policy_set_copy(const struct kw_policy_set *set, struct kw_policy_set *ret)
{
	struct kw_policy_set copy = {};
	int r = 0;

	copy.policies = calloc(set->count ?: 1, sizeof(*copy.policies));
	if (!copy.policies)
		return -ENOMEM;
	while (r == 0 && copy.count < set->count) {
		r = kw_policy_copy(&set->policies[copy.count], &copy.policies[copy.count]);
		copy.count += r == 0;
	}
	if (r < 0) {
		kw_policy_set_done(&copy);
		return r;
	}
	*ret = copy;
	return 0;
}

static int append(struct kw_policy_set *set, struct kw_policy *policy)
{
	struct kw_policy *policies;

	policies = reallocarray(set->policies, set->count + 1, sizeof(*policies));
	if (!policies)
		return -ENOMEM;
	set->policies = policies;
	set->policies[set->count++] = *policy;
	*policy = (struct kw_policy){};
	return 0;
}

int kw_policy_read(const char *path, bool strict_owner, struct kw_policy_set *set,
		   struct kw_diag *reterr)
{
	_cleanup_(kw_policy_done) struct kw_policy policy = {};
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r;

	if (set->count >= KW_POLICIES_MAX) {
		kw_diag_set(reterr, path, 0, 0, "one policy too many: at most %d can be active",
			    KW_POLICIES_MAX);
		return -EINVAL;
	}
	r = kw_read_trusted(path, "policy", strict_owner, &text, &size, reterr);
	if (r < 0)
		return r;
	r = kw_policy_parse(path, text, size, set, &policy, reterr);
	if (r < 0)
		return r;
	return append(set, &policy);
}

/* A file of the drop-in directories; the name is the key for order and masking. */
struct drop_in {
	char *path;
	const char *name; /* the last part of path */
};

struct drop_ins {
	struct drop_in *entries;
	size_t count;
	size_t size;
};

static void drop_ins_done(struct drop_ins *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->entries[i].path);
	free(list->entries);
}

static bool is_masked(const struct drop_ins *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (kw_streq(list->entries[i].name, name))
			return true;
	return false;
}

static int add_drop_in(struct drop_ins *list, const char *dir, const char *name)
{
	struct drop_in *entries;
	size_t size;
	char *path;

	if (list->count == list->size) {
		size = list->size ? 2 * list->size : 16;
		entries = reallocarray(list->entries, size, sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		list->entries = entries;
		list->size = size;
	}
	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return -ENOMEM;
	list->entries[list->count++] = (struct drop_in){path, path + strlen(dir) + 1};
	return 0;
}

static bool is_policy_name(const char *name)
{
	size_t len = strlen(name);

	return name[0] != '.' && len > strlen(SUFFIX) &&
	       kw_streq(name + len - strlen(SUFFIX), SUFFIX);
}

static int open_dir(const char *path, bool strict_owner, DIR **ret, struct kw_diag *reterr)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct stat st;
	int r;

	if (!dir || fstat(dirfd(dir), &st) < 0)
		return -errno;
	r = strict_owner ? kw_check_owner(path, &st, reterr) : 0;
	if (r < 0)
		return r;
	*ret = TAKE_PTR(dir);
	return 0;
}

static int scan_dir(const char *path, bool missing_ok, bool strict_owner, struct drop_ins *list,
		    struct kw_diag *reterr)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	int r;

	r = open_dir(path, strict_owner, &dir, reterr);
	if (r == -ENOENT && missing_ok)
		return 0;
	if (r < 0) {
		kw_diag_set(reterr, path, 0, 0, "cannot be opened: %s", strerror(-r));
		return r;
	}
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a failed call sets errno */
	for (errno = 0; (entry = readdir(dir)); errno = 0) {
		if (!is_policy_name(entry->d_name) || is_masked(list, entry->d_name))
			continue;
		r = add_drop_in(list, path, entry->d_name);
		if (r < 0)
			return r;
	}
	if (errno) {
		r = -errno;
		kw_diag_set(reterr, path, 0, 0, "cannot be listed: %s", strerror(-r));
		return r;
	}
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct drop_in *)a)->name, ((const struct drop_in *)b)->name);
}

/* A link to /dev/null, whatever the way there. */
static bool is_disabled(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

int kw_policy_set_load(const char *const *dirs, bool missing_ok, bool strict_owner,
		       struct kw_policy_set *ret, struct kw_diag *reterr)
{
	_cleanup_(kw_policy_set_done) struct kw_policy_set set = {};
	_cleanup_(drop_ins_done) struct drop_ins list = {};
	int r;

	for (size_t i = 0; dirs[i]; i++) {
		r = scan_dir(dirs[i], missing_ok, strict_owner, &list, reterr);
		if (r < 0)
			return r;
	}
	if (list.count)
		qsort(list.entries, list.count, sizeof(*list.entries), compare_names);
	for (size_t i = 0; i < list.count; i++) {
		if (is_disabled(list.entries[i].path))
			continue;
		r = kw_policy_read(list.entries[i].path, strict_owner, &set, reterr);
		if (r < 0)
			return r;
	}
	*ret = set;
	set = (struct kw_policy_set){};
	return 0;
}
