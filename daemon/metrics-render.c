/* SPDX-License-Identifier: GPL-2.0-only */
/* The page for Prometheus: OpenMetrics 1.0. */
#include "cli.h"
#include "event-kinds.h"
#include "metrics-internal.h"
#include "names.h"
#include "util.h"

#define NS_PER_SECOND 1000000000ull

/* A family: its type, its unit, which its name ends in, or NULL, and its help. */
static void family(FILE *out, const char *name, const char *type, const char *unit,
		   const char *help)
{
	fprintf(out, "# TYPE kvmwarden_%s %s\n", name, type);
	if (unit)
		fprintf(out, "# UNIT kvmwarden_%s %s\n", name, unit);
	fprintf(out, "# HELP kvmwarden_%s %s\n", name, help);
}

/* In the value of a label a backslash, a quote and a line feed are escaped, and nothing else. */
static void label(FILE *out, char before, const char *name, const char *value)
{
	fprintf(out, "%c%s=\"", before, name);
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", out);
		else if (*value == '"' || *value == '\\')
			fprintf(out, "\\%c", *value);
		else
			fputc(*value, out);
	}
	fputc('"', out);
}

/* What follows the name, or the last label. */
static void value(FILE *out, const char *before, uint64_t number)
{
	fprintf(out, "%s %llu\n", before, (unsigned long long)number);
}

static void seconds(FILE *out, const char *before, uint64_t ns)
{
	fprintf(out, "%s %llu.%09llu\n", before, (unsigned long long)(ns / NS_PER_SECOND),
		(unsigned long long)(ns % NS_PER_SECOND));
}

static void labelled(FILE *out, const char *sample, const char *name, const char *text,
		     uint64_t number)
{
	fprintf(out, "kvmwarden_%s", sample);
	label(out, '{', name, text);
	value(out, "}", number);
}

static void gauge(FILE *out, const char *name, const char *help, uint64_t number)
{
	family(out, name, "gauge", NULL, help);
	fprintf(out, "kvmwarden_%s", name);
	value(out, "", number);
}

static void counter(FILE *out, const char *name, const char *help, uint64_t number)
{
	family(out, name, "counter", NULL, help);
	fprintf(out, "kvmwarden_%s_total", name);
	value(out, "", number);
}

/* --- verdicts and events ------------------------------------------------------ */

static void verdict_sample(FILE *out, const char *const labels[_KW_LABEL_MAX], uint64_t count)
{
	fputs("kvmwarden_verdicts_total", out);
	label(out, '{', "verdict", labels[KW_LABEL_VERDICT]);
	label(out, ',', "operation", labels[KW_LABEL_OPERATION]);
	label(out, ',', "vm_type", labels[KW_LABEL_VM_TYPE]);
	label(out, ',', "policy", labels[KW_LABEL_POLICY]);
	label(out, ',', "backend", labels[KW_LABEL_BACKEND]);
	value(out, "}", count);
}

static void render_verdicts(FILE *out, const struct kw_metrics *m)
{
	uint64_t others = 0;

	family(out, "verdicts", "counter", NULL, "Events with a verdict, by what was decided.");
	for (size_t i = 0; i < m->series.count; i++) {
		const struct kw_counts_row *row = &m->series.rows[i];
		const char *labels[_KW_LABEL_MAX];

		for (size_t field = 0; field < _KW_LABEL_MAX; field++)
			labels[field] = kw_counts_text(row, field);
		verdict_sample(out, labels, row->count);
	}
	for (unsigned int i = 0; i < _KW_VERDICT_MAX; i++) {
		others += m->others[i];
		if (m->others[i])
			verdict_sample(out,
				       (const char *const[]){kw_verdict_name(i), "other", "other",
							     "other", "other"},
				       m->others[i]);
	}
	gauge(out, "verdict_series", "Series of kvmwarden_verdicts, of at most 4096.",
	      m->series.count);
	counter(out, "verdict_series_overflow",
		"Events that found no series and are counted as other.", others);
}

