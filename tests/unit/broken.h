/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads files that are broken on purpose. */
#ifndef KVMWARDEN_TEST_BROKEN_H
#define KVMWARDEN_TEST_BROKEN_H

#include "policy.h"
#include "scratch.h"
#include "unit.h"
#include "util.h"

/* Reads a broken file: nothing may be added to the set. */
static inline int read_broken(const char *path, struct kw_diag *diag)
{
	struct kw_policy_set set = {};
	int r = kw_policy_read(path, false, &set, diag);

	if (r == 0)
		fail_msg("%s: taken, although broken", path);
	assert_null(set.policies);
	assert_int_equal(set.count, 0);
	assert_non_null(diag->message);
	assert_string_equal(diag->file, path);
	return r;
}

static inline void expect_broken(const char *path, unsigned int line, unsigned int column,
				 const char *message)
{
	_cleanup_(kw_diag_done) struct kw_diag diag = {};

	read_broken(path, &diag);
	if (diag.line != line || diag.column != column || !strstr(diag.message, message))
		fail_msg("%s: expected %u:%u '%s', got %u:%u '%s'", path, line, column, message,
			 diag.line, diag.column, diag.message);
	assert_int_equal(diag.source != NULL, line != 0);
}

#endif
