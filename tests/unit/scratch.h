/* SPDX-License-Identifier: GPL-2.0-only */
/* A temporary directory for a group of tests, and files in it. */
#ifndef KVMWARDEN_TEST_SCRATCH_H
#define KVMWARDEN_TEST_SCRATCH_H

#include <ftw.h>
#include <sys/stat.h>

#include "unit.h"
#include "util.h"

static char scratch[] = "/tmp/kvmwarden-test-XXXXXX";

static inline int scratch_make(void **state)
{
	(void)state;
	return mkdtemp(scratch) ? 0 : -1;
}

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline int scratch_remove(void **state)
{
	(void)state;
	return nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The path of a name below the temporary directory; valid until the fourth next call. */
static inline const char *at(const char *name)
{
	static char paths[4][256];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", scratch, name);
	return path;
}

static inline const char *write_bytes(const char *name, const void *bytes, size_t size)
{
	const char *path = at(name);
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0644), 0);
	return path;
}

static inline const char *write_text(const char *name, const char *text)
{
	return write_bytes(name, text, strlen(text));
}

static inline void write_policy(const char *file, const char *name)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "policy: %s\nrules: [{operations: [KVM_RUN], verdict: audit}]\n", name);
	write_text(file, text);
}

#endif
