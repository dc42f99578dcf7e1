/* SPDX-License-Identifier: GPL-2.0-only */
/* The layouts and limits that the BPF programs and the daemon share. */
#ifndef KVMWARDEN_H
#define KVMWARDEN_H

#include <linux/types.h>

/*
 * Everything here crosses the kernel boundary: fixed-width types, no implicit
 * padding (pinned by the assertions at the end), and no kernel addresses.
 */

#define KW_POLICIES_MAX 64 /* one bit each in every mask */
#define KW_RULES_MAX 1024 /* per policy */
#define KW_OPERATIONS_MAX 256 /* indices into struct kw_table.cells */
#define KW_PATH_MAX 256 /* bytes kept of a path, with its NUL */
#define KW_COMM_LEN 16 /* TASK_COMM_LEN */
#define KW_VMS_MAX 65536 /* VMs at a time, unless --vms-max says otherwise */
#define KW_VMS_SPARE 1024 /* records beyond that, for those who passed the hook at the same time */
#define KW_SLOT_BITS 10
#define KW_SLOTS (1 << KW_SLOT_BITS)
#define KW_SETS_MAX 16 /* rule tables: the one in force, and those of single launches */
#define KW_JUDGED_MAX 64 /* VMs of one process that a question can be about */
#define KW_NONE 0xffff /* "no policy", "no rule" in 16-bit fields */

/* _IOC_TYPE of every KVM ioctl (KVMIO). */
#define KW_IOC_TYPE 0xae
#define KW_CMD_CREATE_VM 0xae01u
#define KW_CMD_RUN 0xae80u
#define KW_CONDEMNED_ERRNO 5 /* EIO, as KVM answers for a VM that it gave up itself */
#define KW_FULL_ERRNO 28 /* ENOSPC: there is no room for the record of another VM */
#define KW_CMD_ENABLE_CAP 0x4068aea3u
#define KW_CMD_MEMORY_ENCRYPT_OP 0xc008aebau
#define KW_CMD_SET_REGS 0x4090ae82u
#define KW_CMD_SET_SREGS 0x4138ae84u
#define KW_CMD_SET_FPU 0x41a0ae8du
#define KW_CMD_SET_SREGS2 0x4140aecdu
#define KW_CMD_SET_XCRS 0x4188aea7u
#define KW_CMD_SET_DEBUGREGS 0x4080aea2u

/*
 * An ioctl number KVM does not implement (it answers EINVAL or ENOTTY). The
 * daemon issues it on a VM of its own; only the hook can answer KW_CANARY_ERRNO.
 */
#define KW_CMD_CANARY 0xaeffu
#define KW_CANARY_ERRNO 55 /* ENOANO */

/*
 * VM types. 0 to 5 have the values of KVM_X86_*_VM; the others are ours.
 * LEGACY_SEV_ES is a type-0 VM with an SEV-ES context (KVM_SEV_ES_INIT, or a
 * mirror of an SEV-ES VM): KVM calls it a default VM for its whole life.
 * UNKNOWN is a number this version does not know; it is treated as protected.
 */
enum kw_vm_type {
	KW_TYPE_DEFAULT,
	KW_TYPE_SW_PROTECTED,
	KW_TYPE_SEV,
	KW_TYPE_SEV_ES,
	KW_TYPE_SEV_SNP,
	KW_TYPE_TDX,
	KW_TYPE_LEGACY_SEV_ES,
	KW_TYPE_UNKNOWN,
	KW_TYPE_NONE, /* an ioctl on /dev/kvm itself: policies without vm-types apply */
	_KW_TYPE_MAX,
};

/* Which kind of KVM file an ioctl was issued on. */
enum kw_scope {
	KW_SCOPE_SYSTEM, /* /dev/kvm */
	KW_SCOPE_VM,
	KW_SCOPE_VCPU,
	KW_SCOPE_DEVICE,
	_KW_SCOPE_MAX,
};

/*
 * For an ioctl on a vCPU: vcpu->arch.guest_state_protected of that vCPU. For
 * one on a VM or a device: the same of the vCPU created first, as the launch
 * commands seal all vCPUs of a VM at once.
 */
enum kw_state {
	KW_STATE_BUILDING,
	KW_STATE_SEALED,
	_KW_STATE_MAX,
};

