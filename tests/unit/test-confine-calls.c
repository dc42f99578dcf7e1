/* SPDX-License-Identifier: GPL-2.0-only */
/* The filter of the daemon's system calls, run by hand as the kernel would. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/kvm.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "confine-internal.h"
#include "guard.h"
#include "util.h"

#define NATIVE AUDIT_ARCH_X86_64
#define COMPAT AUDIT_ARCH_I386
#define X32 0x40000000u
#define ALLOWED SECCOMP_RET_ALLOW
#define KILLED SECCOMP_RET_KILL_PROCESS
#define REFUSED (SECCOMP_RET_ERRNO | EPERM)

/* What BPF has and a filter of libseccomp uses; anything else fails the test. */
static uint32_t run(const struct seccomp_data *data)
{
	size_t count, at = 0;
	const struct sock_filter *filter = kw_confine_filter(&count);
	uint32_t a = 0;

	while (at < count) {
		const struct sock_filter *f = &filter[at++];
		bool taken = false;

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(f->k % 4 == 0 && f->k < sizeof(*data));
			memcpy(&a, (const char *)data + f->k, sizeof(a));
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f->k;
			continue;
		case BPF_JMP | BPF_JA:
			at += f->k;
			continue;
		case BPF_RET | BPF_K:
			return f->k;
		case BPF_JMP | BPF_JEQ | BPF_K:
			taken = a == f->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			taken = a >= f->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			taken = a > f->k;
			break;
		default:
			fail_msg("an instruction 0x%x", f->code);
		}
		at += taken ? f->jt : f->jf;
	}
	fail_msg("the filter does not end");
	return 0;
}

struct row {
	const char *what;
	uint32_t arch;
	uint32_t number;
	uint64_t args[3];
	uint32_t wanted;
};

