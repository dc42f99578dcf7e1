/* SPDX-License-Identifier: GPL-2.0-only */
/* The layouts that the guard's programs, the daemon and whoever shows a token share. */
#ifndef KVMWARDEN_GUARD_H
#define KVMWARDEN_GUARD_H

#include "kvmwarden.h"

/*
 * An ioctl number that KVM does not use, answered by the guard on any file at all:
 *   argument 0                  is there a seal?
 *   argument KW_SEAL_PLACE      a keeper, on the directory of our pins: this is the place;
 *                               all guards there are hear it, and the file answers
 *   argument: a kw_guard_token  lets the calling process in
 * Without a guard the file answers for itself, with neither of these errnos.
 */
#define KW_CMD_SEAL 0xaefeu
#define KW_SEAL_PLACE 1
#define KW_SEALED_ERRNO 55 /* ENOANO: there is one */
#define KW_LET_IN_ERRNO 106 /* EISCONN: done */

#define KW_TOKEN_LEAST 16
#define KW_TOKEN_MOST 64

struct kw_guard_token {
	__u64 length; /* from KW_TOKEN_LEAST to KW_TOKEN_MOST */
	__u8 bytes[KW_TOKEN_MOST]; /* zeros behind the token */
};

#define KW_TOKEN_WORDS (sizeof(struct kw_guard_token) / 8)

/* What is guarded. Maps and programs are known by address, so from before they have an id. */
enum kw_guard_kind {
	KW_GUARD_MAP,
	KW_GUARD_PROGRAM,
	KW_GUARD_LINK, /* by id */
	KW_GUARD_INODE, /* by number, in the file system of our pins */
};

struct kw_guard_key {
	__u64 kind; /* enum kw_guard_kind */
	__u64 object;
};

struct kw_guard_value {
	__u32 id;
	__u32 users; /* descriptors and pins, the one that is being made included */
};

#define KW_GUARDED_MAX 16384
#define KW_KEEPERS_MAX 64

/*
 * Who a thread group is: its id, and when it was started, in the ticks that
 * /proc/PID/stat tells. Nobody can be given the same pid within one tick.
 */
#define KW_TICK_NS 10000000

/* What was tried. */
enum kw_act {
	KW_ACT_OPEN_MAP,
	KW_ACT_OPEN_PROGRAM,
	KW_ACT_OPEN_LINK,
	KW_ACT_OPEN_PIN,
	KW_ACT_ADD_PIN,
	KW_ACT_CHANGE_PIN,
	KW_ACT_REMOVE_PIN,
	KW_ACT_RENAME_PIN,
	KW_ACT_LOCK_PINS,
	KW_ACT_MOUNT,
	KW_ACT_UNMOUNT,
	KW_ACT_PTRACE,
	KW_ACT_KILL,
	KW_ACT_LIMIT,
	KW_ACT_TOKEN, /* a wrong one */
	_KW_ACT_MAX,
};

/* Which guard it is: pinned last, and frozen. Members are only added. */
struct kw_guard_mark {
	char object[64]; /* SHA-256 of the BPF object, in hexadecimal digits */
	char version[32];
	__u64 hooks; /* one bit each, in the order of that version */
	__u64 spare[7];
};

_Static_assert(sizeof(struct kw_guard_token) == 72, "kw_guard_token has holes");
_Static_assert(sizeof(struct kw_guard_mark) == 160, "kw_guard_mark is the same in every version");

#endif
