/* SPDX-License-Identifier: GPL-2.0-only */
/* Files of events that are moved away when they are large or old. */
#ifndef KVMWARDEN_ROTATE_H
#define KVMWARDEN_ROTATE_H

#include <stdbool.h>
#include <stdint.h>

#define KW_ROTATE_KEEP_MAX 1000

/* All zero: never. */
struct kw_rotation {
	uint64_t bytes; /* 0: whatever the size */
	uint64_t seconds; /* at each multiple of it since 1970; 0: whatever the age */
	uint32_t keep; /* files that are kept beside the one in use; at least 1 */
};

static inline bool kw_rotates(const struct kw_rotation *rotation)
{
	return rotation->bytes || rotation->seconds;
}

/* Is it time? fd is the file in use; an empty one, and what is no file, stay. now: CLOCK_REALTIME. */
bool kw_rotation_due(const struct kw_rotation *rotation, int fd, uint64_t now_ns);

/*
 * FILE.1 becomes FILE.2 and so on, FILE becomes FILE.1; what would be FILE.(keep + 1) is gone.
 * 0 or -errno: then FILE is where it was, and no older one is gone.
 */
int kw_rotate(const char *path, uint32_t keep);

#endif
