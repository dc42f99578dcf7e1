/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Test-only kernel module: makes virtual machines of every type creatable on a
 * machine without SEV or TDX, standing in for the firmware only.
 *
 * NEVER load this outside a test guest. It claims protection that is not
 * there, and it patches running KVM code.
 *
 * What it does:
 *
 *  - It sets the bits of the VM types in kvm_caps.supported_vm_types. KVM then
 *    creates such VMs by itself: vm_type, has_protected_state and need_init are
 *    its own doing.
 *  - It takes the place of kvm_amd's sev_mem_enc_ioctl(), which answers ENOTTY
 *    without SEV. The launch commands make the checks of KVM that need no
 *    firmware and then set what the real handlers set: active, es_active,
 *    handle and vmsa_features of the VM, guest_state_protected of each vCPU,
 *    and, for SEV-ES but not for SNP, a confidential fpstate. The data of the
 *    other commands is not looked at; those that would need the firmware for
 *    more than an answer get ENODEV, as if it were missing.
 *  - Where KVM would hand a command to the firmware, it calls the same door,
 *    sev_issue_cmd_external_user() of ccp, with the same number. Only the file
 *    of /dev/sev is missing, so ccp refuses; whoever watches the door sees it.
 *  - It counts what passed KVM's own checks, in debugfs below kw_sev_test:
 *    "executed" has a line "ID COUNT" per sub-command, "executed_tdx" the same
 *    for TDX, "enabled_caps" for the capabilities that copy or move a context.
 *  - It answers EINVAL where KVM would enter such a guest: there is no ASID.
 *  - It takes the marks away before KVM destroys the VM, because KVM would give
 *    the ASID back. The VMSA pages of the vCPUs are leaked, and so is the charge
 *    of a VM that a context was moved to.
 *
 * TDX belongs to kvm_intel, which is not there, so for type 5 it stands in for
 * that too: it sets what tdx_vm_init() sets at creation and what
 * tdx_vcpu_create() sets at KVM_CREATE_VCPU (a TDX vCPU is sealed from then on),
 * refuses a vCPU before KVM_TDX_INIT_VM, and answers the commands of vCPUs on
 * the VM's fd as well, because kvm_amd has none on the vCPU's. need_init stays
 * set, so that such a vCPU never runs.
 *
 * Everything else is KVM's own. Kernels before 6.10 have no VM types; there
 * it serves the legacy commands only.
 *
 * BPF programs may hang on sev_mem_enc_ioctl() too: fexit sees what the
 * stand-in returned, whichever came first.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/kprobes.h>
#include <linux/kvm_host.h>
#include <linux/misc_cgroup.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/psp-sev.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include <asm/fpu/api.h>

#include "kw_sev_offsets.h"

/* The names are younger than the oldest headers this is built against. */
enum {
	TYPE_DEFAULT = 0,
	TYPE_SW_PROTECTED = 1,
	TYPE_SEV = 2,
	TYPE_SEV_ES = 3,
	TYPE_SNP = 4,
	TYPE_TDX = 5,
};

enum {
	CMD_INIT = 0,
	CMD_ES_INIT = 1,
	CMD_LAUNCH_START = 2,
	CMD_LAUNCH_UPDATE_DATA = 3,
	CMD_LAUNCH_UPDATE_VMSA = 4,
	CMD_LAUNCH_SECRET = 5,
	CMD_LAUNCH_MEASURE = 6,
	CMD_LAUNCH_FINISH = 7,
	CMD_SEND_START = 8,
	CMD_SEND_UPDATE_DATA = 9,
	CMD_SEND_FINISH = 11,
	CMD_RECEIVE_START = 12,
	CMD_RECEIVE_UPDATE_DATA = 13,
	CMD_RECEIVE_FINISH = 15,
	CMD_GUEST_STATUS = 16,
	CMD_DBG_DECRYPT = 17,
	CMD_DBG_ENCRYPT = 18,
	CMD_GET_ATTESTATION_REPORT = 20,
	CMD_SEND_CANCEL = 21,
	CMD_INIT2 = 22,
	CMD_SNP_LAUNCH_START = 100,
	CMD_SNP_LAUNCH_UPDATE = 101,
	CMD_SNP_LAUNCH_FINISH = 102,
	_CMD_MAX,
};

