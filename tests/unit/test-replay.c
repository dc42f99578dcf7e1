/* SPDX-License-Identifier: GPL-2.0-only */
/* Recorded events: what is read of them whatever stands there, and what other policies make of them. */
#define _GNU_SOURCE 1
#include "replay.h"

#include <errno.h>

#include "recorded-line.h"
#include "ruleset-of.h"
#include "unit.h"
#include "util.h"

static void replay_done(struct kw_replay *replay)
{
	kw_replay_done(replay);
}

static void recording_done(struct kw_recording *recording)
{
	kw_recording_done(recording);
}

static void as_rendered(void **state)
{
	const struct kw_recorded event = recorded(&(struct said){
		.operation = "KVM_SET_REGS",
		.state = KW_STATE_SEALED,
		.type = KW_TYPE_SEV_SNP,
		.verdict = KW_DENY,
		.error = EACCES,
		.vm = 7,
		.seconds = 61,
		.exe = "/usr/bin/qemu",
		.cgroup = "/machine.slice/vm.scope/emulator",
		.uid = 107,
	});

	(void)state;
	assert_int_equal(event.kind, KW_EVENT_IOCTL);
	assert_int_equal(event.operation, op_of("KVM_SET_REGS"));
	assert_int_equal(event.state, KW_STATE_SEALED);
	assert_int_equal(event.verdict, KW_DENY);
	assert_int_equal(event.error, EACCES);
	assert_int_equal(event.type, KW_TYPE_SEV_SNP);
	assert_int_equal(event.flags, KW_VM_PRIVATE_MEMORY | KW_VM_PROTECTED_STATE);
	assert_int_equal(event.vm_id, 7);
	assert_int_equal(event.who.uid, 107);
	assert_string_equal(event.who.exe.text, "/usr/bin/qemu");
	assert_int_equal(event.who.unit_len, strlen("vm.scope"));
	assert_int_equal(event.who.unit_offset, strlen("/machine.slice/"));
	assert_string_equal(event.time, "1970-01-01T00:01:01.000000000Z");
}

/* "every operation and kind that is written is read again" */
static void every_operation(void **state)
{
	(void)state;
	for (unsigned int i = KW_OP_CANARY + 1; i < kw_operation_count(); i++)
		for (unsigned int kind = 0; kind < KW_EVENT_TAMPERING; kind++) {
			const struct kw_recorded event = recorded(
				&(struct said){.operation = kw_operation(i)->name, .kind = kind});

			assert_int_equal(event.operation, i);
			assert_int_equal(event.kind, kind);
		}
	/* No policy has a part in the last kind. */
	_Static_assert(KW_EVENT_TAMPERING + 1 == _KW_EVENT_MAX, "all kinds are tried");
	assert_int_equal(
		parse_line(line_of(&(struct said){"KVM_RUN", .kind = KW_EVENT_TAMPERING})).kind,
		KW_LINE_OWN);
	for (unsigned int type = 0; type < _KW_TYPE_MAX; type++)
		assert_int_equal(recorded(&(struct said){"KVM_RUN", .type = type}).type, type);
}

/* "a name that is not UTF-8 is compared by its bytes" */
static void raw_names(void **state)
{
	const struct kw_recorded event = recorded(
		&(struct said){"KVM_RUN", .exe = "/b\xff\xfe/vmm", .cgroup = "/\x80.scope"});

	(void)state;
	assert_string_equal(event.who.exe.text, "/b\xff\xfe/vmm");
	assert_string_equal(event.who.cgroup.text, "/\x80.scope");
}

#define PROCESS "\"process\":{\"uid\":1}"
#define EVENT "{\"event\":\"ioctl\",\"verdict\":\"audit\",\"state\":\"sealed\","

