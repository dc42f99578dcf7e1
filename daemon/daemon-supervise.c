/* SPDX-License-Identifier: GPL-2.0-only */
/* What the supervisor of launches asks of the daemon: policies, decisions, events. */
#include <errno.h>
#include <linux/kvm.h>

#include "cli.h"
#include "daemon-internal.h"
#include "names.h"
#include "util.h"

static int judge(void *userdata, const struct kw_inquiry *inquiry, struct kw_asked *asked,
		 struct kw_ruling *ret)
{
	struct kw_daemon *d = userdata;

	if (inquiry->command == KVM_CREATE_VM)
		kw_daemon_drop_ended(d);
	return kw_backend_judge(d->choice.backend, inquiry, asked, ret);
}

static int begin(void *userdata, struct kw_asked *asked)
{
	struct kw_daemon *d = userdata;

	return kw_backend_begin(d->choice.backend, asked);
}

/* A sentence of what is wrong with policies, of which only the first line is kept. */
static int fail_with(int error, const struct kw_diag *diag, char **reterr)
{
	return kw_fail(error, reterr, "%s:%u:%u: %s", diag->file ?: "policies", diag->line,
		       diag->column, diag->message ?: strerror(-error));
}

static int load_set(struct kw_daemon *d, const char *directory, struct kw_ruleset **ret,
		    char **reterr)
{
	const char *dirs[] = {directory, NULL};
	struct kw_policy_set set = {};
	struct kw_diag diag = {};
	int r;

	r = kw_policy_set_load(dirs, false, true, &set, &diag);
	if (r == 0)
		r = kw_ruleset_compile(&set, kw_daemon_next_generation(d), ret, &diag);
	kw_policy_set_done(&set);
	if (r < 0)
		fail_with(r, &diag, reterr);
	kw_diag_done(&diag);
	if (r < 0)
		return r;
	r = kw_daemon_check_plan(d, *ret, reterr);
	if (r < 0)
		*ret = kw_ruleset_free(*ret);
	return r;
}

/* The set of a directory, read if it is not there yet; 0: those in force. */
static int find_set(struct kw_daemon *d, const char *directory, uint32_t *ret, char **reterr)
{
	struct kw_ruleset *rules = NULL;
	uint32_t free_place = 0;
	int r;

	*ret = 0;
	if (!directory || !*directory)
		return 0;
	for (uint32_t i = 1; i < KW_SETS_MAX; i++) {
		if (!d->sets[i].directory)
			free_place = free_place ?: i;
		else if (kw_streq(d->sets[i].directory, directory)) {
			*ret = i;
			return 0;
		}
	}
	if (!free_place)
		return kw_fail(-E2BIG, reterr, "there are %d other sets of policies in use",
			       KW_SETS_MAX - 1);
	r = load_set(d, directory, &rules, reterr);
	if (r < 0)
		return r;
	d->sets[free_place].directory = strdup(directory);
	r = d->sets[free_place].directory
		    ? kw_backend_publish_set(d->choice.backend, free_place, rules)
		    : -ENOMEM;
	if (r < 0) {
		free(d->sets[free_place].directory);
		d->sets[free_place].directory = NULL;
		kw_ruleset_free(rules);
		return kw_fail(r, reterr, "cannot publish the rule table: %s", strerror(-r));
	}
	d->sets[free_place].rules = rules;
	*ret = free_place;
	return 0;
}

static const struct kw_ruleset *rules_of(const struct kw_daemon *d, uint32_t set)
{
	return set ? d->sets[set].rules : kw_daemon_rules(d, d->generation);
}

/* VMs that only their launch knows of end with it. */
static void end(void *userdata, struct kw_asked *asked, uint32_t set, bool over)
{
	struct kw_daemon *d = userdata;

	if (over && kw_backend_plain(d->choice.backend))
		for (uint32_t i = 0; i < asked->count && i < KW_ASKED_MAX; i++)
			kw_daemon_vm_gone(d, &asked->vms[i], rules_of(d, set));
	kw_backend_end(d->choice.backend, asked);
}

static void release(void *userdata, uint32_t set)
{
	struct kw_daemon *d = userdata;

	if (!set || (d->sets[set].uses && --d->sets[set].uses))
		return;
	kw_backend_publish_set(d->choice.backend, set, NULL);
	free(d->sets[set].directory);
	d->sets[set].rules = kw_ruleset_free(d->sets[set].rules);
	d->sets[set].directory = NULL;
}

/* What a policy refuses must be refused: else nothing is started under it. */
static int make_plan(const struct kw_daemon *d, const struct kw_ruleset *rules, struct kw_plan *ret,
		     char **reterr)
{
	/* The tracepoints see, and report, what is carried out. */
	bool refusals_only = kw_backend_id(d->choice.backend) == KW_BACKEND_TRACEPOINT;
	enum kw_means means = kw_backend_means(d->choice.backend);
	struct kw_shortfalls shortfalls = {};
	const struct kw_shortfall *worst = NULL;
	int r;

	r = kw_plan_make(rules, means, refusals_only, ret, &shortfalls);
	for (size_t i = 0; r == 0 && i < shortfalls.count && !worst; i++)
		worst = shortfalls.list[i].is_error ? &shortfalls.list[i] : NULL;
	if (worst) {
		r = kw_fail(-EINVAL, reterr,
			    "%s:%u: %s: %s; 'kvmwarden policy check --backend %s' "
			    "tells all",
			    worst->policy->file, worst->rule->line,
			    kw_operation(worst->operation)->name, worst->reason,
			    kw_means_name(means));
		kw_plan_done(ret);
	}
	kw_shortfalls_done(&shortfalls);
	return r;
}

