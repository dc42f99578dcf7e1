/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden policy": finds the part that is asked for; the groups. */
#define _GNU_SOURCE 1
#include "cmd-policy.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "names.h"
#include "usage.h"
#include "util.h"

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

int kw_policy_options(int argc, char **argv, int (*take)(void *target, int c), void *target)
{
	struct kw_getopt getopt;
	char name[64];
	int c, status;

	snprintf(name, sizeof(name), "policy %s", argv[0]);
	kw_usage_getopt(name, ":", &getopt);
	while ((c = getopt_long(argc, argv, getopt.letters, getopt.options, NULL)) >= 0) {
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

	status = kw_policy_options(argc, argv, NULL, NULL);
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

	if (argc < 2) {
		kw_usage_print(kw_usage_find("kvmwarden", "policy"), stderr);
		return KW_EXIT_USAGE;
	}
	for (size_t i = 0; i < KW_ARRAY_SIZE(parts); i++)
		if (kw_streq(parts[i].name, argv[1]))
			return parts[i].run(cli, argc - 1, argv + 1);
	fprintf(stderr, "kvmwarden policy: unknown part '%s'; see 'kvmwarden policy --help'\n",
		argv[1]);
	return KW_EXIT_USAGE;
}
