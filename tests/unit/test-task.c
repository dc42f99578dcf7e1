/* SPDX-License-Identifier: GPL-2.0-only */
/* What is read in /proc of a task: the forms it comes in, and what is made of it. */
#define _GNU_SOURCE 1
#include "task.h"

#include <errno.h>
#include <linux/limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"
#include "util.h"

/* --- forms ------------------------------------------------------------------- */

static void test_calls(void **state)
{
	struct kw_task_call call;

	(void)state;
	assert_int_equal(
		kw_task_parse_call("16 0x5 0x4090ae82 0x7ffc 0x8 0x0 0x0 0x7f 0x7e\n", &call), 0);
	assert_int_equal(call.nr, 16);
	assert_int_equal(call.args[0], 5);
	assert_int_equal(call.args[1], 0x4090ae82);
	assert_int_equal(kw_task_parse_call("1073742338 0xffffffff00000005 0x1 0x0\n", &call), 0);
	assert_int_equal(call.nr, 0x40000000 | 514);
	assert_true(call.args[0] == 0xffffffff00000005);
	/* In no system call: a page fault of user mode, or a thread that ended. */
	assert_int_equal(kw_task_parse_call("-1 0x7ffc 0x7f61\n", &call), 0);
	assert_int_equal(call.nr, -1);
	assert_int_equal(kw_task_parse_call("running\n", &call), -EAGAIN);
	assert_int_equal(kw_task_parse_call("", &call), -EINVAL);
	assert_int_equal(kw_task_parse_call("16\n", &call), -EINVAL);
	assert_int_equal(kw_task_parse_call("16 5 1\n", &call), -EINVAL);
}

#define STAT_REST                                                                                \
	" S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21 22 23 24 25 26 27 28 29 30 " \
	"31 32 33 34 35 36 37 38 39 42 41 42 43 44 45 46 47 48"

static void test_stat(void **state)
{
	uint64_t started = 0, guest = 0;

	(void)state;
	assert_int_equal(kw_task_parse_stat("12 (a-vmm)" STAT_REST "\n", &started, &guest), 0);
	assert_int_equal(started, 4711);
	assert_int_equal(guest, 42);
	/* A process calls itself what it likes. */
	started = guest = 0;
	assert_int_equal(kw_task_parse_stat("12 (a) S 1 2 (\n9)" STAT_REST "\n", &started, &guest),
			 0);
	assert_int_equal(started, 4711);
	assert_int_equal(guest, 42);
	assert_int_equal(kw_task_parse_stat("12 (a) S 1 2", &started, &guest), -EINVAL);
	assert_int_equal(kw_task_parse_stat("", &started, &guest), -EINVAL);
}

static void test_status(void **state)
{
	struct kw_identity who = {};

	(void)state;
	assert_int_equal(
		kw_task_parse_status("Name:\tUid: 7\\nUid: 8\nTgid:\t10\nNgid:\t0\nPid:\t11\n"
				     "PPid:\t1\nUid:\t1000\t1001\t1002\t1003\n"
				     "Gid:\t2000\t2001\t2002\t2003\n",
				     &who),
		0);
	assert_int_equal(who.pid, 10);
	assert_int_equal(who.tid, 11);
	/* The real ones, which is what the kernel's programs see. */
	assert_int_equal(who.uid, 1000);
	assert_int_equal(who.gid, 2000);
	assert_int_equal(kw_task_parse_status("Name:\tx\nPid:\t11\n", &who), -EINVAL);
}

static void assert_path(const struct kw_path *path, const char *text, unsigned int flags)
{
	assert_string_equal(path->text, text);
	assert_int_equal(path->len, strlen(text));
	assert_int_equal(path->flags, flags);
}

