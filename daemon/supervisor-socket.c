/* SPDX-License-Identifier: GPL-2.0-only */
/* Who comes to be supervised: "kvmwarden run" and its keepers. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <jansson.h>
#include <sys/socket.h>
#include <time.h>

#include "cli.h"
#include "json-read.h"
#include "listen.h"
#include "supervisor-internal.h"
#include "util.h"

/* Who may use KVM may have himself supervised. */
#define GROUP "kvm"
#define PATIENCE_USEC (10 * 1000 * 1000)

int kw_supervisor_receive(int fd, struct message *ret)
{
	char control[CMSG_SPACE(sizeof(ret->fds))];
	struct iovec part = {.iov_base = ret->text, .iov_len = KW_LAUNCH_MESSAGE_MAX};
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	ret->fds[0] = ret->fds[1] = -1;
	ret->len = recvmsg(fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (ret->len < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(ret->fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	/* More descriptors than there is room for are closed by the kernel; it is nobody of ours. */
	if (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return -EMSGSIZE;
	ret->text[ret->len] = '\0';
	return 0;
}

/* The socket of one who reads nothing is full: then he is let go. */
static int send_reply(const struct client *client, const struct kw_json *json, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = {};
	struct iovec part = {.iov_base = json->text, .iov_len = json->len};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (json->failed)
		return -ENOMEM;
	if (fd >= 0) {
		header.msg_control = control;
		header.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(client->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static int reply_error(struct client *client, int status, const char *why)
{
	struct kw_json json = {};

	kw_json_open_object(&json);
	kw_json_member_string(&json, "error", why ?: "out of memory");
	kw_json_member_unsigned(&json, "status", (unsigned int)status);
	kw_json_close_object(&json);
	send_reply(client, &json, -1);
	kw_json_done(&json);
	client->supervisor->ops->tell(client->supervisor->ops->userdata, KW_LAUNCH_REFUSED,
				      &client->record, why);
	return -ECANCELED;
}

static int reply_plan(struct client *client, const struct kw_plan *plan)
{
	struct kw_json json = {};
	int r;

	kw_json_open_object(&json);
	if (plan) {
		kw_json_member_string(&json, "launch", client->record.id);
		kw_json_key(&json, "plan");
		kw_plan_render(&json, plan);
	} else {
		kw_json_member_string(&json, "enforcedBy", client->supervisor->ops->backend);
	}
	kw_json_close_object(&json);
	r = send_reply(client, &json, -1);
	kw_json_done(&json);
	return r;
}

static int on_plan(struct client *client, json_t *request)
{
	const struct kw_supervisor_ops *ops = client->supervisor->ops;
	const char *set = json_string_value(json_object_get(request, "policySet"));
	const char *name = json_string_value(json_object_get(request, "name"));
	_cleanup_free_ char *why = NULL;
	struct kw_plan plan = {};
	int r, status = KW_EXIT_OS;

	if (client->planned || !name)
		return reply_error(client, KW_EXIT_USAGE, "this is no request of a launch");
	if (set && strlen(set) >= sizeof(client->record.set))
		return reply_error(client, KW_EXIT_USAGE, "the name of the policy set is too long");
	r = kw_launch_new_id(client->record.id);
	if (r < 0)
		return reply_error(client, KW_EXIT_OS, "no random number");
	snprintf(client->record.set, sizeof(client->record.set), "%s", set ?: "");
	snprintf(client->record.name, sizeof(client->record.name), "%s", name ?: "");
	client->record.started_ns = kw_clock_ns(CLOCK_REALTIME);
	r = ops->plan(ops->userdata, set, &plan, &client->set, &status, &why);
	if (r < 0)
		return reply_error(client, status, why);
	client->planned = r == 0;
	r = kw_supervisor_note_plan(&client->record, &plan);
	if (r == 0)
		r = reply_plan(client, client->planned ? &plan : NULL);
	kw_plan_done(&plan);
	return r;
}

/* The launch is served from here on: says so, and gives the record away. */
static int begin(struct client *client, struct kw_launch *launch, uint32_t set,
		 enum kw_launch_news news)
{
	_cleanup_close_ int memory = kw_launch_record_fd(launch);
	struct kw_json json = {};
	int r;

	if (memory < 0) {
		kw_launch_free(launch);
		client->supervisor->ops->release(client->supervisor->ops->userdata, set);
		return memory;
	}
	r = kw_supervisor_add(client->supervisor, launch, set, news, 0);
	if (r < 0)
		return reply_error(client, KW_EXIT_OS,
				   r == -E2BIG ? "there are too many launches" : strerror(-r));
	kw_json_open_object(&json);
	kw_json_member_bool(&json, "supervised", true);
	kw_json_close_object(&json);
	r = send_reply(client, &json, memory);
	kw_json_done(&json);
	client->keeping = true;
	client->supervisor->clients_waiting--;
	return r;
}

static int on_supervise(struct client *client, struct message *message)
{
	struct kw_launch *launch;
	int r;

	if (!client->planned || message->fds[0] < 0)
		return reply_error(client, KW_EXIT_USAGE, "there is no launch, or no listener");
	r = kw_launch_new(TAKE_FD(message->fds[0]), &client->record, &launch);
	if (r < 0)
		return reply_error(client, KW_EXIT_OS, kw_supervisor_why(r));
	client->planned = false;
	return begin(client, launch, client->set, KW_LAUNCH_STARTED);
}

static int on_resume(struct client *client, struct message *message)
{
	const struct kw_supervisor_ops *ops = client->supervisor->ops;
	_cleanup_free_ char *why = NULL;
	struct kw_plan plan = {};
	struct kw_launch *launch;
	int r, status = KW_EXIT_OS;
	uint32_t set;

	if (message->fds[1] < 0)
		return reply_error(client, KW_EXIT_USAGE, "there is no listener, or no record");
	r = kw_launch_resume(TAKE_FD(message->fds[0]), message->fds[1], &launch);
	if (r < 0)
		return reply_error(client, KW_EXIT_OS, kw_supervisor_why(r));
	if (client->record.uid && client->record.uid != kw_launch_record(launch)->uid) {
		kw_launch_free(launch);
		return reply_error(client, KW_EXIT_NOPERM, "the record is of another user's VMM");
	}
	if (kw_supervisor_has(client->supervisor, launch)) {
		/* The service manager was first. */
		kw_launch_free(launch);
		return -ECANCELED;
	}
	r = ops->plan(ops->userdata, kw_launch_record(launch)->set, &plan, &set, &status, &why);
	kw_plan_done(&plan);
	if (r != 0) {
		kw_launch_free(launch);
		return reply_error(client, status, r > 0 ? KW_NO_FILTERS : why);
	}
	return begin(client, launch, set, KW_LAUNCH_RESUMED);
}

static int on_message(struct client *client, struct message *message)
{
	json_t *request = kw_json_read(message->text, (size_t)message->len, JSON_REJECT_DUPLICATES);
	const char *method = json_string_value(json_object_get(request, "method"));
	int r;

	if (client->keeping || !method)
		r = -EPROTO;
	else if (kw_streq(method, "Plan"))
		r = on_plan(client, request);
	else if (kw_streq(method, "Supervise"))
		r = on_supervise(client, message);
	else if (kw_streq(method, "Resume"))
		r = on_resume(client, message);
	else
		r = reply_error(client, KW_EXIT_USAGE, "there is no such method");
	json_decref(request);
	return r;
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	static char text[KW_LAUNCH_MESSAGE_MAX + 1];
	struct client *client = userdata;
	struct message message = {.text = text};
	int r;

	(void)source;
	(void)revents;
	r = kw_supervisor_receive(fd, &message);
	if (r == 0 && message.len == 0)
		r = -ECONNRESET;
	if (r == 0 && client->oci) {
		kw_supervisor_oci(client, &message);
		r = -ESHUTDOWN;
	}
	if (r == 0)
		r = on_message(client, &message);
	for (size_t i = 0; i < KW_ARRAY_SIZE(message.fds); i++)
		if (message.fds[i] >= 0)
			close(message.fds[i]);
	if (r < 0 && r != -EAGAIN && r != -EINTR)
		kw_supervisor_forget(client);
	return 0;
}

struct client *kw_supervisor_forget(struct client *client)
{
	struct kw_supervisor *s = client->supervisor;

	for (size_t i = 0; i < KW_ARRAY_SIZE(s->clients); i++)
		if (s->clients[i] == client)
			s->clients[i] = NULL;
	if (!client->keeping)
		s->clients_waiting--;
	if (client->planned)
		s->ops->release(s->ops->userdata, client->set);
	sd_event_source_disable_unref(client->source);
	sd_event_source_disable_unref(client->timer);
	close(client->fd);
	free(client);
	return NULL;
}

static int on_patience_end(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct client *client = userdata;

	(void)source;
	(void)usec;
	if (!client->keeping)
		kw_supervisor_forget(client);
	return 0;
}

static void new_client(struct kw_supervisor *s, int fd, const struct ucred *cred, bool oci)
{
	struct client *client = calloc(1, sizeof(*client));
	size_t place = 0;

	while (place < KW_ARRAY_SIZE(s->clients) && s->clients[place])
		place++;
	if (!client || place == KW_ARRAY_SIZE(s->clients) ||
	    s->clients_waiting >= KW_LAUNCH_CLIENTS_MAX) {
		free(client);
		close(fd);
		return;
	}
	*client = (struct client){
		.supervisor = s,
		.fd = fd,
		.oci = oci,
		.record = {.uid = cred->uid, .pid = (uint32_t)cred->pid},
	};
	s->clients[place] = client;
	s->clients_waiting++;
	if (sd_event_add_io(s->loop, &client->source, fd, EPOLLIN, on_client, client) < 0 ||
	    sd_event_add_time_relative(s->loop, &client->timer, CLOCK_MONOTONIC, PATIENCE_USEC, 0,
				       on_patience_end, client) < 0)
		kw_supervisor_forget(client);
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct kw_supervisor *s = userdata;
	int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct ucred cred;
	socklen_t len = sizeof(cred);

	(void)source;
	(void)revents;
	if (peer < 0)
		return 0;
	if (getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0)
		new_client(s, peer, &cred, fd == s->sockets[1]);
	else
		close(peer);
	return 0;
}

static int open_one(struct kw_supervisor *s, size_t i, const char *manager_socket)
{
	static const struct {
		const char *name;
		int type;
	} kinds[] = {{KW_LAUNCH_SOCKET, SOCK_SEQPACKET}, {KW_OCI_SOCKET, SOCK_STREAM}};
	const char *slash = strrchr(manager_socket, '/');
	int directory = slash ? (int)(slash - manager_socket) + 1 : 0;
	char *path = NULL;
	int r;

	if (asprintf(&path, "%.*s%s", directory, manager_socket, kinds[i].name) < 0)
		return -ENOMEM;
	r = kw_listen(path, kinds[i].type, GROUP, KW_LAUNCH_CLIENTS_MAX, &s->sockets[i],
		      &s->stats[i]);
	if (r < 0) {
		free(path);
		return r;
	}
	s->paths[i] = path;
	return sd_event_add_io(s->loop, &s->sources[i], s->sockets[i], EPOLLIN, on_connection, s);
}

int kw_supervisor_listen(struct kw_supervisor *s, const char *manager_socket)
{
	int r = 0;

	for (size_t i = 0; i < KW_ARRAY_SIZE(s->sockets) && r >= 0; i++)
		r = open_one(s, i, manager_socket);
	return r;
}
