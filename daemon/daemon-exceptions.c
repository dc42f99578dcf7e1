/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's exceptions: what a VM may do for a while although a policy refuses it. */
#include <errno.h>
#include <time.h>

#include "daemon-internal.h"
#include "names.h"
#include "util.h"

/*
 * The kernel lets an exception end by itself, by the time that stands in the map;
 * what is here is the memory of who granted it and why. A daemon that adopts the
 * programs goes on with both; where they were replaced exceptions are over, as VMs
 * have other numbers there.
 */

#define SECOND_NS 1000000000ull

/* Puts into the set what a name stands for: with an ioctl all that share it. */
static int expand(const char *name, bool *set, char **reterr)
{
	const struct kw_group *group = kw_group_from_name(name);
	const struct kw_operation *other;
	int index = group ? -1 : kw_operation_from_name(name);
	const char *nearest;

	if (!group && index < 0) {
		nearest = kw_nearest(name, kw_operation_list);
		return kw_fail(-EINVAL, reterr, "unknown operation '%s'%s%s%s", name,
			       nearest ? "; did you mean '" : "", nearest ?: "",
			       nearest ? "'?" : "");
	}
	for (size_t i = 0; i < (group ? group->count : 1); i++) {
		unsigned int named = group ? group->operations[i] : (unsigned int)index;

		set[named] = true;
		for (unsigned int j = 0; (other = kw_operation(j)); j++)
			if (other->family && other->parent == named)
				set[j] = true;
	}
	for (unsigned int i = 0; i < kw_operation_count(); i++)
		if (kw_operation(i)->scopes == 1u << KW_SCOPE_SYSTEM || !kw_operation(i)->refusable)
			set[i] = false;
	for (unsigned int i = 0; i < kw_operation_count(); i++)
		if (set[i])
			return 0;
	return kw_fail(-EINVAL, reterr,
		       "%s is not issued on a VM that exists, or cannot be refused", name);
}

struct search {
	uint64_t id;
	bool found;
};

static int find_vm(void *userdata, const struct kw_vm *vm)
{
	struct search *search = userdata;

	search->found |= vm->id == search->id;
	return 0;
}

/* 1: it lives, 0: it does not, or -errno: nobody knows. */
static int vm_lives(struct kw_daemon *d, uint64_t id)
{
	struct search search = {.id = id};
	int r;

	r = kw_backend_each_vm(d->choice.backend, find_vm, &search);
	if (search.found)
		return 1;
	return r;
}

/* All entries of an exception, or none. */
static int put(struct kw_daemon *d, const struct kw_granted *granted, const bool *set)
{
	struct kw_exception exception = {.until_ns = granted->until_ns, .id = granted->id};
	struct kw_exception_key key = {.vm = granted->vm};
	int r;

	for (unsigned int i = 0; i < kw_operation_count(); i++) {
		if (!set[i])
			continue;
		key.operation = i;
		r = kw_backend_except(d->choice.backend, &key, &exception);
		if (r < 0)
			return r;
	}
	return 0;
}

static int remove_entry(void *userdata, const struct kw_exception_key *key,
			const struct kw_exception *exception)
{
	struct kw_granted *granted = userdata;

	(void)key;
	if (exception->id != granted->id)
		return 0;
	granted->uses += exception->uses;
	return 1;
}

/* Adds an exception's name, VM and reason to an event. */
static void describe(struct kw_daemon *d, const struct kw_granted *granted)
{
	kw_json_member_unsigned(&d->line, "exception", granted->id);
	kw_json_member_unsigned(&d->line, "vm", granted->vm);
	kw_json_member_string(&d->line, "operation", granted->operation);
	kw_json_member_time(&d->line, "until", granted->until_ns + d->host.realtime_offset_ns);
	kw_json_member_string(&d->line, "reason", granted->reason);
	kw_json_member_unsigned(&d->line, "uid", granted->uid);
}

static void end(struct kw_daemon *d, struct kw_granted *granted, const char *why)
{
	granted->uses = 0;
	kw_backend_each_exception(d->choice.backend, remove_entry, granted);
	kw_daemon_event_begin(d, "exception-ended");
	describe(d, granted);
	kw_json_member_unsigned(&d->line, "uses", granted->uses);
	kw_json_member_string(&d->line, "why", why);
	kw_daemon_event_end(d);
	kw_granted_done(granted);
	d->handover.granted_count--;
	*granted = d->handover.granted[d->handover.granted_count];
	d->handover.granted[d->handover.granted_count] = (struct kw_granted){};
	kw_daemon_save(d);
}

