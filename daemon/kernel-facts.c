/* SPDX-License-Identifier: GPL-2.0-only */
/* Gathers what this kernel offers from /proc, /sys and its type information. */
#include <bpf/btf.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "kernel-facts-internal.h"
#include "util.h"

KW_DEFINE_CLEANUP(struct btf, btf__free)

/* Long enough for /proc/cmdline (COMMAND_LINE_SIZE is 2048) and /proc/version. */
#define TEXT_MAX 4096

#ifndef KVM_CAP_VM_TYPES
#define KVM_CAP_VM_TYPES 235
#endif

struct gathering {
	const char *root;
	bool live; /* this machine, not a test's directory */
	struct kw_kernel_facts *facts;
};

static enum kw_truth fact_of(bool value)
{
	return value ? KW_FACT_YES : KW_FACT_NO;
}

static int path_of(const struct gathering *g, const char *name, char path[PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, "%s/%s", g->root, name);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static enum kw_truth presence(const struct gathering *g, const char *name)
{
	char path[PATH_MAX];

	if (path_of(g, name, path) == 0 && access(path, F_OK) == 0)
		return KW_FACT_YES;
	return errno == ENOENT ? KW_FACT_NO : KW_FACT_UNKNOWN;
}

/* The file's first bytes as a string without trailing newlines; empty on failure. */
static int read_text(const struct gathering *g, const char *name, char *text, size_t size)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	size_t len = 0;
	ssize_t n;
	int r;

	text[0] = '\0';
	r = path_of(g, name, path);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (len < size - 1) {
		n = read(fd, text + len, size - 1 - len);
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += n;
	}
	while (len > 0 && text[len - 1] == '\n')
		len--;
	text[len] = '\0';
	return 0;
}

/* Is word one of the items of the list, which are separated by the characters of separators? */
static bool has_word(const char *list, const char *word, const char *separators)
{
	size_t len = strlen(word);

	while (*list) {
		size_t n = strcspn(list, separators);

		if (n == len && memcmp(list, word, len) == 0)
			return true;
		list += n;
		list += strspn(list, separators);
	}
	return false;
}

/* The last NAME=VALUE of the kernel command line. */
static int command_line_value(const struct gathering *g, const char *name, char *value, size_t size)
{
	char line[TEXT_MAX];
	size_t len = strlen(name), n;
	const char *p;
	int r;

	r = read_text(g, "proc/cmdline", line, sizeof(line));
	if (r < 0)
		return r;
	r = -ENOENT;
	for (p = line; *p; p += n + strspn(p + n, " \n")) {
		n = strcspn(p, " \n");
		if (n <= len || n - len > size || memcmp(p, name, len) != 0 || p[len] != '=')
			continue;
		memcpy(value, p + len + 1, n - len - 1);
		value[n - len - 1] = '\0';
		r = 0;
	}
	return r;
}

/* Is the option "y" in the kernel's configuration? UNKNOWN when that is not there to read. */
static enum kw_truth configured(const struct gathering *g, const char *option)
{
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	size_t len = strlen(option), size = 0;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/boot/config-%s", g->root, g->facts->release);
	f = fopen(path, "re");
	if (!f) {
		snprintf(path, sizeof(path), "%s/lib/modules/%s/config", g->root,
			 g->facts->release);
		f = fopen(path, "re");
	}
	if (!f)
		return KW_FACT_UNKNOWN;
	while (getline(&line, &size, f) >= 0)
		if (strncmp(line, option, len) == 0 && strncmp(line + len, "=y", 2) == 0)
			return KW_FACT_YES;
	return KW_FACT_NO;
}

static void gather_release(const struct gathering *g)
{
	struct kw_kernel_facts *f = g->facts;
	unsigned int major, minor, patch = 0;

	if (read_text(g, "proc/sys/kernel/osrelease", f->release, sizeof(f->release)) < 0)
		f->release[0] = '\0';
	/* NOLINTNEXTLINE(cert-err34-c): three digits cannot overflow */
	if (sscanf(f->release, "%3u.%3u.%3u", &major, &minor, &patch) < 2)
		return;
	f->version = KW_KERNEL(major & 0xff, minor & 0xff, patch > 0xff ? 0xff : patch);
}

