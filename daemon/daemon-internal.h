/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's state, for daemon*.c only. */
#ifndef KVMWARDEN_DAEMON_INTERNAL_H
#define KVMWARDEN_DAEMON_INTERNAL_H

#include <systemd/sd-event.h>

#include "choose.h"
#include "daemon.h"
#include "manager.h"
#include "render.h"
#include "sink.h"

/* Sets whose names can still be looked up for events decided under them. */
#define KW_GENERATIONS_KEPT 16

struct kw_daemon {
	const struct kw_options *options;
	sd_event *loop;
	int pins_lock; /* or -1 */
	struct kw_choice choice; /* .backend is what everything else uses */
	struct kw_manager *manager;
	struct kw_sink *sink;

	struct kw_ruleset *generations[KW_GENERATIONS_KEPT]; /* by generation, modulo */
	uint64_t generation; /* in force; 0: none yet */
	char *policy_error; /* of the last reload, or NULL */

	struct kw_proof proof;
	uint64_t since_ns; /* CLOCK_REALTIME */
	uint64_t proved_ns;
	uint64_t lost_told; /* of the lost events, how many a "lost" event has told */
	bool sink_failed; /* told already */

	struct kw_origin_host host;
	char hostname[256];
	char boot_id[64];
	struct kw_json line; /* reused for each event */
};

uint64_t kw_now_ns(clockid_t clock);

/* daemon-policy.c */

/* Reads and compiles the configured directories; diag is filled on failure. */
int kw_daemon_load(struct kw_daemon *d, struct kw_ruleset **ret, struct kw_diag *reterr);
/* Makes rules, now owned by the daemon, the ones in force here; the kernel has them already. */
void kw_daemon_adopt_rules(struct kw_daemon *d, struct kw_ruleset *rules);
/* Load, publish, adopt; on failure the old set stays in force. Tells by an event either way. */
int kw_daemon_reload(struct kw_daemon *d, char **reterr);
const struct kw_ruleset *kw_daemon_rules(const struct kw_daemon *d, uint64_t generation);
void kw_daemon_forget_rules(struct kw_daemon *d);

/* daemon-events.c */

void kw_daemon_host_init(struct kw_daemon *d);
/* Renders what the ring holds, hands it on, and flushes. */
void kw_daemon_pump(struct kw_daemon *d);
/* Begins an event of our own in d->line; the caller adds members and calls _end. */
void kw_daemon_event_begin(struct kw_daemon *d, const char *event);
void kw_daemon_event_end(struct kw_daemon *d);
/* Tells of events that programs of an earlier daemon had for nobody. Once, at start. */
void kw_daemon_tell_unheard(struct kw_daemon *d);
/* Tells of events lost since the last time, if any. */
void kw_daemon_tell_lost(struct kw_daemon *d);
/* Refreshes the VM records; twice also drops those of VMs that are gone. */
int kw_daemon_sweep(struct kw_daemon *d, unsigned int times);

/* daemon-control.c */

extern const struct kw_manager_ops kw_daemon_ops; /* userdata: struct kw_daemon */
void kw_daemon_status(struct kw_daemon *d, struct kw_status *ret);

#endif
