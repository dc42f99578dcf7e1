/* SPDX-License-Identifier: GPL-2.0-only */
/* What each fact about a kernel means, and what to do about it. */
#define _GNU_SOURCE 1
#include "doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "names.h"
#include "util.h"

#define LOAD_KVM "modprobe kvm_amd, or modprobe kvm_intel"
#define NEWER_KERNEL "boot a newer kernel"

static void add(struct kw_checks *checks, const char *name, enum kw_check_result result,
		const char *remedy, const char *format, ...) __attribute__((format(printf, 5, 6)));

static void add(struct kw_checks *checks, const char *name, enum kw_check_result result,
		const char *remedy, const char *format, ...)
{
	struct kw_check *check = &checks->list[checks->count];
	va_list args;

	if (checks->count == KW_CHECKS_MAX)
		return;
	*check = (struct kw_check){.name = name, .result = result};
	check->remedy = result == KW_CHECK_OK ? NULL : remedy;
	va_start(args, format);
	vsnprintf(check->meaning, sizeof(check->meaning), format, args);
	va_end(args);
	checks->count++;
}

/* A fact that is good when it holds. */
struct row {
	const char *name;
	size_t fact; /* its offset in struct kw_kernel_facts */
	const char *yes, *no, *remedy;
	const char *unknown, *find_out;
};

#define FACT(name) offsetof(struct kw_kernel_facts, name)

static void add_row(struct kw_checks *checks, const struct kw_kernel_facts *facts,
		    const struct row *row)
{
	enum kw_truth fact = *(const enum kw_truth *)((const char *)facts + row->fact);

	switch (fact) {
	case KW_FACT_YES:
		add(checks, row->name, KW_CHECK_OK, NULL, "%s", row->yes);
		break;
	case KW_FACT_NO:
		add(checks, row->name, KW_CHECK_MISSING, row->remedy, "%s", row->no);
		break;
	case KW_FACT_UNKNOWN:
	case _KW_FACT_MAX:
		add(checks, row->name, KW_CHECK_UNKNOWN, row->find_out, "%s", row->unknown);
		break;
	}
}

static void add_rows(struct kw_checks *checks, const struct kw_kernel_facts *facts,
		     const struct row *rows, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		add_row(checks, facts, &rows[i]);
}

static void add_device(struct kw_checks *checks, const struct kw_kernel_facts *f)
{
	if (f->kvm_device == KW_FACT_YES)
		add(checks, "/dev/kvm", KW_CHECK_OK, NULL, "can be opened");
	else if (f->kvm_device_error == EACCES || f->kvm_device_error == EPERM)
		add(checks, "/dev/kvm", KW_CHECK_UNKNOWN, "run as root, or join the group kvm",
		    "this user may not open it");
	else
		add(checks, "/dev/kvm", KW_CHECK_MISSING,
		    LOAD_KVM "; the firmware may have virtualisation switched off",
		    "cannot be opened: %s", strerror(f->kvm_device_error));
}

static void add_vm_types(struct kw_checks *checks, const struct kw_kernel_facts *f)
{
	char list[128] = "";
	size_t len = 0;
	unsigned int i;

	switch (f->vm_types_known) {
	case KW_FACT_UNKNOWN:
	case _KW_FACT_MAX:
		add(checks, "VM types", KW_CHECK_UNKNOWN, "run as root, or join the group kvm",
		    "only /dev/kvm can tell which types KVM creates");
		return;
	case KW_FACT_NO:
		add(checks, "VM types", KW_CHECK_MISSING, "boot Linux 6.8 or later",
		    "KVM knows only the default one; confidential VMs can only be legacy ones");
		return;
	case KW_FACT_YES:
		break;
	}
	for (i = 0; i < KW_TYPE_LEGACY_SEV_ES && len < sizeof(list); i++)
		if (f->vm_types & (1u << i))
			len += snprintf(list + len, sizeof(list) - len, "%s%s", len ? ", " : "",
					kw_type_name(i));
	add(checks, "VM types", KW_CHECK_OK, NULL, "KVM creates: %s", list);
}

