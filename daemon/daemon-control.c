/* SPDX-License-Identifier: GPL-2.0-only */
/* What the daemon answers through its socket. */
#include <errno.h>
#include <time.h>

#include "daemon-internal.h"
#include "seal-token.h"
#include "util.h"

int kw_daemon_status(struct kw_daemon *d, struct kw_status *ret)
{
	struct kw_backend *backend = d->choice.backend;
	struct kw_manager_stats clients;
	const struct kw_ruleset *rules = kw_daemon_rules(d, d->generation);
	struct kw_status status = {
		.enforcement = KW_ENFORCING,
		.backend = kw_backend_id(backend),
		.refuses = kw_backend_refuses(backend),
		.pinned = kw_backend_pinned(backend),
		.adopted = kw_backend_adopted(backend),
		.attached_ns = kw_backend_mark(backend)->attached_ns,
		.vms_max = kw_backend_mark(backend)->vms_max,
		.pid = (uint32_t)getpid(),
		.since_ns = d->since_ns,
		.proved_ns = d->proved_ns,
		.compat_absent = d->proof.compat_absent,
		.refusals = d->choice.refusals,
		.refusal_count = d->choice.refusal_count,
		.rules = rules,
		.policy_error = d->policy_error,
		.confinement = &d->confinement,
		.sinks = d->sinks,
		.sink_count = d->sink_count,
		.config = d->options->config,
	};
	int r;

	status.program_count = kw_backend_programs(backend, status.programs);
	status.plain = kw_backend_plain(backend);
	status.supervises = kw_backend_judges(backend);
	if (d->supervisor)
		kw_supervisor_stats(d->supervisor, &status.supervision);
	status.sealed = d->seal && kw_seal_exists();
	if (d->seal)
		status.unguarded = kw_seal_missing(d->seal, &status.unguarded_count);
	status.watches = kw_backend_watches(backend, &status.unwatched, &status.unwatched_count);
	kw_manager_stats(d->manager, &clients);
	status.clients_refused = clients.refused;
	status.followers_lost = clients.lost;
	memcpy(status.proved, d->proof.entries, sizeof(status.proved));
	kw_backend_counters(backend, &status.counters);
	r = kw_backend_stats(backend, &status.stats);
	if (!d->proof.passed) {
		status.enforcement = KW_DEGRADED;
		status.reason =
			"the last proof failed: a canary ioctl was not answered by our programs";
	} else if (d->options->pin && !status.pinned && !status.plain) {
		status.enforcement = KW_DEGRADED;
		status.reason = "pins of ours are gone: what is in force ends with the daemon";
	} else if (d->plan_error) {
		status.enforcement = KW_AUDITING;
		status.reason = d->plan_error;
	} else if (status.plain) {
		status.enforcement = KW_SUPERVISING;
		status.reason =
			"VMMs that 'kvmwarden run' starts are refused what policies say, by "
			"the types of VM they ask for; no others are, nor are they known";
	} else if (status.backend == KW_BACKEND_SECCOMP) {
		status.enforcement = KW_SUPERVISING;
		status.reason = "VMMs that 'kvmwarden run' starts are refused what policies say, "
				"and no others";
	} else if (!status.refuses && kw_ruleset_denies(rules)) {
		status.enforcement = KW_AUDITING;
		status.reason = "policies in force say deny, which this backend cannot do: "
				"it reports these ioctls, and they succeed";
	}
	*ret = status;
	return r;
}

static int count_vm(void *userdata, const struct kw_vm *vm)
{
	struct kw_status *status = userdata;

	bool es = vm->type == KW_TYPE_DEFAULT && (vm->flags & KW_VM_ES);
	unsigned int type = es ? KW_TYPE_LEGACY_SEV_ES : vm->type;

	status->vms++;
	if (type < _KW_TYPE_MAX)
		status->vms_by[type]
			      [vm->flags & KW_VM_SEALED ? KW_STATE_SEALED : KW_STATE_BUILDING]++;
	status->vms_unknown += vm->type == KW_TYPE_UNKNOWN;
	status->vms_unsupervised += !(vm->flags & KW_VM_SUPERVISED);
	return 0;
}

int kw_daemon_status_vms(struct kw_daemon *d, struct kw_status *status)
{
	int r;

	r = kw_backend_each_vm(d->choice.backend, count_vm, status);
	if (r < 0)
		return r;
	if (status->enforcement == KW_SUPERVISING && status->vms_unsupervised &&
	    kw_ruleset_denies(status->rules)) {
		status->enforcement = KW_AUDITING;
		status->reason =
			"policies in force say deny, and there are VMs that were not started "
			"by 'kvmwarden run': nothing is refused to them";
	}
	if (status->enforcement == KW_SUPERVISING && status->supervision.outdated) {
		status->enforcement = KW_AUDITING;
		status->reason =
			"policies name operations that the filters of VMMs which run since "
			"before do "
			"not ask about: those have to be started anew";
	}
	return 0;
}

