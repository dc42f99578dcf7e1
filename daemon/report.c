/* SPDX-License-Identifier: GPL-2.0-only */
/* What recorded events come to, all in all. */
#define _GNU_SOURCE 1
#include "report.h"

#include "names.h"
#include "report-internal.h"
#include "text.h"
#include "util.h"

const char *kw_note_rank_name(unsigned int rank)
{
	static const char *const names[] = {
		[KW_NOTE_PLAIN] = "note",
		[KW_NOTE_WARNING] = "warning",
		[KW_NOTE_ALARM] = "alarm",
	};
	_Static_assert(KW_ARRAY_SIZE(names) == _KW_NOTE_RANK_MAX, "a name for each");

	return rank < KW_ARRAY_SIZE(names) ? names[rank] : "unknown";
}

int kw_report_new(struct kw_report **ret)
{
	struct kw_report *report = calloc(1, sizeof(*report));

	if (!report || kw_vm_set_new(&report->vm_set) < 0) {
		free(report);
		return -ENOMEM;
	}
	report->denials =
		(struct kw_counts){.fields = _KW_DENIAL_FIELDS, .max = KW_REPORT_DENIALS_MAX};
	report->notes = (struct kw_counts){.fields = _KW_NOTE_FIELDS, .max = KW_REPORT_NOTES_MAX};
	*ret = report;
	return 0;
}

struct kw_report *kw_report_free(struct kw_report *report)
{
	if (!report)
		return NULL;
	for (size_t i = 0; i < report->host_count; i++)
		kw_account_free(report->hosts[i].account);
	kw_counts_done(&report->denials);
	kw_counts_done(&report->notes);
	kw_vm_set_free(report->vm_set);
	free(report);
	return NULL;
}

uint64_t kw_report_number(json_t *event, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(event, key));

	return value > 0 ? (uint64_t)value : 0;
}

void kw_report_who(json_t *event, char ret[KW_REPORT_WHO_MAX])
{
	json_t *process = json_object_get(event, "process");
	const char *exe = kw_text_member(process, "exe");

	if (*exe)
		snprintf(ret, KW_REPORT_WHO_MAX, "%s", exe);
	else
		snprintf(ret, KW_REPORT_WHO_MAX, "[%s]", kw_text_member(process, "comm"));
}

/* --- are numbers missing? -------------------------------------------------------- */

static void on_finding(void *userdata, const struct kw_finding *finding)
{
	struct kw_report_gaps *gaps = userdata;

	if (finding->kind == KW_FINDING_UNTOLD)
		gaps->untold += finding->count;
	else if (finding->kind == KW_WARNING_UNTOLD_YET)
		gaps->untold_yet += finding->count;
	else if (finding->kind == KW_FINDING_NUMBER_REPEATED)
		gaps->repeated++;
	else if (finding->kind == KW_FINDING_GAPS)
		gaps->unchecked = true;
}

/* *ret is NULL when there are too many of them. */
static int host_of(struct kw_report *report, const char *name, struct kw_report_host **ret)
{
	const struct kw_findings findings = {on_finding, &report->gaps};
	struct kw_report_host *host;
	int r;

	for (size_t i = 0; i < report->host_count; i++) {
		*ret = &report->hosts[i];
		if (strncmp((*ret)->name, name, sizeof((*ret)->name) - 1) == 0)
			return 0;
	}
	*ret = NULL;
	if (report->host_count == KW_REPORT_HOSTS_MAX) {
		report->other_hosts = true;
		report->gaps.unchecked = true;
		return 0;
	}
	host = &report->hosts[report->host_count];
	r = kw_account_new(&findings, &host->account);
	if (r < 0)
		return r;
	snprintf(host->name, sizeof(host->name), "%s", name);
	report->host_count++;
	*ret = host;
	return 0;
}

/* Ids of VMs are unique as long as the numbers of events go on. */
static void note_epoch(struct kw_report *report, struct kw_report_host *host,
		       const struct kw_fact *fact)
{
	bool anew = fact->kind == KW_FACT_STARTED && fact->seq <= host->highest;

	if (!host->epoch || anew || !kw_streq(host->boot, fact->boot)) {
		host->epoch = ++report->epochs;
		host->highest = 0;
		memcpy(host->boot, fact->boot, sizeof(host->boot));
	}
	if (fact->seq > host->highest)
		host->highest = fact->seq;
}

static int account(struct kw_report *report, struct kw_report_host *host,
		   const struct kw_fact *fact)
{
	/* What was told is kept, for each host: here too there is an end. */
	if (fact->kind == KW_FACT_LOST && ++host->told > KW_REPORT_TOLD_MAX) {
		report->gaps.unchecked = true;
		return 0;
	}
	return kw_account_add(host->account, fact, (struct kw_place){});
}

/* --- what was decided ------------------------------------------------------------ */

