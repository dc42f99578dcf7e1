/* SPDX-License-Identifier: GPL-2.0-only */
/* The verdicts on all operations as a table for people. */
#define _GNU_SOURCE 1
#include "explain-table.h"

#include <errno.h>
#include <string.h>

#include "explain.h"
#include "names.h"
#include "operation-set.h"
#include "text.h"
#include "util.h"

/* Operations of the same answers that need more words than this are "all others". */
#define WORDS_MAX 12

/* The answer in one state. Compared as bytes: there is no padding. */
struct cell {
	uint16_t asked; /* 0: this operation does not exist in this state */
	struct kw_decision decision;
};

/* A set of operations with the same answers. */
struct group {
	struct cell cells[_KW_STATE_MAX];
	struct kw_operation_set set;
};

struct row {
	struct kw_operation_word word;
	const struct group *group;
	bool folded; /* said by the row of the ioctl it shares */
	bool folds; /* says so, but for the rows below it */
};

/* What there is to say about one VM type. */
struct sheet {
	const struct kw_ruleset *rs;
	const struct kw_explain_scope *scope;
	unsigned int type;
	struct kw_operation_set universe;
	struct group groups[KW_OPERATIONS_MAX];
	size_t group_count;
	struct row rows[KW_OPERATIONS_MAX];
	size_t row_count;
	const struct group *others; /* without rows of their own, or NULL */
};

static struct cell ask(const struct sheet *sheet, unsigned int operation, unsigned int state)
{
	const struct kw_subject subject = {
		.type = sheet->type,
		.flags = kw_type_flags(sheet->type),
		.who = sheet->scope->who,
	};
	struct cell cell = {};

	if ((sheet->scope->state >= 0 && (unsigned int)sheet->scope->state != state) ||
	    !kw_question_makes_sense(operation, sheet->type, state))
		return cell;
	cell.asked = 1;
	kw_ruleset_explain(sheet->rs, operation, state, &subject, &cell.decision);
	return cell;
}

/* What has only one state and is allowed in it need not be a row of its own for that. */
static void fill_allowed(const struct sheet *sheet, struct cell *cells)
{
	const struct cell *building = &cells[KW_STATE_BUILDING];

	if (!sheet->scope->verbose && sheet->scope->state < 0 && sheet->type != KW_TYPE_NONE &&
	    building->asked && building->decision.verdict == KW_ALLOW &&
	    !cells[KW_STATE_SEALED].asked)
		cells[KW_STATE_SEALED] = *building;
}

static void add_operation(struct sheet *sheet, unsigned int operation)
{
	struct cell cells[_KW_STATE_MAX];
	bool asked = false;
	size_t i;

	for (unsigned int state = 0; state < _KW_STATE_MAX; state++) {
		cells[state] = ask(sheet, operation, state);
		asked |= cells[state].asked;
	}
	if (!asked)
		return;
	fill_allowed(sheet, cells);
	kw_operation_set_add(&sheet->universe, operation);
	for (i = 0; i < sheet->group_count; i++)
		if (memcmp(sheet->groups[i].cells, cells, sizeof(cells)) == 0)
			break;
	if (i == sheet->group_count) {
		sheet->groups[i] = (struct group){};
		memcpy(sheet->groups[i].cells, cells, sizeof(cells));
		sheet->group_count++;
	}
	kw_operation_set_add(&sheet->groups[i].set, operation);
}

static bool is_allowed(const struct group *group)
{
	for (unsigned int state = 0; state < _KW_STATE_MAX; state++)
		if (group->cells[state].asked && group->cells[state].decision.verdict != KW_ALLOW)
			return false;
	return true;
}

/*
 * What is allowed everywhere is summed up, unless there is more of something
 * else, such as under a policy that denies all it does not name.
 */
static const struct group *choose_others(const struct sheet *sheet)
{
	const struct group *largest = NULL;
	struct kw_operation_words words;

	if (sheet->scope->verbose || sheet->group_count < 2)
		return NULL;
	for (size_t i = 0; i < sheet->group_count; i++)
		if (!largest || kw_operation_set_count(&sheet->groups[i].set) >
					kw_operation_set_count(&largest->set))
			largest = &sheet->groups[i];
	if (is_allowed(largest))
		return largest;
	kw_operation_set_words(&largest->set, &sheet->universe, &words);
	if (words.count > WORDS_MAX)
		return largest;
	for (size_t i = 0; i < sheet->group_count; i++)
		if (is_allowed(&sheet->groups[i]))
			return &sheet->groups[i];
	return NULL;
}

