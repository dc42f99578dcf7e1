/* SPDX-License-Identifier: GPL-2.0-only */
/* What a change of policies means: the questions that get another answer. */
#define _GNU_SOURCE 1
#include "diff.h"

#include <errno.h>
#include <string.h>

#include "explain.h"
#include "names.h"
#include "util.h"

/*
 * Theory of operation
 *
 * For each type, state and operation the identities are sorted by what changes
 * for them (compare()). Those of one change are covered by boxes: sets of
 * classes in each way of looking (make_boxes()). Each box is a row, which joins
 * one that says the same of another state, then of other operations; and at last
 * of other types, when their operations have the same words (join_types()):
 * "@debug" is another set on tdx, but the same thing to say.
 */

#define OLD 0
#define NEW 1

/* Two answers that differ, and who gets them. */
struct change {
	struct kw_diff_side sides[2];
	uint64_t *who; /* one bit per identity */
};

/* Rows while they are made. */
struct rows {
	struct kw_diff_row *list;
	size_t count;
	size_t size;
};

/* One comparison: what is asked, and what is known of the answers so far. */
struct comparison {
	const struct kw_ruleset *sets[2];
	struct kw_diff *diff;
	unsigned int type;
	uint64_t (*matched)[2]; /* of each identity: the policies of both sets that apply */
	struct change *changes;
	size_t change_count;
	size_t change_size;
	struct rows rows; /* of this type */
};

static void rows_done(struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		free(rows->list[i].words);
	free(rows->list);
	*rows = (struct rows){};
}

static int append(struct rows *rows, const struct kw_diff_row *row)
{
	struct kw_diff_row *list;
	size_t size;

	if (rows->count == rows->size) {
		size = rows->size ? 2 * rows->size : 16;
		list = reallocarray(rows->list, size, sizeof(*list));
		if (!list)
			return -ENOMEM;
		rows->list = list;
		rows->size = size;
	}
	rows->list[rows->count++] = *row;
	return 0;
}

static struct kw_diff_side decide(const struct kw_ruleset *rs, unsigned int operation,
				  unsigned int state, uint64_t matched)
{
	const struct kw_origin *origins = rs->table->origins[operation][state];
	struct kw_decision decision;
	struct kw_diff_side side;

	kw_decide(&rs->table->cells[operation][state], origins, matched, &decision);
	side = (struct kw_diff_side){
		.verdict = decision.verdict,
		.error = decision.error,
		.policy = decision.policy,
		.rule = decision.rule,
	};
	if (decision.policy != KW_NONE) {
		side.limit_events = origins[decision.policy].limit_events;
		side.limit_seconds = origins[decision.policy].limit_seconds;
	}
	return side;
}

static bool means_the_same(const struct kw_diff_side *a, const struct kw_diff_side *b)
{
	return a->verdict == b->verdict && a->error == b->error &&
	       a->limit_events == b->limit_events && a->limit_seconds == b->limit_seconds;
}

static bool same_sides(const struct kw_diff_side *a, const struct kw_diff_side *b)
{
	return memcmp(a, b, 2 * sizeof(*a)) == 0;
}

static size_t words_of(const struct comparison *comparison)
{
	return (comparison->diff->who.count + 63) / 64;
}

/* The change with these answers, which is made if need be; NULL when there is no memory. */
static struct change *find_change(struct comparison *comparison, const struct kw_diff_side *sides)
{
	struct change *changes;
	size_t i;

	for (i = 0; i < comparison->change_count; i++)
		if (same_sides(comparison->changes[i].sides, sides))
			return &comparison->changes[i];
	if (i == comparison->change_size) {
		changes = reallocarray(comparison->changes, i + 1, sizeof(*changes));
		if (!changes)
			return NULL;
		changes[i].who = calloc(words_of(comparison), sizeof(uint64_t));
		comparison->changes = changes;
		if (!changes[i].who)
			return NULL;
		comparison->change_size++;
	}
	memcpy(comparison->changes[i].sides, sides, sizeof(comparison->changes[i].sides));
	memset(comparison->changes[i].who, 0, words_of(comparison) * sizeof(uint64_t));
	comparison->change_count++;
	return &comparison->changes[i];
}

