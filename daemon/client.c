/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls the daemon's methods, and says what is wrong in words. */
#define _GNU_SOURCE 1
#include "client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "json-read.h"
#include "pins.h"
#include "util.h"
#include "varlink.h"

/* A list of 65536 VMs is about 64 MiB. */
#define REPLY_MAX (256u * 1024 * 1024)

#define ANSWER_SECONDS 30

struct kw_client {
	int fd;
	unsigned int seconds; /* that an answer may take */
	struct kw_inbox in;
};

/* Enforcement outlives the daemon; whoever finds no daemon should know. Needs root to see. */
static const char *pinned(void)
{
	return kw_pins_exist() ? "; what an earlier one pinned below " KW_PINS " is still in force"
			       : "";
}

static int fail_connect(const char *path, int error, char **reterr)
{
	if (error == -ENOENT)
		return kw_fail(error, reterr, "kvmwardend is not running (no socket %s)%s", path,
			       pinned());
	if (error == -ECONNREFUSED)
		return kw_fail(error, reterr, "kvmwardend is not running (nobody listens on %s)%s",
			       path, pinned());
	if (error == -EACCES || error == -EPERM)
		return kw_fail(-EACCES, reterr,
			       "no permission to use %s: it takes root, or the group kvmwarden",
			       path);
	return kw_fail(error, reterr, "cannot connect to %s: %s", path, strerror(-error));
}

static int fail_talk(unsigned int seconds, int error, char **reterr)
{
	if (error == -EAGAIN)
		return kw_fail(error, reterr, "kvmwardend did not answer within %u seconds",
			       seconds);
	if (error == -ECONNRESET || error == -EPIPE)
		return kw_fail(-ECONNRESET, reterr, "kvmwardend closed the connection");
	return kw_fail(error, reterr, "cannot talk to kvmwardend: %s", strerror(-error));
}

static void set_timeouts(int fd, time_t seconds)
{
	const struct timeval timeout = {.tv_sec = seconds};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
}

int kw_client_connect_for(const char *path, unsigned int seconds, struct kw_client **ret,
			  char **reterr)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_free_ struct kw_client *client = NULL;
	_cleanup_close_ int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return fail_connect(path, -ENAMETOOLONG, reterr);
	memcpy(address.sun_path, path, strlen(path) + 1);
	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail_connect(path, -errno, reterr);
	set_timeouts(fd, seconds);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail_connect(path, -errno, reterr);
	client->fd = TAKE_FD(fd);
	client->seconds = seconds;
	client->in.max = REPLY_MAX;
	*ret = TAKE_PTR(client);
	return 0;
}

int kw_client_connect(const char *path, struct kw_client **ret, char **reterr)
{
	return kw_client_connect_for(path, ANSWER_SECONDS, ret, reterr);
}

struct kw_client *kw_client_free(struct kw_client *client)
{
	if (!client)
		return NULL;
	close(client->fd);
	kw_inbox_done(&client->in);
	free(client);
	return NULL;
}

KW_DEFINE_CLEANUP(struct kw_client, kw_client_free)
KW_DEFINE_CLEANUP(json_t, json_decref)

void kw_client_wait_for_ever(struct kw_client *client)
{
	set_timeouts(client->fd, 0);
}

static int send_all(int fd, unsigned int seconds, const char *text, size_t len, char **reterr)
{
	ssize_t n;

	while (len > 0) {
		n = send(fd, text, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_talk(seconds, -errno, reterr);
		text += n;
		len -= n;
	}
	return 0;
}

int kw_client_call(struct kw_client *client, const char *method, json_t *parameters, bool more,
		   char **reterr)
{
	_cleanup_(json_decref_cleanup) json_t *call = NULL;
	_cleanup_free_ char *text = NULL;

	call = json_pack("{s:s++, s:O*, s:b}", "method", KW_INTERFACE, ".", method, "parameters",
			 parameters, "more", more);
	text = call ? json_dumps(call, JSON_COMPACT) : NULL;
	if (!text)
		return -ENOMEM;
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): fail() returns its second argument */
	return send_all(client->fd, client->seconds, text, strlen(text) + 1, reterr);
}

