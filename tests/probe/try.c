/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes the attempts of a script and prints each as one line on standard output. */
#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat_kvm.h"

#define SYNC_REGS_RBX 0x5ca1ab1e
#define RBX 1

enum outcome {
	ALLOWED,
	REFUSED_BY_US,
	REFUSED_BY_KVM,
	COULD_NOT_TRY,
	_OUTCOME_MAX,
};

static const char *const outcome_names[] = {
	[ALLOWED] = "allowed",
	[REFUSED_BY_US] = "refused-by-us",
	[REFUSED_BY_KVM] = "refused-by-kvm",
	[COULD_NOT_TRY] = "could-not-try",
};
_Static_assert(sizeof(outcome_names) / sizeof(outcome_names[0]) == _OUTCOME_MAX, "a name each");

static const char *const fd_names[] = {
	[FD_VCPU] = "vcpu",	   [FD_VM] = "vm",
	[FD_SYSTEM] = "system",	   [FD_DUP] = "dup",
	[FD_PASSED] = "passed",	   [FD_PIDFD] = "pidfd",
	[FD_PIPE] = "pipe",	   [FD_SOCKET] = "socket",
	[FD_STATS] = "stats",	   [FD_FILE] = "file",
	[FD_GMEM] = "guest-memfd", [FD_DEVICE] = "device",
};
_Static_assert(sizeof(fd_names) / sizeof(fd_names[0]) == _FD_MAX, "a name each");

const char *error_name(long error)
{
	const char *name = strerrorname_np((int)error);

	return name ? name : "?";
}

static void report(struct probe *probe, enum caller caller, const char *op, enum outcome outcome,
		   const char *error)
{
	static const char *const entry_names[] = {"native", "compat", "x32"};
	static const char *const caller_names[] = {NULL,   "clone-vm", "fork",
						   "sent", "take",     "take-vm"};
	const struct vm *vm = vm_current(probe);
	bool high = probe->entry == ENTRY_NATIVE && probe->high != 0;

	printf("%s\t%s\t%s%s\t%s\t%s\t%s\t%s\n", vm ? vm->type : "-",
	       !vm	    ? "-"
	       : vm->sealed ? "sealed"
			    : "building",
	       entry_names[probe->entry], high ? "+high" : "",
	       caller == CALLER_SELF ? fd_names[probe->fd] : caller_names[caller], op,
	       outcome_names[outcome], error);
	fflush(stdout);
	if (outcome == COULD_NOT_TRY)
		probe->could_not_try = true;
}

void drop_extra_fd(struct probe *probe)
{
	if (probe->extra_fd >= 0)
		close(probe->extra_fd);
	probe->extra_fd = -1;
}

static int make_extra_fd(struct probe *probe, enum fd_kind kind)
{
	struct {
		uint64_t size, flags, reserved[6];
	} gmem = {.size = 4096};
	struct kvm_create_device device = {.type = KVM_DEV_TYPE_VFIO};
	struct vcpu *vcpu = vcpu_current(probe);
	struct vm *vm = vm_current(probe);
	int fds[2];

	switch (kind) {
	case FD_DUP:
		return vcpu ? dup(vcpu->fd) : -1;
	case FD_PASSED:
		return vcpu ? pass_fd(vcpu->fd) : -1;
	case FD_PIDFD:
		return vcpu ? fd_from_child(vcpu->fd) : -1;
	case FD_STATS:
		return vcpu ? (int)enter(ENTRY_NATIVE, vcpu->fd, KVM_GET_STATS_FD, 0, 0) : -1;
	case FD_PIPE:
		if (pipe2(fds, O_CLOEXEC) < 0)
			return -1;
		close(fds[1]);
		return fds[0];
	case FD_SOCKET:
		return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	case FD_GMEM:
		return vm ? (int)enter(ENTRY_NATIVE, vm->fd, KVM_CREATE_GUEST_MEMFD,
				       (uintptr_t)&gmem, 0)
			  : -1;
	case FD_DEVICE:
		if (!vm || ioctl(vm->fd, KVM_CREATE_DEVICE, &device) < 0)
			return -1;
		return (int)device.fd;
	case FD_FILE:
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	case FD_VCPU:
	case FD_VM:
	case FD_SYSTEM:
	case _FD_MAX:
		break;
	}
	return -1;
}

int choose_fd(struct probe *probe, const char *name)
{
	for (int kind = 0; kind < _FD_MAX; kind++) {
		if (strcmp(fd_names[kind], name) != 0)
			continue;
		drop_extra_fd(probe);
		probe->fd = kind;
		if (kind < FD_DUP)
			return 0;
		probe->extra_fd = make_extra_fd(probe, kind);
		if (probe->extra_fd < 0)
			fprintf(stderr, "probe: no fd of kind %s\n", name);
		return 0;
	}
	return -EINVAL;
}

