/* SPDX-License-Identifier: GPL-2.0-only */
/* Reloads the policies while four threads issue what they are about: is any answer of neither set? */

/*
 * fire SOCKET LINK SET-A SET-B RELOADS
 *
 * LINK is the daemon's policy directory, a symbolic link, which is turned to the
 * other set before each reload. On sealed vCPUs of a legacy SEV-ES VM, whose
 * registers KVM itself lets anyone write,
 *
 *	                     set A      set B
 *	KVM_SET_REGS         EPERM      EACCES
 *	KVM_SET_FPU          ENXIO      allowed
 *	KVM_SET_DEBUGREGS    allowed    EBUSY
 *
 * so that any other answer belongs to neither set. One line is printed:
 *
 *	reloads=100 generation=101 tries=300000 first-allowed=0 first-a=... first-b=...
 *	second-a=... second-b=... third-a=... third-b=... neither=0
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sealed.h"

#define THREADS 4
#define RELOAD "{\"method\":\"io.kvmwarden.Manager.Reload\"}"

struct question {
	unsigned long command;
	int answers[2]; /* errno of set A and set B */
};

static const struct question questions[] = {
	{KVM_SET_REGS, {EPERM, EACCES}},
	{KVM_SET_FPU, {ENXIO, 0}},
	{KVM_SET_DEBUGREGS, {0, EBUSY}},
};

enum { QUESTIONS = sizeof(questions) / sizeof(questions[0]) };

struct worker {
	pthread_t thread;
	int vcpu;
	uint64_t tries, first_allowed, neither;
	uint64_t counts[QUESTIONS][2];
};

static volatile bool over;

static int fail(const char *what)
{
	fprintf(stderr, "fire: %s: %s\n", what, strerror(errno));
	return -1;
}

static void ask(struct worker *w, unsigned int which, void *argument)
{
	const struct question *q = &questions[which];
	int answer = ioctl(w->vcpu, q->command, argument) < 0 ? errno : 0;

	w->tries++;
	if (which == 0 && answer == 0)
		w->first_allowed++;
	if (answer == q->answers[0])
		w->counts[which][0]++;
	else if (answer == q->answers[1])
		w->counts[which][1]++;
	else
		w->neither++;
}

static void *work(void *arg)
{
	_Alignas(8) char zeroes[4096] = {};
	struct kvm_debugregs debug = {.dr6 = 0xffff0ff0, .dr7 = 0x400};
	struct kvm_regs regs = {.rflags = 2};

	/* The processors are all ours but when the daemon has something to do. */
	setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
	while (!over) {
		ask(arg, 0, &regs);
		ask(arg, 1, zeroes);
		ask(arg, 2, &debug);
	}
	return NULL;
}

/* A sealed VM with a vCPU for each worker. */
static int make_vm(struct worker *workers)
{
	int vcpus[THREADS];

	if (sealed_vm(vcpus, THREADS) < 0)
		return -1;
	for (unsigned int i = 0; i < THREADS; i++)
		workers[i].vcpu = vcpus[i];
	return 0;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail(path);
	return fd;
}

/* One reload; the generation that is in force then, or -1. */
static long reload(int fd)
{
	static const char key[] = "\"generation\":";
	char reply[4096];
	size_t len = 0;
	const char *at;
	ssize_t n;

	if (write(fd, RELOAD, sizeof(RELOAD)) != sizeof(RELOAD))
		return fail("request");
	do {
		n = read(fd, reply + len, sizeof(reply) - len);
		if (n <= 0)
			return fail("reply");
		len += (size_t)n;
	} while (reply[len - 1] != '\0');
	at = strstr(reply, key);
	if (!at) {
		fprintf(stderr, "fire: %s\n", reply);
		return -1;
	}
	return strtol(at + strlen(key), NULL, 10);
}

static int turn(const char *link, const char *set)
{
	char fresh[4096];

	snprintf(fresh, sizeof(fresh), "%s.new", link);
	if (symlink(set, fresh) < 0 || rename(fresh, link) < 0)
		return fail(link);
	return 0;
}

static int reload_all(int fd, char **argv, long reloads, long *ret_generation)
{
	bool talks = isatty(STDERR_FILENO);

	for (long i = 1; i <= reloads; i++) {
		if (turn(argv[2], argv[i % 2 ? 4 : 3]) < 0)
			return -1;
		*ret_generation = reload(fd);
		if (*ret_generation < 0)
			return -1;
		if (talks && i % 100 == 0)
			fprintf(stderr, "\r%ld of %ld reloads", i, reloads);
	}
	return 0;
}

static void report(const struct worker *workers, long reloads, long generation)
{
	static const char *const names[] = {"first", "second", "third"};
	struct worker sum = {};

	for (unsigned int i = 0; i < THREADS; i++) {
		sum.tries += workers[i].tries;
		sum.first_allowed += workers[i].first_allowed;
		sum.neither += workers[i].neither;
		for (unsigned int j = 0; j < QUESTIONS; j++) {
			sum.counts[j][0] += workers[i].counts[j][0];
			sum.counts[j][1] += workers[i].counts[j][1];
		}
	}
	printf("reloads=%ld generation=%ld tries=%llu first-allowed=%llu", reloads, generation,
	       (unsigned long long)sum.tries, (unsigned long long)sum.first_allowed);
	for (unsigned int j = 0; j < QUESTIONS; j++)
		printf(" %s-a=%llu %s-b=%llu", names[j], (unsigned long long)sum.counts[j][0],
		       names[j], (unsigned long long)sum.counts[j][1]);
	printf(" neither=%llu\n", (unsigned long long)sum.neither);
}

int main(int argc, char **argv)
{
	struct worker workers[THREADS] = {};
	long reloads, generation = 0;
	int fd, r;

	reloads = argc == 6 ? strtol(argv[5], NULL, 10) : 0;
	if (reloads < 1) {
		fputs("usage: fire SOCKET LINK SET-A SET-B RELOADS\n", stderr);
		return 2;
	}
	fd = connect_to(argv[1]);
	if (fd < 0 || make_vm(workers) < 0)
		return 3;
	for (unsigned int i = 0; i < THREADS; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return 3;
	r = reload_all(fd, argv, reloads, &generation);
	over = true;
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	report(workers, reloads, generation);
	return r < 0 ? 1 : 0;
}
