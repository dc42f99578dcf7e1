/* SPDX-License-Identifier: GPL-2.0-only */
/* Fuzzes both ends of the control socket: what clients send, and what a daemon answers. */

/*
 * The first byte says which end, and whether any client is root. For the server
 * the rest is a script of steps, two bytes each and what belongs to them: bytes,
 * messages and parts of them from one of three clients, events, turns of the loop,
 * clients that stop sending, hang up, come back. For the client it is what comes
 * from the socket. What is asserted, beyond what the sanitizers see:
 *
 * - each reply is one JSON object of varlink's, ended by a NUL, and there are no
 *   more of them than requests;
 * - what root alone may do is done for nobody else, and with parameters in range;
 * - what a client makes the daemon hold has its limit;
 * - the client's end says why it has no reply.
 */
#define _GNU_SOURCE 1
#undef NDEBUG
#include <assert.h>
#include <jansson.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cli.h"
#include "client.h"
#include "manager-internal.h"
#include "names.h"
#include "util.h"

#define NOBODY 65534
#define EVENT_MAX 4096

/* The first byte. */
#define CLIENT_END 1
#define ROOT_CALLS 2
#define NOBODY_READS 4 /* until the script has ended */

enum step { SEND, MESSAGE, EVENT, TURN, STOP_SENDING, HANG_UP, COME_BACK, CALL, _STEP_MAX };

struct peer {
	int fd; /* or -1 */
	struct kw_inbox in;
	unsigned int asked; /* NULs sent */
	unsigned int answered; /* the last replies of a request */
};

static struct scene {
	sd_event *loop;
	struct kw_manager *manager;
	struct peer peers[3];
	bool root; /* may any of them be root? */
} scene;

/* --- a daemon that answers ---------------------------------------------------- */

static int answer(struct kw_json *reply, const char *text)
{
	kw_json_open_object(reply);
	kw_json_member_string(reply, "text", text);
	kw_json_close_object(reply);
	return 0;
}

static int op_read(void *userdata, struct kw_json *reply, char **reterr)
{
	(void)userdata;
	(void)reterr;
	return answer(reply, "read");
}

static int op_reload(void *userdata, struct kw_json *reply, char **reterr)
{
	static const char event[] = "{\"event\":\"policy-refused\"}";

	(void)userdata;
	assert(scene.root);
	kw_manager_event(scene.manager, event, sizeof(event) - 1);
	kw_json_open_object(reply); /* begun, and then it fails */
	*reterr = strdup("1.yaml:3:1: unknown key '\xff'");
	return -EINVAL;
}

static int op_unload(void *userdata, struct kw_json *reply, char **reterr)
{
	(void)userdata;
	(void)reterr;
	assert(scene.root);
	return answer(reply, "unloaded");
}

static int op_set_mode(void *userdata, const char *policy, int mode, uint32_t uid,
		       struct kw_json *reply, char **reterr)
{
	(void)userdata;
	(void)reterr;
	assert(scene.root && uid == 0);
	assert(policy && mode >= -1 && (mode < 0 || kw_mode_name(mode)));
	return answer(reply, policy);
}

static int op_allow(void *userdata, const struct kw_allow *allow, struct kw_json *reply,
		    char **reterr)
{
	(void)userdata;
	(void)reterr;
	assert(scene.root && allow->uid == 0 && allow->vm && allow->operation);
	assert(allow->seconds >= 1 && allow->seconds <= KW_ALLOW_SECONDS_MAX);
	assert(*allow->reason && strlen(allow->reason) <= KW_ALLOW_REASON_MAX);
	return answer(reply, allow->operation);
}

static int op_end_exception(void *userdata, uint64_t id, struct kw_json *reply, char **reterr)
{
	(void)userdata;
	(void)reply;
	(void)reterr;
	assert(scene.root && id);
	return -ENOENT;
}

static int op_prove(void *userdata, struct kw_json *reply, char **reterr)
{
	assert(scene.root);
	return op_read(userdata, reply, reterr);
}

static const struct kw_manager_ops ops = {
	.status = op_read,
	.prove = op_prove,
	.vms = op_read,
	.reload = op_reload,
	.set_mode = op_set_mode,
	.allow = op_allow,
	.end_exception = op_end_exception,
	.unload = op_unload,
};

/* --- clients ------------------------------------------------------------------ */

