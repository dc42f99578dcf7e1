/* SPDX-License-Identifier: GPL-2.0-only */
/* One attempt on another process, as root would make it: what came of it, on a line. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "token.h"

/*
 *   reach ptrace|mem|vm-write|pidfd-getfd|rlimit PID
 *   reach map|program|link ID...     opens each by its number
 *   reach lock DIRECTORY
 *   reach token TEXT          shows a token of this text to whoever listens
 *
 * Prints "done", or the name of the errno, for each; ends with 0 either way, with 2 if it could not try.
 */

static int said(long r)
{
	puts(r < 0 ? strerrorname_np(errno) : "done");
	return 0;
}

static int trace(pid_t pid)
{
	long r = ptrace(PTRACE_SEIZE, pid, NULL, NULL);

	if (r == 0 && ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0) {
		waitpid(pid, NULL, __WALL);
		ptrace(PTRACE_DETACH, pid, NULL, NULL);
	}
	return said(r);
}

/* An address of its that can be written to: its stack. */
static unsigned long stack_of(pid_t pid)
{
	char path[64], line[512];
	unsigned long from = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "[stack]"))
			from = strtoul(line, NULL, 16);
	if (f)
		fclose(f);
	return from;
}

/* Reads a byte of its memory. */
static int memory(pid_t pid)
{
	char path[64], byte;
	long r;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	r = fd < 0 ? -1 : pread(fd, &byte, 1, (off_t)stack_of(pid));
	said(r);
	if (fd >= 0)
		close(fd);
	return 0;
}

/* A byte at the far end of the stack, which nothing has reached yet. */
static int write_memory(pid_t pid)
{
	char byte = 0;
	struct iovec here = {&byte, 1}, there = {(void *)stack_of(pid), 1};

	if (!there.iov_base)
		return 2;
	return said(process_vm_writev(pid, &here, 1, &there, 1, 0));
}

/* Its standard error: any descriptor would do. */
static int take_descriptor(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (pidfd < 0)
		return 2;
	return said(syscall(SYS_pidfd_getfd, pidfd, 2, 0));
}

/* The limit that it has. */
static int limit(pid_t pid)
{
	struct rlimit was;

	if (prlimit(pid, RLIMIT_CPU, NULL, &was) < 0)
		return 2;
	return said(prlimit(pid, RLIMIT_CPU, &was, NULL));
}

static int open_all(const char *kind, char **ids)
{
	static const struct {
		const char *kind;
		enum bpf_cmd command;
	} commands[] = {
		{"map", BPF_MAP_GET_FD_BY_ID},
		{"program", BPF_PROG_GET_FD_BY_ID},
		{"link", BPF_LINK_GET_FD_BY_ID},
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(kind, commands[i].kind) != 0)
			continue;
		for (; *ids; ids++) {
			/* The numbers share a place. */
			union bpf_attr attr = {.map_id = (unsigned int)atoi(*ids)};
			int fd = (int)syscall(SYS_bpf, commands[i].command, &attr, sizeof(attr));

			said(fd);
			if (fd >= 0)
				close(fd);
		}
		return 0;
	}
	return 2;
}

static int lock(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return 2;
	return said(flock(fd, LOCK_SH | LOCK_NB));
}

static int show(const char *text)
{
	int r = show_token(text);

	return r < -1 ? 2 : said(r);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*try)(pid_t pid);
	} attempts[] = {
		{"ptrace", trace},	    {"mem", memory},
		{"vm-write", write_memory}, {"pidfd-getfd", take_descriptor},
		{"rlimit", limit},
	};

	if (argc >= 3 && open_all(argv[1], argv + 2) == 0)
		return 0;
	if (argc != 3)
		return 2;
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		if (strcmp(argv[1], attempts[i].name) == 0)
			return attempts[i].try(atoi(argv[2]));
	if (strcmp(argv[1], "lock") == 0)
		return lock(argv[2]);
	if (strcmp(argv[1], "token") == 0)
		return show(argv[2]);
	return 2;
}