/* In rising order of strictness: the strictest of all matching policies wins. */
enum kw_verdict {
	KW_ALLOW,
	KW_AUDIT,
	KW_DENY,
	KW_KILL,
	_KW_VERDICT_MAX,
};

enum kw_entry {
	KW_ENTRY_NATIVE,
	KW_ENTRY_COMPAT, /* int 0x80, or x32 */
	_KW_ENTRY_MAX,
};

enum kw_backend_id {
	KW_BACKEND_NONE,
	KW_BACKEND_LSM,
	KW_BACKEND_FMOD_RET,
	KW_BACKEND_TRACEPOINT,
	KW_BACKEND_SECCOMP, /* decides for VMMs under a filter of ours, when asked */
	_KW_BACKEND_MAX,
};

/* Operations the BPF programs know by index; the rest is the daemon's table. */
enum kw_fixed_operation {
	KW_OP_CANARY,
	KW_OP_VM_DESTROY, /* the end of a VM: no ioctl, cannot be refused */
	KW_OP_CREATE_VM,
	_KW_OP_FIXED_MAX,
};

/*
 * Some ioctls stand for many operations, told apart by a number in memory that
 * the caller can change while we look. Each of them is a family, its operations
 * are the members. SEV and TDX share an ioctl: the VM's type decides.
 */
enum kw_family {
	KW_FAMILY_NONE,
	KW_FAMILY_SEV, /* KVM_MEMORY_ENCRYPT_OP: struct kvm_sev_cmd.id */
	KW_FAMILY_TDX, /* KVM_MEMORY_ENCRYPT_OP: struct kvm_tdx_cmd.id */
	KW_FAMILY_CAP, /* KVM_ENABLE_CAP: struct kvm_enable_cap.cap */
	KW_FAMILY_RUN, /* KVM_RUN: KW_MEMBER_SYNC_REGS if kvm_run->kvm_dirty_regs is not 0 */
	_KW_FAMILY_MAX,
};

#define KW_MEMBERS_MAX 512 /* numbers of a family; KVM's highest capability is below 256 */
#define KW_MEMBER_UNREADABLE (KW_MEMBERS_MAX - 1) /* the number could not be read */
#define KW_MEMBER_SYNC_REGS 1
#define KW_FIRMWARE_MAX 256 /* commands of the SEV firmware: enum sev_cmd of <linux/psp-sev.h> */

/* Unknown and truncated strings match every pattern. */
#define KW_PATH_UNKNOWN (1 << 0)
#define KW_PATH_TRUNCATED (1 << 1)

struct kw_path {
	__u16 len; /* without the NUL */
	__u16 flags; /* KW_PATH_* */
	char text[KW_PATH_MAX]; /* NUL-terminated, zero-filled; a truncated one lacks its start */
};

/* Who created a VM, or issues an ioctl. Ids are those of the initial namespaces. */
struct kw_identity {
	__u64 cgroup_id;
	__u64 started_ns; /* of the thread group, CLOCK_BOOTTIME: tells a reused pid */
	__u32 pid; /* thread group id */
	__u32 tid;
	__u32 uid;
	__u32 gid;
	char comm[KW_COMM_LEN];
	/* Seen from the root of the mount namespace: chroot(2) does not alter it. */
	struct kw_path exe;
	struct kw_path cgroup; /* cgroup2, from its root */
	/* The systemd unit, as a part of .cgroup.text; empty when there is none. */
	__u16 unit_offset;
	__u16 unit_len;
	__u32 pad;
};

/* struct kw_vm.flags */
#define KW_VM_PRIVATE_MEMORY (1 << 0) /* kvm->arch.has_private_mem */
#define KW_VM_PROTECTED_STATE (1 << 1) /* kvm->arch.has_protected_state */
#define KW_VM_ADOPTED (1 << 2) /* existed before we saw it being created */
#define KW_VM_CANARY (1 << 3) /* the daemon's own, never shown */
#define KW_VM_ES (1 << 4) /* an SEV-ES context was seen on a type-0 VM */
#define KW_VM_SEALED (1 << 5) /* a sealed vCPU was seen */
#define KW_VM_CONDEMNED (1 << 6) /* after a race: nothing is let through to it any more */
#define KW_VM_SUPERVISED (1 << 7) /* its process is under a seccomp filter of ours */

