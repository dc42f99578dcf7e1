/* SPDX-License-Identifier: GPL-2.0-only */
/* What can be wrong with recorded events, where, and how it is said. */
#ifndef KVMWARDEN_FINDING_H
#define KVMWARDEN_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kw_place {
	size_t file; /* from 0, as they were given */
	uint64_t line; /* from 1; 0: none in particular */
};

enum kw_finding_kind {
	/* The trail is not what was written. */
	KW_FINDING_CHANGED, /* .at, or what stood before it */
	KW_FINDING_MISSING, /* .count numbers from .first, before .at */
	KW_FINDING_REORDERED, /* .at belongs behind .other */
	KW_FINDING_REPEATED, /* .at is .other once more */
	KW_FINDING_INSERTED, /* the line after .at follows the one before it */
	KW_FINDING_MALFORMED, /* .at is no event */
	KW_FINDING_UNCHAINED, /* .at is an event without a chain */
	KW_FINDING_CUT, /* .count parts of lines from .at, and what follows does not fit */
	KW_FINDING_BEGINS_ANEW, /* at .at, without a daemon that did */
	KW_FINDING_NUMBER_REPEATED, /* .first, at .at */
	KW_FINDING_UNTOLD, /* .count numbers are missing, the last of them before .at */
	KW_FINDING_GAPS, /* more gaps than can be accounted for */
	KW_FINDING_HEAD, /* the end is not the one that was given */
	KW_FINDING_BEYOND_HEAD, /* the one given is that of .other; .count lines follow */
	/* What is no tampering, but should be known. */
	KW_WARNING_TORN, /* .count parts of lines from .at */
	KW_WARNING_BEGINS_ANEW, /* a chain, at .at */
	KW_WARNING_NUMBERS_ANEW, /* at .at, without a daemon that starts */
	KW_WARNING_MIDDLE, /* .at is the first line, and follows one that is not here */
	KW_WARNING_UNTOLD_YET, /* .count numbers are missing at the very end */
	_KW_FINDING_MAX,
};

struct kw_finding {
	enum kw_finding_kind kind;
	struct kw_place at;
	struct kw_place other;
	uint64_t count;
	uint64_t first;
};

bool kw_finding_is_warning(enum kw_finding_kind kind);
/* A word for machines: "changed". */
const char *kw_finding_name(enum kw_finding_kind kind);
/* A sentence for people, without .at; other is the name of .other's file. */
#define KW_FINDING_TEXT_MAX 512
void kw_finding_text(const struct kw_finding *finding, const char *other,
		     char ret[KW_FINDING_TEXT_MAX]);

/* Who wants to hear. */
struct kw_findings {
	void (*report)(void *userdata, const struct kw_finding *finding);
	void *userdata;
};

static inline void kw_report(const struct kw_findings *to, struct kw_finding finding)
{
	to->report(to->userdata, &finding);
}

#endif
