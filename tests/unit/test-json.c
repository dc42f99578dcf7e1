/* SPDX-License-Identifier: GPL-2.0-only */
/* The JSON appender: what it writes is valid, and is what was meant. */
#include "unit.h"

#include <jansson.h>
#include <string.h>

#include "json.h"
#include "util.h"

#define FFFD "\xef\xbf\xbd"

/* Parses the only element of the array that json holds. */
static json_t *parse_element(struct kw_json *json)
{
	json_error_t error;
	json_t *array, *element;

	assert_false(json->failed);
	assert_int_equal(strlen(json->text), json->len);
	array = json_loadb(json->text, json->len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (!array)
		print_error("%s: %s\n", json->text, error.text);
	assert_non_null(array);
	assert_int_equal(json_array_size(array), 1);
	element = json_incref(json_array_get(array, 0));
	json_decref(array);
	return element;
}

static bool write_element(struct kw_json *json, const char *text, size_t len)
{
	bool clean;

	kw_json_reset(json);
	kw_json_open_array(json);
	clean = kw_json_bytes(json, text, len);
	kw_json_close_array(json);
	return clean;
}

static void test_every_byte_comes_back(void **state)
{
	struct kw_json json = {};
	unsigned int i;

	(void)state;
	for (i = 0; i < 0x80; i++) {
		const char text[3] = {'a', (char)i, 'z'};
		json_t *element;

		assert_true(write_element(&json, text, 3));
		element = parse_element(&json);
		assert_int_equal(json_string_length(element), 3);
		assert_memory_equal(json_string_value(element), text, 3);
		json_decref(element);
	}
	kw_json_done(&json);
}

static void test_escapes_as_written(void **state)
{
	static const struct {
		const char *text, *json;
	} rows[] = {
		{"", "[\"\"]"},
		{"plain /~ text", "[\"plain /~ text\"]"},
		{"\"", "[\"\\\"\"]"},
		{"\\", "[\"\\\\\"]"},
		{"\b\f\n\r\t", "[\"\\b\\f\\n\\r\\t\"]"},
		{"\x01\x1b\x1f", "[\"\\u0001\\u001b\\u001f\"]"},
		{"\x7f", "[\"\\u007f\"]"},
		{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa7",
		 "[\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa7\"]"},
	};
	struct kw_json json = {};
	size_t i;

	(void)state;
	for (i = 0; i < KW_ARRAY_SIZE(rows); i++) {
		assert_true(write_element(&json, rows[i].text, strlen(rows[i].text)));
		assert_string_equal(json.text, rows[i].json);
		json_decref(parse_element(&json));
	}
	kw_json_done(&json);
}

static void test_bad_utf8_is_repaired(void **state)
{
	static const struct {
		const char *rule, *text, *repaired;
	} rows[] = {
		{"a byte that never occurs", "\xff", FFFD},
		{"another one", "\xfe", FFFD},
		{"a lone continuation", "a\x80z", "a" FFFD "z"},
		{"overlong slash in 2", "\xc0\xaf", FFFD FFFD},
		{"overlong in 2, highest", "\xc1\xbf", FFFD FFFD},
		{"overlong slash in 3", "\xe0\x80\xaf", FFFD FFFD FFFD},
		{"overlong in 3, highest", "\xe0\x9f\xbf", FFFD FFFD FFFD},
		{"overlong slash in 4", "\xf0\x80\x80\xaf", FFFD FFFD FFFD FFFD},
		{"overlong in 4, highest", "\xf0\x8f\xbf\xbf", FFFD FFFD FFFD FFFD},
		{"high surrogate", "\xed\xa0\x80", FFFD FFFD FFFD},
		{"low surrogate", "\xed\xbf\xbf", FFFD FFFD FFFD},
		{"above U+10FFFF", "\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD},
		{"first byte too high", "\xf5\x80\x80\x80", FFFD FFFD FFFD FFFD},
		{"five bytes", "\xf8\x88\x80\x80\x80", FFFD FFFD FFFD FFFD FFFD},
		{"cut after 1 of 2", "a\xc3", "a" FFFD},
		{"cut after 2 of 3", "a\xe2\x82", "a" FFFD FFFD},
		{"cut after 3 of 4", "a\xf0\x9f\x90", "a" FFFD FFFD FFFD},
		{"second byte is ASCII", "\xc3z", FFFD "z"},
		{"second byte is a quote", "\xe2\"\x82", FFFD "\"" FFFD},
		{"third byte is ASCII", "\xe2\x82z", FFFD FFFD "z"},
		{"fourth byte is a first one", "\xf0\x9f\x90\xc3\xa9", FFFD FFFD FFFD "\xc3\xa9"},
	};
	struct kw_json json = {};
	size_t i;

	(void)state;
	for (i = 0; i < KW_ARRAY_SIZE(rows); i++) {
		json_t *element;

		assert_false(write_element(&json, rows[i].text, strlen(rows[i].text)));
		element = parse_element(&json);
		if (strcmp(json_string_value(element), rows[i].repaired) != 0)
			print_error("%s\n", rows[i].rule);
		assert_string_equal(json_string_value(element), rows[i].repaired);
		json_decref(element);
	}
	kw_json_done(&json);
}

static void test_limits_of_good_utf8(void **state)
{
	static const char *const rows[] = {
		"\xc2\x80",	    "\xdf\xbf",		"\xe0\xa0\x80",
		"\xed\x9f\xbf",	    "\xee\x80\x80",	"\xef\xbf\xbf",
		"\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\xe2\x80\xa8", /* U+2028 */
	};
	struct kw_json json = {};
	size_t i;

	(void)state;
	for (i = 0; i < KW_ARRAY_SIZE(rows); i++) {
		json_t *element;

		assert_true(write_element(&json, rows[i], strlen(rows[i])));
		element = parse_element(&json);
		assert_string_equal(json_string_value(element), rows[i]);
		json_decref(element);
	}
	kw_json_done(&json);
}

/* Whatever the bytes are, jansson, which is strict about UTF-8, reads the result. */
static void test_any_bytes_give_json(void **state)
{
	struct kw_json json = {};
	uint32_t random = 1;
	size_t i, round;

	(void)state;
	for (round = 0; round < 20000; round++) {
		char text[16];

		for (i = 0; i < sizeof(text); i++) {
			random = random * 1664525 + 1013904223;
			text[i] = (char)(random >> 24);
		}
		write_element(&json, text, sizeof(text));
		json_decref(parse_element(&json));
	}
	kw_json_done(&json);
}

static void test_raw_bytes_follow_a_repair(void **state)
{
	struct kw_json json = {};

	(void)state;
	kw_json_open_object(&json);
	kw_json_member_string(&json, "good", "qemu");
	kw_json_member_string(&json, "bad", "a\xff");
	kw_json_member_bytes(&json, "part",
			     "ab\x80"
			     "cd",
			     3);
	kw_json_member_string(&json, "none", NULL);
	kw_json_close_object(&json);
	assert_string_equal(json.text,
			    "{\"good\":\"qemu\",\"bad\":\"a" FFFD "\",\"bad_hex\":\"61ff\","
			    "\"part\":\"ab" FFFD "\",\"part_hex\":\"616280\",\"none\":null}");
	kw_json_done(&json);
}

static void test_structure_and_numbers(void **state)
{
	struct kw_json json = {};

	(void)state;
	kw_json_open_object(&json);
	kw_json_key(&json, "a");
	kw_json_open_array(&json);
	kw_json_open_object(&json);
	kw_json_close_object(&json);
	kw_json_open_array(&json);
	kw_json_close_array(&json);
	kw_json_unsigned(&json, 0);
	kw_json_unsigned(&json, UINT64_MAX);
	kw_json_signed(&json, INT64_MIN);
	kw_json_signed(&json, INT64_MAX);
	kw_json_signed(&json, -1);
	kw_json_null(&json);
	kw_json_raw(&json, "{\"x\":1}", 7);
	kw_json_close_array(&json);
	kw_json_member_bool(&json, "t", true);
	kw_json_member_bool(&json, "f", false);
	kw_json_member_unsigned(&json, "u", 10);
	kw_json_member_signed(&json, "s", -10);
	kw_json_close_object(&json);
	assert_string_equal(json.text,
			    "{\"a\":[{},[],0,18446744073709551615,-9223372036854775808,"
			    "9223372036854775807,-1,null,{\"x\":1}],\"t\":true,\"f\":false,"
			    "\"u\":10,\"s\":-10}");
	kw_json_done(&json);
}

static void test_time(void **state)
{
	struct kw_json json = {};

	(void)state;
	kw_json_open_object(&json);
	kw_json_member_time(&json, "a", 0);
	kw_json_member_time(&json, "b", 1709210096000000001); /* a leap day */
	kw_json_member_time(&json, "c", UINT64_MAX);
	kw_json_close_object(&json);
	assert_string_equal(json.text, "{\"a\":\"1970-01-01T00:00:00.000000000Z\","
				       "\"b\":\"2024-02-29T12:34:56.000000001Z\","
				       "\"c\":\"2554-07-21T23:34:33.709551615Z\"}");
	kw_json_done(&json);
}

static void test_reset_keeps_the_buffer(void **state)
{
	struct kw_json json = {};
	const char *text;
	size_t i;

	(void)state;
	kw_json_open_array(&json);
	for (i = 0; i < 5000; i++)
		kw_json_unsigned(&json, i);
	kw_json_close_array(&json);
	text = json.text;
	kw_json_reset(&json);
	kw_json_open_array(&json);
	kw_json_close_array(&json);
	assert_ptr_equal(json.text, text);
	assert_string_equal(json.text, "[]");
	kw_json_done(&json);
	assert_null(json.text);
}

static void test_a_failure_sticks(void **state)
{
	struct kw_json json = {};

	(void)state;
	kw_json_open_array(&json);
	kw_json_bytes(&json, "x", SIZE_MAX / 2); /* far too long: fails before it is read */
	assert_true(json.failed);
	kw_json_close_array(&json);
	kw_json_member_string(&json, "a", "b");
	assert_true(json.failed);
	kw_json_done(&json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte_comes_back),
		cmocka_unit_test(test_escapes_as_written),
		cmocka_unit_test(test_bad_utf8_is_repaired),
		cmocka_unit_test(test_limits_of_good_utf8),
		cmocka_unit_test(test_any_bytes_give_json),
		cmocka_unit_test(test_raw_bytes_follow_a_repair),
		cmocka_unit_test(test_structure_and_numbers),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_reset_keeps_the_buffer),
		cmocka_unit_test(test_a_failure_sticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
