/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the stand-in for SEV firmware share; main.c says what it does. */
#ifndef KW_SEV_STAND_IN_H
#define KW_SEV_STAND_IN_H

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kprobes.h>
#include <linux/kvm_host.h>

#include "kw_sev_offsets.h"

/* The names are younger than the oldest headers this is built against. */
enum {
	TYPE_DEFAULT = 0,
	TYPE_SW_PROTECTED = 1,
	TYPE_SEV = 2,
	TYPE_SEV_ES = 3,
	TYPE_SNP = 4,
	TYPE_TDX = 5,
};

#define HAVE_VM_TYPES (KW_SUPPORTED_VM_TYPES >= 0)

/* A field of struct kvm_svm, whose definition is private to kvm_amd. */
#define SEV(kvm, type, FIELD) (*(type *)((char *)(kvm) + KW_SEV_##FIELD))

static inline int type_of(struct kvm *kvm)
{
#if KW_SUPPORTED_VM_TYPES >= 0
	return kvm->arch.vm_type;
#else
	return TYPE_DEFAULT;
#endif
}

static inline bool is_sev(struct kvm *kvm)
{
	return SEV(kvm, bool, ACTIVE);
}

static inline bool is_es(struct kvm *kvm)
{
	return is_sev(kvm) && SEV(kvm, bool, ES_ACTIVE);
}

static inline bool is_td(struct kvm *kvm)
{
	return type_of(kvm) == TYPE_TDX;
}

static inline bool is_mirror(struct kvm *kvm)
{
	return SEV(kvm, struct kvm *, ENC_CONTEXT_OWNER);
}

/* sev.c */

int sev_ioctl(struct kvm *kvm, void __user *argp);
/* Sets what the launch of an SEV-ES or SNP guest sets once the registers are encrypted. */
void sev_mark_sealed(struct kvm_vcpu *vcpu);

/* tdx.c */

int td_ioctl(struct kvm *kvm, void __user *argp);
int td_divert_vcpu(struct kprobe *probe, struct pt_regs *regs);
int td_created(struct kretprobe_instance *instance, struct pt_regs *regs);
int td_vcpu_created(struct kretprobe_instance *instance, struct pt_regs *regs);

/* late.c */

extern struct kprobe late_probe;

/* probes.c: all or none; what it cannot probe is logged. */

int probes_register(void);

/* counts.c */

void count_sev(u32 id);
void count_tdx(u32 id);
void count_capability(u32 number);
void counts_publish(void);

#endif
