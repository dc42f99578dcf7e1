/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads the steps of a script and runs them. */
#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat_kvm.h"

static bool parse_u64(const char *text, int base, uint64_t *ret)
{
	char *end;

	if (*text == '\0' || *text == '-' || *text == '+' || *text == ' ')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, base);
	return errno == 0 && *end == '\0';
}

static bool parse_op(const char *op, uint32_t *ret)
{
	const struct ioctl_op *known = ioctl_by_name(op);
	uint64_t number;

	if (known)
		number = known->number;
	else if (strncmp(op, "0x", 2) != 0 || !parse_u64(op, 16, &number) || number > UINT32_MAX)
		return false;
	*ret = (uint32_t)number;
	return true;
}

static int try_ops(struct probe *probe, enum caller caller, const char *op)
{
	const uint32_t *group = ioctl_group(op);
	uint32_t number;

	if (group) {
		for (; *group; group++)
			try_one(probe, caller, *group, NULL);
		return 0;
	}
	if (!parse_op(op, &number))
		return -EINVAL;
	try_one(probe, caller, number, NULL);
	return 0;
}

static int repeat(struct probe *probe, const char *value)
{
	const char *colon = strchr(value, ':');
	uint64_t times;
	uint32_t number;
	char text[24];

	if (!colon || (size_t)(colon - value) >= sizeof(text))
		return -EINVAL;
	snprintf(text, sizeof(text), "%.*s", (int)(colon - value), value);
	if (!parse_u64(text, 10, &times) || times == 0 || !parse_op(colon + 1, &number))
		return -EINVAL;
	try_repeat(probe, times, number, colon + 1);
	return 0;
}

static int set_reg(struct probe *probe, const char *value)
{
	const char *colon = strchr(value, ':');
	char name[8];
	size_t i;

	if (!colon || (size_t)(colon - value) >= sizeof(name))
		return -EINVAL;
	snprintf(name, sizeof(name), "%.*s", (int)(colon - value), value);
	i = reg_index(name);
	if (i >= sizeof(probe->regs) / sizeof(probe->regs[0]) ||
	    !parse_u64(colon + 1, 16, &probe->regs[i]))
		return -EINVAL;
	probe->regs_set |= 1U << i;
	return 0;
}

static void show_regs(struct probe *probe)
{
	struct vcpu *vcpu = vcpu_current(probe);
	struct kvm_regs regs;
	long r;

	if (!vcpu || vcpu->fd < 0)
		r = -EBADF;
	else
		r = enter(ENTRY_NATIVE, vcpu->fd, KVM_GET_REGS, (uintptr_t)&regs, 0);
	if (r < 0)
		printf("# rbx=%s\n", error_name(-r));
	else
		printf("# rbx=0x%llx\n", regs.rbx);
	fflush(stdout);
}

static int close_fds(struct probe *probe, const char *what)
{
	struct vm *vm = vm_current(probe);
	bool all = strcmp(what, "all") == 0;

	if (!all && strcmp(what, "vm") != 0 && strcmp(what, "vcpu") != 0)
		return -EINVAL;
	if (!vm)
		return -EINVAL;
	if ((all || strcmp(what, "vm") == 0) && vm->fd >= 0) {
		close(vm->fd);
		vm->fd = -1;
	}
	if (strcmp(what, "vcpu") == 0 && vcpu_current(probe))
		vm_close_vcpu(vcpu_current(probe));
	for (size_t i = 0; all && i < vm->n_vcpus; i++)
		vm_close_vcpu(&vm->vcpus[i]);
	if (all)
		drop_extra_fd(probe);
	return 0;
}

static int choose_entry(struct probe *probe, const char *name)
{
	if (strcmp(name, "native") == 0)
		probe->entry = ENTRY_NATIVE;
	else if (strcmp(name, "compat") == 0)
		probe->entry = ENTRY_COMPAT;
	else if (strcmp(name, "x32") == 0)
		probe->entry = ENTRY_X32;
	else
		return -EINVAL;
	probe->entry_works = entry_works(probe->entry);
	return 0;
}

static void hold(void)
{
	char byte;

	printf("holding %d\n", getpid());
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

/* Until a line arrives, or the end of the file. */
static void wait_for_line(void)
{
	char byte;

	printf("waiting %d\n", getpid());
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0 && byte != '\n')
		;
}

