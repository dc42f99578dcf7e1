/* SPDX-License-Identifier: GPL-2.0-only */
/* The language of policy files: from text to struct kw_policy. */
#ifndef KVMWARDEN_POLICY_READ_H
#define KVMWARDEN_POLICY_READ_H

#include <stddef.h>
#include <stdint.h>

#include "policy.h"

/*
 * Parses one policy out of text; file is its name. set is only looked at: a
 * policy that has a name of the set is an error. *ret is filled on success, and
 * then owned by the caller (kw_policy_done()); -EINVAL with *reterr, or -ENOMEM.
 */
int kw_policy_parse(const char *file, const char *text, size_t size,
		    const struct kw_policy_set *set, struct kw_policy *ret, struct kw_diag *reterr);

/*
 * The uid of a user, given by name, which /etc/passwd must have, or number. -ESRCH: it has none of
 * that name; -errno: it cannot be read.
 */
int kw_policy_user(const char *text, uint32_t *ret);

/* A pattern. -EINVAL: it has more than one star; -ENAMETOOLONG. */
int kw_policy_glob(const char *text, struct kw_glob *ret);
/* A deep copy, for the caller to own. -ENOMEM. */
int kw_policy_copy(const struct kw_policy *policy, struct kw_policy *ret);

/* Replaces a string by a copy of text. -ENOMEM, and then it is what it was. */
int kw_policy_store(char **ret, const char *text);

/* Releases what a policy owns; harmless on (struct kw_policy){}. */
void kw_policy_done(struct kw_policy *policy);

#endif
