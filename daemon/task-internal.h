/* SPDX-License-Identifier: GPL-2.0-only */
/* What task*.c share. */
#ifndef KVMWARDEN_TASK_INTERNAL_H
#define KVMWARDEN_TASK_INTERNAL_H

#include "task.h"

/* Its directory in /proc: what is read there is of this thread, even if its number is used again. */
int kw_task_open(uint32_t tid, int *ret);
/* A file in it, as a string; what does not fit is left out. */
int kw_task_read(uint32_t tid, int dir, const char *name, char *ret, size_t size);
int kw_task_read_status(uint32_t tid, int dir, struct kw_identity *ret);

#endif