/* Another process has the descriptors from here on, but not the memory; ours ends as it does. */
static void go_on_in_child(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		return;
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		_exit(3);
	_exit(WEXITSTATUS(status));
}

static int run_plain_step(struct probe *probe, const char *step)
{
	if (strcmp(step, "child") == 0) {
		go_on_in_child();
		return 0;
	}
	if (strcmp(step, "hold") == 0) {
		hold();
		return 0;
	}
	if (strcmp(step, "wait") == 0) {
		wait_for_line();
		return 0;
	}
	if (!vm_current(probe))
		return -EINVAL;
	if (strcmp(step, "vcpu") == 0)
		vm_add_vcpu(probe);
	else if (strcmp(step, "mirror") == 0)
		vm_mirror(probe);
	else if (strcmp(step, "move") == 0)
		vm_move(probe);
	else if (strcmp(step, "seal") == 0)
		vm_seal(probe);
	else if (strcmp(step, "show-regs") == 0)
		show_regs(probe);
	else if (strcmp(step, "run") == 0)
		try_run(probe, NULL);
	else if (strcmp(step, "sync-regs") == 0)
		try_sync_regs(probe, false);
	else if (strcmp(step, "foreign-sync-regs") == 0)
		try_sync_regs(probe, true);
	else if (strcmp(step, "foreign-exit") == 0)
		try_foreign_exit(probe);
	else
		return -EINVAL;
	return 0;
}

static int run_number_step(struct probe *probe, const char *key, const char *value)
{
	uint64_t number;

	if (strcmp(key, "raw-vm") == 0 || strcmp(key, "sev-cmd") == 0 || strcmp(key, "cap") == 0) {
		if (!parse_u64(value, 10, &number) || number > INT32_MAX)
			return -EINVAL;
		if (strcmp(key, "raw-vm") == 0)
			return vm_new_raw(probe, (int)number);
		if (strcmp(key, "cap") == 0)
			try_capability(probe, number);
		else
			try_sev_command(probe, number);
		return 0;
	}
	if (!parse_u64(value, 16, &number))
		return -EINVAL;
	if (strcmp(key, "arg") == 0) {
		probe->arg = number;
		return 0;
	}
	if (strcmp(key, "high") == 0 && number <= UINT32_MAX) {
		probe->high = (uint32_t)number;
		return 0;
	}
	return -EINVAL;
}

int run_step(struct probe *probe, const char *step)
{
	const char *value = strchr(step, '=');
	char key[16];
	uint32_t op;

	if (!value)
		return run_plain_step(probe, step);
	if ((size_t)(value - step) >= sizeof(key))
		return -EINVAL;
	snprintf(key, sizeof(key), "%.*s", (int)(value - step), step);
	value++;

	if (strcmp(key, "vm") == 0)
		return vm_new(probe, value);
	if (strcmp(key, "entry") == 0)
		return choose_entry(probe, value);
	if (strcmp(key, "fd") == 0)
		return choose_fd(probe, value);
	if (strcmp(key, "close") == 0)
		return close_fds(probe, value);
	if (strcmp(key, "try") == 0)
		return try_ops(probe, CALLER_SELF, value);
	if (strcmp(key, "clone-vm") == 0)
		return try_ops(probe, CALLER_CLONE_VM, value);
	if (strcmp(key, "fork") == 0)
		return try_ops(probe, CALLER_FORK, value);
	if (strcmp(key, "sent") == 0)
		return try_ops(probe, CALLER_SENT, value);
	if (strcmp(key, "take") == 0)
		return try_ops(probe, CALLER_TAKE, value);
	if (strcmp(key, "take-vm") == 0)
		return try_ops(probe, CALLER_TAKE_VM, value);
	if (strcmp(key, "repeat") == 0)
		return repeat(probe, value);
	if (strcmp(key, "unreadable") == 0 || strcmp(key, "null") == 0) {
		if (!parse_op(value, &op))
			return -EINVAL;
		/* Nothing is ever mapped at the first page but one. */
		try_pointer(probe, op, strcmp(key, "null") == 0 ? 0 : 4096);
		return 0;
	}
	if (strcmp(key, "reg") == 0)
		return set_reg(probe, value);
	if (strcmp(key, "marker") == 0) {
		printf("# %s\n", value);
		fflush(stdout);
		return 0;
	}
	return run_number_step(probe, key, value);
}
