/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden policy simulate": recorded events under other policies. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "cmd-policy-events.h"
#include "cmd-policy.h"
#include "explain.h"
#include "names.h"
#include "replay.h"
#include "text.h"
#include "util.h"

struct simulation {
	struct kw_ruleset *rs;
	struct kw_replay replay;
	struct kw_tally tally;
	bool verbose;
};

static void simulation_done(struct simulation *simulation)
{
	kw_replay_done(&simulation->replay);
	kw_ruleset_free(simulation->rs);
}

static int take_option(void *target, int c)
{
	struct simulation *simulation = target;

	(void)c; /* there is only one */
	simulation->verbose = true;
	return KW_EXIT_OK;
}

static int add_event(void *target, const struct kw_recorded *event)
{
	struct simulation *simulation = target;

	return kw_replay_add(&simulation->replay, event);
}

static void add_answer(struct kw_text_table *table, unsigned int verdict, unsigned int error)
{
	const char *name = kw_errno_name(error);

	if (error && !name)
		kw_text_table_addf(table, "%s %u", kw_verdict_name(verdict), error);
	else
		kw_text_table_addf(table, "%s%s%s", kw_verdict_name(verdict), error ? " " : "",
				   error ? name : "");
}

static void add_place(struct kw_text_table *table, const struct kw_ruleset *rs,
		      const struct kw_decision *decision)
{
	const struct kw_policy *policy = kw_ruleset_policy(rs, decision->policy);
	const struct kw_rule *rule = kw_ruleset_rule(rs, decision->policy, decision->rule);

	if (policy && rule)
		kw_text_table_addf(table, "%s:%u", policy->file, rule->line);
	else
		kw_text_table_add(table, "no rule");
}

static const char *exe_of(const struct kw_replay_row *row)
{
	return row->exe.flags ? "unknown" : row->exe.text;
}

static void add_row(struct kw_text_table *table, const struct simulation *simulation,
		    const struct kw_replay_row *row)
{
	kw_text_table_addf(table, "%" PRIu64, row->count);
	kw_text_table_add(table, kw_operation(row->operation)->name);
	kw_text_table_add(table, kw_type_name(row->type));
	kw_text_table_add(table, kw_state_name(row->state));
	kw_text_table_addf(table, "%s, uid %u", exe_of(row), row->uid);
	add_answer(table, row->verdict, row->error);
	add_answer(table, row->decision.verdict, row->decision.error);
	add_place(table, simulation->rs, &row->decision);
	kw_text_table_addf(table, "%" PRIu64, row->first_seq);
}

/* What makes no difference to a VMM is summed up below the table, unless asked for. */
static int print_rows(const struct simulation *simulation)
{
	static const char *const headings[] = {"COUNT", "OPERATION", "TYPE", "STATE",	 "WHO",
					       "WAS",	"WOULD BE",  "BY",   "FIRST SEQ"};
	_cleanup_(kw_text_table_done) struct kw_text_table table = {
		.columns = KW_ARRAY_SIZE(headings),
	};
	const struct kw_replay *replay = &simulation->replay;

	for (size_t i = 0; i < KW_ARRAY_SIZE(headings); i++)
		kw_text_table_add(&table, headings[i]);
	for (size_t i = 0; i < replay->count; i++)
		if (simulation->verbose || kw_replay_matters(&replay->rows[i]))
			add_row(&table, simulation, &replay->rows[i]);
	if (table.count == KW_ARRAY_SIZE(headings))
		return 0;
	if (kw_text_table_print(&table, "", stdout) < 0)
		return -ENOMEM;
	putchar('\n');
	return 0;
}

static const char *meaning(unsigned int from, unsigned int to)
{
	if (from == to)
		return "another errno";
	if (from < KW_DENY && to < KW_DENY)
		return to == KW_AUDIT ? "would be reported" : "would not be reported";
	if (from < KW_DENY)
		return "would be refused";
	return to < KW_DENY ? "would be let through" : "refused as before";
}

static void print_totals(const struct simulation *simulation)
{
	const struct kw_replay *replay = &simulation->replay;

	printf("%" PRIu64 " events replayed, %" PRIu64 " of them with the same result\n",
	       simulation->tally.events, replay->same);
	for (unsigned int to = _KW_VERDICT_MAX; to-- > 0;)
		for (unsigned int from = _KW_VERDICT_MAX; from-- > 0;)
			if (replay->changes[from][to])
				printf("  %" PRIu64 " %s -> %s: %s\n", replay->changes[from][to],
				       kw_verdict_name(from), kw_verdict_name(to),
				       meaning(from, to));
	if (replay->beyond)
		printf("  %" PRIu64 " of these are not in the table: it has %d rows at most\n",
		       replay->beyond, KW_REPLAY_ROWS_MAX);
	kw_policy_print_tally(&simulation->tally, "  ", stdout);
}

