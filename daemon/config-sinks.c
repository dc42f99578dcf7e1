/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of the configuration that are about events: the trail, and sinks. */
#define _GNU_SOURCE 1
#include "config-sinks.h"

#include <errno.h>
#include <limits.h>

#include "event-kinds.h"
#include "names.h"
#include "quantity.h"
#include "util.h"

#define SINKS_MAX 16
#define NAME_MAX_LEN 32
#define ROTATE_BYTES_MIN (64 * 1024)
#define ROTATE_BYTES_MAX (1ull << 40)
#define ROTATE_SECONDS_MIN 60
#define ROTATE_SECONDS_MAX (366ull * 24 * 60 * 60)
#define KEEP_DEFAULT 8
#define SPOOL_MIN (64 * 1024)
#define SPOOL_MAX (1ull << 30)
#define SPOOL_DIRECTORY "/var/lib/kvmwarden"

/* A file with what becomes of it: the trail, or a sink. */
struct file_reader {
	const char *noun;
	struct kw_rotation *rotation;
	enum kw_sync *sync;
	struct kw_yaml_mark rotation_at; /* of what only goes with a file; line 0: absent */
};

static int read_rotate_size(struct kw_yaml *yaml, struct file_reader *reader)
{
	const char *text;
	int r;

	reader->rotation_at = kw_yaml_mark(yaml);
	r = kw_yaml_scalar(yaml, "rotate-size", &text);
	if (r < 0)
		return r;
	if (kw_parse_bytes(text, ROTATE_BYTES_MAX, &reader->rotation->bytes) < 0 ||
	    reader->rotation->bytes < ROTATE_BYTES_MIN)
		return kw_yaml_error(
			yaml, kw_yaml_mark(yaml),
			"'rotate-size' takes a size such as 64M, from 64K to 1024G, not '%s'",
			text);
	return 0;
}

static int read_rotate_every(struct kw_yaml *yaml, struct file_reader *reader)
{
	const char *text;
	int r;

	reader->rotation_at = kw_yaml_mark(yaml);
	r = kw_yaml_scalar(yaml, "rotate-every", &text);
	if (r < 0)
		return r;
	if (kw_parse_seconds(text, ROTATE_SECONDS_MAX, &reader->rotation->seconds) < 0 ||
	    reader->rotation->seconds < ROTATE_SECONDS_MIN)
		return kw_yaml_error(yaml, kw_yaml_mark(yaml),
				     "'rotate-every' takes a time such as 1d or 12h, from 1min to "
				     "366d, not '%s'",
				     text);
	return 0;
}

static int read_keep(struct kw_yaml *yaml, struct file_reader *reader)
{
	const char *text;
	int r;

	reader->rotation_at = kw_yaml_mark(yaml);
	r = kw_yaml_scalar(yaml, "keep", &text);
	if (r < 0)
		return r;
	if (kw_parse_u32(text, KW_ROTATE_KEEP_MAX, &reader->rotation->keep) < 0 ||
	    reader->rotation->keep == 0)
		return kw_yaml_error(yaml, kw_yaml_mark(yaml),
				     "'keep' takes a number of files from 1 to %d, not '%s'",
				     KW_ROTATE_KEEP_MAX, text);
	return 0;
}

static int read_sync(struct kw_yaml *yaml, struct file_reader *reader)
{
	const char *text;
	int r, sync;

	reader->rotation_at = kw_yaml_mark(yaml);
	r = kw_yaml_scalar(yaml, "sync", &text);
	if (r < 0)
		return r;
	sync = kw_sync_from_name(text);
	if (sync < 0) {
		kw_yaml_suggest(yaml, text, kw_sync_list);
		return kw_yaml_error(yaml, kw_yaml_mark(yaml),
				     "'sync' takes never, denials or always, not '%s'", text);
	}
	*reader->sync = (enum kw_sync)sync;
	return 0;
}

/* What is said of a file must have one to be said of. */
static int check_file(struct kw_yaml *yaml, const struct file_reader *reader, bool is_file)
{
	if (!is_file && reader->rotation_at.line)
		return kw_yaml_error(yaml, reader->rotation_at, "this %s is no file", reader->noun);
	if (reader->rotation->keep && !kw_rotates(reader->rotation))
		return kw_yaml_error(yaml, reader->rotation_at,
				     "'keep' goes with 'rotate-size' or 'rotate-every'");
	if (!reader->rotation->keep)
		reader->rotation->keep = KEEP_DEFAULT;
	return 0;
}

/* --- the trail ---------------------------------------------------------------- */

struct events_reader {
	struct file_reader file;
	struct kw_options *options;
};

static int read_events_to(struct kw_yaml *yaml, void *target)
{
	struct kw_options *options = ((struct events_reader *)target)->options;
	const char *text;
	int r;

	r = kw_yaml_scalar(yaml, "to", &text);
	if (r < 0)
		return r;
	options->events = NULL;
	options->no_events = kw_streq(text, "nowhere");
	if (options->no_events || kw_streq(text, "stdout"))
		return 0;
	if (text[0] != '/')
		return kw_yaml_error(yaml, kw_yaml_mark(yaml),
				     "'to' takes stdout, nowhere, or the path of a file from the "
				     "root, not '%s'",
				     text);
	options->events = kw_options_keep(options, text);
	return options->events ? 0 : -ENOMEM;
}

