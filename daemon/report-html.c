/* SPDX-License-Identifier: GPL-2.0-only */
/* The page of a report: its head, what is said first, and the tiles. */
#define _GNU_SOURCE 1
#include <inttypes.h>

#include "cli.h"
#include "html.h"
#include "names.h"
#include "report-internal.h"
#include "report-style.h"
#include "util.h"

/*
 * Nothing is loaded and nothing runs, whatever stands in the page: names in events are chosen by
 * those who are watched. That each of them is escaped is the first reason, this the second.
 */
static const char opening[] =
	"<!DOCTYPE html>\n"
	"<html lang=\"en\">\n"
	"<head>\n"
	"<meta charset=\"utf-8\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" "
	"content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action "
	"'none'\">\n"
	"<meta name=\"referrer\" content=\"no-referrer\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta name=\"generator\" content=\"kvmwarden " KW_VERSION "\">\n";

/* --- the head --------------------------------------------------------------------- */

static void write_hosts(const struct kw_report *report, FILE *out)
{
	fprintf(out, "<div><dt>%s</dt><dd>", report->host_count == 1 ? "Host" : "Hosts");
	for (size_t i = 0; i < report->host_count; i++) {
		fputs(i ? ", " : "", out);
		kw_html_text(out, *report->hosts[i].name ? report->hosts[i].name : "(no name)");
	}
	fprintf(out, "%s</dd></div>\n",
		report->other_hosts	 ? " and others"
		: report->host_count > 0 ? ""
					 : "none");
}

static void write_backends(const struct kw_report *report, FILE *out)
{
	const char *comma = "";

	fputs("<div><dt>Backend</dt><dd>", out);
	for (unsigned int backend = 0; backend < _KW_BACKEND_MAX; backend++) {
		if (!(report->backends & 1u << backend))
			continue;
		fprintf(out, "%s%s", comma, kw_backend_name(backend));
		comma = ", ";
	}
	fputs(*comma ? "</dd></div>\n" : "not told</dd></div>\n", out);
}

static void write_header(const struct kw_report *report, const char *title, FILE *out)
{
	fputs("<header>\n<h1>", out);
	kw_html_text(out, title);
	fputs("</h1>\n<dl>\n", out);
	write_hosts(report, out);
	fputs("<div><dt>Time</dt><dd>", out);
	kw_html_time(out, report->first);
	fputs(" to ", out);
	kw_html_time(out, report->last);
	fputs(" UTC</dd></div>\n", out);
	write_backends(report, out);
	fputs("<div><dt>Events</dt><dd>", out);
	kw_html_number(out, report->events);
	fputs("</dd></div>\n</dl>\n</header>\n", out);
}

/* --- is it all? ------------------------------------------------------------------- */

static void write_count(const char *before, uint64_t count, const char *after, FILE *out)
{
	if (!count)
		return;
	fprintf(out, "<li>%s: <b>", before);
	kw_html_number(out, count);
	fprintf(out, "</b>%s</li>\n", after);
}

static void write_reasons(const struct kw_losses *told, FILE *out)
{
	for (size_t i = 0; i < told->count; i++) {
		fputs("<li>Lost, as the daemon tells: <b>", out);
		kw_html_number(out, told->reasons[i].count);
		fputs("</b> (", out);
		kw_html_text(out, told->reasons[i].reason);
		fputs(")</li>\n", out);
	}
}

static void write_banner(const struct kw_report *report, FILE *out)
{
	const struct kw_report_gaps *gaps = &report->gaps;
	bool bad = gaps->told_count || gaps->untold || report->broken;

	if (report->events == 0 && !report->broken) {
		fputs("<div class=\"banner warn\" role=\"alert\"><b>There are no "
		      "events.</b>Nothing was "
		      "recorded, or these are not the files.</div>\n",
		      out);
		return;
	}
	if (kw_report_is_complete(report)) {
		fputs("<div class=\"banner good\"><b>No event is known to be missing.</b>The "
		      "numbers "
		      "of events have no gap. Whether lines were changed, <code>kvmwarden events "
		      "verify</code> tells.</div>\n",
		      out);
		return;
	}
	fprintf(out, "<div class=\"banner %s\" role=\"alert\"><b>%s</b><ul>\n",
		bad ? "bad" : "warn",
		bad ? "This log is not complete." : "This log may not be complete.");
	write_reasons(&gaps->told, out);
	write_count("Missing, and nothing accounts for them", gaps->untold,
		    ". Lines were removed, files are not here, or a sink's filter left them out",
		    out);
	write_count("Missing in the last seconds", gaps->untold_yet,
		    ". Of these the daemon may not have told yet", out);
	write_count("Numbers that come twice", gaps->repeated,
		    ". Was a file given twice? Then all counts are too high", out);
	write_count("Lines that could not be read", report->broken, "", out);
	if (gaps->unchecked)
		fputs("<li>The numbers of some events were not checked: there are too many hosts, "
		      "losses or gaps</li>\n",
		      out);
	fputs("</ul></div>\n", out);
}

/* --- tiles ------------------------------------------------------------------------ */

static void write_tile(const char *class, uint64_t count, const char *label, FILE *out)
{
	fprintf(out, "<div class=\"tile %s%s%s\"><b>", class, count ? "" : " zero",
		count > 9999999 ? " long" : "");
	kw_html_number(out, count);
	fprintf(out, "</b><span>%s</span></div>\n", label);
}

static void write_tiles(const struct kw_report *report, FILE *out)
{
	const uint64_t *verdicts = report->verdicts;
	uint64_t lost = report->gaps.told_count;

	kw_count_up(&lost, report->gaps.untold);
	kw_count_up(&lost, report->gaps.untold_yet);
	fputs("<div class=\"tiles\">\n", out);
	write_tile("vms", kw_report_vm_count(report, false), "VMs", out);
	write_tile("seal", kw_report_vm_count(report, true), "of them sealed", out);
	write_tile("allow", verdicts[KW_ALLOW], "allowed", out);
	write_tile("audit", verdicts[KW_AUDIT], "audited", out);
	write_tile("deny", verdicts[KW_DENY], "denied", out);
	write_tile("kill", verdicts[KW_KILL], "killed", out);
	write_tile("held", report->held_back, "held back by rate limits", out);
	write_tile("lost", lost, "events lost or missing", out);
	fputs("</div>\n", out);
}

void kw_report_html(const struct kw_report *report, const char *title, FILE *out)
{
	fputs(opening, out);
	fputs("<title>", out);
	kw_html_text(out, title);
	fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n", report_style);
	write_header(report, title, out);
	write_banner(report, out);
	write_tiles(report, out);
	kw_report_timeline_html(report, out);
	kw_report_tables_html(report, out);
	fputs("<footer>Counted are recorded events: what no policy reports is not among them, nor "
	      "is a "
	      "VM of which no event tells. All times are UTC. Made by kvmwarden " KW_VERSION
	      ".</footer>\n</main>\n</body>\n</html>\n",
	      out);
}
