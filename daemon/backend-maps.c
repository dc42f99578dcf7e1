/* SPDX-License-Identifier: GPL-2.0-only */
/* The small maps of a backend: exceptions, and limits of events. */
#include <errno.h>

#include <bpf/bpf.h>

#include "backend-internal.h"
#include "util.h"

bool kw_backend_watches(const struct kw_backend *b, const char *const **ret, size_t *ret_count)
{
	*ret = b->unwatched;
	*ret_count = b->unwatched_count;
	return b->mark.flags & KW_MARK_AFTER;
}

/* The programs look into the map only while this says that there is something in it. */
static void count_exceptions(struct kw_backend *b)
{
	int map = b->maps[KW_MAP_EXCEPTIONS];
	struct kw_exception_key key, *at = NULL;
	uint32_t count = 0;

	while (bpf_map_get_next_key(map, at, &key) == 0) {
		at = &key;
		count++;
	}
	b->bss->kw_exceptions = count;
}

int kw_backend_except(struct kw_backend *b, const struct kw_exception_key *key,
		      const struct kw_exception *exception)
{
	int map = b->maps[KW_MAP_EXCEPTIONS];

	if (b->plain)
		return kw_plain_except(b->plain, key, exception);
	if (bpf_map_update_elem(map, key, exception, BPF_ANY) < 0)
		return -errno;
	count_exceptions(b);
	return 0;
}

int kw_backend_each_exception(struct kw_backend *b,
			      int (*visit)(void *userdata, const struct kw_exception_key *key,
					   const struct kw_exception *exception),
			      void *userdata)
{
	int map = b->maps[KW_MAP_EXCEPTIONS], r = 0;
	struct kw_exception_key key, next;
	struct kw_exception exception;
	bool more;

	if (b->plain)
		return kw_plain_each_exception(b->plain, visit, userdata);
	more = bpf_map_get_next_key(map, NULL, &key) == 0;
	while (more && r >= 0) {
		/* Before the entry goes away: without it the walk would start anew. */
		more = bpf_map_get_next_key(map, &key, &next) == 0;
		if (bpf_map_lookup_elem(map, &key, &exception) == 0) {
			r = visit(userdata, &key, &exception);
			if (r > 0)
				bpf_map_delete_elem(map, &key);
		}
		key = next;
	}
	count_exceptions(b);
	return r < 0 ? r : 0;
}

size_t kw_backend_end_limits(struct kw_backend *b,
			     bool (*is_over)(void *userdata, const struct kw_limit_key *key,
					     const struct kw_limit *limit),
			     void (*tell)(void *userdata, const struct kw_limit_key *key,
					  const struct kw_limit *limit),
			     void *userdata)
{
	int map = b->maps[KW_MAP_LIMITS];
	struct kw_limit_key key, next;
	struct kw_limit limit;
	size_t waiting = 0;
	bool more;

	if (b->plain)
		return kw_plain_end_limits(b->plain, is_over, tell, userdata);
	more = bpf_map_get_next_key(map, NULL, &key) == 0;
	for (; more; key = next) {
		more = bpf_map_get_next_key(map, &key, &next) == 0;
		if (bpf_map_lookup_elem(map, &key, &limit) < 0 || !limit.suppressed)
			continue;
		if (!is_over(userdata, &key, &limit))
			waiting++;
		else if (bpf_map_lookup_and_delete_elem(map, &key, &limit) == 0 && limit.suppressed)
			tell(userdata, &key, &limit);
	}
	return waiting;
}
