/* SPDX-License-Identifier: GPL-2.0-only */
/* The configuration file: what is taken, and what is refused, by its place. */
#include "config.h"

#include <errno.h>

#include "event-kinds.h"
#include "kvmwarden.h"
#include "names.h"
#include "unit.h"
#include "util.h"

static int parse(const char *text, struct kw_options *ret, struct kw_diag *diag)
{
	*ret = (struct kw_options){};
	return kw_config_parse("conf", text, strlen(text), ret, diag);
}

static void takes_everything(void **state)
{
	static const char text[] =
		"backend: seccomp-plain\n"
		"require: nothing\n"
		"policy-dirs: [/a, /b]\n"
		"socket: /s\n"
		"vms-max: 64\n"
		"on-full: audit\n"
		"seal: /t\n"
		"pin: false\n"
		"confine: true\n"
		"events: {to: /var/log/e, rotate-size: 64M, rotate-every: 1d, keep: 3, "
		"sync: denials}\n"
		"sinks:\n"
		"  - to: journal\n"
		"    verdicts: [deny, kill]\n"
		"    events: ioctl\n"
		"    keep-denials: 16M\n"
		"  - {to: syslog}\n"
		"  - {to: 'file:/f', format: ocsf, rotate-size: 1M, name: two, sync: always}\n"
		"  - {to: 'socket:/run/x', format: ecs}\n"
		"metrics: {listen: '[::1]:9567'}\n";
	struct kw_options o;
	struct kw_diag diag = {};

	(void)state;
	assert_int_equal(parse(text, &o, &diag), 0);
	assert_true(o.plain);
	assert_int_equal(o.backend, KW_BACKEND_SECCOMP);
	assert_string_equal(o.policy_dirs[0], "/a");
	assert_string_equal(o.policy_dirs[1], "/b");
	assert_null(o.policy_dirs[2]);
	assert_string_equal(o.socket, "/s");
	assert_int_equal(o.vms_max, 64);
	assert_false(o.full_refuses);
	assert_string_equal(o.seal, "/t");
	assert_false(o.pin);
	assert_true(o.confine);
	assert_string_equal(o.events, "/var/log/e");
	assert_int_equal(o.rotation.bytes, 64 << 20);
	assert_int_equal(o.rotation.seconds, 86400);
	assert_int_equal(o.rotation.keep, 3);
	assert_int_equal(o.sync, KW_SYNC_DENIALS);
	assert_int_equal(o.sink_count, 4);
	assert_string_equal(o.metrics, "[::1]:9567");
	assert_string_equal(o.sinks[0].name, "journal");
	assert_int_equal(o.sinks[0].verdicts, 1 << KW_DENY | 1 << KW_KILL);
	assert_int_equal(o.sinks[0].events, 1 << kw_kind_from_name("ioctl"));
	assert_int_equal(o.sinks[0].spool, 16 << 20);
	assert_string_equal(o.sinks[0].spool_path, "/var/lib/kvmwarden/journal.spool");
	assert_int_equal(o.sinks[1].format, KW_FORMAT_TEXT);
	assert_string_equal(o.sinks[2].name, "two");
	assert_string_equal(o.sinks[2].path, "/f");
	assert_int_equal(o.sinks[2].format, KW_FORMAT_OCSF);
	assert_int_equal(o.sinks[2].rotation.keep, 8);
	assert_int_equal(o.sinks[3].kind, KW_SINK_SOCKET);
	kw_options_done(&o);
}