int kw_daemon_allow(struct kw_daemon *d, const struct kw_allow *allow, uint64_t *ret_id,
		    char **reterr)
{
	bool set[KW_OPERATIONS_MAX] = {};
	struct kw_granted *granted;
	int r;

	r = expand(allow->operation, set, reterr);
	if (r < 0)
		return r;
	r = vm_lives(d, allow->vm);
	if (r < 0)
		return kw_fail(r, reterr, "cannot read the records of VMs: %s", strerror(-r));
	if (r == 0)
		return kw_fail(-ENOENT, reterr, "there is no VM %llu; 'kvmwarden vms' lists them",
			       (unsigned long long)allow->vm);
	if (d->handover.granted_count >= KW_GRANTED_MAX)
		return kw_fail(-E2BIG, reterr, "there are %d exceptions already", KW_GRANTED_MAX);
	granted = &d->handover.granted[d->handover.granted_count];
	*granted = (struct kw_granted){
		.id = ++d->handover.last_exception,
		.vm = allow->vm,
		.operation = strdup(allow->operation),
		.reason = strdup(allow->reason),
		.uid = allow->uid,
		.until_ns = kw_clock_ns(CLOCK_BOOTTIME) + allow->seconds * SECOND_NS,
	};
	r = granted->operation && granted->reason ? 0 : -ENOMEM;
	if (r < 0) {
		kw_granted_done(granted);
		return r;
	}
	d->handover.granted_count++;
	/* The audit trail first: what nobody can read of must not be in force. */
	kw_daemon_event_begin(d, "exception-granted");
	describe(d, granted);
	kw_daemon_event_end(d);
	r = put(d, granted, set);
	if (r < 0) {
		end(d, granted, "could not be granted");
		return kw_fail(r, reterr, "cannot write the exception: %s", strerror(-r));
	}
	*ret_id = granted->id;
	kw_daemon_save(d);
	return 0;
}

int kw_daemon_end_exception(struct kw_daemon *d, uint64_t id, char **reterr)
{
	for (size_t i = 0; i < d->handover.granted_count; i++) {
		if (d->handover.granted[i].id != id)
			continue;
		end(d, &d->handover.granted[i], "revoked");
		return 0;
	}
	return kw_fail(-ENOENT, reterr, "there is no exception %llu", (unsigned long long)id);
}

void kw_daemon_expire(struct kw_daemon *d)
{
	struct kw_granted *granted = d->handover.granted;
	uint64_t now = kw_clock_ns(CLOCK_BOOTTIME);
	size_t i = 0;

	while (i < d->handover.granted_count) {
		if (granted[i].until_ns <= now)
			end(d, &granted[i], "expired");
		else if (vm_lives(d, granted[i].vm) == 0)
			end(d, &granted[i], "the VM is gone");
		else
			i++;
	}
}

struct reconciling {
	struct kw_daemon *daemon;
	bool in_force[KW_GRANTED_MAX];
};

static int reconcile_entry(void *userdata, const struct kw_exception_key *key,
			   const struct kw_exception *exception)
{
	struct reconciling *r = userdata;

	(void)key;
	for (size_t i = 0; i < r->daemon->handover.granted_count; i++) {
		if (r->daemon->handover.granted[i].id != exception->id)
			continue;
		r->in_force[i] = true;
		return 0;
	}
	return 1;
}

void kw_daemon_reconcile_exceptions(struct kw_daemon *d)
{
	struct reconciling reconciling = {.daemon = d};

	kw_backend_each_exception(d->choice.backend, reconcile_entry, &reconciling);
	/* From the end: the last one takes the place of one that goes. */
	for (size_t i = d->handover.granted_count; i-- > 0;)
		if (!reconciling.in_force[i])
			end(d, &d->handover.granted[i], "the programs were replaced");
}

static int count_uses(void *userdata, const struct kw_exception_key *key,
		      const struct kw_exception *exception)
{
	struct kw_daemon *d = userdata;

	(void)key;
	for (size_t i = 0; i < d->handover.granted_count; i++)
		if (d->handover.granted[i].id == exception->id)
			d->handover.granted[i].uses += exception->uses;
	return 0;
}

size_t kw_daemon_exceptions(struct kw_daemon *d, struct kw_status_exception *ret)
{
	for (size_t i = 0; i < d->handover.granted_count; i++)
		d->handover.granted[i].uses = 0;
	if (d->handover.granted_count)
		kw_backend_each_exception(d->choice.backend, count_uses, d);
	for (size_t i = 0; i < d->handover.granted_count; i++)
		ret[i] = (struct kw_status_exception){
			.id = d->handover.granted[i].id,
			.vm = d->handover.granted[i].vm,
			.operation = d->handover.granted[i].operation,
			.until_ns = d->handover.granted[i].until_ns + d->host.realtime_offset_ns,
			.uses = d->handover.granted[i].uses,
			.reason = d->handover.granted[i].reason,
			.uid = d->handover.granted[i].uid,
		};
	return d->handover.granted_count;
}