#define EVENTS_FILE(key)                                                          \
	static int read_events_##key(struct kw_yaml *yaml, void *target)          \
	{                                                                         \
		return read_##key(yaml, &((struct events_reader *)target)->file); \
	}

EVENTS_FILE(rotate_size)
EVENTS_FILE(rotate_every)
EVENTS_FILE(keep)
EVENTS_FILE(sync)

int kw_config_read_events(struct kw_yaml *yaml, void *target)
{
	static const struct kw_yaml_key keys[] = {
		{"to", true, read_events_to},
		{"rotate-size", false, read_events_rotate_size},
		{"rotate-every", false, read_events_rotate_every},
		{"keep", false, read_events_keep},
		{"sync", false, read_events_sync},
	};
	struct kw_options *options = target;
	struct events_reader reader = {
		.file = {"trail", &options->rotation, &options->sync, {}},
		.options = options,
	};
	int r;

	r = kw_yaml_mapping(yaml, "events", keys, KW_ARRAY_SIZE(keys), &reader);
	return r < 0 ? r : check_file(yaml, &reader.file, options->events);
}

/* --- sinks -------------------------------------------------------------------- */

struct sink_reader {
	struct file_reader file;
	struct kw_sink_wish wish;
	struct kw_yaml_mark format_at, spool_at; /* line 0: absent */
};

