/* SPDX-License-Identifier: GPL-2.0-only */
/* The seccomp backend where no BPF program can be loaded, or is to be. */
#include <errno.h>
#include <stdio.h>

#include "backend-internal.h"
#include "names.h"
#include "task.h"
#include "util.h"

const char *kw_backend_plain(const struct kw_backend *b)
{
	return b->plain ? b->plain_why : NULL;
}

enum kw_means kw_backend_means(const struct kw_backend *b)
{
	return b->plain ? KW_MEANS_TYPES : KW_MEANS_KERNEL;
}

const char *kw_backend_title(const struct kw_backend *b)
{
	return b->plain ? kw_means_name(KW_MEANS_TYPES) : kw_backend_name(b->id);
}

static int prove(struct kw_backend *b, char **reterr)
{
	struct kw_proof proof;
	int r;

	r = kw_backend_prove(b, &proof);
	if (r < 0)
		return kw_fail(r, reterr, "the proof could not be tried: %s", strerror(-r));
	if (proof.passed)
		return 0;
	return kw_fail(-EOPNOTSUPP, reterr,
		       "a thread under a filter of ours was not refused its canary ioctl by the "
		       "%s entry: is there /proc/PID/syscall?",
		       proof.entries[KW_ENTRY_NATIVE] ? "32-bit" : "native");
}

int kw_backend_make_plain(struct kw_backend *b, const char *why, struct kw_ruleset *rules,
			  const struct kw_backend_wish *wish, char **reterr)
{
	int r;

	b->mark = (struct kw_mark){
		.backend = b->id,
		.vms_max = wish->vms_max,
		.attached_ns = kw_clock_ns(CLOCK_REALTIME),
	};
	snprintf(b->mark.version, sizeof(b->mark.version), "%s", KW_VERSION);
	r = kw_task_check_proc(reterr);
	if (r < 0)
		return r;
	b->plain_why = strdup(why);
	if (!b->plain_why)
		return -ENOMEM;
	b->counters = calloc(1, sizeof(*b->counters));
	if (!b->counters)
		return -ENOMEM;
	r = kw_plain_new(b->counters, wish->vms_max, wish->full_refuses, &b->plain);
	if (r < 0)
		return kw_fail(r, reterr, "no memory, or descriptor, for events: %s", strerror(-r));
	r = kw_canary_open(&b->canary, reterr);
	if (r < 0)
		return r;
	kw_ruleset_renumber(rules, 1);
	kw_plain_publish(b->plain, 0, rules);
	return prove(b, reterr);
}

void kw_backend_plain_done(struct kw_backend *b)
{
	/* Else there are programs, and the counters are mapped. */
	if (b->plain_why) {
		free(b->counters);
		b->counters = NULL;
	}
	b->plain = kw_plain_free(b->plain);
	free(b->plain_why);
	b->plain_why = NULL;
}
