/* SPDX-License-Identifier: GPL-2.0-only */
/* kvmwardend(8). */
#include "daemon.h"

int main(int argc, char **argv)
{
	struct kw_options options;
	int status;

	if (kw_options_parse(argc, argv, &options, &status))
		return status;
	status = options.check ? kw_daemon_check(&options) : kw_daemon_run(&options);
	kw_options_done(&options);
	return status;
}