enum {
	TDX_CAPABILITIES = 0,
	TDX_INIT_VM = 1,
	TDX_INIT_VCPU = 2,
	TDX_INIT_MEM_REGION = 3,
	TDX_FINALIZE_VM = 4,
	TDX_GET_CPUID = 5,
	_TDX_MAX,
};

/* Of the firmware; the others are in linux/psp-sev.h. */
enum {
	FW_SNP_ACTIVATE = 0x091,
	FW_SNP_GCTX_CREATE = 0x093,
	FW_SNP_LAUNCH_START = 0x0a0,
	FW_SNP_LAUNCH_UPDATE = 0x0a1,
	FW_SNP_LAUNCH_FINISH = 0x0a2,
};

enum {
	CAP_COPY_ENC_CONTEXT_FROM = 197,
	CAP_MOVE_ENC_CONTEXT_FROM = 206,
	_CAP_MAX,
};

struct sev_init2 {
	__u64 vmsa_features;
	__u32 flags;
	__u16 ghcb_version;
	__u16 pad1;
	__u32 pad2[8];
};

struct tdx_cmd {
	__u32 id;
	__u32 flags;
	__u64 data;
	__u64 hw_error;
};

/* The state of a TD is kept where SEV keeps its handle. */
enum {
	TD_UNINITIALIZED,
	TD_INITIALIZED,
	TD_RUNNABLE,
};

#define TD_ATTRIBUTE_SEPT_VE_DISABLE BIT_ULL(28)

#define HAVE_VM_TYPES (KW_SUPPORTED_VM_TYPES >= 0)
#define FEATURE_SNP_ACTIVE BIT_ULL(0)
#define GHCB_VERSION_LAST 2

/* A field of struct kvm_svm, whose definition is private to kvm_amd. */
#define SEV(kvm, type, FIELD) (*(type *)((char *)(kvm) + KW_SEV_##FIELD))

static int type_of(struct kvm *kvm)
{
#if KW_SUPPORTED_VM_TYPES >= 0
	return kvm->arch.vm_type;
#else
	return TYPE_DEFAULT;
#endif
}

static bool is_sev(struct kvm *kvm)
{
	return SEV(kvm, bool, ACTIVE);
}

static bool is_es(struct kvm *kvm)
{
	return is_sev(kvm) && SEV(kvm, bool, ES_ACTIVE);
}

static bool is_snp(struct kvm *kvm)
{
	return is_es(kvm) && type_of(kvm) == TYPE_SNP;
}

static bool is_td(struct kvm *kvm)
{
	return type_of(kvm) == TYPE_TDX;
}

static bool is_mirror(struct kvm *kvm)
{
	return SEV(kvm, struct kvm *, ENC_CONTEXT_OWNER);
}

/* The real handler makes a firmware context; its handle is never 0. */
static bool is_started(struct kvm *kvm)
{
	return SEV(kvm, u32, HANDLE) != 0;
}

static atomic_t executed[_CMD_MAX], executed_tdx[_TDX_MAX], enabled_caps[_CAP_MAX];

/* The door to the firmware that all of KVM's commands go through. */
static void firmware(unsigned int command)
{
	int error = 0;

	sev_issue_cmd_external_user(NULL, command, NULL, &error);
}

static int init_vm(struct kvm *kvm, u32 id, bool es, u64 features, u16 ghcb_version)
{
	if (kvm->created_vcpus || is_sev(kvm))
		return -EINVAL;
	atomic_inc(&executed[id]);

	INIT_LIST_HEAD(&SEV(kvm, struct list_head, REGIONS_LIST));
	INIT_LIST_HEAD(&SEV(kvm, struct list_head, MIRROR_VMS));
#if KW_SEV_VMSA_FEATURES >= 0
	SEV(kvm, u64, VMSA_FEATURES) = features;
#endif
#if KW_SEV_GHCB_VERSION >= 0
	SEV(kvm, u16, GHCB_VERSION) = ghcb_version;
#endif
#if KW_SEV_NEED_INIT >= 0
	SEV(kvm, bool, NEED_INIT) = false;
#endif
	SEV(kvm, bool, ES_ACTIVE) = es;
	SEV(kvm, bool, ACTIVE) = true;
	return 0;
}

