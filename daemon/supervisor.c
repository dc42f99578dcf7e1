/* SPDX-License-Identifier: GPL-2.0-only */
/* The launches of a host: begun, served, ended, handed to the next daemon. */
#include "supervisor.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "listen.h"
#include "supervisor-internal.h"
#include "util.h"

/* Before events and questions: a VMM waits. */
#define PRIORITY (SD_EVENT_PRIORITY_NORMAL - 10)
#define WAIT_USEC 1000

int kw_launch_new_id(char ret[static KW_LAUNCH_ID_LEN + 1])
{
	unsigned char bytes[KW_LAUNCH_ID_LEN / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -errno;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

const char *kw_supervisor_why(int error)
{
	if (error == -ENOTTY)
		return "the descriptor is no listener of seccomp";
	if (error == -EINVAL)
		return "the record is none of this version's";
	return strerror(-error);
}

static void add_stats(struct kw_launch_stats *sum, const struct kw_launch_stats *each)
{
	sum->asked += each->asked;
	sum->refused += each->refused;
	sum->killed += each->killed;
	sum->held += each->held;
	sum->failed += each->failed;
}

void kw_supervisor_stats(const struct kw_supervisor *s, struct kw_supervisor_stats *ret)
{
	struct kw_supervisor_stats stats = {.total = s->ended};

	for (size_t i = 0; i < KW_LAUNCHES_MAX; i++) {
		if (!s->launches[i])
			continue;
		stats.launches++;
		stats.outdated += s->launches[i]->outdated;
		add_stats(&stats.total, kw_launch_stats(s->launches[i]->launch));
	}
	*ret = stats;
}

static struct supervised *end_launch(struct supervised *one, bool over)
{
	struct kw_supervisor *s = one->supervisor;

	for (size_t i = 0; i < KW_LAUNCHES_MAX; i++)
		if (s->launches[i] == one)
			s->launches[i] = NULL;
	add_stats(&s->ended, kw_launch_stats(one->launch));
	sd_event_source_disable_unref(one->source);
	sd_event_source_disable_unref(one->timer);
	s->ops->end(s->ops->userdata, kw_launch_asked(one->launch), one->set, over);
	if (over) {
		kw_supervisor_unstore(one);
		s->ops->tell(s->ops->userdata, KW_LAUNCH_ENDED, kw_launch_record(one->launch),
			     NULL);
	}
	s->ops->release(s->ops->userdata, one->set);
	kw_launch_free(one->launch);
	free(one);
	return NULL;
}

static void serve(struct supervised *one)
{
	int r;

	r = kw_launch_serve(one->launch, &one->supervisor->ops->judge, one->set);
	if (r < 0) {
		end_launch(one, true);
		return;
	}
	if (r == 0)
		return;
	sd_event_source_set_time_relative(one->timer, WAIT_USEC);
	sd_event_source_set_enabled(one->timer, SD_EVENT_ONESHOT);
}

static int on_notification(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source;
	(void)fd;
	(void)revents;
	serve(userdata);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	serve(userdata);
	return 0;
}

static int watch(struct supervised *one)
{
	sd_event *loop = one->supervisor->loop;
	int r;

	r = sd_event_add_io(loop, &one->source, kw_launch_listener(one->launch), EPOLLIN,
			    on_notification, one);
	if (r == 0)
		r = sd_event_source_set_priority(one->source, PRIORITY);
	/* What an earlier daemon left unanswered makes no descriptor readable. */
	if (r == 0)
		r = sd_event_add_time_relative(loop, &one->timer, CLOCK_MONOTONIC, 0, 1, on_timer,
					       one);
	if (r == 0)
		r = sd_event_source_set_priority(one->timer, PRIORITY);
	return r;
}

/*
 * Whoever comes with a known id may come with another listener, to be taken for a launch
 * that it is not: then both are served.
 */
bool kw_supervisor_has(const struct kw_supervisor *s, const struct kw_launch *launch)
{
	for (size_t i = 0; i < KW_LAUNCHES_MAX; i++) {
		const struct kw_launch *other = s->launches[i] ? s->launches[i]->launch : NULL;

		if (other && kw_streq(kw_launch_record(other)->id, kw_launch_record(launch)->id) &&
		    syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, kw_launch_listener(other),
			    kw_launch_listener(launch)) == 0)
			return true;
	}
	return false;
}

int kw_supervisor_add(struct kw_supervisor *s, struct kw_launch *launch, uint32_t set,
		      enum kw_launch_news news, uint32_t stored)
{
	struct supervised *one = calloc(1, sizeof(*one));
	size_t place = 0;
	int r;

	while (place < KW_LAUNCHES_MAX && s->launches[place])
		place++;
	if (!one || place == KW_LAUNCHES_MAX) {
		free(one);
		kw_launch_free(launch);
		s->ops->release(s->ops->userdata, set);
		return one ? -E2BIG : -ENOMEM;
	}
	*one = (struct supervised){.supervisor = s, .launch = launch, .set = set, .stored = stored};
	s->launches[place] = one;
	r = s->ops->begin(s->ops->userdata, kw_launch_asked(launch));
	if (r == 0)
		r = watch(one);
	if (r < 0) {
		end_launch(one, false);
		return r;
	}
	kw_supervisor_store(one);
	s->ops->tell(s->ops->userdata, news, kw_launch_record(launch), NULL);
	kw_supervisor_compare_one(one);
	return 0;
}

int kw_supervisor_new(sd_event *loop, const char *manager_socket,
		      const struct kw_supervisor_ops *ops, struct kw_supervisor **ret)
{
	struct kw_supervisor *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->loop = sd_event_ref(loop);
	s->ops = ops;
	for (size_t i = 0; i < KW_ARRAY_SIZE(s->sockets); i++)
		s->sockets[i] = -1;
	r = manager_socket ? kw_supervisor_listen(s, manager_socket) : 0;
	if (r < 0) {
		kw_supervisor_free(s);
		return r;
	}
	kw_supervisor_take_stored(s);
	*ret = s;
	return 0;
}

struct kw_supervisor *kw_supervisor_free(struct kw_supervisor *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < KW_ARRAY_SIZE(s->clients); i++)
		if (s->clients[i])
			kw_supervisor_forget(s->clients[i]);
	for (size_t i = 0; i < KW_LAUNCHES_MAX; i++)
		if (s->launches[i])
			end_launch(s->launches[i], false);
	for (size_t i = 0; i < KW_ARRAY_SIZE(s->sockets); i++) {
		sd_event_source_disable_unref(s->sources[i]);
		if (s->paths[i])
			kw_listen_end(s->paths[i], &s->stats[i]);
		free(s->paths[i]);
		if (s->sockets[i] >= 0)
			close(s->sockets[i]);
	}
	sd_event_unref(s->loop);
	free(s);
	return NULL;
}
