/* SPDX-License-Identifier: GPL-2.0-only */
/* What the filters of launches ask about, and what policies would have them ask about now. */
#define _GNU_SOURCE 1
#include <errno.h>

#include "names.h"
#include "supervisor-internal.h"
#include "util.h"

int kw_supervisor_note_plan(struct kw_launch_record *record, const struct kw_plan *plan)
{
	record->command_count = 0;
	for (size_t i = 0; i < plan->count; i++) {
		if (record->command_count == KW_LAUNCH_COMMANDS)
			return -E2BIG;
		record->commands[record->command_count++] = plan->entries[i].command;
	}
	return 0;
}

static bool asks_about(const struct kw_launch_record *record, uint32_t command)
{
	for (uint32_t i = 0; i < record->command_count; i++)
		if (record->commands[i] == command)
			return true;
	return false;
}

static const char *name_of(uint32_t command)
{
	for (unsigned int i = 0; i < kw_operation_count(); i++)
		if (kw_operation(i)->command == command ||
		    kw_operation(i)->compat_command == command)
			return kw_operation(i)->name;
	return "an ioctl";
}

/* How many commands of a plan it does not ask about; *ret is the first one. */
static size_t count_missing(const struct kw_launch_record *record, const struct kw_plan *plan,
			    uint32_t *ret)
{
	size_t missing = 0;

	for (size_t i = 0; i < plan->count; i++)
		if (!asks_about(record, plan->entries[i].command) && missing++ == 0)
			*ret = plan->entries[i].command;
	return missing;
}

static void compare(struct supervised *one, const struct kw_plan *plan)
{
	const struct kw_supervisor_ops *ops = one->supervisor->ops;
	const struct kw_launch_record *record = kw_launch_record(one->launch);
	_cleanup_free_ char *text = NULL;
	uint32_t first = 0;
	size_t missing;

	missing = count_missing(record, plan, &first);
	if (missing && !one->outdated) {
		if (asprintf(&text,
			     "its filter, which nothing can change, does not ask about %s%s: what "
			     "policies say of that begins when it is started anew",
			     name_of(first), missing > 1 ? " and others" : "") < 0)
			text = NULL;
		ops->tell(ops->userdata, KW_LAUNCH_OUTDATED, record, text);
	}
	one->outdated = missing;
}

/* Of a filter that another program made it is not known what it asks about. */
static bool is_compared(const struct supervised *one, uint32_t set)
{
	return one && one->set == set && !kw_launch_record(one->launch)->foreign;
}

/* Policies that cannot be decided here are told of elsewhere. */
static int replan(const struct kw_supervisor *s, uint32_t set, struct kw_plan *ret)
{
	return s->ops->replan(s->ops->userdata, set, ret);
}

void kw_supervisor_compare_one(struct supervised *one)
{
	struct kw_plan plan = {};

	if (!is_compared(one, one->set) || replan(one->supervisor, one->set, &plan) < 0)
		return;
	compare(one, &plan);
	kw_plan_done(&plan);
}

/* The plan of a set is made once, however many launches are under it. */
void kw_supervisor_compare(struct kw_supervisor *s)
{
	for (uint32_t set = 0; set < KW_SETS_MAX; set++) {
		struct kw_plan plan = {};
		bool is_made = false;

		for (size_t i = 0; i < KW_LAUNCHES_MAX; i++) {
			if (!is_compared(s->launches[i], set))
				continue;
			if (!is_made && replan(s, set, &plan) < 0)
				break;
			is_made = true;
			compare(s->launches[i], &plan);
		}
		kw_plan_done(&plan);
	}
}
