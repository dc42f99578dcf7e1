/* SPDX-License-Identifier: GPL-2.0-only */
/* What of a set of policies a plan leaves out, for plan.c and its tests. */
#ifndef KVMWARDEN_PLAN_SHORTFALL_H
#define KVMWARDEN_PLAN_SHORTFALL_H

#include "plan.h"

#define KW_PLAN_TYPES ((1u << (KW_TYPE_UNKNOWN + 1)) - 1) /* all that a VM can have */

/* Does a selector hold for every process that has a VM of any of these types (bits)? */
bool kw_plan_selects_all(const struct kw_selector *selector, uint32_t types);

/* Is the operation refused whatever the VM, its state, and the process? Then *ret says how. */
bool kw_plan_refuses_for_all(const struct kw_ruleset *rules, unsigned int operation,
			     struct kw_plan_entry *ret);

/* -ENOMEM. The order is that of the policies and their rules. */
int kw_shortfalls_find(const struct kw_ruleset *rules, enum kw_means means,
		       struct kw_shortfalls *ret);

#endif
