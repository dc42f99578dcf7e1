/* SPDX-License-Identifier: GPL-2.0-only */
/* Follows the chain through recorded events, and finds what is not as it was written. */
#ifndef KVMWARDEN_VERIFY_H
#define KVMWARDEN_VERIFY_H

#include "account.h"
#include "chain.h"

/* A longer line the daemon does not write. */
#define KW_VERIFY_LINE_MAX 65536

struct kw_anchors {
	const struct kw_chain *start; /* what the first line follows, or NULL: not known */
	const struct kw_chain *head; /* what the last line is to say, or NULL: not known */
};

struct kw_verified {
	uint64_t lines; /* with a chain */
	bool from_genesis;
	struct kw_chain head;
	char first[KW_FACT_TIME_MAX]; /* times; empty if there is none */
	char last[KW_FACT_TIME_MAX];
	struct kw_losses losses;
};

struct kw_verify;

/* What is found is told to findings, as soon as it is sure: not in the order of lines. */
int kw_verify_new(const struct kw_anchors *anchors, const struct kw_findings *findings,
		  struct kw_verify **ret);
struct kw_verify *kw_verify_free(struct kw_verify *verify);

/* The next file begins; oldest first. -ENOMEM. */
int kw_verify_file(struct kw_verify *verify);
/* A line without its newline. -ENOMEM. */
int kw_verify_line(struct kw_verify *verify, const char *text, size_t len);
/* No file follows. Tells what is left, and fills *ret. */
int kw_verify_end(struct kw_verify *verify, struct kw_verified *ret);

#endif
