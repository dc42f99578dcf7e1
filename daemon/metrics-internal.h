/* SPDX-License-Identifier: GPL-2.0-only */
/* What was counted, for metrics*.c and their tests only. */
#ifndef KVMWARDEN_METRICS_INTERNAL_H
#define KVMWARDEN_METRICS_INTERNAL_H

#include "metrics.h"

#define KW_METRICS_SLOTS (2 * KW_METRICS_SERIES_MAX) /* at most half of them are taken */

struct kw_metrics {
	struct kw_series
		series[KW_METRICS_SERIES_MAX]; /* pages that are not touched take no memory */
	size_t count;
	uint16_t slots[KW_METRICS_SLOTS]; /* index into series + 1; 0: free */
	uint64_t others[_KW_VERDICT_MAX]; /* events that found no series */
	uint64_t kinds[KW_METRICS_KINDS_MAX];
	uint64_t reloads[2]; /* refused, taken */
	uint64_t reloaded_ns; /* CLOCK_REALTIME of the last one, 0: none */
	bool last_taken;
};

#endif
