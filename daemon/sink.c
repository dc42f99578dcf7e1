/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the daemon's events go: a file or standard output. */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "sink-tail.h"
#include "text.h"
#include "util.h"

/* Lines are gathered here and written by one write(2) per batch. */
#define BUFFER_SIZE (64 * 1024)

#define OPEN_FLAGS (O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY)
#define OPEN_MODE 0640

struct kw_sink {
	char *path; /* or NULL: standard output */
	int fd;
	FILE *text; /* for a terminal, or NULL: JSON lines */
	bool colour;
	bool torn; /* the file ends within a line */
	int error; /* since the last flush */
	uint64_t failed;
	struct kw_chain head; /* of what is gathered */
	struct kw_chain written; /* of what is in the file */
	struct kw_chain expected;
	enum kw_resumed resumed;
	uint64_t behind;
	size_t len;
	char buffer[BUFFER_SIZE];
};

/*
 * Theory of operation
 *
 * A line gets its chain when it is gathered, from the one gathered before it. If
 * not all of the buffer can be written, the lines that are not wholly in the file
 * are dropped, and the next one is chained to the last one that is: what is in
 * the file is a chain at any time, whatever write(2) did. Of a line that was
 * cut off a part is there, which has no chain; it is closed by a newline before
 * the next one. A line that only lacks its newline is whole, and gets it then.
 */

static int read_tail(int fd, const struct kw_chain *expected, struct kw_tail *ret)
{
	_cleanup_close_ int reader = -1;
	char path[sizeof("/proc/self/fd/") + 10];
	struct stat st;

	*ret = (struct kw_tail){.empty = true};
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	/* What is open is looked at, whatever its path names by now; it is not open for reading. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	reader = open(path, O_RDONLY | O_CLOEXEC);
	return reader < 0 ? -errno : kw_tail_read(reader, expected, ret);
}

/* Decides what the chain goes on from. */
static int resume(struct kw_sink *sink, int fd, const struct kw_chain *expected)
{
	struct kw_tail tail;
	int r;

	r = read_tail(fd, expected, &tail);
	if (r < 0)
		return r;
	sink->expected = expected ? *expected : kw_chain_genesis;
	sink->torn = tail.torn;
	sink->behind = tail.found ? tail.behind : 0;
	if (!tail.chained)
		sink->resumed = !expected     ? KW_RESUMED_NEW
				: !tail.empty ? KW_RESUMED_BROKEN
					      : KW_RESUMED_GIVEN;
	else if (expected && !tail.found)
		sink->resumed = KW_RESUMED_BROKEN;
	else
		sink->resumed = tail.found && tail.behind ? KW_RESUMED_BEHIND : KW_RESUMED_TAIL;
	sink->written = tail.chained ? tail.head : sink->expected;
	sink->head = sink->written;
	return 0;
}

int kw_sink_open(const char *path, bool json, const struct kw_chain *head, struct kw_sink **ret)
{
	_cleanup_free_ struct kw_sink *sink = calloc(1, sizeof(*sink));
	_cleanup_free_ char *copy = path ? strdup(path) : NULL;
	_cleanup_close_ int fd = -1;
	int r;

	if (!sink || (path && !copy))
		return -ENOMEM;
	if (path)
		fd = open(path, OPEN_FLAGS, OPEN_MODE);
	else
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = resume(sink, fd, head);
	if (r < 0)
		return r;
	if (!path && !json && isatty(fd)) {
		sink->text = fdopen(fd, "a");
		if (!sink->text)
			return -errno;
		sink->colour = !getenv("NO_COLOR");
	}
	sink->fd = TAKE_FD(fd);
	sink->path = TAKE_PTR(copy);
	*ret = TAKE_PTR(sink);
	return 0;
}

/* Of what was gathered the first done bytes are in the file: what that means for each line. */
static void settle(struct kw_sink *sink, size_t done)
{
	size_t at = 0, body;

	while (at < sink->len) {
		const char *line = sink->buffer + at;
		size_t len = (size_t)((char *)memchr(line, '\n', sink->len - at) - line);

		/* The newline that ends a torn line is no event. */
		if (len > 0 && at + len <= done)
			kw_chain_split(line, len, &body, &sink->written);
		else if (len > 0)
			sink->failed++;
		at += len + 1;
	}
	if (done > 0)
		sink->torn = sink->buffer[done - 1] != '\n';
	sink->head = sink->written;
	sink->len = 0;
}

/* Writes what is gathered. What cannot be written is dropped, line by line, and counted. */
static void write_out(struct kw_sink *sink)
{
	size_t done = 0;

	while (done < sink->len) {
		ssize_t n = write(sink->fd, sink->buffer + done, sink->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			sink->error = errno;
			break;
		}
		done += (size_t)n;
	}
	settle(sink, done);
}

struct kw_sink *kw_sink_free(struct kw_sink *sink)
{
	if (!sink)
		return NULL;
	write_out(sink);
	if (sink->text)
		fclose(sink->text);
	else
		close(sink->fd);
	free(sink->path);
	free(sink);
	return NULL;
}

int kw_sink_reopen(struct kw_sink *sink)
{
	_cleanup_close_ int fd = -1;
	struct kw_chain head;
	int r;

	if (!sink->path)
		return 0;
	write_out(sink);
	/* Whoever made a pipe of it meanwhile must not keep us waiting for a reader. */
	fd = open(sink->path, OPEN_FLAGS | O_NONBLOCK, OPEN_MODE);
	if (fd < 0 || fcntl(fd, F_SETFL, O_APPEND) < 0)
		return -errno;
	head = sink->written;
	r = resume(sink, fd, &head);
	if (r < 0)
		return r;
	close(sink->fd);
	sink->fd = TAKE_FD(fd);
	return 0;
}

static void gather(struct kw_sink *sink, const char *text, size_t len)
{
	memcpy(sink->buffer + sink->len, text, len);
	sink->len += len;
}

void kw_sink_write(struct kw_sink *sink, const char *json, size_t len)
{
	char member[KW_CHAIN_MEMBER_LEN];
	size_t body = len - 1, room = body + sizeof(member) + 2;

	if (sink->text) {
		kw_text_event(json, len, sink->colour, sink->text);
		return;
	}
	if (sink->len + room > sizeof(sink->buffer))
		write_out(sink);
	if (room > sizeof(sink->buffer)) {
		sink->error = EMSGSIZE;
		sink->failed++;
		return;
	}
	/* After a line that was cut off the next one stands on its own. */
	if (sink->torn && sink->len == 0)
		gather(sink, "\n", 1);
	kw_chain_next(&sink->head, json, body, &sink->head);
	kw_chain_member(&sink->head, member);
	gather(sink, json, body);
	gather(sink, member, sizeof(member));
	gather(sink, "\n", 1);
}

int kw_sink_flush(struct kw_sink *sink)
{
	int error;

	if (sink->text && fflush(sink->text) == EOF)
		sink->error = errno;
	write_out(sink);
	error = sink->error;
	sink->error = 0;
	return -error;
}

uint64_t kw_sink_failed(const struct kw_sink *sink)
{
	return sink->failed;
}

void kw_sink_head(const struct kw_sink *sink, struct kw_chain *ret)
{
	*ret = sink->written;
}

enum kw_resumed kw_sink_resumed(const struct kw_sink *sink, struct kw_chain *ret_expected,
				uint64_t *ret_behind)
{
	if (ret_expected)
		*ret_expected = sink->expected;
	if (ret_behind)
		*ret_behind = sink->behind;
	return sink->resumed;
}
