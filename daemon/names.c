/* SPDX-License-Identifier: GPL-2.0-only */
/* Name tables of the enumerations, errno names, and the search for a misspelt name. */
#define _GNU_SOURCE 1
#include "names.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "guard.h"
#include "policy.h"
#include "util.h"

/* The highest errno a name is looked for; Linux has 133 on x86. */
#define ERRNO_MAX 255

/* Longer words are not corrected: it bounds the work, and ours are shorter. */
#define NEAREST_LEN_MAX 48

static const char *const type_names[] = {
	[KW_TYPE_DEFAULT] = "default",
	[KW_TYPE_SW_PROTECTED] = "sw-protected",
	[KW_TYPE_SEV] = "sev",
	[KW_TYPE_SEV_ES] = "sev-es",
	[KW_TYPE_SEV_SNP] = "sev-snp",
	[KW_TYPE_TDX] = "tdx",
	[KW_TYPE_LEGACY_SEV_ES] = "legacy-sev-es",
	[KW_TYPE_UNKNOWN] = "unknown",
	[KW_TYPE_NONE] = "none",
};

static const char *const scope_names[] = {
	[KW_SCOPE_SYSTEM] = "system",
	[KW_SCOPE_VM] = "vm",
	[KW_SCOPE_VCPU] = "vcpu",
	[KW_SCOPE_DEVICE] = "device",
};

static const char *const state_names[] = {
	[KW_STATE_BUILDING] = "building",
	[KW_STATE_SEALED] = "sealed",
};

static const char *const verdict_names[] = {
	[KW_ALLOW] = "allow",
	[KW_AUDIT] = "audit",
	[KW_DENY] = "deny",
	[KW_KILL] = "kill",
};

static const char *const entry_names[] = {
	[KW_ENTRY_NATIVE] = "native",
	[KW_ENTRY_COMPAT] = "compat",
};

static const char *const backend_names[] = {
	[KW_BACKEND_NONE] = "none",	    [KW_BACKEND_LSM] = "lsm",
	[KW_BACKEND_FMOD_RET] = "fmod_ret", [KW_BACKEND_TRACEPOINT] = "tracepoint",
	[KW_BACKEND_SECCOMP] = "seccomp",
};

static const char *const act_names[] = {
	[KW_ACT_OPEN_MAP] = "open-map",
	[KW_ACT_OPEN_PROGRAM] = "open-program",
	[KW_ACT_OPEN_LINK] = "open-link",
	[KW_ACT_OPEN_PIN] = "open-pin",
	[KW_ACT_ADD_PIN] = "add-pin",
	[KW_ACT_CHANGE_PIN] = "change-pin",
	[KW_ACT_REMOVE_PIN] = "remove-pin",
	[KW_ACT_RENAME_PIN] = "rename-pin",
	[KW_ACT_LOCK_PINS] = "lock-pins",
	[KW_ACT_MOUNT] = "mount",
	[KW_ACT_UNMOUNT] = "unmount",
	[KW_ACT_PTRACE] = "ptrace",
	[KW_ACT_KILL] = "kill",
	[KW_ACT_LIMIT] = "limit",
	[KW_ACT_TOKEN] = "token",
};

static const char *const mode_names[] = {
	[KW_MODE_AUDIT] = "audit",
	[KW_MODE_ENFORCE] = "enforce",
};

_Static_assert(KW_ARRAY_SIZE(type_names) == _KW_TYPE_MAX, "a VM type lacks a name");
_Static_assert(KW_ARRAY_SIZE(scope_names) == _KW_SCOPE_MAX, "a scope lacks a name");
_Static_assert(KW_ARRAY_SIZE(state_names) == _KW_STATE_MAX, "a state lacks a name");
_Static_assert(KW_ARRAY_SIZE(verdict_names) == _KW_VERDICT_MAX, "a verdict lacks a name");
_Static_assert(KW_ARRAY_SIZE(entry_names) == _KW_ENTRY_MAX, "an entry lacks a name");
_Static_assert(KW_ARRAY_SIZE(backend_names) == _KW_BACKEND_MAX, "a backend lacks a name");
_Static_assert(KW_ARRAY_SIZE(act_names) == _KW_ACT_MAX, "an act lacks a name");

/* strerrorname_np() knows one name per number; these are the others. */
static const struct {
	const char *name;
	int error;
} errno_aliases[] = {
	{"EWOULDBLOCK", EWOULDBLOCK},
	{"EDEADLOCK", EDEADLOCK},
	{"ENOTSUP", ENOTSUP},
};

static const char *name_of(const char *const *names, size_t count, unsigned int value)
{
	return value < count ? names[value] : "unknown";
}

static int value_of(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (kw_streq(names[i], name))
			return i;
	return -EINVAL;
}

static const char *member_of(const char *const *names, size_t count, unsigned int index)
{
	return index < count ? names[index] : NULL;
}

const char *kw_type_name(unsigned int type)
{
	return name_of(type_names, KW_ARRAY_SIZE(type_names), type);
}

