/* SPDX-License-Identifier: GPL-2.0-only */
/* Issues every operation on VMs of every type and state, by both entries, and writes the answers. */

/*
 *   cells OPERATIONS
 *
 * OPERATIONS is what "kvmwarden --json policy operations" printed. Commands come on
 * standard input, each is answered by a line:
 *
 *   build        creates the VMs, under whatever policy is in force
 *   run FILE     makes all attempts, ends the VMs, and writes a line to FILE for each
 *                attempt: type state entry scope operation argument answer
 *
 * The answer is KVM's or the policy's errno, or what the ioctl returned. An attempt
 * shall reach KVM and change nothing there, so that the order of the attempts does
 * not matter and the answer is the same whenever KVM gives it:
 *
 *  - A structure is never readable: KVM answers EFAULT. Where a number in it tells
 *    which operation it is, that number is, and nothing behind it, as it ends at
 *    the end of a page.
 *  - Plain numbers are such that KVM refuses them, or are what they would set.
 *  - KVM_RUN leaves before it enters a guest; the dirty registers of SYNC_REGS are
 *    none that exist.
 *  - All VMs have a split interrupt chip: nothing can be created in them any more.
 *
 * What KVM_CREATE_VM creates is closed at once. The end of a VM is an attempt too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compat_kvm.h"
#include "probe.h"

#define SIZE(array) (sizeof(array) / sizeof((array)[0]))
/* Not one of the sets of registers that KVM_RUN takes; 6.12 looks at the lower half only. */
#define DIRTY_NOTHING (1ull << 31)
/* Of no command and no capability. */
#define UNUSED_NUMBER 99
#define HIGHEST_NUMBER UINT32_MAX

enum scope { SYSTEM, VM, VCPU, DEVICE, _SCOPE_MAX };

static const char *const scope_names[] = {"system", "vm", "vcpu", "device"};
static const char *const entry_names[] = {"native", "compat"};

struct operation {
	const char *name;
	const char *ioctl; /* that it shares, or NULL */
	const char *family; /* or NULL */
	uint32_t number; /* of the ioctl; 0: it is none */
	uint32_t number_32bit; /* if it differs */
	int64_t member; /* its number in memory, or -1 */
	unsigned int scopes; /* one bit each */
};

static const struct kind {
	const char *type;
	bool sealed;
	bool without_vcpu; /* which would be sealed from the beginning */
} kinds[] = {
	{"default", false, false},	 {"sw-protected", false, false}, {"sev", false, false},
	{"sev-es", false, false},	 {"sev-es", true, false},	 {"sev-snp", false, false},
	{"sev-snp", true, false},	 {"tdx", false, true},		 {"tdx", true, false},
	{"legacy-sev-es", false, false}, {"legacy-sev-es", true, false},
};

/* By KVM's number. */
static const char *const created_types[] = {"default", "sw-protected", "sev",
					    "sev-es",  "sev-snp",      "tdx"};

struct target {
	struct vm *vm;
	struct kvm_run *run; /* or NULL */
	int fds[_SCOPE_MAX]; /* -1: none */
};

static struct operation *operations;
static size_t n_operations;
static struct target targets[SIZE(kinds)];
static struct probe probe;
static char *unreadable; /* a page below 4 GiB */
static uint32_t *last_number; /* the four bytes before it */
static FILE *out;