static void render_events(FILE *out, const struct kw_metrics *m)
{
	family(out, "events", "counter", NULL, "Events handed to trail and sinks, by their kind.");
	for (unsigned int i = 0; i < KW_METRICS_KINDS_MAX && kw_kind(i); i++)
		labelled(out, "events_total", "event", kw_kind(i)->name, m->kinds[i]);
}

static void render_losses(FILE *out, const struct kw_status *status)
{
	family(out, "events_lost", "counter", NULL,
	       "Events of this host that were lost, by reason.");
	for (unsigned int i = 0; i < _KW_LOSS_MAX; i++)
		labelled(out, "events_lost_total", "reason", kw_loss_name(i),
			 status->counters.lost[i]);
	counter(out, "events_suppressed", "Events that rate limits held back.",
		status->stats.suppressed);
}

/* --- sinks -------------------------------------------------------------------- */

static void sink_samples(FILE *out, const struct kw_metrics_page *page, const char *sample,
			 size_t member)
{
	for (size_t i = 0; i < page->sink_count; i++) {
		const struct kw_sink_figures *sink = &page->sinks[i];

		fprintf(out, "kvmwarden_sink_%s", sample);
		label(out, '{', "sink", sink->name);
		label(out, ',', "kind", kw_sink_kind_name(sink->kind));
		value(out, "}", *(const uint64_t *)((const char *)&sink->stats + member));
	}
}

