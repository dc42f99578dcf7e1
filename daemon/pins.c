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
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "util.h"

/* The names of the maps that all sets share. */
static const char *const shared[] = {KW_PIN_COUNTERS, KW_PIN_CONDEMNED};

static int check_bpffs(void)
{
	struct statfs fs;

	if (statfs("/sys/fs/bpf", &fs) < 0)
		return -errno;
	return fs.f_type == BPF_FS_MAGIC ? 0 : -ENODEV;
}

int kw_pins_mount(void)
{
	int r = check_bpffs();

	if (r != -ENODEV)
		return r;
	if (mount("bpf", "/sys/fs/bpf", "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
		return -errno;
	return check_bpffs();
}

/* The number an epoch's directory is named by, or 0 for anything else. */
static uint64_t epoch_of(const char *name)
{
	uint64_t epoch;

	return kw_parse_u64(name, UINT64_MAX - 1, &epoch) < 0 ? 0 : epoch;
}

int kw_pins_remove_epoch(const char *path)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	int fd;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
	return rmdir(path) < 0 ? -errno : 0;
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

static int compare_epochs(const struct dirent **a, const struct dirent **b)
{
	uint64_t first = epoch_of((*a)->d_name), second = epoch_of((*b)->d_name);

	return first < second ? 1 : first > second ? -1 : 0;
}

static int is_epoch(const struct dirent *entry)
{
	return epoch_of(entry->d_name) != 0;
}

int kw_pins_each_epoch(int (*visit)(const char *path, void *userdata), void *userdata)
{
	struct dirent **entries = NULL;
	char path[sizeof(KW_PINS) + NAME_MAX + 2];
	int count, r = 0;

	count = scandir(KW_PINS, &entries, is_epoch, compare_epochs);
	if (count < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", KW_PINS, entries[i]->d_name);
		if (r == 0)
			r = visit(path, userdata);
		free(entries[i]);
	}
	free(entries);
	return r;
}

struct names {
	const char *const *names;
	size_t count;
};

static int has_program(const char *epoch, void *userdata)
{
	const struct names *names = userdata;
	char path[PATH_MAX];

	for (size_t i = 0; i < names->count; i++) {
		snprintf(path, sizeof(path), "%s/%s", epoch, names->names[i]);
		if (access(path, F_OK) == 0)
			return 1;
		if (errno != ENOENT)
			return -errno;
	}
	return 0;
}

int kw_pins_have_program(const char *const *names, size_t count)
{
	struct names userdata = {.names = names, .count = count};

	return kw_pins_each_epoch(has_program, &userdata);
}

static int is_not_empty(const char *epoch, void *userdata)
{
	_cleanup_closedir_ DIR *dir = opendir(epoch);
	const struct dirent *entry;

	(void)userdata;
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			return 1;
	return 0;
}

bool kw_pins_exist(void)
{
	return access(KW_PINS_GUARD, F_OK) == 0 || kw_pins_each_epoch(is_not_empty, NULL) > 0;
}

static int take_number(const char *epoch, void *userdata)
{
	*(uint64_t *)userdata = epoch_of(strrchr(epoch, '/') + 1);
	return 1;
}

int kw_pins_new_epoch(char **ret, uint32_t *ret_number)
{
	_cleanup_free_ char *path = NULL;
	uint64_t last = 0;
	int r;

	r = kw_pins_each_epoch(take_number, &last);
	if (r < 0)
		return r;
	if (asprintf(&path, "%s/%llu", KW_PINS, (unsigned long long)last + 1) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (mkdir(path, 0700) < 0)
		return -errno;
	*ret = TAKE_PTR(path);
	*ret_number = (uint32_t)(last + 1);
	return 0;
}

struct removing {
	const char *keep;
	int error;
};

/* One that cannot be removed is no reason to leave the others. */
static int remove_other(const char *epoch, void *userdata)
{
	struct removing *removing = userdata;
	int r;

	if (removing->keep && kw_streq(epoch, removing->keep))
		return 0;
	r = kw_pins_remove_epoch(epoch);
	if (r < 0)
		removing->error = r;
	return 0;
}

int kw_pins_remove_others(const char *keep)
{
	struct removing removing = {.keep = keep};
	int r;

	r = kw_pins_each_epoch(remove_other, &removing);
	return r < 0 ? r : removing.error;
}

static int is_there(const char *epoch, void *userdata)
{
	(void)epoch;
	(void)userdata;
	return 1;
}

void kw_pins_forget_shared(void)
{
	char path[PATH_MAX];

	/* Sets that are there, or that nobody knows of, need them. */
	if (kw_pins_each_epoch(is_there, NULL) != 0)
		return;
	for (size_t i = 0; i < KW_ARRAY_SIZE(shared); i++) {
		snprintf(path, sizeof(path), "%s/%s", KW_PINS, shared[i]);
		unlink(path);
	}
}

int kw_pins_remove_guard(void)
{
	int r = kw_pins_remove_epoch(KW_PINS_GUARD);

	return r == -ENOENT ? 0 : r;
}

int kw_pins_remove_all(void)
{
	char path[PATH_MAX];
	int r;

	/* First: whoever is stopped halfway leaves nothing that only a token removes. */
	r = kw_pins_remove_guard();
	if (r == 0)
		r = kw_pins_remove_others(NULL);
	if (r < 0)
		return r;
	for (size_t i = 0; i < KW_ARRAY_SIZE(shared); i++) {
		snprintf(path, sizeof(path), "%s/%s", KW_PINS, shared[i]);
		if (unlink(path) < 0 && errno != ENOENT)
			return -errno;
	}
	return rmdir(KW_PINS) < 0 && errno != ENOENT ? -errno : 0;
}
