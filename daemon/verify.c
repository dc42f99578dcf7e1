/* SPDX-License-Identifier: GPL-2.0-only */
/* Follows the chain through recorded events, and finds what is not as it was written. */
#include "verify.h"

#include "util.h"
#include "verify-internal.h"

/*
 * Theory of operation
 *
 * A line follows from a head if the hash over the head and the line's body is the
 * chain the line says. Each line is to follow from the one before it; from there
 * on what the line says is taken for true, so that one change is found once and
 * not again at each line behind it.
 *
 * A line that does not is compared with the heads of the last lines, then waits a
 * while for one that it follows from to come: lines that were moved are told
 * from lines that were changed, or whose predecessor is gone. The last two look the
 * same to a hash, and are told apart by the numbers of the events if these
 * jump. If it is the chain that was changed and not the body, the next line
 * follows from what the body gives.
 *
 * What is no line, or has no chain, is not in the chain: if the next line follows
 * from the one before, it was put in. A part of a line is what a write that
 * failed leaves, and is no sin as long as the next line does follow.
 *
 * The hash has no key. Who may write the file can write a chain of his own; what he
 * cannot change is a head that is kept elsewhere. And a chain without its end is
 * one as well. Both are what the anchors are for, and the numbers (account.c).
 */

/* What a line follows from. */
enum link {
	FOLLOWS,
	FOLLOWS_COMPUTED,
	FOLLOWS_GENESIS,
	FOLLOWS_EARLIER,
	REPEATS,
	STRAY,
};

int kw_verify_new(const struct kw_anchors *anchors, const struct kw_findings *findings,
		  struct kw_verify **ret)
{
	struct kw_verify *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return -ENOMEM;
	v->anchors = *anchors;
	v->findings = *findings;
	r = kw_account_new(findings, &v->account);
	if (r < 0) {
		free(v);
		return r;
	}
	*ret = v;
	return 0;
}

struct kw_verify *kw_verify_free(struct kw_verify *v)
{
	if (!v)
		return NULL;
	for (size_t i = 0; i < v->pending_count; i++)
		free(v->pending[i].body);
	kw_account_free(v->account);
	free(v);
	return NULL;
}

/* --- the place of a line ----------------------------------------------------------- */

/*
 * Of the line a stray one follows: is it no news that something else stands
 * between the two? Those in between that wait are then what does not belong.
 */
static bool is_explained(struct kw_verify *v, uint64_t back)
{
	struct seen *seen;

	if (kw_verify_seen(v, back)->misplaced)
		return true;
	for (uint64_t i = 0; i < back; i++) {
		seen = kw_verify_seen(v, i);
		if (!seen->misplaced && !seen->pending)
			return false;
	}
	for (size_t i = 0; i < v->pending_count; i++)
		for (uint64_t j = 0; j < back; j++)
			if (kw_verify_seen(v, j)->at.line == v->pending[i].at.line &&
			    kw_verify_seen(v, j)->at.file == v->pending[i].at.file)
				v->pending[i].inserted = true;
	return true;
}

static enum link find_link(struct kw_verify *v, const struct line *line, uint64_t *ret_back)
{
	const char *text = line->text;
	struct seen *seen;

	if (kw_verify_follows(&v->main, text, line->body, &line->chain))
		return FOLLOWS;
	if (v->has_computed && kw_verify_follows(&v->computed, text, line->body, &line->chain))
		return FOLLOWS_COMPUTED;
	if (++v->strays > STRAYS_MAX)
		return STRAY;
	for (*ret_back = 0; (seen = kw_verify_seen(v, *ret_back)); (*ret_back)++)
		if (kw_chain_equal(&seen->chain, &line->chain))
			return REPEATS;
	if (!v->genesis_open &&
	    kw_verify_follows(&kw_chain_genesis, text, line->body, &line->chain))
		return FOLLOWS_GENESIS;
	for (*ret_back = 0; (seen = kw_verify_seen(v, *ret_back)); (*ret_back)++)
		if (kw_verify_follows(&seen->chain, text, line->body, &line->chain))
			return FOLLOWS_EARLIER;
	return STRAY;
}

