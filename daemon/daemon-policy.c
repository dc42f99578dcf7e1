/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's policy sets: loading, reloading, and remembering older ones. */
#include <errno.h>

#include "daemon-internal.h"
#include "names.h"
#include "util.h"

static struct kw_override *find_override(struct kw_daemon *d, const char *policy)
{
	for (size_t i = 0; i < d->handover.override_count; i++)
		if (kw_streq(d->handover.overrides[i].policy, policy))
			return &d->handover.overrides[i];
	return NULL;
}

static void apply_overrides(struct kw_daemon *d, struct kw_policy_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct kw_override *override = find_override(d, set->policies[i].name);

		set->policies[i].mode = override ? override->mode : set->policies[i].file_mode;
	}
}

uint64_t kw_daemon_next_generation(const struct kw_daemon *d)
{
	struct kw_counters counters;

	if (!d->choice.backend)
		return d->generation + 1;
	kw_backend_counters(d->choice.backend, &counters);
	return counters.generation + 1;
}

int kw_daemon_load(struct kw_daemon *d, struct kw_ruleset **ret, struct kw_diag *reterr)
{
	const char *const *dirs = d->options->policy_dirs;
	struct kw_policy_set set = {};
	int r;

	r = kw_policy_set_load(dirs ?: kw_policy_default_dirs, !dirs, !d->options->check, &set,
			       reterr);
	if (r < 0)
		return r;
	apply_overrides(d, &set);
	r = kw_ruleset_compile(&set, kw_daemon_next_generation(d), ret, reterr);
	kw_policy_set_done(&set);
	return r;
}

void kw_daemon_adopt_rules(struct kw_daemon *d, struct kw_ruleset *rules)
{
	struct kw_ruleset **place =
		&d->handover.generations[rules->generation % KW_GENERATIONS_KEPT];
	struct kw_ruleset *old = d->handover.generations[d->generation % KW_GENERATIONS_KEPT];

	/* Of older sets only names are wanted, for events that were decided under them. */
	if (old)
		kw_ruleset_retire(old);
	kw_ruleset_free(*place);
	*place = rules;
	d->generation = rules->generation;
	kw_daemon_save(d);
}

const struct kw_ruleset *kw_daemon_rules(const struct kw_daemon *d, uint64_t generation)
{
	const struct kw_ruleset *rules = d->handover.generations[generation % KW_GENERATIONS_KEPT];

	if (rules && rules->generation == generation)
		return rules;
	for (size_t i = 1; i < KW_SETS_MAX; i++)
		if (d->sets[i].rules && d->sets[i].rules->generation == generation)
			return d->sets[i].rules;
	return NULL;
}

/* Keeps the reason for status, and gives the caller and the audit trail theirs. */
static void refused(struct kw_daemon *d, const struct kw_diag *diag, char **reterr)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out) {
		kw_diag_print(diag, out);
		fclose(out);
	}
	free(d->policy_error);
	d->policy_error = text;
	fprintf(stderr,
		"%skvmwardend: the new policies were refused; generation %llu stays in force\n",
		text ?: "", (unsigned long long)d->generation);
	*reterr = text ? strdup(text) : NULL;

	kw_daemon_event_begin(d, "policy-refused");
	kw_json_member_string(&d->line, "file", diag->file);
	kw_json_member_unsigned(&d->line, "line", diag->line);
	kw_json_member_unsigned(&d->line, "column", diag->column);
	kw_json_member_string(&d->line, "message", diag->message);
	kw_json_member_unsigned(&d->line, "generation", d->generation);
	kw_daemon_event_end(d);
}

/* Puts rules in force that can be decided here. */
static int publish(struct kw_daemon *d, const struct kw_ruleset *rules, char **reterr)
{
	int r;

	r = kw_daemon_check_plan(d, rules, reterr);
	if (r < 0)
		return r;
	r = kw_backend_publish(d->choice.backend, rules);
	return r < 0 ? kw_fail(r, reterr, "cannot publish the rule table: %s", strerror(-r)) : 0;
}

