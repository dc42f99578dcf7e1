/* SPDX-License-Identifier: GPL-2.0-only */
/* Of an event's line, what the verification of a trail depends on. */
#ifndef KVMWARDEN_FACT_H
#define KVMWARDEN_FACT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KW_FACT_TIME_MAX sizeof("2026-11-23T15:04:05.123456789Z")

enum kw_fact_kind {
	KW_FACT_KERNEL, /* numbered in the kernel: two may swap places */
	KW_FACT_OWN, /* the daemon's: numbered when it is written */
	KW_FACT_STARTED, /* of these: */
	KW_FACT_STOPPED,
	KW_FACT_LOST,
};

struct kw_fact {
	enum kw_fact_kind kind;
	uint64_t seq; /* 0: it has none */
	int64_t seconds; /* since 1970; 0: it has no time */
	char time[KW_FACT_TIME_MAX]; /* empty if it is none */
	char boot[48];
	/* Of KW_FACT_LOST. */
	uint64_t count;
	char reason[24];
};

/* -EINVAL: it is not an event. */
int kw_fact_read(const char *line, size_t len, struct kw_fact *ret);
int kw_fact_of(json_t *object, struct kw_fact *ret);

/*
 * A part of a line, from its beginning, as a write leaves that was cut short. A
 * machine that lost power may leave zeros in the place of the rest.
 */
bool kw_fact_is_torn(const char *line, size_t len);

#endif
