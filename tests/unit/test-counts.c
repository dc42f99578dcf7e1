/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows of texts, counted, as many as there is room for. */
#define _GNU_SOURCE 1
#include "counts.h"

#include <stdio.h>

#include "unit.h"
#include "util.h"

/* "beyond the limit rows are counted, and known ones still found" */
static void limited_rows(void **state)
{
	struct kw_counts counts = {.fields = 2, .max = 10};
	char name[16];

	(void)state;
	for (unsigned int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "%u", i % 15);
		assert_int_equal(kw_counts_add(&counts, &(struct kw_counted){{name, "x"},
									     .rank = i % 15 == 3,
									     .count = 1,
									     .time = ""}),
				 0);
	}
	assert_int_equal(counts.count, 10);
	assert_int_equal(counts.beyond, 10);
	kw_counts_sort(&counts);
	assert_string_equal(kw_counts_text(&counts.rows[0], 0), "3");
	for (size_t i = 0; i < counts.count; i++)
		assert_int_equal(counts.rows[i].count, 2);
	kw_counts_done(&counts);
}

/* "texts are cut between characters, and two that differ only where they are cut are one" */
static void long_texts(void **state)
{
	struct kw_counts counts = {.fields = 1, .max = 10};
	char text[KW_COUNTS_TEXT_MAX + 40];

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "ä", 3);
	for (unsigned int i = 0; i < 2; i++) {
		memcpy(text + KW_COUNTS_TEXT_MAX + 10, i ? "xyz" : "abc", 4);
		assert_int_equal(
			kw_counts_add(&counts,
				      &(struct kw_counted){{text}, .count = 1, .time = ""}),
			0);
	}
	assert_int_equal(counts.count, 1);
	assert_true(counts.rows[0].size <= KW_COUNTS_TEXT_MAX);
	assert_non_null(strstr(kw_counts_text(&counts.rows[0], 0), "ä..."));
	kw_counts_done(&counts);
}

/* "numbers that a made-up line has do not wrap around" */
static void huge_counts(void **state)
{
	uint64_t count = INT64_MAX - 1;

	(void)state;
	kw_count_up(&count, 1);
	assert_int_equal(count, INT64_MAX);
	kw_count_up(&count, UINT64_MAX);
	assert_int_equal(count, INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limited_rows),
		cmocka_unit_test(long_texts),
		cmocka_unit_test(huge_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
