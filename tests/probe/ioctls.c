/* SPDX-License-Identifier: GPL-2.0-only */
/* Names and numbers of the ioctls of KVM on x86. */
#include "probe.h"

#include <string.h>

#include "compat_kvm.h"

#define OP(name) #name, (name)

static const struct ioctl_op ops[] = {
	{OP(KVM_GET_API_VERSION)},
	{OP(KVM_CREATE_VM)},
	{OP(KVM_GET_MSR_INDEX_LIST)},
	{OP(KVM_CHECK_EXTENSION)},
	{OP(KVM_GET_VCPU_MMAP_SIZE)},
	{OP(KVM_GET_SUPPORTED_CPUID)},
	{OP(KVM_GET_EMULATED_CPUID)},
	{OP(KVM_GET_MSR_FEATURE_INDEX_LIST)},
	{OP(KVM_GET_SUPPORTED_HV_CPUID)},
	{OP(KVM_X86_GET_MCE_CAP_SUPPORTED)},
	{OP(KVM_CREATE_VCPU)},
	{OP(KVM_GET_DIRTY_LOG)},
	{OP(KVM_CLEAR_DIRTY_LOG)},
	{OP(KVM_RESET_DIRTY_RINGS)},
	{OP(KVM_SET_NR_MMU_PAGES)},
	{OP(KVM_GET_NR_MMU_PAGES)},
	{OP(KVM_SET_USER_MEMORY_REGION)},
	{OP(KVM_SET_USER_MEMORY_REGION2)},
	{OP(KVM_SET_MEMORY_ATTRIBUTES)},
	{OP(KVM_CREATE_GUEST_MEMFD)},
	{OP(KVM_SET_TSS_ADDR)},
	{OP(KVM_SET_IDENTITY_MAP_ADDR)},
	{OP(KVM_CREATE_IRQCHIP)},
	{OP(KVM_IRQ_LINE)},
	{OP(KVM_IRQ_LINE_STATUS)},
	{OP(KVM_GET_IRQCHIP)},
	{OP(KVM_SET_IRQCHIP)},
	{OP(KVM_CREATE_PIT)},
	{OP(KVM_CREATE_PIT2)},
	{OP(KVM_GET_PIT)},
	{OP(KVM_SET_PIT)},
	{OP(KVM_GET_PIT2)},
	{OP(KVM_SET_PIT2)},
	{OP(KVM_REINJECT_CONTROL)},
	{OP(KVM_SET_GSI_ROUTING)},
	{OP(KVM_IRQFD)},
	{OP(KVM_IOEVENTFD)},
	{OP(KVM_SIGNAL_MSI)},
	{OP(KVM_SET_BOOT_CPU_ID)},
	{OP(KVM_XEN_HVM_CONFIG)},
	{OP(KVM_XEN_HVM_GET_ATTR)},
	{OP(KVM_XEN_HVM_SET_ATTR)},
	{OP(KVM_XEN_HVM_EVTCHN_SEND)},
	{OP(KVM_SET_CLOCK)},
	{OP(KVM_GET_CLOCK)},
	{OP(KVM_SET_PMU_EVENT_FILTER)},
	{OP(KVM_X86_SET_MSR_FILTER)},
	{OP(KVM_HYPERV_EVENTFD)},
	{OP(KVM_MEMORY_ENCRYPT_OP)},
	{OP(KVM_MEMORY_ENCRYPT_REG_REGION)},
	{OP(KVM_MEMORY_ENCRYPT_UNREG_REGION)},
	{OP(KVM_ENABLE_CAP)},
	{OP(KVM_CREATE_DEVICE)},
	{OP(KVM_SET_DEVICE_ATTR)},
	{OP(KVM_GET_DEVICE_ATTR)},
	{OP(KVM_HAS_DEVICE_ATTR)},
	{OP(KVM_GET_STATS_FD)},
	{OP(KVM_RUN)},
	{OP(KVM_GET_REGS)},
	{OP(KVM_SET_REGS)},
	{OP(KVM_GET_SREGS)},
	{OP(KVM_SET_SREGS)},
	{OP(KVM_GET_SREGS2)},
	{OP(KVM_SET_SREGS2)},
	{OP(KVM_GET_FPU)},
	{OP(KVM_SET_FPU)},
	{OP(KVM_GET_XSAVE)},
	{OP(KVM_GET_XSAVE2)},
	{OP(KVM_SET_XSAVE)},
	{OP(KVM_GET_XCRS)},
	{OP(KVM_SET_XCRS)},
	{OP(KVM_GET_DEBUGREGS)},
	{OP(KVM_SET_DEBUGREGS)},
	{OP(KVM_SET_GUEST_DEBUG)},
	{OP(KVM_GET_ONE_REG)},
	{OP(KVM_SET_ONE_REG)},
	{OP(KVM_GET_REG_LIST)},
	{OP(KVM_GET_MSRS)},
	{OP(KVM_SET_MSRS)},
	{OP(KVM_GET_VCPU_EVENTS)},
	{OP(KVM_SET_VCPU_EVENTS)},
	{OP(KVM_GET_LAPIC)},
	{OP(KVM_SET_LAPIC)},
	{OP(KVM_GET_MP_STATE)},
	{OP(KVM_SET_MP_STATE)},
	{OP(KVM_GET_NESTED_STATE)},
	{OP(KVM_SET_NESTED_STATE)},
	{OP(KVM_TRANSLATE)},
	{OP(KVM_INTERRUPT)},
	{OP(KVM_NMI)},
	{OP(KVM_SMI)},
	{OP(KVM_SET_CPUID)},
	{OP(KVM_SET_CPUID2)},
	{OP(KVM_GET_CPUID2)},
	{OP(KVM_SET_SIGNAL_MASK)},
	{OP(KVM_TPR_ACCESS_REPORTING)},
	{OP(KVM_SET_VAPIC_ADDR)},
	{OP(KVM_X86_SETUP_MCE)},
	{OP(KVM_X86_SET_MCE)},
	{OP(KVM_SET_TSC_KHZ)},
	{OP(KVM_GET_TSC_KHZ)},
	{OP(KVM_KVMCLOCK_CTRL)},
	{OP(KVM_XEN_VCPU_GET_ATTR)},
	{OP(KVM_XEN_VCPU_SET_ATTR)},
	{OP(KVM_PRE_FAULT_MEMORY)},
};

