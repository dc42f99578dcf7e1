/* SPDX-License-Identifier: GPL-2.0-only */
/* Finds the strongest backend that works here. */
#ifndef KVMWARDEN_CHOOSE_H
#define KVMWARDEN_CHOOSE_H

#include "backend.h"
#include "render.h"

struct kw_choice {
	struct kw_backend *backend;
	struct kw_backend_refusal
		refusals[_KW_BACKEND_MAX]; /* reasons owned, stronger ones first */
	size_t refusal_count;
};

/*
 * Tries wanted (enum kw_backend_id; KW_BACKEND_NONE: all, strongest first).
 * With require_deny the ones that cannot refuse are not tried. When none
 * works: -errno of the last, and the refusals say why, one by one. When KVM
 * itself is not usable *reterr says so and nothing else was tried.
 */
int kw_choose(unsigned int wanted, bool require_deny, const struct kw_backend_wish *wish,
	      struct kw_ruleset *rules, struct kw_choice *ret, char **reterr);
void kw_choice_done(struct kw_choice *choice);

#endif
