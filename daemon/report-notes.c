/* SPDX-License-Identifier: GPL-2.0-only */
/* Of recorded events: what should be known beside the verdicts. */
#define _GNU_SOURCE 1
#include "event-kinds.h"
#include "names.h"
#include "render.h"
#include "report-internal.h"
#include "text.h"
#include "util.h"

#define TEXT_MAX (2 * KW_COUNTS_TEXT_MAX) /* cut off further where it is kept */

struct note {
	enum kw_note_rank rank;
	uint64_t count;
	char text[TEXT_MAX]; /* empty: there is nothing to say */
};

static const char *member(const struct kw_reported *reported, const char *key)
{
	return kw_text_member(reported->event, key);
}

__attribute__((format(printf, 3, 4))) static void say(struct note *note, enum kw_note_rank rank,
						      const char *format, ...)
{
	va_list args;

	note->rank = rank;
	va_start(args, format);
	vsnprintf(note->text, sizeof(note->text), format, args);
	va_end(args);
}

/* --- the daemon's own ------------------------------------------------------------ */

static void on_started(const struct kw_reported *reported, struct note *note)
{
	const char *enforcement = member(reported, "enforcement");
	bool adopted = json_is_true(json_object_get(reported->event, "adopted"));

	if (json_object_get(reported->event, "chain_expected"))
		return say(note, KW_NOTE_ALARM,
			   "the file did not end in what was written last: its end was cut or "
			   "changed");
	if (*enforcement && !kw_enforces(enforcement))
		return say(note, KW_NOTE_WARNING, "the daemon started, and was only %s",
			   enforcement);
	if (adopted)
		say(note, KW_NOTE_PLAIN,
		    "a daemon took over the set of programs that an earlier one had left");
}

static void on_stopped(const struct kw_reported *reported, struct note *note)
{
	if (json_is_false(json_object_get(reported->event, "pinned")))
		say(note, KW_NOTE_WARNING, "the daemon stopped, and enforcement ended with it");
}

static void on_unloaded(const struct kw_reported *reported, struct note *note)
{
	(void)reported;
	say(note, KW_NOTE_ALARM, "enforcement was taken off the host");
}

static void on_refused_policy(const struct kw_reported *reported, struct note *note)
{
	say(note, KW_NOTE_WARNING, "policies were refused, the old ones stayed: %s:%llu: %s",
	    member(reported, "file"), (unsigned long long)kw_report_number(reported->event, "line"),
	    member(reported, "message"));
}

static void on_mode(const struct kw_reported *reported, struct note *note)
{
	const char *mode = member(reported, "mode");

	say(note, kw_streq(mode, "audit") ? KW_NOTE_WARNING : KW_NOTE_PLAIN,
	    "policy '%s' was switched to mode %s by uid %llu", member(reported, "policy"),
	    *mode ? mode : "none", (unsigned long long)kw_report_number(reported->event, "uid"));
}

static void on_granted(const struct kw_reported *reported, struct note *note)
{
	say(note, KW_NOTE_WARNING, "uid %llu allowed VM %llu %s until %.19s: %s",
	    (unsigned long long)kw_report_number(reported->event, "uid"),
	    (unsigned long long)kw_report_number(reported->event, "vm"),
	    member(reported, "operation"), member(reported, "until"), member(reported, "reason"));
}

static void on_ended(const struct kw_reported *reported, struct note *note)
{
	say(note, KW_NOTE_PLAIN, "the exception for VM %llu, %s ended (%s) after %llu uses",
	    (unsigned long long)kw_report_number(reported->event, "vm"),
	    member(reported, "operation"), member(reported, "why"),
	    (unsigned long long)kw_report_number(reported->event, "uses"));
}

static void on_lost(const struct kw_reported *reported, struct note *note)
{
	note->count = kw_report_number(reported->event, "count");
	say(note, KW_NOTE_ALARM, "events were lost: %s", member(reported, "reason"));
}

static void on_suppressed(const struct kw_reported *reported, struct note *note)
{
	const char *policy = member(reported, "policy");

	note->count = kw_report_number(reported->event, "count");
	say(note, KW_NOTE_PLAIN, "events were held back by the rate limit of %s%s: %s",
	    *policy ? "policy " : "what no policy decides", policy, member(reported, "operation"));
}

static void on_failed_proof(const struct kw_reported *reported, struct note *note)
{
	(void)reported;
	say(note, KW_NOTE_ALARM, "a proof failed: nothing may have been enforced");
}

static void on_passed_proof(const struct kw_reported *reported, struct note *note)
{
	(void)reported;
	say(note, KW_NOTE_PLAIN, "the proof passes again");
}

