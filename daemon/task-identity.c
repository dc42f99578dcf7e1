/* SPDX-License-Identifier: GPL-2.0-only */
/* Who a task is, by /proc: the same that bpf/identity.h finds in the kernel's structures. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>

#include "task-internal.h"
#include "util.h"

#define DELETED " (deleted)"

/* Its last components, as many as there is room for. */
static void set_path(struct kw_path *path, const char *text)
{
	size_t len = strlen(text);
	const char *from = text;

	memset(path, 0, sizeof(*path));
	if (len >= KW_PATH_MAX) {
		path->flags = KW_PATH_TRUNCATED;
		from = strchr(text + len - (KW_PATH_MAX - 1), '/');
		len = from ? strlen(from) : 0;
	}
	if (len)
		memcpy(path->text, from, len);
	path->len = (uint16_t)len;
}

static void set_unknown(struct kw_path *path)
{
	memset(path, 0, sizeof(*path));
	path->flags = KW_PATH_UNKNOWN;
}

void kw_task_parse_exe(const char *link, uint64_t links, struct kw_path *ret)
{
	size_t len = strlen(link), end = strlen(DELETED);
	char text[PATH_MAX];

	set_unknown(ret);
	/* Not a file of any directory, but of memory, whose owner gives it any name. */
	if (link[0] != '/' || strncmp(link, "/memfd:", strlen("/memfd:")) == 0 ||
	    len >= sizeof(text))
		return;
	if (len > end && kw_streq(link + len - end, DELETED)) {
		/* It may have another name, or may really be called so. */
		if (links)
			return;
		len -= end;
	}
	memcpy(text, link, len);
	text[len] = '\0';
	set_path(ret, text);
}

static void read_exe(int dir, struct kw_path *ret)
{
	char link[PATH_MAX + sizeof(DELETED)];
	struct stat st;
	ssize_t n;

	set_unknown(ret);
	n = readlinkat(dir, "exe", link, sizeof(link) - 1);
	if (n < 0 || fstatat(dir, "exe", &st, 0) < 0)
		return;
	link[n] = '\0';
	kw_task_parse_exe(link, st.st_nlink, ret);
}

/* As is_unit() of bpf/identity.h. */
static bool is_unit(const char *name, size_t len)
{
	static const char *const kinds[] = {".service", ".scope"};

	for (size_t i = 0; i < KW_ARRAY_SIZE(kinds); i++) {
		size_t end = strlen(kinds[i]);

		if (len > end && memcmp(name + len - end, kinds[i], end) == 0)
			return true;
	}
	return false;
}

/* The topmost component that is one. */
static void find_unit(struct kw_identity *who)
{
	const char *text = who->cgroup.text, *name = text, *slash;
	size_t len;

	for (; (slash = strchr(name, '/')); name = slash + 1 + len) {
		len = strcspn(slash + 1, "/");
		if (!is_unit(slash + 1, len))
			continue;
		who->unit_offset = (uint16_t)(slash + 1 - text);
		who->unit_len = (uint16_t)len;
		return;
	}
}

void kw_task_parse_cgroup(const char *text, struct kw_identity *ret)
{
	const char *line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	char path[PATH_MAX];
	size_t len;

	set_unknown(&ret->cgroup);
	ret->unit_offset = 0;
	ret->unit_len = 0;
	if (!line)
		return;
	line = strstr(line, "0::") + 3;
	len = strcspn(line, "\n");
	/* Outside of our cgroup namespace only the way there can be told, not where it is. */
	if (line[0] != '/' || line[len] != '\n' || len >= sizeof(path) ||
	    (strncmp(line, "/..", 3) == 0 && (line[3] == '/' || line[3] == '\n')))
		return;
	memcpy(path, line, len);
	path[len] = '\0';
	set_path(&ret->cgroup, path);
	find_unit(ret);
}

/* The inode of a cgroup's directory is its id. */
static uint64_t cgroup_id(const struct kw_path *cgroup)
{
	static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	char path[64 + KW_PATH_MAX];
	struct stat st;

	if (cgroup->flags)
		return 0;
	for (size_t i = 0; i < KW_ARRAY_SIZE(mounts); i++) {
		/* Else it is a hierarchy of version 1, or none. */
		snprintf(path, sizeof(path), "%s/cgroup.controllers", mounts[i]);
		if (access(path, F_OK) < 0)
			continue;
		snprintf(path, sizeof(path), "%s%s", mounts[i], cgroup->text);
		return stat(path, &st) < 0 ? 0 : st.st_ino;
	}
	return 0;
}

static int read_cgroup(uint32_t tid, int dir, struct kw_identity *who)
{
	char text[2 * PATH_MAX];
	int r;

	r = kw_task_read(tid, dir, "cgroup", text, sizeof(text));
	if (r == -ESRCH)
		return r;
	kw_task_parse_cgroup(r < 0 ? "" : text, who);
	who->cgroup_id = cgroup_id(&who->cgroup);
	return 0;
}

static int read_comm(uint32_t tid, int dir, struct kw_identity *who)
{
	char text[64];
	size_t len;
	int r;

	r = kw_task_read(tid, dir, "comm", text, sizeof(text));
	if (r < 0)
		return r;
	len = strlen(text);
	if (len && text[len - 1] == '\n')
		len--;
	memset(who->comm, 0, sizeof(who->comm));
	memcpy(who->comm, text, len < sizeof(who->comm) ? len : sizeof(who->comm) - 1);
	return 0;
}

/* Of the thread group: its first thread's. */
static int read_start(struct kw_identity *who)
{
	uint64_t started, guest, tick = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	_cleanup_close_ int dir = -1;
	char text[2048];
	int r;

	r = kw_task_open(who->pid, &dir);
	if (r == 0)
		r = kw_task_read(who->pid, dir, "stat", text, sizeof(text));
	if (r == 0)
		r = kw_task_parse_stat(text, &started, &guest);
	if (r == 0)
		who->started_ns = started * tick;
	return r;
}

/* Of both kinds: .exe of the one is not looked for, .cgroup is only for its id. */
static int read_own(uint32_t tid, int dir, struct kw_identity *who)
{
	int r;

	r = kw_task_read_status(tid, dir, who);
	if (r == 0)
		r = read_comm(tid, dir, who);
	if (r == 0)
		r = read_start(who);
	if (r == 0)
		r = read_cgroup(tid, dir, who);
	return r;
}

int kw_task_identity(uint32_t tid, struct kw_identity *ret)
{
	struct kw_identity who = {};
	_cleanup_close_ int dir = -1;
	int r;

	r = kw_task_open(tid, &dir);
	if (r == 0)
		r = read_own(tid, dir, &who);
	if (r < 0)
		return r;
	read_exe(dir, &who.exe);
	*ret = who;
	return 0;
}

int kw_task_caller(uint32_t tid, struct kw_identity *who)
{
	struct kw_identity own = {};
	_cleanup_close_ int dir = -1;
	int r;

	r = kw_task_open(tid, &dir);
	if (r == 0)
		r = read_own(tid, dir, &own);
	if (r < 0)
		return r;
	who->pid = own.pid;
	who->tid = own.tid;
	who->uid = own.uid;
	who->gid = own.gid;
	who->cgroup_id = own.cgroup_id;
	who->started_ns = own.started_ns;
	memcpy(who->comm, own.comm, sizeof(who->comm));
	return 0;
}
