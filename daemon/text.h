/* SPDX-License-Identifier: GPL-2.0-only */
/* For people: events as lines, tables, times, and names that a terminal must not obey. */
#ifndef KVMWARDEN_TEXT_H
#define KVMWARDEN_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Is it a terminal whose user did not ask for NO_COLOR? */
bool kw_text_wants_colour(FILE *out);

/* Writes text with control characters, and those that turn the direction of writing, as \xNN. */
void kw_text_safe(FILE *out, const char *text);

/*
 * One event as one line, with its newline. What is not a JSON object is written
 * as it is, made safe. Failures of out are left to ferror().
 */
void kw_text_event(const char *json, size_t len, bool colour, FILE *out);
void kw_text_event_json(json_t *event, bool colour, FILE *out);
/* The same without time, colours and newline. */
void kw_text_event_message(json_t *event, FILE *out);

/* "2026-11-23 15:04:05" in local time; a time that is not RFC 3339 comes as it is. */
#define KW_TEXT_TIME_MAX sizeof("2026-11-23 15:04:05.123")
void kw_text_time(const char *rfc3339, bool milliseconds, char ret[KW_TEXT_TIME_MAX]);

/* Of a member of a JSON object: its string, or "" when it is absent, null or no string. */
const char *kw_text_member(json_t *object, const char *key);

/* The strings of a JSON array, with commas between them; malloc()ed, NULL: out of memory. */
char *kw_text_join(json_t *strings);

/*
 * Columns as wide as their widest cell, two blanks apart. Start with
 * (struct kw_text_table){ .columns = N }.
 */
struct kw_text_table {
	size_t columns;
	char **cells; /* row after row */
	size_t count;
	size_t size;
	bool failed; /* out of memory: printing says so */
};

/* The next cell, left to right; text is copied and made safe. */
void kw_text_table_add(struct kw_text_table *table, const char *text);
void kw_text_table_addf(struct kw_text_table *table, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Prints all rows, each after indent. -ENOMEM when a cell is missing. */
int kw_text_table_print(const struct kw_text_table *table, const char *indent, FILE *out);
void kw_text_table_done(struct kw_text_table *table);

#endif