static void test_exe(void **state)
{
	char text[2 * KW_PATH_MAX];
	struct kw_path path;

	(void)state;
	kw_task_parse_exe("/usr/bin/qemu-system-x86_64", 1, &path);
	assert_path(&path, "/usr/bin/qemu-system-x86_64", 0);
	/* Deleted: the name it had. With names left, it may be one of them, or really be called so. */
	kw_task_parse_exe("/usr/bin/qemu (deleted)", 0, &path);
	assert_path(&path, "/usr/bin/qemu", 0);
	kw_task_parse_exe("/usr/bin/qemu (deleted)", 1, &path);
	assert_path(&path, "", KW_PATH_UNKNOWN);
	kw_task_parse_exe("/usr/bin/qemu (deleted) (deleted)", 0, &path);
	assert_path(&path, "/usr/bin/qemu (deleted)", 0);
	/* Whoever makes it names it. */
	kw_task_parse_exe("/memfd:/usr/bin/qemu (deleted)", 0, &path);
	assert_path(&path, "", KW_PATH_UNKNOWN);
	kw_task_parse_exe("(unreachable)/x", 1, &path);
	assert_path(&path, "", KW_PATH_UNKNOWN);
	kw_task_parse_exe("", 1, &path);
	assert_path(&path, "", KW_PATH_UNKNOWN);

	/* The last components, as many as fit. */
	memset(text, 'x', sizeof(text));
	memcpy(text, "/first/", 7);
	strcpy(text + 300, "/last/name");
	kw_task_parse_exe(text, 1, &path);
	assert_path(&path, "/last/name", KW_PATH_TRUNCATED);
	memset(text, 'x', sizeof(text));
	text[0] = '/';
	text[KW_PATH_MAX - 1] = '\0';
	kw_task_parse_exe(text, 1, &path);
	assert_path(&path, text, 0);
	text[KW_PATH_MAX - 1] = 'x';
	text[KW_PATH_MAX] = '\0';
	kw_task_parse_exe(text, 1, &path);
	assert_path(&path, "", KW_PATH_TRUNCATED);
}

static void assert_unit(const char *cgroup, const char *unit)
{
	struct kw_identity who = {};
	char text[KW_PATH_MAX + 8];

	snprintf(text, sizeof(text), "0::%s\n", cgroup);
	kw_task_parse_cgroup(text, &who);
	assert_path(&who.cgroup, cgroup, 0);
	assert_int_equal(who.unit_len, strlen(unit));
	if (*unit)
		assert_memory_equal(who.cgroup.text + who.unit_offset, unit, strlen(unit));
}

static void test_cgroups(void **state)
{
	struct kw_identity who = {};

	(void)state;
	assert_unit("/", "");
	assert_unit("/system.slice/libvirtd.service", "libvirtd.service");
	assert_unit("/machine.slice/machine-qemu.scope/libvirt/emulator", "machine-qemu.scope");
	/* The topmost one: what is below belongs to it. */
	assert_unit("/user.slice/user@1000.service/app.slice/a.scope", "user@1000.service");
	assert_unit("/a.slice/b.slice", "");
	/* A unit has a name. */
	assert_unit("/.service/.scope/x", "");
	assert_unit("/x.service.d/y", "");

	kw_task_parse_cgroup("12:cpu:/a\n1:name=systemd:/b\n0::/c.service\n", &who);
	assert_path(&who.cgroup, "/c.service", 0);
	assert_int_equal(who.unit_offset, 1);
	/* No hierarchy of version 2, out of our namespace, cut off: it is not known. */
	kw_task_parse_cgroup("12:cpu:/a\n", &who);
	assert_path(&who.cgroup, "", KW_PATH_UNKNOWN);
	assert_int_equal(who.unit_len, 0);
	kw_task_parse_cgroup("0::/../other.service\n", &who);
	assert_path(&who.cgroup, "", KW_PATH_UNKNOWN);
	kw_task_parse_cgroup("0::/..\n", &who);
	assert_path(&who.cgroup, "", KW_PATH_UNKNOWN);
	kw_task_parse_cgroup("0::/..a\n", &who);
	assert_path(&who.cgroup, "/..a", 0);
	kw_task_parse_cgroup("0::/cut", &who);
	assert_path(&who.cgroup, "", KW_PATH_UNKNOWN);
	kw_task_parse_cgroup("", &who);
	assert_path(&who.cgroup, "", KW_PATH_UNKNOWN);
}

/* --- this machine's /proc ---------------------------------------------------- */

