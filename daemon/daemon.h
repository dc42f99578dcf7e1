/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon: policies in, programs up, events out. */
#ifndef KVMWARDEN_DAEMON_H
#define KVMWARDEN_DAEMON_H

#include "options.h"

/*
 * Brings everything up, serves until it is told to end, and returns an exit
 * status (enum kw_exit). What goes wrong at start is told on stderr, one
 * sentence each; nothing is left in the kernel then.
 */
int kw_daemon_run(const struct kw_options *options);

/* "--check": reads the policies, says what is wrong, touches nothing; an exit status. */
int kw_daemon_check(const struct kw_options *options);

#endif