/* A living VM: the value of the vms map, whose key is its struct kvm's address. */
struct kw_vm {
	__u64 id; /* unique while the counters map lives, from 1 */
#ifdef KW_OTHER_LAYOUT
	__u64 other[2]; /* for the tests: what a later version may do to a record */
#endif
	__u64 born_ns; /* CLOCK_BOOTTIME, of creation or of adoption */

	/*
	 * The policies whose selector matches, by generation. .matched[1] is for
	 * the type LEGACY_SEV_ES, which a VM of type 0 may become after its birth.
	 * Written as under a sequence lock: see vm_matched() in vm.h.
	 */
	__u64 match_generation;
	__u64 matched[2];

	__u64 audited;
	__u64 denied;
	__u64 killed;

	__u32 type; /* enum kw_vm_type, at creation */
	__u32 kvm_type; /* KVM's own number */
	__u32 flags; /* KW_VM_* */
	__u32 vcpus; /* as of the last walk of the iterator */
	__u32 sweep; /* the last walk of the iterator that saw it */
	__u32 maker; /* kvm->userspace_pid: the thread that created it */

	struct kw_identity creator;
};

enum kw_event_kind {
	KW_EVENT_IOCTL, /* a verdict on an ioctl */
	KW_EVENT_VM_CREATED, /* a rule on KVM_CREATE_VM audits it */
	KW_EVENT_VM_DESTROYED,
	KW_EVENT_RACE, /* KVM executed what the hook was not shown; the caller is killed */
	KW_EVENT_VMS_FULL, /* there is no room for the record of the VM that is asked for */
	KW_EVENT_TAMPERING, /* somebody reached for what is sealed: see guard.h */
	_KW_EVENT_MAX,
};

/* One record of the ring buffer. */
struct kw_event {
	__u64 seq; /* a gap is a lost event; events of two CPUs may swap places */
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u64 generation; /* of the rule table that decided */
	__u64 vm_id; /* 0: no VM yet */

	__u16 kind; /* enum kw_event_kind */
	__u16 verdict; /* what was done: enum kw_verdict */
	__u16 intended; /* what the rule says: differs in audit mode, or under a
			 * backend that cannot refuse */
	__u16 error; /* errno given to the caller, or 0 */

	__u16 operation;
	__u16 scope; /* enum kw_scope */
	__u16 state; /* enum kw_state */
	__u16 entry; /* enum kw_entry */

	__u32 command; /* the ioctl's number */
	__s32 vcpu; /* vCPU index, or -1 */

	__u16 policy; /* index in its generation, or KW_NONE */
	__u16 rule;
	__u16 backend; /* enum kw_backend_id */
	__u16 vm_type; /* enum kw_vm_type, in force: may be LEGACY_SEV_ES */

	__u32 vm_flags; /* KW_VM_* */
	__u32 kvm_type;

	__u32 suppressed; /* events like this one that a rate limit held back before it */
	__u32 exception; /* of the exception that let it pass, or 0 */

	/* pid, tid, uid, gid, comm and cgroup_id are the caller's; exe, cgroup and
	 * unit are the VM's creator's, which has the same mm. Of KW_EVENT_VM_DESTROYED
	 * all are the creator's. */
	struct kw_identity caller;
};

/* Why an event that has a sequence number was never written. */
enum kw_loss {
	KW_LOSS_RING, /* it found no room in the ring */
	KW_LOSS_NO_DAEMON, /* its set of programs was replaced before anyone read the ring */
	KW_LOSS_KILLED, /* a daemon took it and was killed; it may have been written all the same */
	KW_LOSS_UNWRITTEN, /* the event file could not take it */
	_KW_LOSS_MAX,
};

/* What one set of programs wrote to its ring, and how much of it a daemon took out. */
struct kw_feed {
	__u64 written;
	__u64 delivered;
};

#define KW_FEEDS 8 /* a set has the one of its epoch, modulo */

/*
 * Shared by all sets of programs, and by those of other versions: the pinned
 * counters map. Members are never moved, only added in the place of .spare.
 */
struct kw_counters {
	__u64 next_vm_id;
	__u64 seq; /* numbers given to events so far */
	__u64 vms_full; /* records that found no room in the vms map */
	__u64 vms_refused; /* VMs that were not created, or should not have been, for that reason */
	__u64 no_memory; /* decisions taken without an identity, all policies matching */
	__u64 generation; /* of the rule table that was published last */

