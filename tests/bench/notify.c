/* SPDX-License-Identifier: GPL-2.0-only */
/* What a seccomp filter costs a VMM: ioctls that it is not about, and ioctls that it asks about. */

/*
 * notify bare | filter DIR | supervised | reference DIR
 * notify inspect PID
 *
 * One of the VMMs that tests/bench/run compares, on two lines of conversation: each line of
 * standard input is an order, each line of standard output its answer.
 *
 *	bare		as it was started
 *	filter		under the filter that the policies of DIR make, but that refuses where that asks
 *	supervised	as it was started, which is by kvmwarden run
 *	reference	under the filter that the policies of DIR make, asked by the shortest
 *			supervisor that there can be: a child that lets KVM_SET_FPU pass and
 *			refuses the rest
 *
 *	length			how many instructions of BPF its filter has; 0: it made none
 *	plain WHAT CALLS	nanoseconds of one call, on average; WHAT is getppid, fionread (of a pipe)
 *				or check (KVM_CHECK_EXTENSION)
 *	asked WHAT CALLS	median and 99th percentile of as many calls, in nanoseconds; WHAT is
 *				refused (KVM_SET_REGS) or passed (KVM_SET_FPU)
 *	asker			the pid of the reference's supervisor
 *
 * What does not come out as WHAT says ends it with 1.
 *
 * "inspect" says how many instructions the filter of a process has, as the kernel has it: it must
 * be the only one. 0: this kernel does not tell (CONFIG_CHECKPOINT_RESTORE).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "filter.h"
#include "notify.h"
#include "policy.h"
#include "ruleset.h"
#include "util.h"

#define REFUSAL EACCES /* of the policy in tests/bench/run */

static int kvm, vm, vcpu, ends[2];
static size_t length;
static pid_t asker;

static void give_up(const char *what)
{
	fprintf(stderr, "notify: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* --- filters ------------------------------------------------------------------ */

static void make_plan(const char *directory, struct kw_plan *ret)
{
	const char *const directories[] = {directory, NULL};
	struct kw_shortfalls shortfalls = {};
	struct kw_policy_set set = {};
	struct kw_ruleset *rules;
	struct kw_diag diag = {};

	if (kw_policy_set_load(directories, false, false, &set, &diag) < 0 ||
	    kw_ruleset_compile(&set, 1, &rules, &diag) < 0 ||
	    kw_plan_make(rules, KW_MEANS_KERNEL, false, ret, &shortfalls) < 0)
		give_up(diag.message ?: directory);
	kw_shortfalls_done(&shortfalls);
	kw_ruleset_free(rules);
}

static size_t length_of(scmp_filter_ctx filter)
{
	FILE *file = tmpfile();

	if (!file || seccomp_export_bpf(filter, fileno(file)) < 0)
		give_up("a filter cannot be exported");
	fseek(file, 0, SEEK_END);
	length = (size_t)ftell(file) / sizeof(struct sock_filter);
	fclose(file);
	return length;
}

static scmp_filter_ctx load(const struct kw_plan *plan)
{
	scmp_filter_ctx filter;
	char *why = NULL;

	if (kw_filter_build(plan, &filter, &why) < 0)
		give_up(why ?: "no filter");
	length = length_of(filter);
	if (seccomp_load(filter) < 0)
		give_up("the filter cannot be loaded");
	return filter;
}

/* The same comparisons, and an answer of the filter's own. */
static void filter_alone(const char *directory)
{
	struct kw_plan plan;

	make_plan(directory, &plan);
	for (size_t i = 0; i < plan.count; i++) {
		if (plan.entries[i].disposition != KW_PLAN_NOTIFY)
			continue;
		plan.entries[i].disposition = KW_PLAN_REFUSE;
		plan.entries[i].error = REFUSAL;
	}
	load(&plan);
	kw_plan_done(&plan);
}

static void serve(int listener)
{
	union kw_notif notif;
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	do {
		r = kw_notify_receive(listener, &notif);
		if (r == 0 && (uint32_t)notif.notif.data.args[1] == KVM_SET_FPU)
			kw_notify_continue(listener, notif.notif.id);
		else if (r == 0)
			kw_notify_refuse(listener, notif.notif.id, REFUSAL);
	} while (r == 0 || r == -EAGAIN);
	_exit(0);
}

static void be_asked_about(const char *directory)
{
	struct kw_plan plan;
	scmp_filter_ctx filter;

	make_plan(directory, &plan);
	filter = load(&plan);
	asker = fork();
	if (asker < 0)
		give_up("fork");
	if (asker == 0)
		serve(seccomp_notify_fd(filter));
	kw_plan_done(&plan);
}

/* The length of a process's newest filter, 0 if the kernel does not tell; there must be no other. */
static long inspect(pid_t pid)
{
	long count, other;
	int status;

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 || waitpid(pid, &status, __WALL) != pid)
		give_up("the process cannot be traced");
	count = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, NULL);
	if (count < 0 && errno == EIO)
		return 0;
	if (count < 0)
		give_up("the process has no filter");
	other = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 1, NULL);
	if (other >= 0 || errno != ENOENT) {
		errno = EEXIST;
		give_up("the process has more than one filter");
	}
	/* Its end lets the process go on. */
	return count;
}

