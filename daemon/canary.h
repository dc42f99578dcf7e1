/* SPDX-License-Identifier: GPL-2.0-only */
/* A VM of the daemon's own: KVM's files are learnt from it, and enforcement is proved on it. */
#ifndef KVMWARDEN_CANARY_H
#define KVMWARDEN_CANARY_H

#include <stdbool.h>
#include <stdint.h>

#include "kvmwarden.h"

struct kw_canary {
	int fds[_KW_SCOPE_MAX]; /* by enum kw_scope; -1 where there is none */
};

#define KW_CANARY_NONE ((struct kw_canary){.fds = {-1, -1, -1, -1}})

/*
 * Opens /dev/kvm and creates a default VM with one vCPU and, where KVM has one
 * to offer, a device. -errno with *reterr (malloc()ed) a sentence that says what
 * is wrong and what to do. Ended by kw_canary_done(), harmless on KW_CANARY_NONE.
 */
int kw_canary_open(struct kw_canary *ret, char **reterr);
void kw_canary_done(struct kw_canary *canary);

/* Is /dev/kvm there to be opened? Errors as below; creates nothing. */
int kw_canary_check(char **reterr);

/*
 * Issues the canary ioctl with this argument on the vCPU, by this entry. Returns the errno it was
 * answered with, 0 if it succeeded, or -ENOSYS when the kernel has no such entry.
 */
int kw_canary_sing(const struct kw_canary *canary, enum kw_entry entry, uint32_t argument);

#endif