static void test_who_we_are(void **state)
{
	struct kw_identity who, caller = {.exe.len = 1};
	char exe[PATH_MAX] = {};
	uint32_t tgid;

	(void)state;
	assert_int_equal(kw_task_check_proc(NULL), 0);
	assert_int_equal(prctl(PR_SET_NAME, "a) b\nc", 0, 0, 0), 0);
	assert_int_equal(kw_task_identity((uint32_t)gettid(), &who), 0);
	assert_int_equal(who.pid, getpid());
	assert_int_equal(who.tid, gettid());
	assert_int_equal(who.uid, getuid());
	assert_int_equal(who.gid, getgid());
	assert_string_equal(who.comm, "a) b\nc");
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	if (strlen(exe) < KW_PATH_MAX)
		assert_path(&who.exe, exe, 0);
	assert_true(who.started_ns > 0);
	assert_true(who.started_ns < kw_clock_ns(CLOCK_BOOTTIME));
	assert_int_equal(kw_task_tgid((uint32_t)gettid(), &tgid), 0);
	assert_int_equal(tgid, getpid());

	assert_int_equal(kw_task_caller((uint32_t)gettid(), &caller), 0);
	assert_int_equal(caller.pid, who.pid);
	assert_string_equal(caller.comm, who.comm);
	assert_true(caller.started_ns == who.started_ns);
	assert_int_equal(caller.exe.len, 1);
}

static bool calls_by_now(pid_t pid, int64_t nr)
{
	struct kw_task_call call;
	int r;

	for (int i = 0; i < 1000; i++) {
		r = kw_task_call((uint32_t)pid, &call);
		if (r == 0 && call.nr == nr)
			return true;
		if (r < 0 && r != -EAGAIN)
			fail_msg("%s", strerror(-r));
		usleep(1000);
	}
	return false;
}

static void test_what_others_are_in(void **state)
{
	struct kw_task_call call;
	uint64_t ticks;
	pid_t pid = fork();
	int r = 0;

	(void)state;
	if (pid == 0)
		for (;;)
			pause();
	assert_true(calls_by_now(pid, SYS_pause));
	assert_int_equal(kw_task_guest_ticks((uint32_t)pid, &ticks), 0);
	assert_int_equal(ticks, 0);
	kill(pid, SIGKILL);
	/* Ended, and not waited for: it is in none. */
	assert_true(calls_by_now(pid, -1));
	waitpid(pid, NULL, 0);
	assert_int_equal(kw_task_call((uint32_t)pid, &call), -ESRCH);
	assert_int_equal(kw_task_guest_ticks((uint32_t)pid, &ticks), -ESRCH);

	pid = fork();
	if (pid == 0)
		for (;;)
			__asm__ volatile("");
	for (int i = 0; i < 100; i++) {
		usleep(1000);
		r = kw_task_call((uint32_t)pid, &call);
		if (r == -EAGAIN)
			break;
	}
	assert_int_equal(r, -EAGAIN);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void *wait_there(void *context)
{
	uint32_t *tid = context;

	__atomic_store_n(tid, (uint32_t)gettid(), __ATOMIC_RELEASE);
	for (;;)
		pause();
	return NULL;
}

static void test_threads(void **state)
{
	uint32_t tid = 0, tgid;
	struct kw_identity who;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, wait_there, &tid), 0);
	while (!__atomic_load_n(&tid, __ATOMIC_ACQUIRE))
		usleep(1000);
	assert_true(calls_by_now((pid_t)tid, SYS_pause));
	assert_int_equal(kw_task_tgid(tid, &tgid), 0);
	assert_int_equal(tgid, getpid());
	assert_int_equal(kw_task_identity(tid, &who), 0);
	assert_int_equal(who.tid, tid);
	assert_int_equal(who.pid, getpid());
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	/* The kernel lets go of it a moment later. */
	for (int i = 0; i < 1000 && kw_task_tgid(tid, &tgid) == 0; i++)
		usleep(1000);
	assert_int_equal(kw_task_tgid(tid, &tgid), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_stat),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_exe),
		cmocka_unit_test(test_cgroups),
		cmocka_unit_test(test_who_we_are),
		cmocka_unit_test(test_what_others_are_in),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