static const struct {
	const char *text;
	unsigned int line, column;
	const char *message;
	const char *hint; /* or NULL */
} broken[] = {
	{"backend: lsn\n", 1, 10, "unknown backend 'lsn'", NULL},
	{"backand: lsm\n", 1, 1, "backand", "backend"},
	{"require: kill\n", 1, 10, "takes 'deny' or 'nothing'", NULL},
	{"vms-max: 63\n", 1, 10, "from 64 to", NULL},
	{"pin: yes\n", 1, 6, "true or false", NULL},
	{"socket: here\n", 1, 9, "from the root", NULL},
	{"policy-dirs: [/a, b]\n", 1, 19, "from the root", NULL},
	{"events: {to: here}\n", 1, 14, "stdout, nowhere, or the path", NULL},
	{"events: {rotate-size: 1M}\n", 1, 9, "lacks the key 'to'", NULL},
	{"events: {to: stdout, rotate-size: 1M}\n", 1, 35, "this trail is no file", NULL},
	{"events: {to: /f, keep: 3}\n", 1, 24, "goes with 'rotate-size'", NULL},
	{"events: {to: /f, rotate-size: 1}\n", 1, 31, "from 64K", NULL},
	{"events: {to: /f, rotate-every: 1w}\n", 1, 32, "such as 1d", NULL},
	{"events: {to: /f, sync: denial}\n", 1, 24, "never, denials or always", "denials"},
	{"sinks: journal\n", 1, 8, "sinks", NULL},
	{"sinks: []\n", 1, 8, "sinks", NULL},
	{"sinks: [{to: journald}]\n", 1, 14, "journal, syslog, file:", NULL},
	{"sinks: [{to: file}]\n", 1, 14, "journal, syslog, file:", NULL},
	{"sinks: [{to: 'file:f'}]\n", 1, 14, "journal, syslog, file:", NULL},
	{"sinks: [{to: journal, format: ecs}]\n", 1, 31, "no format", NULL},
	{"sinks: [{to: syslog, format: esc}]\n", 1, 30, "unknown format", "ecs"},
	{"sinks: [{to: syslog, verdicts: denny}]\n", 1, 32, "unknown verdict", "deny"},
	{"sinks: [{to: syslog, events: [iocl]}]\n", 1, 31, "unknown event", "ioctl"},
	{"sinks: [{to: syslog, keep: 2}]\n", 1, 28, "this sink is no file", NULL},
	{"sinks: [{to: syslog, name: A}]\n", 1, 28, "no name for a sink", NULL},
	{"sinks:\n  - to: syslog\n  - to: syslog\n", 3, 5, "already", NULL},
	{"sinks: [{to: 'socket:/s', keep-denials: 1M}]\n", 1, 41, "nothing is kept", NULL},
	{"sinks: [{to: syslog, keep-denials: 1}]\n", 1, 36, "from 64K", NULL},
	{"metrics: {}\n", 1, 10, "listen", NULL},
	{"metrics: {listen: '0.0.0.0:9567'}\n", 1, 19, "127.0.0.1:PORT", NULL},
	{"metrics: {listen: metrics}\n", 1, 19, "a path from the root", NULL},
};

static void refuses_by_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(broken); i++) {
		struct kw_options o;
		struct kw_diag diag = {};

		if (parse(broken[i].text, &o, &diag) != -EINVAL)
			fail_msg("taken: %s", broken[i].text);
		if (diag.line != broken[i].line || diag.column != broken[i].column ||
		    !strstr(diag.message, broken[i].message) ||
		    (broken[i].hint && (!diag.hint || !strstr(diag.hint, broken[i].hint))))
			fail_msg("%sexpected %u:%u '%s' hint '%s', got %u:%u '%s' hint '%s'",
				 broken[i].text, broken[i].line, broken[i].column,
				 broken[i].message, broken[i].hint ?: "", diag.line, diag.column,
				 diag.message, diag.hint ?: "");
		kw_diag_done(&diag);
		kw_options_done(&o);
	}
}

/* Events of the kernel are looked up by their number alone: see on_event() of daemon-events.c. */
static void kinds_begin_with_the_kernels(void **state)
{
	(void)state;
	for (int i = 0; i < _KW_EVENT_MAX; i++)
		assert_int_equal(kw_kind_from_name(kw_event_kind_name((unsigned int)i)), i);
	assert_int_equal(kw_kind_from_name("tampering"), KW_EVENT_TAMPERING);
	assert_string_equal(kw_kind(_KW_EVENT_MAX)->name, "started");
	assert_int_equal(kw_kind_from_name("nosuch"), -EINVAL);
	for (unsigned int i = 0; kw_kind(i); i++) {
		assert_int_equal(strspn(kw_kind(i)->id, "0123456789abcdef"), 32);
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(kw_kind(i)->id, kw_kind(j)->id);
	}
}

/* Each has its place in the catalogue, and nothing else has. */
static void kinds_are_in_the_catalogue(void **state)
{
	_cleanup_fclose_ FILE *file = fopen("systemd/kvmwarden.catalog", "re");
	unsigned int entries = 0, kinds = 0;
	char line[256];

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		bool found = false;

		if (strncmp(line, "-- ", 3) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		for (unsigned int i = 0; kw_kind(i); i++)
			found |= kw_streq(kw_kind(i)->id, line + 3);
		assert_true(found);
		entries++;
	}
	while (kw_kind(kinds))
		kinds++;
	assert_int_equal(entries, kinds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_everything),
		cmocka_unit_test(refuses_by_place),
		cmocka_unit_test(kinds_begin_with_the_kernels),
		cmocka_unit_test(kinds_are_in_the_catalogue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
