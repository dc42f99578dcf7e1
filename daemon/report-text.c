/* SPDX-License-Identifier: GPL-2.0-only */
/* A report for machines, and for a terminal. */
#define _GNU_SOURCE 1
#include <inttypes.h>

#include "explain.h"
#include "names.h"
#include "report-internal.h"
#include "text.h"
#include "util.h"

/* Rows on a terminal. */
#define ROWS 10

KW_DEFINE_CLEANUP(json_t, json_decref)

/* --- JSON ------------------------------------------------------------------------- */

static json_t *number(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static json_t *text_or_null(const char *text)
{
	return *text ? kw_json_text(text) : json_null();
}

static json_t *verdicts_json(const uint64_t verdicts[_KW_VERDICT_MAX])
{
	json_t *object = json_object();

	for (unsigned int i = 0; i < _KW_VERDICT_MAX; i++)
		json_object_set_new(object, kw_verdict_name(i), number(verdicts[i]));
	return object;
}

static json_t *vms_json(const struct kw_report *report)
{
	json_t *types = json_object();

	for (unsigned int i = 0; i < _KW_TYPE_MAX; i++)
		if (report->vms.count[i])
			json_object_set_new(types, kw_type_name(i),
					    json_pack("{s:o, s:o}", "count",
						      number(report->vms.count[i]), "sealed",
						      number(report->vms.sealed[i])));
	return json_pack("{s:o, s:o, s:o, s:o}", "count", number(kw_report_vm_count(report, false)),
			 "sealed", number(kw_report_vm_count(report, true)), "types", types,
			 "events_beyond", number(report->vms.beyond));
}

static json_t *missing_json(const struct kw_report *report)
{
	const struct kw_report_gaps *gaps = &report->gaps;
	json_t *reasons = json_array();

	for (size_t i = 0; i < gaps->told.count; i++)
		json_array_append_new(reasons,
				      json_pack("{s:o, s:o}", "reason",
						kw_json_text(gaps->told.reasons[i].reason), "count",
						number(gaps->told.reasons[i].count)));
	return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "complete",
			 kw_report_is_complete(report), "lost", number(gaps->told_count), "reasons",
			 reasons, "untold", number(gaps->untold), "untold_yet",
			 number(gaps->untold_yet), "repeated", number(gaps->repeated), "unchecked",
			 gaps->unchecked, "broken_lines", number(report->broken));
}

static json_t *row_json(const struct kw_counts_row *row, const char *const *names, size_t count)
{
	json_t *object = json_object();

	for (size_t i = 0; i < count; i++)
		json_object_set_new(object, names[i], text_or_null(kw_counts_text(row, i)));
	json_object_set_new(object, "count", number(row->count));
	json_object_set_new(object, "held_back", number(row->more));
	json_object_set_new(object, "first", text_or_null(row->first));
	json_object_set_new(object, "last", text_or_null(row->last));
	return object;
}

static json_t *denials_json(const struct kw_report *report)
{
	static const char *const names[] = {
		[KW_DENIAL_OPERATION] = "operation",
		[KW_DENIAL_TYPE] = "type",
		[KW_DENIAL_EXE] = "exe",
		[KW_DENIAL_POLICY] = "policy",
		[KW_DENIAL_RULE] = "rule",
		[KW_DENIAL_VERDICT] = "verdict",
		[KW_DENIAL_HOST] = "host",
	};
	json_t *rows = json_array();

	_Static_assert(KW_ARRAY_SIZE(names) == _KW_DENIAL_FIELDS, "a name for each");
	for (size_t i = 0; i < report->denials.count; i++)
		json_array_append_new(rows,
				      row_json(&report->denials.rows[i], names, _KW_DENIAL_FIELDS));
	return rows;
}

static json_t *notes_json(const struct kw_report *report)
{
	static const char *const names[] = {
		[KW_NOTE_EVENT] = "event",
		[KW_NOTE_TEXT] = "text",
		[KW_NOTE_HOST] = "host",
	};
	json_t *rows = json_array();

	_Static_assert(KW_ARRAY_SIZE(names) == _KW_NOTE_FIELDS, "a name for each");
	for (size_t i = 0; i < report->notes.count; i++) {
		const struct kw_counts_row *row = &report->notes.rows[i];
		json_t *object = row_json(row, names, _KW_NOTE_FIELDS);

		json_object_set_new(object, "rank", json_string(kw_note_rank_name(row->rank)));
		json_object_del(object, "held_back");
		json_array_append_new(rows, object);
	}
	return rows;
}

static json_t *timeline_json(const struct kw_timeline *timeline)
{
	int64_t begin = timeline->first * timeline->step;
	json_t *buckets = json_array();

	for (size_t i = 0; i < timeline->count; i++) {
		const struct kw_bucket *bucket = &timeline->buckets[i];
		json_t *object = verdicts_json(bucket->verdicts);

		for (unsigned int mark = 0; mark < _KW_MOMENT_MAX; mark++)
			json_object_set_new(object, kw_moment_name(mark),
					    number(bucket->marks[mark]));
		json_array_append_new(buckets, object);
	}
	return json_pack("{s:I, s:I, s:o}", "step_seconds", (json_int_t)timeline->step,
			 "first_second", (json_int_t)begin, "buckets", buckets);
}

