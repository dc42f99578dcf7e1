/* SPDX-License-Identifier: GPL-2.0-only */
/* A sink that is a socket: lines for as many as connect. */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "listen.h"
#include "sink-internal.h"
#include "util.h"
#include "varlink.h"

#define GROUP "kvmwarden"
#define ACCEPT_INTERVAL_USEC (1000 * 1000)
#define ACCEPT_BURST 100

struct follower {
	struct stream *stream;
	int fd;
	sd_event_source *source;
	struct kw_outbox out;
	uint64_t missed; /* since it was told last */
};

struct stream {
	struct kw_outlet outlet; /* first */
	sd_event *loop;
	char *path;
	enum kw_format format;
	int fd;
	struct stat stat;
	sd_event_source *source;
	struct follower *followers[KW_SINK_FOLLOWERS_MAX];
	unsigned int count;
	uint64_t lost; /* events that followers missed */
};

static void drop(struct follower *follower)
{
	struct stream *s = follower->stream;

	for (unsigned int i = 0; i < KW_SINK_FOLLOWERS_MAX; i++)
		if (s->followers[i] == follower)
			s->followers[i] = NULL;
	s->count--;
	sd_event_source_disable_unref(follower->source);
	close(follower->fd);
	kw_outbox_done(&follower->out);
	free(follower);
}

static int append(struct follower *follower, const char *data, size_t len)
{
	int r;

	r = kw_outbox_reserve(&follower->out, len + 1);
	if (r < 0)
		return r;
	kw_outbox_append(&follower->out, data, len);
	kw_outbox_append(&follower->out, "\n", 1);
	return sd_event_source_set_io_events(follower->source, EPOLLIN | EPOLLOUT);
}

/* Once half of the backlog is gone: what was dropped since it was full. */
static int tell_missed(struct follower *follower)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *out;
	int r;

	if (!follower->missed || kw_outbox_pending(&follower->out) > KW_SINK_BACKLOG_MAX / 2)
		return 0;
	out = open_memstream(&text, &len);
	if (!out)
		return -ENOMEM;
	r = kw_sink_format_lost(follower->stream->format, KW_SINK_SOCKET, follower->missed,
				"slow-follower", out);
	if (fclose(out) == EOF)
		r = -ENOMEM;
	if (r == 0)
		r = append(follower, text, len);
	if (r == 0)
		follower->missed = 0;
	return r;
}

/* What it sends us is nothing to us, but its end. */
static int discard(struct follower *follower)
{
	char buffer[512];
	ssize_t n = recv(follower->fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return n > 0 ? 0 : -ECONNRESET;
}

static int take_turn(struct follower *follower, uint32_t revents)
{
	int r;

	if (revents & (EPOLLHUP | EPOLLERR))
		return -ECONNRESET;
	r = revents & EPOLLIN ? discard(follower) : 0;
	if (r < 0)
		return r;
	r = kw_outbox_flush(&follower->out, follower->fd);
	if (r < 0 && r != -EAGAIN)
		return r;
	r = tell_missed(follower);
	if (r < 0)
		return r;
	if (!kw_outbox_pending(&follower->out))
		return sd_event_source_set_io_events(follower->source, EPOLLIN);
	return 0;
}

static int on_follower(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct follower *follower = userdata;

	(void)source;
	(void)fd;
	if (take_turn(follower, revents) < 0)
		drop(follower);
	return 0;
}

static int add_follower(struct stream *s, int fd)
{
	struct follower *follower;
	unsigned int slot = 0;
	int r;

	while (slot < KW_SINK_FOLLOWERS_MAX && s->followers[slot])
		slot++;
	if (slot == KW_SINK_FOLLOWERS_MAX)
		return -EBUSY;
	follower = calloc(1, sizeof(*follower));
	if (!follower)
		return -ENOMEM;
	r = sd_event_add_io(s->loop, &follower->source, fd, EPOLLIN, on_follower, follower);
	if (r < 0) {
		free(follower);
		return r;
	}
	follower->stream = s;
	follower->fd = fd;
	s->followers[slot] = follower;
	s->count++;
	return 0;
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)revents;
	/* One too many is hung up on. */
	if (peer >= 0 && add_follower(userdata, peer) < 0)
		close(peer);
	return 0;
}

static int write_line(struct kw_outlet *outlet, const char *data, size_t len, bool now)
{
	struct stream *s = (struct stream *)outlet;

	(void)now;
	for (unsigned int i = 0; i < KW_SINK_FOLLOWERS_MAX; i++) {
		struct follower *follower = s->followers[i];

		if (!follower)
			continue;
		/* What comes after a loss waits for the notice, which takes the place of the loss. */
		if (follower->missed ||
		    kw_outbox_pending(&follower->out) + len > KW_SINK_BACKLOG_MAX) {
			follower->missed++;
			s->lost++;
		} else if (append(follower, data, len) < 0) {
			drop(follower);
		}
	}
	return 0;
}

static void stats(const struct kw_outlet *outlet, struct kw_sink_stats *ret)
{
	const struct stream *s = (const struct stream *)outlet;

	ret->followers = s->count;
	ret->missed = s->lost;
}

static void free_stream(struct kw_outlet *outlet)
{
	struct stream *s = (struct stream *)outlet;

	for (unsigned int i = 0; i < KW_SINK_FOLLOWERS_MAX; i++)
		if (s->followers[i]) {
			/* The last events, as far as the socket takes them. */
			kw_outbox_flush(&s->followers[i]->out, s->followers[i]->fd);
			drop(s->followers[i]);
		}
	sd_event_source_disable_unref(s->source);
	if (s->fd >= 0) {
		kw_listen_end(s->path, &s->stat);
		close(s->fd);
	}
	sd_event_unref(s->loop);
	free(s->path);
	free(s);
}

static const struct kw_outlet_ops ops = {
	.write = write_line,
	.stats = stats,
	.free = free_stream,
};

int kw_outlet_socket(sd_event *loop, const char *path, enum kw_format format,
		     struct kw_outlet **ret, char **reterr)
{
	struct stream *s = calloc(1, sizeof(*s));
	int r = -ENOMEM;

	if (!s)
		return r;
	s->outlet.ops = &ops;
	s->loop = sd_event_ref(loop);
	s->format = format;
	s->fd = -1;
	s->path = strdup(path);
	if (s->path)
		r = kw_listen(path, SOCK_STREAM, GROUP, KW_SINK_FOLLOWERS_MAX, &s->fd, &s->stat);
	if (r == 0)
		r = sd_event_add_io(loop, &s->source, s->fd, EPOLLIN, on_connection, s);
	if (r >= 0)
		r = sd_event_source_set_ratelimit(s->source, ACCEPT_INTERVAL_USEC, ACCEPT_BURST);
	if (r < 0) {
		free_stream(&s->outlet);
		return kw_fail(r, reterr, "cannot listen: %s", strerror(-r));
	}
	*ret = &s->outlet;
	return 0;
}
