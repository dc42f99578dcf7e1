/* SPDX-License-Identifier: GPL-2.0-only */
/* What recorded events come to, all in all: for somebody who looks at them once a day. */
#ifndef KVMWARDEN_REPORT_H
#define KVMWARDEN_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "account.h"
#include "counts.h"
#include "timeline.h"

/*
 * What is kept does not grow with the events: beyond these limits they are counted without being
 * told apart, and the report says so.
 */
#define KW_REPORT_DENIALS_MAX 1000 /* rows */
#define KW_REPORT_NOTES_MAX 300 /* rows */
#define KW_REPORT_VMS_MAX 65536
#define KW_REPORT_HOSTS_MAX 64
#define KW_REPORT_TOLD_MAX \
	65536 /* 'lost' events of a host; more, and its numbers are not checked */

/* The texts of a row of denials. */
enum kw_denial_field {
	KW_DENIAL_OPERATION, /* or what was tried on kvmwarden itself */
	KW_DENIAL_TYPE, /* of the VM; empty: it was about none */
	KW_DENIAL_EXE, /* or the process' name, in brackets */
	KW_DENIAL_POLICY, /* empty: none decided */
	KW_DENIAL_RULE, /* "/etc/kvmwarden/policy.d/a.yaml:6" */
	KW_DENIAL_VERDICT, /* "deny" or "kill" */
	KW_DENIAL_HOST,
	_KW_DENIAL_FIELDS,
};

/* The texts of a row of notes, whose rank is an enum kw_note_rank. */
enum kw_note_field {
	KW_NOTE_EVENT, /* its kind */
	KW_NOTE_TEXT,
	KW_NOTE_HOST,
	_KW_NOTE_FIELDS,
};

enum kw_note_rank {
	KW_NOTE_PLAIN,
	KW_NOTE_WARNING,
	KW_NOTE_ALARM,
	_KW_NOTE_RANK_MAX,
};

const char *kw_note_rank_name(unsigned int rank); /* "note", "warning", "alarm" */

struct kw_report_vms {
	uint64_t count[_KW_TYPE_MAX];
	uint64_t sealed[_KW_TYPE_MAX]; /* of these: at some time */
	uint64_t beyond; /* events of VMs that found no room */
};

/* Is something missing? */
struct kw_report_gaps {
	struct kw_losses told; /* by 'lost' events */
	uint64_t told_count;
	uint64_t untold; /* numbers that nothing accounts for */
	uint64_t untold_yet; /* the same in the last seconds of a log that just ends */
	uint64_t repeated; /* numbers that come twice: a file may have been given twice */
	bool unchecked; /* numbers of some events were not looked at */
};

struct kw_report_host {
	char name[65];
	char boot[48];
	struct kw_account *account;
	uint64_t highest; /* number so far, since they began anew */
	uint32_t epoch; /* in which ids of VMs are unique */
	uint64_t told;
};

struct kw_vm_set;

struct kw_report {
	uint64_t events;
	uint64_t broken; /* lines */
	uint64_t verdicts[_KW_VERDICT_MAX];
	uint64_t spared; /* events whose rule says deny or kill, and it was not done */
	uint64_t excepted; /* of these by an exception */
	uint64_t held_back; /* by rate limits, without an event each */
	uint32_t backends; /* one bit per enum kw_backend_id */
	char first[KW_FACT_TIME_MAX]; /* empty if there is none */
	char last[KW_FACT_TIME_MAX];
	struct kw_timeline timeline;
	struct kw_counts denials; /* see enum kw_denial_field */
	struct kw_counts notes; /* see enum kw_note_field */
	struct kw_report_vms vms; /* after kw_report_end() */
	struct kw_report_gaps gaps; /* complete after kw_report_end() */
	struct kw_report_host hosts[KW_REPORT_HOSTS_MAX];
	size_t host_count;
	bool other_hosts; /* there were more */
	/* Its own. */
	uint32_t epochs;
	struct kw_vm_set *vm_set;
};

/* -ENOMEM. It is large: not for the stack. */
int kw_report_new(struct kw_report **ret);
struct kw_report *kw_report_free(struct kw_report *report);

/*
 * The next event; those of a host in the order of their files, oldest first, or numbers seem to be
 * missing. -EINVAL: it is no event; -ENOMEM.
 */
int kw_report_add(struct kw_report *report, json_t *event);
/* A line that is none. */
void kw_report_add_broken(struct kw_report *report);
/* No more follow: sums up, and sorts the rows. -ENOMEM. */
int kw_report_end(struct kw_report *report);

/* Nothing is known to be missing. */
bool kw_report_is_complete(const struct kw_report *report);
/* All VMs that could be told apart. */
uint64_t kw_report_vm_count(const struct kw_report *report, bool sealed);

/* NULL: no memory. */
json_t *kw_report_json(const struct kw_report *report);
/* For a terminal. -ENOMEM. */
int kw_report_print(const struct kw_report *report, FILE *out);
/* One page, with all it needs in it. title is any text. Failures of out are left to ferror(). */
void kw_report_html(const struct kw_report *report, const char *title, FILE *out);

#endif
