/* SPDX-License-Identifier: GPL-2.0-only */
/* Formats of an event: the journal, syslog, ECS, OCSF. */
#include "news.h"

#include <stdlib.h>

#include "kvmwarden.h"
#include "news-of.h"
#include "unit.h"
#include "util.h"

static json_t *format(enum kw_format name, int kind, int verdict)
{
	struct kw_news news = news_of(kind, verdict, 7);
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	json_t *parsed;

	assert_int_equal(kw_format_event(name, &news, out), 0);
	fclose(out);
	kw_news_done(&news);
	assert_null(memchr(text, '\n', len));
	parsed = json_loadb(text, len, 0, NULL);
	assert_non_null(parsed);
	return parsed;
}

static const char *text_at(json_t *object, const char *one, const char *two)
{
	return json_string_value(json_object_get(json_object_get(object, one), two));
}

static void ecs_has_its_fields(void **state)
{
	json_t *ecs = format(KW_FORMAT_ECS, KW_EVENT_IOCTL, KW_DENY);

	(void)state;
	assert_string_equal(text_at(ecs, "event", "action"), "KVM_SET_REGS");
	assert_string_equal(text_at(ecs, "event", "outcome"), "failure");
	assert_string_equal(text_at(ecs, "event", "kind"), "alert");
	assert_string_equal(text_at(ecs, "process", "executable"), "/usr/bin/vmm");
	assert_string_equal(text_at(ecs, "user", "id"), "107");
	assert_string_equal(text_at(ecs, "rule", "name"), "p");
	assert_string_equal(text_at(ecs, "kvmwarden", "operation"), "KVM_SET_REGS");
	json_decref(ecs);
	ecs = format(KW_FORMAT_ECS, kw_kind_from_name("started"), -1);
	assert_string_equal(text_at(ecs, "event", "action"), "KVM_SET_REGS");
	assert_string_equal(text_at(ecs, "event", "outcome"), "unknown");
	json_decref(ecs);
}

static json_int_t number_at(json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void ocsf_has_its_classes(void **state)
{
	json_t *ocsf = format(KW_FORMAT_OCSF, KW_EVENT_IOCTL, KW_DENY);

	(void)state;
	assert_int_equal(number_at(ocsf, "class_uid"), 1003);
	assert_int_equal(number_at(ocsf, "type_uid"), 100304);
	assert_int_equal(number_at(ocsf, "action_id"), 2);
	assert_int_equal(number_at(ocsf, "severity_id"), 3);
	assert_int_equal(number_at(ocsf, "time"), 1767261607123);
	assert_string_equal(text_at(ocsf, "kernel", "name"), "KVM_SET_REGS");
	json_decref(ocsf);
	ocsf = format(KW_FORMAT_OCSF, kw_kind_from_name("stopped"), -1);
	assert_int_equal(number_at(ocsf, "type_uid"), 600204);
	assert_null(json_object_get(ocsf, "action_id"));
	json_decref(ocsf);
}

/* Of the native protocol: the bytes of a field, or NULL. */
static const char *field(const char *data, size_t len, const char *name, size_t *ret_len)
{
	const char *end = data + len;

	while (data < end) {
		const char *line = memchr(data, '\n', (size_t)(end - data));
		uint64_t size = 0;

		assert_non_null(line);
		for (unsigned int i = 0; i < 8; i++)
			size |= (uint64_t)(unsigned char)line[1 + i] << (8 * i);
		assert_true(line + 9 + size < end);
		assert_int_equal(line[9 + size], '\n');
		if ((size_t)(line - data) == strlen(name) &&
		    memcmp(data, name, strlen(name)) == 0) {
			*ret_len = size;
			return line + 9;
		}
		data = line + 9 + size + 1;
	}
	return NULL;
}

static void the_journal_gets_every_member(void **state)
{
	static const struct {
		const char *name, *value;
	} wanted[] = {
		{"KVMWARDEN_VERDICT", "deny"},
		{"KVMWARDEN_OPERATION", "KVM_SET_REGS"},
		{"KVMWARDEN_VM_TYPE", "sev-snp"},
		{"KVMWARDEN_VM_ID", "1"},
		{"KVMWARDEN_PROCESS_COMM", "a\nb"},
		{"KVMWARDEN_LINE", "6"},
		{"OBJECT_PID", "42"},
		{"PRIORITY", "4"},
		{"SYSLOG_IDENTIFIER", "kvmwardend"},
		{"KVMWARDEN_SEQ", "7"},
	};
	struct kw_news news = news_of(KW_EVENT_IOCTL, KW_DENY, 7);
	_cleanup_free_ char *text = NULL;
	size_t len, n;
	FILE *out = open_memstream(&text, &len);
	const char *value;

	(void)state;
	assert_int_equal(kw_format_journal(&news, out), 0);
	fclose(out);
	kw_news_done(&news);
	for (size_t i = 0; i < KW_ARRAY_SIZE(wanted); i++) {
		value = field(text, len, wanted[i].name, &n);
		if (!value || n != strlen(wanted[i].value) ||
		    memcmp(value, wanted[i].value, n) != 0)
			fail_msg("%s: got '%.*s'", wanted[i].name, value ? (int)n : 0, value ?: "");
	}
	/* A null is no value, and a name is no way to make another field. */
	assert_null(field(text, len, "KVMWARDEN_VM_VCPU", &n));
	value = field(text, len, "MESSAGE", &n);
	assert_null(memchr(value, '\n', n));
	value = field(text, len, "MESSAGE_ID", &n);
	assert_memory_equal(value, kw_kind(KW_EVENT_IOCTL)->id, 32);
}

static void syslog_has_a_head(void **state)
{
	struct kw_news news = news_of(KW_EVENT_IOCTL, KW_KILL, 7);
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(kw_format_syslog(KW_FORMAT_TEXT, &news, out), 0);
	fclose(out);
	kw_news_done(&news);
	/* authpriv.err */
	assert_memory_equal(text, "<83>", 4);
	assert_non_null(strstr(text, " kvmwardend["));
	assert_non_null(strstr(text, "KVM_SET_REGS"));
	assert_null(memchr(text, '\n', len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ecs_has_its_fields),
		cmocka_unit_test(ocsf_has_its_classes),
		cmocka_unit_test(the_journal_gets_every_member),
		cmocka_unit_test(syslog_has_a_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
