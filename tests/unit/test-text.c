/* SPDX-License-Identifier: GPL-2.0-only */
/* What people are shown: events as lines, tables, and nothing a terminal would obey. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "util.h"

#define PROCESS                                                                            \
	"\"process\":{\"pid\":42,\"comm\":\"CPU 0/KVM\",\"exe\":\"/usr/bin/qemu-system\"," \
	"\"unit\":\"vm.scope\"}"

static void assert_event(const char *json, bool colour, const char *expected)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	kw_text_event(json, strlen(json), colour, out);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
}

static void test_events_as_lines(void **state)
{
	(void)state;
	assert_event("{\"time\":\"2026-11-23T15:04:05.123456789Z\",\"event\":\"ioctl\","
		     "\"verdict\":\"deny\",\"intended\":\"deny\",\"operation\":\"KVM_SET_REGS\","
		     "\"errno\":\"EPERM\",\"state\":\"sealed\",\"entry\":\"native\","
		     "\"vm\":{\"id\":7,\"type\":\"sev-snp\",\"vcpu\":0}," PROCESS ","
		     "\"policy\":\"p\",\"rule\":1,\"file\":\"/etc/p.yaml\",\"line\":11}",
		     false,
		     "2026-11-23 15:04:05.123 deny  KVM_SET_REGS          "
		     "vm 7 sev-snp sealed vcpu 0  qemu-system[42] vm.scope  EPERM  "
		     "p /etc/p.yaml:11\n");
	assert_event("{\"time\":\"2026-11-23T15:04:05.123456789Z\",\"event\":\"ioctl\","
		     "\"verdict\":\"audit\",\"intended\":\"kill\",\"operation\":\"KVM_CREATE_VM\","
		     "\"errno\":null,\"state\":\"building\",\"entry\":\"compat\","
		     "\"vm\":{\"id\":null,\"type\":\"tdx\",\"vcpu\":null}," PROCESS ","
		     "\"policy\":null}",
		     true,
		     "2026-11-23 15:04:05.123 \033[33maudit\033[0m KVM_CREATE_VM         "
		     "new vm tdx  qemu-system[42] vm.scope  (the rule says kill)  "
		     "(32-bit entry)\n");
	assert_event("{\"time\":\"2026-11-23T15:04:05.123456789Z\",\"event\":\"started\","
		     "\"version\":1,\"host\":\"h\",\"backend\":\"lsm\",\"policies\":3}",
		     false, "2026-11-23 15:04:05.123 started backend=\"lsm\" policies=3\n");
}

/* However odd, it is one line. */
static void test_odd_events(void **state)
{
	(void)state;
	assert_event("not\njson\033[31m", false, "not\\x0ajson\\x1b[31m\n");
	assert_event("{}", false, " \n");
	assert_event("{\"time\":\"yesterday\",\"event\":\"x\\u001b\",\"k\\n\":\"v\\n\"}", false,
		     "yesterday x\\x1b k\\x0a=\"v\\n\"\n");
	assert_event("{\"verdict\":1,\"vm\":2,\"process\":[]}", false,
		     "                             /dev/kvm  [0]\n");
	assert_event("{\"event\":\"tampering\",\"verdict\":\"deny\",\"act\":\"kill\","
		     "\"errno\":\"EPERM\",\"process\":{\"pid\":7,\"exe\":\"/bin/kill\"}}",
		     false, " deny  kill                  kvmwarden itself  kill[7]  EPERM\n");
}

static void test_what_terminals_obey(void **state)
{
	static const struct {
		const char *text, *safe;
	} rows[] = {
		{"plain", "plain"},
		{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa7", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa7"},
		{"a\tb\nc\rd", "a\\x09b\\x0ac\\x0dd"},
		{"\033]0;title\a", "\\x1b]0;title\\x07"},
		{"\x7f", "\\x7f"},
		{"\xc2\x9b"
		 "31m",
		 "\\xc2\\x9b31m"}, /* CSI in one character */
		{"\xc2\xa0", "\xc2\xa0"},
		/* NOLINTBEGIN(misc-misleading-bidirectional): they shall not get through */
		{"a\xe2\x80\xae"
		 "b",
		 "a\\xe2\\x80\\xaeb"}, /* right-to-left override */
		{"\xe2\x81\xa6", "\\xe2\\x81\\xa6"},
		/* NOLINTEND(misc-misleading-bidirectional) */
		{"\xe2\x80\x8f", "\\xe2\\x80\\x8f"},
		{"\xe2\x80\xa6", "\xe2\x80\xa6"}, /* an ellipsis is harmless */
		{"cut \xe2\x80", "cut \xe2\x80"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < KW_ARRAY_SIZE(rows); i++) {
		char *text = NULL;
		size_t len;
		FILE *out = open_memstream(&text, &len);

		kw_text_safe(out, rows[i].text);
		fclose(out);
		assert_string_equal(text, rows[i].safe);
		free(text);
	}
}

static void test_tables(void **state)
{
	struct kw_text_table table = {.columns = 3};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	kw_text_table_add(&table, "ID");
	kw_text_table_add(&table, "NAME");
	kw_text_table_add(&table, "X");
	kw_text_table_addf(&table, "%d", 12345);
	kw_text_table_add(&table, "\xc3\xa9t\xc3\xa9"); /* three characters, five bytes */
	kw_text_table_add(&table, "y");
	kw_text_table_add(&table, "");
	kw_text_table_add(&table, "");
	kw_text_table_add(&table, "z\n");
	kw_text_table_add(&table, "1");
	kw_text_table_add(&table, "");
	kw_text_table_add(&table, "");
	assert_int_equal(kw_text_table_print(&table, "| ", out), 0);
	fclose(out);
	assert_string_equal(text, "| ID     NAME  X\n"
				  "| 12345  \xc3\xa9t\xc3\xa9   y\n"
				  "|              z\\x0a\n"
				  "| 1\n");
	free(text);
	kw_text_table_done(&table);
}

static int utc(void **state)
{
	(void)state;
	return setenv("TZ", "UTC", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events_as_lines),
		cmocka_unit_test(test_odd_events),
		cmocka_unit_test(test_what_terminals_obey),
		cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests(tests, utc, NULL);
}
