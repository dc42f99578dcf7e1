/* SPDX-License-Identifier: GPL-2.0-only */
/* Sinks: what is written, kept, lost, told, and put on disk while nobody reads. */
#define _GNU_SOURCE 1
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "event-kinds.h"
#include "kvmwarden.h"
#include "names.h"
#include "news-of.h"
#include "scratch.h"
#include "spool.h"
#include "unit.h"

static sd_event *loop;

static int make(void **state)
{
	return sd_event_new(&loop) < 0 ? -1 : scratch_make(state);
}

static int unmake(void **state)
{
	loop = sd_event_unref(loop);
	return scratch_remove(state);
}

/* --- the spool ---------------------------------------------------------------- */

static struct kw_spool *open_spool(const char *path, uint64_t max, uint64_t dropped)
{
	struct kw_spool *spool = NULL;
	uint64_t got = 99;

	assert_int_equal(kw_spool_open(path, max, &spool, &got), 0);
	assert_int_equal(got, dropped);
	return spool;
}

static void takes(struct kw_spool *spool, const char *wanted)
{
	const char *data;
	size_t len;

	assert_int_equal(kw_spool_peek(spool, &data, &len), 1);
	assert_int_equal(len, strlen(wanted));
	assert_memory_equal(data, wanted, len);
	assert_int_equal(kw_spool_drop(spool), 0);
}

static void spool_is_first_in_first_out_over_restarts(void **state)
{
	const char *path = at("spool"), *data;
	struct kw_spool *spool = open_spool(path, 4096, 0);
	size_t len;
	struct stat st;

	(void)state;
	assert_int_equal(kw_spool_peek(spool, &data, &len), 0);
	assert_int_equal(kw_spool_drop(spool), -EINVAL);
	assert_int_equal(kw_spool_put(spool, "one", 3), 0);
	assert_int_equal(kw_spool_put(spool, "two", 3), 0);
	takes(spool, "one");
	kw_spool_free(spool);
	spool = open_spool(path, 4096, 0);
	assert_int_equal(kw_spool_waiting(spool), 1);
	assert_int_equal(kw_spool_put(spool, "three", 5), 0);
	takes(spool, "two");
	takes(spool, "three");
	/* The file does not keep what is gone. */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 16);
	kw_spool_free(spool);
}

static void spool_has_an_end(void **state)
{
	struct kw_spool *spool = open_spool(at("small"), 16 + 3 * 14, 0);
	char big[KW_SPOOL_RECORD_MAX + 1] = "";

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(kw_spool_put(spool, "0123456789", 10), 0);
	assert_int_equal(kw_spool_put(spool, "x", 1), -ENOSPC);
	assert_int_equal(kw_spool_put(spool, big, sizeof(big)), -EMSGSIZE);
	assert_int_equal(kw_spool_put(spool, "", 0), -EMSGSIZE);
	assert_int_equal(kw_spool_waiting(spool), 3);
	kw_spool_free(spool);
}

/* Cut at every length: what is whole is there, the rest is counted as one. */
static void spool_survives_a_crash(void **state)
{
	const char *path = at("crash");
	struct kw_spool *spool = open_spool(path, 4096, 0);

	(void)state;
	assert_int_equal(kw_spool_put(spool, "whole", 5), 0);
	assert_int_equal(kw_spool_put(spool, "second", 6), 0);
	kw_spool_free(spool);
	for (off_t size = 16 + 9 + 10 - 1; size >= 16 + 9; size--) {
		assert_int_equal(truncate(path, size), 0);
		spool = open_spool(path, 4096, size > 16 + 9);
		assert_int_equal(kw_spool_waiting(spool), 1);
		kw_spool_free(spool);
	}
	write_text("crash", "this is no spool, it is something else");
	spool = open_spool(path, 4096, 1);
	assert_int_equal(kw_spool_waiting(spool), 0);
	kw_spool_free(spool);
	assert_int_equal(kw_spool_open("/dev/null", 4096, &spool, &(uint64_t){0}), -EINVAL);
}

/* --- events ------------------------------------------------------------------- */

static void give(struct kw_sink *sink, int verdict, unsigned int number)
{
	struct kw_news news = news_of(KW_EVENT_IOCTL, verdict, number);

	kw_sink_event(sink, &news);
	kw_news_done(&news);
}

static struct kw_sink *open_sink(struct kw_sink_wish *wish)
{
	_cleanup_free_ char *why = NULL;
	struct kw_sink *sink = NULL;

	wish->name = (char *)"tested";
	assert_int_equal(kw_sink_new(loop, wish, &sink, &why), 0);
	return sink;
}

