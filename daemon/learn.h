/* SPDX-License-Identifier: GPL-2.0-only */
/* The smallest policy that allows what was recorded of a VMM. */
#ifndef KVMWARDEN_LEARN_H
#define KVMWARDEN_LEARN_H

#include "recorded.h"

/*
 * Theory of operation
 *
 * Events are counted per operation and state, for one executable. What was
 * refused when it was recorded, and what KVM executed behind the hook's back
 * (KW_EVENT_RACE), is not learnt but told. The end of a VM needs no permission.
 *
 * A rule on an ioctl names all that share it. So where an ioctl was seen by
 * itself, which means that one of them this version does not know was issued, or
 * that it is KVM_RUN, the first rules deny those that were not seen.
 */

#define KW_LEARN_EXES_MAX 64 /* that are told apart */
#define KW_LEARN_VMS_MAX 4096 /* that are counted */

/* Whose events count. NULL or 0: not asked. Patterns as in policies. */
struct kw_learn_filter {
	const char *exe;
	const char *unit;
	uint64_t vm;
};

struct kw_learnt {
	uint64_t count;
	char first[KW_RECORDED_TIME_MAX]; /* empty when no event had a time */
	char last[KW_RECORDED_TIME_MAX];
};

struct kw_learn_exe {
	char path[KW_PATH_MAX];
	uint64_t count;
};

struct kw_learn {
	struct kw_learn_filter filter; /* borrowed */
	struct kw_glob exe; /* of the filter */
	struct kw_glob unit;
	struct kw_learnt cells[KW_OPERATIONS_MAX][_KW_STATE_MAX];
	struct kw_learnt all;
	struct kw_learnt refused; /* not learnt */
	struct kw_learnt unreadable; /* no policy can allow these */
	struct kw_learn_exe exes[KW_LEARN_EXES_MAX]; /* that match the filter */
	size_t exe_count;
	uint64_t exes_beyond; /* events of further ones */
	uint64_t anonymous; /* events whose executable or unit is not known */
	uint64_t others; /* events that the filter leaves out */
	uint64_t objected; /* learnt, though a policy in mode audit would have refused them */
	uint64_t vms[KW_LEARN_VMS_MAX];
	size_t vm_count;
	uint32_t types; /* one bit per enum kw_vm_type */
};

/* Starts anew. -EINVAL: a pattern of the filter has more than one star, or is too long. */
int kw_learn_init(struct kw_learn *learn, const struct kw_learn_filter *filter);
void kw_learn_add(struct kw_learn *learn, const struct kw_recorded *event);

/* How the policy is to be. */
struct kw_learn_style {
	const char *name; /* NULL: made of the executable's */
	bool enforce;
};

/*
 * Writes the policy as YAML. There must be events of one executable, or a
 * filter that chooses some. -ENOMEM; -EINVAL: the path of the executable has a
 * star, so that no policy can name it.
 */
int kw_learn_write(const struct kw_learn *learn, const struct kw_learn_style *style, FILE *out);

#endif