static int answer_status(void *userdata, struct kw_json *reply, char **reterr)
{
	struct kw_daemon *d = userdata;
	struct kw_status_exception exceptions[KW_GRANTED_MAX];
	_cleanup_free_ struct kw_stats *stats = NULL;
	_cleanup_free_ uint64_t *lost = NULL;
	struct kw_status status;
	int cpus, r;

	/* Zeros in the place of counts would be a status, and not the one there is. */
	r = kw_daemon_status(d, &status);
	if (r == 0)
		r = kw_daemon_status_vms(d, &status);
	if (r < 0)
		return kw_fail(r, reterr, "cannot read the counters: %s", strerror(-r));
	cpus = kw_backend_stats_by_cpu(d->choice.backend, &stats);
	if (cpus > 0)
		lost = calloc(cpus, sizeof(*lost));
	for (int i = 0; lost && i < cpus; i++)
		lost[i] = stats[i].lost;
	status.lost_by_cpu = lost;
	status.cpus = lost ? cpus : 0;
	status.exceptions = exceptions;
	status.exception_count = kw_daemon_exceptions(d, exceptions);
	kw_render_status(reply, &status);
	return 0;
}

static int answer_prove(void *userdata, struct kw_json *reply, char **reterr)
{
	kw_daemon_prove(userdata);
	return answer_status(userdata, reply, reterr);
}

struct listing {
	struct kw_daemon *daemon;
	struct kw_json *reply;
};

static int list_vm(void *userdata, const struct kw_vm *vm)
{
	struct listing *listing = userdata;
	struct kw_daemon *d = listing->daemon;

	kw_render_vm(listing->reply, vm, kw_daemon_rules(d, d->generation), &d->host);
	return 0;
}

static int answer_vms(void *userdata, struct kw_json *reply, char **reterr)
{
	struct kw_daemon *d = userdata;
	struct listing listing = {.daemon = d, .reply = reply};
	int r;

	/* Two walks, as it takes two to be sure that a VM is gone. */
	r = kw_daemon_sweep(d, kw_backend_sweeps(d->choice.backend) ? 2 : 1);
	if (r < 0)
		return kw_fail(r, reterr, "cannot walk over the host's open files: %s",
			       strerror(-r));
	kw_json_open_object(reply);
	kw_json_key(reply, "vms");
	kw_json_open_array(reply);
	r = kw_backend_each_vm(d->choice.backend, list_vm, &listing);
	if (r < 0)
		return kw_fail(r, reterr, "cannot read the records of VMs: %s", strerror(-r));
	kw_json_close_array(reply);
	kw_json_close_object(reply);
	return 0;
}

/* The generation that is in force now. */
static int reply_generation(const struct kw_daemon *d, struct kw_json *reply)
{
	kw_json_open_object(reply);
	kw_json_member_unsigned(reply, "generation", d->generation);
	kw_json_close_object(reply);
	return 0;
}

static int answer_reload(void *userdata, struct kw_json *reply, char **reterr)
{
	struct kw_daemon *d = userdata;
	int r;

	r = kw_daemon_reload(d, reterr);
	return r < 0 ? r : reply_generation(d, reply);
}

static int answer_set_mode(void *userdata, const char *policy, int mode, uint32_t uid,
			   struct kw_json *reply, char **reterr)
{
	struct kw_daemon *d = userdata;
	int r;

	r = kw_daemon_set_mode(d, policy, mode, uid, reterr);
	return r < 0 ? r : reply_generation(d, reply);
}

static int answer_allow(void *userdata, const struct kw_allow *allow, struct kw_json *reply,
			char **reterr)
{
	struct kw_daemon *d = userdata;
	uint64_t id;
	int r;

	r = kw_daemon_allow(d, allow, &id, reterr);
	if (r < 0)
		return r;
	kw_json_open_object(reply);
	kw_json_member_unsigned(reply, "exception", id);
	kw_json_member_time(reply, "until",
			    kw_clock_ns(CLOCK_REALTIME) + allow->seconds * 1000000000);
	kw_json_close_object(reply);
	return 0;
}

static int answer_end_exception(void *userdata, uint64_t id, struct kw_json *reply, char **reterr)
{
	int r;

	r = kw_daemon_end_exception(userdata, id, reterr);
	if (r < 0)
		return r;
	kw_json_open_object(reply);
	kw_json_close_object(reply);
	return 0;
}

/* The one way to end enforcement. The daemon has nothing left to do then. */
static int answer_unload(void *userdata, struct kw_json *reply, char **reterr)
{
	struct kw_daemon *d = userdata;
	int r;

	if (d->seal && !kw_seal_has_guest(d->seal))
		return kw_fail(
			-EPERM, reterr,
			"this host is sealed: 'kvmwarden unload --yes --token FILE' ends it, "
			"with the token it was sealed with");
	kw_daemon_event_begin(d, "unloaded");
	kw_daemon_event_end(d);
	r = kw_backend_unload(d->choice.backend);
	kw_daemon_forget_state(d);
	if (d->seal && r == 0)
		kw_seal_open(d->seal);
	sd_event_exit(d->loop, 0);
	if (r < 0)
		return kw_fail(r, reterr, "cannot remove all pins: %s", strerror(-r));
	kw_json_open_object(reply);
	kw_json_close_object(reply);
	return 0;
}

const struct kw_manager_ops kw_daemon_ops = {
	.status = answer_status,
	.prove = answer_prove,
	.vms = answer_vms,
	.reload = answer_reload,
	.set_mode = answer_set_mode,
	.allow = answer_allow,
	.end_exception = answer_end_exception,
	.unload = answer_unload,
};
