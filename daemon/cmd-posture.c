/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden posture": one table of the host, and one of its VMs. */
#include "cli.h"
#include "client.h"
#include "posture.h"
#include "render.h"
#include "stamp.h"
#include "text.h"
#include "usage.h"
#include "util.h"

KW_DEFINE_CLEANUP(json_t, json_decref)

#define SCORE_MAX 100

/* NULL where nobody answers; then *ret_why, if it is not NULL, is malloc()ed. */
static json_t *ask(const struct kw_cli *cli, const char *method, char **ret_why)
{
	json_t *reply = NULL;

	return kw_client_ask(cli->socket, method, NULL, &reply, ret_why) == 0 ? reply : NULL;
}

static void look_at(json_t *vm, struct kw_posture_vmm *ret)
{
	json_t *creator = json_object_get(vm, "creator");

	kw_posture_look_at("", (long)json_integer_value(json_object_get(creator, "pid")),
			   kw_text_member(creator, "exe"), ret);
}

/* --- JSON ------------------------------------------------------------------------ */

static json_t *facts_json(const struct kw_posture *posture)
{
	json_t *list = json_array();

	for (size_t i = 0; i < KW_POSTURE_FACTS; i++) {
		const struct kw_posture_fact *fact = &posture->facts[i];

		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:i, s:s, s:s}", "fact", fact->name,
						"verdict", kw_posture_verdict_name(fact->verdict),
						"points", (int)fact->points, "detail", fact->detail,
						"advice", fact->advice));
	}
	return list;
}

/* Each as ListVMs has it, and what its VMM has done for itself. */
static json_t *vms_json(json_t *vms)
{
	json_t *list = json_array(), *vm;
	size_t i;

	json_array_foreach (vms, i, vm) {
		struct kw_posture_vmm vmm;

		look_at(vm, &vmm);
		json_object_set_new(vm, "seccomp", json_string(vmm.seccomp));
		json_object_set_new(vm, "no_new_privs", json_string(vmm.no_new_privs));
		json_array_append(list, vm);
	}
	return list;
}

static int print_json(const struct kw_posture *posture, json_t *status, json_t *vms)
{
	_cleanup_(json_decref_cleanup) json_t *all = NULL;

	all = json_pack("{s:i, s:o, s:o, s:O?}", "score", (int)posture->score, "facts",
			facts_json(posture), "vms", vms ? vms_json(vms) : json_null(), "status",
			status);
	if (!all || kw_stamp(all) < 0)
		return KW_EXIT_OS;
	return kw_client_print_json(all);
}

/* --- tables ---------------------------------------------------------------------- */

static void print_verdict(const struct kw_posture_fact *fact, bool colour)
{
	static const char *const colours[] = {[KW_POSTURE_GOOD] = "\033[32m",
					      [KW_POSTURE_BAD] = "\033[31m",
					      [KW_POSTURE_UNKNOWN] = "\033[33m"};

	printf("%s%-8s%s", colour ? colours[fact->verdict] : "",
	       kw_posture_verdict_name(fact->verdict), colour ? "\033[0m" : "");
}

static void print_facts(const struct kw_posture *posture)
{
	bool colour = kw_text_wants_colour(stdout);

	printf("%-18s %-8s %6s  %s\n", "FACT", "VERDICT", "POINTS", "WHAT WAS FOUND");
	for (size_t i = 0; i < KW_POSTURE_FACTS; i++) {
		const struct kw_posture_fact *fact = &posture->facts[i];
		bool good = fact->verdict == KW_POSTURE_GOOD;

		printf("%-18s ", fact->name);
		print_verdict(fact, colour);
		printf(" %2u/%-3u  ", good ? fact->points : 0, fact->points);
		kw_text_safe(stdout, *fact->detail ? fact->detail : "-");
		putchar('\n');
		if (!good)
			printf("%-36s  better: %s\n", "", fact->advice);
	}
}

