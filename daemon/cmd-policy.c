/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden policy": finds the part that is asked for; the groups. */
#define _GNU_SOURCE 1
#include "cmd-policy.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "names.h"
#include "util.h"

static const char help[] =
	"usage: kvmwarden policy check [--json] [--backend BACKEND] FILE...\n"
	"       kvmwarden policy diff [--json] OLD NEW\n"
	"       kvmwarden policy explain [OPTION...] --type TYPE --state STATE --op OPERATION\n"
	"       kvmwarden policy explain [OPTION...] --all\n"
	"       kvmwarden policy export --format FORMAT [--listener PATH] [--policy-dir DIR]...\n"
	"       kvmwarden policy groups [--json]\n"
	"       kvmwarden policy learn [OPTION...] EVENTS\n"
	"       kvmwarden policy mode NAME audit|enforce|file\n"
	"       kvmwarden policy operations [--json]\n"
	"       kvmwarden policy show [--json] [--policy-dir DIR]...\n"
	"       kvmwarden policy simulate [OPTION...] [FILE|DIR]... EVENTS\n"
	"\n"
	"None of them but mode needs the daemon, or root.\n"
	"\n"
	"check     reads each file, then takes all of them as one set; exit status 1 if any is "
	"bad,\n"
	"          or if BACKEND cannot do what a rule in force wants: lsm, fmod_ret, tracepoint,\n"
	"          seccomp (kvmwarden run), seccomp-plain (the same where there is no BPF),\n"
	"          seccomp-alone (kvmwarden run --unsupervised)\n"
	"diff      what a change of policies means: which operation gets another verdict, errno "
	"or\n"
	"          rate limit, on which VMs, by which lines. OLD and NEW are files or "
	"directories.\n"
	"          An ioctl 'alone' is one without those that share it.\n"
	"          Exit status 0: they mean the same, 1: they differ, 65: one is broken, or they\n"
	"          tell more kinds of VMM apart than can be compared\n"
	"export    what needs no supervisor, as a seccomp filter for others: libseccomp-pfc, oci\n"
	"          (containers; with --listener all that seccomp can do, asked for at that "
	"socket)\n"
	"          or firecracker; and what could not be expressed\n"
	"explain   the verdict on an operation, and the line of the policy that decides\n"
	"groups    the groups of operations that rules can name\n"
	"learn     prints a policy that allows what was recorded of a VMM and refuses all else;\n"
	"          exit status 1: it is not clear of which VMM\n"
	"mode      switches one policy of the running daemon, without touching its file; file:\n"
	"          back to what the file says\n"
	"operations\n"
	"          what rules can name: the number, or the ioctl it shares with others and its "
	"own\n"
	"          number there; the files it is issued on; the groups it is in\n"
	"show      the policies of the drop-in directories, in their order\n"
	"simulate  recorded events under other policies: what would have been different. Exit\n"
	"          status 0: no caller would have got another answer, 1: one would, or a line\n"
	"          could not be read, 65: the policies are broken, or EVENTS cannot be read\n"
	"\n"
	"EVENTS are the JSON lines of 'kvmwardend --events'; - is standard input. They hold what "
	"made\n"
	"an event, and nothing else: to ask what a new policy would refuse, or to learn one, "
	"record\n"
	"under a policy that audits everything. A limit is per operation and VM: nothing is "
	"missed.\n"
	"  rules: [{operations: [\"@all\", VM_DESTROY], verdict: audit, rate-limit: 10/s}]\n"
	"\n"
	"options of explain:\n"
	"  --type TYPE       VM type; of KVM_CREATE_VM the type asked for; none: on /dev/kvm "
	"itself\n"
	"  --state STATE     building or sealed\n"
	"  --op OPERATION    such as KVM_SET_REGS\n"
	"  --all             every value of those of the three that are not given, as a table\n"
	"  --verbose         in the table also each operation that is allowed\n"
	"  --exe PATH        the executable, the unit, the control group and the user the VM was\n"
	"  --unit UNIT         created by; one of the first three that is not given matches every\n"
	"  --cgroup PATH       pattern, a user not given matches no policy that names one. A\n"
	"  --user USER         control group has the unit that is in its path\n"
	"\n"
	"options of simulate:\n"
	"  --verbose         in the table also what would only be reported, or no longer be\n"
	"\n"
	"options of learn:\n"
	"  --exe PATH        only of VMs created by this executable; may be a pattern\n"
	"  --unit UNIT       only of those created in this unit, which the policy then names too\n"
	"  --vm ID           only of this VM\n"
	"  --name NAME       the policy's name, instead of one made of the executable's\n"
	"  --enforce         mode enforce instead of audit\n"
	"\n"
	"options of all:\n"
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

