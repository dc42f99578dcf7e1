/* SPDX-License-Identifier: GPL-2.0-only */
/* The process that stays beside a VMM so that a new daemon can go on where the old one ended. */
#define _GNU_SOURCE 1
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "cli.h"
#include "json-read.h"
#include "listen.h"
#include "supervisor.h"
#include "util.h"

int kw_message_send(int fd, const char *text, const int fds[2])
{
	size_t count = fds ? (fds[0] >= 0) + (fds[1] >= 0) : 0;
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct iovec part = {.iov_base = (char *)text, .iov_len = strlen(text)};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *c;
	ssize_t n;

	if (count) {
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(count * sizeof(int));
		c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	do
		n = sendmsg(fd, &header, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int kw_message_receive(int fd, json_t **ret, int *ret_fd)
{
	static char text[KW_LAUNCH_MESSAGE_MAX];
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct iovec part = {.iov_base = text, .iov_len = sizeof(text)};
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *c;
	ssize_t n;

	do
		n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -ECONNRESET;
	c = CMSG_FIRSTHDR(&header);
	*ret_fd = -1;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	*ret = kw_json_read(text, (size_t)n, JSON_REJECT_DUPLICATES);
	if (*ret)
		return 0;
	if (*ret_fd >= 0)
		close(*ret_fd);
	return -EPROTO;
}

/* What the keeper has. */
struct keeping {
	const char *socket;
	uint64_t patience_ns;
	int daemon; /* or -1 */
	int listener;
	int record; /* or -1 */
};

/*
 * Asks the daemon to take the listener. 1: it did; 0: it will not, for *reply says why; -errno: it
 * is gone.
 */
static int bring(struct keeping *k, json_t **reply)
{
	const int fds[2] = {k->listener, k->record};
	int r, record = -1;

	r = kw_message_send(
		k->daemon,
		k->record >= 0 ? "{\"method\":\"Resume\"}" : "{\"method\":\"Supervise\"}", fds);
	if (r == 0)
		r = kw_message_receive(k->daemon, reply, &record);
	if (r < 0)
		return r;
	if (record < 0 || !json_is_true(json_object_get(*reply, "supervised"))) {
		if (record >= 0)
			close(record);
		return 0;
	}
	if (k->record >= 0)
		close(k->record);
	k->record = record;
	return 1;
}

/* Has every process with the filter ended, within this time? */
static bool is_over(const struct keeping *k, int msec)
{
	struct pollfd poll_fd = {.fd = k->listener};

	return poll(&poll_fd, 1, msec) > 0 && (poll_fd.revents & (POLLHUP | POLLERR));
}

/* Waits for the end of the daemon, or the VMM's. True: the daemon's. */
static bool wait_for_end(const struct keeping *k)
{
	struct pollfd poll_fds[] = {{.fd = k->listener}, {.fd = k->daemon, .events = POLLIN}};

	for (;;) {
		if (poll(poll_fds, KW_ARRAY_SIZE(poll_fds), -1) < 0)
			continue;
		if (poll_fds[0].revents & (POLLHUP | POLLERR))
			return false;
		/* It has nothing to say to a keeper. */
		if (poll_fds[1].revents)
			return true;
	}
}

/* Brings the listener to the next daemon. False: none came in time, or it is not needed any more. */
static bool find_daemon(struct keeping *k)
{
	uint64_t until = kw_clock_ns(CLOCK_MONOTONIC) + k->patience_ns;
	json_t *reply = NULL;
	int r;

	for (unsigned int msec = 10;; msec = msec < 200 ? msec * 2 : 250) {
		close(k->daemon);
		k->daemon = -1;
		r = kw_connect(k->socket, SOCK_SEQPACKET, &k->daemon);
		if (r == 0)
			r = bring(k, &reply);
		json_decref(reply);
		reply = NULL;
		if (r == 1)
			return true;
		if (is_over(k, (int)msec) || kw_clock_ns(CLOCK_MONOTONIC) > until)
			return false;
	}
}

static void keep(struct keeping *k, int channel)
{
	json_t *request = NULL, *reply = NULL;
	_cleanup_free_ char *text = NULL;
	int r;

	r = kw_message_receive(channel, &request, &k->listener);
	json_decref(request);
	if (r < 0 || k->listener < 0)
		return;
	r = bring(k, &reply);
	text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
	json_decref(reply);
	kw_message_send(channel, text ?: "{\"error\":\"the daemon is gone\",\"status\":69}", NULL);
	close(channel);
	if (r != 1)
		return;
	while (wait_for_end(k) && find_daemon(k))
		;
}

/*
 * Nothing of its parent's stays with it: neither descriptors, which somebody may wait to see
 * closed, nor its terminal, nor its signals.
 */
static void become_keeper(int channel, int daemon)
{
	static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE};
	int low = channel < daemon ? channel : daemon, high = channel < daemon ? daemon : channel;
	sigset_t none;

	/* Processes of the VMM's user could take the listener out of it. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_NAME, "kvmwarden-keep", 0, 0, 0);
	setsid();
	if (chdir("/") < 0)
		_exit(KW_EXIT_OS);
	if (low > 0)
		close_range(0, (unsigned int)low - 1, 0);
	if (high > low + 1)
		close_range((unsigned int)low + 1, (unsigned int)high - 1, 0);
	close_range((unsigned int)high + 1, ~0u, 0);
	for (size_t i = 0; i < KW_ARRAY_SIZE(signals); i++)
		signal(signals[i], i < 3 || signals[i] == SIGPIPE ? SIG_IGN : SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int kw_keeper_start(int fd, const char *socket, unsigned int seconds, struct kw_keeper *ret)
{
	struct keeping k = {
		.socket = socket,
		.patience_ns = seconds * 1000000000ull,
		.daemon = fd,
		.listener = -1,
		.record = -1,
	};
	int ends[2], status;
	pid_t between;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		close(fd);
		return -errno;
	}
	/* Twice, so that a VMM that waits for its children is not told of this one. */
	between = fork();
	if (between == 0) {
		pid_t keeper = fork();

		if (keeper == 0) {
			become_keeper(ends[1], fd);
			keep(&k, ends[1]);
		}
		_exit(keeper < 0 ? KW_EXIT_OS : KW_EXIT_OK);
	}
	close(ends[1]);
	close(fd);
	while (between > 0 && waitpid(between, &status, 0) < 0 && errno == EINTR)
		;
	if (between < 0 || status != 0) {
		close(ends[0]);
		return between < 0 ? -errno : -EAGAIN;
	}
	ret->channel = ends[0];
	return 0;
}

int kw_keeper_supervise(struct kw_keeper *keeper, int listener, int *ret_status, char **reterr)
{
	const int fds[2] = {listener, -1};
	const char *why;
	json_t *reply = NULL;
	int r, fd = -1;

	*ret_status = KW_EXIT_UNAVAILABLE;
	r = kw_message_send(keeper->channel, "{}", fds);
	if (r == 0)
		r = kw_message_receive(keeper->channel, &reply, &fd);
	if (r < 0)
		return kw_fail(r, reterr, "its keeper is gone");
	if (json_is_true(json_object_get(reply, "supervised"))) {
		json_decref(reply);
		*ret_status = KW_EXIT_OK;
		return 0;
	}
	why = json_string_value(json_object_get(reply, "error"));
	if (json_is_integer(json_object_get(reply, "status")))
		*ret_status = (int)json_integer_value(json_object_get(reply, "status"));
	r = kw_fail(-ECANCELED, reterr, "%s", why ?: "the daemon gave no answer");
	json_decref(reply);
	return r;
}

void kw_keeper_done(struct kw_keeper *keeper)
{
	close(keeper->channel);
}
