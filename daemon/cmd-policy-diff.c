/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden policy diff": what a change of policies means. */
#define _GNU_SOURCE 1
#include "cmd-policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "diff.h"
#include "explain.h"
#include "names.h"
#include "text.h"
#include "util.h"

#define OLD 0
#define NEW 1

#define WIDTH 100

struct comparison {
	struct kw_ruleset *sets[2];
	struct kw_diff diff;
};

static void comparison_done(struct comparison *comparison)
{
	kw_diff_done(&comparison->diff);
	for (unsigned int i = OLD; i <= NEW; i++)
		kw_ruleset_free(comparison->sets[i]);
}

/* Breaks a list behind its commas. */
static void print_list(const char *indent, const char *text)
{
	size_t column = 0, len;

	for (const char *word = text; *word; word += len + strspn(word + len, " ")) {
		len = strcspn(word, ",");
		len += word[len] == ',';
		if (column && column + 1 + len <= WIDTH)
			column += printf(" %.*s", (int)len, word);
		else
			column = printf("%s%s%.*s", column ? "\n" : "", indent, (int)len, word);
	}
	putchar('\n');
}

static void print_answer(const struct kw_diff_side *side)
{
	fputs(kw_verdict_name(side->verdict), stdout);
	if (side->error)
		printf(" %s", kw_errno_name(side->error));
	if (!side->limit_events && side->verdict > KW_ALLOW)
		fputs(" (every event)", stdout);
	else if (side->limit_events && side->limit_events != KW_LIMIT_EVENTS)
		printf(" (at most %u events in %u s)", side->limit_events, side->limit_seconds);
}

static void print_place(const struct kw_ruleset *rs, const struct kw_diff_side *side)
{
	const struct kw_policy *policy = kw_ruleset_policy(rs, side->policy);
	const struct kw_rule *rule = kw_ruleset_rule(rs, side->policy, side->rule);

	if (!policy || !rule) {
		fputs("no rule", stdout);
		return;
	}
	kw_text_safe(stdout, policy->file);
	printf(":%u (policy '%s', rule %u)", rule->line, policy->name, side->rule + 1);
}

static void print_types(const struct kw_diff_row *row)
{
	bool first = true;

	if (kw_diff_all_types(row)) {
		fputs("every type", stdout);
		return;
	}
	for (unsigned int type = 0; type < _KW_TYPE_MAX; type++) {
		if (!(row->types & (1u << type)))
			continue;
		printf("%s%s", first ? "" : ", ", kw_type_name(type));
		first = false;
	}
}

static void print_states(const struct kw_diff_row *row)
{
	if (kw_diff_all_states(row))
		return;
	for (unsigned int state = 0; state < _KW_STATE_MAX; state++)
		if (row->states & (1u << state))
			printf("; %s", kw_state_name(state));
}

static int print_row(const struct comparison *comparison, const struct kw_diff_row *row)
{
	_cleanup_free_ char *who = kw_who_text(&comparison->diff.who, &row->who);

	if (!who)
		return -ENOMEM;
	print_answer(&row->sides[OLD]);
	fputs(" -> ", stdout);
	print_answer(&row->sides[NEW]);
	putchar('\n');
	print_list("  ", row->words);
	fputs("  ", stdout);
	print_types(row);
	print_states(row);
	fputs("; ", stdout);
	kw_text_safe(stdout, who);
	fputs("\n  old: ", stdout);
	print_place(comparison->sets[OLD], &row->sides[OLD]);
	fputs("\n  new: ", stdout);
	print_place(comparison->sets[NEW], &row->sides[NEW]);
	putchar('\n');
	return 0;
}

static int print_text(const struct comparison *comparison)
{
	for (size_t i = 0; i < comparison->diff.count; i++) {
		if (i)
			putchar('\n');
		if (print_row(comparison, &comparison->diff.rows[i]) < 0)
			return kw_policy_no_memory();
	}
	return KW_EXIT_OK;
}

static json_t *side_json(const struct kw_ruleset *rs, const struct kw_diff_side *side)
{
	const struct kw_policy *policy = kw_ruleset_policy(rs, side->policy);
	const struct kw_rule *rule = kw_ruleset_rule(rs, side->policy, side->rule);

	return json_pack("{s:s, s:s?, s:i, s:i, s:s?, s:o, s:o, s:o}", "verdict",
			 kw_verdict_name(side->verdict), "errno", kw_errno_name(side->error),
			 "limit_events", side->limit_events, "limit_seconds", side->limit_seconds,
			 "policy", policy ? policy->name : NULL, "rule",
			 rule ? json_integer(side->rule + 1) : json_null(), "file",
			 policy ? kw_json_text(policy->file) : json_null(), "line",
			 rule ? json_integer(rule->line) : json_null());
}

