/* SPDX-License-Identifier: GPL-2.0-only */
/* What this kernel offers, and what follows for the backends; gathering changes nothing. */
#ifndef KVMWARDEN_KERNEL_FACTS_H
#define KVMWARDEN_KERNEL_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "kvmwarden.h"

/* UNKNOWN: not asked, not readable by this user, or the module is not loaded. */
enum kw_truth {
	KW_FACT_UNKNOWN,
	KW_FACT_NO,
	KW_FACT_YES,
	_KW_FACT_MAX,
};

enum kw_lockdown {
	KW_LOCKDOWN_UNKNOWN,
	KW_LOCKDOWN_NONE,
	KW_LOCKDOWN_INTEGRITY,
	KW_LOCKDOWN_CONFIDENTIALITY,
	_KW_LOCKDOWN_MAX,
};

enum kw_preempt {
	KW_PREEMPT_UNKNOWN,
	KW_PREEMPT_NONE,
	KW_PREEMPT_VOLUNTARY,
	KW_PREEMPT_LAZY,
	KW_PREEMPT_FULL,
	KW_PREEMPT_RT,
	_KW_PREEMPT_MAX,
};

/* Comparable with struct kw_kernel_facts.version. */
#define KW_KERNEL(major, minor, patch) ((uint32_t)(major) << 16 | (minor) << 8 | (patch))

struct kw_kernel_facts {
	char release[65];
	uint32_t version; /* KW_KERNEL(), 0 when .release says nothing of the kind */

	/* KVM */
	enum kw_truth kvm_device; /* /dev/kvm is there and this user may open it */
	int kvm_device_error; /* errno of the attempt, or 0 */
	enum kw_truth kvm_loaded; /* kvm, as a module or built in */
	enum kw_truth kvm_amd;
	enum kw_truth kvm_intel;
	enum kw_truth vm_types_known; /* NO: KVM_CAP_VM_TYPES is not there (before 6.8) */
	uint32_t vm_types; /* KVM_CAP_VM_TYPES: one bit per type KVM creates */
	enum kw_truth sev; /* module parameters; NO as well when there is none */
	enum kw_truth sev_es;
	enum kw_truth sev_snp;
	enum kw_truth tdx;

	/* Type information; a built-in kvm has its own in vmlinux. */
	enum kw_truth btf_vmlinux;
	enum kw_truth btf_kvm;
	enum kw_truth btf_kvm_amd;

	/* Functions that have type information, so that programs attach to them. */
	enum kw_truth bpf_lsm_file_ioctl;
	enum kw_truth bpf_lsm_file_ioctl_compat;
	enum kw_truth security_file_ioctl;
	enum kw_truth security_file_ioctl_compat;
	enum kw_truth kvm_arch_init_vm;
	enum kw_truth kvm_arch_destroy_vm;
	enum kw_truth bpf_rdonly_cast; /* the kfunc: loads with types, allowed under lockdown */

	/* Fields of KVM's structures. */
	enum kw_truth vm_type; /* kvm_arch.vm_type, 6.8 */
	enum kw_truth has_protected_state; /* kvm_arch.has_protected_state, 6.10 */
	enum kw_truth has_private_mem; /* kvm_arch.has_private_mem, 6.10 */
	enum kw_truth guest_state_protected; /* kvm_vcpu_arch.guest_state_protected, 5.11 */
	enum kw_truth es_active; /* kvm_svm.sev_info.es_active, in kvm_amd */

	/* The rest of the house */
	enum kw_truth lsm_bpf; /* "bpf" is an active LSM */
	char lsm[256]; /* the active LSMs as the kernel lists them, "" when unknown */
	enum kw_lockdown lockdown;
	enum kw_truth landlock; /* an active LSM: the daemon can give up files */
	uint32_t landlock_version; /* of its interface, 0 when unknown */
	enum kw_truth compat_entry; /* int 0x80 works */
	enum kw_truth securityfs;
	enum kw_truth bpffs;
	enum kw_truth tracefs;
	enum kw_preempt preempt;

	/* By enum kw_backend_id: does the kernel accept programs of this kind from us? Asked only
	 * by kw_kernel_facts_try_load(). */
	enum kw_truth loads[_KW_BACKEND_MAX];
	enum kw_truth seccomp_notify; /* together with TSYNC: 5.7 */
};

/*
 * Reads ROOT/sys, ROOT/proc, ROOT/boot and ROOT/dev/kvm; root is "" for this
 * machine, or the directory of a test. Only with "" are system calls asked too:
 * KVM_CHECK_EXTENSION, lsm_list_modules(2), and int 0x80 in a child process.
 * What cannot be learnt stays UNKNOWN.
 */
void kw_kernel_facts_gather(const char *root, struct kw_kernel_facts *ret);

/*
 * Completes the facts by loading, and at once unloading, a program of two
 * instructions of each kind. It takes root; without it, it would always say no.
 */
void kw_kernel_facts_try_load(struct kw_kernel_facts *facts);

/* Why a backend does not work whose programs are refused with EPERM. */
#define KW_REASON_FORBIDDEN                                                                    \
	"the kernel forbids BPF programs of this kind (EPERM), as it does under a restricted " \
	"hypervisor or container"

/*
 * By these facts, would this backend work? For NO and UNKNOWN *ret_reason is one
 * static sentence, lower case and without a full stop; for YES it is NULL. The
 * proof is the daemon's business: a kernel may still refuse what looks possible.
 */
enum kw_truth kw_kernel_facts_backend(const struct kw_kernel_facts *facts, unsigned int backend,
				      const char **ret_reason);

/*
 * Why no BPF program at all can be loaded for KVM, as above, or NULL: it may be possible. The seccomp
 * backend then does without.
 */
const char *kw_kernel_facts_no_bpf(const struct kw_kernel_facts *facts);

/* What to do about the reason above, one static sentence, or NULL. */
const char *kw_kernel_facts_remedy(const struct kw_kernel_facts *facts, unsigned int backend);

/* May the kernel skip a fmod_ret program because a preempted one is still running on that CPU? */
enum kw_truth kw_kernel_facts_may_skip(const struct kw_kernel_facts *facts);

const char *kw_fact_name(enum kw_truth fact); /* "unknown", "no", "yes" */
const char *kw_lockdown_name(enum kw_lockdown lockdown);
const char *kw_preempt_name(enum kw_preempt preempt);

#endif
