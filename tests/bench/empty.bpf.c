/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs that do nothing, or one thing: what tests/guest/speed puts beside ours. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

struct file;
struct pt_regs;

#define DENIED 0x8188aea6u /* KVM_GET_XCRS */
#define WASTE 1000

SEC("lsm/file_ioctl")
int BPF_PROG(lsm_empty, struct file *file, unsigned int command, unsigned long arg, int ret)
{
	return 0;
}

SEC("lsm/file_ioctl")
int BPF_PROG(lsm_refuse, struct file *file, unsigned int command, unsigned long arg, int ret)
{
	return command == DENIED ? -13 /* EACCES */ : 0;
}

/* Whoever measures has to see it. */
SEC("lsm/file_ioctl")
int BPF_PROG(lsm_slow, struct file *file, unsigned int command, unsigned long arg, int ret)
{
	for (int i = 0; i < WASTE; i++)
		asm volatile("r0 = 0" : : : "r0");
	return 0;
}

SEC("fmod_ret/security_file_ioctl")
int BPF_PROG(fmod_empty, struct file *file, unsigned int command, unsigned long arg, int ret)
{
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(raw_enter, struct pt_regs *regs, long nr)
{
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(raw_exit, struct pt_regs *regs, long ret)
{
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_ioctl")
int ioctl_enter(void *ctx)
{
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_ioctl")
int ioctl_exit(void *ctx)
{
	return 0;
}
