/* SPDX-License-Identifier: GPL-2.0-only */
/* Filters, loaded into real processes: what they refuse, by each way into the kernel, and what not. */
#define _GNU_SOURCE 1
#include "filter.h"

#include <errno.h>
#include <linux/kvm.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "notify.h"
#include "unit.h"
#include "util.h"

#define X32_BIT 0x40000000

/* No descriptor: what gets to the kernel is answered EBADF, whatever the command. */
#define NOWHERE 999

static const struct kw_plan_entry entries[] = {
	{.command = (uint32_t)KVM_SET_REGS, .disposition = KW_PLAN_REFUSE, .error = EACCES},
	{.command = (uint32_t)KVM_SET_FPU, .disposition = KW_PLAN_KILL},
	{.command = KVM_CREATE_VM,
	 .types = 1u << KW_TYPE_DEFAULT | 1u << KW_TYPE_UNKNOWN,
	 .disposition = KW_PLAN_REFUSE,
	 .error = ENODEV},
	{.command = (uint32_t)KVM_CREATE_VM,
	 .types = 1u << KW_TYPE_SEV_SNP,
	 .disposition = KW_PLAN_REFUSE,
	 .error = EBUSY},
};

static const struct kw_plan_entry asked[] = {
	{.command = (uint32_t)KVM_SET_REGS, .disposition = KW_PLAN_NOTIFY},
};

static scmp_filter_ctx load(const struct kw_plan_entry *list, size_t count)
{
	struct kw_plan plan = {.entries = (struct kw_plan_entry *)list, .count = count};
	scmp_filter_ctx filter;
	char *why = NULL;

	/* In a child: what fails here ends it with a number that no check has. */
	if (kw_filter_build(&plan, &filter, &why) < 0 || seccomp_load(filter) < 0)
		_exit(99);
	return filter;
}

