/* SPDX-License-Identifier: GPL-2.0-only */
/* LD_PRELOAD library: makes the Nth call of a class fail, as a file in shared memory says. */

/*
 * KW_FAIL_CONTROL names a file of at least sizeof(struct control) bytes. It is
 * mapped, so that whoever started the process can arm, aim and disarm while it
 * runs, without a signal that would change what it does. Without the variable
 * nothing is ever counted.
 *
 * What is called inside of libc is not seen, but for allocations: libc makes
 * those through the same symbol as everybody else. bpf(2) has no wrapper in libc,
 * libbpf issues it by syscall(3). With AddressSanitizer
 * (ASAN_OPTIONS=verify_asan_link_order=0) its allocator is the next one behind ours.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <unistd.h>

#define SITES_MAX 8192
#define DEPTH 6 /* frames that make a call site */

enum class {
	NOTHING,
	ALLOC,
	BPF,
	FILES,
	LOOP, /* sockets, epoll, timers, signals */
	IOCTL,
};

/* tests/hostile/faults knows this layout. */
struct control {
	uint32_t class; /* which calls are counted; NOTHING: disarmed */
	uint32_t error; /* the errno, or 0: what fits the call */
	uint64_t nth; /* 1: the next one; 0: none fails, call sites are listed */
	uint64_t calls; /* counted */
	uint64_t fired; /* how many failed: 0 or 1 */
	char what[48]; /* which one */
	uint64_t site_count;
	struct site {
		uint64_t hash;
		uint64_t first; /* the number of its first call */
	} sites[SITES_MAX];
};

static struct control *control;
/* Inside of a call that is counted already, or of our own. No allocation may be needed for it. */
static __thread __attribute__((tls_model("initial-exec"))) bool inside;

/* The frames above the wrapper. */
static uint64_t hash_of_callers(void)
{
	void *frames[DEPTH + 3];
	int count = backtrace(frames, DEPTH + 3);
	uint64_t hash = 14695981039346656037u;

	for (int i = 3; i < count; i++)
		hash = (hash ^ ((uintptr_t)frames[i])) * 1099511628211u;
	return hash;
}

static void note_site(void)
{
	uint64_t hash = hash_of_callers();

	for (uint64_t i = 0; i < control->site_count; i++)
		if (control->sites[i].hash == hash)
			return;
	if (control->site_count < SITES_MAX)
		control->sites[control->site_count++] = (struct site){hash, control->calls};
}

/* Counts a call. True: it is to fail, and errno is set. */
static __attribute__((noinline)) bool fails(enum class class, const char *what, int error)
{
	if (!control || inside || control->class != class)
		return false;
	control->calls++;
	if (!control->nth) {
		inside = true;
		note_site();
		inside = false;
		return false;
	}
	if (control->calls != control->nth)
		return false;
	strncpy(control->what, what, sizeof(control->what) - 1);
	control->fired++;
	/* An interrupted call is the only failure that the kernel has for some. */
	errno = control->error && error != EINTR ? (int)control->error : error;
	return true;
}

static void *next(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (!function)
		abort();
	return function;
}

static __attribute__((constructor)) void start(void)
{
	const char *path = getenv("KW_FAIL_CONTROL");
	void *frame, *map;
	int fd;

	if (!path)
		return;
	backtrace(&frame, 1); /* which loads a library the first time */
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	map = fd < 0 ? MAP_FAILED
		     : mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		abort();
	close(fd);
	control = map;
}

/* --- allocations -------------------------------------------------------------- */