	/*
	 * The daemon's thread group: its VMs are the canary. The programs can
	 * outlive it, and the next one must be known to the old ones as well.
	 */
	__u64 self_pid;
	__u64 self_started_ns;

	__u64 lost[4]; /* by enum kw_loss */
	__u64 told[4]; /* of these, how many a "lost" event told of */
	__u64 pending; /* numbers whose events the daemon has and did not write yet */
	struct kw_feed feeds[KW_FEEDS];
	/* The head of the event file's hash chain: .chains[.chain - 1], or none yet. */
	__u8 chains[2][32];
	__u64 chain;
	__u64 spare[86];
};

_Static_assert(sizeof(struct kw_counters) == 1024, "kw_counters is the same in every version");
_Static_assert(_KW_LOSS_MAX <= 4, "a loss has its counter");

/*
 * What a set of programs is: pinned last, so that a set which has it is complete,
 * and frozen. As above, members are only added.
 */
struct kw_mark {
	char object[64]; /* SHA-256 of the BPF object, in hexadecimal digits */
	char version[32]; /* of the daemon that loaded it */
	__u64 hooks; /* which programs: one bit each, in the order of that version */
	__u64 attached_ns; /* CLOCK_REALTIME */
	__u32 backend; /* enum kw_backend_id */
	__u32 vms_max;
	__u32 flags; /* KW_MARK_* */
	__u32 feed; /* index into struct kw_counters.feeds */
	__u64 spare[16];
};

#define KW_MARK_AFTER (1 << 0) /* values of the programs' constants */
#define KW_MARK_SVM (1 << 1)
#define KW_MARK_TYPED_LOADS (1 << 2)

_Static_assert(sizeof(struct kw_mark) == 256, "kw_mark is the same in every version");

/* Per CPU. */
struct kw_stats {
	__u64 checked; /* KVM ioctls that reached the rule table */
	__u64 adopted;
	__u64 canary[_KW_ENTRY_MAX]; /* canary ioctls seen */
	__u64 suppressed; /* events that a rate limit held back */
	__u64 excepted; /* verdicts that an exception overrode */
	__u64 unreadable; /* commands whose number could not be read */
	__u64 races; /* see KW_EVENT_RACE */
	__u64 lost; /* events that found no room in the ring */
};

/*
 * A pattern has at most one '*', which stands for any run of bytes. text is
 * the part before it followed by the part after it.
 */
struct kw_glob {
	__u16 prefix_len;
	__u16 suffix_len;
	__u16 star; /* 0: the whole text is the prefix and must be equal */
	__u16 pad;
	char text[KW_PATH_MAX];
};

/* struct kw_match.tests: what is to be compared. */
#define KW_SELECT_TYPES (1 << 0)
#define KW_SELECT_PROTECTED_STATE (1 << 1)
#define KW_SELECT_PRIVATE_MEMORY (1 << 2)
#define KW_SELECT_EXE (1 << 3)
#define KW_SELECT_UNIT (1 << 4)
#define KW_SELECT_CGROUP (1 << 5)
#define KW_SELECT_USER (1 << 6)

struct kw_match {
	__u32 tests; /* KW_SELECT_* */
	__u32 types; /* one bit per enum kw_vm_type */
	__u32 flags; /* KW_VM_PROTECTED_STATE and KW_VM_PRIVATE_MEMORY, as wanted */
	__u32 uid;
	struct kw_glob exe;
	struct kw_glob unit;
	struct kw_glob cgroup;
};

/* A VM is selected if all tests of .match hold and not all of .except (none: no exception). */
struct kw_selector {
	struct kw_match match;
	struct kw_match except;
};

/* Which calls of an ioctl have to be looked at; 0: none. */
enum kw_interest {
	KW_INTERESTING_YES = 1 << 0,
	KW_INTERESTING_DIRTY = 1 << 1, /* KVM_RUN with registers, if rules name SYNC_REGS only */
	KW_CONCERNS_DEFAULT = 1 << 2, /* on vCPUs of VMs of type 0 without an SEV-ES context ... */
	KW_CONCERNS_SW_PROTECTED = 1 << 3, /* ... of the next type ... */
	KW_CONCERNS_SEV = 1 << 4, /* ... and of the one after that: see is_of_no_concern() */
	KW_CONCERNS_ALL = 7 << 2,
};

