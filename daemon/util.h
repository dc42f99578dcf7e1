/* SPDX-License-Identifier: GPL-2.0-only */
/* Ownership by attribute, and the few helpers every module needs. */
#ifndef KVMWARDEN_UTIL_H
#define KVMWARDEN_UTIL_H

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KW_ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Hands over what a cleanup attribute owns: the variable is NULL (or -1) afterwards. */
#define TAKE_GENERIC(var, null)             \
	__extension__({                     \
		__auto_type _taken = (var); \
		(var) = (null);             \
		_taken;                     \
	})
#define TAKE_PTR(ptr) TAKE_GENERIC(ptr, NULL)
#define TAKE_FD(fd) TAKE_GENERIC(fd, -1)

/* For types with a function "T *x_free(T *)" or "void x_free(T *)" that accepts NULL. */
#define KW_DEFINE_CLEANUP(type, function)               \
	static inline void function##_cleanup(type **p) \
	{                                               \
		if (*p)                                 \
			function(*p);                   \
	}

#define _cleanup_(function) __attribute__((cleanup(function)))

static inline void kw_free_cleanup(void *p)
{
	free(*(void **)p);
}

/* Preserves errno: it runs on the way out, after the error was set. */
static inline void kw_close_cleanup(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void kw_fclose_cleanup(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void kw_closedir_cleanup(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define _cleanup_free_ _cleanup_(kw_free_cleanup)
#define _cleanup_close_ _cleanup_(kw_close_cleanup)
#define _cleanup_fclose_ _cleanup_(kw_fclose_cleanup)
#define _cleanup_closedir_ _cleanup_(kw_closedir_cleanup)

static inline bool kw_streq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/*
 * Says in a malloc()ed sentence why, and returns error: "return kw_fail(...)".
 * *reterr is NULL when there is no memory for it.
 */
__attribute__((format(printf, 3, 4))) static inline int kw_fail(int error, char **reterr,
								const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(reterr, format, args) < 0)
		*reterr = NULL;
	va_end(args);
	return error;
}

/* A shortage, which says nothing of what the kernel can do: no reason to settle for less. */
static inline bool kw_is_shortage(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE || error == -EAGAIN;
}

static inline uint64_t kw_clock_ns(clockid_t clock)
{
	struct timespec now = {};

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/*
 * The one way a number from outside is read: decimal digits only, no sign, no
 * blank, no leading zero, at most max. -EINVAL for other text, -ERANGE above max.
 */
static inline int kw_parse_u64(const char *text, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;
	const char *p;

	if (!*text || (text[0] == '0' && text[1]))
		return -EINVAL;
	for (p = text; *p; p++)
		if (*p < '0' || *p > '9')
			return -EINVAL;
	for (p = text; *p; p++) {
		unsigned int digit = *p - '0';

		if (value > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		value = value * 10 + digit;
		if (value > max)
			return -ERANGE;
	}
	*ret = value;
	return 0;
}

/* As above, for 32 bits. */
static inline int kw_parse_u32(const char *text, uint32_t max, uint32_t *ret)
{
	uint64_t value;
	int r;

	r = kw_parse_u64(text, max, &value);
	if (r < 0)
		return r;
	*ret = value;
	return 0;
}

#endif