static int legacy_init(struct kvm *kvm, u32 id)
{
	if (type_of(kvm) != TYPE_DEFAULT)
		return -EINVAL;
	return init_vm(kvm, id, id == CMD_ES_INIT, 0, 0);
}

static int init2(struct kvm *kvm, void __user *from)
{
	int type = type_of(kvm);
	bool es = type != TYPE_SEV;
	struct sev_init2 init;

	if (type != TYPE_SEV && type != TYPE_SEV_ES && type != TYPE_SNP)
		return -EINVAL;
	if (copy_from_user(&init, from, sizeof(init)))
		return -EFAULT;
	if (init.vmsa_features || init.flags)
		return -EINVAL;
	if (init.ghcb_version > GHCB_VERSION_LAST || (!es && init.ghcb_version))
		return -EINVAL;
	if (es && !init.ghcb_version)
		init.ghcb_version = GHCB_VERSION_LAST;
	return init_vm(kvm, CMD_INIT2, es, type == TYPE_SNP ? FEATURE_SNP_ACTIVE : 0,
		       init.ghcb_version);
}

static int launch_start(struct kvm *kvm)
{
	firmware(SEV_CMD_LAUNCH_START);
	/* The firmware refuses a second context on the same ASID. */
	if (is_started(kvm))
		return -EINVAL;
	SEV(kvm, u32, HANDLE) = 1;
	return 0;
}

static int protect_vcpu(struct kvm_vcpu *vcpu)
{
	if (vcpu->guest_debug)
		return -EINVAL;
	firmware(is_snp(vcpu->kvm) ? FW_SNP_LAUNCH_UPDATE : SEV_CMD_LAUNCH_UPDATE_VMSA);
	/* The firmware refuses without a context; KVM lets no SNP guest come so far. */
	if (!is_started(vcpu->kvm))
		return -EIO;
	vcpu->arch.guest_state_protected = true;
	if (!is_snp(vcpu->kvm))
		fpstate_set_confidential(&vcpu->arch.guest_fpu);
	return 0;
}

static int protect_all(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;
	int r;

	kvm_for_each_vcpu(i, vcpu, kvm)
	{
		if (mutex_lock_killable(&vcpu->mutex))
			return -EINTR;
		r = protect_vcpu(vcpu);
		mutex_unlock(&vcpu->mutex);
		if (r < 0)
			return r;
	}
	return 0;
}

static int guest_status(struct kvm *kvm, void __user *to)
{
	struct kvm_sev_guest_status status = {.handle = SEV(kvm, u32, HANDLE)};

	firmware(SEV_CMD_GUEST_STATUS);
	if (!is_started(kvm))
		return -EIO;
	return copy_to_user(to, &status, sizeof(status)) ? -EFAULT : 0;
}

static int snp_start(struct kvm *kvm)
{
	firmware(FW_SNP_GCTX_CREATE);
	firmware(FW_SNP_LAUNCH_START);
	firmware(FW_SNP_ACTIVATE);
	SEV(kvm, u32, HANDLE) = 1;
	return 0;
}

static int snp_finish(struct kvm *kvm)
{
	int r;

	r = protect_all(kvm);
	if (r < 0)
		return r;
	firmware(FW_SNP_LAUNCH_FINISH);
#if KW_SUPPORTED_VM_TYPES >= 0
	kvm->arch.pre_fault_allowed = true;
#endif
	return 0;
}