#define REAL(name)                     \
	static __typeof__(name) *real; \
	if (!real)                     \
	real = next(#name)

void *malloc(size_t size)
{
	REAL(malloc);
	return fails(ALLOC, "malloc", ENOMEM) ? NULL : real(size);
}

void *calloc(size_t count, size_t size)
{
	REAL(calloc);
	return fails(ALLOC, "calloc", ENOMEM) ? NULL : real(count, size);
}

void *realloc(void *p, size_t size)
{
	REAL(realloc);
	return fails(ALLOC, "realloc", ENOMEM) ? NULL : real(p, size);
}

void *reallocarray(void *p, size_t count, size_t size)
{
	void *result;

	REAL(reallocarray);
	if (fails(ALLOC, "reallocarray", ENOMEM))
		return NULL;
	inside = true; /* it is realloc() with a check in front */
	result = real(p, count, size);
	inside = false;
	return result;
}

char *strdup(const char *text)
{
	char *result;

	REAL(strdup);
	if (fails(ALLOC, "strdup", ENOMEM))
		return NULL;
	inside = true;
	result = real(text);
	inside = false;
	return result;
}

char *strndup(const char *text, size_t size)
{
	char *result;

	REAL(strndup);
	if (fails(ALLOC, "strndup", ENOMEM))
		return NULL;
	inside = true;
	result = real(text, size);
	inside = false;
	return result;
}

/* --- system calls without arguments that vary --------------------------------- */

#define FAULT(class, error, failure, type, name, parameters, ...)                  \
	type name parameters                                                       \
	{                                                                          \
		REAL(name);                                                        \
		return fails(class, #name, error) ? (failure) : real(__VA_ARGS__); \
	}

FAULT(FILES, EMFILE, NULL, FILE *, fopen, (const char *p, const char *m), p, m)
FAULT(FILES, EMFILE, NULL, FILE *, fopen64, (const char *p, const char *m), p, m)
FAULT(FILES, ENOMEM, NULL, FILE *, fdopen, (int fd, const char *m), fd, m)
FAULT(FILES, EMFILE, NULL, DIR *, opendir, (const char *p), p)
FAULT(FILES, ENOMEM, NULL, DIR *, fdopendir, (int fd), fd)
FAULT(FILES, EIO, NULL, struct dirent *, readdir, (DIR * d), d)
FAULT(FILES, EIO, NULL, struct dirent64 *, readdir64, (DIR * d), d)
FAULT(FILES, EIO, -1, ssize_t, read, (int fd, void *b, size_t n), fd, b, n)
FAULT(FILES, EIO, -1, ssize_t, pread, (int fd, void *b, size_t n, off_t o), fd, b, n, o)
FAULT(FILES, ENOSPC, -1, ssize_t, write, (int fd, const void *b, size_t n), fd, b, n)
FAULT(FILES, ENOMEM, MAP_FAILED, void *, mmap, (void *a, size_t n, int p, int f, int fd, off_t o),
      a, n, p, f, fd, o)
FAULT(FILES, ENOMEM, MAP_FAILED, void *, mmap64,
      (void *a, size_t n, int p, int f, int fd, off64_t o), a, n, p, f, fd, o)
FAULT(FILES, ENOSPC, -1, int, mkdir, (const char *p, mode_t m), p, m)
FAULT(FILES, EBUSY, -1, int, rmdir, (const char *p), p)
FAULT(FILES, EROFS, -1, int, unlink, (const char *p), p)
FAULT(FILES, EROFS, -1, int, unlinkat, (int fd, const char *p, int f), fd, p, f)
FAULT(FILES, ENOSPC, -1, int, rename, (const char *p, const char *q), p, q)
FAULT(FILES, EIO, -1, int, stat, (const char *p, struct stat *s), p, s)
FAULT(FILES, EIO, -1, int, lstat, (const char *p, struct stat *s), p, s)
FAULT(FILES, EIO, -1, int, fstat, (int fd, struct stat *s), fd, s)
FAULT(FILES, EIO, -1, int, fstat64, (int fd, struct stat64 *s), fd, s)
FAULT(FILES, EIO, -1, int, statfs, (const char *p, struct statfs *s), p, s)
FAULT(FILES, EIO, -1, int, statfs64, (const char *p, struct statfs64 *s), p, s)
FAULT(FILES, EIO, -1, int, access, (const char *p, int m), p, m)
FAULT(FILES, EIO, -1, int, faccessat, (int fd, const char *p, int m, int f), fd, p, m, f)
FAULT(FILES, EROFS, -1, int, chmod, (const char *p, mode_t m), p, m)
FAULT(FILES, EROFS, -1, int, chown, (const char *p, uid_t u, gid_t g), p, u, g)
FAULT(FILES, EIO, -1, ssize_t, readlinkat, (int fd, const char *p, char *b, size_t n), fd, p, b, n)
FAULT(FILES, EMFILE, -1, int, dup3, (int a, int b, int f), a, b, f)
int capset(void *header, const void *data);
FAULT(FILES, EPERM, -1, int, capset, (void *h, const void *d), h, d)
FAULT(FILES, EAGAIN, -1, ssize_t, getrandom, (void *b, size_t n, unsigned int f), b, n, f)
FAULT(LOOP, EMFILE, -1, int, socket, (int d, int t, int p), d, t, p)
FAULT(LOOP, EADDRNOTAVAIL, -1, int, bind, (int fd, const struct sockaddr *a, socklen_t n), fd, a, n)
FAULT(LOOP, EADDRNOTAVAIL, -1, int, listen, (int fd, int n), fd, n)
FAULT(LOOP, EACCES, -1, int, connect, (int fd, const struct sockaddr *a, socklen_t n), fd, a, n)
FAULT(LOOP, EMFILE, -1, int, accept4, (int fd, struct sockaddr *a, socklen_t *n, int f), fd, a, n,
      f)
FAULT(LOOP, ENOBUFS, -1, int, getsockopt, (int fd, int l, int o, void *v, socklen_t *n), fd, l, o,
      v, n)
FAULT(LOOP, ECONNRESET, -1, ssize_t, recv, (int fd, void *b, size_t n, int f), fd, b, n, f)
FAULT(LOOP, ENOBUFS, -1, ssize_t, send, (int fd, const void *b, size_t n, int f), fd, b, n, f)
FAULT(LOOP, ENOBUFS, -1, ssize_t, sendmsg, (int fd, const struct msghdr *m, int f), fd, m, f)
FAULT(LOOP, EMFILE, -1, int, epoll_create1, (int f), f)
FAULT(LOOP, ENOSPC, -1, int, epoll_ctl, (int a, int o, int b, struct epoll_event *e), a, o, b, e)
FAULT(LOOP, EINTR, -1, int, epoll_wait, (int fd, struct epoll_event *e, int n, int t), fd, e, n, t)
FAULT(LOOP, EMFILE, -1, int, timerfd_create, (int c, int f), c, f)
FAULT(LOOP, EINVAL, -1, int, timerfd_settime,
      (int fd, int f, const struct itimerspec *n, struct itimerspec *o), fd, f, n, o)
FAULT(LOOP, EMFILE, -1, int, signalfd, (int fd, const sigset_t *m, int f), fd, m, f)

/* --- those with one more, sometimes ------------------------------------------- */

/* Whether there is a further argument or not: what comes from where it would be does no harm. */
#define FAULT_MORE(class, error, more, name, parameters, last, ...)                   \
	int name parameters                                                           \
	{                                                                             \
		va_list args;                                                         \
		more argument;                                                        \
		REAL(name);                                                           \
		va_start(args, last);                                                 \
		argument = va_arg(args, more);                                        \
		va_end(args);                                                         \
		return fails(class, #name, error) ? -1 : real(__VA_ARGS__, argument); \
	}

FAULT_MORE(FILES, EMFILE, unsigned int, open, (const char *p, int f, ...), f, p, f)
FAULT_MORE(FILES, EMFILE, unsigned int, open64, (const char *p, int f, ...), f, p, f)
FAULT_MORE(FILES, EMFILE, unsigned int, openat, (int fd, const char *p, int f, ...), f, fd, p, f)
FAULT_MORE(FILES, EMFILE, unsigned int, openat64, (int fd, const char *p, int f, ...), f, fd, p, f)
FAULT_MORE(FILES, EMFILE, void *, fcntl, (int fd, int c, ...), c, fd, c)
FAULT_MORE(FILES, EMFILE, void *, fcntl64, (int fd, int c, ...), c, fd, c)
FAULT_MORE(IOCTL, EIO, void *, ioctl, (int fd, unsigned long c, ...), c, fd, c)

long syscall(long number, ...)
{
	va_list args;
	long a[6];

	REAL(syscall);
	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_bpf && fails(BPF, "bpf", EPERM))
		return -1;
	if (number == SYS_perf_event_open && fails(FILES, "perf_event_open", EMFILE))
		return -1;
	if (number == SYS_landlock_create_ruleset &&
	    fails(FILES, "landlock_create_ruleset", EMFILE))
		return -1;
	if (number == SYS_landlock_add_rule && fails(FILES, "landlock_add_rule", ENOMEM))
		return -1;
	if (number == SYS_landlock_restrict_self && fails(FILES, "landlock_restrict_self", E2BIG))
		return -1;
	if (number == SYS_seccomp && fails(FILES, "seccomp", ENOMEM))
		return -1;
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
