/* SPDX-License-Identifier: GPL-2.0-only */
/* What /proc says of a task. */
#define _GNU_SOURCE 1
#include "task.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#include "task-internal.h"
#include "util.h"

/*
 * A thread that we may not look at can look as if it were not there: proc(5), hidepid=. The
 * kernel itself says so otherwise, even if the number is not that of a process.
 */
static int absent(uint32_t tid)
{
	_cleanup_close_ int fd = pidfd_open((pid_t)tid, 0);

	return fd < 0 && errno == ESRCH ? -ESRCH : -EACCES;
}

int kw_task_open(uint32_t tid, int *ret)
{
	char path[sizeof("/proc/4294967295")];
	int fd;

	snprintf(path, sizeof(path), "/proc/%" PRIu32, tid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? absent(tid) : -errno;
	*ret = fd;
	return 0;
}

int kw_task_read(uint32_t tid, int dir, const char *name, char *ret, size_t size)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? absent(tid) : -errno;
	do {
		n = read(fd, ret + len, size - 1 - len);
		if (n < 0 && errno != EINTR)
			return -errno;
		len += n > 0 ? (size_t)n : 0;
	} while (n != 0 && len < size - 1);
	ret[len] = '\0';
	return 0;
}

/* A number behind blanks, and where it ends; NULL: there is none. */
static const char *read_number(const char *p, int base, uint64_t *ret)
{
	char *end;

	p += strspn(p, " \t");
	if (base == 16 && strncmp(p, "0x", 2) != 0)
		return NULL;
	if (base == 10 && (*p < '0' || *p > '9'))
		return NULL;
	*ret = strtoull(p, &end, base);
	return end == p ? NULL : end;
}

/* The first number of the line that begins so. */
static bool read_line(const char *text, const char *begin, uint32_t *ret)
{
	const char *line = strstr(text, begin);
	uint64_t value = 0;

	if (!line || !read_number(line + strlen(begin), 10, &value) || value > UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

/* Names are escaped there: a line feed is the end of a line. */
int kw_task_parse_status(const char *text, struct kw_identity *ret)
{
	return read_line(text, "\nTgid:", &ret->pid) && read_line(text, "\nPid:", &ret->tid) &&
			       read_line(text, "\nUid:", &ret->uid) &&
			       read_line(text, "\nGid:", &ret->gid)
		       ? 0
		       : -EINVAL;
}

int kw_task_read_status(uint32_t tid, int dir, struct kw_identity *ret)
{
	char text[4096];
	int r;

	r = kw_task_read(tid, dir, "status", text, sizeof(text));
	return r < 0 ? r : kw_task_parse_status(text, ret);
}

int kw_task_tgid(uint32_t tid, uint32_t *ret)
{
	struct kw_identity who = {};
	_cleanup_close_ int dir = -1;
	int r;

	r = kw_task_open(tid, &dir);
	if (r == 0)
		r = kw_task_read_status(tid, dir, &who);
	if (r < 0)
		return r;
	*ret = who.pid;
	return 0;
}

int kw_task_check_proc(char **reterr)
{
	char self[sizeof("4294967295")] = {}, own[sizeof(self)];

	if (readlink("/proc/self", self, sizeof(self) - 1) < 0)
		return kw_fail(-errno, reterr, "/proc cannot be read: %s", strerror(errno));
	snprintf(own, sizeof(own), "%" PRIu32, (uint32_t)getpid());
	if (!kw_streq(self, own))
		return kw_fail(-EXDEV, reterr,
			       "/proc is that of another pid namespace: processes have other "
			       "numbers there");
	return 0;
}

int kw_task_parse_call(const char *text, struct kw_task_call *ret)
{
	struct kw_task_call call = {.nr = -1};
	uint64_t nr = 0;
	const char *p;

	if (strncmp(text, "running", strlen("running")) == 0)
		return -EAGAIN;
	if (strncmp(text, "-1 ", strlen("-1 ")) != 0) {
		p = read_number(text, 10, &nr);
		for (size_t i = 0; p && i < KW_ARRAY_SIZE(call.args); i++)
			p = read_number(p, 16, &call.args[i]);
		if (!p || nr > INT64_MAX)
			return -EINVAL;
		call.nr = (int64_t)nr;
	}
	*ret = call;
	return 0;
}

int kw_task_call(uint32_t tid, struct kw_task_call *ret)
{
	_cleanup_close_ int dir = -1;
	char text[512];
	int r;

	r = kw_task_open(tid, &dir);
	if (r == 0)
		r = kw_task_read(tid, dir, "syscall", text, sizeof(text));
	return r < 0 ? r : kw_task_parse_call(text, ret);
}

#define STAT_STARTED 22 /* fields of proc(5), from 1 */
#define STAT_GUEST 43

int kw_task_parse_stat(const char *text, uint64_t *ret_started, uint64_t *ret_guest)
{
	/* Whatever stands in the name: no field behind it has a parenthesis. */
	const char *p = strrchr(text, ')');
	uint64_t started = 0, guest = 0;
	unsigned int field = 2;

	for (; p && field < STAT_GUEST; field++) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
		if (p && field + 1 == STAT_STARTED)
			p = read_number(p, 10, &started);
		else if (p && field + 1 == STAT_GUEST)
			p = read_number(p, 10, &guest);
	}
	if (!p)
		return -EINVAL;
	*ret_started = started;
	*ret_guest = guest;
	return 0;
}

int kw_task_guest_ticks(uint32_t tid, uint64_t *ret)
{
	char name[sizeof("task/4294967295/stat")], text[2048];
	_cleanup_close_ int dir = -1;
	uint64_t started;
	int r;

	/* Outside of "task" it would be the sum over all threads. */
	snprintf(name, sizeof(name), "task/%" PRIu32 "/stat", tid);
	r = kw_task_open(tid, &dir);
	if (r == 0)
		r = kw_task_read(tid, dir, name, text, sizeof(text));
	return r < 0 ? r : kw_task_parse_stat(text, &started, ret);
}
