/* SPDX-License-Identifier: GPL-2.0-only */
/* The decision: pure functions, compiled into the BPF programs, the daemon and the unit tests. */
#ifndef KVMWARDEN_DECIDE_H
#define KVMWARDEN_DECIDE_H

#include "kvmwarden.h"

/*
 * Theory of operation
 *
 * A VM carries one bit per policy that selects it (kw_selector_matches(), once
 * per VM and generation). A cell of the rule table carries, per verdict, one
 * bit per policy. A decision is three ANDs (kw_decide()); neither depends on the
 * number of policies, rules or VMs.
 *
 * Policies only ever add restrictions: "allow" ends the search inside its own
 * policy and overrules no other. So an identity that is unknown or was cut off
 * can safely match every pattern: the answer then errs on the strict side.
 *
 * In a BPF object the functions marked KW_PURE are global functions, which the
 * verifier checks once, on their own, instead of at each call. It then takes
 * each pointer to be possibly NULL, hence the tests.
 */
#ifdef __bpf__
#define KW_PURE __attribute__((noinline))
#else
#define KW_PURE static inline
#endif

struct kw_decision {
	__u16 verdict; /* enum kw_verdict: what to do */
	__u16 intended; /* what the deciding rule says */
	__u16 policy; /* KW_NONE when nothing matched */
	__u16 rule;
	__u16 error; /* errno for KW_DENY and KW_KILL, else 0 */
};

/* Multiplicative hashing; the compiler chose a multiplier under which no two of
 * the table's commands share a slot. */
static inline __u32 kw_slot_index(__u32 command, __u32 multiplier)
{
	return (command * multiplier) >> (32 - KW_SLOT_BITS);
}

/* The index of the lowest bit that is set; mask is not 0. */
static inline __u32 kw_lowest_bit(__u64 mask)
{
	__u32 bit = 0;

	mask &= -mask;
	bit |= (mask & 0xffffffff00000000ull) ? 32 : 0;
	bit |= (mask & 0xffff0000ffff0000ull) ? 16 : 0;
	bit |= (mask & 0xff00ff00ff00ff00ull) ? 8 : 0;
	bit |= (mask & 0xf0f0f0f0f0f0f0f0ull) ? 4 : 0;
	bit |= (mask & 0xccccccccccccccccull) ? 2 : 0;
	bit |= (mask & 0xaaaaaaaaaaaaaaaaull) ? 1 : 0;
	return bit;
}

KW_PURE int kw_prefix_matches(const struct kw_glob *glob, const struct kw_path *path, __u32 from)
{
	__u32 len, i;

	if (!glob || !path)
		return 0;
	len = glob->prefix_len;
	for (i = 0; i < KW_PATH_MAX; i++) {
		if (i >= len)
			return 1;
		if (glob->text[i] != path->text[(from + i) & (KW_PATH_MAX - 1)])
			return 0;
	}
	return 0;
}

KW_PURE int kw_suffix_matches(const struct kw_glob *glob, const struct kw_path *path, __u32 end)
{
	__u32 len, at, from, i;

	if (!glob || !path)
		return 0;
	len = glob->suffix_len;
	at = glob->prefix_len;
	from = end - len;
	for (i = 0; i < KW_PATH_MAX; i++) {
		if (i >= len)
			return 1;
		if (glob->text[(at + i) & (KW_PATH_MAX - 1)] !=
		    path->text[(from + i) & (KW_PATH_MAX - 1)])
			return 0;
	}
	return 0;
}

/* Does the glob match the len bytes of path at from? */
static inline int kw_glob_matches(const struct kw_glob *glob, const struct kw_path *path,
				  __u32 from, __u32 len)
{
	if (glob->star) {
		if (len < (__u32)glob->prefix_len + glob->suffix_len)
			return 0;
		return kw_prefix_matches(glob, path, from) &&
		       kw_suffix_matches(glob, path, from + len);
	}
	return len == glob->prefix_len && kw_prefix_matches(glob, path, from);
}

/* What KVM_CREATE_VM makes of a type, as KW_VM_* flags; of a VM that exists KVM itself is asked. */
static inline __u32 kw_type_flags(__u32 type)
{
	switch (type) {
	case KW_TYPE_SW_PROTECTED:
		return KW_VM_PRIVATE_MEMORY;
	case KW_TYPE_SEV_ES:
		return KW_VM_PROTECTED_STATE;
	case KW_TYPE_SEV_SNP:
	case KW_TYPE_TDX:
		return KW_VM_PROTECTED_STATE | KW_VM_PRIVATE_MEMORY;
	}
	return 0;
}

