/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden policy learn": a policy out of recorded events. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd-policy-events.h"
#include "cmd-policy.h"
#include "explain.h"
#include "learn.h"
#include "policy-read.h"
#include "text.h"
#include "util.h"

struct request {
	struct kw_learn_filter filter;
	struct kw_learn_style style;
};

static int take_option(void *target, int c)
{
	struct request *request = target;

	switch (c) {
	case 'e':
		request->filter.exe = optarg;
		return KW_EXIT_OK;
	case 'u':
		request->filter.unit = optarg;
		return KW_EXIT_OK;
	case 'v':
		if (kw_parse_u64(optarg, INT64_MAX, &request->filter.vm) == 0 && request->filter.vm)
			return KW_EXIT_OK;
		return kw_policy_usage("learn", "no VM id: '%s'", optarg);
	case 'n':
		request->style.name = optarg;
		return KW_EXIT_OK;
	case 'E':
		request->style.enforce = true;
		return KW_EXIT_OK;
	}
	return KW_EXIT_USAGE;
}

static int add_event(void *target, const struct kw_recorded *event)
{
	kw_learn_add(target, event);
	return 0;
}

static int list_exes(const struct kw_learn *learn, bool json)
{
	json_t *exes;

	if (json) {
		exes = json_array();
		for (size_t i = 0; i < learn->exe_count; i++)
			json_array_append_new(exes,
					      json_pack("{s:o, s:I}", "exe",
							kw_json_text(learn->exes[i].path), "events",
							(json_int_t)learn->exes[i].count));
		return kw_policy_dump(json_pack("{s:o}", "executables", exes));
	}
	for (size_t i = 0; i < learn->exe_count; i++) {
		fprintf(stderr, "  %8" PRIu64 "  ", learn->exes[i].count);
		kw_text_safe(stderr, learn->exes[i].path);
		putc('\n', stderr);
	}
	if (learn->exes_beyond)
		fprintf(stderr, "  %8" PRIu64 "  of others\n", learn->exes_beyond);
	return KW_EXIT_OK;
}

/* Is it clear whose policy it is to be? */
static int check_choice(const struct kw_learn *learn, bool json)
{
	int status;

	if (!learn->all.count) {
		fprintf(stderr, "kvmwarden policy learn: there are no events to learn from%s\n",
			learn->others ? ": all are of others" : "");
		return KW_EXIT_FINDING;
	}
	if (learn->exe_count == 1 || learn->filter.exe)
		return KW_EXIT_OK;
	fputs("kvmwarden policy learn: the events are of several executables; choose with --exe:\n",
	      stderr);
	status = list_exes(learn, json);
	return status != KW_EXIT_OK ? status : KW_EXIT_FINDING;
}

/* Nothing is printed that "policy check" would not take, or that would match another executable. */
static int check_policy(const struct kw_learn *learn, const char *text, size_t size)
{
	const char *exe = learn->filter.exe ?: learn->exes[0].path;
	_cleanup_(kw_policy_done) struct kw_policy policy = {};
	_cleanup_(kw_diag_done) struct kw_diag diag = {};
	const struct kw_policy_set none = {};
	int r = kw_policy_parse("the policy learnt", text, size, &none, &policy, &diag);

	if (r == -ENOMEM)
		return kw_policy_no_memory();
	if (r == 0 && kw_streq(policy.match.exe, exe))
		return KW_EXIT_OK;
	kw_diag_set(&diag, NULL, 0, 0, "no policy can name the executable '%s'", exe);
	kw_diag_print(&diag, stderr);
	return KW_EXIT_FINDING;
}

static int print(const struct kw_learn *learn, const struct kw_tally *tally, const char *text,
		 bool json)
{
	if (json)
		return kw_policy_dump(json_pack(
			"{s:o, s:I, s:I, s:s, s:s, s:I, s:o}", "policy", kw_json_text(text),
			"events", (json_int_t)learn->all.count, "vms", (json_int_t)learn->vm_count,
			"first", learn->all.first, "last", learn->all.last, "refused",
			(json_int_t)learn->refused.count, "input", kw_policy_tally_json(tally)));
	fputs(text, stdout);
	kw_policy_print_tally(tally, "note: ", stderr);
	return KW_EXIT_OK;
}

static int answer(const struct kw_learn *learn, const struct kw_learn_style *style,
		  const struct kw_tally *tally, bool json)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int r, status;

	if (!out)
		return kw_policy_no_memory();
	r = kw_learn_write(learn, style, out);
	if (fclose(out) == EOF || r == -ENOMEM)
		return kw_policy_no_memory();
	if (r < 0) {
		fputs("kvmwarden policy learn: no policy can name exactly this executable, as "
		      "there is a '*' in its path; choose a pattern with --exe\n",
		      stderr);
		return KW_EXIT_FINDING;
	}
	status = check_policy(learn, text, size);
	return status != KW_EXIT_OK ? status : print(learn, tally, text, json);
}

int kw_policy_learn(const struct kw_cli *cli, int argc, char **argv)
{
	_cleanup_free_ struct kw_learn *learn = calloc(1, sizeof(*learn));
	struct request request = {};
	struct kw_tally tally = {};
	int status;

	if (!learn)
		return kw_policy_no_memory();
	status = kw_policy_options(argc, argv, take_option, &request);
	if (status != KW_EXIT_OK)
		return status;
	if (argc - optind != 1)
		return kw_policy_usage("learn", "which events?");
	if (kw_learn_init(learn, &request.filter) < 0)
		return kw_policy_usage("learn", "a pattern has one '*' and %d bytes at most",
				       KW_PATH_MAX - 1);
	status = kw_policy_read_events("learn", argv[optind], add_event, learn, &tally);
	if (status == KW_EXIT_OK)
		status = check_choice(learn, cli->json);
	return status == KW_EXIT_OK ? answer(learn, &request.style, &tally, cli->json) : status;
}
