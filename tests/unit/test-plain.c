/* SPDX-License-Identifier: GPL-2.0-only */
/* Decisions without BPF: what is decided, on what, and what becomes of it. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>

#include "plain-bench.h"

static void test_types(void **state)
{
	(void)state;
	set_up(100, true);
	use_rules("policy: snp\nmatch: {vm-types: [sev-snp]}\n"
		  "rules: [{operations: [KVM_SET_REGS], verdict: deny, errno: EACCES}]\n");
	/* No VM at all: there is nothing it could be meant for. */
	assert_int_equal(ask(KVM_SET_REGS, 0), 0);
	assert_int_equal(ask(KVM_CREATE_VM, KW_TYPE_DEFAULT), 0);
	assert_int_equal(ask(KVM_SET_REGS, 0), 0);
	assert_int_equal(bench.asked.count, 1);
	assert_int_equal(bench.asked.types, 1u << KW_TYPE_DEFAULT);
	assert_int_equal(drain(), 0);
	/* What was ever asked for holds for all. */
	assert_int_equal(ask(KVM_CREATE_VM, KW_TYPE_SEV_SNP), 0);
	assert_int_equal(bench.asked.count, 2);
	assert_int_equal(ask(KVM_SET_REGS, 0), EACCES);
	assert_int_equal(ask(KVM_GET_REGS, 0), 0);
	assert_int_equal(ask(0xdead, 0), 0);
	assert_int_equal(drain(), 1);
	assert_int_equal(bench.events[0].vm_type, KW_TYPE_SEV_SNP);
	assert_true(bench.events[0].vm_id == bench.asked.vms[1].id);
	/* That of another one does not. */
	assert_int_equal(ask_of(&(struct kw_asked){}, KVM_SET_REGS, 0, 0, false).error, 0);
	tear_down();
}

static void test_unknown_types(void **state)
{
	static const uint64_t unknown[] = {KW_TYPE_TDX + 1, KW_TYPE_UNKNOWN, 31, 1ull << 32};

	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(unknown); i++) {
		set_up(100, true);
		use_rules("policy: snp\nmatch: {vm-types: [sev-snp]}\n"
			  "rules: [{operations: [KVM_SET_REGS], verdict: deny}]\n");
		assert_int_equal(ask(KVM_CREATE_VM, unknown[i]), 0);
		assert_int_equal(bench.asked.vms[0].type, KW_TYPE_UNKNOWN);
		assert_int_equal(ask(KVM_SET_REGS, 0), EPERM);
		tear_down();
	}
}

static void test_creation(void **state)
{
	(void)state;
	set_up(100, true);
	use_rules("policy: creation\n"
		  "match: {vm-types: [default, sev]}\n"
		  "rules: [{operations: [KVM_CREATE_VM], verdict: audit, rate-limit: none}]\n");
	assert_int_equal(ask(KVM_CREATE_VM, KW_TYPE_SEV_ES), 0);
	assert_int_equal(drain(), 0);
	assert_int_equal(ask(KVM_CREATE_VM, KW_TYPE_DEFAULT), 0);
	assert_int_equal(ask(KVM_CREATE_VM, KW_TYPE_DEFAULT), 0);
	/* Two VMs that nobody can tell apart are one. */
	assert_int_equal(bench.asked.count, 2);
	assert_int_equal(bench.asked.vms[1].audited, 2);
	assert_int_equal(drain(), 2);
	assert_int_equal(bench.events[0].kind, KW_EVENT_VM_CREATED);
	assert_int_equal(bench.events[0].verdict, KW_AUDIT);
	assert_int_equal(bench.events[0].scope, KW_SCOPE_SYSTEM);
	assert_true(bench.events[0].vm_id == bench.asked.vms[1].id);
	assert_true(bench.events[1].vm_id == bench.asked.vms[1].id);
	tear_down();

	set_up(100, true);
	use_rules("policy: creation\nmatch: {vm-types: [default]}\n"
		  "rules: [{operations: [KVM_CREATE_VM], verdict: deny, errno: ENODEV},\n"
		  "        {operations: [KVM_SET_REGS], verdict: deny}]\n");
	assert_int_equal(ask(KVM_CREATE_VM, KW_TYPE_DEFAULT), ENODEV);
	assert_int_equal(bench.asked.count, 0);
	assert_int_equal(bench.asked.types, 0);
	assert_int_equal(ask(KVM_SET_REGS, 0), 0);
	assert_int_equal(drain(), 1);
	assert_int_equal(bench.events[0].kind, KW_EVENT_IOCTL);
	assert_int_equal(bench.events[0].vm_id, 0);
	assert_int_equal(ask(KVM_CREATE_VM, KW_TYPE_SEV), 0);
	tear_down();
}