static struct kw_sink_stats stats_of(const struct kw_sink *sink)
{
	struct kw_sink_stats stats;

	kw_sink_stats(sink, &stats);
	assert_int_equal(stats.produced + stats.recalled,
			 stats.written + stats.lost + stats.waiting + stats.spooled);
	return stats;
}

/* A socket for datagrams that somebody may read. */
static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void run_loop(unsigned int milliseconds)
{
	uint64_t end = kw_clock_ns(CLOCK_MONOTONIC) + milliseconds * 1000000ull;

	while (kw_clock_ns(CLOCK_MONOTONIC) < end)
		assert_true(sd_event_run(loop, 5000) >= 0);
}

/* What comes in until the sink has nothing left: events by their numbers, and losses told. */
static void drain(int fd, struct kw_sink *sink, unsigned int *ret_events, uint64_t *ret_lost)
{
	static char buffer[65536];
	unsigned int quiet = 0;
	ssize_t n;

	while (quiet < 50) {
		n = recv(fd, buffer, sizeof(buffer) - 1, 0);
		if (n < 0) {
			struct kw_sink_stats stats = stats_of(sink);

			quiet = stats.waiting || stats.spooled ? 0 : quiet + 1;
			kw_sink_tend(sink);
			run_loop(5);
			continue;
		}
		buffer[n] = '\0';
		if (strstr(buffer, "\"event\":\"lost\"")) {
			*ret_lost += strtoull(strstr(buffer, "\"count\":") + 8, NULL, 10);
			continue;
		}
		++*ret_events;
	}
}

static void nobody_reads(void **state)
{
	struct kw_sink_wish wish = {
		.kind = KW_SINK_SYSLOG,
		.path = strdup(at("stuck")),
		.format = KW_FORMAT_JSON,
	};
	int fd = listen_at(wish.path);
	struct kw_sink *sink = open_sink(&wish);
	struct kw_sink_stats stats;
	unsigned int events = 0;
	uint64_t lost = 0;

	(void)state;
	for (unsigned int i = 0; i < 10000; i++)
		give(sink, KW_AUDIT, i);
	stats = stats_of(sink);
	assert_int_equal(stats.produced, 10000);
	assert_true(stats.lost > 0);
	assert_true(stats.waiting > 100);
	assert_non_null(stats.error);
	drain(fd, sink, &events, &lost);
	stats = stats_of(sink);
	assert_int_equal(stats.waiting, 0);
	assert_int_equal(events, stats.written);
	/* Whoever reads it knows of each one that is not there. */
	assert_int_equal(lost, stats.lost);
	assert_int_equal(events + lost, 10000);
	assert_null(stats.error);
	kw_sink_free(sink);
	close(fd);
	free(wish.path);
}

static void denials_wait_on_disk_over_a_restart(void **state)
{
	struct kw_sink_wish wish = {
		.kind = KW_SINK_SYSLOG,
		.path = strdup(at("spooled")),
		.format = KW_FORMAT_JSON,
		.spool = 64 << 20,
		.spool_path = strdup(at("denials")),
	};
	struct kw_sink *sink = open_sink(&wish);
	struct kw_sink_stats stats;
	unsigned int events = 0;
	uint64_t lost = 0;
	int fd;

	(void)state;
	/* Nobody is there at all. */
	for (unsigned int i = 0; i < 5000; i++)
		give(sink, KW_DENY, i);
	stats = stats_of(sink);
	assert_int_equal(stats.spooled, 5000);
	assert_int_equal(stats.lost, 0);
	kw_sink_free(sink);
	fd = listen_at(wish.path);
	sink = open_sink(&wish);
	assert_int_equal(stats_of(sink).recalled, 5000);
	drain(fd, sink, &events, &lost);
	assert_int_equal(events, 5000);
	assert_int_equal(lost, 0);
	assert_int_equal(stats_of(sink).written, 5000);
	kw_sink_free(sink);
	close(fd);
	free(wish.path);
	free(wish.spool_path);
}

static void the_filter_is_about_verdicts_and_kinds(void **state)
{
	struct kw_sink_wish wish = {
		.kind = KW_SINK_FILE,
		.path = strdup(at("filtered")),
		.verdicts = 1u << KW_DENY,
	};
	struct kw_sink *sink = open_sink(&wish);
	struct kw_news news = news_of(kw_kind_from_name("lost"), -1, 3);

	(void)state;
	give(sink, KW_AUDIT, 1);
	give(sink, KW_DENY, 2);
	kw_sink_event(sink, &news);
	assert_int_equal(stats_of(sink).produced, 2);
	assert_int_equal(stats_of(sink).filtered, 1);
	wish.events = 1ull << KW_EVENT_IOCTL;
	kw_sink_event(sink, &news);
	give(sink, KW_DENY, 4);
	assert_int_equal(stats_of(sink).produced, 3);
	assert_int_equal(stats_of(sink).filtered, 2);
	kw_sink_free(sink);
	free(wish.path);
}

