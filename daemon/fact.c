/* SPDX-License-Identifier: GPL-2.0-only */
/* Of an event's line, what the verification of a trail depends on. */
#define _GNU_SOURCE 1
#include "fact.h"

#include <ctype.h>
#include <jansson.h>
#include <time.h>

#include "text.h"
#include "util.h"

KW_DEFINE_CLEANUP(json_t, json_decref)

static uint64_t unsigned_member(json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value > 0 ? (uint64_t)value : 0;
}

/* Only what has a time's shape is printed as one. */
static void read_time(json_t *object, struct kw_fact *fact)
{
	static const char shape[] = "0000-00-00T00:00:00.000000000Z";
	const char *text = kw_text_member(object, "time");
	struct tm tm = {};

	_Static_assert(sizeof(shape) == KW_FACT_TIME_MAX, "another length");
	if (strlen(text) != strlen(shape))
		return;
	for (size_t i = 0; i < strlen(shape); i++)
		if (shape[i] == '0' ? !isdigit((unsigned char)text[i]) : text[i] != shape[i])
			return;
	if (!strptime(text, "%Y-%m-%dT%H:%M:%S", &tm))
		return;
	memcpy(fact->time, text, sizeof(shape));
	fact->seconds = timegm(&tm);
}

int kw_fact_of(json_t *object, struct kw_fact *ret)
{
	const char *event = kw_text_member(object, "event");

	if (!json_is_object(object) || !*event)
		return -EINVAL;
	*ret = (struct kw_fact){
		.kind = KW_FACT_OWN,
		.seq = unsigned_member(object, "seq"),
		.count = unsigned_member(object, "count"),
	};
	/* More kinds may come; those of the kernel have a verdict. */
	if (json_object_get(object, "verdict"))
		ret->kind = KW_FACT_KERNEL;
	else if (kw_streq(event, "started"))
		ret->kind = KW_FACT_STARTED;
	else if (kw_streq(event, "stopped"))
		ret->kind = KW_FACT_STOPPED;
	else if (kw_streq(event, "lost"))
		ret->kind = KW_FACT_LOST;
	snprintf(ret->boot, sizeof(ret->boot), "%s", kw_text_member(object, "boot_id"));
	snprintf(ret->reason, sizeof(ret->reason), "%s", kw_text_member(object, "reason"));
	read_time(object, ret);
	return 0;
}

int kw_fact_read(const char *line, size_t len, struct kw_fact *ret)
{
	_cleanup_(json_decref_cleanup) json_t *object = json_loadb(line, len, 0, NULL);

	return kw_fact_of(object, ret);
}

bool kw_fact_is_torn(const char *line, size_t len)
{
	static const char begin[] = "{\"version\":";
	bool string = false;
	size_t depth = 0;

	if (len == 0)
		return false;
	while (len > 0 && line[len - 1] == '\0')
		len--;
	if (strncmp(line, begin, len < strlen(begin) ? len : strlen(begin)) != 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		/* Control characters are escaped in what we write. */
		if (c < 0x20 || c == 0x7f)
			return false;
		if (string && c == '\\')
			i++;
		else if (c == '"')
			string = !string;
		else if (!string && (c == '{' || c == '['))
			depth++;
		else if (!string && (c == '}' || c == ']') && (depth == 0 || --depth == 0))
			return false; /* an end: the line was whole, or two are one */
	}
	return true;
}
