/* SPDX-License-Identifier: GPL-2.0-only */
/* Counts events by their labels: in a table that never grows beyond its limit. */
#include "metrics.h"

#include "metrics-internal.h"
#include "names.h"
#include "util.h"

struct kw_metrics *kw_metrics_new(void)
{
	struct kw_metrics *metrics = calloc(1, sizeof(*metrics));

	if (metrics)
		metrics->series =
			(struct kw_counts){.fields = _KW_LABEL_MAX, .max = KW_METRICS_SERIES_MAX};
	return metrics;
}

struct kw_metrics *kw_metrics_free(struct kw_metrics *metrics)
{
	if (!metrics)
		return NULL;
	kw_counts_done(&metrics->series);
	free(metrics);
	return NULL;
}

static uint64_t count_others(const struct kw_metrics *metrics)
{
	uint64_t count = 0;

	for (unsigned int i = 0; i < _KW_VERDICT_MAX; i++)
		count += metrics->others[i];
	return count;
}

bool kw_metrics_count(struct kw_metrics *metrics, const struct kw_event *event, const char *policy)
{
	const struct kw_operation *operation = kw_operation(event->operation);
	const struct kw_counted counted = {
		.texts = {[KW_LABEL_VERDICT] = kw_verdict_name(event->verdict),
			  [KW_LABEL_OPERATION] = operation ? operation->name : "unknown",
			  [KW_LABEL_VM_TYPE] = kw_type_name(event->vm_type),
			  [KW_LABEL_POLICY] = policy,
			  [KW_LABEL_BACKEND] = kw_backend_name(event->backend)},
		.count = 1,
		.time = "",
	};
	uint64_t beyond;

	if (!metrics || event->verdict >= _KW_VERDICT_MAX)
		return false;
	beyond = metrics->series.beyond;
	if (kw_counts_add(&metrics->series, &counted) == 0 && metrics->series.beyond == beyond)
		return false;
	metrics->others[event->verdict]++;
	return count_others(metrics) == 1;
}

void kw_metrics_count_kind(struct kw_metrics *metrics, int kind)
{
	if (metrics && kind >= 0 && kind < KW_METRICS_KINDS_MAX)
		metrics->kinds[kind]++;
}

void kw_metrics_count_reload(struct kw_metrics *metrics, bool taken, uint64_t realtime_ns)
{
	if (!metrics)
		return;
	metrics->reloads[taken]++;
	metrics->reloaded_ns = realtime_ns;
	metrics->last_taken = taken;
}