static int current_fd(struct probe *probe)
{
	struct vcpu *vcpu = vcpu_current(probe);
	struct vm *vm = vm_current(probe);

	switch (probe->fd) {
	case FD_VCPU:
		return vcpu ? vcpu->fd : -1;
	case FD_VM:
		return vm ? vm->fd : -1;
	case FD_SYSTEM:
		return probe->system_fd;
	default:
		return probe->extra_fd;
	}
}

/* Whether the next attempt can be made at all; says why not. */
static bool can_try(struct probe *probe)
{
	struct vm *vm = vm_current(probe);

	if (vm && vm->broken)
		return false;
	if (!probe->entry_works) {
		fprintf(stderr, "probe: this kernel has no such entry\n");
		return false;
	}
	if (current_fd(probe) < 0) {
		fprintf(stderr, "probe: no open fd of kind %s\n", fd_names[probe->fd]);
		return false;
	}
	return true;
}

static uint64_t prepare(struct probe *probe, uint32_t number)
{
	struct kvm_regs *regs = probe->buffer;
	uint64_t arg = probe->arg;
	bool known = ioctl_name(number) != NULL;

	vcpu_fill(vcpu_current(probe), number, probe->buffer);
	if (number == KVM_SET_REGS) {
		for (size_t i = 0; i < sizeof(probe->regs) / sizeof(probe->regs[0]); i++)
			if (probe->regs_set & (1U << i))
				((uint64_t *)regs)[i] = probe->regs[i];
		probe->regs_set = 0;
	} else if (number == KVM_MEMORY_ENCRYPT_OP) {
		*(struct kvm_sev_cmd *)probe->buffer =
			(struct kvm_sev_cmd){.id = SEV_CMD_GUEST_STATUS};
	}
	probe->arg = 0;
	if (known && (number >> _IOC_DIRSHIFT) == _IOC_NONE)
		return arg;
	return (uintptr_t)probe->buffer;
}

static enum outcome judge(const struct probe *probe, uint32_t number, long r)
{
	if (r >= 0)
		return ALLOWED;
	/* immediate_exit makes KVM_RUN end with this once it is past every check. */
	if (number == KVM_RUN && r == -EINTR)
		return ALLOWED;
	return -r == probe->our_errno ? REFUSED_BY_US : REFUSED_BY_KVM;
}

static long attempt(struct probe *probe, enum caller caller, uint32_t number, uint64_t arg)
{
	long r;

	r = enter_as(caller, probe->entry, current_fd(probe), number, arg, probe->high);
	if (r >= 0 && caller == CALLER_SELF && ioctl_makes_fd(number))
		close((int)r);
	return r;
}

void try_one(struct probe *probe, enum caller caller, uint32_t number, const char *label)
{
	char hex[16];
	uint64_t arg;
	long r;

	if (!label)
		label = ioctl_name(number);
	if (!label) {
		snprintf(hex, sizeof(hex), "0x%08" PRIx32, number);
		label = hex;
	}
	if (!can_try(probe)) {
		report(probe, caller, label, COULD_NOT_TRY, "-");
		return;
	}
	arg = prepare(probe, number);
	r = attempt(probe, caller, number, arg);
	if (probe->entry == ENTRY_X32 && r == -ENOSYS)
		report(probe, caller, label, COULD_NOT_TRY, "ENOSYS");
	else
		report(probe, caller, label, judge(probe, number, r), r < 0 ? error_name(-r) : "-");
}

/* "a=3,b=4" of what came back, in the order of the errno values. */
static void summarize(const uint64_t *counts, size_t n, uint64_t allowed, char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	if (allowed)
		used = (size_t)snprintf(ret, size, "allowed=%" PRIu64, allowed);
	for (size_t i = 0; i < n; i++)
		if (counts[i] && used < size)
			used += (size_t)snprintf(ret + used, size - used, "%s%s=%" PRIu64,
						 used ? "," : "", error_name((long)i), counts[i]);
}

void try_repeat(struct probe *probe, uint64_t times, uint32_t number, const char *label)
{
	enum { N_ERRNOS = 256 };
	uint64_t counts[N_ERRNOS] = {0}, allowed = 0, arg;
	enum outcome worst = ALLOWED;
	char summary[256];

	if (!can_try(probe)) {
		report(probe, CALLER_SELF, label, COULD_NOT_TRY, "-");
		return;
	}
	arg = prepare(probe, number);
	for (uint64_t i = 0; i < times; i++) {
		long r = attempt(probe, CALLER_SELF, number, arg);
		enum outcome outcome = judge(probe, number, r);

		if (outcome > worst)
			worst = outcome;
		if (outcome == ALLOWED)
			allowed++;
		else if (-r < N_ERRNOS)
			counts[-r]++;
	}
	summarize(counts, N_ERRNOS, allowed, summary, sizeof(summary));
	report(probe, CALLER_SELF, label, worst, summary);
}

