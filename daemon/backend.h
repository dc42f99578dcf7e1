/* SPDX-License-Identifier: GPL-2.0-only */
/* The BPF programs in the kernel: loaded, fed, proved, read. */
#ifndef KVMWARDEN_BACKEND_H
#define KVMWARDEN_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel-facts.h"
#include "kvmwarden.h"
#include "ruleset.h"

struct kw_backend;

/*
 * Loads one backend, publishes rules to it, attaches it and proves that it
 * works: all of its hooks, or none. On failure nothing of it is left in the
 * kernel, and *reterr (malloc()ed) is one sentence.
 *   -EOPNOTSUPP  this kernel does not offer it, or it attached and refused nothing
 *   -EPERM       the kernel forbids it, or we are not root
 * and others. The errors of KVM itself (no /dev/kvm) are those of kw_canary_open().
 * pin: keep enforcing when the daemon is gone; the caller has seen to the bpffs
 * (kw_pins_check()) and holds the lock (kw_pins_lock()). A set that an earlier daemon pinned is replaced only once this one is attached.
 */
int kw_backend_open(unsigned int id, const struct kw_kernel_facts *facts,
		    const struct kw_ruleset *rules, bool pin, struct kw_backend **ret,
		    char **reterr);

/* What is pinned stays in force; the rest goes. Returns NULL; NULL is fine. */
struct kw_backend *kw_backend_free(struct kw_backend *backend);

/* Takes everything off, pinned or not. The backend can only be freed afterwards. */
int kw_backend_unload(struct kw_backend *backend);

unsigned int kw_backend_id(const struct kw_backend *backend);
bool kw_backend_refuses(const struct kw_backend *backend);
/* As bpffs says now: is each of our links pinned? */
bool kw_backend_pinned(const struct kw_backend *backend);
/* 0, or -errno of the removal of what an earlier daemon pinned: that is still in force, too. */
int kw_backend_leftovers(const struct kw_backend *backend);

/* Puts a rule table in force, whole and at once. On failure the old one stays. */
int kw_backend_publish(struct kw_backend *backend, const struct kw_ruleset *rules);

struct kw_proof {
	bool entries[_KW_ENTRY_MAX]; /* the canary was refused (or seen) by this entry */
	bool compat_absent; /* the kernel has no 32-bit entry */
	bool passed;
};

/* Issues the canary ioctl by each entry. -errno only when it could not be tried. */
int kw_backend_prove(struct kw_backend *backend, struct kw_proof *ret);

/*
 * The ring buffer: a pollable fd, and a way to drain it, at most KW_DRAIN_MAX
 * events at a time. Events are borrowed.
 */
#define KW_DRAIN_MAX 2048 /* more than the ring holds */

int kw_backend_events_fd(const struct kw_backend *backend);
int kw_backend_drain(struct kw_backend *backend,
		     void (*handle)(void *userdata, const struct kw_event *event), void *userdata);

/* How many events pinned programs had while no daemon ran. They are counted as lost. */
uint64_t kw_backend_unheard(const struct kw_backend *backend);

/* Takes the next sequence number, for an event that the daemon makes. */
uint64_t kw_backend_next_seq(struct kw_backend *backend);

void kw_backend_counters(const struct kw_backend *backend, struct kw_counters *ret);
int kw_backend_stats(const struct kw_backend *backend, struct kw_stats *ret);

/* How often the kernel skipped one of our programs: each may be an ioctl not checked. */
uint64_t kw_backend_missed(const struct kw_backend *backend);

/*
 * Is what KVM carries out compared with what the hooks let pass (bpf/after.h)?
 * *ret are the functions of the kernel that should be looked at and are not there
 * to be, *ret_count of them, borrowed.
 */
bool kw_backend_watches(const struct kw_backend *backend, const char *const **ret,
			size_t *ret_count);

/*
 * Lets an operation on a VM pass for a while; replaces an exception that is there.
 * -E2BIG: there are KW_EXCEPTIONS_MAX.
 */
int kw_backend_except(struct kw_backend *backend, const struct kw_exception_key *key,
		      const struct kw_exception *exception);

/*
 * Calls visit for each exception, in no order, until it returns < 0; those it
 * returns 1 for are removed.
 */
int kw_backend_each_exception(struct kw_backend *backend,
			      int (*visit)(void *userdata, const struct kw_exception_key *key,
					   const struct kw_exception *exception),
			      void *userdata);

/*
 * Calls is_over for each limit that holds events back. Where it says so the limit is
 * forgotten, so that the next event counts as a first one, and tell gets the total.
 * Returns how many hold events back and are not over.
 */
size_t kw_backend_end_limits(struct kw_backend *backend,
			     bool (*is_over)(void *userdata, const struct kw_limit_key *key,
					     const struct kw_limit *limit),
			     void (*tell)(void *userdata, const struct kw_limit_key *key,
					  const struct kw_limit *limit),
			     void *userdata);

/*
 * Walks over all open files of the host: adopts VMs without a record, refreshes
 * the records' vCPUs and state. Where births and ends are not hooked (tracepoint)
 * records that two walks in a row did not meet are removed, each after being
 * handed to gone.
 */
int kw_backend_sweep(struct kw_backend *backend,
		     void (*gone)(void *userdata, const struct kw_vm *vm), void *userdata);

/* Calls visit for each living VM but the canary, in no order; stops when it returns < 0. */
int kw_backend_each_vm(struct kw_backend *backend,
		       int (*visit)(void *userdata, const struct kw_vm *vm), void *userdata);

#endif