/* Groups first, then by the table, with those that share an ioctl behind it. */
static int compare_rows(const void *a, const void *b)
{
	const struct kw_operation_word *x = &((const struct row *)a)->word;
	const struct kw_operation_word *y = &((const struct row *)b)->word;
	unsigned int parent_x = kw_operation(x->index)->parent ?: x->index;
	unsigned int parent_y = kw_operation(y->index)->parent ?: y->index;

	if (x->group != y->group)
		return x->group ? -1 : 1;
	if (!x->group && parent_x != parent_y)
		return parent_x < parent_y ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* How many of those that share the ioctl have other answers than it has. */
static size_t count_exceptions(const struct sheet *sheet, const struct row *ioctl)
{
	const struct kw_operation *operation;
	size_t count = 0;

	for (unsigned int i = 0; (operation = kw_operation(i)); i++)
		count += operation->family && operation->parent == ioctl->word.index &&
			 kw_operation_set_has(&sheet->universe, i) &&
			 !kw_operation_set_has(&ioctl->group->set, i);
	return count;
}

/*
 * Rows below that of an ioctl are left out where they would repeat it, if all
 * that do not are there to be seen.
 */
static void fold(struct sheet *sheet, size_t at)
{
	struct row *ioctl = &sheet->rows[at];
	size_t exceptions = 0, end;

	for (end = at + 1; end < sheet->row_count; end++) {
		if (kw_operation(sheet->rows[end].word.index)->parent != ioctl->word.index)
			break;
		exceptions += sheet->rows[end].group != ioctl->group;
	}
	if (exceptions == 0 || exceptions != count_exceptions(sheet, ioctl))
		return;
	ioctl->folds = true;
	for (size_t i = at + 1; i < end; i++)
		sheet->rows[i].folded = sheet->rows[i].group == ioctl->group;
}

static void make_rows(struct sheet *sheet)
{
	struct kw_operation_words words;

	sheet->others = choose_others(sheet);
	for (size_t i = 0; i < sheet->group_count; i++) {
		if (&sheet->groups[i] == sheet->others)
			continue;
		kw_operation_set_words(&sheet->groups[i].set, &sheet->universe, &words);
		for (size_t j = 0; j < words.count; j++)
			sheet->rows[sheet->row_count++] =
				(struct row){.word = words.words[j], .group = &sheet->groups[i]};
	}
	if (sheet->row_count)
		qsort(sheet->rows, sheet->row_count, sizeof(*sheet->rows), compare_rows);
	for (size_t i = 0; i < sheet->row_count; i++)
		if (sheet->rows[i].word.alone)
			fold(sheet, i);
}

static void add_cell(const struct sheet *sheet, const struct cell *cell,
		     struct kw_text_table *table)
{
	const struct kw_decision *decision = &cell->decision;
	const struct kw_policy *policy = kw_ruleset_policy(sheet->rs, decision->policy);
	const struct kw_rule *rule = kw_ruleset_rule(sheet->rs, decision->policy, decision->rule);
	const char *verdict = kw_verdict_name(decision->verdict);

	if (!cell->asked)
		kw_text_table_add(table, "-");
	else if (decision->error)
		kw_text_table_addf(table, "%s %s", verdict, kw_errno_name(decision->error));
	else if (decision->intended != decision->verdict)
		kw_text_table_addf(table, "%s (mode audit: %s)", verdict,
				   kw_verdict_name(decision->intended));
	else
		kw_text_table_add(table, verdict);
	if (cell->asked && policy && rule)
		kw_text_table_addf(table, "%s:%u", policy->file, rule->line);
	else
		kw_text_table_add(table, "");
}

static void add_row(const struct sheet *sheet, const struct group *group,
		    struct kw_text_table *table)
{
	for (unsigned int state = 0; state < _KW_STATE_MAX; state++)
		if (sheet->scope->state < 0 || (unsigned int)sheet->scope->state == state)
			add_cell(sheet, &group->cells[state], table);
}

static void add_heading(const struct sheet *sheet, struct kw_text_table *table)
{
	kw_text_table_add(table, "OPERATION");
	for (unsigned int state = 0; state < _KW_STATE_MAX; state++) {
		if (sheet->scope->state >= 0 && (unsigned int)sheet->scope->state != state)
			continue;
		kw_text_table_add(table, state == KW_STATE_SEALED ? "SEALED" : "BUILDING");
		kw_text_table_add(table, "BY");
	}
}

static const char *remark(const struct row *row)
{
	if (row->folds)
		return ", except";
	return row->word.alone ? " alone" : "";
}

static void add_rows(const struct sheet *sheet, struct kw_text_table *table)
{
	unsigned int ioctl = 0;

	for (size_t i = 0; i < sheet->row_count; i++) {
		const struct row *row = &sheet->rows[i];
		bool below = ioctl && kw_operation(row->word.index)->parent == ioctl;

		if (row->folded)
			continue;
		if (!below)
			ioctl = row->word.group ? 0 : row->word.index;
		kw_text_table_addf(table, "%s%s%s", below ? "  " : "", row->word.name, remark(row));
		add_row(sheet, row->group, table);
	}
	if (!sheet->others)
		return;
	kw_text_table_addf(table, "%s (%zu)", sheet->row_count ? "all others" : "all",
			   kw_operation_set_count(&sheet->others->set));
	add_row(sheet, sheet->others, table);
}

static int print_sheet(struct sheet *sheet, FILE *out)
{
	_cleanup_(kw_text_table_done) struct kw_text_table table = {
		.columns = sheet->scope->state < 0 ? 5 : 3,
	};

	make_rows(sheet);
	add_heading(sheet, &table);
	add_rows(sheet, &table);
	return kw_text_table_print(&table, "  ", out);
}

/* The table of one type; *ret is NULL when there is nothing to ask. */
static int render(const struct kw_ruleset *rs, const struct kw_explain_scope *scope,
		  unsigned int type, char **ret)
{
	_cleanup_free_ struct sheet *sheet = calloc(1, sizeof(*sheet));
	FILE *out;
	size_t size;
	int r;

	if (!sheet)
		return -ENOMEM;
	sheet->rs = rs;
	sheet->scope = scope;
	sheet->type = type;
	for (unsigned int i = 0; i < kw_operation_count(); i++)
		if (scope->operation < 0 || (unsigned int)scope->operation == i)
			add_operation(sheet, i);
	if (!sheet->group_count)
		return 0;
	out = open_memstream(ret, &size);
	if (!out)
		return -ENOMEM;
	r = print_sheet(sheet, out);
	return fclose(out) == EOF ? -ENOMEM : r;
}

static void print_titles(char *const *tables, unsigned int first, FILE *out)
{
	fputs(kw_type_name(first), out);
	for (unsigned int type = first + 1; type < _KW_TYPE_MAX; type++)
		if (tables[type] && kw_streq(tables[type], tables[first]))
			fprintf(out, ", %s", kw_type_name(type));
	fputs(first == KW_TYPE_NONE ? " (on /dev/kvm)\n" : "\n", out);
}

static bool is_repeated(char *const *tables, unsigned int type)
{
	for (unsigned int i = 0; i < type; i++)
		if (tables[i] && kw_streq(tables[i], tables[type]))
			return true;
	return false;
}

int kw_explain_table(const struct kw_ruleset *rs, const struct kw_explain_scope *scope, FILE *out)
{
	char *tables[_KW_TYPE_MAX] = {};
	bool first = true;
	int r = 0;

	for (unsigned int type = 0; r == 0 && type < _KW_TYPE_MAX; type++)
		if (scope->type < 0 || (unsigned int)scope->type == type)
			r = render(rs, scope, type, &tables[type]);
	for (unsigned int type = 0; r == 0 && type < _KW_TYPE_MAX; type++) {
		if (!tables[type] || is_repeated(tables, type))
			continue;
		if (!first)
			putc('\n', out);
		first = false;
		print_titles(tables, type, out);
		fputs(tables[type], out);
	}
	for (unsigned int type = 0; type < _KW_TYPE_MAX; type++)
		free(tables[type]);
	return r;
}
