/* SPDX-License-Identifier: GPL-2.0-only */
/* Events in steps of time, whatever their order and span. */
#define _GNU_SOURCE 1
#include "timeline.h"

#include "unit.h"
#include "util.h"

static uint64_t all_in(const struct kw_timeline *timeline)
{
	uint64_t count = 0;

	for (size_t i = 0; i < timeline->count; i++)
		count += timeline->buckets[i].verdicts[KW_DENY];
	return count;
}

static void at_moment(struct kw_timeline *timeline, int64_t seconds)
{
	struct kw_bucket *bucket = kw_timeline_at(timeline, seconds);

	assert_true(bucket >= timeline->buckets && bucket < timeline->buckets + timeline->count);
	assert_in_range(timeline->count, 1, KW_TIMELINE_MAX);
	bucket->verdicts[KW_DENY]++;
}

/* "one instant is one step, drawn in the middle" */
static void one_instant(void **state)
{
	struct kw_timeline timeline = {};
	struct kw_timeline_view view = kw_timeline_view(&timeline);

	(void)state;
	assert_int_equal(view.count, 0);
	for (unsigned int i = 0; i < 1000; i++)
		at_moment(&timeline, 1700000000);
	view = kw_timeline_view(&timeline);
	assert_int_equal(timeline.count, 1);
	assert_int_equal(timeline.step, 1);
	assert_int_equal(all_in(&timeline), 1000);
	assert_int_equal(view.count, 30);
	assert_int_equal(view.first + (int64_t)view.offset, 1700000000);
}

/* "steps grow with time, and no event is lost by that" */
static void growing(void **state)
{
	struct kw_timeline timeline = {};

	(void)state;
	for (int64_t i = 0; i < 100000; i++) {
		at_moment(&timeline, 1700000000 + 7 * i);
		assert_int_equal(all_in(&timeline), i + 1);
	}
	assert_int_equal(timeline.step, 7200);
	assert_true(timeline.first * timeline.step <= 1700000000);
	assert_int_equal(timeline.first, 1700000000 / 7200);
}

/* "a clock that goes backwards, even before 1970, makes steps on the other side" */
static void backwards(void **state)
{
	struct kw_timeline timeline = {};

	(void)state;
	at_moment(&timeline, 1000);
	at_moment(&timeline, 990);
	assert_int_equal(timeline.first, 990);
	assert_int_equal(timeline.count, 11);
	assert_int_equal(timeline.buckets[0].verdicts[KW_DENY], 1);
	assert_int_equal(timeline.buckets[10].verdicts[KW_DENY], 1);
	at_moment(&timeline, -3);
	assert_int_equal(timeline.step, 10);
	assert_int_equal(timeline.first, -1);
	assert_int_equal(all_in(&timeline), 3);
	/* From year 0 to 9999. */
	at_moment(&timeline, -62167219200);
	at_moment(&timeline, 253402300799);
	assert_int_equal(all_in(&timeline), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_instant),
		cmocka_unit_test(growing),
		cmocka_unit_test(backwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
