/* SPDX-License-Identifier: GPL-2.0-only */
/* What outlives the daemon: links and maps pinned in bpffs. */
#ifndef KVMWARDEN_PINS_H
#define KVMWARDEN_PINS_H

#include <stdbool.h>

/*
 * KW_PINS/counters        the counters map, shared by all sets
 * KW_PINS/EPOCH/PROGRAM   the links of one set; EPOCH counts up from 1
 */
#define KW_PINS "/sys/fs/bpf/kvmwarden"
#define KW_PINS_COUNTERS KW_PINS "/counters"

/* -ENODEV when no bpffs is mounted at /sys/fs/bpf. */
int kw_pins_check(void);

/* Creates the directory of the next epoch; *ret (malloc()ed) is its path. */
int kw_pins_new_epoch(char **ret);

/* Removes all epochs but keep (a path, or NULL for all of them). */
int kw_pins_remove_others(const char *keep);

/* Removes one epoch, by its path. */
int kw_pins_remove_epoch(const char *path);

/* Removes everything, the counters included. 0 when there was nothing. */
int kw_pins_remove_all(void);

/* Is any set pinned? */
bool kw_pins_exist(void);

#endif
