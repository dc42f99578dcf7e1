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

static int try_one(struct kw_choice *choice, unsigned int backend,
		   const struct kw_kernel_facts *facts, const struct kw_backend_wish *wish,
		   struct kw_ruleset *rules)
{
	char *answer = NULL;
	int r;

	r = kw_backend_open(backend, facts, rules, wish, &choice->backend, &answer);
	if (r < 0)
		refuse(choice, backend, explain(facts, backend, answer));
	return r;
}

/* What no backend can do without; asked once, so that it is told once. */
static int check_ground(const struct kw_kernel_facts *facts, bool pin, char **reterr)
{
	const char *sentence = NULL;
	int r;

	if (facts->btf_vmlinux == KW_FACT_NO) {
		sentence =
			"the kernel has no type information (/sys/kernel/btf/vmlinux): it must be "
			"built with CONFIG_DEBUG_INFO_BTF";
		r = -EOPNOTSUPP;
	} else if (pin && kw_pins_mount() < 0) {
		sentence = "no bpffs is mounted at /sys/fs/bpf, and none can be: mount it with "
			   "'mount -t bpf -o mode=0700 bpf /sys/fs/bpf', or use --no-pin";
		r = -ENODEV;
	}
	if (sentence) {
		*reterr = strdup(sentence);
		return r;
	}
	return kw_canary_check(reterr);
}

/* A shortage, which says nothing of what the kernel can do: no reason to settle for less. */
static bool is_shortage(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE || error == -EAGAIN;
}

int kw_choose(unsigned int wanted, bool require_deny, const struct kw_backend_wish *wish,
	      struct kw_ruleset *rules, struct kw_choice *ret, char **reterr)
{
	struct kw_kernel_facts facts;
	struct kw_choice choice = {};
	int r;

	kw_kernel_facts_gather("", &facts);
	r = check_ground(&facts, wish->pin, reterr);
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
		else
			r = try_one(&choice, backend, &facts, wish, rules);
		if (is_shortage(r))
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
