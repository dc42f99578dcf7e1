/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon: policies in, programs up, events out. */
#include "daemon.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <time.h>

#include "cli.h"
#include "daemon-internal.h"
#include "names.h"
#include "pins.h"
#include "seal-token.h"
#include "util.h"

/*
 * Theory of operation
 *
 * One thread, one sd-event loop. The kernel decides without us; everything here
 * is about telling it what to decide (kw_daemon_reload), hearing what it decided
 * (the ring buffer, a batch at a time), checking that it still does
 * (prove), and answering questions (the manager). Nothing on the way of an ioctl
 * ever waits for this process. It gives up what it does not need at two points:
 * kw_daemon_confine_begin and kw_daemon_confine_serve, see confine.c.
 */

#define SWEEP_USEC (2 * 1000 * 1000) /* also the interval at which losses are told */
#define PROOF_USEC (60 * 1000 * 1000)

static int complain(int status, const char *what, int error)
{
	fprintf(stderr, "kvmwardend: %s: %s\n", what, strerror(error < 0 ? -error : error));
	return status;
}

static int complain_of(const char *what, const char *path, int error)
{
	fprintf(stderr, "kvmwardend: %s '%s': %s\n", what, path, strerror(-error));
	return error == -EACCES || error == -EPERM ? KW_EXIT_NOPERM : KW_EXIT_OS;
}

/* Every reason on a line of its own, stronger backends first. */
static void tell_refusals(const struct kw_choice *choice)
{
	for (size_t i = 0; i < choice->refusal_count; i++)
		fprintf(stderr, "kvmwardend: backend %s does not work here: %s\n",
			kw_backend_name(choice->refusals[i].backend), choice->refusals[i].reason);
}

static int exit_status_of(int error)
{
	switch (error) {
	case -EPERM:
	case -EACCES:
		return geteuid() == 0 ? KW_EXIT_UNAVAILABLE : KW_EXIT_NOPERM;
	case -ENOMEM:
	case -EMFILE:
	case -ENFILE:
	case -EAGAIN:
		return KW_EXIT_OS;
	default:
		return KW_EXIT_UNAVAILABLE;
	}
}

/* One daemon at a time has pins. Without a bpffs the backends say so. */
static int lock_pins(struct kw_daemon *d)
{
	int r;

	if (!d->options->pin || kw_pins_mount() < 0)
		return KW_EXIT_OK;
	r = kw_pins_lock(&d->pins_lock);
	if (r == -EBUSY) {
		fprintf(stderr, "kvmwardend: another one is running and has its programs pinned\n");
		return KW_EXIT_OS;
	}
	if (r == -EPERM) {
		fprintf(stderr,
			"kvmwardend: %s must belong to root and be writable by nobody else\n",
			KW_PINS);
		return KW_EXIT_OS;
	}
	return r < 0 ? complain_of("cannot use", KW_PINS, r) : KW_EXIT_OK;
}

static int refuse_policies(int error, struct kw_diag *diag)
{
	kw_diag_print(diag, stderr);
	kw_diag_done(diag);
	fprintf(stderr, "kvmwardend: cannot start with these policies\n");
	return error == -ENOMEM ? KW_EXIT_OS : KW_EXIT_FINDING;
}

int kw_daemon_check(const struct kw_options *options)
{
	struct kw_daemon d = {.options = options, .pins_lock = -1, .statm = -1};
	struct kw_diag diag = {};
	int r;

	r = kw_daemon_load(&d, &d.first, &diag);
	if (r < 0)
		return refuse_policies(r, &diag);
	printf("%zu policies, configuration: %s, %zu sinks\n", d.first->set.count,
	       options->config ?: "none", options->sink_count);
	kw_ruleset_free(d.first);
	return KW_EXIT_OK;
}

/* What can be wrong on any machine, before the kernel is touched: policies, socket, file. */
static int prepare(struct kw_daemon *d)
{
	const struct kw_options *options = d->options;
	struct kw_diag diag = {};
	int r;

	kw_daemon_host_init(d);
	kw_daemon_recall(d);
	r = kw_daemon_load(d, &d->first, &diag);
	if (r < 0)
		return refuse_policies(r, &diag);
	if (geteuid() != 0) {
		fprintf(stderr,
			"kvmwardend: not root: loading BPF programs and using /dev/kvm need it\n");
		return KW_EXIT_NOPERM;
	}
	r = kw_daemon_seal_enter(d);
	if (r == KW_EXIT_OK)
		r = lock_pins(d);
	if (r == KW_EXIT_OK)
		r = kw_daemon_seal_close(d);
	if (r != KW_EXIT_OK)
		return r;
	/* Who connects from here on waits for the loop. */
	r = kw_manager_new(d->loop, options->socket, &kw_daemon_ops, d, &d->manager);
	if (r == -EADDRINUSE) {
		fprintf(stderr, "kvmwardend: another one listens on '%s'\n", options->socket);
		return KW_EXIT_OS;
	}
	if (r < 0)
		return complain_of("cannot listen on", options->socket, r);
	r = kw_daemon_open_sinks(d);
	return r == KW_EXIT_OK ? kw_daemon_open_metrics(d) : r;
}

