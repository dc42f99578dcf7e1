/* SPDX-License-Identifier: GPL-2.0-only */
/* The tables of names and of operations. */
#include <errno.h>

#include "event-kinds.h"
#include "names.h"
#include "unit.h"
#include "util.h"

static void check_table(unsigned int count, const char *(*name)(unsigned int),
			int (*value)(const char *))
{
	for (unsigned int i = 0; i < count; i++) {
		assert_non_null(name(i));
		assert_int_equal(value(name(i)), i);
	}
	assert_string_equal(name(count), "unknown");
	assert_string_equal(name(UINT32_MAX), "unknown");
	assert_int_equal(value("no such name"), -EINVAL);
	assert_int_equal(value(""), -EINVAL);
}

static void enumerations(void **state)
{
	(void)state;
	check_table(_KW_TYPE_MAX, kw_type_name, kw_type_from_name);
	check_table(_KW_STATE_MAX, kw_state_name, kw_state_from_name);
	check_table(_KW_VERDICT_MAX, kw_verdict_name, kw_verdict_from_name);
	check_table(_KW_ENTRY_MAX, kw_entry_name, kw_entry_from_name);
	check_table(_KW_BACKEND_MAX, kw_backend_name, kw_backend_from_name);
	assert_string_equal(kw_type_name(4), "sev-snp");
	assert_string_equal(kw_scope_name(KW_SCOPE_VCPU), "vcpu");
	assert_string_equal(kw_event_kind_name(KW_EVENT_VM_CREATED), "vm-created");
	assert_string_equal(kw_event_kind_name(_KW_EVENT_MAX), "unknown");
	assert_null(kw_type_list(KW_TYPE_UNKNOWN));
}

static void errnos(void **state)
{
	unsigned int named = 0;

	(void)state;
	assert_string_equal(kw_errno_name(EPERM), "EPERM");
	assert_string_equal(kw_errno_name(KW_CANARY_ERRNO), "ENOANO");
	assert_null(kw_errno_name(0));
	assert_null(kw_errno_name(-1));
	assert_null(kw_errno_name(256));
	for (int error = 1; error < 256; error++) {
		if (!kw_errno_name(error))
			continue;
		assert_int_equal(kw_errno_from_name(kw_errno_name(error)), error);
		named++;
	}
	assert_true(named > 120);
	assert_int_equal(kw_errno_from_name("EWOULDBLOCK"), EAGAIN);
	assert_int_equal(kw_errno_from_name("ENOTSUP"), EOPNOTSUPP);
	assert_int_equal(kw_errno_from_name("eperm"), -EINVAL);
	assert_int_equal(kw_errno_from_name("0"), -EINVAL);
	assert_int_equal(kw_errno_from_name(""), -EINVAL);
}

static void operation_names(void **state)
{
	(void)state;
	assert_in_range(kw_operation_count(), 100, KW_OPERATIONS_MAX);
	assert_null(kw_operation(kw_operation_count()));
	assert_int_equal(kw_operation_from_name("CANARY"), -EINVAL);
	assert_int_equal(kw_operation_from_name("KVM_CREATE_VM"), KW_OP_CREATE_VM);
	assert_int_equal(kw_operation_from_name("VM_DESTROY"), KW_OP_VM_DESTROY);
	assert_int_equal(kw_operation_from_name("kvm_create_vm"), -EINVAL);
	for (unsigned int i = KW_OP_CANARY + 1; i < kw_operation_count(); i++) {
		assert_int_equal(kw_operation_from_name(kw_operation(i)->name),
				 kw_operation(i)->hidden ? -EINVAL : (int)i);
		assert_int_not_equal(kw_operation(i)->scopes, 0);
		assert_int_equal(kw_operation(i)->scopes >> _KW_SCOPE_MAX, 0);
	}
}

/* "a number on a scope is one operation, and every ioctl of its own is KVM's" */
static void operation_commands(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < kw_operation_count(); i++) {
		const struct kw_operation *op = kw_operation(i);

		assert_int_equal(op->refusable, i != KW_OP_VM_DESTROY);
		if (i == KW_OP_VM_DESTROY || op->family) {
			assert_int_equal(op->command, 0);
			continue;
		}
		assert_int_equal(op->command >> 8 & 0xff, KW_IOC_TYPE);
		for (unsigned int scope = 0; scope < _KW_SCOPE_MAX; scope++)
			assert_int_equal(kw_operation_from_command(op->command, scope),
					 op->scopes & (1u << scope) ? (int)i : -EINVAL);
	}
	for (unsigned int scope = 0; scope <= _KW_SCOPE_MAX; scope++)
		assert_int_equal(kw_operation_from_command(0, scope), -EINVAL);
	assert_int_equal(kw_operation_from_command(0x0000ae01, 32), -EINVAL);
}

