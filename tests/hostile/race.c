/* SPDX-License-Identifier: GPL-2.0-only */
/* Changes what an ioctl asks for between the moment it is checked and the moment KVM reads it. */

/*
 * race MODE ATTEMPTS
 *
 * One thread asks KVM for something harmless, over and over. Another sleeps for a
 * few microseconds at a time and, whenever it wakes, puts something forbidden in
 * its place; each attempt begins by undoing that. So every wake is one change at
 * a random moment of the other's ioctl. (On the test guest's two processors, that
 * QEMU runs in turns on one thread, the timer's interrupt is also what makes it
 * change turns: a thread that changes the word without a pause never comes in
 * between.)
 *
 *	dbg	KVM_SEV_GUEST_STATUS, KVM_SEV_DBG_DECRYPT on a sealed legacy SEV-ES VM
 *	init	KVM_SEV_GUEST_STATUS, KVM_SEV_ES_INIT on a new VM of type 0
 *	cap	KVM_CAP_EXIT_HYPERCALL, KVM_CAP_VM_COPY_ENC_CONTEXT_FROM on the same
 *	sync	no registers in kvm_run, new ones, on a sealed legacy SEV-ES vCPU
 *	mapped	the same; the other is a process of its own, that has no more than the
 *		vCPU's descriptor, and maps kvm_run with it
 *
 * A VM serves until an attempt has changed it. The attempts are made by a child,
 * so that a SIGKILL for it leaves somebody to tell. One line is printed:
 *
 *	mode=sync attempts=1000 refused=10 passed=990 executed=3 child=exited survivor=EINTR
 *
 * refused: answered EPERM. executed: forbidden things that KVM did, as the
 * stand-in for the firmware counted them, dead or alive the caller; for sync,
 * writes that the caller lived to see in rbx. survivor: what the VM answers, when the
 * child is gone, to another process that has the same memory and descriptors:
 * the errno of KVM_RUN for sync, which means to end with EINTR; of KVM_CREATE_VCPU
 * for init; none if it succeeds; - in the other modes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNTERS "/sys/kernel/debug/kw_sev_test/"

enum exit_status {
	EXIT_DONE = 0,
	EXIT_USAGE = 2,
	EXIT_COULD_NOT_TRY = 3,
};

struct tally {
	uint64_t attempts, refused, passed, executed;
	bool survived;
	int survivor; /* 0 or an errno, if survived */
};

struct mode {
	const char *name;
	/* What the word is when it is checked, and what it is changed to. */
	uint32_t harmless, forbidden;
	/* Makes the VM and says where the word is. */
	volatile uint32_t *(*prepare)(void);
	/* One ioctl; returns 0 or a negative errno. */
	int (*attempt)(void);
	/* Where it is counted that KVM did what is forbidden. */
	const char *counter;
	/* What the survivor tries, as attempt() does. */
	int (*survivor)(void);
	/* The other is another process, whose word is found by this. */
	volatile uint32_t *(*foreign)(void);
};

static int kvm, vm = -1, source = -1, vcpu = -1;
static struct kvm_sev_cmd command;
static struct kvm_enable_cap cap;
static struct kvm_run *run;
static struct tally *tally;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "race: %s: %s\n", what, strerror(errno));
	exit(EXIT_COULD_NOT_TRY);
}

static int answer(int r)
{
	return r < 0 ? -errno : 0;
}

static void sev(int fd, uint32_t id, void *data)
{
	struct kvm_sev_cmd cmd = {.id = id, .data = (uintptr_t)data, .sev_fd = (uint32_t)-1};

	if (ioctl(fd, KVM_MEMORY_ENCRYPT_OP, &cmd) < 0)
		die("a command of the launch");
}

static int new_vm(void)
{
	int fd = ioctl(kvm, KVM_CREATE_VM, 0);

	if (fd < 0)
		die("KVM_CREATE_VM");
	return fd;
}

static int new_legacy_sev_es_vm(void)
{
	int fd = new_vm();

	sev(fd, KVM_SEV_ES_INIT, NULL);
	return fd;
}

static void seal(void)
{
	struct kvm_sev_launch_start start = {.policy = 4};

	vm = new_legacy_sev_es_vm();
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		die("KVM_CREATE_VCPU");
	sev(vm, KVM_SEV_LAUNCH_START, &start);
	sev(vm, KVM_SEV_LAUNCH_UPDATE_VMSA, NULL);
	sev(vm, KVM_SEV_LAUNCH_FINISH, NULL);
}

