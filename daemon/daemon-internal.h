/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's state, for daemon*.c only. */
#ifndef KVMWARDEN_DAEMON_INTERNAL_H
#define KVMWARDEN_DAEMON_INTERNAL_H

#include <systemd/sd-event.h>

#include "choose.h"
#include "confine.h"
#include "daemon.h"
#include "handover.h"
#include "manager.h"
#include "metrics.h"
#include "render.h"
#include "seal.h"
#include "sink.h"
#include "supervisor.h"
#include "trail.h"

/* Policies that only hold for some launches. */
struct kw_launch_set {
	char *directory; /* NULL: none */
	struct kw_ruleset *rules;
	unsigned int uses; /* launches */
};

struct kw_daemon {
	const struct kw_options *options;
	sd_event *loop;
	int pins_lock; /* or -1 */
	struct kw_seal *seal; /* or NULL */
	struct kw_guard_token token; /* until it is closed */
	struct kw_choice choice; /* .backend is what everything else uses */
	struct kw_manager *manager;
	struct kw_trail *trail; /* or NULL: none is wanted */
	struct kw_sink **sinks;
	size_t sink_count;
	struct kw_metrics *metrics; /* or NULL */
	struct kw_metrics_server *metrics_server;
	int statm; /* /proc/self/statm, or -1 */

	struct kw_ruleset *first; /* until it is in force */
	uint64_t generation; /* in force; 0: none yet */
	char *policy_error; /* of the last reload, or NULL */
	char *plan_error; /* why nothing can be started under the policies in force, or NULL */

	struct kw_supervisor *supervisor;
	struct kw_supervisor_ops supervising;
	struct kw_launch_set sets[KW_SETS_MAX]; /* the first stands for those in force */

	struct kw_confinement confinement;

	struct kw_handover handover;
	bool state_failed; /* told already */

	uint64_t suppressed_seen; /* events held back, when their limits were last looked at */
	size_t limits_waiting; /* limits that held back events nobody was told of yet */

	struct kw_proof proof;
	uint64_t since_ns; /* CLOCK_REALTIME */
	uint64_t proved_ns;
	uint64_t unwritten; /* lines of the trail that are counted as lost */
	bool trail_failed; /* told already */

	struct kw_origin_host host;
	char hostname[256];
	char boot_id[64];
	struct kw_json line; /* reused for each event */
	int line_kind; /* of the event in it: see struct kw_news */
	int line_verdict;
	bool denials; /* were handed on since the last flush */
	bool rotation_failed; /* told already */
};

/* daemon.c */

/* Repeats the proof; tells if it turned out otherwise than the last time. */
void kw_daemon_prove(struct kw_daemon *d);

/*
 * daemon-notify.c: what the service manager is told. Every reloading is followed by a ready,
 * whether the policies were taken or not: the result is the answer to who asked for it.
 */
void kw_daemon_notify_ready(struct kw_daemon *d);
void kw_daemon_notify_status(struct kw_daemon *d);
void kw_daemon_notify_reloading(void);
void kw_daemon_notify_stopping(void);

/* daemon-policy.c */

/* Reads and compiles the configured directories; diag is filled on failure. */
int kw_daemon_load(struct kw_daemon *d, struct kw_ruleset **ret, struct kw_diag *reterr);
/* Makes rules, now owned by the daemon, the ones in force here; the kernel has them already. */
void kw_daemon_adopt_rules(struct kw_daemon *d, struct kw_ruleset *rules);
/* Load, publish, adopt; on failure the old set stays in force. Tells by an event either way. */
int kw_daemon_reload(struct kw_daemon *d, char **reterr);
/*
 * Switches one policy to a mode, or back to its file's (mode < 0), without reading
 * any file. -ENOENT: there is no such policy.
 */
int kw_daemon_set_mode(struct kw_daemon *d, const char *name, int mode, uint32_t uid,
		       char **reterr);
const struct kw_ruleset *kw_daemon_rules(const struct kw_daemon *d, uint64_t generation);

/* The number of the set that is compiled next: no two have the same. */
uint64_t kw_daemon_next_generation(const struct kw_daemon *d);

/* daemon-supervise.c: VMMs that are started by "kvmwarden run", or in a container. */

int kw_daemon_supervise(struct kw_daemon *d);
void kw_daemon_reload_launches(struct kw_daemon *d);
/*
 * With the seccomp backend, in both its ways: can these rules be decided so? -EINVAL with *reterr
 * (malloc()ed), which names the first that cannot. note: d->plan_error, of those in force.
 */
int kw_daemon_check_plan(const struct kw_daemon *d, const struct kw_ruleset *rules, char **reterr);
void kw_daemon_note_plan(struct kw_daemon *d);
void kw_daemon_end_supervision(struct kw_daemon *d);

/* daemon-sinks.c: the trail, and what else gets each event. */

