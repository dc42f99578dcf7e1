/* SPDX-License-Identifier: GPL-2.0-only */
/* An event in the Elastic Common Schema. */
#include <errno.h>

#include "event-kinds.h"
#include "news.h"
#include "text.h"
#include "util.h"

/* https://www.elastic.co/docs/reference/ecs */
#define ECS_VERSION "8.11.0"

/* What the schema says of a refusal: somebody tried, and failed. */
static const char *outcome_of(json_t *event)
{
	const char *verdict = kw_text_member(event, "verdict");

	if (kw_streq(verdict, "deny") || kw_streq(verdict, "kill"))
		return "failure";
	return *verdict ? "success" : "unknown";
}

static const char *type_of(json_t *event)
{
	const char *name = kw_text_member(event, "event");
	const char *verdict = kw_text_member(event, "verdict");

	if (kw_streq(verdict, "deny") || kw_streq(verdict, "kill"))
		return "denied";
	if (kw_streq(name, "vm-created") || kw_streq(name, "started") ||
	    kw_streq(name, "launch-started"))
		return "start";
	if (kw_streq(name, "vm-destroyed") || kw_streq(name, "stopped") ||
	    kw_streq(name, "launch-ended"))
		return "end";
	if (strncmp(name, "policy-", strlen("policy-")) == 0)
		return "change";
	return *verdict ? "access" : "info";
}

static json_t *event_of(json_t *event)
{
	const char *verdict = kw_text_member(event, "verdict");
	const char *operation = kw_text_member(event, "operation");
	const char *name = kw_text_member(event, "event");

	return json_pack("{s:s, s:[s], s:[s], s:s, s:s, s:s, s:s, s:O?, s:i}", "kind",
			 kw_streq(outcome_of(event), "failure") ? "alert" : "event", "category",
			 *verdict ? "process" : "configuration", "type", type_of(event), "action",
			 *operation ? operation : name, "outcome", outcome_of(event), "module",
			 "kvmwarden", "dataset", "kvmwarden.audit", "sequence",
			 json_object_get(event, "seq"), "severity",
			 /* Of syslog's, turned around: a larger one is worse. */
			 7 - kw_event_priority(name, verdict));
}

static json_t *process_of(json_t *process)
{
	json_t *pid = json_object_get(process, "pid"), *tid = json_object_get(process, "tid");

	return json_pack("{s:O?, s:s, s:O?, s:{s:O?}}", "pid", pid, "name",
			 kw_text_member(process, "comm"), "executable",
			 json_object_get(process, "exe"), "thread", "id", tid);
}

static json_t *rule_of(json_t *event)
{
	return json_pack("{s:O?, s:s, s:O?}", "name", json_object_get(event, "policy"), "category",
			 "kvmwarden policy", "reference", json_object_get(event, "file"));
}

/* Takes value; a null is left out, as the schema has it. */
static int add(json_t *object, const char *key, json_t *value)
{
	if (!value)
		return -ENOMEM;
	return json_object_set_new(object, key, value) < 0 ? -ENOMEM : 0;
}

static int fill(json_t *ecs, json_t *event)
{
	json_t *process = json_object_get(event, "process");
	json_t *uid = json_object_get(process, "uid");
	char id[sizeof("4294967295")];
	int r;

	r = add(ecs, "event", event_of(event));
	if (r == 0 && json_is_object(process))
		r = add(ecs, "process", process_of(process));
	if (r == 0 && json_is_integer(uid)) {
		snprintf(id, sizeof(id), "%u", (unsigned int)json_integer_value(uid));
		r = add(ecs, "user", json_pack("{s:s}", "id", id));
	}
	if (r == 0 && json_is_string(json_object_get(event, "policy")))
		r = add(ecs, "rule", rule_of(event));
	/* What the schema has no word for, and all else, as it is. */
	return r == 0 ? add(ecs, "kvmwarden", json_incref(event)) : r;
}

static char *message_of(json_t *event)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	kw_text_event_message(event, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

int kw_format_ecs(json_t *event, FILE *out)
{
	_cleanup_free_ char *message = message_of(event);
	json_t *ecs;
	int r;

	if (!message)
		return -ENOMEM;
	ecs = json_pack("{s:s, s:{s:s}, s:s, s:{s:O?, s:O?}, s:{s:s, s:s, s:s}}", "@timestamp",
			kw_text_member(event, "time"), "ecs", "version", ECS_VERSION, "message",
			message, "host", "hostname", json_object_get(event, "host"), "name",
			json_object_get(event, "host"), "observer", "product", "kvmwarden",
			"vendor", "kvmwarden", "type", "hids");
	if (!ecs)
		return -ENOMEM;
	r = fill(ecs, event);
	if (r == 0 && json_dumpf(ecs, out, JSON_COMPACT) < 0)
		r = -ENOMEM;
	json_decref(ecs);
	return r;
}
