/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's policy sets: loading, reloading, and remembering older ones. */
#include <errno.h>

#include "daemon-internal.h"
#include "util.h"

int kw_daemon_load(struct kw_daemon *d, struct kw_ruleset **ret, struct kw_diag *reterr)
{
	const char *const *dirs = d->options->policy_dirs;
	struct kw_policy_set set = {};
	int r;

	r = kw_policy_set_load(dirs ?: kw_policy_default_dirs, !dirs, true, &set, reterr);
	if (r < 0)
		return r;
	r = kw_ruleset_compile(&set, d->generation + 1, ret, reterr);
	kw_policy_set_done(&set);
	return r;
}

void kw_daemon_adopt_rules(struct kw_daemon *d, struct kw_ruleset *rules)
{
	struct kw_ruleset **place = &d->generations[rules->table.generation % KW_GENERATIONS_KEPT];

	kw_ruleset_free(*place);
	*place = rules;
	d->generation = rules->table.generation;
}

const struct kw_ruleset *kw_daemon_rules(const struct kw_daemon *d, uint64_t generation)
{
	const struct kw_ruleset *rules = d->generations[generation % KW_GENERATIONS_KEPT];

	return rules && rules->table.generation == generation ? rules : NULL;
}

void kw_daemon_forget_rules(struct kw_daemon *d)
{
	for (size_t i = 0; i < KW_GENERATIONS_KEPT; i++)
		d->generations[i] = kw_ruleset_free(d->generations[i]);
	free(d->policy_error);
	d->policy_error = NULL;
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

int kw_daemon_reload(struct kw_daemon *d, char **reterr)
{
	struct kw_ruleset *rules = NULL;
	struct kw_diag diag = {};
	int r;

	r = kw_daemon_load(d, &rules, &diag);
	if (r == 0) {
		r = kw_backend_publish(d->choice.backend, rules);
		if (r < 0) {
			kw_diag_set(&diag, NULL, 0, 0, "cannot publish the rule table: %s",
				    strerror(-r));
			kw_ruleset_free(rules);
		}
	}
	if (r < 0) {
		refused(d, &diag, reterr);
		kw_diag_done(&diag);
		return r;
	}
	kw_daemon_adopt_rules(d, rules);
	free(d->policy_error);
	d->policy_error = NULL;
	fprintf(stderr, "kvmwardend: generation %llu is in force: %zu policies\n",
		(unsigned long long)d->generation, rules->set.count);

	kw_daemon_event_begin(d, "policy-loaded");
	kw_json_member_unsigned(&d->line, "policies", rules->set.count);
	kw_json_member_unsigned(&d->line, "generation", d->generation);
	kw_daemon_event_end(d);
	return 0;
}
