/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of a host say. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "posture.h"
#include "util.h"

/* The file's bytes, of at most size - 1, as a string; how many, or -errno. */
static ssize_t read_file(const char *root, const char *name, char *text, size_t size)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	ssize_t n;

	text[0] = '\0';
	if (snprintf(path, sizeof(path), "%s%s", root, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return n;
}

/* Of a file with a number, Y or N; -1: it has none. */
static int read_number(const char *root, const char *name)
{
	char text[32], *end;
	long value;

	if (read_file(root, name, text, sizeof(text)) <= 0)
		return -1;
	if (text[0] == 'Y' || text[0] == 'N')
		return text[0] == 'Y';
	value = strtol(text, &end, 10);
	return end == text || value < 0 || value > INT_MAX ? -1 : (int)value;
}

static int read_mode(const char *root, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s%s", root, name) >= (int)sizeof(path) ||
	    stat(path, &st) < 0)
		return -1;
	return st.st_mode & 07777;
}

/* UEFI, "Global Defined Variables": four bytes of attributes, then a byte of value. */
static int read_secure_boot(const char *root)
{
	char value[8] = "";

	if (read_file(root,
		      "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
		      value, sizeof(value)) < 5)
		return -1;
	return value[4] == 1;
}

void kw_posture_gather(const char *root, struct kw_posture_host *ret)
{
	struct kw_kernel_facts facts;

	kw_kernel_facts_gather(root, &facts);
	*ret = (struct kw_posture_host){
		.lockdown = facts.lockdown,
		.sev_es = read_number(root, "/sys/module/kvm_amd/parameters/sev_es"),
		.sev_snp = read_number(root, "/sys/module/kvm_amd/parameters/sev_snp"),
		.tdx = read_number(root, "/sys/module/kvm_intel/parameters/tdx"),
		.kexec_disabled = read_number(root, "/proc/sys/kernel/kexec_load_disabled"),
		.dev_mem = read_mode(root, "/dev/mem") >= 0,
		.sig_enforce = read_number(root, "/sys/module/module/parameters/sig_enforce"),
		.secure_boot = read_secure_boot(root),
		.unprivileged_bpf = read_number(root, "/proc/sys/kernel/unprivileged_bpf_disabled"),
		.ptrace_scope = read_number(root, "/proc/sys/kernel/yama/ptrace_scope"),
		.kvm_mode = read_mode(root, "/dev/kvm"),
		.ksm = read_number(root, "/sys/kernel/mm/ksm/run"),
	};
}

/* The number behind "NAME:" in /proc/PID/status; -1: it is not there. */
static int status_field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? (int)strtol(at + strlen(name), NULL, 10) : -1;
}

void kw_posture_look_at(const char *root, long pid, const char *exe, struct kw_posture_vmm *ret)
{
	static const char *const modes[] = {"none", "strict", "filter"};
	char path[PATH_MAX], target[PATH_MAX], text[4096];
	ssize_t len;
	int mode;

	*ret = (struct kw_posture_vmm){"-", "-"};
	snprintf(path, sizeof(path), "%s/proc/%ld/exe", root, pid);
	len = readlink(path, target, sizeof(target) - 1);
	target[len > 0 ? len : 0] = '\0';
	/* Its number may be another's by now. */
	if (len <= 0 || !kw_streq(target, exe))
		return;
	snprintf(path, sizeof(path), "/proc/%ld/status", pid);
	if (read_file(root, path, text, sizeof(text)) <= 0)
		return;
	mode = status_field(text, "\nSeccomp:");
	if (mode >= 0 && mode < (int)KW_ARRAY_SIZE(modes))
		ret->seccomp = modes[mode];
	mode = status_field(text, "\nNoNewPrivs:");
	if (mode >= 0)
		ret->no_new_privs = mode ? "yes" : "no";
}
