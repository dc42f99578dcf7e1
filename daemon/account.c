/* SPDX-License-Identifier: GPL-2.0-only */
/* Accounts for the numbers of events: which are missing, and which of these were told to be. */
#include "account.h"

#include <limits.h>

#include "util.h"

/*
 * Theory of operation
 *
 * All events of a boot, the kernel's and the daemon's, are numbered by one counter
 * from 1. It lives on from daemon to daemon while it is pinned; a daemon that
 * finds none begins a new one, and so does a machine that boots. What one
 * counter numbered is called a run here. In a run no number comes twice, and a
 * number that is not in the file is an event that was lost on its way.
 *
 * How far numbers may be out of order is not bounded: the kernel takes one, and
 * may be preempted before it reserves room in the ring. So nothing is concluded
 * from a gap between two lines; all numbers of a run are kept, as ranges, and
 * the gaps are those that are left at its end.
 *
 * The daemon's own events are numbered when they are written. Such a number is
 * above all that stand before it in its run, exactly. Hence a 'started' event with
 * a number that is not begins a new run. The kernel's events that stand right
 * before it may be of the new run as well, since programs are attached before
 * the daemon says that it started; those are the ones, back to the last event of
 * the daemon, with lower numbers that do not repeat.
 *
 * A 'lost' event with number S tells of numbers below S only, since those it counts
 * had been taken. So it can cover any gap below S, and none above. All gaps are
 * covered if and only if, for each number X, the gaps above X add up to no more
 * than the 'lost' events above X tell (Hall's condition, for intervals that all
 * begin at 1); it is checked from the highest number down. The counts are of the
 * daemon's making: they say how many, not which.
 *
 * What cannot be known: whether something is missing below the first number of
 * the first run, since the file may begin in the middle of it; and of losses in
 * the last seconds of a run that was not ended ('stopped') the daemon may not have
 * told yet. Those are a warning.
 */

/* The kernel's events between two of the daemon's; more need no looking back. */
#define RECENT_MAX 4096
/* Gaps in a run. A file with more of them is made up. */
#define RANGES_MAX (1024 * 1024)
/* The daemon tells of losses every two seconds, if it is not stopped itself. */
#define TELL_SECONDS 10

struct number {
	uint64_t seq;
	int64_t seconds;
	struct kw_place at;
};

/* Numbers that are all there. */
struct range {
	struct number low;
	uint64_t high;
};

struct told {
	uint64_t seq;
	uint64_t count;
};

struct kw_account {
	struct kw_findings findings;
	struct kw_losses losses;
	struct range *ranges; /* sorted, not adjacent */
	size_t range_count, range_size;
	struct told *told; /* sorted */
	size_t told_count, told_size;
	uint64_t excused;
	bool from_one; /* the run's first number is here, or missing */
	bool begun, stopped, overflown;
	char boot[sizeof(((struct kw_fact *)NULL)->boot)];
	int64_t seconds; /* of the run's last event */
	size_t recent_count;
	struct number recent[RECENT_MAX];
};

int kw_account_new(const struct kw_findings *findings, struct kw_account **ret)
{
	struct kw_account *account = calloc(1, sizeof(*account));

	if (!account)
		return -ENOMEM;
	account->findings = *findings;
	*ret = account;
	return 0;
}

struct kw_account *kw_account_free(struct kw_account *account)
{
	if (!account)
		return NULL;
	free(account->ranges);
	free(account->told);
	free(account);
	return NULL;
}

/* --- the numbers that are there ------------------------------------------------- */

