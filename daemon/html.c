/* SPDX-License-Identifier: GPL-2.0-only */
/* Writes HTML in which texts stay texts, whoever chose them. */
#define _GNU_SOURCE 1
#include "html.h"

#include <inttypes.h>

#include "text.h"
#include "util.h"

#define NARROW_BLANK "\u202f"

/* Bytes of the character at p; 0: it is none. Surrogates and overlong forms are none. */
static size_t character_length(const unsigned char *p)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (p[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static const char *entity_of(unsigned char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	}
	return NULL;
}

/* behind: what follows each slash. */
static void write_escaped(FILE *out, const char *text, const char *behind)
{
	const unsigned char *p = (const unsigned char *)text;

	while (*p) {
		const char *entity = entity_of(*p);
		size_t n = character_length(p);

		if (entity)
			fputs(entity, out);
		else if (n > 0)
			fwrite(p, 1, n, out);
		else
			fprintf(out, "\\x%02x", *p);
		if (*p == '/')
			fputs(behind, out);
		p += n ?: 1;
	}
}

static void write_safe(FILE *out, const char *text, const char *behind)
{
	_cleanup_free_ char *safe = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&safe, &size);

	if (!f)
		return write_escaped(out, "?", "");
	kw_text_safe(f, text);
	write_escaped(out, fclose(f) == EOF ? "?" : safe, behind);
}

void kw_html_text(FILE *out, const char *text)
{
	write_safe(out, text, "");
}

void kw_html_path(FILE *out, const char *path)
{
	write_safe(out, path, "<wbr>");
}

void kw_html_number(FILE *out, uint64_t number)
{
	char digits[24];
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, number);

	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			fputs(NARROW_BLANK, out);
		putc(digits[i], out);
	}
}

void kw_html_time(FILE *out, const char *rfc3339)
{
	if (strlen(rfc3339) < strlen("2026-11-23T15:04:05")) {
		fputs("–", out);
		return;
	}
	fprintf(out, "<time datetime=\"");
	kw_html_text(out, rfc3339);
	fprintf(out, "\">%.10s %.8s</time>", rfc3339, rfc3339 + 11);
}
