/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden completion": a script for a shell. */
#include "cli.h"
#include "usage.h"

int kw_cmd_completion(const struct kw_cli *cli, int argc, char **argv)
{
	(void)cli;
	if (argc > 2)
		return kw_cli_unexpected("completion", argv[2]);
	if (argc == 2 && kw_usage_complete(argv[1], stdout) == 0)
		return KW_EXIT_OK;
	fputs("kvmwarden completion: of which shell? bash, zsh or fish\n", stderr);
	return KW_EXIT_USAGE;
}
