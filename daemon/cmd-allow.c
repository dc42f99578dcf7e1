/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden allow": an exception for one VM, one operation and a while. */
#include <errno.h>

#include "cli.h"
#include "client.h"
#include "manager.h"
#include "quantity.h"
#include "text.h"
#include "usage.h"
#include "util.h"

KW_DEFINE_CLEANUP(json_t, json_decref)

struct request {
	uint64_t vm;
	const char *operation;
	uint64_t seconds;
	const char *reason;
	uint64_t revoke; /* an exception, or 0 */
};

static int usage(const char *what)
{
	fprintf(stderr, "kvmwarden allow: %s; see 'kvmwarden --help'\n", what);
	return KW_EXIT_USAGE;
}

static int take(struct request *request, int option)
{
	switch (option) {
	case 'v':
		if (kw_parse_u64(optarg, INT64_MAX, &request->vm) < 0 || request->vm == 0)
			return usage("--vm takes the number of a VM, as 'kvmwarden vms' shows it");
		return KW_EXIT_OK;
	case 'o':
		request->operation = optarg;
		return KW_EXIT_OK;
	case 'f':
		if (kw_parse_seconds(optarg, KW_ALLOW_SECONDS_MAX, &request->seconds) < 0)
			return usage("--for takes a time such as 60s, 5min or 1h, at most 24h");
		return KW_EXIT_OK;
	case 'r':
		if (!*optarg || strlen(optarg) > KW_ALLOW_REASON_MAX)
			return usage("--reason takes 1 to 256 bytes of text");
		request->reason = optarg;
		return KW_EXIT_OK;
	case 'e':
		if (kw_parse_u64(optarg, INT64_MAX, &request->revoke) < 0 || request->revoke == 0)
			return usage("--revoke takes the number of an exception");
		return KW_EXIT_OK;
	}
	return KW_EXIT_USAGE;
}

static int parse(struct request *request, int argc, char **argv)
{
	struct kw_getopt getopt;
	int c, status;

	kw_usage_getopt("allow", "", &getopt);
	while ((c = getopt_long(argc, argv, getopt.letters, getopt.options, NULL)) >= 0) {
		status = take(request, c);
		if (status != KW_EXIT_OK)
			return status;
	}
	if (optind < argc)
		return kw_cli_unexpected("allow", argv[optind]);
	if (request->revoke) {
		if (request->vm || request->operation || request->seconds || request->reason)
			return usage("--revoke stands alone");
		return KW_EXIT_OK;
	}
	if (!request->vm || !request->operation || !request->seconds || !request->reason)
		return usage("--vm, --operation, --for and --reason are needed, or --revoke");
	return KW_EXIT_OK;
}

static void tell(const struct request *request, json_t *reply)
{
	char until[KW_TEXT_TIME_MAX];

	if (request->revoke) {
		puts("The exception is over.");
		return;
	}
	kw_text_time(kw_text_member(reply, "until"), false, until);
	printf("Exception %" JSON_INTEGER_FORMAT ": VM %llu may use %s until %s.\n",
	       json_integer_value(json_object_get(reply, "exception")),
	       (unsigned long long)request->vm, request->operation, until);
}

int kw_cmd_allow(const struct kw_cli *cli, int argc, char **argv)
{
	_cleanup_(json_decref_cleanup) json_t *parameters = NULL, *reply = NULL;
	struct request request = {};
	int status;

	status = parse(&request, argc, argv);
	if (status != KW_EXIT_OK)
		return status;
	if (request.revoke)
		parameters = json_pack("{s:I}", "exception", (json_int_t)request.revoke);
	else
		parameters = json_pack("{s:I, s:s, s:I, s:s}", "vm", (json_int_t)request.vm,
				       "operation", request.operation, "seconds",
				       (json_int_t)request.seconds, "reason", request.reason);
	if (!parameters)
		return usage("operation and reason must be UTF-8");
	status = kw_client_ask_or_complain(cli, request.revoke ? "EndException" : "Allow",
					   parameters, &reply);
	if (status != KW_EXIT_OK)
		return status;
	if (cli->json)
		return kw_client_print_json(reply);
	tell(&request, reply);
	return KW_EXIT_OK;
}
