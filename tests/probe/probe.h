/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the probe, a scripted caller of KVM ioctls, share. */
#ifndef KW_PROBE_H
#define KW_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROBE_MAX_VMS 64
#define PROBE_MAX_VCPUS 64
/* No x86 ioctl of KVM reads or writes more; XSAVE with AMX is the largest. */
#define PROBE_BUFFER_SIZE 65536

enum entry {
	ENTRY_NATIVE,
	ENTRY_COMPAT,
	ENTRY_X32,
};

enum fd_kind {
	FD_VCPU,
	FD_VM,
	FD_SYSTEM,
	/* From here on the fd is made when it is chosen. */
	FD_DUP,
	FD_PASSED,
	FD_PIDFD, /* from a child, by pidfd_getfd() */
	FD_PIPE,
	FD_SOCKET,
	FD_STATS,
	FD_FILE,
	FD_GMEM,
	FD_DEVICE,
	_FD_MAX,
};

enum caller {
	CALLER_SELF,
	CALLER_CLONE_VM,
	CALLER_FORK,
	/* Closes what it inherited, and has it again from us. */
	CALLER_SENT, /* by SCM_RIGHTS, without our memory */
	CALLER_TAKE, /* by pidfd_getfd(), without our memory */
	CALLER_TAKE_VM, /* the same, with our memory */
};

/* One ioctl of KVM on x86. */
struct ioctl_op {
	const char *name;
	uint32_t number;
};

/* The answers to the GET_* ioctls of a fresh vCPU. */
struct reg_cache;

struct vcpu {
	int fd;
	struct kvm_run *run;
	size_t run_size;
	struct reg_cache *cache;
};

struct vm {
	int fd;
	int id;
	char type[24];
	bool launched;
	bool mirror;
	bool sealed;
	/* Why nothing can be tried on this VM; NULL if something can. */
	char *broken;
	struct vcpu vcpus[PROBE_MAX_VCPUS];
	size_t n_vcpus;
};

struct probe {
	int system_fd;
	struct vm *vms[PROBE_MAX_VMS];
	size_t n_vms;
	enum entry entry;
	bool entry_works;
	uint32_t high;
	enum fd_kind fd;
	int extra_fd;
	int our_errno;
	uint64_t arg;
	/* Values that the next KVM_SET_REGS writes. */
	uint64_t regs[18];
	uint32_t regs_set;
	/* Below 4 GiB, so that a 32-bit caller can name it. */
	void *buffer;
	bool could_not_try;
};

/* ioctls.c */

/* NULL if there is no ioctl of that name. */
const struct ioctl_op *ioctl_by_name(const char *name);
const char *ioctl_name(uint32_t number);
/* A list of numbers that ends with 0; NULL if there is no group of that name. */
const uint32_t *ioctl_group(const char *name);
/* The ioctl that reads what this one writes, 0 if it is none of registers. */
uint32_t ioctl_getter(uint32_t number);
bool ioctl_makes_fd(uint32_t number);

/* entry.c: these return what the kernel returned, so errors are negative. */

long enter(enum entry entry, int fd, uint32_t cmd, uint64_t arg, uint32_t high);
long enter_as(enum caller caller, enum entry entry, int fd, uint32_t cmd, uint64_t arg,
	      uint32_t high);
bool entry_works(enum entry entry);
int pass_fd(int fd);
int fd_from_child(int fd);

/* vm.c */

/* Creates and launches a VM of a named type; it is broken if that fails. */
int vm_new(struct probe *probe, const char *type);
int vm_new_raw(struct probe *probe, int id);
/* Creates a default VM that shares the current one's encryption context. */
void vm_mirror(struct probe *probe);
/* Moves the current one's encryption context to a new VM of its type with as many vCPUs. */
void vm_move(struct probe *probe);
struct vm *vm_current(struct probe *probe);
void vm_add_vcpu(struct probe *probe);
struct vcpu *vcpu_current(struct probe *probe);
void vm_seal(struct probe *probe);
void vm_close_vcpu(struct vcpu *vcpu);
/* Issues a SEV command as the launch does; returns 0 or a negative errno. */
int vm_sev_command(struct vm *vm, uint32_t id, const void *data);
/* Fills buffer with what the cached GET_* answered for this SET_*, else zeroes. */
void vcpu_fill(const struct vcpu *vcpu, uint32_t number, void *buffer);
size_t reg_index(const char *name);

/* try.c */

const char *error_name(long error);
int choose_fd(struct probe *probe, const char *name);
/* Closes the fd that choose_fd() made, if it made one. */
void drop_extra_fd(struct probe *probe);
/* Each makes its attempts with the entry and fd chosen, and prints one line. */
void try_one(struct probe *probe, enum caller caller, uint32_t number, const char *label);
/* The line's outcome is the worst: one refusal is a refusal. */
void try_repeat(struct probe *probe, uint64_t times, uint32_t number, const char *label);
void try_run(struct probe *probe, const char *label);
/* KVM_RUN with registers in kvm_run, marked dirty; written by another process if foreign. */
void try_sync_regs(struct probe *probe, bool foreign);
/* KVM_RUN whose immediate_exit another process has taken back. */
void try_foreign_exit(struct probe *probe);
void try_sev_command(struct probe *probe, uint64_t id);
void try_capability(struct probe *probe, uint64_t number);
/* On the VM, with this as the argument whatever lies there. */
void try_pointer(struct probe *probe, uint32_t number, uint64_t pointer);

/* steps.c */

/* Runs one step; returns 0, or -EINVAL if there is no such step. */
int run_step(struct probe *probe, const char *step);

#endif
