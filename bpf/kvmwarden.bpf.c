/* SPDX-License-Identifier: GPL-2.0-only */
/* The BPF programs: where they hook the kernel, and nothing else. */

/*
 *   kw_lsm, kw_lsm_compat          LSM hooks of ioctl(2): refuse
 *   kw_fmod, kw_fmod_compat        the same by modify-return, for kernels whose lsm= lacks bpf
 *   kw_tp_enter, kw_tp_exit        raw syscall tracepoints: audit, kill, and record births
 *   kw_vm_init, kw_vm_destroy      birth and end of VMs, where trampolines work
 *   kw_after_*                     behind the hooks, where trampolines work: see after.h
 *   kw_files                       iterator over open files: learns KVM's f_ops, adopts VMs
 *   kw_judge                       iterator over one task: decides for the daemon, see judge.h
 *
 * The daemon loads those of one backend, all or none.
 */
#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kvmwarden.h"

#include "after.h"
#include "judge.h"

char LICENSE[] SEC("license") = "GPL";

/*
 * From errno to the return value of a hook. The verifier wants to see that it
 * lies within -4095..0, and clang would fold a plain negation into forms whose
 * bounds older verifiers lose ("At program exit the register R0 has ...").
 */
static __always_inline int refuse(__u32 error)
{
	long ret = 0;

	if (!error)
		return 0;
	if (error > 4095)
		error = 1; /* EPERM */
	asm volatile("%0 = 0; %0 -= %1" : "=&r"(ret) : "r"((__u64)error));
	return (int)ret;
}

/* earlier: what another LSM or program has decided already; a refusal stands. */
static __always_inline int decide_ioctl(struct file *file, unsigned int command, unsigned long arg,
					int earlier, __u32 entry)
{
	if (!interest_of(command))
		return earlier;
	if (earlier)
		return earlier;
	return refuse(check((__u64)file->f_op, (__u64)file->private_data, command, arg, entry));
}

#define X32_BIT 0x40000000
#define TS_COMPAT 0x0002

/* By which entry is the current task in the kernel? */
static __always_inline __u32 current_entry(void)
{
	__u64 task = bpf_get_current_task();
	struct pt_regs *regs;

	if (LOAD32(task, struct task_struct, thread_info.status) & TS_COMPAT)
		return KW_ENTRY_COMPAT;
	regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	return regs->orig_ax & X32_BIT ? KW_ENTRY_COMPAT : KW_ENTRY_NATIVE;
}

SEC("lsm/file_ioctl")
int BPF_PROG(kw_lsm, struct file *file, unsigned int command, unsigned long arg, int ret)
{
	return decide_ioctl(file, command, arg, ret, KW_ENTRY_NATIVE);
}

SEC("lsm/file_ioctl_compat")
int BPF_PROG(kw_lsm_compat, struct file *file, unsigned int command, unsigned long arg, int ret)
{
	return decide_ioctl(file, command, arg, ret, KW_ENTRY_COMPAT);
}

SEC("fmod_ret/security_file_ioctl")
int BPF_PROG(kw_fmod, struct file *file, unsigned int command, unsigned long arg, int ret)
{
	return decide_ioctl(file, command, arg, ret, KW_ENTRY_NATIVE);
}

SEC("fmod_ret/security_file_ioctl_compat")
int BPF_PROG(kw_fmod_compat, struct file *file, unsigned int command, unsigned long arg, int ret)
{
	return decide_ioctl(file, command, arg, ret, KW_ENTRY_COMPAT);
}

SEC("fexit/kvm_arch_init_vm")
int BPF_PROG(kw_vm_init, struct kvm *kvm, unsigned long type, int ret)
{
	if (!ret)
		vm_created((__u64)kvm, type, current_entry());
	return 0;
}

SEC("fentry/kvm_arch_destroy_vm")
int BPF_PROG(kw_vm_destroy, struct kvm *kvm)
{
	__u64 key = (__u64)kvm;
	struct kw_vm *vm;

	/* All of it is still there. No hook need have seen the VM in the state it was in last. */
	vm = bpf_map_lookup_elem(&vms, &key);
	if (vm)
		vm_look(vm, key, first_vcpu(key));
	vm_destroyed(key);
	return 0;
}

