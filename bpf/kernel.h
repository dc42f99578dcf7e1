/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's structures that are read, and how they are read. */
#ifndef KVMWARDEN_KERNEL_H
#define KVMWARDEN_KERNEL_H

#ifndef __bpf__
#error "for the BPF programs only"
#endif

/*
 * Only the fields that are read are declared; libbpf relocates each access to
 * the running kernel's layout (CO-RE), for structures of kvm and kvm_amd from
 * these modules' BTF. Fields that came or went are tested for, never versions.
 */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct timespec64 {
	long long tv_sec;
};

struct qstr {
	const unsigned char *name;
};

struct inode;
struct super_block;

struct dentry {
	struct dentry *d_parent;
	struct inode *d_inode;
	struct qstr d_name;
};

struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file_operations;

struct file {
	const struct file_operations *f_op;
	void *private_data;
	struct path f_path;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct mm_struct {
	struct file *exe_file;
};

struct kernfs_node {
	struct kernfs_node *parent; /* until 6.14 */
	const char *name;
	__u64 id;
};

struct kernfs_node___renamed {
	struct kernfs_node *__parent; /* 633488947ef6, 6.15 */
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

typedef struct {
	__u32 val;
} kuid_t;

typedef struct {
	__u32 val;
} kgid_t;

struct cred {
	kuid_t uid;
	kgid_t gid;
};

struct thread_info {
	__u32 status;
};

struct task_struct {
	struct thread_info thread_info;
	struct mm_struct *mm;
	int pid;
	int tgid;
	struct task_struct *group_leader;
	__u64 start_boottime;
	const struct cred *cred;
	char comm[16];
	struct files_struct *files;
	struct css_set *cgroups;
};

struct pt_regs {
	unsigned long bx;
	unsigned long cx;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
	unsigned long orig_ax;
};

struct xarray {
	void *xa_head;
};

struct xa_node {
	void *slots[64];
};

struct kvm_arch {
	__u8 vm_type; /* 6.8; its width has varied */
	_Bool has_private_mem; /* 6.10 */
	_Bool has_protected_state; /* 6.10 */
};

struct list_head {
	struct list_head *next, *prev;
};

struct kvm {
	int userspace_pid;
	struct mm_struct *mm;
	struct list_head vm_list; /* of all VMs; a new one comes first */
	struct xarray vcpu_array; /* 5.17 */
	int created_vcpus;
	struct kvm_arch arch;
};

struct kvm_vcpu_arch {
	_Bool guest_state_protected; /* 5.11 */
};

struct mutex {
	struct {
		long counter;
	} owner; /* the task, and three bits of flags */
};

/* Of the caller's shared memory: another thread can change it at any time. */
struct kvm_run {
	__u64 kvm_dirty_regs;
};

struct kvm_vcpu {
	struct kvm *kvm;
	struct kvm_run *run;
	struct mutex mutex; /* taken by each ioctl on the vCPU, after our look at it */
	int vcpu_idx;
	struct kvm_vcpu_arch arch;
};

struct kvm_device {
	struct kvm *kvm;
};

/* Private to kvm_amd; struct kvm is its first member. */
struct kvm_sev_info {
	_Bool active;
	_Bool es_active;
};

struct kvm_enable_cap {
	__u32 cap;
};

struct kvm_svm {
	struct kvm_sev_info sev_info;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop

/* Set by the daemon before loading: the kernel has the kfunc below (6.2). */
const volatile _Bool kw_typed_loads = 0;

extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

/*
 * Reads kernel memory; a bad address reads as 0. Addresses are plain numbers,
 * because much of what is reached (private_data, structures of modules) has no
 * type the verifier would know.
 *
 * lockdown=confidentiality forbids bpf_probe_read_kernel(), and where it is
 * allowed a typed load costs less. struct timespec64 serves as "64 bits of
 * anything": it is in every vmlinux BTF and the verifier takes its fields for
 * numbers. What is not executed may name a kfunc that is not there.
 */
#define DEFINE_LOAD(bits)                                                                     \
	static __always_inline __u##bits load##bits(__u64 address)                            \
	{                                                                                     \
		__u##bits value;                                                              \
                                                                                              \
		if (kw_typed_loads)                                                           \
			return *(volatile __u##bits *)bpf_rdonly_cast(                        \
				(void *)address, bpf_core_type_id_kernel(struct timespec64)); \
		value = 0;                                                                    \
		bpf_probe_read_kernel(&value, sizeof(value), (void *)address);                \
		return value;                                                                 \
	}

DEFINE_LOAD(64)
DEFINE_LOAD(32)
DEFINE_LOAD(8)

/* Fields by structure and name, at an address. */
#define FIELD(address, type, field) ((__u64)(address) + bpf_core_field_offset(type, field))
#define LOAD64(address, type, field) load64(FIELD(address, type, field))
#define LOAD32(address, type, field) load32(FIELD(address, type, field))
#define LOAD8(address, type, field) load8(FIELD(address, type, field))
#define HAS_FIELD(type, field) bpf_core_field_exists(type, field)

#endif