static void gather_device(const struct gathering *g)
{
	struct kw_kernel_facts *f = g->facts;
	_cleanup_close_ int fd = -1;
	int types;

	if (!g->live) {
		f->kvm_device = presence(g, "dev/kvm");
		f->kvm_device_error = f->kvm_device == KW_FACT_YES ? 0 : ENOENT;
		return;
	}
	fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		f->kvm_device_error = errno;
		f->kvm_device = KW_FACT_NO;
		return;
	}
	f->kvm_device = KW_FACT_YES;
	types = ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_VM_TYPES);
	if (types < 0)
		return;
	f->vm_types_known = fact_of(types > 0);
	f->vm_types = types;
}

/* A boolean parameter of a module that is loaded; without the parameter the answer is NO. */
static enum kw_truth parameter(const struct gathering *g, const char *name)
{
	char text[8];
	int r;

	r = read_text(g, name, text, sizeof(text));
	if (r == -ENOENT)
		return KW_FACT_NO;
	if (r < 0)
		return KW_FACT_UNKNOWN;
	return fact_of(text[0] == 'Y' || text[0] == '1');
}

static void gather_modules(const struct gathering *g)
{
	struct kw_kernel_facts *f = g->facts;

	if (presence(g, "sys/module") != KW_FACT_YES)
		return;
	f->kvm_loaded = presence(g, "sys/module/kvm");
	f->kvm_amd = presence(g, "sys/module/kvm_amd");
	f->kvm_intel = presence(g, "sys/module/kvm_intel");
	if (f->kvm_amd == KW_FACT_YES) {
		f->sev = parameter(g, "sys/module/kvm_amd/parameters/sev");
		f->sev_es = parameter(g, "sys/module/kvm_amd/parameters/sev_es");
		f->sev_snp = parameter(g, "sys/module/kvm_amd/parameters/sev_snp");
	}
	if (f->kvm_intel == KW_FACT_YES)
		f->tdx = parameter(g, "sys/module/kvm_intel/parameters/tdx");
}

static enum kw_truth has_function(const struct btf *btf, const char *name)
{
	return fact_of(btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0);
}

static const struct btf_type *find_struct(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);

	return id > 0 ? btf__type_by_id(btf, id) : NULL;
}

/* The type of a member, without const, typedef...; NULL when there is no such member. */
static const struct btf_type *find_member(const struct btf *btf, const struct btf_type *type,
					  const char *name)
{
	const struct btf_member *member;
	unsigned int i;
	int id;

	if (!type || !btf_is_composite(type))
		return NULL;
	member = btf_members(type);
	for (i = 0; i < btf_vlen(type); i++, member++) {
		if (!kw_streq(btf__name_by_offset(btf, member->name_off), name))
			continue;
		id = btf__resolve_type(btf, member->type);
		return btf__type_by_id(btf, id > 0 ? (unsigned int)id : member->type);
	}
	return NULL;
}

static void gather_kvm_types(const struct gathering *g, const struct btf *btf)
{
	const struct btf_type *arch = find_struct(btf, "kvm_arch");
	const struct btf_type *vcpu = find_struct(btf, "kvm_vcpu_arch");
	struct kw_kernel_facts *f = g->facts;

	f->kvm_arch_init_vm = has_function(btf, "kvm_arch_init_vm");
	f->kvm_arch_destroy_vm = has_function(btf, "kvm_arch_destroy_vm");
	f->vm_type = fact_of(find_member(btf, arch, "vm_type"));
	f->has_protected_state = fact_of(find_member(btf, arch, "has_protected_state"));
	f->has_private_mem = fact_of(find_member(btf, arch, "has_private_mem"));
	f->guest_state_protected = fact_of(find_member(btf, vcpu, "guest_state_protected"));
}

static void gather_svm_types(const struct gathering *g, const struct btf *btf)
{
	const struct btf_type *svm = find_struct(btf, "kvm_svm");
	const struct btf_type *sev = find_member(btf, svm, "sev_info");

	g->facts->es_active = fact_of(find_member(btf, sev, "es_active"));
}

