/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden vms": the living VMs. */
#include <pwd.h>

#include "cli.h"
#include "client.h"
#include "text.h"
#include "usage.h"
#include "util.h"

static const char *const headings[] = {"ID",  "TYPE", "STATE", "VCPUS",	   "PID",
				       "EXE", "UNIT", "USER",  "POLICIES", "DENIED"};

KW_DEFINE_CLEANUP(json_t, json_decref)

static void add_number(struct kw_text_table *table, json_t *object, const char *key)
{
	kw_text_table_addf(table, "%" JSON_INTEGER_FORMAT,
			   json_integer_value(json_object_get(object, key)));
}

static void add_string(struct kw_text_table *table, json_t *object, const char *key)
{
	const char *text = kw_text_member(object, key);

	kw_text_table_add(table, *text ? text : "-");
}

static void add_user(struct kw_text_table *table, json_t *creator)
{
	json_int_t uid = json_integer_value(json_object_get(creator, "uid"));
	const struct passwd *user = getpwuid((uid_t)uid);

	if (user)
		kw_text_table_add(table, user->pw_name);
	else
		kw_text_table_addf(table, "%" JSON_INTEGER_FORMAT, uid);
}

static void add_policies(struct kw_text_table *table, json_t *policies)
{
	_cleanup_free_ char *list = kw_text_join(policies);

	if (list)
		kw_text_table_add(table, *list ? list : "-");
	else
		table->failed = true;
}

static void add_vm(struct kw_text_table *table, json_t *vm)
{
	json_t *creator = json_object_get(vm, "creator");

	add_number(table, vm, "id");
	add_string(table, vm, "type");
	if (json_is_true(json_object_get(vm, "condemned")))
		kw_text_table_add(table, "CONDEMNED");
	else
		add_string(table, vm, "state");
	add_number(table, vm, "vcpus");
	add_number(table, creator, "pid");
	add_string(table, creator, "exe");
	add_string(table, creator, "unit");
	add_user(table, creator);
	add_policies(table, json_object_get(vm, "policies"));
	add_number(table, vm, "denied");
}

static int by_id(const void *a, const void *b)
{
	json_int_t left = json_integer_value(json_object_get(*(json_t *const *)a, "id"));
	json_int_t right = json_integer_value(json_object_get(*(json_t *const *)b, "id"));

	return (left > right) - (left < right);
}

static int print_table(json_t *vms)
{
	struct kw_text_table table = {.columns = KW_ARRAY_SIZE(headings)};
	_cleanup_free_ json_t **sorted = NULL;
	json_t *vm;
	size_t i;
	int r;

	sorted = calloc(json_array_size(vms), sizeof(json_t *));
	if (!sorted)
		return KW_EXIT_OS;
	json_array_foreach (vms, i, vm)
		sorted[i] = vm;
	qsort(sorted, json_array_size(vms), sizeof(json_t *), by_id);
	for (i = 0; i < KW_ARRAY_SIZE(headings); i++)
		kw_text_table_add(&table, headings[i]);
	for (i = 0; i < json_array_size(vms); i++)
		add_vm(&table, sorted[i]);
	r = kw_text_table_print(&table, "", stdout);
	kw_text_table_done(&table);
	return r < 0 ? KW_EXIT_OS : KW_EXIT_OK;
}

int kw_cmd_vms(const struct kw_cli *cli, int argc, char **argv)
{
	struct kw_getopt getopt;
	_cleanup_(json_decref_cleanup) json_t *reply = NULL;
	json_t *vms;
	int r;

	kw_usage_getopt("vms", "", &getopt);
	if (getopt_long(argc, argv, getopt.letters, getopt.options, NULL) >= 0)
		return KW_EXIT_USAGE;
	if (optind < argc)
		return kw_cli_unexpected("vms", argv[optind]);
	r = kw_client_ask_or_complain(cli, "ListVMs", NULL, &reply);
	if (r != KW_EXIT_OK)
		return r;
	if (cli->json)
		return kw_client_print_json(reply);
	vms = json_object_get(reply, "vms");
	if (json_array_size(vms) > 0)
		return print_table(vms);
	puts("No VM is running.");
	return KW_EXIT_OK;
}