static unsigned int lines_of(const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	unsigned int lines = 0;
	int c;

	while (file && (c = getc(file)) != EOF)
		lines += c == '\n';
	return lines;
}

static void files_are_moved_away_when_they_are_large(void **state)
{
	struct kw_sink_wish wish = {
		.kind = KW_SINK_FILE,
		.path = strdup(at("rotated")),
		.rotation = {.bytes = 4096, .keep = 2},
	};
	struct kw_sink *sink = open_sink(&wish);
	unsigned int lines = 0;

	(void)state;
	for (unsigned int i = 0; i < 60; i++) {
		give(sink, KW_AUDIT, i);
		kw_sink_flush(sink);
		kw_sink_tend(sink);
	}
	lines = lines_of(at("rotated")) + lines_of(at("rotated.1")) + lines_of(at("rotated.2"));
	assert_true(lines >= 2 * 10 && lines < 60);
	assert_int_equal(access(at("rotated.3"), F_OK), -1);
	assert_int_equal(stats_of(sink).written, 60);
	kw_sink_free(sink);
	free(wish.path);
}

/* A limit cuts a line in two, and then the file is moved away: no half of it is in the new one. */
static void half_a_line_stays_alone(void **state)
{
	struct kw_sink_wish wish = {.kind = KW_SINK_FILE, .path = strdup(at("torn"))};
	struct kw_sink *sink = open_sink(&wish);
	struct rlimit before, limit;
	char line[1024];
	FILE *file;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){1000, before.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (unsigned int i = 0; i < 5; i++)
		give(sink, KW_AUDIT, i);
	kw_sink_flush(sink);
	assert_int_equal(rename(wish.path, at("torn.1")), 0);
	assert_int_equal(kw_sink_reopen(sink), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	kw_sink_flush(sink);
	assert_int_equal(stats_of(sink).lost, 1);
	assert_int_equal(stats_of(sink).waiting, 0);
	assert_int_equal(lines_of(at("torn.1")) + lines_of(at("torn")), 4);
	file = fopen(at("torn"), "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		assert_memory_equal(line, "{\"version\"", strlen("{\"version\""));
	fclose(file);
	kw_sink_free(sink);
	free(wish.path);
}

/* At each multiple of the time, by the file's birth, which is now. */
static void files_are_moved_away_when_they_are_old(void **state)
{
	const struct kw_rotation rotation = {.seconds = 24 * 60 * 60, .keep = 1};
	uint64_t now = kw_clock_ns(CLOCK_REALTIME), day = rotation.seconds * 1000000000ull;
	int fd = open(write_text("old", "line"), O_RDONLY | O_CLOEXEC);
	int empty = open(write_text("empty", ""), O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_false(kw_rotation_due(&rotation, fd, now));
	assert_true(kw_rotation_due(&rotation, fd, (now / day + 1) * day));
	assert_false(kw_rotation_due(&rotation, empty, now + 2 * day));
	close(fd);
	close(empty);
}

static void a_full_disk_loses_and_says_so(void **state)
{
	struct kw_sink_wish wish = {.kind = KW_SINK_FILE, .path = (char *)"/dev/full"};
	struct kw_sink *sink = open_sink(&wish);

	(void)state;
	for (unsigned int i = 0; i < 1000; i++)
		give(sink, KW_AUDIT, i);
	kw_sink_flush(sink);
	assert_true(stats_of(sink).lost > 0);
	assert_int_equal(stats_of(sink).written, 0);
	assert_string_equal(stats_of(sink).error, "No space left on device");
	kw_sink_free(sink);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spool_is_first_in_first_out_over_restarts),
		cmocka_unit_test(spool_has_an_end),
		cmocka_unit_test(spool_survives_a_crash),
		cmocka_unit_test(nobody_reads),
		cmocka_unit_test(denials_wait_on_disk_over_a_restart),
		cmocka_unit_test(the_filter_is_about_verdicts_and_kinds),
		cmocka_unit_test(files_are_moved_away_when_they_are_large),
		cmocka_unit_test(half_a_line_stays_alone),
		cmocka_unit_test(files_are_moved_away_when_they_are_old),
		cmocka_unit_test(a_full_disk_loses_and_says_so),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