static int snp_command(struct kvm *kvm, u32 id)
{
	if (!HAVE_VM_TYPES)
		return -EINVAL;
	if (!is_snp(kvm))
		return id == CMD_SNP_LAUNCH_UPDATE ? -EINVAL : -ENOTTY;
	if (is_started(kvm) == (id == CMD_SNP_LAUNCH_START))
		return -EINVAL;

	atomic_inc(&executed[id]);
	if (id == CMD_SNP_LAUNCH_START)
		return snp_start(kvm);
	if (id == CMD_SNP_LAUNCH_FINISH)
		return snp_finish(kvm);
	firmware(FW_SNP_LAUNCH_UPDATE);
	return 0;
}

/* Commands of which KVM only asks that the guest is a SEV guest, then the firmware. */
static const struct {
	u32 id, firmware;
	/* Whether there is anything to it but an answer. */
	bool needs_firmware;
} simple_commands[] = {
	{CMD_LAUNCH_UPDATE_DATA, SEV_CMD_LAUNCH_UPDATE_DATA, false},
	{CMD_LAUNCH_SECRET, SEV_CMD_LAUNCH_UPDATE_SECRET, true},
	{CMD_LAUNCH_MEASURE, SEV_CMD_LAUNCH_MEASURE, false},
	{CMD_LAUNCH_FINISH, SEV_CMD_LAUNCH_FINISH, false},
	{CMD_SEND_START, SEV_CMD_SEND_START, true},
	{CMD_SEND_UPDATE_DATA, SEV_CMD_SEND_UPDATE_DATA, true},
	{CMD_SEND_FINISH, SEV_CMD_SEND_FINISH, true},
	{CMD_RECEIVE_START, SEV_CMD_RECEIVE_START, true},
	{CMD_RECEIVE_UPDATE_DATA, SEV_CMD_RECEIVE_UPDATE_DATA, true},
	{CMD_RECEIVE_FINISH, SEV_CMD_RECEIVE_FINISH, true},
	{CMD_DBG_DECRYPT, SEV_CMD_DBG_DECRYPT, true},
	{CMD_DBG_ENCRYPT, SEV_CMD_DBG_ENCRYPT, true},
	{CMD_GET_ATTESTATION_REPORT, SEV_CMD_ATTESTATION_REPORT, true},
	{CMD_SEND_CANCEL, SEV_CMD_SEND_CANCEL, true},
};

static int simple_command(struct kvm *kvm, u32 id)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(simple_commands); i++)
		if (simple_commands[i].id == id)
			break;
	if (i == ARRAY_SIZE(simple_commands))
		return -EINVAL;
	if (!is_sev(kvm))
		return id == CMD_RECEIVE_UPDATE_DATA ? -EINVAL : -ENOTTY;

	atomic_inc(&executed[id]);
	firmware(simple_commands[i].firmware);
	if (simple_commands[i].needs_firmware)
		return -ENODEV;
	/* The firmware refuses these without a context. */
	return is_started(kvm) ? 0 : -EIO;
}

static bool allowed_on_mirror(u32 id)
{
	return id == CMD_LAUNCH_UPDATE_VMSA || id == CMD_GUEST_STATUS || id == CMD_DBG_DECRYPT ||
	       id == CMD_DBG_ENCRYPT;
}

static int command(struct kvm *kvm, struct kvm_sev_cmd *cmd)
{
	if (is_mirror(kvm) && !allowed_on_mirror(cmd->id))
		return -EINVAL;
	if (is_snp(kvm) && cmd->id < CMD_SNP_LAUNCH_START)
		return -EPERM;

	switch (cmd->id) {
	case CMD_INIT:
	case CMD_ES_INIT:
		return legacy_init(kvm, cmd->id);
	case CMD_INIT2:
		return HAVE_VM_TYPES ? init2(kvm, u64_to_user_ptr(cmd->data)) : -EINVAL;
	case CMD_LAUNCH_START:
		if (!is_sev(kvm))
			return -ENOTTY;
		atomic_inc(&executed[cmd->id]);
		return launch_start(kvm);
	case CMD_LAUNCH_UPDATE_VMSA:
		if (!is_es(kvm))
			return -ENOTTY;
		atomic_inc(&executed[cmd->id]);
		return protect_all(kvm);
	case CMD_GUEST_STATUS:
		if (!is_sev(kvm))
			return -ENOTTY;
		atomic_inc(&executed[cmd->id]);
		return guest_status(kvm, u64_to_user_ptr(cmd->data));
	case CMD_SNP_LAUNCH_START:
	case CMD_SNP_LAUNCH_UPDATE:
	case CMD_SNP_LAUNCH_FINISH:
		return snp_command(kvm, cmd->id);
	default:
		return simple_command(kvm, cmd->id);
	}
}

