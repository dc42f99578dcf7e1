/* SPDX-License-Identifier: GPL-2.0-only */
/* A frame of "kvmwarden top" as JSON; rates are null where there are none. */
#define _GNU_SOURCE 1
#include "text.h"
#include "top-frame.h"
#include "util.h"

KW_DEFINE_CLEANUP(json_t, json_decref)

static json_t *number_if(bool known, double number)
{
	return known ? json_real(number) : json_null();
}

static json_t *string_or_null(const char *text)
{
	return *text ? json_string(text) : json_null();
}

static json_t *json_of_row(const struct kw_top *top, const struct kw_top_row *row)
{
	const struct kw_top_vm *vm = row->vm;
	const bool rates = top->seconds > 0;

	return json_pack("{s:I, s:s, s:s, s:b, s:I, s:I, s:o, s:o, s:I, s:o, s:I, s:o, s:O?}", "id",
			 (json_int_t)vm->id, "type", vm->type, "state", vm->state, "condemned",
			 vm->condemned, "vcpus", (json_int_t)vm->vcpus, "pid", (json_int_t)vm->pid,
			 "exe", string_or_null(vm->exe), "unit", string_or_null(vm->unit),
			 "verdicts", (json_int_t)vm->verdicts, "verdicts_per_second",
			 number_if(rates, row->verdict_rate), "denied", (json_int_t)vm->denied,
			 "denied_per_second", number_if(rates, row->denied_rate), "policies",
			 vm->names);
}

static json_t *json_of_rows(const struct kw_top *top)
{
	_cleanup_(json_decref_cleanup) json_t *rows = json_array();
	size_t i;

	if (!rows)
		return NULL;
	for (i = 0; i < top->count; i++)
		if (json_array_append_new(rows, json_of_row(top, &top->rows[i])) < 0)
			return NULL;
	return TAKE_PTR(rows);
}

json_t *kw_top_frame_json(const struct kw_top_frame *frame)
{
	const struct kw_top *top = &frame->top;
	const bool rates = top->seconds > 0;
	char time[sizeof("2026-11-23T15:04:05Z")] = "";
	json_t *counters = json_object_get(frame->status, "counters");
	struct tm tm;

	if (gmtime_r(&frame->time, &tm))
		strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_pack("{s:s, s:s, s:s?, s:O?, s:O?, s:O?, s:O?, s:o, s:{s:i, s:i, s:i}, s:o, "
			 "s:o, s:o, s:O?, s:o, s:o}",
			 "time", time, "host", frame->host, "error", frame->trouble, "enforcement",
			 json_object_get(frame->status, "enforcement"), "reason",
			 json_object_get(frame->status, "reason"), "backend",
			 json_object_get(frame->status, "backend"), "generation",
			 json_object_get(frame->status, "generation"), "seconds",
			 number_if(rates, top->seconds), "states", "building", (int)top->building,
			 "sealed", (int)top->sealed, "condemned", (int)top->condemned,
			 "denied_per_second", number_if(rates, top->denied_rate),
			 "events_per_second", number_if(rates, top->event_rate),
			 "checked_per_second", number_if(rates, top->checked_rate), "events_lost",
			 json_object_get(counters, "events_lost"), "cpus",
			 number_if(top->cpus >= 0, top->cpus), "vms", json_of_rows(top));
}
