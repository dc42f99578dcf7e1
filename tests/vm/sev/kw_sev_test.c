/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Test-only kernel module: makes SEV, SEV-ES and SNP virtual machines
 * creatable on a machine without SEV, standing in for the firmware only.
 *
 * NEVER load this outside a test guest. It claims protection that is not
 * there, and it patches running KVM code.
 *
 * What it does:
 *
 *  - It sets the bits of the three VM types in kvm_caps.supported_vm_types.
 *    KVM then creates such VMs by itself: vm_type, has_protected_state and
 *    need_init are its own doing.
 *  - It takes the place of kvm_amd's sev_mem_enc_ioctl(), which answers ENOTTY
 *    without SEV. The launch commands make the checks of KVM that need no
 *    firmware and then set what the real handlers set: active, es_active,
 *    handle and vmsa_features of the VM, guest_state_protected of each vCPU,
 *    and, for SEV-ES but not for SNP, a confidential fpstate. Commands that
 *    would need the firmware for more than that answer ENODEV, as KVM does
 *    when the firmware is missing.
 *  - It answers EINVAL where KVM would enter such a guest: there is no ASID.
 *  - It takes the marks away before KVM destroys the VM, because KVM would give
 *    the ASID back. The VMSA pages of the vCPUs are leaked.
 *
 * Everything else is KVM's own. Kernels before 6.10 have no VM types; there
 * it serves the legacy commands only.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kprobes.h>
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/uaccess.h>

#include <asm/fpu/api.h>

#include "kw_sev_offsets.h"

/* The names are younger than the oldest headers this is built against. */
enum {
	TYPE_DEFAULT = 0,
	TYPE_SEV = 2,
	TYPE_SEV_ES = 3,
	TYPE_SNP = 4,
};

enum {
	CMD_INIT = 0,
	CMD_ES_INIT = 1,
	CMD_LAUNCH_START = 2,
	CMD_LAUNCH_UPDATE_DATA = 3,
	CMD_LAUNCH_UPDATE_VMSA = 4,
	CMD_LAUNCH_MEASURE = 6,
	CMD_LAUNCH_FINISH = 7,
	CMD_INIT2 = 22,
	CMD_SNP_LAUNCH_START = 100,
	CMD_SNP_LAUNCH_UPDATE = 101,
	CMD_SNP_LAUNCH_FINISH = 102,
};

struct sev_init2 {
	__u64 vmsa_features;
	__u32 flags;
	__u16 ghcb_version;
	__u16 pad1;
	__u32 pad2[8];
};

#define HAVE_VM_TYPES (KW_SUPPORTED_VM_TYPES >= 0)
#define FEATURE_SNP_ACTIVE BIT_ULL(0)
#define GHCB_VERSION_LAST 2

/* A field of struct kvm_svm, whose definition is private to kvm_amd. */
#define SEV(kvm, type, FIELD) (*(type *)((char *)(kvm) + KW_SEV_##FIELD))

static int type_of(struct kvm *kvm)
{
#if KW_SUPPORTED_VM_TYPES >= 0
	return kvm->arch.vm_type;
#else
	return TYPE_DEFAULT;
#endif
}

static bool is_sev(struct kvm *kvm)
{
	return SEV(kvm, bool, ACTIVE);
}

static bool is_es(struct kvm *kvm)
{
	return is_sev(kvm) && SEV(kvm, bool, ES_ACTIVE);
}

static bool is_snp(struct kvm *kvm)
{
	return is_es(kvm) && type_of(kvm) == TYPE_SNP;
}

static bool is_mirror(struct kvm *kvm)
{
	return SEV(kvm, struct kvm *, ENC_CONTEXT_OWNER);
}

/* The real handler makes a firmware context; its handle is never 0. */
static bool is_started(struct kvm *kvm)
{
	return SEV(kvm, u32, HANDLE) != 0;
}