static const uint32_t get_registers[] = {
	KVM_GET_REGS,	KVM_GET_SREGS, KVM_GET_SREGS2,	  KVM_GET_FPU, KVM_GET_XSAVE,
	KVM_GET_XSAVE2, KVM_GET_XCRS,  KVM_GET_DEBUGREGS, 0,
};

static const uint32_t set_registers[] = {
	KVM_SET_REGS, KVM_SET_SREGS,	 KVM_SET_SREGS2,      KVM_SET_FPU, KVM_SET_XSAVE,
	KVM_SET_XCRS, KVM_SET_DEBUGREGS, KVM_SET_GUEST_DEBUG, 0,
};

const struct ioctl_op *ioctl_by_name(const char *name)
{
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (strcmp(ops[i].name, name) == 0)
			return &ops[i];
	return NULL;
}

const char *ioctl_name(uint32_t number)
{
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (ops[i].number == number)
			return ops[i].name;
	return NULL;
}

const uint32_t *ioctl_group(const char *name)
{
	if (strcmp(name, "@get-registers") == 0)
		return get_registers;
	if (strcmp(name, "@set-registers") == 0)
		return set_registers;
	return NULL;
}

uint32_t ioctl_getter(uint32_t number)
{
	switch (number) {
	case KVM_SET_REGS:
		return KVM_GET_REGS;
	case KVM_SET_SREGS:
		return KVM_GET_SREGS;
	case KVM_SET_SREGS2:
		return KVM_GET_SREGS2;
	case KVM_SET_FPU:
		return KVM_GET_FPU;
	case KVM_SET_XSAVE:
		return KVM_GET_XSAVE;
	case KVM_SET_XCRS:
		return KVM_GET_XCRS;
	case KVM_SET_DEBUGREGS:
		return KVM_GET_DEBUGREGS;
	case KVM_SET_VCPU_EVENTS:
		return KVM_GET_VCPU_EVENTS;
	case KVM_SET_MP_STATE:
		return KVM_GET_MP_STATE;
	default:
		return 0;
	}
}

bool ioctl_makes_fd(uint32_t number)
{
	return number == KVM_CREATE_VM || number == KVM_CREATE_VCPU || number == KVM_GET_STATS_FD ||
	       number == KVM_CREATE_GUEST_MEMFD;
}
