/* SPDX-License-Identifier: GPL-2.0-only */
/* A policy as its author wrote it, and the files policies come from. */
#ifndef KVMWARDEN_POLICY_H
#define KVMWARDEN_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diag.h"
#include "kvmwarden.h"

enum kw_mode {
	KW_MODE_AUDIT, /* verdicts are reported instead of applied */
	KW_MODE_ENFORCE,
};

struct kw_rule {
	/* Bit set of operation indices; with an ioctl all operations that share it. */
	uint8_t operations[KW_OPERATIONS_MAX / 8];
	uint8_t named[KW_OPERATIONS_MAX / 8]; /* of these, those not only there with a group */
	uint32_t states; /* one bit per enum kw_state */
	uint8_t verdict; /* enum kw_verdict */
	uint8_t error; /* errno for deny and kill; default EPERM */
	uint16_t limit_events; /* at most so many events (default KW_LIMIT_EVENTS) ... */
	uint16_t limit_seconds; /* ... in this time; 0: no limit */
	unsigned int line; /* where the rule starts, from 1 */
};

/* One side of a selector as written: NULL where nothing was. */
struct kw_match_text {
	char *exe;
	char *unit;
	char *cgroup;
	char *user; /* of "user" or "uid" */
};

struct kw_policy {
	char *name;
	char *description; /* or NULL */
	char *file; /* the path it was read from */
	unsigned int line; /* of its name */
	enum kw_mode mode; /* in force */
	enum kw_mode file_mode; /* as the file says; another one is an override */
	struct kw_selector selector;
	struct kw_match_text match;
	struct kw_match_text except;
	struct kw_rule *rules;
	size_t rule_count;
};

static inline bool kw_rule_names(const struct kw_rule *rule, unsigned int operation)
{
	return rule->operations[operation / 8] & (1u << (operation % 8));
}

/* Is the operation named by itself, not only with a group? */
static inline bool kw_rule_means(const struct kw_rule *rule, unsigned int operation)
{
	return rule->named[operation / 8] & (1u << (operation % 8));
}

struct kw_policy_set {
	struct kw_policy *policies; /* at most KW_POLICIES_MAX; earlier ones name a verdict first */
	size_t count;
};

/* A deep copy of set, for the caller to own. -ENOMEM. */
int kw_policy_set_copy(const struct kw_policy_set *set, struct kw_policy_set *ret);

/* Releases what the set owns; harmless on (struct kw_policy_set){}. */
void kw_policy_set_done(struct kw_policy_set *set);

/*
 * Reads one file and appends its policy. strict_owner also demands that the
 * file belongs to root and that nobody else can write it: for what a daemon
 * obeys, not for "policy check".
 * -EINVAL for whatever is wrong with the text, or with the set it would make
 * (duplicate name, 65th policy); another errno when the file cannot be read.
 * *reterr says which and where; the set is unchanged on failure.
 */
int kw_policy_read(const char *path, bool strict_owner, struct kw_policy_set *set,
		   struct kw_diag *reterr);

/* The default search path, strongest first, ending in NULL. */
extern const char *const kw_policy_default_dirs[];

/*
 * Reads every *.yaml of the directories (strongest first, NULL-terminated), in
 * the order of their file names. A name that a stronger directory has is
 * masked; a symbolic link to /dev/null as the stronger one disables it. A
 * missing directory is no error when missing_ok. strict_owner goes for the
 * directories as well as for the files: a daemon wants it.
 * All or nothing: on failure *ret is untouched.
 */
int kw_policy_set_load(const char *const *dirs, bool missing_ok, bool strict_owner,
		       struct kw_policy_set *ret, struct kw_diag *reterr);

#endif
