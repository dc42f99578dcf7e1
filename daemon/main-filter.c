/* SPDX-License-Identifier: GPL-2.0-only */
/* Prints the filter of the daemon's system calls, as C: run when we are built. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "guard.h"
#include "util.h"

/*
 * Theory of operation
 *
 * Three answers. What the loop does is allowed, by its scalar arguments where they tell. What only
 * somebody would try who has taken the daemon over ends it at once, with SIGSYS and a record
 * of the audit system: enforcement is pinned, the service manager starts another one, and
 * a second try is not to be had for nothing. All else fails with EPERM: a library may try a
 * call that we did not foresee, and has another way if it fails; to die of that, on a
 * host that was updated, would be worse than to go on without it. The exception is
 * clone3(2), whose flags are in memory: ENOSYS makes the C library take clone(2).
 *
 * Nothing can be connected to: a service manager, asked by uid 0 over its socket, would
 * do everything that is refused here. What is sent goes to peers that came to us, and
 * to sockets for datagrams, such as the one for sd_notify(3).
 *
 * Of the other entries, the 32-bit one gets the ioctl by which the programs are
 * proved, as a VMM has that entry, too. All else there gets EPERM or ends the process. x32 ends
 * it whatever it asks for.
 */

#define CALL(name)                     \
	{                              \
		SCMP_SYS(name), false, \
		{                      \
		}                      \
	}

/* With some bits of argument n as given. */
#define CALL_IF(name, n, mask, value)                                               \
	{                                                                           \
		SCMP_SYS(name), true, SCMP_CMP(n, SCMP_CMP_MASKED_EQ, mask, value), \
	}

/* The kernel takes 32 bits of an argument that is an int; so must the comparison. */
#define CALL_INT(name, n, value) CALL_IF(name, n, UINT32_MAX, (uint32_t)(value))

struct call {
	int number;
	bool conditional;
	struct scmp_arg_cmp condition;
};

/* On descriptors, and by names that confine-files.c allows. */
static const struct call files[] = {
	CALL(read),
	CALL(pread64),
	CALL(readv),
	CALL(write),
	CALL(writev),
	CALL(pwrite64),
	CALL(fdatasync),
	CALL(close),
	CALL(lseek),
	CALL(fstat),
	CALL(stat),
	CALL(lstat),
	CALL(newfstatat),
	CALL(statx),
	CALL(open),
	CALL(openat),
	CALL(getdents64),
	CALL(access),
	CALL(faccessat),
	CALL(faccessat2),
	CALL(readlink),
	CALL(readlinkat),
	CALL(unlink),
	CALL(unlinkat),
	CALL(rmdir),
	CALL(rename),
	CALL(renameat),
	CALL(renameat2),
	CALL(getcwd),
	CALL(fcntl),
	/* Whether standard output is a terminal. */
	CALL_INT(ioctl, 1, TCGETS),
};

/* Time, signals, and clients of the socket. */
static const struct call loop[] = {
	CALL(epoll_ctl),
	CALL(epoll_wait),
	CALL(epoll_pwait),
	CALL(epoll_pwait2),
	CALL(poll),
	CALL(ppoll),
	CALL(timerfd_create),
	CALL(timerfd_settime),
	CALL(timerfd_gettime),
	CALL(signalfd4),
	CALL(clock_gettime),
	CALL(clock_getres),
	CALL(clock_nanosleep),
	CALL(nanosleep),
	CALL(gettimeofday),
	CALL(time),
	CALL(accept4),
	CALL(getsockopt),
	/* sd_notify(3) wants room. */
	CALL_INT(setsockopt, 2, SO_SNDBUF),
	CALL_INT(setsockopt, 2, SO_SNDBUFFORCE),
	CALL(getsockname),
	CALL(getpeername),
	CALL(recvfrom),
	CALL(recvmsg),
	CALL(sendto),
	CALL(sendmsg),
	CALL(shutdown),
};

/* What the C library and the kernel do on their own account. */
static const struct call process[] = {
	CALL(brk),
	CALL(munmap),
	CALL(mremap),
	CALL(madvise),
	CALL_IF(mmap, 2, PROT_EXEC, 0),
	CALL_IF(mprotect, 2, PROT_EXEC, 0),
	CALL(futex),
	CALL(getrandom),
	CALL(getpid),
	CALL(gettid),
	CALL(getppid),
	CALL(getuid),
	CALL(geteuid),
	CALL(getgid),
	CALL(getegid),
	CALL(sysinfo),
	CALL(uname),
	CALL(sched_getaffinity),
	CALL(sched_yield),
	/* The proof by the 32-bit entry, where a kernel without it raises SIGSEGV. */
	CALL(rt_sigaction),
	CALL(rt_sigprocmask),
	CALL(rt_sigreturn),
	CALL(sigaltstack),
	CALL(restart_syscall),
	/* abort(3) */
	CALL_INT(tgkill, 2, SIGABRT),
	CALL(exit),
	CALL(exit_group),
};

