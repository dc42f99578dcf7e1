/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden events": what happened, and with -f what happens. */
#define _GNU_SOURCE 1
#include <signal.h>

#include "cli.h"
#include "client.h"
#include "json-read.h"
#include "names.h"
#include "text.h"
#include "usage.h"
#include "util.h"

/* Without -n: all that is there, or with -f the last few. */
#define FOLLOW_DEFAULT 10

/* More than the daemon keeps; for --file it bounds what is held in memory. */
#define COUNT_MAX 1000000

struct wish {
	bool follow;
	bool json;
	bool colour;
	bool counted;
	uint64_t count;
	const char *verdict; /* or NULL */
	uint64_t vm; /* or 0 */
	const char *file; /* or NULL */
};

/* The last events that were wanted, until it is known which are the last. */
struct tail {
	json_t **events;
	size_t max;
	size_t count; /* ever */
};

KW_DEFINE_CLEANUP(json_t, json_decref)
KW_DEFINE_CLEANUP(struct kw_client, kw_client_free)

static void tail_done(struct tail *tail)
{
	size_t i;

	for (i = 0; i < tail->max && i < tail->count; i++)
		json_decref(tail->events[i]);
	free(tail->events);
}

static int tail_add(struct tail *tail, json_t *event)
{
	json_t **events;
	size_t at;

	if (tail->max == 0)
		return 0;
	at = tail->count % tail->max;
	if (tail->count >= tail->max) {
		json_decref(tail->events[at]);
	} else if ((tail->count & (tail->count - 1)) == 0) {
		/* Full at each power of two: its size is the next one. */
		events = reallocarray(tail->events, tail->count ? tail->count * 2 : 1,
				      sizeof(json_t *));
		if (!events)
			return -ENOMEM;
		tail->events = events;
	}
	tail->events[at] = json_incref(event);
	tail->count++;
	return 0;
}

static bool is_wanted(const struct wish *wish, json_t *event)
{
	json_t *id = json_object_get(json_object_get(event, "vm"), "id");

	if (wish->verdict && !kw_streq(kw_text_member(event, "verdict"), wish->verdict))
		return false;
	if (wish->vm && (!json_is_integer(id) || (uint64_t)json_integer_value(id) != wish->vm))
		return false;
	return true;
}

static void print_event(const struct wish *wish, json_t *event)
{
	if (!wish->json) {
		kw_text_event_json(event, wish->colour, stdout);
		return;
	}
	json_dumpf(event, stdout, JSON_COMPACT);
	putchar('\n');
}

/* -EPIPE when nobody reads any more. */
static int flush(void)
{
	if (fflush(stdout) == EOF || ferror(stdout))
		return -(errno ?: EIO);
	return 0;
}

static int print_tail(const struct wish *wish, const struct tail *tail)
{
	size_t i = tail->count > tail->max ? tail->count - tail->max : 0;

	for (; i < tail->count; i++)
		print_event(wish, tail->events[i % tail->max]);
	return flush();
}

static int complain(const char *sentence, int error)
{
	fprintf(stderr, "kvmwarden: %s\n", sentence ? sentence : strerror(-error));
	return kw_client_exit(error);
}

/* A reader that went away is a normal end. */
static int finish(const char *sentence, int r)
{
	return r < 0 && r != -EPIPE ? complain(sentence, r) : KW_EXIT_OK;
}

