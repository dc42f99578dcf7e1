/* SPDX-License-Identifier: GPL-2.0-only */
/* What "kvmwarden top" knows between two frames. */
#ifndef KVMWARDEN_CMD_TOP_H
#define KVMWARDEN_CMD_TOP_H

#include "cli.h"
#include "top-frame.h"

struct kw_top_watch {
	const struct kw_cli *cli;
	uint64_t interval_ns;
	char host[256];
	struct kw_top_sample *before, *now; /* or NULL */
	int error; /* of the last look, or 0 */
	char *sentence; /* why, or NULL */
	struct kw_top_frame frame; /* borrows from the others */
};

/* Asks the daemon. That it does not answer is in .error, .sentence, and the frame. -ENOMEM. */
int kw_top_watch_look(struct kw_top_watch *watch);
/* Makes the frame anew, after its column or only_denials was changed. -ENOMEM. */
int kw_top_watch_arrange(struct kw_top_watch *watch);

/*
 * Shows frames on the terminal until the user or a signal ends it. Returns an exit status;
 * -ENOTSUP, with nothing shown, when there is no screen on this terminal.
 */
int kw_top_screen(struct kw_top_watch *watch);

#endif
