/* SPDX-License-Identifier: GPL-2.0-only */
/* The state of a verification, for verify*.c only. */
#ifndef KVMWARDEN_VERIFY_INTERNAL_H
#define KVMWARDEN_VERIFY_INTERNAL_H

#include "verify.h"

#define WINDOW 256 /* lines back that a line may belong to */
#define PATIENCE 64 /* lines ahead */
#define PENDING_MAX 16
#define ANEW_PATIENCE 4096 /* events of the kernel before the daemon says that it started */
/* Beyond this it does not matter any more which is where. */
#define STRAYS_MAX 4096

struct seen {
	struct kw_chain chain;
	struct kw_place at;
	bool misplaced; /* reported */
	bool pending;
};

/* A line that follows from none that was seen yet. */
struct pending {
	struct kw_place at;
	struct kw_chain chain;
	struct kw_fact fact;
	uint64_t gap; /* numbers between it and the line before */
	uint64_t age; /* in lines */
	bool first; /* of all lines: what it follows from need not be here */
	bool inserted;
	char *body;
	size_t len;
};

struct kw_verify {
	struct kw_anchors anchors;
	struct kw_findings findings;
	struct kw_account *account;
	struct kw_verified result;
	struct kw_place at;
	size_t files;
	struct kw_chain main; /* what the next line is to follow from */
	bool begun;
	bool genesis_open; /* nothing followed from it yet */
	struct kw_chain computed; /* if it was the chain of the line before that was changed */
	bool has_computed;
	struct seen window[WINDOW];
	uint64_t seen;
	struct pending pending[PENDING_MAX];
	size_t pending_count;
	uint64_t strays;
	struct kw_finding torn; /* parts of lines that nothing follows yet */
	bool odd; /* a line without a chain stands before the next one, and was reported */
	struct kw_place anew; /* a chain began: of a daemon's start nothing is known yet */
	uint64_t anew_age;
	uint64_t seq; /* of the line before */
	char boot[sizeof(((struct kw_fact *)NULL)->boot)];
	struct kw_place head_at;
	uint64_t head_line;
};

struct line {
	const char *text;
	size_t body;
	struct kw_chain chain;
	struct kw_fact fact;
	bool valid; /* fact is one */
};

void kw_verify_report(struct kw_verify *v, enum kw_finding_kind kind, struct kw_place at);
void kw_verify_report_other(struct kw_verify *v, enum kw_finding_kind kind, struct kw_place at,
			    struct kw_place other);
bool kw_verify_follows(const struct kw_chain *head, const char *body, size_t len,
		       const struct kw_chain *chain);

/* The last lines: back 0 is the last one. NULL beyond the window. */
struct seen *kw_verify_seen(struct kw_verify *v, uint64_t back);
void kw_verify_see(struct kw_verify *v, const struct kw_chain *chain, struct kw_place at,
		   bool misplaced, bool pending);

/* Lets a line wait for the one that it follows from. */
int kw_verify_wait_for(struct kw_verify *v, const struct line *line, bool first);
/* Does one that waits follow from a line that was just read? */
int kw_verify_resolve(struct kw_verify *v, const struct kw_chain *chain, struct kw_place at,
		      bool misplaced);
/* The same of the first line of all, which waits for ever, when a file ends. */
int kw_verify_resolve_first(struct kw_verify *v);
/* Another line went by. */
int kw_verify_expire(struct kw_verify *v);
/* Reports one that has waited long enough. */
int kw_verify_give_up(struct kw_verify *v, size_t i);

#endif
