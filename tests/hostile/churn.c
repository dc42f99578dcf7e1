/* SPDX-License-Identifier: GPL-2.0-only */
/* Creates and destroys VMs by the thousand: does each get the verdicts of its own kind? */

/*
 * churn cycle N KIND=ERRNO,...
 *	Creates N VMs, of one kind after the other; asks each something whose answer must
 *	be the kind's; and destroys it. With a policy per kind whose errno is its own, a
 *	VM that was judged by what is left of an older one at the same address shows. The
 *	order moves on with each round, so that places do not stay with their kinds.
 *
 *		cycles=10000 wrong=0
 *
 * churn write KIND,...
 *	Until standard input ends: creates VMs of these kinds and writes to the
 *	registers of each in every way. It is told what the policies have not refused with
 *	EPERM or EACCES, whatever KVM then answered, and what was carried out.
 *
 *		vms=300 tries=1800 passed=0 carried-out=0
 *
 * churn hold N PROCESSES
 *	N plain VMs, of several processes, which have an equal part each, live until standard
 *	input ends.
 *
 *		holding 101=500 102=500
 *
 * KIND is a type of VM, whose launch has begun, or TYPE+sealed. The former are asked for
 * KVM_GET_CLOCK and have no vCPU, which is what takes time; the latter have a
 * vCPU, which is asked for KVM_SET_REGS.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat_kvm.h"

enum exit_status {
	EXIT_DONE = 0,
	EXIT_USAGE = 2,
	EXIT_COULD_NOT_TRY = 3,
};

static const struct type {
	const char *name;
	unsigned long number;
	/* Commands of the launch; -1: none. */
	int init, start, seal;
} types[] = {
	{"default", VM_TYPE_DEFAULT, -1, -1, -1},
	{"sev", VM_TYPE_SEV, SEV_CMD_INIT2, SEV_CMD_LAUNCH_START, -1},
	{"sev-es", VM_TYPE_SEV_ES, SEV_CMD_INIT2, SEV_CMD_LAUNCH_START, SEV_CMD_LAUNCH_UPDATE_VMSA},
	{"sev-snp", VM_TYPE_SNP, SEV_CMD_INIT2, SEV_CMD_SNP_LAUNCH_START,
	 SEV_CMD_SNP_LAUNCH_FINISH},
	{"tdx", VM_TYPE_TDX, TDX_CMD_INIT_VM, -1, -1},
	{"legacy-sev-es", VM_TYPE_DEFAULT, SEV_CMD_SEV_ES_INIT, SEV_CMD_LAUNCH_START,
	 SEV_CMD_LAUNCH_UPDATE_VMSA},
};

struct kind {
	const struct type *type;
	bool sealed;
	int answer;
};

enum { KINDS_MAX = 32, PROCESSES_MAX = 64, ERRNOS = 134 };

static struct kind kinds[KINDS_MAX];
static unsigned int n_kinds;
static int kvm;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "churn: %s: %s\n", what, strerror(errno));
	exit(EXIT_COULD_NOT_TRY);
}

static void command(int vm, int id)
{
	static union {
		struct kvm_sev_launch_start start;
		struct snp_launch_start snp;
		struct tdx_init_vm td;
		char space[4096];
	} none, data;
	/* The same layout but for names, as far as it is used here. */
	struct kvm_sev_cmd cmd = {.id = (uint32_t)id, .data = (uintptr_t)&data};

	if (id < 0)
		return;
	data = none;
	if (ioctl(vm, KVM_MEMORY_ENCRYPT_OP, &cmd) < 0)
		die("a command of the launch");
}

/* Returns the VM; the vCPU is -1 where there is none. */
static int make(const struct kind *kind, int *ret_vcpu)
{
	int vm = ioctl(kvm, KVM_CREATE_VM, kind->type->number);

	*ret_vcpu = -1;
	if (vm < 0)
		die(kind->type->name);
	command(vm, kind->type->init);
	if (kind->sealed) {
		*ret_vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
		if (*ret_vcpu < 0)
			die("KVM_CREATE_VCPU");
	}
	command(vm, kind->type->start);
	if (kind->sealed)
		command(vm, kind->type->seal);
	return vm;
}

static int answer(int fd, unsigned long number, void *argument)
{
	return ioctl(fd, number, argument) < 0 ? errno : 0;
}

/*
 * The kernel keeps addresses of memory that it has let go of until there is enough of
 * it (vmalloc's lazy purge: 32 MB, twice that with two processors) and gives them out
 * again only then. A VM takes too little for that to happen soon.
 */
static void let_go_of_memory(void)
{
	union bpf_attr map = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 1 << 16,
		.max_entries = 128,
	};
	int fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map));

	if (fd >= 0)
		close(fd);
}

