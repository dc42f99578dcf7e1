/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden policy check": reads policy files and says what is wrong with them. */
#define _GNU_SOURCE 1
#include "cmd-policy.h"

#include <errno.h>
#include <stdio.h>

#include "explain.h"
#include "names.h"
#include "shortfall.h"
#include "util.h"

static json_t *text_or_null(const char *text)
{
	return text ? kw_json_text(text) : json_null();
}

/* file is NULL of a fault of the set as a whole; line and column are 0 of one of a whole file. */
static json_t *fault_json(const char *file, const struct kw_diag *diag)
{
	return json_pack("{s:o, s:b, s:i, s:i, s:o, s:o, s:o}", "file", text_or_null(file), "ok", 0,
			 "line", (int)diag->line, "column", (int)diag->column, "message",
			 kw_json_text(diag->message ?: "out of memory"), "hint",
			 text_or_null(diag->hint), "source", text_or_null(diag->source));
}

static json_t *good_json(const char *file, const struct kw_policy *policy)
{
	return json_pack("{s:o, s:b, s:s, s:I}", "file", kw_json_text(file), "ok", 1, "policy",
			 policy->name, "rules", (json_int_t)policy->rule_count);
}

/*
 * Reads one file into the set of those before it, which finds what is wrong
 * with the file and what is wrong with the company it is in.
 */
static int check_file(const char *file, struct kw_policy_set *set, json_t *report)
{
	_cleanup_(kw_diag_done) struct kw_diag diag = {};
	const struct kw_policy *policy;
	int r;

	r = kw_policy_read(file, false, set, &diag);
	if (r < 0 && report)
		return json_array_append_new(report, fault_json(file, &diag)) ? -ENOMEM : r;
	if (r < 0) {
		kw_diag_print(&diag, stderr);
		return r;
	}
	policy = &set->policies[set->count - 1];
	if (report)
		return json_array_append_new(report, good_json(file, policy)) ? -ENOMEM : 0;
	printf("%s: ok (policy '%s', %zu rule%s)\n", file, policy->name, policy->rule_count,
	       policy->rule_count == 1 ? "" : "s");
	return 0;
}

/* What is asked of the set beyond being well-formed. */
struct request {
	int backend; /* enum kw_backend_id, or -1 */
	int means; /* enum kw_means, for seccomp */
};

static json_t *shortfall_json(const struct kw_shortfall *s)
{
	return json_pack("{s:o, s:b, s:i, s:s, s:s, s:i, s:s}", "file",
			 kw_json_text(s->policy->file), "ok", !s->is_error, "line",
			 (int)s->rule->line, "policy", s->policy->name, "operation",
			 kw_operation(s->operation)->name, "more", s->more, "message", s->reason);
}

/* -EINVAL if the filter could not do what a rule in force says. */
static int check_seccomp(const struct kw_ruleset *rules, enum kw_means means, json_t *report)
{
	struct kw_shortfalls shortfalls = {};
	struct kw_plan plan = {};
	int r;

	r = kw_plan_make(rules, means, false, &plan, &shortfalls);
	for (size_t i = 0; r == 0 && i < shortfalls.count; i++) {
		if (!report)
			kw_shortfall_print(&shortfalls.list[i], means, stderr);
		else if (json_array_append_new(report, shortfall_json(&shortfalls.list[i])))
			r = -ENOMEM;
	}
	if (r == 0 && shortfalls.errors)
		r = -EINVAL;
	kw_plan_done(&plan);
	kw_shortfalls_done(&shortfalls);
	return r;
}

static int check_backend(const struct kw_ruleset *rules, const struct request *q, json_t *report)
{
	if (q->backend == KW_BACKEND_SECCOMP)
		return check_seccomp(rules, q->means, report);
	if (q->backend == KW_BACKEND_TRACEPOINT && kw_ruleset_denies(rules)) {
		if (!report)
			fprintf(stderr, "error: the tracepoint backend cannot refuse: what is "
					"denied is only reported, but under 'kvmwarden run'\n");
		return -EINVAL;
	}
	return 0;
}

/* The files are good; are they as one set? */
static int check_set(struct kw_policy_set *set, const struct request *q, json_t *report)
{
	_cleanup_(kw_diag_done) struct kw_diag diag = {};
	struct kw_ruleset *rs = NULL;
	int r;

	r = kw_ruleset_compile(set, 0, &rs, &diag);
	if (r == 0) {
		r = check_backend(rs, q, report);
		kw_ruleset_free(rs);
		return r;
	}
	if (r < 0 && report)
		return json_array_append_new(report, fault_json(diag.file, &diag)) ? -ENOMEM : r;
	if (r < 0)
		kw_diag_print(&diag, stderr);
	return r;
}

static int check_files(char **files, const struct request *q, json_t *report)
{
	_cleanup_(kw_policy_set_done) struct kw_policy_set set = {};
	bool good = true;
	int r;

	for (; *files; files++) {
		r = check_file(*files, &set, report);
		if (r == -ENOMEM)
			return KW_EXIT_OS;
		good = good && r == 0;
	}
	r = check_set(&set, q, report);
	if (r == -ENOMEM)
		return KW_EXIT_OS;
	return good && r == 0 ? KW_EXIT_OK : KW_EXIT_FINDING;
}

static const char *backend_list(unsigned int index)
{
	return index + 1 < _KW_BACKEND_MAX ? kw_backend_name(index + 1)
	       : index + 1 - _KW_BACKEND_MAX + KW_MEANS_TYPES < _KW_MEANS_MAX
		       ? kw_means_name(index + 1 - _KW_BACKEND_MAX + KW_MEANS_TYPES)
		       : NULL;
}

static int take(void *target, int c)
{
	struct request *q = target;
	const char *nearest;

	(void)c;
	q->backend = kw_backend_from_name(optarg);
	q->means = KW_MEANS_KERNEL;
	for (int means = 0; means < _KW_MEANS_MAX; means++) {
		if (!kw_streq(optarg, kw_means_name(means)))
			continue;
		q->backend = KW_BACKEND_SECCOMP;
		q->means = means;
	}
	if (q->backend > KW_BACKEND_NONE)
		return KW_EXIT_OK;
	nearest = kw_nearest(optarg, backend_list);
	return kw_policy_usage("check", "unknown backend '%s'%s%s%s", optarg,
			       nearest ? "; did you mean '" : "", nearest ?: "",
			       nearest ? "'?" : "");
}

int kw_policy_check(const struct kw_cli *cli, int argc, char **argv)
{
	struct request q = {.backend = -1};
	json_t *report;
	int r, status;

	status = kw_policy_options(argc, argv, take, &q);
	if (status != KW_EXIT_OK)
		return status;
	if (optind >= argc)
		return kw_policy_usage("check", "which files?");
	if (!cli->json)
		return check_files(argv + optind, &q, NULL);
	report = json_array();
	if (!report)
		return kw_policy_no_memory();
	status = check_files(argv + optind, &q, report);
	r = kw_policy_dump(report);
	return r != KW_EXIT_OK ? r : status;
}
