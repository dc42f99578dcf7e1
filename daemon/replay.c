/* SPDX-License-Identifier: GPL-2.0-only */
/* Recorded events under other policies: what would have been different. */
#define _GNU_SOURCE 1
#include "replay.h"

#include <errno.h>
#include <string.h>

#include "util.h"

#define BUCKETS 1024

/* As FNV-1a, a number or a character at a time. */
static uint64_t mix(uint64_t hash, uint32_t value)
{
	return (hash ^ value) * 0x100000001b3ull;
}

static size_t bucket_of(const struct kw_replay_row *row)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	hash = mix(hash, row->operation);
	hash = mix(hash, row->state);
	hash = mix(hash, row->type);
	hash = mix(hash, row->uid);
	for (const char *p = row->exe.text; *p; p++)
		hash = mix(hash, (unsigned char)*p);
	return hash % BUCKETS;
}

static bool same_row(const struct kw_replay_row *a, const struct kw_replay_row *b)
{
	return a->operation == b->operation && a->state == b->state && a->type == b->type &&
	       a->uid == b->uid && a->verdict == b->verdict && a->error == b->error &&
	       memcmp(&a->decision, &b->decision, sizeof(a->decision)) == 0 &&
	       memcmp(&a->exe, &b->exe, sizeof(a->exe)) == 0;
}

/* The place of a new row: NULL when there is no memory. */
static struct kw_replay_row *append(struct kw_replay *replay)
{
	struct kw_replay_row *rows;
	size_t size;

	if (replay->count == replay->size) {
		size = replay->size ? 2 * replay->size : 64;
		rows = reallocarray(replay->rows, size, sizeof(*rows));
		if (!rows)
			return NULL;
		replay->rows = rows;
		replay->size = size;
	}
	return &replay->rows[replay->count++];
}

static int count_row(struct kw_replay *replay, const struct kw_replay_row *row)
{
	struct kw_replay_row *place;
	size_t *bucket;

	if (!replay->buckets)
		replay->buckets = calloc(BUCKETS, sizeof(*replay->buckets));
	if (!replay->buckets)
		return -ENOMEM;
	bucket = &replay->buckets[bucket_of(row)];
	for (size_t i = *bucket; i; i = replay->rows[i - 1].next)
		if (same_row(&replay->rows[i - 1], row)) {
			replay->rows[i - 1].count++;
			return 0;
		}
	if (replay->count >= KW_REPLAY_ROWS_MAX) {
		replay->beyond++;
		return 0;
	}
	place = append(replay);
	if (!place)
		return -ENOMEM;
	*place = *row;
	place->next = *bucket;
	*bucket = replay->count;
	return 0;
}

int kw_replay_add(struct kw_replay *replay, const struct kw_recorded *event)
{
	struct kw_replay_row row = {
		.count = 1,
		.first_seq = event->seq,
		.operation = event->operation,
		.state = event->state,
		.type = event->type,
		.uid = event->who.uid,
		.verdict = event->verdict,
		.error = event->error,
		.exe = event->who.exe,
	};

	kw_recorded_decide(replay->rs, event, &row.decision);
	if (row.decision.verdict == event->verdict && row.decision.error == event->error) {
		replay->same++;
		return 0;
	}
	replay->changes[event->verdict][row.decision.verdict]++;
	return count_row(replay, &row);
}

void kw_replay_done(struct kw_replay *replay)
{
	free(replay->rows);
	free(replay->buckets);
	*replay = (struct kw_replay){};
}

static bool is_answered(unsigned int from, unsigned int to)
{
	return from >= KW_DENY || to >= KW_DENY;
}

bool kw_replay_matters(const struct kw_replay_row *row)
{
	return is_answered(row->verdict, row->decision.verdict);
}

uint64_t kw_replay_answers(const struct kw_replay *replay)
{
	uint64_t count = 0;

	for (unsigned int from = 0; from < _KW_VERDICT_MAX; from++)
		for (unsigned int to = 0; to < _KW_VERDICT_MAX; to++)
			if (is_answered(from, to))
				count += replay->changes[from][to];
	return count;
}

static int compare_rows(const void *a, const void *b)
{
	const struct kw_replay_row *x = a, *y = b;

	if (kw_replay_matters(x) != kw_replay_matters(y))
		return kw_replay_matters(x) ? -1 : 1;
	if (x->decision.verdict != y->decision.verdict)
		return x->decision.verdict > y->decision.verdict ? -1 : 1;
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return x->first_seq < y->first_seq ? -1 : x->first_seq > y->first_seq;
}

void kw_replay_sort(struct kw_replay *replay)
{
	/* The buckets hold places that are no longer true. */
	free(TAKE_PTR(replay->buckets));
	if (replay->count)
		qsort(replay->rows, replay->count, sizeof(*replay->rows), compare_rows);
}
