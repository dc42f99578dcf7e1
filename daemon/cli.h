/* SPDX-License-Identifier: GPL-2.0-only */
/* What the subcommands of kvmwarden(1) share. */
#ifndef KVMWARDEN_CLI_H
#define KVMWARDEN_CLI_H

#include <stdbool.h>

/* Set by the Makefile. */
#ifndef KW_VERSION
#define KW_VERSION "unknown"
#endif

/* Exit statuses of kvmwarden and kvmwardend; those from 64 up are sysexits(3). */
enum kw_exit {
	KW_EXIT_OK = 0,
	KW_EXIT_FINDING = 1, /* broken policy; not enforcing as configured */
	KW_EXIT_USAGE = 64, /* unknown option or argument */
	KW_EXIT_DATA = 65, /* where 1 is an answer: no answer, or not the whole one */
	KW_EXIT_UNAVAILABLE = 69, /* the kernel, KVM or the daemon is not there */
	KW_EXIT_SOFTWARE = 70, /* a bug */
	KW_EXIT_OS = 71, /* out of memory, fds... */
	KW_EXIT_NOPERM = 77, /* not root, not in the group */
};

#define KW_SOCKET_DEFAULT "/run/kvmwarden/io.kvmwarden.Manager"
#define KW_CONFIG_DEFAULT "/etc/kvmwarden/kvmwarden.conf"

struct kw_cli {
	const char *socket;
	const char *const *policy_dirs; /* NULL-terminated; NULL: kw_policy_default_dirs */
	bool json;
};

/* Complains about an argument too many; returns KW_EXIT_USAGE. */
int kw_cli_unexpected(const char *command, const char *argument);

/* argv[0] is the subcommand's own name, as in "kvmwarden status"; each returns an exit status. */
int kw_cmd_status(const struct kw_cli *cli, int argc, char **argv);
int kw_cmd_top(const struct kw_cli *cli, int argc, char **argv);
int kw_cmd_vms(const struct kw_cli *cli, int argc, char **argv);
int kw_cmd_events(const struct kw_cli *cli, int argc, char **argv);
int kw_cmd_events_verify(const struct kw_cli *cli, int argc, char **argv);
int kw_cmd_policy(const struct kw_cli *cli, int argc, char **argv);
int kw_cmd_allow(const struct kw_cli *cli, int argc, char **argv);
int kw_cmd_doctor(const struct kw_cli *cli, int argc, char **argv);
int kw_cmd_reload(const struct kw_cli *cli, int argc, char **argv);
int kw_cmd_report(const struct kw_cli *cli, int argc, char **argv);
int kw_cmd_run(const struct kw_cli *cli, int argc, char **argv);
int kw_cmd_unload(const struct kw_cli *cli, int argc, char **argv);
int kw_cmd_posture(const struct kw_cli *cli, int argc, char **argv);
int kw_cmd_fleet(const struct kw_cli *cli, int argc, char **argv);
int kw_cmd_completion(const struct kw_cli *cli, int argc, char **argv);

#endif
