/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes a thread of another process issue a system call, as code that took it over would. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "token.h"

/*
 *   inject [--token TEXT] TID [compat:]CALL [ARGUMENT...]
 *
 * CALL is a name of the list below, or a number; with "compat:" it is one of i386, and goes by
 * int $0x80, of which the process must have one. An argument is a number, or
 *   @TEXT      the address of this text, in the process
 *   #program   the address and, as the next argument, the size of what bpf(BPF_PROG_LOAD) wants
 *              for a program that returns 0
 *   #page      the address of a page of its memory
 *
 * Prints "done", or the name of the errno, or "killed by SIGNAL". The process goes on where it
 * was, unless the call was an exec that succeeded. Ends with 2 if it could not try.
 */

#define CALL(name)                \
	{                         \
#name, SYS_##name \
	}

static const struct {
	const char *name;
	long number;
} calls[] = {
	CALL(openat),
	CALL(execve),
	CALL(socket),
	CALL(connect),
	CALL(mount),
	CALL(bpf),
	CALL(ptrace),
	CALL(setresuid),
	CALL(capset),
	CALL(mknodat),
	CALL(unlinkat),
	CALL(mprotect),
	CALL(process_vm_writev),
	CALL(kill),
	CALL(clone),
	CALL(init_module),
	CALL(unshare),
	CALL(getppid),
	CALL(ioctl),
	CALL(mkdirat),
	CALL(truncate),
	CALL(chmod),
	CALL(prctl),
	CALL(symlinkat),
};

#define ROOM 4096 /* of the process's stack, below what is in use and the red zone */

static pid_t tid;
static char room[ROOM];
static size_t used;
static unsigned long there; /* where the room is in the process */

static int give_up(const char *what)
{
	fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void copy(void *here, unsigned long at, size_t size, bool write)
{
	struct iovec local = {here, size}, remote = {(void *)at, size};
	ssize_t n = write ? process_vm_writev(tid, &local, 1, &remote, 1, 0)
			  : process_vm_readv(tid, &local, 1, &remote, 1, 0);

	if (n != (ssize_t)size)
		give_up("its memory");
}

/* Puts something into the room; its address there. */
static unsigned long put(const void *bytes, size_t size)
{
	size_t at = (used + 15) & ~15ul;

	if (at + size > sizeof(room)) {
		errno = E2BIG;
		give_up("the arguments");
	}
	memcpy(room + at, bytes, size);
	used = at + size;
	return there + at;
}

static unsigned long put_program(void)
{
	const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insn_cnt = 2};

	attr.insns = put(program, sizeof(program));
	attr.license = put("GPL", sizeof("GPL"));
	return put(&attr, sizeof(attr));
}

static void parse(int argc, char **argv, unsigned long ret[6])
{
	size_t n = 0;

	for (int i = 0; i < argc && n < 6; i++) {
		if (argv[i][0] == '@') {
			ret[n++] = put(argv[i] + 1, strlen(argv[i]));
		} else if (strcmp(argv[i], "#program") == 0) {
			ret[n++] = put_program();
			ret[n++] = sizeof(union bpf_attr);
		} else if (strcmp(argv[i], "#page") == 0) {
			ret[n++] = there & ~4095ul;
		} else {
			ret[n++] = strtoul(argv[i], NULL, 0);
		}
	}
}

/* Of two bytes of code, in what the process has mapped to be executed. */
static unsigned long find_code(const char bytes[2])
{
	char path[64], line[512], access[8];
	unsigned long from, to, found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)tid);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f)) {
		char *text, *at;

		if (sscanf(line, "%lx-%lx %7s", &from, &to, access) != 3 || access[2] != 'x' ||
		    strstr(line, "[v"))
			continue;
		text = malloc(to - from);
		if (!text)
			give_up("its code");
		copy(text, from, to - from, false);
		at = memmem(text, to - from, bytes, 2);
		if (at)
			found = from + (at - text);
		free(text);
	}
	if (f)
		fclose(f);
	if (!found) {
		errno = ENOENT;
		give_up("no such instruction");
	}
	return found;
}