static const struct row kvm_rows[] = {
	{"kvm", FACT(kvm_loaded), "loaded", "not loaded", LOAD_KVM, "/sys/module is not there",
	 "mount -t sysfs sysfs /sys"},
};

#define FIRMWARE "it takes the firmware's setting, the kernel's, and the module's"

static const struct row amd_rows[] = {
	{"SEV", FACT(sev), "enabled in kvm_amd", "not enabled in kvm_amd", FIRMWARE, "not readable",
	 "run as root"},
	{"SEV-ES", FACT(sev_es), "enabled in kvm_amd", "not enabled in kvm_amd", FIRMWARE,
	 "not readable", "run as root"},
	{"SEV-SNP", FACT(sev_snp), "enabled in kvm_amd", "not enabled in kvm_amd", FIRMWARE,
	 "not readable", "run as root"},
};

static const struct row intel_rows[] = {
	{"TDX", FACT(tdx), "enabled in kvm_intel", "not enabled in kvm_intel", FIRMWARE,
	 "not readable", "run as root"},
};

#define NO_BTF "not known without the kernel's type information"
#define NO_KVM "not known while kvm is not loaded, or has no type information"

static const struct row btf_rows[] = {
	{"BTF of vmlinux", FACT(btf_vmlinux), "type information is there",
	 "without it no backend in the kernel works",
	 "boot a kernel built with CONFIG_DEBUG_INFO_BTF", "not readable", "run as root"},
	{"BTF of kvm", FACT(btf_kvm), "type information is there",
	 "without it no backend in the kernel works",
	 "boot a kernel built with CONFIG_DEBUG_INFO_BTF_MODULES", NO_KVM, LOAD_KVM},
};

static const struct row function_rows[] = {
	{"bpf_lsm_file_ioctl", FACT(bpf_lsm_file_ioctl), "hook of the lsm backend",
	 "the lsm backend has no hook", "boot a kernel built with CONFIG_BPF_LSM", NO_BTF, NULL},
	{"bpf_lsm_file_ioctl_compat", FACT(bpf_lsm_file_ioctl_compat),
	 "hook of the lsm backend for 32-bit callers",
	 "fine where 32-bit callers come through the other hook (before 6.8)", NULL, NO_BTF, NULL},
	{"security_file_ioctl", FACT(security_file_ioctl), "hook of the fmod_ret backend",
	 "the fmod_ret backend has no hook", NEWER_KERNEL, NO_BTF, NULL},
	{"security_file_ioctl_compat", FACT(security_file_ioctl_compat),
	 "hook of the fmod_ret backend for 32-bit callers",
	 "fine where 32-bit callers come through the other hook (before 6.8)", NULL, NO_BTF, NULL},
	{"kvm_arch_init_vm", FACT(kvm_arch_init_vm), "VMs are seen as they are created",
	 "VMs are seen at their first checked ioctl", NULL, NO_KVM, LOAD_KVM},
	{"kvm_arch_destroy_vm", FACT(kvm_arch_destroy_vm), "VMs are seen as they end",
	 "VMs are seen to have ended by looking for them", NULL, NO_KVM, LOAD_KVM},
	{"bpf_rdonly_cast", FACT(bpf_rdonly_cast),
	 "kernel memory is read with types, also under lockdown=confidentiality",
	 "kernel memory is read by a helper: slower, and not under lockdown=confidentiality",
	 "boot Linux 6.2 or later", NO_BTF, NULL},
};

static const struct row field_rows[] = {
	{"kvm_arch.vm_type", FACT(vm_type), "each VM's type can be read",
	 "KVM has no VM types before 6.8: all are default, or legacy-sev-es",
	 "boot Linux 6.8 or later", NO_KVM, LOAD_KVM},
	{"kvm_arch.has_protected_state", FACT(has_protected_state),
	 "KVM itself refuses most register writes to sealed VMs of protected types",
	 "KVM itself refuses nothing on sealed VMs before 6.10", "boot Linux 6.10 or later", NO_KVM,
	 LOAD_KVM},
	{"kvm_arch.has_private_mem", FACT(has_private_mem), "private memory can be told",
	 "private memory cannot be told before 6.10", "boot Linux 6.10 or later", NO_KVM, LOAD_KVM},
	{"kvm_vcpu_arch.guest_state_protected", FACT(guest_state_protected),
	 "sealed vCPUs can be told", "sealed vCPUs cannot be told: nothing can be decided by it",
	 "boot Linux 5.11 or later", NO_KVM, LOAD_KVM},
};

