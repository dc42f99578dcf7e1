/* SPDX-License-Identifier: GPL-2.0-only */
/* Appends JSON to a buffer; repairs what is not UTF-8. */
#include "json.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SIZE_FIRST 1024
/* The longest output of one input byte: \u001b, and a replacement character is shorter. */
#define EXPANSION_MAX 6
/* The digits of a 64-bit number, its sign and the NUL. */
#define NUMBER_MAX 21

static const char replacement[] = {'\xef', '\xbf', '\xbd'}; /* U+FFFD */

static const char hex_digits[] = "0123456789abcdef";

void kw_json_done(struct kw_json *json)
{
	free(json->text);
	*json = (struct kw_json){};
}

/* One list of thousands of VMs is no reason to keep its megabytes for good. */
#define KEEP_MAX (256 * 1024)

void kw_json_reset(struct kw_json *json)
{
	if (json->size > KEEP_MAX)
		kw_json_done(json);
	json->len = 0;
	json->failed = false;
	json->comma = false;
	if (json->text)
		json->text[0] = '\0';
}

/* Makes room for len more bytes and a NUL. */
static bool reserve(struct kw_json *json, size_t len)
{
	size_t size = json->size ? json->size : SIZE_FIRST;
	char *text;

	if (json->failed)
		return false;
	if (len < json->size - json->len)
		return true;
	if (len >= SIZE_MAX / 4 - json->len) {
		json->failed = true;
		return false;
	}
	while (size <= json->len + len)
		size *= 2;
	text = realloc(json->text, size);
	if (!text) {
		json->failed = true;
		return false;
	}
	json->text = text;
	json->size = size;
	return true;
}

static void append(struct kw_json *json, const char *text, size_t len)
{
	if (!reserve(json, len))
		return;
	memcpy(json->text + json->len, text, len);
	json->len += len;
	json->text[json->len] = '\0';
}

/* A value, after the comma that separates it from the one before. */
static void append_value(struct kw_json *json, const char *text, size_t len)
{
	if (json->comma)
		append(json, ",", 1);
	append(json, text, len);
	json->comma = true;
}

void kw_json_open_object(struct kw_json *json)
{
	append_value(json, "{", 1);
	json->comma = false;
}

void kw_json_close_object(struct kw_json *json)
{
	append(json, "}", 1);
	json->comma = true;
}

void kw_json_open_array(struct kw_json *json)
{
	append_value(json, "[", 1);
	json->comma = false;
}

void kw_json_close_array(struct kw_json *json)
{
	append(json, "]", 1);
	json->comma = true;
}

void kw_json_key(struct kw_json *json, const char *key)
{
	append_value(json, "\"", 1);
	append(json, key, strlen(key));
	append(json, "\":", 2);
	json->comma = false;
}

static bool is_continuation(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/*
 * The length of the UTF-8 sequence that starts here, or 0. The bounds on the
 * second byte shut out overlong forms, surrogates and what is above U+10FFFF.
 */
static size_t utf8_length(const unsigned char *p, size_t left)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t len, i;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (left < len)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (i = 2; i < len; i++)
		if (!is_continuation(p[i]))
			return 0;
	return len;
}

/* The letter of the short escapes, or 0. */
static char short_escape(unsigned char byte)
{
	switch (byte) {
	case '"':
	case '\\':
		return byte;
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return 0;
	}
}

static char *put_escaped(char *out, unsigned char byte)
{
	char letter = short_escape(byte);

	*out++ = '\\';
	if (letter) {
		*out++ = letter;
		return out;
	}
	*out++ = 'u';
	*out++ = '0';
	*out++ = '0';
	*out++ = hex_digits[byte >> 4];
	*out++ = hex_digits[byte & 0xf];
	return out;
}

