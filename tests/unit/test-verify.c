/* SPDX-License-Identifier: GPL-2.0-only */
/* Is each change of a trail found, and nothing in one that was left alone? */
#include "trail-made.h"

static const struct kw_anchors none = {};
static const struct kw_anchors from_genesis = {.start = &kw_chain_genesis};

/* A daemon's life of so many lines. */
static void live(struct trail *t, unsigned int lines)
{
	trail_own(t, "started");
	trail_ioctls(t, lines - 2);
	trail_own(t, "stopped");
}

static void assert_found(const struct trail *t, const char *expected)
{
	struct found found = verify_trail(t, &none);

	assert_string_equal(found.text, expected);
}

static void swap(struct trail *t, size_t a, size_t b)
{
	char *line = t->lines[a];

	t->lines[a] = t->lines[b];
	t->lines[b] = line;
}

/* Moves a line to another place; those between make room. */
static void move(struct trail *t, size_t from, size_t to)
{
	for (; from < to; from++)
		swap(t, from, from + 1);
	for (; from > to; from--)
		swap(t, from, from - 1);
}

static void test_what_was_left_alone(void **state)
{
	struct trail t = {};
	struct found found;

	(void)state;
	live(&t, 50);
	found = verify_trail(&t, &(struct kw_anchors){&kw_chain_genesis, &t.head});
	assert_string_equal(found.text, "");
	assert_int_equal(found.verified.lines, 50);
	assert_true(found.verified.from_genesis);
	assert_true(kw_chain_equal(&found.verified.head, &t.head));
	assert_string_equal(found.verified.first, "2026-11-23T15:00:00.000000000Z");
	trail_done(&t);
}

static void test_each_removal(void **state)
{
	(void)state;
	for (size_t i = 0; i < 50; i++) {
		struct trail t = {};
		struct found found;

		live(&t, 50);
		move(&t, i, 49);
		free(t.lines[--t.count]);
		found = verify_trail(&t, &from_genesis);
		/* The end that is cut off is what --head is for. */
		assert_int_equal(found.findings, i < 49 ? 1 : 0);
		found = verify_trail(&t, &(struct kw_anchors){&kw_chain_genesis, &t.head});
		assert_int_equal(found.findings, 1);
		trail_done(&t);
	}
}

/* The line and the next one, between the lines around them. */
static unsigned int findings_around(const struct trail *t, size_t line)
{
	struct kw_chain start = kw_chain_genesis, head = {};
	struct trail part = {.count = line + 1 < t->count ? 2 : 1};
	size_t body;

	memcpy(part.lines, t->lines + line, part.count * sizeof(part.lines[0]));
	if (line > 0)
		kw_chain_split(t->lines[line - 1], strlen(t->lines[line - 1]), &body, &start);
	head = t->head;
	if (line + 1 < t->count)
		kw_chain_split(t->lines[line + 1], strlen(t->lines[line + 1]), &body, &head);
	return verify_trail(&part, &(struct kw_anchors){&start, &head}).findings;
}

static void test_each_byte(void **state)
{
	static const char others[] = {'#', '"', '\0', '1', '}', ' ', '\n'};
	struct trail t = {};
	size_t tried = 0;

	(void)state;
	live(&t, 50);
	for (size_t line = 0; line < 50; line++) {
		assert_int_equal(findings_around(&t, line), 0);
		for (size_t i = 0; t.lines[line][i]; i++, tried++) {
			char was = t.lines[line][i];

			t.lines[line][i] = others[(line + i) % sizeof(others)];
			if (t.lines[line][i] == was)
				t.lines[line][i] = (char)(was ^ 1);
			if (findings_around(&t, line) == 0)
				fail_msg("line %zu, byte %zu: not found: %s", line + 1, i,
					 t.lines[line]);
			t.lines[line][i] = was;
		}
	}
	assert_true(tried > 50 * 200);
	trail_done(&t);
}

