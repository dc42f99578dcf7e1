/* SPDX-License-Identifier: GPL-2.0-only */
/* seccomp user notifications: received, answered, and tried on a thread of our own. */
#define _GNU_SOURCE 1
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "util.h"

#define X32_BIT 0x40000000
#define NR_IOCTL 16
#define NR_IOCTL_I386 54
#define NR_IOCTL_X32 514

/*
 * Straight to the kernel: the functions of libseccomp 2.5 turn each error into the same
 * one, and whether a thread is gone or the listener broken makes a difference here.
 */
int kw_notify_receive(int listener, union kw_notif *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, ret) == 0)
		return 0;
	return errno == ENOENT || errno == EINTR ? -EAGAIN : -errno;
}

bool kw_notify_is_listener(int fd)
{
	uint64_t nobody = 0;

	return ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &nobody) < 0 && errno == ENOENT;
}

bool kw_notify_waits(int listener, uint64_t id)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

static int send_answer(int listener, struct seccomp_notif_resp *answer)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, answer) < 0 ? -errno : 0;
}

int kw_notify_refuse(int listener, uint64_t id, int error)
{
	return send_answer(listener, &(struct seccomp_notif_resp){.id = id, .error = -error});
}

int kw_notify_continue(int listener, uint64_t id)
{
	return send_answer(listener, &(struct seccomp_notif_resp){
					     .id = id,
					     .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE,
				     });
}

bool kw_notify_is_ioctl(int64_t nr)
{
	return nr == NR_IOCTL || nr == NR_IOCTL_I386 || nr == (X32_BIT | NR_IOCTL_X32) ||
	       nr == (X32_BIT | NR_IOCTL);
}

bool kw_notify_call(const struct seccomp_data *data, struct kw_call *ret)
{
	struct kw_call call = {
		.fd = (uint32_t)data->args[0],
		.command = (uint32_t)data->args[1],
		.arg = data->args[2],
	};

	if (data->arch == AUDIT_ARCH_I386) {
		call.entry = KW_ENTRY_COMPAT;
		call.arg = (uint32_t)call.arg;
	} else if (data->nr & X32_BIT) {
		call.entry = KW_ENTRY_COMPAT;
	}
	*ret = call;
	if (data->arch == AUDIT_ARCH_I386)
		return data->nr == NR_IOCTL_I386;
	return data->nr != NR_IOCTL_I386 && kw_notify_is_ioctl(data->nr);
}

/* What the two threads of a trial know of each other. */
struct trial {
	const struct sock_fprog *filter;
	void (*act)(void *userdata);
	void *userdata;
	int listener; /* or -errno */
	int ready[2]; /* a pipe: closed when the listener is there, or cannot be */
};

static void *run_trial(void *context)
{
	struct trial *trial = context;
	long fd = -EPERM;

	/* It stays with this thread. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			     trial->filter);
	trial->listener = fd < 0 ? -errno : (int)fd;
	close(trial->ready[1]);
	if (trial->listener >= 0)
		trial->act(trial->userdata);
	return NULL;
}

#define TRIAL_MSEC 2000

/* Answers until the thread is gone; if that takes too long, whatever it still asks fails. */
static int serve_trial(struct trial *trial,
		       int (*answer)(void *userdata, const struct kw_call *call, uint32_t tid))
{
	struct pollfd poll_fd = {.fd = trial->listener, .events = POLLIN};
	union kw_notif notif;
	struct kw_call call;
	int r;

	for (;;) {
		r = poll(&poll_fd, 1, TRIAL_MSEC);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -ETIMEDOUT;
		if (!(poll_fd.revents & POLLIN))
			return 0;
		r = kw_notify_receive(trial->listener, &notif);
		if (r == -EAGAIN)
			continue;
		if (r < 0)
			return r;
		r = kw_notify_call(&notif.notif.data, &call)
			    ? answer(trial->userdata, &call, notif.notif.pid)
			    : 0;
		r = r ? kw_notify_refuse(trial->listener, notif.notif.id, r)
		      : kw_notify_continue(trial->listener, notif.notif.id);
		if (r < 0 && r != -ENOENT)
			return r;
	}
}

static int start_trial(struct trial *trial,
		       int (*answer)(void *userdata, const struct kw_call *call, uint32_t tid))
{
	pthread_t thread;
	char nothing;
	int r;

	if (pipe2(trial->ready, O_CLOEXEC) < 0)
		return -errno;
	r = -pthread_create(&thread, NULL, run_trial, trial);
	if (r < 0)
		close(trial->ready[1]);
	while (r == 0 && read(trial->ready[0], &nothing, 1) < 0 && errno == EINTR)
		;
	close(trial->ready[0]);
	if (r < 0)
		return r;
	r = trial->listener < 0 ? trial->listener : serve_trial(trial, answer);
	if (trial->listener >= 0)
		close(trial->listener);
	pthread_join(thread, NULL);
	return r;
}

int kw_notify_run_filtered(const struct sock_fprog *filter, void (*act)(void *userdata),
			   int (*answer)(void *userdata, const struct kw_call *call, uint32_t tid),
			   void *userdata)
{
	struct trial trial = {.filter = filter, .act = act, .userdata = userdata, .listener = -1};

	return start_trial(&trial, answer);
}
