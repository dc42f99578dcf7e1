/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden policy export": what of the policies others can load as a seccomp filter. */
#define _GNU_SOURCE 1
#include "cmd-policy.h"

#include <stdio.h>

#include "export.h"
#include "names.h"
#include "shortfall.h"
#include "util.h"

enum format { FORMAT_PFC, FORMAT_OCI, FORMAT_FIRECRACKER, _FORMAT_MAX };

static const char *const formats[] = {"libseccomp-pfc", "oci", "firecracker"};

_Static_assert(KW_ARRAY_SIZE(formats) == _FORMAT_MAX, "a format lacks a name");

struct request {
	int format; /* or -1 */
	const char *listener;
};

static const char *format_name(unsigned int index)
{
	return index < _FORMAT_MAX ? formats[index] : NULL;
}

static int take(void *target, int c)
{
	struct request *q = target;
	const char *nearest;

	if (c == 'l') {
		q->listener = optarg;
		return KW_EXIT_OK;
	}
	for (int i = 0; i < _FORMAT_MAX; i++)
		if (kw_streq(optarg, formats[i]))
			q->format = i;
	if (q->format >= 0)
		return KW_EXIT_OK;
	nearest = kw_nearest(optarg, format_name);
	if (nearest)
		return kw_policy_usage("export", "unknown format '%s'; did you mean '%s'?", optarg,
				       nearest);
	return kw_policy_usage("export", "unknown format '%s': libseccomp-pfc, oci or firecracker",
			       optarg);
}

static int export_to(const struct request *q, const struct kw_plan *plan,
		     const struct kw_shortfalls *lacks, FILE *out)
{
	switch ((enum format)q->format) {
	case FORMAT_OCI:
		return kw_export_oci(plan, lacks, q->listener, out);
	case FORMAT_FIRECRACKER:
		return kw_export_firecracker(plan, lacks, out);
	case FORMAT_PFC:
	case _FORMAT_MAX:
		break;
	}
	return kw_export_pfc(plan, lacks, out);
}

static int export_rules(const struct request *q, const struct kw_ruleset *rules)
{
	enum kw_means means = q->listener ? KW_MEANS_KERNEL : KW_MEANS_ALONE;
	struct kw_shortfalls lacks = {};
	struct kw_plan plan = {};
	int r;

	r = kw_plan_make(rules, means, false, &plan, &lacks);
	if (r < 0)
		return kw_policy_no_memory();
	r = export_to(q, &plan, &lacks, stdout);
	/* Also where the format has no room for it. */
	for (size_t i = 0; i < lacks.count; i++)
		kw_shortfall_print(&lacks.list[i], means, stderr);
	kw_plan_done(&plan);
	kw_shortfalls_done(&lacks);
	if (r < 0)
		fprintf(stderr, "kvmwarden policy export: %s\n", strerror(-r));
	return r < 0 ? KW_EXIT_OS : KW_EXIT_OK;
}

int kw_policy_export(const struct kw_cli *cli, int argc, char **argv)
{
	struct request q = {.format = -1};
	struct kw_ruleset *rules = NULL;
	int status;

	status = kw_policy_options(argc, argv, take, &q);
	if (status == KW_EXIT_OK)
		status = kw_policy_no_arguments(argc, argv);
	if (status != KW_EXIT_OK)
		return status;
	if (q.format < 0)
		return kw_policy_usage("export",
				       "which --format: libseccomp-pfc, oci or firecracker?");
	if (q.listener && q.format != FORMAT_OCI)
		return kw_policy_usage("export", "only the format oci has a listener");
	status = kw_policy_load(cli, &rules);
	if (status == KW_EXIT_OK)
		status = export_rules(&q, rules);
	kw_ruleset_free(rules);
	return status;
}
