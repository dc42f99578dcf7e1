/* SPDX-License-Identifier: GPL-2.0-only */
/* Shortfalls of a plan, told to people, and plans that policies on disk make. */
#ifndef KVMWARDEN_SHORTFALL_H
#define KVMWARDEN_SHORTFALL_H

#include <stdio.h>

#include "cli.h"
#include "plan.h"

/*
 * One line of it: "FILE:LINE: error: KVM_SEV_DBG_DECRYPT of policy 'x' cannot be decided by
 * seccomp: REASON".
 */
void kw_shortfall_print(const struct kw_shortfall *shortfall, enum kw_means means, FILE *out);

/*
 * The plan that the policies of cli make where nobody supervises. Shortfalls are printed to
 * stderr; one that is an error is a failure. Returns an exit status.
 */
int kw_plan_load_alone(const struct kw_cli *cli, struct kw_plan *ret);

#endif
