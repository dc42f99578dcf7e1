/* SPDX-License-Identifier: GPL-2.0-only */
/* Writes registers while another thread seals the guest: does a write arrive after the seal? */

/*
 * overtake ATTEMPTS
 *
 * Each attempt is a new legacy SEV-ES VM, whose registers KVM itself would let anyone write. A thread
 * that the scheduler lets wait (SCHED_IDLE) writes them over and over, each time with another value,
 * until it is refused or has done so a while after the seal. The main thread seals at a random
 * moment. A write has passed if it began after the seal had returned and succeeded, or if the
 * registers change after they were read behind the seal. One line is printed:
 *
 *	attempts=300 sealed=300 refused=300 passed=0
 *
 * refused: attempts whose writer was answered EPERM in the end.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "sealed.h"

#define WRITES_AFTER 20

static atomic_bool is_sealed, passed;
static int vcpu;

static void *write_registers(void *context)
{
	const struct sched_param none = {};
	struct kvm_regs regs = {.rflags = 2};
	int *error = context;

	pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
	*error = 0;
	for (int after = 0; after < WRITES_AFTER;) {
		bool behind = is_sealed;

		after += behind;
		regs.rbx++;
		if (ioctl(vcpu, KVM_SET_REGS, &regs) == 0) {
			if (behind)
				passed = true;
			continue;
		}
		*error = errno;
		if (errno != EPERM || behind)
			break;
	}
	return NULL;
}

static unsigned long long rbx(void)
{
	struct kvm_regs regs = {};

	ioctl(vcpu, KVM_GET_REGS, &regs);
	return regs.rbx;
}

/* A VM up to its seal. */
static int make_vm(int kvm)
{
	struct kvm_sev_launch_start start = {.policy = 4};
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);

	if (vm < 0 || sealed_sev(vm, KVM_SEV_ES_INIT, NULL) < 0 ||
	    sealed_sev(vm, KVM_SEV_LAUNCH_START, &start) < 0)
		return sealed_fail("no launch");
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	return vcpu < 0 ? sealed_fail("no vCPU") : vm;
}

int main(int argc, char **argv)
{
	unsigned int attempts = argc == 2 ? (unsigned int)atoi(argv[1]) : 0, sealed = 0,
		     refused = 0, won = 0;
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (!attempts) {
		fputs("usage: overtake ATTEMPTS\n", stderr);
		return 2;
	}
	for (unsigned int i = 0; i < attempts; i++) {
		unsigned long long behind;
		pthread_t writer;
		int error, vm;

		is_sealed = false;
		passed = false;
		vm = make_vm(kvm);
		if (vm < 0)
			return 3;
		if (pthread_create(&writer, NULL, write_registers, &error) != 0)
			return 3;
		usleep((useconds_t)(rand() % 2000));
		sealed += sealed_sev(vm, KVM_SEV_LAUNCH_UPDATE_VMSA, NULL) == 0;
		behind = rbx();
		is_sealed = true;
		pthread_join(writer, NULL);
		won += passed || rbx() != behind;
		refused += error == EPERM;
		close(vcpu);
		close(vm);
	}
	printf("attempts=%u sealed=%u refused=%u passed=%u\n", attempts, sealed, refused, won);
	return 0;
}
