/* SPDX-License-Identifier: GPL-2.0-only */
/* The stages of confinement, each in a process of its own, as far as that takes no root. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "confine-internal.h"
#include "scratch.h"
#include "util.h"

#define READING (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

static long landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/* Runs it in a child; what it returns, or 100 and more: the signal it died of. */
static int in_child(int (*run)(const void *userdata), const void *userdata)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run(userdata));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

/* --- places ------------------------------------------------------------------- */

static char socket_path[64], events_path[64], policies_path[64];
static const char *dirs[] = {policies_path, NULL};
static struct kw_confine_wish wish;

/* What is allowed at exactly this place. */
static uint64_t rights_at(const struct kw_places *list, const char *path)
{
	uint64_t rights = 0;

	for (size_t i = 0; i < list->count; i++)
		if (kw_streq(list->places[i].path, path))
			rights |= list->places[i].rights;
	return rights;
}

static void test_places(void **state)
{
	struct kw_places list;

	(void)state;
	kw_confine_places(&wish, &list);
	assert_false(list.failed);
	assert_int_equal(rights_at(&list, policies_path), READING);
	/* What holds the directory of policies, and what holds the socket. */
	assert_int_equal(rights_at(&list, at("conf")), READING);
	assert_true(rights_at(&list, at("run")) & LANDLOCK_ACCESS_FS_MAKE_REG);
	assert_false(rights_at(&list, at("run")) & LANDLOCK_ACCESS_FS_MAKE_SOCK);
	assert_true(rights_at(&list, at("log")) & LANDLOCK_ACCESS_FS_MAKE_REG);
	assert_false(rights_at(&list, at("log")) & LANDLOCK_ACCESS_FS_REMOVE_FILE);
	assert_int_equal(rights_at(&list, "/proc"), READING);
	assert_int_equal(rights_at(&list, "/usr"), READING);
	assert_int_equal(rights_at(&list, "/sys/fs/bpf"), LANDLOCK_ACCESS_FS_REMOVE_DIR);
	assert_int_equal(rights_at(&list, scratch), 0);
	kw_places_done(&list);
}

static void test_places_without_pins(void **state)
{
	struct kw_confine_wish other = wish;
	struct kw_places list;

	(void)state;
	other.pin = false;
	other.events = NULL;
	kw_confine_places(&other, &list);
	assert_int_equal(rights_at(&list, at("run")), LANDLOCK_ACCESS_FS_REMOVE_FILE);
	assert_int_equal(rights_at(&list, at("log")), 0);
	assert_int_equal(rights_at(&list, "/sys/fs/bpf"), 0);
	kw_places_done(&list);
}

/* Nothing of ours is ever half of the host. */
static void test_places_at_the_top(void **state)
{
	const char *const top[] = {"/etc", NULL};
	struct kw_confine_wish other = {
		.socket = "/no-such-socket",
		.events = "/dev/null",
		.policy_dirs = top,
	};
	struct kw_places list;

	(void)state;
	kw_confine_places(&other, &list);
	for (size_t i = 0; i < list.count; i++)
		assert_string_not_equal(list.places[i].path, "/");
	assert_int_equal(rights_at(&list, "/dev"), 0);
	assert_true(rights_at(&list, "/dev/null") & LANDLOCK_ACCESS_FS_WRITE_FILE);
	assert_int_equal(rights_at(&list, "/etc"), READING);
	kw_places_done(&list);
}

static void test_places_of_links(void **state)
{
	char file[] = "conf/policy.d/linked.yaml", path[128];
	struct kw_policy policy = {.file = path};
	const struct kw_policy_set set = {.policies = &policy, .count = 1};
	struct kw_confine_wish other = wish;
	struct kw_places list;

	(void)state;
	snprintf(path, sizeof(path), "%s", at(file));
	write_text("elsewhere/linked.yaml", "policy: linked\n");
	assert_int_equal(symlink(at("elsewhere/linked.yaml"), path), 0);
	other.policies = &set;
	kw_confine_places(&other, &list);
	assert_int_equal(rights_at(&list, at("elsewhere")), READING);
	kw_places_done(&list);
	/* A link for the event file: what it leads to is made anew. */
	write_text("elsewhere/events", "");
	assert_int_equal(symlink(at("elsewhere/events"), at("log/linked")), 0);
	other.events = at("log/linked");
	kw_confine_places(&other, &list);
	assert_true(rights_at(&list, at("elsewhere")) & LANDLOCK_ACCESS_FS_MAKE_REG);
	assert_true(rights_at(&list, at("log")) & LANDLOCK_ACCESS_FS_MAKE_REG);
	kw_places_done(&list);
}

