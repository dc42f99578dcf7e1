/* SPDX-License-Identifier: GPL-2.0-only */
/* What outlives the daemon: links and maps pinned in bpffs. */
#ifndef KVMWARDEN_PINS_H
#define KVMWARDEN_PINS_H

#include <stdbool.h>

#include <stddef.h>
#include <stdint.h>

/*
 * KW_PINS/MAP             the maps that all sets share: counters, condemned
 * KW_PINS/EPOCH/NAME      the links, maps and the mark of one set; EPOCH counts up from 1
 * KW_PINS/guard/NAME      the guard of a sealed host
 */
#define KW_PINS "/sys/fs/bpf/kvmwarden"
#define KW_PINS_GUARD KW_PINS "/guard"
#define KW_PIN_COUNTERS "counters"
#define KW_PIN_CONDEMNED "condemned"
#define KW_PIN_PATH_MAX 512

/* Mounts a bpffs at /sys/fs/bpf unless there is one. */
int kw_pins_mount(void);

/*
 * Makes KW_PINS and takes its lock, which lasts as long as *ret is open: one
 * daemon at a time has pins. -EBUSY when another one has it; -EPERM when the
 * directory belongs to somebody else than root, or others can write to it.
 */
int kw_pins_lock(int *ret);

/* Ends it, and removes KW_PINS if nothing is in it. -1 is fine. */
void kw_pins_unlock(int lock);

/* Is a set with one of these programs pinned? 1, 0, or -errno: nobody knows. */
int kw_pins_have_program(const char *const *names, size_t count);

/* Creates the directory of the next epoch; *ret (malloc()ed) is its path. */
int kw_pins_new_epoch(char **ret, uint32_t *ret_number);

/* Calls visit for each epoch, the latest first, until it returns other than 0; returns that. */
int kw_pins_each_epoch(int (*visit)(const char *path, void *userdata), void *userdata);

/* Removes all epochs but keep (a path, or NULL for all of them). */
int kw_pins_remove_others(const char *keep);

/* Removes one epoch, by its path. */
int kw_pins_remove_epoch(const char *path);

/* Removes the shared maps where no set is left, of a start that failed. */
void kw_pins_forget_shared(void);

/* Removes the guard: what is left is nobody's but root's then. 0 when there is none. */
int kw_pins_remove_guard(void);

/* Removes everything, the guard first, the shared maps last. 0 when there was nothing. */
int kw_pins_remove_all(void);

/* Is any set pinned, or a guard? */
bool kw_pins_exist(void);

#endif