static void come(struct peer *p, uid_t uid)
{
	int fds[2];

	assert(p->fd < 0);
	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	*p = (struct peer){.fd = fds[0], .in.max = 64 * 1024 * 1024};
	assert(kw_manager_serve(scene.manager, fds[1], uid) == 0);
}

static void go(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	kw_inbox_done(&p->in);
}

static void check_reply(struct peer *p, const char *text, size_t len)
{
	json_t *reply = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	json_t *error = json_object_get(reply, "error");

	if (!json_is_object(reply))
		fprintf(stderr, "no reply: %.*s\n", (int)len, text);
	assert(json_is_object(reply));
	assert(json_is_object(json_object_get(reply, "parameters")));
	assert(!error || (json_is_string(error) && strchr(json_string_value(error), '.')));
	if (!json_is_true(json_object_get(reply, "continues")))
		p->answered++;
	assert(p->answered <= p->asked);
	json_decref(reply);
}

/* All there is for it now. Without the other end only: half a message may be the last one. */
static void read_replies(struct peer *p)
{
	const char *text;
	size_t len;
	int r = 1;

	while (p->fd >= 0 && r > 0) {
		while ((text = kw_inbox_next(&p->in, &len)))
			check_reply(p, text, len);
		r = kw_inbox_receive(&p->in, p->fd);
	}
	if (p->fd >= 0 && r != -EAGAIN)
		go(p);
}

static void send_bytes(struct peer *p, const void *bytes, size_t len)
{
	const char *text = bytes;
	ssize_t sent;

	if (p->fd < 0 || !len)
		return;
	sent = send(p->fd, text, len, MSG_NOSIGNAL);
	for (ssize_t i = 0; i < sent; i++)
		p->asked += !text[i];
}

/* Most of a request that would be right, so that few bytes go far. */
static void call(struct peer *p, unsigned int which, const uint8_t *data, size_t size)
{
	static const char *const methods[] = {"GetStatus",     "ListVMs", "FollowEvents", "Reload",
					      "SetPolicyMode", "Allow",	  "EndException", "Prove"};
	static const char *const tails[] = {
		"",
		",\"more\":true,\"parameters\":{\"follow\":true}",
		",\"more\":true",
		",\"oneway\":true",
		",\"parameters\":{\"policy\":\"p\",\"mode\":\"audit\"}",
		",\"parameters\":{\"exception\":7}",
		",\"parameters\":{\"vm\":1,\"operation\":\"o\",\"seconds\":60,\"reason\":\"r\"}",
		",\"more\":true,\"parameters\":{\"recent\":2}",
	};
	_cleanup_free_ char *text = NULL;
	int len = asprintf(&text, "{\"method\":\"io.kvmwarden.Manager.%s\"%s%.*s}",
			   methods[which & 7], tails[which >> 3 & 7], (int)size,
			   (const char *)data);

	assert(len > 0);
	send_bytes(p, text, strlen(text) + 1);
}

/* --- what the daemon holds ---------------------------------------------------- */

static void check_limits(void)
{
	const size_t most = KW_MANAGER_BACKLOG_MAX + KW_MANAGER_RECENT_MAX * (EVENT_MAX + 64) +
			    KW_MANAGER_REQUEST_MAX * 6;
	unsigned int clients = 0;

	for (size_t i = 0; i < KW_MANAGER_CLIENTS_MAX; i++) {
		const struct session *session = scene.manager->clients[i];

		if (!session)
			continue;
		clients++;
		assert(session->in.size <= KW_MANAGER_REQUEST_MAX);
		assert(kw_outbox_pending(&session->out) <= most);
	}
	assert(clients == scene.manager->stats.clients);
}

/* Turns of the loop, at most; returns how many found something to do. */
static unsigned int turn(unsigned int most)
{
	unsigned int done = 0;

	while (done < most && sd_event_run(scene.loop, 0) > 0) {
		check_limits();
		done++;
	}
	return done;
}

static void tell_event(const uint8_t *data, size_t size)
{
	struct kw_json json = {};

	kw_json_open_object(&json);
	kw_json_member_bytes(&json, "event", (const char *)data, size);
	kw_json_close_object(&json);
	assert(json.len < EVENT_MAX);
	kw_manager_event(scene.manager, json.text, json.len);
	kw_json_done(&json);
}

