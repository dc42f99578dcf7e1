/* SPDX-License-Identifier: GPL-2.0-only */
/* Unix sockets that are found by their names. */
#define _GNU_SOURCE 1
#include "listen.h"

#include <errno.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "util.h"

static int set_address(struct sockaddr_un *address, const char *path, const char *suffix)
{
	int n;

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(address->sun_path, sizeof(address->sun_path), "%s%s", path, suffix);
	return n < 0 || (size_t)n >= sizeof(address->sun_path) ? -ENAMETOOLONG : 0;
}

static int open_connection(const char *path, int type, int *ret)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_un address;
	int r;

	r = set_address(&address, path, "");
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

int kw_connect(const char *path, int type, int *ret)
{
	return open_connection(path, type, ret);
}

static int check_unused(const char *path, int type)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	r = open_connection(path, type | SOCK_NONBLOCK, &fd);
	if (r == 0 || r == -EAGAIN)
		return -EADDRINUSE;
	return r == -ENOENT || r == -ECONNREFUSED ? 0 : r;
}

/*
 * The file alone, as a group of the system is in it. getgrnam() would load modules that
 * can wait for a network, and which, without memory, end the process.
 */
static gid_t find_group(const char *name)
{
	_cleanup_fclose_ FILE *file = fopen("/etc/group", "re");
	const struct group *group = NULL;

	while (file && (group = fgetgrent(file)) && !kw_streq(group->gr_name, name))
		;
	return group ? group->gr_gid : (gid_t)-1;
}

static int make_directory(const char *path)
{
	_cleanup_free_ char *directory = strdup(path);
	char *slash = directory ? strrchr(directory, '/') : NULL;

	if (!directory)
		return -ENOMEM;
	if (!slash || slash == directory)
		return 0;
	*slash = '\0';
	if (mkdir(directory, 0711) < 0)
		return errno == EEXIST ? 0 : -errno;
	return chmod(directory, 0711) < 0 ? -errno : 0;
}

/*
 * The socket gets its name only when it has its owner and mode and listens:
 * whoever sees it can use it, and a stale one is replaced at once.
 */
int kw_listen(const char *path, int type, const char *group, int backlog, int *ret,
	      struct stat *ret_stat)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_un address;
	int r;

	r = make_directory(path);
	if (r < 0)
		return r;
	r = check_unused(path, type);
	if (r < 0)
		return r;
	r = set_address(&address, path, ".new");
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(address.sun_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (chown(address.sun_path, -1, find_group(group)) < 0 ||
	    chmod(address.sun_path, 0660) < 0 || listen(fd, backlog) < 0 ||
	    stat(address.sun_path, ret_stat) < 0 || rename(address.sun_path, path) < 0) {
		r = -errno;
		unlink(address.sun_path);
		return r;
	}
	*ret = TAKE_FD(fd);
	return 0;
}

void kw_listen_end(const char *path, const struct stat *st)
{
	struct stat now;

	if (lstat(path, &now) == 0 && now.st_dev == st->st_dev && now.st_ino == st->st_ino)
		unlink(path);
}
