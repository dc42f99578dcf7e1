/* SPDX-License-Identifier: GPL-2.0-only */
/* Asks the kernel for a decision on an ioctl that waits in a seccomp notification. */
#include <errno.h>
#include <linux/bpf.h>

#include <bpf/bpf.h>

#include "backend-internal.h"
#include "filter.h"
#include "notify.h"
#include "util.h"

/* A walk over thousands of VMs takes less than a millisecond. */
#define ATTEMPTS 16

bool kw_backend_judges(const struct kw_backend *b)
{
	return b->judge >= 0 || b->plain;
}

int kw_backend_begin(struct kw_backend *b, struct kw_asked *asked)
{
	return b->plain ? kw_plain_begin(b->plain, asked) : 0;
}

void kw_backend_end(struct kw_backend *b, struct kw_asked *asked)
{
	if (b->plain)
		kw_plain_end(b->plain, asked);
}

int kw_backend_judge(struct kw_backend *b, const struct kw_inquiry *inquiry, struct kw_asked *asked,
		     struct kw_ruling *ret)
{
	union bpf_iter_link_info task = {.task.tid = inquiry->tid};
	LIBBPF_OPTS(bpf_link_create_opts, options, .iter_info = &task,
		    .iter_info_len = sizeof(task));
	int r;

	if (b->plain)
		return kw_plain_judge(b->plain, inquiry, asked, ret);
	if (b->judge < 0)
		return -EOPNOTSUPP;
	b->bss->kw_inquiry = *inquiry;
	memset(&b->bss->kw_ruling, 0, sizeof(b->bss->kw_ruling));
	r = kw_backend_iterate(b->judge, &options);
	*ret = b->bss->kw_ruling;
	return r;
}

/* One canary ioctl by a thread with a filter of its own. */
struct song {
	struct kw_backend *backend;
	enum kw_entry entry;
	int result;
};

static void sing(void *userdata)
{
	struct song *song = userdata;
	struct kw_backend *b = song->backend;

	song->result =
		kw_canary_sing(&b->canary, song->entry,
			       b->plain ? kw_plain_canary(b->plain) : b->bss->kw_canary_argument);
}

/* Answers as the supervisor would. */
static int answer(void *userdata, const struct kw_call *call, uint32_t tid)
{
	const struct song *song = userdata;
	const struct kw_inquiry question = {
		.tid = tid,
		.command = call->command,
		.arg = call->arg,
		.entry = call->entry,
	};
	struct kw_ruling decision;

	if (kw_backend_judge(song->backend, &question, NULL, &decision) < 0 || !decision.given)
		return EIO;
	return (int)decision.error;
}

/* Once, at the start: libseccomp does not bear a lack of memory. */
static int make_filter(struct kw_backend *b)
{
	_cleanup_free_ char *why = NULL;
	struct kw_plan_entry canary = {
		.command = KW_CMD_CANARY,
		.disposition = KW_PLAN_NOTIFY,
	};
	const struct kw_plan plan = {.entries = &canary, .count = 1};

	return b->trial_filter.filter ? 0 : kw_filter_make(&plan, &b->trial_filter, &why);
}

int kw_backend_sing_filtered(struct kw_backend *b, enum kw_entry entry)
{
	struct song song = {.backend = b, .entry = entry};
	int r;

	r = make_filter(b);
	if (r < 0)
		return r;
	r = kw_notify_run_filtered(&b->trial_filter, sing, answer, &song);
	return r < 0 ? r : song.result;
}
