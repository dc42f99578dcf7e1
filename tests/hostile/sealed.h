/* SPDX-License-Identifier: GPL-2.0-only */
/* A sealed legacy SEV-ES VM: KVM itself lets anyone write its registers. */
#ifndef KVMWARDEN_HOSTILE_SEALED_H
#define KVMWARDEN_HOSTILE_SEALED_H

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

static inline int sealed_fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return -1;
}

static inline int sealed_sev(int vm, unsigned int id, void *data)
{
	struct kvm_sev_cmd command = {.id = id, .data = (unsigned long)data, .sev_fd = -1};

	return ioctl(vm, KVM_MEMORY_ENCRYPT_OP, &command);
}

/* Its vCPUs, count of them; -1 with a message. */
static inline int sealed_vm(int *vcpus, unsigned int count)
{
	struct kvm_sev_launch_start start = {.policy = 4};
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);

	if (vm < 0)
		return sealed_fail("no VM");
	if (sealed_sev(vm, KVM_SEV_ES_INIT, NULL) < 0 ||
	    sealed_sev(vm, KVM_SEV_LAUNCH_START, &start) < 0)
		return sealed_fail("no launch");
	for (unsigned int i = 0; i < count; i++) {
		vcpus[i] = ioctl(vm, KVM_CREATE_VCPU, i);
		if (vcpus[i] < 0)
			return sealed_fail("no vCPU");
	}
	return sealed_sev(vm, KVM_SEV_LAUNCH_UPDATE_VMSA, NULL) < 0 ? sealed_fail("not sealed") : 0;
}

#endif
