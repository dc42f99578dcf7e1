/* SPDX-License-Identifier: GPL-2.0-only */
/* Accounts for the numbers of events: which are missing, and which of these were told to be. */
#ifndef KVMWARDEN_ACCOUNT_H
#define KVMWARDEN_ACCOUNT_H

#include "fact.h"
#include "finding.h"

#define KW_REASONS_MAX 8

/* What 'lost' events tell, by their reason; what is beyond the table is "other". */
struct kw_losses {
	struct {
		char reason[24];
		uint64_t count;
	} reasons[KW_REASONS_MAX];
	size_t count;
};

/* Start with (struct kw_losses){}. */
void kw_losses_add(struct kw_losses *losses, const char *reason, uint64_t count);

struct kw_account;

int kw_account_new(const struct kw_findings *findings, struct kw_account **ret);
struct kw_account *kw_account_free(struct kw_account *account);

/* The next event, in the order of the file; at is where it stands. */
int kw_account_add(struct kw_account *account, const struct kw_fact *fact, struct kw_place at);
/* One that stands in a wrong place: it is there, and that is all that can be said. */
int kw_account_add_stray(struct kw_account *account, const struct kw_fact *fact,
			 struct kw_place at);
/* So many are missing, or unreadable, that something else was reported for. */
void kw_account_excuse(struct kw_account *account, uint64_t count);
/* The end of the last file. */
int kw_account_end(struct kw_account *account);

const struct kw_losses *kw_account_losses(const struct kw_account *account);

#endif
