/* SPDX-License-Identifier: GPL-2.0-only */
/* The manager's socket, its clients as a whole, and the recent events. */
#define _GNU_SOURCE 1
#include "manager.h"

#include <sys/socket.h>

#include "listen.h"
#include "manager-internal.h"
#include "util.h"

#define GROUP "kvmwarden"

/* Without a free file descriptor accept4() fails for as long as somebody waits. */
#define ACCEPT_INTERVAL_USEC 1000000
#define ACCEPT_BURST 100

int kw_manager_serve(struct kw_manager *manager, int fd, uid_t uid)
{
	int r;

	r = kw_session_new(manager, fd, uid);
	if (r == -EBUSY)
		manager->stats.refused++;
	return r;
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct kw_manager *manager = userdata;
	_cleanup_close_ int peer = -1;
	struct ucred cred;
	socklen_t len = sizeof(cred);

	(void)source;
	(void)revents;
	peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (peer < 0)
		return 0;
	if (getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return 0;
	/* A client that cannot be served sees its connection close. */
	kw_manager_serve(manager, TAKE_FD(peer), cred.uid);
	return 0;
}

static int start_listening(struct kw_manager *manager, const char *path)
{
	int r;

	r = kw_listen(path, SOCK_STREAM, GROUP, KW_MANAGER_CLIENTS_MAX, &manager->fd,
		      &manager->stat);
	if (r < 0)
		return r;
	manager->path = strdup(path);
	if (!manager->path) {
		unlink(path);
		return -ENOMEM;
	}
	r = sd_event_add_io(manager->loop, &manager->source, manager->fd, EPOLLIN, on_connection,
			    manager);
	if (r < 0)
		return r;
	return sd_event_source_set_ratelimit(manager->source, ACCEPT_INTERVAL_USEC, ACCEPT_BURST);
}

KW_DEFINE_CLEANUP(struct kw_manager, kw_manager_free)

int kw_manager_new(sd_event *loop, const char *path, const struct kw_manager_ops *ops,
		   void *userdata, struct kw_manager **ret)
{
	_cleanup_(kw_manager_free_cleanup) struct kw_manager *manager = NULL;
	int r;

	manager = calloc(1, sizeof(*manager));
	if (!manager)
		return -ENOMEM;
	manager->fd = -1;
	manager->loop = sd_event_ref(loop);
	manager->ops = ops;
	manager->userdata = userdata;
	if (path) {
		r = start_listening(manager, path);
		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(manager);
	return 0;
}

struct kw_manager *kw_manager_free(struct kw_manager *manager)
{
	size_t i;

	if (!manager)
		return NULL;
	for (i = 0; i < KW_MANAGER_CLIENTS_MAX; i++) {
		if (!manager->clients[i])
			continue;
		/* The last events, as far as the socket takes them. */
		kw_outbox_flush(&manager->clients[i]->out, manager->clients[i]->fd);
		kw_session_end(manager->clients[i]);
	}
	if (manager->path)
		kw_listen_end(manager->path, &manager->stat);
	sd_event_source_disable_unref(manager->source);
	if (manager->fd >= 0)
		close(manager->fd);
	for (i = 0; i < KW_MANAGER_RECENT_MAX; i++)
		free(manager->recent[i].text);
	kw_json_done(&manager->reply);
	sd_event_unref(manager->loop);
	free(manager->path);
	free(manager);
	return NULL;
}

/* An event for which there is no memory leaves an empty slot. */
static void remember(struct kw_manager *manager, const char *json, size_t len)
{
	struct recent *slot = &manager->recent[manager->recent_next];
	char *text;

	manager->recent_next = (manager->recent_next + 1) % KW_MANAGER_RECENT_MAX;
	if (manager->recent_count < KW_MANAGER_RECENT_MAX)
		manager->recent_count++;
	slot->len = 0;
	if (slot->size < len) {
		text = realloc(slot->text, len);
		if (!text)
			return;
		slot->text = text;
		slot->size = len;
	}
	memcpy(slot->text, json, len);
	slot->len = len;
}

void kw_manager_event(struct kw_manager *manager, const char *json, size_t len)
{
	size_t i;

	remember(manager, json, len);
	for (i = 0; i < KW_MANAGER_CLIENTS_MAX; i++) {
		struct session *session = manager->clients[i];

		if (session && session->following && kw_session_event(session, json, len) < 0)
			kw_session_end(session);
	}
}

void kw_manager_stats(const struct kw_manager *manager, struct kw_manager_stats *ret)
{
	*ret = manager->stats;
}
