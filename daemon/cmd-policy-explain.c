/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden policy explain": the verdict on an operation and the line that decides. */
#define _GNU_SOURCE 1
#include "cmd-policy.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "explain.h"
#include "names.h"
#include "policy-read.h"
#include "util.h"

/* What the options ask for; a value below 0 is not given. */
struct request {
	bool json;
	bool all;
	int type;
	int state;
	int operation;
	const char *exe;
	const char *unit;
	const char *user;
	struct kw_identity who;
	const char **dirs; /* owned, NULL-terminated */
	size_t dir_count;
};

static const struct option options[] = {
	{"type", required_argument, NULL, 't'},
	{"state", required_argument, NULL, 's'},
	{"op", required_argument, NULL, 'o'},
	{"exe", required_argument, NULL, 'e'},
	{"unit", required_argument, NULL, 'u'},
	{"user", required_argument, NULL, 'U'},
	{"policy-dir", required_argument, NULL, 'd'},
	{"all", no_argument, NULL, 'a'},
	{"json", no_argument, NULL, 'j'},
	{},
};

static void request_done(struct request *request)
{
	free(request->dirs);
}

static int unknown_value(const char *noun, const char *text,
			 const char *(*list)(unsigned int index))
{
	const char *nearest = kw_nearest(text, list);

	if (nearest)
		return kw_policy_usage("explain", "unknown %s '%s': did you mean '%s'?", noun, text,
				       nearest);
	return kw_policy_usage("explain", "unknown %s '%s'", noun, text);
}

/* As the kernel stores them: a path too long for its field is unknown there. */
static void set_path(struct kw_path *path, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	*path = (struct kw_path){};
	if (!text || len >= KW_PATH_MAX) {
		path->flags = text ? KW_PATH_TRUNCATED : KW_PATH_UNKNOWN;
		return;
	}
	path->len = len;
	memcpy(path->text, text, len);
}

static int set_identity(struct request *request)
{
	struct kw_identity *who = &request->who;

	set_path(&who->exe, request->exe);
	set_path(&who->cgroup, request->unit);
	who->unit_len = who->cgroup.len;
	who->uid = UINT32_MAX;
	if (request->user && kw_policy_user(request->user, &who->uid) < 0)
		return kw_policy_usage("explain", "unknown user '%s'", request->user);
	return KW_EXIT_OK;
}

static int parse_option(struct request *request, int c)
{
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
	case 'd':
		request->dirs[request->dir_count++] = optarg;
		return KW_EXIT_OK;
	case 'a':
		request->all = true;
		return KW_EXIT_OK;
	case 'j':
		request->json = true;
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

static int check_request(const struct request *request)
{
	const struct kw_operation *operation;

	if (!request->all && (request->type < 0 || request->state < 0 || request->operation < 0))
		return kw_policy_usage("explain", "--type, --state and --op are needed, or --all");
	if (makes_sense(request))
		return KW_EXIT_OK;
	if (request->operation < 0)
		return kw_policy_usage("explain", "there is no sealed state on /dev/kvm");
	operation = kw_operation(request->operation);
	if (request->operation == KW_OP_CREATE_VM)
		return kw_policy_usage("explain",
				       "%s is decided by the type asked for: --state building",
				       operation->name);
	if (request->type != KW_TYPE_NONE)
		return kw_policy_usage("explain",
				       "%s is issued on /dev/kvm: --type none --state building",
				       operation->name);
	return kw_policy_usage("explain", "%s is not issued on /dev/kvm while %s: which VM type?",
			       operation->name,
			       request->state < 0 ? "building" : kw_state_name(request->state));
}

static int parse_request(struct request *request, int argc, char **argv)
{
	int c, status;

	/* Not more directories than arguments. */
	request->dirs = calloc(argc + 1, sizeof(*request->dirs));
	if (!request->dirs)
		return KW_EXIT_OS;
	optind = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		status = parse_option(request, c);
		if (status != KW_EXIT_OK)
			return status;
	}
	if (optind < argc)
		return kw_policy_usage("explain", "unexpected argument '%s'", argv[optind]);
	status = check_request(request);
	return status != KW_EXIT_OK ? status : set_identity(request);
}

/* Says what the answer rests on where the identity is not given in full. */
static void print_notes(const struct kw_ruleset *rs, const struct request *request)
{
	for (size_t i = 0; i < rs->set.count; i++) {
		const struct kw_policy *policy = &rs->set.policies[i];

		if (policy->match.exe && !request->exe)
			fprintf(stderr,
				"note: policy '%s' selects exe '%s', taken to match: --exe\n",
				policy->name, policy->match.exe);
		if (policy->match.unit && !request->unit)
			fprintf(stderr,
				"note: policy '%s' selects unit '%s', taken to match: --unit\n",
				policy->name, policy->match.unit);
		if (policy->match.user && !request->user)
			fprintf(stderr,
				"note: policy '%s' selects user '%s', taken not to match: --user\n",
				policy->name, policy->match.user);
	}
}

static int answer_all(const struct kw_ruleset *rs, const struct request *request)
{
	struct kw_question question = first_question(request);
	json_t *all = request->json ? json_array() : NULL;

	do {
		if (!request->json) {
			printf("%s, %s, %s: ", kw_operation(question.operation)->name,
			       kw_type_name(question.subject.type), kw_state_name(question.state));
			kw_explain_print(rs, &question, stdout);
		} else if (json_array_append_new(all, kw_explain_json(rs, &question))) {
			json_decref(all);
			return kw_policy_dump(NULL);
		}
	} while (next_question(request, &question));
	return request->json ? kw_policy_dump(all) : KW_EXIT_OK;
}

static int answer(const struct kw_ruleset *rs, const struct request *request)
{
	struct kw_question question = first_question(request);

	if (!request->json)
		print_notes(rs, request);
	if (request->all)
		return answer_all(rs, request);
	if (request->json)
		return kw_policy_dump(kw_explain_json(rs, &question));
	kw_explain_print(rs, &question, stdout);
	return KW_EXIT_OK;
}

int kw_policy_explain(const struct kw_cli *cli, int argc, char **argv)
{
	_cleanup_(request_done) struct request request = {
		.json = cli->json,
		.type = -1,
		.state = -1,
		.operation = -1,
	};
	struct kw_ruleset *rs = NULL;
	int status;

	status = parse_request(&request, argc, argv);
	if (status != KW_EXIT_OK)
		return status;
	status = kw_policy_load(cli, request.dir_count ? request.dirs : NULL, &rs);
	if (status != KW_EXIT_OK)
		return status;
	status = answer(rs, &request);
	kw_ruleset_free(rs);
	return status;
}