int kw_policy_options(int argc, char **argv, const struct option *options,
		      int (*take)(void *target, int c), void *target)
{
	static const struct option none[] = {{}};
	int c, status;

	optind = 0;
	while ((c = getopt_long(argc, argv, ":", options ?: none, NULL)) >= 0) {
		if (c == ':')
			return kw_policy_usage(argv[0], "option '%s' needs a value",
					       argv[optind - 1]);
		if (c == '?')
			return kw_policy_usage(argv[0], "unknown option '%s'", argv[optind - 1]);
		status = take ? take(target, c) : KW_EXIT_USAGE;
		if (status != KW_EXIT_OK)
			return status;
	}
	return KW_EXIT_OK;
}

int kw_policy_no_arguments(int argc, char **argv)
{
	if (optind >= argc)
		return KW_EXIT_OK;
	return kw_policy_usage(argv[0], "unexpected argument '%s'", argv[optind]);
}

int kw_policy_no_memory(void)
{
	fputs("kvmwarden: out of memory\n", stderr);
	return KW_EXIT_OS;
}

int kw_policy_dump(json_t *value)
{
	int r;

	if (!value)
		return kw_policy_no_memory();
	r = json_dumpf(value, stdout, JSON_COMPACT);
	json_decref(value);
	if (r < 0 || putchar('\n') == EOF)
		return KW_EXIT_OS;
	return KW_EXIT_OK;
}

static int compile(struct kw_policy_set *set, struct kw_ruleset **ret, struct kw_diag *diag, int r)
{
	if (r == 0)
		r = kw_ruleset_compile(set, 0, ret, diag);
	if (r == 0)
		return KW_EXIT_OK;
	if (r == -ENOMEM)
		return kw_policy_no_memory();
	kw_diag_print(diag, stderr);
	return KW_EXIT_FINDING;
}

int kw_policy_load(const struct kw_cli *cli, struct kw_ruleset **ret)
{
	_cleanup_(kw_policy_set_done) struct kw_policy_set set = {};
	_cleanup_(kw_diag_done) struct kw_diag diag = {};
	/* The default directories are read as the daemon reads them. */
	bool as_daemon = !cli->policy_dirs;
	int r;

	r = kw_policy_set_load(cli->policy_dirs ?: kw_policy_default_dirs, as_daemon, as_daemon,
			       &set, &diag);
	return compile(&set, ret, &diag, r);
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int kw_policy_load_paths(char *const *paths, size_t count, struct kw_ruleset **ret)
{
	_cleanup_(kw_policy_set_done) struct kw_policy_set set = {};
	_cleanup_(kw_diag_done) struct kw_diag diag = {};
	_cleanup_free_ const char **dirs = calloc(count + 1, sizeof(*dirs));
	size_t dir_count = 0;
	int r;

	if (!dirs)
		return kw_policy_no_memory();
	for (size_t i = 0; i < count; i++)
		if (is_directory(paths[i]))
			dirs[dir_count++] = paths[i];
	r = kw_policy_set_load(dirs, false, false, &set, &diag);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (!is_directory(paths[i]))
			r = kw_policy_read(paths[i], false, &set, &diag);
	return compile(&set, ret, &diag, r);
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
	json_t *all;
	int status;

	status = kw_policy_options(argc, argv, NULL, NULL, NULL);
	if (status == KW_EXIT_OK)
		status = kw_policy_no_arguments(argc, argv);
	if (status != KW_EXIT_OK)
		return status;
	if (!cli->json) {
		for (size_t i = 0; i < kw_group_count(); i++)
			print_group(kw_group(i));
		return KW_EXIT_OK;
	}
	all = json_array();
	for (size_t i = 0; i < kw_group_count(); i++)
		if (json_array_append_new(all, group_json(kw_group(i)))) {
			json_decref(all);
			return kw_policy_no_memory();
		}
	return kw_policy_dump(all);
}

int kw_cmd_policy(const struct kw_cli *cli, int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct kw_cli *cli, int argc, char **argv);
	} parts[] = {
		{"check", kw_policy_check},   {"diff", kw_policy_diff},
		{"export", kw_policy_export}, {"explain", kw_policy_explain},
		{"groups", kw_policy_groups}, {"learn", kw_policy_learn},
		{"mode", kw_policy_mode},     {"operations", kw_policy_operations},
		{"show", kw_policy_show},     {"simulate", kw_policy_simulate},
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
