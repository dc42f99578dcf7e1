/* SPDX-License-Identifier: GPL-2.0-only */
/* The facts about a kernel as checks with a meaning and a remedy. */
#ifndef KVMWARDEN_DOCTOR_H
#define KVMWARDEN_DOCTOR_H

#include <stddef.h>

#include "kernel-facts.h"

enum kw_check_result {
	KW_CHECK_OK,
	KW_CHECK_MISSING,
	KW_CHECK_UNKNOWN, /* the remedy is how to find out */
	KW_CHECK_GAP, /* something KVM lets through on this kernel */
	_KW_CHECK_MAX,
};

#define KW_CHECKS_MAX 48

struct kw_check {
	const char *name;
	enum kw_check_result result;
	char meaning[256];
	const char *remedy; /* static, or NULL */
};

struct kw_checks {
	struct kw_check list[KW_CHECKS_MAX];
	size_t count;
};

/* All checks that make sense on this kernel, in the order they are to be read. */
void kw_doctor_examine(const struct kw_kernel_facts *facts, struct kw_checks *ret);

/* The strongest backend these facts allow: enum kw_backend_id, or KW_BACKEND_NONE. */
unsigned int kw_doctor_backend(const struct kw_kernel_facts *facts);

const char *kw_check_result_name(enum kw_check_result result);

#endif
