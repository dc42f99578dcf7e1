/* SPDX-License-Identifier: GPL-2.0-only */
/* Fuzzes what reads recorded events: lines to decisions, and to a policy that is learnt from them. */

/*
 * Names in events are an attacker's to choose. What is asserted, beyond what the
 * sanitizers see:
 *
 * - what is taken for an event is one, with each number in its range;
 * - a policy that is learnt is one that the reader of policies takes, whatever
 *   the executables are called;
 * - and it allows every event that it was learnt from.
 */
#define _GNU_SOURCE 1
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "learn.h"
#include "names.h"
#include "policy-read.h"
#include "replay.h"
#include "ruleset.h"
#include "util.h"

#define EVENTS_MAX 256

static struct kw_learn learn; /* large */
static struct kw_recorded learnt[EVENTS_MAX];
static size_t learnt_count;

static void check_event(const struct kw_recorded *event)
{
	assert(event->kind < _KW_EVENT_MAX);
	assert(kw_operation(event->operation));
	assert(event->state < _KW_STATE_MAX);
	assert(event->verdict < _KW_VERDICT_MAX && event->intended < _KW_VERDICT_MAX);
	assert(event->type < _KW_TYPE_MAX);
	assert(event->who.exe.len < KW_PATH_MAX && event->who.cgroup.len < KW_PATH_MAX);
	assert(event->who.unit_offset + event->who.unit_len <= event->who.cgroup.len);
	assert(strlen(event->time) < KW_RECORDED_TIME_MAX);
}

static void take(const struct kw_line *line, struct kw_replay *replay)
{
	const struct kw_recorded *event = &line->event;
	uint64_t before;

	assert(line->kind < _KW_LINE_MAX);
	if (line->kind != KW_LINE_EVENT)
		return;
	check_event(event);
	assert(kw_replay_add(replay, event) == 0);
	if (learnt_count == EVENTS_MAX)
		return;
	/* What was refused, or behind the hook's back, is counted elsewhere. */
	before = learn.cells[event->operation][event->state].count;
	kw_learn_add(&learn, event);
	if (learn.cells[event->operation][event->state].count != before)
		learnt[learnt_count++] = *event;
}

static struct kw_ruleset *compile(const char *text, size_t size)
{
	_cleanup_(kw_policy_set_done) struct kw_policy_set set = {};
	_cleanup_(kw_diag_done) struct kw_diag diag = {};
	struct kw_ruleset *rs = NULL;

	set.policies = calloc(1, sizeof(*set.policies));
	assert(set.policies);
	assert(kw_policy_parse("learnt", text, size, &set, set.policies, &diag) == 0);
	set.count = 1;
	assert(kw_ruleset_compile(&set, 1, &rs, &diag) == 0);
	return rs;
}

/* A policy whose verdicts differ by operation, state and kind of VM. */
static struct kw_ruleset *some_rules(void)
{
	static const char text[] =
		"policy: some\n"
		"match: {protected-state: true}\n"
		"rules:\n"
		"  - {operations: ['@set-registers'], state: sealed, verdict: deny}\n"
		"  - {operations: ['@all'], verdict: audit}\n";

	return compile(text, sizeof(text) - 1);
}

static void check_learnt(void)
{
	const struct kw_learn_style style = {.enforce = true, .name = "fuzzed"};
	struct kw_decision decision;
	struct kw_ruleset *rs;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert(out);
	assert(kw_learn_write(&learn, &style, out) == 0);
	fclose(out);
	rs = compile(text, size);
	for (size_t i = 0; i < learnt_count; i++) {
		kw_recorded_decide(rs, &learnt[i], &decision);
		assert(decision.verdict == KW_ALLOW);
	}
	kw_ruleset_free(rs);
	free(text);
}

/* libFuzzer declares it nowhere. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct kw_ruleset *rules;
	struct kw_recording recording = {};
	struct kw_replay replay = {};
	struct kw_line line;
	FILE *in;
	int r;

	if (!size)
		return 0;
	if (!rules)
		rules = some_rules();
	replay.rs = rules;
	in = fmemopen((void *)data, size, "r");
	assert(in);
	recording.in = in;
	learnt_count = 0;
	assert(kw_learn_init(&learn, &(struct kw_learn_filter){.exe = "*"}) == 0);
	while ((r = kw_recording_next(&recording, &line)) > 0)
		take(&line, &replay);
	assert(r == 0);
	kw_replay_sort(&replay);
	if (learnt_count)
		check_learnt();
	kw_replay_done(&replay);
	kw_recording_done(&recording);
	fclose(in);
	return 0;
}