static void add_vm(struct kw_text_table *table, json_t *vm)
{
	json_t *creator = json_object_get(vm, "creator"),
	       *policies = json_object_get(vm, "policies");
	const char *unit = kw_text_member(creator, "unit");
	struct kw_posture_vmm vmm;

	look_at(vm, &vmm);
	kw_text_table_addf(table, "%" JSON_INTEGER_FORMAT,
			   json_integer_value(json_object_get(vm, "id")));
	kw_text_table_add(table, kw_text_member(vm, "type"));
	kw_text_table_add(table, json_is_true(json_object_get(vm, "condemned"))
					 ? "CONDEMNED"
					 : kw_text_member(vm, "state"));
	kw_text_table_add(table, kw_text_member(creator, "exe"));
	kw_text_table_add(table, *unit ? unit : "-");
	kw_text_table_add(table, vmm.seccomp);
	kw_text_table_add(table, vmm.no_new_privs);
	kw_text_table_addf(table, "%zu", json_array_size(policies));
}

static int print_vms(json_t *vms)
{
	static const char *const headings[] = {"VM",   "TYPE",	  "STATE",	  "VMM",
					       "UNIT", "SECCOMP", "NO-NEW-PRIVS", "POLICIES"};
	struct kw_text_table table = {.columns = KW_ARRAY_SIZE(headings)};
	json_t *vm;
	size_t i;
	int r;

	if (!vms) {
		puts("Which VMs run nobody says: no daemon answers.");
		return 0;
	}
	if (json_array_size(vms) == 0) {
		puts("No VM is running.");
		return 0;
	}
	for (i = 0; i < KW_ARRAY_SIZE(headings); i++)
		kw_text_table_add(&table, headings[i]);
	json_array_foreach (vms, i, vm)
		add_vm(&table, vm);
	r = kw_text_table_print(&table, "", stdout);
	kw_text_table_done(&table);
	return r;
}

static int print_page(const struct kw_posture *posture, json_t *vms)
{
	print_facts(posture);
	putchar('\n');
	if (print_vms(vms) < 0)
		return KW_EXIT_OS;
	printf("\nScore: %u of %d\n", posture->score, SCORE_MAX);
	return KW_EXIT_OK;
}

int kw_cmd_posture(const struct kw_cli *cli, int argc, char **argv)
{
	_cleanup_(json_decref_cleanup) json_t *status = NULL, *reply = NULL;
	_cleanup_free_ char *why = NULL;
	struct kw_posture_host host;
	struct kw_posture posture;
	struct kw_getopt getopt;
	uint32_t threshold = 0;
	bool compare = false;
	json_t *vms;
	int c, r;

	kw_usage_getopt("posture", "", &getopt);
	while ((c = getopt_long(argc, argv, getopt.letters, getopt.options, NULL)) >= 0) {
		if (c != 't')
			return KW_EXIT_USAGE;
		compare = true;
		if (kw_parse_u32(optarg, SCORE_MAX, &threshold) < 0) {
			fprintf(stderr, "kvmwarden posture: --threshold takes 0 to %d, not '%s'\n",
				SCORE_MAX, optarg);
			return KW_EXIT_USAGE;
		}
	}
	if (optind < argc)
		return kw_cli_unexpected("posture", argv[optind]);
	kw_posture_gather("", &host);
	status = ask(cli, "GetStatus", &why);
	reply = status ? ask(cli, "ListVMs", &why) : NULL;
	vms = json_object_get(reply, "vms");
	kw_posture_judge(&host, status, why ?: "no daemon answers", &posture);
	r = cli->json ? print_json(&posture, status, vms) : print_page(&posture, vms);
	if (r != KW_EXIT_OK)
		return r;
	return (compare ? posture.score >= threshold
			: kw_enforces(kw_text_member(status, "enforcement")))
		       ? KW_EXIT_OK
		       : KW_EXIT_FINDING;
}
