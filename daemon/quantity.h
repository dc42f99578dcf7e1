/* SPDX-License-Identifier: GPL-2.0-only */
/* Times and sizes as people write them. */
#ifndef KVMWARDEN_QUANTITY_H
#define KVMWARDEN_QUANTITY_H

#include <stdint.h>

/*
 * "60s", "5min", "1h" or "7d", as seconds; "4096", "64K", "16M" or "1G", as bytes, in powers of
 * 1024. At least 1. -EINVAL: it is none; -ERANGE: it is zero, or above max.
 */
int kw_parse_seconds(const char *text, uint64_t max, uint64_t *ret);
int kw_parse_bytes(const char *text, uint64_t max, uint64_t *ret);

#endif
