/* SPDX-License-Identifier: GPL-2.0-only */
/* The ways into the kernel's ioctl: native, 32-bit and x32, from here or from a child. */
#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NR_IOCTL_I386 54
#define NR_GETPID_I386 20
#define X32_BIT 0x40000000
#define NR_IOCTL_X32 (X32_BIT + 514)
#define CHILD_STACK_SIZE 65536

static long syscall64(long nr, uint64_t a, uint64_t b, uint64_t c)
{
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return r;
}

static long int80(long nr, uint32_t a, uint32_t b, uint32_t c)
{
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(nr), "b"(a), "c"(b), "d"(c)
			 : "r8", "r9", "r10", "r11", "memory");
	return (int)r;
}

long enter(enum entry entry, int fd, uint32_t cmd, uint64_t arg, uint32_t high)
{
	uint64_t garbage = (uint64_t)high << 32;

	switch (entry) {
	case ENTRY_NATIVE:
		return syscall64(SYS_ioctl, (uint32_t)fd | garbage, cmd | garbage, arg);
	case ENTRY_COMPAT:
		return int80(NR_IOCTL_I386, (uint32_t)fd, cmd, (uint32_t)arg);
	case ENTRY_X32:
		return syscall64(NR_IOCTL_X32, (uint32_t)fd, cmd, arg);
	}
	return -EINVAL;
}

struct call {
	enum entry entry;
	int fd;
	uint32_t cmd;
	uint64_t arg;
	uint32_t high;
	long result;
};

static int child(void *data)
{
	struct call *call = data;

	call->result = enter(call->entry, call->fd, call->cmd, call->arg, call->high);
	syscall64(SYS_exit, 0, 0, 0);
	return 0;
}

long enter_as(enum caller caller, enum entry entry, int fd, uint32_t cmd, uint64_t arg,
	      uint32_t high)
{
	struct call *call;
	char *shared;
	int flags;
	long r;
	pid_t pid;

	if (caller == CALLER_SELF)
		return enter(entry, fd, cmd, arg, high);

	shared = mmap(NULL, CHILD_STACK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		return -errno;
	call = (struct call *)shared;
	*call = (struct call){entry, fd, cmd, arg, high, -ECHILD};
	flags = SIGCHLD | (caller == CALLER_CLONE_VM ? CLONE_VM : 0);
	pid = clone(child, shared + CHILD_STACK_SIZE, flags, call);
	if (pid < 0)
		r = -errno;
	else
		r = waitpid(pid, NULL, 0) < 0 ? -errno : call->result;
	munmap(shared, CHILD_STACK_SIZE);
	return r;
}

/* Without 32-bit entry the kernel answers a signal, so let a child try it. */
bool entry_works(enum entry entry)
{
	pid_t pid;
	int status;
	long r;

	pid = fork();
	if (pid < 0)
		return false;
	if (pid == 0) {
		if (entry == ENTRY_COMPAT)
			r = int80(NR_GETPID_I386, 0, 0, 0);
		else if (entry == ENTRY_X32)
			r = syscall64(X32_BIT + SYS_getpid, 0, 0, 0);
		else
			r = syscall64(SYS_getpid, 0, 0, 0);
		_exit(r == getpid() ? 0 : 1);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int pass_fd(int fd)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	char byte = 0;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int pair[2], passed = -1;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	if (sendmsg(pair[0], &msg, 0) == 1) {
		memset(&control, 0, sizeof(control));
		msg.msg_controllen = sizeof(control.space);
		if (recvmsg(pair[1], &msg, MSG_CMSG_CLOEXEC) == 1) {
			cmsg = CMSG_FIRSTHDR(&msg);
			if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
				memcpy(&passed, CMSG_DATA(cmsg), sizeof(int));
		}
	}
	close(pair[0]);
	close(pair[1]);
	return passed < 0 ? -EBADMSG : passed;
}
