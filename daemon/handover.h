/* SPDX-License-Identifier: GPL-2.0-only */
/* What a daemon leaves to the next one of the same boot: a file beside the socket. */
#ifndef KVMWARDEN_HANDOVER_H
#define KVMWARDEN_HANDOVER_H

#include <stddef.h>
#include <stdint.h>

#include "json.h"
#include "ruleset.h"

/* Sets whose names can still be looked up for events decided under them. */
#define KW_GENERATIONS_KEPT 16

#define KW_GRANTED_MAX 64 /* exceptions at a time */
#define KW_OVERRIDES_MAX 64 /* policies whose mode was switched */

#define KW_HANDOVER_FILE_MAX (8 << 20) /* bytes */

/* A mode that was set at run time; it holds for that name until it is taken back. */
struct kw_override {
	char *policy;
	enum kw_mode mode;
};

/* An exception, and what the kernel does not keep of it. */
struct kw_granted {
	uint64_t id;
	uint64_t vm;
	char *operation; /* as it was named: an operation or a group */
	char *reason;
	uint32_t uid;
	uint64_t until_ns; /* CLOCK_BOOTTIME */
	uint64_t uses;
};

/* All of it is owned. */
struct kw_handover {
	struct kw_ruleset *generations[KW_GENERATIONS_KEPT]; /* by generation, modulo */
	struct kw_override overrides[KW_OVERRIDES_MAX];
	size_t override_count;
	struct kw_granted granted[KW_GRANTED_MAX];
	size_t granted_count;
	uint64_t last_exception;
};

void kw_granted_done(struct kw_granted *granted);
void kw_handover_done(struct kw_handover *state);

/*
 * Appends the state as one JSON object. Of the generations what events are told
 * with goes into it: the names of their policies, and where their rules are.
 */
void kw_handover_render(struct kw_json *json, const struct kw_handover *state, const char *boot_id);

/*
 * Reads it again; generations come back as retired ones. -ESTALE: it is of another
 * boot. -EINVAL with *reterr (malloc()ed): why it is none. -ENOMEM. *ret is
 * filled only on success.
 */
int kw_handover_parse(const char *text, size_t len, const char *boot_id, struct kw_handover *ret,
		      char **reterr);

/*
 * The same for a file, which only root may have written. It is replaced whole, or not
 * at all. Reading: -ENOENT: there is none.
 */
int kw_handover_save(const char *path, const struct kw_handover *state, const char *boot_id);
int kw_handover_load(const char *path, const char *boot_id, struct kw_handover *ret, char **reterr);

#endif
