/* SPDX-License-Identifier: GPL-2.0-only */
/* A frame as text. Nothing in it says that a host is safe unless the daemon has just said so. */
#define _GNU_SOURCE 1
#include "top-frame.h"

#include <inttypes.h>

#include "plan.h"
#include "render.h"
#include "text.h"
#include "util.h"

static const char *enforcement(const struct kw_top_frame *frame)
{
	return kw_text_member(frame->status, "enforcement");
}

enum kw_top_tone kw_top_frame_tone(const struct kw_top_frame *frame)
{
	if (!frame->trouble && kw_enforces(enforcement(frame)))
		return KW_TOP_GOOD;
	return KW_TOP_BAD;
}

static void print_time(const struct kw_top_frame *frame, FILE *out)
{
	char time[sizeof("2026-11-23 15:04:05")] = "";
	struct tm tm;

	if (localtime_r(&frame->time, &tm))
		strftime(time, sizeof(time), "%Y-%m-%d %H:%M:%S", &tm);
	fputs("kvmwarden top  ", out);
	kw_text_safe(out, frame->host);
	fprintf(out, "  %s", time);
	if (frame->top.seconds > 0)
		fprintf(out, "  rates of %.1f s", frame->top.seconds);
	putc('\n', out);
}

/* Its first words are those that whoever looks from afar has to read. */
static void print_state(const struct kw_top_frame *frame, FILE *out)
{
	if (frame->trouble)
		fputs("NO ANSWER FROM THE DAEMON: ", out);
	else if (kw_top_frame_tone(frame) == KW_TOP_GOOD)
		fputs("ENFORCING", out);
	else if (kw_streq(enforcement(frame), "degraded"))
		fputs("DEGRADED", out);
	else
		fputs("NOT ENFORCING", out);
	if (frame->trouble) {
		kw_text_safe(out, frame->trouble);
		return;
	}
	/* Where the word above is not the whole of it. */
	if (kw_streq(enforcement(frame), "enforcing") || kw_streq(enforcement(frame), "degraded"))
		return;
	fputs(" (", out);
	kw_text_safe(out, enforcement(frame));
	putc(')', out);
}

static void print_verdict(const struct kw_top_frame *frame, FILE *out)
{
	size_t policies = json_array_size(json_object_get(frame->status, "policies"));
	const char *reason = kw_text_member(frame->status, "reason");
	json_t *generation = json_object_get(frame->status, "generation");

	print_state(frame, out);
	if (frame->trouble) {
		putc('\n', out);
		return;
	}
	fputs("  backend ", out);
	kw_text_safe(out, *kw_text_member(frame->status, "plain")
				  ? kw_means_name(KW_MEANS_TYPES)
				  : kw_text_member(frame->status, "backend"));
	if (json_is_integer(generation))
		fprintf(out, ", generation %" JSON_INTEGER_FORMAT, json_integer_value(generation));
	if (policies == 0)
		fputs(", NO POLICIES: nothing is refused", out);
	else
		fprintf(out, ", %zu %s", policies, policies == 1 ? "policy" : "policies");
	if (*reason) {
		fputs(": ", out);
		kw_text_safe(out, reason);
	}
	putc('\n', out);
}

static json_int_t counter(const struct kw_top_frame *frame, const char *name)
{
	return json_integer_value(
		json_object_get(json_object_get(frame->status, "counters"), name));
}

static void print_rates(const struct kw_top_frame *frame, FILE *out)
{
	const struct kw_top *top = &frame->top;
	json_int_t lost = counter(frame, "events_lost");

	if (top->seconds > 0)
		fprintf(out, "refused %.1f/s, events %.1f/s, ioctls checked %.1f/s, ",
			top->denied_rate, top->event_rate, top->checked_rate);
	else
		fputs("rates come with the next look, ", out);
	if (lost)
		fprintf(out, "%" JSON_INTEGER_FORMAT " events LOST, ", lost);
	else
		fputs("no event lost, ", out);
	if (top->cpus < 0)
		fputs("cost not counted\n", out);
	else
		fprintf(out, "our programs %.2f %% of a CPU\n", top->cpus * 100);
}

/* The lines above the table. */
static void print_header(const struct kw_top_frame *frame, FILE *out)
{
	const struct kw_top *top = &frame->top;

	print_time(frame, out);
	print_verdict(frame, out);
	if (frame->trouble) {
		fputs("asked again until it answers\n\n", out);
	} else {
		fprintf(out,
			"VMs %zu of at most %" JSON_INTEGER_FORMAT
			": %zu building, %zu sealed, %zu condemned\n",
			top->building + top->sealed + top->condemned,
			json_integer_value(json_object_get(frame->status, "vms_max")),
			top->building, top->sealed, top->condemned);
		print_rates(frame, out);
	}
	fprintf(out, "by %s%s\n", kw_top_column_name(frame->column),
		frame->only_denials ? ", only VMs that were refused something" : "");
}

static void add_text(struct kw_text_table *table, const char *text)
{
	kw_text_table_add(table, *text ? text : "-");
}

static void add_rate(struct kw_text_table *table, const struct kw_top *top, double rate)
{
	if (top->seconds > 0)
		kw_text_table_addf(table, "%.1f", rate);
	else
		kw_text_table_add(table, "-");
}

static void add_row(struct kw_text_table *table, const struct kw_top *top,
		    const struct kw_top_row *row)
{
	const struct kw_top_vm *vm = row->vm;

	kw_text_table_addf(table, "%" PRIu64, vm->id);
	add_text(table, vm->type);
	add_text(table, kw_top_vm_state(vm));
	kw_text_table_addf(table, "%" PRIu64, vm->vcpus);
	kw_text_table_addf(table, "%" PRIu64, vm->pid);
	add_text(table, vm->exe);
	add_text(table, vm->unit);
	add_rate(table, top, row->verdict_rate);
	kw_text_table_addf(table, "%" PRIu64, vm->denied);
	add_rate(table, top, row->denied_rate);
	add_text(table, vm->policies);
}

static int print_table(const struct kw_top *top, FILE *out)
{
	struct kw_text_table table = {.columns = _KW_TOP_COLUMN_MAX};
	size_t i;
	int r;

	for (i = 0; i < _KW_TOP_COLUMN_MAX; i++)
		kw_text_table_add(&table, kw_top_column_name(i));
	for (i = 0; i < top->count; i++)
		add_row(&table, top, &top->rows[i]);
	r = kw_text_table_print(&table, "", out);
	kw_text_table_done(&table);
	return r;
}

int kw_top_frame_print(const struct kw_top_frame *frame, FILE *out)
{
	print_header(frame, out);
	if (frame->top.count > 0)
		return print_table(&frame->top, out);
	if (!frame->trouble)
		fputs(frame->only_denials ? "No VM was refused anything.\n" : "No VM is running.\n",
		      out);
	return 0;
}
