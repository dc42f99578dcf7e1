/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden top": what happens to the living VMs, as top(1) shows it of processes. */
#define _GNU_SOURCE 1
#include <signal.h>

#include "client.h"
#include "cmd-top.h"
#include "names.h"
#include "usage.h"
#include "util.h"

#define INTERVAL_NS 2000000000ull
#define INTERVAL_MIN_NS 100000000ull
#define INTERVAL_MAX_SECONDS 3600
#define COUNT_MAX 1000000

/* Nothing is shown, and no key is obeyed, while it is waited for. */
#define ANSWER_SECONDS 3

struct wish {
	bool plain; /* frames, though there is a terminal */
	uint64_t count; /* 0: without end */
};

KW_DEFINE_CLEANUP(json_t, json_decref)
KW_DEFINE_CLEANUP(struct kw_client, kw_client_free)

static void watch_done(struct kw_top_watch *watch)
{
	kw_top_done(&watch->frame.top);
	kw_top_sample_free(watch->before);
	kw_top_sample_free(watch->now);
	free(watch->sentence);
}

static int take_sample(const char *socket, struct kw_top_sample **ret, char **reterr)
{
	_cleanup_(kw_client_free_cleanup) struct kw_client *client = NULL;
	_cleanup_(json_decref_cleanup) json_t *status = NULL;
	_cleanup_(json_decref_cleanup) json_t *reply = NULL;
	int r;

	r = kw_client_connect_for(socket, ANSWER_SECONDS, &client, reterr);
	if (r < 0)
		return r;
	r = kw_client_ask_on(client, "GetStatus", NULL, &status, reterr);
	if (r < 0)
		return r;
	r = kw_client_ask_on(client, "ListVMs", NULL, &reply, reterr);
	if (r < 0)
		return r;
	return kw_top_sample_new(status, json_object_get(reply, "vms"),
				 kw_clock_ns(CLOCK_MONOTONIC), ret);
}

int kw_top_watch_arrange(struct kw_top_watch *watch)
{
	struct kw_top_frame *frame = &watch->frame;
	int r;

	kw_top_done(&frame->top);
	frame->host = watch->host;
	frame->status = NULL;
	frame->trouble = NULL;
	if (watch->error) {
		frame->trouble = watch->sentence ? watch->sentence : strerror(-watch->error);
		return 0;
	}
	r = kw_top_compare(watch->before, watch->now, &frame->top);
	if (r < 0)
		return r;
	frame->status = kw_top_sample_status(watch->now);
	kw_top_sort(&frame->top, frame->column);
	if (frame->only_denials)
		kw_top_only_denials(&frame->top);
	return 0;
}

/* After a while without answers, rates are those of the whole time. */
int kw_top_watch_look(struct kw_top_watch *watch)
{
	struct kw_top_sample *sample = NULL;

	kw_top_done(&watch->frame.top);
	free(TAKE_PTR(watch->sentence));
	watch->error = take_sample(watch->cli->socket, &sample, &watch->sentence);
	if (watch->error == -ENOMEM)
		return -ENOMEM;
	if (watch->error == 0) {
		kw_top_sample_free(watch->before);
		watch->before = watch->now;
		watch->now = sample;
	}
	watch->frame.time = time(NULL);
	return kw_top_watch_arrange(watch);
}

/* -EPIPE when nobody reads any more. */
static int print_frame(const struct kw_top_watch *watch)
{
	_cleanup_(json_decref_cleanup) json_t *json = NULL;
	int r = 0;

	if (watch->cli->json) {
		json = kw_top_frame_json(&watch->frame);
		if (!json || json_dumpf(json, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6)) < 0)
			r = -ENOMEM;
	} else {
		r = kw_top_frame_print(&watch->frame, stdout);
	}
	putchar('\n');
	if (fflush(stdout) == EOF || ferror(stdout))
		return -(errno ?: EIO);
	return r;
}

/* A frame is flushed when it is complete. */
static void on_interrupt(int signal)
{
	(void)signal;
	_exit(KW_EXIT_OK);
}

/* Each frame tells of the interval before it. */
static int print_frames(struct kw_top_watch *watch, uint64_t count)
{
	const struct timespec pause = {.tv_sec = (time_t)(watch->interval_ns / 1000000000),
				       .tv_nsec = (long)(watch->interval_ns % 1000000000)};
	uint64_t i;
	int r;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, on_interrupt);
	signal(SIGTERM, on_interrupt);
	for (i = 0; count == 0 || i < count; i++) {
		nanosleep(&pause, NULL);
		r = kw_top_watch_look(watch);
		if (r == 0)
			r = print_frame(watch);
		if (r == -EPIPE)
			return KW_EXIT_OK;
		if (r < 0) {
			fprintf(stderr, "kvmwarden: %s\n", strerror(-r));
			return KW_EXIT_OS;
		}
	}
	return watch->error ? kw_client_exit(watch->error) : KW_EXIT_OK;
}

