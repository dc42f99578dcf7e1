/* SPDX-License-Identifier: GPL-2.0-only */
/* The longest policy there can be: a rule for each operation in each state. */
#ifndef KVMWARDEN_TEST_EVERY_RULE_H
#define KVMWARDEN_TEST_EVERY_RULE_H

#include <stdbool.h>
#include <stdio.h>

#include "names.h"

/* A rule for each state in which the operation exists; returns how many. */
static inline unsigned int write_rules_of(FILE *f, const struct kw_operation *op,
					  const char *verdict)
{
	unsigned int count = 0;

	for (unsigned int state = 0; state < _KW_STATE_MAX; state++) {
		if (op->scopes == 1u << KW_SCOPE_SYSTEM && state == KW_STATE_SEALED)
			continue;
		fprintf(f, "  - {operations: [%s], state: %s, verdict: %s}\n", op->name,
			kw_state_name(state), op->refusable ? verdict : "audit");
		count++;
	}
	return count;
}

/* A policy of that name, a rule a line from the third on; returns the number of rules. */
static inline unsigned int write_every_rule(FILE *f, const char *name, const char *verdict)
{
	const struct kw_operation *op;
	unsigned int count = 0;

	fprintf(f, "policy: %s\nrules:\n", name);
	/* What shares an ioctl comes first: a rule on the ioctl covers it. */
	for (unsigned int shares = 2; shares-- > 0;)
		for (unsigned int i = 0; (op = kw_operation(i)); i++)
			if (!op->hidden && (op->family != KW_FAMILY_NONE) == shares)
				count += write_rules_of(f, op, verdict);
	return count;
}

#endif
