/* SPDX-License-Identifier: GPL-2.0-only */
/* One event on its way to sinks, and the formats it can get there. */
#include "news.h"

#include <ctype.h>
#include <syslog.h>
#include <time.h>

#include "event-kinds.h"
#include "json-read.h"
#include "kvmwarden.h"
#include "text.h"
#include "util.h"

static const char *const format_names[] = {
	[KW_FORMAT_JSON] = "json",
	[KW_FORMAT_TEXT] = "text",
	[KW_FORMAT_ECS] = "ecs",
	[KW_FORMAT_OCSF] = "ocsf",
};

const char *kw_format_name(enum kw_format format)
{
	return format < _KW_FORMAT_MAX ? format_names[format] : "unknown";
}

int kw_format_from_name(const char *name)
{
	for (unsigned int i = 0; i < _KW_FORMAT_MAX; i++)
		if (kw_streq(format_names[i], name))
			return (int)i;
	return -EINVAL;
}

const char *kw_format_list(unsigned int index)
{
	return index < _KW_FORMAT_MAX ? format_names[index] : NULL;
}

bool kw_news_is_denial(const struct kw_news *news)
{
	return news->verdict == KW_DENY || news->verdict == KW_KILL;
}

json_t *kw_news_parse(struct kw_news *news)
{
	if (!news->parsed)
		news->parsed = kw_json_read(news->json, news->len, JSON_ALLOW_NUL);
	return json_is_object(news->parsed) ? news->parsed : NULL;
}

int kw_format_event(enum kw_format format, struct kw_news *news, FILE *out)
{
	json_t *event;

	if (format == KW_FORMAT_JSON) {
		fwrite(news->json, 1, news->len, out);
		return 0;
	}
	event = kw_news_parse(news);
	if (!event)
		return -EBADMSG;
	switch (format) {
	case KW_FORMAT_ECS:
		return kw_format_ecs(event, out);
	case KW_FORMAT_OCSF:
		return kw_format_ocsf(event, out);
	default:
		kw_text_event_message(event, out);
		return 0;
	}
}

/* --- the journal -------------------------------------------------------------- */

/* The longest name of a field that the journal takes. */
#define FIELD_MAX 64

static int priority_of(json_t *event)
{
	return kw_event_priority(kw_text_member(event, "event"), kw_text_member(event, "verdict"));
}

/*
 * NAME, newline, the length in 64 bits, little-endian, the bytes, newline: the one of both forms
 * that takes any bytes. See https://systemd.io/JOURNAL_NATIVE_PROTOCOL/.
 */
static void put_field(FILE *out, const char *name, const char *value, size_t len)
{
	unsigned char length[8];

	for (unsigned int i = 0; i < sizeof(length); i++)
		length[i] = (unsigned char)((uint64_t)len >> (8 * i));
	fprintf(out, "%s\n", name);
	fwrite(length, 1, sizeof(length), out);
	fwrite(value, 1, len, out);
	putc('\n', out);
}

static void put_text(FILE *out, const char *name, const char *value)
{
	put_field(out, name, value, strlen(value));
}

static void put_value(FILE *out, const char *name, json_t *value)
{
	_cleanup_free_ char *text = NULL;

	if (json_is_string(value)) {
		put_field(out, name, json_string_value(value), json_string_length(value));
		return;
	}
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	if (text)
		put_text(out, name, text);
}

static void append_upper(char name[FIELD_MAX + 1], const char *key)
{
	size_t len = strlen(name);

	for (; *key && len < FIELD_MAX; key++)
		name[len++] = isalnum((unsigned char)*key) ? (char)toupper((unsigned char)*key)
							   : '_';
	name[len] = '\0';
}

/* "PREFIX_KEY", as far as the journal takes it. */
static void join_name(char ret[FIELD_MAX + 1], const char *prefix, const char *key)
{
	ret[0] = '\0';
	append_upper(ret, prefix);
	append_upper(ret, "_");
	append_upper(ret, key);
}

/* A null is no value. */
static void put_member(FILE *out, const char *prefix, const char *key, json_t *value)
{
	char name[FIELD_MAX + 1];

	join_name(name, prefix, key);
	if (!json_is_null(value))
		put_value(out, name, value);
}

/* Each member, and those of the objects among them. */
static void put_members(FILE *out, const char *prefix, json_t *object)
{
	const char *key, *inner_key;
	json_t *value, *inner;

	json_object_foreach (object, key, value) {
		char name[FIELD_MAX + 1];

		join_name(name, prefix, key);
		if (!json_is_object(value))
			put_member(out, prefix, key, value);
		json_object_foreach (value, inner_key, inner)
			put_member(out, name, inner_key, inner);
	}
}

/* Without a colour, a time or a newline: those are the journal's. */
static void put_message(FILE *out, json_t *event)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *message;

	message = open_memstream(&text, &len);
	if (!message)
		return;
	kw_text_event_message(event, message);
	if (fclose(message) == 0)
		put_field(out, "MESSAGE", text, len);
}

/* The journal tells unit, command and more of the process that the event is about. */
static void put_object(FILE *out, json_t *event)
{
	json_t *pid = json_object_get(json_object_get(event, "process"), "pid");

	if (!json_is_integer(pid))
		pid = json_object_get(event, "pid");
	if (json_integer_value(pid) > 0)
		put_value(out, "OBJECT_PID", pid);
}

int kw_format_journal(struct kw_news *news, FILE *out)
{
	json_t *event = kw_news_parse(news);
	char priority[2] = "";
	int kind;

	if (!event)
		return -EBADMSG;
	put_message(out, event);
	priority[0] = (char)('0' + priority_of(event));
	put_text(out, "PRIORITY", priority);
	put_text(out, "SYSLOG_IDENTIFIER", "kvmwardend");
	kind = kw_kind_from_name(kw_text_member(event, "event"));
	if (kind >= 0)
		put_text(out, "MESSAGE_ID", kw_kind((unsigned int)kind)->id);
	put_object(out, event);
	put_members(out, "KVMWARDEN", event);
	return 0;
}

/* --- syslog ------------------------------------------------------------------- */

int kw_format_syslog(enum kw_format format, struct kw_news *news, FILE *out)
{
	json_t *event = kw_news_parse(news);
	time_t now = time(NULL);
	char when[sizeof("Jan  1 00:00:00")] = "";
	struct tm tm;

	if (!event)
		return -EBADMSG;
	/* Whoever sets another locale gets English months all the same: nobody calls setlocale(3). */
	if (localtime_r(&now, &tm))
		strftime(when, sizeof(when), "%b %e %T", &tm);
	fprintf(out, "<%d>%s kvmwardend[%d]: ", LOG_AUTHPRIV | priority_of(event), when,
		(int)getpid());
	if (format != KW_FORMAT_TEXT)
		fputs("@cee: ", out);
	return kw_format_event(format, news, out);
}
