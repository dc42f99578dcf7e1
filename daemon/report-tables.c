/* SPDX-License-Identifier: GPL-2.0-only */
/* The page of a report: VMs by type, denials, and what else should be known. */
#define _GNU_SOURCE 1
#include <inttypes.h>

#include "html.h"
#include "names.h"
#include "report-internal.h"
#include "util.h"

/* Rows that are seen at once; a click shows the others. */
#define SEEN_AT_ONCE 20

/* --- VMs -------------------------------------------------------------------------- */

static uint64_t most(const struct kw_report_vms *vms)
{
	uint64_t count = 1;

	for (size_t type = 0; type < _KW_TYPE_MAX; type++)
		count = vms->count[type] > count ? vms->count[type] : count;
	return count;
}

static void write_type(const struct kw_report_vms *vms, unsigned int type, FILE *out)
{
	double unit = 1000.0 / (double)most(vms);
	double sealed = (double)vms->sealed[type] * unit, all = (double)vms->count[type] * unit;

	fprintf(out, "<span class=\"name\">%s</span><span class=\"n\"><b>", kw_type_name(type));
	kw_html_number(out, vms->count[type]);
	fputs("</b>, ", out);
	kw_html_number(out, vms->sealed[type]);
	fprintf(out,
		" sealed</span><svg viewBox=\"0 0 1000 14\" preserveAspectRatio=\"none\" "
		"aria-hidden=\"true\"><rect class=\"track\" width=\"1000\" height=\"14\"/>"
		"<rect class=\"open\" width=\"%.1f\" height=\"14\"/>"
		"<rect class=\"seal\" width=\"%.1f\" height=\"14\"/></svg>\n",
		all, sealed);
}

static void write_vms(const struct kw_report *report, FILE *out)
{
	const struct kw_report_vms *vms = &report->vms;

	fputs("<section>\n<h2>VMs by type</h2>\n<p class=\"hint\">VMs of which an event tells; "
	      "sealed "
	      "at some time while it was watched.</p>\n",
	      out);
	if (kw_report_vm_count(report, false) > 0) {
		fputs("<ul class=\"legend\"><li><i class=\"seal\"></i>sealed</li>"
		      "<li><i class=\"open\"></i>not sealed</li></ul>\n<div class=\"types\">\n",
		      out);
		for (unsigned int type = 0; type < _KW_TYPE_MAX; type++)
			if (vms->count[type])
				write_type(vms, type, out);
		fputs("</div>\n", out);
	} else {
		fputs("<p class=\"soft\">None.</p>\n", out);
	}
	if (vms->beyond) {
		fputs("<p class=\"hint\">And more VMs, with ", out);
		kw_html_number(out, vms->beyond);
		fprintf(out, " events: beyond %d they are not told apart.</p>\n",
			KW_REPORT_VMS_MAX);
	}
	fputs("</section>\n", out);
}

/* --- tables ------------------------------------------------------------------------- */

/* What a row is written by; several: the host is worth a column. */
typedef void row_writer(const struct kw_counts_row *row, bool several, FILE *out);

struct columns {
	const char *head; /* HTML, without the host's */
	row_writer *write;
};

static void write_cell(const char *class, const char *text, FILE *out)
{
	fprintf(out, "<td class=\"%s\">", class);
	if (*text)
		kw_html_path(out, text);
	else
		fputs("–", out);
	fputs("</td>", out);
}

/* The last one below the first, unless they are the same. */
static void write_times(const struct kw_counts_row *row, FILE *out)
{
	fputs("<td class=\"when\">", out);
	kw_html_time(out, row->first);
	if (strcmp(row->first, row->last) != 0) {
		fputs("<small>", out);
		kw_html_time(out, row->last);
		fputs("</small>", out);
	}
	fputs("</td>", out);
}

static void write_rows(const struct kw_counts *counts, size_t from, size_t to,
		       const struct columns *columns, bool several, FILE *out)
{
	fprintf(out, "<div class=\"wide\"><table>\n<thead><tr>%s%s</tr></thead>\n<tbody>\n",
		columns->head, several ? "<th>Host</th>" : "");
	for (size_t i = from; i < to; i++) {
		fputs("<tr>", out);
		columns->write(&counts->rows[i], several, out);
		fputs("</tr>\n", out);
	}
	fputs("</tbody>\n</table></div>\n", out);
}

