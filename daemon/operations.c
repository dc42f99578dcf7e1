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

#ifndef KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP /* 6.2 */
#define KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP 225
#endif
#ifndef KVM_CAP_MEMORY_FAULT_INFO /* 6.8 */
#define KVM_CAP_MEMORY_FAULT_INFO 232
#endif
#ifndef KVM_CAP_X86_APIC_BUS_CYCLES_NS /* 6.11 */
#define KVM_CAP_X86_APIC_BUS_CYCLES_NS 237
#endif

/* Enumerators cannot be asked for: these macros came with them. */
#ifndef KVM_SEV_SNP_PAGE_TYPE_NORMAL /* 6.11 */
#define KVM_SEV_INIT2 22
#define KVM_SEV_SNP_LAUNCH_START 100
#define KVM_SEV_SNP_LAUNCH_UPDATE 101
#define KVM_SEV_SNP_LAUNCH_FINISH 102
#endif
#ifndef KVM_TDX_MEASURE_MEMORY_REGION /* 6.16 */
#define KVM_TDX_CAPABILITIES 0
#define KVM_TDX_INIT_VM 1
#define KVM_TDX_INIT_VCPU 2
#define KVM_TDX_INIT_MEM_REGION 3
#define KVM_TDX_FINALIZE_VM 4
#define KVM_TDX_GET_CPUID 5
#endif
#define SYNC_REGS KW_MEMBER_SYNC_REGS /* ours */

/*
 * kvm_arch_vm_compat_ioctl() takes this one under a number of its own, as the
 * structure holds pointers. All other ioctls have the same number for 32-bit callers.
 */
#define MSR_FILTER_COMPAT 0x4104aec6

