/* SPDX-License-Identifier: GPL-2.0-only */
/* The chain through the lines, and what a trail leaves in a file whatever write(2) does to it. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "chain.h"
#include "scratch.h"
#include "trail.h"

/* By another implementation: sha256 of 32 zeros and the first body; of that and the second. */
static const char *const known[] = {
	"09839b615cd717d1af4fd20433722943caa940118b6aaccd8301fba1b44304f9",
	"5b8aa8d0f6508c3b82055f0adeb8de62fbca688e4a5f6cfb404c61d0b5a3a6a3",
};

static void test_the_hash_is_the_one_documented(void **state)
{
	struct kw_chain head = kw_chain_genesis;
	char body[32], hex[KW_CHAIN_HEX + 1];

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		snprintf(body, sizeof(body), "{\"version\":1,\"seq\":%u", i + 1);
		kw_chain_next(&head, body, strlen(body), &head);
		kw_chain_format(&head, hex);
		assert_string_equal(hex, known[i]);
	}
}

static void test_only_a_whole_member_is_one(void **state)
{
	char line[] = "{\"a\":1,\"chain\":\""
		      "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}";
	size_t len = strlen(line), body = 0;
	struct kw_chain chain;

	(void)state;
	assert_true(kw_chain_split(line, len, &body, &chain));
	assert_int_equal(body, strlen("{\"a\":1"));
	assert_int_equal(chain.bytes[1], 0x11);
	for (size_t cut = 0; cut < len; cut++)
		assert_false(kw_chain_split(line, cut, &body, &chain));
	for (size_t i = body; i < len; i++) {
		char was = line[i];

		line[i] = i - body >= 10 && i < len - 2 ? 'A' : '#';
		assert_false(kw_chain_split(line, len, &body, &chain));
		line[i] = was;
	}
	assert_int_equal(kw_chain_parse("00", 2, &chain), -EINVAL);
}

/* --- what a trail leaves -------------------------------------------------------- */

static struct kw_trail *open_trail(const char *path, const struct kw_chain *head)
{
	struct kw_trail *file = NULL;

	assert_int_equal(kw_trail_open(path, true, head, &file), 0);
	return file;
}

static uint64_t next_seq;

/* An event whose line is some 100 to 1100 bytes long. */
static void write_event(struct kw_trail *file)
{
	char text[2048];
	int len;

	next_seq++;
	len = snprintf(text, sizeof(text), "{\"version\":1,\"seq\":%llu,\"pad\":\"%0*d\"}",
		       (unsigned long long)next_seq, (int)(next_seq * 37 % 1000) + 1, 0);
	kw_trail_write(file, text, (size_t)len);
}

static void write_events(struct kw_trail *file, unsigned int count)
{
	while (count--)
		write_event(file);
	assert_int_equal(kw_trail_flush(file), 0);
}

struct trail {
	struct kw_chain head;
	unsigned int lines;
	unsigned int torn;
};

/* Follows a file: each line is chained to the one before it, or is a part of one. */
static void follow(const char *path, struct trail *trail)
{
	char line[4096];
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		size_t len = strcspn(line, "\n"), body;
		struct kw_chain said;

		assert_true(len > 0);
		if (!kw_chain_split(line, len, &body, &said)) {
			assert_memory_equal(line, "{\"version\":1,\"seq\":", len < 19 ? len : 19);
			trail->torn++;
			continue;
		}
		kw_chain_next(&trail->head, line, body, &trail->head);
		assert_true(kw_chain_equal(&trail->head, &said));
		trail->lines++;
	}
	fclose(f);
}

static void assert_trail(const char *path, unsigned int lines, unsigned int torn)
{
	struct trail trail = {};

	follow(path, &trail);
	assert_int_equal(trail.lines, lines);
	assert_int_equal(trail.torn, torn);
}

static void assert_head(const struct kw_trail *file, const char *path)
{
	struct trail trail = {};
	struct kw_chain head;

	follow(path, &trail);
	kw_trail_head(file, &head);
	assert_true(kw_chain_equal(&head, &trail.head));
}

static enum kw_resumed resumed(const struct kw_trail *file)
{
	return kw_trail_resumed(file, NULL, NULL);
}

