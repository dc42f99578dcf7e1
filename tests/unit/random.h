/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers for tests that try many cases: the same on each run, so that a failure is found again. */
#ifndef KVMWARDEN_TEST_RANDOM_H
#define KVMWARDEN_TEST_RANDOM_H

#include <stdint.h>

static uint64_t random_state = 88172645463325252ull;

/* xorshift64; from 0 to limit - 1. */
static inline unsigned int below(unsigned int limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % limit;
}

#endif