#define OPERATION(name, command, scopes) \
	_Static_assert((name) == (command), "the number of " #name " differs from <linux/kvm.h>");
#define MEMBER(name, family, number, scopes, firmware, also)                                      \
	_Static_assert((name) == (number), "the number of " #name " differs from <linux/kvm.h>"); \
	_Static_assert((number) < KW_MEMBER_UNREADABLE, "the number of " #name " is too high");
#include "operations-x86.h"
#undef OPERATION
#undef MEMBER
_Static_assert(KVM_CREATE_VM == KW_CMD_CREATE_VM, "the number of KVM_CREATE_VM differs");
_Static_assert(KVM_RUN == KW_CMD_RUN, "the number of KVM_RUN differs");
_Static_assert(KVM_ENABLE_CAP == KW_CMD_ENABLE_CAP, "the number of KVM_ENABLE_CAP differs");
_Static_assert(KVM_MEMORY_ENCRYPT_OP == KW_CMD_MEMORY_ENCRYPT_OP,
	       "the number of KVM_MEMORY_ENCRYPT_OP differs");
_Static_assert(KVM_SET_REGS == KW_CMD_SET_REGS, "the number of KVM_SET_REGS differs");
_Static_assert(KVM_SET_SREGS == KW_CMD_SET_SREGS, "the number of KVM_SET_SREGS differs");
_Static_assert(KVM_SET_FPU == KW_CMD_SET_FPU, "the number of KVM_SET_FPU differs");
_Static_assert(KVM_SET_SREGS2 == KW_CMD_SET_SREGS2, "the number of KVM_SET_SREGS2 differs");
_Static_assert(KVM_SET_XCRS == KW_CMD_SET_XCRS, "the number of KVM_SET_XCRS differs");
_Static_assert(KVM_SET_DEBUGREGS == KW_CMD_SET_DEBUGREGS,
	       "the number of KVM_SET_DEBUGREGS differs");
_Static_assert(KVMIO == KW_IOC_TYPE, "the type of KVM's ioctls differs");

enum operation_index {
	OP_KVM_CREATE_VM = KW_OP_CREATE_VM,
	OP_VM_DESTROY = KW_OP_VM_DESTROY,
	OP_LAST_FIXED = _KW_OP_FIXED_MAX - 1,
#define OPERATION(name, command, scopes) OP_##name,
#define MEMBER(name, family, number, scopes, firmware, also) OP_##name,
#include "operations-x86.h"
#undef OPERATION
#undef MEMBER
	OP_KVM_SEV_UNREADABLE,
	OP_KVM_TDX_UNREADABLE,
	OP_KVM_CAP_UNREADABLE,
	OP_COUNT,
};

_Static_assert(OP_COUNT <= KW_OPERATIONS_MAX, "more operations than struct kw_table has cells");
_Static_assert(_KW_OP_FIXED_MAX == 3, "a fixed operation is missing below");

/* The ioctl that a family shares. */
#define PARENT_SEV OP_KVM_MEMORY_ENCRYPT_OP
#define PARENT_TDX OP_KVM_MEMORY_ENCRYPT_OP
#define PARENT_CAP OP_KVM_ENABLE_CAP
#define PARENT_RUN OP_KVM_RUN

#define UNREADABLE(family_, scopes_)                   \
	[OP_KVM_##family_##_UNREADABLE] = {            \
		.name = "KVM_" #family_ "_UNREADABLE", \
		.scopes = (scopes_),                   \
		.refusable = true,                     \
		.hidden = true,                        \
		.family = KW_FAMILY_##family_,         \
		.member = KW_MEMBER_UNREADABLE,        \
		.parent = PARENT_##family_,            \
	}

static const struct kw_operation operations[] = {
	/* The daemon issues its canary on a VM of its own. */
	[KW_OP_CANARY] = {.name = "CANARY",
			  .command = KW_CMD_CANARY,
			  .scopes = VM | VCPU,
			  .refusable = true,
			  .hidden = true},
	[KW_OP_VM_DESTROY] = {.name = "VM_DESTROY", .scopes = VM},
	[KW_OP_CREATE_VM] = {.name = "KVM_CREATE_VM",
			     .command = KW_CMD_CREATE_VM,
			     .scopes = SYSTEM,
			     .refusable = true},
#define OPERATION(name_, command_, scopes_)                                                        \
	[OP_##name_] = {.name = #name_,                                                            \
			.command = (command_),                                                     \
			.scopes = (scopes_),                                                       \
			.refusable = true,                                                         \
			.compat_command = (command_) == KVM_X86_SET_MSR_FILTER ? MSR_FILTER_COMPAT \
									       : 0},
#define MEMBER(name_, family_, number_, scopes_, firmware_, also_) \
	[OP_##name_] = {.name = #name_,                            \
			.scopes = (scopes_),                       \
			.refusable = true,                         \
			.family = KW_FAMILY_##family_,             \
			.member = (number_),                       \
			.parent = PARENT_##family_,                \
			.firmware = (firmware_),                   \
			.also = (also_)},
#include "operations-x86.h"
#undef OPERATION
#undef MEMBER
	UNREADABLE(SEV, VM),
	UNREADABLE(TDX, VM | VCPU),
	UNREADABLE(CAP, VM | VCPU),
};

_Static_assert(KW_ARRAY_SIZE(operations) == OP_COUNT, "the table and its indices differ");

/* What KVM refuses on a protected vCPU, see kvm_arch_vcpu_ioctl_set_regs() and its relatives. */
static const uint16_t set_registers[] = {
	OP_KVM_SET_REGS, OP_KVM_SET_SREGS,     OP_KVM_SET_SREGS2,
	OP_KVM_SET_FPU,	 OP_KVM_SET_XSAVE,     OP_KVM_SET_XCRS,
	OP_SYNC_REGS,	 OP_KVM_SET_DEBUGREGS, OP_KVM_SET_GUEST_DEBUG,
};

static const uint16_t get_registers[] = {
	OP_KVM_GET_REGS,  OP_KVM_GET_SREGS,  OP_KVM_GET_SREGS2, OP_KVM_GET_FPU,
	OP_KVM_GET_XSAVE, OP_KVM_GET_XSAVE2, OP_KVM_GET_XCRS,	OP_KVM_GET_DEBUGREGS,
};

static const uint16_t debug[] = {
	OP_KVM_SET_GUEST_DEBUG,
	OP_KVM_TRANSLATE,
	OP_KVM_SEV_DBG_DECRYPT,
	OP_KVM_SEV_DBG_ENCRYPT,
};

static const uint16_t inject[] = {
	OP_KVM_INTERRUPT,
	OP_KVM_NMI,
	OP_KVM_SMI,
	OP_KVM_SET_VCPU_EVENTS,
	OP_KVM_SET_LAPIC,
	OP_KVM_X86_SET_MCE,
	OP_KVM_SIGNAL_MSI,
	OP_KVM_IRQ_LINE,
	OP_KVM_IRQ_LINE_STATUS,
	OP_KVM_SET_IRQCHIP,
	OP_KVM_XEN_HVM_EVTCHN_SEND,
};

static const uint16_t launch[] = {
	OP_KVM_SEV_INIT,
	OP_KVM_SEV_ES_INIT,
	OP_KVM_SEV_INIT2,
	OP_KVM_SEV_LAUNCH_START,
	OP_KVM_SEV_LAUNCH_UPDATE_DATA,
	OP_KVM_SEV_LAUNCH_UPDATE_VMSA,
	OP_KVM_SEV_LAUNCH_SECRET,
	OP_KVM_SEV_LAUNCH_MEASURE,
	OP_KVM_SEV_LAUNCH_FINISH,
	OP_KVM_SEV_SNP_LAUNCH_START,
	OP_KVM_SEV_SNP_LAUNCH_UPDATE,
	OP_KVM_SEV_SNP_LAUNCH_FINISH,
	OP_KVM_TDX_INIT_VM,
	OP_KVM_TDX_INIT_VCPU,
	OP_KVM_TDX_INIT_MEM_REGION,
	OP_KVM_TDX_FINALIZE_VM,
};

static const uint16_t migration[] = {
	OP_KVM_SEV_SEND_START,
	OP_KVM_SEV_SEND_UPDATE_DATA,
	OP_KVM_SEV_SEND_UPDATE_VMSA,
	OP_KVM_SEV_SEND_FINISH,
	OP_KVM_SEV_SEND_CANCEL,
	OP_KVM_SEV_RECEIVE_START,
	OP_KVM_SEV_RECEIVE_UPDATE_DATA,
	OP_KVM_SEV_RECEIVE_UPDATE_VMSA,
	OP_KVM_SEV_RECEIVE_FINISH,
	OP_KVM_CAP_VM_COPY_ENC_CONTEXT_FROM,
	OP_KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM,
};

static const uint16_t memory[] = {
	OP_KVM_SET_USER_MEMORY_REGION,	  OP_KVM_SET_USER_MEMORY_REGION2,
	OP_KVM_SET_MEMORY_ATTRIBUTES,	  OP_KVM_CREATE_GUEST_MEMFD,
	OP_KVM_MEMORY_ENCRYPT_REG_REGION, OP_KVM_MEMORY_ENCRYPT_UNREG_REGION,
	OP_KVM_PRE_FAULT_MEMORY,
};

static const uint16_t create[] = {
	OP_KVM_CREATE_VM,  OP_KVM_CREATE_VCPU, OP_KVM_CREATE_DEVICE,	  OP_KVM_CREATE_IRQCHIP,
	OP_KVM_CREATE_PIT, OP_KVM_CREATE_PIT2, OP_KVM_CREATE_GUEST_MEMFD,
};

static const uint16_t lifecycle[] = {
	OP_KVM_CREATE_VM,
	OP_VM_DESTROY,
};

static const uint16_t all[] = {
	OP_KVM_CREATE_VM,
#define OPERATION(name, command, scopes) OP_##name,
#define MEMBER(name, family, number, scopes, firmware, also) OP_##name,
#include "operations-x86.h"
#undef OPERATION
#undef MEMBER
};

#define GROUP(name, operations, description)                             \
	{                                                                \
		name, description, operations, KW_ARRAY_SIZE(operations) \
	}

static const struct kw_group groups[] = {
	GROUP("@set-registers", set_registers, "writes a vCPU's registers"),
	GROUP("@get-registers", get_registers, "reads a vCPU's registers"),
	GROUP("@debug", debug, "looks into a guest, or steps it, from outside"),
	GROUP("@inject", inject, "interrupts and exceptions; most are a VMM's daily work"),
	GROUP("@launch", launch, "makes a VM a confidential one, up to its sealing"),
	GROUP("@migration", migration, "takes a confidential guest out of its VM, or into one"),
	GROUP("@memory", memory, "the layout of a guest's memory, and what of it is private"),
	GROUP("@create", create, "VMs, vCPUs and what they are made of"),
	GROUP("@lifecycle", lifecycle, "creation and end of a VM; the end cannot be refused"),
	GROUP("@all", all, "every operation this version knows; not VM_DESTROY"),
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
	for (unsigned int i = 0; i < KW_ARRAY_SIZE(operations); i++)
		if (!operations[i].hidden && kw_streq(operations[i].name, name))
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
	for (unsigned int i = 0; i < KW_ARRAY_SIZE(operations); i++)
		if (!operations[i].hidden && index-- == 0)
			return operations[i].name;
	return index < KW_ARRAY_SIZE(groups) ? groups[index].name : NULL;
}
