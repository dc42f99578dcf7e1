/* SPDX-License-Identifier: GPL-2.0-only */
/* Writes the registers of sealed vCPUs from four threads, as fast as it goes. */

/*
 * hammer [TRIES]
 *
 * TRIES of them; without it until standard input ends. KVM itself would let each one
 * pass (see sealed.h). One line is printed, and before it "ready" once the VM is sealed:
 *
 *	tries=1000 refused=1000 allowed=0 other=0
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sealed.h"

#define THREADS 4

struct worker {
	pthread_t thread;
	int vcpu;
	uint64_t wanted; /* 0: no end */
	uint64_t tries, refused, allowed, other;
};

static volatile bool over;

static void *work(void *arg)
{
	struct kvm_regs regs = {.rflags = 2};
	struct worker *w = arg;

	/* The processors are all ours but when the daemon has something to do. */
	if (!w->wanted)
		setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
	while (!over && (!w->wanted || w->tries < w->wanted)) {
		int answer = ioctl(w->vcpu, KVM_SET_REGS, &regs) < 0 ? errno : 0;

		w->tries++;
		if (answer == EPERM)
			w->refused++;
		else if (answer == 0)
			w->allowed++;
		else
			w->other++;
	}
	return NULL;
}

static void wait_for_end(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

int main(int argc, char **argv)
{
	uint64_t tries = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	struct worker workers[THREADS] = {}, sum = {};
	int vcpus[THREADS];

	if (argc > 2 || (argc == 2 && tries < THREADS)) {
		fputs("usage: hammer [TRIES]\n", stderr);
		return 2;
	}
	if (sealed_vm(vcpus, THREADS) < 0)
		return 3;
	puts("ready");
	fflush(stdout);
	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i].vcpu = vcpus[i];
		workers[i].wanted = tries / THREADS + (i < tries % THREADS);
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return 3;
	}
	if (!tries)
		wait_for_end();
	over = !tries;
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		sum.tries += workers[i].tries;
		sum.refused += workers[i].refused;
		sum.allowed += workers[i].allowed;
		sum.other += workers[i].other;
	}
	printf("tries=%llu refused=%llu allowed=%llu other=%llu\n", (unsigned long long)sum.tries,
	       (unsigned long long)sum.refused, (unsigned long long)sum.allowed,
	       (unsigned long long)sum.other);
	return 0;
}
