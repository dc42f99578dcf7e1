/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's status as JSON. */
#include "render.h"

#include "cli.h"
#include "names.h"
#include "util.h"

uint64_t kw_counters_lost(const struct kw_counters *counters)
{
	uint64_t lost = 0;

	for (unsigned int i = 0; i < _KW_LOSS_MAX; i++)
		lost += counters->lost[i];
	return lost;
}

const char *kw_loss_name(enum kw_loss loss)
{
	switch (loss) {
	case KW_LOSS_RING:
		return "ring-full";
	case KW_LOSS_NO_DAEMON:
		return "no-daemon";
	case KW_LOSS_KILLED:
		return "daemon-killed";
	case KW_LOSS_UNWRITTEN:
		return "unwritten";
	case _KW_LOSS_MAX:
		break;
	}
	return "unknown";
}

const char *kw_enforcement_name(enum kw_enforcement enforcement)
{
	switch (enforcement) {
	case KW_STARTING:
		return "starting";
	case KW_ENFORCING:
		return "enforcing";
	case KW_SUPERVISING:
		return "supervising";
	case KW_AUDITING:
		return "auditing";
	case KW_DEGRADED:
		return "degraded";
	}
	return "unknown";
}

bool kw_enforces(const char *enforcement)
{
	return kw_streq(enforcement, kw_enforcement_name(KW_ENFORCING)) ||
	       kw_streq(enforcement, kw_enforcement_name(KW_SUPERVISING));
}

static void member_time_or_null(struct kw_json *json, const char *key, uint64_t realtime_ns)
{
	if (realtime_ns) {
		kw_json_member_time(json, key, realtime_ns);
		return;
	}
	kw_json_key(json, key);
	kw_json_null(json);
}

static void render_proof(struct kw_json *json, const struct kw_status *status)
{
	kw_json_open_object(json);
	member_time_or_null(json, "time", status->proved_ns);
	kw_json_member_bool(json, "native", status->proved[KW_ENTRY_NATIVE]);
	kw_json_key(json, "compat");
	if (status->compat_absent)
		kw_json_null(json);
	else
		kw_json_bool(json, status->proved[KW_ENTRY_COMPAT]);
	kw_json_close_object(json);
}

static void render_policies(struct kw_json *json, const struct kw_ruleset *rules)
{
	size_t i;

	kw_json_open_array(json);
	for (i = 0; rules && i < rules->set.count; i++) {
		const struct kw_policy *policy = &rules->set.policies[i];

		kw_json_open_object(json);
		kw_json_member_string(json, "name", policy->name);
		kw_json_member_string(json, "description", policy->description);
		kw_json_member_string(json, "mode", kw_mode_name(policy->mode));
		kw_json_member_string(json, "file_mode", kw_mode_name(policy->file_mode));
		kw_json_member_unsigned(json, "rules", policy->rule_count);
		kw_json_member_string(json, "file", policy->file);
		kw_json_member_unsigned(json, "line", policy->line);
		kw_json_close_object(json);
	}
	kw_json_close_array(json);
}

static uint64_t count_missed(const struct kw_status *status)
{
	uint64_t missed = 0;

	for (size_t i = 0; i < status->program_count; i++)
		missed += status->programs[i].missed;
	return missed;
}

static void render_programs(struct kw_json *json, const struct kw_status *status)
{
	kw_json_open_array(json);
	for (size_t i = 0; i < status->program_count; i++) {
		const struct kw_program *program = &status->programs[i];

		kw_json_open_object(json);
		kw_json_member_string(json, "name", program->name);
		kw_json_member_unsigned(json, "runs", program->runs);
		kw_json_member_unsigned(json, "ns", program->ns);
		kw_json_member_unsigned(json, "missed", program->missed);
		kw_json_close_object(json);
	}
	kw_json_close_array(json);
}

static void render_counters(struct kw_json *json, const struct kw_status *status)
{
	kw_json_open_object(json);
	kw_json_member_unsigned(json, "checked", status->stats.checked);
	kw_json_member_unsigned(json, "adopted", status->stats.adopted);
	kw_json_member_unsigned(json, "events", status->counters.seq);
	kw_json_member_unsigned(json, "events_lost", kw_counters_lost(&status->counters));
	kw_json_member_unsigned(json, "vms_full", status->counters.vms_full);
	kw_json_member_unsigned(json, "vms_refused", status->counters.vms_refused);
	kw_json_member_unsigned(json, "no_memory", status->counters.no_memory);
	kw_json_member_unsigned(json, "missed", count_missed(status));
	kw_json_member_unsigned(json, "suppressed", status->stats.suppressed);
	kw_json_member_unsigned(json, "excepted", status->stats.excepted);
	kw_json_member_unsigned(json, "unreadable", status->stats.unreadable);
	kw_json_member_unsigned(json, "races", status->stats.races);
	kw_json_member_unsigned(json, "clients_refused", status->clients_refused);
	kw_json_member_unsigned(json, "followers_lost", status->followers_lost);
	kw_json_member_unsigned(json, "events_unwritten", status->counters.lost[KW_LOSS_UNWRITTEN]);
	kw_json_close_object(json);
}

