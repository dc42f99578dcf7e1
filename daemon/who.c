/* SPDX-License-Identifier: GPL-2.0-only */
/* The kinds of VMM that policies can tell apart, with one identity for each. */
#define _GNU_SOURCE 1
#include "who.h"

#include <errno.h>
#include <string.h>

#include "identity-text.h"
#include "util.h"
#include "who-texts.h"

/* Two sets of 64 policies, each with a pattern on both sides. */
#define PATTERNS_MAX 256

/* Which patterns hold; of a control group also those of its unit. */
struct holding {
	uint64_t bits[2 * PATTERNS_MAX / 64];
};

/* A user that policies name. */
struct user {
	uint32_t uid;
	const char *text;
};

struct users {
	struct user list[PATTERNS_MAX];
	size_t count;
};

/* All that the policies look at, each once. */
struct criteria {
	struct kw_patterns exes;
	struct kw_patterns cgroups;
	struct kw_patterns units;
	struct users users;
};

static void criteria_done(struct criteria *criteria)
{
	free(criteria->exes.list);
	free(criteria->cgroups.list);
	free(criteria->units.list);
}

static void add_user(struct users *users, uint32_t uid, const char *text)
{
	for (size_t i = 0; i < users->count; i++)
		if (users->list[i].uid == uid)
			return;
	if (users->count < PATTERNS_MAX)
		users->list[users->count++] = (struct user){uid, text};
}

static int add_side(struct criteria *criteria, const struct kw_match *match,
		    const struct kw_match_text *text)
{
	int r = 0;

	if (match->tests & KW_SELECT_EXE)
		r = kw_patterns_add(&criteria->exes, &match->exe, text->exe);
	if (r == 0 && (match->tests & KW_SELECT_UNIT))
		r = kw_patterns_add(&criteria->units, &match->unit, text->unit);
	if (r == 0 && (match->tests & KW_SELECT_CGROUP))
		r = kw_patterns_add(&criteria->cgroups, &match->cgroup, text->cgroup);
	if (r == 0 && (match->tests & KW_SELECT_USER))
		add_user(&criteria->users, match->uid, text->user);
	return r;
}

static int collect(struct criteria *criteria, const struct kw_ruleset *rs)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < rs->set.count; i++) {
		const struct kw_policy *policy = &rs->set.policies[i];

		r = add_side(criteria, &policy->selector.match, &policy->match);
		if (r == 0)
			r = add_side(criteria, &policy->selector.except, &policy->except);
	}
	return r;
}

/* The classes of one way of looking, as they are found. */
struct finder {
	const struct criteria *criteria;
	enum kw_who_way way;
	struct kw_who_classes *found;
	struct holding holding[KW_WHO_CLASSES_MAX]; /* of each */
	size_t tried;
};

static void set_bit(struct holding *holding, size_t at, bool value)
{
	holding->bits[at / 64] |= (uint64_t)value << (at % 64);
}

static bool get_bit(const struct holding *holding, size_t at)
{
	return holding->bits[at / 64] & (1ull << (at % 64));
}

static struct holding examine(const struct finder *finder, const struct kw_identity *who)
{
	const struct criteria *criteria = finder->criteria;
	struct holding holding = {};

	if (finder->way == KW_WHO_EXE) {
		for (size_t i = 0; i < criteria->exes.count; i++)
			set_bit(&holding, i,
				kw_glob_matches(criteria->exes.list[i].glob, &who->exe, 0,
						who->exe.len));
		return holding;
	}
	for (size_t i = 0; i < criteria->units.count; i++)
		set_bit(&holding, i,
			kw_glob_matches(criteria->units.list[i].glob, &who->cgroup,
					who->unit_offset, who->unit_len));
	for (size_t i = 0; i < criteria->cgroups.count; i++)
		set_bit(&holding, PATTERNS_MAX + i,
			kw_glob_matches(criteria->cgroups.list[i].glob, &who->cgroup, 0,
					who->cgroup.len));
	return holding;
}