static void write_table(const struct kw_counts *counts, const struct columns *columns, bool several,
			FILE *out)
{
	size_t seen = counts->count < SEEN_AT_ONCE ? counts->count : SEEN_AT_ONCE;

	if (counts->count == 0) {
		fputs("<p class=\"soft\">None.</p>\n", out);
		return;
	}
	write_rows(counts, 0, seen, columns, several, out);
	if (counts->count > seen) {
		fprintf(out, "<details><summary>%zu more rows</summary>\n", counts->count - seen);
		write_rows(counts, seen, counts->count, columns, several, out);
		fputs("</details>\n", out);
	}
	if (counts->beyond) {
		fputs("<p class=\"hint\"><b>And ", out);
		kw_html_number(out, counts->beyond);
		fprintf(out,
			" more</b>, of which no row tells: beyond %zu different ones they are only "
			"counted.</p>\n",
			counts->max);
	}
}

static void write_denial(const struct kw_counts_row *row, bool several, FILE *out)
{
	const char *verdict = kw_counts_text(row, KW_DENIAL_VERDICT);
	const char *rule = kw_counts_text(row, KW_DENIAL_RULE);

	fputs("<td class=\"num\">", out);
	kw_html_number(out, row->count);
	if (row->more) {
		fputs("<small>+ ", out);
		kw_html_number(out, row->more);
		fputs("</small>", out);
	}
	fprintf(out, "</td><td><span class=\"tag %s\">%s</span></td>", verdict, verdict);
	write_cell("name op", kw_counts_text(row, KW_DENIAL_OPERATION), out);
	write_cell("type", kw_counts_text(row, KW_DENIAL_TYPE), out);
	write_cell("name exe", kw_counts_text(row, KW_DENIAL_EXE), out);
	fputs("<td class=\"text policy\">", out);
	kw_html_text(out, *kw_counts_text(row, KW_DENIAL_POLICY)
				  ? kw_counts_text(row, KW_DENIAL_POLICY)
				  : "–");
	if (*rule) {
		fputs("<small>", out);
		kw_html_path(out, rule);
		fputs("</small>", out);
	}
	fputs("</td>", out);
	write_times(row, out);
	if (several)
		write_cell("host", kw_counts_text(row, KW_DENIAL_HOST), out);
}

static void write_note(const struct kw_counts_row *row, bool several, FILE *out)
{
	const char *rank = kw_note_rank_name(row->rank);

	fputs("<td class=\"num\">", out);
	kw_html_number(out, row->count);
	fprintf(out, "</td><td><span class=\"tag %s\">%s</span></td>", rank, rank);
	write_cell("event", kw_counts_text(row, KW_NOTE_EVENT), out);
	write_cell("text", kw_counts_text(row, KW_NOTE_TEXT), out);
	write_times(row, out);
	if (several)
		write_cell("host", kw_counts_text(row, KW_NOTE_HOST), out);
}

void kw_report_tables_html(const struct kw_report *report, FILE *out)
{
	static const struct columns denials = {
		"<th class=\"num\">Count</th><th>Verdict</th><th>Operation</th><th>VM type</th>"
		"<th>Executable</th><th>Policy, rule</th><th>First, last</th>",
		write_denial,
	};
	static const struct columns notes = {
		"<th "
		"class=\"num\">Count</th><th>Weight</th><th>Event</th><th>What</th><th>First, "
		"last</th>",
		write_note,
	};
	bool several = report->host_count > 1 || report->other_hosts;

	write_vms(report, out);
	fputs("<section>\n<h2>Denials</h2>\n<p class=\"hint\">Who was killed, then what was "
	      "refused; "
	      "most often first. + is what a rate limit held back.</p>\n",
	      out);
	write_table(&report->denials, &denials, several, out);
	fputs("</section>\n<section>\n<h2>Other findings</h2>\n<p class=\"hint\">Losses, "
	      "exceptions, "
	      "refusals that were not applied, and what happened to kvmwarden itself.</p>\n",
	      out);
	write_table(&report->notes, &notes, several, out);
	fputs("</section>\n", out);
}
