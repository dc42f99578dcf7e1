/* SPDX-License-Identifier: GPL-2.0-only */
/* The configuration file of kvmwardend: what the command line says otherwise. */
#ifndef KVMWARDEN_CONFIG_H
#define KVMWARDEN_CONFIG_H

#include "diag.h"
#include "options.h"

/* Where it is looked for if --config names none; the first one that is there. */
extern const char *const kw_config_default_paths[];

/*
 * Reads the file of this path into *options, which owns the strings from then on; with path NULL
 * the one of $CREDENTIALS_DIRECTORY, or the first of the default paths: there may be none.
 * -errno with *reterr filled but for -ENOMEM; -EINVAL for whatever is wrong with its text.
 */
int kw_config_read(const char *path, struct kw_options *options, struct kw_diag *reterr);

/* The same of a text. For tests. */
int kw_config_parse(const char *file, const char *text, size_t size, struct kw_options *options,
		    struct kw_diag *reterr);

#endif