/* How a child ends that does this; -SIGNAL if it is killed. */
static int in_child(int (*act)(void))
{
	int status;
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* Of a kernel without the entry; cmocka's handler would go on with the next test here. */
		signal(SIGSEGV, SIG_DFL);
		_exit(act());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* The ways in; each returns 0, or the errno. */

static int native(unsigned long command, unsigned long arg)
{
	return syscall(SYS_ioctl, NOWHERE, command, arg) < 0 ? errno : 0;
}

static int compat(unsigned int command, unsigned int arg)
{
	long r = 54;

	asm volatile("int $0x80"
		     : "+a"(r)
		     : "b"(NOWHERE), "c"(command), "d"(arg)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)-r;
}

static int x32(unsigned long command)
{
	return syscall(X32_BIT + 514, NOWHERE, command, 0) < 0 ? errno : 0;
}

static int by_native(void)
{
	load(entries, KW_ARRAY_SIZE(entries));
	if (native(KVM_SET_REGS, 0) != EACCES)
		return 1;
	if (native(0xdeadbeef00000000ul | KVM_SET_REGS, 0) != EACCES)
		return 2;
	if (native(KVM_GET_REGS, 0) != EBADF || native(KVM_RUN, 0) != EBADF)
		return 3;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 4;
	return getppid() > 0 ? 0 : 5;
}

static int by_compat(void)
{
	load(entries, KW_ARRAY_SIZE(entries));
	if (compat((unsigned int)KVM_SET_REGS, 0) != EACCES)
		return 1;
	return compat((unsigned int)KVM_GET_REGS, 0) == EBADF ? 0 : 2;
}

static int has_compat(void)
{
	return compat((unsigned int)KVM_GET_REGS, 0) == EBADF ? 0 : 1;
}

/* The filter comes before the question whether this kernel has such an entry. */
static int by_x32(void)
{
	load(entries, KW_ARRAY_SIZE(entries));
	return x32(KVM_SET_REGS) == EACCES ? 0 : 1;
}

static int by_type(void)
{
	static const struct {
		unsigned long type;
		int error;
	} types[] = {
		{0, ENODEV},	     {1, EBADF},
		{2, EBADF},	     {3, EBADF},
		{4, EBUSY},	     {5, EBADF},
		{6, ENODEV},	     {77, ENODEV},
		{1ul << 32, ENODEV}, {1ul << 32 | 3, ENODEV},
		{~0ul, ENODEV},
	};

	load(entries, KW_ARRAY_SIZE(entries));
	for (int i = 0; i < (int)KW_ARRAY_SIZE(types); i++)
		if (native(KVM_CREATE_VM, types[i].type) != types[i].error)
			return i + 1;
	return 0;
}

static int by_kill(void)
{
	load(entries, KW_ARRAY_SIZE(entries));
	native(KVM_SET_FPU, 0);
	return 1;
}

static void *write_when_told(void *context)
{
	int *ends = context;
	char byte;

	if (read(ends[0], &byte, 1) != 1)
		return (void *)1;
	return (void *)(long)native(KVM_SET_REGS, 0);
}

/* A thread that was there before. */
static int by_thread(void)
{
	pthread_t thread;
	void *result;
	int ends[2];

	if (pipe(ends) < 0 || pthread_create(&thread, NULL, write_when_told, ends) != 0)
		return 1;
	load(entries, KW_ARRAY_SIZE(entries));
	if (write(ends[1], "", 1) != 1 || pthread_join(thread, &result) != 0)
		return 2;
	return (long)result == EACCES ? 0 : 3;
}

/* Nobody has the listener: what would be asked about fails. */
static int by_nobody(void)
{
	scmp_filter_ctx filter = load(asked, KW_ARRAY_SIZE(asked));

	close(seccomp_notify_fd(filter));
	if (native(KVM_SET_REGS, 0) != ENOSYS)
		return 1;
	return native(KVM_GET_REGS, 0) == EBADF ? 0 : 2;
}

static int answer_one(int listener)
{
	struct pollfd poll_fd = {.fd = listener, .events = POLLIN};
	union kw_notif notif;
	struct kw_call call;

	if (poll(&poll_fd, 1, 10000) != 1 || kw_notify_receive(listener, &notif) < 0)
		return 3;
	if (!kw_notify_call(&notif.notif.data, &call) || call.command != (uint32_t)KVM_SET_REGS ||
	    call.fd != NOWHERE || call.entry != KW_ENTRY_NATIVE)
		return 4;
	if (!kw_notify_waits(listener, notif.notif.id) || kw_notify_waits(listener, 12345))
		return 5;
	return kw_notify_refuse(listener, notif.notif.id, EDOM) < 0 ? 6 : 0;
}

static int by_listener(void)
{
	scmp_filter_ctx filter = load(asked, KW_ARRAY_SIZE(asked));
	int listener = seccomp_notify_fd(filter), status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(native(0xffffffff00000000ul | KVM_SET_REGS, 0) == EDOM ? 0 : 1);
	status = answer_one(listener);
	close(listener);
	if (status)
		return status;
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : 2;
}

static void native_entry(void **state)
{
	(void)state;
	/* The control: it is the filter, not the kernel, that says EACCES. */
	assert_int_equal(native(KVM_SET_REGS, 0), EBADF);
	assert_int_equal(in_child(by_native), 0);
}

static void compat_entry(void **state)
{
	(void)state;
	if (in_child(has_compat) != 0) {
		print_message("this kernel has no 32-bit entry\n");
		skip();
	}
	assert_int_equal(in_child(by_compat), 0);
}

static void x32_entry(void **state)
{
	(void)state;
	assert_int_equal(in_child(by_x32), 0);
}

static void types(void **state)
{
	(void)state;
	assert_int_equal(in_child(by_type), 0);
}

static void kills(void **state)
{
	(void)state;
	assert_int_equal(in_child(by_kill), -SIGSYS);
}

static void threads(void **state)
{
	(void)state;
	assert_int_equal(in_child(by_thread), 0);
}

static void notifications(void **state)
{
	(void)state;
	assert_int_equal(in_child(by_nobody), 0);
	assert_int_equal(in_child(by_listener), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(native_entry),	 cmocka_unit_test(compat_entry),
		cmocka_unit_test(x32_entry),	 cmocka_unit_test(types),
		cmocka_unit_test(kills),	 cmocka_unit_test(threads),
		cmocka_unit_test(notifications),
	};

	return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
