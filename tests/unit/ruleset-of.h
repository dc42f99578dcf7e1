/* SPDX-License-Identifier: GPL-2.0-only */
/* Policies given as text, read through a file as all of them, and compiled. */
#ifndef KVMWARDEN_TEST_RULESET_OF_H
#define KVMWARDEN_TEST_RULESET_OF_H

#include "names.h"
#include "ruleset.h"
#include "unit.h"
#include "util.h"

static inline void free_ruleset(struct kw_ruleset **rs)
{
	*rs = kw_ruleset_free(*rs);
}

#define _cleanup_ruleset_ _cleanup_(free_ruleset)

static inline unsigned int op_of(const char *name)
{
	int index = kw_operation_from_name(name);

	if (index < 0)
		fail_msg("there is no operation '%s'", name);
	return index;
}

/* What kw_policy_read() says of the text. */
static inline int try_text(struct kw_policy_set *set, const char *text, struct kw_diag *reterr)
{
	char path[] = "/tmp/kvmwarden-test-XXXXXX";
	_cleanup_close_ int fd = mkstemp(path);
	int r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	r = kw_policy_read(path, false, set, reterr);
	unlink(path);
	return r;
}

static inline void add_text(struct kw_policy_set *set, const char *text)
{
	_cleanup_(kw_diag_done) struct kw_diag diag = {};

	if (try_text(set, text, &diag) < 0)
		fail_msg("%u:%u: %s\n%s", diag.line, diag.column, diag.message, text);
}

/* Takes the set over. */
static inline struct kw_ruleset *compile(struct kw_policy_set *set)
{
	_cleanup_(kw_diag_done) struct kw_diag diag = {};
	struct kw_ruleset *rs = NULL;

	if (kw_ruleset_compile(set, 7, &rs, &diag) < 0)
		fail_msg("%s", diag.message);
	assert_null(set->policies);
	assert_int_equal(set->count, 0);
	return rs;
}

static inline struct kw_ruleset *ruleset_of(const char *text)
{
	struct kw_policy_set set = {};

	add_text(&set, text);
	return compile(&set);
}

#endif
