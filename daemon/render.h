/* SPDX-License-Identifier: GPL-2.0-only */
/* Events, VMs and the daemon's status as JSON. */
#ifndef KVMWARDEN_RENDER_H
#define KVMWARDEN_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend.h"
#include "confine.h"
#include "json.h"
#include "kvmwarden.h"
#include "ruleset.h"
#include "sink.h"
#include "supervisor.h"

/* Raised when a field changes meaning or goes; fields may be added at any time. */
#define KW_EVENT_VERSION 1

/* What events of one boot of one host have in common. All borrowed. */
struct kw_origin_host {
	const char *host;
	const char *boot_id;
	uint64_t realtime_offset_ns; /* CLOCK_REALTIME - CLOCK_BOOTTIME */
};

/*
 * One event as a JSON object without a newline. rules is the set of the event's
 * generation, or NULL when it is no longer known: then "policy_index" is given
 * and "policy", "file" and "line" are null. Each of these functions appends one
 * value; docs/events.schema.json describes them.
 */
void kw_render_event(struct kw_json *json, const struct kw_event *event,
		     const struct kw_ruleset *rules, const struct kw_origin_host *host);

/*
 * An event of the daemon itself: "started", "stopped", "policy-loaded",
 * "policy-refused", "lost", "proof-failed". The caller adds members between the
 * two calls.
 */
void kw_render_own_event_begin(struct kw_json *json, const char *event, uint64_t seq,
			       uint64_t time_ns, const struct kw_origin_host *host);
void kw_render_own_event_end(struct kw_json *json);

/* A living VM. Names of the matched policies are taken from rules (may be NULL). */
void kw_render_vm(struct kw_json *json, const struct kw_vm *vm, const struct kw_ruleset *rules,
		  const struct kw_origin_host *host);

enum kw_enforcement {
	KW_STARTING,
	KW_ENFORCING, /* the backend refuses, proved, or nothing asks it to */
	KW_SUPERVISING, /* who is started by "kvmwarden run" is refused, and there is nobody else */
	KW_AUDITING, /* policies ask for a refusal this backend cannot give */
	KW_DEGRADED, /* the last proof failed */
};

/* Why a stronger backend is not in use. Strings are owned by whoever fills the status. */
struct kw_backend_refusal {
	unsigned int backend; /* enum kw_backend_id */
	const char *reason;
};

struct kw_status_exception {
	uint64_t id;
	uint64_t vm;
	const char *operation; /* or a group */
	uint64_t until_ns; /* CLOCK_REALTIME */
	uint64_t uses;
	const char *reason;
	uint32_t uid; /* who granted it */
};

struct kw_status {
	enum kw_enforcement enforcement;
	const char *reason; /* one sentence: what falls short, or NULL */
	unsigned int backend;
	const char *plain; /* why decisions are made without BPF, or NULL */
	bool refuses; /* the backend can refuse */
	bool pinned;
	bool sealed; /* by a guard: see seal.h */
	const char *const *unguarded; /* hooks of the kernel that the guard does without */
	size_t unguarded_count;
	bool adopted; /* the programs are those of an earlier daemon */
	uint64_t attached_ns; /* CLOCK_REALTIME: since when they are in force */
	uint32_t vms_max;
	uint32_t pid;
	uint64_t since_ns; /* CLOCK_REALTIME */
	uint64_t proved_ns; /* CLOCK_REALTIME of the last proof, 0: none */
	bool proved[_KW_ENTRY_MAX];
	bool compat_absent; /* the kernel has no 32-bit entry */
	uint64_t vms;
	uint64_t vms_by[_KW_TYPE_MAX][_KW_STATE_MAX];
	uint64_t vms_unknown; /* of a type this version does not know: all policies apply */
	struct kw_counters counters;
	struct kw_stats stats; /* summed over the CPUs */
	const uint64_t *lost_by_cpu; /* of this set of programs; borrowed */
	size_t cpus;
	struct kw_program programs[KW_PROGRAMS_MAX];
	size_t program_count;
	const struct kw_backend_refusal *refusals;
	size_t refusal_count;
	const struct kw_ruleset *rules; /* in force, or NULL */
	const char *policy_error; /* why the last reload was refused, or NULL */
	bool watches; /* what KVM carries out is compared: kw_backend_watches() */
	const char *const *unwatched;
	size_t unwatched_count;
	const struct kw_status_exception *exceptions; /* borrowed */
	size_t exception_count;
	bool supervises; /* "kvmwarden run" is served */
	struct kw_supervisor_stats supervision;
	uint64_t vms_unsupervised; /* known VMs whose process is under no filter of ours */
	const struct kw_confinement *confinement; /* of the daemon; borrowed */
	uint64_t clients_refused; /* connections over the limit: struct kw_manager_stats */
	uint64_t followers_lost; /* events that slow followers missed */
	struct kw_sink *const *sinks; /* borrowed */
	size_t sink_count;
	const char *config; /* the file of the daemon's configuration, or NULL */
};

/* All events that were lost, for whatever reason. */
uint64_t kw_counters_lost(const struct kw_counters *counters);
/* Of a loss, as in the events. */
const char *kw_loss_name(enum kw_loss loss);

/* "enforcing", "auditing", ... */
const char *kw_enforcement_name(enum kw_enforcement enforcement);
/* Of such a name: is refused what policies refuse, to everybody that this way of it reaches? */
bool kw_enforces(const char *enforcement);
void kw_render_status(struct kw_json *json, const struct kw_status *status);

#endif
