/* SPDX-License-Identifier: GPL-2.0-only */
/* What "kvmwarden top" makes of two looks: rates, order, and which VM is which. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>

#include "top.h"

#define SECOND 1000000000ull

struct vm {
	int id, pid;
	int audited, denied, killed;
	const char *exe;
	bool sealed, condemned;
};

struct look {
	unsigned int seconds;
	int checked, events, runs, ns;
	struct vm vms[4]; /* up to the first without an id */
};

static struct kw_top_sample *sample_of(const struct look *look)
{
	struct kw_top_sample *sample = NULL;
	json_t *status, *vms = json_array();

	status = json_pack("{s:{s:i, s:i}, s:[{s:i, s:i}]}", "counters", "checked", look->checked,
			   "events", look->events, "programs", "runs", look->runs, "ns", look->ns);
	for (size_t i = 0; i < 4 && look->vms[i].id; i++) {
		const struct vm *vm = &look->vms[i];

		json_array_append_new(
			vms, json_pack("{s:i, s:s, s:s, s:b, s:i, s:{s:i, s:s, s:n}, s:[s, s], "
				       "s:i, s:i, s:i}",
				       "id", vm->id, "type", "default", "state",
				       vm->sealed ? "sealed" : "building", "condemned",
				       vm->condemned, "vcpus", 2, "creator", "pid", vm->pid, "exe",
				       vm->exe ? vm->exe : "/vmm", "unit", "policies", "p", "q",
				       "audited", vm->audited, "denied", vm->denied, "killed",
				       vm->killed));
	}
	assert_int_equal(kw_top_sample_new(status, vms, look->seconds * SECOND, &sample), 0);
	json_decref(status);
	json_decref(vms);
	return sample;
}

struct pair {
	struct kw_top_sample *before, *now;
	struct kw_top top;
};

static struct pair compare(const struct look *before, const struct look *now)
{
	struct pair pair = {.before = before ? sample_of(before) : NULL, .now = sample_of(now)};

	assert_int_equal(kw_top_compare(pair.before, pair.now, &pair.top), 0);
	return pair;
}

static void pair_done(struct pair *pair)
{
	kw_top_done(&pair->top);
	kw_top_sample_free(pair->before);
	kw_top_sample_free(pair->now);
}

static void assert_row(const struct kw_top *top, size_t i, uint64_t id, double verdicts,
		       double denied)
{
	assert_true(i < top->count);
	assert_int_equal(top->rows[i].vm->id, id);
	assert_float_equal(top->rows[i].verdict_rate, verdicts, 1e-9);
	assert_float_equal(top->rows[i].denied_rate, denied, 1e-9);
}

static void assert_order(const struct kw_top *top, const char *ids)
{
	char got[16] = "";

	for (size_t i = 0; i < top->count; i++)
		got[i] = (char)('0' + top->rows[i].vm->id);
	assert_string_equal(got, ids);
}

static void test_rates(void **state)
{
	const struct look before = {.seconds = 10,
				    .checked = 100,
				    .events = 7,
				    .runs = 50,
				    .ns = 1000,
				    .vms = {{.id = 1, .pid = 5, .denied = 3, .audited = 1},
					    {.id = 2, .pid = 6, .denied = 9}}};
	const struct look now = {.seconds = 14,
				 .checked = 300,
				 .events = 17,
				 .runs = 60,
				 .ns = 400001000,
				 .vms = {{.id = 2, .pid = 6, .denied = 9, .sealed = true},
					 {.id = 1,
					  .pid = 5,
					  .denied = 7,
					  .audited = 5,
					  .killed = 2,
					  .condemned = true}}};
	struct pair pair = compare(&before, &now);

	(void)state;
	assert_float_equal(pair.top.seconds, 4, 1e-9);
	assert_float_equal(pair.top.checked_rate, 50, 1e-9);
	assert_float_equal(pair.top.event_rate, 2.5, 1e-9);
	assert_float_equal(pair.top.denied_rate, 1, 1e-9);
	assert_float_equal(pair.top.cpus, 0.1, 1e-9);
	assert_int_equal(pair.top.count, 2);
	assert_row(&pair.top, 0, 1, 2.5, 1);
	assert_row(&pair.top, 1, 2, 0, 0);
	assert_int_equal(pair.top.sealed, 1);
	assert_int_equal(pair.top.condemned, 1);
	assert_int_equal(pair.top.building, 0);
	assert_string_equal(kw_top_vm_state(pair.top.rows[0].vm), "CONDEMNED");
	assert_string_equal(pair.top.rows[0].vm->policies, "p,q");
	assert_string_equal(pair.top.rows[0].vm->unit, "");
	pair_done(&pair);
}

