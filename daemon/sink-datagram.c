/* SPDX-License-Identifier: GPL-2.0-only */
/* A sink that takes datagrams: the journal, syslog. */
#include <sys/socket.h>
#include <sys/un.h>

#include "sink-internal.h"
#include "util.h"
#include "varlink.h"

/*
 * Theory of operation
 *
 * The libraries for both send and wait: sd_journal_sendv(3) and syslog(3) do not come back while
 * the other side is stopped. Here nothing waits. Each datagram goes to the name of the socket, so
 * one that is made anew is found; nothing is connected to, which the daemon may not. That
 * also means that nobody tells when there is room: it is tried again shortly.
 */

#define RETRY_USEC (10 * 1000)
#define ABSENT_USEC (500 * 1000)
#define BURST 1024 /* datagrams of the backlog at a time, so that all else has its turn */

struct datagram {
	struct kw_outlet outlet; /* first */
	struct sockaddr_un address;
	int fd;
	sd_event_source *timer;
	struct kw_outbox backlog; /* of each its length in 32 bits, then itself */
	uint64_t waiting;
	uint64_t lost; /* what was kept, and will never be taken */
	int error; /* why the last one was not taken, or 0 */
};

static int send_one(struct datagram *d, const char *data, size_t len)
{
	ssize_t n;

	do
		n = sendto(d->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL,
			   (const struct sockaddr *)&d->address, sizeof(d->address));
	while (n < 0 && errno == EINTR);
	d->error = n < 0 ? errno : 0;
	return n < 0 ? -errno : 0;
}

static void try_later(struct datagram *d)
{
	bool absent = d->error && d->error != EAGAIN && d->error != ENOBUFS;

	sd_event_source_set_time_relative(d->timer, absent ? ABSENT_USEC : RETRY_USEC);
	sd_event_source_set_enabled(d->timer, SD_EVENT_ONESHOT);
}

static int keep(struct datagram *d, const char *data, size_t len)
{
	uint32_t length = (uint32_t)len;
	size_t room = sizeof(length) + len;

	if (kw_outbox_pending(&d->backlog) + room > KW_SINK_BACKLOG_MAX ||
	    kw_outbox_reserve(&d->backlog, room) < 0)
		return -EAGAIN;
	kw_outbox_append(&d->backlog, (const char *)&length, sizeof(length));
	kw_outbox_append(&d->backlog, data, len);
	if (!d->waiting++)
		try_later(d);
	return 0;
}

static int write_datagram(struct kw_outlet *outlet, const char *data, size_t len, bool now)
{
	struct datagram *d = (struct datagram *)outlet;
	int r = -EAGAIN;

	if (!d->waiting)
		r = send_one(d, data, len);
	if (r == 0 || r == -EMSGSIZE)
		return r;
	if (!now)
		return keep(d, data, len);
	try_later(d);
	return -EAGAIN;
}

/* Sends what is kept, oldest first, as far as it is taken. */
static void send_kept(struct datagram *d)
{
	uint32_t len;
	int r;

	for (unsigned int i = 0; d->waiting && i < BURST; i++) {
		const char *at = d->backlog.data + d->backlog.start;

		memcpy(&len, at, sizeof(len));
		r = send_one(d, at + sizeof(len), len);
		if (r < 0 && r != -EMSGSIZE)
			break;
		d->lost += r < 0;
		d->backlog.start += sizeof(len) + len;
		d->waiting--;
	}
	if (!d->waiting)
		kw_outbox_done(&d->backlog);
	else
		try_later(d);
}

static void retry(struct kw_outlet *outlet)
{
	send_kept((struct datagram *)outlet);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct datagram *d = userdata;

	(void)source;
	(void)usec;
	send_kept(d);
	/* Whatever is on disk is tried then, which asks for the time again if it must. */
	if (!d->waiting && d->outlet.on_room(d->outlet.userdata))
		try_later(d);
	return 0;
}

static bool has_room(const struct kw_outlet *outlet)
{
	const struct datagram *d = (const struct datagram *)outlet;

	return kw_outbox_pending(&d->backlog) <= KW_SINK_BACKLOG_MAX / 2;
}

static void stats(const struct kw_outlet *outlet, struct kw_sink_stats *ret)
{
	const struct datagram *d = (const struct datagram *)outlet;

	ret->waiting = d->waiting;
	ret->lost += d->lost;
	switch (d->error) {
	case 0:
		ret->error = NULL;
		break;
	case EAGAIN:
	case ENOBUFS:
		ret->error = "it does not read as quickly as events come";
		break;
	case ENOENT:
	case ECONNREFUSED:
		ret->error = "nobody listens there";
		break;
	case EMSGSIZE:
		ret->error = "it does not take an event of that size";
		break;
	default:
		ret->error = strerrordesc_np(d->error) ?: "it fails";
	}
}

static void free_datagram(struct kw_outlet *outlet)
{
	struct datagram *d = (struct datagram *)outlet;

	send_kept(d);
	sd_event_source_disable_unref(d->timer);
	kw_outbox_done(&d->backlog);
	if (d->fd >= 0)
		close(d->fd);
	free(d);
}

static const struct kw_outlet_ops ops = {
	.write = write_datagram,
	.has_room = has_room,
	.retry = retry,
	.stats = stats,
	.free = free_datagram,
};

int kw_outlet_datagram(sd_event *loop, const char *path, struct kw_outlet **ret, char **reterr)
{
	_cleanup_free_ struct datagram *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	if (strlen(path) >= sizeof(d->address.sun_path))
		return kw_fail(-ENAMETOOLONG, reterr, "the path of a socket is too long");
	d->outlet.ops = &ops;
	d->address.sun_family = AF_UNIX;
	memcpy(d->address.sun_path, path, strlen(path) + 1);
	d->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (d->fd < 0)
		return kw_fail(-errno, reterr, "cannot make a socket: %s", strerror(errno));
	r = sd_event_add_time_relative(loop, &d->timer, CLOCK_MONOTONIC, ABSENT_USEC, 0, on_timer,
				       d);
	if (r == 0)
		r = sd_event_source_set_enabled(d->timer, SD_EVENT_OFF);
	if (r < 0) {
		sd_event_source_disable_unref(d->timer);
		close(d->fd);
		return kw_fail(r, reterr, "cannot watch the time: %s", strerror(-r));
	}
	*ret = &TAKE_PTR(d)->outlet;
	return 0;
}
