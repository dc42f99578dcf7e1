/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of "kvmwarden policy" that read recorded events share. */
#ifndef KVMWARDEN_CMD_POLICY_EVENTS_H
#define KVMWARDEN_CMD_POLICY_EVENTS_H

#include <jansson.h>
#include <stdio.h>

#include "recorded.h"

/*
 * Gives each event of a file, "-" being standard input, to add(), which returns
 * 0 or a negative errno; counts all lines. Complains, and returns an exit status.
 */
int kw_policy_read_events(const char *part, const char *file,
			  int (*add)(void *target, const struct kw_recorded *event), void *target,
			  struct kw_tally *tally);

/* What was not used and why, a line each, after prefix; nothing if all was. */
void kw_policy_print_tally(const struct kw_tally *tally, const char *prefix, FILE *out);
/* NULL when there is no memory. */
json_t *kw_policy_tally_json(const struct kw_tally *tally);

#endif
