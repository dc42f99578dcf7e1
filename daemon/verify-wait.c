/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines that follow from none that was seen: they wait for it, or are given up. */
#include "util.h"
#include "verify-internal.h"

void kw_verify_report(struct kw_verify *v, enum kw_finding_kind kind, struct kw_place at)
{
	kw_report(&v->findings, (struct kw_finding){.kind = kind, .at = at});
}

void kw_verify_report_other(struct kw_verify *v, enum kw_finding_kind kind, struct kw_place at,
			    struct kw_place other)
{
	kw_report(&v->findings, (struct kw_finding){.kind = kind, .at = at, .other = other});
}

bool kw_verify_follows(const struct kw_chain *head, const char *body, size_t len,
		       const struct kw_chain *chain)
{
	struct kw_chain next;

	kw_chain_next(head, body, len, &next);
	return kw_chain_equal(&next, chain);
}

struct seen *kw_verify_seen(struct kw_verify *v, uint64_t back)
{
	return back < v->seen && back < WINDOW ? &v->window[(v->seen - 1 - back) % WINDOW] : NULL;
}

void kw_verify_see(struct kw_verify *v, const struct kw_chain *chain, struct kw_place at,
		   bool misplaced, bool pending)
{
	v->window[v->seen++ % WINDOW] = (struct seen){*chain, at, misplaced, pending};
}

static struct seen *seen_line(struct kw_verify *v, struct kw_place at)
{
	struct seen *seen;

	for (uint64_t back = 0; (seen = kw_verify_seen(v, back)); back++)
		if (seen->at.file == at.file && seen->at.line == at.line)
			return seen;
	return NULL;
}

static void forget_pending(struct kw_verify *v, size_t i, bool misplaced)
{
	struct seen *seen = seen_line(v, v->pending[i].at);

	if (seen) {
		seen->pending = false;
		seen->misplaced = misplaced;
	}
	free(v->pending[i].body);
	v->pending_count--;
	memmove(v->pending + i, v->pending + i + 1, (v->pending_count - i) * sizeof(*v->pending));
}

/* Nothing came that explains it. What is reported here is not to be missed once more. */
int kw_verify_give_up(struct kw_verify *v, size_t i)
{
	const struct pending *p = &v->pending[i];
	int r = 0;

	if (p->first) {
		/* It was reported, and counted, when it was read. */
	} else if (p->inserted) {
		kw_verify_report(v, KW_FINDING_INSERTED, p->at);
		kw_account_excuse(v->account, 1);
	} else if (p->gap) {
		kw_report(&v->findings, (struct kw_finding){.kind = KW_FINDING_MISSING,
							    .at = p->at,
							    .count = p->gap,
							    .first = p->fact.seq - p->gap});
		kw_account_excuse(v->account, p->gap);
		r = kw_account_add_stray(v->account, &p->fact, p->at);
	} else {
		kw_verify_report(v, KW_FINDING_CHANGED, p->at);
		kw_account_excuse(v->account, 1);
	}
	forget_pending(v, i, false);
	return r;
}

static int resolve_one(struct kw_verify *v, size_t i, struct kw_place at, bool misplaced)
{
	const struct pending *p = &v->pending[i];
	int r = 0;

	if (!misplaced)
		kw_verify_report_other(v, KW_FINDING_REORDERED, p->at, at);
	if (!p->first)
		r = kw_account_add_stray(v->account, &p->fact, p->at);
	forget_pending(v, i, !misplaced);
	return r;
}

int kw_verify_resolve(struct kw_verify *v, const struct kw_chain *chain, struct kw_place at,
		      bool misplaced)
{
	int r = 0;

	for (size_t i = v->pending_count; i-- > 0 && r == 0;)
		if (v->pending[i].age <= PATIENCE &&
		    kw_verify_follows(chain, v->pending[i].body, v->pending[i].len,
				      &v->pending[i].chain))
			r = resolve_one(v, i, at, misplaced);
	return r;
}

int kw_verify_resolve_first(struct kw_verify *v)
{
	const struct pending *p = &v->pending[0];

	if (v->pending_count == 0 || !p->first ||
	    !kw_verify_follows(&v->main, p->body, p->len, &p->chain))
		return 0;
	return resolve_one(v, 0, v->at, false);
}

int kw_verify_expire(struct kw_verify *v)
{
	int r = 0;

	for (size_t i = v->pending_count; i-- > 0 && r == 0;)
		if (++v->pending[i].age > PATIENCE && !v->pending[i].first)
			r = kw_verify_give_up(v, i);
	return r;
}

int kw_verify_wait_for(struct kw_verify *v, const struct line *line, bool first)
{
	struct pending *p;
	int r;

	if (v->pending_count == PENDING_MAX) {
		r = kw_verify_give_up(v, v->pending[0].first ? 1 : 0);
		if (r < 0)
			return r;
	}
	p = &v->pending[v->pending_count];
	*p = (struct pending){
		.at = v->at,
		.chain = line->chain,
		.fact = line->fact,
		.first = first,
		.len = line->body,
		.body = malloc(line->body),
	};
	if (!p->body)
		return -ENOMEM;
	memcpy(p->body, line->text, line->body);
	if (v->seq && line->fact.seq > v->seq + 1 && kw_streq(v->boot, line->fact.boot))
		p->gap = line->fact.seq - v->seq - 1;
	v->pending_count++;
	return 0;
}
