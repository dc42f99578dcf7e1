/* SPDX-License-Identifier: GPL-2.0-only */
/* Diagnostics as they are printed. */
#define _GNU_SOURCE 1
#include "diag.h"

#include "unit.h"
#include "util.h"

static void print_to(const struct kw_diag *diag, const char *expected)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	kw_diag_print(diag, f);
	fclose(f);
	assert_string_equal(text, expected);
}

static void printed(void **state)
{
	char line[1200];
	struct kw_diag diag = {.file = "f.yaml", .line = 3, .column = 6, .message = "wrong"};

	(void)state;
	diag.source = "\t- xyz";
	print_to(&diag, "f.yaml:3:6: error: wrong\n          - xyz\n              ^\n");
	/* NOLINTNEXTLINE(misc-misleading-bidirectional): it shall not get through */
	diag.source = "é\x1b[ \xff\xe2\x80\xae!";
	diag.hint = "look";
	print_to(&diag, "f.yaml:3:6: error: wrong\n  é\\x1b[ \\xff\\xe2\\x80\\xae!\n"
			"             ^\n  hint: look\n");
	diag.hint = NULL;
	diag.column = 0;
	print_to(&diag, "f.yaml:3: error: wrong\n  é\\x1b[ \\xff\\xe2\\x80\\xae!\n");
	diag.line = 0;
	diag.source = NULL;
	diag.file = "a\nb";
	print_to(&diag, "a\\x0ab: error: wrong\n");
	diag.file = NULL;
	print_to(&diag, "error: wrong\n");
	diag.message = "no 'a\nb\x1b'";
	print_to(&diag, "error: no 'a\\x0ab\\x1b'\n");
	print_to(&(struct kw_diag){}, "error: out of memory\n");

	/* Long lines are cut around the caret. */
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	line[599] = '|';
	diag = (struct kw_diag){
		.file = "f", .line = 1, .column = 600, .message = "m", .source = line};
	print_to(&diag,
		 "f:1:600: error: m\n"
		 "  ...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx|"
		 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\n"
		 "                                                                           ^\n");
}

/* "the first fault is the one that is told" */
static void first_fault_wins(void **state)
{
	_cleanup_(kw_diag_done) struct kw_diag diag = {};

	(void)state;
	kw_diag_set(&diag, "a", 1, 2, "first %d", 1);
	kw_diag_set(&diag, "b", 3, 4, "second");
	assert_string_equal(diag.file, "a");
	assert_string_equal(diag.message, "first 1");
	assert_int_equal(diag.line, 1);
	kw_diag_set(NULL, "b", 3, 4, "nobody listens");
	kw_diag_hint(NULL, "nobody listens");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(printed),
		cmocka_unit_test(first_fault_wins),
	};

	return cmocka_run_group_tests_name("diag", tests, NULL, NULL);
}
