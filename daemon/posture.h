/* SPDX-License-Identifier: GPL-2.0-only */
/* How well a host guards its VMs: facts, what each is worth, and how to better it. */
#ifndef KVMWARDEN_POSTURE_H
#define KVMWARDEN_POSTURE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "kernel-facts.h"

/* What the host says of itself; -1 where it says nothing. */
struct kw_posture_host {
	enum kw_lockdown lockdown;
	int sev_es; /* 0 or 1: kvm_amd makes such VMs */
	int sev_snp;
	int tdx; /* the same of kvm_intel */
	int kexec_disabled;
	int dev_mem; /* there is one */
	int sig_enforce; /* of modules */
	int secure_boot;
	int unprivileged_bpf; /* kernel.unprivileged_bpf_disabled */
	int ptrace_scope; /* kernel.yama.ptrace_scope */
	int kvm_mode; /* the permissions of /dev/kvm */
	int ksm; /* /sys/kernel/mm/ksm/run */
};

/* Of the files below root, which is "" but in tests. */
void kw_posture_gather(const char *root, struct kw_posture_host *ret);

enum kw_posture_verdict {
	KW_POSTURE_GOOD,
	KW_POSTURE_BAD,
	KW_POSTURE_UNKNOWN, /* worth no more than a bad one */
};

struct kw_posture_fact {
	const char *name;
	unsigned int points; /* if it is good */
	enum kw_posture_verdict verdict;
	char detail[128]; /* what was found */
	const char *advice; /* what makes a good one of it */
};

#define KW_POSTURE_FACTS 14

struct kw_posture {
	struct kw_posture_fact facts[KW_POSTURE_FACTS];
	unsigned int score; /* of 100 */
};

/* status: the daemon's, as GetStatus has it; NULL: none answers, absent says why. Borrowed. */
void kw_posture_judge(const struct kw_posture_host *host, json_t *status, const char *absent,
		      struct kw_posture *ret);
const char *kw_posture_verdict_name(enum kw_posture_verdict verdict); /* "good" */

/* What a VMM has done for itself; "-" where its process is gone, or is another one by now. */
struct kw_posture_vmm {
	const char *seccomp; /* "none", "strict", "filter" */
	const char *no_new_privs; /* "yes", "no" */
};

/* exe: of the process that made the VM, as the daemon has it. */
void kw_posture_look_at(const char *root, long pid, const char *exe, struct kw_posture_vmm *ret);

#endif