static void render_sinks(FILE *out, const struct kw_metrics_page *page)
{
	static const struct {
		const char *family, *type, *sample, *help;
		size_t member;
	} table[] = {
#define FIGURE(name, type, suffix, help) \
	{"sink_" #name, type, #name suffix, help, offsetof(struct kw_sink_stats, name)}
		FIGURE(produced, "counter", "_total", "Events that passed the sink's filter."),
		FIGURE(recalled, "counter", "_total", "Events an earlier daemon left on disk."),
		FIGURE(written, "counter", "_total", "Events the other side took."),
		FIGURE(lost, "counter", "_total", "Events that were lost to the sink."),
		FIGURE(missed, "counter", "_total", "Events that slow followers missed."),
		FIGURE(waiting, "gauge", "", "Events that wait in memory."),
		FIGURE(spooled, "gauge", "", "Events that wait on disk."),
#undef FIGURE
	};

	for (size_t i = 0; i < KW_ARRAY_SIZE(table) && page->sink_count; i++) {
		family(out, table[i].family, table[i].type, NULL, table[i].help);
		sink_samples(out, page, table[i].sample, table[i].member);
	}
}

/* --- VMs, policies, enforcement ----------------------------------------------- */

static void render_vms(FILE *out, const struct kw_status *status)
{
	family(out, "vms", "gauge", NULL, "Living VMs, by type and state.");
	for (unsigned int type = 0; type < _KW_TYPE_MAX; type++) {
		for (unsigned int state = 0; state < _KW_STATE_MAX; state++) {
			if (!status->vms_by[type][state])
				continue;
			fputs("kvmwarden_vms", out);
			label(out, '{', "type", kw_type_name(type));
			label(out, ',', "state", kw_state_name(state));
			value(out, "}", status->vms_by[type][state]);
		}
	}
	gauge(out, "vms_max", "VMs that can be known at a time.", status->vms_max);
	counter(out, "vms_refused", "VMs beyond that limit.", status->counters.vms_refused);
	counter(out, "checks", "Ioctls that reached the rule table.", status->stats.checked);
	counter(out, "races", "Ioctls that became another one after the decision.",
		status->stats.races);
}

static void timestamp(FILE *out, const char *name, const char *help, uint64_t ns)
{
	if (!ns)
		return;
	family(out, name, "gauge", "seconds", help);
	fprintf(out, "kvmwarden_%s", name);
	seconds(out, "", ns);
}

static void render_policies(FILE *out, const struct kw_metrics_page *page)
{
	const struct kw_metrics *m = page->metrics;
	const struct kw_ruleset *rules = page->status->rules;

	gauge(out, "policy_generation", "Generation of the policies in force.",
	      rules ? rules->generation : 0);
	gauge(out, "policies", "Policies in force.", rules ? rules->set.count : 0);
	family(out, "reloads", "counter", NULL, "Reloads of the policies, by result.");
	labelled(out, "reloads_total", "result", "taken", m->reloads[true]);
	labelled(out, "reloads_total", "result", "refused", m->reloads[false]);
	gauge(out, "last_reload_successful",
	      "Whether the last reload was taken; 1 if there was none.",
	      !m->reloaded_ns || m->last_taken);
	timestamp(out, "last_reload_timestamp_seconds", "When policies were reloaded last.",
		  m->reloaded_ns);
}

static void render_enforcement(FILE *out, const struct kw_status *status)
{
	gauge(out, "enforcing", "Whether all that policies refuse is refused.",
	      status->enforcement == KW_ENFORCING || status->enforcement == KW_SUPERVISING);
	gauge(out, "degraded", "Whether the last proof failed, or pins are gone.",
	      status->enforcement == KW_DEGRADED);
	family(out, "backend", "info", NULL, "The backend in use.");
	fputs("kvmwarden_backend_info", out);
	label(out, '{', "backend", kw_backend_name(status->backend));
	label(out, ',', "enforcement", kw_enforcement_name(status->enforcement));
	label(out, ',', "refuses", status->refuses ? "true" : "false");
	label(out, ',', "pinned", status->pinned ? "true" : "false");
	label(out, ',', "sealed", status->sealed ? "true" : "false");
	value(out, "}", 1);
	family(out, "proof_passed", "gauge", NULL, "Whether the last proof passed, by entry.");
	labelled(out, "proof_passed", "entry", kw_entry_name(KW_ENTRY_NATIVE),
		 status->proved[KW_ENTRY_NATIVE]);
	if (!status->compat_absent)
		labelled(out, "proof_passed", "entry", kw_entry_name(KW_ENTRY_COMPAT),
			 status->proved[KW_ENTRY_COMPAT]);
	timestamp(out, "proof_timestamp_seconds", "When a proof passed last.", status->proved_ns);
}

/* --- programs, daemon --------------------------------------------------------- */

static void render_programs(FILE *out, const struct kw_status *status)
{
	family(out, "program_runs", "counter", NULL,
	       "Runs of each BPF program, while kernel.bpf_stats_enabled is 1.");
	for (size_t i = 0; i < status->program_count; i++)
		labelled(out, "program_runs_total", "program", status->programs[i].name,
			 status->programs[i].runs);
	family(out, "program_missed", "counter", NULL, "Runs that the kernel skipped.");
	for (size_t i = 0; i < status->program_count; i++)
		labelled(out, "program_missed_total", "program", status->programs[i].name,
			 status->programs[i].missed);
	family(out, "program_run_seconds", "counter", "seconds",
	       "Time in each BPF program, while kernel.bpf_stats_enabled is 1.");
	for (size_t i = 0; i < status->program_count; i++) {
		fputs("kvmwarden_program_run_seconds_total", out);
		label(out, '{', "program", status->programs[i].name);
		seconds(out, "}", status->programs[i].ns);
	}
}

static void render_daemon(FILE *out, const struct kw_metrics_page *page)
{
	family(out, "build", "info", NULL, "The daemon.");
	fputs("kvmwarden_build_info", out);
	label(out, '{', "version", KW_VERSION);
	value(out, "}", 1);
	timestamp(out, "start_time_seconds", "Since when the daemon enforces.",
		  page->status->since_ns);
	if (!page->resident)
		return;
	family(out, "resident_memory_bytes", "gauge", "bytes", "Memory of the daemon.");
	fputs("kvmwarden_resident_memory_bytes", out);
	value(out, "", page->resident);
}

void kw_metrics_render(const struct kw_metrics_page *page, FILE *out)
{
	render_verdicts(out, page->metrics);
	render_events(out, page->metrics);
	render_losses(out, page->status);
	render_sinks(out, page);
	render_vms(out, page->status);
	render_policies(out, page);
	render_enforcement(out, page->status);
	render_programs(out, page->status);
	render_daemon(out, page);
	fputs("# EOF\n", out);
}