static int init_vm(struct kvm *kvm, bool es, u64 features, u16 ghcb_version)
{
	if (kvm->created_vcpus || is_sev(kvm))
		return -EINVAL;

	INIT_LIST_HEAD(&SEV(kvm, struct list_head, REGIONS_LIST));
	INIT_LIST_HEAD(&SEV(kvm, struct list_head, MIRROR_VMS));
#if KW_SEV_VMSA_FEATURES >= 0
	SEV(kvm, u64, VMSA_FEATURES) = features;
#endif
#if KW_SEV_GHCB_VERSION >= 0
	SEV(kvm, u16, GHCB_VERSION) = ghcb_version;
#endif
#if KW_SEV_NEED_INIT >= 0
	SEV(kvm, bool, NEED_INIT) = false;
#endif
	SEV(kvm, bool, ES_ACTIVE) = es;
	SEV(kvm, bool, ACTIVE) = true;
	return 0;
}

static int legacy_init(struct kvm *kvm, bool es)
{
	if (type_of(kvm) != TYPE_DEFAULT)
		return -EINVAL;
	return init_vm(kvm, es, 0, 0);
}

static int init2(struct kvm *kvm, void __user *from)
{
	int type = type_of(kvm);
	bool es = type != TYPE_SEV;
	struct sev_init2 init;

	if (type != TYPE_SEV && type != TYPE_SEV_ES && type != TYPE_SNP)
		return -EINVAL;
	if (copy_from_user(&init, from, sizeof(init)))
		return -EFAULT;
	if (init.vmsa_features || init.flags)
		return -EINVAL;
	if (init.ghcb_version > GHCB_VERSION_LAST || (!es && init.ghcb_version))
		return -EINVAL;
	if (es && !init.ghcb_version)
		init.ghcb_version = GHCB_VERSION_LAST;
	return init_vm(kvm, es, type == TYPE_SNP ? FEATURE_SNP_ACTIVE : 0, init.ghcb_version);
}

static int launch_start(struct kvm *kvm)
{
	if (is_started(kvm))
		return -EINVAL;
	SEV(kvm, u32, HANDLE) = 1;
	return 0;
}

static int protect_vcpu(struct kvm_vcpu *vcpu)
{
	if (vcpu->guest_debug)
		return -EINVAL;
	vcpu->arch.guest_state_protected = true;
	if (!is_snp(vcpu->kvm))
		fpstate_set_confidential(&vcpu->arch.guest_fpu);
	return 0;
}

static int protect_all(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;
	int r;

	kvm_for_each_vcpu(i, vcpu, kvm)
	{
		if (mutex_lock_killable(&vcpu->mutex))
			return -EINTR;
		r = protect_vcpu(vcpu);
		mutex_unlock(&vcpu->mutex);
		if (r < 0)
			return r;
	}
	return 0;
}

static int snp_finish(struct kvm *kvm)
{
	int r;

	r = protect_all(kvm);
	if (r < 0)
		return r;
#if KW_SUPPORTED_VM_TYPES >= 0
	kvm->arch.pre_fault_allowed = true;
#endif
	return 0;
}

static int command(struct kvm *kvm, struct kvm_sev_cmd *cmd)
{
	bool need_es = cmd->id == CMD_LAUNCH_UPDATE_VMSA;

	if (is_mirror(kvm) && cmd->id != CMD_LAUNCH_UPDATE_VMSA)
		return -EINVAL;
	if (is_snp(kvm) && cmd->id < CMD_SNP_LAUNCH_START)
		return -EPERM;

	switch (cmd->id) {
	case CMD_INIT:
	case CMD_ES_INIT:
		return legacy_init(kvm, cmd->id == CMD_ES_INIT);
	case CMD_INIT2:
		return HAVE_VM_TYPES ? init2(kvm, u64_to_user_ptr(cmd->data)) : -EINVAL;
	case CMD_LAUNCH_START:
	case CMD_LAUNCH_UPDATE_DATA:
	case CMD_LAUNCH_UPDATE_VMSA:
	case CMD_LAUNCH_MEASURE:
	case CMD_LAUNCH_FINISH:
		if (need_es ? !is_es(kvm) : !is_sev(kvm))
			return -ENOTTY;
		if (cmd->id == CMD_LAUNCH_START)
			return launch_start(kvm);
		/* The firmware refuses these without a context. */
		if (!is_started(kvm))
			return -EIO;
		return cmd->id == CMD_LAUNCH_UPDATE_VMSA ? protect_all(kvm) : 0;
	case CMD_SNP_LAUNCH_START:
	case CMD_SNP_LAUNCH_UPDATE:
	case CMD_SNP_LAUNCH_FINISH:
		if (!HAVE_VM_TYPES)
			return -EINVAL;
		if (!is_snp(kvm))
			return -ENOTTY;
		if (cmd->id == CMD_SNP_LAUNCH_START)
			return launch_start(kvm);
		if (!is_started(kvm))
			return -EINVAL;
		return cmd->id == CMD_SNP_LAUNCH_FINISH ? snp_finish(kvm) : 0;
	default:
		return cmd->id < CMD_INIT2 ? -ENODEV : -EINVAL;
	}
}