/* Of a change of what is within a line, one finding, and at that line. */
static void test_a_change_is_found_once(void **state)
{
	struct trail t = {};
	char expected[32];

	(void)state;
	live(&t, 50);
	for (size_t line = 1; line < 50; line++) {
		size_t len = strlen(t.lines[line]);
		/* In the body, in the number, and in the chain. */
		const size_t places[] = {30, 62, len - 10};

		snprintf(expected, sizeof(expected), "changed %zu", line + 1);
		for (size_t i = 0; i < KW_ARRAY_SIZE(places); i++) {
			char *at = &t.lines[line][places[i]], was = *at;

			*at = was == '0' ? '1' : '0';
			assert_string_equal(verify_trail(&t, &from_genesis).text, expected);
			*at = was;
		}
	}
	trail_done(&t);
}

static void test_each_swap(void **state)
{
	struct trail t = {};

	(void)state;
	live(&t, 50);
	for (size_t a = 0; a < 50; a++) {
		for (size_t b = a + 1; b < 50; b++) {
			struct found found;

			swap(&t, a, b);
			found = verify_trail(&t, &from_genesis);
			assert_in_range(found.findings, 1, b == a + 1 ? 1 : 2);
			assert_non_null(strstr(found.text, "reordered"));
			assert_true(verify_trail(&t, &none).findings > 0);
			swap(&t, a, b);
		}
	}
	trail_done(&t);
}

static void test_each_move(void **state)
{
	struct trail t = {};

	(void)state;
	live(&t, 50);
	for (size_t from = 0; from < 50; from++) {
		for (size_t to = 0; to < 50; to++) {
			struct found found;

			if (from == to)
				continue;
			move(&t, from, to);
			found = verify_trail(&t, &from_genesis);
			assert_in_range(found.findings, 1, 2);
			assert_non_null(strstr(found.text, "reordered"));
			move(&t, to, from);
		}
	}
	trail_done(&t);
}

static void test_each_repetition(void **state)
{
	struct trail t = {};
	char expected[32];

	(void)state;
	live(&t, 50);
	for (size_t line = 0; line < 50; line++) {
		for (size_t to = line + 1; to <= 50; to++) {
			trail_raw(&t, t.lines[line]);
			move(&t, 50, to);
			snprintf(expected, sizeof(expected), "repeated %zu", to + 1);
			assert_string_equal(verify_trail(&t, &from_genesis).text, expected);
			move(&t, to, 50);
			free(t.lines[--t.count]);
		}
	}
	trail_done(&t);
}

static void test_each_cut(void **state)
{
	(void)state;
	for (size_t left = 0; left < 50; left++) {
		struct trail t = {};

		live(&t, 50);
		while (t.count > left)
			free(t.lines[--t.count]);
		assert_int_equal(verify_trail(&t, &none).findings, 0);
		assert_string_equal(
			strstr(verify_trail(&t, &(struct kw_anchors){.head = &t.head}).text,
			       "head"),
			left ? verify_trail(&t, &(struct kw_anchors){.head = &t.head}).text
			     : "head 0");
		trail_done(&t);
	}
}

static void test_the_beginning(void **state)
{
	struct trail t = {};
	struct kw_chain second;

	(void)state;
	trail_own(&t, "started");
	second = t.head;
	trail_ioctls(&t, 10);
	move(&t, 0, 10);
	free(t.lines[--t.count]);
	assert_found(&t, "middle 1");
	assert_int_equal(verify_trail(&t, &from_genesis).findings, 1);
	assert_string_equal(verify_trail(&t, &(struct kw_anchors){.start = &second}).text, "");
	trail_done(&t);
}

static void test_what_is_put_in(void **state)
{
	static const struct {
		const char *line;
		const char *expected;
	} cases[] = {
		{"", "malformed 6"},
		{"hello", "malformed 6"},
		{"[1]", "malformed 6"},
		{"{\"version\":1,\"event\":\"ioctl\",\"verdict\":\"deny\",\"seq\":6}",
		 "unchained 6"},
		{"{\"version\":1,\"event\":\"ioctl\",\"verdict\":\"deny\",\"seq\":6"
		 ",\"chain\":\"00112233445566778899aabbccddeeff"
		 "00112233445566778899aabbccddeeff\"}",
		 "inserted 6"},
		/* As a write that was cut short leaves it. */
		{"{\"version\":1,\"ti", "torn 6"},
		{"{\"ver", "torn 6"},
		{"{\"version\":1,\"time\":\"20\xc3", "torn 6"},
		/* Not as one does. */
		{"{\"version\":1,\"a\":{}}{\"b", "malformed 6"},
		{"{\"version\":1,\"ti\x01", "malformed 6"},
		{"{\"evil\":1,\"ti", "malformed 6"},
	};

	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(cases); i++) {
		struct trail t = {};

		live(&t, 10);
		trail_raw(&t, cases[i].line);
		move(&t, 10, 5);
		assert_found(&t, cases[i].expected);
		trail_done(&t);
	}
}

