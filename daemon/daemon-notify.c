/* SPDX-License-Identifier: GPL-2.0-only */
/* What the service manager is told: sd_notify(3). Without one each of these does nothing. */
#include <inttypes.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "daemon-internal.h"
#include "util.h"

/* What "systemctl status" shows, in one line. */
static void tell(struct kw_daemon *d, const char *state)
{
	const struct kw_ruleset *rules = kw_daemon_rules(d, d->generation);
	size_t policies = rules ? rules->set.count : 0;
	struct kw_status status;

	kw_daemon_status(d, &status);
	sd_notifyf(0, "%sSTATUS=%s, backend %s, %zu %s, generation %" PRIu64 "%s%s%s", state,
		   /* It must not look like the other words in a list of a thousand hosts. */
		   status.enforcement == KW_DEGRADED ? "DEGRADED"
						     : kw_enforcement_name(status.enforcement),
		   kw_backend_title(d->choice.backend), policies,
		   policies == 1 ? "policy" : "policies", d->generation,
		   d->policy_error ? "; the last reload was refused" : "",
		   status.reason ? ": " : "", status.reason ?: "");
}

void kw_daemon_notify_ready(struct kw_daemon *d)
{
	tell(d, "READY=1\n");
}

void kw_daemon_notify_status(struct kw_daemon *d)
{
	tell(d, "");
}

void kw_daemon_notify_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reading the policies.",
		   kw_clock_ns(CLOCK_MONOTONIC) / 1000);
}

void kw_daemon_notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}