/* By reason, and what found no room in the ring by CPU. */
static void render_lost(struct kw_json *json, const struct kw_status *status)
{
	kw_json_open_object(json);
	for (unsigned int i = 0; i < _KW_LOSS_MAX; i++)
		kw_json_member_unsigned(json, kw_loss_name(i), status->counters.lost[i]);
	kw_json_key(json, "ring-full-by-cpu");
	kw_json_open_array(json);
	for (size_t i = 0; i < status->cpus; i++)
		kw_json_unsigned(json, status->lost_by_cpu[i]);
	kw_json_close_array(json);
	kw_json_close_object(json);
}

static void render_after(struct kw_json *json, const struct kw_status *status)
{
	kw_json_open_object(json);
	kw_json_member_bool(json, "active", status->watches);
	kw_json_key(json, "missing");
	kw_json_open_array(json);
	for (size_t i = 0; i < status->unwatched_count; i++)
		kw_json_string(json, status->unwatched[i]);
	kw_json_close_array(json);
	kw_json_close_object(json);
}

static void render_exceptions(struct kw_json *json, const struct kw_status *status)
{
	kw_json_open_array(json);
	for (size_t i = 0; i < status->exception_count; i++) {
		const struct kw_status_exception *exception = &status->exceptions[i];

		kw_json_open_object(json);
		kw_json_member_unsigned(json, "exception", exception->id);
		kw_json_member_unsigned(json, "vm", exception->vm);
		kw_json_member_string(json, "operation", exception->operation);
		kw_json_member_time(json, "until", exception->until_ns);
		kw_json_member_unsigned(json, "uses", exception->uses);
		kw_json_member_string(json, "reason", exception->reason);
		kw_json_member_unsigned(json, "uid", exception->uid);
		kw_json_close_object(json);
	}
	kw_json_close_array(json);
}

static void render_refusals(struct kw_json *json, const struct kw_status *status)
{
	size_t i;

	kw_json_open_array(json);
	for (i = 0; i < status->refusal_count; i++) {
		const struct kw_backend_refusal *refusal = &status->refusals[i];

		kw_json_open_object(json);
		kw_json_member_string(json, "backend", kw_backend_name(refusal->backend));
		kw_json_member_string(json, "reason", refusal->reason);
		kw_json_close_object(json);
	}
	kw_json_close_array(json);
}

static void render_unguarded(struct kw_json *json, const struct kw_status *status)
{
	kw_json_open_array(json);
	for (size_t i = 0; i < status->unguarded_count; i++)
		kw_json_string(json, status->unguarded[i]);
	kw_json_close_array(json);
}

/* Null where the kernel refuses by itself, and nothing has to be supervised. */
static void render_supervision(struct kw_json *json, const struct kw_status *status)
{
	const struct kw_launch_stats *total = &status->supervision.total;

	if (!status->supervises) {
		kw_json_null(json);
		return;
	}
	kw_json_open_object(json);
	kw_json_member_unsigned(json, "launches", status->supervision.launches);
	kw_json_member_unsigned(json, "outdated", status->supervision.outdated);
	kw_json_member_unsigned(json, "vms_unsupervised", status->vms_unsupervised);
	kw_json_member_unsigned(json, "asked", total->asked);
	kw_json_member_unsigned(json, "refused", total->refused);
	kw_json_member_unsigned(json, "killed", total->killed);
	kw_json_member_unsigned(json, "held", total->held);
	kw_json_member_unsigned(json, "failed", total->failed);
	kw_json_close_object(json);
}