/* A line that is made to look torn is one that is missing. */
static void test_what_is_cut_short_by_others(void **state)
{
	struct trail t = {};

	(void)state;
	live(&t, 10);
	t.lines[5][40] = '\0';
	assert_found(&t, "cut 6");
	trail_done(&t);
	live(&t, 10);
	t.lines[9][40] = '\0';
	assert_found(&t, "torn 10");
	trail_done(&t);
}

static void test_several_files(void **state)
{
	struct trail t = {};

	(void)state;
	trail_own(&t, "started");
	trail_ioctls(&t, 300);
	trail_raw(&t, NULL);
	trail_ioctls(&t, 200);
	trail_raw(&t, NULL);
	trail_own(&t, "stopped");
	assert_found(&t, "");
	trail_done(&t);
	/* The second one first: the other is what it follows from, far away. */
	trail_own(&t, "started");
	trail_ioctls(&t, 300);
	trail_raw(&t, NULL);
	trail_ioctls(&t, 200);
	for (size_t i = 0; i < 301; i++)
		move(&t, 0, t.count - 1);
	move(&t, 0, 200);
	assert_found(&t, "middle 1, chain-begins 2:1, reordered 1");
	trail_done(&t);
	/* The one in the middle is gone. */
	live(&t, 10);
	trail_raw(&t, NULL);
	live(&t, 10);
	for (size_t i = 11; i < 16; i++)
		free(t.lines[i]);
	memmove(t.lines + 11, t.lines + 16, (t.count - 16) * sizeof(t.lines[0]));
	t.count -= 5;
	assert_found(&t, "missing 2:1");
	trail_done(&t);
}

/* A chain begins anew where a daemon does that has no memory, and nowhere else. */
static void test_a_chain_that_begins_anew(void **state)
{
	struct trail t = {};

	(void)state;
	live(&t, 10);
	t.head = kw_chain_genesis;
	live(&t, 10);
	assert_found(&t, "chain-begins 11");
	trail_done(&t);
	live(&t, 10);
	t.head = kw_chain_genesis;
	trail_ioctls(&t, 3);
	live(&t, 10);
	assert_found(&t, "chain-begins 11");
	trail_done(&t);
	live(&t, 10);
	t.head = kw_chain_genesis;
	trail_ioctls(&t, 10);
	assert_found(&t, "begins-anew 11");
	trail_done(&t);
	trail_ioctls(&t, 10);
	t.head = kw_chain_genesis;
	t.boot = "two";
	t.seq = 0;
	trail_ioctls(&t, 10);
	assert_found(&t, "chain-begins 11");
	trail_done(&t);
}

/* However much of it is wrong, it ends, and soon. */
static void test_nothing_but_strays(void **state)
{
	struct trail t = {};

	(void)state;
	for (unsigned int i = 0; i < 6000; i++) {
		t.head.bytes[i % 32] ^= (uint8_t)(i | 1);
		trail_ioctls(&t, 1);
	}
	assert_int_equal(verify_trail(&t, &from_genesis).findings, 6000);
	trail_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_left_alone),
		cmocka_unit_test(test_each_removal),
		cmocka_unit_test(test_each_byte),
		cmocka_unit_test(test_a_change_is_found_once),
		cmocka_unit_test(test_each_swap),
		cmocka_unit_test(test_each_move),
		cmocka_unit_test(test_each_repetition),
		cmocka_unit_test(test_each_cut),
		cmocka_unit_test(test_the_beginning),
		cmocka_unit_test(test_what_is_put_in),
		cmocka_unit_test(test_what_is_cut_short_by_others),
		cmocka_unit_test(test_several_files),
		cmocka_unit_test(test_a_chain_that_begins_anew),
		cmocka_unit_test(test_nothing_but_strays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
