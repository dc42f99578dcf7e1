/* SPDX-License-Identifier: GPL-2.0-only */
/* Decisions without BPF: exceptions, limits, events that wait, records, and what is left of them. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>

#include "plain-bench.h"

static int count(void *userdata, const struct kw_exception_key *key,
		 const struct kw_exception *exception)
{
	(void)key;
	*(uint64_t *)userdata += exception->uses;
	return 1;
}

static void test_exceptions(void **state)
{
	struct kw_exception exception = {
		.id = 5,
		.until_ns = kw_clock_ns(CLOCK_BOOTTIME) + 60 * 1000000000ull,
	};
	struct kw_exception_key key = {.vm = 1, .operation = op_of("KVM_SET_REGS")};
	struct kw_stats stats;
	uint64_t uses = 0;

	(void)state;
	set_up(100, true);
	use_rules("policy: regs\nrules: [{operations: ['@set-registers'], verdict: deny}]\n");
	assert_int_equal(ask(KVM_CREATE_VM, 0), 0);
	assert_int_equal(kw_plain_except(bench.plain, &key, &exception), 0);
	assert_int_equal(ask(KVM_SET_REGS, 0), 0);
	assert_int_equal(ask(KVM_SET_SREGS, 0), EPERM);
	assert_int_equal(drain(), 2);
	assert_int_equal(bench.events[0].verdict, KW_ALLOW);
	assert_int_equal(bench.events[0].intended, KW_DENY);
	assert_int_equal(bench.events[0].exception, 5);
	assert_int_equal(bench.events[1].exception, 0);
	/* Of two VMs it could be meant for only one is excepted. */
	assert_int_equal(ask(KVM_CREATE_VM, KW_TYPE_SEV), 0);
	assert_int_equal(ask(KVM_SET_REGS, 0), EPERM);
	kw_plain_stats(bench.plain, &stats);
	assert_int_equal(stats.excepted, 1);

	bench.asked.count = 1;
	bench.asked.types = 1;
	exception.until_ns = kw_clock_ns(CLOCK_BOOTTIME) - 1;
	assert_int_equal(kw_plain_except(bench.plain, &key, &exception), 0);
	assert_int_equal(ask(KVM_SET_REGS, 0), EPERM);
	exception.uses = 3;
	assert_int_equal(kw_plain_except(bench.plain, &key, &exception), 0);
	assert_int_equal(kw_plain_each_exception(bench.plain, count, &uses), 0);
	assert_int_equal(uses, 3);
	assert_int_equal(kw_plain_each_exception(bench.plain, count, &uses), 0);
	assert_int_equal(uses, 3);
	for (key.vm = 1; key.vm <= KW_EXCEPTIONS_MAX; key.vm++)
		assert_int_equal(kw_plain_except(bench.plain, &key, &exception), 0);
	assert_int_equal(kw_plain_except(bench.plain, &key, &exception), -E2BIG);
	tear_down();
}

static bool always(void *userdata, const struct kw_limit_key *key, const struct kw_limit *limit)
{
	(void)key;
	(void)limit;
	return *(bool *)userdata;
}

static uint32_t held_back;

static void add_up(void *userdata, const struct kw_limit_key *key, const struct kw_limit *limit)
{
	(void)userdata;
	(void)key;
	held_back += limit->suppressed;
}

