/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads JSON, also where memory is short. */
#ifndef KVMWARDEN_JSON_READ_H
#define KVMWARDEN_JSON_READ_H

#include <jansson.h>
#include <stddef.h>

/* One value and nothing behind it, as json_loadb() reads it; NULL: it is none, or out of memory. */
json_t *kw_json_read(const char *text, size_t len, size_t flags);

#endif