static const struct row svm_rows[] = {
	{"BTF of kvm_amd", FACT(btf_kvm_amd), "type information is there",
	 "a legacy SEV-ES VM is told from a default one only once it is sealed",
	 "boot a kernel built with CONFIG_DEBUG_INFO_BTF_MODULES", NO_KVM, LOAD_KVM},
	{"kvm_svm.sev_info.es_active", FACT(es_active),
	 "a legacy SEV-ES VM can be told from a default one from its launch on",
	 "a legacy SEV-ES VM is told from a default one only once it is sealed", NEWER_KERNEL,
	 NO_KVM, LOAD_KVM},
};

static const struct row mount_rows[] = {
	{"bpffs", FACT(bpffs), "mounted: enforcement can outlive the daemon",
	 "not mounted on /sys/fs/bpf: kvmwardend starts only with --no-pin",
	 "mount -t bpf -o mode=0700 bpf /sys/fs/bpf", "the mounts are not readable", NULL},
	{"seccomp notification", FACT(seccomp_notify),
	 "there: a VMM under 'kvmwarden run' can have its ioctls decided by the daemon",
	 "no seccomp backend: a filter cannot ask about all threads of a VMM",
	 "boot Linux 5.7 or later", "not readable", NULL},
};

static void add_lsm(struct kw_checks *checks, const struct kw_kernel_facts *f)
{
	static const char name[] = "bpf among the LSMs";

	switch (f->lsm_bpf) {
	case KW_FACT_YES:
		add(checks, name, KW_CHECK_OK, NULL, "active%s%s", f->lsm[0] ? ": " : "", f->lsm);
		break;
	case KW_FACT_NO:
		add(checks, name, KW_CHECK_MISSING, kw_kernel_facts_remedy(f, KW_BACKEND_LSM),
		    "not active, so LSM programs attach and are never asked%s%s",
		    f->lsm[0] ? ": " : "", f->lsm);
		break;
	case KW_FACT_UNKNOWN:
	case _KW_FACT_MAX:
		add(checks, name, KW_CHECK_UNKNOWN,
		    "mount -t securityfs securityfs /sys/kernel/security",
		    "securityfs is not mounted");
		break;
	}
}

static void add_lockdown(struct kw_checks *checks, const struct kw_kernel_facts *f)
{
	switch (f->lockdown) {
	case KW_LOCKDOWN_NONE:
	case KW_LOCKDOWN_INTEGRITY:
		add(checks, "lockdown", KW_CHECK_OK, NULL, "%s: not in the way",
		    kw_lockdown_name(f->lockdown));
		break;
	case KW_LOCKDOWN_CONFIDENTIALITY:
		if (f->bpf_rdonly_cast == KW_FACT_YES)
			add(checks, "lockdown", KW_CHECK_OK, NULL,
			    "confidentiality: kernel memory is read with types");
		else
			add(checks, "lockdown", KW_CHECK_MISSING,
			    "boot Linux 6.2 or later, or with lockdown=integrity",
			    "confidentiality: BPF programs may not read kernel memory here");
		break;
	case KW_LOCKDOWN_UNKNOWN:
	case _KW_LOCKDOWN_MAX:
		add(checks, "lockdown", KW_CHECK_UNKNOWN,
		    "mount -t securityfs securityfs /sys/kernel/security",
		    "securityfs is not mounted");
		break;
	}
}

