/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden status": what was counted. */
#include "client.h"
#include "cmd-status.h"
#include "util.h"

static json_int_t counter(json_t *status, const char *name)
{
	return json_integer_value(json_object_get(json_object_get(status, "counters"), name));
}

/* Each reason for which there were any. */
static void add_losses(struct kw_text_table *table, json_t *status)
{
	json_t *count;
	const char *reason;

	json_object_foreach (json_object_get(status, "lost"), reason, count) {
		if (!json_is_integer(count) || json_integer_value(count) == 0)
			continue;
		kw_text_table_add(table, "");
		kw_text_table_addf(table, "%" JSON_INTEGER_FORMAT " of them: %s",
				   json_integer_value(count), reason);
	}
}

void kw_status_add_counts(struct kw_text_table *table, json_t *status)
{
	json_int_t lost = counter(status, "events_lost");

	kw_text_table_add(table, "VMs");
	kw_text_table_addf(table, "%" JSON_INTEGER_FORMAT " of at most %" JSON_INTEGER_FORMAT,
			   json_integer_value(json_object_get(status, "vms")),
			   json_integer_value(json_object_get(status, "vms_max")));
	kw_text_table_add(table, "ioctls");
	kw_text_table_addf(table, "%" JSON_INTEGER_FORMAT " checked", counter(status, "checked"));
	kw_text_table_add(table, "events");
	if (lost == 0)
		kw_text_table_addf(table, "%" JSON_INTEGER_FORMAT ", none lost",
				   counter(status, "events"));
	else
		kw_text_table_addf(table, "%" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT " LOST",
				   counter(status, "events"), lost);
	add_losses(table, status);
}

void kw_status_add_cost(struct kw_text_table *table, json_t *status)
{
	json_int_t runs = 0, ns = 0;
	json_t *program;
	size_t i;

	if (json_array_size(json_object_get(status, "programs")) == 0)
		return;
	json_array_foreach (json_object_get(status, "programs"), i, program) {
		runs += json_integer_value(json_object_get(program, "runs"));
		ns += json_integer_value(json_object_get(program, "ns"));
	}
	kw_text_table_add(table, "cost");
	if (runs == 0) {
		kw_text_table_add(table, "not counted: the kernel does if "
					 "'sysctl kernel.bpf_stats_enabled=1'");
		return;
	}
	kw_text_table_addf(table,
			   "%" JSON_INTEGER_FORMAT
			   " runs of our programs took %.3f s, %.0f ns each",
			   runs, (double)ns / 1e9, (double)ns / (double)runs);
}

void kw_status_add_troubles(struct kw_text_table *table, json_t *status)
{
	static const struct {
		const char *counter, *meaning;
	} troubles[] = {
		{"races", "callers killed: KVM was given something else than the hooks were shown"},
		{"unreadable", "commands in memory that could not be read, decided strictly"},
		{"missed", "runs of our programs that the kernel skipped: ioctls not checked"},
		{"vms_full", "times a VM had no record: the table is full"},
		{"vms_refused", "VMs beyond the limit that were asked for"},
		{"no_memory", "decisions without the caller's identity: all policies applied"},
		{"clients_refused", "connections refused: too many at once"},
		{"followers_lost", "events that slow followers missed"},
	};
	json_int_t unknown = json_integer_value(json_object_get(status, "vms_unknown"));
	size_t i;

	if (unknown) {
		kw_text_table_add(table, "trouble");
		kw_text_table_addf(table,
				   "%" JSON_INTEGER_FORMAT
				   " VMs of a type that is not known: every policy applies to them",
				   unknown);
	}
	for (i = 0; i < KW_ARRAY_SIZE(troubles); i++) {
		json_int_t count = counter(status, troubles[i].counter);

		if (count == 0)
			continue;
		kw_text_table_add(table, "trouble");
		kw_text_table_addf(table, "%" JSON_INTEGER_FORMAT " %s", count,
				   troubles[i].meaning);
	}
}

static void add_sink(struct kw_text_table *table, json_t *sink, bool first)
{
	static const struct {
		const char *member, *meaning;
	} counts[] = {
		{"waiting", "waiting"},
		{"spooled", "waiting on disk"},
		{"lost", "LOST"},
		{"missed", "missed by followers"},
	};
	const char *error = kw_text_member(sink, "error"), *path = kw_text_member(sink, "path");
	char text[256];
	int len;

	len = snprintf(text, sizeof(text), "%s: %s%s%s, %" JSON_INTEGER_FORMAT " written",
		       kw_text_member(sink, "name"), kw_text_member(sink, "to"), *path ? ":" : "",
		       path, json_integer_value(json_object_get(sink, "written")));
	for (size_t i = 0; i < KW_ARRAY_SIZE(counts) && len > 0 && (size_t)len < sizeof(text);
	     i++) {
		json_int_t count = json_integer_value(json_object_get(sink, counts[i].member));

		if (count)
			len += snprintf(text + len, sizeof(text) - (size_t)len,
					", %" JSON_INTEGER_FORMAT " %s", count, counts[i].meaning);
	}
	kw_text_table_add(table, first ? "sinks" : "");
	kw_text_table_addf(table, "%s%s%s", text, *error ? "; NOT NOW: " : "", error);
}

void kw_status_add_sinks(struct kw_text_table *table, json_t *status)
{
	json_t *sink;
	size_t i;

	json_array_foreach (json_object_get(status, "sinks"), i, sink)
		add_sink(table, sink, i == 0);
}
