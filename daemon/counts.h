/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows of texts, each counted: as many different ones as there is room for. */
#ifndef KVMWARDEN_COUNTS_H
#define KVMWARDEN_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fact.h"

#define KW_COUNTS_FIELDS_MAX 8
#define KW_COUNTS_TEXT_MAX 256 /* a longer text ends in "..." */

struct kw_counts_row {
	char *texts; /* owned: one behind the other, each with its NUL */
	size_t size; /* bytes in it */
	unsigned int rank; /* what the first one of them came with */
	uint64_t count;
	uint64_t more; /* of the same, but without an event each */
	char first[KW_FACT_TIME_MAX]; /* empty if none had a time */
	char last[KW_FACT_TIME_MAX];
};

/* Start with (struct kw_counts){ .fields = F, .max = N }; end with kw_counts_done(). */
struct kw_counts {
	size_t fields; /* texts in a row, at most KW_COUNTS_FIELDS_MAX */
	size_t max; /* rows */
	struct kw_counts_row *rows; /* in the order of their first ones */
	size_t count;
	uint64_t beyond; /* events of rows that found no room: how many, not of how many rows */
	uint32_t *slots; /* owned: where a row is, by its hash, plus one */
};

struct kw_counted {
	const char *texts[KW_COUNTS_FIELDS_MAX]; /* NULL is "" */
	unsigned int rank;
	uint64_t count;
	uint64_t more;
	const char *time; /* RFC 3339 in UTC, all of one length; or "" */
};

/* 0, also when there was no room for another row; or -ENOMEM. */
int kw_counts_add(struct kw_counts *counts, const struct kw_counted *counted);
/* One of a row's texts; never NULL. */
const char *kw_counts_text(const struct kw_counts_row *row, size_t field);
/* By rank, the highest first, then by count; kw_counts_add() must not follow. */
void kw_counts_sort(struct kw_counts *counts);
void kw_counts_done(struct kw_counts *counts);

/* Up to what JSON can say, and no further. */
static inline void kw_count_up(uint64_t *count, uint64_t by)
{
	if (__builtin_add_overflow(*count, by, count) || *count > INT64_MAX)
		*count = INT64_MAX;
}

/* Takes a time into a first and a last one; "" is none. */
void kw_counts_span(const char *time, char first[KW_FACT_TIME_MAX], char last[KW_FACT_TIME_MAX]);

#endif
