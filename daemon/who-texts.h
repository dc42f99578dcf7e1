/* SPDX-License-Identifier: GPL-2.0-only */
/* Texts that between them meet patterns in every way there is: see who.h. */
#ifndef KVMWARDEN_WHO_TEXTS_H
#define KVMWARDEN_WHO_TEXTS_H

#include <stdbool.h>
#include <stddef.h>

#include "kvmwarden.h"

/* A pattern that policies have, once. */
struct kw_pattern {
	const struct kw_glob *glob; /* borrowed */
	const char *text; /* borrowed: as written */
};

struct kw_patterns {
	struct kw_pattern *list;
	size_t count;
	size_t size;
};

/* -ENOMEM */
int kw_patterns_add(struct kw_patterns *patterns, const struct kw_glob *glob, const char *text);

/* Called with each text that is tried, NUL-terminated and shorter than KW_PATH_MAX. 0, or an error. */
typedef int (*kw_text_taker)(void *target, const char *text);

/* Texts for the patterns of executables. */
int kw_texts_of_paths(const struct kw_patterns *patterns, kw_text_taker take, void *target);
/* Control groups for the patterns of these and of units. -E2BIG: some units were left out. */
int kw_texts_of_cgroups(const struct kw_patterns *cgroups, const struct kw_patterns *units,
			kw_text_taker take, void *target);

#endif
