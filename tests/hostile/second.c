/* SPDX-License-Identifier: GPL-2.0-only */
/* Asks for another VM while a thread is, or may be, in an ioctl that was let pass. */

/*
 * second MODE TYPE
 *
 * A thread writes the registers of a vCPU, and then
 *
 *	blocked		is still at it: the vCPU runs
 *	sleeping	waits for ever
 *	guest		runs the vCPU, which never exits
 *	spinning	computes for ever
 *
 * Then the main thread asks for a VM of this type number. One line is printed:
 *
 *	mode=blocked answer=EBUSY msec=1003
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int vcpu;
static const char *mode;
static volatile int written;

static void fail(const char *what)
{
	fprintf(stderr, "second: %s: %s\n", what, strerror(errno));
	exit(3);
}

/* One whose guest jumps to where it is. */
static void make_vcpu(int kvm)
{
	const struct kvm_regs regs = {.rflags = 2};
	unsigned char *memory =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region region = {
		.memory_size = 4096,
		.userspace_addr = (unsigned long)memory,
	};
	struct kvm_sregs sregs;
	int vm = ioctl(kvm, KVM_CREATE_VM, 0), size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (vm < 0 || memory == MAP_FAILED || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		fail("no VM");
	memory[0] = 0xeb;
	memory[1] = 0xfe;
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0 || ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0 ||
	    mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, vcpu, 0) == MAP_FAILED)
		fail("no vCPU");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0)
		fail("no registers");
}

static void *run(void *context)
{
	ioctl(vcpu, KVM_RUN, 0);
	fail("the guest ended");
	return context;
}

static void *write_registers(void *context)
{
	struct kvm_regs regs = {.rflags = 2};

	written = 1;
	if (ioctl(vcpu, KVM_SET_REGS, &regs) < 0)
		fail("KVM_SET_REGS");
	if (strcmp(mode, "guest") == 0)
		run(NULL);
	if (strcmp(mode, "sleeping") == 0)
		pause();
	for (;;)
		__asm__ volatile("");
	return context;
}

static unsigned long msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned long)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

int main(int argc, char **argv)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), r;
	pthread_t thread;
	unsigned long start;

	if (argc != 3) {
		fputs("usage: second blocked|sleeping|guest|spinning TYPE\n", stderr);
		return 2;
	}
	if (kvm < 0)
		fail("/dev/kvm");
	mode = argv[1];
	make_vcpu(kvm);
	if (strcmp(mode, "blocked") == 0 && pthread_create(&thread, NULL, run, NULL) != 0)
		fail("no thread");
	usleep(50000);
	if (pthread_create(&thread, NULL, write_registers, NULL) != 0)
		fail("no thread");
	while (!written)
		usleep(1000);
	usleep(100000);
	start = msec();
	r = ioctl(kvm, KVM_CREATE_VM, atol(argv[2]));
	printf("mode=%s answer=%s msec=%lu\n", mode, r < 0 ? strerrorname_np(errno) : "0",
	       msec() - start);
	return 0;
}
