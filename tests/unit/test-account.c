/* SPDX-License-Identifier: GPL-2.0-only */
/* The numbers of a trail: which gaps were told of, and when they begin anew. */
#include "trail-made.h"

static const struct kw_anchors none = {};

static void assert_found(struct trail *t, const char *expected)
{
	struct found found = verify_trail(t, &none);

	assert_string_equal(found.text, expected);
	trail_done(t);
}

static void start(struct trail *t)
{
	trail_own(t, "started");
	trail_ioctls(t, 5);
}

/* So many events are numbered, and never seen. */
static void lose(struct trail *t, unsigned int count)
{
	t->seq += count;
	t->seconds++;
}

/* Far from the end, where a daemon has had the time to tell. */
static void go_on(struct trail *t)
{
	t->seconds += 60;
	trail_ioctls(t, 4);
	t->seconds += 60;
	trail_ioctls(t, 1);
}

static void test_counted_losses(void **state)
{
	struct trail t = {};
	struct found found;

	(void)state;
	start(&t);
	lose(&t, 7);
	trail_lost(&t, 7, 7, "ring-full");
	lose(&t, 3);
	trail_ioctls(&t, 1);
	lose(&t, 2);
	trail_lost(&t, 4, 11, "ring-full");
	trail_lost(&t, 1, 11, "no-daemon");
	trail_numbered(&t, ++t.seq, "lost", ",\"count\":9,\"reason\":\"unwritten\"");
	go_on(&t);
	found = verify_trail(&t, &none);
	assert_string_equal(found.text, "");
	assert_int_equal(found.verified.losses.count, 3);
	assert_string_equal(found.verified.losses.reasons[0].reason, "ring-full");
	assert_int_equal(found.verified.losses.reasons[0].count, 11);
	assert_int_equal(found.verified.losses.reasons[1].count, 1);
	assert_int_equal(found.verified.losses.reasons[2].count, 9);
	trail_done(&t);
}

static void test_what_nobody_told(void **state)
{
	struct trail t = {};
	struct found found;

	(void)state;
	start(&t);
	lose(&t, 7);
	go_on(&t);
	assert_found(&t, "untold 7");
	/* Told, but not of all. */
	start(&t);
	lose(&t, 7);
	trail_lost(&t, 5, 5, "ring-full");
	go_on(&t);
	found = verify_trail(&t, &none);
	assert_string_equal(found.text, "untold 7");
	assert_int_equal(found.findings, 1);
	trail_done(&t);
	/* What is told of comes before: this does not cover what is lost later. */
	start(&t);
	trail_lost(&t, 7, 7, "ring-full");
	lose(&t, 7);
	go_on(&t);
	assert_found(&t, "untold 8");
	/* An early gap may be told late, though. */
	start(&t);
	lose(&t, 7);
	go_on(&t);
	lose(&t, 2);
	trail_lost(&t, 9, 9, "ring-full");
	go_on(&t);
	assert_found(&t, "");
}

static void test_the_very_end(void **state)
{
	struct trail t = {};

	(void)state;
	start(&t);
	go_on(&t);
	lose(&t, 7);
	trail_ioctls(&t, 2);
	assert_found(&t, "untold-yet 12");
	/* A daemon that ends has told. */
	start(&t);
	go_on(&t);
	lose(&t, 7);
	trail_own(&t, "stopped");
	assert_found(&t, "untold 12");
}

static void test_any_order(void **state)
{
	static const unsigned int order[] = {7, 3, 6, 2, 10, 5, 4, 9, 8};
	struct trail t = {};

	(void)state;
	trail_own(&t, "started");
	for (size_t i = 0; i < KW_ARRAY_SIZE(order); i++)
		trail_numbered(&t, order[i], "ioctl", ",\"verdict\":\"deny\"");
	t.seq = 10;
	trail_own(&t, "stopped");
	assert_found(&t, "");
}

static void test_repeated_numbers(void **state)
{
	struct trail t = {};

	(void)state;
	start(&t);
	trail_numbered(&t, 4, "ioctl", ",\"verdict\":\"deny\"");
	go_on(&t);
	assert_found(&t, "number-repeated 7");
	start(&t);
	trail_own(&t, "policy-loaded");
	trail_numbered(&t, t.seq, "policy-loaded", NULL);
	go_on(&t);
	assert_found(&t, "number-repeated 8");
}

/* Without pins each daemon counts from 1; events may stand before it says that it started. */
static void test_numbers_that_begin_anew(void **state)
{
	struct trail t = {};

	(void)state;
	for (unsigned int early = 0; early < 20; early++) {
		for (unsigned int killed = 0; killed < 2; killed++) {
			start(&t);
			if (!killed)
				trail_own(&t, "stopped");
			t.seq = 0;
			trail_ioctls(&t, early);
			trail_own(&t, "started");
			trail_ioctls(&t, 5);
			assert_found(&t, "");
		}
	}
	/* All of a new run is to be there. */
	start(&t);
	t.seq = 2;
	trail_own(&t, "started");
	go_on(&t);
	assert_found(&t, "untold 7");
	/* Another boot. */
	start(&t);
	t.boot = "two";
	t.seq = 0;
	trail_ioctls(&t, 2);
	trail_own(&t, "started");
	go_on(&t);
	assert_found(&t, "");
	/* With pins they go on. */
	start(&t);
	trail_ioctls(&t, 2);
	trail_lost(&t, 1, 0, "no-daemon");
	trail_own(&t, "started");
	go_on(&t);
	assert_found(&t, "");
	/* The line that says so may be lost itself. */
	start(&t);
	t.seq = 0;
	lose(&t, 1);
	t.seq = 0;
	trail_numbered(&t, 1, "policy-loaded", NULL);
	assert_found(&t, "number-repeated 7");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counted_losses),
		cmocka_unit_test(test_what_nobody_told),
		cmocka_unit_test(test_the_very_end),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_repeated_numbers),
		cmocka_unit_test(test_numbers_that_begin_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