const char *kw_scope_name(unsigned int scope)
{
	return name_of(scope_names, KW_ARRAY_SIZE(scope_names), scope);
}

const char *kw_state_name(unsigned int state)
{
	return name_of(state_names, KW_ARRAY_SIZE(state_names), state);
}

const char *kw_verdict_name(unsigned int verdict)
{
	return name_of(verdict_names, KW_ARRAY_SIZE(verdict_names), verdict);
}

const char *kw_entry_name(unsigned int entry)
{
	return name_of(entry_names, KW_ARRAY_SIZE(entry_names), entry);
}

const char *kw_backend_name(unsigned int backend)
{
	return name_of(backend_names, KW_ARRAY_SIZE(backend_names), backend);
}

const char *kw_act_name(unsigned int act)
{
	return name_of(act_names, KW_ARRAY_SIZE(act_names), act);
}

const char *kw_mode_name(unsigned int mode)
{
	return name_of(mode_names, KW_ARRAY_SIZE(mode_names), mode);
}

int kw_mode_from_name(const char *name)
{
	return value_of(mode_names, KW_ARRAY_SIZE(mode_names), name);
}

const char *kw_mode_list(unsigned int index)
{
	return member_of(mode_names, KW_ARRAY_SIZE(mode_names), index);
}

int kw_type_from_name(const char *name)
{
	return value_of(type_names, KW_ARRAY_SIZE(type_names), name);
}

int kw_state_from_name(const char *name)
{
	return value_of(state_names, KW_ARRAY_SIZE(state_names), name);
}

int kw_verdict_from_name(const char *name)
{
	return value_of(verdict_names, KW_ARRAY_SIZE(verdict_names), name);
}

int kw_entry_from_name(const char *name)
{
	return value_of(entry_names, KW_ARRAY_SIZE(entry_names), name);
}

int kw_backend_from_name(const char *name)
{
	return value_of(backend_names, KW_ARRAY_SIZE(backend_names), name);
}

const char *kw_type_list(unsigned int index)
{
	return member_of(type_names, KW_TYPE_UNKNOWN, index);
}

const char *kw_state_list(unsigned int index)
{
	return member_of(state_names, KW_ARRAY_SIZE(state_names), index);
}

const char *kw_verdict_list(unsigned int index)
{
	return member_of(verdict_names, KW_ARRAY_SIZE(verdict_names), index);
}

const char *kw_errno_name(int error)
{
	/* glibc calls 0 "0". */
	return error > 0 && error <= ERRNO_MAX ? strerrorname_np(error) : NULL;
}

int kw_errno_from_name(const char *name)
{
	for (int error = 1; error <= ERRNO_MAX; error++) {
		const char *candidate = strerrorname_np(error);

		if (candidate && kw_streq(candidate, name))
			return error;
	}
	for (size_t i = 0; i < KW_ARRAY_SIZE(errno_aliases); i++)
		if (kw_streq(errno_aliases[i].name, name))
			return errno_aliases[i].error;
	return -EINVAL;
}

static unsigned int min3(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int least = a < b ? a : b;

	return least < c ? least : c;
}

static bool same_letter(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/*
 * The number of letters inserted, deleted, replaced or swapped with their
 * neighbour, case ignored. Both are at most NEAREST_LEN_MAX long.
 */
static unsigned int edit_distance(const char *a, const char *b)
{
	/* The row of a's letter and of the two before it, by turns. */
	unsigned int rows[3][NEAREST_LEN_MAX + 1];
	size_t len = strlen(b), i;

	for (size_t j = 0; j <= len; j++)
		rows[0][j] = j;
	for (i = 1; a[i - 1]; i++) {
		const unsigned int *above = rows[(i - 1) % 3], *above2 = rows[(i + 1) % 3];
		unsigned int *row = rows[i % 3];

		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			bool same = same_letter(a[i - 1], b[j - 1]);

			row[j] = min3(above[j - 1] + !same, above[j] + 1, row[j - 1] + 1);
			if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
			    same_letter(a[i - 2], b[j - 1]) && above2[j - 2] + 1 < row[j])
				row[j] = above2[j - 2] + 1;
		}
	}
	return rows[(i - 1) % 3][len];
}

unsigned int kw_name_distance(const char *name, const char *candidate)
{
	size_t len = strlen(name);
	unsigned int distance;

	if (len > NEAREST_LEN_MAX || strlen(candidate) > NEAREST_LEN_MAX)
		return KW_TOO_FAR;
	distance = edit_distance(name, candidate);
	return distance > (len < 3 ? 1 : len / 3) ? KW_TOO_FAR : distance;
}

const char *kw_nearest(const char *name, const char *(*next)(unsigned int index))
{
	unsigned int distance, least = KW_TOO_FAR;
	const char *candidate, *best = NULL;

	for (unsigned int i = 0; (candidate = next(i)); i++) {
		distance = kw_name_distance(name, candidate);
		if (distance >= least)
			continue;
		best = candidate;
		least = distance;
	}
	return best;
}
