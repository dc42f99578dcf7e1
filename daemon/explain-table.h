/* SPDX-License-Identifier: GPL-2.0-only */
/* The verdicts on all operations as a table for people. */
#ifndef KVMWARDEN_EXPLAIN_TABLE_H
#define KVMWARDEN_EXPLAIN_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include "ruleset.h"

/* Which verdicts; a value below 0 stands for all of its kind. */
struct kw_explain_scope {
	int type;
	int state;
	int operation;
	const struct kw_identity *who;
	bool verbose; /* also each operation that is allowed */
};

/*
 * A table for each VM type; types of which it is the same share one. Rows are
 * groups of operations of the same answers, or operations. -ENOMEM.
 */
int kw_explain_table(const struct kw_ruleset *rs, const struct kw_explain_scope *scope, FILE *out);

#endif