/* Another daemon, whose programs are new: all that they counted is of this interval. */
static void test_counters_that_restart(void **state)
{
	const struct look before = {.seconds = 1,
				    .checked = 1000,
				    .events = 500,
				    .runs = 70,
				    .ns = 4000000,
				    .vms = {{.id = 1, .pid = 5, .denied = 100, .audited = 50}}};
	const struct look now = {.seconds = 3,
				 .checked = 10,
				 .events = 4,
				 .runs = 7,
				 .ns = 2000000,
				 .vms = {{.id = 1, .pid = 5, .denied = 6}}};
	struct pair pair = compare(&before, &now);

	(void)state;
	assert_float_equal(pair.top.checked_rate, 5, 1e-9);
	assert_float_equal(pair.top.event_rate, 2, 1e-9);
	assert_float_equal(pair.top.cpus, 0.001, 1e-9);
	assert_row(&pair.top, 0, 1, 3, 3);
	pair_done(&pair);
}

static void test_vms_that_come_and_go(void **state)
{
	const struct look before = {
		.seconds = 1, .vms = {{.id = 1, .pid = 5, .denied = 100}, {.id = 2, .pid = 6}}};
	const struct look now = {.seconds = 2,
				 .vms = {{.id = 2, .pid = 6}, {.id = 3, .pid = 7, .denied = 4}}};
	struct pair pair = compare(&before, &now);

	(void)state;
	assert_int_equal(pair.top.count, 2);
	assert_row(&pair.top, 0, 3, 4, 4);
	assert_row(&pair.top, 1, 2, 0, 0);
	assert_float_equal(pair.top.denied_rate, 4, 1e-9);
	pair_done(&pair);
}

/* What another VM of this id was refused is not subtracted. */
static void test_id_that_is_used_again(void **state)
{
	const struct look before = {.seconds = 1,
				    .vms = {{.id = 1, .pid = 5, .denied = 3},
					    {.id = 2, .pid = 6, .denied = 3}}};
	const struct look now = {.seconds = 2,
				 .vms = {{.id = 1, .pid = 8, .denied = 5},
					 {.id = 2, .pid = 6, .denied = 4, .exe = "/other"}}};
	struct pair pair = compare(&before, &now);

	(void)state;
	assert_row(&pair.top, 0, 1, 5, 5);
	assert_row(&pair.top, 1, 2, 4, 4);
	pair_done(&pair);
}

/* Neither one look, nor two at the same time, nor a clock that went back, has rates. */
static void test_no_interval(void **state)
{
	const struct look before = {.seconds = 5, .checked = 1, .vms = {{.id = 1, .pid = 5}}};
	const struct look now = {.seconds = 5,
				 .checked = 9,
				 .runs = 4,
				 .ns = 5,
				 .vms = {{.id = 1, .pid = 5, .denied = 8}}};
	const struct look *earlier[] = {NULL, &before, &now};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct look late = now;
		struct pair pair;

		late.seconds -= i == 2 ? 1 : 0;
		pair = compare(earlier[i], &late);
		assert_float_equal(pair.top.seconds, 0, 0);
		assert_float_equal(pair.top.checked_rate, 0, 0);
		assert_true(pair.top.cpus < 0);
		assert_row(&pair.top, 0, 1, 0, 0);
		assert_int_equal(pair.top.rows[0].vm->denied, 8);
		pair_done(&pair);
	}
}

