/* SPDX-License-Identifier: GPL-2.0-only */
/* Exports of many hosts become one table. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fleet.h"
#include "util.h"

static json_t *status(const char *host, const char *time, const char *enforcement,
		      const char *policy)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:i, s:[{s:s, s:s, s:i}], s:{s:i}}", "host",
				 host, "time", time, "enforcement", enforcement, "backend", "lsm",
				 "vms", 3, "policies", "name", policy, "mode", "enforce", "rules",
				 2, "counters", "events_lost", 0);

	assert_non_null(json);
	return json;
}

static void add(struct kw_fleet *fleet, json_t *export)
{
	const char *why = "";

	if (kw_fleet_add(fleet, export, &why) < 0)
		fail_msg("%s", why);
}

static void test_worst_first(void **state)
{
	struct kw_fleet fleet = {};

	(void)state;
	add(&fleet, status("a", "2026-01-01T00:00:00Z", "enforcing", "same"));
	add(&fleet, status("b", "2026-01-01T00:00:00Z", "enforcing", "other"));
	add(&fleet, status("c", "2026-01-01T00:00:00Z", "auditing", "same"));
	add(&fleet, status("d", "2026-01-01T00:00:00Z", "supervising", "same"));
	kw_fleet_conclude(&fleet);
	assert_int_equal(fleet.count, 4);
	assert_string_equal(fleet.hosts[0].host, "c");
	assert_string_equal(fleet.hosts[1].host, "b");
	assert_true(fleet.hosts[1].differs);
	assert_string_equal(fleet.hosts[2].host, "a");
	assert_string_equal(fleet.hosts[3].host, "d");
	assert_int_equal(fleet.absent, 1);
	assert_int_equal(fleet.differing, 1);
	assert_int_equal(fleet.hosts[0].vms, 3);
	assert_int_equal(fleet.hosts[0].sealed, -1);
	kw_fleet_done(&fleet);
}

static void test_latest_counts(void **state)
{
	struct kw_fleet fleet = {};

	(void)state;
	add(&fleet, status("a", "2026-01-02T00:00:00Z", "enforcing", "p"));
	add(&fleet, status("a", "2026-01-03T00:00:00Z", "auditing", "p"));
	add(&fleet, status("a", "2026-01-01T00:00:00Z", "enforcing", "p"));
	kw_fleet_conclude(&fleet);
	assert_int_equal(fleet.count, 1);
	assert_int_equal(fleet.superseded, 2);
	assert_string_equal(fleet.hosts[0].enforcement, "auditing");
	kw_fleet_done(&fleet);
}

static void test_posture(void **state)
{
	struct kw_fleet fleet = {};

	(void)state;
	add(&fleet, json_pack("{s:s, s:s, s:i, s:[], s:[{s:s, s:i}, {s:s, s:i}], s:o}", "host", "a",
			      "time", "2026-01-01T00:00:00Z", "score", 77, "facts", "vms", "state",
			      "sealed", "denied", 4, "state", "building", "denied", 1, "status",
			      status("ignored", "", "enforcing", "p")));
	add(&fleet, json_pack("{s:s, s:s, s:i, s:[], s:n, s:n}", "host", "b", "time",
			      "2026-01-01T00:00:00Z", "score", 9, "facts", "vms", "status"));
	kw_fleet_conclude(&fleet);
	assert_string_equal(fleet.hosts[0].host, "b");
	assert_string_equal(fleet.hosts[0].enforcement, "absent");
	/* Of what is not known nobody says that it differs. */
	assert_false(fleet.hosts[0].differs);
	assert_int_equal(fleet.hosts[0].vms, -1);
	assert_string_equal(fleet.hosts[1].host, "a");
	assert_int_equal(fleet.hosts[1].score, 77);
	assert_int_equal(fleet.hosts[1].sealed, 1);
	assert_int_equal(fleet.hosts[1].denied, 5);
	kw_fleet_done(&fleet);
}

static void test_faults(void **state)
{
	struct kw_fleet fleet = {};
	const char *why = NULL;

	(void)state;
	assert_int_equal(kw_fleet_add(&fleet, json_array(), &why), -EINVAL);
	assert_string_equal(why, "it is no JSON object");
	assert_int_equal(kw_fleet_add(&fleet, json_pack("{s:s}", "host", "a"), &why), -EINVAL);
	assert_int_equal(kw_fleet_add(&fleet, json_pack("{s:s}", "enforcement", "enforcing"), &why),
			 -EINVAL);
	assert_string_equal(why, "it does not say of which host, and when");
	assert_int_equal(kw_fleet_add(&fleet, status("a", "2026-01-01 00:00", "enforcing", "p"),
				      &why),
			 -EINVAL);
	assert_int_equal(fleet.count, 0);
	kw_fleet_conclude(&fleet);
	kw_fleet_done(&fleet);
}

static void test_many(void **state)
{
	struct kw_fleet fleet = {};
	char name[16];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "host-%04d", 4999 - i);
		add(&fleet,
		    status(name, "2026-01-01T00:00:00Z", "enforcing", i % 1000 == 7 ? "odd" : "p"));
	}
	kw_fleet_conclude(&fleet);
	assert_int_equal(fleet.count, 5000);
	assert_int_equal(fleet.differing, 5);
	for (int i = 0; i < 5; i++)
		assert_true(fleet.hosts[i].differs);
	assert_string_equal(fleet.hosts[5].host, "host-0000");
	kw_fleet_done(&fleet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worst_first), cmocka_unit_test(test_latest_counts),
		cmocka_unit_test(test_posture),	    cmocka_unit_test(test_faults),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