/* First the recent ones, up to a reply without an event; then the others as they come. */
static int read_replies(struct kw_client *client, const struct wish *wish, struct tail *tail,
			char **reterr)
{
	bool continues = true, live = false;
	int r;

	while (continues) {
		_cleanup_(json_decref_cleanup) json_t *reply = NULL;
		json_t *event;

		r = kw_client_reply(client, &reply, &continues, reterr);
		if (r < 0)
			return r;
		event = json_object_get(reply, "event");
		if (!json_is_object(event)) {
			live = true;
			kw_client_wait_for_ever(client);
			r = print_tail(wish, tail);
		} else if (!is_wanted(wish, event)) {
			continue;
		} else if (!live) {
			r = tail_add(tail, event);
		} else {
			print_event(wish, event);
			r = flush();
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int follow(const struct kw_cli *cli, const struct wish *wish, struct tail *tail)
{
	_cleanup_(kw_client_free_cleanup) struct kw_client *client = NULL;
	_cleanup_(json_decref_cleanup) json_t *parameters = NULL;
	_cleanup_free_ char *sentence = NULL;
	int r;

	parameters = json_pack("{s:b}", "follow", wish->follow);
	if (!parameters)
		return KW_EXIT_OS;
	r = kw_client_connect(cli->socket, &client, &sentence);
	if (r < 0)
		return complain(sentence, r);
	r = kw_client_call(client, "FollowEvents", parameters, true, &sentence);
	if (r == 0)
		r = read_replies(client, wish, tail, &sentence);
	return finish(sentence, r);
}

/* JSON lines, as the daemon writes them. One that is cut short does not hide the others. */
static int read_file(const struct wish *wish, struct tail *tail)
{
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	size_t size = 0, number = 0;
	bool bad = false;
	ssize_t len;
	int r = 0;

	f = kw_streq(wish->file, "-") ? fdopen(STDIN_FILENO, "r") : fopen(wish->file, "re");
	if (!f) {
		fprintf(stderr, "kvmwarden: cannot open %s: %s\n", wish->file, strerror(errno));
		return KW_EXIT_FINDING;
	}
	while (r == 0 && (len = getline(&line, &size, f)) >= 0) {
		_cleanup_(json_decref_cleanup) json_t *event = NULL;

		number++;
		event = kw_json_read(line, len, 0);
		if (!json_is_object(event)) {
			fprintf(stderr, "kvmwarden: %s:%zu: not a JSON object\n", wish->file,
				number);
			bad = true;
		} else if (is_wanted(wish, event)) {
			r = tail_add(tail, event);
		}
	}
	if (r == 0)
		r = print_tail(wish, tail);
	if (r == 0 && bad)
		return KW_EXIT_FINDING;
	return finish(NULL, r);
}

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "kvmwarden events: %s '%s'; see 'kvmwarden --help'\n", what, value);
	return KW_EXIT_USAGE;
}

static int parse_verdict(const char *text, const char **ret)
{
	const char *nearest;

	if (kw_verdict_from_name(text) >= 0) {
		*ret = text;
		return KW_EXIT_OK;
	}
	nearest = kw_nearest(text, kw_verdict_list);
	fprintf(stderr, "kvmwarden events: unknown verdict '%s'%s%s%s\n", text,
		nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
	return KW_EXIT_USAGE;
}

static int parse_option(int c, struct wish *wish)
{
	switch (c) {
	case 'f':
		wish->follow = true;
		return KW_EXIT_OK;
	case 'F':
		wish->file = optarg;
		return KW_EXIT_OK;
	case 'n':
		wish->counted = true;
		if (kw_parse_u64(optarg, COUNT_MAX, &wish->count) == 0)
			return KW_EXIT_OK;
		return usage("no number of events:", optarg);
	case 'v':
		return parse_verdict(optarg, &wish->verdict);
	case 'V':
		if (kw_parse_u64(optarg, INT64_MAX, &wish->vm) == 0 && wish->vm > 0)
			return KW_EXIT_OK;
		return usage("no VM id:", optarg);
	}
	return KW_EXIT_USAGE;
}

/* Each line is flushed when it is complete, so nothing is cut short. */
static void on_interrupt(int signal)
{
	(void)signal;
	_exit(KW_EXIT_OK);
}

int kw_cmd_events(const struct kw_cli *cli, int argc, char **argv)
{
	struct kw_getopt getopt;
	struct wish wish = {.json = cli->json, .colour = kw_text_wants_colour(stdout)};
	_cleanup_(tail_done) struct tail tail = {};
	int c, r;

	if (argc > 1 && kw_streq(argv[1], "verify")) {
		argv[1] = "kvmwarden events verify";
		return kw_cmd_events_verify(cli, argc - 1, argv + 1);
	}
	kw_usage_getopt("events", "", &getopt);
	while ((c = getopt_long(argc, argv, getopt.letters, getopt.options, NULL)) >= 0) {
		r = parse_option(c, &wish);
		if (r != KW_EXIT_OK)
			return r;
	}
	if (optind < argc)
		return kw_cli_unexpected("events", argv[optind]);
	if (wish.file && wish.follow)
		return usage("-f does not go with --file", wish.file);
	tail.max = wish.counted ? wish.count : wish.follow ? FOLLOW_DEFAULT : COUNT_MAX;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, on_interrupt);
	signal(SIGTERM, on_interrupt);
	return wish.file ? read_file(&wish, &tail) : follow(cli, &wish, &tail);
}