/* What was let pass may not be over: a VM of another kind has to wait for it. */
static void test_creation_waits(void **state)
{
	struct kw_ruling ruling;

	(void)state;
	set_up(100, true);
	use_rules("policy: no-tdx\nmatch: {vm-types: [tdx]}\n"
		  "rules: [{operations: [KVM_CREATE_VM], verdict: deny}]\n");
	ruling = ask_of(&bench.asked, KVM_CREATE_VM, KW_TYPE_DEFAULT, 0, true);
	assert_int_equal(ruling.again, 1);
	assert_int_equal(bench.asked.count, 0);
	assert_int_equal(ask(KVM_CREATE_VM, KW_TYPE_DEFAULT), 0);
	ruling = ask_of(&bench.asked, KVM_CREATE_VM, KW_TYPE_DEFAULT, 0, true);
	assert_int_equal(ruling.again, 0);
	assert_int_equal(ruling.given, 1);
	ruling = ask_of(&bench.asked, KVM_CREATE_VM, KW_TYPE_SEV, 0, true);
	assert_int_equal(ruling.again, 1);
	/* What is refused makes none. */
	ruling = ask_of(&bench.asked, KVM_CREATE_VM, KW_TYPE_TDX, 0, true);
	assert_int_equal(ruling.again, 0);
	assert_int_equal(ruling.error, EPERM);
	tear_down();
}

/* On /dev/kvm itself there is no type, whatever was asked for. */
static void test_system(void **state)
{
	(void)state;
	set_up(100, true);
	use_rules("policy: any\nrules: [{operations: [KVM_GET_API_VERSION], verdict: deny}]\n");
	assert_int_equal(ask(KVM_GET_API_VERSION, 0), EPERM);
	assert_int_equal(drain(), 1);
	assert_int_equal(bench.events[0].vm_type, KW_TYPE_NONE);
	assert_int_equal(bench.events[0].scope, KW_SCOPE_SYSTEM);
	tear_down();

	set_up(100, true);
	use_rules("policy: snp\nmatch: {vm-types: [sev-snp]}\n"
		  "rules: [{operations: [KVM_GET_API_VERSION], verdict: deny}]\n");
	assert_int_equal(ask(KVM_GET_API_VERSION, 0), 0);
	tear_down();
}

static struct kw_ruleset *deny_to(const char *match)
{
	char text[4096];

	snprintf(text, sizeof(text),
		 "policy: who\nmatch: {%s}\nrules: [{operations: [KVM_SET_REGS], verdict: deny}]\n",
		 match);
	return ruleset_of(text);
}

static void test_identity(void **state)
{
	char exe[1024] = {}, match[2048];

	(void)state;
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	snprintf(match, sizeof(match), "exe: %s", exe);
	for (int i = 0; i < 4; i++) {
		const char *const matches[] = {match, "exe: /usr/bin/other", "unit: '*'",
					       "user: 4711"};
		const struct kw_identity *who;

		set_up(100, true);
		use(deny_to(matches[i]));
		assert_int_equal(ask(KVM_CREATE_VM, 0), 0);
		who = &bench.asked.vms[0].creator;
		assert_int_equal(who->pid, getpid());
		assert_int_equal(ask(KVM_SET_REGS, 0), i == 0 || i == 2 ? EPERM : 0);
		/* It is the creator's, as it was then. */
		bench.asked.vms[0].creator.uid = 4711;
		bench.asked.vms[0].match_generation = 0;
		if (i == 3)
			assert_int_equal(ask(KVM_SET_REGS, 0), EPERM);
		tear_down();
	}
}