static struct btf *load_btf(const struct gathering *g, const char *name, struct btf *base)
{
	char path[PATH_MAX];

	/* libbpf complains on stderr about a file that is not there. */
	if (path_of(g, name, path) < 0 || access(path, R_OK) < 0)
		return NULL;
	return base ? btf__parse_raw_split(path, base) : btf__parse_raw(path);
}

static void gather_btf(const struct gathering *g)
{
	_cleanup_(btf__free_cleanup) struct btf *vmlinux = NULL;
	_cleanup_(btf__free_cleanup) struct btf *kvm = NULL;
	_cleanup_(btf__free_cleanup) struct btf *amd = NULL;
	struct kw_kernel_facts *f = g->facts;

	vmlinux = load_btf(g, "sys/kernel/btf/vmlinux", NULL);
	f->btf_vmlinux = fact_of(vmlinux);
	if (!vmlinux)
		return;
	f->bpf_lsm_file_ioctl = has_function(vmlinux, "bpf_lsm_file_ioctl");
	f->bpf_lsm_file_ioctl_compat = has_function(vmlinux, "bpf_lsm_file_ioctl_compat");
	f->security_file_ioctl = has_function(vmlinux, "security_file_ioctl");
	f->security_file_ioctl_compat = has_function(vmlinux, "security_file_ioctl_compat");
	f->bpf_rdonly_cast = has_function(vmlinux, "bpf_rdonly_cast");

	kvm = load_btf(g, "sys/kernel/btf/kvm", vmlinux);
	if (kvm || has_function(vmlinux, "kvm_arch_init_vm") == KW_FACT_YES) {
		f->btf_kvm = KW_FACT_YES;
		gather_kvm_types(g, kvm ? kvm : vmlinux);
	} else if (f->kvm_loaded == KW_FACT_YES) {
		f->btf_kvm = KW_FACT_NO;
	}

	amd = load_btf(g, "sys/kernel/btf/kvm_amd", vmlinux);
	if (amd || find_struct(vmlinux, "kvm_svm")) {
		f->btf_kvm_amd = KW_FACT_YES;
		gather_svm_types(g, amd ? amd : vmlinux);
	} else if (f->kvm_amd == KW_FACT_YES) {
		f->btf_kvm_amd = KW_FACT_NO;
	}
}

static void gather_lsm(const struct gathering *g)
{
	struct kw_kernel_facts *f = g->facts;
	char text[128];

	if (read_text(g, "sys/kernel/security/lsm", f->lsm, sizeof(f->lsm)) == 0)
		f->lsm_bpf = fact_of(has_word(f->lsm, "bpf", ","));
	else if (g->live)
		f->lsm_bpf = kw_ask_bpf_lsm();
	if (g->live)
		f->landlock = kw_ask_landlock(&f->landlock_version);
	if (f->landlock == KW_FACT_UNKNOWN && f->lsm[0])
		f->landlock = fact_of(has_word(f->lsm, "landlock", ","));

	if (read_text(g, "sys/kernel/security/lockdown", text, sizeof(text)) < 0) {
		/* With securityfs in place a missing file says that lockdown is not active. */
		if (f->lsm[0])
			f->lockdown = KW_LOCKDOWN_NONE;
		return;
	}
	if (has_word(text, "[none]", " "))
		f->lockdown = KW_LOCKDOWN_NONE;
	else if (has_word(text, "[integrity]", " "))
		f->lockdown = KW_LOCKDOWN_INTEGRITY;
	else if (has_word(text, "[confidentiality]", " "))
		f->lockdown = KW_LOCKDOWN_CONFIDENTIALITY;
}