/* KVM_RUN goes to a vCPU, whatever fd the other attempts use. */
void try_run(struct probe *probe, const char *label)
{
	enum fd_kind fd = probe->fd;

	if (fd != FD_DUP && fd != FD_PASSED && fd != FD_PIDFD)
		probe->fd = FD_VCPU;
	try_one(probe, CALLER_SELF, KVM_RUN, label);
	probe->fd = fd;
}

/* Calls write() on kvm_run, or lets a process of its own do so, which maps it anew. */
static void write_run(const struct vcpu *vcpu, bool foreign,
		      void (*write)(struct kvm_run *, const void *), const void *data)
{
	struct kvm_run *run;
	pid_t pid;

	if (!foreign) {
		write(vcpu->run, data);
		return;
	}
	pid = fork();
	if (pid == 0) {
		munmap(vcpu->run, vcpu->run_size);
		run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
		if (run == MAP_FAILED)
			_exit(1);
		write(run, data);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void write_registers(struct kvm_run *run, const void *regs)
{
	memcpy(&run->s.regs.regs, regs, sizeof(run->s.regs.regs));
	run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
}

void try_sync_regs(struct probe *probe, bool foreign)
{
	struct vcpu *vcpu = vcpu_current(probe);
	struct kvm_regs *regs = probe->buffer;

	if (vcpu && vcpu->run) {
		vcpu_fill(vcpu, KVM_SET_REGS, probe->buffer);
		regs->rbx = probe->regs_set & (1U << RBX) ? probe->regs[RBX] : SYNC_REGS_RBX;
		write_run(vcpu, foreign, write_registers, regs);
	}
	probe->regs_set = 0;
	try_run(probe, foreign ? "KVM_RUN:foreign-sync-regs" : "KVM_RUN:sync-regs");
	if (vcpu && vcpu->run)
		vcpu->run->kvm_dirty_regs = 0;
}

static void clear_exit(struct kvm_run *run, const void *data)
{
	(void)data;
	run->immediate_exit = 0;
}

void try_foreign_exit(struct probe *probe)
{
	struct vcpu *vcpu = vcpu_current(probe);

	if (vcpu && vcpu->run)
		write_run(vcpu, true, clear_exit, NULL);
	try_run(probe, "KVM_RUN:foreign-exit");
	if (vcpu && vcpu->run)
		vcpu->run->immediate_exit = 1;
}

/* An attempt on the VM with an argument of its own, under a label of its own. */
static void try_on_vm(struct probe *probe, uint32_t number, uint64_t arg, const char *label)
{
	enum fd_kind fd = probe->fd;
	long r;

	probe->fd = FD_VM;
	if (!can_try(probe)) {
		report(probe, CALLER_SELF, label, COULD_NOT_TRY, "-");
	} else {
		r = attempt(probe, CALLER_SELF, number, arg);
		report(probe, CALLER_SELF, label, judge(probe, number, r),
		       r < 0 ? error_name(-r) : "-");
	}
	probe->fd = fd;
}

void try_sev_command(struct probe *probe, uint64_t id)
{
	struct kvm_sev_cmd *cmd = probe->buffer;
	char label[64];

	snprintf(label, sizeof(label), "KVM_MEMORY_ENCRYPT_OP:%" PRIu64, id);
	memset(probe->buffer, 0, PROBE_BUFFER_SIZE);
	cmd->id = (uint32_t)id;
	/* Room for the command's own data, all zeroes. */
	cmd->data = (uintptr_t)probe->buffer + 4096;
	try_on_vm(probe, KVM_MEMORY_ENCRYPT_OP, (uintptr_t)cmd, label);
}

void try_capability(struct probe *probe, uint64_t number)
{
	struct kvm_enable_cap *cap = probe->buffer;
	char label[64];

	snprintf(label, sizeof(label), "KVM_ENABLE_CAP:%" PRIu64, number);
	memset(probe->buffer, 0, PROBE_BUFFER_SIZE);
	cap->cap = (uint32_t)number;
	/* No descriptor of a VM, for those that want one. */
	cap->args[0] = UINT32_MAX;
	try_on_vm(probe, KVM_ENABLE_CAP, (uintptr_t)cap, label);
}

void try_pointer(struct probe *probe, uint32_t number, uint64_t pointer)
{
	const char *name = ioctl_name(number);

	try_on_vm(probe, number, pointer, name ? name : "?");
}
