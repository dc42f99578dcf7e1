/* SPDX-License-Identifier: GPL-2.0-only */
/* Files of events that are moved away when they are large or old. */
#define _GNU_SOURCE 1
#include "rotate.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "util.h"

#define NSEC_PER_SEC 1000000000ull

/* File systems that do not know when a file was made say when it was last written to. */
static uint64_t birth_of(const struct statx *st)
{
	const struct statx_timestamp *time = st->stx_mask & STATX_BTIME ? &st->stx_btime
									: &st->stx_mtime;

	return time->tv_sec < 0 ? 0 : (uint64_t)time->tv_sec;
}

bool kw_rotation_due(const struct kw_rotation *rotation, int fd, uint64_t now_ns)
{
	struct statx st;

	if (!kw_rotates(rotation) ||
	    statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
		return false;
	if (!S_ISREG(st.stx_mode) || st.stx_size == 0)
		return false;
	if (rotation->bytes && st.stx_size >= rotation->bytes)
		return true;
	return rotation->seconds &&
	       birth_of(&st) / rotation->seconds < now_ns / NSEC_PER_SEC / rotation->seconds;
}

/* "FILE", "FILE.1", ... */
static int name_of(const char *path, uint32_t number, char ret[PATH_MAX])
{
	int n = number ? snprintf(ret, PATH_MAX, "%s.%u", path, number)
		       : snprintf(ret, PATH_MAX, "%s", path);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* The first number that no file has; keep + 1: all are taken. */
static int find_gap(const char *path, uint32_t keep, uint32_t *ret)
{
	char name[PATH_MAX];
	struct stat st;
	int r;

	for (*ret = 1; *ret <= keep; ++*ret) {
		r = name_of(path, *ret, name);
		if (r < 0)
			return r;
		if (lstat(name, &st) < 0)
			return errno == ENOENT ? 0 : -errno;
	}
	return 0;
}

int kw_rotate(const char *path, uint32_t keep)
{
	char from[PATH_MAX], to[PATH_MAX];
	uint32_t gap;
	int r;

	r = find_gap(path, keep, &gap);
	if (r < 0)
		return r;
	/* The oldest one goes when the one before it takes its name. */
	for (uint32_t i = gap <= keep ? gap : keep; i > 0; i--) {
		r = name_of(path, i - 1, from);
		if (r == 0)
			r = name_of(path, i, to);
		if (r == 0 && rename(from, to) < 0)
			r = -errno;
		if (r < 0)
			return r;
	}
	return 0;
}
