/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes a descriptor stand for something else between the look at an ioctl and its being carried out. */

/*
 * swap MODE TRIES
 *
 * One thread writes registers through one descriptor number, over and over, by all entries, with
 * garbage above the 32 bits that count. Another changes what the number stands for:
 *
 *	swap	vCPUs of two VMs, /dev/null, a pipe, a memfd, a closed one
 *	hide	the vCPU's only descriptor is in flight in a socket, and comes out for a moment
 *	late	VM and vCPU do not exist yet, and come into being for a moment; the writer is a thread
 *		that the scheduler lets wait (SCHED_IDLE)
 *
 * What would be a pass: an ioctl that returned 0, or a register that has one of our values. One line
 * is printed:
 *
 *	mode=swap tries=100000 refused=40000 other=60000 passed=0 entries=native,compat
 *
 * refused: answered EACCES, which no KVM gives by itself. other: EBADF, ENOTTY... It
 * ends with 0 if it could try; what the numbers mean is for others to say.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compat_kvm.h"

#define NUMBER 100 /* the descriptor that everything is about */
#define MAGIC 0x5ca1ab1e00000000ull
#define VCPUS 3
#define X32_IOCTL (0x40000000 + 514)
#define EXIT_COULD_NOT_TRY 3

enum entry { NATIVE, COMPAT, X32, ENTRIES };

struct counts {
	unsigned long tries, refused, other, passed;
};

struct buffer {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_fpu fpu;
};

static struct counts counts;
static atomic_bool over;
static int vcpus[VCPUS], null, kvm, pair[2];
static bool works[ENTRIES] = {true};
static struct kvm_sregs sregs; /* of a vCPU as it is made: they can be put back */
static sigjmp_buf no_entry;

static void fail(const char *what)
{
	fprintf(stderr, "swap: %s: %s\n", what, strerror(errno));
	exit(EXIT_COULD_NOT_TRY);
}

static long by_int80(unsigned int fd, unsigned int command, void *arg)
{
	long ax = 54;

	__asm__ volatile("int $0x80"
			 : "+a"(ax)
			 : "b"((long)fd), "c"((long)command), "d"((long)arg)
			 : "memory", "cc", "r8", "r9", "r10", "r11");
	if ((int)ax >= 0)
		return (int)ax;
	errno = -(int)ax;
	return -1;
}

static long call(enum entry entry, unsigned int command, void *arg, unsigned long garbage)
{
	switch (entry) {
	case COMPAT:
		return by_int80(NUMBER, command, arg);
	case X32:
		return syscall(X32_IOCTL, NUMBER | garbage << 32, command | garbage << 32, arg);
	default:
		return syscall(SYS_ioctl, NUMBER | garbage << 32, command | garbage << 32, arg);
	}
}

static void on_fault(int sig)
{
	siglongjmp(no_entry, sig);
}

/* By FIONREAD on a pipe, which is nobody's business. */
static void find_entries(void)
{
	struct sigaction action = {.sa_handler = on_fault}, saved;
	int *count = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0),
	    ends[2];

	if (pipe(ends) < 0 || dup2(ends[0], NUMBER) < 0)
		fail("pipe");
	sigaction(SIGSEGV, &action, &saved);
	if (sigsetjmp(no_entry, 1) == 0)
		works[COMPAT] = call(COMPAT, 0x541b /* FIONREAD */, count, 0) == 0;
	sigaction(SIGSEGV, &saved, NULL);
	works[X32] = call(X32, 0x541b, count, 0) == 0;
	close(ends[0]);
	close(ends[1]);
	munmap(count, 4096);
}

static void count_one(long r)
{
	counts.tries++;
	if (r >= 0)
		counts.passed++;
	else if (errno == EACCES)
		counts.refused++;
	else
		counts.other++;
}

static void try_one(struct buffer *buffer, unsigned long n)
{
	enum entry entry = n / 3 % ENTRIES;

	if (!works[entry])
		entry = NATIVE;
	buffer->regs.rbx = MAGIC | (uint32_t)n;
	buffer->regs.rflags = 2;
	buffer->sregs.cr2 = MAGIC | (uint32_t)n;
	buffer->fpu.last_ip = MAGIC | (uint32_t)n;
	switch (n % 3) {
	case 0:
		count_one(call(entry, KVM_SET_REGS, &buffer->regs, n & 0xffff));
		break;
	case 1:
		count_one(call(entry, KVM_SET_SREGS, &buffer->sregs, n & 0xffff));
		break;
	default:
		count_one(call(entry, KVM_SET_FPU, &buffer->fpu, n & 0xffff));
		break;
	}
}

