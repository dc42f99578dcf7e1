/* SPDX-License-Identifier: GPL-2.0-only */
/* Sets of operations, and the words a person would use for them. */
#define _GNU_SOURCE 1
#include "operation-set.h"

#include <string.h>

#include "explain.h"
#include "names.h"
#include "util.h"

#define GROUP_ALL "@all"

size_t kw_operation_set_count(const struct kw_operation_set *set)
{
	size_t count = 0;

	for (size_t i = 0; i < sizeof(set->bits); i++)
		count += __builtin_popcount(set->bits[i]);
	return count;
}

struct kw_operation_set kw_operation_set_of(unsigned int type, unsigned int state)
{
	struct kw_operation_set set = {};

	for (unsigned int i = 0; i < kw_operation_count(); i++)
		if (kw_question_makes_sense(i, type, state))
			kw_operation_set_add(&set, i);
	return set;
}

struct kw_operation_set kw_operation_set_all(void)
{
	struct kw_operation_set set = {};

	for (unsigned int i = 0; i < kw_operation_count(); i++)
		if (!kw_operation(i)->hidden)
			kw_operation_set_add(&set, i);
	return set;
}

/* What is being put into words: .left has no words yet. */
struct wording {
	const struct kw_operation_set *set;
	const struct kw_operation_set *universe;
	struct kw_operation_set left;
	struct kw_operation_words *words;
};

static void add_word(struct wording *wording, struct kw_operation_word word)
{
	wording->words->words[wording->words->count++] = word;
}

/* A group of which all that counts is in the set, and two of that have no words yet. */
static void word_group(struct wording *wording, const struct kw_group *group)
{
	unsigned int gain = 0;

	for (size_t i = 0; i < group->count; i++) {
		unsigned int index = group->operations[i];

		if (!kw_operation_set_has(wording->universe, index))
			continue;
		if (!kw_operation_set_has(wording->set, index))
			return;
		gain += kw_operation_set_has(&wording->left, index);
	}
	if (gain < 2)
		return;
	for (size_t i = 0; i < group->count; i++)
		kw_operation_set_remove(&wording->left, group->operations[i]);
	add_word(wording,
		 (struct kw_operation_word){group->name, group->operations[0], true, false});
}

/* Those that share the ioctl need no words if all of them are in the set. */
static bool take_members(struct wording *wording, unsigned int ioctl)
{
	const struct kw_operation *operation;

	for (unsigned int i = 0; (operation = kw_operation(i)); i++)
		if (operation->family && operation->parent == ioctl &&
		    kw_operation_set_has(wording->universe, i) &&
		    !kw_operation_set_has(wording->set, i))
			return false;
	for (unsigned int i = 0; (operation = kw_operation(i)); i++)
		if (operation->family && operation->parent == ioctl)
			kw_operation_set_remove(&wording->left, i);
	return true;
}

void kw_operation_set_words(const struct kw_operation_set *set,
			    const struct kw_operation_set *universe, struct kw_operation_words *ret)
{
	struct wording wording = {set, universe, *set, ret};

	ret->count = 0;
	word_group(&wording, kw_group_from_name(GROUP_ALL));
	for (unsigned int i = 0; i < kw_group_count(); i++)
		word_group(&wording, kw_group(i));
	/* An ioctl stands in the table before those that share it. */
	for (unsigned int i = 0; i < kw_operation_count(); i++) {
		if (!kw_operation_set_has(&wording.left, i))
			continue;
		add_word(&wording, (struct kw_operation_word){kw_operation(i)->name, i, false,
							      !take_members(&wording, i)});
	}
}

static void write_words(const struct kw_operation_words *words, FILE *out)
{
	for (size_t i = 0; i < words->count; i++)
		fprintf(out, "%s%s%s", i ? ", " : "", words->words[i].name,
			words->words[i].alone ? " alone" : "");
}

/* "@all except": when most of what a group @all means here is in the set. False: it is not. */
static bool write_exception(const struct kw_operation_set *set,
			    const struct kw_operation_set *universe, size_t words, FILE *out)
{
	const struct kw_group *all = kw_group_from_name(GROUP_ALL);
	struct kw_operation_set missing = {}, beyond = *set;
	struct kw_operation_words exceptions, others;

	for (size_t i = 0; i < all->count; i++) {
		unsigned int index = all->operations[i];

		kw_operation_set_remove(&beyond, index);
		if (kw_operation_set_has(universe, index) && !kw_operation_set_has(set, index))
			kw_operation_set_add(&missing, index);
	}
	if (kw_operation_set_count(&missing) >= kw_operation_set_count(set))
		return false;
	kw_operation_set_words(&missing, universe, &exceptions);
	kw_operation_set_words(&beyond, universe, &others);
	if (exceptions.count + others.count + 2 > words)
		return false;
	write_words(&others, out);
	fprintf(out, "%s" GROUP_ALL " except ", others.count ? ", " : "");
	write_words(&exceptions, out);
	return true;
}

char *kw_operation_set_text(const struct kw_operation_set *set,
			    const struct kw_operation_set *universe)
{
	struct kw_operation_words words;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	kw_operation_set_words(set, universe, &words);
	if (!write_exception(set, universe, words.count, out))
		write_words(&words, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
