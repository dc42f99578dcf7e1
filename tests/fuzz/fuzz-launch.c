/* SPDX-License-Identifier: GPL-2.0-only */
/* Fuzzes what comes to be supervised: launches, keepers, runtimes of containers. */

/*
 * The input is a script of steps, two bytes each and what belongs to them: bytes of one
 * message from one of three clients, with or without descriptors, changes of the record that
 * goes with it, turns of the loop, clients that hang up and come back. What is asserted,
 * beyond what the sanitizers see:
 *
 * - each answer is one JSON object, and one that refuses has a sentence and an exit status;
 * - policies that are looked up are let go as often, and so is what is judged;
 * - what a launch tells of itself has an end, and an id of hexadecimal digits;
 * - no descriptor is left.
 */
#define _GNU_SOURCE 1
#undef NDEBUG
#include <assert.h>
#include <dirent.h>
#include <jansson.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "supervisor-internal.h"
#include "util.h"

enum step { MESSAGE, CALL, PATCH, TURN, HANG_UP, COME_BACK, _STEP_MAX };

/* Which descriptors go with a message. */
#define WITH_LISTENER 1
#define WITH_RECORD 2
#define RECORD_FIRST 4

static struct {
	sd_event *loop;
	struct kw_supervisor *supervisor;
	struct kw_launch_record record;
	char directory[32];
	int clients[3]; /* or -1 */
	int planned, judged;
} scene;

/* --- a daemon ----------------------------------------------------------------- */

static int plan(void *userdata, const char *directory, struct kw_plan *ret, uint32_t *ret_set,
		int *ret_status, char **reterr)
{
	(void)userdata;
	assert(!directory || strlen(directory) < KW_LAUNCH_SET_MAX);
	if (directory && strcmp(directory, "wrong") == 0) {
		*ret_status = 1;
		*reterr = strdup("wrong/1.yaml:3:1: unknown key '\xff'");
		return -EINVAL;
	}
	if (directory && strcmp(directory, "none") == 0)
		return 1;
	*ret = (struct kw_plan){};
	*ret_set = 3;
	scene.planned++;
	return 0;
}

static int replan(void *userdata, uint32_t set, struct kw_plan *ret)
{
	static const struct kw_plan_entry entry = {.command = 0x4090ae82,
						   .disposition = KW_PLAN_NOTIFY};

	(void)userdata;
	assert(set == 3);
	ret->entries = malloc(sizeof(entry));
	assert(ret->entries);
	ret->entries[0] = entry;
	ret->count = 1;
	return 0;
}

static void release(void *userdata, uint32_t set)
{
	(void)userdata;
	assert(set == 3 && scene.planned > 0);
	scene.planned--;
}

static int begin(void *userdata, struct kw_asked *asked)
{
	(void)userdata;
	assert(asked->count <= KW_ASKED_MAX);
	scene.judged++;
	return 0;
}

static void end(void *userdata, struct kw_asked *asked, uint32_t set, bool over)
{
	(void)userdata;
	(void)over;
	assert(asked && set == 3 && scene.judged > 0);
	scene.judged--;
}

static int judge(void *userdata, const struct kw_inquiry *inquiry, struct kw_asked *asked,
		 struct kw_ruling *ret)
{
	(void)userdata;
	(void)inquiry;
	(void)asked;
	*ret = (struct kw_ruling){.given = 1};
	return 0;
}

static void tell(void *userdata, enum kw_launch_news news, const struct kw_launch_record *launch,
		 const char *error)
{
	(void)userdata;
	assert(news != KW_LAUNCH_REFUSED || !error || *error);
	assert(memchr(launch->name, '\0', sizeof(launch->name)));
	assert(memchr(launch->set, '\0', sizeof(launch->set)));
	assert(news == KW_LAUNCH_REFUSED ||
	       strspn(launch->id, "0123456789abcdef") == KW_LAUNCH_ID_LEN);
}

static const struct kw_supervisor_ops ops = {
	.judge = {.judge = judge},
	.plan = plan,
	.replan = replan,
	.release = release,
	.begin = begin,
	.end = end,
	.tell = tell,
	.backend = "seccomp",
};

/* --- clients ------------------------------------------------------------------ */