/* "what shares an ioctl has a parent that has the number, and a number of its own in the family" */
static void operation_families(void **state)
{
	unsigned int seen[_KW_FAMILY_MAX] = {};

	(void)state;
	for (unsigned int i = 0; i < kw_operation_count(); i++) {
		const struct kw_operation *op = kw_operation(i), *parent;

		if (!op->family) {
			assert_int_equal(op->parent, 0);
			assert_int_equal(op->firmware, 0);
			continue;
		}
		assert_true(op->family < _KW_FAMILY_MAX);
		parent = kw_operation(op->parent);
		assert_int_not_equal(parent->command, 0);
		assert_int_equal(parent->family, KW_FAMILY_NONE);
		assert_int_equal(op->scopes & ~parent->scopes, 0);
		assert_int_equal(op->hidden, op->member == KW_MEMBER_UNREADABLE);
		for (unsigned int j = 0; j < i; j++)
			assert_false(kw_operation(j)->family == op->family &&
				     kw_operation(j)->member == op->member);
		seen[op->family]++;
	}
	/* All commands of SEV and TDX up to Linux 6.19, and their unreadable ones. */
	assert_int_equal(seen[KW_FAMILY_SEV], 26 + 1);
	assert_int_equal(seen[KW_FAMILY_TDX], 6 + 1);
	assert_in_range(seen[KW_FAMILY_CAP], 30, 80);
	assert_int_equal(seen[KW_FAMILY_RUN], 1);
}

/* "a firmware command belongs to one operation" */
static void firmware_commands(void **state)
{
	unsigned int owner[KW_FIRMWARE_MAX] = {};

	(void)state;
	for (unsigned int i = 0; i < kw_operation_count(); i++) {
		unsigned int firmware = kw_operation(i)->firmware;

		if (!firmware)
			continue;
		assert_int_equal(owner[firmware], 0);
		assert_int_equal(kw_operation(i)->family, KW_FAMILY_SEV);
		owner[firmware] = i;
	}
	assert_string_equal(kw_operation(owner[0x60])->name, "KVM_SEV_DBG_DECRYPT");
}

/* Pairs of ioctls with the same low byte: only the whole number tells them apart. */
static const struct {
	uint32_t command;
	unsigned int scope;
	const char *name;
} collisions[] = {
	{0x8070ae9f, KW_SCOPE_VM, "KVM_GET_PIT2"},
	{0x8040ae9f, KW_SCOPE_VCPU, "KVM_GET_VCPU_EVENTS"},
	{0x4070aea0, KW_SCOPE_VM, "KVM_SET_PIT2"},
	{0x4040aea0, KW_SCOPE_VCPU, "KVM_SET_VCPU_EVENTS"},
	{0x0000aea2, KW_SCOPE_VM, "KVM_SET_TSC_KHZ"},
	{0x0000aea2, KW_SCOPE_VCPU, "KVM_SET_TSC_KHZ"},
	{0x4080aea2, KW_SCOPE_VCPU, "KVM_SET_DEBUGREGS"},
	{0x0000aea3, KW_SCOPE_VCPU, "KVM_GET_TSC_KHZ"},
	{0x4068aea3, KW_SCOPE_VM, "KVM_ENABLE_CAP"},
	{0x4068aea3, KW_SCOPE_VCPU, "KVM_ENABLE_CAP"},
	{0x4020aea5, KW_SCOPE_VM, "KVM_SIGNAL_MSI"},
	{0x5000aea5, KW_SCOPE_VCPU, "KVM_SET_XSAVE"},
	{0xc008ae67, KW_SCOPE_VM, "KVM_IRQ_LINE_STATUS"},
	{0x4010ae67, KW_SCOPE_VM, "KVM_REGISTER_COALESCED_MMIO"},
	{0x4090ae82, KW_SCOPE_VCPU, "KVM_SET_REGS"},
	{0x4188aec6, KW_SCOPE_VM, "KVM_X86_SET_MSR_FILTER"},
	{0x4104aec6, KW_SCOPE_VM, "KVM_X86_SET_MSR_FILTER"},
};

static void colliding_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(collisions); i++) {
		int index = kw_operation_from_command(collisions[i].command, collisions[i].scope);

		assert_true(index >= 0);
		assert_string_equal(kw_operation(index)->name, collisions[i].name);
	}
	assert_int_equal(kw_operation_from_command(0x4090ae82, KW_SCOPE_VM), -EINVAL);
	assert_int_equal(kw_operation_from_command(0x8090ae82, KW_SCOPE_VCPU), -EINVAL);
}

static bool in_group(const char *group, const char *operation)
{
	const struct kw_group *g = kw_group_from_name(group);
	int index = kw_operation_from_name(operation);

	assert_non_null(g);
	assert_true(index >= 0);
	for (size_t i = 0; i < g->count; i++)
		if (g->operations[i] == index)
			return true;
	return false;
}