static void test_limits(void **state)
{
	bool over = false;

	(void)state;
	set_up(100, true);
	use_rules("policy: regs\nrules:\n"
		  "  - {operations: [KVM_SET_REGS, KVM_SET_SREGS], verdict: deny, rate-limit: "
		  "3/min}\n"
		  "  - {operations: [KVM_SET_FPU], verdict: deny, rate-limit: none}\n");
	assert_int_equal(ask(KVM_CREATE_VM, 0), 0);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(ask(KVM_SET_REGS, 0), EPERM);
		assert_int_equal(ask(KVM_SET_FPU, 0), EPERM);
	}
	/* Each operation has its own. */
	assert_int_equal(ask(KVM_SET_SREGS, 0), EPERM);
	assert_int_equal(drain(), 3 + 10 + 1);
	assert_int_equal(bench.asked.vms[0].denied, 21);
	assert_int_equal(kw_plain_end_limits(bench.plain, always, add_up, &over), 1);
	assert_int_equal(held_back, 0);
	over = true;
	assert_int_equal(kw_plain_end_limits(bench.plain, always, add_up, &over), 0);
	assert_int_equal(held_back, 7);
	assert_int_equal(kw_plain_end_limits(bench.plain, always, add_up, &over), 0);
	assert_int_equal(held_back, 7);
	assert_int_equal(ask(KVM_SET_REGS, 0), EPERM);
	assert_int_equal(drain(), 1);
	tear_down();
}

static void test_queue(void **state)
{
	struct kw_stats stats;

	(void)state;
	set_up(100, true);
	use_rules("policy: regs\n"
		  "rules: [{operations: [KVM_SET_REGS], verdict: deny, rate-limit: none}]\n");
	assert_int_equal(ask(KVM_CREATE_VM, 0), 0);
	assert_false(is_readable());
	for (int i = 0; i < KW_PLAIN_EVENTS + 5; i++)
		assert_int_equal(ask(KVM_SET_REGS, 0), EPERM);
	assert_true(is_readable());
	assert_int_equal(drain(), KW_PLAIN_EVENTS);
	assert_false(is_readable());
	assert_int_equal(bench.events[KW_PLAIN_EVENTS - 1].seq, KW_PLAIN_EVENTS);
	assert_int_equal(bench.counters.seq, KW_PLAIN_EVENTS + 5);
	assert_int_equal(bench.counters.lost[KW_LOSS_RING], 5);
	kw_plain_stats(bench.plain, &stats);
	assert_int_equal(stats.lost, 5);
	/* It goes on behind the gap. */
	assert_int_equal(ask(KVM_SET_REGS, 0), EPERM);
	assert_true(is_readable());
	assert_int_equal(drain(), 1);
	assert_int_equal(bench.events[0].seq, KW_PLAIN_EVENTS + 6);
	tear_down();
}

static void test_no_room(void **state)
{
	(void)state;
	set_up(1, true);
	use_rules("policy: none\nrules: [{operations: [KVM_SET_REGS], verdict: allow}]\n");
	assert_int_equal(ask(KVM_CREATE_VM, 0), 0);
	assert_int_equal(ask(KVM_CREATE_VM, 0), 0);
	assert_int_equal(ask(KVM_CREATE_VM, KW_TYPE_SEV), ENOSPC);
	assert_int_equal(bench.counters.vms_refused, 1);
	assert_int_equal(drain(), 1);
	assert_int_equal(bench.events[0].kind, KW_EVENT_VMS_FULL);
	assert_int_equal(bench.events[0].verdict, KW_DENY);
	tear_down();

	/* It is only told then; but what a launch has is all there is. */
	set_up(1, false);
	use_rules("policy: none\nrules: [{operations: [KVM_SET_REGS], verdict: allow}]\n");
	for (uint32_t i = 0; i < KW_ASKED_MAX; i++) {
		assert_int_equal(ask(KVM_CREATE_VM, 0), 0);
		bench.asked.vms[i].creator.uid = 10000 + i;
	}
	assert_int_equal(drain(), KW_ASKED_MAX - 1);
	assert_int_equal(bench.events[0].verdict, KW_AUDIT);
	assert_int_equal(ask(KVM_CREATE_VM, 0), ENOSPC);
	assert_int_equal(drain(), 1);
	assert_int_equal(bench.events[0].verdict, KW_DENY);
	tear_down();
}

static int count_vm(void *userdata, const struct kw_vm *vm)
{
	(void)vm;
	++*(unsigned int *)userdata;
	return 0;
}

