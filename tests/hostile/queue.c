/* SPDX-License-Identifier: GPL-2.0-only */
/* Queues a register write behind a seal on the vCPU's mutex: is it carried out on the sealed vCPU? */

/*
 * queue [run]
 *
 * Thread A asks for the registers, to be put into a page that is not there, and
 * so holds the mutex until the page is given. The seal waits for it, then the
 * write does. Prints what the write was answered, and RBX as KVM has it: legacy
 * SEV-ES, whose registers KVM itself lets anyone write. The write is a
 * KVM_SET_REGS; with "run" it is a KVM_RUN that has no registers when it is
 * issued, and is given some while it waits.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define VALUE 0x4242

static int vm, vcpu;
static struct kvm_run *shared;
/* A page that is not there, and who gives it. */
static void *page;
static int fault_fd;

struct thread {
	pthread_t id;
	volatile pid_t tid;
	int (*act)(void);
	int result;
};

static int sev(unsigned int id, void *data)
{
	struct kvm_sev_cmd command = {.id = id, .data = (unsigned long)data, .sev_fd = -1};

	return ioctl(vm, KVM_MEMORY_ENCRYPT_OP, &command) < 0 ? -errno : 0;
}

static int get_registers(void)
{
	return ioctl(vcpu, KVM_GET_REGS, page) < 0 ? -errno : 0;
}

static int seal(void)
{
	return sev(KVM_SEV_LAUNCH_UPDATE_VMSA, NULL);
}

static int set_registers(void)
{
	struct kvm_regs regs = {.rbx = VALUE, .rflags = 2};

	return ioctl(vcpu, KVM_SET_REGS, &regs) < 0 ? -errno : 0;
}

/* It leaves with EINTR once it has taken the registers over. */
static int run_with_registers(void)
{
	return ioctl(vcpu, KVM_RUN, 0) < 0 && errno != EINTR ? -errno : 0;
}

/* The registers are there before anybody has the vCPU again. */
static void give_registers(void)
{
	shared->s.regs.regs = (struct kvm_regs){.rbx = VALUE, .rflags = 2};
	shared->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	shared->immediate_exit = 1;
}

static void *begin(void *arg)
{
	struct thread *thread = arg;

	thread->tid = (pid_t)syscall(SYS_gettid);
	thread->result = thread->act();
	return NULL;
}

/* Starts a thread and waits until it sleeps in its ioctl, or has ended. */
static void start(struct thread *thread)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	char path[64], line[256];
	int calm = 0;

	if (pthread_create(&thread->id, NULL, begin, thread))
		exit(3);
	while (calm < 20 && pthread_tryjoin_np(thread->id, NULL) == EBUSY) {
		FILE *f;

		nanosleep(&pause, NULL);
		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", thread->tid);
		f = thread->tid ? fopen(path, "r") : NULL;
		if (!f)
			continue;
		if (fgets(line, sizeof(line), f) && strpbrk(strrchr(line, ')'), "SD"))
			calm++;
		fclose(f);
	}
	if (calm < 20)
		thread->id = 0;
}

static bool make_page(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING};

	page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fault_fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	range.range = (struct uffdio_range){(unsigned long)page, size};
	return page != MAP_FAILED && fault_fd >= 0 && !ioctl(fault_fd, UFFDIO_API, &api) &&
	       !ioctl(fault_fd, UFFDIO_REGISTER, &range);
}

static bool give_page(void)
{
	struct uffdio_zeropage zero = {
		.range = {(unsigned long)page, (size_t)sysconf(_SC_PAGESIZE)},
	};

	return !ioctl(fault_fd, UFFDIO_ZEROPAGE, &zero);
}

int main(int argc, char **argv)
{
	bool by_run = argc == 2 && strcmp(argv[1], "run") == 0;
	struct thread holder = {.act = get_registers}, sealer = {.act = seal},
		      writer = {.act = by_run ? run_with_registers : set_registers};
	struct kvm_sev_launch_start launch = {.policy = 5};
	struct kvm_regs regs = {};
	int kvm, size;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0 || sev(KVM_SEV_ES_INIT, NULL)) {
		perror("cannot create a legacy SEV-ES VM");
		return 3;
	}
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (vcpu < 0 || size < 0 || sev(KVM_SEV_LAUNCH_START, &launch))
		return 3;
	shared = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (shared == MAP_FAILED || !make_page()) {
		perror("no page that is not there");
		return 3;
	}
	start(&holder);
	start(&sealer);
	start(&writer);
	if (by_run)
		give_registers();
	if (!give_page())
		return 3;
	if (holder.id)
		pthread_join(holder.id, NULL);
	if (sealer.id)
		pthread_join(sealer.id, NULL);
	if (writer.id)
		pthread_join(writer.id, NULL);
	ioctl(vcpu, KVM_GET_REGS, &regs);
	printf("seal %s, queued write %s, rbx %s\n", sealer.result ? "failed" : "done",
	       writer.result ? strerrorname_np(-writer.result) : "carried out",
	       regs.rbx == VALUE ? "changed" : "unchanged");
	return 0;
}
