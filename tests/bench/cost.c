/* SPDX-License-Identifier: GPL-2.0-only */
/* Prints what one ioctl costs: in a guest whose clock counts instructions, instructions. */

/*
 * cost VMS
 *
 * KVM_GET_MP_STATE on a vCPU of a plain VM, while VMS VMs are alive, this one
 * included; KVM_RUN of it, which leaves at once; and TCGETS on /dev/null. The
 * least of several batches is taken: interrupts only ever add.
 *
 *	vms=1 kvm=1345 run=2400 other=590
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define BATCHES 21
#define CALLS 200

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t cost_of(int fd, unsigned long command, void *argument)
{
	uint64_t least = UINT64_MAX, start, took;

	for (int i = 0; i < BATCHES; i++) {
		start = now();
		for (int j = 0; j < CALLS; j++)
			ioctl(fd, command, argument);
		took = now() - start;
		if (took < least)
			least = took;
	}
	return least / CALLS;
}

static int fail(const char *what)
{
	fprintf(stderr, "cost: %s: %s\n", what, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	long count = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
	struct rlimit files = {(rlim_t)count + 100, (rlim_t)count + 100};
	struct kvm_mp_state state;
	struct termios terminal;
	struct kvm_run *run;
	int kvm, null, vm = -1, vcpu;

	if (count < 1) {
		fputs("usage: cost VMS\n", stderr);
		return 2;
	}
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		return fail("RLIMIT_NOFILE");
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (kvm < 0 || null < 0)
		return fail("open");
	for (long i = 0; i < count; i++) {
		vm = ioctl(kvm, KVM_CREATE_VM, 0);
		if (vm < 0)
			return fail("KVM_CREATE_VM");
	}
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0 || ioctl(vcpu, KVM_GET_MP_STATE, &state) < 0)
		return fail("vCPU");
	run = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
		   MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		return fail("kvm_run");
	run->immediate_exit = 1;
	printf("vms=%ld kvm=%llu run=%llu other=%llu\n", count,
	       (unsigned long long)cost_of(vcpu, KVM_GET_MP_STATE, &state),
	       (unsigned long long)cost_of(vcpu, KVM_RUN, NULL),
	       (unsigned long long)cost_of(null, TCGETS, &terminal));
	fflush(stdout);
	/* The kernel takes a while to let go of thousands of VMs; nobody waits for it. */
	_exit(0);
}
