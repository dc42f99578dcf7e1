/* SPDX-License-Identifier: GPL-2.0-only */
/* What decisions without BPF keep: rule tables, VMs, events, exceptions, limits. */
#include "plain-internal.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/random.h>

#include "limit.h"
#include "util.h"

int kw_plain_new(struct kw_counters *counters, uint32_t vms_max, bool full_refuses,
		 struct kw_plain **ret)
{
	struct kw_plain *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->counters = counters;
	p->vms_max = vms_max;
	p->full_refuses = full_refuses;
	p->events = calloc(KW_PLAIN_EVENTS, sizeof(*p->events));
	p->exceptions = calloc(KW_EXCEPTIONS_MAX, sizeof(*p->exceptions));
	p->limits = calloc(KW_PLAIN_LIMIT_PLACES, sizeof(*p->limits));
	p->events_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (p->events_fd < 0 || getrandom(&p->canary, sizeof(p->canary), 0) < 0)
		r = -errno;
	else
		r = p->events && p->exceptions && p->limits ? 0 : -ENOMEM;
	if (r < 0) {
		kw_plain_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

struct kw_plain *kw_plain_free(struct kw_plain *p)
{
	if (!p)
		return NULL;
	if (p->events_fd >= 0)
		close(p->events_fd);
	free(p->events);
	free(p->exceptions);
	free(p->limits);
	free(p->launches);
	free(p);
	return NULL;
}

uint32_t kw_plain_canary(const struct kw_plain *p)
{
	return p->canary;
}

void kw_plain_publish(struct kw_plain *p, uint32_t set, const struct kw_ruleset *rules)
{
	p->sets[set] = rules;
	if (rules)
		p->counters->generation = rules->generation;
}

static bool is_path(const struct kw_path *path)
{
	return path->len < KW_PATH_MAX && strnlen(path->text, KW_PATH_MAX) == path->len;
}

static bool is_record(const struct kw_vm *vm)
{
	const struct kw_identity *who = &vm->creator;

	return vm->type < KW_TYPE_NONE && memchr(who->comm, '\0', sizeof(who->comm)) &&
	       is_path(&who->exe) && is_path(&who->cgroup) &&
	       who->unit_offset + who->unit_len <= who->cgroup.len;
}

int kw_plain_begin(struct kw_plain *p, struct kw_asked *asked)
{
	struct kw_asked **launches;

	if (asked->count > KW_ASKED_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < asked->count; i++)
		if (!is_record(&asked->vms[i]))
			return -EINVAL;
	launches = reallocarray(p->launches, p->launch_count + 1, sizeof(struct kw_asked *));
	if (!launches)
		return -ENOMEM;
	p->launches = launches;
	p->launches[p->launch_count++] = asked;
	/* Numbers of VMs and of rule tables began anew with us. */
	for (uint32_t i = 0; i < asked->count; i++) {
		struct kw_vm *vm = &asked->vms[i];

		vm->id = ++p->counters->next_vm_id;
		vm->match_generation = 0;
		vm->flags = (vm->flags & KW_VM_ADOPTED) | kw_type_flags(vm->type) |
			    KW_VM_SUPERVISED;
	}
	return 0;
}

void kw_plain_end(struct kw_plain *p, struct kw_asked *asked)
{
	for (size_t i = 0; i < p->launch_count; i++) {
		if (p->launches[i] != asked)
			continue;
		p->launches[i] = p->launches[--p->launch_count];
		return;
	}
}

int kw_plain_each_vm(struct kw_plain *p, int (*visit)(void *userdata, const struct kw_vm *vm),
		     void *userdata)
{
	for (size_t i = 0; i < p->launch_count; i++) {
		for (uint32_t k = 0; k < p->launches[i]->count; k++) {
			int r = visit(userdata, &p->launches[i]->vms[k]);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

size_t kw_plain_count_vms(const struct kw_plain *p)
{
	size_t count = 0;

	for (size_t i = 0; i < p->launch_count; i++)
		count += p->launches[i]->count;
	return count;
}

void kw_plain_stats(const struct kw_plain *p, struct kw_stats *ret)
{
	*ret = p->stats;
}

bool kw_plain_emit(struct kw_plain *p, struct kw_event *event)
{
	event->seq = ++p->counters->seq;
	if (p->waiting == KW_PLAIN_EVENTS) {
		p->counters->lost[KW_LOSS_RING]++;
		p->stats.lost++;
		return false;
	}
	p->events[(p->first + p->waiting++) % KW_PLAIN_EVENTS] = *event;
	p->counters->feeds[0].written++;
	if (p->waiting == 1)
		eventfd_write(p->events_fd, 1);
	return true;
}

int kw_plain_events_fd(const struct kw_plain *p)
{
	return p->events_fd;
}

int kw_plain_drain(struct kw_plain *p, void (*handle)(void *userdata, const struct kw_event *event),
		   void *userdata)
{
	eventfd_t count;
	int n = 0;

	for (; p->waiting; n++) {
		const struct kw_event *event = &p->events[p->first];

		p->counters->pending++;
		p->counters->feeds[0].delivered++;
		handle(userdata, event);
		p->first = (p->first + 1) % KW_PLAIN_EVENTS;
		p->waiting--;
	}
	if (n)
		eventfd_read(p->events_fd, &count);
	return n;
}

static struct plain_exception *find_exception(struct kw_plain *p,
					      const struct kw_exception_key *key)
{
	for (size_t i = 0; i < p->exception_count; i++)
		if (p->exceptions[i].key.vm == key->vm &&
		    p->exceptions[i].key.operation == key->operation)
			return &p->exceptions[i];
	return NULL;
}

struct kw_exception *kw_plain_exception(struct kw_plain *p, uint64_t vm, uint32_t operation)
{
	const struct kw_exception_key key = {.vm = vm, .operation = operation};
	struct plain_exception *found = find_exception(p, &key);

	if (!found || found->exception.until_ns <= kw_clock_ns(CLOCK_BOOTTIME))
		return NULL;
	return &found->exception;
}

int kw_plain_except(struct kw_plain *p, const struct kw_exception_key *key,
		    const struct kw_exception *exception)
{
	struct plain_exception *place = find_exception(p, key);

	if (!place && p->exception_count == KW_EXCEPTIONS_MAX)
		return -E2BIG;
	if (!place)
		place = &p->exceptions[p->exception_count++];
	*place = (struct plain_exception){*key, *exception};
	return 0;
}

int kw_plain_each_exception(struct kw_plain *p,
			    int (*visit)(void *userdata, const struct kw_exception_key *key,
					 const struct kw_exception *exception),
			    void *userdata)
{
	size_t i = 0;

	while (i < p->exception_count) {
		struct plain_exception *one = &p->exceptions[i];
		int r = visit(userdata, &one->key, &one->exception);

		if (r < 0)
			return r;
		if (r > 0)
			*one = p->exceptions[--p->exception_count];
		else
			i++;
	}
	return 0;
}

static bool same_limit(const struct kw_limit_key *a, const struct kw_limit_key *b)
{
	return a->vm == b->vm && a->generation == b->generation && a->policy == b->policy &&
	       a->operation == b->operation && a->state == b->state;
}

static struct plain_limit *place_of(struct kw_plain *p, const struct kw_limit_key *key)
{
	uint64_t hash = key->vm * 31 + key->generation;

	hash = (hash * 31 + key->policy) * 31 + key->operation * 2u + key->state;
	return p->limits[(hash * 0x9e3779b97f4a7c15ull >> 32) % KW_PLAIN_LIMIT_PLACES];
}

static struct plain_limit *find_limit(struct kw_plain *p, const struct kw_limit_key *key)
{
	struct plain_limit *place = place_of(p, key);

	for (size_t i = 0; i < KW_PLAIN_LIMIT_WAYS; i++)
		if (place[i].limit.since_ns && same_limit(&place[i].key, key))
			return &place[i];
	return NULL;
}

bool kw_plain_over_limit(struct kw_plain *p, const struct kw_limit_key *key, uint32_t events,
			 uint32_t seconds, uint32_t *ret_suppressed)
{
	uint64_t now = kw_clock_ns(CLOCK_BOOTTIME);
	struct plain_limit *found = find_limit(p, key), *place;

	*ret_suppressed = 0;
	if (found) {
		if (!limit_reached(&found->limit, now, events, seconds, ret_suppressed))
			return false;
		p->stats.suppressed++;
		return true;
	}
	place = place_of(p, key);
	found = place;
	/* One that is unused is older than all others. */
	for (size_t i = 1; i < KW_PLAIN_LIMIT_WAYS; i++)
		if (place[i].limit.since_ns < found->limit.since_ns)
			found = &place[i];
	*found = (struct plain_limit){*key, {.since_ns = now, .events = 1}};
	return false;
}

void kw_plain_give_back(struct kw_plain *p, const struct kw_limit_key *key, uint32_t suppressed)
{
	struct plain_limit *found = suppressed ? find_limit(p, key) : NULL;

	if (found)
		found->limit.suppressed += suppressed;
}

size_t kw_plain_end_limits(struct kw_plain *p,
			   bool (*is_over)(void *userdata, const struct kw_limit_key *key,
					   const struct kw_limit *limit),
			   void (*tell)(void *userdata, const struct kw_limit_key *key,
					const struct kw_limit *limit),
			   void *userdata)
{
	size_t waiting = 0;

	for (size_t i = 0; i < (size_t)KW_PLAIN_LIMIT_PLACES * KW_PLAIN_LIMIT_WAYS; i++) {
		struct plain_limit *one =
			&p->limits[i / KW_PLAIN_LIMIT_WAYS][i % KW_PLAIN_LIMIT_WAYS];
		struct plain_limit over = *one;

		if (!over.limit.suppressed)
			continue;
		if (!is_over(userdata, &over.key, &over.limit)) {
			waiting++;
			continue;
		}
		*one = (struct plain_limit){};
		tell(userdata, &over.key, &over.limit);
	}
	return waiting;
}
