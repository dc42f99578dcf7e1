/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the report share. */
#ifndef KVMWARDEN_REPORT_INTERNAL_H
#define KVMWARDEN_REPORT_INTERNAL_H

#include "report.h"

/* Of an event: what its parts are put under. */
struct kw_reported {
	json_t *event;
	const char *host;
	const struct kw_fact *fact;
	struct kw_bucket *bucket; /* NULL: it has no time */
	int verdict; /* or -1: it has none */
};

/* A member; 0 when it is absent, negative or no integer. */
uint64_t kw_report_number(json_t *event, const char *key);

/* "/usr/bin/vmm", or where that is unknown "[comm]". */
#define KW_REPORT_WHO_MAX 512
void kw_report_who(json_t *event, char ret[KW_REPORT_WHO_MAX]);

/* What should be known beside verdicts, and marks on the timeline. -ENOMEM. */
int kw_report_note(struct kw_report *report, const struct kw_reported *reported);

/* VMs by their epoch and id, as many as KW_REPORT_VMS_MAX. */
int kw_vm_set_new(struct kw_vm_set **ret); /* -ENOMEM */
struct kw_vm_set *kw_vm_set_free(struct kw_vm_set *set);
/* false: there is no room for another one. */
bool kw_vm_set_add(struct kw_vm_set *set, uint32_t epoch, uint64_t id, unsigned int type,
		   bool sealed);
void kw_vm_set_sum(const struct kw_vm_set *set, struct kw_report_vms *vms);

/* The parts of the page. */
void kw_report_timeline_html(const struct kw_report *report, FILE *out);
void kw_report_tables_html(const struct kw_report *report, FILE *out);

#endif