static void *write_registers(void *context)
{
	unsigned long tries = *(unsigned long *)context;
	struct buffer *buffer = mmap(NULL, sizeof(*buffer), PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (buffer == MAP_FAILED)
		fail("no buffer below 4 GiB");
	buffer->sregs = sregs;
	for (unsigned long n = 0; n < tries && !over; n++)
		try_one(buffer, n);
	over = true;
	return NULL;
}

static void *write_when_idle(void *context)
{
	const struct sched_param none = {};

	pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
	return write_registers(context);
}

/* Is a value of ours in a register? */
static void look_into(int vcpu)
{
	struct kvm_regs regs;
	struct kvm_sregs now;
	struct kvm_fpu fpu;

	if (ioctl(vcpu, KVM_GET_REGS, &regs) < 0 || ioctl(vcpu, KVM_GET_SREGS, &now) < 0 ||
	    ioctl(vcpu, KVM_GET_FPU, &fpu) < 0)
		fail("reading registers");
	if (regs.rbx >> 32 == MAGIC >> 32 || now.cr2 >> 32 == MAGIC >> 32 ||
	    fpu.last_ip >> 32 == MAGIC >> 32)
		counts.passed++;
}

static int make_vm(int *vm)
{
	int fd = ioctl(kvm, KVM_CREATE_VM, 0), vcpu;

	if (fd < 0)
		fail("KVM_CREATE_VM");
	vcpu = ioctl(fd, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		fail("KVM_CREATE_VCPU");
	*vm = fd;
	return vcpu;
}

static void send_fd(int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = {}, byte = 0;
	struct iovec part = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(pair[0], &message, 0) < 0)
		fail("sendmsg");
}

static int take_fd(void)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec part = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(pair[1], &message, 0) < 0)
		fail("recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static void pause_for(unsigned int *seed)
{
	for (volatile unsigned int i = rand_r(seed) % 20000; i; i--)
		;
}

static void swap_files(const int *files, unsigned int count)
{
	unsigned int seed = 1;

	while (!over) {
		if (rand_r(&seed) % 16 == 0)
			close(NUMBER);
		else
			dup2(files[rand_r(&seed) % count], NUMBER);
		if (rand_r(&seed) % 4 == 0)
			pause_for(&seed);
	}
}

static void run_swap(void)
{
	int vm[2], ends[2];

	vcpus[0] = make_vm(&vm[0]);
	vcpus[1] = ioctl(vm[0], KVM_CREATE_VCPU, 1);
	vcpus[2] = make_vm(&vm[1]);
	if (vcpus[1] < 0 || pipe(ends) < 0)
		fail("set-up");
	swap_files((int[]){vcpus[0], null, vcpus[1], ends[0], vcpus[2], vm[0],
			   memfd_create("swap", 0)},
		   7);
}

static void run_hide(void)
{
	unsigned int seed = 1;
	int vm, fd;

	vcpus[0] = make_vm(&vm);
	close(vm);
	send_fd(vcpus[0]);
	close(vcpus[0]);
	while (!over) {
		fd = take_fd();
		dup2(fd, NUMBER);
		close(fd);
		pause_for(&seed);
		send_fd(NUMBER);
		dup2(null, NUMBER);
		pause_for(&seed);
	}
	vcpus[0] = take_fd();
}

static void run_late(void)
{
	unsigned int seed = 1;
	int vm, fd;

	while (!over) {
		fd = make_vm(&vm);
		dup2(fd, NUMBER);
		pause_for(&seed);
		dup2(null, NUMBER);
		look_into(fd);
		close(fd);
		close(vm);
	}
}

/* The VM is gone afterwards. */
static void find_sregs(void)
{
	int vm, vcpu = make_vm(&vm);

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		fail("KVM_GET_SREGS");
	close(vcpu);
	close(vm);
}

static const struct {
	const char *name;
	void (*run)(void);
	void *(*write)(void *context);
} modes[] = {
	{"swap", run_swap, write_registers},
	{"hide", run_hide, write_registers},
	{"late", run_late, write_when_idle},
};

static void run(size_t mode, unsigned long tries)
{
	pthread_t writer;

	if (pthread_create(&writer, NULL, modes[mode].write, &tries) != 0)
		fail("no thread");
	modes[mode].run();
	pthread_join(writer, NULL);
	for (int i = 0; i < VCPUS; i++)
		if (vcpus[i] >= 0)
			look_into(vcpus[i]);
	printf("mode=%s tries=%lu refused=%lu other=%lu passed=%lu entries=native%s%s\n",
	       modes[mode].name, counts.tries, counts.refused, counts.other, counts.passed,
	       works[COMPAT] ? ",compat" : "", works[X32] ? ",x32" : "");
}

int main(int argc, char **argv)
{
	char *end = NULL;
	unsigned long tries = argc == 3 ? strtoul(argv[2], &end, 10) : 0;

	memset(vcpus, -1, sizeof(vcpus));
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]) && tries && !*end; i++) {
		if (strcmp(argv[1], modes[i].name) != 0)
			continue;
		if (kvm < 0 || null < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
			fail("set-up");
		find_entries();
		find_sregs();
		dup2(null, NUMBER);
		run(i, tries);
		return 0;
	}
	fputs("usage: swap swap|hide|late TRIES\n", stderr);
	return 2;
}