/* The proof, and the question whether there is a guard. */
static const struct call canary[] = {
	CALL_INT(ioctl, 1, KW_CMD_CANARY),
	CALL_INT(ioctl, 1, KW_CMD_SEAL),
};

/* Maps that are open, a new one for each reload, the walk over open files. */
static const struct call programs[] = {
	CALL_INT(bpf, 0, BPF_MAP_CREATE),
	CALL_INT(bpf, 0, BPF_MAP_FREEZE),
	CALL_INT(bpf, 0, BPF_MAP_LOOKUP_ELEM),
	CALL_INT(bpf, 0, BPF_MAP_UPDATE_ELEM),
	CALL_INT(bpf, 0, BPF_MAP_DELETE_ELEM),
	CALL_INT(bpf, 0, BPF_MAP_GET_NEXT_KEY),
	CALL_INT(bpf, 0, BPF_MAP_LOOKUP_AND_DELETE_ELEM),
	CALL_INT(bpf, 0, BPF_MAP_LOOKUP_BATCH),
	CALL_INT(bpf, 0, BPF_OBJ_GET),
	CALL_INT(bpf, 0, BPF_OBJ_GET_INFO_BY_FD),
	CALL_INT(bpf, 0, BPF_LINK_CREATE),
	CALL_INT(bpf, 0, BPF_ITER_CREATE),
};

/*
 * Answers to the notifications of VMMs that were started with a filter: what is asked, who asks,
 * and what becomes of it; what is known of each VMM, in memory that the service manager keeps;
 * the proof, by a thread with a filter of its own.
 */
static const struct call supervisor[] = {
	CALL_INT(ioctl, 1, SECCOMP_IOCTL_NOTIF_RECV),
	CALL_INT(ioctl, 1, SECCOMP_IOCTL_NOTIF_SEND),
	CALL_INT(ioctl, 1, SECCOMP_IOCTL_NOTIF_ID_VALID),
	CALL(pidfd_open),
	CALL_INT(pidfd_send_signal, 1, SIGKILL),
	CALL(kcmp),
	CALL(memfd_create),
	CALL(ftruncate),
	CALL(fchmod),
	CALL(pipe2),
	/* A filter can only be added, and none lets pass what another one refuses. */
	CALL_INT(seccomp, 0, SECCOMP_SET_MODE_FILTER),
	CALL_INT(seccomp, 0, SECCOMP_GET_ACTION_AVAIL),
	CALL_INT(seccomp, 0, SECCOMP_GET_NOTIF_SIZES),
	CALL_INT(prctl, 0, PR_SET_NO_NEW_PRIVS),
	CALL_INT(prctl, 0, PR_SET_NAME),
	/* A thread, which cannot have namespaces of its own. */
	CALL_IF(clone, 0, CLONE_THREAD, CLONE_THREAD),
	CALL(set_robust_list),
	CALL(rseq),
};

/* Another program, another process, another kernel, another user, code that was not there. */
static const struct call fatal[] = {
	CALL(execve),
	CALL(execveat),
	CALL(fork),
	CALL(vfork),
	CALL_IF(clone, 0, CLONE_THREAD, 0),
	CALL(ptrace),
	CALL(process_vm_readv),
	CALL(process_vm_writev),
	CALL(pidfd_getfd),
	CALL_IF(mmap, 2, PROT_EXEC, PROT_EXEC),
	CALL_IF(mprotect, 2, PROT_EXEC, PROT_EXEC),
	CALL(pkey_mprotect),
	CALL(init_module),
	CALL(finit_module),
	CALL(delete_module),
	CALL(kexec_load),
	CALL(kexec_file_load),
	CALL_INT(bpf, 0, BPF_PROG_LOAD),
	CALL(perf_event_open),
	CALL(userfaultfd),
	CALL(io_uring_setup),
	CALL(io_uring_enter),
	CALL(io_uring_register),
	CALL(mount),
	CALL(umount2),
	CALL(move_mount),
	CALL(open_tree),
	CALL(fsopen),
	CALL(fsmount),
	CALL(mount_setattr),
	CALL(pivot_root),
	CALL(chroot),
	CALL(setns),
	CALL(unshare),
	CALL(open_by_handle_at),
	CALL(mknod),
	CALL(mknodat),
	CALL(capset),
	CALL(setuid),
	CALL(setgid),
	CALL(setreuid),
	CALL(setregid),
	CALL(setresuid),
	CALL(setresgid),
	CALL(setfsuid),
	CALL(setfsgid),
	CALL(setgroups),
	CALL(iopl),
	CALL(ioperm),
	CALL(modify_ldt),
	CALL(reboot),
	CALL(swapon),
	CALL(swapoff),
	CALL(personality),
};