/* Do the same policies match? Those of neighbours mostly do. */
static bool same_matched(const uint64_t *a, const uint64_t *b)
{
	return a[OLD] == b[OLD] && a[NEW] == b[NEW];
}

/* Sorts the identities by what changes for them. */
static int compare(struct comparison *comparison, unsigned int operation, unsigned int state)
{
	const struct kw_who *who = &comparison->diff->who;
	struct kw_diff_side sides[2] = {};
	struct change *change;
	bool same = true;

	comparison->change_count = 0;
	for (size_t i = 0; i < who->count; i++) {
		const uint64_t *matched = comparison->matched[i];

		if (i == 0 || !same_matched(matched, comparison->matched[i - 1])) {
			for (unsigned int j = OLD; j <= NEW; j++)
				sides[j] =
					decide(comparison->sets[j], operation, state, matched[j]);
			same = means_the_same(&sides[OLD], &sides[NEW]);
		}
		if (same)
			continue;
		change = find_change(comparison, sides);
		if (!change)
			return -ENOMEM;
		change->who[i / 64] |= 1ull << (i % 64);
	}
	return 0;
}

static bool same_box(const struct kw_diff_row *a, const struct kw_diff_row *b)
{
	return same_sides(a->sides, b->sides) && memcmp(&a->who, &b->who, sizeof(a->who)) == 0;
}

/* Two boxes that differ in one way of looking only are one. */
static bool join_boxes(struct kw_who_set *a, const struct kw_who_set *b, unsigned int way)
{
	for (unsigned int i = 0; i < _KW_WHO_WAYS; i++)
		if (i != way && memcmp(a->bits[i], b->bits[i], sizeof(a->bits[i])) != 0)
			return false;
	for (size_t i = 0; i < KW_ARRAY_SIZE(a->bits[way]); i++)
		a->bits[way][i] |= b->bits[way][i];
	return true;
}

struct boxes {
	struct kw_who_set *list;
	size_t count;
};

/* Joins, in one way of looking, what can be joined. */
static void join_all(struct boxes *boxes, unsigned int way)
{
	size_t kept = 0, i;

	for (size_t next = 0; next < boxes->count; next++) {
		for (i = 0; i < kept; i++)
			if (join_boxes(&boxes->list[i], &boxes->list[next], way))
				break;
		if (i == kept)
			boxes->list[kept++] = boxes->list[next];
	}
	boxes->count = kept;
}

static int add_box(struct boxes *boxes, const struct kw_who_set *box)
{
	struct kw_who_set *list;

	/* Full at each power of two: its size is the next one. */
	if ((boxes->count & (boxes->count - 1)) == 0) {
		list = reallocarray(boxes->list, boxes->count ? 2 * boxes->count : 1,
				    sizeof(*list));
		if (!list)
			return -ENOMEM;
		boxes->list = list;
	}
	boxes->list[boxes->count++] = *box;
	return 0;
}

/* The identities of a change, in as few boxes as joining one way after the other gives. */
static int make_boxes(const struct comparison *comparison, const struct change *change,
		      struct boxes *ret)
{
	const struct kw_who *who = &comparison->diff->who;
	const size_t exes = who->ways[KW_WHO_EXE].count;
	int r = 0;

	/* Identities that differ in the executable stand next to each other. */
	for (size_t first = 0; r == 0 && first < who->count; first += exes) {
		struct kw_who_set box = {};
		bool any = false;

		for (size_t i = first; i < first + exes && i < who->count; i++) {
			if (!(change->who[i / 64] & (1ull << (i % 64))))
				continue;
			for (unsigned int way = 0; way < _KW_WHO_WAYS; way++)
				kw_who_set_add(&box, way, kw_who_class_of(who, i, way));
			any = true;
		}
		if (any)
			r = add_box(ret, &box);
	}
	join_all(ret, KW_WHO_CGROUP);
	join_all(ret, KW_WHO_USER);
	join_all(ret, KW_WHO_EXE);
	return r;
}