/* How many ranges begin at or below a number: mostly all of them. */
static size_t ranges_up_to(const struct kw_account *account, uint64_t seq)
{
	size_t low = 0, high = account->range_count;

	if (high > 0 && account->ranges[high - 1].low.seq <= seq)
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (account->ranges[middle].low.seq <= seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_there(const struct kw_account *account, uint64_t seq)
{
	size_t i = ranges_up_to(account, seq);

	return i > 0 && account->ranges[i - 1].high >= seq;
}

static int insert_range(struct kw_account *account, size_t at, const struct number *number)
{
	struct range *ranges;

	if (account->range_count == RANGES_MAX)
		return -E2BIG;
	if (!account->ranges || account->range_count == account->range_size) {
		size_t size = account->range_size ? 2 * account->range_size : 16;

		ranges = reallocarray(account->ranges, size, sizeof(*ranges));
		if (!ranges)
			return -ENOMEM;
		account->ranges = ranges;
		account->range_size = size;
	}
	ranges = account->ranges + at;
	memmove(ranges + 1, ranges, (account->range_count - at) * sizeof(*ranges));
	*ranges = (struct range){*number, number->seq};
	account->range_count++;
	return 0;
}

/* 1: it was there before. */
static int insert_number(struct kw_account *account, const struct number *number)
{
	size_t i = ranges_up_to(account, number->seq);
	struct range *below = i > 0 ? &account->ranges[i - 1] : NULL;
	struct range *above = i < account->range_count ? &account->ranges[i] : NULL;

	if (below && below->high >= number->seq)
		return 1;
	if (below && below->high + 1 == number->seq) {
		below->high = number->seq;
		if (!above || above->low.seq != number->seq + 1)
			return 0;
		below->high = above->high;
		account->range_count--;
		memmove(above, above + 1, (account->range_count - i) * sizeof(*above));
		return 0;
	}
	if (above && above->low.seq == number->seq + 1) {
		above->low = *number;
		return 0;
	}
	return insert_range(account, i, number);
}

static int enter(struct kw_account *account, const struct number *number)
{
	int r;

	if (account->overflown)
		return 0;
	r = insert_number(account, number);
	if (r == 1)
		kw_report(&account->findings,
			  (struct kw_finding){.kind = KW_FINDING_NUMBER_REPEATED,
					      .at = number->at,
					      .first = number->seq});
	if (r == -E2BIG) {
		account->overflown = true;
		kw_report(&account->findings,
			  (struct kw_finding){.kind = KW_FINDING_GAPS, .at = number->at});
	}
	return r == -ENOMEM ? r : 0;
}

/* Of the recent ones the first few join the others. */
static int enter_recent(struct kw_account *account, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = enter(account, &account->recent[i]);
	account->recent_count -= count;
	memmove(account->recent, account->recent + count,
		account->recent_count * sizeof(*account->recent));
	return r;
}

/* --- what was told --------------------------------------------------------------- */

static int enter_told(struct kw_account *account, const struct kw_fact *fact)
{
	struct told *told;
	size_t at;

	kw_losses_add(&account->losses, fact->reason, fact->count);
	if (account->told_count == account->told_size) {
		size_t size = account->told_size ? 2 * account->told_size : 16;

		told = reallocarray(account->told, size, sizeof(*told));
		if (!told)
			return -ENOMEM;
		account->told = told;
		account->told_size = size;
	}
	for (at = account->told_count; at > 0 && account->told[at - 1].seq > fact->seq; at--)
		account->told[at] = account->told[at - 1];
	account->told[at] = (struct told){fact->seq, fact->count};
	account->told_count++;
	return 0;
}

/* --- a run ------------------------------------------------------------------------ */

struct deficit {
	uint64_t count;
	uint64_t first; /* number */
	struct kw_place at;
};

static void add_deficit(struct deficit *deficit, uint64_t count, uint64_t first, struct kw_place at)
{
	deficit->count += count;
	deficit->first = first;
	deficit->at = at;
}

/* From the highest number down: gaps, against what was told above them. */
static void weigh(const struct kw_account *account, struct deficit *untold, struct deficit *late)
{
	size_t told = account->told_count;
	uint64_t credit = 0;

	for (size_t i = account->range_count; i-- > 0;) {
		const struct number *above = &account->ranges[i].low;
		uint64_t below = i > 0		     ? account->ranges[i - 1].high
				 : account->from_one ? 0
						     : above->seq - 1;
		uint64_t gap = above->seq - below - 1;

		while (told > 0 && account->told[told - 1].seq >= above->seq)
			if (__builtin_add_overflow(credit, account->told[--told].count, &credit))
				credit = UINT64_MAX;
		if (gap <= credit) {
			credit -= gap;
			continue;
		}
		gap -= credit;
		credit = 0;
		if (!account->stopped && account->seconds - above->seconds <= TELL_SECONDS)
			add_deficit(late, gap, below + 1, above->at);
		else
			add_deficit(untold, gap, below + 1, above->at);
	}
}

static void report_deficit(struct kw_account *account, enum kw_finding_kind kind,
			   const struct deficit *deficit)
{
	uint64_t excused = account->excused < deficit->count ? account->excused : deficit->count;

	account->excused -= excused;
	if (deficit->count > excused)
		kw_report(&account->findings, (struct kw_finding){.kind = kind,
								  .at = deficit->at,
								  .count = deficit->count - excused,
								  .first = deficit->first});
}

/* The run is over: what is missing in it? */
static void settle(struct kw_account *account)
{
	struct deficit untold = {}, late = {};

	if (!account->overflown)
		weigh(account, &untold, &late);
	report_deficit(account, KW_FINDING_UNTOLD, &untold);
	report_deficit(account, KW_WARNING_UNTOLD_YET, &late);
	account->range_count = account->told_count = 0;
	account->excused = 0;
	account->stopped = account->overflown = false;
	account->from_one = true;
}

static uint64_t highest(const struct kw_account *account)
{
	return account->range_count ? account->ranges[account->range_count - 1].high : 0;
}

/* Of the recent ones, how many do not belong to a run that this number begins? */
static size_t recent_before(const struct kw_account *account, uint64_t started, bool *ret_clash)
{
	bool taken[RECENT_MAX] = {};
	size_t i = account->recent_count;

	*ret_clash = false;
	/* Who starts with a higher number did not begin the counter. */
	while (started <= RECENT_MAX && i > 0 && account->recent[i - 1].seq < started &&
	       !taken[account->recent[i - 1].seq]) {
		taken[account->recent[--i].seq] = true;
		*ret_clash |= is_there(account, account->recent[i].seq);
	}
	for (size_t j = 0; j < i; j++)
		*ret_clash |= account->recent[j].seq >= started ||
			      (started <= RECENT_MAX && taken[account->recent[j].seq]);
	return i;
}

/* A daemon started: does its counter go on, or is it a new one? */
static int enter_started(struct kw_account *account, const struct number *number)
{
	bool clash;
	size_t before = recent_before(account, number->seq, &clash);
	int r;

	if (clash || number->seq <= highest(account)) {
		r = enter_recent(account, before);
		if (r < 0)
			return r;
		settle(account);
	}
	r = enter_recent(account, account->recent_count);
	return r < 0 ? r : enter(account, number);
}

static int enter_own(struct kw_account *account, const struct number *number)
{
	int r;

	r = enter_recent(account, account->recent_count);
	if (r < 0)
		return r;
	if (number->seq < highest(account) && !is_there(account, number->seq)) {
		kw_report(&account->findings,
			  (struct kw_finding){.kind = KW_WARNING_NUMBERS_ANEW, .at = number->at});
		settle(account);
	}
	return enter(account, number);
}

static int enter_kernels(struct kw_account *account, const struct number *number)
{
	int r = 0;

	if (account->recent_count == RECENT_MAX)
		r = enter_recent(account, RECENT_MAX / 2);
	account->recent[account->recent_count++] = *number;
	return r;
}

static int change_boot(struct kw_account *account, const struct kw_fact *fact)
{
	int r = 0;

	if (account->begun && !kw_streq(account->boot, fact->boot)) {
		r = enter_recent(account, account->recent_count);
		settle(account);
	}
	memcpy(account->boot, fact->boot, sizeof(account->boot));
	account->begun = true;
	return r;
}

int kw_account_add(struct kw_account *account, const struct kw_fact *fact, struct kw_place at)
{
	const struct number number = {fact->seq, fact->seconds, at};
	int r;

	if (!fact->seq)
		return 0;
	r = change_boot(account, fact);
	if (r < 0)
		return r;
	if (fact->kind == KW_FACT_KERNEL)
		r = enter_kernels(account, &number);
	else if (fact->kind == KW_FACT_STARTED)
		r = enter_started(account, &number);
	else
		r = enter_own(account, &number);
	if (r == 0 && fact->kind == KW_FACT_LOST)
		r = enter_told(account, fact);
	account->seconds = fact->seconds;
	account->stopped = fact->kind == KW_FACT_STOPPED;
	return r;
}

int kw_account_add_stray(struct kw_account *account, const struct kw_fact *fact, struct kw_place at)
{
	const struct number number = {fact->seq, fact->seconds, at};
	int r;

	if (!fact->seq || (account->begun && !kw_streq(account->boot, fact->boot)))
		return 0;
	r = change_boot(account, fact);
	if (r == 0)
		r = insert_number(account, &number);
	if (r >= 0 && fact->kind == KW_FACT_LOST)
		r = enter_told(account, fact);
	return r == -ENOMEM ? r : 0;
}

void kw_account_excuse(struct kw_account *account, uint64_t count)
{
	account->excused += count;
}

int kw_account_end(struct kw_account *account)
{
	int r;

	r = enter_recent(account, account->recent_count);
	if (r == 0)
		settle(account);
	return r;
}

void kw_losses_add(struct kw_losses *losses, const char *reason, uint64_t count)
{
	size_t i = 0;

	while (i < losses->count && !kw_streq(losses->reasons[i].reason, reason))
		i++;
	if (i == losses->count && losses->count < KW_REASONS_MAX) {
		bool last = i == KW_REASONS_MAX - 1;

		snprintf(losses->reasons[i].reason, sizeof(losses->reasons[i].reason), "%s",
			 last ? "other" : reason);
		losses->count++;
	}
	i = i < KW_REASONS_MAX ? i : KW_REASONS_MAX - 1;
	if (__builtin_add_overflow(losses->reasons[i].count, count, &losses->reasons[i].count))
		losses->reasons[i].count = UINT64_MAX;
}

const struct kw_losses *kw_account_losses(const struct kw_account *account)
{
	return &account->losses;
}
