/* SPDX-License-Identifier: GPL-2.0-only */
/* What is concluded from made-up /proc and /sys trees, and what the doctor says of them. */
#include "fake-kernel.h"

#include "doctor.h"

static void assert_backend(const struct kw_kernel_facts *facts, unsigned int backend,
			   enum kw_truth expected, const char *word)
{
	const char *reason = "not set";

	assert_int_equal(kw_kernel_facts_backend(facts, backend, &reason), expected);
	if (!word) {
		assert_null(reason);
		return;
	}
	assert_non_null(reason);
	if (!strstr(reason, word))
		fail_msg("'%s' lacks '%s'", reason, word);
}

static const struct kw_check *find(const struct kw_checks *checks, const char *name)
{
	size_t i;

	for (i = 0; i < checks->count; i++)
		if (kw_streq(checks->list[i].name, name))
			return &checks->list[i];
	return NULL;
}

static void test_nothing_is_known_of_nothing(void **state)
{
	struct kw_kernel_facts f = gather();

	(void)state;
	assert_int_equal(f.version, 0);
	assert_int_equal(f.kvm_device, KW_FACT_NO);
	assert_int_equal(f.kvm_loaded, KW_FACT_UNKNOWN);
	assert_int_equal(f.btf_vmlinux, KW_FACT_NO);
	assert_int_equal(f.vm_type, KW_FACT_UNKNOWN);
	assert_int_equal(f.lsm_bpf, KW_FACT_UNKNOWN);
	assert_int_equal(f.lockdown, KW_LOCKDOWN_UNKNOWN);
	assert_int_equal(f.compat_entry, KW_FACT_UNKNOWN);
	assert_int_equal(f.bpffs, KW_FACT_UNKNOWN);
	assert_int_equal(f.preempt, KW_PREEMPT_UNKNOWN);
	assert_backend(&f, KW_BACKEND_LSM, KW_FACT_NO, "BTF");
	assert_int_equal(kw_doctor_backend(&f), KW_BACKEND_NONE);
}

static void test_modern_host(void **state)
{
	struct kw_kernel_facts f;

	(void)state;
	put_modern_host();
	f = gather();
	assert_string_equal(f.release, "6.12.95+deb12-amd64");
	assert_int_equal(f.version, KW_KERNEL(6, 12, 95));
	assert_int_equal(f.kvm_device, KW_FACT_YES);
	assert_int_equal(f.kvm_amd, KW_FACT_YES);
	assert_int_equal(f.kvm_intel, KW_FACT_NO);
	assert_int_equal(f.sev_es, KW_FACT_YES);
	assert_int_equal(f.sev_snp, KW_FACT_NO);
	assert_int_equal(f.tdx, KW_FACT_UNKNOWN);
	assert_int_equal(f.btf_kvm, KW_FACT_YES);
	assert_int_equal(f.bpf_rdonly_cast, KW_FACT_YES);
	assert_int_equal(f.kvm_arch_init_vm, KW_FACT_YES);
	assert_int_equal(f.vm_type, KW_FACT_YES);
	assert_int_equal(f.has_protected_state, KW_FACT_YES);
	assert_int_equal(f.guest_state_protected, KW_FACT_YES);
	assert_int_equal(f.es_active, KW_FACT_YES);
	assert_int_equal(f.lsm_bpf, KW_FACT_YES);
	assert_int_equal(f.lockdown, KW_LOCKDOWN_NONE);
	assert_int_equal(f.compat_entry, KW_FACT_UNKNOWN); /* built in, maybe disabled */
	assert_int_equal(f.bpffs, KW_FACT_YES);
	assert_int_equal(f.tracefs, KW_FACT_YES);
	assert_int_equal(f.preempt, KW_PREEMPT_VOLUNTARY);
	assert_int_equal(f.seccomp_notify, KW_FACT_YES);
	assert_int_equal(f.landlock, KW_FACT_YES);
	assert_backend(&f, KW_BACKEND_LSM, KW_FACT_YES, NULL);
	assert_backend(&f, KW_BACKEND_FMOD_RET, KW_FACT_YES, NULL);
	assert_backend(&f, KW_BACKEND_TRACEPOINT, KW_FACT_YES, NULL);
	assert_backend(&f, _KW_BACKEND_MAX, KW_FACT_NO, "no such");
	assert_int_equal(kw_doctor_backend(&f), KW_BACKEND_LSM);
	assert_int_equal(kw_kernel_facts_may_skip(&f), KW_FACT_NO);
}

