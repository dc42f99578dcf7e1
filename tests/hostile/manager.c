/* SPDX-License-Identifier: GPL-2.0-only */
/* What a service manager does for a daemon with a store of descriptors, and as badly as one wants. */

/*
 * manager [--garbage] SOCKET COMMAND ARGUMENT...
 *
 * Starts the command with NOTIFY_SOCKET, keeps what it sends with FDSTORE=1, lets go of what it
 * names with FDSTOREREMOVE=1, and starts it again, with LISTEN_FDS, whenever it ends; until
 * SIGTERM, which ends both. With --garbage the store is not empty at first. A line is printed
 * for each start and each change of the store:
 *
 *	started PID 2
 *	stored 2
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define FDS_MAX 64
#define FIRST_FD 3
#define OUT_OF_THE_WAY 100 /* where ours are, so that 3 and up are free in the child */

static struct {
	int fd;
	char name[64];
} store[FDS_MAX];
static int stored;

static void give_up(const char *what)
{
	fprintf(stderr, "manager: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* It knows a file that it has, whatever its name, and keeps it once. */
static bool has(int fd)
{
	for (int i = 0; i < stored; i++)
		if (syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, fd, store[i].fd) == 0)
			return true;
	return false;
}

static void keep(int fd, const char *name)
{
	if (stored == FDS_MAX || has(fd)) {
		close(fd);
		return;
	}
	store[stored].fd = fcntl(fd, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
	if (store[stored].fd < 0)
		give_up("dup");
	close(fd);
	snprintf(store[stored++].name, sizeof(store[0].name), "%s", name);
}

static void let_go(const char *name)
{
	for (int i = 0; i < stored;) {
		if (strcmp(store[i].name, name) != 0) {
			i++;
			continue;
		}
		close(store[i].fd);
		store[i] = store[--stored];
	}
}

/* A new file each time, with a few bytes. */
static int a_file(void)
{
	int fd = memfd_create("short", MFD_CLOEXEC);

	if (fd < 0 || write(fd, "nothing", 7) != 7)
		give_up("a file");
	return fd;
}

static int a_pipe(void)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		give_up("a pipe");
	close(ends[1]);
	return ends[0];
}

/* Launches whose record is too short, or a pipe, or missing; records of nothing; another's. */
static void keep_garbage(void)
{
	keep(a_pipe(), "launch-0123456789abcdef0123456789abcdef");
	keep(a_file(), "record-0123456789abcdef0123456789abcdef-1");
	keep(a_file(), "launch-1");
	keep(a_pipe(), "record-1-7");
	keep(a_pipe(), "record-1-x");
	keep(a_pipe(), "launch-alone");
	keep(a_pipe(), "launch-");
	keep(a_file(), "record-nobodys-1");
	keep(a_file(), "something");
}

static void become(char **command)
{
	char text[32], names[FDS_MAX * 65] = "";
	sigset_t none;

	for (int i = 0; i < stored; i++) {
		if (dup2(store[i].fd, FIRST_FD + i) < 0)
			_exit(1);
		strcat(strcat(names, i ? ":" : ""), store[i].name);
	}
	if (stored) {
		snprintf(text, sizeof(text), "%d", stored);
		setenv("LISTEN_FDS", text, 1);
		snprintf(text, sizeof(text), "%d", (int)getpid());
		setenv("LISTEN_PID", text, 1);
		setenv("LISTEN_FDNAMES", names, 1);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(command[0], command);
	_exit(127);
}

static pid_t start(char **command)
{
	pid_t pid = fork();

	if (pid < 0)
		give_up("fork");
	if (pid == 0)
		become(command);
	printf("started %d %d\n", (int)pid, stored);
	fflush(stdout);
	return pid;
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), far;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		give_up(path);
	far = fcntl(fd, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
	close(fd);
	setenv("NOTIFY_SOCKET", path, 1);
	return far;
}

static bool says(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	return at && (at == text || at[-1] == '\n');
}

static void hear(int fd)
{
	char control[CMSG_SPACE(FDS_MAX * sizeof(int))], text[4096], name[64] = "stored";
	struct iovec part = {text, sizeof(text) - 1};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
	const char *at;

	if (n < 0)
		return;
	text[n] = '\0';
	at = strstr(text, "FDNAME=");
	if (at)
		sscanf(at, "FDNAME=%63[^\n]", name);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
		if (c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++)
			keep(((int *)CMSG_DATA(c))[i], name);
	}
	if (says(text, "FDSTOREREMOVE=1"))
		let_go(name);
	if (says(text, "FDSTORE"))
		printf("stored %d\n", stored);
	fflush(stdout);
}

static volatile sig_atomic_t told;

static void on_term(int number)
{
	told = number;
}

int main(int argc, char **argv)
{
	bool garbage = argc > 1 && strcmp(argv[1], "--garbage") == 0;
	const struct sigaction term = {.sa_handler = on_term};
	pid_t pid;
	int fd;

	argv += 1 + garbage;
	if (argc < 3 + garbage)
		return 2;
	sigaction(SIGTERM, &term, NULL);
	fd = listen_at(argv[0]);
	if (garbage)
		keep_garbage();
	pid = start(argv + 1);
	while (!told) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

		if (poll(&poll_fd, 1, 50) > 0)
			hear(fd);
		if (waitpid(pid, NULL, WNOHANG) == pid)
			pid = start(argv + 1);
	}
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	return 0;
}
