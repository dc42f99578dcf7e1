/* SPDX-License-Identifier: GPL-2.0-only */
/* A plan as a seccomp filter. */
#ifndef KVMWARDEN_FILTER_H
#define KVMWARDEN_FILTER_H

#include <linux/filter.h>
#include <seccomp.h>

#include "plan.h"

/*
 * Builds the filter of a plan: for the 64-bit, the 32-bit and the x32 entry alike; what the
 * plan is not about is allowed, a system call of any other architecture kills the process.
 * The command is compared in the 32 bits that the kernel takes. Loaded, it holds for all
 * threads (TSYNC) and sets no_new_privs. -errno with *reterr (malloc()ed): libseccomp or
 * the kernel cannot do it. The caller releases it with seccomp_release().
 */
int kw_filter_build(const struct kw_plan *plan, scmp_filter_ctx *ret, char **reterr);

/* The same as instructions: ret->filter is malloc()ed. */
int kw_filter_make(const struct kw_plan *plan, struct sock_fprog *ret, char **reterr);

/*
 * Puts this process, all its threads, under the filter, with no_new_privs. With ret_listener
 * (owned by the caller) it may notify. -EBUSY: this process is under a filter with a listener
 * already. seccomp_load() of libseccomp 2.5 does not tell one error from another.
 */
int kw_filter_load(const struct sock_fprog *program, int *ret_listener);

#endif