/* Processes that policies can tell apart are told apart. */
static void test_other_creators(void **state)
{
	(void)state;
	set_up(100, true);
	use_rules("policy: root\nmatch: {user: 4711}\n"
		  "rules: [{operations: [KVM_SET_REGS], verdict: deny}]\n");
	assert_int_equal(ask(KVM_CREATE_VM, 0), 0);
	bench.asked.vms[0].creator.uid = 4711;
	bench.asked.vms[0].match_generation = 0;
	assert_int_equal(ask(KVM_CREATE_VM, 0), 0);
	assert_int_equal(bench.asked.count, 2);
	assert_int_equal(ask(KVM_SET_REGS, 0), EPERM);
	assert_int_equal(bench.asked.vms[0].denied, 1);
	assert_int_equal(bench.asked.vms[1].denied, 0);
	tear_down();
}

static void test_verdicts(void **state)
{
	const struct kw_event *event = &bench.events[0];
	struct kw_ruling ruling;

	(void)state;
	set_up(100, true);
	use_rules("policy: verdicts\nrules:\n"
		  "  - {operations: [KVM_SET_REGS], verdict: deny, errno: ENOTTY}\n"
		  "  - {operations: [KVM_SET_FPU], verdict: kill}\n"
		  "  - {operations: [KVM_SET_SREGS], verdict: audit}\n");
	assert_int_equal(ask(KVM_CREATE_VM, 0), 0);
	assert_int_equal(ask(KVM_SET_REGS, 0), ENOTTY);
	ruling = ask_of(&bench.asked, KVM_SET_FPU, 0, 0, false);
	assert_int_equal(ruling.verdict, KW_KILL);
	assert_int_equal(ruling.error, EPERM);
	ruling = ask_of(&bench.asked, KVM_SET_SREGS, 0, 0, false);
	assert_int_equal(ruling.verdict, KW_AUDIT);
	assert_int_equal(ruling.error, 0);
	assert_int_equal(bench.asked.vms[0].denied, 1);
	assert_int_equal(bench.asked.vms[0].killed, 1);
	assert_int_equal(bench.asked.vms[0].audited, 1);

	assert_int_equal(drain(), 3);
	assert_int_equal(event->seq, 1);
	assert_int_equal(event->generation, 7);
	assert_int_equal(event->vm_id, 1);
	assert_int_equal(event->kind, KW_EVENT_IOCTL);
	assert_int_equal(event->verdict, KW_DENY);
	assert_int_equal(event->intended, KW_DENY);
	assert_int_equal(event->error, ENOTTY);
	assert_int_equal(event->operation, op_of("KVM_SET_REGS"));
	assert_int_equal(event->scope, KW_SCOPE_VCPU);
	assert_int_equal(event->entry, KW_ENTRY_COMPAT);
	assert_int_equal(event->command, KVM_SET_REGS);
	assert_int_equal(event->vcpu, -1);
	assert_int_equal(event->policy, 0);
	assert_int_equal(event->rule, 0);
	assert_int_equal(event->backend, KW_BACKEND_SECCOMP);
	assert_int_equal(event->caller.pid, getpid());
	assert_int_equal(event->caller.tid, gettid());
	assert_true(event->caller.exe.len > 0);
	assert_int_equal(bench.events[1].verdict, KW_KILL);
	assert_int_equal(bench.events[2].seq, 3);
	assert_int_equal(bench.counters.seq, 3);
	assert_int_equal(bench.counters.pending, 3);
	assert_int_equal(bench.counters.feeds[0].written, 3);
	assert_int_equal(bench.counters.feeds[0].delivered, 3);
	tear_down();
}

