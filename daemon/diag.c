/* SPDX-License-Identifier: GPL-2.0-only */
/* Diagnostics: filled by the modules that find fault, printed at the edge. */
#define _GNU_SOURCE 1
#include "diag.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "util.h"

#define TAB_WIDTH 8
/* Columns of source text shown, and how many of them stay left of the caret. */
#define EXCERPT_WIDTH 100
#define EXCERPT_LEAD 70

void kw_diag_done(struct kw_diag *diag)
{
	free(diag->file);
	free(diag->message);
	free(diag->hint);
	free(diag->source);
	*diag = (struct kw_diag){};
}

void kw_diag_set(struct kw_diag *diag, const char *file, unsigned int line, unsigned int column,
		 const char *format, ...)
{
	va_list args;
	int r;

	if (!diag || diag->message)
		return;
	va_start(args, format);
	r = vasprintf(&diag->message, format, args);
	va_end(args);
	if (r < 0) {
		diag->message = NULL;
		return;
	}
	diag->file = file ? strdup(file) : NULL;
	diag->line = line;
	diag->column = column;
}

void kw_diag_hint(struct kw_diag *diag, const char *format, ...)
{
	va_list args;
	int r;

	if (!diag || diag->hint)
		return;
	va_start(args, format);
	r = vasprintf(&diag->hint, format, args);
	va_end(args);
	if (r < 0)
		diag->hint = NULL;
}

/* The length of the UTF-8 sequence at text and its code point; 0 when it is not one. */
static size_t decode(const char *text, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *)text;
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t point = len == 1 ? p[0] : p[0] & (0x7f >> len);

	if (!len || p[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (p[i] & 0x3f);
	}
	if (point < least[len] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
		return 0;
	*ret = point;
	return len;
}

/* Controls, and the marks that make a terminal show text in another order than it is read. */
static bool is_printable(uint32_t point)
{
	if (point < 0x20 || (point >= 0x7f && point < 0xa0))
		return false;
	if (point == 0x61c || point == 0x200e || point == 0x200f)
		return false;
	if ((point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069))
		return false;
	return point != 0xfeff;
}

/* A column of the excerpt at a time: knows which part of the line is shown. */
struct excerpt {
	FILE *out;
	size_t column;
	size_t from;
	size_t to;
};

static void put(struct excerpt *ex, const char *text, size_t len)
{
	if (ex->column >= ex->from && ex->column < ex->to)
		fwrite(text, 1, len, ex->out);
	ex->column++;
}

/* Writes one character of the source and returns how many bytes it has. */
static size_t put_character(struct excerpt *ex, const char *text)
{
	char escaped[5];
	uint32_t point;
	size_t len;

	if (*text == '\t') {
		do
			put(ex, " ", 1);
		while (ex->column % TAB_WIDTH);
		return 1;
	}
	len = decode(text, &point);
	if (len && is_printable(point)) {
		put(ex, text, len);
		return len;
	}
	len = len ?: 1;
	for (size_t i = 0; i < len; i++) {
		snprintf(escaped, sizeof(escaped), "\\x%02x", (unsigned char)text[i]);
		for (size_t j = 0; escaped[j]; j++)
			put(ex, &escaped[j], 1);
	}
	return len;
}

/* Where the caret goes: the column on the screen of the given character. */
static size_t screen_column(const char *source, unsigned int column)
{
	struct excerpt ex = {};

	for (unsigned int i = 1; i < column && *source; i++)
		source += put_character(&ex, source);
	return ex.column;
}

static void print_source(const struct kw_diag *diag, FILE *out)
{
	size_t caret = screen_column(diag->source, diag->column ?: 1);
	struct excerpt ex = {.out = out};
	const char *p = diag->source;

	ex.from = caret > EXCERPT_LEAD ? caret - EXCERPT_LEAD : 0;
	ex.to = ex.from + EXCERPT_WIDTH;
	fputs(ex.from ? "  ..." : "  ", out);
	while (*p && ex.column < ex.to)
		p += put_character(&ex, p);
	fputs(*p ? "...\n" : "\n", out);
	if (diag->column)
		fprintf(out, "  %*s^\n", (int)(caret - ex.from + (ex.from ? 3 : 0)), "");
}

/* Text of others, on one line and without anything a terminal would obey. */
static void print_clean(const char *text, FILE *out)
{
	struct excerpt ex = {.out = out, .to = SIZE_MAX};

	while (*text)
		text += put_character(&ex, text);
}

void kw_diag_print(const struct kw_diag *diag, FILE *out)
{
	if (diag->file) {
		print_clean(diag->file, out);
		if (diag->line)
			fprintf(out, ":%u", diag->line);
		if (diag->line && diag->column)
			fprintf(out, ":%u", diag->column);
		fputs(": ", out);
	}
	fputs("error: ", out);
	print_clean(diag->message ?: "out of memory", out);
	fputc('\n', out);
	if (diag->source)
		print_source(diag, out);
	if (diag->hint) {
		fputs("  hint: ", out);
		print_clean(diag->hint, out);
		fputc('\n', out);
	}
}