static void on_reopened(const struct kw_reported *reported, struct note *note)
{
	if (json_object_get(reported->event, "chain_expected"))
		on_started(reported, note);
}

static void on_launch(const struct kw_reported *reported, struct note *note)
{
	say(note, KW_NOTE_WARNING, "%s: %s", member(reported, "name"), member(reported, "message"));
}

/* --- the kernel's ------------------------------------------------------------------ */

static void on_tampering(const struct kw_reported *reported, struct note *note)
{
	char who[KW_REPORT_WHO_MAX];

	kw_report_who(reported->event, who);
	say(note, KW_NOTE_ALARM, "%.300s reached for kvmwarden itself: %s", who,
	    member(reported, "act"));
}

static void on_race(const struct kw_reported *reported, struct note *note)
{
	char who[KW_REPORT_WHO_MAX];

	kw_report_who(reported->event, who);
	say(note, KW_NOTE_ALARM, "%.300s won a race: KVM carried out %s, which was not decided",
	    who, member(reported, "operation"));
}

static void on_full(const struct kw_reported *reported, struct note *note)
{
	(void)reported;
	say(note, KW_NOTE_ALARM, "there was no room for the record of another VM");
}

static void on_ioctl(const struct kw_reported *reported, struct note *note)
{
	const char *intended = member(reported, "intended");
	const char *operation = member(reported, "operation"), *policy = member(reported, "policy");

	if (reported->verdict >= KW_DENY || kw_verdict_from_name(intended) < KW_DENY)
		return;
	if (json_is_integer(json_object_get(reported->event, "exception")))
		say(note, KW_NOTE_WARNING, "%s was let through by an exception to policy '%s'",
		    operation, policy);
	else
		say(note, KW_NOTE_WARNING,
		    "%s was let through, where policy '%s' says %s (mode audit, or a backend that "
		    "cannot refuse)",
		    operation, policy, intended);
}

static const struct kind {
	const char *name;
	int mark; /* enum kw_moment, or -1 */
	void (*describe)(const struct kw_reported *reported, struct note *note);
} kinds[] = {
	{"ioctl", -1, on_ioctl},
	{"vm-created", -1, on_ioctl},
	{"race", KW_MOMENT_ALARM, on_race},
	{"vms-full", KW_MOMENT_ALARM, on_full},
	{"tampering", KW_MOMENT_ALARM, on_tampering},
	{"started", KW_MOMENT_STARTED, on_started},
	{"stopped", KW_MOMENT_STOPPED, on_stopped},
	{"reopened", -1, on_reopened},
	{"unloaded", KW_MOMENT_STOPPED, on_unloaded},
	{"policy-loaded", KW_MOMENT_POLICY, NULL},
	{"policy-refused", KW_MOMENT_POLICY, on_refused_policy},
	{"policy-mode", KW_MOMENT_POLICY, on_mode},
	{"lost", KW_MOMENT_ALARM, on_lost},
	{"suppressed", -1, on_suppressed},
	{"proof-failed", KW_MOMENT_ALARM, on_failed_proof},
	{"proof-passed", -1, on_passed_proof},
	{"exception-granted", KW_MOMENT_POLICY, on_granted},
	{"exception-ended", KW_MOMENT_POLICY, on_ended},
	{"launch-refused", KW_MOMENT_ALARM, on_launch},
	{"launch-outdated", KW_MOMENT_ALARM, on_launch},
};

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; i < KW_ARRAY_SIZE(kinds); i++)
		if (kw_streq(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

int kw_report_note(struct kw_report *report, const struct kw_reported *reported)
{
	const char *name = member(reported, "event");
	const struct kind *kind = find_kind(name);
	struct note note = {.count = 1};
	struct kw_counted row;

	if (kind && kind->mark >= 0 && reported->bucket)
		reported->bucket->marks[kind->mark]++;
	if (kind && kind->describe)
		kind->describe(reported, &note);
	else if (!kind && kw_kind_from_name(name) < 0)
		say(&note, KW_NOTE_PLAIN, "an event of a kind that this version does not know");
	if (kind && kind->describe == on_suppressed)
		kw_count_up(&report->held_back, note.count);
	if (!*note.text)
		return 0;
	row = (struct kw_counted){
		.rank = note.rank, .count = note.count, .time = reported->fact->time};
	row.texts[KW_NOTE_EVENT] = name;
	row.texts[KW_NOTE_TEXT] = note.text;
	row.texts[KW_NOTE_HOST] = reported->host;
	return kw_counts_add(&report->notes, &row);
}
