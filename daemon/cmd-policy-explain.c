/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden policy explain": the verdict on an operation and the line that decides. */
#define _GNU_SOURCE 1
#include "cmd-policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "explain-table.h"
#include "explain.h"
#include "identity-text.h"
#include "names.h"
#include "policy-read.h"
#include "util.h"

/* What the options ask for; a value below 0 is not given. */
struct request {
	bool all;
	bool verbose;
	int type;
	int state;
	int operation;
	const char *exe;
	const char *unit;
	const char *cgroup;
	const char *user;
	struct kw_identity who;
};

static int unknown_value(const char *noun, const char *text,
			 const char *(*list)(unsigned int index))
{
	const char *nearest = kw_nearest(text, list);

	if (nearest)
		return kw_policy_usage("explain", "unknown %s '%s': did you mean '%s'?", noun, text,
				       nearest);
	return kw_policy_usage("explain", "unknown %s '%s'", noun, text);
}

/* A control group says in which unit it is; if both are given they must agree. */
static int set_cgroup(struct request *request)
{
	struct kw_identity *who = &request->who;

	kw_identity_set_cgroup(who, request->cgroup);
	if (!request->unit)
		return KW_EXIT_OK;
	if (!request->cgroup) {
		if (kw_identity_set_unit(who, request->unit) == 0)
			return KW_EXIT_OK;
		return kw_policy_usage("explain",
				       "'%s' is no unit: these end in .service or .scope",
				       request->unit);
	}
	if (strlen(request->unit) == who->unit_len &&
	    memcmp(request->unit, who->cgroup.text + who->unit_offset, who->unit_len) == 0)
		return KW_EXIT_OK;
	return kw_policy_usage("explain", "a VM created in '%s' is not in the unit '%s'",
			       request->cgroup, request->unit);
}

static int set_identity(struct request *request)
{
	request->who = kw_identity_unknown();
	kw_identity_set_exe(&request->who, request->exe);
	if (request->user && kw_policy_user(request->user, &request->who.uid) < 0)
		return kw_policy_usage("explain", "/etc/passwd has no user '%s'", request->user);
	return set_cgroup(request);
}

static int take_option(void *target, int c)
{
	struct request *request = target;

	switch (c) {
	case 't':
		request->type = kw_type_from_name(optarg);
		return request->type < 0 ? unknown_value("type", optarg, kw_type_list) : KW_EXIT_OK;
	case 's':
		request->state = kw_state_from_name(optarg);
		return request->state < 0 ? unknown_value("state", optarg, kw_state_list)
					  : KW_EXIT_OK;
	case 'o':
		request->operation = kw_operation_from_name(optarg);
		return request->operation < 0
			       ? unknown_value("operation", optarg, kw_operation_list)
			       : KW_EXIT_OK;
	case 'e':
		request->exe = optarg;
		return KW_EXIT_OK;
	case 'u':
		request->unit = optarg;
		return KW_EXIT_OK;
	case 'U':
		request->user = optarg;
		return KW_EXIT_OK;
	case 'c':
		request->cgroup = optarg;
		return KW_EXIT_OK;
	case 'a':
		request->all = true;
		return KW_EXIT_OK;
	case 'v':
		request->verbose = true;
		return KW_EXIT_OK;
	}
	return KW_EXIT_USAGE;
}

/* Steps to the next question of --all; false when there is none. */
static bool next_question(const struct request *request, struct kw_question *question)
{
	do {
		if (request->state < 0 && ++question->state < _KW_STATE_MAX)
			continue;
		question->state = request->state < 0 ? 0 : request->state;
		if (request->type < 0 && ++question->subject.type < _KW_TYPE_MAX)
			continue;
		question->subject.type = request->type < 0 ? 0 : request->type;
		if (request->operation >= 0 || ++question->operation >= kw_operation_count())
			return false;
	} while (!kw_question_makes_sense(question->operation, question->subject.type,
					  question->state));
	question->subject.flags = kw_type_flags(question->subject.type);
	return true;
}

static struct kw_question first_question(const struct request *request)
{
	struct kw_question question = {
		.operation = request->operation < 0 ? KW_OP_CANARY + 1 : request->operation,
		.state = request->state < 0 ? 0 : request->state,
		.subject.type = request->type < 0 ? 0 : request->type,
		.subject.who = &request->who,
	};

	question.subject.flags = kw_type_flags(question.subject.type);
	if (!kw_question_makes_sense(question.operation, question.subject.type, question.state))
		next_question(request, &question);
	return question;
}

/* Is any of the questions asked one that has an answer? */
static bool makes_sense(const struct request *request)
{
	struct kw_question question = first_question(request);

	return kw_question_makes_sense(question.operation, question.subject.type, question.state);
}