/* Runs in place of sev_mem_enc_ioctl(), in its caller's context. */
static int mem_enc_ioctl(struct kvm *kvm, void __user *argp)
{
	struct kvm_sev_cmd cmd;
	int r;

	if (!argp)
		return 0;
	if (copy_from_user(&cmd, argp, sizeof(cmd)))
		return -EFAULT;

	mutex_lock(&kvm->lock);
	r = command(kvm, &cmd);
	mutex_unlock(&kvm->lock);

	if (copy_to_user(argp, &cmd, sizeof(cmd)))
		r = -EFAULT;
	return r;
}

static int divert_ioctl(struct kprobe *probe, struct pt_regs *regs)
{
	regs->ip = (unsigned long)mem_enc_ioctl;
	return 1;
}

static int refuse_run(struct kvm_vcpu *vcpu)
{
	return -EINVAL;
}

static int divert_run(struct kprobe *probe, struct pt_regs *regs)
{
	struct kvm_vcpu *vcpu = (struct kvm_vcpu *)regs->di;

	if (!is_sev(vcpu->kvm))
		return 0;
	regs->ip = (unsigned long)refuse_run;
	return 1;
}

static int before_destroy(struct kprobe *probe, struct pt_regs *regs)
{
	struct kvm *kvm = (struct kvm *)regs->di;
	struct kvm_vcpu *vcpu;
	unsigned long i;

	if (!is_sev(kvm))
		return 0;
	kvm_for_each_vcpu(i, vcpu, kvm) vcpu->arch.guest_state_protected = false;
	/* A mirror has no ASID of its own, but a reference that KVM must drop. */
	if (is_mirror(kvm))
		return 0;
#if KW_SEV_VMSA_FEATURES >= 0
	SEV(kvm, u64, VMSA_FEATURES) = 0;
#endif
	SEV(kvm, bool, ES_ACTIVE) = false;
	SEV(kvm, bool, ACTIVE) = false;
	return 0;
}

/* With a post handler, kprobes tell ftrace that the handler may change ip. */
static void after(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}

static struct kprobe ioctl_probe = {
	.symbol_name = "sev_mem_enc_ioctl",
	.pre_handler = divert_ioctl,
	.post_handler = after,
};

static struct kprobe run_probe = {
	.symbol_name = "svm_vcpu_pre_run",
	.pre_handler = divert_run,
	.post_handler = after,
};

static struct kprobe destroy_probe = {
	.symbol_name = "kvm_arch_destroy_vm",
	.pre_handler = before_destroy,
};

static struct kprobe *const probes[] = {&destroy_probe, &run_probe, &ioctl_probe};

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
	unsigned int i;
	int r;

	if (!caps) {
		pr_err("kvm_caps not found\n");
		return -ENOENT;
	}
	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		r = register_kprobe(probes[i]);
		if (r < 0) {
			pr_err("cannot probe %s: %d\n", probes[i]->symbol_name, r);
			while (i--)
				unregister_kprobe(probes[i]);
			return r;
		}
	}
#if KW_SUPPORTED_VM_TYPES >= 0
	*(u32 *)(caps + KW_SUPPORTED_VM_TYPES) |= BIT(TYPE_SEV) | BIT(TYPE_SEV_ES) | BIT(TYPE_SNP);
#endif
	return 0;
}
module_init(kw_sev_test_init);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Test-only stand-in for SEV firmware; never load outside a test guest");