static void die(const char *what)
{
	fprintf(stderr, "cells: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint32_t number_of(const json_t *text)
{
	return json_is_string(text) ? strtoul(json_string_value(text), NULL, 16) : 0;
}

static void load_operation(const json_t *from, struct operation *op)
{
	const json_t *scopes = json_object_get(from, "scopes"), *member;
	const char *scope;

	op->name = json_string_value(json_object_get(from, "operation"));
	op->ioctl = json_string_value(json_object_get(from, "ioctl"));
	op->family = json_string_value(json_object_get(from, "family"));
	op->number = number_of(json_object_get(from, "number"));
	op->number_32bit = number_of(json_object_get(from, "number_32bit"));
	member = json_object_get(from, "member");
	op->member = json_is_integer(member) ? json_integer_value(member) : -1;
	for (size_t i = 0; (scope = json_string_value(json_array_get(scopes, i))); i++)
		for (unsigned int s = 0; s < _SCOPE_MAX; s++)
			if (strcmp(scope, scope_names[s]) == 0)
				op->scopes |= 1u << s;
}

static const struct operation *operation_by_name(const char *name)
{
	for (size_t i = 0; i < n_operations; i++)
		if (strcmp(operations[i].name, name) == 0)
			return &operations[i];
	errno = EINVAL;
	die(name);
	return NULL;
}

/* The names in it are used until the end. */
static void load_operations(const char *path)
{
	json_t *all = json_load_file(path, 0, NULL);

	n_operations = json_array_size(all);
	operations = calloc(n_operations + 1, sizeof(*operations));
	if (!operations || n_operations == 0)
		die(path);
	for (size_t i = 0; i < n_operations; i++)
		load_operation(json_array_get(all, i), &operations[i]);
	/* Of what shares an ioctl, the number counts wherever the ioctl exists. */
	for (size_t i = 0; i < n_operations; i++)
		if (operations[i].ioctl)
			operations[i].scopes = operation_by_name(operations[i].ioctl)->scopes;
}

static void make_memory(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (pages == MAP_FAILED)
		die("memory below 4 GiB");
	unreadable = pages + page;
	last_number = (uint32_t *)unreadable - 1;
	if (mprotect(unreadable, page, PROT_NONE) < 0)
		die("mprotect");
}

/* --- the VMs ---------------------------------------------------------------- */

static void build_one(const struct kind *kind, struct target *target)
{
	struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {24}};
	struct kvm_create_device device = {.type = KVM_DEV_TYPE_VFIO};

	/* It keeps the VMs that were; the memory of this short program is no matter. */
	probe.n_vms = 0;
	if (vm_new(&probe, kind->type) < 0)
		die(kind->type);
	target->vm = vm_current(&probe);
	if (!target->vm->broken && ioctl(target->vm->fd, KVM_ENABLE_CAP, &split) < 0)
		die("KVM_CAP_SPLIT_IRQCHIP");
	if (!kind->without_vcpu)
		vm_add_vcpu(&probe);
	if (kind->sealed)
		vm_seal(&probe);
	errno = EINVAL;
	if (target->vm->broken || target->vm->sealed != kind->sealed)
		die(target->vm->broken ?: "not in the state that it should be in");
	if (ioctl(target->vm->fd, KVM_CREATE_DEVICE, &device) < 0)
		die("KVM_CREATE_DEVICE");

	target->fds[SYSTEM] = -1;
	target->fds[VM] = target->vm->fd;
	target->fds[VCPU] = kind->without_vcpu ? -1 : target->vm->vcpus[0].fd;
	target->fds[DEVICE] = (int)device.fd;
	target->run = kind->without_vcpu ? NULL : target->vm->vcpus[0].run;
}

static void end_one(const struct kind *kind, struct target *target)
{
	if (!kind->without_vcpu)
		vm_close_vcpu(&target->vm->vcpus[0]);
	close(target->fds[DEVICE]);
	close(target->fds[VM]);
	*target = (struct target){0};
	fprintf(out, "%s\t%s\t-\tvm\tVM_DESTROY\t-\t0\n", kind->type,
		kind->sealed ? "sealed" : "building");
}

/* --- the attempts ----------------------------------------------------------- */

/* Scalar arguments that 0 would not do for: KVM refuses these. */
static uint32_t scalar_argument(uint32_t number)
{
	switch (number) {
	case KVM_CREATE_VCPU:
	case KVM_SET_TSS_ADDR:
		return UINT32_MAX;
	case KVM_SET_NR_MMU_PAGES:
		return 1;
	case KVM_REINJECT_CONTROL: /* a structure, whatever its number says */
		return (uint32_t)(uintptr_t)unreadable;
	default:
		return 0;
	}
}

static void attempt(const struct operation *op, const struct kind *kind, enum entry entry,
		    enum scope scope, int fd, uint32_t argument, const char *described)
{
	uint32_t number = op->number;
	long r;

	if (entry == ENTRY_COMPAT && op->number_32bit)
		number = op->number_32bit;
	r = enter(entry, fd, number, argument, 0);
	if (r >= 0 && ioctl_makes_fd(number)) {
		close((int)r);
		r = 0;
	}
	fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t", kind ? kind->type : "none",
		kind && kind->sealed ? "sealed" : "building", entry_names[entry],
		scope_names[scope], op->name, described);
	if (r < 0)
		fprintf(out, "%s\n", strerrorname_np((int)-r) ?: "?");
	else
		fprintf(out, "%ld\n", r);
}

static void attempt_number(const struct operation *op, const struct kind *kind, enum entry entry,
			   enum scope scope, int fd, uint32_t number)
{
	char described[sizeof("4294967295")];

	snprintf(described, sizeof(described), "%" PRIu32, number);
	*last_number = number;
	attempt(op, kind, entry, scope, fd, (uint32_t)(uintptr_t)last_number, described);
}

