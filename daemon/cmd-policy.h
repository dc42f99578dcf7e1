/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of "kvmwarden policy". */
#ifndef KVMWARDEN_CMD_POLICY_H
#define KVMWARDEN_CMD_POLICY_H

#include <jansson.h>

#include "cli.h"
#include "policy.h"
#include "ruleset.h"

/*
 * argv[0] is the name of the part; each returns an exit status. --json and
 * --policy-dir are in cli: main-cli.c takes them out wherever they stand.
 */
int kw_policy_check(const struct kw_cli *cli, int argc, char **argv);
int kw_policy_diff(const struct kw_cli *cli, int argc, char **argv);
int kw_policy_export(const struct kw_cli *cli, int argc, char **argv);
int kw_policy_explain(const struct kw_cli *cli, int argc, char **argv);
int kw_policy_groups(const struct kw_cli *cli, int argc, char **argv);
int kw_policy_learn(const struct kw_cli *cli, int argc, char **argv);
int kw_policy_mode(const struct kw_cli *cli, int argc, char **argv);
int kw_policy_operations(const struct kw_cli *cli, int argc, char **argv);
int kw_policy_show(const struct kw_cli *cli, int argc, char **argv);
int kw_policy_simulate(const struct kw_cli *cli, int argc, char **argv);

/* For an option or an argument that is wrong: a sentence, and where --help is. */
int kw_policy_usage(const char *part, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Reads the options of a part, as kw_usages has them: take() gets the .val of each, with its argument
 * in optarg, and returns an exit status; NULL for a part that has none. The other arguments then start at argv[optind].
 */
int kw_policy_options(int argc, char **argv, int (*take)(void *target, int c), void *target);

/* Refuses arguments after the options; for a part that takes none. */
int kw_policy_no_arguments(int argc, char **argv);

/*
 * The policies of the directories of cli, or of the default ones, compiled. A
 * fault is printed; returns an exit status.
 */
int kw_policy_load(const struct kw_cli *cli, struct kw_ruleset **ret);
/* The same of files, and of directories as layers of drop-ins; these come first. */
int kw_policy_load_paths(char *const *paths, size_t count, struct kw_ruleset **ret);

/* Writes value, takes it over, and returns an exit status. NULL means no memory. */
int kw_policy_dump(json_t *value);
int kw_policy_no_memory(void);

#endif