SEC("fentry/kvm_arch_vcpu_ioctl")
int BPF_PROG(kw_after_vcpu, struct file *file, unsigned int command)
{
	__u64 vcpu = LOAD64((__u64)file, struct file, private_data);

	return kvm_refuses(vcpu, command) ? 0 : on_registers(vcpu, command, false);
}

SEC("fentry/__set_regs")
int BPF_PROG(kw_after_regs, struct kvm_vcpu *vcpu)
{
	return on_registers((__u64)vcpu, KW_CMD_SET_REGS, true);
}

SEC("fentry/__set_sregs")
int BPF_PROG(kw_after_sregs, struct kvm_vcpu *vcpu)
{
	return on_registers((__u64)vcpu, KW_CMD_SET_SREGS, true);
}

SEC("fentry/kvm_vcpu_ioctl_x86_set_vcpu_events")
int BPF_PROG(kw_after_events, struct kvm_vcpu *vcpu)
{
	return on_registers((__u64)vcpu, KW_CMD_RUN, true);
}

SEC("fentry/kvm_arch_vcpu_ioctl_set_fpu")
int BPF_PROG(kw_after_fpu, struct kvm_vcpu *vcpu)
{
	return on_registers((__u64)vcpu, KW_CMD_SET_FPU, false);
}

SEC("fentry/kvm_vm_ioctl_enable_cap")
int BPF_PROG(kw_after_cap, struct kvm *kvm, struct kvm_enable_cap *cap)
{
	return on_capability((__u64)kvm, LOAD32((__u64)cap, struct kvm_enable_cap, cap));
}

SEC("fentry/sev_issue_cmd_external_user")
int BPF_PROG(kw_after_firmware, struct file *file, unsigned int command)
{
	return on_firmware(command);
}

SEC("fexit/sev_mem_enc_ioctl")
int BPF_PROG(kw_after_encrypt, struct kvm *kvm, void *argument, int ret)
{
	return on_encrypt_op((__u64)kvm, ret);
}

/*
 * The raw tracepoints fire for every system call, by whichever entry; those of
 * a single system call would be cheaper for the others but do not fire for
 * 32-bit callers.
 */
#define NR_IOCTL 16
#define NR_IOCTL_I386 54
#define NR_IOCTL_X32 (X32_BIT + 514)

struct call {
	__u32 fd;
	__u32 command;
	__u64 arg;
	__u32 entry;
};

/* Is this system call an ioctl? The kernel takes 32 bits of fd and command, so do we. */
static __always_inline bool is_ioctl(struct pt_regs *regs, long nr, struct call *call)
{
	__u64 task;

	if (nr == NR_IOCTL_X32 || nr == NR_IOCTL) {
		call->fd = regs->di;
		call->command = regs->si;
		call->arg = regs->dx;
		call->entry = nr == NR_IOCTL ? KW_ENTRY_NATIVE : KW_ENTRY_COMPAT;
	} else if (nr != NR_IOCTL_I386) {
		return false;
	}
	task = bpf_get_current_task();
	if (!(LOAD32(task, struct task_struct, thread_info.status) & TS_COMPAT))
		return nr != NR_IOCTL_I386;
	if (nr != NR_IOCTL_I386)
		return false;
	call->fd = regs->bx;
	call->command = regs->cx;
	call->arg = (__u32)regs->dx;
	call->entry = KW_ENTRY_COMPAT;
	return true;
}

