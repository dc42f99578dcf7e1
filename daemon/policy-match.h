/* SPDX-License-Identifier: GPL-2.0-only */
/* The language of policy files: which VMs a policy is about. */
#ifndef KVMWARDEN_POLICY_MATCH_H
#define KVMWARDEN_POLICY_MATCH_H

#include "yaml-reader.h"

/* Read "match" and "except"; target is a struct kw_policy_reader. */
int kw_policy_read_match(struct kw_yaml *yaml, void *target);
int kw_policy_read_except(struct kw_yaml *yaml, void *target);

#endif
