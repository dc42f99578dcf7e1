/* SPDX-License-Identifier: GPL-2.0-only */
/* Which backends the facts about a kernel allow, and why not the others. */
#include "kernel-facts.h"

#include <stddef.h>

static enum kw_truth answer(enum kw_truth fact, const char *reason, const char **ret_reason)
{
	*ret_reason = reason;
	return fact;
}

/* What every backend in the kernel needs. */
static enum kw_truth judge_common(const struct kw_kernel_facts *f, const char **ret)
{
	if (f->btf_vmlinux != KW_FACT_YES)
		return answer(f->btf_vmlinux, "the kernel has no type information (BTF)", ret);
	if (f->kvm_loaded == KW_FACT_NO)
		return answer(KW_FACT_UNKNOWN, "KVM is not loaded, so its types are not known",
			      ret);
	if (f->btf_kvm == KW_FACT_UNKNOWN)
		return answer(KW_FACT_UNKNOWN, "it is not known whether KVM is loaded", ret);
	if (f->btf_kvm == KW_FACT_NO)
		return answer(KW_FACT_NO, "the module kvm has no type information (BTF)", ret);
	if (f->guest_state_protected == KW_FACT_NO)
		return answer(KW_FACT_NO,
			      "KVM does not say whether a vCPU is sealed (before Linux 5.11)", ret);
	if (f->lockdown == KW_LOCKDOWN_CONFIDENTIALITY && f->bpf_rdonly_cast == KW_FACT_NO)
		return answer(KW_FACT_NO,
			      "lockdown is 'confidentiality' and the kernel has no bpf_rdonly_cast "
			      "(before Linux 6.2)",
			      ret);
	return answer(KW_FACT_YES, NULL, ret);
}

static enum kw_truth judge_lsm(const struct kw_kernel_facts *f, const char **ret)
{
	if (f->bpf_lsm_file_ioctl != KW_FACT_YES)
		return answer(KW_FACT_NO, "the kernel was built without the BPF LSM", ret);
	if (f->lsm_bpf == KW_FACT_NO)
		return answer(KW_FACT_NO, "'bpf' is not among the active LSMs", ret);
	if (f->lsm_bpf == KW_FACT_UNKNOWN)
		return answer(KW_FACT_UNKNOWN, "it is not known which LSMs are active", ret);
	if (f->security_file_ioctl_compat == KW_FACT_YES &&
	    f->bpf_lsm_file_ioctl_compat != KW_FACT_YES)
		return answer(KW_FACT_NO, "the BPF LSM has no hook for 32-bit ioctls", ret);
	return answer(KW_FACT_YES, NULL, ret);
}

static enum kw_truth judge_fmod_ret(const struct kw_kernel_facts *f, const char **ret)
{
	if (f->security_file_ioctl != KW_FACT_YES)
		return answer(KW_FACT_NO,
			      "the function security_file_ioctl has no type information", ret);
	return answer(KW_FACT_YES, NULL, ret);
}

const char *kw_kernel_facts_no_bpf(const struct kw_kernel_facts *facts)
{
	const char *reason = NULL;

	if (judge_common(facts, &reason) == KW_FACT_NO)
		return reason;
	return facts->loads[KW_BACKEND_TRACEPOINT] == KW_FACT_NO ? KW_REASON_FORBIDDEN : NULL;
}

static enum kw_truth judge_seccomp(const struct kw_kernel_facts *f, const char **ret)
{
	if (f->kvm_device == KW_FACT_NO)
		return answer(KW_FACT_NO, "/dev/kvm cannot be opened", ret);
	if (f->seccomp_notify == KW_FACT_NO)
		return answer(KW_FACT_NO,
			      "seccomp cannot notify of all threads of a process (before Linux "
			      "5.7)",
			      ret);
	if (f->seccomp_notify == KW_FACT_UNKNOWN)
		return answer(KW_FACT_UNKNOWN, "it is not known whether seccomp can notify", ret);
	return answer(KW_FACT_YES, NULL, ret);
}

