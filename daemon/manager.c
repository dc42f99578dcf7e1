/* SPDX-License-Identifier: GPL-2.0-only */
/* The manager's socket, its clients as a whole, and the recent events. */
#define _GNU_SOURCE 1
#include "manager.h"

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

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

static int set_address(struct sockaddr_un *address, const char *path, const char *suffix)
{
	int n;

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(address->sun_path, sizeof(address->sun_path), "%s%s", path, suffix);
	return n < 0 || (size_t)n >= sizeof(address->sun_path) ? -ENAMETOOLONG : 0;
}

/* -EADDRINUSE when somebody listens there, -ENOTSOCK for what is not ours to replace. */
static int check_unused(const char *path)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_un address;
	struct stat st;
	int r;

	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return -ENOTSOCK;

	r = set_address(&address, path, "");
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == EAGAIN)
		return -EADDRINUSE;
	return errno == ENOENT || errno == ECONNREFUSED ? 0 : -errno;
}

/*
 * The file alone, as a group of the system is in it. getgrnam() would load modules that
 * can wait for a network, and which, without memory, end the process.
 */
static gid_t find_group(void)
{
	FILE *file = fopen("/etc/group", "re");
	const struct group *group = NULL;
	gid_t gid = (gid_t)-1;

	while (file && (group = fgetgrent(file)) && !kw_streq(group->gr_name, GROUP))
		;
	if (group)
		gid = group->gr_gid;
	if (file)
		fclose(file);
	return gid;
}

static int make_directory(const char *path)
{
	_cleanup_free_ char *directory = strdup(path);
	char *slash = directory ? strrchr(directory, '/') : NULL;

	if (!directory)
		return -ENOMEM;
	if (!slash || slash == directory)
		return 0;
	*slash = '\0';
	if (mkdir(directory, 0750) < 0)
		return errno == EEXIST ? 0 : -errno;
	if (chown(directory, -1, find_group()) < 0 || chmod(directory, 0750) < 0)
		return -errno;
	return 0;
}

/*
 * The socket gets its name only when it has its owner and mode and listens:
 * whoever sees it can use it, and a stale one is replaced at once.
 */
static int open_socket(const char *path, int *ret, struct stat *ret_stat)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_un address;
	int r;

	r = set_address(&address, path, ".new");
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(address.sun_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (chown(address.sun_path, -1, find_group()) < 0 || chmod(address.sun_path, 0660) < 0 ||
	    listen(fd, KW_MANAGER_CLIENTS_MAX) < 0 || stat(address.sun_path, ret_stat) < 0 ||
	    rename(address.sun_path, path) < 0) {
		r = -errno;
		unlink(address.sun_path);
		return r;
	}
	*ret = TAKE_FD(fd);
	return 0;
}

static int start_listening(struct kw_manager *manager, const char *path)
{
	struct stat st = {};
	int r;

	r = make_directory(path);
	if (r < 0)
		return r;
	r = check_unused(path);
	if (r < 0)
		return r;
	r = open_socket(path, &manager->fd, &st);
	if (r < 0)
		return r;
	manager->device = st.st_dev;
	manager->inode = st.st_ino;
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

static void remove_socket(const struct kw_manager *manager)
{
	struct stat st;

	if (manager->path && lstat(manager->path, &st) == 0 && st.st_dev == manager->device &&
	    st.st_ino == manager->inode)
		unlink(manager->path);
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
	remove_socket(manager);
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
