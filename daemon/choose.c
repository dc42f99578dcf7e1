/* SPDX-License-Identifier: GPL-2.0-only */
/* Finds the strongest backend that works here. */
#include "choose.h"

#include <errno.h>
#include <stdio.h>

#include "canary.h"
#include "pins.h"
#include "util.h"

static const unsigned int strongest_first[] = {
	KW_BACKEND_LSM,
	KW_BACKEND_FMOD_RET,
	KW_BACKEND_TRACEPOINT,
	KW_BACKEND_SECCOMP,
};

_Static_assert(KW_ARRAY_SIZE(strongest_first) == _KW_BACKEND_MAX - 1, "every backend is tried");

static void refuse(struct kw_choice *choice, unsigned int backend, const char *reason)
{
	choice->refusals[choice->refusal_count++] = (struct kw_backend_refusal){
		.backend = backend,
		.reason = reason ?: strdup("out of memory"),
	};
}

/*
 * The kernel's answer, made readable: what the facts predict where they do,
 * together with the remedy; else the answer as it came.
 */
static char *explain(const struct kw_kernel_facts *facts, unsigned int backend, char *answer)
{
	const char *why = NULL, *remedy = NULL;
	char *sentence = NULL;

	if (kw_kernel_facts_backend(facts, backend, &why) != KW_FACT_NO || !why)
		return answer;
	remedy = kw_kernel_facts_remedy(facts, backend);
	if (asprintf(&sentence, "%s%s%s", why, remedy ? "; " : "", remedy ?: "") < 0)
		return answer;
	free(answer);
	return sentence;
}

#define NO_BTF                                                                            \
	"the kernel has no type information (/sys/kernel/btf/vmlinux): it must be built " \
	"with CONFIG_DEBUG_INFO_BTF"

/*
 * What no backend in the kernel can do without; asked once, so that it is told once. *ret_no_bpf
 * says what is missing where the seccomp backend is an answer to that, or NULL.
 */
static int check_ground(struct kw_kernel_facts *facts, bool pin, bool may_do_without,
			const char **ret_no_bpf, char **reterr)
{
	*ret_no_bpf = NULL;
	if (facts->btf_vmlinux == KW_FACT_NO) {
		if (!may_do_without)
			return kw_fail(-EOPNOTSUPP, reterr, NO_BTF);
		*ret_no_bpf = NO_BTF;
	} else if (pin && kw_pins_mount() < 0) {
		/* A container may have neither the one nor the other. Else there is a way out. */
		if (may_do_without)
			kw_kernel_facts_try_load(facts);
		*ret_no_bpf = may_do_without ? kw_kernel_facts_no_bpf(facts) : NULL;
		if (!*ret_no_bpf)
			return kw_fail(
				-ENODEV, reterr,
				"no bpffs is mounted at /sys/fs/bpf, and none can be: mount "
				"it with 'mount -t bpf -o mode=0700 bpf /sys/fs/bpf', or use "
				"--no-pin");
	}
	return kw_canary_check(reterr);
}

static int try_one(struct kw_choice *choice, unsigned int backend,
		   const struct kw_kernel_facts *facts, const struct kw_backend_wish *wish,
		   struct kw_ruleset *rules)
{
	char *answer = NULL;
	int r;

	if (wish->no_bpf && backend != KW_BACKEND_SECCOMP) {
		refuse(choice, backend, strdup(wish->no_bpf));
		return -EOPNOTSUPP;
	}
	r = kw_backend_open(backend, facts, rules, wish, &choice->backend, &answer);
	if (r < 0)
		refuse(choice, backend, explain(facts, backend, answer));
	return r;
}

int kw_choose(unsigned int wanted, bool require_deny, const struct kw_backend_wish *wish,
	      struct kw_ruleset *rules, struct kw_choice *ret, char **reterr)
{
	struct kw_backend_wish here = *wish;
	struct kw_kernel_facts facts;
	struct kw_choice choice = {};
	int r;

	kw_kernel_facts_gather("", &facts);
	if (here.no_bpf)
		r = kw_canary_check(reterr);
	else
		r = check_ground(&facts, here.pin,
				 !require_deny && (wanted == KW_BACKEND_NONE ||
						   wanted == KW_BACKEND_SECCOMP),
				 &here.no_bpf, reterr);
	if (r < 0)
		return r;
	r = -EOPNOTSUPP;
	for (size_t i = 0; i < KW_ARRAY_SIZE(strongest_first) && !choice.backend; i++) {
		unsigned int backend = strongest_first[i];

		if (wanted != KW_BACKEND_NONE && wanted != backend)
			continue;
		if (require_deny && backend == KW_BACKEND_TRACEPOINT)
			refuse(&choice, backend,
			       strdup("it cannot refuse an ioctl, and --require deny asks for "
				      "that"));
		else if (require_deny && backend == KW_BACKEND_SECCOMP)
			refuse(&choice, backend,
			       strdup("it refuses nothing to a VMM that was not started by "
				      "'kvmwarden run', and --require deny asks for that"));
		else
			r = try_one(&choice, backend, &facts, &here, rules);
		if (kw_is_shortage(r))
			break;
	}
	*ret = choice;
	return choice.backend ? 0 : r;
}

void kw_choice_done(struct kw_choice *choice)
{
	for (size_t i = 0; i < choice->refusal_count; i++)
		free((char *)choice->refusals[i].reason);
	choice->refusal_count = 0;
	choice->backend = kw_backend_free(choice->backend);
}
