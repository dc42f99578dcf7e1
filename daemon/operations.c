/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of operations and the groups of them. */
#include "names.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "util.h"

#define SYSTEM (1u << KW_SCOPE_SYSTEM)
#define VM (1u << KW_SCOPE_VM)
#define VCPU (1u << KW_SCOPE_VCPU)
#define DEVICE (1u << KW_SCOPE_DEVICE)

/* Younger than the headers of Debian 12 (6.1); their numbers are checked where they exist. */
#ifndef KVM_SET_USER_MEMORY_REGION2 /* 6.8 */
#define KVM_SET_USER_MEMORY_REGION2 0x40a0ae49
#endif
#ifndef KVM_SET_MEMORY_ATTRIBUTES /* 6.8 */
#define KVM_SET_MEMORY_ATTRIBUTES 0x4020aed2
#endif
#ifndef KVM_CREATE_GUEST_MEMFD /* 6.8 */
#define KVM_CREATE_GUEST_MEMFD 0xc040aed4
#endif
#ifndef KVM_PRE_FAULT_MEMORY /* 6.11 */
#define KVM_PRE_FAULT_MEMORY 0xc040aed5
#endif

/*
 * kvm_arch_vm_compat_ioctl() takes this one under a number of its own, as the
 * structure holds pointers. All other ioctls have the same number for 32-bit callers.
 */
#define MSR_FILTER_COMPAT 0x4104aec6

#define OPERATION(name, command, scopes) \
	_Static_assert((name) == (command), "the number of " #name " differs from <linux/kvm.h>");
#include "operations-x86.h"
#undef OPERATION
_Static_assert(KVM_CREATE_VM == KW_CMD_CREATE_VM, "the number of KVM_CREATE_VM differs");
_Static_assert(KVMIO == KW_IOC_TYPE, "the type of KVM's ioctls differs");

enum operation_index {
	OP_KVM_CREATE_VM = KW_OP_CREATE_VM,
	OP_VM_DESTROY = KW_OP_VM_DESTROY,
	OP_LAST_FIXED = _KW_OP_FIXED_MAX - 1,
#define OPERATION(name, command, scopes) OP_##name,
#include "operations-x86.h"
#undef OPERATION
	OP_COUNT,
};

_Static_assert(OP_COUNT <= KW_OPERATIONS_MAX, "more operations than struct kw_table has cells");
_Static_assert(_KW_OP_FIXED_MAX == 3, "a fixed operation is missing below");

static const struct kw_operation operations[] = {
	/* The daemon issues its canary on a VM of its own. */
	[KW_OP_CANARY] = {"CANARY", KW_CMD_CANARY, VM | VCPU, .refusable = true},
	[KW_OP_VM_DESTROY] = {"VM_DESTROY", 0, VM, .refusable = false},
	[KW_OP_CREATE_VM] = {"KVM_CREATE_VM", KW_CMD_CREATE_VM, SYSTEM, .refusable = true},
#define OPERATION(name, command, scopes)                                                         \
	[OP_##name] = {#name, command, scopes, .refusable = true,                                \
		       .compat_command = (command) == KVM_X86_SET_MSR_FILTER ? MSR_FILTER_COMPAT \
									     : 0},
#include "operations-x86.h"
#undef OPERATION
};

_Static_assert(KW_ARRAY_SIZE(operations) == OP_COUNT, "the table and its indices differ");

/* What KVM refuses on a protected vCPU, see kvm_arch_vcpu_ioctl_set_regs() and its relatives. */
static const uint16_t set_registers[] = {
	OP_KVM_SET_REGS,  OP_KVM_SET_SREGS, OP_KVM_SET_SREGS2,	  OP_KVM_SET_FPU,
	OP_KVM_SET_XSAVE, OP_KVM_SET_XCRS,  OP_KVM_SET_DEBUGREGS, OP_KVM_SET_GUEST_DEBUG,
};

static const uint16_t get_registers[] = {
	OP_KVM_GET_REGS,  OP_KVM_GET_SREGS,  OP_KVM_GET_SREGS2, OP_KVM_GET_FPU,
	OP_KVM_GET_XSAVE, OP_KVM_GET_XSAVE2, OP_KVM_GET_XCRS,	OP_KVM_GET_DEBUGREGS,
};

static const uint16_t lifecycle[] = {
	OP_KVM_CREATE_VM,
	OP_VM_DESTROY,
};

static const uint16_t all_ioctls[] = {
	OP_KVM_CREATE_VM,
#define OPERATION(name, command, scopes) OP_##name,
#include "operations-x86.h"
#undef OPERATION
};

static const struct kw_group groups[] = {
	{"@set-registers", "writes a vCPU's registers", set_registers,
	 KW_ARRAY_SIZE(set_registers)},
	{"@get-registers", "reads a vCPU's registers", get_registers, KW_ARRAY_SIZE(get_registers)},
	{"@lifecycle", "creation and end of a VM; the end cannot be refused", lifecycle,
	 KW_ARRAY_SIZE(lifecycle)},
	{"@all", "every ioctl this version knows; not VM_DESTROY", all_ioctls,
	 KW_ARRAY_SIZE(all_ioctls)},
};

size_t kw_operation_count(void)
{
	return KW_ARRAY_SIZE(operations);
}

const struct kw_operation *kw_operation(unsigned int index)
{
	if (index >= KW_ARRAY_SIZE(operations))
		return NULL;
	return &operations[index];
}

int kw_operation_from_name(const char *name)
{
	/* The canary belongs to the daemon: no policy may name it. */
	for (unsigned int i = KW_OP_CANARY + 1; i < KW_ARRAY_SIZE(operations); i++)
		if (kw_streq(operations[i].name, name))
			return i;
	return -EINVAL;
}

int kw_operation_from_command(uint32_t command, unsigned int scope)
{
	if (!command || scope >= _KW_SCOPE_MAX)
		return -EINVAL;
	for (unsigned int i = 0; i < KW_ARRAY_SIZE(operations); i++) {
		if (operations[i].command != command && operations[i].compat_command != command)
			continue;
		if (operations[i].scopes & (1u << scope))
			return i;
	}
	return -EINVAL;
}

size_t kw_group_count(void)
{
	return KW_ARRAY_SIZE(groups);
}

const struct kw_group *kw_group(unsigned int index)
{
	if (index >= KW_ARRAY_SIZE(groups))
		return NULL;
	return &groups[index];
}

const struct kw_group *kw_group_from_name(const char *name)
{
	for (size_t i = 0; i < KW_ARRAY_SIZE(groups); i++)
		if (kw_streq(groups[i].name, name))
			return &groups[i];
	return NULL;
}

const char *kw_operation_list(unsigned int index)
{
	const size_t named = KW_ARRAY_SIZE(operations) - 1;

	if (index < named)
		return operations[index + 1].name;
	if (index - named < KW_ARRAY_SIZE(groups))
		return groups[index - named].name;
	return NULL;
}