static void test_cost_that_is_not_counted(void **state)
{
	static const struct {
		int runs[2], checked[2];
		bool known;
	} rows[] = {
		{{0, 0}, {0, 10}, false}, /* never */
		{{5, 5}, {0, 10}, false}, /* not any more */
		{{5, 5}, {10, 10}, true}, /* nothing ran */
		{{0, 5}, {0, 10}, true}, /* since a moment ago */
		{{5, 9}, {0, 10}, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct look before = {
			.seconds = 1, .runs = rows[i].runs[0], .checked = rows[i].checked[0]};
		const struct look now = {
			.seconds = 2, .runs = rows[i].runs[1], .checked = rows[i].checked[1]};
		struct pair pair = compare(&before, &now);

		assert_int_equal(pair.top.cpus >= 0, rows[i].known);
		pair_done(&pair);
	}
}

static void test_order(void **state)
{
	const struct look before = {.seconds = 1,
				    .vms = {{.id = 4, .pid = 4},
					    {.id = 3, .pid = 9},
					    {.id = 2, .pid = 2, .denied = 8},
					    {.id = 1, .pid = 1}}};
	const struct look now = {
		.seconds = 2,
		.vms = {{.id = 4, .pid = 4, .denied = 2, .exe = "/vmm"},
			{.id = 3, .pid = 9, .denied = 2, .audited = 9, .sealed = true},
			{.id = 2, .pid = 2, .denied = 8, .exe = "/vmm"},
			{.id = 1, .pid = 1, .exe = "/a"}}};
	static const struct {
		enum kw_top_column column;
		const char *ids;
	} rows[] = {
		{KW_TOP_DENIED_RATE, "3412"},
		{KW_TOP_ID, "1234"},
		{KW_TOP_PID, "1243"},
		{KW_TOP_DENIED, "2341"},
		{KW_TOP_VERDICT_RATE, "3412"},
		{KW_TOP_EXE, "1234"},
		{KW_TOP_STATE, "1243"},
		/* All are the same: by id, whatever the order was. */
		{KW_TOP_TYPE, "1234"},
		{KW_TOP_VCPUS, "1234"},
		{KW_TOP_UNIT, "1234"},
		{KW_TOP_POLICIES, "1234"},
	};
	struct pair pair = compare(&before, &now);

	(void)state;
	assert_order(&pair.top, "3412");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		kw_top_sort(&pair.top, KW_TOP_DENIED);
		kw_top_sort(&pair.top, rows[i].column);
		assert_order(&pair.top, rows[i].ids);
	}
	kw_top_sort(&pair.top, KW_TOP_DENIED);
	kw_top_only_denials(&pair.top);
	assert_order(&pair.top, "234");
	assert_int_equal(pair.top.building + pair.top.sealed, 4);
	pair_done(&pair);
}

static void test_columns(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < _KW_TOP_COLUMN_MAX; i++)
		assert_int_equal(kw_top_column_from_name(kw_top_column_name(i)), i);
	assert_null(kw_top_column_name(_KW_TOP_COLUMN_MAX));
	assert_int_equal(kw_top_column_from_name("denied/s"), KW_TOP_DENIED_RATE);
	assert_int_equal(kw_top_column_from_name("deny"), -EINVAL);
	assert_int_equal(kw_top_column_from_name(""), -EINVAL);
}

/* Of a daemon that says less, or something else. */
static void test_odd_replies(void **state)
{
	static const char *const lists[] = {"[]", "[{}]", "[1, null, {\"id\": -1}]",
					    "[{\"policies\": [1], \"creator\": []}]"};
	struct kw_top_sample *sample;
	struct kw_top top;

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		json_t *status = json_object(), *vms = json_loads(lists[i], 0, NULL);

		assert_int_equal(kw_top_sample_new(status, vms, 1, &sample), 0);
		assert_int_equal(kw_top_compare(NULL, sample, &top), 0);
		assert_int_equal(top.count, json_array_size(vms));
		kw_top_done(&top);
		kw_top_sample_free(sample);
		json_decref(status);
		json_decref(vms);
	}
	assert_int_equal(kw_top_sample_new(NULL, NULL, 1, &sample), 0);
	kw_top_sample_free(sample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_counters_that_restart),
		cmocka_unit_test(test_vms_that_come_and_go),
		cmocka_unit_test(test_id_that_is_used_again),
		cmocka_unit_test(test_no_interval),
		cmocka_unit_test(test_cost_that_is_not_counted),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_odd_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