/* What another daemon left. */
static void test_resumed(void **state)
{
	static const char sev[] = "policy: sev\nmatch: {vm-types: [sev]}\n"
				  "rules: [{operations: [KVM_SET_REGS], verdict: deny}]\n";
	struct kw_asked left;
	unsigned int vms = 0;

	(void)state;
	set_up(100, true);
	use_rules(sev);
	assert_int_equal(ask(KVM_CREATE_VM, KW_TYPE_SEV), 0);
	assert_int_equal(ask(KVM_SET_REGS, 0), EPERM);
	left = bench.asked;
	tear_down();

	set_up(100, true);
	use_rules(sev);
	left.vms[0].id = 4711;
	left.vms[0].flags = KW_VM_CANARY | KW_VM_CONDEMNED;
	/* A number that is used anew would stand for another set of policies. */
	left.vms[0].match_generation = bench.rules->generation;
	left.vms[0].matched[0] = 0;
	assert_int_equal(kw_plain_begin(bench.plain, &left), 0);
	assert_int_equal(left.vms[0].id, 1);
	assert_int_equal(left.vms[0].flags, KW_VM_SUPERVISED);
	assert_int_equal(left.vms[0].denied, 1);
	assert_int_equal(ask_of(&left, KVM_SET_REGS, 0, 0, false).error, EPERM);
	assert_int_equal(kw_plain_each_vm(bench.plain, count_vm, &vms), 0);
	assert_int_equal(vms, 1);
	kw_plain_end(bench.plain, &left);
	vms = 0;
	assert_int_equal(kw_plain_each_vm(bench.plain, count_vm, &vms), 0);
	assert_int_equal(vms, 0);

	/* Under another backend, which has no use for more than the types. */
	left = (struct kw_asked){.types = 1u << KW_TYPE_SEV | 1u << KW_TYPE_DEFAULT};
	assert_int_equal(kw_plain_begin(bench.plain, &left), 0);
	assert_int_equal(ask_of(&left, KVM_SET_REGS, 0, 0, false).error, EPERM);
	assert_int_equal(left.count, 2);
	assert_int_equal(left.vms[0].flags & KW_VM_ADOPTED, KW_VM_ADOPTED);
	kw_plain_end(bench.plain, &left);
	tear_down();
}

static void test_forged(void **state)
{
	struct kw_asked good, bad;

	(void)state;
	set_up(100, true);
	use_rules("policy: none\nrules: [{operations: [KVM_SET_REGS], verdict: allow}]\n");
	assert_int_equal(ask(KVM_CREATE_VM, 0), 0);
	good = bench.asked;
	bad = good;
	bad.count = KW_ASKED_MAX + 1;
	assert_int_equal(kw_plain_begin(bench.plain, &bad), -EINVAL);
	bad = good;
	bad.vms[0].type = _KW_TYPE_MAX;
	assert_int_equal(kw_plain_begin(bench.plain, &bad), -EINVAL);
	bad = good;
	bad.vms[0].creator.exe.len = KW_PATH_MAX;
	assert_int_equal(kw_plain_begin(bench.plain, &bad), -EINVAL);
	bad = good;
	memset(bad.vms[0].creator.exe.text, 'x', KW_PATH_MAX);
	assert_int_equal(kw_plain_begin(bench.plain, &bad), -EINVAL);
	bad = good;
	bad.vms[0].creator.unit_offset = 0xffff;
	assert_int_equal(kw_plain_begin(bench.plain, &bad), -EINVAL);
	bad = good;
	memset(bad.vms[0].creator.comm, 'x', KW_COMM_LEN);
	assert_int_equal(kw_plain_begin(bench.plain, &bad), -EINVAL);
	assert_int_equal(kw_plain_begin(bench.plain, &good), 0);
	kw_plain_end(bench.plain, &good);
	tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exceptions), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_queue),	   cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_resumed),	   cmocka_unit_test(test_forged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
