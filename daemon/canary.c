/* SPDX-License-Identifier: GPL-2.0-only */
/* A VM of the daemon's own: KVM's files are learnt from it, and enforcement is proved on it. */
#include "canary.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "util.h"

static int explain_open(int error, char **reterr)
{
	const char *why;

	switch (error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		why = "KVM is not available: there is no usable /dev/kvm; load kvm_amd or "
		      "kvm_intel, "
		      "and enable virtualization in the firmware if that fails";
		break;
	case EACCES:
	case EPERM:
		why = "no permission to open /dev/kvm: run as root";
		break;
	default:
		why = NULL;
		break;
	}
	if (why)
		return kw_fail(-error, reterr, "%s", why);
	return kw_fail(-error, reterr, "cannot open /dev/kvm: %s", strerror(error));
}

static int explain_step(const char *what, int error, char **reterr)
{
	return kw_fail(-error, reterr, "/dev/kvm is there, but %s fails: %s%s", what,
		       strerror(error),
		       error == EBUSY ? "; is another hypervisor using the CPU?" : "");
}

int kw_canary_check(char **reterr)
{
	_cleanup_close_ int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return explain_open(errno, reterr);
	if (ioctl(fd, KVM_GET_API_VERSION, 0) < 0)
		return explain_step("KVM_GET_API_VERSION", errno, reterr);
	return 0;
}

int kw_canary_open(struct kw_canary *ret, char **reterr)
{
	struct kvm_create_device device = {.type = KVM_DEV_TYPE_VFIO};
	struct kw_canary canary = KW_CANARY_NONE;
	int fd, r;

	fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return explain_open(errno, reterr);
	canary.fds[KW_SCOPE_SYSTEM] = fd;
	fd = ioctl(fd, KVM_CREATE_VM, 0);
	if (fd < 0) {
		r = explain_step("KVM_CREATE_VM", errno, reterr);
		goto fail;
	}
	canary.fds[KW_SCOPE_VM] = fd;
	canary.fds[KW_SCOPE_VCPU] = ioctl(fd, KVM_CREATE_VCPU, 0);
	if (canary.fds[KW_SCOPE_VCPU] < 0) {
		r = explain_step("KVM_CREATE_VCPU", errno, reterr);
		goto fail;
	}
	/* Not every KVM has one; without it, ioctls on devices are not recognised. */
	if (ioctl(fd, KVM_CREATE_DEVICE, &device) == 0)
		canary.fds[KW_SCOPE_DEVICE] = (int)device.fd;
	*ret = canary;
	return 0;
fail:
	kw_canary_done(&canary);
	return r;
}

void kw_canary_done(struct kw_canary *canary)
{
	for (unsigned int i = 0; i < _KW_SCOPE_MAX; i++) {
		if (canary->fds[i] >= 0)
			close(canary->fds[i]);
		canary->fds[i] = -1;
	}
}

static sigjmp_buf no_entry;

static void on_no_entry(int sig)
{
	siglongjmp(no_entry, sig);
}

/* The 32-bit entry, as any 64-bit process can use it; a kernel without it raises SIGSEGV. */
static int ioctl_compat(int fd, uint32_t command, uint32_t argument)
{
	struct sigaction action = {.sa_handler = on_no_entry}, saved;
	volatile long r = -ENOSYS;

	sigemptyset(&action.sa_mask);
	if (sigaction(SIGSEGV, &action, &saved) < 0)
		return -ENOSYS;
	if (sigsetjmp(no_entry, 1) == 0) {
		long ax = 54; /* __NR_ioctl of i386 */

		__asm__ volatile("int $0x80"
				 : "+a"(ax)
				 : "b"((long)fd), "c"((long)command), "d"((long)argument)
				 : "memory", "cc", "r8", "r9", "r10", "r11");
		r = (int)ax;
	}
	sigaction(SIGSEGV, &saved, NULL);
	return (int)r;
}

int kw_canary_sing(const struct kw_canary *canary, enum kw_entry entry, uint32_t argument)
{
	int fd = canary->fds[KW_SCOPE_VCPU];
	int r;

	if (entry == KW_ENTRY_COMPAT) {
		r = ioctl_compat(fd, KW_CMD_CANARY, argument);
		return r == -ENOSYS ? -ENOSYS : -r;
	}
	return ioctl(fd, KW_CMD_CANARY, (unsigned long)argument) < 0 ? errno : 0;
}