/* The file behind a descriptor of the current task, or 0. Another thread may change it. */
static __always_inline __u64 file_of_fd(__u32 fd)
{
	__u64 task = bpf_get_current_task();
	__u64 files = LOAD64(task, struct task_struct, files);
	__u64 table = LOAD64(files, struct files_struct, fdt);

	if (fd >= LOAD32(table, struct fdtable, max_fds))
		return 0;
	return load64(LOAD64(table, struct fdtable, fd) + 8ull * fd);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(kw_tp_enter, struct pt_regs *regs, long nr)
{
	struct call call = {};
	__u64 file;

	if (!is_ioctl(regs, nr, &call) || !interest_of(call.command))
		return 0;
	file = file_of_fd(call.fd);
	if (file)
		check(LOAD64(file, struct file, f_op), LOAD64(file, struct file, private_data),
		      call.command, call.arg, call.entry);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(kw_tp_exit, struct pt_regs *regs, long ret)
{
	struct request req = {};
	struct call call = {};
	__u64 file;

	if (ret < 0 || !is_ioctl(regs, regs->orig_ax, &call) || call.command != KW_CMD_CREATE_VM)
		return 0;
	file = file_of_fd(ret);
	if (file &&
	    find_target(&req, LOAD64(file, struct file, f_op),
			LOAD64(file, struct file, private_data)) &&
	    req.scope == KW_SCOPE_VM) {
		vm_replaced(req.kvm);
		vm_created(req.kvm, call.arg, call.entry);
	}
	return 0;
}

SEC("iter/task_file")
int kw_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct kw_counters *count = only_element(&counters);
	struct request req = {};
	__s32 fd = (__s32)ctx->fd;
	struct kw_vm *vm;
	__u64 leader;
	__u32 i;

	if (!task || !file || !count)
		return 0;
	barrier_var(fd); /* "dereference of modified ctx ptr" if read inside the loop */
	if (kw_learn_fds[KW_SCOPE_SYSTEM] >= 0 &&
	    task->tgid == (int)(bpf_get_current_pid_tgid() >> 32)) {
		count->self_pid = task->tgid;
		count->self_started_ns = LOAD64(LOAD64(task, struct task_struct, group_leader),
						struct task_struct, start_boottime);
		for (i = 0; i < _KW_SCOPE_MAX; i++)
			if (kw_learn_fds[i] == fd)
				kw_fops[i] = LOAD64(file, struct file, f_op);
		if (kw_learn_fds[KW_SCOPE_VM] == fd)
			kw_anchor = LOAD64(file, struct file, private_data);
		return 0;
	}
	if (!find_target(&req, LOAD64((__u64)file, struct file, f_op),
			 LOAD64((__u64)file, struct file, private_data)) ||
	    req.scope == KW_SCOPE_SYSTEM)
		return 0;
	vm = bpf_map_lookup_elem(&vms, &req.kvm);
	if (vm && kw_backend == KW_BACKEND_SECCOMP && is_stale(vm, req.kvm))
		vm = 0;
	if (!vm) {
		/* Descriptors elsewhere than in the VM's own process say nothing of its creator. */
		if (LOAD64(task, struct task_struct, mm) != LOAD64(req.kvm, struct kvm, mm))
			return 0;
		leader = LOAD64(task, struct task_struct, group_leader);
		/* Where no hook tells of births, what the first walk did not find is one. */
		if (kw_backend == KW_BACKEND_SECCOMP && kw_sweep > 1) {
			vm_found(req.kvm, leader);
			vm = bpf_map_lookup_elem(&vms, &req.kvm);
		} else {
			STAT(adopted);
			vm = vm_record(req.kvm, leader, KW_TYPE_DEFAULT, KW_VM_ADOPTED);
		}
		if (!vm)
			return 0;
	}
	vm->sweep = kw_sweep;
	vm->vcpus = LOAD32(req.kvm, struct kvm, created_vcpus);
	vm_look(vm, req.kvm, req.vcpu ?: first_vcpu(req.kvm));
	return 0;
}

/* Which system call is a task in, or was in last? An interrupt of user mode leaves -1. */
static __always_inline void peek(struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	bool compat = LOAD32((__u64)task, struct task_struct, thread_info.status) & TS_COMPAT;

	kw_ruling.nr = LOAD64((__u64)regs, struct pt_regs, orig_ax);
	kw_ruling.args[0] = LOAD64((__u64)regs, struct pt_regs, di);
	kw_ruling.args[1] = LOAD64((__u64)regs, struct pt_regs, si);
	if (compat) {
		kw_ruling.args[0] = LOAD64((__u64)regs, struct pt_regs, bx);
		kw_ruling.args[1] = LOAD64((__u64)regs, struct pt_regs, cx);
	}
	kw_ruling.given = 1;
}

SEC("iter/task")
int kw_judge(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task || task->pid != (int)kw_inquiry.tid)
		return 0;
	if (kw_inquiry.kind == KW_INQUIRY_PEEK) {
		peek(task);
		return 0;
	}
	if (kw_inquiry.kind == KW_INQUIRY_MARK) {
		mark();
		return 0;
	}
	/* From here on it is a number like other addresses: global functions take no other. */
	kw_judged = (__u64)task;
	barrier();
	judge(*(volatile __u64 *)&kw_judged);
	return 0;
}