/* Adds the row to one that says the same of another state, or to the rows. */
static int join_states(struct rows *rows, const struct kw_diff_row *row)
{
	for (size_t i = 0; i < rows->count; i++)
		if (same_box(&rows->list[i], row)) {
			rows->list[i].states |= row->states;
			return 0;
		}
	return append(rows, row);
}

static int add_change(const struct comparison *comparison, const struct change *change,
		      unsigned int operation, unsigned int state, struct rows *rows)
{
	struct kw_diff_row row = {.types = 1u << comparison->type, .states = 1u << state};
	struct boxes boxes = {};
	int r = make_boxes(comparison, change, &boxes);

	memcpy(row.sides, change->sides, sizeof(row.sides));
	kw_operation_set_add(&row.operations, operation);
	for (size_t i = 0; r == 0 && i < boxes.count; i++) {
		row.who = boxes.list[i];
		r = join_states(rows, &row);
	}
	free(boxes.list);
	return r;
}

static bool exist(const struct kw_operation_set *operations, unsigned int type, unsigned int state)
{
	const struct kw_operation_set universe = kw_operation_set_of(type, state);

	for (size_t i = 0; i < sizeof(universe.bits); i++)
		if (operations->bits[i] & universe.bits[i])
			return true;
	return false;
}

/* Adds the row to one that says the same of other operations, or to the rows. */
static int join_operations(struct rows *rows, const struct kw_diff_row *row, unsigned int operation)
{
	for (size_t i = 0; i < rows->count; i++)
		if (rows->list[i].states == row->states && same_box(&rows->list[i], row)) {
			kw_operation_set_add(&rows->list[i].operations, operation);
			return 0;
		}
	return append(rows, row);
}

static int add_operation(struct comparison *comparison, unsigned int operation)
{
	_cleanup_(rows_done) struct rows rows = {};
	uint32_t nowhere = 0;
	int r = 0;

	for (unsigned int state = 0; r == 0 && state < _KW_STATE_MAX; state++) {
		if (!kw_question_makes_sense(operation, comparison->type, state)) {
			nowhere |= 1u << state;
			continue;
		}
		r = compare(comparison, operation, state);
		for (size_t i = 0; r == 0 && i < comparison->change_count; i++)
			r = add_change(comparison, &comparison->changes[i], operation, state,
				       &rows);
	}
	for (size_t i = 0; r == 0 && i < rows.count; i++) {
		/* If it has only one state, that is all of them. */
		rows.list[i].states |= nowhere;
		r = join_operations(&comparison->rows, &rows.list[i], operation);
	}
	return r;
}

/* Exact words, as far as the type and the states of the row go. */
static int add_words(struct kw_diff_row *row, unsigned int type)
{
	struct kw_operation_set universe = {}, more;

	for (unsigned int state = 0; state < _KW_STATE_MAX; state++) {
		if (!(row->states & (1u << state)))
			continue;
		more = kw_operation_set_of(type, state);
		for (size_t i = 0; i < sizeof(more.bits); i++)
			universe.bits[i] |= more.bits[i];
	}
	row->words = kw_operation_set_text(&row->operations, &universe);
	return row->words ? 0 : -ENOMEM;
}

/* Adds a row to one that says the same, in the same words, of other types. */
static bool join_row(struct kw_diff_row *row, const struct kw_diff_row *other)
{
	if (row->states != other->states || !same_box(row, other) ||
	    !kw_streq(row->words, other->words))
		return false;
	row->types |= other->types;
	for (size_t i = 0; i < sizeof(row->operations.bits); i++)
		row->operations.bits[i] |= other->operations.bits[i];
	return true;
}

static int join_types(struct rows *all, struct kw_diff_row *row)
{
	int r;

	for (size_t i = 0; i < all->count; i++)
		if (join_row(&all->list[i], row))
			return 0;
	r = append(all, row);
	if (r == 0)
		row->words = NULL; /* no longer its own */
	return r;
}

