/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon and its confinement: when each stage comes, and what is said of it. */
#include <errno.h>
#include <fcntl.h>

#include "cli.h"
#include "daemon-internal.h"
#include "policy.h"
#include "util.h"

static struct kw_confine_wish wish_of(const struct kw_daemon *d)
{
	const struct kw_options *options = d->options;
	const struct kw_ruleset *rules = kw_daemon_rules(d, d->generation);

	return (struct kw_confine_wish){
		.socket = options->socket,
		.events = options->events,
		.rotates = kw_rotates(&options->rotation),
		.sinks = options->sinks,
		.sink_count = options->sink_count,
		.metrics = options->metrics,
		.token = options->seal,
		.policy_dirs = (const char *const *)options->policy_dirs ?: kw_policy_default_dirs,
		.policies = rules ? &rules->set : NULL,
		.pin = options->pin,
		.supervises = d->choice.backend && kw_backend_judges(d->choice.backend),
		.inspects = d->choice.backend && kw_backend_plain(d->choice.backend),
	};
}

static int complain(int r, const char *why)
{
	fprintf(stderr, "kvmwardend: cannot confine itself: %s\n", why ? why : strerror(-r));
	return KW_EXIT_OS;
}

int kw_daemon_confine_begin(struct kw_daemon *d)
{
	const struct kw_confine_wish wish = wish_of(d);
	_cleanup_free_ char *why = NULL;
	int r;

	if (!d->options->confine) {
		fprintf(stderr,
			"kvmwardend: warning: --no-confine: whoever takes this process over has "
			"all that root has: every capability, file and system call\n");
		return KW_EXIT_OK;
	}
	r = kw_confine_begin(&d->confinement, &wish, &why);
	return r < 0 ? complain(r, why) : KW_EXIT_OK;
}

/* The capabilities are gone by now: can a new file be made where the old one is moved away? */
static void check_events(const struct kw_daemon *d)
{
	_cleanup_free_ char *directory = d->options->events ? strdup(d->options->events) : NULL;
	char *slash = directory ? strrchr(directory, '/') : NULL;

	if (!directory)
		return;
	if (slash)
		slash[slash == directory] = '\0';
	if (faccessat(AT_FDCWD, slash ? directory : ".", W_OK | X_OK, AT_EACCESS) < 0 &&
	    errno == EACCES)
		fprintf(stderr,
			"kvmwardend: warning: root may write to the directory of '%s' only by a "
			"capability that the daemon does not keep: SIGUSR1 cannot make it anew\n",
			d->options->events);
}

int kw_daemon_confine_serve(struct kw_daemon *d)
{
	const struct kw_confine_wish wish = wish_of(d);
	struct kw_confinement *c = &d->confinement;
	_cleanup_free_ char *why = NULL;
	int r;

	if (!c->wanted)
		return KW_EXIT_OK;
	r = kw_confine_serve(c, &wish, &why);
	if (r < 0)
		return complain(r, why);
	for (enum kw_confine_stage i = 0; i < _KW_CONFINE_MAX; i++)
		if (c->missing[i])
			fprintf(stderr, "kvmwardend: warning: not confined in its %s: %s\n",
				kw_confine_stage_name(i), c->missing[i]);
	check_events(d);
	return KW_EXIT_OK;
}

void kw_daemon_confine_hint(const struct kw_daemon *d, int error, struct kw_diag *diag)
{
	if (error != -EACCES || diag->hint || !d->confinement.stages[KW_CONFINE_CAPABILITIES])
		return;
	kw_diag_hint(diag, "the daemon has no capabilities left, and reads only where policies "
			   "were when it was started: 'systemctl restart kvmwardend' lets it look "
			   "elsewhere, and interrupts nothing");
}