static int cycle(unsigned long cycles)
{
	enum { CYCLES_PER_PURGE = 32 };
	struct kvm_regs regs = {.rflags = 2};
	struct kvm_clock_data clock;
	unsigned long wrong = 0;
	int vm, vcpu, got;

	for (unsigned long i = 0; i < cycles; i++) {
		const struct kind *kind = &kinds[(i + i / n_kinds) % n_kinds];

		vm = make(kind, &vcpu);
		if (kind->sealed)
			got = answer(vcpu, KVM_SET_REGS, &regs);
		else
			got = answer(vm, KVM_GET_CLOCK, &clock);
		if (got != kind->answer && wrong++ < 10)
			fprintf(stderr, "churn: cycle %lu: %s%s: %s\n", i, kind->type->name,
				kind->sealed ? "+sealed" : "", strerror(got));
		if (kind->sealed)
			close(vcpu);
		close(vm);
		if (i % CYCLES_PER_PURGE == 0)
			let_go_of_memory();
	}
	printf("cycles=%lu wrong=%lu\n", cycles, wrong);
	return wrong ? 1 : EXIT_DONE;
}

static bool input_ended(void)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	char byte;

	return poll(&in, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

static int write_registers(void)
{
	static const unsigned long writes[] = {
		KVM_SET_REGS, KVM_SET_SREGS, KVM_SET_FPU, KVM_SET_XCRS, KVM_SET_DEBUGREGS,
	};
	const unsigned int n = sizeof(writes) / sizeof(writes[0]);
	unsigned long vms = 0, passed = 0, carried_out = 0;
	_Alignas(8) char zeroes[4096] = {};
	int vm, vcpu, got;

	while (!input_ended()) {
		vm = make(&kinds[vms++ % n_kinds], &vcpu);
		for (unsigned int i = 0; i < n; i++) {
			got = answer(vcpu, writes[i], zeroes);
			passed += got != EPERM && got != EACCES;
			carried_out += got == 0;
		}
		close(vcpu);
		close(vm);
	}
	printf("vms=%lu tries=%lu passed=%lu carried-out=%lu\n", vms, vms * n, passed, carried_out);
	return EXIT_DONE;
}

/* One of the processes: says so when it has them, and lives until the pipe ends. */
static _Noreturn void hold_some(unsigned long count, int ready, int end)
{
	char byte = 0;

	for (unsigned long i = 0; i < count; i++)
		if (ioctl(kvm, KVM_CREATE_VM, 0) < 0)
			die("KVM_CREATE_VM");
	if (write(ready, &byte, 1) != 1)
		die("pipe");
	while (read(end, &byte, 1) > 0)
		;
	_exit(EXIT_DONE);
}

static int hold(unsigned long count, unsigned long processes)
{
	struct rlimit files = {count + 100, count + 100};
	int ready[2], end[2];
	unsigned long part = count / processes;
	pid_t pids[PROCESSES_MAX];
	char byte;

	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		die("RLIMIT_NOFILE");
	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(end, O_CLOEXEC) < 0)
		die("pipe");
	for (unsigned long i = 0; i < processes; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			die("fork");
		if (pids[i] == 0) {
			close(ready[0]);
			close(end[1]);
			hold_some(part, ready[1], end[0]);
		}
	}
	close(ready[1]);
	for (unsigned long i = 0; i < processes; i++)
		if (read(ready[0], &byte, 1) != 1)
			die("a process failed");
	printf("holding");
	for (unsigned long i = 0; i < processes; i++)
		printf(" %d=%lu", pids[i], part);
	printf("\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	close(end[1]);
	while (wait(NULL) > 0)
		;
	return EXIT_DONE;
}

static int errno_by_name(const char *name)
{
	for (int i = 1; name && i < ERRNOS; i++)
		if (strerrorname_np(i) && strcmp(strerrorname_np(i), name) == 0)
			return i;
	return 0;
}

static bool read_kinds(char *list)
{
	char *word, *rest, *expected;
	const size_t n = sizeof(types) / sizeof(types[0]);

	for (word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		struct kind kind = {};
		char *plus;
		size_t i;

		expected = strchr(word, '=');
		if (expected)
			*expected++ = '\0';
		kind.answer = errno_by_name(expected);
		plus = strchr(word, '+');
		if (plus && strcmp(plus, "+sealed") != 0)
			return false;
		kind.sealed = plus;
		if (plus)
			*plus = '\0';
		for (i = 0; i < n && strcmp(types[i].name, word) != 0; i++)
			;
		if (i == n || n_kinds == KINDS_MAX)
			return false;
		kind.type = &types[i];
		kinds[n_kinds++] = kind;
	}
	return n_kinds > 0;
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	unsigned long processes = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		die("/dev/kvm");
	if (argc == 4 && strcmp(argv[1], "cycle") == 0 && n > 0 && read_kinds(argv[3]))
		return cycle(n);
	if (argc == 3 && strcmp(argv[1], "write") == 0 && read_kinds(argv[2]))
		return write_registers();
	if (argc == 4 && strcmp(argv[1], "hold") == 0 && n > 0 && processes > 0 &&
	    processes <= PROCESSES_MAX)
		return hold(n, processes);
	fputs("usage: churn cycle N KIND=ERRNO,... | write KIND,... | hold N PROCESSES\n", stderr);
	return EXIT_USAGE;
}