static json_t *origin_json(const struct kw_report *report)
{
	json_t *hosts = json_array(), *backends = json_array();

	for (size_t i = 0; i < report->host_count; i++)
		json_array_append_new(hosts, kw_json_text(report->hosts[i].name));
	for (unsigned int i = 0; i < _KW_BACKEND_MAX; i++)
		if (report->backends & 1u << i)
			json_array_append_new(backends, json_string(kw_backend_name(i)));
	return json_pack("{s:o, s:b, s:o, s:o, s:o, s:o}", "hosts", hosts, "other_hosts",
			 report->other_hosts, "backends", backends, "first",
			 text_or_null(report->first), "last", text_or_null(report->last), "events",
			 number(report->events));
}

json_t *kw_report_json(const struct kw_report *report)
{
	_cleanup_(json_decref_cleanup) json_t *object = origin_json(report);
	_cleanup_(json_decref_cleanup) json_t *rest = NULL;

	rest = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "missing",
			 missing_json(report), "vms", vms_json(report), "verdicts",
			 verdicts_json(report->verdicts), "not_applied", number(report->spared),
			 "excepted", number(report->excepted), "held_back",
			 number(report->held_back), "denials", denials_json(report),
			 "denials_beyond", number(report->denials.beyond), "findings",
			 notes_json(report), "findings_beyond", number(report->notes.beyond),
			 "timeline", timeline_json(&report->timeline));
	if (!object || !rest || json_object_update(object, rest) < 0)
		return NULL;
	return TAKE_PTR(object);
}

/* --- a terminal -------------------------------------------------------------------- */

static void print_missing(const struct kw_report *report, FILE *out)
{
	const struct kw_report_gaps *gaps = &report->gaps;

	if (kw_report_is_complete(report)) {
		fputs("missing    nothing that is known of\n", out);
		return;
	}
	fprintf(out,
		"MISSING    %" PRIu64 " events lost as the daemon tells, %" PRIu64
		" numbers that nothing accounts for\n",
		gaps->told_count, gaps->untold + gaps->untold_yet);
	if (gaps->repeated)
		fprintf(out, "           %" PRIu64 " numbers come twice: was a file given twice?\n",
			gaps->repeated);
	if (report->broken)
		fprintf(out, "           %" PRIu64 " lines could not be read\n", report->broken);
	if (gaps->unchecked)
		fputs("           numbers of some events were not checked\n", out);
}

static void print_summary(const struct kw_report *report, FILE *out)
{
	fputs("hosts      ", out);
	for (size_t i = 0; i < report->host_count; i++) {
		fputs(i ? ", " : "", out);
		kw_text_safe(out, report->hosts[i].name);
	}
	fprintf(out, "\ntime       %s to %s\nevents     %" PRIu64 "\n", report->first, report->last,
		report->events);
	print_missing(report, out);
	fprintf(out, "VMs        %" PRIu64 ", %" PRIu64 " sealed\n",
		kw_report_vm_count(report, false), kw_report_vm_count(report, true));
	fputs("verdicts  ", out);
	for (unsigned int i = 0; i < _KW_VERDICT_MAX; i++)
		fprintf(out, "%s %" PRIu64 " %s", i ? "," : "", report->verdicts[i],
			kw_verdict_name(i));
	fprintf(out, "; %" PRIu64 " held back by rate limits\n", report->held_back);
}

static int print_rows(const struct kw_counts *counts, const size_t *fields, size_t field_count,
		      FILE *out)
{
	struct kw_text_table table = {.columns = field_count + 2};
	size_t shown = counts->count < ROWS ? counts->count : ROWS;
	int r;

	for (size_t i = 0; i < shown; i++) {
		const struct kw_counts_row *row = &counts->rows[i];

		kw_text_table_addf(&table, "%" PRIu64, row->count);
		for (size_t field = 0; field < field_count; field++) {
			const char *text = kw_counts_text(row, fields[field]);

			kw_text_table_add(&table, *text ? text : "-");
		}
		kw_text_table_addf(&table, "%.19s", row->last);
	}
	r = kw_text_table_print(&table, "  ", out);
	kw_text_table_done(&table);
	if (counts->count > shown)
		fprintf(out, "  and %zu more rows: see --html, --json\n", counts->count - shown);
	if (counts->beyond)
		fprintf(out, "  and %" PRIu64 " more of which there is no row\n", counts->beyond);
	return r;
}

int kw_report_print(const struct kw_report *report, FILE *out)
{
	static const size_t denial[] = {KW_DENIAL_VERDICT, KW_DENIAL_OPERATION, KW_DENIAL_TYPE,
					KW_DENIAL_EXE, KW_DENIAL_POLICY};
	static const size_t note[] = {KW_NOTE_EVENT, KW_NOTE_TEXT};
	int r = 0;

	print_summary(report, out);
	if (report->denials.count) {
		fputs("\nDenials\n", out);
		r = print_rows(&report->denials, denial, KW_ARRAY_SIZE(denial), out);
	}
	if (r == 0 && report->notes.count) {
		fputs("\nOther findings\n", out);
		r = print_rows(&report->notes, note, KW_ARRAY_SIZE(note), out);
	}
	return r;
}
