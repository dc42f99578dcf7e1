/* SPDX-License-Identifier: GPL-2.0-only */
/* What was counted, for metrics*.c and their tests only. */
#ifndef KVMWARDEN_METRICS_INTERNAL_H
#define KVMWARDEN_METRICS_INTERNAL_H

#include "counts.h"
#include "metrics.h"

/* The labels of a series, as fields of its row. */
enum {
	KW_LABEL_VERDICT,
	KW_LABEL_OPERATION,
	KW_LABEL_VM_TYPE,
	KW_LABEL_POLICY,
	KW_LABEL_BACKEND,
	_KW_LABEL_MAX,
};

struct kw_metrics {
	struct kw_counts series; /* rows of labels */
	uint64_t others[_KW_VERDICT_MAX]; /* events that found no series */
	uint64_t kinds[KW_METRICS_KINDS_MAX];
	uint64_t reloads[2]; /* refused, taken */
	uint64_t reloaded_ns; /* CLOCK_REALTIME of the last one, 0: none */
	bool last_taken;
};

#endif