static void groups(void **state)
{
	size_t nameable = 0;

	(void)state;
	assert_int_equal(kw_group_from_name("@set-registers")->count, 9);
	assert_true(in_group("@set-registers", "KVM_SET_REGS"));
	assert_true(in_group("@set-registers", "KVM_SET_GUEST_DEBUG"));
	assert_false(in_group("@set-registers", "KVM_GET_REGS"));
	assert_true(in_group("@get-registers", "KVM_GET_XSAVE2"));
	assert_true(in_group("@set-registers", "SYNC_REGS"));
	assert_true(in_group("@debug", "KVM_SEV_DBG_DECRYPT"));
	assert_true(in_group("@inject", "KVM_SIGNAL_MSI"));
	assert_true(in_group("@launch", "KVM_SEV_SNP_LAUNCH_FINISH"));
	assert_true(in_group("@launch", "KVM_TDX_FINALIZE_VM"));
	assert_true(in_group("@migration", "KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM"));
	assert_true(in_group("@memory", "KVM_CREATE_GUEST_MEMFD"));
	assert_true(in_group("@create", "KVM_CREATE_VM"));
	assert_true(in_group("@all", "KVM_CAP_HALT_POLL"));
	assert_true(in_group("@lifecycle", "VM_DESTROY"));
	assert_false(in_group("@all", "VM_DESTROY"));
	/* All but the end of a VM, and what no policy can name. */
	for (unsigned int i = 0; i < kw_operation_count(); i++)
		nameable += !kw_operation(i)->hidden;
	assert_int_equal(kw_group_from_name("@all")->count, nameable - 1);
	assert_null(kw_group_from_name("set-registers"));
	assert_null(kw_group(kw_group_count()));
	for (size_t i = 0; i < kw_group_count(); i++) {
		assert_ptr_equal(kw_group_from_name(kw_group(i)->name), kw_group(i));
		assert_int_equal(kw_group(i)->name[0], '@');
		for (size_t j = 0; j < kw_group(i)->count; j++)
			assert_false(kw_operation(kw_group(i)->operations[j])->hidden);
	}
}

static void nearest(void **state)
{
	char text[200];

	(void)state;
	assert_string_equal(kw_nearest("KVM_SET_REG", kw_operation_list), "KVM_SET_REGS");
	assert_string_equal(kw_nearest("kvm_runn", kw_operation_list), "KVM_RUN");
	assert_string_equal(kw_nearest("@set-regsters", kw_operation_list), "@set-registers");
	assert_string_equal(kw_nearest("sevsnp", kw_type_list), "sev-snp");
	assert_string_equal(kw_nearest("tdx1", kw_type_list), "tdx");
	assert_null(kw_nearest("banana", kw_type_list));
	assert_null(kw_nearest("", kw_operation_list));
	memset(text, 'K', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_null(kw_nearest(text, kw_operation_list));
	assert_int_equal(kw_name_distance("deny", "deny"), 0);
	assert_int_equal(kw_name_distance("dney", "deny"), 1);
	assert_int_equal(kw_name_distance("nd", "deny"), KW_TOO_FAR);
	assert_int_equal(kw_name_distance("EPREM", "EPERM"), 1);
	assert_int_equal(kw_name_distance("denny", "deny"), 1);
}

static void numbers(void **state)
{
	uint64_t value = 42;
	uint32_t small = 42;

	(void)state;
	assert_int_equal(kw_parse_u64("18446744073709551615", UINT64_MAX, &value), 0);
	assert_true(value == UINT64_MAX);
	assert_int_equal(kw_parse_u64("18446744073709551616", UINT64_MAX, &value), -ERANGE);
	assert_int_equal(kw_parse_u64("99999999999999999999999", UINT64_MAX, &value), -ERANGE);
	assert_int_equal(kw_parse_u32("0", 10, &small), 0);
	assert_int_equal(small, 0);
	assert_int_equal(kw_parse_u32("11", 10, &small), -ERANGE);
	assert_int_equal(kw_parse_u32("", 10, &small), -EINVAL);
	assert_int_equal(kw_parse_u32("+1", 10, &small), -EINVAL);
	assert_int_equal(kw_parse_u32("-1", 10, &small), -EINVAL);
	assert_int_equal(kw_parse_u32(" 1", 10, &small), -EINVAL);
	assert_int_equal(kw_parse_u32("1 ", 10, &small), -EINVAL);
	assert_int_equal(kw_parse_u32("01", 10, &small), -EINVAL);
	assert_int_equal(kw_parse_u32("0x1", 10, &small), -EINVAL);
	assert_int_equal(small, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enumerations),
		cmocka_unit_test(errnos),
		cmocka_unit_test(operation_names),
		cmocka_unit_test(operation_commands),
		cmocka_unit_test(colliding_numbers),
		cmocka_unit_test(groups),
		cmocka_unit_test(nearest),
		cmocka_unit_test(numbers),
		cmocka_unit_test(operation_families),
		cmocka_unit_test(firmware_commands),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
