/* SPDX-License-Identifier: GPL-2.0-only */
/* kvmwarden(1): the options all commands share, and the choice of a command. */
#define _GNU_SOURCE 1
#include <stdio.h>

#include "cli.h"
#include "names.h"
#include "usage.h"
#include "util.h"

struct command {
	const char *name;
	const char *title; /* what getopt(3) calls us */
	int (*run)(const struct kw_cli *cli, int argc, char **argv);
};

static const struct command commands[] = {
	{"status", "kvmwarden status", kw_cmd_status},
	{"vms", "kvmwarden vms", kw_cmd_vms},
	{"top", "kvmwarden top", kw_cmd_top},
	{"events", "kvmwarden events", kw_cmd_events},
	{"policy", "kvmwarden policy", kw_cmd_policy},
	{"allow", "kvmwarden allow", kw_cmd_allow},
	{"doctor", "kvmwarden doctor", kw_cmd_doctor},
	{"reload", "kvmwarden reload", kw_cmd_reload},
	{"report", "kvmwarden report", kw_cmd_report},
	{"run", "kvmwarden run", kw_cmd_run},
	{"unload", "kvmwarden unload", kw_cmd_unload},
	{"posture", "kvmwarden posture", kw_cmd_posture},
	{"fleet", "kvmwarden fleet", kw_cmd_fleet},
	{"completion", "kvmwarden completion", kw_cmd_completion},
};

int kw_cli_unexpected(const char *command, const char *argument)
{
	fprintf(stderr, "kvmwarden %s: unexpected argument '%s'; see 'kvmwarden --help'\n", command,
		argument);
	return KW_EXIT_USAGE;
}

static const char *command_name(unsigned int index)
{
	return index < KW_ARRAY_SIZE(commands) ? commands[index].name : NULL;
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < KW_ARRAY_SIZE(commands); i++)
		if (kw_streq(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int unknown_command(const char *name)
{
	const char *nearest = kw_nearest(name, command_name);

	if (nearest)
		fprintf(stderr, "kvmwarden: unknown command '%s'; did you mean '%s'?\n", name,
			nearest);
	else
		fprintf(stderr, "kvmwarden: unknown command '%s'; see 'kvmwarden --help'\n", name);
	return KW_EXIT_USAGE;
}

/* Of "--NAME VALUE" and "--NAME=VALUE": how many arguments it takes up; 0: it is another one. */
static int match_option(char **argv, const struct kw_usage_option *option, const char **ret_value)
{
	size_t len = strlen(option->name);

	if (strncmp(argv[0], "--", 2) != 0 || strncmp(argv[0] + 2, option->name, len) != 0)
		return 0;
	if (argv[0][2 + len] == '=' && option->value) {
		*ret_value = argv[0] + 2 + len + 1;
		return 1;
	}
	if (argv[0][2 + len] != '\0')
		return 0;
	*ret_value = argv[1];
	return option->value ? 2 : 1;
}

/*
 * What the command line says, with the shared options taken out of it wherever
 * they stand: rest is what remains.
 */
struct line {
	struct kw_cli cli;
	const char **dirs;
	size_t dir_count;
	char **rest;
	int rest_count;
};

/* --help and --version count where they stand: see run(). */
static bool take_value(struct line *line, int code, const char *value)
{
	switch (code) {
	case 'j':
		line->cli.json = true;
		return true;
	case 'S':
		line->cli.socket = value;
		return true;
	case 'P':
		line->dirs[line->dir_count++] = value;
		return true;
	}
	return false;
}

/* How many arguments were taken, 0 for one that is not ours, -EINVAL after a complaint. */
static int take_option(struct line *line, char **argv)
{
	const struct kw_usage_option *option;

	for (option = kw_usage_shared; option->name; option++) {
		const char *value = NULL;
		int taken = match_option(argv, option, &value);

		if (taken == 0)
			continue;
		if (option->value && !value) {
			fprintf(stderr, "kvmwarden: option '%s' needs a value\n", argv[0]);
			return -EINVAL;
		}
		return take_value(line, option->code, value) ? taken : 0;
	}
	return 0;
}

static int parse(struct line *line, int argc, char **argv)
{
	int i, taken;

	for (i = 1; i < argc; i += taken) {
		if (kw_streq(argv[i], "--"))
			break;
		taken = take_option(line, argv + i);
		if (taken < 0)
			return taken;
		if (taken == 0) {
			line->rest[line->rest_count++] = argv[i];
			taken = 1;
		}
	}
	for (; i < argc; i++)
		line->rest[line->rest_count++] = argv[i];
	if (line->dir_count > 0)
		line->cli.policy_dirs = line->dirs;
	return 0;
}

static bool has_argument(const struct line *line, const char *argument)
{
	int i;

	/* Behind "--" are somebody else's. */
	for (i = 0; i < line->rest_count && !kw_streq(line->rest[i], "--"); i++)
		if (kw_streq(line->rest[i], argument))
			return true;
	return false;
}

/* Of the command that the words name, with its part; of all, if they name none. */
static int print_help(char **words, int count)
{
	const struct kw_usage *usage = NULL;
	char name[64];

	if (count > 1) {
		snprintf(name, sizeof(name), "%s %s", words[0], words[1]);
		usage = kw_usage_find("kvmwarden", name);
	}
	if (!usage && count > 0)
		usage = kw_usage_find("kvmwarden", words[0]);
	if (usage)
		kw_usage_print(usage, stdout);
	else if (count == 0 || words[0][0] == '-')
		kw_usage_print_all(count > 0 && kw_streq(words[0], "--all"), stdout);
	else
		return unknown_command(words[0]);
	return KW_EXIT_OK;
}

static int run(struct line *line)
{
	const struct command *command;
	char **rest = line->rest;

	if (line->rest_count > 0 && kw_streq(rest[0], "--version")) {
		puts("kvmwarden " KW_VERSION);
		return KW_EXIT_OK;
	}
	if (line->rest_count > 0 && kw_streq(rest[0], "help"))
		return print_help(rest + 1, line->rest_count - 1);
	if (has_argument(line, "--help"))
		return print_help(rest, line->rest_count);
	if (line->rest_count == 0) {
		kw_usage_print_all(false, stderr);
		return KW_EXIT_USAGE;
	}
	if (rest[0][0] == '-') {
		fprintf(stderr, "kvmwarden: unknown option '%s'; see 'kvmwarden --help'\n",
			rest[0]);
		return KW_EXIT_USAGE;
	}
	command = find_command(rest[0]);
	if (!command)
		return unknown_command(rest[0]);
	rest[0] = (char *)command->title;
	return command->run(&line->cli, line->rest_count, rest);
}

/* What was said must also have been heard: a full disk is a failure, a closed pipe is not. */
static int close_output(int status)
{
	if ((fflush(stdout) != EOF && !ferror(stdout)) || errno == EPIPE || status != KW_EXIT_OK)
		return status;
	fprintf(stderr, "kvmwarden: cannot write: %s\n", strerror(errno));
	return KW_EXIT_OS;
}

int main(int argc, char **argv)
{
	struct line line = {.cli.socket = KW_SOCKET_DEFAULT};
	int r = KW_EXIT_OS;

	line.dirs = calloc((size_t)argc + 1, sizeof(*line.dirs));
	line.rest = calloc((size_t)argc + 1, sizeof(*line.rest));
	if (line.dirs && line.rest)
		r = parse(&line, argc, argv) < 0 ? KW_EXIT_USAGE : run(&line);
	free(line.dirs);
	free(line.rest);
	return close_output(r);
}
