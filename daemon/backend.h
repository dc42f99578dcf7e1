/* SPDX-License-Identifier: GPL-2.0-only */
/* The BPF programs in the kernel: loaded, fed, proved, read; or what stands in for them. */
#ifndef KVMWARDEN_BACKEND_H
#define KVMWARDEN_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "asked.h"
#include "chain.h"
#include "inquiry.h"
#include "kernel-facts.h"
#include "kvmwarden.h"
#include "plan.h"
#include "ruleset.h"

struct kw_backend;

/* What is asked of a backend. */
struct kw_backend_wish {
	/*
	 * Keep enforcing when the daemon is gone; the caller has seen to the bpffs
	 * (kw_pins_mount()) and holds the lock (kw_pins_lock()).
	 */
	bool pin;
	uint32_t vms_max; /* VMs that are recorded; beyond it ... */
	bool full_refuses; /* ... KVM_CREATE_VM is refused, else only reported */
	/*
	 * Of the seccomp backend: why it is to do without BPF, a sentence; NULL: it does
	 * so if no program can be loaded.
	 */
	const char *no_bpf;
};

/*
 * Brings one backend into force, publishes rules to it and proves that it
 * works: all of its hooks, or none. A set that is pinned and is the one that would be
 * loaded is adopted, with all it knows; else a new one is loaded, and only once it is in
 * force the older one is let go. On failure nothing of it is left in the kernel,
 * and *reterr (malloc()ed) is one sentence.
 *   -EOPNOTSUPP  this kernel does not offer it, or it attached and refused nothing
 *   -EPERM       the kernel forbids it, or we are not root
 * and others. The errors of KVM itself (no /dev/kvm) are those of kw_canary_open().
 * The rules get the generation that comes next on this host. They are borrowed, and so
 * are those that are published later, until others take their place.
 *
 * Without BPF (see plain.h) there is nothing in the kernel, to adopt, or to be pinned: what
 * follows then works on what the daemon keeps, and ends with it.
 */
int kw_backend_open(unsigned int id, const struct kw_kernel_facts *facts, struct kw_ruleset *rules,
		    const struct kw_backend_wish *wish, struct kw_backend **ret, char **reterr);

/* What is pinned stays in force; the rest goes. Returns NULL; NULL is fine. */
struct kw_backend *kw_backend_free(struct kw_backend *backend);

/* Takes everything off, pinned or not. The backend can only be freed afterwards. */
int kw_backend_unload(struct kw_backend *backend);

unsigned int kw_backend_id(const struct kw_backend *backend);
bool kw_backend_refuses(const struct kw_backend *backend);
/* Why decisions are made without BPF, a sentence; NULL: they are not. */
const char *kw_backend_plain(const struct kw_backend *backend);
/* What its decisions on launches are made from, and the name that goes with it for people. */
enum kw_means kw_backend_means(const struct kw_backend *backend);
const char *kw_backend_title(const struct kw_backend *backend);
/* Births and ends of VMs are not hooked: kw_backend_sweep() finds them. */
bool kw_backend_sweeps(const struct kw_backend *backend);
/* As bpffs says now: is each of our links pinned? */
bool kw_backend_pinned(const struct kw_backend *backend);
/* Was it there already, pinned by an earlier daemon? */
bool kw_backend_adopted(const struct kw_backend *backend);
/* Borrowed. */
const struct kw_mark *kw_backend_mark(const struct kw_backend *backend);
/* The descriptor of the nth link, borrowed; -1 beyond the last. */
int kw_backend_link(const struct kw_backend *backend, size_t n);
/* Which set an epoch's directory holds; -ENOENT: it is not complete. */
int kw_backend_read_mark(const char *epoch, struct kw_mark *ret);

/* What the kernel says of the latest complete set, whether a daemon runs or not. */
struct kw_pinned {
	struct kw_mark mark;
	unsigned int programs; /* that are pinned, of those it should have */
	struct kw_counters counters;
};

/* -ENOENT: there is none. */
int kw_backend_read_pinned(struct kw_pinned *ret);
/* 0, or -errno of the removal of what an earlier daemon pinned: that is still in force, too. */
int kw_backend_leftovers(const struct kw_backend *backend);