static int reload(struct kw_daemon *d, char **reterr)
{
	_cleanup_free_ char *why = NULL;
	struct kw_ruleset *rules = NULL;
	struct kw_diag diag = {};
	int r;

	r = kw_daemon_load(d, &rules, &diag);
	if (r == 0) {
		r = publish(d, rules, &why);
		if (r < 0) {
			kw_diag_set(&diag, NULL, 0, 0, "%s", why ?: "out of memory");
			kw_ruleset_free(rules);
		}
	}
	if (r < 0) {
		kw_daemon_confine_hint(d, r, &diag);
		refused(d, &diag, reterr);
		kw_diag_done(&diag);
		return r;
	}
	kw_daemon_adopt_rules(d, rules);
	kw_daemon_note_plan(d);
	free(d->policy_error);
	d->policy_error = NULL;
	fprintf(stderr, "kvmwardend: generation %llu is in force: %zu policies\n",
		(unsigned long long)d->generation, rules->set.count);

	kw_daemon_event_begin(d, "policy-loaded");
	kw_json_member_unsigned(&d->line, "policies", rules->set.count);
	kw_json_member_unsigned(&d->line, "generation", d->generation);
	kw_daemon_event_end(d);
	kw_daemon_reload_launches(d);
	return 0;
}

int kw_daemon_reload(struct kw_daemon *d, char **reterr)
{
	int r;

	kw_daemon_notify_reloading();
	r = reload(d, reterr);
	kw_metrics_count_reload(d->metrics, r == 0, kw_clock_ns(CLOCK_REALTIME));
	kw_daemon_notify_ready(d);
	return r;
}

static void drop_override(struct kw_daemon *d, struct kw_override *override)
{
	free(override->policy);
	*override = d->handover.overrides[--d->handover.override_count];
}

/* Notes, or with mode < 0 forgets, what the mode of a policy is to be. */
static int note_override(struct kw_daemon *d, const char *policy, int mode)
{
	struct kw_override *override = find_override(d, policy);

	if (mode < 0) {
		if (override)
			drop_override(d, override);
		return 0;
	}
	if (!override) {
		if (d->handover.override_count >= KW_OVERRIDES_MAX)
			return -E2BIG;
		override = &d->handover.overrides[d->handover.override_count];
		override->policy = strdup(policy);
		if (!override->policy)
			return -ENOMEM;
		d->handover.override_count++;
	}
	override->mode = mode;
	return 0;
}

/* The set in force, compiled anew with the modes as they are to be, and put in force. */
static int publish_overrides(struct kw_daemon *d, char **reterr)
{
	const struct kw_ruleset *old = kw_daemon_rules(d, d->generation);
	struct kw_ruleset *rules = NULL;
	struct kw_policy_set set = {};
	struct kw_diag diag = {};
	int r;

	r = kw_policy_set_copy(&old->set, &set);
	if (r < 0)
		return r;
	apply_overrides(d, &set);
	r = kw_ruleset_compile(&set, kw_daemon_next_generation(d), &rules, &diag);
	kw_policy_set_done(&set);
	if (r < 0) {
		*reterr = diag.message ? strdup(diag.message) : NULL;
		kw_diag_done(&diag);
		return r;
	}
	r = publish(d, rules, reterr);
	if (r < 0) {
		kw_ruleset_free(rules);
		return r;
	}
	kw_daemon_adopt_rules(d, rules);
	kw_daemon_note_plan(d);
	if (d->supervisor)
		kw_supervisor_compare(d->supervisor);
	return 0;
}

static const struct kw_policy *find_policy(const struct kw_ruleset *rules, const char *name)
{
	for (size_t i = 0; i < rules->set.count; i++)
		if (kw_streq(rules->set.policies[i].name, name))
			return &rules->set.policies[i];
	return NULL;
}

int kw_daemon_set_mode(struct kw_daemon *d, const char *name, int mode, uint32_t uid, char **reterr)
{
	const struct kw_policy *policy = find_policy(kw_daemon_rules(d, d->generation), name);
	const struct kw_override *override = find_override(d, name);
	int before = override ? (int) override->mode : -1;
	int r;

	/* The mode of a policy that went away at a reload can still be taken back. */
	if (!policy && !(override && mode < 0))
		return kw_fail(-ENOENT, reterr, "there is no policy '%s' in force", name);
	r = note_override(d, name, mode);
	if (r == 0)
		r = publish_overrides(d, reterr);
	if (r < 0) {
		/* This was there before: it takes no memory. */
		note_override(d, name, before);
		return r;
	}
	policy = find_policy(kw_daemon_rules(d, d->generation), name);
	kw_daemon_event_begin(d, "policy-mode");
	kw_json_member_string(&d->line, "policy", name);
	kw_json_member_string(&d->line, "mode", policy ? kw_mode_name(policy->mode) : NULL);
	kw_json_member_string(&d->line, "file_mode",
			      policy ? kw_mode_name(policy->file_mode) : NULL);
	kw_json_member_unsigned(&d->line, "generation", d->generation);
	kw_json_member_unsigned(&d->line, "uid", uid);
	kw_daemon_event_end(d);
	return 0;
}
