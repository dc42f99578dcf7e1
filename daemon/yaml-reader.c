/* SPDX-License-Identifier: GPL-2.0-only */
/* A strict reader of small YAML files: tables of keys over libyaml's events. */
#define _GNU_SOURCE 1
#include "yaml-reader.h"

#include <errno.h>
#include <string.h>

#include "names.h"
#include "util.h"

#define MESSAGE_MAX 400

static struct kw_yaml_mark mark_of(const yaml_mark_t *mark)
{
	return (struct kw_yaml_mark){mark->line + 1, mark->column + 1};
}

struct kw_yaml_mark kw_yaml_mark(const struct kw_yaml *yaml)
{
	return mark_of(&yaml->event.start_mark);
}

/* Messages quote the file, where a word may be as long as the file itself. */
static void cut(char *message)
{
	size_t len = MESSAGE_MAX;

	while (len && ((unsigned char)message[len] & 0xc0) == 0x80)
		len--;
	memcpy(message + len, "...", sizeof("..."));
}

int kw_yaml_error(struct kw_yaml *yaml, struct kw_yaml_mark at, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list args;
	int r;

	va_start(args, format);
	r = vasprintf(&message, format, args);
	va_end(args);
	if (r < 0) {
		message = NULL;
		return -ENOMEM;
	}
	if (strlen(message) > MESSAGE_MAX + strlen("..."))
		cut(message);
	kw_diag_set(yaml->diag, yaml->file, at.line, at.column, "%s", message);
	return -EINVAL;
}

void kw_yaml_suggest(struct kw_yaml *yaml, const char *name,
		     const char *(*next)(unsigned int index))
{
	const char *nearest = kw_nearest(name, next);

	if (nearest)
		kw_diag_hint(yaml->diag, "did you mean '%s'?", nearest);
}

/* Where the byte at offset stands; columns count characters. */
static struct kw_yaml_mark mark_of_offset(const struct kw_yaml *yaml, size_t offset)
{
	struct kw_yaml_mark mark = {1, 1};