static int receive(struct kw_client *client, json_t **ret, char **reterr)
{
	_cleanup_(json_decref_cleanup) json_t *reply = NULL;
	const char *text;
	size_t len;
	int r;

	while (!(text = kw_inbox_next(&client->in, &len))) {
		r = kw_inbox_receive(&client->in, client->fd);
		if (r == -EINTR)
			continue;
		if (r < 0)
			return fail_talk(client->seconds, r, reterr);
		if (r == 0)
			return fail_talk(client->seconds, -ECONNRESET, reterr);
	}
	reply = kw_json_read(text, len, JSON_REJECT_DUPLICATES);
	if (!json_is_object(reply))
		return kw_fail(-EPROTO, reterr, "kvmwardend's answer is not JSON");
	*ret = TAKE_PTR(reply);
	return 0;
}

static int fail_remote(const char *error, json_t *parameters, char **reterr)
{
	const char *message = json_string_value(json_object_get(parameters, "message"));

	if (kw_streq(error, KW_INTERFACE ".Failed"))
		return kw_fail(-EREMOTEIO, reterr, "%s", message ? message : "no reason given");
	if (kw_streq(error, KW_INTERFACE_SERVICE ".PermissionDenied"))
		return kw_fail(-EPERM, reterr, "kvmwardend does this only for root");
	return kw_fail(-EPROTO, reterr, "kvmwardend does not know this request (%s)", error);
}

int kw_client_reply(struct kw_client *client, json_t **ret, bool *ret_continues, char **reterr)
{
	_cleanup_(json_decref_cleanup) json_t *reply = NULL;
	json_t *parameters = NULL;
	const char *error = NULL;
	int continues = false;
	int r;

	r = receive(client, &reply, reterr);
	if (r < 0)
		return r;
	if (json_unpack(reply, "{s?s, s?o, s?b}", "error", &error, "parameters", &parameters,
			"continues", &continues) < 0)
		return kw_fail(-EPROTO, reterr, "kvmwardend's answer is not a varlink reply");
	if (error)
		return fail_remote(error, parameters, reterr);
	*ret = json_is_object(parameters) ? json_incref(parameters) : json_object();
	*ret_continues = continues;
	return *ret ? 0 : -ENOMEM;
}

int kw_client_ask_on(struct kw_client *client, const char *method, json_t *parameters, json_t **ret,
		     char **reterr)
{
	bool continues;
	int r;

	r = kw_client_call(client, method, parameters, false, reterr);
	if (r < 0)
		return r;
	return kw_client_reply(client, ret, &continues, reterr);
}

int kw_client_ask(const char *path, const char *method, json_t *parameters, json_t **ret,
		  char **reterr)
{
	_cleanup_(kw_client_free_cleanup) struct kw_client *client = NULL;
	int r;

	r = kw_client_connect(path, &client, reterr);
	if (r < 0)
		return r;
	return kw_client_ask_on(client, method, parameters, ret, reterr);
}

enum kw_exit kw_client_exit(int error)
{
	switch (-error) {
	case EACCES:
	case EPERM:
		return KW_EXIT_NOPERM;
	case ENOENT:
	case ECONNREFUSED:
	case ECONNRESET:
	case EPROTO:
	case EAGAIN:
		return KW_EXIT_UNAVAILABLE;
	case EREMOTEIO:
		return KW_EXIT_FINDING;
	}
	return KW_EXIT_OS;
}

int kw_client_ask_or_complain(const struct kw_cli *cli, const char *method, json_t *parameters,
			      json_t **ret)
{
	_cleanup_free_ char *sentence = NULL;
	int r;

	r = kw_client_ask(cli->socket, method, parameters, ret, &sentence);
	if (r == 0)
		return KW_EXIT_OK;
	fprintf(stderr, "kvmwarden: %s\n", sentence ? sentence : strerror(-r));
	return kw_client_exit(r);
}

int kw_client_print_json(json_t *value)
{
	if (json_dumpf(value, stdout, isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT) < 0 ||
	    putchar('\n') == EOF || fflush(stdout) == EOF)
		return errno == EPIPE ? KW_EXIT_OK : KW_EXIT_OS;
	return KW_EXIT_OK;
}