static void add_landlock(struct kw_checks *checks, const struct kw_kernel_facts *f)
{
	static const char name[] = "Landlock";

	switch (f->landlock) {
	case KW_FACT_YES:
		add(checks, name, KW_CHECK_OK, NULL,
		    "active: the daemon gives up all files but those in its directories");
		break;
	case KW_FACT_NO:
		add(checks, name, KW_CHECK_MISSING,
		    "boot Linux 5.13 or later, with 'landlock' in lsm= and the names that are "
		    "there",
		    "not active: the daemon is confined in all but files, so whoever takes it "
		    "over may open what root owns");
		break;
	case KW_FACT_UNKNOWN:
	case _KW_FACT_MAX:
		add(checks, name, KW_CHECK_UNKNOWN, NULL, "the kernel does not say");
		break;
	}
}

static void add_entry(struct kw_checks *checks, const struct kw_kernel_facts *f)
{
	switch (f->compat_entry) {
	case KW_FACT_YES:
		add(checks, "32-bit entry", KW_CHECK_OK, NULL,
		    "int 0x80 works: ioctls come in by it too, and are checked");
		break;
	case KW_FACT_NO:
		add(checks, "32-bit entry", KW_CHECK_OK, NULL,
		    "there is none: one way less to come in by");
		break;
	case KW_FACT_UNKNOWN:
	case _KW_FACT_MAX:
		add(checks, "32-bit entry", KW_CHECK_UNKNOWN, NULL,
		    "could not be tried; ioctls by it are checked in any case");
		break;
	}
}

static void add_preempt(struct kw_checks *checks, const struct kw_kernel_facts *f)
{
	switch (kw_kernel_facts_may_skip(f)) {
	case KW_FACT_NO:
		add(checks, "preemption", KW_CHECK_OK, NULL, "%s: no program is skipped",
		    kw_preempt_name(f->preempt));
		break;
	case KW_FACT_YES:
		add(checks, "preemption", KW_CHECK_GAP,
		    "use the lsm backend, or boot with preempt=none or preempt=voluntary",
		    "%s: a fmod_ret program is skipped while another task was preempted in it "
		    "on that CPU; lsm programs are not",
		    kw_preempt_name(f->preempt));
		break;
	case KW_FACT_UNKNOWN:
	case _KW_FACT_MAX:
		add(checks, "preemption", KW_CHECK_UNKNOWN,
		    "as root: mount -t debugfs debugfs /sys/kernel/debug",
		    "the model is not known; with full or lazy, fmod_ret programs can be skipped");
		break;
	}
}

static void add_tracefs(struct kw_checks *checks, const struct kw_kernel_facts *f)
{
	add(checks, "tracefs", KW_CHECK_OK, NULL, "%s: nothing here needs it",
	    f->tracefs == KW_FACT_YES ? "mounted" : "not mounted");
}

/* What KVM lets through. A fix is known by its mainline version; a distribution may have it earlier. */
static void add_gaps(struct kw_checks *checks, const struct kw_kernel_facts *f)
{
	if (f->kvm_intel != KW_FACT_YES)
		add(checks, "legacy SEV-ES", KW_CHECK_GAP,
		    "the policy legacy-sev-es reports them; enforced it refuses them",
		    "KVM lets register writes through on sealed VMs of type 0, in all versions");
	if (f->version && f->version < KW_KERNEL(6, 15, 0))
		add(checks, "kvm_run registers", KW_CHECK_GAP,
		    "boot Linux 6.15 or later, or one with commit 74c1807f6c4f",
		    "KVM_RUN takes registers from kvm_run.kvm_dirty_regs on sealed VMs, unless "
		    "the fix (6.15, 74c1807f6c4f) was backported");
	if (f->has_protected_state == KW_FACT_YES && f->kvm_intel != KW_FACT_YES)
		add(checks, "SNP FPU state", KW_CHECK_GAP,
		    "the policy protected-state refuses them",
		    "KVM lets KVM_SET_FPU and KVM_SET_XSAVE through on sealed SEV-SNP VMs "
		    "(seen up to 6.19)");
}