static const struct row rows[] = {
	{"read", NATIVE, SYS_read, {0}, ALLOWED},
	{"what nobody heard of", NATIVE, 9999, {0}, REFUSED},
	{"what is known and not needed", NATIVE, SYS_mlockall, {0}, REFUSED},
	{"the proof", NATIVE, SYS_ioctl, {5, KW_CMD_CANARY}, ALLOWED},
	{"the guard", NATIVE, SYS_ioctl, {5, KW_CMD_SEAL, 1}, ALLOWED},
	{"an ioctl of KVM", NATIVE, SYS_ioctl, {5, KVM_RUN}, REFUSED},
	{"one with the low bits of the proof",
	 NATIVE,
	 SYS_ioctl,
	 {5, 0x10000 | KW_CMD_CANARY},
	 REFUSED},
	{"the proof, with what the kernel cuts off",
	 NATIVE,
	 SYS_ioctl,
	 {5, 1ull << 32 | KW_CMD_CANARY},
	 ALLOWED},
	{"an ioctl of KVM with it", NATIVE, SYS_ioctl, {5, 1ull << 32 | KVM_RUN}, REFUSED},
	{"a notification", NATIVE, SYS_ioctl, {5, SECCOMP_IOCTL_NOTIF_RECV}, ALLOWED},
	{"a descriptor for a VMM", NATIVE, SYS_ioctl, {5, SECCOMP_IOCTL_NOTIF_ADDFD}, REFUSED},
	{"input for the terminal", NATIVE, SYS_ioctl, {0, TIOCSTI}, REFUSED},
	{"a new map", NATIVE, SYS_bpf, {BPF_MAP_CREATE}, ALLOWED},
	{"a walk", NATIVE, SYS_bpf, {BPF_ITER_CREATE}, ALLOWED},
	{"a map by its number", NATIVE, SYS_bpf, {BPF_MAP_GET_FD_BY_ID}, REFUSED},
	{"a pin", NATIVE, SYS_bpf, {BPF_OBJ_PIN}, REFUSED},
	{"a program", NATIVE, SYS_bpf, {BPF_PROG_LOAD}, KILLED},
	{"a program, cut off", NATIVE, SYS_bpf, {1ull << 32 | BPF_PROG_LOAD}, KILLED},
	{"memory", NATIVE, SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE}, ALLOWED},
	{"code", NATIVE, SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC}, KILLED},
	{"memory that becomes code", NATIVE, SYS_mprotect, {4096, 4096, PROT_EXEC}, KILLED},
	{"a socket for datagrams",
	 NATIVE,
	 SYS_socket,
	 {AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC},
	 ALLOWED},
	{"one to connect", NATIVE, SYS_socket, {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC}, REFUSED},
	{"one that has packets", NATIVE, SYS_socket, {AF_UNIX, SOCK_SEQPACKET}, REFUSED},
	{"the net", NATIVE, SYS_socket, {AF_INET, SOCK_DGRAM}, REFUSED},
	{"netlink", NATIVE, SYS_socket, {AF_NETLINK, SOCK_DGRAM}, REFUSED},
	{"a connection", NATIVE, SYS_connect, {5}, REFUSED},
	{"more room", NATIVE, SYS_setsockopt, {5, SOL_SOCKET, SO_SNDBUF}, ALLOWED},
	{"a filter of a socket",
	 NATIVE,
	 SYS_setsockopt,
	 {5, SOL_SOCKET, SO_ATTACH_FILTER},
	 REFUSED},
	{"a thread", NATIVE, SYS_clone, {CLONE_VM | CLONE_THREAD | CLONE_SIGHAND}, ALLOWED},
	{"a process", NATIVE, SYS_clone, {SIGCHLD}, KILLED},
	{"a process in memory of ours", NATIVE, SYS_clone, {CLONE_VM | CLONE_VFORK}, KILLED},
	{"a thread, by flags in memory", NATIVE, SYS_clone3, {0}, SECCOMP_RET_ERRNO | ENOSYS},
	{"abort", NATIVE, SYS_tgkill, {1, 1, SIGABRT}, ALLOWED},
	{"another signal", NATIVE, SYS_tgkill, {1, 1, SIGTERM}, REFUSED},
	{"the end of a VMM", NATIVE, SYS_pidfd_send_signal, {5, SIGKILL}, ALLOWED},
	{"a VMM that stops", NATIVE, SYS_pidfd_send_signal, {5, SIGSTOP}, REFUSED},
	{"a name for a thread", NATIVE, SYS_prctl, {PR_SET_NAME}, ALLOWED},
	{"a memory image", NATIVE, SYS_prctl, {PR_SET_DUMPABLE}, REFUSED},
	{"secure bits", NATIVE, SYS_prctl, {PR_SET_SECUREBITS}, REFUSED},
	{"the sizes of notifications", NATIVE, SYS_seccomp, {SECCOMP_GET_NOTIF_SIZES}, ALLOWED},
	{"exec", NATIVE, SYS_execve, {0}, KILLED},
	{"another process's memory", NATIVE, SYS_process_vm_writev, {1}, KILLED},
	{"another process's descriptors", NATIVE, SYS_pidfd_getfd, {1}, KILLED},
	{"a module", NATIVE, SYS_finit_module, {1}, KILLED},
	{"a mount", NATIVE, SYS_mount, {0}, KILLED},
	{"capabilities", NATIVE, SYS_capset, {0}, KILLED},
	{"rings that issue calls", NATIVE, SYS_io_uring_setup, {0}, KILLED},
	{"read, by x32", NATIVE, X32 | SYS_read, {0}, KILLED},
	{"the proof, by x32", NATIVE, X32 | 514, {5, KW_CMD_CANARY}, KILLED},
	{"the proof, by the 32-bit entry", COMPAT, 54, {5, KW_CMD_CANARY}, ALLOWED},
	{"an ioctl of KVM there", COMPAT, 54, {5, KVM_RUN}, REFUSED},
	{"the guard there", COMPAT, 54, {5, KW_CMD_SEAL}, REFUSED},
	{"read there", COMPAT, 3, {0}, REFUSED},
	{"exec there", COMPAT, 11, {0}, KILLED},
	{"fork there", COMPAT, 2, {0}, KILLED},
	{"a socket there, by socketcall", COMPAT, 102, {1}, REFUSED},
	{"another processor's", AUDIT_ARCH_AARCH64, 0, {0}, KILLED},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(rows); i++) {
		struct seccomp_data data = {.nr = (int)rows[i].number, .arch = rows[i].arch};
		uint32_t got;

		memcpy(data.args, rows[i].args, sizeof(rows[i].args));
		got = run(&data);
		if (got != rows[i].wanted)
			fail_msg("%s: 0x%x, not 0x%x", rows[i].what, got, rows[i].wanted);
	}
}

/* Of the first 1024 numbers of each entry: what passes whatever the arguments are. */
static void test_counts(void **state)
{
	unsigned int native = 0, compat = 0;

	(void)state;
	for (int i = 0; i < 1024; i++) {
		struct seccomp_data data = {.nr = i, .arch = NATIVE};

		memset(data.args, 0xff, sizeof(data.args));
		native += run(&data) == ALLOWED;
		data.arch = COMPAT;
		compat += run(&data) == ALLOWED;
	}
	assert_in_range(native, 60, 110);
	assert_int_equal(compat, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
