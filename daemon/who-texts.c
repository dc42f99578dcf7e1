/* SPDX-License-Identifier: GPL-2.0-only */
/* Texts that between them meet patterns in every way there is: see who.h. */
#define _GNU_SOURCE 1
#include "who-texts.h"

#include <errno.h>
#include <string.h>

#include "util.h"

/* More are not put into control groups. */
#define UNITS_MAX 4096

/* Ends of a unit's name: see is_unit() in bpf/identity.h. */
static const char *const unit_ends[] = {".scope", ".service"};

int kw_patterns_add(struct kw_patterns *patterns, const struct kw_glob *glob, const char *text)
{
	struct kw_pattern *list;
	size_t size;

	for (size_t i = 0; i < patterns->count; i++)
		if (kw_streq(patterns->list[i].text, text))
			return 0;
	if (patterns->count == patterns->size) {
		size = patterns->size ? 2 * patterns->size : 16;
		list = reallocarray(patterns->list, size, sizeof(*list));
		if (!list)
			return -ENOMEM;
		patterns->list = list;
		patterns->size = size;
	}
	patterns->list[patterns->count++] = (struct kw_pattern){glob, text};
	return 0;
}

/* Owned texts, each once. */
struct texts {
	char **list;
	size_t count;
	size_t size;
};

static void texts_done(struct texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->list[i]);
	free(texts->list);
}

static int add_bytes(struct texts *texts, const char *bytes, size_t len)
{
	char **list, *copy;
	size_t size;

	for (size_t i = 0; i < texts->count; i++)
		if (strlen(texts->list[i]) == len && memcmp(texts->list[i], bytes, len) == 0)
			return 0;
	if (texts->count == texts->size) {
		size = texts->size ? 2 * texts->size : 16;
		list = reallocarray(texts->list, size, sizeof(*list));
		if (!list)
			return -ENOMEM;
		texts->list = list;
		texts->size = size;
	}
	copy = strndup(bytes, len);
	if (!copy)
		return -ENOMEM;
	texts->list[texts->count++] = copy;
	return 0;
}

static int add_text(void *target, const char *text)
{
	return add_bytes(target, text, strlen(text));
}

/* Beginnings and ends of the patterns with a star; each list starts with the empty one. */
struct ends {
	struct texts prefixes;
	struct texts suffixes;
};

static void ends_done(struct ends *ends)
{
	texts_done(&ends->prefixes);
	texts_done(&ends->suffixes);
}

static int add_ends(struct ends *ends, const struct kw_patterns *patterns)
{
	int r = add_text(&ends->prefixes, "");

	if (r == 0)
		r = add_text(&ends->suffixes, "");
	for (size_t i = 0; r == 0 && i < patterns->count; i++) {
		const struct kw_glob *glob = patterns->list[i].glob;

		if (!glob->star)
			continue;
		r = add_bytes(&ends->prefixes, glob->text, glob->prefix_len);
		if (r == 0)
			r = add_bytes(&ends->suffixes, glob->text + glob->prefix_len,
				      glob->suffix_len);
	}
	return r;
}

static bool has_letter(const struct kw_patterns *patterns, char letter)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (strchr(patterns->list[i].text, letter))
			return true;
	return false;
}

/*
 * A letter that no pattern has, so that what it is put between is neither a
 * longer prefix nor a longer suffix of one. With 60 letters in use, any will do:
 * then a kind may be missed, which no set of readable patterns comes near.
 */
static char choose_letter(const struct kw_patterns *a, const struct kw_patterns *b)
{
	static const char letters[] = "xyzwvutsrqponmlkjihgfedcba0123456789"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ_~+=,:#@%^";

	for (const char *letter = letters; *letter; letter++)
		if (!has_letter(a, *letter) && !has_letter(b, *letter))
			return *letter;
	return 'x';
}

/* Where texts go, and the letter that keeps their parts apart. */
struct writer {
	kw_text_taker take;
	void *target;
	char letter;
};

__attribute__((format(printf, 2, 3))) static int emit(const struct writer *writer,
						      const char *format, ...)
{
	char text[KW_PATH_MAX];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* Longer ones do not exist: the kernel side cuts them off, and they are unknown then. */
	if (n < 0 || (size_t)n >= sizeof(text))
		return 0;
	return writer->take(writer->target, text);
}

/* Both with something between them, and both as one where they overlap. */
static int emit_pair(const struct writer *writer, const char *prefix, const char *suffix)
{
	size_t len = strlen(prefix), end = strlen(suffix);
	int r = emit(writer, "%s%c%s", prefix, writer->letter, suffix);

	for (size_t n = 1; r == 0 && n <= len && n <= end; n++)
		if (memcmp(prefix + len - n, suffix, n) == 0)
			r = emit(writer, "%s%s", prefix, suffix + n);
	return r;
}

static int emit_pairs(const struct writer *writer, const struct ends *ends, const char *first)
{
	int r = 0;

	for (size_t i = 0; i < ends->prefixes.count; i++)
		for (size_t j = 0; r == 0 && j < ends->suffixes.count; j++) {
			const char *prefix = ends->prefixes.list[i];

			r = emit_pair(writer, *prefix ? prefix : first, ends->suffixes.list[j]);
		}
	return r;
}