static int td_init(struct kvm *kvm, void __user *from)
{
	u64 attributes;

	if (SEV(kvm, u32, HANDLE) != TD_UNINITIALIZED || kvm->created_vcpus)
		return -EINVAL;
	/* They come first in struct kvm_tdx_init_vm. */
	if (copy_from_user(&attributes, from, sizeof(attributes)))
		return -EFAULT;
	if (attributes & ~TD_ATTRIBUTE_SEPT_VE_DISABLE)
		return -EINVAL;
	SEV(kvm, u32, HANDLE) = TD_INITIALIZED;
	return 0;
}

static int td_command(struct kvm *kvm, const struct tdx_cmd *cmd)
{
	u32 state = SEV(kvm, u32, HANDLE);
	int r = 0;

	if (cmd->hw_error || cmd->id >= _TDX_MAX)
		return -EINVAL;
	if (cmd->id == TDX_INIT_VM)
		r = td_init(kvm, u64_to_user_ptr(cmd->data));
	else if (cmd->id != TDX_CAPABILITIES && state != TD_INITIALIZED)
		r = -EINVAL;
	if (r < 0)
		return r;
	if (cmd->id == TDX_FINALIZE_VM)
		SEV(kvm, u32, HANDLE) = TD_RUNNABLE;
	atomic_inc(&executed_tdx[cmd->id]);
	return 0;
}

static int td_ioctl(struct kvm *kvm, void __user *argp)
{
	struct tdx_cmd cmd;
	int r;

	if (copy_from_user(&cmd, argp, sizeof(cmd)))
		return -EFAULT;

	mutex_lock(&kvm->lock);
	r = td_command(kvm, &cmd);
	mutex_unlock(&kvm->lock);

	if (copy_to_user(argp, &cmd, sizeof(cmd)))
		r = -EFAULT;
	return r;
}

/* Runs in place of sev_mem_enc_ioctl(), in its caller's context. */
static int mem_enc_ioctl(struct kvm *kvm, void __user *argp)
{
	struct kvm_sev_cmd cmd;
	int r;

	if (is_td(kvm))
		return td_ioctl(kvm, argp);
	if (!argp)
		return 0;
	if (copy_from_user(&cmd, argp, sizeof(cmd)))
		return -EFAULT;

	mutex_lock(&kvm->lock);
	r = command(kvm, &cmd);
	mutex_unlock(&kvm->lock);

	if (copy_to_user(argp, &cmd, sizeof(cmd)))
		r = -EFAULT;
	return r;
}

static int divert_ioctl(struct kprobe *probe, struct pt_regs *regs)
{
	regs->ip = (unsigned long)mem_enc_ioctl;
	return 1;
}

static int refuse_run(struct kvm_vcpu *vcpu)
{
	return -EINVAL;
}

static int divert_run(struct kprobe *probe, struct pt_regs *regs)
{
	struct kvm_vcpu *vcpu = (struct kvm_vcpu *)regs->di;

	if (!is_sev(vcpu->kvm))
		return 0;
	regs->ip = (unsigned long)refuse_run;
	return 1;
}

#if KW_SUPPORTED_VM_TYPES >= 0
static int refuse_vcpu(struct kvm_vcpu *vcpu)
{
	return -EIO;
}

