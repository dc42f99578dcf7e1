/* SPDX-License-Identifier: GPL-2.0-only */
/* A plan as a seccomp filter. */
#define _GNU_SOURCE 1
#include "filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "util.h"

/* From this level on libseccomp can have user notification together with TSYNC. */
#define API_NOTIFY_TSYNC 6

#define LOW_32 0xffffffffull

static int add_architectures(scmp_filter_ctx filter)
{
	/* The one we run as is there already. */
	static const uint32_t architectures[] = {SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32};
	int r = 0;

	for (size_t i = 0; i < KW_ARRAY_SIZE(architectures) && r == 0; i++) {
		r = seccomp_arch_add(filter, architectures[i]);
		if (r == -EEXIST)
			r = 0;
	}
	return r;
}

static uint32_t action_of(const struct kw_plan_entry *entry)
{
	switch ((enum kw_disposition)entry->disposition) {
	case KW_PLAN_NOTIFY:
		return SCMP_ACT_NOTIFY;
	case KW_PLAN_KILL:
		return SCMP_ACT_KILL_PROCESS;
	case KW_PLAN_REFUSE:
	case _KW_PLAN_MAX:
		break;
	}
	return SCMP_ACT_ERRNO(entry->error);
}

/*
 * KVM_CREATE_VM by type. The 64-bit entry takes 64 bits of it, x32 takes 32: what is above
 * them must not hide a type from us, and is no type by itself that KVM would make.
 */
static int add_types(scmp_filter_ctx filter, const struct kw_plan_entry *entry)
{
	const struct scmp_arg_cmp command = SCMP_A1(SCMP_CMP_MASKED_EQ, LOW_32, entry->command);
	int r = 0;

	for (uint32_t type = 0; type < KW_TYPE_UNKNOWN && r == 0; type++)
		if (entry->types & 1u << type)
			r = seccomp_rule_add(filter, action_of(entry), SCMP_SYS(ioctl), 2, command,
					     SCMP_A2(SCMP_CMP_MASKED_EQ, LOW_32, type));
	if (r == 0 && (entry->types & 1u << KW_TYPE_UNKNOWN))
		r = seccomp_rule_add(filter, action_of(entry), SCMP_SYS(ioctl), 2, command,
				     SCMP_A2(SCMP_CMP_GT, KW_TYPE_TDX, 0));
	return r;
}

static int add_entry(scmp_filter_ctx filter, const struct kw_plan_entry *entry)
{
	if (entry->types)
		return add_types(filter, entry);
	/* SCMP_CMP_EQ would compare 64 bits, and any bit above the 32 would pass. */
	return seccomp_rule_add(filter, action_of(entry), SCMP_SYS(ioctl), 1,
				SCMP_A1(SCMP_CMP_MASKED_EQ, LOW_32, entry->command));
}

static int set_up(scmp_filter_ctx filter)
{
	int r;

	r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 1);
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	return r < 0 ? r : add_architectures(filter);
}

int kw_filter_build(const struct kw_plan *plan, scmp_filter_ctx *ret, char **reterr)
{
	scmp_filter_ctx filter;
	bool notifies = false;
	int r;

	for (size_t i = 0; i < plan->count; i++)
		notifies |= plan->entries[i].disposition == KW_PLAN_NOTIFY;
	if (notifies && seccomp_api_get() < API_NOTIFY_TSYNC)
		return kw_fail(-EOPNOTSUPP, reterr,
			       "this kernel has no seccomp notifications for all threads (Linux "
			       "5.7)");
	filter = seccomp_init(SCMP_ACT_ALLOW);
	if (!filter)
		return -ENOMEM;
	r = set_up(filter);
	for (size_t i = 0; i < plan->count && r == 0; i++)
		r = add_entry(filter, &plan->entries[i]);
	if (r < 0) {
		seccomp_release(filter);
		return kw_fail(r, reterr, "libseccomp cannot make the filter: %s", strerror(-r));
	}
	*ret = filter;
	return 0;
}

int kw_filter_make(const struct kw_plan *plan, struct sock_fprog *ret, char **reterr)
{
	_cleanup_close_ int fd = memfd_create("filter", MFD_CLOEXEC);
	_cleanup_free_ void *code = NULL;
	scmp_filter_ctx filter = NULL;
	struct stat st;
	int r;

	if (fd < 0)
		return -errno;
	r = kw_filter_build(plan, &filter, reterr);
	if (r < 0)
		return r;
	r = seccomp_export_bpf(filter, fd);
	seccomp_release(filter);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	code = malloc(st.st_size);
	if (!code)
		return -ENOMEM;
	if (pread(fd, code, st.st_size, 0) != st.st_size)
		return -EIO;
	ret->len = st.st_size / sizeof(struct sock_filter);
	ret->filter = TAKE_PTR(code);
	return 0;
}

int kw_filter_load(const struct sock_fprog *program, int *ret_listener)
{
	unsigned int flags = SECCOMP_FILTER_FLAG_TSYNC;
	long r;

	if (ret_listener)
		flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
	if (r < 0)
		return -errno;
	if (ret_listener)
		*ret_listener = (int)r;
	/* Without a listener it is the number of a thread that has another filter. */
	return !ret_listener && r > 0 ? -ESRCH : 0;
}
