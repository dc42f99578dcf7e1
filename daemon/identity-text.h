/* SPDX-License-Identifier: GPL-2.0-only */
/* Who creates a VM, out of text: as the BPF programs gather it from a task. */
#ifndef KVMWARDEN_IDENTITY_TEXT_H
#define KVMWARDEN_IDENTITY_TEXT_H

#include "kvmwarden.h"

/*
 * An identity of which nothing is known: its names match every pattern of a
 * match and none of an exception, its uid is nobody's.
 */
struct kw_identity kw_identity_unknown(void);

/* A path; NULL is unknown, one too long for its field counts as truncated. */
void kw_identity_set_exe(struct kw_identity *who, const char *path);
/* Also sets the unit: the topmost component that is one, as bpf/identity.h has it. */
void kw_identity_set_cgroup(struct kw_identity *who, const char *path);
/*
 * A control group that has this unit: /system.slice/UNIT. -EINVAL, and nothing
 * is changed, when no unit is called that.
 */
int kw_identity_set_unit(struct kw_identity *who, const char *unit);

#endif
