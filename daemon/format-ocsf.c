/* SPDX-License-Identifier: GPL-2.0-only */
/* An event in the Open Cybersecurity Schema Framework. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <syslog.h>
#include <time.h>

#include "cli.h"
#include "event-kinds.h"
#include "news.h"
#include "text.h"
#include "util.h"

/*
 * https://schema.ocsf.io/1.3.0/. What concerns a VM is "Kernel Activity" with the profiles "host" and
 * "security_control"; what the daemon tells of itself is "Application Lifecycle". What the
 * schema has no attribute for is below "unmapped", where it provides for that.
 */
#define SCHEMA "1.3.0"

enum {
	CATEGORY_SYSTEM = 1,
	CATEGORY_APPLICATION = 6,
	CLASS_KERNEL = 1003,
	CLASS_APPLICATION = 6002,
	KERNEL_CREATE = 1,
	KERNEL_DELETE = 3,
	KERNEL_INVOKE = 4,
	APPLICATION_START = 3,
	APPLICATION_STOP = 4,
	APPLICATION_DISABLE = 7,
	APPLICATION_UPDATE = 8,
	OTHER = 99,
	SYSTEM_CALL = 2, /* of kernel.type_id */
	ALLOWED = 1, /* of action_id and disposition_id */
	DENIED = 2,
	BLOCKED = 2,
	LOGGED = 17,
	SUCCESS = 1, /* of status_id */
	FAILURE = 2,
	TYPE_SERVER = 1, /* of device.type_id */
};

static bool is_verdict(json_t *event)
{
	return json_is_string(json_object_get(event, "verdict"));
}

static bool is_denial(json_t *event)
{
	const char *verdict = kw_text_member(event, "verdict");

	return kw_streq(verdict, "deny") || kw_streq(verdict, "kill");
}

static int activity_of(json_t *event)
{
	static const struct {
		const char *event;
		int activity;
	} known[] = {
		{"vm-created", KERNEL_CREATE},	     {"vm-destroyed", KERNEL_DELETE},
		{"started", APPLICATION_START},	     {"stopped", APPLICATION_STOP},
		{"unloaded", APPLICATION_DISABLE},   {"policy-loaded", APPLICATION_UPDATE},
		{"policy-mode", APPLICATION_UPDATE},
	};
	const char *name = kw_text_member(event, "event");

	for (size_t i = 0; i < KW_ARRAY_SIZE(known); i++)
		if (kw_streq(known[i].event, name))
			return known[i].activity;
	return is_verdict(event) ? KERNEL_INVOKE : OTHER;
}

/* "Informational" to "Critical". */
static int severity_of(json_t *event)
{
	switch (kw_event_priority(kw_text_member(event, "event"),
				  kw_text_member(event, "verdict"))) {
	case LOG_EMERG:
	case LOG_ALERT:
	case LOG_CRIT:
		return 5;
	case LOG_ERR:
		return 4;
	case LOG_WARNING:
		return 3;
	case LOG_NOTICE:
		return 2;
	default:
		return 1;
	}
}

/* Milliseconds since 1970, of RFC 3339 in UTC as kw_json_member_time() writes it. */
static json_int_t milliseconds(const char *time)
{
	struct tm tm = {};
	const char *rest = strptime(time, "%Y-%m-%dT%H:%M:%S", &tm);
	char digits[sizeof(".123")] = "";
	uint32_t part = 0;

	if (!rest)
		return 0;
	/* "0123" of a number with a point before it: leading zeros count. */
	snprintf(digits, sizeof(digits), "%s", rest);
	if (digits[0] == '.')
		part = (uint32_t)strtoul(digits + 1, NULL, 10);
	return (json_int_t)timegm(&tm) * 1000 + part;
}