enum kw_truth kw_kernel_facts_backend(const struct kw_kernel_facts *facts, unsigned int backend,
				      const char **ret_reason)
{
	enum kw_truth common;

	/* The only one that can do without all of that. */
	if (backend == KW_BACKEND_SECCOMP)
		return judge_seccomp(facts, ret_reason);
	common = judge_common(facts, ret_reason);
	if (common != KW_FACT_YES)
		return common;
	if (backend < _KW_BACKEND_MAX && facts->loads[backend] == KW_FACT_NO)
		return answer(KW_FACT_NO, KW_REASON_FORBIDDEN, ret_reason);
	switch ((enum kw_backend_id)backend) {
	case KW_BACKEND_LSM:
		return judge_lsm(facts, ret_reason);
	case KW_BACKEND_FMOD_RET:
		return judge_fmod_ret(facts, ret_reason);
	case KW_BACKEND_TRACEPOINT:
		return KW_FACT_YES;
	case KW_BACKEND_SECCOMP:
	case KW_BACKEND_NONE:
	case _KW_BACKEND_MAX:
		break;
	}
	return answer(KW_FACT_NO, "there is no such backend", ret_reason);
}

const char *kw_kernel_facts_remedy(const struct kw_kernel_facts *f, unsigned int backend)
{
	if (backend == KW_BACKEND_SECCOMP)
		return f->seccomp_notify == KW_FACT_NO ? "boot Linux 5.7 or later" : NULL;
	if (f->btf_vmlinux == KW_FACT_NO)
		return "boot a kernel built with CONFIG_DEBUG_INFO_BTF";
	if (f->kvm_loaded == KW_FACT_NO)
		return "modprobe kvm_amd, or modprobe kvm_intel";
	if (f->btf_kvm == KW_FACT_NO)
		return "boot a kernel built with CONFIG_DEBUG_INFO_BTF_MODULES";
	if (f->guest_state_protected == KW_FACT_NO)
		return "boot Linux 5.11 or later";
	if (f->lockdown == KW_LOCKDOWN_CONFIDENTIALITY && f->bpf_rdonly_cast == KW_FACT_NO)
		return "boot Linux 6.2 or later, or with lockdown=integrity";
	if (backend != KW_BACKEND_LSM)
		return NULL;
	if (f->bpf_lsm_file_ioctl != KW_FACT_YES)
		return "boot a kernel built with CONFIG_BPF_LSM";
	if (f->lsm_bpf == KW_FACT_NO)
		return "add 'bpf' to lsm= on the kernel command line, keeping the names that are "
		       "there";
	if (f->lsm_bpf == KW_FACT_UNKNOWN)
		return "mount -t securityfs securityfs /sys/kernel/security";
	return NULL;
}

enum kw_truth kw_kernel_facts_may_skip(const struct kw_kernel_facts *facts)
{
	switch (facts->preempt) {
	case KW_PREEMPT_NONE:
	case KW_PREEMPT_VOLUNTARY:
		return KW_FACT_NO;
	case KW_PREEMPT_LAZY:
	case KW_PREEMPT_FULL:
	case KW_PREEMPT_RT:
		return KW_FACT_YES;
	case KW_PREEMPT_UNKNOWN:
	case _KW_PREEMPT_MAX:
		break;
	}
	return KW_FACT_UNKNOWN;
}

const char *kw_fact_name(enum kw_truth fact)
{
	static const char *const names[] = {
		[KW_FACT_UNKNOWN] = "unknown",
		[KW_FACT_NO] = "no",
		[KW_FACT_YES] = "yes",
	};

	_Static_assert(sizeof(names) / sizeof(names[0]) == _KW_FACT_MAX, "a fact has no name");
	return fact < _KW_FACT_MAX ? names[fact] : "unknown";
}

const char *kw_lockdown_name(enum kw_lockdown lockdown)
{
	static const char *const names[] = {
		[KW_LOCKDOWN_UNKNOWN] = "unknown",
		[KW_LOCKDOWN_NONE] = "none",
		[KW_LOCKDOWN_INTEGRITY] = "integrity",
		[KW_LOCKDOWN_CONFIDENTIALITY] = "confidentiality",
	};

	_Static_assert(sizeof(names) / sizeof(names[0]) == _KW_LOCKDOWN_MAX,
		       "a lockdown mode has no name");
	return lockdown < _KW_LOCKDOWN_MAX ? names[lockdown] : "unknown";
}

const char *kw_preempt_name(enum kw_preempt preempt)
{
	static const char *const names[] = {
		[KW_PREEMPT_UNKNOWN] = "unknown",     [KW_PREEMPT_NONE] = "none",
		[KW_PREEMPT_VOLUNTARY] = "voluntary", [KW_PREEMPT_LAZY] = "lazy",
		[KW_PREEMPT_FULL] = "full",	      [KW_PREEMPT_RT] = "rt",
	};

	_Static_assert(sizeof(names) / sizeof(names[0]) == _KW_PREEMPT_MAX,
		       "a preemption model has no name");
	return preempt < _KW_PREEMPT_MAX ? names[preempt] : "unknown";
}
