/* SPDX-License-Identifier: GPL-2.0-only */
/* Made-up /proc and /sys trees, with type information. */
#ifndef KVMWARDEN_TEST_FAKE_KERNEL_H
#define KVMWARDEN_TEST_FAKE_KERNEL_H

#include "scratch.h"

#include <bpf/btf.h>
#include <errno.h>

#include "kernel-facts.h"

/* A scratch tree per test, so that none sees the files of another. */
static char root[64];

static inline void make_directories(char *path)
{
	char *p;

	for (p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
		*p = '/';
	}
}

static inline void put_bytes(const char *name, const void *bytes, size_t size)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	make_directories(path);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static inline void put(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text));
}

static inline int begin(void **state)
{
	static unsigned int number;

	(void)state;
	snprintf(root, sizeof(root), "%s/%u", scratch, number++);
	return mkdir(root, 0755);
}

static inline struct kw_kernel_facts gather(void)
{
	struct kw_kernel_facts facts;

	kw_kernel_facts_gather(root, &facts);
	return facts;
}

static inline void add_functions(struct btf *btf, const char *const *names)
{
	int proto = btf__add_func_proto(btf, 0);

	assert_true(proto > 0);
	for (; *names; names++)
		assert_true(btf__add_func(btf, *names, BTF_FUNC_GLOBAL, proto) > 0);
}

static inline int add_struct(struct btf *btf, const char *name, const char *const *members,
			     int type)
{
	int id = btf__add_struct(btf, name, 64);
	unsigned int offset = 0;

	assert_true(id > 0);
	for (; *members; members++, offset += 8)
		assert_int_equal(btf__add_field(btf, *members, type, offset, 0), 0);
	return id;
}

static inline void put_btf(const char *name, const struct btf *btf)
{
	const void *data;
	uint32_t size;

	data = btf__raw_data(btf, &size);
	assert_non_null(data);
	put_bytes(name, data, size);
}

static const char *const modern_functions[] = {
	"bpf_lsm_file_ioctl",	      "bpf_lsm_file_ioctl_compat", "security_file_ioctl",
	"security_file_ioctl_compat", "bpf_rdonly_cast",	   NULL,
};
static const char *const old_functions[] = {"bpf_lsm_file_ioctl", "security_file_ioctl", NULL};
static const char *const kvm_functions[] = {"kvm_arch_init_vm", "kvm_arch_destroy_vm", NULL};
static const char *const modern_arch[] = {"vm_type", "has_private_mem", "has_protected_state",
					  NULL};
static const char *const old_arch[] = {"n_used_mmu_pages", NULL};
static const char *const vcpu_arch[] = {"regs", "guest_state_protected", NULL};
static const char *const sev_info[] = {"active", "es_active", NULL};
static const char *const svm[] = {"sev_info", NULL};

static inline void add_kvm(struct btf *btf, const char *const *arch, int type)
{
	add_functions(btf, kvm_functions);
	add_struct(btf, "kvm_arch", arch, type);
	add_struct(btf, "kvm_vcpu_arch", vcpu_arch, type);
}

/* Type information as Debian has it: kvm and kvm_amd are modules. */
static inline void put_module_btf(const char *const *functions, const char *const *arch)
{
	struct btf *vmlinux = btf__new_empty(), *kvm, *amd;
	int type, id;

	type = btf__add_int(vmlinux, "_Bool", 1, BTF_INT_BOOL);
	assert_true(type > 0);
	add_functions(vmlinux, functions);
	put_btf("sys/kernel/btf/vmlinux", vmlinux);

	kvm = btf__new_empty_split(vmlinux);
	add_kvm(kvm, arch, type);
	put_btf("sys/kernel/btf/kvm", kvm);

	amd = btf__new_empty_split(vmlinux);
	id = add_struct(amd, "kvm_sev_info", sev_info, type);
	id = btf__add_typedef(amd, "sev_info_t", id);
	add_struct(amd, "kvm_svm", svm, id);
	put_btf("sys/kernel/btf/kvm_amd", amd);
	btf__free(amd);
	btf__free(kvm);
	btf__free(vmlinux);
}

static inline void put_modern_host(void)
{
	put("proc/sys/kernel/osrelease", "6.12.95+deb12-amd64\n");
	put("proc/version", "Linux version 6.12.95 (x) #1 SMP PREEMPT_DYNAMIC Debian 6.12\n");
	put("proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/sda1 quiet\n");
	put("proc/self/mounts", "sysfs /sys sysfs rw 0 0\n"
				"securityfs /sys/kernel/security securityfs rw 0 0\n"
				"bpf /sys/fs/bpf bpf rw 0 0\n"
				"tracefs /sys/kernel/tracing tracefs rw 0 0\n");
	put("proc/sys/kernel/seccomp/actions_avail", "kill_process user_notif allow\n");
	put("boot/config-6.12.95+deb12-amd64",
	    "# CONFIG_PREEMPT is not set\nCONFIG_PREEMPT_VOLUNTARY=y\nCONFIG_IA32_EMULATION=y\n");
	put("sys/kernel/security/lsm", "lockdown,capability,landlock,yama,apparmor,bpf");
	put("sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	put("sys/module/kvm/refcnt", "1\n");
	put("sys/module/kvm_amd/parameters/sev", "Y\n");
	put("sys/module/kvm_amd/parameters/sev_es", "Y\n");
	put("sys/module/kvm_amd/parameters/sev_snp", "N\n");
	put("dev/kvm", "");
	put_module_btf(modern_functions, modern_arch);
}

#endif
