/* SPDX-License-Identifier: GPL-2.0-only */
/* What plain*.c share. */
#ifndef KVMWARDEN_PLAIN_INTERNAL_H
#define KVMWARDEN_PLAIN_INTERNAL_H

#include "plain.h"

/*
 * Limits are found by a hash of their keys, among those of the same place. Where that is full the
 * oldest one starts anew, as what falls out of the programs' map does.
 */
#define KW_PLAIN_LIMIT_PLACES 1024
#define KW_PLAIN_LIMIT_WAYS (KW_LIMITS_MAX / KW_PLAIN_LIMIT_PLACES)

struct plain_limit {
	struct kw_limit_key key;
	struct kw_limit limit; /* .since_ns 0: unused */
};

struct plain_exception {
	struct kw_exception_key key;
	struct kw_exception exception; /* .id 0: unused */
};

struct kw_plain {
	struct kw_counters *counters;
	uint32_t vms_max;
	bool full_refuses;
	uint32_t canary;
	const struct kw_ruleset *sets[KW_SETS_MAX];
	struct kw_stats stats;

	struct kw_asked **launches;
	size_t launch_count;

	struct kw_event *events; /* KW_PLAIN_EVENTS of them, a ring */
	size_t first, waiting;
	int events_fd; /* an eventfd: readable while any wait */

	struct plain_exception *exceptions; /* KW_EXCEPTIONS_MAX */
	size_t exception_count;
	struct plain_limit (*limits)[KW_PLAIN_LIMIT_WAYS]; /* KW_PLAIN_LIMIT_PLACES */
};

/* Puts an event behind those that wait; its number is taken in any case. False: it is lost. */
bool kw_plain_emit(struct kw_plain *p, struct kw_event *event);

/* The exception that applies to an operation on a VM now, or NULL. */
struct kw_exception *kw_plain_exception(struct kw_plain *p, uint64_t vm, uint32_t operation);

/*
 * Is one more event over its limit? Else *ret_suppressed is how many were held back before it.
 * Those that could not be told are given back.
 */
bool kw_plain_over_limit(struct kw_plain *p, const struct kw_limit_key *key, uint32_t events,
			 uint32_t seconds, uint32_t *ret_suppressed);
void kw_plain_give_back(struct kw_plain *p, const struct kw_limit_key *key, uint32_t suppressed);

/* How many records there are, of all launches. */
size_t kw_plain_count_vms(const struct kw_plain *p);

#endif