static const struct {
	const char *text;
	enum kw_line_kind kind;
	const char *why;
} lines[] = {
	{"", KW_LINE_BROKEN, "not a JSON object"},
	{"{", KW_LINE_BROKEN, "not a JSON object"},
	{"[]", KW_LINE_BROKEN, "not a JSON object"},
	{"null", KW_LINE_BROKEN, "not a JSON object"},
	{"{} {}", KW_LINE_BROKEN, "not a JSON object"},
	{"{\"event\":\"\xff\"}", KW_LINE_BROKEN, "not a JSON object"},
	{"{}", KW_LINE_BROKEN, "no event"},
	{"{\"event\":1}", KW_LINE_BROKEN, "no event"},
	{"{\"event\":\"started\"}", KW_LINE_OWN, ""},
	{"{\"event\":\"some-day\"}", KW_LINE_OWN, ""},
	{"{\"event\":\"some-day\",\"operation\":\"x\"}", KW_LINE_STRANGE, "unknown kind of event"},
	{"{\"event\":\"ioctl\"}", KW_LINE_BROKEN, "an event without its operation"},
	{"{\"event\":\"ioctl\",\"operation\":\"KVM_CREATE_VM\",\"state\":\"sealed\","
	 "\"verdict\":\"audit\",\"intended\":\"audit\",\"process\":{}}",
	 KW_LINE_BROKEN, "nothing is sealed on /dev/kvm"},
	{EVENT "\"operation\":\"KVM_RUN\",\"vm\":null}", KW_LINE_BROKEN, "an event without its"},
	{EVENT "\"operation\":\"KVM_RUN\"," PROCESS "}", KW_LINE_BROKEN, "an event without its VM"},
	{EVENT "\"operation\":\"KVM_RUN\",\"vm\":[]," PROCESS "}", KW_LINE_BROKEN, "its VM"},
	{EVENT "\"operation\":\"KVM_RUN\",\"vm\":null," PROCESS "}", KW_LINE_EVENT, ""},
	{EVENT "\"operation\":\"KVM_FUTURE\",\"vm\":null," PROCESS "}", KW_LINE_STRANGE,
	 "unknown operation"},
	{EVENT "\"operation\":\"KVM_RUN\",\"vm\":{\"type\":\"cca\"}," PROCESS "}", KW_LINE_STRANGE,
	 "unknown VM type"},
};

static void any_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(lines); i++) {
		struct kw_line line = parse_line(lines[i].text);

		if (line.kind != lines[i].kind || !strstr(line.why, lines[i].why))
			fail_msg("%s: %d, '%s'", lines[i].text, line.kind, line.why);
	}
}

/* "what is printed as a time is one": it ends up in a policy's comments */
static void times(void **state)
{
	static const char text[] = EVENT "\"operation\":\"KVM_RUN\",\"vm\":null," PROCESS
					 ",\"time\":\"2026-01-01T00:00:00.00000000\\nx\"}";

	(void)state;
	assert_string_equal(parse_line(text).event.time, "");
}

/* Reads a whole file of JSON lines; 0, or how it failed. */
static int read_all(const char *bytes, size_t size, struct kw_tally *tally)
{
	_cleanup_fclose_ FILE *in = fmemopen((void *)bytes, size, "r");
	_cleanup_(recording_done) struct kw_recording recording = {.in = in};
	struct kw_line line = {};
	int r;

	assert_non_null(in);
	while ((r = kw_recording_next(&recording, &line)) > 0)
		kw_tally_add(tally, &line);
	return r;
}

static void whole_files(void **state)
{
	static const char good[] = EVENT "\"operation\":\"KVM_RUN\",\"vm\":null," PROCESS "}\n";
	static const char lost[] = "{\"event\":\"lost\",\"count\":3}\n";
	struct kw_tally tally = {}, blank = {};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	fprintf(out, "%s\n\n  \n%s%s", good, lost, good);
	/* As long as a line may be, and longer: whole and in pieces. */
	for (int i = 0; i < 3 * KW_RECORDED_LINE_MAX; i++)
		putc('x', out);
	putc('\n', out);
	fwrite("a\0b\n", 1, 4, out);
	fprintf(out, "%s%.*s", good, 30, good);
	fclose(out);
	assert_int_equal(read_all(text, size, &tally), 0);
	assert_int_equal(tally.events, 3);
	assert_int_equal(tally.own, 1);
	assert_int_equal(tally.lost, 3);
	assert_int_equal(tally.broken, 3);
	assert_int_equal(tally.broken_lines[0], 7);
	assert_string_equal(tally.broken_why[0], "a line too long for an event");
	assert_int_equal(tally.broken_lines[1], 8);
	assert_int_equal(tally.broken_lines[2], 10);
	assert_string_equal(tally.broken_why[2], "the last line is cut short");
	free(text);
	assert_int_equal(read_all("\n", 1, &blank), 0);
	assert_int_equal(blank.events + blank.broken + blank.own, 0);
}

