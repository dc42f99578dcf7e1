/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden fleet report": many hosts in one table. */
#include <errno.h>

#include "cli.h"
#include "client.h"
#include "fleet.h"
#include "text.h"
#include "usage.h"
#include "util.h"

KW_DEFINE_CLEANUP(json_t, json_decref)

/* One after the other until the end of the file. What is before a fault counts. */
static int read_stream(FILE *in, const char *name, struct kw_fleet *fleet)
{
	json_error_t error;
	const char *why;
	json_t *export;
	int c, r;

	for (;;) {
		while ((c = getc(in)) == ' ' || c == '\t' || c == '\n' || c == '\r')
			;
		if (c == EOF)
			break;
		ungetc(c, in);
		export = json_loadf(in, JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &error);
		if (!export) {
			fprintf(stderr, "%s:%d:%d: error: %s\n", name, error.line, error.column,
				error.text);
			return -EINVAL;
		}
		r = kw_fleet_add(fleet, export, &why);
		if (r == -EINVAL)
			fprintf(stderr, "%s: error: %s\n", name, why);
		if (r < 0)
			return r;
	}
	if (!ferror(in))
		return 0;
	fprintf(stderr, "kvmwarden: cannot read '%s': %s\n", name, strerror(errno));
	return -EIO;
}

static int read_path(const char *path, struct kw_fleet *fleet)
{
	_cleanup_fclose_ FILE *in = NULL;

	if (kw_streq(path, "-"))
		return read_stream(stdin, "standard input", fleet);
	in = fopen(path, "re");
	if (in)
		return read_stream(in, path, fleet);
	fprintf(stderr, "kvmwarden: cannot open '%s': %s\n", path, strerror(errno));
	return -EIO;
}

static void add_number(struct kw_text_table *table, int64_t number)
{
	if (number < 0)
		kw_text_table_add(table, "-");
	else
		kw_text_table_addf(table, "%lld", (long long)number);
}

static void add_text(struct kw_text_table *table, const char *text)
{
	kw_text_table_add(table, *text ? text : "-");
}

static void add_host(struct kw_text_table *table, const struct kw_fleet_host *host)
{
	add_text(table, host->host);
	kw_text_table_add(table, kw_fleet_enforces(host) ? host->enforcement : "NOT ENFORCING");
	add_text(table, host->backend);
	kw_text_table_addf(table, "%zu %.8s%s", host->policy_count, host->policies,
			   host->differs ? " DIFFERS" : "");
	add_number(table, host->vms);
	add_number(table, host->sealed);
	add_number(table, host->denied);
	add_number(table, host->lost);
	add_number(table, host->score);
	add_text(table, host->version);
	add_text(table, host->time);
}

static int print_table(const struct kw_fleet *fleet)
{
	static const char *const headings[] = {"HOST",	"ENFORCEMENT", "BACKEND", "POLICIES",
					       "VMS",	"SEALED",      "DENIED",  "LOST",
					       "SCORE", "VERSION",     "AS OF"};
	struct kw_text_table table = {.columns = KW_ARRAY_SIZE(headings)};
	int r;

	for (size_t i = 0; i < KW_ARRAY_SIZE(headings); i++)
		kw_text_table_add(&table, headings[i]);
	for (size_t i = 0; i < fleet->count; i++)
		add_host(&table, &fleet->hosts[i]);
	r = kw_text_table_print(&table, "", stdout);
	kw_text_table_done(&table);
	printf("\n%zu hosts, %zu do not enforce, %zu have other policies than most", fleet->count,
	       fleet->absent, fleet->differing);
	if (fleet->superseded)
		printf("; %zu older exports were passed over", fleet->superseded);
	puts(".");
	return r < 0 ? KW_EXIT_OS : KW_EXIT_OK;
}

static json_t *number_json(int64_t number)
{
	return number < 0 ? json_null() : json_integer(number);
}

static int print_json(const struct kw_fleet *fleet)
{
	_cleanup_(json_decref_cleanup) json_t *all = NULL;
	json_t *hosts = json_array();

	for (size_t i = 0; i < fleet->count; i++) {
		const struct kw_fleet_host *host = &fleet->hosts[i];

		json_array_append_new(
			hosts,
			json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:o, s:o, s:o, s:o, "
				  "s:o, s:o}",
				  "host", host->host, "time", host->time, "enforcement",
				  host->enforcement, "backend", host->backend, "version",
				  host->version, "policies", host->policies, "policy_count",
				  (json_int_t)host->policy_count, "differs", host->differs,
				  "generation", number_json(host->generation), "vms",
				  number_json(host->vms), "sealed", number_json(host->sealed),
				  "denied", number_json(host->denied), "events_lost",
				  number_json(host->lost), "score", number_json(host->score)));
	}
	all = json_pack("{s:o, s:I, s:I, s:I}", "hosts", hosts, "not_enforcing",
			(json_int_t)fleet->absent, "differing", (json_int_t)fleet->differing,
			"superseded", (json_int_t)fleet->superseded);
	return all ? kw_client_print_json(all) : KW_EXIT_OS;
}

static int report(const struct kw_cli *cli, int argc, char **argv)
{
	struct kw_fleet fleet = {};
	struct kw_getopt getopt;
	int r = 0, status;

	kw_usage_getopt("fleet report", "", &getopt);
	if (getopt_long(argc, argv, getopt.letters, getopt.options, NULL) >= 0)
		return KW_EXIT_USAGE;
	if (optind >= argc) {
		fputs("kvmwarden fleet report: which files? See 'kvmwarden fleet report --help'\n",
		      stderr);
		return KW_EXIT_USAGE;
	}
	for (int i = optind; i < argc && r != -ENOMEM; i++) {
		int one = read_path(argv[i], &fleet);

		r = one < 0 ? one : r;
	}
	if (r == 0 && fleet.count == 0) {
		fputs("kvmwarden fleet report: there is no export in that\n", stderr);
		return KW_EXIT_DATA;
	}
	kw_fleet_conclude(&fleet);
	status = r == -ENOMEM ? KW_EXIT_OS : cli->json ? print_json(&fleet) : print_table(&fleet);
	if (status == KW_EXIT_OK && r < 0)
		status = KW_EXIT_DATA;
	if (status == KW_EXIT_OK && fleet.absent > 0)
		status = KW_EXIT_FINDING;
	kw_fleet_done(&fleet);
	return status;
}

int kw_cmd_fleet(const struct kw_cli *cli, int argc, char **argv)
{
	if (argc > 1 && kw_streq(argv[1], "report")) {
		argv[1] = "kvmwarden fleet report";
		return report(cli, argc - 1, argv + 1);
	}
	kw_usage_print(kw_usage_find("kvmwarden", "fleet"), stderr);
	return KW_EXIT_USAGE;
}
