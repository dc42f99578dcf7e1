/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden policy check": reads policy files and says what is wrong with them. */
#define _GNU_SOURCE 1
#include "cmd-policy.h"

#include <errno.h>
#include <stdio.h>

#include "explain.h"
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

/* The files are good; are they as one set? */
static int check_set(struct kw_policy_set *set, json_t *report)
{
	_cleanup_(kw_diag_done) struct kw_diag diag = {};
	struct kw_ruleset *rs = NULL;
	int r;

	r = kw_ruleset_compile(set, 0, &rs, &diag);
	kw_ruleset_free(rs);
	if (r < 0 && report)
		return json_array_append_new(report, fault_json(diag.file, &diag)) ? -ENOMEM : r;
	if (r < 0)
		kw_diag_print(&diag, stderr);
	return r;
}

static int check_files(char **files, json_t *report)
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
	r = check_set(&set, report);
	if (r == -ENOMEM)
		return KW_EXIT_OS;
	return good && r == 0 ? KW_EXIT_OK : KW_EXIT_FINDING;
}

int kw_policy_check(const struct kw_cli *cli, int argc, char **argv)
{
	json_t *report;
	int r, status;

	status = kw_policy_options(argc, argv, NULL, NULL, NULL);
	if (status != KW_EXIT_OK)
		return status;
	if (optind >= argc)
		return kw_policy_usage("check", "which files?");
	if (!cli->json)
		return check_files(argv + optind, NULL);
	report = json_array();
	if (!report)
		return kw_policy_no_memory();
	status = check_files(argv + optind, report);
	r = kw_policy_dump(report);
	return r != KW_EXIT_OK ? r : status;
}
