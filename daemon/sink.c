/* SPDX-License-Identifier: GPL-2.0-only */
/* Where events go beside the trail: the filter, the books, and what waits on disk. */
#include "sink.h"

#include <time.h>

#include "json.h"
#include "render.h"
#include "sink-internal.h"
#include "spool.h"
#include "util.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define SYSLOG_SOCKET "/dev/log"
#define BURST 256 /* records of the spool at a time */

struct kw_sink {
	const struct kw_sink_wish *wish;
	struct kw_outlet *outlet;
	struct kw_spool *spool; /* or NULL */
	bool denials; /* in this batch */
	uint64_t untold; /* losses that nobody who reads the sink knows of */
	uint64_t taken; /* by the outlet */
	uint64_t recalled;
	struct kw_sink_stats stats; /* produced, lost, filtered */
};

static const char *const kind_names[] = {
	[KW_SINK_JOURNAL] = "journal",
	[KW_SINK_SYSLOG] = "syslog",
	[KW_SINK_FILE] = "file",
	[KW_SINK_SOCKET] = "socket",
};

static const char *const sync_names[] = {
	[KW_SYNC_NEVER] = "never",
	[KW_SYNC_DENIALS] = "denials",
	[KW_SYNC_ALWAYS] = "always",
};

const char *kw_sink_kind_name(enum kw_sink_kind kind)
{
	return kind < _KW_SINK_KIND_MAX ? kind_names[kind] : "unknown";
}

const char *kw_sync_name(enum kw_sync sync)
{
	return sync < _KW_SYNC_MAX ? sync_names[sync] : "unknown";
}

int kw_sync_from_name(const char *name)
{
	for (unsigned int i = 0; i < _KW_SYNC_MAX; i++)
		if (kw_streq(sync_names[i], name))
			return (int)i;
	return -EINVAL;
}

const char *kw_sync_list(unsigned int index)
{
	return index < _KW_SYNC_MAX ? sync_names[index] : NULL;
}

void kw_sink_wish_done(struct kw_sink_wish *wish)
{
	free(wish->name);
	free(wish->path);
	free(wish->spool_path);
	*wish = (struct kw_sink_wish){};
}

/* --- formats ------------------------------------------------------------------ */

static int format_as(enum kw_format format, enum kw_sink_kind kind, struct kw_news *news, FILE *out)
{
	switch (kind) {
	case KW_SINK_JOURNAL:
		return kw_format_journal(news, out);
	case KW_SINK_SYSLOG:
		return kw_format_syslog(format, news, out);
	default:
		return kw_format_event(format, news, out);
	}
}

/* malloc()ed */
static int render(const struct kw_sink_wish *wish, struct kw_news *news, char **ret,
		  size_t *ret_len)
{
	FILE *out = open_memstream(ret, ret_len);
	int r;

	if (!out)
		return -ENOMEM;
	r = format_as(wish->format, wish->kind, news, out);
	if (fclose(out) == EOF)
		r = -ENOMEM;
	return r;
}

int kw_sink_format_lost(enum kw_format format, enum kw_sink_kind kind, uint64_t count,
			const char *reason, FILE *out)
{
	struct kw_json json = {};
	struct kw_news news = {.kind = -1, .verdict = -1};
	int r = -ENOMEM;

	kw_json_open_object(&json);
	kw_json_member_unsigned(&json, "version", KW_EVENT_VERSION);
	kw_json_member_time(&json, "time", kw_clock_ns(CLOCK_REALTIME));
	kw_json_member_string(&json, "event", "lost");
	kw_json_member_unsigned(&json, "count", count);
	kw_json_member_string(&json, "reason", reason);
	kw_json_close_object(&json);
	if (!json.failed) {
		news.json = json.text;
		news.len = json.len;
		r = format_as(format, kind, &news, out);
	}
	kw_news_done(&news);
	kw_json_done(&json);
	return r;
}

/* --- delivery ----------------------------------------------------------------- */

