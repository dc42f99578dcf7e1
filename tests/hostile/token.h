/* SPDX-License-Identifier: GPL-2.0-only */
/* How a token is shown to the guard of a sealed host. */
#ifndef KVMWARDEN_TEST_TOKEN_H
#define KVMWARDEN_TEST_TOKEN_H

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

/* struct kw_guard_token, KW_CMD_SEAL. What the ioctl returns; -2: it could not be tried. */
static inline int show_token(const char *text)
{
	struct {
		unsigned long long length;
		char bytes[64];
	} token = {.length = strlen(text)};
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || token.length > sizeof(token.bytes))
		return -2;
	memcpy(token.bytes, text, token.length);
	return ioctl(fd, 0xaefe, &token);
}

#endif
