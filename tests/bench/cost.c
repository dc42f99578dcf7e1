/* SPDX-License-Identifier: GPL-2.0-only */
/* Prints what ioctls cost: in a guest whose clock counts instructions, instructions. */

/*
 * cost [--filter] VMS [KIND...]
 *
 * While VMS plain VMs are alive, these ioctls, each on the first vCPU of the last one but where it
 * says otherwise; without KIND all of them:
 *
 *	other	TCGETS on /dev/null: not KVM's
 *	run	KVM_RUN, which leaves at once
 *	allowed	KVM_GET_MP_STATE
 *	named	KVM_GET_DEBUGREGS
 *	sealed	KVM_GET_DEBUGREGS on a sealed vCPU (legacy SEV-ES)
 *	audited	KVM_GET_VCPU_EVENTS
 *	denied	KVM_GET_XCRS
 *
 * What they are called is what tests/guest/speed has policies for. --filter: under a filter that
 * libseccomp makes of these policies, as far as a filter can be one. A line for each kind:
 *
 *	run 1490 0
 *
 * the cost, and the errno that it ends with. The median of several batches is taken: a timer may
 * fall into one, and another one need not wake who reads events. Nobody else runs within a batch,
 * and readers get a pause after each.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
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

#include "../hostile/sealed.h"

#define BATCHES 21
#define CALLS 200
#define PAUSE_US 20000

static struct kind {
	const char *name;
	unsigned int command;
	int fd;
} kinds[] = {
	{"other", TCGETS, -1},
	{"run", KVM_RUN, -1},
	{"allowed", KVM_GET_MP_STATE, -1},
	{"named", KVM_GET_DEBUGREGS, -1},
	{"sealed", KVM_GET_DEBUGREGS, -1},
	{"audited", KVM_GET_VCPU_EVENTS, -1},
	{"denied", KVM_GET_XCRS, -1},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Large enough for any of them. */
static uint64_t argument[512];

static int fail(const char *what)
{
	fprintf(stderr, "cost: %s: %s\n", what, strerror(errno));
	return 1;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint64_t cost_of(const struct kind *kind)
{
	void *data = kind->command == KVM_RUN ? NULL : argument;
	uint64_t took[BATCHES], start;

	for (int i = 0; i < BATCHES; i++) {
		start = now();
		for (int j = 0; j < CALLS; j++)
			ioctl(kind->fd, kind->command, data);
		took[i] = now() - start;
		usleep(PAUSE_US);
	}
	qsort(took, BATCHES, sizeof(took[0]), compare);
	return took[BATCHES / 2] / CALLS;
}

static int print(const struct kind *kind)
{
	void *data = kind->command == KVM_RUN ? NULL : argument;
	uint64_t cost = cost_of(kind);
	int error = ioctl(kind->fd, kind->command, data) < 0 ? errno : 0;

	return printf("%s %llu %d\n", kind->name, (unsigned long long)cost, error);
}

/* The vCPU of the last of so many VMs. */
static int plain_vcpu(int kvm, long count)
{
	int vm = -1, vcpu;
	struct kvm_run *run;

	for (long i = 0; i < count; i++) {
		vm = ioctl(kvm, KVM_CREATE_VM, 0);
		if (vm < 0)
			return -1;
	}
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		return -1;
	run = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
		   MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		return -1;
	run->immediate_exit = 1;
	return vcpu;
}

/*
 * A filter knows no VM: who would refuse something on some of them has to name descriptors. So
 * what is refused to others than us is refused on a descriptor that is not ours.
 */
static int load_filter(void)
{
	static const struct {
		uint32_t action;
		unsigned int command;
		bool elsewhere;
	} rules[] = {
		{SCMP_ACT_ERRNO(EACCES), KVM_GET_MP_STATE, true},
		{SCMP_ACT_ERRNO(EACCES), KVM_GET_DEBUGREGS, true},
		{SCMP_ACT_LOG, KVM_GET_VCPU_EVENTS, false},
		{SCMP_ACT_ERRNO(EACCES), KVM_GET_XCRS, false},
	};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = filter ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct scmp_arg_cmp compare[] = {
			SCMP_A1_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, rules[i].command),
			SCMP_A0_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, 4000),
		};

		r = seccomp_rule_add_array(filter, rules[i].action, SCMP_SYS(ioctl),
					   rules[i].elsewhere ? 2 : 1, compare);
	}
	r = r ?: seccomp_load(filter);
	seccomp_release(filter);
	errno = -r;
	return r;
}

static bool is_wanted(const struct kind *kind, char **names)
{
	bool wanted = !*names;

	for (; *names; names++)
		wanted |= !strcmp(*names, kind->name);
	return wanted;
}

static int open_files(long count, char **names)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int vcpu, sealed = -1;

	if (kvm < 0 || null < 0)
		return fail("open");
	vcpu = plain_vcpu(kvm, count);
	if (vcpu < 0)
		return fail("a VM");
	for (size_t i = 0; i < KINDS; i++) {
		bool is_sealed = !strcmp(kinds[i].name, "sealed");

		if (is_sealed && is_wanted(&kinds[i], names) && sealed_vm(&sealed, 1) < 0)
			return 1;
		kinds[i].fd = is_sealed ? sealed : kinds[i].command == TCGETS ? null : vcpu;
	}
	return 0;
}

int main(int argc, char **argv)
{
	bool filter = argc > 1 && !strcmp(argv[1], "--filter");
	char **arguments = argv + 1 + filter;
	long count = *arguments ? strtol(*arguments++, NULL, 10) : 0;
	struct rlimit files = {(rlim_t)count + 100, (rlim_t)count + 100};
	struct sched_param first = {.sched_priority = 1};

	if (count < 1) {
		fputs("usage: cost [--filter] VMS [KIND...]\n", stderr);
		return 2;
	}
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		return fail("RLIMIT_NOFILE");
	if (open_files(count, arguments))
		return 1;
	if (filter && load_filter() < 0)
		return fail("seccomp");
	if (sched_setscheduler(0, SCHED_FIFO, &first) < 0)
		return fail("SCHED_FIFO");
	for (size_t i = 0; i < KINDS; i++)
		if (is_wanted(&kinds[i], arguments) && print(&kinds[i]) < 0)
			return fail("printing");
	fflush(stdout);
	/* The kernel takes a while to let go of thousands of VMs; nobody waits for it. */
	_exit(0);
}
