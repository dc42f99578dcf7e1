/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of commands: what it says of itself is true, and fits. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usage.h"
#include "util.h"

#define each_usage(u) for (const struct kw_usage *u = kw_usages; u->name; u++)

static const struct kw_usage_option *find_option(const struct kw_usage_option *option,
						 const char *name, size_t len)
{
	for (; option && option->name; option++)
		if ((strlen(option->name) == len && memcmp(option->name, name, len) == 0) ||
		    (len == 1 && option->letter && option->code == name[0]))
			return option;
	return NULL;
}

/* "-f" or "--file VALUE" in a synopsis: there is such an option, with such a value. */
static void check_word(const struct kw_usage *usage, const char *word)
{
	const char *name = word + strspn(word, "-");
	size_t len = strcspn(name, " ]\n.");
	const struct kw_usage_option *option;
	char value[32];

	if (len == 0)
		return;
	option = find_option(usage->options, name, len);
	if (!option)
		option = find_option(kw_usage_shared, name, len);
	if (!option)
		fail_msg("%s: no option '%.*s'", usage->name, (int)len, name);
	if (!option->value)
		return;
	snprintf(value, sizeof(value), " %s", option->value);
	if (strncmp(name + len, value, strlen(value)) != 0)
		fail_msg("%s: the value of '%s' is '%s'", usage->name, option->name, option->value);
}

static void test_synopsis(void **state)
{
	(void)state;
	each_usage(usage)
	{
		for (const char *c = usage->synopsis; (c = strchr(c, '-')); c += strspn(c, "-"))
			if (c == usage->synopsis || strchr("[ \n", c[-1]))
				check_word(usage, c);
		for (const struct kw_usage_option *o = usage->options; o && o->name; o++) {
			char text[64];

			snprintf(text, sizeof(text), "--%s", o->name);
			if (strstr(usage->synopsis, "[OPTION...]") || strstr(usage->synopsis, text))
				continue;
			snprintf(text, sizeof(text), "-%c", o->code);
			if (!o->letter || !strstr(usage->synopsis, text))
				fail_msg("%s: nothing says that it takes --%s", usage->name,
					 o->name);
		}
	}
}

static void check_options(const struct kw_usage_option *options)
{
	for (const struct kw_usage_option *o = options; o && o->name; o++) {
		assert_non_null(o->help);
		assert_true(o->code != '?' && o->code != ':');
		assert_int_equal(o->words == KW_WORDS_LIST, o->list != NULL);
		assert_true(o->value || o->words == KW_WORDS_NONE);
		for (const struct kw_usage_option *other = options; other < o; other++) {
			assert_string_not_equal(o->name, other->name);
			assert_int_not_equal(o->code, other->code);
		}
	}
}

static void test_rows(void **state)
{
	(void)state;
	check_options(kw_usage_shared);
	each_usage(usage)
	{
		check_options(usage->options);
		assert_ptr_equal(kw_usage_find(usage->program, usage->name), usage);
		assert_true(usage->title || usage->text);
		assert_int_equal(usage->arguments == KW_WORDS_LIST, usage->list != NULL);
		/* A shared option is taken out before a command sees it. */
		for (const struct kw_usage_option *o = usage->options; o && o->name; o++)
			if (kw_streq(usage->program, "kvmwarden"))
				assert_null(find_option(kw_usage_shared, o->name, strlen(o->name)));
	}
}

static void test_getopt(void **state)
{
	char *argv[] = {"events", "-fn", "3", "--vm=7", "--file", "x", "rest", NULL};
	struct kw_getopt getopt;

	(void)state;
	kw_usage_getopt("events", "+", &getopt);
	assert_string_equal(getopt.letters, "+fn:");
	assert_int_equal(getopt_long(7, argv, getopt.letters, getopt.options, NULL), 'f');
	assert_int_equal(getopt_long(7, argv, getopt.letters, getopt.options, NULL), 'n');
	assert_string_equal(optarg, "3");
	assert_int_equal(getopt_long(7, argv, getopt.letters, getopt.options, NULL), 'V');
	assert_string_equal(optarg, "7");
	assert_int_equal(getopt_long(7, argv, getopt.letters, getopt.options, NULL), 'F');
	assert_int_equal(getopt_long(7, argv, getopt.letters, getopt.options, NULL), -1);
	assert_int_equal(optind, 6);
	kw_usage_getopt("vms", "", &getopt);
	assert_string_equal(getopt.letters, "");
	assert_null(getopt.options[0].name);
}

static char *printed(const struct kw_usage *usage)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	if (usage)
		kw_usage_print(usage, out);
	else
		kw_usage_print_all(true, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void check_page(const struct kw_usage *usage)
{
	char *text = printed(usage), *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		if (strlen(line) > 100)
			fail_msg("%s: a line of %zu: %s", usage ? usage->name : "all", strlen(line),
				 line);
		assert_true(*line == '\0' || line[strlen(line) - 1] != ' ');
	}
	free(text);
}

static void test_pages(void **state)
{
	char *text;

	(void)state;
	each_usage(usage) check_page(usage);
	check_page(NULL);
	text = printed(kw_usage_find("kvmwarden", "policy"));
	assert_non_null(strstr(text, "\n  policy simulate "));
	assert_null(strstr(text, "events verify"));
	free(text);
}

static void test_shells(void **state)
{
	FILE *out = fopen("/dev/null", "w");

	(void)state;
	assert_int_equal(kw_usage_complete("bash", out), 0);
	assert_int_equal(kw_usage_complete("zsh", out), 0);
	assert_int_equal(kw_usage_complete("fish", out), 0);
	assert_int_equal(kw_usage_complete("csh", out), -EINVAL);
	fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_synopsis), cmocka_unit_test(test_rows),
		cmocka_unit_test(test_getopt),	 cmocka_unit_test(test_pages),
		cmocka_unit_test(test_shells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
