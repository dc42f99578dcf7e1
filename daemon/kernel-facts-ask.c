/* SPDX-License-Identifier: GPL-2.0-only */
/* What of a kernel only system calls tell. */
#include "kernel-facts-internal.h"

#include <errno.h>
#include <linux/landlock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* lsm_list_modules(2), 6.8: needs neither root nor securityfs. */
#define NR_LSM_LIST_MODULES 461
#define LSM_ID_BPF 109
#define LSM_IDS_MAX 64

enum kw_truth kw_ask_bpf_lsm(void)
{
	uint64_t ids[LSM_IDS_MAX];
	uint32_t size = sizeof(ids);
	long n, i;

	n = syscall(NR_LSM_LIST_MODULES, ids, &size, 0);
	if (n < 0 || n > LSM_IDS_MAX)
		return KW_FACT_UNKNOWN;
	for (i = 0; i < n; i++)
		if (ids[i] == LSM_ID_BPF)
			return KW_FACT_YES;
	return KW_FACT_NO;
}

enum kw_truth kw_ask_landlock(uint32_t *ret_version)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (version > 0) {
		*ret_version = (uint32_t)version;
		return KW_FACT_YES;
	}
	return version < 0 && (errno == ENOSYS || errno == EOPNOTSUPP) ? KW_FACT_NO
								       : KW_FACT_UNKNOWN;
}

/* A child calls getpid(2) by int 0x80; a kernel without that entry answers with SIGSEGV. */
enum kw_truth kw_ask_compat_entry(void)
{
#ifdef __x86_64__
	const struct rlimit no_core = {0};
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return KW_FACT_UNKNOWN;
	if (pid == 0) {
		long ret = 20; /* __NR_getpid of i386 */

		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGSEGV, SIG_DFL);
		__asm__ volatile("int $0x80" : "+a"(ret) : : "memory", "r8", "r9", "r10", "r11");
		_exit(ret == getpid() ? 0 : 1);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return KW_FACT_UNKNOWN;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return KW_FACT_YES;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV)
		return KW_FACT_NO;
#endif
	return KW_FACT_UNKNOWN;
}