/* What a selector looks at. The creator's unknown or truncated names hold as "unknown" says. */
struct kw_subject {
	__u32 type; /* enum kw_vm_type */
	__u32 flags; /* KW_VM_PRIVATE_MEMORY, KW_VM_PROTECTED_STATE; others are ignored */
	const struct kw_identity *who;
};

static inline int kw_kind_holds(const struct kw_match *match, __u32 type, __u32 flags, int unknown)
{
	__u32 differing = match->flags ^ flags;

	if (type == KW_TYPE_UNKNOWN)
		return unknown || !(match->tests & (KW_SELECT_TYPES | KW_SELECT_PROTECTED_STATE |
						    KW_SELECT_PRIVATE_MEMORY));
	if ((match->tests & KW_SELECT_TYPES) && !(match->types & (1u << (type & 31))))
		return 0;
	/* An ioctl on /dev/kvm has no VM whose state or memory could be protected or not. */
	if (type == KW_TYPE_NONE)
		return !(match->tests & (KW_SELECT_PROTECTED_STATE | KW_SELECT_PRIVATE_MEMORY));
	if ((match->tests & KW_SELECT_PROTECTED_STATE) && (differing & KW_VM_PROTECTED_STATE))
		return 0;
	return !(match->tests & KW_SELECT_PRIVATE_MEMORY) || !(differing & KW_VM_PRIVATE_MEMORY);
}

/* Do all tests hold? One whose answer is not known holds if unknown is not 0. */
KW_PURE int kw_match_holds(const struct kw_match *match, const struct kw_identity *who, __u32 type,
			   __u32 flags, int unknown)
{
	if (!match || !who)
		return unknown;
	if (!kw_kind_holds(match, type, flags, unknown))
		return 0;
	if ((match->tests & KW_SELECT_USER) && match->uid != who->uid)
		return 0;
	if ((match->tests & KW_SELECT_EXE) &&
	    !(who->exe.flags ? unknown : kw_glob_matches(&match->exe, &who->exe, 0, who->exe.len)))
		return 0;
	if ((match->tests & KW_SELECT_UNIT) &&
	    !(who->cgroup.flags ? unknown
				: kw_glob_matches(&match->unit, &who->cgroup, who->unit_offset,
						  who->unit_len)))
		return 0;
	if ((match->tests & KW_SELECT_CGROUP) &&
	    !(who->cgroup.flags
		      ? unknown
		      : kw_glob_matches(&match->cgroup, &who->cgroup, 0, who->cgroup.len)))
		return 0;
	return 1;
}

/*
 * Does the policy apply to a VM of this type and these KW_VM_* flags, created by
 * this process? What is not known selects, and never excepts.
 */
KW_PURE int kw_selector_matches(const struct kw_selector *sel, const struct kw_identity *who,
				__u32 type, __u32 flags)
{
	if (!sel || !who)
		return 1;
	if (!kw_match_holds(&sel->match, who, type, flags, 1))
		return 0;
	return !sel->except.tests || !kw_match_holds(&sel->except, who, type, flags, 0);
}

/* The strictest verdict of the matched policies; the lowest of these policies names it. */
static inline void kw_decide(const struct kw_cell *cell, const struct kw_origin *origins,
			     __u64 matched, struct kw_decision *ret)
{
	const struct kw_origin *origin;
	__u64 hit;

	ret->error = 0;
	if ((hit = cell->kill & matched)) {
		ret->verdict = KW_KILL;
	} else if ((hit = cell->deny & matched)) {
		ret->verdict = KW_DENY;
	} else if ((hit = cell->audit & matched)) {
		ret->verdict = KW_AUDIT;
	} else {
		ret->verdict = KW_ALLOW;
		ret->intended = KW_ALLOW;
		ret->policy = KW_NONE;
		ret->rule = KW_NONE;
		return;
	}
	ret->policy = kw_lowest_bit(hit);
	origin = &origins[ret->policy & (KW_POLICIES_MAX - 1)];
	ret->rule = origin->rule;
	ret->intended = origin->verdict;
	if (ret->verdict >= KW_DENY)
		ret->error = origin->error;
}

#endif
