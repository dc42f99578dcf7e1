/* SPDX-License-Identifier: GPL-2.0-only */
/* Decisions without BPF about this very process, as if it had asked. */
#ifndef KVMWARDEN_TEST_PLAIN_BENCH_H
#define KVMWARDEN_TEST_PLAIN_BENCH_H

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "plain.h"

#include "ruleset-of.h"
#include "unit.h"

/* A judge with one launch, and what it told. */
struct bench {
	struct kw_counters counters;
	struct kw_plain *plain;
	struct kw_asked asked;
	struct kw_event events[KW_PLAIN_EVENTS];
	size_t told;
	struct kw_ruleset *rules;
};

static struct bench bench;

static inline void set_up(uint32_t vms_max, bool full_refuses)
{
	memset(&bench, 0, sizeof(bench));
	assert_int_equal(kw_plain_new(&bench.counters, vms_max, full_refuses, &bench.plain), 0);
	assert_int_equal(kw_plain_begin(bench.plain, &bench.asked), 0);
}

static inline void tear_down(void)
{
	kw_plain_end(bench.plain, &bench.asked);
	bench.plain = kw_plain_free(bench.plain);
	bench.rules = kw_ruleset_free(bench.rules);
}

static inline void keep(void *userdata, const struct kw_event *event)
{
	(void)userdata;
	bench.events[bench.told++] = *event;
}

/* How many events there were since the last time; they are in bench.events. */
static inline size_t drain(void)
{
	int n;

	bench.told = 0;
	n = kw_plain_drain(bench.plain, keep, NULL);
	assert_int_equal(n, bench.told);
	return bench.told;
}

static inline bool is_readable(void)
{
	struct pollfd poll_fd = {.fd = kw_plain_events_fd(bench.plain), .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1;
}

static inline struct kw_ruling ask_of(struct kw_asked *asked, uint32_t command, uint64_t arg,
				      uint32_t set, bool sealing)
{
	const struct kw_inquiry inquiry = {
		.arg = arg,
		.tid = (uint32_t)gettid(),
		.command = command,
		.entry = KW_ENTRY_COMPAT,
		.set = set,
		.sealing = sealing,
	};
	struct kw_ruling ruling = {};

	assert_int_equal(kw_plain_judge(bench.plain, &inquiry, asked, &ruling), 0);
	return ruling;
}

/* The errno that this process would be answered, 0 if it may go on. */
static inline unsigned int ask(uint32_t command, uint64_t arg)
{
	struct kw_ruling ruling = ask_of(&bench.asked, command, arg, 0, false);

	assert_int_equal(ruling.given, 1);
	return ruling.error;
}

static inline void use(struct kw_ruleset *rules)
{
	bench.rules = rules;
	kw_plain_publish(bench.plain, 0, rules);
}

static inline void use_rules(const char *text)
{
	use(ruleset_of(text));
}

#endif