static volatile uint32_t *dbg_prepare(void)
{
	seal();
	return &command.id;
}

static int dbg_attempt(void)
{
	static uint8_t from[16], to[16];
	static struct kvm_sev_dbg data;

	/* The harmless command leaves its answer there. */
	data = (struct kvm_sev_dbg){
		.src_uaddr = (uintptr_t)from,
		.dst_uaddr = (uintptr_t)to,
		.len = sizeof(to),
	};
	command.data = (uintptr_t)&data;
	return answer(ioctl(vm, KVM_MEMORY_ENCRYPT_OP, &command));
}

static volatile uint32_t *init_prepare(void)
{
	vm = new_vm();
	return &command.id;
}

/* What succeeds has changed the VM: a new one for the next attempt. */
static int change_vm(unsigned long cmd, void *arg)
{
	int r = answer(ioctl(vm, cmd, arg));

	if (r == 0) {
		close(vm);
		vm = new_vm();
	}
	return r;
}

static int init_attempt(void)
{
	return change_vm(KVM_MEMORY_ENCRYPT_OP, &command);
}

static volatile uint32_t *cap_prepare(void)
{
	source = new_legacy_sev_es_vm();
	vm = new_vm();
	/* Of KVM_CAP_EXIT_HYPERCALL these are bits that KVM does not know: EINVAL. */
	cap.args[0] = (uint64_t)source;
	return &cap.cap;
}

static int cap_attempt(void)
{
	return change_vm(KVM_ENABLE_CAP, &cap);
}

static volatile uint32_t *map_run(void)
{
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		die("kvm_run");
	return (volatile uint32_t *)&run->kvm_dirty_regs;
}

static volatile uint32_t *sync_prepare(void)
{
	volatile uint32_t *word;

	seal();
	word = map_run();
	if (ioctl(vcpu, KVM_GET_REGS, &run->s.regs.regs) < 0)
		die("KVM_GET_REGS");
	run->immediate_exit = 1;
	return word;
}

static int sync_attempt(void)
{
	struct kvm_regs regs;
	int r;

	run->s.regs.regs.rbx = tally->attempts;
	r = answer(ioctl(vcpu, KVM_RUN, 0));
	if (ioctl(vcpu, KVM_GET_REGS, &regs) < 0)
		die("KVM_GET_REGS");
	if (regs.rbx == tally->attempts)
		tally->executed++;
	return r;
}

static int sync_survivor(void)
{
	run->kvm_dirty_regs = 0;
	return answer(ioctl(vcpu, KVM_RUN, 0));
}

static int init_survivor(void)
{
	return answer(ioctl(vm, KVM_CREATE_VCPU, 0));
}

static const struct mode modes[] = {
	{"dbg", KVM_SEV_GUEST_STATUS, KVM_SEV_DBG_DECRYPT, dbg_prepare, dbg_attempt, "executed",
	 NULL, NULL},
	{"init", KVM_SEV_GUEST_STATUS, KVM_SEV_ES_INIT, init_prepare, init_attempt, "executed",
	 init_survivor, NULL},
	{"cap", KVM_CAP_EXIT_HYPERCALL, KVM_CAP_VM_COPY_ENC_CONTEXT_FROM, cap_prepare, cap_attempt,
	 "enabled_caps", NULL, NULL},
	{"sync", 0, KVM_SYNC_X86_REGS, sync_prepare, sync_attempt, NULL, sync_survivor, NULL},
	{"mapped", 0, KVM_SYNC_X86_REGS, sync_prepare, sync_attempt, NULL, sync_survivor, map_run},
};

/* A failure is no harm: where there is one processor, it is shared. */
static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static struct {
	volatile uint32_t *word;
	uint32_t forbidden;
	volatile bool stop;
} changer;

static void *change(void *arg)
{
	/* Shorter pauses make fewer wakes: the timer is late before it is set. */
	enum { SHORTEST = 40000, STEP = 2900, STEPS = 61 };
	unsigned int n = 0;

	(void)arg;
	pin(1);
	prctl(PR_SET_TIMERSLACK, 1);
	while (!changer.stop) {
		/* Not always the same, so as not to run in step with the other. */
		struct timespec pause = {.tv_nsec = SHORTEST + n++ % STEPS * STEP};

		nanosleep(&pause, NULL);
		*changer.word = changer.forbidden;
	}
	return NULL;
}

