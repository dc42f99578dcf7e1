/* SPDX-License-Identifier: GPL-2.0-only */
/* Which kinds of BPF programs this kernel accepts from us: asked by loading the smallest one. */
#include "kernel-facts.h"

#include <errno.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* "return 0": BPF_MOV64_IMM(r0, 0), BPF_EXIT. It is never attached. */
static const struct bpf_insn return_zero[] = {
	{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
	{.code = BPF_JMP | BPF_EXIT},
};

static enum kw_truth loads(enum bpf_prog_type type, enum bpf_attach_type attach, const char *target)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = attach);
	int id, fd;

	id = libbpf_find_vmlinux_btf_id(target, attach);
	if (id < 0)
		return KW_FACT_UNKNOWN; /* the other facts say what is missing */
	options.attach_btf_id = (unsigned int)id;
	fd = bpf_prog_load(type, "kw_try", "GPL", return_zero,
			   sizeof(return_zero) / sizeof(return_zero[0]), &options);
	if (fd >= 0) {
		close(fd);
		return KW_FACT_YES;
	}
	return errno == EPERM ? KW_FACT_NO : KW_FACT_UNKNOWN;
}

void kw_kernel_facts_try_load(struct kw_kernel_facts *facts)
{
	facts->loads[KW_BACKEND_LSM] = loads(BPF_PROG_TYPE_LSM, BPF_LSM_MAC, "file_ioctl");
	facts->loads[KW_BACKEND_FMOD_RET] =
		loads(BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN, "security_file_ioctl");
	facts->loads[KW_BACKEND_TRACEPOINT] =
		loads(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, "sys_enter");
}
