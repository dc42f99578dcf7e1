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

struct fd_message {
	char byte;
	struct iovec iov;
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr header;
};

static void init_message(struct fd_message *m)
{
	memset(m, 0, sizeof(*m));
	m->iov = (struct iovec){&m->byte, 1};
	m->header = (struct msghdr){
		.msg_iov = &m->iov,
		.msg_iovlen = 1,
		.msg_control = m->control.space,
		.msg_controllen = sizeof(m->control.space),
	};
}

static bool send_fd(int to, int fd)
{
	struct fd_message m;
	struct cmsghdr *cmsg;

	init_message(&m);
	cmsg = CMSG_FIRSTHDR(&m.header);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(to, &m.header, 0) == 1;
}

static int receive_fd(int from)
{
	struct fd_message m;
	struct cmsghdr *cmsg;
	int fd;

	init_message(&m);
	if (recvmsg(from, &m.header, MSG_CMSG_CLOEXEC) != 1)
		return -EBADMSG;
	cmsg = CMSG_FIRSTHDR(&m.header);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return -EBADMSG;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
	return fd;
}

struct call {
	enum caller caller;
	enum entry entry;
	int from; /* a pidfd of ours, or a socket */
	int fd;
	uint32_t cmd;
	uint64_t arg;
	uint32_t high;
	long result;
};

static int child(void *data)
{
	struct call *call = data;
	long fd = call->fd;

	if (call->caller >= CALLER_SENT)
		syscall64(SYS_close, (uint32_t)call->fd, 0, 0);
	if (call->caller == CALLER_SENT)
		fd = receive_fd(call->from);
	else if (call->caller > CALLER_SENT)
		fd = syscall64(SYS_pidfd_getfd, (uint32_t)call->from, (uint32_t)call->fd, 0);
	if (fd < 0)
		call->result = -EBADMSG;
	else
		call->result = enter(call->entry, (int)fd, call->cmd, call->arg, call->high);
	syscall64(SYS_exit, 0, 0, 0);
	return 0;
}

/* What the child will have the descriptor from; -1 if it needs nothing. */
static int open_source(enum caller caller, int fd)
{
	int pair[2];

	if (caller < CALLER_SENT)
		return -1;
	if (caller != CALLER_SENT)
		return (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return -1;
	send_fd(pair[1], fd);
	close(pair[1]);
	return pair[0];
}

long enter_as(enum caller caller, enum entry entry, int fd, uint32_t cmd, uint64_t arg,
	      uint32_t high)
{
	bool with_memory = caller == CALLER_CLONE_VM || caller == CALLER_TAKE_VM;
	struct call *call;
	char *shared;
	long r;
	pid_t pid;

	if (caller == CALLER_SELF)
		return enter(entry, fd, cmd, arg, high);

	shared = mmap(NULL, CHILD_STACK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		return -errno;
	call = (struct call *)shared;
	*call = (struct call){caller, entry, open_source(caller, fd), fd, cmd, arg, high, -ECHILD};
	pid = clone(child, shared + CHILD_STACK_SIZE, SIGCHLD | (with_memory ? CLONE_VM : 0), call);
	if (pid < 0)
		r = -errno;
	else
		r = waitpid(pid, NULL, 0) < 0 ? -errno : call->result;
	if (call->from >= 0)
		close(call->from);
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
	int pair[2], passed;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	passed = send_fd(pair[0], fd) ? receive_fd(pair[1]) : -EBADMSG;
	close(pair[0]);
	close(pair[1]);
	return passed;
}

/* A child that has a copy of the descriptor, and does nothing. */
int fd_from_child(int fd)
{
	int pidfd, got;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		pause();
		_exit(0);
	}
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	got = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (pidfd >= 0)
		close(pidfd);
	return got;
}
