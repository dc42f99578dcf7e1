/* SPDX-License-Identifier: GPL-2.0-only */
/* What exports say, whose is the latest, and who differs. */
#define _GNU_SOURCE 1
#include "fleet.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "render.h"
#include "text.h"
#include "util.h"

bool kw_fleet_enforces(const struct kw_fleet_host *host)
{
	return kw_enforces(host->enforcement);
}

static int64_t number(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

/* Of what is in force, not of when or how often it was loaded. */
static void digest(json_t *policies, char ret[17])
{
	uint8_t bytes[SHA256_DIGEST_SIZE];
	struct sha256_ctx hash;
	json_t *policy;
	size_t i;

	sha256_init(&hash);
	json_array_foreach (policies, i, policy) {
		const char *name = kw_text_member(policy, "name");
		const char *mode = kw_text_member(policy, "mode");
		int64_t rules = number(policy, "rules");

		/* With the null bytes, which no name has. */
		sha256_update(&hash, strlen(name) + 1, (const uint8_t *)name);
		sha256_update(&hash, strlen(mode) + 1, (const uint8_t *)mode);
		sha256_update(&hash, sizeof(rules), (const uint8_t *)&rules);
	}
	sha256_digest(&hash, sizeof(bytes), bytes);
	for (i = 0; i < 8; i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

static void count_vms(json_t *vms, struct kw_fleet_host *host)
{
	json_t *vm;
	size_t i;

	if (!json_is_array(vms))
		return;
	host->sealed = host->denied = 0;
	json_array_foreach (vms, i, vm) {
		int64_t denied = number(vm, "denied");

		host->sealed += kw_streq(kw_text_member(vm, "state"), "sealed");
		host->denied += denied > 0 ? denied : 0;
	}
}

static bool is_posture(json_t *export)
{
	return json_is_array(json_object_get(export, "facts"));
}

static void read_export(json_t *export, struct kw_fleet_host *ret)
{
	json_t *status = is_posture(export) ? json_object_get(export, "status") : export;
	json_t *policies = json_object_get(status, "policies");

	*ret = (struct kw_fleet_host){
		.host = kw_text_member(export, "host"),
		.time = kw_text_member(export, "time"),
		.enforcement = json_is_object(status) ? kw_text_member(status, "enforcement")
						      : "absent",
		.backend = json_is_object(status) ? kw_text_member(status, "backend") : "",
		.version = json_is_object(status) ? kw_text_member(status, "daemon_version") : "",
		.policy_count = json_array_size(policies),
		.generation = number(status, "generation"),
		.vms = number(status, "vms"),
		.sealed = -1,
		.denied = -1,
		.lost = number(json_object_get(status, "counters"), "events_lost"),
		.score = is_posture(export) ? (int)number(export, "score") : -1,
		.export = export,
	};
	if (json_is_array(policies))
		digest(policies, ret->policies);
	if (is_posture(export))
		count_vms(json_object_get(export, "vms"), ret);
}

/* As kw_stamp() writes it: these sort as text. */
static bool is_time(const char *text)
{
	struct tm tm;
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

	return end && *end == '\0';
}

static const char *fault_of(json_t *export)
{
	if (!json_is_object(export))
		return "it is no JSON object";
	if (!is_posture(export) && !*kw_text_member(export, "enforcement"))
		return "it is neither of 'kvmwarden --json status' nor of 'kvmwarden --json "
		       "posture'";
	if (!*kw_text_member(export, "host") || !is_time(kw_text_member(export, "time")))
		return "it does not say of which host, and when";
	return NULL;
}

int kw_fleet_add(struct kw_fleet *fleet, json_t *export, const char **ret_why)
{
	struct kw_fleet_host *hosts;
	const char *why = fault_of(export);

	if (why) {
		json_decref(export);
		*ret_why = why;
		return -EINVAL;
	}
	/* Full at each power of two. */
	if ((fleet->count & (fleet->count - 1)) == 0) {
		hosts = reallocarray(fleet->hosts, fleet->count ? 2 * fleet->count : 1,
				     sizeof(*hosts));
		if (!hosts) {
			json_decref(export);
			return -ENOMEM;
		}
		fleet->hosts = hosts;
	}
	read_export(export, &fleet->hosts[fleet->count++]);
	return 0;
}

/* Its name, and of one host the latest first: as text these times sort as they are. */
static int by_host(const void *a, const void *b)
{
	const struct kw_fleet_host *x = a, *y = b;
	int r = strcmp(x->host, y->host);

	return r ? r : strcmp(y->time, x->time);
}

static int by_digest(const void *a, const void *b)
{
	const struct kw_fleet_host *x = a, *y = b;

	return strcmp(x->policies, y->policies);
}

static int64_t worth(const struct kw_fleet_host *host)
{
	return (kw_fleet_enforces(host) ? 4 : 0) + (host->differs ? 0 : 2) +
	       (host->lost > 0 ? 0 : 1);
}

static int worst_first(const void *a, const void *b)
{
	const struct kw_fleet_host *x = a, *y = b;

	if (worth(x) != worth(y))
		return worth(x) < worth(y) ? -1 : 1;
	if (x->score != y->score)
		return x->score < y->score ? -1 : 1;
	return strcmp(x->host, y->host);
}

static void drop_superseded(struct kw_fleet *fleet)
{
	size_t kept = 0;

	for (size_t i = 0; i < fleet->count; i++) {
		if (kept > 0 && kw_streq(fleet->hosts[kept - 1].host, fleet->hosts[i].host)) {
			json_decref(fleet->hosts[i].export);
			fleet->superseded++;
			continue;
		}
		fleet->hosts[kept++] = fleet->hosts[i];
	}
	fleet->count = kept;
}

/* What is not known differs from nothing. */
static void mark_differing(struct kw_fleet *fleet)
{
	const char *most = "";
	size_t best = 0, run = 0;

	for (size_t i = 0; i < fleet->count; i++) {
		const char *own = fleet->hosts[i].policies;

		run = i > 0 && kw_streq(own, fleet->hosts[i - 1].policies) ? run + 1 : 1;
		if (*own && run > best) {
			best = run;
			most = own;
		}
	}
	for (size_t i = 0; i < fleet->count; i++) {
		struct kw_fleet_host *host = &fleet->hosts[i];

		host->differs = *host->policies && !kw_streq(host->policies, most);
		fleet->differing += host->differs;
	}
}

void kw_fleet_conclude(struct kw_fleet *fleet)
{
	if (fleet->count == 0)
		return;
	qsort(fleet->hosts, fleet->count, sizeof(*fleet->hosts), by_host);
	drop_superseded(fleet);
	qsort(fleet->hosts, fleet->count, sizeof(*fleet->hosts), by_digest);
	mark_differing(fleet);
	qsort(fleet->hosts, fleet->count, sizeof(*fleet->hosts), worst_first);
	for (size_t i = 0; i < fleet->count; i++)
		fleet->absent += !kw_fleet_enforces(&fleet->hosts[i]);
}

void kw_fleet_done(struct kw_fleet *fleet)
{
	for (size_t i = 0; i < fleet->count; i++)
		json_decref(fleet->hosts[i].export);
	free(fleet->hosts);
	*fleet = (struct kw_fleet){};
}
