/* SPDX-License-Identifier: GPL-2.0-only */
/* Events in the course of time, in a fixed number of steps however long it is. */
#include "timeline.h"

#include <string.h>

#include "util.h"

/* Fewer are no timeline to look at. */
#define VIEW_MIN 30

static const char *const names[] = {
	[KW_MOMENT_STARTED] = "started",
	[KW_MOMENT_STOPPED] = "stopped",
	[KW_MOMENT_POLICY] = "policy",
	[KW_MOMENT_ALARM] = "alarm",
};
_Static_assert(KW_ARRAY_SIZE(names) == _KW_MOMENT_MAX, "a name for each");

const char *kw_moment_name(unsigned int moment)
{
	return moment < _KW_MOMENT_MAX ? names[moment] : "unknown";
}

/* Each is a multiple of the one before; a day and more double. */
static const int64_t steps[] = {1, 5, 10, 30, 60, 300, 900, 1800, 3600, 7200, 21600, 43200, 86400};

static int64_t next_step(int64_t step)
{
	for (size_t i = 0; i < KW_ARRAY_SIZE(steps); i++)
		if (steps[i] > step)
			return steps[i];
	return 2 * step;
}

/* Towards the past, also before 1970. */
static int64_t divide(int64_t number, int64_t by)
{
	return number / by - (number % by < 0);
}

static void add(struct kw_bucket *to, const struct kw_bucket *from)
{
	for (size_t i = 0; i < KW_ARRAY_SIZE(to->verdicts); i++)
		to->verdicts[i] += from->verdicts[i];
	for (size_t i = 0; i < KW_ARRAY_SIZE(to->marks); i++)
		to->marks[i] += from->marks[i];
}

static void coarsen(struct kw_timeline *timeline)
{
	int64_t step = next_step(timeline->step), factor = step / timeline->step;
	int64_t first = divide(timeline->first, factor);
	struct kw_bucket bucket;
	size_t at = 0;

	/* In place: a bucket never moves up. */
	for (size_t i = 0; i < timeline->count; i++) {
		bucket = timeline->buckets[i];
		timeline->buckets[i] = (struct kw_bucket){};
		at = (size_t)(divide(timeline->first + (int64_t)i, factor) - first);
		add(&timeline->buckets[at], &bucket);
	}
	timeline->step = step;
	timeline->first = first;
	timeline->count = at + 1;
}

/* How many buckets there would be with this one. */
static int64_t span_with(const struct kw_timeline *timeline, int64_t number)
{
	int64_t first = number < timeline->first ? number : timeline->first;
	int64_t last = timeline->first + (int64_t)timeline->count - 1;

	return (number > last ? number : last) - first + 1;
}

struct kw_bucket *kw_timeline_at(struct kw_timeline *timeline, int64_t seconds)
{
	size_t shift;

	if (timeline->count == 0) {
		timeline->step = steps[0];
		timeline->first = seconds;
		timeline->count = 1;
		return &timeline->buckets[0];
	}
	while (span_with(timeline, divide(seconds, timeline->step)) > KW_TIMELINE_MAX)
		coarsen(timeline);
	seconds = divide(seconds, timeline->step);
	if (seconds < timeline->first) {
		shift = (size_t)(timeline->first - seconds);
		memmove(timeline->buckets + shift, timeline->buckets,
			timeline->count * sizeof(timeline->buckets[0]));
		memset(timeline->buckets, 0, shift * sizeof(timeline->buckets[0]));
		timeline->first = seconds;
		timeline->count += shift;
	}
	if (seconds - timeline->first >= (int64_t)timeline->count)
		timeline->count = (size_t)(seconds - timeline->first) + 1;
	return &timeline->buckets[seconds - timeline->first];
}

struct kw_timeline_view kw_timeline_view(const struct kw_timeline *timeline)
{
	struct kw_timeline_view view = {timeline->first, timeline->count, 0};

	if (view.count == 0 || view.count >= VIEW_MIN)
		return view;
	view.offset = (VIEW_MIN - view.count) / 2;
	view.first -= (int64_t)view.offset;
	view.count = VIEW_MIN;
	return view;
}
