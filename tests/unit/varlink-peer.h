/* SPDX-License-Identifier: GPL-2.0-only */
/* A manager with a made-up daemon behind it, and a peer that talks to it. */
#ifndef KVMWARDEN_TESTS_VARLINK_PEER_H
#define KVMWARDEN_TESTS_VARLINK_PEER_H

#include "unit.h"

#include <jansson.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "manager.h"
#include "util.h"
#include "varlink.h"

#define M "io.kvmwarden.Manager."
#define S "org.varlink.service."
#define NOBODY 65534

struct fixture {
	sd_event *loop;
	struct kw_manager *manager;
	size_t vm_bytes; /* the size of ListVMs' reply */
	unsigned int unloads;
};

struct peer {
	struct fixture *fixture;
	int fd;
	struct kw_inbox in;
};

static inline int op_status(void *userdata, struct kw_json *reply, char **reterr)
{
	(void)userdata;
	(void)reterr;
	kw_json_open_object(reply);
	kw_json_member_string(reply, "enforcement", "enforcing");
	kw_json_close_object(reply);
	return 0;
}

static inline int op_vms(void *userdata, struct kw_json *reply, char **reterr)
{
	struct fixture *f = userdata;
	size_t i;

	(void)reterr;
	kw_json_open_object(reply);
	kw_json_key(reply, "vms");
	kw_json_open_array(reply);
	for (i = 0; i < f->vm_bytes; i += 2)
		kw_json_unsigned(reply, 1);
	kw_json_close_array(reply);
	kw_json_close_object(reply);
	return 0;
}

static inline int op_reload(void *userdata, struct kw_json *reply, char **reterr)
{
	struct fixture *f = userdata;

	kw_manager_event(f->manager, "{\"event\":\"policy-refused\"}", 26);
	kw_json_open_object(reply); /* begun, and then it fails */
	*reterr = strdup("50-a.yaml:3:1: unknown key 'polcy'");
	return -EINVAL;
}

static inline int op_unload(void *userdata, struct kw_json *reply, char **reterr)
{
	struct fixture *f = userdata;

	(void)reterr;
	f->unloads++;
	kw_json_open_object(reply);
	kw_json_close_object(reply);
	return 0;
}

/* What was asked comes back. */
static inline int op_set_mode(void *userdata, const char *policy, int mode, uint32_t uid,
			      struct kw_json *reply, char **reterr)
{
	(void)userdata;
	if (strcmp(policy, "nobody") == 0) {
		*reterr = strdup("there is no policy 'nobody' in force");
		return -ENOENT;
	}
	kw_json_open_object(reply);
	kw_json_member_string(reply, "policy", policy);
	kw_json_key(reply, "mode");
	kw_json_signed(reply, mode);
	kw_json_member_unsigned(reply, "uid", uid);
	kw_json_close_object(reply);
	return 0;
}

static inline int op_allow(void *userdata, const struct kw_allow *allow, struct kw_json *reply,
			   char **reterr)
{
	(void)userdata;
	(void)reterr;
	kw_json_open_object(reply);
	kw_json_member_unsigned(reply, "vm", allow->vm);
	kw_json_member_string(reply, "operation", allow->operation);
	kw_json_member_unsigned(reply, "seconds", allow->seconds);
	kw_json_member_string(reply, "reason", allow->reason);
	kw_json_close_object(reply);
	return 0;
}

static inline int op_end_exception(void *userdata, uint64_t id, struct kw_json *reply,
				   char **reterr)
{
	(void)userdata;
	(void)reply;
	*reterr = id == 7 ? strdup("there is no exception 7") : NULL;
	return -ENOENT;
}

static const struct kw_manager_ops ops = {
	.status = op_status,
	.prove = op_status,
	.vms = op_vms,
	.reload = op_reload,
	.set_mode = op_set_mode,
	.allow = op_allow,
	.end_exception = op_end_exception,
	.unload = op_unload,
};

static inline void fixture_start(struct fixture *f)
{
	*f = (struct fixture){};
	assert_true(sd_event_new(&f->loop) >= 0);
	assert_int_equal(kw_manager_new(f->loop, NULL, &ops, f, &f->manager), 0);
}

static inline void fixture_end(struct fixture *f)
{
	f->manager = kw_manager_free(f->manager);
	sd_event_unref(f->loop);
}

/* Lets the loop do all it can do now. */
static inline void pump(struct fixture *f)
{
	while (sd_event_run(f->loop, 0) > 0)
		;
}

static inline int peer_open(struct peer *p, struct fixture *f, uid_t uid)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	*p = (struct peer){.fixture = f, .fd = fds[0], .in.max = 64 * 1024 * 1024};
	return kw_manager_serve(f->manager, fds[1], uid);
}

static inline void peer_close(struct peer *p)
{
	close(p->fd);
	kw_inbox_done(&p->in);
	pump(p->fixture);
}

static inline void say_bytes(struct peer *p, const char *bytes, size_t len)
{
	assert_int_equal(send(p->fd, bytes, len, MSG_NOSIGNAL), len);
}

/* The text and its NUL. */
static inline void say(struct peer *p, const char *text)
{
	say_bytes(p, text, strlen(text) + 1);
}

/* The next message, or NULL when there is none; -ECONNRESET in *ret when it never will be. */
static inline json_t *hear_or(struct peer *p, int *ret)
{
	const char *text;
	json_t *root;
	size_t len;
	int r;

	for (;;) {
		text = kw_inbox_next(&p->in, &len);
		if (text)
			break;
		pump(p->fixture);
		r = kw_inbox_receive(&p->in, p->fd);
		if (r == 0 || r == -ECONNRESET) {
			*ret = -ECONNRESET;
			return NULL;
		}
		if (r < 0) {
			assert_int_equal(r, -EAGAIN);
			*ret = r;
			return NULL;
		}
	}
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (!root)
		print_error("not JSON: %s\n", text);
	assert_non_null(root);
	return root;
}

static inline json_t *hear(struct peer *p)
{
	int error = 0;
	json_t *root = hear_or(p, &error);

	if (!root)
		fail_msg("no reply: %s", strerror(-error));
	return root;
}

static inline void hear_nothing(struct peer *p)
{
	int error = 0;

	assert_null(hear_or(p, &error));
	assert_int_equal(error, -EAGAIN);
}

static inline void hear_the_end(struct peer *p)
{
	int error = 0;

	assert_null(hear_or(p, &error));
	assert_int_equal(error, -ECONNRESET);
}

static inline void hear_text(struct peer *p, const char *expected)
{
	json_t *root = hear(p);
	char *text = json_dumps(root, JSON_COMPACT);

	assert_string_equal(text, expected);
	free(text);
	json_decref(root);
}

#endif