/* The pipe whose end is the end of the child; only its parent keeps the end to write. */
static int gone[2];

/*
 * Shares the child's memory and descriptors, and its thread-local data too: until
 * the child is gone it must do nothing but wait.
 */
static int survive(void *arg)
{
	const struct mode *mode = arg;
	char byte;

	if (read(gone[0], &byte, 1) == 0 && tally->attempts > 0) {
		tally->survivor = -mode->survivor();
		tally->survived = true;
	}
	_exit(EXIT_DONE);
}

/* Another thread group, so that no signal for this one is for it. */
static void start_survivor(const struct mode *mode)
{
	static char stack[65536] __attribute__((aligned(16)));

	if (clone(survive, stack + sizeof(stack), CLONE_VM | CLONE_FILES | SIGCHLD,
		  (void *)(uintptr_t)mode) < 0)
		die("no survivor");
}

/* It ends with us, or soon after. */
static void start_foreigner(const struct mode *mode)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	changer.word = mode->foreign();
	change(NULL);
	_exit(EXIT_DONE);
}

static _Noreturn void try_all(const struct mode *mode, uint64_t attempts)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(gone[1]);
	if (mode->survivor)
		start_survivor(mode);
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		die("/dev/kvm");
	pin(0);
	changer.word = mode->prepare();
	changer.forbidden = mode->forbidden;
	if (mode->foreign)
		start_foreigner(mode);
	else if (pthread_create(&thread, NULL, change, NULL))
		die("no thread");
	while (tally->attempts < attempts) {
		tally->attempts++;
		*changer.word = mode->harmless;
		if (mode->attempt() == -EPERM)
			tally->refused++;
		else
			tally->passed++;
	}
	changer.stop = true;
	if (!mode->foreign)
		pthread_join(thread, NULL);
	exit(EXIT_DONE);
}

/* Lines of the file are "ID COUNT"; what never happened has none. */
static uint64_t count(const char *name, uint32_t id)
{
	unsigned long long n, found = 0;
	char path[64];
	unsigned int i;
	FILE *f;

	snprintf(path, sizeof(path), "%s%s", COUNTERS, name);
	f = fopen(path, "re");
	if (!f)
		die(path);
	while (fscanf(f, "%u %llu", &i, &n) == 2)
		if (i == id)
			found = n;
	fclose(f);
	return found;
}

static int race(const struct mode *mode, uint64_t attempts)
{
	uint64_t before = mode->counter ? count(mode->counter, mode->forbidden) : 0;
	const char *survivor = "-";
	bool killed;
	int status;
	pid_t pid;

	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (tally == MAP_FAILED)
		die("no memory");
	/* What the child leaves behind becomes a child of ours. */
	if (pipe2(gone, O_CLOEXEC) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		die("no survivor");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		try_all(mode, attempts);
	if (waitpid(pid, &status, 0) < 0)
		die("waitpid");
	close(gone[1]);
	while (wait(NULL) > 0)
		;
	killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	if (!killed && (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_DONE))
		return EXIT_COULD_NOT_TRY;
	if (mode->counter)
		tally->executed = count(mode->counter, mode->forbidden) - before;
	if (tally->survived)
		survivor = tally->survivor ? strerrorname_np(tally->survivor) : "none";
	printf("mode=%s attempts=%llu refused=%llu passed=%llu executed=%llu child=%s "
	       "survivor=%s\n",
	       mode->name, (unsigned long long)tally->attempts, (unsigned long long)tally->refused,
	       (unsigned long long)tally->passed, (unsigned long long)tally->executed,
	       killed ? "killed" : "exited", survivor ? survivor : "?");
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	const size_t n = sizeof(modes) / sizeof(modes[0]);
	uint64_t attempts;
	char *end;
	size_t i;

	if (argc == 3) {
		attempts = strtoull(argv[2], &end, 10);
		for (i = 0; i < n && strcmp(modes[i].name, argv[1]) != 0; i++)
			;
		if (i < n && *end == '\0' && attempts > 0)
			return race(&modes[i], attempts);
	}
	fputs("usage: race dbg|init|cap|sync|mapped ATTEMPTS\n", stderr);
	return EXIT_USAGE;
}