static void add(struct kw_replay *replay, struct said said)
{
	const struct kw_recorded event = recorded(&said);

	assert_int_equal(kw_replay_add(replay, &event), 0);
}

static void other_policies(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *rs =
		ruleset_of("policy: p\nmatch: {exe: /usr/bin/v*, protected-state: true}\n"
			   "rules:\n"
			   "  - {operations: [KVM_SET_REGS], state: sealed, verdict: deny}\n"
			   "  - {operations: [KVM_NMI], verdict: audit}\n"
			   "  - {operations: [KVM_CREATE_VM], verdict: deny}\n");
	_cleanup_(replay_done) struct kw_replay replay = {.rs = rs};
	const unsigned int snp = KW_TYPE_SEV_SNP, sealed = KW_STATE_SEALED;

	(void)state;
	for (unsigned int i = 0; i < 5; i++)
		add(&replay, (struct said){"KVM_SET_REGS", sealed, snp});
	add(&replay, (struct said){"KVM_SET_REGS", sealed, snp, KW_DENY, EPERM});
	add(&replay, (struct said){"KVM_SET_REGS", sealed, snp, KW_DENY, EIO});
	add(&replay, (struct said){"KVM_SET_REGS", sealed, KW_TYPE_SEV});
	add(&replay, (struct said){"KVM_NMI", sealed, snp});
	add(&replay, (struct said){"KVM_NMI", sealed, snp, .exe = "/bin/other"});
	add(&replay, (struct said){"KVM_CREATE_VM", 0, snp, .kind = KW_EVENT_VM_CREATED});
	assert_int_equal(replay.same, 2);
	assert_int_equal(replay.changes[KW_AUDIT][KW_DENY], 6);
	assert_int_equal(replay.changes[KW_DENY][KW_DENY], 1);
	assert_int_equal(replay.changes[KW_AUDIT][KW_ALLOW], 2);
	assert_int_equal(kw_replay_answers(&replay), 7);
	assert_int_equal(replay.count, 5);
	kw_replay_sort(&replay);
	assert_int_equal(replay.rows[0].count, 5);
	assert_int_equal(replay.rows[0].operation, op_of("KVM_SET_REGS"));
	assert_int_equal(replay.rows[0].decision.error, EPERM);
	assert_true(kw_replay_matters(&replay.rows[2]));
	assert_false(kw_replay_matters(&replay.rows[3]));
}

/* "memory does not grow with the recording" */
static void bounded(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *rs =
		ruleset_of("policy: p\nrules: [{operations: [KVM_NMI], verdict: deny}]\n");
	_cleanup_(replay_done) struct kw_replay replay = {.rs = rs};
	struct kw_recorded event = recorded(&(struct said){"KVM_NMI"});

	(void)state;
	for (unsigned int i = 0; i < KW_REPLAY_ROWS_MAX + 10; i++) {
		event.who.uid = i;
		assert_int_equal(kw_replay_add(&replay, &event), 0);
	}
	assert_int_equal(replay.count, KW_REPLAY_ROWS_MAX);
	assert_int_equal(replay.beyond, 10);
	assert_int_equal(kw_replay_answers(&replay), KW_REPLAY_ROWS_MAX + 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_rendered),	  cmocka_unit_test(every_operation),
		cmocka_unit_test(raw_names),	  cmocka_unit_test(any_line),
		cmocka_unit_test(times),	  cmocka_unit_test(whole_files),
		cmocka_unit_test(other_policies), cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
