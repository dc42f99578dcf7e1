/* SPDX-License-Identifier: GPL-2.0-only */
/* The language of policy files: the rules. */
#ifndef KVMWARDEN_POLICY_RULES_H
#define KVMWARDEN_POLICY_RULES_H

#include "policy.h"
#include "yaml-reader.h"

/* The target of all readers of a policy file. */
struct kw_policy_reader {
	struct kw_policy *policy; /* being filled */
	const struct kw_policy_set *set; /* the policies it will join */
	size_t rules_size; /* allocated elements of policy->rules */
	/* The operations that the rules so far decide. */
	uint8_t decided[_KW_STATE_MAX][KW_OPERATIONS_MAX / 8];
};

/* Reads one element of "rules"; target is a struct kw_policy_reader. */
int kw_policy_read_rule(struct kw_yaml *yaml, void *target);

#endif