static int divert_vcpu(struct kprobe *probe, struct pt_regs *regs)
{
	struct kvm_vcpu *vcpu = (struct kvm_vcpu *)regs->di;

	if (!is_td(vcpu->kvm) || SEV(vcpu->kvm, u32, HANDLE) == TD_INITIALIZED)
		return 0;
	regs->ip = (unsigned long)refuse_vcpu;
	return 1;
}

static int td_created(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct kvm *kvm = *(struct kvm **)instance->data;

	if (!is_td(kvm))
		return 0;
	kvm->arch.has_protected_state = true;
	kvm->arch.has_private_mem = true;
	return 0;
}

static int td_vcpu_created(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct kvm_vcpu *vcpu = *(struct kvm_vcpu **)instance->data;

	if (!is_td(vcpu->kvm) || regs_return_value(regs) != 0)
		return 0;
	vcpu->arch.guest_state_protected = true;
	fpstate_set_confidential(&vcpu->arch.guest_fpu);
	return 0;
}
#endif

static int copied(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	if (regs_return_value(regs) == 0)
		atomic_inc(&enabled_caps[CAP_COPY_ENC_CONTEXT_FROM]);
	return 0;
}

static int moved(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	if (regs_return_value(regs) == 0)
		atomic_inc(&enabled_caps[CAP_MOVE_ENC_CONTEXT_FROM]);
	return 0;
}

/* Keeps the function's first argument for when it returns. */
static int keep_argument(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	*(unsigned long *)instance->data = regs->di;
	return 0;
}

static int before_destroy(struct kprobe *probe, struct pt_regs *regs)
{
	struct kvm *kvm = (struct kvm *)regs->di;
	struct kvm_vcpu *vcpu;
	unsigned long i;

	if (!is_sev(kvm) && !is_td(kvm))
		return 0;
	kvm_for_each_vcpu(i, vcpu, kvm) vcpu->arch.guest_state_protected = false;
	/* A mirror has no ASID of its own, but a reference that KVM must drop. */
	if (is_mirror(kvm))
		return 0;
#if KW_SEV_VMSA_FEATURES >= 0
	SEV(kvm, u64, VMSA_FEATURES) = 0;
#endif
	SEV(kvm, bool, ES_ACTIVE) = false;
	SEV(kvm, bool, ACTIVE) = false;
	return 0;
}

/* With a post handler, kprobes tell ftrace that the handler may change ip. */
static void after(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}

static struct kprobe ioctl_probe = {
	.symbol_name = "sev_mem_enc_ioctl",
	.pre_handler = divert_ioctl,
	.post_handler = after,
};

static struct kprobe run_probe = {
	.symbol_name = "svm_vcpu_pre_run",
	.pre_handler = divert_run,
	.post_handler = after,
};

/*
 * Within kvm_arch_destroy_vm(), so that a BPF program at its door sees the VM as it
 * was. Which of the two comes first depends on the kernel.
 */
static struct kprobe destroy_probe = {
	.symbol_name = "svm_vm_destroy",
	.pre_handler = before_destroy,
};

static struct kprobe free_probe = {
	.symbol_name = "kvm_destroy_vcpus",
	.pre_handler = before_destroy,
};

#if KW_SUPPORTED_VM_TYPES >= 0
static struct kprobe vcpu_probe = {
	.symbol_name = "svm_vcpu_create",
	.pre_handler = divert_vcpu,
	.post_handler = after,
};
#endif

/*
 * The diversion comes first of those that change ip: only the first of them asks
 * a BPF trampoline that is there already to let itself be diverted.
 */
static struct kprobe *const probes[] = {
	&ioctl_probe, &destroy_probe, &free_probe, &run_probe,
#if KW_SUPPORTED_VM_TYPES >= 0
	&vcpu_probe,
#endif
};

#define RETURN_PROBE(symbol, at_return)                                     \
	{                                                                   \
		.kp.symbol_name = (symbol), .entry_handler = keep_argument, \
		.handler = (at_return), .data_size = sizeof(unsigned long), \
	}

