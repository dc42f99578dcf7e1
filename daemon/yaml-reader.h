/* SPDX-License-Identifier: GPL-2.0-only */
/* A strict reader of small YAML files: tables of keys over libyaml's events. */
#ifndef KVMWARDEN_YAML_READER_H
#define KVMWARDEN_YAML_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "diag.h"

/*
 * Theory of operation
 *
 * libyaml gives events, one of which is current. A reader function is called
 * with the first event of its value current, and leaves the last one current.
 * Everything a policy has no use for is refused where it stands: aliases,
 * anchors, tags, further documents, NUL, deep nesting, line breaks that editors
 * do not show. Nothing is ever expanded or guessed: a scalar is a string,
 * whatever it looks like.
 *
 * All functions return 0 or -errno, with the diagnostic filled in.
 */

/* Deeper than any policy; checked as each collection starts. */
#define KW_YAML_DEPTH_MAX 16
/* A mapping has at most this many keys, one bit each. */
#define KW_YAML_KEYS_MAX 32

/* A place in the file, both from 1. */
struct kw_yaml_mark {
	unsigned int line;
	unsigned int column;
};

struct kw_yaml {
	const char *file; /* borrowed, for diagnostics */
	const char *text; /* borrowed */
	size_t size;
	struct kw_diag *diag; /* borrowed, may be NULL */
	yaml_parser_t parser;
	yaml_event_t event; /* the current one */
	unsigned int depth;
};

struct kw_yaml_key {
	const char *name;
	bool required;
	int (*read)(struct kw_yaml *yaml, void *target);
};

/*
 * Reads text as one document that is a mapping. noun says what it describes:
 * "policy". A file without a document is an error.
 */
int kw_yaml_read(const char *file, const char *text, size_t size, const char *noun,
		 const struct kw_yaml_key *keys, size_t count, void *target,
		 struct kw_diag *reterr);

/* Readers of a value. */
int kw_yaml_mapping(struct kw_yaml *yaml, const char *noun, const struct kw_yaml_key *keys,
		    size_t count, void *target);
/* A sequence of at least one element; read is called for each. */
int kw_yaml_sequence(struct kw_yaml *yaml, const char *noun,
		     int (*read)(struct kw_yaml *yaml, void *target), void *target);
/* A sequence of at least one scalar, or a single scalar; read is called for each. */
int kw_yaml_scalars(struct kw_yaml *yaml, const char *noun,
		    int (*read)(struct kw_yaml *yaml, const char *text, void *target),
		    void *target);
/* A scalar that is not empty: *ret lives until the next event. */
int kw_yaml_scalar(struct kw_yaml *yaml, const char *noun, const char **ret);

/* Where the current event starts. */
struct kw_yaml_mark kw_yaml_mark(const struct kw_yaml *yaml);

/* Reports an error at a place; returns -EINVAL. */
int kw_yaml_error(struct kw_yaml *yaml, struct kw_yaml_mark at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds "did you mean 'x'?" if the list of next() has something near, else nothing. */
void kw_yaml_suggest(struct kw_yaml *yaml, const char *name,
		     const char *(*next)(unsigned int index));

#endif
