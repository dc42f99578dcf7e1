/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon gives up what it does not need: system calls, by seccomp. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include "confine-internal.h"
#include "loop.filter.h"
#include "util.h"

/*
 * Which calls there are, and why: main-filter.c. The filter is made of them when we are built.
 * libseccomp 2.5 does not survive an allocation that fails: it crashes, loops, or makes a filter that
 * is another one. None of that may happen to a host that is short of memory.
 */

const struct sock_filter *kw_confine_filter(size_t *ret_count)
{
	*ret_count = KW_ARRAY_SIZE(kw_loop_filter);
	return kw_loop_filter;
}

int kw_confine_calls(char **ret_missing, char **reterr)
{
	const uint32_t action = SECCOMP_RET_KILL_PROCESS;
	/* The kernel copies it. */
	struct sock_fprog program = {KW_ARRAY_SIZE(kw_loop_filter),
				     (struct sock_filter *)kw_loop_filter};
	long r;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0) {
		*ret_missing = strdup("this kernel has no seccomp filters");
		return *ret_missing ? 0 : -ENOMEM;
	}
	/* What fails with EPERM shows in the log of the audit system, too. */
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		    SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG, &program);
	if (r == 0)
		return 1;
	return kw_fail(r < 0 ? -errno : -EBUSY, reterr, "seccomp does not take our filter: %s",
		       r < 0 ? strerror(errno) : "another thread has one of its own");
}
