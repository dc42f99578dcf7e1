/* SPDX-License-Identifier: GPL-2.0-only */
/* A compiled policy set: the table for the kernel and the names behind its indices. */
#ifndef KVMWARDEN_RULESET_H
#define KVMWARDEN_RULESET_H

#include "decide.h"
#include "policy.h"

struct kw_ruleset {
	struct kw_policy_set set; /* owned */
	uint64_t generation;
	struct kw_table *table; /* owned: what the kernel gets, byte for byte; NULL once retired */
};

/*
 * Compiles the set into a table of this generation and takes it over: on
 * success *set is empty and *ret owns everything; on failure nothing changes.
 * -ENOMEM, or with *reterr -EINVAL (a rule for an operation that cannot be
 * refused...) or -ENOSPC (no multiplier gives each command a slot of its own).
 */
int kw_ruleset_compile(struct kw_policy_set *set, uint64_t generation, struct kw_ruleset **ret,
		       struct kw_diag *reterr);
/* Gives a set that is not in force yet another generation. */
void kw_ruleset_renumber(struct kw_ruleset *rs, uint64_t generation);
/* Lets the table go. Names can still be looked up; nothing else may be asked of it. */
void kw_ruleset_retire(struct kw_ruleset *rs);
struct kw_ruleset *kw_ruleset_free(struct kw_ruleset *rs); /* returns NULL; NULL is fine */

/* NULL when the index is KW_NONE or out of range. */
const struct kw_policy *kw_ruleset_policy(const struct kw_ruleset *rs, unsigned int policy);
const struct kw_rule *kw_ruleset_rule(const struct kw_ruleset *rs, unsigned int policy,
				      unsigned int rule);

/* Does any policy have more to say of the operation than to allow it? */
bool kw_ruleset_has_verdict(const struct kw_table *table, unsigned int operation);
/* The same in this state, of those that may match a VM of this type, whoever made it. */
bool kw_ruleset_concerns(const struct kw_table *table, unsigned int operation, unsigned int state,
			 uint32_t type);

/* Does a rule of a policy in enforce mode say deny? Then a backend that refuses is needed. */
bool kw_ruleset_denies(const struct kw_ruleset *rs);

/* The policies that apply to a VM, one bit each. */
uint64_t kw_ruleset_match(const struct kw_ruleset *rs, const struct kw_subject *subject);

/*
 * The verdict for an operation in a state on a VM: the procedure of the BPF
 * programs, run here.
 */
void kw_ruleset_explain(const struct kw_ruleset *rs, unsigned int operation, unsigned int state,
			const struct kw_subject *subject, struct kw_decision *ret);

#endif