static void render_confinement(struct kw_json *json, const struct kw_confinement *c)
{
	kw_json_open_object(json);
	kw_json_member_bool(json, "active", c->wanted);
	kw_json_key(json, "stages");
	kw_json_open_array(json);
	for (enum kw_confine_stage i = 0; i < _KW_CONFINE_MAX; i++)
		if (c->stages[i])
			kw_json_string(json, kw_confine_stage_name(i));
	kw_json_close_array(json);
	kw_json_key(json, "missing");
	kw_json_open_array(json);
	for (enum kw_confine_stage i = 0; i < _KW_CONFINE_MAX; i++) {
		if (!c->missing[i])
			continue;
		kw_json_open_object(json);
		kw_json_member_string(json, "stage", kw_confine_stage_name(i));
		kw_json_member_string(json, "reason", c->missing[i]);
		kw_json_close_object(json);
	}
	kw_json_close_array(json);
	kw_json_key(json, "capabilities");
	kw_json_open_array(json);
	for (unsigned int i = 0; i < 64; i++)
		if (c->capabilities & 1ull << i)
			kw_json_string(json, kw_confine_capability_name(i));
	kw_json_close_array(json);
	kw_json_close_object(json);
}

static void render_sink(struct kw_json *json, const struct kw_sink *sink)
{
	const struct kw_sink_wish *wish = kw_sink_wish(sink);
	struct kw_sink_stats stats;

	kw_sink_stats(sink, &stats);
	kw_json_open_object(json);
	kw_json_member_string(json, "name", wish->name);
	kw_json_member_string(json, "to", kw_sink_kind_name(wish->kind));
	kw_json_member_string(json, "path", wish->path);
	kw_json_member_string(json, "format",
			      wish->kind == KW_SINK_JOURNAL ? NULL : kw_format_name(wish->format));
	kw_json_member_unsigned(json, "produced", stats.produced);
	kw_json_member_unsigned(json, "recalled", stats.recalled);
	kw_json_member_unsigned(json, "written", stats.written);
	kw_json_member_unsigned(json, "lost", stats.lost);
	kw_json_member_unsigned(json, "waiting", stats.waiting);
	kw_json_member_unsigned(json, "spooled", stats.spooled);
	kw_json_member_unsigned(json, "filtered", stats.filtered);
	kw_json_member_unsigned(json, "followers", stats.followers);
	kw_json_member_unsigned(json, "missed", stats.missed);
	kw_json_member_string(json, "error", stats.error);
	kw_json_close_object(json);
}

static void render_sinks(struct kw_json *json, const struct kw_status *status)
{
	kw_json_open_array(json);
	for (size_t i = 0; i < status->sink_count; i++)
		render_sink(json, status->sinks[i]);
	kw_json_close_array(json);
}

void kw_render_status(struct kw_json *json, const struct kw_status *status)
{
	kw_json_open_object(json);
	kw_json_member_string(json, "daemon_version", KW_VERSION);
	kw_json_member_string(json, "enforcement", kw_enforcement_name(status->enforcement));
	kw_json_member_string(json, "reason", status->reason);
	kw_json_member_string(json, "backend", kw_backend_name(status->backend));
	kw_json_member_string(json, "plain", status->plain);
	kw_json_member_bool(json, "refuses", status->refuses);
	kw_json_member_bool(json, "pinned", status->pinned);
	kw_json_member_bool(json, "sealed", status->sealed);
	kw_json_key(json, "unguarded");
	render_unguarded(json, status);
	kw_json_member_bool(json, "adopted", status->adopted);
	member_time_or_null(json, "attached", status->attached_ns);
	kw_json_key(json, "confinement");
	render_confinement(json, status->confinement);
	kw_json_member_unsigned(json, "pid", status->pid);
	member_time_or_null(json, "since", status->since_ns);
	kw_json_key(json, "proof");
	render_proof(json, status);
	kw_json_member_unsigned(json, "vms", status->vms);
	kw_json_member_unsigned(json, "vms_max", status->vms_max);
	kw_json_member_unsigned(json, "vms_unknown", status->vms_unknown);
	kw_json_key(json, "generation");
	if (status->rules)
		kw_json_unsigned(json, status->rules->generation);
	else
		kw_json_null(json);
	kw_json_key(json, "policies");
	render_policies(json, status->rules);
	kw_json_member_string(json, "config", status->config);
	kw_json_member_string(json, "policy_error", status->policy_error);
	kw_json_key(json, "after_the_fact");
	render_after(json, status);
	kw_json_key(json, "supervision");
	render_supervision(json, status);
	kw_json_key(json, "exceptions");
	render_exceptions(json, status);
	kw_json_key(json, "counters");
	render_counters(json, status);
	kw_json_key(json, "sinks");
	render_sinks(json, status);
	kw_json_key(json, "programs");
	render_programs(json, status);
	kw_json_key(json, "lost");
	render_lost(json, status);
	kw_json_key(json, "refusals");
	render_refusals(json, status);
	kw_json_close_object(json);
}
