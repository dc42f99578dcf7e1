/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Does each line of the files that are named conform to docs/events.schema.json? Those that a killed
 * daemon left half written are passed over; says nothing if all is well.
 */
#include "schema.h"

#include <stdio.h>

#include "util.h"

KW_DEFINE_CLEANUP(json_t, json_decref)

static char **files;

static void check_line(const char *line, size_t len, const char *where)
{
	_cleanup_(json_decrefp) json_t *event = NULL;
	json_error_t error;

	event = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	if (!event && json_error_code(&error) == json_error_premature_end_of_input)
		return;
	if (!event)
		fail_msg("%s: %s: %.*s", where, error.text, (int)len, line);
	if (!conforms(schema, event, where, true))
		fail_msg("%s: %.*s", where, (int)len, line);
}

static void test_conforms(void **state)
{
	(void)state;
	for (char **file = files; *file; file++) {
		_cleanup_fclose_ FILE *in = fopen(*file, "re");
		_cleanup_free_ char *line = NULL;
		unsigned int number = 0;
		size_t size = 0;
		ssize_t len;

		if (!in)
			fail_msg("%s: %s", *file, strerror(errno));
		while ((len = getline(&line, &size, in)) > 0) {
			char where[512];

			snprintf(where, sizeof(where), "%s:%u", *file, ++number);
			if (line[len - 1] == '\n')
				len--;
			check_line(line, (size_t)len, where);
		}
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_conforms)};
	int failed;

	if (argc < 2 || !load_schema())
		return 2;
	files = argv + 1;
	/* It is not one of the suite's own tests: only complaints are for the reader. */
	if (!freopen("/dev/null", "w", stdout))
		return 2;
	cmocka_set_message_output(CM_OUTPUT_STDOUT);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free_schema();
	return failed == 0 ? 0 : 1;
}
