/* SPDX-License-Identifier: GPL-2.0-only */
/* Creates VMs and vCPUs of each type and takes them through their launch. */
#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compat_kvm.h"

#define SEV_POLICY_NODBG 0x1
#define SEV_POLICY_ES 0x4
/* Bit 17 must be one; bit 16 allows SMT. */
#define SNP_POLICY 0x30000

struct reg_cache {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_sregs2 sregs2;
	struct kvm_fpu fpu;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp_state;
	/* Ends in a flexible array. */
	struct kvm_xsave xsave;
};

/* The order of struct kvm_regs. */
static const char *const reg_names[] = {
	"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp", "r8",
	"r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rip", "rflags",
};

static const struct {
	const char *name;
	int id;
	bool legacy;
} types[] = {
	{"default", VM_TYPE_DEFAULT, false},
	{"sw-protected", VM_TYPE_SW_PROTECTED, false},
	{"sev", VM_TYPE_SEV, false},
	{"sev-es", VM_TYPE_SEV_ES, false},
	{"sev-snp", VM_TYPE_SNP, false},
	{"tdx", VM_TYPE_TDX, false},
	{"legacy-sev-es", VM_TYPE_DEFAULT, true},
};

size_t reg_index(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(reg_names) / sizeof(reg_names[0]); i++)
		if (strcmp(reg_names[i], name) == 0)
			break;
	return i;
}

__attribute__((format(printf, 2, 3))) static void set_broken(struct vm *vm, const char *format, ...)
{
	va_list args;

	if (vm->broken)
		return;
	va_start(args, format);
	if (vasprintf(&vm->broken, format, args) < 0)
		abort();
	va_end(args);
	fprintf(stderr, "probe: %s: %s\n", vm->type, vm->broken);
}

struct vm *vm_current(struct probe *probe)
{
	return probe->n_vms > 0 ? probe->vms[probe->n_vms - 1] : NULL;
}

struct vcpu *vcpu_current(struct probe *probe)
{
	struct vm *vm = vm_current(probe);

	return vm && vm->n_vcpus > 0 ? &vm->vcpus[vm->n_vcpus - 1] : NULL;
}

static struct vm *create(struct probe *probe, int id, const char *type)
{
	struct vm *vm;

	if (probe->n_vms == PROBE_MAX_VMS) {
		fprintf(stderr, "probe: too many VMs\n");
		return NULL;
	}
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		abort();
	vm->id = id;
	snprintf(vm->type, sizeof(vm->type), "%s", type);
	probe->vms[probe->n_vms++] = vm;
	vm->fd = ioctl(probe->system_fd, KVM_CREATE_VM, (unsigned long)id);
	if (vm->fd < 0)
		set_broken(vm, "KVM_CREATE_VM(%d): %s", id, strerror(errno));
	return vm;
}

int vm_new_raw(struct probe *probe, int id)
{
	char type[24];

	snprintf(type, sizeof(type), "raw-%d", id);
	return create(probe, id, type) ? 0 : -EINVAL;
}

int vm_sev_command(struct vm *vm, uint32_t id, const void *data)
{
	static int sev_fd = -2;
	struct kvm_sev_cmd cmd = {.id = id, .data = (uintptr_t)data};

	/* Real firmware wants it; the stand-in of the tests does not look. */
	if (sev_fd == -2)
		sev_fd = open("/dev/sev", O_RDWR | O_CLOEXEC);
	cmd.sev_fd = sev_fd < 0 ? 0 : (uint32_t)sev_fd;
	return ioctl(vm->fd, KVM_MEMORY_ENCRYPT_OP, &cmd) < 0 ? -errno : 0;
}

static int tdx_command(struct vm *vm, uint32_t id, const void *data)
{
	struct tdx_cmd cmd = {.id = id, .data = (uintptr_t)data};
	int r;

	r = ioctl(vm->fd, KVM_MEMORY_ENCRYPT_OP, &cmd) < 0 ? -errno : 0;
	if (r < 0)
		set_broken(vm, "TDX command %u: %s", id, strerror(-r));
	return r;
}

/* A command that the launch cannot do without. */
static int launch_command(struct vm *vm, uint32_t id, const void *data)
{
	int r;

	r = vm_sev_command(vm, id, data);
	if (r < 0)
		set_broken(vm, "SEV command %u: %s", id, strerror(-r));
	return r;
}

