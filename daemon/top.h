/* SPDX-License-Identifier: GPL-2.0-only */
/* For "kvmwarden top": two looks at the daemon in, a row for each VM with its rates out. */
#ifndef KVMWARDEN_TOP_H
#define KVMWARDEN_TOP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As they stand in the table, from left to right. */
enum kw_top_column {
	KW_TOP_ID,
	KW_TOP_TYPE,
	KW_TOP_STATE,
	KW_TOP_VCPUS,
	KW_TOP_PID,
	KW_TOP_EXE,
	KW_TOP_UNIT,
	KW_TOP_VERDICT_RATE,
	KW_TOP_DENIED,
	KW_TOP_DENIED_RATE,
	KW_TOP_POLICIES,
	_KW_TOP_COLUMN_MAX,
};

/* "ID", "DENIED/S"...; NULL beyond the last one. The other way case does not matter; -EINVAL. */
const char *kw_top_column_name(unsigned int column);
int kw_top_column_from_name(const char *name);

/* A VM as it was at one look. Strings are never NULL, and not made safe for a terminal. */
struct kw_top_vm {
	uint64_t id;
	uint64_t vcpus;
	uint64_t pid; /* of its creator */
	uint64_t verdicts; /* audit, deny and kill, with those that a rate limit made no event of */
	uint64_t denied;
	bool condemned;
	const char *type;
	const char *state;
	const char *exe; /* or "" */
	const char *unit; /* or "" */
	json_t *names; /* of the policies that select it; an array or NULL */
	char *policies; /* the same, with commas; owned */
};

/* What is to be said of its state: "CONDEMNED" above all. */
const char *kw_top_vm_state(const struct kw_top_vm *vm);

struct kw_top_sample;

/*
 * Keeps what GetStatus and ListVMs (its member "vms") replied at that time, by whatever
 * clock that does not jump; takes references of its own.
 */
int kw_top_sample_new(json_t *status, json_t *vms, uint64_t time_ns, struct kw_top_sample **ret);
struct kw_top_sample *kw_top_sample_free(struct kw_top_sample *sample); /* returns NULL */
json_t *kw_top_sample_status(const struct kw_top_sample *sample); /* borrowed */

struct kw_top_row {
	const struct kw_top_vm *vm; /* of the later sample */
	double verdict_rate; /* a second */
	double denied_rate;
};

struct kw_top {
	struct kw_top_row *rows;
	size_t count;
	/* Of all VMs; a VM is one of the three. */
	size_t building, sealed, condemned;
	double seconds; /* between the samples; 0: there is one only, and all rates are 0 */
	double checked_rate; /* ioctls that the programs looked at */
	double event_rate;
	double denied_rate; /* of the VMs that live */
	double cpus; /* what the programs took, in CPUs; below 0: the kernel does not count it */
};

/*
 * What happened since before, which may be NULL. Counters that are lower than they were,
 * and those of a VM that was not there, began at 0 in between. Sorted by DENIED/S. The rows
 * borrow from now.
 */
int kw_top_compare(const struct kw_top_sample *before, const struct kw_top_sample *now,
		   struct kw_top *ret);
/* Numbers from the highest, ids, pids and texts from the lowest; what is equal, by id. */
void kw_top_sort(struct kw_top *top, enum kw_top_column column);
/* Leaves those out that were never refused anything; what was said of all VMs stays. */
void kw_top_only_denials(struct kw_top *top);
void kw_top_done(struct kw_top *top);

#endif
