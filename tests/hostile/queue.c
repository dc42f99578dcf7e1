/* SPDX-License-Identifier: GPL-2.0-only */
/* Queues a register write behind a seal on the vCPU's mutex: is it carried out on the sealed vCPU? */

/*
 * Thread A parks in KVM_RUN of a vCPU that waits for its SIPI, and so holds the
 * mutex. The seal waits for it, then the write does; a signal ends A. Prints
 * what the write was answered, and RBX as KVM has it: legacy SEV-ES, whose
 * registers KVM itself lets anyone write.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define VALUE 0x4242

static int vm, vcpu;

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

static int run(void)
{
	return ioctl(vcpu, KVM_RUN, 0) < 0 ? -errno : 0;
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

static void on_signal(int sig)
{
	(void)sig;
}

int main(void)
{
	struct thread runner = {.act = run}, sealer = {.act = seal},
		      writer = {.act = set_registers};
	const struct sigaction action = {.sa_handler = on_signal};
	struct kvm_sev_launch_start launch = {.policy = 5};
	struct kvm_regs regs = {};
	int kvm;

	sigaction(SIGUSR1, &action, NULL);
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0 || sev(KVM_SEV_ES_INIT, NULL) || ioctl(vm, KVM_CREATE_IRQCHIP, 0)) {
		perror("cannot create a legacy SEV-ES VM");
		return 3;
	}
	ioctl(vm, KVM_CREATE_VCPU, 0);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 1);
	if (vcpu < 0 || sev(KVM_SEV_LAUNCH_START, &launch))
		return 3;
	start(&runner);
	start(&sealer);
	start(&writer);
	if (runner.id)
		pthread_kill(runner.id, SIGUSR1);
	if (runner.id)
		pthread_join(runner.id, NULL);
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