static void test_a_file_goes_on_where_it_ended(void **state)
{
	const char *path = at("on");
	struct kw_trail *file = open_trail(path, NULL);
	struct kw_chain head;

	(void)state;
	assert_int_equal(resumed(file), KW_RESUMED_NEW);
	write_events(file, 200);
	assert_head(file, path);
	kw_trail_free(file);
	file = open_trail(path, NULL);
	assert_int_equal(resumed(file), KW_RESUMED_TAIL);
	write_events(file, 3);
	kw_trail_head(file, &head);
	kw_trail_free(file);
	file = open_trail(path, &head);
	assert_int_equal(resumed(file), KW_RESUMED_TAIL);
	/* Written by the end of it. */
	write_event(file);
	kw_trail_free(file);
	assert_trail(path, 204, 0);
}

static void test_the_end_of_a_file_is_compared(void **state)
{
	const char *path = at("compared");
	struct kw_chain early, late, expected;
	struct kw_trail *file = open_trail(path, NULL);
	uint64_t behind;
	off_t size;
	int fd;

	(void)state;
	write_events(file, 5);
	kw_trail_head(file, &early);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	size = lseek(fd, 0, SEEK_END);
	write_events(file, 7);
	kw_trail_head(file, &late);
	kw_trail_free(file);

	file = open_trail(path, &early);
	assert_int_equal(kw_trail_resumed(file, &expected, &behind), KW_RESUMED_BEHIND);
	assert_int_equal(behind, 7);
	assert_true(kw_chain_equal(&expected, &early));
	kw_trail_free(file);
	file = open_trail(path, &kw_chain_genesis);
	assert_int_equal(resumed(file), KW_RESUMED_BEHIND);
	kw_trail_free(file);

	/* Whoever cuts the end off is found out, and the chain of what is left goes on. */
	assert_int_equal(ftruncate(fd, size), 0);
	file = open_trail(path, &late);
	assert_int_equal(kw_trail_resumed(file, &expected, &behind), KW_RESUMED_BROKEN);
	assert_true(kw_chain_equal(&expected, &late));
	write_events(file, 1);
	assert_trail(path, 6, 0);
	kw_trail_free(file);

	/* Of an empty file nothing can be said but by what it follows. */
	assert_int_equal(ftruncate(fd, 0), 0);
	file = open_trail(path, &late);
	assert_int_equal(resumed(file), KW_RESUMED_GIVEN);
	write_events(file, 1);
	kw_trail_free(file);
	close(fd);
	follow(path, &(struct trail){.head = late});
	write_text("compared", "something else\n");
	file = open_trail(path, &late);
	assert_int_equal(resumed(file), KW_RESUMED_BROKEN);
	kw_trail_free(file);
}

/* At every length: a file that a machine, or a daemon, left in the middle of a line. */
static void test_a_torn_end_is_closed(void **state)
{
	const char *path = at("torn");
	struct kw_trail *file = open_trail(path, NULL);
	char text[4096];
	size_t size;
	FILE *f;

	(void)state;
	next_seq = 0;
	write_events(file, 2);
	kw_trail_free(file);
	f = fopen(path, "re");
	size = fread(text, 1, sizeof(text), f);
	fclose(f);
	for (size_t cut = 0, whole = 0, last = 0; cut <= size; cut++) {
		if (cut > 0 && text[cut - 1] == '\n')
			last = cut;
		/* A line that lacks only its newline is whole. */
		if (text[cut] == '\n')
			whole++;
		write_bytes("torn", text, cut);
		file = open_trail(path, NULL);
		write_events(file, 1);
		kw_trail_free(file);
		assert_trail(path, whole + 1, cut > last && text[cut] != '\n');
	}
}