/* Why an operation cannot be issued on that type in that state. */
static int refuse_question(const struct request *request)
{
	const struct kw_operation *operation = kw_operation(request->operation);

	if (request->operation == KW_OP_CREATE_VM)
		return kw_policy_usage("explain",
				       "%s is decided by the type asked for: --state building",
				       operation->name);
	if (request->type != KW_TYPE_NONE && operation->family)
		return kw_policy_usage("explain", "%s does not exist on a VM of type %s",
				       operation->name, kw_type_name(request->type));
	if (request->type != KW_TYPE_NONE)
		return kw_policy_usage("explain",
				       "%s is issued on /dev/kvm: --type none --state building",
				       operation->name);
	return kw_policy_usage("explain", "%s is not issued on /dev/kvm while %s: which VM type?",
			       operation->name,
			       request->state < 0 ? "building" : kw_state_name(request->state));
}

static int check_request(const struct request *request)
{
	if (!request->all && (request->type < 0 || request->state < 0 || request->operation < 0))
		return kw_policy_usage("explain", "--type, --state and --op are needed, or --all");
	if (makes_sense(request))
		return KW_EXIT_OK;
	if (request->operation < 0)
		return kw_policy_usage("explain", "there is no sealed state on /dev/kvm");
	return refuse_question(request);
}

static void note(const struct kw_policy *policy, const char *key, const char *pattern,
		 const char *given, const char *taken)
{
	if (pattern && !given)
		fprintf(stderr, "note: policy '%s' looks at %s '%s', taken %s: --%s\n",
			policy->name, key, pattern, taken, key);
}

/* Says what the answer rests on where the identity is not given in full. */
static void print_notes(const struct kw_ruleset *rs, const struct request *request)
{
	const char *place = request->cgroup ?: request->unit;

	for (size_t i = 0; i < rs->set.count; i++) {
		const struct kw_policy *policy = &rs->set.policies[i];
		const struct kw_match_text *match = &policy->match, *except = &policy->except;

		note(policy, "exe", match->exe, request->exe, "to match");
		note(policy, "unit", match->unit, place, "to match");
		note(policy, "cgroup", match->cgroup, place, "to match");
		note(policy, "user", match->user, request->user, "not to match");
		note(policy, "exe", except->exe, request->exe, "not to be excepted");
		note(policy, "unit", except->unit, place, "not to be excepted");
		note(policy, "cgroup", except->cgroup, place, "not to be excepted");
		note(policy, "user", except->user, request->user, "not to be excepted");
		if ((match->cgroup || except->cgroup) && request->unit && !request->cgroup)
			fprintf(stderr, "note: policy '%s' looks at the cgroup, taken as '%s'\n",
				policy->name, request->who.cgroup.text);
	}
}

static int answer_all_json(const struct kw_ruleset *rs, const struct request *request)
{
	struct kw_question question = first_question(request);
	json_t *all = json_array();

	do {
		if (json_array_append_new(all, kw_explain_json(rs, &question))) {
			json_decref(all);
			return kw_policy_no_memory();
		}
	} while (next_question(request, &question));
	return kw_policy_dump(all);
}

static int answer_all(const struct kw_ruleset *rs, const struct request *request)
{
	const struct kw_explain_scope scope = {
		.type = request->type,
		.state = request->state,
		.operation = request->operation,
		.who = &request->who,
		.verbose = request->verbose,
	};

	return kw_explain_table(rs, &scope, stdout) < 0 ? kw_policy_no_memory() : KW_EXIT_OK;
}

static int answer(const struct kw_ruleset *rs, const struct request *request, bool json)
{
	struct kw_question question = first_question(request);

	if (json)
		return request->all ? answer_all_json(rs, request)
				    : kw_policy_dump(kw_explain_json(rs, &question));
	print_notes(rs, request);
	if (request->all)
		return answer_all(rs, request);
	kw_explain_print(rs, &question, stdout);
	return KW_EXIT_OK;
}

int kw_policy_explain(const struct kw_cli *cli, int argc, char **argv)
{
	struct request request = {.type = -1, .state = -1, .operation = -1};
	struct kw_ruleset *rs = NULL;
	int status;

	status = kw_policy_options(argc, argv, take_option, &request);
	if (status == KW_EXIT_OK)
		status = kw_policy_no_arguments(argc, argv);
	if (status == KW_EXIT_OK)
		status = check_request(&request);
	if (status == KW_EXIT_OK)
		status = set_identity(&request);
	if (status == KW_EXIT_OK)
		status = kw_policy_load(cli, &rs);
	if (status != KW_EXIT_OK)
		return status;
	status = answer(rs, &request, cli->json);
	kw_ruleset_free(rs);
	return status;
}