/* Puts a rule table in force, whole and at once. On failure the old one stays. */
int kw_backend_publish(struct kw_backend *backend, const struct kw_ruleset *rules);

/*
 * The same for a table that only counts when it is asked for (struct kw_inquiry.set,
 * from 1 to KW_SETS_MAX - 1). NULL: there is none any more.
 */
int kw_backend_publish_set(struct kw_backend *backend, uint32_t set,
			   const struct kw_ruleset *rules);

/*
 * Decides on an ioctl of a task that waits in a seccomp notification, counts and tells of it
 * as of any other; only a signal is left to the caller (KW_KILL in ret->verdict). Can this
 * backend be asked? -EOPNOTSUPP if not; other errors: the kernel was not asked. What is
 * not ret->given, or is about more than KW_JUDGED_MAX VMs, must be refused.
 */
bool kw_backend_judges(const struct kw_backend *backend);
int kw_backend_judge(struct kw_backend *backend, const struct kw_inquiry *inquiry,
		     struct kw_asked *asked, struct kw_ruling *ret);

/*
 * On behalf of which launch: what it has asked for is borrowed from the beginning to the end.
 * BPF programs have no use for it, but for the proof NULL is enough for any backend.
 */
int kw_backend_begin(struct kw_backend *backend, struct kw_asked *asked);
void kw_backend_end(struct kw_backend *backend, struct kw_asked *asked);

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

/*
 * What was drained, and the numbers that were taken, up to now has been written. Until
 * then a daemon that is killed leaves it to be counted as lost.
 */
void kw_backend_settle(struct kw_backend *backend);

/* Counts as lost what could not be written. */
void kw_backend_book_unwritten(struct kw_backend *backend, uint64_t count);

/* Keeps the head of the event file's chain where the next daemon finds it. */
void kw_backend_remember_chain(struct kw_backend *backend, const struct kw_chain *head);
/* What was remembered; false: nothing. */
bool kw_counters_chain(const struct kw_counters *counters, struct kw_chain *ret);

/* Counts as lost what sets that are gone wrote and nobody will read. */
void kw_backend_book_losses(struct kw_backend *backend);

/*
 * Of the lost events, those that no "lost" event told of; and that one was written. In
 * this order: a daemon that is killed in between leaves them to be told twice.
 */
uint64_t kw_backend_untold(const struct kw_backend *backend, enum kw_loss loss);
void kw_backend_told(struct kw_backend *backend, enum kw_loss loss, uint64_t count);

/* Takes the next sequence number, for an event that the daemon makes. */
uint64_t kw_backend_next_seq(struct kw_backend *backend);

void kw_backend_counters(const struct kw_backend *backend, struct kw_counters *ret);
/* Summed over the CPUs. */
int kw_backend_stats(const struct kw_backend *backend, struct kw_stats *ret);
/* Of each CPU: an array (malloc()ed) of as many as are returned, or -errno. */
int kw_backend_stats_by_cpu(const struct kw_backend *backend, struct kw_stats **ret);

/* What the kernel says of one of our programs. */
struct kw_program {
	const char *name; /* borrowed from the backend */
	uint64_t runs, ns; /* while the kernel counts: sysctl kernel.bpf_stats_enabled */
	uint64_t missed; /* runs that it skipped: each may be an ioctl not checked */
};

#define KW_PROGRAMS_MAX 16

/* Of those that are attached; returns how many. What cannot be asked about is all 0. */
size_t kw_backend_programs(const struct kw_backend *backend,
			   struct kw_program ret[static KW_PROGRAMS_MAX]);

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

/*
 * Of the seccomp backend: removes the records of VMs that are not on KVM's own list any more,
 * and hands them to gone. So a VM that is made next is not taken for one that had its address.
 */
int kw_backend_drop_ended(struct kw_backend *backend,
			  void (*gone)(void *userdata, const struct kw_vm *vm), void *userdata);

/* Calls visit for each living VM but the canary, in no order; stops when it returns < 0. */
int kw_backend_each_vm(struct kw_backend *backend,
		       int (*visit)(void *userdata, const struct kw_vm *vm), void *userdata);

#endif