static void limit_files(rlim_t size)
{
	struct rlimit limit = {size, RLIM_INFINITY};

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Nine lines, of which so many bytes fit; then there is room again. false: all fit. */
static bool write_up_to(const char *path, rlim_t size)
{
	struct kw_trail *file = open_trail(path, NULL);
	struct trail trail = {};
	uint64_t failed;
	int r;

	next_seq = 0;
	limit_files(size);
	for (int i = 0; i < 9; i++)
		write_event(file);
	r = kw_trail_flush(file);
	assert_head(file, path);
	write_event(file);
	assert_int_equal(kw_trail_flush(file), -EFBIG);
	assert_head(file, path);
	limit_files(RLIM_INFINITY);
	failed = kw_trail_failed(file);
	write_events(file, 2);
	assert_int_equal(kw_trail_failed(file), failed);
	assert_head(file, path);
	kw_trail_free(file);
	/* Each line is in the file, or counted. */
	follow(path, &trail);
	assert_int_equal(trail.lines + failed, 12);
	assert_true(trail.torn <= 1);
	assert_int_equal(unlink(path), 0);
	return r < 0;
}

static void test_a_write_that_ends_anywhere(void **state)
{
	rlim_t size = 0;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	while (write_up_to(at("limit"), size))
		size++;
	assert_true(size > 1000);
}

static void test_a_full_device(void **state)
{
	struct kw_trail *file = open_trail("/dev/full", NULL);
	struct kw_chain head;

	(void)state;
	for (int i = 0; i < 300; i++)
		write_event(file);
	assert_int_equal(kw_trail_flush(file), -ENOSPC);
	assert_int_equal(kw_trail_failed(file), 300);
	kw_trail_head(file, &head);
	assert_true(kw_chain_equal(&head, &kw_chain_genesis));
	kw_trail_free(file);
}

/* A reader that goes away, and one that takes a part: what got through is a chain. */
static void test_a_pipe(void **state)
{
	const char *path = at("pipe"), *copy = at("copy");
	struct kw_trail *file;
	char text[65536];
	int reader, out;
	ssize_t n;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	out = open(copy, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	file = open_trail(path, NULL);
	assert_int_equal(resumed(file), KW_RESUMED_NEW);
	next_seq = 0;
	write_events(file, 10);
	n = read(reader, text, sizeof(text));
	assert_int_equal(write(out, text, (size_t)n), n);
	close(reader);
	write_event(file);
	assert_int_equal(kw_trail_flush(file), -EPIPE);
	reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	write_events(file, 1);
	n = read(reader, text, sizeof(text));
	assert_int_equal(write(out, text, (size_t)n), n);
	close(out);
	assert_int_equal(kw_trail_failed(file), 1);
	assert_trail(copy, 11, 0);
	kw_trail_free(file);
	close(reader);
}

static void test_another_file(void **state)
{
	const char *path = at("rotated"), *old = at("rotated.1");
	struct kw_trail *file = open_trail(path, NULL);
	struct trail trail = {};

	(void)state;
	write_events(file, 4);
	write_event(file);
	assert_int_equal(rename(path, old), 0);
	assert_int_equal(kw_trail_reopen(file), 0);
	assert_int_equal(resumed(file), KW_RESUMED_GIVEN);
	write_events(file, 4);
	/* Nothing was moved away. */
	assert_int_equal(kw_trail_reopen(file), 0);
	assert_int_equal(resumed(file), KW_RESUMED_TAIL);
	write_events(file, 1);
	follow(old, &trail);
	assert_int_equal(trail.lines, 5);
	follow(path, &trail);
	assert_int_equal(trail.lines, 10);
	/* What cannot be opened changes nothing; a pipe nobody reads is no reason to wait. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(kw_trail_reopen(file), -ENXIO);
	write_events(file, 1);
	/* Another one's file. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(old, path), 0);
	assert_int_equal(kw_trail_reopen(file), 0);
	assert_int_equal(resumed(file), KW_RESUMED_BROKEN);
	write_events(file, 1);
	assert_trail(path, 6, 0);
	kw_trail_free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_hash_is_the_one_documented),
		cmocka_unit_test(test_only_a_whole_member_is_one),
		cmocka_unit_test(test_a_file_goes_on_where_it_ended),
		cmocka_unit_test(test_the_end_of_a_file_is_compared),
		cmocka_unit_test(test_a_torn_end_is_closed),
		cmocka_unit_test(test_a_write_that_ends_anywhere),
		cmocka_unit_test(test_a_full_device),
		cmocka_unit_test(test_a_pipe),
		cmocka_unit_test(test_another_file),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