static int start(struct kw_daemon *d)
{
	const struct kw_options *options = d->options;
	const struct kw_backend_wish wish = {
		.pin = options->pin,
		.vms_max = options->vms_max,
		.full_refuses = options->full_refuses,
		.no_bpf = options->plain ? "--backend seccomp-plain says so" : NULL,
	};
	char *why = NULL;
	int r;

	r = kw_choose(options->backend, options->require_deny, &wish, d->first, &d->choice, &why);
	tell_refusals(&d->choice);
	if (r < 0) {
		fprintf(stderr, "kvmwardend: %s; not enforcing anything\n",
			why ?: "no backend works here");
		free(why);
		return exit_status_of(r);
	}
	kw_daemon_resume(d);
	kw_daemon_adopt_rules(d, TAKE_PTR(d->first));
	r = kw_daemon_seal_ready(d);
	if (r != KW_EXIT_OK)
		return r;
	r = kw_backend_leftovers(d->choice.backend);
	if (r < 0)
		fprintf(stderr,
			"kvmwardend: warning: older pins below %s cannot be removed: %s; "
			"they are in force as well\n",
			KW_PINS, strerror(-r));
	r = kw_backend_prove(d->choice.backend, &d->proof);
	if (r < 0)
		return complain(KW_EXIT_OS, "cannot repeat the proof", r);
	d->proved_ns = kw_clock_ns(CLOCK_REALTIME);
	d->since_ns = d->proved_ns;
	r = kw_daemon_sweep(d, 1);
	if (r < 0)
		return complain(KW_EXIT_OS, "cannot adopt the VMs that exist", r);
	kw_daemon_tell_lost(d, false);
	kw_daemon_reconcile_exceptions(d);
	kw_daemon_note_plan(d);
	r = kw_daemon_supervise(d);
	if (r < 0)
		return complain_of("cannot listen beside", options->socket, r);
	return KW_EXIT_OK;
}

static int on_ring(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct kw_daemon *d = userdata;

	(void)source;
	(void)fd;
	(void)revents;
	kw_daemon_pump(d);
	/* There is room again: what found none is told before anything else. */
	kw_daemon_tell_lost(d, false);
	return 0;
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	char *error = NULL;

	(void)source;
	(void)info;
	kw_daemon_reload(userdata, &error); /* which told of it */
	free(error);
	return 0;
}

static int on_reopen(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	(void)source;
	(void)info;
	kw_daemon_reopen_sinks(userdata);
	return 0;
}

static int rearm(sd_event_source *source, uint64_t usec)
{
	int r;

	r = sd_event_source_set_time_relative(source, usec);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_sweep(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct kw_daemon *d = userdata;

	(void)usec;
	if (kw_backend_sweeps(d->choice.backend))
		kw_daemon_sweep(d, 1);
	kw_daemon_tell_lost(d, true);
	kw_daemon_tell_suppressed(d);
	kw_daemon_expire(d);
	kw_daemon_tend_sinks(d);
	return rearm(source, SWEEP_USEC);
}

void kw_daemon_prove(struct kw_daemon *d)
{
	struct kw_proof proof = {};
	bool passed, told;

	passed = kw_backend_prove(d->choice.backend, &proof) == 0 && proof.passed;
	if (passed)
		d->proved_ns = kw_clock_ns(CLOCK_REALTIME);
	if (passed != d->proof.passed) {
		fprintf(stderr, "kvmwardend: the proof %s\n",
			passed ? "passes again" : "failed: our programs do not answer any more");
		kw_daemon_event_begin(d, passed ? "proof-passed" : "proof-failed");
		kw_daemon_event_end(d);
	}
	told = passed == d->proof.passed;
	d->proof = proof;
	if (!told)
		kw_daemon_notify_status(d);
}

static int on_proof(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)usec;
	kw_daemon_prove(userdata);
	return rearm(source, PROOF_USEC);
}

static int watch(struct kw_daemon *d)
{
	int r;

	r = sd_event_add_io(d->loop, NULL, kw_backend_events_fd(d->choice.backend), EPOLLIN,
			    on_ring, d);
	if (r < 0)
		return r;
	if (d->seal)
		r = sd_event_add_io(d->loop, NULL, kw_seal_events_fd(d->seal), EPOLLIN, on_ring, d);
	if (r < 0)
		return r;
	r = sd_event_add_signal(d->loop, NULL, SIGTERM, NULL, NULL);
	if (r < 0)
		return r;
	r = sd_event_add_signal(d->loop, NULL, SIGINT, NULL, NULL);
	if (r < 0)
		return r;
	r = sd_event_add_signal(d->loop, NULL, SIGHUP, on_hangup, d);
	if (r < 0)
		return r;
	r = sd_event_add_signal(d->loop, NULL, SIGUSR1, on_reopen, d);
	if (r < 0)
		return r;
	r = sd_event_add_time_relative(d->loop, NULL, CLOCK_MONOTONIC, SWEEP_USEC, 0, on_sweep, d);
	if (r < 0)
		return r;
	r = sd_event_add_time_relative(d->loop, NULL, CLOCK_MONOTONIC, PROOF_USEC, 0, on_proof, d);
	if (r < 0)
		return r;
	return sd_event_set_watchdog(d->loop, true);
}