static void launch_sev(struct vm *vm, bool legacy)
{
	struct sev_init2 init = {0};
	struct kvm_sev_launch_start start = {.policy = SEV_POLICY_NODBG};
	int r;

	if (legacy || vm->id == VM_TYPE_SEV_ES)
		start.policy |= SEV_POLICY_ES;
	r = legacy ? launch_command(vm, SEV_CMD_SEV_ES_INIT, NULL)
		   : launch_command(vm, SEV_CMD_INIT2, &init);
	if (r < 0)
		return;
	vm->launched = launch_command(vm, SEV_CMD_LAUNCH_START, &start) == 0;
}

static void launch_snp(struct vm *vm)
{
	struct sev_init2 init = {0};
	struct snp_launch_start start = {.policy = SNP_POLICY};

	if (launch_command(vm, SEV_CMD_INIT2, &init) < 0)
		return;
	vm->launched = launch_command(vm, SEV_CMD_SNP_LAUNCH_START, &start) == 0;
}

/* Enough for the stand-in of the tests; the TDX module wants the guest's CPUID too. */
static void launch_td(struct vm *vm)
{
	struct tdx_init_vm init = {0};

	vm->launched = tdx_command(vm, TDX_CMD_INIT_VM, &init) == 0;
}

int vm_new(struct probe *probe, const char *type)
{
	size_t i, n = sizeof(types) / sizeof(types[0]);
	struct vm *vm;

	for (i = 0; i < n && strcmp(types[i].name, type) != 0; i++)
		;
	if (i == n)
		return -EINVAL;
	vm = create(probe, types[i].id, type);
	if (!vm)
		return -EINVAL;
	if (vm->broken)
		return 0;
	if (types[i].legacy || vm->id == VM_TYPE_SEV || vm->id == VM_TYPE_SEV_ES)
		launch_sev(vm, types[i].legacy);
	else if (vm->id == VM_TYPE_SNP)
		launch_snp(vm);
	else if (vm->id == VM_TYPE_TDX)
		launch_td(vm);
	return 0;
}

void vm_mirror(struct probe *probe)
{
	struct vm *source = vm_current(probe), *vm;
	struct kvm_enable_cap cap = {.cap = KVM_CAP_VM_COPY_ENC_CONTEXT_FROM};

	vm = create(probe, VM_TYPE_DEFAULT, "mirror");
	if (!vm || vm->broken)
		return;
	vm->mirror = true;
	if (source->broken || source->fd < 0) {
		set_broken(vm, "its source is not usable");
		return;
	}
	cap.args[0] = (uint64_t)source->fd;
	if (ioctl(vm->fd, KVM_ENABLE_CAP, &cap) < 0)
		set_broken(vm, "KVM_CAP_VM_COPY_ENC_CONTEXT_FROM: %s", strerror(errno));
	else
		vm->launched = true;
}

void vm_move(struct probe *probe)
{
	struct vm *source = vm_current(probe), *vm;
	struct kvm_enable_cap cap = {.cap = KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM};

	vm = create(probe, source->id, "moved");
	if (!vm || vm->broken)
		return;
	for (size_t i = 0; i < source->n_vcpus; i++)
		vm_add_vcpu(probe);
	if (source->broken || source->fd < 0) {
		set_broken(vm, "its source is not usable");
		return;
	}
	cap.args[0] = (uint64_t)source->fd;
	if (ioctl(vm->fd, KVM_ENABLE_CAP, &cap) < 0)
		set_broken(vm, "KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM: %s", strerror(errno));
	else
		vm->launched = vm->sealed = true;
}

static void read_registers(struct vcpu *vcpu, bool sealed)
{
	struct reg_cache *c = vcpu->cache;
	const struct {
		unsigned long cmd;
		void *into;
	} reads[] = {
		{KVM_GET_REGS, &c->regs},	    {KVM_GET_SREGS, &c->sregs},
		{KVM_GET_SREGS2, &c->sregs2},	    {KVM_GET_FPU, &c->fpu},
		{KVM_GET_XSAVE, &c->xsave},	    {KVM_GET_XCRS, &c->xcrs},
		{KVM_GET_DEBUGREGS, &c->debugregs}, {KVM_GET_VCPU_EVENTS, &c->events},
		{KVM_GET_MP_STATE, &c->mp_state},
	};

	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++)
		if (ioctl(vcpu->fd, reads[i].cmd, reads[i].into) < 0 && !sealed)
			fprintf(stderr, "probe: %s of a fresh vCPU: %s\n",
				ioctl_name((uint32_t)reads[i].cmd), strerror(errno));
}

