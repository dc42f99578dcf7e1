/* SPDX-License-Identifier: GPL-2.0-only */
/* The token of a seal: read from its file, and shown to the guard in the kernel. */
#ifndef KVMWARDEN_SEAL_TOKEN_H
#define KVMWARDEN_SEAL_TOKEN_H

#include <stdbool.h>

#include "guard.h"

/*
 * Reads the first line of a file that must be root's, and nobody else's to read: 16 to
 * 64 bytes. On failure *reterr (malloc()ed) is one sentence.
 */
int kw_token_read(const char *path, struct kw_guard_token *ret, char **reterr);

/* Overwrites it. */
void kw_token_wipe(struct kw_guard_token *token);

/* Is there a guard in force on this host? */
bool kw_seal_exists(void);

/*
 * Makes this process a keeper, for which the guard makes way. -EPERM: it is the wrong
 * token, which is an event; -ENOENT: there is no guard.
 */
int kw_seal_show(const struct kw_guard_token *token);

/* Tells the guard, and one that is to replace it, which directory our pins are in; keepers only. */
void kw_seal_place(int pins);

#endif
