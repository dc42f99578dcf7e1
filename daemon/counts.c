/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows of texts, each counted: as many different ones as there is room for. */
#include "counts.h"

#include "util.h"

#define KEY_MAX (KW_COUNTS_FIELDS_MAX * KW_COUNTS_TEXT_MAX)

static const char cut_mark[] = "...";

/* How much of a text fits, without half a character of UTF-8 at its end. */
static size_t fitting(const char *text, size_t room)
{
	while (room > 0 && ((unsigned char)text[room] & 0xc0) == 0x80)
		room--;
	return room;
}

static size_t append(char *key, const char *text)
{
	size_t len = strlen(text);

	if (len < KW_COUNTS_TEXT_MAX) {
		memcpy(key, text, len);
		key[len] = '\0';
		return len + 1;
	}
	len = fitting(text, KW_COUNTS_TEXT_MAX - sizeof(cut_mark));
	memcpy(key, text, len);
	memcpy(key + len, cut_mark, sizeof(cut_mark));
	return len + sizeof(cut_mark);
}

/* FNV-1a. Who picks names that collide makes this slow, as far as max rows can be. */
static uint64_t hash(const char *key, size_t size)
{
	uint64_t value = 0xcbf29ce484222325;

	for (size_t i = 0; i < size; i++)
		value = (value ^ (unsigned char)key[i]) * 0x100000001b3;
	return value ^ value >> 32;
}

static size_t slot_count(const struct kw_counts *counts)
{
	return 2 * counts->max + 1;
}

static int reserve(struct kw_counts *counts)
{
	if (!counts->rows)
		counts->rows = calloc(counts->max, sizeof(*counts->rows));
	if (!counts->slots)
		counts->slots = calloc(slot_count(counts), sizeof(*counts->slots));
	return counts->rows && counts->slots ? 0 : -ENOMEM;
}

/* The row, or NULL, with the slot that it would have. */
static struct kw_counts_row *find(struct kw_counts *counts, const char *key, size_t size,
				  uint32_t **ret_slot)
{
	size_t i = hash(key, size) % slot_count(counts);
	struct kw_counts_row *row;

	for (; counts->slots[i]; i = (i + 1) % slot_count(counts)) {
		row = &counts->rows[counts->slots[i] - 1];
		if (row->size == size && memcmp(row->texts, key, size) == 0)
			return row;
	}
	*ret_slot = &counts->slots[i];
	return NULL;
}

void kw_counts_span(const char *time, char first[KW_FACT_TIME_MAX], char last[KW_FACT_TIME_MAX])
{
	if (!*time)
		return;
	if (!*first || strcmp(time, first) < 0)
		snprintf(first, KW_FACT_TIME_MAX, "%s", time);
	if (!*last || strcmp(time, last) > 0)
		snprintf(last, KW_FACT_TIME_MAX, "%s", time);
}

int kw_counts_add(struct kw_counts *counts, const struct kw_counted *counted)
{
	struct kw_counts_row *row;
	char key[KEY_MAX];
	uint32_t *slot = NULL;
	size_t size = 0;

	if (reserve(counts) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < counts->fields; i++)
		size += append(key + size, counted->texts[i] ?: "");
	row = find(counts, key, size, &slot);
	if (!row && counts->count == counts->max) {
		kw_count_up(&counts->beyond, counted->count);
		return 0;
	}
	if (!row) {
		row = &counts->rows[counts->count];
		row->texts = malloc(size + 1); /* of no fields it is empty */
		if (!row->texts)
			return -ENOMEM;
		memcpy(row->texts, key, size);
		row->size = size;
		row->rank = counted->rank;
		*slot = (uint32_t)++counts->count;
	}
	kw_count_up(&row->count, counted->count);
	kw_count_up(&row->more, counted->more);
	kw_counts_span(counted->time, row->first, row->last);
	return 0;
}

const char *kw_counts_text(const struct kw_counts_row *row, size_t field)
{
	const char *text = row->texts;

	while (field-- > 0)
		text += strlen(text) + 1;
	return text;
}

static int compare(const void *left, const void *right)
{
	const struct kw_counts_row *a = left, *b = right;

	if (a->rank != b->rank)
		return a->rank < b->rank ? 1 : -1;
	if (a->count + a->more != b->count + b->more)
		return a->count + a->more < b->count + b->more ? 1 : -1;
	return memcmp(a->texts, b->texts, a->size < b->size ? a->size : b->size);
}

void kw_counts_sort(struct kw_counts *counts)
{
	if (counts->count > 0)
		qsort(counts->rows, counts->count, sizeof(*counts->rows), compare);
	/* They point at what was there before. */
	free(counts->slots);
	counts->slots = NULL;
}

void kw_counts_done(struct kw_counts *counts)
{
	for (size_t i = 0; i < counts->count; i++)
		free(counts->rows[i].texts);
	free(counts->rows);
	free(counts->slots);
	*counts = (struct kw_counts){};
}