void vm_add_vcpu(struct probe *probe)
{
	struct vm *vm = vm_current(probe);
	struct vcpu *vcpu;
	int size;

	if (vm->broken)
		return;
	if (vm->n_vcpus == PROBE_MAX_VCPUS) {
		set_broken(vm, "too many vCPUs");
		return;
	}
	vcpu = &vm->vcpus[vm->n_vcpus];
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, vm->n_vcpus);
	if (vcpu->fd < 0) {
		set_broken(vm, "KVM_CREATE_VCPU: %s", strerror(errno));
		return;
	}
	size = ioctl(probe->system_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	vcpu->run_size = size < 0 ? 0 : (size_t)size;
	vcpu->run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	vcpu->cache = calloc(1, sizeof(*vcpu->cache));
	if (vcpu->run == MAP_FAILED || !vcpu->cache) {
		set_broken(vm, "no kvm_run: %s", strerror(errno));
		return;
	}
	/* Whoever calls KVM_RUN here wants to pass the door, not to run a guest. */
	vcpu->run->immediate_exit = 1;
	/* A TD's vCPU is sealed from the beginning. */
	if (vm->id == VM_TYPE_TDX)
		vm->sealed = true;
	read_registers(vcpu, vm->sealed);
	vm->n_vcpus++;
}

void vm_close_vcpu(struct vcpu *vcpu)
{
	if (vcpu->fd < 0)
		return;
	munmap(vcpu->run, vcpu->run_size);
	close(vcpu->fd);
	vcpu->fd = -1;
	vcpu->run = NULL;
}

void vm_seal(struct probe *probe)
{
	struct snp_launch_finish finish = {0};
	uint8_t measurement[64];
	struct kvm_sev_launch_measure measure = {
		.uaddr = (uintptr_t)measurement,
		.len = sizeof(measurement),
	};
	struct vm *vm = vm_current(probe);

	if (vm->broken)
		return;
	if (!vm->launched) {
		fprintf(stderr, "probe: %s has nothing to seal\n", vm->type);
		return;
	}
	if (vm->id == VM_TYPE_TDX) {
		vm->sealed = tdx_command(vm, TDX_CMD_FINALIZE_VM, NULL) == 0;
		return;
	}
	if (vm->id == VM_TYPE_SNP) {
		vm->sealed = launch_command(vm, SEV_CMD_SNP_LAUNCH_FINISH, &finish) == 0;
		return;
	}
	if (vm->id != VM_TYPE_SEV && launch_command(vm, SEV_CMD_LAUNCH_UPDATE_VMSA, NULL) < 0)
		return;
	/* The rest is its source's business. */
	if (vm->mirror) {
		vm->sealed = true;
		return;
	}
	if (launch_command(vm, SEV_CMD_LAUNCH_MEASURE, &measure) < 0)
		return;
	vm->sealed = launch_command(vm, SEV_CMD_LAUNCH_FINISH, NULL) == 0;
}

void vcpu_fill(const struct vcpu *vcpu, uint32_t number, void *buffer)
{
	const struct reg_cache *c = vcpu ? vcpu->cache : NULL;

	memset(buffer, 0, PROBE_BUFFER_SIZE);
	if (!c)
		return;
	switch (ioctl_getter(number)) {
	case KVM_GET_REGS:
		memcpy(buffer, &c->regs, sizeof(c->regs));
		break;
	case KVM_GET_SREGS:
		memcpy(buffer, &c->sregs, sizeof(c->sregs));
		break;
	case KVM_GET_SREGS2:
		memcpy(buffer, &c->sregs2, sizeof(c->sregs2));
		break;
	case KVM_GET_FPU:
		memcpy(buffer, &c->fpu, sizeof(c->fpu));
		break;
	case KVM_GET_XSAVE:
		memcpy(buffer, &c->xsave, sizeof(c->xsave));
		break;
	case KVM_GET_XCRS:
		memcpy(buffer, &c->xcrs, sizeof(c->xcrs));
		break;
	case KVM_GET_DEBUGREGS:
		memcpy(buffer, &c->debugregs, sizeof(c->debugregs));
		break;
	case KVM_GET_VCPU_EVENTS:
		memcpy(buffer, &c->events, sizeof(c->events));
		break;
	case KVM_GET_MP_STATE:
		memcpy(buffer, &c->mp_state, sizeof(c->mp_state));
		break;
	default:
		break;
	}
}
