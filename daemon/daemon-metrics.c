/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's metrics: what the page is made of, and where it is served. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "cli.h"
#include "daemon-internal.h"
#include "util.h"

/* In bytes; 0: not known. Opened before the daemon could not any more. */
static uint64_t resident(const struct kw_daemon *d)
{
	char text[64], *size;
	ssize_t n = pread(d->statm, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	/* "SIZE RESIDENT ...", in pages. */
	size = strchr(text, ' ');
	return size ? strtoull(size, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static int make_page(void *userdata, char **ret, size_t *ret_len)
{
	struct kw_daemon *d = userdata;
	struct kw_status status;
	struct kw_metrics_page page = {.status = &status, .metrics = d->metrics};
	char *text = NULL;
	bool failed;
	FILE *out;
	int r;

	/* Zeros in the place of counts would be a page, and not the one there is. */
	r = kw_daemon_status(d, &status);
	if (r == 0)
		r = kw_daemon_status_vms(d, &status);
	if (r < 0)
		return r;
	page.resident = resident(d);
	for (size_t i = 0; i < d->sink_count && i < KW_METRICS_SINKS_MAX; i++) {
		const struct kw_sink_wish *wish = kw_sink_wish(d->sinks[i]);

		page.sinks[i].name = wish->name;
		page.sinks[i].kind = wish->kind;
		kw_sink_stats(d->sinks[i], &page.sinks[i].stats);
		page.sink_count++;
	}
	out = open_memstream(&text, ret_len);
	if (!out)
		return -ENOMEM;
	kw_metrics_render(&page, out);
	failed = ferror(out);
	if (fclose(out) == EOF || failed) {
		free(text);
		return -ENOMEM;
	}
	*ret = text;
	return 0;
}

int kw_daemon_open_metrics(struct kw_daemon *d)
{
	const char *where = d->options->metrics;
	int r = -ENOMEM;

	if (!where)
		return KW_EXIT_OK;
	d->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	d->metrics = kw_metrics_new();
	if (d->metrics)
		r = kw_metrics_serve(d->loop, where, make_page, d, &d->metrics_server);
	if (r == 0)
		return KW_EXIT_OK;
	fprintf(stderr, "kvmwardend: cannot serve metrics on '%s': %s\n", where, strerror(-r));
	return r == -EACCES || r == -EPERM ? KW_EXIT_NOPERM : KW_EXIT_OS;
}

void kw_daemon_close_metrics(struct kw_daemon *d)
{
	d->metrics_server = kw_metrics_server_free(d->metrics_server);
	d->metrics = kw_metrics_free(d->metrics);
	if (d->statm >= 0)
		close(d->statm);
}

void kw_daemon_count(struct kw_daemon *d, const struct kw_event *event,
		     const struct kw_ruleset *rules)
{
	const struct kw_policy *policy;

	/* What somebody tried on our programs is no operation of KVM. */
	if (!d->metrics || event->kind == KW_EVENT_TAMPERING)
		return;
	policy = rules ? kw_ruleset_policy(rules, event->policy) : NULL;
	if (kw_metrics_count(d->metrics, event, policy ? policy->name : NULL))
		fprintf(stderr,
			"kvmwardend: warning: metrics have no room for more than %d series of "
			"verdicts: what is new is counted as 'other' from here on\n",
			KW_METRICS_SERIES_MAX);
}
