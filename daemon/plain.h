/* SPDX-License-Identifier: GPL-2.0-only */
/* Decisions without BPF: by the types of VM that a launch has asked for. */
#ifndef KVMWARDEN_PLAIN_H
#define KVMWARDEN_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "asked.h"
#include "inquiry.h"
#include "kvmwarden.h"
#include "ruleset.h"

/*
 * Theory of operation
 *
 * Without BPF nobody tells which VM a descriptor stands for, and whether its guest is sealed.
 * What is known is what passed by: KVM_CREATE_VM, whose argument is a number in a register.
 * All processes under one filter count as one, and what any of them ever asked for is what an
 * ioctl of any of them could be meant for; the strictest verdict on all of it counts. VMs that
 * end are not noticed, so a launch keeps what it asked for to its end. Rules that need to know
 * more are refused before (kw_plan_make() with KW_MEANS_TYPES): "building" stands for any state.
 *
 * What policies ask of a VM's creator is taken from /proc while it waits for the answer to its
 * KVM_CREATE_VM, and kept: later it may be another program.
 *
 * All that BPF maps hold otherwise is in our own memory, and ends with us, but for struct
 * kw_asked, which is in that of the launch.
 */

#define KW_PLAIN_EVENTS 1536 /* that wait to be drained; about what the programs' ring holds */

struct kw_plain;

/*
 * counters is borrowed: numbers of events and VMs, and the books, are kept there as the programs
 * would. Events are counted into .feeds[0].
 */
int kw_plain_new(struct kw_counters *counters, uint32_t vms_max, bool full_refuses,
		 struct kw_plain **ret);
struct kw_plain *kw_plain_free(struct kw_plain *plain); /* returns NULL; NULL is fine */

/* The argument of the canary ioctl that is answered as the programs would answer theirs. */
uint32_t kw_plain_canary(const struct kw_plain *plain);

/* rules are borrowed until others, or NULL, take their place; 0 are those in force. */
void kw_plain_publish(struct kw_plain *plain, uint32_t set, const struct kw_ruleset *rules);

/*
 * What a launch asks for is known from here on, until the end. Whoever brought what it asked
 * for under an earlier daemon may have changed it: -EINVAL, it is not of the right form.
 */
int kw_plain_begin(struct kw_plain *plain, struct kw_asked *asked);
void kw_plain_end(struct kw_plain *plain, struct kw_asked *asked);

/* As kw_backend_judge(), on behalf of a launch that has begun; NULL: for the canary. */
int kw_plain_judge(struct kw_plain *plain, const struct kw_inquiry *inquiry, struct kw_asked *asked,
		   struct kw_ruling *ret);

/* As the functions of backend.h that have their names. */
int kw_plain_events_fd(const struct kw_plain *plain);
int kw_plain_drain(struct kw_plain *plain,
		   void (*handle)(void *userdata, const struct kw_event *event), void *userdata);
void kw_plain_stats(const struct kw_plain *plain, struct kw_stats *ret);
int kw_plain_except(struct kw_plain *plain, const struct kw_exception_key *key,
		    const struct kw_exception *exception);
int kw_plain_each_exception(struct kw_plain *plain,
			    int (*visit)(void *userdata, const struct kw_exception_key *key,
					 const struct kw_exception *exception),
			    void *userdata);
size_t kw_plain_end_limits(struct kw_plain *plain,
			   bool (*is_over)(void *userdata, const struct kw_limit_key *key,
					   const struct kw_limit *limit),
			   void (*tell)(void *userdata, const struct kw_limit_key *key,
					const struct kw_limit *limit),
			   void *userdata);
int kw_plain_each_vm(struct kw_plain *plain, int (*visit)(void *userdata, const struct kw_vm *vm),
		     void *userdata);

#endif