/* --- files -------------------------------------------------------------------- */

static bool can_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* The number of the first expectation that does not hold, or 0. */
static int try_files(const void *userdata)
{
	long abi = landlock();
	char *why = NULL;
	int i = 1;

	(void)userdata;
	if (!can_open(at("outside"), O_WRONLY | O_CREAT))
		return 90;
	if (kw_confine_files(&wish, &why, &why) != 1)
		return 91;
	const bool holds[] = {
		can_open(at("run/new"), O_WRONLY | O_CREAT | O_TRUNC),
		rename(at("run/new"), at("run/newer")) == 0,
		unlink(at("run/newer")) == 0,
		can_open(at("log/new"), O_WRONLY | O_CREAT),
		unlink(at("log/new")) < 0,
		can_open(at("conf/policy.d/one.yaml"), O_RDONLY),
		!can_open(at("conf/policy.d/one.yaml"), O_WRONLY),
		!can_open(at("conf/new"), O_WRONLY | O_CREAT),
		!can_open(at("outside"), O_RDONLY),
		!can_open(at("outside"), O_WRONLY),
		!can_open(at("other"), O_WRONLY | O_CREAT),
		!can_open("/etc/group", O_RDONLY),
		!can_open("/", O_RDONLY | O_DIRECTORY),
		mkdir(at("run/directory"), 0700) < 0,
		symlink("x", at("run/link")) < 0,
		can_open("/proc/self/status", O_RDONLY),
		can_open("/usr", O_RDONLY | O_DIRECTORY),
		can_open("/dev/null", O_RDONLY),
		!can_open("/dev/null", O_WRONLY),
		abi < 6 || (kill(getppid(), 0) < 0 && errno == EPERM),
	};

	for (size_t n = 0; n < KW_ARRAY_SIZE(holds); n++, i++)
		if (!holds[n])
			return i;
	return 0;
}

static void test_files(void **state)
{
	(void)state;
	if (landlock() < 0) {
		print_message("this kernel has no Landlock\n");
		skip();
	}
	assert_int_equal(in_child(try_files, NULL), 0);
}

/* Makes the kernel look as if it had no Landlock. */
static int try_without(const void *userdata)
{
	const uint32_t error = *(const int *)userdata;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {KW_ARRAY_SIZE(code), code};
	char *missing = NULL, *why = NULL;
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return 90;
	r = kw_confine_files(&wish, &missing, &why);
	if (error == ENOMEM)
		return r == -ENOMEM && !missing && why && strstr(why, "cannot ask") ? 0 : 1;
	return r == 0 && !why && missing &&
			       strstr(missing, error == ENOSYS ? "no Landlock" : "lsm=")
		       ? 0
		       : 1;
}

static void test_files_without_landlock(void **state)
{
	const int errors[] = {ENOSYS, EOPNOTSUPP, ENOMEM};

	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(errors); i++)
		assert_int_equal(in_child(try_without, &errors[i]), 0);
}

static void test_files_for_who_looks_into_others(void **state)
{
	struct kw_confine_wish other = wish;
	char *missing = NULL, *why = NULL;

	(void)state;
	other.inspects = true;
	assert_int_equal(kw_confine_files(&other, &missing, &why), 0);
	assert_non_null(strstr(missing, "looking into"));
	free(missing);
}

/* --- all of them -------------------------------------------------------------- */

static char line_of_status[256];

/* What /proc/self/task/TID/status has in a line; "" for nothing. */
static const char *status_line(const char *field)
{
	char text[4096], *found;
	ssize_t n;
	int fd = open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);

	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	found = strstr(text, field);
	snprintf(line_of_status, sizeof(line_of_status), "%.*s",
		 found ? (int)strcspn(found, "\n") : 0, found ? found : "");
	return line_of_status;
}

static int confine(struct kw_confinement *c)
{
	char *why = NULL;
	int r;

	r = kw_confine_begin(c, &wish, &why);
	if (r == 0)
		r = kw_confine_serve(c, &wish, &why);
	if (r < 0)
		print_error("%s\n", why ? why : "no memory");
	return r;
}

static int try_all(const void *userdata)
{
	struct kw_confinement c = {};
	bool root = geteuid() == 0;
	uint64_t capabilities;

	(void)userdata;
	if (confine(&c) < 0)
		return 1;
	if (!c.wanted || !c.stages[KW_CONFINE_CAPABILITIES] || !c.stages[KW_CONFINE_CALLS] ||
	    c.stages[KW_CONFINE_FILES] == !!c.missing[KW_CONFINE_FILES])
		return 2;
	capabilities = strtoull(status_line("CapPrm:") + strlen("CapPrm:"), NULL, 16);
	if (capabilities != c.capabilities || capabilities & ~(1ull << CAP_BPF) ||
	    (root && !capabilities))
		return 3;
	if (!strchr(status_line("Seccomp:"), '2') || !strchr(status_line("NoNewPrivs:"), '1'))
		return 4;
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != -1)
		return 5;
	/* It is what ends us. */
	execl("/bin/true", "true", NULL);
	return 6;
}