static int add_denial(struct kw_report *report, const struct kw_reported *reported)
{
	json_t *event = reported->event, *line = json_object_get(event, "line");
	const char *operation = kw_text_member(event, "operation");
	const char *file = kw_text_member(event, "file");
	char who[KW_REPORT_WHO_MAX], rule[KW_COUNTS_TEXT_MAX] = "";
	struct kw_counted row = {
		.rank = (unsigned int)reported->verdict,
		.count = 1,
		.more = kw_report_number(event, "suppressed"),
		.time = reported->fact->time,
	};

	kw_report_who(event, who);
	/* Of a long path the end tells more. */
	if (strlen(file) > KW_COUNTS_TEXT_MAX / 2)
		file = strrchr(file, '/') ?: file;
	if (*file && json_is_integer(line))
		snprintf(rule, sizeof(rule), "%s:%" JSON_INTEGER_FORMAT, file,
			 json_integer_value(line));
	row.texts[KW_DENIAL_OPERATION] = *operation ? operation : kw_text_member(event, "act");
	row.texts[KW_DENIAL_TYPE] = kw_text_member(json_object_get(event, "vm"), "type");
	row.texts[KW_DENIAL_EXE] = who;
	row.texts[KW_DENIAL_POLICY] = kw_text_member(event, "policy");
	row.texts[KW_DENIAL_RULE] = rule;
	row.texts[KW_DENIAL_VERDICT] = kw_verdict_name((unsigned int)reported->verdict);
	row.texts[KW_DENIAL_HOST] = reported->host;
	return kw_counts_add(&report->denials, &row);
}

static int add_verdict(struct kw_report *report, const struct kw_reported *reported)
{
	int intended = kw_verdict_from_name(kw_text_member(reported->event, "intended"));
	int verdict = reported->verdict;

	report->verdicts[verdict]++;
	kw_count_up(&report->held_back, kw_report_number(reported->event, "suppressed"));
	if (reported->bucket)
		reported->bucket->verdicts[verdict]++;
	if (verdict >= KW_DENY)
		return add_denial(report, reported);
	if (intended >= KW_DENY) {
		report->spared++;
		report->excepted += json_is_integer(json_object_get(reported->event, "exception"));
	}
	return 0;
}

static void add_vm(struct kw_report *report, const struct kw_report_host *host, json_t *event)
{
	json_t *vm = json_object_get(event, "vm");
	json_t *id = json_object_get(vm, "id");
	int type = kw_type_from_name(kw_text_member(vm, "type"));

	/* One that was refused never was. */
	if (!json_is_integer(id))
		return;
	if (!host || !kw_vm_set_add(report->vm_set, host->epoch, (uint64_t)json_integer_value(id),
				    type < 0 ? KW_TYPE_UNKNOWN : (unsigned int)type,
				    json_is_true(json_object_get(vm, "sealed"))))
		report->vms.beyond++;
}

/* --- all of it -------------------------------------------------------------------- */

static int add_to_host(struct kw_report *report, const struct kw_reported *reported)
{
	struct kw_report_host *host = NULL;
	int r;

	r = host_of(report, reported->host, &host);
	if (r < 0)
		return r;
	if (host) {
		note_epoch(report, host, reported->fact);
		r = account(report, host, reported->fact);
	}
	add_vm(report, host, reported->event);
	return r;
}

int kw_report_add(struct kw_report *report, json_t *event)
{
	int backend = kw_backend_from_name(kw_text_member(event, "backend"));
	struct kw_reported reported = {.event = event};
	struct kw_fact fact;
	int r;

	r = kw_fact_of(event, &fact);
	if (r < 0)
		return r;
	reported.fact = &fact;
	reported.host = kw_text_member(event, "host");
	reported.verdict = kw_verdict_from_name(kw_text_member(event, "verdict"));
	report->events++;
	if (backend > KW_BACKEND_NONE)
		report->backends |= 1u << backend;
	kw_counts_span(fact.time, report->first, report->last);
	/* Also those that have no number themselves, which no account knows. */
	if (fact.kind == KW_FACT_LOST) {
		kw_losses_add(&report->gaps.told, fact.reason, fact.count);
		kw_count_up(&report->gaps.told_count, fact.count);
	}
	if (*fact.time)
		reported.bucket = kw_timeline_at(&report->timeline, fact.seconds);
	r = add_to_host(report, &reported);
	if (r == 0 && reported.verdict >= 0)
		r = add_verdict(report, &reported);
	return r == 0 ? kw_report_note(report, &reported) : r;
}

void kw_report_add_broken(struct kw_report *report)
{
	report->broken++;
}

int kw_report_end(struct kw_report *report)
{
	int r;

	for (size_t i = 0; i < report->host_count; i++) {
		r = kw_account_end(report->hosts[i].account);
		if (r < 0)
			return r;
	}
	kw_vm_set_sum(report->vm_set, &report->vms);
	kw_counts_sort(&report->denials);
	kw_counts_sort(&report->notes);
	return 0;
}

bool kw_report_is_complete(const struct kw_report *report)
{
	const struct kw_report_gaps *gaps = &report->gaps;

	return !report->broken && !gaps->told_count && !gaps->untold && !gaps->untold_yet &&
	       !gaps->repeated && !gaps->unchecked;
}

uint64_t kw_report_vm_count(const struct kw_report *report, bool sealed)
{
	uint64_t count = 0;

	for (unsigned int type = 0; type < _KW_TYPE_MAX; type++)
		count += sealed ? report->vms.sealed[type] : report->vms.count[type];
	return count;
}