static void lose(struct kw_sink *sink)
{
	sink->stats.lost++;
	sink->untold++;
}

/* Before anything else goes there, if there is room. -EAGAIN: there is none. */
static int tell_lost(struct kw_sink *sink)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *out;
	int r;

	if (!sink->untold)
		return 0;
	/* Else every other line would be about the line before it. */
	if (sink->outlet->ops->has_room && !sink->outlet->ops->has_room(sink->outlet))
		return -EAGAIN;
	out = open_memstream(&text, &len);
	if (!out)
		return -EAGAIN;
	r = kw_sink_format_lost(sink->wish->format, sink->wish->kind, sink->untold, "full-sink",
				out);
	if (fclose(out) == EOF || r < 0)
		return -EAGAIN;
	r = sink->outlet->ops->write(sink->outlet, text, len, false);
	if (r == 0)
		sink->untold = 0;
	return r;
}

static int hand_over(struct kw_sink *sink, const char *data, size_t len, bool now)
{
	int r;

	r = tell_lost(sink);
	if (r < 0)
		return r;
	r = sink->outlet->ops->write(sink->outlet, data, len, now);
	sink->taken += r == 0;
	return r;
}

/* From disk, as far as there is room. True: there would be more. What cannot be read is lost. */
static bool send_spooled(struct kw_sink *sink)
{
	const char *data;
	size_t len;
	int r;

	for (unsigned int i = 0; sink->spool && i < BURST; i++) {
		r = kw_spool_peek(sink->spool, &data, &len);
		if (r <= 0)
			return false;
		r = hand_over(sink, data, len, true);
		if (r == -EAGAIN)
			return false;
		if (r < 0)
			lose(sink);
		if (kw_spool_drop(sink->spool) < 0)
			return false;
	}
	return sink->spool && kw_spool_waiting(sink->spool);
}

static void deliver(struct kw_sink *sink, const char *data, size_t len, bool denial)
{
	bool to_disk = denial && sink->spool;
	int r = -EAGAIN;

	send_spooled(sink);
	/* A newer refusal does not overtake an older one, and waits where a crash does not reach it. */
	if (!to_disk || !kw_spool_waiting(sink->spool))
		r = hand_over(sink, data, len, to_disk);
	if (r == -EAGAIN && to_disk)
		r = kw_spool_put(sink->spool, data, len);
	if (r < 0)
		lose(sink);
}

static bool on_room(void *userdata)
{
	struct kw_sink *sink = userdata;
	bool more = send_spooled(sink);

	tell_lost(sink);
	return more;
}

static bool passes(const struct kw_sink_wish *wish, const struct kw_news *news)
{
	if (wish->events && (news->kind < 0 || !(wish->events & 1ull << news->kind)))
		return false;
	/* What has no verdict, such as a loss or a start, is not what this filter is about. */
	return !wish->verdicts || news->verdict < 0 || wish->verdicts & 1u << news->verdict;
}

void kw_sink_event(struct kw_sink *sink, struct kw_news *news)
{
	const struct kw_sink_wish *wish = sink->wish;
	bool lines = wish->kind == KW_SINK_FILE || wish->kind == KW_SINK_SOCKET;
	bool denial = kw_news_is_denial(news);
	_cleanup_free_ char *text = NULL;
	size_t len = 0;

	if (!passes(wish, news)) {
		sink->stats.filtered++;
		return;
	}
	sink->stats.produced++;
	sink->denials |= denial;
	if (lines && wish->format == KW_FORMAT_JSON)
		deliver(sink, news->json, news->len, denial);
	else if (render(wish, news, &text, &len) == 0)
		deliver(sink, text, len, denial);
	else
		lose(sink);
}

void kw_sink_flush(struct kw_sink *sink)
{
	bool sync = sink->wish->sync == KW_SYNC_ALWAYS ||
		    (sink->wish->sync == KW_SYNC_DENIALS && sink->denials);

	if (sink->outlet->ops->flush)
		sink->outlet->ops->flush(sink->outlet, sync);
	sink->denials = false;
}