static json_t *row_json(const struct simulation *simulation, const struct kw_replay_row *row)
{
	const struct kw_decision *decision = &row->decision;
	const struct kw_policy *policy = kw_ruleset_policy(simulation->rs, decision->policy);
	const struct kw_rule *rule =
		kw_ruleset_rule(simulation->rs, decision->policy, decision->rule);

	return json_pack(
		"{s:I, s:s, s:s, s:s, s:o, s:I, s:{s:s, s:s?}, s:{s:s, s:s, s:s?, s:s?, s:o, s:o, "
		"s:o}, s:b, s:I}",
		"count", (json_int_t)row->count, "operation", kw_operation(row->operation)->name,
		"type", kw_type_name(row->type), "state", kw_state_name(row->state), "exe",
		row->exe.flags ? json_null() : kw_json_text(row->exe.text), "uid",
		(json_int_t)row->uid, "was", "verdict", kw_verdict_name(row->verdict), "errno",
		kw_errno_name(row->error), "would_be", "verdict",
		kw_verdict_name(decision->verdict), "intended", kw_verdict_name(decision->intended),
		"errno", kw_errno_name(decision->error), "policy", policy ? policy->name : NULL,
		"rule", rule ? json_integer(decision->rule + 1) : json_null(), "file",
		policy ? kw_json_text(policy->file) : json_null(), "line",
		rule ? json_integer(rule->line) : json_null(), "matters", kw_replay_matters(row),
		"first_seq", (json_int_t)row->first_seq);
}

static json_t *changes_json(const struct kw_replay *replay)
{
	json_t *changes = json_array();

	for (unsigned int from = 0; from < _KW_VERDICT_MAX; from++)
		for (unsigned int to = 0; to < _KW_VERDICT_MAX; to++)
			if (replay->changes[from][to])
				json_array_append_new(
					changes,
					json_pack("{s:s, s:s, s:I}", "from", kw_verdict_name(from),
						  "to", kw_verdict_name(to), "count",
						  (json_int_t)replay->changes[from][to]));
	return changes;
}

static int print_json(const struct simulation *simulation)
{
	const struct kw_replay *replay = &simulation->replay;
	json_t *rows = json_array();

	for (size_t i = 0; i < replay->count; i++)
		if (json_array_append_new(rows, row_json(simulation, &replay->rows[i]))) {
			json_decref(rows);
			return kw_policy_no_memory();
		}
	return kw_policy_dump(json_pack(
		"{s:I, s:I, s:I, s:o, s:o, s:I, s:o}", "replayed",
		(json_int_t)simulation->tally.events, "same", (json_int_t)replay->same,
		"other_answers", (json_int_t)kw_replay_answers(replay), "changes",
		changes_json(replay), "differences", rows, "differences_without_row",
		(json_int_t)replay->beyond, "input", kw_policy_tally_json(&simulation->tally)));
}

static int answer(struct simulation *simulation, bool json)
{
	int status = KW_EXIT_OK;

	kw_replay_sort(&simulation->replay);
	if (json) {
		status = print_json(simulation);
	} else {
		if (print_rows(simulation) < 0)
			return kw_policy_no_memory();
		print_totals(simulation);
	}
	if (status == KW_EXIT_OK &&
	    (kw_replay_answers(&simulation->replay) || simulation->tally.broken))
		return KW_EXIT_FINDING;
	return status;
}

/* Of the arguments the last one is the recording; before it may be policies. */
static int load(const struct kw_cli *cli, struct simulation *simulation, char **paths, int count)
{
	int status;

	if (count > 0 && cli->policy_dirs)
		return kw_policy_usage("simulate", "policies by --policy-dir or as files?");
	if (count > 0)
		status = kw_policy_load_paths(paths, count, &simulation->rs);
	else
		status = kw_policy_load(cli, &simulation->rs);
	/* 1 means that something would have been different. */
	return status == KW_EXIT_FINDING ? KW_EXIT_DATA : status;
}

int kw_policy_simulate(const struct kw_cli *cli, int argc, char **argv)
{
	_cleanup_(simulation_done) struct simulation simulation = {};
	int status;

	status = kw_policy_options(argc, argv, take_option, &simulation);
	if (status != KW_EXIT_OK)
		return status;
	if (optind >= argc)
		return kw_policy_usage("simulate", "which events?");
	status = load(cli, &simulation, argv + optind, argc - optind - 1);
	if (status != KW_EXIT_OK)
		return status;
	simulation.replay.rs = simulation.rs;
	status = kw_policy_read_events("simulate", argv[argc - 1], add_event, &simulation,
				       &simulation.tally);
	return status == KW_EXIT_OK ? answer(&simulation, cli->json) : status;
}
