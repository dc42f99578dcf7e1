/* SPDX-License-Identifier: GPL-2.0-only */
/* Of which host, and when: what makes an export one that can be merged with others. */
#ifndef KVMWARDEN_STAMP_H
#define KVMWARDEN_STAMP_H

#include <jansson.h>

/* Adds "host" and "time" (RFC 3339, UTC). -ENOMEM. */
int kw_stamp(json_t *object);

#endif
