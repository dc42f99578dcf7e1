/* SPDX-License-Identifier: GPL-2.0-only */
/* All kinds of events that there are: those of the kernel, and the daemon's own. */
#ifndef KVMWARDEN_EVENT_KINDS_H
#define KVMWARDEN_EVENT_KINDS_H

struct kw_kind {
	const char *name; /* the event's member "event" */
	const char *id; /* MESSAGE_ID of the journal: 32 hex digits; see kvmwarden.catalog */
	int priority; /* of syslog(3), when nothing was refused */
};

/* NULL when index is out of range. There are at most 64. */
const struct kw_kind *kw_kind(unsigned int index);
const char *kw_event_kind_name(unsigned int kind); /* enum kw_event_kind, which come first */
int kw_kind_from_name(const char *name); /* the index, or -EINVAL */
const char *kw_kind_list(unsigned int index); /* for kw_nearest() */

/* The priority of an event, with its verdict or "". */
int kw_event_priority(const char *event, const char *verdict);

#endif
