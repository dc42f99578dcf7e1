/* SPDX-License-Identifier: GPL-2.0-only */
/* One connection to the manager: what comes in, what goes out, what has to wait. */
#include "manager-internal.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <time.h>

#include "render.h"
#include "util.h"

#define REPLY_BEGIN "{\"parameters\":"
#define REPLY_END "}"
#define REPLY_CONTINUES ",\"continues\":true}"
#define EVENT_BEGIN "{\"parameters\":{\"event\":"
#define EVENT_END "},\"continues\":true}"

/* A literal without, and with, the NUL that ends a message. */
#define LITERAL(text) (text), sizeof(text) - 1
#define LAST_LITERAL(text) (text), sizeof(text)

static int reply(struct session *session, const char *begin, size_t begin_len, const char *body,
		 size_t body_len, const char *end, size_t end_len)
{
	int r;

	r = kw_outbox_reserve(&session->out, begin_len + body_len + end_len);
	if (r < 0)
		return r;
	kw_outbox_append(&session->out, begin, begin_len);
	kw_outbox_append(&session->out, body, body_len);
	kw_outbox_append(&session->out, end, end_len);
	return 0;
}

int kw_session_reply(struct session *session, const char *parameters, size_t len, bool continues)
{
	if (continues)
		return reply(session, LITERAL(REPLY_BEGIN), parameters, len,
			     LAST_LITERAL(REPLY_CONTINUES));
	return reply(session, LITERAL(REPLY_BEGIN), parameters, len, LAST_LITERAL(REPLY_END));
}

int kw_session_reply_event(struct session *session, const char *json, size_t len)
{
	return reply(session, LITERAL(EVENT_BEGIN), json, len, LAST_LITERAL(EVENT_END));
}

int kw_session_reply_error(struct session *session, const char *error, const char *name,
			   const char *value)
{
	struct kw_json json = {};
	int r = -ENOMEM;

	kw_json_open_object(&json);
	kw_json_member_string(&json, "error", error);
	kw_json_key(&json, "parameters");
	kw_json_open_object(&json);
	if (name)
		kw_json_member_string(&json, name, value);
	kw_json_close_object(&json);
	kw_json_close_object(&json);
	if (!json.failed)
		r = kw_outbox_append(&session->out, json.text, json.len + 1);
	kw_json_done(&json);
	return r;
}

/* Reading, writing or just waiting for the other side to hang up. */
static int watch(struct session *session)
{
	uint32_t events = 0;

	if (kw_outbox_pending(&session->out) > 0)
		events = EPOLLOUT;
	else if (!session->following)
		/* A request that is here already gets its turn at once. */
		events = kw_inbox_ready(&session->in) ? EPOLLOUT : EPOLLIN;
	return sd_event_source_set_io_events(session->source, events);
}

/* Once half of the backlog is gone: what was dropped since it was full. */
static int report_lost(struct session *session)
{
	struct kw_json json = {};
	struct timespec now;
	int r = -ENOMEM;

	if (session->lost == 0 || kw_outbox_pending(&session->out) > KW_MANAGER_BACKLOG_MAX / 2)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	kw_json_open_object(&json);
	kw_json_member_unsigned(&json, "version", KW_EVENT_VERSION);
	kw_json_member_time(&json, "time", now.tv_sec * 1000000000ull + now.tv_nsec);
	kw_json_member_string(&json, "event", "lost");
	kw_json_member_unsigned(&json, "count", session->lost);
	kw_json_member_string(&json, "reason", "slow-follower");
	kw_json_close_object(&json);
	if (!json.failed)
		r = kw_session_reply_event(session, json.text, json.len);
	kw_json_done(&json);
	if (r == 0)
		session->lost = 0;
	return r;
}

int kw_session_event(struct session *session, const char *json, size_t len)
{
	int r;

	/* What comes after a loss waits for the notice, which takes the place of the loss. */
	if (session->lost > 0 || kw_outbox_pending(&session->out) + len > KW_MANAGER_BACKLOG_MAX) {
		session->lost++;
		session->manager->stats.lost++;
		return 0;
	}
	r = kw_session_reply_event(session, json, len);
	if (r < 0)
		return r;
	r = watch(session);
	/* The loop has ended: kw_manager_free() sends what is left. */
	return r == -ESTALE ? 0 : r;
}

static int send_pending(struct session *session)
{
	int r;

	r = kw_outbox_flush(&session->out, session->fd);
	if (r < 0 && r != -EAGAIN)
		return r;
	return report_lost(session);
}

static int receive(struct session *session)
{
	int r;

	r = kw_inbox_receive(&session->in, session->fd);
	if (r == -EAGAIN || r == -EINTR)
		return 0;
	if (r < 0)
		return r;
	if (r == 0)
		session->ended = true;
	return 0;
}

/* One turn. An error, or the end of the conversation, drops the client. */
static int take_turn(struct session *session, uint32_t revents)
{
	const char *text;
	size_t len;
	int r;

	if ((revents & (EPOLLHUP | EPOLLERR)) && !(revents & EPOLLIN))
		return -ECONNRESET;
	r = send_pending(session);
	if (r < 0)
		return r;
	if (revents & EPOLLIN) {
		r = receive(session);
		if (r < 0)
			return r;
	}
	if (kw_outbox_pending(&session->out) == 0 && !session->following) {
		text = kw_inbox_next(&session->in, &len);
		if (!text && session->ended)
			return -ECONNRESET;
		r = text ? kw_manager_call(session, text, len) : 0;
		if (r < 0)
			return r;
		r = send_pending(session);
		if (r < 0)
			return r;
	}
	return watch(session);
}

static int on_session(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct session *session = userdata;

	(void)source;
	(void)fd;
	if (take_turn(session, revents) < 0)
		kw_session_end(session);
	return 0;
}

static struct session **find_slot(struct kw_manager *manager, const struct session *session)
{
	size_t i;

	for (i = 0; i < KW_MANAGER_CLIENTS_MAX; i++)
		if (manager->clients[i] == session)
			return &manager->clients[i];
	return NULL;
}

struct session *kw_session_end(struct session *session)
{
	struct session **slot;

	if (!session)
		return NULL;
	slot = find_slot(session->manager, session);
	if (slot) {
		*slot = NULL;
		session->manager->stats.clients--;
	}
	sd_event_source_disable_unref(session->source);
	close(session->fd);
	kw_inbox_done(&session->in);
	kw_outbox_done(&session->out);
	free(session);
	return NULL;
}

KW_DEFINE_CLEANUP(struct session, kw_session_end)

int kw_session_new(struct kw_manager *manager, int fd, uid_t uid)
{
	_cleanup_(kw_session_end_cleanup) struct session *session = NULL;
	_cleanup_close_ int owned = fd;
	struct session **slot;
	int r;

	slot = find_slot(manager, NULL);
	if (!slot)
		return -EBUSY;
	r = fcntl(fd, F_GETFL);
	if (r < 0 || fcntl(fd, F_SETFL, r | O_NONBLOCK) < 0)
		return -errno;
	session = calloc(1, sizeof(*session));
	if (!session)
		return -ENOMEM;
	session->manager = manager;
	session->fd = TAKE_FD(owned);
	session->uid = uid;
	session->in.max = KW_MANAGER_REQUEST_MAX;
	r = sd_event_add_io(manager->loop, &session->source, fd, EPOLLIN, on_session, session);
	if (r < 0)
		return r;
	*slot = TAKE_PTR(session);
	manager->stats.clients++;
	return 0;
}
