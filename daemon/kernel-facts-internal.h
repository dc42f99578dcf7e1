/* SPDX-License-Identifier: GPL-2.0-only */
/* What of a kernel only system calls tell: for kernel-facts.c. */
#ifndef KVMWARDEN_KERNEL_FACTS_INTERNAL_H
#define KVMWARDEN_KERNEL_FACTS_INTERNAL_H

#include "kernel-facts.h"

/* Is "bpf" an active LSM? For where securityfs cannot be read. */
enum kw_truth kw_ask_bpf_lsm(void);

/* Is Landlock active? *ret_version, if it is, is that of its interface. */
enum kw_truth kw_ask_landlock(uint32_t *ret_version);

/* Does int 0x80 work? Asked by a child process. */
enum kw_truth kw_ask_compat_entry(void);

#endif
