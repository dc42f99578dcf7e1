/* SPDX-License-Identifier: GPL-2.0-only */
/* What a seccomp filter can do of a set of policies: the plan, and what is left out of it. */
#ifndef KVMWARDEN_PLAN_H
#define KVMWARDEN_PLAN_H

#include <jansson.h>
#include <stdbool.h>

#include "json.h"
#include "ruleset.h"

/*
 * Theory of operation
 *
 * A filter sees the number of a system call and its arguments, which are numbers too. Of an
 * ioctl of KVM that is the command, and of KVM_CREATE_VM the type that is asked for. It does not
 * see what VM a descriptor stands for, nor what a pointer points to. So an ioctl is refused in
 * the filter if it is refused whatever the VM; it is notified of where somebody else knows the VM;
 * and operations that only memory tells apart cannot be told apart by anybody, as the memory
 * is the VMM's and can change after any look.
 */

/* Who answers what is notified. */
enum kw_means {
	KW_MEANS_KERNEL, /* a daemon that asks the kernel which VMs there are, and whether sealed */
	KW_MEANS_TYPES, /* one that knows the types of VM that were asked for, and no more */
	KW_MEANS_ALONE, /* nobody */
	_KW_MEANS_MAX,
};

/* "seccomp", "seccomp-plain", "seccomp-alone". */
const char *kw_means_name(unsigned int means);

enum kw_disposition {
	KW_PLAN_REFUSE,
	KW_PLAN_KILL, /* the process */
	KW_PLAN_NOTIFY,
	_KW_PLAN_MAX,
};

/* One rule of the filter. An ioctl that no entry is about is carried out. */
struct kw_plan_entry {
	uint32_t command;
	uint32_t types; /* of KVM_CREATE_VM: bits, enum kw_vm_type (UNKNOWN: all above); 0: any */
	uint8_t disposition; /* enum kw_disposition */
	uint8_t error; /* errno of KW_PLAN_REFUSE */
};

struct kw_plan {
	struct kw_plan_entry *entries; /* owned; by rising command */
	size_t count;
};

void kw_plan_done(struct kw_plan *plan);

/* A part of a rule that is not in the plan. */
struct kw_shortfall {
	const struct kw_policy *policy;
	const struct kw_rule *rule;
	uint16_t operation; /* the first one ... */
	uint16_t more; /* ... and how many more of the same rule, for the same reason */
	/*
	 * What the rule says would not hold: it denies or kills, in force. Else something is
	 * only not reported, or it is SYNC_REGS, and is there with a group of which the rest holds.
	 */
	bool is_error;
	const char *reason; /* static, a sentence */
};

struct kw_shortfalls {
	struct kw_shortfall *list; /* owned; what they point to is the ruleset's */
	size_t count;
	size_t errors;
};

void kw_shortfalls_done(struct kw_shortfalls *shortfalls);

/*
 * refusals_only: what is only reported needs no notification, as another backend
 * reports it. -ENOMEM. Shortfalls do not make it fail, even errors: that is for the caller.
 */
int kw_plan_make(const struct kw_ruleset *rules, enum kw_means means, bool refusals_only,
		 struct kw_plan *ret, struct kw_shortfalls *ret_shortfalls);

/* An array of objects. Reading: -EINVAL with *reterr (malloc()ed), or -ENOMEM. */
void kw_plan_render(struct kw_json *json, const struct kw_plan *plan);
int kw_plan_parse(const json_t *array, struct kw_plan *ret, char **reterr);

#endif