static void go(int *client)
{
	if (*client >= 0)
		close(*client);
	*client = -1;
}

/* The last one is a container's runtime. */
static void come(size_t i)
{
	bool oci = i == KW_ARRAY_SIZE(scene.clients) - 1;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX,
			(oci ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", scene.directory,
		 oci ? KW_OCI_SOCKET : KW_LAUNCH_SOCKET);
	assert(fd >= 0);
	/* There is an end to how many may wait to be heard. */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		close(fd);
	else
		scene.clients[i] = fd;
}

static void turn(unsigned int most)
{
	while (most-- && sd_event_run(scene.loop, 0) > 0)
		;
}

static void *have_a_filter(void *context)
{
	struct sock_filter allow = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
	struct sock_fprog program = {1, &allow};
	int *ends = context, fd;

	assert(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			  &program);
	assert(write(ends[1], &fd, sizeof(fd)) == sizeof(fd));
	while (1)
		pause();
	return NULL;
}

/* A real listener, of a thread that never asks. */
static int the_listener(void)
{
	static int fd = -1;
	pthread_t thread;
	int ends[2];

	if (fd >= 0)
		return fd;
	assert(pipe(ends) == 0 && pthread_create(&thread, NULL, have_a_filter, ends) == 0);
	assert(read(ends[0], &fd, sizeof(fd)) == sizeof(fd) && fd >= 0);
	close(ends[0]);
	close(ends[1]);
	return fd;
}

/* A file for a record; a listener, or a socket in its place. */
static size_t make_fds(unsigned int which, int fds[2])
{
	size_t n = 0;
	int ends[2];

	if (which & WITH_RECORD) {
		fds[n] = memfd_create("record", MFD_CLOEXEC);
		assert(fds[n] >= 0);
		assert(write(fds[n], &scene.record, sizeof(scene.record)) == sizeof(scene.record));
		n++;
	}
	if ((which & (WITH_LISTENER | WITH_RECORD | RECORD_FIRST)) !=
		    (WITH_LISTENER | RECORD_FIRST) &&
	    which & WITH_LISTENER) {
		fds[n] = dup(the_listener());
		assert(fds[n++] >= 0);
	} else if (which & WITH_LISTENER) {
		assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
		close(ends[1]);
		fds[n++] = ends[0];
	}
	if (n == 2 && !(which & RECORD_FIRST)) {
		ends[0] = fds[0];
		fds[0] = fds[1];
		fds[1] = ends[0];
	}
	return n;
}

