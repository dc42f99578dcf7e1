/* SPDX-License-Identifier: GPL-2.0-only */
/* What each fact is worth, and when it is good. */
#include "posture.h"

#include <stdio.h>
#include <string.h>

#include "render.h"
#include "text.h"
#include "util.h"

struct question {
	const struct kw_posture_host *host;
	json_t *status; /* or NULL */
	const char *absent; /* why */
	struct kw_posture_fact *fact;
};

static enum kw_posture_verdict judge(bool good)
{
	return good ? KW_POSTURE_GOOD : KW_POSTURE_BAD;
}

static void say(const struct question *q, const char *text)
{
	snprintf(q->fact->detail, sizeof(q->fact->detail), "%s", text);
}

static bool is_locked_down(const struct question *q)
{
	return q->host->lockdown > KW_LOCKDOWN_NONE;
}

/* A switch of the kernel, which a lockdown makes moot. */
static enum kw_posture_verdict under_lockdown(const struct question *q, int value, bool good,
					      const char *name)
{
	if (is_locked_down(q)) {
		say(q, "the kernel is locked down");
		return KW_POSTURE_GOOD;
	}
	if (value < 0)
		return KW_POSTURE_UNKNOWN;
	snprintf(q->fact->detail, sizeof(q->fact->detail), "%s: %d", name, value);
	return judge(good);
}

static enum kw_posture_verdict enforcing(const struct question *q)
{
	const char *enforcement = q->status ? kw_text_member(q->status, "enforcement") : "";

	say(q, q->status ? enforcement : q->absent);
	return judge(kw_enforces(enforcement));
}

static enum kw_posture_verdict every_vmm(const struct question *q)
{
	const char *backend = q->status ? kw_text_member(q->status, "backend") : "";

	if (!q->status)
		return KW_POSTURE_UNKNOWN;
	snprintf(q->fact->detail, sizeof(q->fact->detail), "backend %s", backend);
	return judge(kw_streq(backend, "lsm") || kw_streq(backend, "fmod_ret"));
}

static enum kw_posture_verdict sealed(const struct question *q)
{
	if (!q->status)
		return KW_POSTURE_UNKNOWN;
	say(q,
	    json_is_true(json_object_get(q->status, "sealed")) ? "sealed" : "root may take it off");
	return judge(json_is_true(json_object_get(q->status, "sealed")));
}

static enum kw_posture_verdict modes(const struct question *q)
{
	json_t *policies = json_object_get(q->status, "policies"), *policy;
	size_t i, audited = 0;

	if (!json_is_array(policies))
		return KW_POSTURE_UNKNOWN;
	json_array_foreach (policies, i, policy)
		audited += kw_streq(kw_text_member(policy, "mode"), "audit");
	snprintf(q->fact->detail, sizeof(q->fact->detail), "%zu of %zu only report", audited,
		 json_array_size(policies));
	return judge(audited == 0 && json_array_size(policies) > 0);
}

static enum kw_posture_verdict guests(const struct question *q)
{
	const struct kw_posture_host *h = q->host;

	if (h->sev_snp < 0 && h->sev_es < 0 && h->tdx < 0)
		return KW_POSTURE_UNKNOWN;
	snprintf(q->fact->detail, sizeof(q->fact->detail), "%s",
		 h->sev_snp > 0	 ? "sev-snp"
		 : h->tdx > 0	 ? "tdx"
		 : h->sev_es > 0 ? "sev-es, whose VMs say little of what was done to them"
				 : "none");
	return judge(h->sev_snp > 0 || h->tdx > 0);
}

static enum kw_posture_verdict lockdown(const struct question *q)
{
	if (q->host->lockdown == KW_LOCKDOWN_UNKNOWN)
		return KW_POSTURE_UNKNOWN;
	say(q, kw_lockdown_name(q->host->lockdown));
	return judge(is_locked_down(q));
}

static enum kw_posture_verdict kexec(const struct question *q)
{
	return under_lockdown(q, q->host->kexec_disabled, q->host->kexec_disabled > 0,
			      "kernel.kexec_load_disabled");
}

static enum kw_posture_verdict dev_mem(const struct question *q)
{
	if (q->host->dev_mem == 0) {
		say(q, "there is none");
		return KW_POSTURE_GOOD;
	}
	return under_lockdown(q, q->host->dev_mem, false, "/dev/mem");
}

