/* SPDX-License-Identifier: GPL-2.0-only */
/* HTTP, as much as one page takes. */
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "listen.h"
#include "metrics.h"
#include "util.h"
#include "varlink.h"

#define GROUP "kvmwarden"
#define ACCEPT_INTERVAL_USEC (1000 * 1000)
#define ACCEPT_BURST 100
#define PAGE_AGE_NS 1000000000ull

struct http_client {
	struct kw_metrics_server *server;
	int fd;
	sd_event_source *source, *timer;
	char request[KW_METRICS_REQUEST_MAX];
	size_t len;
	bool answered;
	uint64_t since_ns; /* CLOCK_MONOTONIC */
	struct kw_outbox out;
};

struct kw_metrics_server {
	sd_event *loop;
	int (*page)(void *userdata, char **ret, size_t *ret_len);
	void *userdata;
	int fd;
	sd_event_source *source;
	char *path; /* of a unix socket, or NULL */
	struct stat stat;
	struct http_client *clients[KW_METRICS_CLIENTS_MAX];
	char *text; /* the page as it was made last */
	size_t text_len;
	uint64_t made_ns; /* CLOCK_MONOTONIC */
};

/* --- requests ------------------------------------------------------------------ */

static bool starts_with(const char *text, const char *end, const char *word, const char **ret_after)
{
	size_t len = strlen(word);

	if ((size_t)(end - text) < len || memcmp(text, word, len) != 0)
		return false;
	*ret_after = text + len;
	return true;
}

unsigned int kw_metrics_judge(const char *request, size_t len, bool *ret_head)
{
	const char *end = memchr(request, '\n', len), *at = request, *target, *after;
	bool get, head;

	*ret_head = false;
	if (!end)
		return 400;
	if (end > request && end[-1] == '\r')
		end--;
	get = starts_with(request, end, "GET ", &at);
	head = !get && starts_with(request, end, "HEAD ", &at);
	if (!get && !head) {
		/* A word in capitals is a method, which this is not the place for. */
		while (at < end && isupper((unsigned char)*at))
			at++;
		return at > request && at < end && *at == ' ' ? 405 : 400;
	}
	*ret_head = head;
	target = at;
	while (at < end && *at != ' ')
		at++;
	if (at == target || *target != '/' || !starts_with(at, end, " HTTP/1.", &after) ||
	    after + 1 != end || (*after != '0' && *after != '1'))
		return 400;
	if (!starts_with(target, at, "/metrics", &after) || (after != at && *after != '?'))
		return 404;
	return 200;
}

/* Where the headers end, or 0. */
static bool is_whole(const struct http_client *client)
{
	return memmem(client->request, client->len, "\r\n\r\n", 4) ||
	       memmem(client->request, client->len, "\n\n", 2);
}

/* --- answers -------------------------------------------------------------------- */

static const char *reason_of(unsigned int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 503:
		return "Service Unavailable";
	}
	return "Bad Request";
}

/* A page takes a walk over all VMs: whoever asks more often than once a second gets the last one. */
static int refresh(struct kw_metrics_server *server)
{
	uint64_t now = kw_clock_ns(CLOCK_MONOTONIC);
	char *text;
	size_t len;
	int r;

	if (server->text && now - server->made_ns < PAGE_AGE_NS)
		return 0;
	r = server->page(server->userdata, &text, &len);
	if (r < 0)
		return r;
	free(server->text);
	server->text = text;
	server->text_len = len;
	server->made_ns = now;
	return 0;
}

static int answer(struct http_client *client, unsigned int status, bool head)
{
	struct kw_metrics_server *server = client->server;
	const char *body;
	char header[256];
	size_t len;
	int n, r;

	if (status == 200 && refresh(server) < 0)
		status = 503;
	body = status == 200 ? server->text : "see /metrics\n";
	len = status == 200 ? server->text_len : strlen(body);
	n = snprintf(header, sizeof(header),
		     "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%sConnection: "
		     "close\r\n\r\n",
		     status, reason_of(status),
		     status == 200 ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
				   : "text/plain",
		     len, status == 405 ? "Allow: GET, HEAD\r\n" : "");
	client->answered = true;
	r = kw_outbox_reserve(&client->out, (size_t)n + len);
	if (r < 0)
		return r;
	kw_outbox_append(&client->out, header, (size_t)n);
	if (!head)
		kw_outbox_append(&client->out, body, len);
	return 0;
}

/* --- clients -------------------------------------------------------------------- */

static void drop(struct http_client *client)
{
	for (unsigned int i = 0; i < KW_METRICS_CLIENTS_MAX; i++)
		if (client->server->clients[i] == client)
			client->server->clients[i] = NULL;
	sd_event_source_disable_unref(client->source);
	sd_event_source_disable_unref(client->timer);
	close(client->fd);
	kw_outbox_done(&client->out);
	free(client);
}

/* After the answer what still comes is thrown away: a reset would take the answer with it. */
static int receive(struct http_client *client)
{
	char discarded[512];
	char *to = client->answered ? discarded : client->request + client->len;
	size_t room = client->answered ? sizeof(discarded) : sizeof(client->request) - client->len;
	ssize_t n = recv(client->fd, to, room, MSG_DONTWAIT);
	unsigned int status;
	bool head;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	if (client->answered)
		return 0;
	client->len += (size_t)n;
	if (is_whole(client)) {
		status = kw_metrics_judge(client->request, client->len, &head);
		return answer(client, status, head);
	}
	return client->len == sizeof(client->request) ? answer(client, 400, false) : 0;
}

