/* SPDX-License-Identifier: GPL-2.0-only */
/* Seals a vCPU in the moment between the check of its ioctl and the ioctl, on demand. */
#include "stand-in.h"

#include <linux/fs.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>

/*
 * kvm_vcpu_ioctl() comes after the LSM hooks and takes the vCPU's mutex. A VMM
 * whose launch command takes it first has its vCPU sealed right there, which no
 * program can bring about when it wants to: so this does it, once, for the next
 * ioctl that the process of this id issues on a vCPU that is not sealed yet. It
 * reads 0 again when it has.
 */
static int seal_late;
module_param(seal_late, int, 0600);
MODULE_PARM_DESC(seal_late, "process whose next ioctl on a vCPU finds it sealed");

static int seal(struct kprobe *probe, struct pt_regs *regs)
{
	struct file *file = (struct file *)regs->di;
	struct kvm_vcpu *vcpu = file->private_data;

	if (READ_ONCE(seal_late) != current->tgid || !is_es(vcpu->kvm) ||
	    vcpu->arch.guest_state_protected)
		return 0;
	if (cmpxchg(&seal_late, current->tgid, 0) == current->tgid)
		sev_mark_sealed(vcpu);
	return 0;
}

struct kprobe late_probe = {
	.symbol_name = "kvm_vcpu_ioctl",
	.pre_handler = seal,
};