static void write_patterns(const struct kw_patterns *patterns, const struct holding *holding,
			   size_t from, const char *noun, FILE *out)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (get_bit(holding, from + i))
			fprintf(out, "%s%s%s", ftell(out) ? " and " : "", noun,
				patterns->list[i].text);
}

/* NULL when there is no memory. */
static char *label_of(const struct finder *finder, const struct holding *holding)
{
	const struct criteria *criteria = finder->criteria;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	if (finder->way == KW_WHO_EXE) {
		write_patterns(&criteria->exes, holding, 0, "", out);
	} else {
		write_patterns(&criteria->units, holding, 0, "unit ", out);
		write_patterns(&criteria->cgroups, holding, PATTERNS_MAX, "cgroup ", out);
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

/* Takes label over; NULL: none of the patterns holds. */
static int add_class(struct kw_who_classes *found, const struct kw_identity *who, char *label)
{
	struct kw_who_class *classes;

	classes = reallocarray(found->classes, found->count + 1, sizeof(*classes));
	if (!classes) {
		free(label);
		return -ENOMEM;
	}
	found->classes = classes;
	classes[found->count++] =
		(struct kw_who_class){.who = *who, .label = label, .other = !label};
	return 0;
}

static int add_labelled(struct kw_who_classes *found, const struct kw_identity *who,
			const char *label)
{
	char *copy = strdup(label);

	return copy ? add_class(found, who, copy) : -ENOMEM;
}

/* A text is a class of its own if other patterns hold for it than for those before. */
static int take_text(void *target, const char *text)
{
	const struct holding nothing = {};
	struct finder *finder = target;
	struct kw_identity who = kw_identity_unknown();
	struct holding holding;
	char *label = NULL;

	if (text[0] != '/')
		return 0;
	if (finder->tried++ >= KW_WHO_TEXTS_MAX)
		return -E2BIG;
	if (finder->way == KW_WHO_EXE)
		kw_identity_set_exe(&who, text);
	else
		kw_identity_set_cgroup(&who, text);
	holding = examine(finder, &who);
	for (size_t i = 0; i < finder->found->count; i++)
		if (memcmp(&finder->holding[i], &holding, sizeof(holding)) == 0)
			return 0;
	/* One is kept for what is unknown. */
	if (finder->found->count >= KW_WHO_CLASSES_MAX - 1)
		return -E2BIG;
	if (memcmp(&nothing, &holding, sizeof(holding)) != 0) {
		label = label_of(finder, &holding);
		if (!label)
			return -ENOMEM;
	}
	finder->holding[finder->found->count] = holding;
	return add_class(finder->found, &who, label);
}

/* Paths may be unknown or truncated, which is as if each pattern held, except for an exception. */
static int find_paths(const struct criteria *criteria, enum kw_who_way way, struct kw_who *who)
{
	struct finder finder = {.criteria = criteria, .way = way, .found = &who->ways[way]};
	const struct kw_identity unknown = kw_identity_unknown();
	int r = 0;

	if (way == KW_WHO_EXE && criteria->exes.count)
		r = kw_texts_of_paths(&criteria->exes, take_text, &finder);
	if (way == KW_WHO_CGROUP && criteria->cgroups.count + criteria->units.count)
		r = kw_texts_of_cgroups(&criteria->cgroups, &criteria->units, take_text, &finder);
	if (r == -E2BIG)
		who->complete = false;
	else if (r < 0)
		return r;
	return add_labelled(finder.found, &unknown,
			    way == KW_WHO_EXE ? "unknown" : "unknown cgroup");
}

static bool is_named(const struct users *users, uint32_t uid)
{
	for (size_t i = 0; i < users->count; i++)
		if (users->list[i].uid == uid)
			return true;
	return false;
}

/* Each user that is named, and one that is not. */
static int find_users(const struct criteria *criteria, struct kw_who *who)
{
	struct kw_identity identity = kw_identity_unknown();
	uint32_t other = 1000;
	int r = 0;

	while (is_named(&criteria->users, other))
		other++;
	for (size_t i = 0; r == 0 && i < criteria->users.count; i++) {
		if (i >= KW_WHO_CLASSES_MAX - 1) {
			who->complete = false;
			break;
		}
		identity.uid = criteria->users.list[i].uid;
		r = add_labelled(&who->ways[KW_WHO_USER], &identity, criteria->users.list[i].text);
	}
	identity.uid = other;
	return r == 0 ? add_class(&who->ways[KW_WHO_USER], &identity, NULL) : r;
}

static int find_all(const struct criteria *criteria, struct kw_who *who)
{
	int r = find_paths(criteria, KW_WHO_EXE, who);

	if (r == 0)
		r = find_paths(criteria, KW_WHO_CGROUP, who);
	return r == 0 ? find_users(criteria, who) : r;
}

void kw_who_done(struct kw_who *who)
{
	for (unsigned int way = 0; way < _KW_WHO_WAYS; way++) {
		for (size_t i = 0; i < who->ways[way].count; i++)
			free(who->ways[way].classes[i].label);
		free(who->ways[way].classes);
	}
	*who = (struct kw_who){};
}

int kw_who_classify(const struct kw_ruleset *const *sets, size_t count, struct kw_who *ret)
{
	_cleanup_(criteria_done) struct criteria criteria = {};
	_cleanup_(kw_who_done) struct kw_who who = {.count = 1, .complete = true};
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = collect(&criteria, sets[i]);
	if (r == 0)
		r = find_all(&criteria, &who);
	if (r < 0)
		return r;
	for (unsigned int way = 0; way < _KW_WHO_WAYS; way++)
		who.count *= who.ways[way].count;
	if (who.count > KW_WHO_MAX) {
		who.count = KW_WHO_MAX;
		who.complete = false;
	}
	*ret = who;
	who = (struct kw_who){};
	return 0;
}

size_t kw_who_class_of(const struct kw_who *who, size_t number, unsigned int way)
{
	for (unsigned int i = 0; i < way; i++)
		number /= who->ways[i].count;
	return number % who->ways[way].count;
}

struct kw_identity kw_who_identity(const struct kw_who *who, size_t number)
{
	size_t exe = kw_who_class_of(who, number, KW_WHO_EXE);
	size_t cgroup = kw_who_class_of(who, number, KW_WHO_CGROUP);
	size_t user = kw_who_class_of(who, number, KW_WHO_USER);
	struct kw_identity identity = who->ways[KW_WHO_CGROUP].classes[cgroup].who;

	identity.exe = who->ways[KW_WHO_EXE].classes[exe].who.exe;
	identity.uid = who->ways[KW_WHO_USER].classes[user].who.uid;
	return identity;
}

/* The classes of the set; or, if that has the one no pattern holds for, those it lacks. */
static void write_way(const struct kw_who *who, const struct kw_who_set *set, unsigned int way,
		      FILE *out)
{
	static const char *const nouns[] = {"exe", "", "user"};
	const struct kw_who_classes *classes = &who->ways[way];
	bool has_other = false, first = true;

	for (size_t i = 0; i < classes->count; i++)
		has_other |= classes->classes[i].other && kw_who_set_has(set, way, i);
	fprintf(out, "%s%s", nouns[way], has_other && *nouns[way] ? " " : "");
	if (has_other)
		fputs("other than", out);
	for (size_t i = 0; i < classes->count; i++) {
		const struct kw_who_class *class = &classes->classes[i];

		if (class->other || kw_who_set_has(set, way, i) == has_other)
			continue;
		fprintf(out, "%s%s", first ? (has_other || *nouns[way] ? " " : "") : " or ",
			class->label);
		first = false;
	}
}

static bool is_whole(const struct kw_who *who, const struct kw_who_set *set, unsigned int way)
{
	for (size_t i = 0; i < who->ways[way].count; i++)
		if (!kw_who_set_has(set, way, i))
			return false;
	return true;
}

char *kw_who_text(const struct kw_who *who, const struct kw_who_set *set)
{
	char *text = NULL;
	bool any = true;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (unsigned int way = 0; way < _KW_WHO_WAYS; way++) {
		if (is_whole(who, set, way))
			continue;
		fputs(any ? "" : ", ", out);
		write_way(who, set, way, out);
		any = false;
	}
	if (any)
		fputs("any VMM", out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