static void send_message(int client, unsigned int which, const void *text, size_t size)
{
	char control[CMSG_SPACE(2 * sizeof(int))] = {};
	struct iovec part = {.iov_base = (void *)text, .iov_len = size};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	int fds[2];
	size_t n;

	if (client < 0)
		return;
	n = make_fds(which, fds);
	if (n) {
		struct cmsghdr *c;

		header.msg_control = control;
		header.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	sendmsg(client, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n)
		close(fds[--n]);
}

/* Most of a request that would be right, so that few bytes go far. */
static void call(int client, unsigned int which, const uint8_t *data, size_t size)
{
	static const char *const requests[] = {
		"{\"method\":\"Plan\",\"policySet\":null,\"name\":\"vmm%.*s\"}",
		"{\"method\":\"Plan\",\"policySet\":\"wrong\",\"name\":\"%.*s\"}",
		"{\"method\":\"Plan\",\"policySet\":\"%.*s\",\"name\":\"vmm\"}",
		"{\"method\":\"Supervise\"%.*s}",
		"{\"method\":\"Resume\"%.*s}",
		"{\"fds\":[\"seccompFd\"],\"metadata\":\"%.*s\",\"state\":{}}",
		"{\"fds\":[\"other\",\"seccompFd\"],\"state\":{\"id\":\"%.*s\"}}",
		"{%.*s}",
	};
	_cleanup_free_ char *text = NULL;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	assert(asprintf(&text, requests[which >> 3 & 7], (int)size, (const char *)data) > 0);
#pragma GCC diagnostic pop
	send_message(client, which & 7, text, strlen(text));
}

static void read_replies(int client)
{
	static char text[KW_LAUNCH_MESSAGE_MAX + 1];
	struct message message = {.text = text};

	while (client >= 0 && kw_supervisor_receive(client, &message) == 0) {
		json_t *reply, *error;

		if (message.fds[0] >= 0)
			close(message.fds[0]);
		assert(message.fds[1] < 0);
		if (message.len == 0)
			return;
		reply = json_loadb(text, (size_t)message.len, JSON_REJECT_DUPLICATES, NULL);
		error = json_object_get(reply, "error");
		assert(json_is_object(reply));
		assert(!error || (json_string_length(error) &&
				  json_is_integer(json_object_get(reply, "status"))));
		json_decref(reply);
	}
}

/* --- the script --------------------------------------------------------------- */

static void patch(unsigned int argument, const uint8_t *data, size_t size)
{
	size_t at;

	if (size < 2)
		return;
	at = (data[0] | data[1] << 8) % sizeof(scene.record);
	size -= 2;
	if (size > argument % 16u + 1)
		size = argument % 16u + 1;
	if (size > sizeof(scene.record) - at)
		size = sizeof(scene.record) - at;
	memcpy((char *)&scene.record + at, data + 2, size);
}

static void take_step(enum step step, size_t i, unsigned int argument, const uint8_t *data,
		      size_t size)
{
	switch (step) {
	case MESSAGE:
		return send_message(scene.clients[i], argument >> 5, data, size);
	case CALL:
		return call(scene.clients[i], argument, data, size < 16 ? size : 16);
	case PATCH:
		return patch(argument, data, size);
	case TURN:
		return turn(argument);
	case HANG_UP:
		return go(&scene.clients[i]);
	case COME_BACK:
		go(&scene.clients[i]);
		turn(100);
		return come(i);
	case _STEP_MAX:
		return;
	}
}

static size_t bytes_of(enum step step, unsigned int argument)
{
	switch (step) {
	case MESSAGE:
		return argument;
	case CALL:
		return 16;
	case PATCH:
		return 2 + argument % 16u + 1;
	default:
		return 0;
	}
}

static void play(const uint8_t *data, size_t size)
{
	while (size >= 2) {
		enum step step = data[0] % _STEP_MAX;
		size_t i = (data[0] >> 3) % KW_ARRAY_SIZE(scene.clients), len;
		unsigned int argument = data[1];

		data += 2;
		size -= 2;
		len = bytes_of(step, argument);
		if (len > size)
			len = size;
		take_step(step, i, argument, data, len);
		data += len;
		size -= len;
		turn(3);
		for (i = 0; i < KW_ARRAY_SIZE(scene.clients); i++)
			read_replies(scene.clients[i]);
	}
}

static unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void set_up(void)
{
	char socket_path[sizeof(scene.directory) + 2];

	memset(&scene, 0, sizeof(scene));
	memcpy(scene.directory, "/tmp/kvmwarden-fuzz-XXXXXX", sizeof("/tmp/kvmwarden-fuzz-XXXXXX"));
	assert(mkdtemp(scene.directory));
	snprintf(socket_path, sizeof(socket_path), "%s/m", scene.directory);
	scene.record.size = sizeof(scene.record);
	memset(scene.record.id, 'a', KW_LAUNCH_ID_LEN);
	assert(sd_event_new(&scene.loop) >= 0);
	assert(kw_supervisor_new(scene.loop, socket_path, &ops, &scene.supervisor) == 0);
	for (size_t i = 0; i < KW_ARRAY_SIZE(scene.clients); i++) {
		scene.clients[i] = -1;
		come(i);
	}
}

/* libFuzzer declares it nowhere. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int before;

	the_listener();
	before = count_fds();
	set_up();
	play(data, size);
	turn(100);
	for (size_t i = 0; i < KW_ARRAY_SIZE(scene.clients); i++)
		go(&scene.clients[i]);
	turn(100);
	assert(scene.supervisor->clients_waiting == 0);
	kw_supervisor_free(scene.supervisor);
	sd_event_unref(scene.loop);
	assert(scene.planned == 0 && scene.judged == 0);
	assert(rmdir(scene.directory) == 0);
	assert(count_fds() == before);
	return 0;
}
