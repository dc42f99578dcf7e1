/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that root obeys: policies, and the daemon's configuration. */
#include "trusted.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "util.h"

/* What root obeys, only root may write. */
int kw_check_owner(const char *path, const struct stat *st, struct kw_diag *reterr)
{
	if (st->st_uid != 0) {
		kw_diag_set(reterr, path, 0, 0, "belongs to uid %u, not to root",
			    (unsigned int)st->st_uid);
		return -EPERM;
	}
	if (st->st_mode & (S_IWGRP | S_IWOTH)) {
		kw_diag_set(reterr, path, 0, 0, "can be written by others than root (mode %04o)",
			    (unsigned int)st->st_mode & 07777);
		return -EPERM;
	}
	return 0;
}

static int check_file(const char *path, const char *noun, int fd, bool strict_owner,
		      struct kw_diag *reterr)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0) {
		r = -errno;
		kw_diag_set(reterr, path, 0, 0, "cannot be examined: %s", strerror(-r));
		return r;
	}
	if (S_ISDIR(st.st_mode)) {
		kw_diag_set(reterr, path, 0, 0, "is a directory, not a %s file", noun);
		kw_diag_hint(reterr, "name the files in it");
		return -EISDIR;
	}
	if (!S_ISREG(st.st_mode)) {
		kw_diag_set(reterr, path, 0, 0, "is not a regular file");
		return -EINVAL;
	}
	if (st.st_size > KW_TRUSTED_MAX) {
		kw_diag_set(reterr, path, 0, 0, "is larger than %d bytes", KW_TRUSTED_MAX);
		return -EFBIG;
	}
	return strict_owner ? kw_check_owner(path, &st, reterr) : 0;
}

/* The whole of fd, at most KW_TRUSTED_MAX bytes: it may have grown since it was examined. */
static int read_all(const char *path, int fd, char **ret, size_t *ret_size, struct kw_diag *reterr)
{
	_cleanup_free_ char *text = malloc(KW_TRUSTED_MAX + 1);
	size_t size = 0;
	ssize_t n;
	int r;

	if (!text)
		return -ENOMEM;
	while (size <= KW_TRUSTED_MAX) {
		n = read(fd, text + size, KW_TRUSTED_MAX + 1 - size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = -errno;
			kw_diag_set(reterr, path, 0, 0, "cannot be read: %s", strerror(-r));
			return r;
		}
		if (n == 0) {
			*ret = TAKE_PTR(text);
			*ret_size = size;
			return 0;
		}
		size += n;
	}
	kw_diag_set(reterr, path, 0, 0, "is larger than %d bytes", KW_TRUSTED_MAX);
	return -EFBIG;
}

int kw_read_trusted(const char *path, const char *noun, bool strict_owner, char **ret,
		    size_t *ret_size, struct kw_diag *reterr)
{
	_cleanup_close_ int fd = -1;
	int r;

	/* A FIFO would block, a terminal would become ours. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		r = -errno;
		kw_diag_set(reterr, path, 0, 0, "cannot be opened: %s", strerror(-r));
		return r;
	}
	r = check_file(path, noun, fd, strict_owner, reterr);
	if (r < 0)
		return r;
	return read_all(path, fd, ret, ret_size, reterr);
}