/* --- calls -------------------------------------------------------------------- */

static void make_vm(void)
{
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	vcpu = vm < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0 || pipe2(ends, O_CLOEXEC) < 0)
		give_up("a VM");
}

static void call_plain(const char *what)
{
	int waiting;

	if (what[0] == 'g')
		syscall(SYS_getppid);
	else if (what[0] == 'f' ? ioctl(ends[0], FIONREAD, &waiting) != 0
				: ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_NR_VCPUS) <= 0)
		give_up(what);
}

static void plain(const char *what, unsigned int calls)
{
	uint64_t start = now();

	for (unsigned int i = 0; i < calls; i++)
		call_plain(what);
	printf("%.2f\n", (double)(now() - start) / calls);
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void asked(const char *what, unsigned int calls, bool bare)
{
	static uint64_t took[100000];
	bool refused = what[0] == 'r' && !bare;
	struct kvm_regs regs;
	struct kvm_fpu fpu;

	if (!calls || calls > KW_ARRAY_SIZE(took) || ioctl(vcpu, KVM_GET_REGS, &regs) < 0 ||
	    ioctl(vcpu, KVM_GET_FPU, &fpu) < 0)
		give_up("its registers");
	for (unsigned int i = 0; i < calls; i++) {
		uint64_t start = now();
		int r = what[0] == 'r' ? ioctl(vcpu, KVM_SET_REGS, &regs)
				       : ioctl(vcpu, KVM_SET_FPU, &fpu);

		took[i] = now() - start;
		if (refused ? r == 0 || errno != REFUSAL : r != 0)
			give_up(what);
	}
	qsort(took, calls, sizeof(took[0]), by_value);
	printf("%llu %llu\n", (unsigned long long)took[calls / 2],
	       (unsigned long long)took[calls - 1 - calls / 100]);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "", *directory = argc > 2 ? argv[2] : NULL;
	char line[256], what[32];
	unsigned int calls;

	if (!directory && (kw_streq(mode, "filter") || kw_streq(mode, "reference")))
		return 2;
	if (kw_streq(mode, "inspect"))
		return !directory || printf("%ld\n", inspect(atoi(directory))) < 0;
	make_vm();
	if (kw_streq(mode, "filter"))
		filter_alone(directory);
	else if (kw_streq(mode, "reference"))
		be_asked_about(directory);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "plain %31s %u", what, &calls) == 2)
			plain(what, calls);
		else if (sscanf(line, "asked %31s %u", what, &calls) == 2)
			asked(what, calls, kw_streq(mode, "bare"));
		else if (kw_streq(line, "length\n"))
			printf("%zu\n", length);
		else if (kw_streq(line, "asker\n"))
			printf("%d\n", (int)asker);
		else
			return 2;
	}
	return 0;
}
