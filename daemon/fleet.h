/* SPDX-License-Identifier: GPL-2.0-only */
/* Many hosts in one table: of what each of them exported. */
#ifndef KVMWARDEN_FLEET_H
#define KVMWARDEN_FLEET_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kw_fleet_host {
	const char *host; /* these are the export's */
	const char *time; /* RFC 3339, UTC */
	const char *enforcement; /* "enforcing"...; "absent": no daemon answered */
	const char *backend;
	const char *version;
	char policies
		[17]; /* the start of a digest of names, modes and numbers of rules; "": unknown */
	size_t policy_count;
	bool differs; /* from what most hosts have */
	int64_t generation; /* -1: unknown */
	int64_t vms; /* -1: unknown */
	int64_t sealed; /* of them; -1: unknown */
	int64_t denied; /* refusals to living VMs; -1: unknown */
	int64_t lost; /* events; -1: unknown */
	int score; /* -1: it is a status, not a posture */
	json_t *export; /* owned */
};

struct kw_fleet {
	struct kw_fleet_host *hosts;
	size_t count;
	size_t superseded; /* exports of a host of which there is a later one */
	size_t absent; /* hosts that do not enforce */
	size_t differing;
};

/*
 * One export, of "kvmwarden --json status" or "kvmwarden --json posture", which is taken over, also
 * on failure. -EINVAL with *ret_why, a static sentence: it is none. -ENOMEM.
 */
int kw_fleet_add(struct kw_fleet *fleet, json_t *export, const char **ret_why);
/* When all are there: the latest of each host, worst first, and who differs. */
void kw_fleet_conclude(struct kw_fleet *fleet);
void kw_fleet_done(struct kw_fleet *fleet);

bool kw_fleet_enforces(const struct kw_fleet_host *host);

#endif