static bool is_plain(unsigned char byte)
{
	return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/* Room for EXPANSION_MAX times len is there. Returns the end of what was written. */
static char *put_text(char *out, const unsigned char *p, size_t len, bool *ret_clean)
{
	size_t n;

	while (len > 0) {
		if (is_plain(*p)) {
			*out++ = *p++;
			len--;
			continue;
		}
		n = utf8_length(p, len);
		if (n == 0) {
			out = mempcpy(out, replacement, sizeof(replacement));
			n = 1;
			*ret_clean = false;
		} else if (n == 1) {
			out = put_escaped(out, *p);
		} else {
			memcpy(out, p, n);
			out += n;
		}
		p += n;
		len -= n;
	}
	return out;
}

bool kw_json_bytes(struct kw_json *json, const char *text, size_t len)
{
	bool clean = true;
	char *end;

	append_value(json, "\"", 1);
	if (len > SIZE_MAX / (4 * EXPANSION_MAX))
		json->failed = true;
	if (!reserve(json, len * EXPANSION_MAX))
		return true;
	end = put_text(json->text + json->len, (const unsigned char *)text, len, &clean);
	json->len = end - json->text;
	append(json, "\"", 1);
	return clean;
}

bool kw_json_string(struct kw_json *json, const char *text)
{
	return kw_json_bytes(json, text, strlen(text));
}

/* Writes the digits backwards, from end; returns where they start. */
static char *put_digits(char *end, uint64_t value)
{
	do
		*--end = '0' + value % 10;
	while (value /= 10);
	return end;
}

void kw_json_unsigned(struct kw_json *json, uint64_t value)
{
	char digits[NUMBER_MAX], *end = digits + sizeof(digits), *start;

	start = put_digits(end, value);
	append_value(json, start, end - start);
}

void kw_json_signed(struct kw_json *json, int64_t value)
{
	char digits[NUMBER_MAX], *end = digits + sizeof(digits), *start;

	start = put_digits(end, value < 0 ? -(uint64_t)value : (uint64_t)value);
	if (value < 0)
		*--start = '-';
	append_value(json, start, end - start);
}

void kw_json_bool(struct kw_json *json, bool value)
{
	append_value(json, value ? "true" : "false", value ? 4 : 5);
}

void kw_json_null(struct kw_json *json)
{
	append_value(json, "null", 4);
}

void kw_json_raw(struct kw_json *json, const char *text, size_t len)
{
	append_value(json, text, len);
}

static void member_hex(struct kw_json *json, const char *key, const unsigned char *bytes,
		       size_t len)
{
	size_t i;

	append_value(json, "\"", 1);
	append(json, key, strlen(key));
	append(json, "_hex\":\"", 7);
	for (i = 0; i < len; i++) {
		const char pair[] = {hex_digits[bytes[i] >> 4], hex_digits[bytes[i] & 0xf]};

		append(json, pair, sizeof(pair));
	}
	append(json, "\"", 1);
}

void kw_json_member_bytes(struct kw_json *json, const char *key, const char *text, size_t len)
{
	kw_json_key(json, key);
	if (!text)
		kw_json_null(json);
	else if (!kw_json_bytes(json, text, len))
		member_hex(json, key, (const unsigned char *)text, len);
}

void kw_json_member_string(struct kw_json *json, const char *key, const char *text)
{
	kw_json_member_bytes(json, key, text, text ? strlen(text) : 0);
}

void kw_json_member_unsigned(struct kw_json *json, const char *key, uint64_t value)
{
	kw_json_key(json, key);
	kw_json_unsigned(json, value);
}

void kw_json_member_signed(struct kw_json *json, const char *key, int64_t value)
{
	kw_json_key(json, key);
	kw_json_signed(json, value);
}

void kw_json_member_bool(struct kw_json *json, const char *key, bool value)
{
	kw_json_key(json, key);
	kw_json_bool(json, value);
}

static void put_padded(char *out, unsigned int value, unsigned int digits)
{
	while (digits-- > 0) {
		out[digits] = '0' + value % 10;
		value /= 10;
	}
}

void kw_json_member_time(struct kw_json *json, const char *key, uint64_t realtime_ns)
{
	char text[] = "\"YYYY-MM-DDTHH:MM:SS.nnnnnnnnnZ\"";
	time_t seconds = realtime_ns / 1000000000;
	struct tm tm;

	/* 64 bits of nanoseconds end in the year 2554: four digits do, and this cannot fail. */
	gmtime_r(&seconds, &tm);
	put_padded(text + 1, tm.tm_year + 1900, 4);
	put_padded(text + 6, tm.tm_mon + 1, 2);
	put_padded(text + 9, tm.tm_mday, 2);
	put_padded(text + 12, tm.tm_hour, 2);
	put_padded(text + 15, tm.tm_min, 2);
	put_padded(text + 18, tm.tm_sec, 2);
	put_padded(text + 21, realtime_ns % 1000000000, 9);
	kw_json_key(json, key);
	append_value(json, text, sizeof(text) - 1);
}