/* The patterns without a star: each is a text of its own. */
static int emit_exact(const struct writer *writer, const struct kw_patterns *patterns)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < patterns->count; i++)
		if (!patterns->list[i].glob->star)
			r = emit(writer, "%s", patterns->list[i].text);
	return r;
}

int kw_texts_of_paths(const struct kw_patterns *patterns, kw_text_taker take, void *target)
{
	const struct writer writer = {take, target, choose_letter(patterns, patterns)};
	_cleanup_(ends_done) struct ends ends = {};
	int r = add_ends(&ends, patterns);

	if (r == 0)
		r = emit_exact(&writer, patterns);
	/* Every path begins with a slash, whether a pattern says so or not. */
	return r == 0 ? emit_pairs(&writer, &ends, "/") : r;
}

static bool ends_unit(const char *text, size_t len)
{
	for (size_t i = 0; i < KW_ARRAY_SIZE(unit_ends); i++) {
		size_t n = strlen(unit_ends[i]);

		if (len >= n && memcmp(text + len - n, unit_ends[i], n) == 0)
			return true;
	}
	return false;
}

/* A unit is one component: what a control group's prefix leaves of its last one may begin it. */
static int add_unit_prefixes(struct ends *ends, const struct texts *prefixes)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < prefixes->count; i++) {
		const char *slash = strrchr(prefixes->list[i], '/');

		r = add_text(&ends->prefixes, slash ? slash + 1 : prefixes->list[i]);
	}
	return r;
}

/* And what a control group's suffix has before its first slash may end it. */
static int add_unit_suffixes(struct ends *ends, const struct texts *suffixes)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < KW_ARRAY_SIZE(unit_ends); i++)
		r = add_text(&ends->suffixes, unit_ends[i]);
	for (size_t i = 0; r == 0 && i < suffixes->count; i++) {
		size_t len = strcspn(suffixes->list[i], "/");

		if (ends_unit(suffixes->list[i], len))
			r = add_bytes(&ends->suffixes, suffixes->list[i], len);
	}
	return r;
}

struct units {
	struct texts names;
	bool full;
};

static void units_done(struct units *units)
{
	texts_done(&units->names);
}

/* Only what can be a unit is one. */
static int take_unit(void *target, const char *text)
{
	struct units *units = target;

	if (!ends_unit(text, strlen(text)) || strchr(text, '/'))
		return 0;
	if (units->names.count < UNITS_MAX)
		return add_text(&units->names, text);
	units->full = true;
	return 0;
}

static int make_units(const struct writer *writer, const struct kw_patterns *patterns,
		      const struct ends *cgroups, struct units *ret)
{
	const struct writer units = {take_unit, ret, writer->letter};
	_cleanup_(ends_done) struct ends ends = {};
	int r = add_ends(&ends, patterns);

	if (r == 0)
		r = add_unit_prefixes(&ends, &cgroups->prefixes);
	if (r == 0)
		r = add_unit_suffixes(&ends, &cgroups->suffixes);
	if (r == 0)
		r = emit_exact(&units, patterns);
	return r == 0 ? emit_pairs(&units, &ends, "") : r;
}

/*
 * The unit in a control group of this beginning and this end: its name begins
 * in the prefix or behind it, and ends in the suffix or before it.
 */
static int emit_unit(const struct writer *writer, const char *prefix, const char *unit,
		     const char *suffix)
{
	const char *slash = strrchr(prefix, '/'), *rest = strchrnul(suffix, '/');
	int parents = slash ? (int)(slash - prefix) : 0;
	char c = writer->letter;
	int r;

	r = emit(writer, "%.*s/%s%s", parents, prefix, unit, rest);
	if (r == 0)
		r = emit(writer, "%.*s/%s/%c%s", parents, prefix, unit, c, suffix);
	if (r == 0)
		r = emit(writer, "%s%c/%s%s", *prefix ? prefix : "/", c, unit, rest);
	if (r == 0)
		r = emit(writer, "%s%c/%s/%c%s", *prefix ? prefix : "/", c, unit, c, suffix);
	return r;
}

int kw_texts_of_cgroups(const struct kw_patterns *cgroups, const struct kw_patterns *units,
			kw_text_taker take, void *target)
{
	const struct writer writer = {take, target, choose_letter(cgroups, units)};
	_cleanup_(units_done) struct units found = {};
	_cleanup_(ends_done) struct ends ends = {};
	int r = add_ends(&ends, cgroups);

	if (r == 0)
		r = make_units(&writer, units, &ends, &found);
	if (r == 0)
		r = emit_exact(&writer, cgroups);
	if (r == 0)
		r = emit(&writer, "/");
	if (r == 0)
		r = emit_pairs(&writer, &ends, "/");
	for (size_t i = 0; i < ends.prefixes.count; i++)
		for (size_t j = 0; j < ends.suffixes.count; j++)
			for (size_t k = 0; r == 0 && k < found.names.count; k++)
				r = emit_unit(&writer, ends.prefixes.list[i], found.names.list[k],
					      ends.suffixes.list[j]);
	return r == 0 && found.full ? -E2BIG : r;
}