static void match(struct comparison *comparison)
{
	const struct kw_who *who = &comparison->diff->who;
	struct kw_subject subject = {
		.type = comparison->type,
		.flags = kw_type_flags(comparison->type),
	};

	for (size_t i = 0; i < who->count; i++) {
		const struct kw_identity identity = kw_who_identity(who, i);

		subject.who = &identity;
		for (unsigned int j = OLD; j <= NEW; j++)
			comparison->matched[i][j] = kw_ruleset_match(comparison->sets[j], &subject);
	}
}

static int add_type(struct comparison *comparison, struct rows *all)
{
	struct rows *rows = &comparison->rows;
	int r = 0;

	match(comparison);
	for (unsigned int i = 0; r == 0 && i < kw_operation_count(); i++)
		r = add_operation(comparison, i);
	for (size_t i = 0; r == 0 && i < rows->count; i++)
		r = add_words(&rows->list[i], comparison->type);
	for (size_t i = 0; r == 0 && i < rows->count; i++)
		r = join_types(all, &rows->list[i]);
	rows_done(rows);
	return r;
}

/* Restrictions that are gone, then new ones, then what is neither; each by the table. */
static int rank(const struct kw_diff_row *row)
{
	if (row->sides[NEW].verdict < row->sides[OLD].verdict)
		return 0;
	return row->sides[NEW].verdict > row->sides[OLD].verdict ? 1 : 2;
}

static int compare_rows(const void *a, const void *b)
{
	const struct kw_diff_row *x = a, *y = b;
	int r = rank(x) - rank(y);

	for (size_t i = 0; r == 0 && i < kw_operation_count(); i++)
		r = kw_operation_set_has(&y->operations, i) -
		    kw_operation_set_has(&x->operations, i);
	return r ? r : memcmp(x->sides, y->sides, sizeof(x->sides));
}

static void comparison_done(struct comparison *comparison)
{
	for (size_t i = 0; i < comparison->change_size; i++)
		free(comparison->changes[i].who);
	free(comparison->changes);
	free(comparison->matched);
	rows_done(&comparison->rows);
}

void kw_diff_done(struct kw_diff *diff)
{
	struct rows rows = {.list = diff->rows, .count = diff->count};

	rows_done(&rows);
	kw_who_done(&diff->who);
	*diff = (struct kw_diff){};
}

int kw_diff(const struct kw_ruleset *old, const struct kw_ruleset *new, struct kw_diff *ret)
{
	_cleanup_(kw_diff_done) struct kw_diff diff = {};
	_cleanup_(comparison_done) struct comparison comparison = {
		.sets = {old, new},
		.diff = &diff,
	};
	_cleanup_(rows_done) struct rows rows = {};
	int r = kw_who_classify(comparison.sets, KW_ARRAY_SIZE(comparison.sets), &diff.who);

	if (r < 0)
		return r;
	comparison.matched = calloc(diff.who.count, sizeof(*comparison.matched));
	if (!comparison.matched)
		return -ENOMEM;
	for (; r == 0 && comparison.type < _KW_TYPE_MAX; comparison.type++)
		r = add_type(&comparison, &rows);
	if (r < 0)
		return r;
	if (rows.count)
		qsort(rows.list, rows.count, sizeof(*rows.list), compare_rows);
	diff.rows = rows.list;
	diff.count = rows.count;
	rows = (struct rows){};
	*ret = diff;
	diff = (struct kw_diff){};
	return 0;
}

bool kw_diff_all_types(const struct kw_diff_row *row)
{
	for (unsigned int type = 0; type < _KW_TYPE_MAX; type++)
		for (unsigned int state = 0; state < _KW_STATE_MAX; state++)
			if (!(row->types & (1u << type)) && (row->states & (1u << state)) &&
			    exist(&row->operations, type, state))
				return false;
	return true;
}

bool kw_diff_all_states(const struct kw_diff_row *row)
{
	return row->states == (1u << _KW_STATE_MAX) - 1;
}