static void test_audit_mode(void **state)
{
	(void)state;
	set_up(100, true);
	use_rules(
		"policy: try\nmode: audit\nrules: [{operations: [KVM_SET_REGS], verdict: deny}]\n");
	assert_int_equal(ask(KVM_CREATE_VM, 0), 0);
	assert_int_equal(ask(KVM_SET_REGS, 0), 0);
	assert_int_equal(drain(), 1);
	assert_int_equal(bench.events[0].verdict, KW_AUDIT);
	assert_int_equal(bench.events[0].intended, KW_DENY);
	tear_down();
}

static void test_sets(void **state)
{
	_cleanup_ruleset_ struct kw_ruleset *own =
		ruleset_of("policy: own\nrules: [{operations: [KVM_SET_FPU], verdict: deny}]\n");
	const struct kw_inquiry nowhere = {
		.tid = (uint32_t)gettid(), .command = KVM_SET_REGS, .set = 2};
	const struct kw_inquiry beyond = {
		.tid = (uint32_t)gettid(), .command = KVM_SET_REGS, .set = KW_SETS_MAX};
	struct kw_ruling ruling;

	(void)state;
	kw_ruleset_renumber(own, 8);
	set_up(100, true);
	use_rules("policy: regs\nrules: [{operations: [KVM_SET_REGS], verdict: deny}]\n");
	kw_plain_publish(bench.plain, 1, own);
	assert_int_equal(bench.counters.generation, 8);
	assert_int_equal(ask(KVM_CREATE_VM, 0), 0);
	assert_int_equal(ask(KVM_SET_REGS, 0), EPERM);
	assert_int_equal(ask_of(&bench.asked, KVM_SET_REGS, 0, 1, false).error, 0);
	assert_int_equal(ask_of(&bench.asked, KVM_SET_FPU, 0, 1, false).error, EPERM);
	/* A set that is not there lets nothing pass. */
	assert_true(kw_plain_judge(bench.plain, &nowhere, &bench.asked, &ruling) < 0);
	assert_true(kw_plain_judge(bench.plain, &beyond, &bench.asked, &ruling) < 0);
	kw_plain_publish(bench.plain, 1, NULL);
	tear_down();
}

/* Who is not there cannot be told apart, nor be let pass. */
static void test_nobody(void **state)
{
	const struct kw_inquiry creation = {.tid = 0x3fffffff, .command = KVM_CREATE_VM};
	const struct kw_inquiry peek = {.tid = 0x3fffffff, .kind = KW_INQUIRY_PEEK};
	struct kw_ruling ruling;

	(void)state;
	set_up(100, true);
	use_rules("policy: none\nrules: [{operations: [KVM_SET_REGS], verdict: allow}]\n");
	assert_true(kw_plain_judge(bench.plain, &creation, &bench.asked, &ruling) < 0);
	assert_int_equal(bench.asked.count, 0);
	assert_int_equal(kw_plain_judge(bench.plain, &peek, NULL, &ruling), 0);
	assert_int_equal(ruling.given, 0);
	tear_down();
}

/* A canary that is not asleep in its ioctl, as a waiting one is, is none. */
static void test_canary(void **state)
{
	struct kw_ruling ruling;

	(void)state;
	set_up(100, true);
	use_rules("policy: none\nrules: [{operations: [KVM_SET_REGS], verdict: allow}]\n");
	ruling = ask_of(NULL, KW_CMD_CANARY, kw_plain_canary(bench.plain), 0, false);
	assert_int_equal(ruling.given, 1);
	assert_int_equal(ruling.error, 0);
	ruling = ask_of(&bench.asked, KW_CMD_CANARY, kw_plain_canary(bench.plain), 0, false);
	assert_int_equal(ruling.error, 0);
	tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),	       cmocka_unit_test(test_unknown_types),
		cmocka_unit_test(test_creation),       cmocka_unit_test(test_creation_waits),
		cmocka_unit_test(test_system),	       cmocka_unit_test(test_identity),
		cmocka_unit_test(test_other_creators), cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_audit_mode),     cmocka_unit_test(test_sets),
		cmocka_unit_test(test_nobody),	       cmocka_unit_test(test_canary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
