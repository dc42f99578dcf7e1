/* SPDX-License-Identifier: GPL-2.0-only */
/* The token of a seal: read from its file, and shown to the guard in the kernel. */
#include "seal-token.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "util.h"

void kw_token_wipe(struct kw_guard_token *token)
{
	explicit_bzero(token, sizeof(*token));
}

static int check_file(int fd, const char *path, char **reterr)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return kw_fail(-errno, reterr, "cannot look at '%s': %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 077))
		return kw_fail(-EPERM, reterr,
			       "'%s' must be a file that belongs to root and that nobody else may "
			       "read",
			       path);
	return 0;
}

int kw_token_read(const char *path, struct kw_guard_token *ret, char **reterr)
{
	_cleanup_close_ int fd = -1;
	/* One byte more than there may be, and the end of the line. */
	char line[KW_TOKEN_MOST + 2];
	ssize_t n;
	size_t length;
	int r;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return kw_fail(-errno, reterr, "cannot open '%s': %s", path, strerror(errno));
	r = check_file(fd, path, reterr);
	if (r < 0)
		return r;
	n = read(fd, line, sizeof(line));
	if (n < 0)
		return kw_fail(-errno, reterr, "cannot read '%s': %s", path, strerror(errno));
	for (length = 0; length < (size_t)n && line[length] != '\n'; length++)
		;
	if (length < KW_TOKEN_LEAST || length > KW_TOKEN_MOST) {
		explicit_bzero(line, sizeof(line));
		return kw_fail(-EINVAL, reterr, "the first line of '%s' must be %d to %d bytes",
			       path, KW_TOKEN_LEAST, KW_TOKEN_MOST);
	}
	*ret = (struct kw_guard_token){.length = length};
	memcpy(ret->bytes, line, length);
	explicit_bzero(line, sizeof(line));
	return 0;
}

/* On a file that answers no ioctl itself. Returns the errno. */
static int ask(int fd, unsigned long argument)
{
	return ioctl(fd, KW_CMD_SEAL, argument) < 0 ? errno : 0;
}

static int ask_null(unsigned long argument)
{
	_cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? errno : ask(fd, argument);
}

bool kw_seal_exists(void)
{
	return ask_null(0) == KW_SEALED_ERRNO;
}

int kw_seal_show(const struct kw_guard_token *token)
{
	switch (ask_null((unsigned long)token)) {
	case KW_LET_IN_ERRNO:
		return 0;
	case EPERM:
		return -EPERM;
	case ENOMEM:
		return -ENOMEM;
	}
	return -ENOENT;
}

void kw_seal_place(int pins)
{
	ask(pins, KW_SEAL_PLACE);
}
