/* SPDX-License-Identifier: GPL-2.0-only */
/* Mends what libbpf does to our programs under lockdown=confidentiality. */
#include <errno.h>

#include <bpf/bpf.h>

#include "backend-internal.h"
#include "util.h"

/*
 * Theory of operation
 *
 * libbpf finds out whether the kernel has bpf_probe_read_kernel() and its relatives
 * (5.5) by trying that one. lockdown=confidentiality forbids it, so libbpf takes the
 * kernel for an old one and turns every call of bpf_probe_read_user(), which is not
 * forbidden, into one of bpf_probe_read(), which is. Programs read the numbers of
 * commands with it. The only place where a program can be changed after that is
 * the handler of its section; those of ours do what libbpf's do, and turn the calls
 * back. Our programs call bpf_probe_read() nowhere, and what they would read the
 * kernel with is dead code there (kw_typed_loads).
 */

static void mend(struct bpf_program *prog)
{
	/* The array is libbpf's to give and ours to change here: see libbpf.h. */
	struct bpf_insn *insns = (struct bpf_insn *)bpf_program__insns(prog);
	size_t count = bpf_program__insn_cnt(prog);

	for (size_t i = 0; i < count; i++)
		if (insns[i].code == (BPF_JMP | BPF_CALL) && insns[i].src_reg == 0 &&
		    insns[i].imm == BPF_FUNC_probe_read)
			insns[i].imm = BPF_FUNC_probe_read_user;
}

static int prepare(struct bpf_program *prog, struct bpf_prog_load_opts *opts, long cookie)
{
	const char *target = strchr(bpf_program__section_name(prog), '/') + 1;
	int id = libbpf_find_vmlinux_btf_id(target, bpf_program__expected_attach_type(prog));

	(void)cookie;
	if (id < 0)
		return id;
	opts->attach_btf_id = id;
	mend(prog);
	return 0;
}

static int attach(const struct bpf_program *prog, long cookie, struct bpf_link **ret)
{
	(void)cookie;
	*ret = bpf_program__type(prog) == BPF_PROG_TYPE_LSM ? bpf_program__attach_lsm(prog)
							    : bpf_program__attach_trace(prog);
	return *ret ? 0 : -errno;
}

int kw_backend_register_sections(void)
{
	static const struct {
		const char *prefix;
		enum bpf_prog_type type;
		enum bpf_attach_type attach;
	} sections[] = {
		{"lsm/", BPF_PROG_TYPE_LSM, BPF_LSM_MAC},
		{"fmod_ret/", BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN},
		{"tp_btf/", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP},
	};
	LIBBPF_OPTS(libbpf_prog_handler_opts, options, .prog_prepare_load_fn = prepare,
		    .prog_attach_fn = attach);
	static bool done;
	int r;

	for (size_t i = 0; i < KW_ARRAY_SIZE(sections) && !done; i++) {
		r = libbpf_register_prog_handler(sections[i].prefix, sections[i].type,
						 sections[i].attach, &options);
		if (r < 0)
			return r;
	}
	done = true;
	return 0;
}