static void test_all(void **state)
{
	(void)state;
	assert_int_equal(in_child(try_all, NULL), 100 + SIGSYS);
}

static void *wait_for(void *userdata)
{
	char nothing;

	return read(*(int *)userdata, &nothing, 1) < 0 ? userdata : NULL;
}

/* A thread that is there already has all that we give up, and keeps it. */
static int try_beside_a_thread(const void *userdata)
{
	struct kw_confinement c = {};
	char *why = NULL;
	pthread_t thread;
	int ends[2], r;

	(void)userdata;
	if (pipe(ends) < 0 || pthread_create(&thread, NULL, wait_for, &ends[0]) != 0)
		return 90;
	r = kw_confine_serve(&c, &wish, &why);
	return r == -EBUSY && why && strstr(why, "other threads") && !c.stages[KW_CONFINE_CALLS]
		       ? 0
		       : 1;
}

static void test_beside_a_thread(void **state)
{
	(void)state;
	assert_int_equal(in_child(try_beside_a_thread, NULL), 0);
}

static void *look_at_myself(void *userdata)
{
	bool *fine = userdata;

	*fine = strchr(status_line("Seccomp:"), '2') && strchr(status_line("NoNewPrivs:"), '1') &&
		(landlock() < 0 || !can_open("/etc/group", O_RDONLY)) &&
		(strtoull(status_line("CapPrm:") + strlen("CapPrm:"), NULL, 16) &
		 ~(1ull << CAP_BPF)) == 0;
	return NULL;
}

/* By the system's own clone(2): what a sanitizer does around a thread is not what is tried. */
static int try_thread_after(const void *userdata)
{
	struct kw_confinement c = {};
	bool fine = false;
	pthread_t thread;

	(void)userdata;
	if (confine(&c) < 0)
		return 1;
	if (pthread_create(&thread, NULL, look_at_myself, &fine) != 0)
		return 2;
	pthread_join(thread, NULL);
	return fine ? 0 : 3;
}

static void test_thread_after(void **state)
{
	(void)state;
	assert_int_equal(in_child(try_thread_after, NULL), 0);
}

/* --- descriptors -------------------------------------------------------------- */

static int try_descriptors(const void *userdata)
{
	struct kw_confinement c = {};
	struct kw_confine_wish other = wish;
	char *why = NULL, pid[16];

	(void)userdata;
	for (int fd = 3; fd < 10; fd++)
		if (dup2(0, fd) < 0)
			return 90;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "2", 1);
	other.events = "/dev/fd/7";
	other.token = "/proc/self/fd/9";
	if (kw_confine_begin(&c, &other, &why) < 0)
		return 1;
	for (int fd = 3; fd < 10; fd++)
		if ((fcntl(fd, F_GETFD) >= 0) != (fd == 3 || fd == 4 || fd == 7 || fd == 9))
			return fd;
	return 0;
}

static void test_descriptors(void **state)
{
	(void)state;
	assert_int_equal(in_child(try_descriptors, NULL), 0);
}

static int setup(void **state)
{
	if (scratch_make(state) < 0)
		return -1;
	if (mkdir(at("run"), 0700) < 0 || mkdir(at("log"), 0700) < 0 ||
	    mkdir(at("conf"), 0755) < 0 || mkdir(at("conf/policy.d"), 0755) < 0 ||
	    mkdir(at("elsewhere"), 0755) < 0)
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s", at("run/socket"));
	snprintf(events_path, sizeof(events_path), "%s", at("log/events"));
	snprintf(policies_path, sizeof(policies_path), "%s", at("conf/policy.d"));
	write_text("log/events", "");
	write_text("conf/policy.d/one.yaml", "policy: one\n");
	wish = (struct kw_confine_wish){
		.socket = socket_path,
		.events = events_path,
		.policy_dirs = dirs,
		.pin = true,
	};
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_places_without_pins),
		cmocka_unit_test(test_places_at_the_top),
		cmocka_unit_test(test_places_of_links),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_files_without_landlock),
		cmocka_unit_test(test_files_for_who_looks_into_others),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_beside_a_thread),
		cmocka_unit_test(test_thread_after),
		cmocka_unit_test(test_descriptors),
	};

	return cmocka_run_group_tests(tests, setup, scratch_remove);
}
