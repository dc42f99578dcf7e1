/* SPDX-License-Identifier: GPL-2.0-only */
/* Sets of operations, and the words a person would use for them. */
#ifndef KVMWARDEN_OPERATION_SET_H
#define KVMWARDEN_OPERATION_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvmwarden.h"

struct kw_operation_set {
	uint8_t bits[KW_OPERATIONS_MAX / 8];
};

static inline bool kw_operation_set_has(const struct kw_operation_set *set, unsigned int index)
{
	return set->bits[index / 8] & (1u << (index % 8));
}

static inline void kw_operation_set_add(struct kw_operation_set *set, unsigned int index)
{
	set->bits[index / 8] |= 1u << (index % 8);
}

static inline void kw_operation_set_remove(struct kw_operation_set *set, unsigned int index)
{
	set->bits[index / 8] &= ~(1u << (index % 8));
}

size_t kw_operation_set_count(const struct kw_operation_set *set);

/* Those that can be issued on a VM of this type in this state; see kw_question_makes_sense(). */
struct kw_operation_set kw_operation_set_of(unsigned int type, unsigned int state);
/* Those that a rule can name. */
struct kw_operation_set kw_operation_set_all(void);

/*
 * Words for exactly this set, where only operations of universe count: groups
 * that are whole, then ioctls that stand for all that share them, then names.
 * An ioctl of which not all members are in the set is .alone: a rule cannot say it.
 */
struct kw_operation_word {
	const char *name; /* static */
	unsigned int index; /* the operation; of a group its first one */
	bool group;
	bool alone;
};

struct kw_operation_words {
	struct kw_operation_word words[KW_OPERATIONS_MAX];
	size_t count;
};

void kw_operation_set_words(const struct kw_operation_set *set,
			    const struct kw_operation_set *universe,
			    struct kw_operation_words *ret);

/* The words as a list, with "@all except ..." where that is shorter. malloc()ed; NULL: no memory. */
char *kw_operation_set_text(const struct kw_operation_set *set,
			    const struct kw_operation_set *universe);

#endif