/* "2", or "0.5": with up to three digits behind the point. */
static int parse_interval(const char *text, uint64_t *ret)
{
	char whole[16] = "", part[] = "000";
	const char *point = strchrnul(text, '.');
	size_t len = (size_t)(point - text), digits = *point ? strlen(point + 1) : 3;
	uint64_t seconds, ms = 0;

	if (len >= sizeof(whole) || digits == 0 || digits > 3)
		return -EINVAL;
	memcpy(whole, text, len);
	if (*point)
		memcpy(part, point + 1, digits);
	if (strspn(part, "0123456789") != 3 ||
	    kw_parse_u64(whole, INTERVAL_MAX_SECONDS, &seconds) < 0)
		return -EINVAL;
	for (size_t i = 0; i < 3; i++)
		ms = ms * 10 + (uint64_t)(part[i] - '0');
	if (seconds * 1000000000 + ms * 1000000 < INTERVAL_MIN_NS)
		return -ERANGE;
	*ret = seconds * 1000000000 + ms * 1000000;
	return 0;
}

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "kvmwarden top: %s '%s'; see 'kvmwarden --help'\n", what, value);
	return KW_EXIT_USAGE;
}

static int parse_column(const char *text, enum kw_top_column *ret)
{
	int column = kw_top_column_from_name(text);
	const char *nearest;

	if (column >= 0) {
		*ret = (enum kw_top_column)column;
		return KW_EXIT_OK;
	}
	nearest = kw_nearest(text, kw_top_column_name);
	fprintf(stderr, "kvmwarden top: unknown column '%s'%s%s%s\n", text,
		nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
	return KW_EXIT_USAGE;
}

static int parse_option(int c, struct kw_top_watch *watch, struct wish *wish)
{
	switch (c) {
	case 'i':
		if (parse_interval(optarg, &watch->interval_ns) == 0)
			return KW_EXIT_OK;
		return usage("no interval of 0.1 to 3600 seconds:", optarg);
	case 'n':
		wish->plain = true;
		if (kw_parse_u64(optarg, COUNT_MAX, &wish->count) == 0 && wish->count > 0)
			return KW_EXIT_OK;
		return usage("no number of frames:", optarg);
	case 's':
		return parse_column(optarg, &watch->frame.column);
	case 'o':
		wish->plain = true;
		wish->count = 1;
		return KW_EXIT_OK;
	}
	return KW_EXIT_USAGE;
}

static int show(struct kw_top_watch *watch, const struct wish *wish)
{
	int r;

	if (!wish->plain && !watch->cli->json && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
		r = kw_top_screen(watch);
		if (r != -ENOTSUP)
			return r;
		fprintf(stderr, "kvmwarden: no screen on this terminal (TERM=%s); frames follow\n",
			getenv("TERM") ?: "");
	}
	return print_frames(watch, wish->count);
}

int kw_cmd_top(const struct kw_cli *cli, int argc, char **argv)
{
	struct kw_getopt getopt;
	_cleanup_(watch_done) struct kw_top_watch watch = {
		.cli = cli, .interval_ns = INTERVAL_NS, .frame.column = KW_TOP_DENIED_RATE};
	struct wish wish = {};
	int c, r;

	kw_usage_getopt("top", "", &getopt);
	while ((c = getopt_long(argc, argv, getopt.letters, getopt.options, NULL)) >= 0) {
		r = parse_option(c, &watch, &wish);
		if (r != KW_EXIT_OK)
			return r;
	}
	if (optind < argc)
		return kw_cli_unexpected("top", argv[optind]);
	if (gethostname(watch.host, sizeof(watch.host) - 1) < 0)
		watch.host[0] = '\0';
	/* A daemon that goes away is waited for; one that was never there may be another's socket. */
	r = kw_top_watch_look(&watch);
	if (r < 0 || watch.error) {
		fprintf(stderr, "kvmwarden: %s\n",
			watch.sentence ? watch.sentence : strerror(r < 0 ? -r : -watch.error));
		return r < 0 ? KW_EXIT_OS : kw_client_exit(watch.error);
	}
	return show(&watch, &wish);
}
