/* SPDX-License-Identifier: GPL-2.0-only */
/* An event as one line for people. */
#include "text.h"

#include <string.h>

#include "json-read.h"
#include "util.h"

#define RED "\033[31m"
#define YELLOW "\033[33m"
#define CYAN "\033[36m"
#define BOLD_RED "\033[1;31m"
#define NORMAL "\033[0m"

/* Widths of the columns that are worth aligning: "KVM_SET_USER_MEMORY_REGION2" is rare. */
#define VERDICT_WIDTH 6
#define OPERATION_WIDTH 20

static const char *colour_of(const char *verdict)
{
	if (kw_streq(verdict, "kill"))
		return BOLD_RED;
	if (kw_streq(verdict, "deny"))
		return RED;
	if (kw_streq(verdict, "audit"))
		return YELLOW;
	return "";
}

static void print_coloured(FILE *out, const char *colour, const char *text, int width)
{
	if (*colour)
		fputs(colour, out);
	kw_text_safe(out, text);
	if (*colour)
		fputs(NORMAL, out);
	fprintf(out, "%*s", width > (int)strlen(text) ? width - (int)strlen(text) : 0, "");
}

static void print_time(json_t *event, FILE *out)
{
	char text[KW_TEXT_TIME_MAX];

	kw_text_time(kw_text_member(event, "time"), true, text);
	kw_text_safe(out, text);
	putc(' ', out);
}

static void print_vm(json_t *event, FILE *out)
{
	json_t *vm = json_object_get(event, "vm");
	json_t *id = json_object_get(vm, "id");
	json_t *vcpu = json_object_get(vm, "vcpu");

	if (!json_is_object(vm)) {
		fputs("  /dev/kvm", out);
		return;
	}
	if (json_is_integer(id))
		fprintf(out, "  vm %" JSON_INTEGER_FORMAT " ", json_integer_value(id));
	else
		fputs("  new vm ", out);
	kw_text_safe(out, kw_text_member(vm, "type"));
	if (json_is_integer(id)) {
		putc(' ', out);
		kw_text_safe(out, kw_text_member(event, "state"));
	}
	if (json_is_integer(vcpu))
		fprintf(out, " vcpu %" JSON_INTEGER_FORMAT, json_integer_value(vcpu));
}

static void print_process(json_t *process, FILE *out)
{
	const char *exe = kw_text_member(process, "exe");
	const char *unit = kw_text_member(process, "unit");
	const char *slash = strrchr(exe, '/');

	fputs("  ", out);
	kw_text_safe(out, *exe ? (slash ? slash + 1 : exe) : kw_text_member(process, "comm"));
	fprintf(out, "[%" JSON_INTEGER_FORMAT "]",
		json_integer_value(json_object_get(process, "pid")));
	if (*unit) {
		putc(' ', out);
		kw_text_safe(out, unit);
	}
}

static void print_origin(json_t *event, FILE *out)
{
	json_t *line = json_object_get(event, "line");

	if (!json_is_string(json_object_get(event, "policy")))
		return;
	fputs("  ", out);
	kw_text_safe(out, kw_text_member(event, "policy"));
	putc(' ', out);
	kw_text_safe(out, kw_text_member(event, "file"));
	if (json_is_integer(line))
		fprintf(out, ":%" JSON_INTEGER_FORMAT, json_integer_value(line));
}

static void print_outcome(json_t *event, FILE *out)
{
	const char *intended = kw_text_member(event, "intended");
	const char *error = kw_text_member(event, "errno");

	if (*error) {
		fputs("  ", out);
		kw_text_safe(out, error);
	}
	if (*intended && !kw_streq(intended, kw_text_member(event, "verdict"))) {
		fputs("  (the rule says ", out);
		kw_text_safe(out, intended);
		putc(')', out);
	}
	if (kw_streq(kw_text_member(event, "entry"), "compat"))
		fputs("  (32-bit entry)", out);
}

static void print_verdict_event(json_t *event, bool colour, FILE *out)
{
	const char *verdict = kw_text_member(event, "verdict");
	const char *operation = kw_text_member(event, "operation");
	const char *act = kw_text_member(event, "act");

	/* Of tampering there is the act instead, on something that is ours and no VM's. */
	print_coloured(out, colour ? colour_of(verdict) : "", verdict, VERDICT_WIDTH);
	print_coloured(out, "", *act ? act : operation, OPERATION_WIDTH);
	if (*act)
		fputs("  kvmwarden itself", out);
	else
		print_vm(event, out);
	print_process(json_object_get(event, "process"), out);
	print_outcome(event, out);
	print_origin(event, out);
}

static void print_value(json_t *value, FILE *out)
{
	_cleanup_free_ char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

	kw_text_safe(out, text ? text : "?");
}

/* The daemon's own: its name, then whatever it carries. */
static void print_own_event(json_t *event, bool colour, FILE *out)
{
	static const char *const known[] = {"version", "time", "seq", "event", "host", "boot_id"};
	const char *key;
	json_t *value;
	size_t i;

	print_coloured(out, colour ? CYAN : "", kw_text_member(event, "event"), 0);
	json_object_foreach (event, key, value) {
		for (i = 0; i < KW_ARRAY_SIZE(known); i++)
			if (kw_streq(key, known[i]))
				break;
		if (i < KW_ARRAY_SIZE(known))
			continue;
		putc(' ', out);
		kw_text_safe(out, key);
		putc('=', out);
		print_value(value, out);
	}
}

static void print_event(json_t *event, bool colour, FILE *out)
{
	if (json_object_get(event, "verdict"))
		print_verdict_event(event, colour, out);
	else
		print_own_event(event, colour, out);
}

void kw_text_event_json(json_t *event, bool colour, FILE *out)
{
	print_time(event, out);
	print_event(event, colour, out);
	putc('\n', out);
}

void kw_text_event_message(json_t *event, FILE *out)
{
	print_event(event, false, out);
}

void kw_text_event(const char *json, size_t len, bool colour, FILE *out)
{
	json_t *event = kw_json_read(json, len, JSON_ALLOW_NUL);
	_cleanup_free_ char *copy = NULL;

	if (json_is_object(event)) {
		kw_text_event_json(event, colour, out);
	} else {
		copy = strndup(json, len);
		kw_text_safe(out, copy ? copy : "?");
		putc('\n', out);
	}
	json_decref(event);
}