static json_t *operations_json(const struct kw_operation_set *set)
{
	json_t *names = json_array();

	for (unsigned int i = 0; i < kw_operation_count(); i++)
		if (kw_operation_set_has(set, i))
			json_array_append_new(names, json_string(kw_operation(i)->name));
	return names;
}

static json_t *bits_json(uint32_t bits, const char *(*name)(unsigned int value))
{
	json_t *names = json_array();

	for (unsigned int i = 0; i < 32; i++)
		if (bits & (1u << i))
			json_array_append_new(names, json_string(name(i)));
	return names;
}

static json_t *path_json(const struct kw_path *path)
{
	return path->flags ? json_null() : kw_json_text(path->text);
}

/* One identity of the row, to ask "policy explain" about. */
static json_t *example_json(const struct kw_who *who, const struct kw_who_set *set)
{
	struct kw_identity identity;

	for (size_t i = 0; i < who->count; i++) {
		bool in = true;

		for (unsigned int way = 0; way < _KW_WHO_WAYS; way++)
			in = in && kw_who_set_has(set, way, kw_who_class_of(who, i, way));
		if (!in)
			continue;
		identity = kw_who_identity(who, i);
		return json_pack("{s:o, s:o, s:I}", "exe", path_json(&identity.exe), "cgroup",
				 path_json(&identity.cgroup), "uid", (json_int_t)identity.uid);
	}
	return json_null();
}

static json_t *row_json(const struct comparison *comparison, const struct kw_diff_row *row)
{
	const struct kw_who *who = &comparison->diff.who;
	_cleanup_free_ char *text = kw_who_text(who, &row->who);

	if (!text)
		return NULL;
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "words", row->words,
			 "operations", operations_json(&row->operations), "types",
			 bits_json(row->types, kw_type_name), "states",
			 bits_json(row->states, kw_state_name), "who", kw_json_text(text),
			 "example", example_json(who, &row->who), "old",
			 side_json(comparison->sets[OLD], &row->sides[OLD]), "new",
			 side_json(comparison->sets[NEW], &row->sides[NEW]));
}

static int print_json(const struct comparison *comparison)
{
	const struct kw_diff *diff = &comparison->diff;
	json_t *rows = json_array();

	for (size_t i = 0; i < diff->count; i++)
		if (json_array_append_new(rows, row_json(comparison, &diff->rows[i]))) {
			json_decref(rows);
			return kw_policy_no_memory();
		}
	return kw_policy_dump(json_pack("{s:b, s:b, s:I, s:o}", "same", diff->count == 0,
					"complete", diff->who.complete, "identities",
					(json_int_t)diff->who.count, "differences", rows));
}

/* 0 and 1 as of diff(1); an answer that may not be the whole one is neither. */
static int answer(const struct comparison *comparison, bool json)
{
	const struct kw_diff *diff = &comparison->diff;
	int status = json ? print_json(comparison) : print_text(comparison);

	if (status != KW_EXIT_OK)
		return status;
	if (!diff->who.complete) {
		fprintf(stderr,
			"kvmwarden policy diff: NOT COMPLETE: the patterns of these policies make "
			"more kinds of VMM than can be compared; %zu were, and of others nothing "
			"is known\n",
			diff->who.count);
		return KW_EXIT_DATA;
	}
	if (diff->count)
		return KW_EXIT_FINDING;
	if (!json)
		puts("no difference in meaning");
	return KW_EXIT_OK;
}

static int load(struct comparison *comparison, char **paths)
{
	int status = KW_EXIT_OK;

	for (unsigned int i = OLD; status == KW_EXIT_OK && i <= NEW; i++)
		status = kw_policy_load_paths(&paths[i], 1, &comparison->sets[i]);
	/* 1 means that they differ. */
	return status == KW_EXIT_FINDING ? KW_EXIT_DATA : status;
}

int kw_policy_diff(const struct kw_cli *cli, int argc, char **argv)
{
	_cleanup_(comparison_done) struct comparison comparison = {};
	int status;

	status = kw_policy_options(argc, argv, NULL, NULL);
	if (status != KW_EXIT_OK)
		return status;
	if (argc - optind != 2)
		return kw_policy_usage("diff", "which two, OLD and NEW?");
	status = load(&comparison, argv + optind);
	if (status != KW_EXIT_OK)
		return status;
	if (kw_diff(comparison.sets[OLD], comparison.sets[NEW], &comparison.diff) < 0)
		return kw_policy_no_memory();
	return answer(&comparison, cli->json);
}
