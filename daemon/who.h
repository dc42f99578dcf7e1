/* SPDX-License-Identifier: GPL-2.0-only */
/* The kinds of VMM that policies can tell apart, with one identity for each. */
#ifndef KVMWARDEN_WHO_H
#define KVMWARDEN_WHO_H

#include <stdbool.h>
#include <stddef.h>

#include "ruleset.h"

/*
 * Theory of operation
 *
 * A policy looks at an identity in three independent ways: the executable, the
 * control group with the unit in it, and the user. In each of them, two
 * identities for which the same patterns hold are the same to every policy, so
 * one of each such class will do.
 *
 * A pattern is a prefix, a star and a suffix. Which patterns hold for a text is
 * decided by the longest of their prefixes and the longest of their suffixes it
 * has, unless it is too short for both. So the texts tried are: each pair of a
 * prefix and a suffix with a letter between them that no pattern has, each pair
 * that overlaps, and each text of a pattern without a star. For the executable
 * nothing is missed. The unit is a component of the control group, which ties
 * the two together: it is put at each place where a pattern may want it.
 */

/* More patterns than these allow: the answer says that it is not complete. */
#define KW_WHO_TEXTS_MAX 200000 /* tried, in one way of looking */
#define KW_WHO_CLASSES_MAX 256 /* of one way of looking: bits of struct kw_who_set */
#define KW_WHO_MAX 16384 /* identities: the product of the classes */

enum kw_who_way {
	KW_WHO_EXE,
	KW_WHO_CGROUP,
	KW_WHO_USER,
	_KW_WHO_WAYS,
};

struct kw_who_class {
	struct kw_identity who; /* only what the way of looking sees */
	char *label; /* the patterns that hold: "/usr/bin/qemu-*"; of .other NULL */
	bool other; /* none of them holds */
};

struct kw_who_classes {
	struct kw_who_class *classes;
	size_t count; /* at least one */
};

struct kw_who {
	struct kw_who_classes ways[_KW_WHO_WAYS];
	size_t count; /* of identities, at most KW_WHO_MAX */
	bool complete;
};

/* One bit per class. */
struct kw_who_set {
	uint64_t bits[_KW_WHO_WAYS][KW_WHO_CLASSES_MAX / 64];
};

static inline bool kw_who_set_has(const struct kw_who_set *set, unsigned int way, size_t class)
{
	return set->bits[way][class / 64] & (1ull << (class % 64));
}

static inline void kw_who_set_add(struct kw_who_set *set, unsigned int way, size_t class)
{
	set->bits[way][class / 64] |= 1ull << (class % 64);
}

/* All kinds that the policies of count sets can tell apart. -ENOMEM; else end with kw_who_done(). */
int kw_who_classify(const struct kw_ruleset *const *sets, size_t count, struct kw_who *ret);
void kw_who_done(struct kw_who *who);

/* An identity by its number, from 0 to count - 1, and its class in each way. */
struct kw_identity kw_who_identity(const struct kw_who *who, size_t number);
size_t kw_who_class_of(const struct kw_who *who, size_t number, unsigned int way);

/* "any VMM", "exe /usr/bin/qemu-* or unknown": malloc()ed; NULL when there is no memory. */
char *kw_who_text(const struct kw_who *who, const struct kw_who_set *set);

#endif
