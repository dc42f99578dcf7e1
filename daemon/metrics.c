/* SPDX-License-Identifier: GPL-2.0-only */
/* Counts events by their labels: a hash table that never grows beyond its limit. */
#include "metrics.h"

#include "metrics-internal.h"
#include "util.h"

_Static_assert(KW_METRICS_SERIES_MAX < UINT16_MAX, "an index fits into a slot");

struct kw_metrics *kw_metrics_new(void)
{
	return calloc(1, sizeof(struct kw_metrics));
}

struct kw_metrics *kw_metrics_free(struct kw_metrics *metrics)
{
	if (!metrics)
		return NULL;
	for (size_t i = 0; i < metrics->count; i++)
		free(metrics->series[i].policy);
	free(metrics);
	return NULL;
}

/* FNV-1a, of numbers instead of bytes. */
static uint32_t mix(uint32_t hash, uint32_t number)
{
	return (hash ^ number) * 16777619;
}

static uint32_t hash_of(const struct kw_series *key)
{
	uint32_t hash = 2166136261;
	const char *c;

	hash = mix(hash, key->verdict);
	hash = mix(hash, key->operation);
	hash = mix(hash, key->vm_type);
	hash = mix(hash, key->backend);
	for (c = key->policy; *c; c++)
		hash = mix(hash, (unsigned char)*c);
	return hash;
}

static bool is_same(const struct kw_series *a, const struct kw_series *b)
{
	return a->hash == b->hash && a->verdict == b->verdict && a->operation == b->operation &&
	       a->vm_type == b->vm_type && a->backend == b->backend &&
	       kw_streq(a->policy, b->policy);
}

/* The series of this key, made if there is none yet; NULL: there is no room. */
static struct kw_series *find(struct kw_metrics *metrics, const struct kw_series *key)
{
	uint32_t slot = key->hash % KW_METRICS_SLOTS;
	struct kw_series *series;

	for (; metrics->slots[slot]; slot = (slot + 1) % KW_METRICS_SLOTS) {
		series = &metrics->series[metrics->slots[slot] - 1];
		if (is_same(series, key))
			return series;
	}
	if (metrics->count == KW_METRICS_SERIES_MAX)
		return NULL;
	series = &metrics->series[metrics->count];
	*series = *key;
	series->policy = strdup(key->policy);
	if (!series->policy)
		return NULL;
	metrics->slots[slot] = ++metrics->count;
	return series;
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
	struct kw_series key = {
		.policy = (char *)(policy ?: ""),
		.verdict = event->verdict,
		.operation = event->operation,
		.vm_type = event->vm_type,
		.backend = event->backend,
	};
	struct kw_series *series;

	if (!metrics || event->verdict >= _KW_VERDICT_MAX)
		return false;
	key.hash = hash_of(&key);
	series = find(metrics, &key);
	if (series) {
		series->count++;
		return false;
	}
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