	for (size_t i = 0; i < offset && i < yaml->size; i++) {
		if (yaml->text[i] == '\n') {
			mark.line++;
			mark.column = 1;
		} else if (((unsigned char)yaml->text[i] & 0xc0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

/* libyaml says nothing about the line when the bytes themselves are wrong. */
static int parser_error(struct kw_yaml *yaml)
{
	const yaml_parser_t *parser = &yaml->parser;
	const char *problem = parser->problem ?: "cannot be parsed";

	if (parser->error == YAML_MEMORY_ERROR) {
		kw_diag_set(yaml->diag, yaml->file, 0, 0, "out of memory");
		return -ENOMEM;
	}
	if (parser->error == YAML_READER_ERROR)
		return kw_yaml_error(yaml, mark_of_offset(yaml, parser->problem_offset),
				     "not text in UTF-8: %s", problem);
	if (parser->context)
		return kw_yaml_error(yaml, mark_of(&parser->problem_mark), "invalid YAML: %s, %s",
				     parser->context, problem);
	return kw_yaml_error(yaml, mark_of(&parser->problem_mark), "invalid YAML: %s", problem);
}

static int refuse_decoration(struct kw_yaml *yaml, const yaml_char_t *anchor,
			     const yaml_char_t *tag)
{
	if (anchor)
		return kw_yaml_error(yaml, kw_yaml_mark(yaml), "anchors are not allowed");
	if (tag)
		return kw_yaml_error(yaml, kw_yaml_mark(yaml), "tags are not allowed");
	return 0;
}

static int enter(struct kw_yaml *yaml)
{
	if (++yaml->depth > KW_YAML_DEPTH_MAX)
		return kw_yaml_error(yaml, kw_yaml_mark(yaml), "nested deeper than %d levels",
				     KW_YAML_DEPTH_MAX);
	return 0;
}

/* What is wrong with the current event wherever it stands. */
static int check_event(struct kw_yaml *yaml)
{
	const yaml_event_t *event = &yaml->event;
	int r;

	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return kw_yaml_error(yaml, kw_yaml_mark(yaml), "aliases are not allowed");
	case YAML_SCALAR_EVENT:
		if (memchr(event->data.scalar.value, 0, event->data.scalar.length))
			return kw_yaml_error(yaml, kw_yaml_mark(yaml),
					     "NUL characters are not allowed");
		return refuse_decoration(yaml, event->data.scalar.anchor, event->data.scalar.tag);
	case YAML_SEQUENCE_START_EVENT:
		r = enter(yaml);
		if (r < 0)
			return r;
		return refuse_decoration(yaml, event->data.sequence_start.anchor,
					 event->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		r = enter(yaml);
		if (r < 0)
			return r;
		return refuse_decoration(yaml, event->data.mapping_start.anchor,
					 event->data.mapping_start.tag);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		yaml->depth--;
		return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	}
	return 0;
}

static int next_event(struct kw_yaml *yaml)
{
	yaml_event_delete(&yaml->event);
	if (!yaml_parser_parse(&yaml->parser, &yaml->event))
		return parser_error(yaml);
	return check_event(yaml);
}

static const char *kind_of(const struct kw_yaml *yaml)
{
	switch (yaml->event.type) {
	case YAML_SCALAR_EVENT:
		return yaml->event.data.scalar.length ? "a single value" : "nothing";
	case YAML_SEQUENCE_START_EVENT:
		return "a list";
	case YAML_MAPPING_START_EVENT:
		return "a mapping";
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	case YAML_ALIAS_EVENT:
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		break;
	}
	return "something else";
}

int kw_yaml_scalar(struct kw_yaml *yaml, const char *noun, const char **ret)
{
	if (yaml->event.type != YAML_SCALAR_EVENT)
		return kw_yaml_error(yaml, kw_yaml_mark(yaml), "'%s' takes a single value, not %s",
				     noun, kind_of(yaml));
	if (!yaml->event.data.scalar.length)
		return kw_yaml_error(yaml, kw_yaml_mark(yaml), "'%s' is empty", noun);
	*ret = (const char *)yaml->event.data.scalar.value;
	return 0;
}

int kw_yaml_sequence(struct kw_yaml *yaml, const char *noun,
		     int (*read)(struct kw_yaml *yaml, void *target), void *target)
{
	struct kw_yaml_mark start = kw_yaml_mark(yaml);
	bool empty = true;
	int r;

	if (yaml->event.type != YAML_SEQUENCE_START_EVENT)
		return kw_yaml_error(yaml, start, "'%s' takes a list, not %s", noun, kind_of(yaml));
	for (;;) {
		r = next_event(yaml);
		if (r < 0)
			return r;
		if (yaml->event.type == YAML_SEQUENCE_END_EVENT)
			break;
		r = read(yaml, target);
		if (r < 0)
			return r;
		empty = false;
	}
	if (empty)
		return kw_yaml_error(yaml, start, "the list '%s' is empty", noun);
	return 0;
}

/* Lets an element of kw_yaml_sequence() be a scalar reader. */
struct scalar_reader {
	const char *noun;
	int (*read)(struct kw_yaml *yaml, const char *text, void *target);
	void *target;
};

static int read_scalar_element(struct kw_yaml *yaml, void *target)
{
	const struct scalar_reader *reader = target;
	const char *text = NULL;
	int r;

	r = kw_yaml_scalar(yaml, reader->noun, &text);
	if (r < 0)
		return r;
	return reader->read(yaml, text, reader->target);
}

int kw_yaml_scalars(struct kw_yaml *yaml, const char *noun,
		    int (*read)(struct kw_yaml *yaml, const char *text, void *target), void *target)
{
	struct scalar_reader reader = {noun, read, target};

	if (yaml->event.type == YAML_SCALAR_EVENT)
		return read_scalar_element(yaml, &reader);
	return kw_yaml_sequence(yaml, noun, read_scalar_element, &reader);
}

static void suggest_key(struct kw_yaml *yaml, const char *name, const struct kw_yaml_key *keys,
			size_t count)
{
	unsigned int distance, least = KW_TOO_FAR;
	const char *nearest = NULL;

	for (size_t i = 0; i < count; i++) {
		distance = kw_name_distance(name, keys[i].name);
		if (distance >= least)
			continue;
		least = distance;
		nearest = keys[i].name;
	}
	if (nearest)
		kw_diag_hint(yaml->diag, "did you mean '%s'?", nearest);
}

static const char *article(const char *noun)
{
	return strchr("aeiou", noun[0]) ? "an" : "a";
}

/* Returns the index of the key that the current event names, not seen before. */
static int read_key(struct kw_yaml *yaml, const char *noun, const struct kw_yaml_key *keys,
		    size_t count, uint32_t *seen)
{
	const char *name;

	if (yaml->event.type != YAML_SCALAR_EVENT)
		return kw_yaml_error(yaml, kw_yaml_mark(yaml), "a key of %s %s is %s, not a name",
				     article(noun), noun, kind_of(yaml));
	name = (const char *)yaml->event.data.scalar.value;
	for (size_t i = 0; i < count; i++) {
		if (!kw_streq(keys[i].name, name))
			continue;
		if (*seen & (1u << i))
			return kw_yaml_error(yaml, kw_yaml_mark(yaml), "duplicate key '%s'", name);
		*seen |= 1u << i;
		return i;
	}
	suggest_key(yaml, name, keys, count);
	return kw_yaml_error(yaml, kw_yaml_mark(yaml), "unknown key '%s' in %s %s", name,
			     article(noun), noun);
}

int kw_yaml_mapping(struct kw_yaml *yaml, const char *noun, const struct kw_yaml_key *keys,
		    size_t count, void *target)
{
	struct kw_yaml_mark start = kw_yaml_mark(yaml);
	uint32_t seen = 0;
	int r, key;

	if (yaml->event.type != YAML_MAPPING_START_EVENT)
		return kw_yaml_error(yaml, start, "%s %s is a mapping, not %s", article(noun), noun,
				     kind_of(yaml));
	for (;;) {
		r = next_event(yaml);
		if (r < 0)
			return r;
		if (yaml->event.type == YAML_MAPPING_END_EVENT)
			break;
		key = read_key(yaml, noun, keys, count, &seen);
		if (key < 0)
			return key;
		r = next_event(yaml);
		if (r < 0)
			return r;
		r = keys[key].read(yaml, target);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < count; i++)
		if (keys[i].required && !(seen & (1u << i)))
			return kw_yaml_error(yaml, start, "this %s lacks the key '%s'", noun,
					     keys[i].name);
	return 0;
}

static int read_document(struct kw_yaml *yaml, const char *noun, const struct kw_yaml_key *keys,
			 size_t count, void *target)
{
	int r;

	r = next_event(yaml); /* the start of the stream */
	if (r < 0)
		return r;
	r = next_event(yaml); /* of the document */
	if (r < 0)
		return r;
	if (yaml->event.type == YAML_STREAM_END_EVENT) {
		kw_diag_set(yaml->diag, yaml->file, 0, 0, "the file holds no %s", noun);
		return -EINVAL;
	}
	r = next_event(yaml);
	if (r < 0)
		return r;
	r = kw_yaml_mapping(yaml, noun, keys, count, target);
	if (r < 0)
		return r;
	r = next_event(yaml); /* the end of the document */
	if (r < 0)
		return r;
	r = next_event(yaml);
	if (r < 0)
		return r;
	if (yaml->event.type != YAML_STREAM_END_EVENT)
		return kw_yaml_error(yaml, kw_yaml_mark(yaml), "a second document in the file");
	return 0;
}

/* The breaks that libyaml knows besides "\n" and "\r\n": "\r", NEL, LS and PS. */
static bool is_odd_break(const char *text, size_t size)
{
	if (text[0] == '\r')
		return size < 2 || text[1] != '\n';
	if (size >= 2 && memcmp(text, "\xc2\x85", 2) == 0)
		return true;
	return size >= 3 &&
	       (memcmp(text, "\xe2\x80\xa8", 3) == 0 || memcmp(text, "\xe2\x80\xa9", 3) == 0);
}

/*
 * Where libyaml sees a line and an editor does not, a reader of the file takes
 * for a comment what is none, and our line numbers are not his.
 */
static int check_breaks(struct kw_yaml *yaml)
{
	for (size_t i = 0; i < yaml->size; i++)
		if (is_odd_break(yaml->text + i, yaml->size - i))
			return kw_yaml_error(yaml, mark_of_offset(yaml, i),
					     "a line ends in something else than a newline");
	return 0;
}

/* Adds the text of the line to the diagnostic. NUL would end it; it is never valid anyway. */
static void attach_source(struct kw_diag *diag, const char *text, size_t size)
{
	const char *start = text, *end;

	if (!diag || !diag->line || diag->source)
		return;
	for (unsigned int line = 1; line < diag->line; line++) {
		start = memchr(start, '\n', size - (start - text));
		if (!start)
			return;
		start++;
	}
	end = memchr(start, '\n', size - (start - text)) ?: text + size;
	if (end > start && end[-1] == '\r')
		end--;
	diag->source = strndup(start, end - start);
}

int kw_yaml_read(const char *file, const char *text, size_t size, const char *noun,
		 const struct kw_yaml_key *keys, size_t count, void *target, struct kw_diag *reterr)
{
	struct kw_yaml yaml = {.file = file, .text = text, .size = size, .diag = reterr};
	int r;

	if (!yaml_parser_initialize(&yaml.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&yaml.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&yaml.parser, (const unsigned char *)text, size);
	r = check_breaks(&yaml);
	if (r == 0)
		r = read_document(&yaml, noun, keys, count, target);
	if (r < 0)
		attach_source(reterr, text, size);
	yaml_event_delete(&yaml.event);
	yaml_parser_delete(&yaml.parser);
	return r;
}
