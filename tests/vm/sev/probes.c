/* SPDX-License-Identifier: GPL-2.0-only */
/* Where KVM is diverted, and where it is only watched. */
#include "stand-in.h"

enum {
	CAP_COPY_ENC_CONTEXT_FROM = 197,
	CAP_MOVE_ENC_CONTEXT_FROM = 206,
};

/* Runs in place of sev_mem_enc_ioctl(), in its caller's context. */
static int mem_enc_ioctl(struct kvm *kvm, void __user *argp)
{
	return is_td(kvm) ? td_ioctl(kvm, argp) : sev_ioctl(kvm, argp);
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

static int copied(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	if (regs_return_value(regs) == 0)
		count_capability(CAP_COPY_ENC_CONTEXT_FROM);
	return 0;
}

static int moved(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	if (regs_return_value(regs) == 0)
		count_capability(CAP_MOVE_ENC_CONTEXT_FROM);
	return 0;
}

/* Keeps the function's first argument for when it returns. */
static int keep_argument(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	*(unsigned long *)instance->data = regs->di;
	return 0;
}

static int before_destroy(struct kprobe *probe, struct pt_regs *regs)
{
	struct kvm *kvm = (struct kvm *)regs->di;
	struct kvm_vcpu *vcpu;
	unsigned long i;

	if (!is_sev(kvm) && !is_td(kvm))
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

/*
 * Within kvm_arch_destroy_vm(), so that a BPF program at its door sees the VM as it
 * was. Which of the two comes first depends on the kernel.
 */
static struct kprobe destroy_probe = {
	.symbol_name = "svm_vm_destroy",
	.pre_handler = before_destroy,
};

static struct kprobe free_probe = {
	.symbol_name = "kvm_destroy_vcpus",
	.pre_handler = before_destroy,
};

#if KW_SUPPORTED_VM_TYPES >= 0
static struct kprobe vcpu_probe = {
	.symbol_name = "svm_vcpu_create",
	.pre_handler = td_divert_vcpu,
	.post_handler = after,
};
#endif

/*
 * The diversion comes first of those that change ip: only the first of them asks
 * a BPF trampoline that is there already to let itself be diverted.
 */
static struct kprobe *const probes[] = {
	&ioctl_probe, &destroy_probe, &free_probe, &run_probe, &late_probe,
#if KW_SUPPORTED_VM_TYPES >= 0
	&vcpu_probe,
#endif
};

#define RETURN_PROBE(symbol, at_return)                                     \
	{                                                                   \
		.kp.symbol_name = (symbol), .entry_handler = keep_argument, \
		.handler = (at_return), .data_size = sizeof(unsigned long), \
	}

static struct kretprobe return_probes[] = {
	RETURN_PROBE("sev_vm_copy_enc_context_from", copied),
	RETURN_PROBE("sev_vm_move_enc_context_from", moved),
#if KW_SUPPORTED_VM_TYPES >= 0
	RETURN_PROBE("svm_vm_init", td_created),
	RETURN_PROBE("kvm_arch_vcpu_create", td_vcpu_created),
#endif
};

static void unprobe(unsigned int n_probes, unsigned int n_return_probes)
{
	while (n_return_probes--)
		unregister_kretprobe(&return_probes[n_return_probes]);
	while (n_probes--)
		unregister_kprobe(probes[n_probes]);
}

int probes_register(void)
{
	unsigned int i, j;
	int r;

	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		r = register_kprobe(probes[i]);
		if (r < 0) {
			pr_err("cannot probe %s: %d\n", probes[i]->symbol_name, r);
			unprobe(i, 0);
			return r;
		}
	}
	for (j = 0; j < ARRAY_SIZE(return_probes); j++) {
		r = register_kretprobe(&return_probes[j]);
		if (r < 0) {
			pr_err("cannot probe %s: %d\n", return_probes[j].kp.symbol_name, r);
			unprobe(i, j);
			return r;
		}
	}
	return 0;
}