static int take_turn(struct http_client *client, uint32_t revents)
{
	int r = 0;

	if (revents & (EPOLLHUP | EPOLLERR))
		return -ECONNRESET;
	if (revents & EPOLLIN)
		r = receive(client);
	if (r < 0 || !client->answered)
		return r;
	r = kw_outbox_flush(&client->out, client->fd);
	if (r == -EAGAIN)
		return sd_event_source_set_io_events(client->source, EPOLLIN | EPOLLOUT);
	if (r < 0)
		return r;
	shutdown(client->fd, SHUT_WR);
	return sd_event_source_set_io_events(client->source, EPOLLIN);
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source;
	(void)fd;
	if (take_turn(userdata, revents) < 0)
		drop(userdata);
	return 0;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	drop(userdata);
	return 0;
}

/* The oldest has had the most time: it goes, if there is no room. */
static unsigned int make_room(struct kw_metrics_server *server)
{
	unsigned int oldest = 0;

	for (unsigned int i = 0; i < KW_METRICS_CLIENTS_MAX; i++) {
		if (!server->clients[i])
			return i;
		if (server->clients[i]->since_ns < server->clients[oldest]->since_ns)
			oldest = i;
	}
	drop(server->clients[oldest]);
	return oldest;
}

static int add_client(struct kw_metrics_server *server, int fd)
{
	struct http_client *client;
	unsigned int slot = make_room(server);
	int r;

	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	client->server = server;
	client->fd = fd;
	client->since_ns = kw_clock_ns(CLOCK_MONOTONIC);
	r = sd_event_add_io(server->loop, &client->source, fd, EPOLLIN, on_client, client);
	if (r >= 0)
		r = sd_event_add_time_relative(server->loop, &client->timer, CLOCK_MONOTONIC,
					       KW_METRICS_CLIENT_USEC, 0, on_timeout, client);
	if (r < 0) {
		sd_event_source_disable_unref(client->source);
		free(client);
		return r;
	}
	server->clients[slot] = client;
	return 0;
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)revents;
	if (peer >= 0 && add_client(userdata, peer) < 0)
		close(peer);
	return 0;
}

/* --- the server ------------------------------------------------------------------ */

static int parse_port(const char *text, in_port_t *ret)
{
	uint32_t port;

	if (kw_parse_u32(text, UINT16_MAX, &port) < 0 || port == 0)
		return -EINVAL;
	*ret = htons((uint16_t)port);
	return 0;
}

int kw_metrics_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_in *four = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
	const char *port;

	memset(ret, 0, sizeof(*ret));
	if (starts_with(text, text + strlen(text), "127.0.0.1:", &port)) {
		four->sin_family = AF_INET;
		four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		*ret_len = sizeof(*four);
		return parse_port(port, &four->sin_port);
	}
	if (!starts_with(text, text + strlen(text), "[::1]:", &port))
		return -EINVAL;
	six->sin6_family = AF_INET6;
	six->sin6_addr = in6addr_loopback;
	*ret_len = sizeof(*six);
	return parse_port(port, &six->sin6_port);
}

static int listen_on_port(const char *where, int *ret)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_storage address;
	socklen_t len;
	int on = 1, r;

	r = kw_metrics_address(where, &address, &len);
	if (r < 0)
		return r;
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* The connections of an earlier daemon linger. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, len) < 0 ||
	    listen(fd, KW_METRICS_CLIENTS_MAX) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

struct kw_metrics_server *kw_metrics_server_free(struct kw_metrics_server *server)
{
	if (!server)
		return NULL;
	for (unsigned int i = 0; i < KW_METRICS_CLIENTS_MAX; i++)
		if (server->clients[i])
			drop(server->clients[i]);
	sd_event_source_disable_unref(server->source);
	if (server->fd >= 0 && server->path)
		kw_listen_end(server->path, &server->stat);
	if (server->fd >= 0)
		close(server->fd);
	sd_event_unref(server->loop);
	free(server->path);
	free(server->text);
	free(server);
	return NULL;
}

int kw_metrics_serve(sd_event *loop, const char *where,
		     int (*page)(void *userdata, char **ret, size_t *ret_len), void *userdata,
		     struct kw_metrics_server **ret)
{
	struct kw_metrics_server *server = calloc(1, sizeof(*server));
	int r = 0;

	if (!server)
		return -ENOMEM;
	server->loop = sd_event_ref(loop);
	server->page = page;
	server->userdata = userdata;
	server->fd = -1;
	if (where[0] != '/')
		r = listen_on_port(where, &server->fd);
	else if (!(server->path = strdup(where)))
		r = -ENOMEM;
	else
		r = kw_listen(where, SOCK_STREAM, GROUP, KW_METRICS_CLIENTS_MAX, &server->fd,
			      &server->stat);
	if (r == 0)
		r = sd_event_add_io(loop, &server->source, server->fd, EPOLLIN, on_connection,
				    server);
	if (r >= 0)
		r = sd_event_source_set_ratelimit(server->source, ACCEPT_INTERVAL_USEC,
						  ACCEPT_BURST);
	if (r < 0) {
		kw_metrics_server_free(server);
		return r;
	}
	*ret = server;
	return 0;
}