static void take_step(enum step step, struct peer *p, unsigned int argument, const uint8_t *data,
		      size_t size)
{
	switch (step) {
	case SEND:
		return send_bytes(p, data, size);
	case MESSAGE:
		send_bytes(p, data, size);
		return send_bytes(p, "", 1);
	case EVENT:
		for (unsigned int i = 0; i <= argument; i++)
			tell_event(data, size);
		return;
	case TURN:
		turn(argument);
		return;
	case STOP_SENDING:
		if (p->fd >= 0)
			shutdown(p->fd, SHUT_WR);
		return;
	case HANG_UP:
		return go(p);
	case COME_BACK:
		go(p);
		/* Who hung up is forgotten in the next turns. */
		turn(100);
		return come(p, scene.root && argument & 1 ? 0 : NOBODY);
	case CALL:
		return call(p, argument, data, size < 16 ? size : 16);
	case _STEP_MAX:
		return;
	}
}

static void play(const uint8_t *data, size_t size, bool nobody_reads)
{
	while (size >= 2) {
		unsigned int what = data[0], argument = data[1];
		struct peer *p = &scene.peers[(what >> 3) % KW_ARRAY_SIZE(scene.peers)];
		enum step step = what % _STEP_MAX;
		bool has_bytes = step == SEND || step == MESSAGE || step == EVENT || step == CALL;
		size_t len = has_bytes ? (step == CALL ? 16 : argument) : 0;

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		take_step(step, p, argument, data, len);
		data += len;
		size -= len;
		turn(2);
		for (size_t i = 0; i < KW_ARRAY_SIZE(scene.peers) && !nobody_reads; i++)
			read_replies(&scene.peers[i]);
	}
}

static void serve(const uint8_t *data, size_t size, unsigned int how)
{
	scene = (struct scene){.root = how & ROOT_CALLS};
	assert(sd_event_new(&scene.loop) >= 0);
	assert(kw_manager_new(scene.loop, NULL, &ops, NULL, &scene.manager) == 0);
	for (size_t i = 0; i < KW_ARRAY_SIZE(scene.peers); i++) {
		scene.peers[i].fd = -1;
		come(&scene.peers[i], scene.root && i == 0 ? 0 : NOBODY);
	}
	play(data, size, how & NOBODY_READS);
	/* Each turn of the loop sends what the socket takes: in the end all is there. */
	do
		for (size_t i = 0; i < KW_ARRAY_SIZE(scene.peers); i++)
			read_replies(&scene.peers[i]);
	while (turn(10));
	for (size_t i = 0; i < KW_ARRAY_SIZE(scene.peers); i++) {
		struct peer *p = &scene.peers[i];

		assert(p->fd < 0 || p->in.start == p->in.len);
		go(p);
	}
	turn(100);
	assert(scene.manager->stats.clients == 0);
	kw_manager_free(scene.manager);
	sd_event_unref(scene.loop);
}

/* --- the client's end --------------------------------------------------------- */

static const char *listener(int *ret)
{
	static char path[] = "/tmp/kvmwarden-fuzz-XXXXXX";
	static int fd = -1;
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (fd < 0) {
		close(mkstemp(path));
		unlink(path);
		memcpy(address.sun_path, path, sizeof(path));
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert(fd >= 0);
		assert(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
		assert(listen(fd, 1) == 0);
	}
	*ret = fd;
	return path;
}

static void hear(const uint8_t *data, size_t size)
{
	struct kw_client *client = NULL;
	char *sentence = NULL;
	bool continues;
	int fd, peer, r;

	assert(kw_client_connect(listener(&fd), &client, &sentence) == 0);
	peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	assert(peer >= 0);
	assert(send(peer, data, size, MSG_NOSIGNAL) == (ssize_t)size);
	close(peer);
	do {
		json_t *parameters = NULL;

		r = kw_client_reply(client, &parameters, &continues, &sentence);
		assert(r < 0 || json_is_object(parameters));
		json_decref(parameters);
	} while (r == 0);
	assert(r == -ENOMEM || (sentence && *sentence));
	assert(kw_client_exit(r) != KW_EXIT_OK);
	free(sentence);
	kw_client_free(client);
}

/* libFuzzer declares it nowhere. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] & CLIENT_END)
		hear(data + 1, size - 1);
	else
		serve(data + 1, size - 1, data[0]);
	return 0;
}
