/* SPDX-License-Identifier: GPL-2.0-only */
/* Counts what was recorded of a VMM: see learn-write.c for what is made of it. */
#define _GNU_SOURCE 1
#include "learn.h"

#include <errno.h>
#include <string.h>

#include "names.h"
#include "policy-read.h"
#include "util.h"

int kw_learn_init(struct kw_learn *learn, const struct kw_learn_filter *filter)
{
	*learn = (struct kw_learn){.filter = *filter};
	if (filter->exe && kw_policy_glob(filter->exe, &learn->exe) < 0)
		return -EINVAL;
	if (filter->unit && kw_policy_glob(filter->unit, &learn->unit) < 0)
		return -EINVAL;
	return 0;
}

static void count(struct kw_learnt *learnt, const struct kw_recorded *event)
{
	learnt->count++;
	if (!event->time[0])
		return;
	if (!learnt->first[0] || strcmp(event->time, learnt->first) < 0)
		memcpy(learnt->first, event->time, sizeof(learnt->first));
	if (strcmp(event->time, learnt->last) > 0)
		memcpy(learnt->last, event->time, sizeof(learnt->last));
}

static void count_vm(struct kw_learn *learn, uint64_t id)
{
	if (!id)
		return;
	/* Events of a VM mostly follow each other. */
	for (size_t i = learn->vm_count; i-- > 0;)
		if (learn->vms[i] == id)
			return;
	if (learn->vm_count < KW_LEARN_VMS_MAX)
		learn->vms[learn->vm_count++] = id;
}

static void count_exe(struct kw_learn *learn, const char *path)
{
	for (size_t i = 0; i < learn->exe_count; i++)
		if (kw_streq(learn->exes[i].path, path)) {
			learn->exes[i].count++;
			return;
		}
	if (learn->exe_count == KW_LEARN_EXES_MAX) {
		learn->exes_beyond++;
		return;
	}
	learn->exes[learn->exe_count].count = 1;
	snprintf(learn->exes[learn->exe_count++].path, KW_PATH_MAX, "%s", path);
}

/* Does the filter ask for it? What is not known is not learnt from. */
static bool is_wanted(struct kw_learn *learn, const struct kw_recorded *event)
{
	const struct kw_identity *who = &event->who;

	if (who->exe.flags || (learn->filter.unit && who->cgroup.flags)) {
		learn->anonymous++;
		return false;
	}
	if ((!learn->filter.vm || learn->filter.vm == event->vm_id) &&
	    (!learn->filter.exe || kw_glob_matches(&learn->exe, &who->exe, 0, who->exe.len)) &&
	    (!learn->filter.unit ||
	     kw_glob_matches(&learn->unit, &who->cgroup, who->unit_offset, who->unit_len)))
		return true;
	learn->others++;
	return false;
}

void kw_learn_add(struct kw_learn *learn, const struct kw_recorded *event)
{
	if (!is_wanted(learn, event))
		return;
	count_exe(learn, event->who.exe.text);
	count_vm(learn, event->vm_id);
	count(&learn->all, event);
	learn->types |= 1u << event->type;
	if (event->verdict >= KW_DENY || event->kind == KW_EVENT_RACE) {
		count(&learn->refused, event);
	} else if (kw_operation(event->operation)->hidden) {
		count(&learn->unreadable, event);
	} else {
		count(&learn->cells[event->operation][event->state], event);
		learn->objected += event->intended >= KW_DENY;
	}
}
