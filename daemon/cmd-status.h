/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows of "kvmwarden status"; status: the reply of GetStatus. */
#ifndef KVMWARDEN_CMD_STATUS_H
#define KVMWARDEN_CMD_STATUS_H

#include <jansson.h>

#include "text.h"

/* VMs, ioctls and events, and for which reasons events were lost. */
void kw_status_add_counts(struct kw_text_table *table, json_t *status);
/* Where events go beside the trail. */
void kw_status_add_sinks(struct kw_text_table *table, json_t *status);
/* What our programs cost this host, while the kernel counted. */
void kw_status_add_cost(struct kw_text_table *table, json_t *status);
/* Things that should not have happened; each is shown only when it did. */
void kw_status_add_troubles(struct kw_text_table *table, json_t *status);

#endif
