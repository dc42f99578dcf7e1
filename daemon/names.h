/* SPDX-License-Identifier: GPL-2.0-only */
/* The words of policies and events, and what they stand for. */
#ifndef KVMWARDEN_NAMES_H
#define KVMWARDEN_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvmwarden.h"

/*
 * All strings are static. A kw_*_name() of a value out of range is "unknown";
 * kw_*_from_name() returns the value, or -EINVAL.
 */
const char *kw_type_name(unsigned int type); /* enum kw_vm_type: "sev-snp" */
const char *kw_scope_name(unsigned int scope); /* enum kw_scope: "vcpu" */
const char *kw_state_name(unsigned int state); /* enum kw_state: "sealed" */
const char *kw_verdict_name(unsigned int verdict); /* enum kw_verdict: "deny" */
const char *kw_entry_name(unsigned int entry); /* enum kw_entry: "native" */
const char *kw_backend_name(unsigned int backend); /* enum kw_backend_id: "fmod_ret" */
const char *kw_act_name(unsigned int act); /* enum kw_act: "open-map" */
const char *kw_mode_name(unsigned int mode); /* enum kw_mode: "audit" */
int kw_type_from_name(const char *name);
int kw_state_from_name(const char *name);
int kw_verdict_from_name(const char *name);
int kw_entry_from_name(const char *name);
int kw_backend_from_name(const char *name);
int kw_mode_from_name(const char *name);

/* errno names: "EPERM" <-> EPERM. NULL, or -EINVAL, for those without one. */
const char *kw_errno_name(int error);
int kw_errno_from_name(const char *name);

/*
 * An operation: an ioctl of KVM; one of the many that share an ioctl (a command of
 * KVM_MEMORY_ENCRYPT_OP, a capability of KVM_ENABLE_CAP, SYNC_REGS); or VM_DESTROY,
 * which is no ioctl. The index in the table is what struct kw_event.operation holds.
 */
struct kw_operation {
	const char *name; /* "KVM_SET_REGS" */
	uint32_t command; /* the full 32-bit number; 0 if it is no ioctl of its own */
	uint32_t scopes; /* one bit per enum kw_scope it exists on */
	bool refusable; /* false: only allow and audit make sense */
	bool hidden; /* no policy can name it */
	uint32_t compat_command; /* the number 32-bit callers use where it differs, else 0 */
	uint8_t family; /* enum kw_family, for those that share an ioctl */
	uint16_t member; /* its number in the family */
	uint16_t parent; /* the operation that is the ioctl they share; 0: it is none of these */
	uint8_t firmware; /* the command of the SEV firmware that it makes KVM issue, or 0 */
	uint16_t also; /* another operation that makes KVM issue that command, or 0 */
};

/* A named set of operations: "@set-registers". */
struct kw_group {
	const char *name; /* with the '@' */
	const char *description;
	const uint16_t *operations; /* indices */
	size_t count;
};

/* The number of operations; at most KW_OPERATIONS_MAX. The first are enum kw_fixed_operation. */
size_t kw_operation_count(void);
/* NULL when index is out of range. A hidden one has a name but is not found by name. */
const struct kw_operation *kw_operation(unsigned int index);
/* The index, or -EINVAL. */
int kw_operation_from_name(const char *name);
/* The index of the operation with this (native or 32-bit) number on this scope, or -EINVAL. */
int kw_operation_from_command(uint32_t command, unsigned int scope);

size_t kw_group_count(void);
const struct kw_group *kw_group(unsigned int index);
const struct kw_group *kw_group_from_name(const char *name);

/*
 * The edit distance of a misspelt name to a candidate, case ignored;
 * KW_TOO_FAR when it would be a guess and not a correction.
 */
#define KW_TOO_FAR UINT32_MAX
unsigned int kw_name_distance(const char *name, const char *candidate);

/*
 * The member of a list (iterated by next(index) until NULL) nearest to a
 * misspelt name by edit distance, case ignored; NULL when none is near enough.
 */
const char *kw_nearest(const char *name, const char *(*next)(unsigned int index));
const char *kw_operation_list(unsigned int index); /* operations, then groups: for kw_nearest() */
const char *kw_type_list(unsigned int index); /* those a policy may name: not "unknown", "none" */
const char *kw_state_list(unsigned int index);
const char *kw_verdict_list(unsigned int index);
const char *kw_mode_list(unsigned int index);

#endif
