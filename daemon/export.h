/* SPDX-License-Identifier: GPL-2.0-only */
/* Plans in the formats that other VMMs and container runtimes load. */
#ifndef KVMWARDEN_EXPORT_H
#define KVMWARDEN_EXPORT_H

#include <stdio.h>

#include "plan.h"

/*
 * Each writes the plan with what it lacks in front, as far as the format has room for words.
 * -errno: libseccomp's, or -ENOMEM.
 *
 * libseccomp-pfc: the pseudo code of seccomp_export_pfc(3), for people and for comparison.
 */
int kw_export_pfc(const struct kw_plan *plan, const struct kw_shortfalls *lacks, FILE *out);

/*
 * oci: the "linux.seccomp" object of the OCI runtime specification. listener: its listenerPath,
 * a unix socket that gets the notifications' descriptor, or NULL if nothing is notified.
 */
int kw_export_oci(const struct kw_plan *plan, const struct kw_shortfalls *lacks,
		  const char *listener, FILE *out);

/*
 * firecracker: the input of seccompiler-bin, the same for each kind of thread. It has one action
 * for all rules, which is to refuse with one errno.
 */
int kw_export_firecracker(const struct kw_plan *plan, const struct kw_shortfalls *lacks, FILE *out);

#endif