static void gather_mounts(const struct gathering *g)
{
	struct kw_kernel_facts *f = g->facts;
	_cleanup_fclose_ FILE *mounts = NULL;
	_cleanup_free_ char *line = NULL;
	char path[PATH_MAX];
	size_t size = 0;

	if (path_of(g, "proc/self/mounts", path) < 0)
		return;
	mounts = fopen(path, "re");
	if (!mounts)
		return;
	f->securityfs = KW_FACT_NO;
	f->bpffs = KW_FACT_NO;
	f->tracefs = KW_FACT_NO;
	while (getline(&line, &size, mounts) >= 0) {
		if (strstr(line, " /sys/kernel/security securityfs "))
			f->securityfs = KW_FACT_YES;
		else if (strstr(line, " /sys/fs/bpf bpf "))
			f->bpffs = KW_FACT_YES;
		else if (strstr(line, " /sys/kernel/tracing tracefs ") ||
			 strstr(line, " /sys/kernel/debug/tracing tracefs "))
			f->tracefs = KW_FACT_YES;
	}
}

static enum kw_preempt preempt_from_name(const char *name)
{
	unsigned int i;

	for (i = KW_PREEMPT_NONE; i < _KW_PREEMPT_MAX; i++)
		if (kw_streq(name, kw_preempt_name(i)))
			return i;
	return KW_PREEMPT_UNKNOWN;
}

/* The model of a kernel whose model can be chosen: as set now, at boot, at build. */
static enum kw_preempt gather_dynamic_preempt(const struct gathering *g)
{
	char text[128];
	char *open, *close;

	if (read_text(g, "sys/kernel/debug/sched/preempt", text, sizeof(text)) == 0) {
		open = strchr(text, '(');
		close = open ? strchr(open, ')') : NULL;
		if (close) {
			*close = '\0';
			return preempt_from_name(open + 1);
		}
	}
	if (command_line_value(g, "preempt", text, sizeof(text)) == 0)
		return preempt_from_name(text);
	if (configured(g, "CONFIG_PREEMPT") == KW_FACT_YES)
		return KW_PREEMPT_FULL;
	if (configured(g, "CONFIG_PREEMPT_LAZY") == KW_FACT_YES)
		return KW_PREEMPT_LAZY;
	if (configured(g, "CONFIG_PREEMPT_VOLUNTARY") == KW_FACT_YES)
		return KW_PREEMPT_VOLUNTARY;
	if (configured(g, "CONFIG_PREEMPT_NONE") == KW_FACT_YES)
		return KW_PREEMPT_NONE;
	return KW_PREEMPT_UNKNOWN;
}

static enum kw_preempt gather_preempt(const struct gathering *g)
{
	char version[TEXT_MAX];

	if (read_text(g, "proc/version", version, sizeof(version)) < 0)
		return KW_PREEMPT_UNKNOWN;
	if (has_word(version, "PREEMPT_RT", " "))
		return KW_PREEMPT_RT;
	if (has_word(version, "PREEMPT_DYNAMIC", " "))
		return gather_dynamic_preempt(g);
	if (has_word(version, "PREEMPT_LAZY", " "))
		return KW_PREEMPT_LAZY;
	if (has_word(version, "PREEMPT", " "))
		return KW_PREEMPT_FULL;
	return KW_PREEMPT_NONE;
}

static enum kw_truth gather_compat_entry(const struct gathering *g)
{
	enum kw_truth fact = g->live ? kw_ask_compat_entry() : KW_FACT_UNKNOWN;

	/* What was built in may still be disabled at boot, so "y" proves nothing. */
	if (fact == KW_FACT_UNKNOWN && configured(g, "CONFIG_IA32_EMULATION") == KW_FACT_NO)
		return KW_FACT_NO;
	return fact;
}

void kw_kernel_facts_gather(const char *root, struct kw_kernel_facts *ret)
{
	struct kw_kernel_facts facts = {};
	struct gathering g = {.root = root, .live = !*root, .facts = &facts};
	char text[256];

	gather_release(&g);
	gather_device(&g);
	gather_modules(&g);
	gather_btf(&g);
	gather_lsm(&g);
	gather_mounts(&g);
	facts.preempt = gather_preempt(&g);
	facts.compat_entry = gather_compat_entry(&g);
	/* Before 5.7 not together with TSYNC, by which a filter is one for all threads. */
	if (read_text(&g, "proc/sys/kernel/seccomp/actions_avail", text, sizeof(text)) == 0)
		facts.seccomp_notify = fact_of(has_word(text, "user_notif", " ") &&
					       facts.version >= KW_KERNEL(5, 7, 0));
	*ret = facts;
}
