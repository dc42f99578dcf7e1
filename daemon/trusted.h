/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that root obeys: policies, and the daemon's configuration. */
#ifndef KVMWARDEN_TRUSTED_H
#define KVMWARDEN_TRUSTED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "diag.h"

#define KW_TRUSTED_MAX (1024 * 1024) /* bytes of a file */

/* Does it belong to root, and can nobody else write it? 0, or -EPERM and *reterr filled. */
int kw_check_owner(const char *path, const struct stat *st, struct kw_diag *reterr);

/*
 * The whole of a regular file, malloc()ed. noun, for messages: "policy". strict_owner: it
 * must pass kw_check_owner(), too. -errno with *reterr filled but for -ENOMEM.
 */
int kw_read_trusted(const char *path, const char *noun, bool strict_owner, char **ret,
		    size_t *ret_size, struct kw_diag *reterr);

#endif
