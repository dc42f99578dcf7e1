/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands of SEV and SNP: the checks that KVM makes, the marks that it sets, the door. */
#include "stand-in.h"

#include <linux/mutex.h>
#include <linux/psp-sev.h>
#include <linux/uaccess.h>

#include <asm/fpu/api.h>

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
};

/* Of the firmware; the others are in linux/psp-sev.h. */
enum {
	FW_SNP_ACTIVATE = 0x091,
	FW_SNP_GCTX_CREATE = 0x093,
	FW_SNP_LAUNCH_START = 0x0a0,
	FW_SNP_LAUNCH_UPDATE = 0x0a1,
	FW_SNP_LAUNCH_FINISH = 0x0a2,
};

struct sev_init2 {
	__u64 vmsa_features;
	__u32 flags;
	__u16 ghcb_version;
	__u16 pad1;
	__u32 pad2[8];
};

#define FEATURE_SNP_ACTIVE BIT_ULL(0)
#define GHCB_VERSION_LAST 2

static bool is_snp(struct kvm *kvm)
{
	return is_es(kvm) && type_of(kvm) == TYPE_SNP;
}

/* The real handler makes a firmware context; its handle is never 0. */
static bool is_started(struct kvm *kvm)
{
	return SEV(kvm, u32, HANDLE) != 0;
}

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
	count_sev(id);

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

void sev_mark_sealed(struct kvm_vcpu *vcpu)
{
	vcpu->arch.guest_state_protected = true;
	if (!is_snp(vcpu->kvm))
		fpstate_set_confidential(&vcpu->arch.guest_fpu);
}

static int protect_vcpu(struct kvm_vcpu *vcpu)
{
	if (vcpu->guest_debug)
		return -EINVAL;
	firmware(is_snp(vcpu->kvm) ? FW_SNP_LAUNCH_UPDATE : SEV_CMD_LAUNCH_UPDATE_VMSA);
	/* The firmware refuses without a context; KVM lets no SNP guest come so far. */
	if (!is_started(vcpu->kvm))
		return -EIO;
	sev_mark_sealed(vcpu);
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

	count_sev(id);
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

	count_sev(id);
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
		count_sev(cmd->id);
		return launch_start(kvm);
	case CMD_LAUNCH_UPDATE_VMSA:
		if (!is_es(kvm))
			return -ENOTTY;
		count_sev(cmd->id);
		return protect_all(kvm);
	case CMD_GUEST_STATUS:
		if (!is_sev(kvm))
			return -ENOTTY;
		count_sev(cmd->id);
		return guest_status(kvm, u64_to_user_ptr(cmd->data));
	case CMD_SNP_LAUNCH_START:
	case CMD_SNP_LAUNCH_UPDATE:
	case CMD_SNP_LAUNCH_FINISH:
		return snp_command(kvm, cmd->id);
	default:
		return simple_command(kvm, cmd->id);
	}
}

int sev_ioctl(struct kvm *kvm, void __user *argp)
{
	struct kvm_sev_cmd cmd;
	int r;

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
