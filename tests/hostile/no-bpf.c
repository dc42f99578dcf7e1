/* SPDX-License-Identifier: GPL-2.0-only */
/* Executes a command for which bpf(2) does not work, as in many containers. */

/*
 * no-bpf eperm|kill COMMAND...
 *
 *	eperm	bpf(2) fails with EPERM
 *	kill	whoever calls it is killed (SIGSYS): the command is to do without even trying
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	unsigned int answer = SECCOMP_RET_ERRNO | EPERM;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	if (argc < 3 || (strcmp(argv[1], "eperm") != 0 && strcmp(argv[1], "kill") != 0)) {
		fputs("usage: no-bpf eperm|kill COMMAND...\n", stderr);
		return 2;
	}
	if (strcmp(argv[1], "kill") == 0)
		answer = SECCOMP_RET_KILL_PROCESS;
	code[4].k = answer;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) {
		perror("no-bpf: seccomp");
		return 3;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