static struct kretprobe return_probes[] = {
	RETURN_PROBE("sev_vm_copy_enc_context_from", copied),
	RETURN_PROBE("sev_vm_move_enc_context_from", moved),
#if KW_SUPPORTED_VM_TYPES >= 0
	RETURN_PROBE("svm_vm_init", td_created),
	RETURN_PROBE("kvm_arch_vcpu_create", td_vcpu_created),
#endif
};

static void unprobe(unsigned int n_probes, unsigned int n_return_probes)
{
	while (n_return_probes--)
		unregister_kretprobe(&return_probes[n_return_probes]);
	while (n_probes--)
		unregister_kprobe(probes[n_probes]);
}

static int probe(void)
{
	unsigned int i, j;
	int r;

	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		r = register_kprobe(probes[i]);
		if (r < 0) {
			pr_err("cannot probe %s: %d\n", probes[i]->symbol_name, r);
			unprobe(i, 0);
			return r;
		}
	}
	for (j = 0; j < ARRAY_SIZE(return_probes); j++) {
		r = register_kretprobe(&return_probes[j]);
		if (r < 0) {
			pr_err("cannot probe %s: %d\n", return_probes[j].kp.symbol_name, r);
			unprobe(i, j);
			return r;
		}
	}
	return 0;
}

static int show(struct seq_file *file, const atomic_t *counts, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (atomic_read(&counts[i]))
			seq_printf(file, "%u %d\n", i, atomic_read(&counts[i]));
	return 0;
}

static int executed_show(struct seq_file *file, void *unused)
{
	return show(file, executed, ARRAY_SIZE(executed));
}
DEFINE_SHOW_ATTRIBUTE(executed);

static int executed_tdx_show(struct seq_file *file, void *unused)
{
	return show(file, executed_tdx, ARRAY_SIZE(executed_tdx));
}
DEFINE_SHOW_ATTRIBUTE(executed_tdx);

static int enabled_caps_show(struct seq_file *file, void *unused)
{
	return show(file, enabled_caps, ARRAY_SIZE(enabled_caps));
}
DEFINE_SHOW_ATTRIBUTE(enabled_caps);

static void publish(void)
{
	/* Readable, nothing else: a locked down kernel takes any other mode amiss. */
	enum { MODE = 0400 };
	struct dentry *dir = debugfs_create_dir(KBUILD_MODNAME, NULL);

	debugfs_create_file("executed", MODE, dir, NULL, &executed_fops);
	debugfs_create_file("executed_tdx", MODE, dir, NULL, &executed_tdx_fops);
	debugfs_create_file("enabled_caps", MODE, dir, NULL, &enabled_caps_fops);
}

/* Newer kernels export kvm_caps to KVM's own modules only. */
static unsigned long address_of(const char *name)
{
	struct kprobe probe = {.symbol_name = "kallsyms_lookup_name"};
	unsigned long (*lookup)(const char *name);

	if (register_kprobe(&probe) < 0)
		return 0;
	/* The probe may sit behind an ENDBR. */
	lookup = (void *)ALIGN_DOWN((unsigned long)probe.addr, 16);
	unregister_kprobe(&probe);
	return lookup(name);
}

static int __init kw_sev_test_init(void)
{
	unsigned long caps = address_of("kvm_caps");
	int r;

	if (!caps) {
		pr_err("kvm_caps not found\n");
		return -ENOENT;
	}
	r = probe();
	if (r < 0)
		return r;
#if KW_SUPPORTED_VM_TYPES >= 0
	*(u32 *)(caps + KW_SUPPORTED_VM_TYPES) |= BIT(TYPE_SW_PROTECTED) | BIT(TYPE_SEV) |
						  BIT(TYPE_SEV_ES) | BIT(TYPE_SNP) | BIT(TYPE_TDX);
#endif
	/* KVM charges the cgroup of the VM that a context moves to; there is room for none. */
	misc_cg_set_capacity(MISC_CG_RES_SEV, INT_MAX);
	misc_cg_set_capacity(MISC_CG_RES_SEV_ES, INT_MAX);
	publish();
	return 0;
}
module_init(kw_sev_test_init);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Test-only stand-in for SEV firmware; never load outside a test guest");
