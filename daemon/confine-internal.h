/* SPDX-License-Identifier: GPL-2.0-only */
/* The stages of confinement, for confine*.c and their tests only. */
#ifndef KVMWARDEN_CONFINE_INTERNAL_H
#define KVMWARDEN_CONFINE_INTERNAL_H

#include <linux/filter.h>
#include <stddef.h>

#include "confine.h"

/*
 * Each stage returns 1 when it is in place, 0 when it cannot be here and *ret_missing says
 * why, or -errno with *reterr. Both are sentences, malloc()ed.
 */
int kw_confine_files(const struct kw_confine_wish *wish, char **ret_missing, char **reterr);
int kw_confine_calls(char **ret_missing, char **reterr);

/* A directory, or a file, and what may be done below it: LANDLOCK_ACCESS_FS_*. */
struct kw_place {
	char *path;
	uint64_t rights;
};

struct kw_places {
	struct kw_place *places;
	size_t count;
	bool failed; /* out of memory: something is missing */
};

/* Everything that the loop will open, make or remove by its name. */
void kw_confine_places(const struct kw_confine_wish *wish, struct kw_places *ret);
void kw_places_done(struct kw_places *list);

/* The filter of the last stage. */
const struct sock_filter *kw_confine_filter(size_t *ret_count);

#endif