static enum kw_posture_verdict modules(const struct question *q)
{
	return under_lockdown(q, q->host->sig_enforce, q->host->sig_enforce > 0,
			      "module.sig_enforce");
}

/* A number that is known, and good above, or below, a bound. */
static enum kw_posture_verdict number(const struct question *q, int value, bool good)
{
	if (value < 0)
		return KW_POSTURE_UNKNOWN;
	snprintf(q->fact->detail, sizeof(q->fact->detail), "%d", value);
	return judge(good);
}

static enum kw_posture_verdict secure_boot(const struct question *q)
{
	return number(q, q->host->secure_boot, q->host->secure_boot > 0);
}

static enum kw_posture_verdict unprivileged_bpf(const struct question *q)
{
	return number(q, q->host->unprivileged_bpf, q->host->unprivileged_bpf > 0);
}

static enum kw_posture_verdict ptrace(const struct question *q)
{
	return number(q, q->host->ptrace_scope, q->host->ptrace_scope > 0);
}

static enum kw_posture_verdict dev_kvm(const struct question *q)
{
	if (q->host->kvm_mode < 0)
		return KW_POSTURE_UNKNOWN;
	snprintf(q->fact->detail, sizeof(q->fact->detail), "mode %04o",
		 (unsigned int)q->host->kvm_mode);
	return judge(!(q->host->kvm_mode & 0006));
}

static enum kw_posture_verdict ksm(const struct question *q)
{
	return number(q, q->host->ksm, q->host->ksm != 1);
}

/* docs/posture.md has the same rows, which a test compares. */
static const struct {
	const char *name;
	unsigned int points;
	enum kw_posture_verdict (*judge)(const struct question *q);
	const char *advice;
} table[KW_POSTURE_FACTS] = {
	{"enforcement", 30, enforcing, "start kvmwardend; 'kvmwarden status' says what it lacks"},
	{"every-vmm", 10, every_vmm,
	 "a backend that refuses to every VMM: 'kvmwarden doctor' says how"},
	{"sealed", 10, sealed, "kvmwardend --seal, so that not even root takes it off"},
	{"policy-modes", 10, modes,
	 "mode: enforce, once the reports of a policy are what they should be"},
	{"confidential-vms", 5, guests,
	 "kvm_amd.sev_snp=1 or kvm_intel.tdx=1, and firmware that has it"},
	{"lockdown", 10, lockdown, "lockdown=integrity on the kernel's command line, or more"},
	{"kexec", 5, kexec, "sysctl kernel.kexec_load_disabled=1"},
	{"dev-mem", 5, dev_mem, "lockdown=integrity, or a kernel without CONFIG_DEVMEM"},
	{"module-signatures", 5, modules, "module.sig_enforce=1 on the kernel's command line"},
	{"secure-boot", 4, secure_boot, "in the firmware's setup"},
	{"unprivileged-bpf", 2, unprivileged_bpf, "sysctl kernel.unprivileged_bpf_disabled=1"},
	{"ptrace", 2, ptrace, "sysctl kernel.yama.ptrace_scope=1, or more"},
	{"dev-kvm", 1, dev_kvm, "only for root and the group kvm: mode 0660"},
	{"ksm", 1, ksm, "echo 2 >/sys/kernel/mm/ksm/run: pages of VMs are not merged"},
};

void kw_posture_judge(const struct kw_posture_host *host, json_t *status, const char *absent,
		      struct kw_posture *ret)
{
	*ret = (struct kw_posture){};
	for (size_t i = 0; i < KW_POSTURE_FACTS; i++) {
		struct kw_posture_fact *fact = &ret->facts[i];
		const struct question question = {host, status, absent, fact};

		fact->name = table[i].name;
		fact->points = table[i].points;
		fact->advice = table[i].advice;
		fact->verdict = table[i].judge(&question);
		if (fact->verdict == KW_POSTURE_GOOD)
			ret->score += fact->points;
	}
}

const char *kw_posture_verdict_name(enum kw_posture_verdict verdict)
{
	switch (verdict) {
	case KW_POSTURE_GOOD:
		return "good";
	case KW_POSTURE_BAD:
		return "bad";
	case KW_POSTURE_UNKNOWN:
		break;
	}
	return "unknown";
}