int kw_sink_reopen(struct kw_sink *sink)
{
	return sink->outlet->ops->reopen ? sink->outlet->ops->reopen(sink->outlet) : 0;
}

void kw_sink_tend(struct kw_sink *sink)
{
	const struct kw_sink_wish *wish = sink->wish;
	struct kw_outlet *outlet = sink->outlet;

	if (outlet->ops->retry)
		outlet->ops->retry(outlet);
	on_room(sink);
	if (!outlet->ops->fd ||
	    !kw_rotation_due(&wish->rotation, outlet->ops->fd(outlet), kw_clock_ns(CLOCK_REALTIME)))
		return;
	/* If it cannot be moved, or made anew, the file that is open goes on. */
	if (kw_rotate(wish->path, wish->rotation.keep) == 0)
		outlet->ops->reopen(outlet);
}

void kw_sink_stats(const struct kw_sink *sink, struct kw_sink_stats *ret)
{
	*ret = sink->stats;
	ret->recalled = sink->recalled;
	sink->outlet->ops->stats(sink->outlet, ret);
	ret->spooled = sink->spool ? kw_spool_waiting(sink->spool) : 0;
	ret->written = sink->taken - (ret->lost - sink->stats.lost);
	ret->written -= ret->waiting < ret->written ? ret->waiting : ret->written;
}

const struct kw_sink_wish *kw_sink_wish(const struct kw_sink *sink)
{
	return sink->wish;
}

/* --- opening ------------------------------------------------------------------ */

static int open_outlet(sd_event *loop, const struct kw_sink_wish *wish, struct kw_outlet **ret,
		       char **reterr)
{
	switch (wish->kind) {
	case KW_SINK_JOURNAL:
		return kw_outlet_datagram(loop, wish->path ?: JOURNAL_SOCKET, ret, reterr);
	case KW_SINK_SYSLOG:
		return kw_outlet_datagram(loop, wish->path ?: SYSLOG_SOCKET, ret, reterr);
	case KW_SINK_FILE:
		return kw_outlet_file(wish->path, ret, reterr);
	case KW_SINK_SOCKET:
		return kw_outlet_socket(loop, wish->path, wish->format, ret, reterr);
	case _KW_SINK_KIND_MAX:
		break;
	}
	return -EINVAL;
}

static int open_spool(struct kw_sink *sink, char **reterr)
{
	uint64_t dropped = 0;
	int r;

	if (!sink->wish->spool)
		return 0;
	r = kw_spool_open(sink->wish->spool_path, sink->wish->spool, &sink->spool, &dropped);
	if (r < 0)
		return kw_fail(r, reterr, "its spool '%s' cannot be used: %s",
			       sink->wish->spool_path, strerror(-r));
	sink->recalled = kw_spool_waiting(sink->spool);
	sink->stats.lost += dropped;
	sink->untold += dropped;
	return 0;
}

int kw_sink_new(sd_event *loop, const struct kw_sink_wish *wish, struct kw_sink **ret,
		char **reterr)
{
	struct kw_sink *sink = calloc(1, sizeof(*sink));
	int r;

	if (!sink)
		return -ENOMEM;
	sink->wish = wish;
	r = open_outlet(loop, wish, &sink->outlet, reterr);
	if (r == 0) {
		sink->outlet->on_room = on_room;
		sink->outlet->userdata = sink;
		r = open_spool(sink, reterr);
	}
	if (r < 0) {
		kw_sink_free(sink);
		return r;
	}
	*ret = sink;
	return 0;
}

struct kw_sink *kw_sink_free(struct kw_sink *sink)
{
	if (!sink)
		return NULL;
	if (sink->outlet)
		sink->outlet->ops->free(sink->outlet);
	kw_spool_free(sink->spool);
	free(sink);
	return NULL;
}