/* A chain that begins anew is a daemon's that started, or something is gone. */
static void begin_anew(struct kw_verify *v, const struct kw_fact *fact)
{
	if (v->anew.line) {
		kw_verify_report(v, KW_FINDING_BEGINS_ANEW, v->anew);
		v->anew.line = 0;
	}
	if (fact->kind == KW_FACT_STARTED || !kw_streq(fact->boot, v->boot)) {
		kw_verify_report(v, KW_WARNING_BEGINS_ANEW, v->at);
		return;
	}
	v->anew = v->at;
	v->anew_age = 0;
}

static void watch_anew(struct kw_verify *v, const struct kw_fact *fact)
{
	if (!v->anew.line)
		return;
	if (fact->kind == KW_FACT_STARTED)
		kw_verify_report(v, KW_WARNING_BEGINS_ANEW, v->anew);
	else if (++v->anew_age > ANEW_PATIENCE)
		kw_verify_report(v, KW_FINDING_BEGINS_ANEW, v->anew);
	else
		return;
	v->anew.line = 0;
}

/* Parts of lines before a line: harmless if that one follows from what was before them. */
static void settle_torn(struct kw_verify *v, bool connected)
{
	if (v->torn.count == 0)
		return;
	v->torn.kind = connected ? KW_WARNING_TORN : KW_FINDING_CUT;
	if (!connected)
		kw_account_excuse(v->account, v->torn.count);
	kw_report(&v->findings, v->torn);
	v->torn = (struct kw_finding){};
}

/* --- a line -------------------------------------------------------------------------- */

/* The first one of all. true: it is to be taken as any other. */
static int begin(struct kw_verify *v, const struct line *line, bool *ret_checked)
{
	v->begun = true;
	v->main = v->anchors.start ? *v->anchors.start : kw_chain_genesis;
	*ret_checked = v->anchors.start ||
		       kw_verify_follows(&v->main, line->text, line->body, &line->chain);
	v->genesis_open = *ret_checked && kw_chain_equal(&v->main, &kw_chain_genesis);
	v->result.from_genesis = v->genesis_open;
	if (*ret_checked) {
		kw_verify_see(v, &v->main, (struct kw_place){}, false, false);
		return 0;
	}
	kw_verify_report(v, KW_WARNING_MIDDLE, v->at);
	return kw_verify_wait_for(v, line, true);
}

/* What a line is to what follows it. */
enum standing {
	IN_PLACE,
	OUT_OF_ORDER, /* which was reported of another line */
	MISPLACED,
	PENDING,
};

/* Goes on from this line, whatever it was to follow from. */
static int go_on(struct kw_verify *v, const struct line *line, enum standing standing)
{
	struct kw_chain before = v->main;
	int r = 0;

	v->main = line->chain;
	v->has_computed = standing == PENDING;
	if (v->has_computed)
		kw_chain_next(&before, line->text, line->body, &v->computed);
	kw_verify_see(v, &line->chain, v->at, standing == MISPLACED, standing == PENDING);
	if (!line->valid)
		return 0;
	if (standing != PENDING)
		watch_anew(v, &line->fact);
	if (standing == IN_PLACE)
		r = kw_account_add(v->account, &line->fact, v->at);
	else if (standing != PENDING)
		r = kw_account_add_stray(v->account, &line->fact, v->at);
	v->seq = line->fact.seq;
	memcpy(v->boot, line->fact.boot, sizeof(v->boot));
	return r;
}

static int place_stray(struct kw_verify *v, const struct line *line)
{
	int r;

	/* What was reported of the line before explains this one. */
	if (v->odd || v->torn.count > 0)
		return go_on(v, line, IN_PLACE);
	r = kw_verify_wait_for(v, line, false);
	if (r == 0 && v->strays > STRAYS_MAX)
		r = kw_verify_give_up(v, v->pending_count - 1);
	return r < 0 ? r : go_on(v, line, PENDING);
}