static const struct {
	const struct call *calls;
	size_t count;
} allowed[] = {
	{files, KW_ARRAY_SIZE(files)},	     {loop, KW_ARRAY_SIZE(loop)},
	{process, KW_ARRAY_SIZE(process)},   {canary, KW_ARRAY_SIZE(canary)},
	{programs, KW_ARRAY_SIZE(programs)}, {supervisor, KW_ARRAY_SIZE(supervisor)},
};

static int add(scmp_filter_ctx filter, uint32_t action, const struct call *call)
{
	return seccomp_rule_add_array(filter, action, call->number, call->conditional,
				      &call->condition);
}

static int add_all(scmp_filter_ctx filter, uint32_t action, const struct call *calls, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = add(filter, action, &calls[i]);
	return r;
}

/* What takes two conditions, or another answer. */
static int add_special(scmp_filter_ctx filter)
{
	int r;

	/* For sd_notify(3). No stream, as nothing can be connected to. */
	r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
			     SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_UNIX),
			     SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_DGRAM));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return r;
}

static int add_native(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; i < KW_ARRAY_SIZE(allowed) && r == 0; i++)
		r = add_all(filter, SCMP_ACT_ALLOW, allowed[i].calls, allowed[i].count);
	if (r == 0)
		r = add_all(filter, SCMP_ACT_KILL_PROCESS, fatal, KW_ARRAY_SIZE(fatal));
	return r < 0 ? r : add_special(filter);
}

/* The 32-bit entry of the same processor: the proof, and what ends us. */
static int add_compat(scmp_filter_ctx filter)
{
	int r;

	r = seccomp_arch_remove(filter, SCMP_ARCH_NATIVE);
	if (r == 0)
		r = seccomp_arch_add(filter, SCMP_ARCH_X86);
	if (r == 0)
		r = add(filter, SCMP_ACT_ALLOW, &canary[0]);
	/* Arguments of these have other places there: what depends on them has EPERM. */
	for (size_t i = 0; i < KW_ARRAY_SIZE(fatal) && r == 0; i++)
		if (!fatal[i].conditional)
			r = add(filter, SCMP_ACT_KILL_PROCESS, &fatal[i]);
	return r;
}

static int make(int (*add_calls)(scmp_filter_ctx filter), scmp_filter_ctx *ret)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!filter)
		return -ENOMEM;
	r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = add_calls(filter);
	if (r < 0)
		seccomp_release(filter);
	else
		*ret = filter;
	return r;
}

static int make_filter(scmp_filter_ctx *ret)
{
	scmp_filter_ctx native, compat;
	int r;

	r = make(add_native, &native);
	if (r < 0)
		return r;
	r = make(add_compat, &compat);
	if (r == 0) {
		/* Takes the second one, unless it fails. */
		r = seccomp_merge(native, compat);
		if (r < 0)
			seccomp_release(compat);
	}
	if (r < 0)
		seccomp_release(native);
	else
		*ret = native;
	return r;
}

/* As the kernel takes it. */
static int print(scmp_filter_ctx filter)
{
	_cleanup_fclose_ FILE *file = tmpfile();
	struct sock_filter at;
	int r;

	if (!file)
		return -errno;
	r = seccomp_export_bpf(filter, fileno(file));
	if (r < 0)
		return r;
	rewind(file);
	printf("#include <linux/filter.h>\n\n"
	       "static const struct sock_filter kw_loop_filter[] = {\n");
	while (fread(&at, sizeof(at), 1, file) == 1)
		printf("\t{0x%x, %u, %u, 0x%x},\n", at.code, at.jt, at.jf, at.k);
	printf("};\n");
	return ferror(file) || fflush(stdout) == EOF ? -EIO : 0;
}

int main(void)
{
	scmp_filter_ctx filter;
	int r;

	r = make_filter(&filter);
	if (r == 0) {
		r = print(filter);
		seccomp_release(filter);
	}
	if (r < 0)
		fprintf(stderr, "cannot make the filter: %s\n", strerror(-r));
	return r < 0;
}
