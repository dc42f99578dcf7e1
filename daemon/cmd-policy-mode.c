/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden policy mode": switches one policy at run time. */
#include "client.h"
#include "cmd-policy.h"
#include "names.h"
#include "util.h"

KW_DEFINE_CLEANUP(json_t, json_decref)

int kw_policy_mode(const struct kw_cli *cli, int argc, char **argv)
{
	_cleanup_(json_decref_cleanup) json_t *parameters = NULL, *reply = NULL;
	const char *name, *mode;
	int status;

	status = kw_policy_options(argc, argv, NULL, NULL);
	if (status != KW_EXIT_OK)
		return status;
	if (argc - optind != 2)
		return kw_policy_usage("mode", "a policy and audit, enforce or file are needed");
	name = argv[optind];
	mode = argv[optind + 1];
	if (kw_mode_from_name(mode) < 0 && !kw_streq(mode, "file"))
		return kw_policy_usage("mode", "unknown mode '%s': audit, enforce or file", mode);
	parameters = json_pack("{s:s, s:s}", "policy", name, "mode", mode);
	if (!parameters)
		return kw_policy_usage("mode", "the name of a policy is UTF-8");
	status = kw_client_ask_or_complain(cli, "SetPolicyMode", parameters, &reply);
	if (status != KW_EXIT_OK)
		return status;
	if (cli->json)
		return kw_client_print_json(reply);
	printf("Policy '%s' is in mode %s as of generation %" JSON_INTEGER_FORMAT ".\n", name,
	       kw_streq(mode, "file") ? "of its file" : mode,
	       json_integer_value(json_object_get(reply, "generation")));
	return KW_EXIT_OK;
}
