/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden policy": finds the part that is asked for; the groups. */
#define _GNU_SOURCE 1
#include "cmd-policy.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>

#include "names.h"
#include "util.h"

static const char help[] =
	"usage: kvmwarden policy check [--json] FILE...\n"
	"       kvmwarden policy explain [OPTION...] --type TYPE --state STATE --op OPERATION\n"
	"       kvmwarden policy explain [OPTION...] --all\n"
	"       kvmwarden policy groups [--json]\n"
	"       kvmwarden policy mode NAME audit|enforce|file\n"
	"       kvmwarden policy operations [--json]\n"
	"       kvmwarden policy show [--json] [--policy-dir DIR]...\n"
	"\n"
	"check    reads each file, then takes all of them as one set; exit status 1 if any is bad\n"
	"explain  the verdict on an operation, and the line of the policy that decides\n"
	"groups   the groups of operations that rules can name\n"
	"mode     switches one policy of the running daemon, without touching its file; file:\n"
	"           back to what the file says\n"
	"operations\n"
	"         what rules can name: the number, or the ioctl it shares with others and its own\n"
	"           number there; the files it is issued on; the groups it is in\n"
	"show     the policies of the drop-in directories, in their order\n"
	"\n"
	"options of explain:\n"
	"  --type TYPE       VM type; of KVM_CREATE_VM the type asked for; none: on /dev/kvm "
	"itself\n"
	"  --state STATE     building or sealed\n"
	"  --op OPERATION    such as KVM_SET_REGS\n"
	"  --all             every value of those of the three that are not given\n"
	"  --exe PATH        the executable, the unit and the user the VM was created by;\n"
	"  --unit UNIT         an executable or a unit not given matches every pattern,\n"
	"  --user USER         a user not given matches no policy that names one\n"
	"  --policy-dir DIR  instead of the default directories; again for weaker ones\n"
	"  --json            for machines\n";

int kw_policy_usage(const char *part, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "kvmwarden policy %s: ", part);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("; see 'kvmwarden policy --help'\n", stderr);
	return KW_EXIT_USAGE;
}

int kw_policy_dump(json_t *value)
{
	int r;

	if (!value) {
		fputs("kvmwarden: out of memory\n", stderr);
		return KW_EXIT_OS;
	}
	r = json_dumpf(value, stdout, JSON_COMPACT);
	json_decref(value);
	if (r < 0 || putchar('\n') == EOF)
		return KW_EXIT_OS;
	return KW_EXIT_OK;
}

int kw_policy_load(const struct kw_cli *cli, const char *const *dirs, struct kw_ruleset **ret)
{
	_cleanup_(kw_policy_set_done) struct kw_policy_set set = {};
	_cleanup_(kw_diag_done) struct kw_diag diag = {};
	/* The default directories are read as the daemon reads them. */
	bool as_daemon;
	int r;

	dirs = dirs ?: cli->policy_dirs;
	as_daemon = !dirs;
	r = kw_policy_set_load(dirs ?: kw_policy_default_dirs, as_daemon, as_daemon, &set, &diag);
	if (r == 0)
		r = kw_ruleset_compile(&set, 0, ret, &diag);
	if (r == 0)
		return KW_EXIT_OK;
	kw_diag_print(&diag, stderr);
	return r == -ENOMEM ? KW_EXIT_OS : KW_EXIT_FINDING;
}

static json_t *group_json(const struct kw_group *group)
{
	json_t *names = json_array();

	for (size_t i = 0; i < group->count; i++)
		if (json_array_append_new(names,
					  json_string(kw_operation(group->operations[i])->name))) {
			json_decref(names);
			return NULL;
		}
	return json_pack("{s:s, s:s, s:o}", "group", group->name, "description", group->description,
			 "operations", names);
}

static void print_group(const struct kw_group *group)
{
	printf("%s: %s\n", group->name, group->description);
	for (size_t i = 0; i < group->count; i++)
		printf("  %s\n", kw_operation(group->operations[i])->name);
}

int kw_policy_groups(const struct kw_cli *cli, int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {}};
	bool json = cli->json;
	json_t *all;
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c != 'j')
			return KW_EXIT_USAGE;
		json = true;
	}
	if (optind < argc)
		return kw_policy_usage("groups", "unexpected argument '%s'", argv[optind]);
	if (!json) {
		for (size_t i = 0; i < kw_group_count(); i++)
			print_group(kw_group(i));
		return KW_EXIT_OK;
	}
	all = json_array();
	for (size_t i = 0; i < kw_group_count(); i++)
		if (json_array_append_new(all, group_json(kw_group(i)))) {
			json_decref(all);
			return kw_policy_dump(NULL);
		}
	return kw_policy_dump(all);
}

int kw_cmd_policy(const struct kw_cli *cli, int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct kw_cli *cli, int argc, char **argv);
	} parts[] = {
		{"check", kw_policy_check},	      {"explain", kw_policy_explain},
		{"groups", kw_policy_groups},	      {"mode", kw_policy_mode},
		{"operations", kw_policy_operations}, {"show", kw_policy_show},
	};

	for (int i = 1; i < argc; i++)
		if (kw_streq(argv[i], "--help")) {
			fputs(help, stdout);
			return KW_EXIT_OK;
		}
	if (argc < 2) {
		fputs(help, stderr);
		return KW_EXIT_USAGE;
	}
	for (size_t i = 0; i < KW_ARRAY_SIZE(parts); i++)
		if (kw_streq(parts[i].name, argv[1]))
			return parts[i].run(cli, argc - 1, argv + 1);
	fprintf(stderr, "kvmwarden policy: unknown part '%s'; see 'kvmwarden policy --help'\n",
		argv[1]);
	return KW_EXIT_USAGE;
}