static void tell_started(struct kw_daemon *d)
{
	const struct kw_ruleset *rules = kw_daemon_rules(d, d->generation);
	struct kw_status status;

	kw_daemon_status(d, &status);
	fprintf(stderr,
		"kvmwardend: %s: backend %s%s, %zu policies, proved by the native%s entry\n",
		kw_enforcement_name(status.enforcement), kw_backend_title(d->choice.backend),
		status.adopted ? ", adopted from an earlier daemon" : "", rules->set.count,
		d->proof.entries[KW_ENTRY_COMPAT] ? " and the 32-bit" : "");
	if (status.plain)
		fprintf(stderr, "kvmwardend: decisions are made without BPF: %s\n", status.plain);
	if (status.reason)
		fprintf(stderr, "kvmwardend: warning: %s\n", status.reason);
	kw_daemon_event_begin(d, "started");
	kw_json_member_string(&d->line, "enforcement", kw_enforcement_name(status.enforcement));
	kw_json_member_string(&d->line, "backend", kw_backend_name(status.backend));
	kw_json_member_unsigned(&d->line, "policies", rules->set.count);
	kw_json_member_unsigned(&d->line, "generation", d->generation);
	kw_json_member_bool(&d->line, "pinned", status.pinned);
	kw_json_member_bool(&d->line, "adopted", status.adopted);
	kw_daemon_member_chain(d);
	kw_json_member_bool(&d->line, "sealed", status.sealed);
	kw_json_member_string(&d->line, "plain", status.plain);
	kw_daemon_event_end(d);
	kw_daemon_notify_ready(d);
}

static int serve(struct kw_daemon *d)
{
	int r;

	r = watch(d);
	if (r < 0)
		return complain(KW_EXIT_OS, "cannot set up the event loop", r);
	/* Type information took some 10 MiB while the programs were loaded. */
	malloc_trim(0);
	r = kw_daemon_confine_serve(d);
	if (r != KW_EXIT_OK)
		return r;
	tell_started(d);
	r = sd_event_loop(d->loop);
	kw_daemon_notify_stopping();
	if (r < 0)
		return complain(KW_EXIT_OS, "the event loop failed", r);
	/* VMs that ended since the last sweep. */
	if (kw_backend_sweeps(d->choice.backend))
		kw_daemon_sweep(d, 2);
	/* What is missing by now nobody else would tell of. */
	kw_daemon_tell_lost(d, true);
	kw_daemon_event_begin(d, "stopped");
	kw_json_member_bool(&d->line, "pinned", kw_backend_pinned(d->choice.backend));
	kw_json_member_bool(&d->line, "sealed", d->seal && kw_seal_exists());
	kw_daemon_event_end(d);
	return KW_EXIT_OK;
}

int kw_daemon_run(const struct kw_options *options)
{
	struct kw_daemon d = {.options = options, .pins_lock = -1};
	sigset_t mask;
	int r, status;

	/* A list of thousands of VMs is megabytes, which the heap would keep for good. */
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	/* Before anything else, so that no signal finds its default action in place. */
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* A limit for the file of events is a failed write like others. */
	signal(SIGXFSZ, SIG_IGN);

	status = kw_daemon_confine_begin(&d);
	if (status != KW_EXIT_OK)
		return status;
	r = sd_event_default(&d.loop);
	if (r < 0)
		return complain(KW_EXIT_OS, "cannot create an event loop", r);
	status = prepare(&d);
	if (status == KW_EXIT_OK)
		status = start(&d);
	if (status == KW_EXIT_OK)
		status = serve(&d);
	if (status != KW_EXIT_OK && d.choice.backend && kw_backend_pinned(d.choice.backend))
		fprintf(stderr, "kvmwardend: what is pinned below %s stays in force\n", KW_PINS);
	/* Nothing is in force: nor is there anything to be sealed. */
	if (!d.choice.backend)
		kw_seal_undo(d.seal);
	kw_seal_free(d.seal);
	kw_token_wipe(&d.token);
	kw_daemon_end_supervision(&d);
	kw_manager_free(d.manager);
	kw_daemon_close_metrics(&d);
	kw_daemon_close_sinks(&d);
	kw_choice_done(&d.choice);
	kw_handover_done(&d.handover);
	kw_confinement_done(&d.confinement);
	kw_ruleset_free(d.first);
	free(d.policy_error);
	free(d.plan_error);
	kw_json_done(&d.line);
	sd_event_unref(d.loop);
	kw_pins_unlock(d.pins_lock);
	return status;
}