static int store(char **ret, const char *text)
{
	free(*ret);
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static bool is_name(const char *text)
{
	size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return !text[len] && text[0] != '-' && len <= NAME_MAX_LEN;
}

static int read_sink_name(struct kw_yaml *yaml, void *target)
{
	struct sink_reader *reader = target;
	const char *text;
	int r;

	r = kw_yaml_scalar(yaml, "name", &text);
	if (r < 0)
		return r;
	if (!is_name(text))
		return kw_yaml_error(yaml, kw_yaml_mark(yaml),
				     "'%s' is no name for a sink: lower-case letters, digits and "
				     "dashes, at most %d",
				     text, NAME_MAX_LEN);
	return store(&reader->wish.name, text);
}

/* "journal", "syslog", "file:/PATH" or "socket:/PATH"; the first two with a path only for tests. */
static int read_sink_to(struct kw_yaml *yaml, void *target)
{
	struct sink_reader *reader = target;
	const char *text, *colon;
	int r;

	r = kw_yaml_scalar(yaml, "to", &text);
	if (r < 0)
		return r;
	colon = strchr(text, ':');
	for (unsigned int i = 0; i < _KW_SINK_KIND_MAX; i++) {
		const char *name = kw_sink_kind_name(i);
		size_t len = strlen(name);
		bool needs_path = i == KW_SINK_FILE || i == KW_SINK_SOCKET;

		if (strncmp(text, name, len) != 0 || (text[len] && text[len] != ':'))
			continue;
		if (colon ? colon[1] != '/' : needs_path)
			break;
		reader->wish.kind = i;
		return colon ? store(&reader->wish.path, colon + 1) : 0;
	}
	return kw_yaml_error(yaml, kw_yaml_mark(yaml),
			     "'to' takes journal, syslog, file:/PATH or socket:/PATH, not '%s'",
			     text);
}

static int read_sink_format(struct kw_yaml *yaml, void *target)
{
	struct sink_reader *reader = target;
	const char *text;
	int r, format;

	reader->format_at = kw_yaml_mark(yaml);
	r = kw_yaml_scalar(yaml, "format", &text);
	if (r < 0)
		return r;
	format = kw_format_from_name(text);
	if (format < 0) {
		kw_yaml_suggest(yaml, text, kw_format_list);
		return kw_yaml_error(yaml, kw_yaml_mark(yaml),
				     "unknown format '%s': json, text, ecs or ocsf", text);
	}
	reader->wish.format = (enum kw_format)format;
	return 0;
}

static int add_verdict(struct kw_yaml *yaml, const char *text, void *target)
{
	struct sink_reader *reader = target;
	int verdict = kw_verdict_from_name(text);

	if (verdict < 0) {
		kw_yaml_suggest(yaml, text, kw_verdict_list);
		return kw_yaml_error(yaml, kw_yaml_mark(yaml), "unknown verdict '%s'", text);
	}
	reader->wish.verdicts |= 1u << verdict;
	return 0;
}

static int read_sink_verdicts(struct kw_yaml *yaml, void *target)
{
	return kw_yaml_scalars(yaml, "verdicts", add_verdict, target);
}

static int add_event(struct kw_yaml *yaml, const char *text, void *target)
{
	struct sink_reader *reader = target;
	int kind = kw_kind_from_name(text);

	if (kind < 0) {
		kw_yaml_suggest(yaml, text, kw_kind_list);
		return kw_yaml_error(yaml, kw_yaml_mark(yaml), "unknown event '%s'", text);
	}
	reader->wish.events |= 1ull << kind;
	return 0;
}

static int read_sink_events(struct kw_yaml *yaml, void *target)
{
	return kw_yaml_scalars(yaml, "events", add_event, target);
}

static int read_sink_spool(struct kw_yaml *yaml, void *target)
{
	struct sink_reader *reader = target;
	const char *text;
	int r;

	reader->spool_at = kw_yaml_mark(yaml);
	r = kw_yaml_scalar(yaml, "keep-denials", &text);
	if (r < 0)
		return r;
	if (kw_parse_bytes(text, SPOOL_MAX, &reader->wish.spool) < 0 ||
	    reader->wish.spool < SPOOL_MIN)
		return kw_yaml_error(yaml, kw_yaml_mark(yaml),
				     "'keep-denials' takes a size such as 16M, from 64K to 1G, not "
				     "'%s'",
				     text);
	return 0;
}

static int read_sink_spool_file(struct kw_yaml *yaml, void *target)
{
	struct sink_reader *reader = target;
	const char *text;
	int r;

	r = kw_yaml_scalar(yaml, "spool", &text);
	if (r < 0)
		return r;
	if (text[0] != '/')
		return kw_yaml_error(yaml, kw_yaml_mark(yaml),
				     "'spool' takes the path of a file from the root, not '%s'",
				     text);
	return store(&reader->wish.spool_path, text);
}

#define SINK_FILE(key)                                                          \
	static int read_sink_##key(struct kw_yaml *yaml, void *target)          \
	{                                                                       \
		return read_##key(yaml, &((struct sink_reader *)target)->file); \
	}

SINK_FILE(rotate_size)
SINK_FILE(rotate_every)
SINK_FILE(keep)
SINK_FILE(sync)

/* What goes with what, and what was not said. */
static int complete(struct kw_yaml *yaml, struct kw_yaml_mark start, struct sink_reader *reader,
		    const struct kw_options *options)
{
	struct kw_sink_wish *wish = &reader->wish;
	int r;

	if (!wish->name) {
		r = store(&wish->name, kw_sink_kind_name(wish->kind));
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < options->sink_count; i++)
		if (kw_streq(options->sinks[i].name, wish->name))
			return kw_yaml_error(yaml, start,
					     "there is a sink '%s' already: give one of them a "
					     "'name'",
					     wish->name);
	if (wish->kind == KW_SINK_JOURNAL && reader->format_at.line)
		return kw_yaml_error(yaml, reader->format_at,
				     "the journal takes fields, and no format");
	if (wish->kind == KW_SINK_SYSLOG && !reader->format_at.line)
		wish->format = KW_FORMAT_TEXT;
	if (wish->kind == KW_SINK_SOCKET && wish->spool)
		return kw_yaml_error(yaml, reader->spool_at,
				     "nothing is kept for those who may connect to a socket");
	if (wish->spool && !wish->spool_path &&
	    asprintf(&wish->spool_path, SPOOL_DIRECTORY "/%s.spool", wish->name) < 0) {
		wish->spool_path = NULL;
		return -ENOMEM;
	}
	return check_file(yaml, &reader->file, wish->kind == KW_SINK_FILE);
}

static int append(struct kw_options *options, struct kw_sink_wish *wish)
{
	struct kw_sink_wish *sinks =
		reallocarray(options->sinks, options->sink_count + 1, sizeof(*sinks));

	if (!sinks)
		return -ENOMEM;
	options->sinks = sinks;
	sinks[options->sink_count++] = *wish;
	*wish = (struct kw_sink_wish){};
	return 0;
}

static int read_sink(struct kw_yaml *yaml, void *target)
{
	static const struct kw_yaml_key keys[] = {
		{"to", true, read_sink_to},
		{"name", false, read_sink_name},
		{"format", false, read_sink_format},
		{"verdicts", false, read_sink_verdicts},
		{"events", false, read_sink_events},
		{"rotate-size", false, read_sink_rotate_size},
		{"rotate-every", false, read_sink_rotate_every},
		{"keep", false, read_sink_keep},
		{"sync", false, read_sink_sync},
		{"keep-denials", false, read_sink_spool},
		{"spool", false, read_sink_spool_file},
	};
	struct kw_yaml_mark start = kw_yaml_mark(yaml);
	struct kw_options *options = target;
	struct sink_reader reader = {};
	int r;

	if (options->sink_count == SINKS_MAX)
		return kw_yaml_error(yaml, start, "one sink too many: there can be %d", SINKS_MAX);
	reader.file = (struct file_reader){"sink", &reader.wish.rotation, &reader.wish.sync, {}};
	r = kw_yaml_mapping(yaml, "sink", keys, KW_ARRAY_SIZE(keys), &reader);
	if (r == 0)
		r = complete(yaml, start, &reader, options);
	if (r == 0)
		r = append(options, &reader.wish);
	kw_sink_wish_done(&reader.wish);
	return r;
}

int kw_config_read_sinks(struct kw_yaml *yaml, void *target)
{
	return kw_yaml_sequence(yaml, "sinks", read_sink, target);
}
