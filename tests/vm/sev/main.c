/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Test-only kernel module: makes virtual machines of every type creatable on a
 * machine without SEV or TDX, standing in for the firmware only.
 *
 * NEVER load this outside a test guest. It claims protection that is not
 * there, and it patches running KVM code.
 *
 * What it does:
 *
 *  - It sets the bits of the VM types in kvm_caps.supported_vm_types. KVM then
 *    creates such VMs by itself: vm_type, has_protected_state and need_init are
 *    its own doing.
 *  - It takes the place of kvm_amd's sev_mem_enc_ioctl(), which answers ENOTTY
 *    without SEV. The launch commands make the checks of KVM that need no
 *    firmware and then set what the real handlers set: active, es_active,
 *    handle and vmsa_features of the VM, guest_state_protected of each vCPU,
 *    and, for SEV-ES but not for SNP, a confidential fpstate. The data of the
 *    other commands is not looked at; those that would need the firmware for
 *    more than an answer get ENODEV, as if it were missing.
 *  - Where KVM would hand a command to the firmware, it calls the same door,
 *    sev_issue_cmd_external_user() of ccp, with the same number. Only the file
 *    of /dev/sev is missing, so ccp refuses; whoever watches the door sees it.
 *  - It counts what passed KVM's own checks, in debugfs below kw_sev_test:
 *    "executed" has a line "ID COUNT" per sub-command, "executed_tdx" the same
 *    for TDX, "enabled_caps" for the capabilities that copy or move a context.
 *  - A process whose id is written to its parameter seal_late finds its vCPU
 *    sealed between the check of its next ioctl on it and the ioctl.
 *  - It answers EINVAL where KVM would enter such a guest: there is no ASID.
 *  - It takes the marks away before KVM destroys the VM, because KVM would give
 *    the ASID back. The VMSA pages of the vCPUs are leaked, and so is the charge
 *    of a VM that a context was moved to.
 *
 * TDX belongs to kvm_intel, which is not there, so for type 5 it stands in for
 * that too: it sets what tdx_vm_init() sets at creation and what
 * tdx_vcpu_create() sets at KVM_CREATE_VCPU (a TDX vCPU is sealed from then on),
 * refuses a vCPU before KVM_TDX_INIT_VM, and answers the commands of vCPUs on
 * the VM's fd as well, because kvm_amd has none on the vCPU's. need_init stays
 * set, so that such a vCPU never runs.
 *
 * Everything else is KVM's own. Kernels before 6.10 have no VM types; there
 * it serves the legacy commands only.
 *
 * BPF programs may hang on sev_mem_enc_ioctl() too: fexit sees what the
 * stand-in returned, whichever came first.
 */
#include "stand-in.h"

#include <linux/misc_cgroup.h>
#include <linux/module.h>

/* Newer kernels export kvm_caps to KVM's own modules only. */
static unsigned long address_of(const char *name)
{
	struct kprobe probe = {.symbol_name = "kallsyms_lookup_name"};
	unsigned long (*lookup)(const char *name);

	if (register_kprobe(&probe) < 0)
		return 0;
	/* The probe may sit behind an ENDBR. */
	lookup = (void *)ALIGN_DOWN((unsigned long)probe.addr, 16);
	unregister_kprobe(&probe);
	return lookup(name);
}

static int __init kw_sev_test_init(void)
{
	unsigned long caps = address_of("kvm_caps");
	int r;

	if (!caps) {
		pr_err("kvm_caps not found\n");
		return -ENOENT;
	}
	r = probes_register();
	if (r < 0)
		return r;
#if KW_SUPPORTED_VM_TYPES >= 0
	*(u32 *)(caps + KW_SUPPORTED_VM_TYPES) |= BIT(TYPE_SW_PROTECTED) | BIT(TYPE_SEV) |
						  BIT(TYPE_SEV_ES) | BIT(TYPE_SNP) | BIT(TYPE_TDX);
#endif
	/* KVM charges the cgroup of the VM that a context moves to; there is room for none. */
	misc_cg_set_capacity(MISC_CG_RES_SEV, INT_MAX);
	misc_cg_set_capacity(MISC_CG_RES_SEV_ES, INT_MAX);
	counts_publish();
	return 0;
}
module_init(kw_sev_test_init);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Test-only stand-in for SEV firmware; never load outside a test guest");