static json_t *metadata_of(json_t *event)
{
	json_t *seq = json_object_get(event, "seq");

	return json_pack("{s:s, s:{s:s, s:s, s:s}, s:s, s:s, s:O?, s:[s, s]}", "version", SCHEMA,
			 "product", "name", "kvmwarden", "vendor_name", "kvmwarden", "version",
			 KW_VERSION, "log_name", "kvmwarden", "event_code",
			 kw_text_member(event, "event"), "sequence", seq, "profiles", "host",
			 "security_control");
}

static json_t *actor_of(json_t *process)
{
	json_t *exe = json_object_get(process, "exe"), *uid = json_object_get(process, "uid");
	char id[sizeof("4294967295")];
	const char *name = json_string_value(exe), *slash = name ? strrchr(name, '/') : NULL;
	json_t *actor;

	snprintf(id, sizeof(id), "%u", (unsigned int)json_integer_value(uid));
	actor = json_pack("{s:{s:O?, s:O?, s:O?, s:{s:s}}}", "process", "pid",
			  json_object_get(process, "pid"), "tid", json_object_get(process, "tid"),
			  "name", json_object_get(process, "comm"), "user", "uid", id);
	if (actor && name)
		json_object_set_new(json_object_get(actor, "process"), "file",
				    json_pack("{s:s, s:s, s:i}", "name", slash ? slash + 1 : name,
					      "path", name, "type_id", 1));
	return actor;
}

static int add(json_t *object, const char *key, json_t *value)
{
	if (!value)
		return -ENOMEM;
	return json_object_set_new(object, key, value) < 0 ? -ENOMEM : 0;
}

static int fill_verdict(json_t *ocsf, json_t *event)
{
	const char *operation = kw_text_member(event, "operation");
	const char *act = kw_text_member(event, "act");
	json_t *process = json_object_get(event, "process");
	bool denial = is_denial(event);
	int r;

	r = add(ocsf, "kernel",
		json_pack("{s:s, s:i, s:s, s:s}", "name", *act ? act : operation, "type_id",
			  SYSTEM_CALL, "type", "System Call", "system_call", *act ? act : "ioctl"));
	if (r == 0)
		r = add(ocsf, "action_id", json_integer(denial ? DENIED : ALLOWED));
	if (r == 0)
		r = add(ocsf, "disposition_id", json_integer(denial ? BLOCKED : LOGGED));
	if (r == 0)
		r = add(ocsf, "status_id", json_integer(denial ? FAILURE : SUCCESS));
	if (r == 0 && json_is_object(process))
		r = add(ocsf, "actor", actor_of(process));
	if (r == 0 && json_is_string(json_object_get(event, "policy")))
		r = add(ocsf, "firewall_rule",
			json_pack("{s:O, s:s}", "name", json_object_get(event, "policy"), "type",
				  "kvmwarden policy"));
	return r;
}

static json_t *frame(json_t *event)
{
	int class = is_verdict(event) ? CLASS_KERNEL : CLASS_APPLICATION;
	int activity = activity_of(event);
	json_t *host = json_object_get(event, "host");

	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:I, s:o, s:{s:i, s:O?}, s:O}", "class_uid",
			 class, "category_uid",
			 class == CLASS_KERNEL ? CATEGORY_SYSTEM : CATEGORY_APPLICATION,
			 "activity_id", activity, "type_uid", class * 100 + activity, "severity_id",
			 severity_of(event), "time", milliseconds(kw_text_member(event, "time")),
			 "metadata", metadata_of(event), "device", "type_id", TYPE_SERVER,
			 "hostname", host, "unmapped", event);
}

int kw_format_ocsf(json_t *event, FILE *out)
{
	json_t *ocsf = frame(event);
	int r;

	if (!ocsf)
		return -ENOMEM;
	if (is_verdict(event))
		r = fill_verdict(ocsf, event);
	else
		r = add(ocsf, "app",
			json_pack("{s:s, s:s, s:s}", "name", "kvmwardend", "vendor_name",
				  "kvmwarden", "version", KW_VERSION));
	if (r == 0 && json_dumpf(ocsf, out, JSON_COMPACT) < 0)
		r = -ENOMEM;
	json_decref(ocsf);
	return r;
}
