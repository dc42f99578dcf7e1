/* SPDX-License-Identifier: GPL-2.0-only */
/* What outlives the daemon: links and maps pinned in bpffs. */
#include "pins.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "util.h"

int kw_pins_check(void)
{
	struct statfs fs;

	if (statfs("/sys/fs/bpf", &fs) < 0)
		return -errno;
	return fs.f_type == BPF_FS_MAGIC ? 0 : -ENODEV;
}

/* The number an epoch's directory is named by, or 0 for anything else. */
static uint64_t epoch_of(const char *name)
{
	uint64_t epoch;

	return kw_parse_u64(name, UINT64_MAX - 1, &epoch) < 0 ? 0 : epoch;
}

static int remove_epoch(int pins, const char *name)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	int fd;

	fd = openat(pins, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		int error = errno;

		close(fd);
		return -error;
	}
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && unlinkat(fd, entry->d_name, 0) < 0)
			return -errno;
	return unlinkat(pins, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int kw_pins_new_epoch(char **ret)
{
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_free_ char *path = NULL;
	const struct dirent *entry;
	uint64_t last = 0;

	if (mkdir(KW_PINS, 0700) < 0 && errno != EEXIST)
		return -errno;
	dir = opendir(KW_PINS);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		uint64_t epoch = epoch_of(entry->d_name);

		if (epoch > last)
			last = epoch;
	}
	if (asprintf(&path, "%s/%llu", KW_PINS, (unsigned long long)last + 1) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (mkdir(path, 0700) < 0)
		return -errno;
	*ret = TAKE_PTR(path);
	return 0;
}

int kw_pins_remove_others(const char *keep)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	uint64_t kept = keep ? epoch_of(strrchr(keep, '/') + 1) : 0;
	int r, result = 0;

	dir = opendir(KW_PINS);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		uint64_t epoch = epoch_of(entry->d_name);

		if (!epoch || epoch == kept)
			continue;
		r = remove_epoch(dirfd(dir), entry->d_name);
		if (r < 0)
			result = r;
	}
	return result;
}

int kw_pins_remove_epoch(const char *path)
{
	return remove_epoch(AT_FDCWD, path);
}

int kw_pins_remove_all(void)
{
	int r;

	r = kw_pins_remove_others(NULL);
	if (r < 0)
		return r;
	if (unlink(KW_PINS_COUNTERS) < 0 && errno != ENOENT)
		return -errno;
	return rmdir(KW_PINS) < 0 && errno != ENOENT ? -errno : 0;
}

bool kw_pins_exist(void)
{
	_cleanup_closedir_ DIR *dir = opendir(KW_PINS);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (epoch_of(entry->d_name))
			return true;
	return false;
}
