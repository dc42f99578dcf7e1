/* SPDX-License-Identifier: GPL-2.0-only */
/* The seal: a guard in the kernel that keeps others from our maps, links, pins and process. */
#ifndef KVMWARDEN_SEAL_H
#define KVMWARDEN_SEAL_H

#include <stdbool.h>
#include <stddef.h>

#include "backend.h"
#include "guard.h"

struct kw_seal;

/*
 * Puts the guard into force, or takes over the one that is there and that this process
 * was let in by. pins: the locked directory. To be called before anything that is to be
 * guarded is made. On failure nothing new is left in the kernel, and *reterr is one sentence.
 */
int kw_seal_close(const struct kw_guard_token *token, int pins, struct kw_seal **ret,
		  char **reterr);

/* The links of the set that is in force now are the guarded ones; those of earlier sets are not. */
int kw_seal_take_links(struct kw_seal *seal, const struct kw_backend *backend);

/* Undoes kw_seal_close(), unless the guard was there before. */
void kw_seal_undo(struct kw_seal *seal);

/* Its pins are gone: lets go of the guard as well. The seal can only be freed afterwards. */
void kw_seal_open(struct kw_seal *seal);

/* What is pinned stays. Returns NULL; NULL is fine. */
struct kw_seal *kw_seal_free(struct kw_seal *seal);

/* As of a backend: what was tried. */
int kw_seal_events_fd(const struct kw_seal *seal);
int kw_seal_drain(struct kw_seal *seal,
		  void (*handle)(void *userdata, const struct kw_event *event), void *userdata);

/* Has another process that lives shown the token? */
bool kw_seal_has_guest(const struct kw_seal *seal);

/* The hooks that this kernel does not have, *ret_count of them, borrowed. */
const char *const *kw_seal_missing(const struct kw_seal *seal, size_t *ret_count);

#endif