static void test_old_kernel(void **state)
{
	struct kw_kernel_facts f;

	(void)state;
	put_modern_host();
	put("proc/sys/kernel/osrelease", "6.1.0-40-amd64\n");
	put_module_btf(old_functions, old_arch);
	f = gather();
	assert_int_equal(f.version, KW_KERNEL(6, 1, 0));
	assert_int_equal(f.vm_type, KW_FACT_NO);
	assert_int_equal(f.has_protected_state, KW_FACT_NO);
	assert_int_equal(f.bpf_rdonly_cast, KW_FACT_NO);
	/* One hook serves both entries there. */
	assert_int_equal(f.security_file_ioctl_compat, KW_FACT_NO);
	assert_backend(&f, KW_BACKEND_LSM, KW_FACT_YES, NULL);

	put("sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	f = gather();
	assert_int_equal(f.lockdown, KW_LOCKDOWN_CONFIDENTIALITY);
	assert_backend(&f, KW_BACKEND_LSM, KW_FACT_NO, "confidentiality");
	assert_backend(&f, KW_BACKEND_FMOD_RET, KW_FACT_NO, "confidentiality");
}

static void test_bpf_is_not_among_the_lsms(void **state)
{
	struct kw_kernel_facts f;

	(void)state;
	put_modern_host();
	put("sys/kernel/security/lsm", "lockdown,capability,bpfx,xbpf");
	f = gather();
	assert_int_equal(f.lsm_bpf, KW_FACT_NO);
	assert_backend(&f, KW_BACKEND_LSM, KW_FACT_NO, "not among the active LSMs");
	assert_non_null(strstr(kw_kernel_facts_remedy(&f, KW_BACKEND_LSM), "lsm="));
	assert_backend(&f, KW_BACKEND_FMOD_RET, KW_FACT_YES, NULL);
	assert_null(kw_kernel_facts_remedy(&f, KW_BACKEND_FMOD_RET));
	assert_int_equal(kw_doctor_backend(&f), KW_BACKEND_FMOD_RET);
}

static void test_a_compat_hook_that_lacks(void **state)
{
	struct kw_kernel_facts f;

	(void)state;
	put_modern_host();
	f = gather();
	f.bpf_lsm_file_ioctl_compat = KW_FACT_NO;
	assert_backend(&f, KW_BACKEND_LSM, KW_FACT_NO, "32-bit");
	assert_backend(&f, KW_BACKEND_FMOD_RET, KW_FACT_YES, NULL);
}

static void test_kvm_is_not_loaded(void **state)
{
	struct btf *vmlinux = btf__new_empty();
	struct kw_kernel_facts f;

	(void)state;
	add_functions(vmlinux, modern_functions);
	put_btf("sys/kernel/btf/vmlinux", vmlinux);
	btf__free(vmlinux);
	put("sys/module/ext4/refcnt", "1\n");
	f = gather();
	assert_int_equal(f.kvm_loaded, KW_FACT_NO);
	assert_int_equal(f.btf_kvm, KW_FACT_UNKNOWN);
	assert_int_equal(f.vm_type, KW_FACT_UNKNOWN);
	assert_backend(&f, KW_BACKEND_LSM, KW_FACT_UNKNOWN, "not loaded");
	assert_non_null(strstr(kw_kernel_facts_remedy(&f, KW_BACKEND_LSM), "modprobe"));

	/* Loaded, but without type information of its own. */
	put("sys/module/kvm/refcnt", "1\n");
	f = gather();
	assert_int_equal(f.btf_kvm, KW_FACT_NO);
	assert_backend(&f, KW_BACKEND_LSM, KW_FACT_NO, "the module kvm");
}

static void test_kvm_is_built_in(void **state)
{
	struct btf *vmlinux = btf__new_empty();
	struct kw_kernel_facts f;
	int type;

	(void)state;
	type = btf__add_int(vmlinux, "_Bool", 1, BTF_INT_BOOL);
	add_functions(vmlinux, modern_functions);
	add_kvm(vmlinux, modern_arch, type);
	put_btf("sys/kernel/btf/vmlinux", vmlinux);
	btf__free(vmlinux);
	put("sys/module/kvm/refcnt", "1\n");
	f = gather();
	assert_int_equal(f.btf_kvm, KW_FACT_YES);
	assert_int_equal(f.has_private_mem, KW_FACT_YES);
	assert_int_equal(f.kvm_arch_destroy_vm, KW_FACT_YES);
	assert_int_equal(f.btf_kvm_amd, KW_FACT_UNKNOWN);
}

static void test_broken_type_information(void **state)
{
	struct kw_kernel_facts f;

	(void)state;
	put("sys/kernel/btf/vmlinux", "this is no BTF");
	f = gather();
	assert_int_equal(f.btf_vmlinux, KW_FACT_NO);
	assert_int_equal(f.bpf_lsm_file_ioctl, KW_FACT_UNKNOWN);
}

static void test_lockdown_that_is_not_active(void **state)
{
	struct kw_kernel_facts f;

	(void)state;
	put("sys/kernel/security/lsm", "capability,bpf");
	f = gather();
	assert_int_equal(f.lockdown, KW_LOCKDOWN_NONE);
}

/* What the seccomp backend can do without, and what it cannot. */
static void test_without_bpf(void **state)
{
	struct kw_kernel_facts f;

	(void)state;
	put_modern_host();
	f = gather();
	assert_null(kw_kernel_facts_no_bpf(&f));
	assert_backend(&f, KW_BACKEND_SECCOMP, KW_FACT_YES, NULL);
	assert_int_equal(kw_doctor_backend(&f), KW_BACKEND_LSM);
	f.loads[KW_BACKEND_LSM] = f.loads[KW_BACKEND_FMOD_RET] = KW_FACT_NO;
	assert_null(kw_kernel_facts_no_bpf(&f));
	assert_int_equal(kw_doctor_backend(&f), KW_BACKEND_TRACEPOINT);
	f.loads[KW_BACKEND_TRACEPOINT] = KW_FACT_NO;
	assert_string_equal(kw_kernel_facts_no_bpf(&f), KW_REASON_FORBIDDEN);
	assert_int_equal(kw_doctor_backend(&f), KW_BACKEND_SECCOMP);

	f = gather();
	f.btf_vmlinux = KW_FACT_NO;
	assert_non_null(strstr(kw_kernel_facts_no_bpf(&f), "BTF"));
	assert_int_equal(kw_doctor_backend(&f), KW_BACKEND_SECCOMP);
	f.seccomp_notify = KW_FACT_NO;
	assert_backend(&f, KW_BACKEND_SECCOMP, KW_FACT_NO, "notify");
	assert_non_null(kw_kernel_facts_remedy(&f, KW_BACKEND_SECCOMP));
	assert_int_equal(kw_doctor_backend(&f), KW_BACKEND_NONE);
	f.seccomp_notify = KW_FACT_UNKNOWN;
	assert_backend(&f, KW_BACKEND_SECCOMP, KW_FACT_UNKNOWN, "notify");
	f.kvm_device = KW_FACT_NO;
	assert_backend(&f, KW_BACKEND_SECCOMP, KW_FACT_NO, "/dev/kvm");
}

/* Notification alone is older than notification of all threads. */
static void test_seccomp_that_is_too_old(void **state)
{
	struct kw_kernel_facts f;
	struct kw_checks checks;

	(void)state;
	put_modern_host();
	put("proc/sys/kernel/osrelease", "5.6.19\n");
	f = gather();
	assert_int_equal(f.seccomp_notify, KW_FACT_NO);
	assert_backend(&f, KW_BACKEND_SECCOMP, KW_FACT_NO, "5.7");
	kw_doctor_examine(&f, &checks);
	assert_int_equal(find(&checks, "seccomp notification")->result, KW_CHECK_MISSING);
	assert_non_null(strstr(find(&checks, "seccomp notification")->remedy, "5.7"));

	put("proc/sys/kernel/osrelease", "5.7.0\n");
	f = gather();
	assert_int_equal(f.seccomp_notify, KW_FACT_YES);
	put("proc/sys/kernel/seccomp/actions_avail", "kill_process trap allow\n");
	f = gather();
	assert_int_equal(f.seccomp_notify, KW_FACT_NO);
}

static void test_landlock(void **state)
{
	struct kw_kernel_facts f;
	struct kw_checks checks;

	(void)state;
	put_modern_host();
	f = gather();
	kw_doctor_examine(&f, &checks);
	assert_int_equal(find(&checks, "Landlock")->result, KW_CHECK_OK);
	put("sys/kernel/security/lsm", "lockdown,capability,landlocked,bpf");
	f = gather();
	assert_int_equal(f.landlock, KW_FACT_NO);
	kw_doctor_examine(&f, &checks);
	assert_int_equal(find(&checks, "Landlock")->result, KW_CHECK_MISSING);
	assert_non_null(strstr(find(&checks, "Landlock")->remedy, "lsm="));
	/* It is the daemon's affair, and no backend's. */
	assert_backend(&f, KW_BACKEND_SECCOMP, KW_FACT_YES, NULL);
	assert_backend(&f, KW_BACKEND_LSM, KW_FACT_YES, NULL);
	f.landlock = KW_FACT_UNKNOWN;
	kw_doctor_examine(&f, &checks);
	assert_int_equal(find(&checks, "Landlock")->result, KW_CHECK_UNKNOWN);
}

static void test_preemption(void **state)
{
	static const struct {
		const char *version, *cmdline, *debugfs, *config;
		enum kw_preempt preempt;
		enum kw_truth may_skip;
	} rows[] = {
		{"Linux #1 SMP", "", NULL, NULL, KW_PREEMPT_NONE, KW_FACT_NO},
		{"Linux #1 SMP PREEMPT", "", NULL, NULL, KW_PREEMPT_FULL, KW_FACT_YES},
		{"Linux #1 SMP PREEMPT_RT", "", NULL, NULL, KW_PREEMPT_RT, KW_FACT_YES},
		{"Linux #1 SMP PREEMPT_DYNAMIC", "", NULL, NULL, KW_PREEMPT_UNKNOWN,
		 KW_FACT_UNKNOWN},
		{"Linux #1 SMP PREEMPT_DYNAMIC", "", NULL, "CONFIG_PREEMPT=y\n", KW_PREEMPT_FULL,
		 KW_FACT_YES},
		{"Linux #1 SMP PREEMPT_DYNAMIC", "", NULL, "CONFIG_PREEMPT_LAZY=y\n",
		 KW_PREEMPT_LAZY, KW_FACT_YES},
		{"Linux #1 SMP PREEMPT_DYNAMIC", "a preempt=none b", NULL, "CONFIG_PREEMPT=y\n",
		 KW_PREEMPT_NONE, KW_FACT_NO},
		{"Linux #1 SMP PREEMPT_DYNAMIC", "preempt=none preempt=full", NULL, NULL,
		 KW_PREEMPT_FULL, KW_FACT_YES},
		{"Linux #1 SMP PREEMPT_DYNAMIC", "xpreempt=full", NULL,
		 "CONFIG_PREEMPT_VOLUNTARY=y\n", KW_PREEMPT_VOLUNTARY, KW_FACT_NO},
		{"Linux #1 SMP PREEMPT_DYNAMIC", "preempt=none", "none voluntary (full) lazy\n",
		 NULL, KW_PREEMPT_FULL, KW_FACT_YES},
	};
	struct kw_kernel_facts f;
	size_t i;

	for (i = 0; i < KW_ARRAY_SIZE(rows); i++) {
		begin(state);
		put("proc/sys/kernel/osrelease", "6.12.0");
		put("proc/version", rows[i].version);
		put("proc/cmdline", rows[i].cmdline);
		if (rows[i].debugfs)
			put("sys/kernel/debug/sched/preempt", rows[i].debugfs);
		if (rows[i].config)
			put("lib/modules/6.12.0/config", rows[i].config);
		f = gather();
		assert_int_equal(f.preempt, rows[i].preempt);
		assert_int_equal(kw_kernel_facts_may_skip(&f), rows[i].may_skip);
	}
}

static void test_no_32_bit_entry(void **state)
{
	struct kw_kernel_facts f;

	(void)state;
	put("proc/sys/kernel/osrelease", "6.12.0");
	put("boot/config-6.12.0", "# CONFIG_IA32_EMULATION is not set\nCONFIG_64BIT=y\n");
	f = gather();
	assert_int_equal(f.compat_entry, KW_FACT_NO);
}

static void test_odd_releases(void **state)
{
	static const struct {
		const char *text;
		uint32_t version;
	} rows[] = {
		{"6.12", KW_KERNEL(6, 12, 0)},
		{"7.3.4+deb14", KW_KERNEL(7, 3, 4)},
		{"4.19.999", KW_KERNEL(4, 19, 255)},
		{"banana", 0},
		{"", 0},
	};
	struct kw_kernel_facts f;
	size_t i;

	(void)state;
	for (i = 0; i < KW_ARRAY_SIZE(rows); i++) {
		put("proc/sys/kernel/osrelease", rows[i].text);
		f = gather();
		assert_int_equal(f.version, rows[i].version);
	}
}

/* This machine: only that it can be asked, as root or not, and twice. */
static void test_this_machine(void **state)
{
	struct kw_kernel_facts first, second;

	(void)state;
	kw_kernel_facts_gather("", &first);
	kw_kernel_facts_gather("", &second);
	assert_string_not_equal(first.release, "");
	assert_int_not_equal(first.version, 0);
	assert_int_equal(first.compat_entry, second.compat_entry);
	assert_int_equal(first.btf_vmlinux, second.btf_vmlinux);
}

static void test_the_doctor_on_a_modern_host(void **state)
{
	struct kw_kernel_facts f;
	struct kw_checks checks;
	size_t i;

	(void)state;
	put_modern_host();
	f = gather();
	f.vm_types_known = KW_FACT_YES;
	f.vm_types = 0x1d;
	kw_doctor_examine(&f, &checks);
	assert_string_equal(find(&checks, "VM types")->meaning,
			    "KVM creates: default, sev, sev-es, sev-snp");
	assert_int_equal(find(&checks, "SEV-ES")->result, KW_CHECK_OK);
	assert_int_equal(find(&checks, "SEV-SNP")->result, KW_CHECK_MISSING);
	assert_null(find(&checks, "TDX"));
	assert_int_equal(find(&checks, "kvm_run registers")->result, KW_CHECK_GAP);
	assert_int_equal(find(&checks, "backend lsm")->result, KW_CHECK_OK);
	for (i = 0; i < checks.count; i++) {
		assert_string_not_equal(checks.list[i].meaning, "");
		if (checks.list[i].result == KW_CHECK_OK)
			assert_null(checks.list[i].remedy);
	}
	assert_true(checks.count < KW_CHECKS_MAX); /* none was left out */

	f.version = KW_KERNEL(6, 15, 0);
	kw_doctor_examine(&f, &checks);
	assert_null(find(&checks, "kvm_run registers"));
}

static void test_the_doctor_on_nothing(void **state)
{
	struct kw_kernel_facts f = gather();
	struct kw_checks checks;

	(void)state;
	kw_doctor_examine(&f, &checks);
	assert_int_equal(find(&checks, "/dev/kvm")->result, KW_CHECK_MISSING);
	assert_int_equal(find(&checks, "bpf among the LSMs")->result, KW_CHECK_UNKNOWN);
	assert_int_equal(find(&checks, "backend lsm")->result, KW_CHECK_MISSING);
	assert_int_equal(find(&checks, "backend tracepoint")->result, KW_CHECK_MISSING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nothing_is_known_of_nothing, begin),
		cmocka_unit_test_setup(test_modern_host, begin),
		cmocka_unit_test_setup(test_old_kernel, begin),
		cmocka_unit_test_setup(test_bpf_is_not_among_the_lsms, begin),
		cmocka_unit_test_setup(test_a_compat_hook_that_lacks, begin),
		cmocka_unit_test_setup(test_kvm_is_not_loaded, begin),
		cmocka_unit_test_setup(test_kvm_is_built_in, begin),
		cmocka_unit_test_setup(test_broken_type_information, begin),
		cmocka_unit_test_setup(test_lockdown_that_is_not_active, begin),
		cmocka_unit_test_setup(test_without_bpf, begin),
		cmocka_unit_test_setup(test_seccomp_that_is_too_old, begin),
		cmocka_unit_test_setup(test_landlock, begin),
		cmocka_unit_test_setup(test_preemption, begin),
		cmocka_unit_test_setup(test_no_32_bit_entry, begin),
		cmocka_unit_test_setup(test_odd_releases, begin),
		cmocka_unit_test_setup(test_this_machine, begin),
		cmocka_unit_test_setup(test_the_doctor_on_a_modern_host, begin),
		cmocka_unit_test_setup(test_the_doctor_on_nothing, begin),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
