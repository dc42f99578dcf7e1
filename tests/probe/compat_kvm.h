/* SPDX-License-Identifier: GPL-2.0-only */
/* Constants of linux/kvm.h that the oldest supported headers do not have. */
#ifndef KW_PROBE_COMPAT_KVM_H
#define KW_PROBE_COMPAT_KVM_H

#include <linux/kvm.h>

#ifndef KVM_SET_USER_MEMORY_REGION2
#define KVM_SET_USER_MEMORY_REGION2 0x40a0ae49U
#endif
#ifndef KVM_SET_MEMORY_ATTRIBUTES
#define KVM_SET_MEMORY_ATTRIBUTES 0x4020aed2U
#endif
#ifndef KVM_CREATE_GUEST_MEMFD
#define KVM_CREATE_GUEST_MEMFD 0xc040aed4U
#endif
#ifndef KVM_PRE_FAULT_MEMORY
#define KVM_PRE_FAULT_MEMORY 0xc040aed5U
#endif
#ifndef KVM_GET_REG_LIST
#define KVM_GET_REG_LIST 0xc008aeb0U
#endif

#define VM_TYPE_DEFAULT 0
#define VM_TYPE_SW_PROTECTED 1
#define VM_TYPE_SEV 2
#define VM_TYPE_SEV_ES 3
#define VM_TYPE_SNP 4
#define VM_TYPE_TDX 5

#define SEV_CMD_SEV_INIT 0
#define SEV_CMD_SEV_ES_INIT 1
#define SEV_CMD_LAUNCH_START 2
#define SEV_CMD_LAUNCH_UPDATE_VMSA 4
#define SEV_CMD_LAUNCH_MEASURE 6
#define SEV_CMD_LAUNCH_FINISH 7
#define SEV_CMD_GUEST_STATUS 16
#define SEV_CMD_INIT2 22
#define SEV_CMD_SNP_LAUNCH_START 100
#define SEV_CMD_SNP_LAUNCH_FINISH 102

#define TDX_CMD_INIT_VM 1
#define TDX_CMD_FINALIZE_VM 4

struct tdx_cmd {
	uint32_t id;
	uint32_t flags;
	uint64_t data;
	uint64_t hw_error;
};

/* A flexible array of CPUID entries follows. */
struct tdx_init_vm {
	uint64_t attributes;
	uint64_t xfam;
	uint64_t mrconfigid[6];
	uint64_t mrowner[6];
	uint64_t mrownerconfig[6];
	uint64_t reserved[12];
	struct kvm_cpuid2 cpuid;
};

struct sev_init2 {
	uint64_t vmsa_features;
	uint32_t flags;
	uint16_t ghcb_version;
	uint16_t pad1;
	uint32_t pad2[8];
};

struct snp_launch_start {
	uint64_t policy;
	uint8_t gosvw[16];
	uint16_t flags;
	uint8_t pad0[6];
	uint64_t pad1[4];
};

struct snp_launch_finish {
	uint64_t id_block_uaddr;
	uint64_t id_auth_uaddr;
	uint8_t id_block_en;
	uint8_t auth_key_en;
	uint8_t vcek_disabled;
	uint8_t host_data[32];
	uint8_t pad0[3];
	uint16_t flags;
	uint64_t pad1[4];
};

_Static_assert(sizeof(struct tdx_cmd) == 24, "size of the kernel's struct");
_Static_assert(sizeof(struct tdx_init_vm) == 264, "size of the kernel's struct");
_Static_assert(sizeof(struct sev_init2) == 48, "size of the kernel's struct");
_Static_assert(sizeof(struct snp_launch_start) == 64, "size of the kernel's struct");
_Static_assert(sizeof(struct snp_launch_finish) == 88, "size of the kernel's struct");

#endif
