/* SPDX-License-Identifier: GPL-2.0-only */
/* What outlives the daemon: links and maps pinned in bpffs. */
#include "pins.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "util.h"

const char *const kw_pins_shared[] = {"counters", "condemned", NULL};

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

int kw_pins_lock(int *ret)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (mkdir(KW_PINS, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(KW_PINS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

void kw_pins_unlock(int lock)
{
	if (lock < 0)
		return;
	rmdir(KW_PINS);
	close(lock);
}

/* Calls visit for each epoch's directory until it returns true. */
static bool any_epoch(bool (*visit)(const char *path, const void *userdata), const void *userdata)
{
	_cleanup_closedir_ DIR *dir = opendir(KW_PINS);
	const struct dirent *entry;
	char path[sizeof(KW_PINS) + NAME_MAX + 2];

	while (dir && (entry = readdir(dir))) {
		if (!epoch_of(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", KW_PINS, entry->d_name);
		if (visit(path, userdata))
			return true;
	}
	return false;
}

struct names {
	const char *const *names;
	size_t count;
};

static bool has_program(const char *epoch, const void *userdata)
{
	const struct names *names = userdata;
	char path[PATH_MAX];

	for (size_t i = 0; i < names->count; i++) {
		snprintf(path, sizeof(path), "%s/%s", epoch, names->names[i]);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

bool kw_pins_have_program(const char *const *names, size_t count)
{
	const struct names userdata = {.names = names, .count = count};

	return any_epoch(has_program, &userdata);
}

static bool is_not_empty(const char *epoch, const void *userdata)
{
	_cleanup_closedir_ DIR *dir = opendir(epoch);
	const struct dirent *entry;

	(void)userdata;
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			return true;
	return false;
}

bool kw_pins_exist(void)
{
	return any_epoch(is_not_empty, NULL);
}

int kw_pins_new_epoch(char **ret)
{
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_free_ char *path = NULL;
	const struct dirent *entry;
	uint64_t last = 0;

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
	char path[PATH_MAX];
	int r;

	r = kw_pins_remove_others(NULL);
	if (r < 0)
		return r;
	for (size_t i = 0; kw_pins_shared[i]; i++) {
		snprintf(path, sizeof(path), "%s/%s", KW_PINS, kw_pins_shared[i]);
		if (unlink(path) < 0 && errno != ENOENT)
			return -errno;
	}
	return rmdir(KW_PINS) < 0 && errno != ENOENT ? -errno : 0;
}