static void add_backend(struct kw_checks *checks, const struct kw_kernel_facts *f,
			unsigned int backend, const char *name, const char *good)
{
	const char *reason = NULL;

	switch (kw_kernel_facts_backend(f, backend, &reason)) {
	case KW_FACT_YES:
		add(checks, name, KW_CHECK_OK, NULL, "%s", good);
		break;
	case KW_FACT_NO:
		add(checks, name, KW_CHECK_MISSING, kw_kernel_facts_remedy(f, backend), "%s",
		    reason);
		break;
	case KW_FACT_UNKNOWN:
	case _KW_FACT_MAX:
		add(checks, name, KW_CHECK_UNKNOWN, kw_kernel_facts_remedy(f, backend), "%s",
		    reason);
		break;
	}
}

/* It works without BPF as well, and is less then. */
static void add_seccomp(struct kw_checks *checks, const struct kw_kernel_facts *f)
{
	const char *no_bpf = kw_kernel_facts_no_bpf(f);
	char good[sizeof(checks->list[0].meaning)];

	if (no_bpf)
		snprintf(good, sizeof(good),
			 "possible as seccomp-plain: refuses ioctls to VMMs that 'kvmwarden run' "
			 "starts, by the types of VM they ask for only, as %s",
			 no_bpf);
	else
		snprintf(good, sizeof(good),
			 "possible: refuses ioctls to VMMs that 'kvmwarden run' starts");
	add_backend(checks, f, KW_BACKEND_SECCOMP, "backend seccomp", good);
}

void kw_doctor_examine(const struct kw_kernel_facts *facts, struct kw_checks *ret)
{
	ret->count = 0;
	add_device(ret, facts);
	add_rows(ret, facts, kvm_rows, KW_ARRAY_SIZE(kvm_rows));
	add_vm_types(ret, facts);
	if (facts->kvm_amd == KW_FACT_YES)
		add_rows(ret, facts, amd_rows, KW_ARRAY_SIZE(amd_rows));
	if (facts->kvm_intel == KW_FACT_YES)
		add_rows(ret, facts, intel_rows, KW_ARRAY_SIZE(intel_rows));
	add_rows(ret, facts, btf_rows, KW_ARRAY_SIZE(btf_rows));
	if (facts->kvm_amd == KW_FACT_YES)
		add_rows(ret, facts, svm_rows, KW_ARRAY_SIZE(svm_rows));
	add_rows(ret, facts, field_rows, KW_ARRAY_SIZE(field_rows));
	add_rows(ret, facts, function_rows, KW_ARRAY_SIZE(function_rows));
	add_lsm(ret, facts);
	add_lockdown(ret, facts);
	add_entry(ret, facts);
	add_rows(ret, facts, mount_rows, KW_ARRAY_SIZE(mount_rows));
	add_landlock(ret, facts);
	add_tracefs(ret, facts);
	add_preempt(ret, facts);
	add_gaps(ret, facts);
	add_backend(ret, facts, KW_BACKEND_LSM, "backend lsm", "possible: refuses ioctls");
	add_backend(ret, facts, KW_BACKEND_FMOD_RET, "backend fmod_ret",
		    "possible: refuses ioctls");
	add_backend(ret, facts, KW_BACKEND_TRACEPOINT, "backend tracepoint",
		    "possible: reports ioctls and can kill, but cannot refuse");
	add_seccomp(ret, facts);
}

unsigned int kw_doctor_backend(const struct kw_kernel_facts *facts)
{
	static const unsigned int order[] = {KW_BACKEND_LSM, KW_BACKEND_FMOD_RET,
					     KW_BACKEND_TRACEPOINT, KW_BACKEND_SECCOMP};
	const char *reason;
	size_t i;

	for (i = 0; i < KW_ARRAY_SIZE(order); i++)
		if (kw_kernel_facts_backend(facts, order[i], &reason) == KW_FACT_YES)
			return order[i];
	return KW_BACKEND_NONE;
}

const char *kw_check_result_name(enum kw_check_result result)
{
	static const char *const names[] = {
		[KW_CHECK_OK] = "ok",
		[KW_CHECK_MISSING] = "missing",
		[KW_CHECK_UNKNOWN] = "unknown",
		[KW_CHECK_GAP] = "gap",
	};

	_Static_assert(KW_ARRAY_SIZE(names) == _KW_CHECK_MAX, "a result has no name");
	return result < _KW_CHECK_MAX ? names[result] : "unknown";
}
