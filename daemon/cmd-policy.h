/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of "kvmwarden policy". */
#ifndef KVMWARDEN_CMD_POLICY_H
#define KVMWARDEN_CMD_POLICY_H

#include <jansson.h>

#include "cli.h"
#include "policy.h"
#include "ruleset.h"

/* argv[0] is the name of the subcommand's part; each returns an exit status. */
int kw_policy_check(const struct kw_cli *cli, int argc, char **argv);
int kw_policy_explain(const struct kw_cli *cli, int argc, char **argv);
int kw_policy_groups(const struct kw_cli *cli, int argc, char **argv);
int kw_policy_mode(const struct kw_cli *cli, int argc, char **argv);
int kw_policy_operations(const struct kw_cli *cli, int argc, char **argv);
int kw_policy_show(const struct kw_cli *cli, int argc, char **argv);

/* For an option the parser refused, or one too many: points to --help. */
int kw_policy_usage(const char *part, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The policies of dirs (NULL-terminated; NULL: those of cli, or the default
 * ones), compiled. A fault is printed; returns an exit status.
 */
int kw_policy_load(const struct kw_cli *cli, const char *const *dirs, struct kw_ruleset **ret);

/* Writes value, takes it over, and returns an exit status. NULL means no memory. */
int kw_policy_dump(json_t *value);

#endif
