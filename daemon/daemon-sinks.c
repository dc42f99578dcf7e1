/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's trail and sinks: opened, handed each event, flushed, moved away when it is time. */
#include <errno.h>
#include <time.h>

#include "cli.h"
#include "daemon-internal.h"
#include "util.h"

static int open_trail(struct kw_daemon *d)
{
	const struct kw_options *options = d->options;
	struct kw_pinned pinned;
	struct kw_chain head;
	bool chained;
	int r;

	if (options->no_events)
		return KW_EXIT_OK;
	/* What an earlier daemon wrote last, if one left its counters. */
	chained = options->pin && kw_backend_read_pinned(&pinned) == 0 &&
		  kw_counters_chain(&pinned.counters, &head);
	r = kw_trail_open(options->events, options->json, chained ? &head : NULL, &d->trail);
	if (r == 0)
		return KW_EXIT_OK;
	fprintf(stderr, "kvmwardend: cannot write events to '%s': %s\n",
		options->events ?: "standard output", strerror(-r));
	return r == -EACCES || r == -EPERM ? KW_EXIT_NOPERM : KW_EXIT_OS;
}

int kw_daemon_open_sinks(struct kw_daemon *d)
{
	const struct kw_options *options = d->options;
	int r;

	r = open_trail(d);
	if (r != KW_EXIT_OK)
		return r;
	d->sinks = calloc(options->sink_count ?: 1, sizeof(struct kw_sink *));
	if (!d->sinks) {
		fputs("kvmwardend: out of memory\n", stderr);
		return KW_EXIT_OS;
	}
	for (size_t i = 0; i < options->sink_count; i++) {
		const struct kw_sink_wish *wish = &options->sinks[i];
		_cleanup_free_ char *why = NULL;

		r = kw_sink_new(d->loop, wish, &d->sinks[i], &why);
		if (r < 0) {
			fprintf(stderr, "kvmwardend: sink '%s' (%s%s%s): %s\n", wish->name,
				kw_sink_kind_name(wish->kind), wish->path ? ":" : "",
				wish->path ?: "", why ?: strerror(-r));
			return r == -EACCES || r == -EPERM ? KW_EXIT_NOPERM : KW_EXIT_OS;
		}
		d->sink_count++;
	}
	return KW_EXIT_OK;
}

void kw_daemon_close_sinks(struct kw_daemon *d)
{
	kw_trail_free(d->trail);
	while (d->sink_count)
		kw_sink_free(d->sinks[--d->sink_count]);
	free(d->sinks);
}

void kw_daemon_hand_on(struct kw_daemon *d)
{
	struct kw_news news = {
		.json = d->line.text,
		.len = d->line.len,
		.kind = d->line_kind,
		.verdict = d->line_verdict,
	};

	d->denials |= kw_news_is_denial(&news);
	if (d->trail)
		kw_trail_write(d->trail, news.json, news.len);
	for (size_t i = 0; i < d->sink_count; i++)
		kw_sink_event(d->sinks[i], &news);
	if (d->manager)
		kw_manager_event(d->manager, news.json, news.len);
	kw_news_done(&news);
}

/* 0, or -errno of a write or of what was to bring it to disk. */
static int flush_trail(struct kw_daemon *d)
{
	enum kw_sync sync = d->options->sync;
	int r = kw_trail_flush(d->trail);

	if (r == 0 && (sync == KW_SYNC_ALWAYS || (sync == KW_SYNC_DENIALS && d->denials)))
		r = kw_trail_sync(d->trail);
	return r;
}

int kw_daemon_flush_sinks(struct kw_daemon *d)
{
	int r = d->trail ? flush_trail(d) : 0;

	for (size_t i = 0; i < d->sink_count; i++)
		kw_sink_flush(d->sinks[i]);
	d->denials = false;
	return r;
}

/* What was moved away goes on in a new file, whose first line says so. */
static int reopen_trail(struct kw_daemon *d)
{
	int r;

	r = kw_trail_reopen(d->trail);
	if (r < 0) {
		fprintf(stderr,
			"kvmwardend: cannot open '%s' again: %s; the old file stays in use\n",
			d->options->events, strerror(-r));
		return r;
	}
	kw_daemon_event_begin(d, "reopened");
	kw_daemon_member_chain(d);
	kw_daemon_event_end(d);
	return 0;
}

void kw_daemon_reopen_sinks(struct kw_daemon *d)
{
	int r;

	if (d->trail && d->options->events)
		reopen_trail(d);
	for (size_t i = 0; i < d->sink_count; i++) {
		const struct kw_sink_wish *wish = kw_sink_wish(d->sinks[i]);

		r = kw_sink_reopen(d->sinks[i]);
		if (r < 0)
			fprintf(stderr,
				"kvmwardend: sink '%s': cannot open '%s' again: %s; the old file "
				"stays in use\n",
				wish->name, wish->path, strerror(-r));
	}
}

/* A trail that cannot be moved goes on where it is, and says so once. */
static void rotate_trail(struct kw_daemon *d)
{
	const struct kw_options *options = d->options;
	int r;

	if (!options->events || !kw_rotation_due(&options->rotation, kw_trail_fd(d->trail),
						 kw_clock_ns(CLOCK_REALTIME)))
		return;
	r = kw_rotate(options->events, options->rotation.keep);
	if (r == 0)
		r = reopen_trail(d);
	else if (!d->rotation_failed)
		fprintf(stderr, "kvmwardend: cannot move '%s' away: %s; it goes on growing\n",
			options->events, strerror(-r));
	d->rotation_failed = r < 0;
}

void kw_daemon_tend_sinks(struct kw_daemon *d)
{
	if (d->trail)
		rotate_trail(d);
	for (size_t i = 0; i < d->sink_count; i++)
		kw_sink_tend(d->sinks[i]);
}
