/* SPDX-License-Identifier: GPL-2.0-only */
/* What a change of policies means: the questions that get another answer. */
#ifndef KVMWARDEN_DIFF_H
#define KVMWARDEN_DIFF_H

#include "operation-set.h"
#include "ruleset.h"
#include "who.h"

/* The answer of one of the two sets. */
struct kw_diff_side {
	uint16_t verdict; /* enum kw_verdict */
	uint16_t error; /* errno, or 0 */
	uint16_t limit_events; /* of the events: see struct kw_origin */
	uint16_t limit_seconds;
	uint16_t policy; /* the deciding one, or KW_NONE */
	uint16_t rule;
};

/* All these operations, types, states and identities, as far as they go together. */
struct kw_diff_row {
	struct kw_diff_side sides[2]; /* old and new */
	struct kw_operation_set operations;
	uint32_t types; /* one bit per enum kw_vm_type */
	uint32_t states; /* one bit per enum kw_state */
	struct kw_who_set who;
	char *words; /* for the operations */
};

struct kw_diff {
	struct kw_who who;
	struct kw_diff_row *rows; /* those that take a restriction off come first */
	size_t count;
};

/*
 * Asks both sets every question there is, of each kind of VMM they can tell
 * apart. .who.complete says whether that was all of them. -ENOMEM; else end
 * with kw_diff_done().
 */
int kw_diff(const struct kw_ruleset *old, const struct kw_ruleset *new, struct kw_diff *ret);
void kw_diff_done(struct kw_diff *diff);

/* Is it all types, or all states, that an operation of the row exists on? */
bool kw_diff_all_types(const struct kw_diff_row *row);
bool kw_diff_all_states(const struct kw_diff_row *row);

#endif