/* An exit status, having said what is wrong. */
int kw_daemon_open_sinks(struct kw_daemon *d);
void kw_daemon_close_sinks(struct kw_daemon *d);
/* The event in d->line, to everybody. */
void kw_daemon_hand_on(struct kw_daemon *d);
/* The end of a batch: 0, or -errno of the trail. */
int kw_daemon_flush_sinks(struct kw_daemon *d);
/* Files were moved away: from here on into new ones, which the chain goes on in. */
void kw_daemon_reopen_sinks(struct kw_daemon *d);
/* Every other second: moves files away that are due, and tries again what could not be sent. */
void kw_daemon_tend_sinks(struct kw_daemon *d);

/* daemon-metrics.c: what is counted for Prometheus, if somebody wants that. */

/* An exit status, having said what is wrong. */
int kw_daemon_open_metrics(struct kw_daemon *d);
void kw_daemon_close_metrics(struct kw_daemon *d);
/* rules: of the event's generation, or NULL. */
void kw_daemon_count(struct kw_daemon *d, const struct kw_event *event,
		     const struct kw_ruleset *rules);

/* daemon-events.c */

void kw_daemon_host_init(struct kw_daemon *d);
/* Renders what the ring holds, hands it on, and flushes. */
void kw_daemon_pump(struct kw_daemon *d);
/* Begins an event of our own in d->line; the caller adds members and calls _end. */
void kw_daemon_event_begin(struct kw_daemon *d, const char *event);
void kw_daemon_event_end(struct kw_daemon *d);
/*
 * Tells of events lost since the last time, by reason, if any. While events cannot be
 * written it does so only to try whether they can be again.
 */
void kw_daemon_tell_lost(struct kw_daemon *d, bool try_trail);
/* If the file of events does not end as it should, says so: a member of the event begun. */
void kw_daemon_member_chain(struct kw_daemon *d);
/* Tells how many events each rate limit held back, where no further one did. */
void kw_daemon_tell_suppressed(struct kw_daemon *d);
/* Drops the records of VMs that ended, where that is only found by looking: before one is made. */
void kw_daemon_drop_ended(struct kw_daemon *d);
/* Tells, if a rule of these says so, that a VM ended. */
void kw_daemon_vm_gone(struct kw_daemon *d, const struct kw_vm *vm, const struct kw_ruleset *rules);
/* Refreshes the VM records; twice also drops those of VMs that are gone. */
int kw_daemon_sweep(struct kw_daemon *d, unsigned int times);

/*
 * daemon-seal.c: each returns an exit status, having said what is wrong. enter, before
 * the pins are touched: on a sealed host only whoever has the token goes on. close,
 * with their lock and before anything is made; ready, when everything is.
 */
int kw_daemon_seal_enter(struct kw_daemon *d);
int kw_daemon_seal_close(struct kw_daemon *d);
int kw_daemon_seal_ready(struct kw_daemon *d);

/*
 * daemon-confine.c: the stages of confine.h, unless there is to be none; each returns an
 * exit status, having said what is wrong, or what this kernel lacks. begin, first of all;
 * serve, when all is open and before the loop.
 */
int kw_daemon_confine_begin(struct kw_daemon *d);
int kw_daemon_confine_serve(struct kw_daemon *d);
/* Says why a policy may not be readable any more. */
void kw_daemon_confine_hint(const struct kw_daemon *d, int error, struct kw_diag *diag);

/* daemon-exceptions.c */

/* Lets a VM's operation pass for a while; *ret_id is the exception's number. */
int kw_daemon_allow(struct kw_daemon *d, const struct kw_allow *allow, uint64_t *ret_id,
		    char **reterr);
int kw_daemon_end_exception(struct kw_daemon *d, uint64_t id, char **reterr);
/* Removes and tells of those whose time, or whose VM, is over. */
void kw_daemon_expire(struct kw_daemon *d);
/*
 * Of those that an earlier daemon granted: kept if they are in the kernel still, else told
 * as ended. What is in the kernel and nobody knows of is removed.
 */
void kw_daemon_reconcile_exceptions(struct kw_daemon *d);
/* Those in force, into an array of KW_GRANTED_MAX; strings are borrowed. */
size_t kw_daemon_exceptions(struct kw_daemon *d, struct kw_status_exception *ret);

/* daemon-handover.c */

/*
 * What an earlier daemon of this boot left, before policies are read; and, once it is
 * known whether its programs are still the ones in force, what of it holds.
 */
void kw_daemon_recall(struct kw_daemon *d);
void kw_daemon_resume(struct kw_daemon *d);
/* Writes it down, after every change. Without pins nothing outlives us, and nothing is written. */
void kw_daemon_save(struct kw_daemon *d);
/* Everything was taken off: there is nothing to leave. */
void kw_daemon_forget_state(struct kw_daemon *d);

/* daemon-control.c */

extern const struct kw_manager_ops kw_daemon_ops; /* userdata: struct kw_daemon */
/* On failure all but the statistics is there. */
int kw_daemon_status(struct kw_daemon *d, struct kw_status *ret);
/* Counts the VMs, which takes a walk over all of them, and judges what goes on among them. */
int kw_daemon_status_vms(struct kw_daemon *d, struct kw_status *status);

#endif