/*
 * A rule that needs to know more than a filter or the daemon can see would be decided as if it
 * did not. Nothing is started under such a set, so it is not put in force over launches that run.
 * The tracepoint backend reports by it all the same: there only the refusal is missing.
 */
int kw_daemon_check_plan(const struct kw_daemon *d, const struct kw_ruleset *rules, char **reterr)
{
	struct kw_plan plan = {};
	int r;

	if (!d->choice.backend || kw_backend_id(d->choice.backend) != KW_BACKEND_SECCOMP)
		return 0;
	r = make_plan(d, rules, &plan, reterr);
	kw_plan_done(&plan);
	return r;
}

void kw_daemon_note_plan(struct kw_daemon *d)
{
	free(d->plan_error);
	d->plan_error = NULL;
	kw_daemon_check_plan(d, kw_daemon_rules(d, d->generation), &d->plan_error);
}

static int plan(void *userdata, const char *directory, struct kw_plan *ret, uint32_t *ret_set,
		int *ret_status, char **reterr)
{
	struct kw_daemon *d = userdata;
	uint32_t set;
	int r;

	/* Every VMM of the host is refused what policies refuse, by the kernel itself. */
	if (!kw_backend_judges(d->choice.backend)) {
		*ret_status = KW_EXIT_FINDING;
		return !directory || !*directory
			       ? 1
			       : kw_fail(-EOPNOTSUPP, reterr,
					 "the %s backend has the same policies for all VMMs, and "
					 "none for a single launch",
					 kw_backend_name(kw_backend_id(d->choice.backend)));
	}
	r = find_set(d, directory, &set, reterr);
	if (r < 0) {
		*ret_status = r == -ENOMEM ? KW_EXIT_OS : KW_EXIT_FINDING;
		return r;
	}
	if (set)
		d->sets[set].uses++;
	r = make_plan(d, rules_of(d, set), ret, reterr);
	if (r < 0) {
		*ret_status = r == -ENOMEM ? KW_EXIT_OS : KW_EXIT_FINDING;
		release(d, set);
		return r;
	}
	*ret_set = set;
	return 0;
}

static int replan(void *userdata, uint32_t set, struct kw_plan *ret)
{
	struct kw_daemon *d = userdata;
	_cleanup_free_ char *why = NULL;

	return make_plan(d, rules_of(d, set), ret, &why);
}

static const char *const news_names[] = {
	[KW_LAUNCH_STARTED] = "launch-started",	  [KW_LAUNCH_RESUMED] = "launch-resumed",
	[KW_LAUNCH_ENDED] = "launch-ended",	  [KW_LAUNCH_REFUSED] = "launch-refused",
	[KW_LAUNCH_OUTDATED] = "launch-outdated",
};

static void tell(void *userdata, enum kw_launch_news news, const struct kw_launch_record *launch,
		 const char *error)
{
	struct kw_daemon *d = userdata;

	kw_daemon_event_begin(d, news_names[news]);
	kw_json_member_string(&d->line, "launch", *launch->id ? launch->id : NULL);
	kw_json_member_string(&d->line, "name", launch->name);
	kw_json_member_unsigned(&d->line, "pid", launch->pid);
	kw_json_member_unsigned(&d->line, "uid", launch->uid);
	kw_json_member_string(&d->line, "policy_set", *launch->set ? launch->set : NULL);
	if (error)
		kw_json_member_string(&d->line, "message", error);
	kw_daemon_event_end(d);
}

int kw_daemon_supervise(struct kw_daemon *d)
{
	d->supervising = (struct kw_supervisor_ops){
		.judge = {.judge = judge, .userdata = d},
		.plan = plan,
		.replan = replan,
		.release = release,
		.begin = begin,
		.end = end,
		.tell = tell,
		.backend = kw_backend_name(kw_backend_id(d->choice.backend)),
		.userdata = d,
	};
	d->supervising.judge.by_types = kw_backend_means(d->choice.backend) == KW_MEANS_TYPES;
	return kw_supervisor_new(d->loop, d->options->socket, &d->supervising, &d->supervisor);
}

/* Those of single launches; one that is broken now stays as it was, and is told of. */
static void reload_sets(struct kw_daemon *d)
{
	for (uint32_t i = 1; i < KW_SETS_MAX; i++) {
		struct kw_ruleset *rules = NULL;
		_cleanup_free_ char *why = NULL;
		int r;

		if (!d->sets[i].directory)
			continue;
		r = load_set(d, d->sets[i].directory, &rules, &why);
		if (r == 0)
			r = kw_backend_publish_set(d->choice.backend, i, rules);
		if (r == 0) {
			kw_ruleset_free(d->sets[i].rules);
			d->sets[i].rules = rules;
			continue;
		}
		kw_ruleset_free(rules);
		fprintf(stderr, "kvmwardend: the policies of '%s' stay as they were: %s\n",
			d->sets[i].directory, why ?: strerror(-r));
		kw_daemon_event_begin(d, "policy-refused");
		kw_json_member_string(&d->line, "file", d->sets[i].directory);
		kw_json_member_unsigned(&d->line, "line", 0);
		kw_json_member_unsigned(&d->line, "column", 0);
		kw_json_member_string(&d->line, "message", why ?: strerror(-r));
		kw_json_member_unsigned(&d->line, "generation", d->sets[i].rules->generation);
		kw_daemon_event_end(d);
	}
}

void kw_daemon_reload_launches(struct kw_daemon *d)
{
	reload_sets(d);
	if (d->supervisor)
		kw_supervisor_compare(d->supervisor);
}

void kw_daemon_end_supervision(struct kw_daemon *d)
{
	d->supervisor = kw_supervisor_free(d->supervisor);
	for (uint32_t i = 1; i < KW_SETS_MAX; i++) {
		free(d->sets[i].directory);
		kw_ruleset_free(d->sets[i].rules);
	}
}