/* An ioctl that others share, as none of them, and as what cannot be told. */
static void attempt_shared(const struct operation *op, const struct kind *kind, enum entry entry,
			   enum scope scope, int fd)
{
	attempt_number(op, kind, entry, scope, fd, UNUSED_NUMBER);
	attempt_number(op, kind, entry, scope, fd, HIGHEST_NUMBER);
	attempt(op, kind, entry, scope, fd, 0, "null");
	attempt(op, kind, entry, scope, fd, (uint32_t)(uintptr_t)unreadable, "unreadable");
}

static void attempt_any(const struct operation *op, const struct kind *kind, struct target *target,
			enum entry entry, enum scope scope, int fd)
{
	uint32_t argument = (uint32_t)(uintptr_t)unreadable;

	if (op->member >= 0) {
		attempt_number(op, kind, entry, scope, fd, (uint32_t)op->member);
		return;
	}
	if (op->number == KVM_MEMORY_ENCRYPT_OP || op->number == KVM_ENABLE_CAP) {
		attempt_shared(op, kind, entry, scope, fd);
		return;
	}
	if (_IOC_SIZE(op->number) == 0)
		argument = scalar_argument(op->number);
	if (op->number == KVM_RUN)
		target->run->kvm_dirty_regs = op->ioctl ? DIRTY_NOTHING : 0;
	attempt(op, kind, entry, scope, fd, argument, "-");
}

/* Commands of TDX are commands of a TD, those of SEV of anything else. */
static bool exists(const struct operation *op, const struct kind *kind)
{
	bool td = strcmp(kind->type, "tdx") == 0;

	if (op->family && strcmp(op->family, td ? "sev" : "tdx") == 0)
		return false;
	return op->number != 0;
}

static void attempt_creations(const struct operation *op, enum entry entry)
{
	for (uint32_t type = 0; type < SIZE(created_types); type++) {
		const struct kind kind = {.type = created_types[type]};
		long r = enter(entry, probe.system_fd, op->number, type, 0);

		fprintf(out, "%s\tbuilding\t%s\tsystem\t%s\t-\t%s\n", kind.type, entry_names[entry],
			op->name, r < 0 ? strerrorname_np((int)-r) : "0");
		if (r < 0)
			continue;
		close((int)r);
		fprintf(out, "%s\tbuilding\t-\tvm\tVM_DESTROY\t-\t0\n", kind.type);
	}
}

static void run_system(enum entry entry)
{
	for (size_t i = 0; i < n_operations; i++) {
		const struct operation *op = &operations[i];

		if (!(op->scopes & (1u << SYSTEM)))
			continue;
		if (op->number == KVM_CREATE_VM)
			attempt_creations(op, entry);
		else
			attempt_any(op, NULL, NULL, entry, SYSTEM, probe.system_fd);
	}
}

static void run_kind(const struct kind *kind, struct target *target, enum entry entry)
{
	for (size_t i = 0; i < n_operations; i++)
		for (enum scope scope = VM; scope < _SCOPE_MAX; scope++)
			if (exists(&operations[i], kind) && target->fds[scope] >= 0 &&
			    (operations[i].scopes & (1u << scope)))
				attempt_any(&operations[i], kind, target, entry, scope,
					    target->fds[scope]);
}

static void run(const char *path)
{
	out = fopen(path, "we");
	if (!out)
		die(path);
	for (enum entry entry = ENTRY_NATIVE; entry <= ENTRY_COMPAT; entry++) {
		run_system(entry);
		for (size_t i = 0; i < SIZE(kinds); i++)
			run_kind(&kinds[i], &targets[i], entry);
	}
	for (size_t i = 0; i < SIZE(kinds); i++)
		end_one(&kinds[i], &targets[i]);
	if (fclose(out) != 0)
		die(path);
}

int main(int argc, char **argv)
{
	char line[4096];

	if (argc != 2) {
		fputs("usage: cells OPERATIONS <COMMANDS\n", stderr);
		return 2;
	}
	load_operations(argv[1]);
	make_memory();
	probe = (struct probe){.extra_fd = -1};
	probe.system_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (probe.system_fd < 0)
		die("/dev/kvm");
	if (!entry_works(ENTRY_COMPAT)) {
		errno = ENOSYS;
		die("the 32-bit entry");
	}
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "build") == 0) {
			for (size_t i = 0; i < SIZE(kinds); i++)
				build_one(&kinds[i], &targets[i]);
		} else if (strncmp(line, "run ", 4) == 0) {
			run(line + 4);
		} else {
			fprintf(stderr, "cells: bad command '%s'\n", line);
			return 2;
		}
		puts("done");
		fflush(stdout);
	}
	return 0;
}