/* Which operation a 32-bit ioctl number is; .command 0 is an empty slot. */
struct kw_slot {
	__u32 command;
	__u16 operation;
	__u8 scopes; /* one bit per enum kw_scope */
	__u8 family; /* enum kw_family; of KVM_MEMORY_ENCRYPT_OP KW_FAMILY_SEV */
};

/*
 * The policies whose first matching rule for this operation and state gives the
 * verdict. A policy in audit mode has its bit in .audit for all three.
 */
struct kw_cell {
	__u64 kill;
	__u64 deny;
	__u64 audit;
};

/* Of one policy in one cell: its rule, the rule's verdict, the errno of deny, the rate limit. */
struct kw_origin {
	__u16 rule;
	__u8 verdict; /* enum kw_verdict, as written */
	__u8 error;
	__u16 limit_events; /* at most so many of this cell per VM ... */
	__u16 limit_seconds; /* ... in this time; 0: no limit */
};

/* Whose events are limited: one cell of one policy, on one VM. */
struct kw_limit_key {
	__u64 vm; /* its id; of an ioctl on /dev/kvm the process, with the highest bit set */
	__u32 generation; /* its low half */
	__u16 policy;
	__u8 operation;
	__u8 state;
};

struct kw_limit {
	__u64 since_ns; /* CLOCK_BOOTTIME, of the event that began the current interval */
	__u32 events; /* in this interval, written or held back */
	__u32 suppressed; /* held back since the last one that was written */
};

/* A verdict that does not apply for a while. */
struct kw_exception_key {
	__u64 vm; /* its id */
	__u64 operation;
};

struct kw_exception {
	__u64 until_ns; /* CLOCK_BOOTTIME; later it is void, whether anyone removes it or not */
	__u64 uses;
	__u64 id; /* from 1 */
};

#define KW_EXCEPTIONS_MAX 1024
#define KW_LIMITS_MAX 16384

/* Of a rule that does not name a rate limit, and of events that no rule makes. */
#define KW_LIMIT_EVENTS 600
#define KW_LIMIT_SECONDS 60

/* Which operations make KVM issue a command of the firmware; 0: none that we know. */
struct kw_firmware {
	__u16 operation;
	__u16 also;
};

/* One compiled policy set: the only element of an inner map of "tables". */
struct kw_table {
	__u64 generation;
	__u32 policies; /* how many of .selectors are set */
	__u32 slot_multiplier; /* see kw_slot_index() */
	struct kw_slot slots[KW_SLOTS];
	__u16 members[_KW_FAMILY_MAX][KW_MEMBERS_MAX]; /* operations; 0: decided as the ioctl */
	struct kw_firmware firmware[KW_FIRMWARE_MAX];
	struct kw_cell cells[KW_OPERATIONS_MAX][_KW_STATE_MAX];
	struct kw_origin origins[KW_OPERATIONS_MAX][_KW_STATE_MAX][KW_POLICIES_MAX];
	struct kw_selector selectors[KW_POLICIES_MAX];
};

_Static_assert(sizeof(struct kw_path) == 4 + KW_PATH_MAX, "kw_path has holes");
_Static_assert(sizeof(struct kw_identity) == 48 + 2 * sizeof(struct kw_path) + 8,
	       "kw_identity has holes");
#ifndef KW_OTHER_LAYOUT
_Static_assert(sizeof(struct kw_vm) == 88 + sizeof(struct kw_identity), "kw_vm has holes");
#endif
_Static_assert(sizeof(struct kw_event) == 80 + sizeof(struct kw_identity), "kw_event has holes");
_Static_assert(sizeof(struct kw_match) == 16 + 3 * (8 + KW_PATH_MAX), "kw_match has holes");
_Static_assert(sizeof(struct kw_origin) == 8, "kw_origin has holes");
_Static_assert(sizeof(struct kw_limit_key) == 16, "kw_limit_key has holes");
_Static_assert(KW_OPERATIONS_MAX <= 256, "kw_limit_key.operation has 8 bits");
_Static_assert(KW_POLICIES_MAX == 64, "masks are 64 bits wide");

#endif