static int place(struct kw_verify *v, const struct line *line)
{
	uint64_t back = 0;
	enum link link = find_link(v, line, &back);
	const struct seen *last = kw_verify_seen(v, 0);
	enum standing standing = IN_PLACE;
	int r;

	switch (link) {
	case FOLLOWS:
		v->genesis_open &= !kw_chain_equal(&v->main, &kw_chain_genesis);
		if (last && last->misplaced)
			standing = MISPLACED;
		break;
	case FOLLOWS_COMPUTED:
		break;
	case FOLLOWS_GENESIS:
		begin_anew(v, &line->fact);
		break;
	case FOLLOWS_EARLIER:
		v->genesis_open &= kw_verify_seen(v, back)->at.line != 0;
		standing = is_explained(v, back) ? OUT_OF_ORDER : MISPLACED;
		if (standing == MISPLACED)
			kw_verify_report_other(v, KW_FINDING_REORDERED, v->at,
					       kw_verify_seen(v, back)->at);
		break;
	case REPEATS:
		kw_verify_report_other(v, KW_FINDING_REPEATED, v->at, kw_verify_seen(v, back)->at);
		return 0;
	case STRAY:
		r = place_stray(v, line);
		settle_torn(v, false);
		return r;
	}
	settle_torn(v, true);
	return go_on(v, line, standing);
}

static int take_chained(struct kw_verify *v, struct line *line)
{
	bool checked = true;
	int r = 0;

	line->valid = kw_fact_read(line->text, line->body + KW_CHAIN_MEMBER_LEN, &line->fact) == 0;
	if (!v->begun)
		r = begin(v, line, &checked);
	if (r == 0)
		r = checked ? place(v, line) : go_on(v, line, IN_PLACE);
	if (r == 0 && !line->valid && (!v->pending_count || !kw_verify_seen(v, 0)->pending))
		kw_verify_report(v, KW_FINDING_MALFORMED, v->at);
	v->odd = false;
	if (r < 0)
		return r;
	v->result.lines++;
	if (line->fact.time[0] && !v->result.first[0])
		memcpy(v->result.first, line->fact.time, sizeof(v->result.first));
	if (line->fact.time[0])
		memcpy(v->result.last, line->fact.time, sizeof(v->result.last));
	if (v->anchors.head && kw_chain_equal(v->anchors.head, &line->chain)) {
		v->head_at = v->at;
		v->head_line = v->result.lines;
	}
	r = kw_verify_resolve(v, &line->chain, v->at, kw_verify_seen(v, 0)->misplaced);
	return r < 0 ? r : kw_verify_expire(v);
}

static void take_odd(struct kw_verify *v, const char *text, size_t len)
{
	struct kw_fact fact;

	if (len <= KW_VERIFY_LINE_MAX && kw_fact_is_torn(text, len)) {
		if (v->torn.count++ == 0)
			v->torn.at = v->at;
		return;
	}
	if (len <= KW_VERIFY_LINE_MAX && kw_fact_read(text, len, &fact) == 0)
		kw_verify_report(v, KW_FINDING_UNCHAINED, v->at);
	else
		kw_verify_report(v, KW_FINDING_MALFORMED, v->at);
	kw_account_excuse(v->account, 1);
	v->odd = true;
}

int kw_verify_file(struct kw_verify *v)
{
	int r;

	r = kw_verify_resolve_first(v);
	v->at = (struct kw_place){.file = v->files++};
	return r;
}

int kw_verify_line(struct kw_verify *v, const char *text, size_t len)
{
	struct line line = {.text = text};

	v->at.line++;
	if (len <= KW_VERIFY_LINE_MAX && kw_chain_split(text, len, &line.body, &line.chain))
		return take_chained(v, &line);
	take_odd(v, text, len);
	return 0;
}

static void compare_head(struct kw_verify *v)
{
	struct kw_finding finding = {
		.kind = v->head_line ? KW_FINDING_BEYOND_HEAD : KW_FINDING_HEAD,
		.at = v->at,
		.other = v->head_at,
		.count = v->result.lines - v->head_line,
	};

	if (v->anchors.head && !kw_chain_equal(v->anchors.head, &v->result.head))
		kw_report(&v->findings, finding);
}

int kw_verify_end(struct kw_verify *v, struct kw_verified *ret)
{
	int r;

	settle_torn(v, true);
	r = kw_verify_resolve_first(v);
	while (v->pending_count > 0 && r == 0)
		r = kw_verify_give_up(v, 0);
	if (r == 0)
		r = kw_account_end(v->account);
	if (r < 0)
		return r;
	if (v->anew.line)
		kw_verify_report(v, KW_FINDING_BEGINS_ANEW, v->anew);
	v->result.head = v->begun	    ? v->main
			 : v->anchors.start ? *v->anchors.start
					    : kw_chain_genesis;
	compare_head(v);
	v->result.losses = *kw_account_losses(v->account);
	*ret = v->result;
	return 0;
}
