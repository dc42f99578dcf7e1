/* SPDX-License-Identifier: GPL-2.0-only */
/* TDX, which belongs to kvm_intel: creation, vCPUs and commands of a TD. */
#include "stand-in.h"

#include <linux/mutex.h>
#include <linux/uaccess.h>

#include <asm/fpu/api.h>

enum {
	TDX_CAPABILITIES = 0,
	TDX_INIT_VM = 1,
	TDX_INIT_VCPU = 2,
	TDX_INIT_MEM_REGION = 3,
	TDX_FINALIZE_VM = 4,
	TDX_GET_CPUID = 5,
	_TDX_MAX,
};

struct tdx_cmd {
	__u32 id;
	__u32 flags;
	__u64 data;
	__u64 hw_error;
};

/* The state of a TD is kept where SEV keeps its handle. */
enum {
	TD_UNINITIALIZED,
	TD_INITIALIZED,
	TD_RUNNABLE,
};

#define TD_ATTRIBUTE_SEPT_VE_DISABLE BIT_ULL(28)

static int td_init(struct kvm *kvm, void __user *from)
{
	u64 attributes;

	if (SEV(kvm, u32, HANDLE) != TD_UNINITIALIZED || kvm->created_vcpus)
		return -EINVAL;
	/* They come first in struct kvm_tdx_init_vm. */
	if (copy_from_user(&attributes, from, sizeof(attributes)))
		return -EFAULT;
	if (attributes & ~TD_ATTRIBUTE_SEPT_VE_DISABLE)
		return -EINVAL;
	SEV(kvm, u32, HANDLE) = TD_INITIALIZED;
	return 0;
}

static int td_command(struct kvm *kvm, const struct tdx_cmd *cmd)
{
	u32 state = SEV(kvm, u32, HANDLE);
	int r = 0;

	if (cmd->hw_error || cmd->id >= _TDX_MAX)
		return -EINVAL;
	if (cmd->id == TDX_INIT_VM)
		r = td_init(kvm, u64_to_user_ptr(cmd->data));
	else if (cmd->id != TDX_CAPABILITIES && state != TD_INITIALIZED)
		r = -EINVAL;
	if (r < 0)
		return r;
	if (cmd->id == TDX_FINALIZE_VM)
		SEV(kvm, u32, HANDLE) = TD_RUNNABLE;
	count_tdx(cmd->id);
	return 0;
}

int td_ioctl(struct kvm *kvm, void __user *argp)
{
	struct tdx_cmd cmd;
	int r;

	if (copy_from_user(&cmd, argp, sizeof(cmd)))
		return -EFAULT;

	mutex_lock(&kvm->lock);
	r = td_command(kvm, &cmd);
	mutex_unlock(&kvm->lock);

	if (copy_to_user(argp, &cmd, sizeof(cmd)))
		r = -EFAULT;
	return r;
}

#if KW_SUPPORTED_VM_TYPES >= 0
static int refuse_vcpu(struct kvm_vcpu *vcpu)
{
	return -EIO;
}

int td_divert_vcpu(struct kprobe *probe, struct pt_regs *regs)
{
	struct kvm_vcpu *vcpu = (struct kvm_vcpu *)regs->di;

	if (!is_td(vcpu->kvm) || SEV(vcpu->kvm, u32, HANDLE) == TD_INITIALIZED)
		return 0;
	regs->ip = (unsigned long)refuse_vcpu;
	return 1;
}

int td_created(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct kvm *kvm = *(struct kvm **)instance->data;

	if (!is_td(kvm))
		return 0;
	kvm->arch.has_protected_state = true;
	kvm->arch.has_private_mem = true;
	return 0;
}

int td_vcpu_created(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct kvm_vcpu *vcpu = *(struct kvm_vcpu **)instance->data;

	if (!is_td(vcpu->kvm) || regs_return_value(regs) != 0)
		return 0;
	vcpu->arch.guest_state_protected = true;
	fpstate_set_confidential(&vcpu->arch.guest_fpu);
	return 0;
}
#endif