static void seize(void)
{
	int status;

	if (ptrace(PTRACE_SEIZE, tid, NULL, PTRACE_O_TRACEEXEC) < 0) {
		/* Which is an answer: the guard of a sealed host has a say in it. */
		puts(errno == EPERM ? "not traced: EPERM" : strerrorname_np(errno));
		exit(0);
	}
	if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0 || waitpid(tid, &status, __WALL) != tid ||
	    !WIFSTOPPED(status))
		give_up("it does not stop");
}

/* Executes one instruction; what came of it. */
static void step(unsigned long *ret_rax)
{
	struct user_regs_struct regs;
	int status;

	if (ptrace(PTRACE_SINGLESTEP, tid, NULL, NULL) < 0 || waitpid(tid, &status, __WALL) != tid)
		give_up("it does not go on");
	if (WIFSIGNALED(status)) {
		printf("killed by SIG%s\n", sigabbrev_np(WTERMSIG(status)));
		exit(0);
	}
	if (WIFEXITED(status) || status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
		puts("done");
		exit(0);
	}
	if (WSTOPSIG(status) != SIGTRAP || ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		give_up("it stops elsewhere");
	*ret_rax = regs.rax;
}

static long number_of(const char *call)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(call, calls[i].name) == 0)
			return calls[i].number;
	return strtol(call, NULL, 0);
}

static void set_arguments(struct user_regs_struct *regs, bool compat, const unsigned long a[6])
{
	if (compat) {
		regs->rbx = a[0];
		regs->rcx = a[1];
		regs->rdx = a[2];
		regs->rsi = a[3];
		regs->rdi = a[4];
		return;
	}
	regs->rdi = a[0];
	regs->rsi = a[1];
	regs->rdx = a[2];
	regs->r10 = a[3];
	regs->r8 = a[4];
	regs->r9 = a[5];
}

static long inject(const char *call, int argc, char **argv)
{
	bool compat = strncmp(call, "compat:", 7) == 0;
	struct user_regs_struct saved, regs;
	unsigned long arguments[6] = {}, rax = 0;
	char before[ROOM];

	if (ptrace(PTRACE_GETREGS, tid, NULL, &saved) < 0)
		give_up("its registers");
	there = ((saved.rsp - 256) & ~15ul) - ROOM;
	copy(before, there, ROOM, false);
	parse(argc, argv, arguments);
	copy(room, there, ROOM, true);
	regs = saved;
	regs.rip = find_code(compat ? "\xcd\x80" : "\x0f\x05");
	regs.rax = number_of(compat ? call + 7 : call);
	regs.orig_rax = -1; /* no call that was under way is begun again, yet */
	set_arguments(&regs, compat, arguments);
	if (ptrace(PTRACE_SETREGS, tid, NULL, &regs) < 0)
		give_up("its registers");
	step(&rax);
	copy(before, there, ROOM, true);
	if (ptrace(PTRACE_SETREGS, tid, NULL, &saved) < 0 ||
	    ptrace(PTRACE_DETACH, tid, NULL, NULL) < 0)
		give_up("it cannot be let go");
	return compat ? (int)rax : (long)rax;
}

int main(int argc, char **argv)
{
	long r;

	if (argc > 2 && strcmp(argv[1], "--token") == 0) {
		if (show_token(argv[2]) != -1 || errno != EISCONN)
			give_up("the token");
		argc -= 2;
		argv += 2;
	}
	if (argc < 3)
		return 2;
	tid = atoi(argv[1]);
	seize();
	r = inject(argv[2], argc - 3, argv + 3);
	puts(r < 0 && r > -4096 ? strerrorname_np((int)-r) : "done");
	return 0;
}
