/* SPDX-License-Identifier: GPL-2.0-only */
/* Who creates a VM, out of text: as the BPF programs gather it from a task. */
#define _GNU_SOURCE 1
#include "identity-text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "util.h"

#define SLICE "/system.slice/"

struct kw_identity kw_identity_unknown(void)
{
	struct kw_identity who = {.uid = UINT32_MAX};

	who.exe.flags = who.cgroup.flags = KW_PATH_UNKNOWN;
	return who;
}

static void set_path(struct kw_path *path, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	*path = (struct kw_path){};
	if (!text || len >= KW_PATH_MAX) {
		path->flags = text ? KW_PATH_TRUNCATED : KW_PATH_UNKNOWN;
		return;
	}
	path->len = len;
	memcpy(path->text, text, len);
}

void kw_identity_set_exe(struct kw_identity *who, const char *path)
{
	set_path(&who->exe, path);
}

static bool ends_with(const char *name, size_t len, const char *suffix)
{
	size_t n = strlen(suffix);

	return len > n && memcmp(name + len - n, suffix, n) == 0;
}

static bool is_unit(const char *name, size_t len)
{
	return ends_with(name, len, ".service") || ends_with(name, len, ".scope");
}

void kw_identity_set_cgroup(struct kw_identity *who, const char *path)
{
	const char *text = who->cgroup.text, *name;
	size_t len;

	set_path(&who->cgroup, path);
	who->unit_offset = who->unit_len = 0;
	for (name = text; *name; name += len) {
		name += strspn(name, "/");
		len = strcspn(name, "/");
		if (!is_unit(name, len))
			continue;
		who->unit_offset = name - text;
		who->unit_len = len;
		return;
	}
}

int kw_identity_set_unit(struct kw_identity *who, const char *unit)
{
	char path[KW_PATH_MAX + sizeof(SLICE)];

	if (strchr(unit, '/') || strlen(unit) >= KW_PATH_MAX || !is_unit(unit, strlen(unit)))
		return -EINVAL;
	snprintf(path, sizeof(path), SLICE "%s", unit);
	kw_identity_set_cgroup(who, path);
	return 0;
}
