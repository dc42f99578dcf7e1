/* SPDX-License-Identifier: GPL-2.0-only */
/* Names and times for people, and tables of them. */
#define _GNU_SOURCE 1
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

bool kw_text_wants_colour(FILE *out)
{
	const char *no_colour = getenv("NO_COLOR");

	return isatty(fileno(out)) && !(no_colour && *no_colour);
}

/*
 * How many bytes at p a terminal might obey, or a reader misread: ASCII and
 * C1 control characters (U+0080 to U+009F), and the marks that turn the
 * direction of what follows (U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069).
 */
static size_t harmful_length(const unsigned char *p)
{
	if (p[0] < 0x20 || p[0] == 0x7f)
		return 1;
	if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
		return 2;
	if (p[0] != 0xe2)
		return 0;
	if (p[1] == 0x80 && (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xaa && p[2] <= 0xae)))
		return 3;
	return p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9 ? 3 : 0;
}

void kw_text_safe(FILE *out, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n;

	while (*p) {
		n = harmful_length(p);
		if (n == 0)
			putc(*p++, out);
		while (n-- > 0)
			fprintf(out, "\\x%02x", *p++);
	}
}

void kw_text_time(const char *rfc3339, bool milliseconds, char ret[KW_TEXT_TIME_MAX])
{
	struct tm tm = {};
	const char *rest;
	time_t seconds;
	size_t n;

	rest = strptime(rfc3339, "%Y-%m-%dT%H:%M:%S", &tm);
	seconds = rest ? timegm(&tm) : -1;
	if (seconds < 0 || !localtime_r(&seconds, &tm)) {
		snprintf(ret, KW_TEXT_TIME_MAX, "%s", rfc3339);
		return;
	}
	n = strftime(ret, KW_TEXT_TIME_MAX, "%Y-%m-%d %H:%M:%S", &tm);
	if (milliseconds && strlen(rest) >= 4)
		snprintf(ret + n, KW_TEXT_TIME_MAX - n, "%.4s", rest);
}

const char *kw_text_member(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static char *make_safe(const char *text)
{
	_cleanup_free_ char *safe = NULL;
	size_t len;
	FILE *out;

	out = open_memstream(&safe, &len);
	if (!out)
		return NULL;
	kw_text_safe(out, text);
	if (fclose(out) == EOF)
		return NULL;
	return TAKE_PTR(safe);
}

char *kw_text_join(json_t *strings)
{
	_cleanup_free_ char *list = NULL;
	json_t *string;
	size_t i, len;
	FILE *out;

	out = open_memstream(&list, &len);
	if (!out)
		return NULL;
	json_array_foreach (strings, i, string)
		fprintf(out, "%s%s", i == 0 ? "" : ",", json_string_value(string) ?: "");
	if (fclose(out) == EOF)
		return NULL;
	return TAKE_PTR(list);
}

void kw_text_table_add(struct kw_text_table *table, const char *text)
{
	size_t size = table->size ? table->size * 2 : 64;
	char **cells;

	if (table->failed)
		return;
	if (table->count == table->size) {
		cells = reallocarray(table->cells, size, sizeof(*cells));
		if (!cells) {
			table->failed = true;
			return;
		}
		table->cells = cells;
		table->size = size;
	}
	table->cells[table->count] = make_safe(text);
	if (!table->cells[table->count])
		table->failed = true;
	else
		table->count++;
}

void kw_text_table_addf(struct kw_text_table *table, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0) {
		text = NULL;
		table->failed = true;
		return;
	}
	kw_text_table_add(table, text);
}

/* In characters: bytes that do not continue another one. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		if (((unsigned char)*text & 0xc0) != 0x80)
			width++;
	return width;
}

static size_t column_width(const struct kw_text_table *table, size_t column)
{
	size_t i, width, widest = 0;

	for (i = column; i < table->count; i += table->columns) {
		width = width_of(table->cells[i]);
		if (width > widest)
			widest = width;
	}
	return widest;
}

int kw_text_table_print(const struct kw_text_table *table, const char *indent, FILE *out)
{
	_cleanup_free_ size_t *widths = calloc(table->columns, sizeof(*widths));
	size_t i, column, pad = 0;

	if (!widths || table->failed)
		return -ENOMEM;
	for (column = 0; column < table->columns; column++)
		widths[column] = column_width(table, column);
	for (i = 0; i < table->count; i++) {
		column = i % table->columns;
		/* No blanks at the end of a line: they are written before the next cell. */
		if (column == 0)
			fputs(indent, out);
		else if (*table->cells[i])
			fprintf(out, "%*s", (int)pad, "");
		fputs(table->cells[i], out);
		if (column == 0 || *table->cells[i])
			pad = 0;
		pad += widths[column] + 2 - width_of(table->cells[i]);
		if (column + 1 == table->columns)
			putc('\n', out);
	}
	return 0;
}

void kw_text_table_done(struct kw_text_table *table)
{
	size_t i;

	for (i = 0; i < table->count; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct kw_text_table){.columns = table->columns};
}
