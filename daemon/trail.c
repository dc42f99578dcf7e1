/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the daemon's events go: a file or standard output. */
#include "trail.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "text.h"
#include "trail-tail.h"
#include "util.h"

/* Lines are gathered here and written by one write(2) per batch. */
#define BUFFER_SIZE (64 * 1024)

#define OPEN_FLAGS (O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY)
#define OPEN_MODE 0640

struct kw_trail {
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
static int resume(struct kw_trail *trail, int fd, const struct kw_chain *expected)
{
	struct kw_tail tail;
	int r;

	r = read_tail(fd, expected, &tail);
	if (r < 0)
		return r;
	trail->expected = expected ? *expected : kw_chain_genesis;
	trail->torn = tail.torn;
	trail->behind = tail.found ? tail.behind : 0;
	if (!tail.chained)
		trail->resumed = !expected     ? KW_RESUMED_NEW
				 : !tail.empty ? KW_RESUMED_BROKEN
					       : KW_RESUMED_GIVEN;
	else if (expected && !tail.found)
		trail->resumed = KW_RESUMED_BROKEN;
	else
		trail->resumed = tail.found && tail.behind ? KW_RESUMED_BEHIND : KW_RESUMED_TAIL;
	trail->written = tail.chained ? tail.head : trail->expected;
	trail->head = trail->written;
	return 0;
}

int kw_trail_open(const char *path, bool json, const struct kw_chain *head, struct kw_trail **ret)
{
	_cleanup_free_ struct kw_trail *trail = calloc(1, sizeof(*trail));
	_cleanup_free_ char *copy = path ? strdup(path) : NULL;
	_cleanup_close_ int fd = -1;
	int r;

	if (!trail || (path && !copy))
		return -ENOMEM;
	if (path)
		fd = open(path, OPEN_FLAGS, OPEN_MODE);
	else
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = resume(trail, fd, head);
	if (r < 0)
		return r;
	if (!path && !json && isatty(fd)) {
		trail->text = fdopen(fd, "a");
		if (!trail->text)
			return -errno;
		trail->colour = !getenv("NO_COLOR");
	}
	trail->fd = TAKE_FD(fd);
	trail->path = TAKE_PTR(copy);
	*ret = TAKE_PTR(trail);
	return 0;
}

/* Of what was gathered the first done bytes are in the file: what that means for each line. */
static void settle(struct kw_trail *trail, size_t done)
{
	size_t at = 0, body;

	while (at < trail->len) {
		const char *line = trail->buffer + at;
		size_t len = (size_t)((char *)memchr(line, '\n', trail->len - at) - line);

		/* The newline that ends a torn line is no event. */
		if (len > 0 && at + len <= done)
			kw_chain_split(line, len, &body, &trail->written);
		else if (len > 0)
			trail->failed++;
		at += len + 1;
	}
	if (done > 0)
		trail->torn = trail->buffer[done - 1] != '\n';
	trail->head = trail->written;
	trail->len = 0;
}

/* Writes what is gathered. What cannot be written is dropped, line by line, and counted. */
static void write_out(struct kw_trail *trail)
{
	size_t done = 0;

	while (done < trail->len) {
		ssize_t n = write(trail->fd, trail->buffer + done, trail->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			trail->error = errno;
			break;
		}
		done += (size_t)n;
	}
	settle(trail, done);
}

struct kw_trail *kw_trail_free(struct kw_trail *trail)
{
	if (!trail)
		return NULL;
	write_out(trail);
	if (trail->text)
		fclose(trail->text);
	else
		close(trail->fd);
	free(trail->path);
	free(trail);
	return NULL;
}

int kw_trail_reopen(struct kw_trail *trail)
{
	_cleanup_close_ int fd = -1;
	struct kw_chain head;
	int r;

	if (!trail->path)
		return 0;
	write_out(trail);
	/* Whoever made a pipe of it meanwhile must not keep us waiting for a reader. */
	fd = open(trail->path, OPEN_FLAGS | O_NONBLOCK, OPEN_MODE);
	if (fd < 0 || fcntl(fd, F_SETFL, O_APPEND) < 0)
		return -errno;
	head = trail->written;
	r = resume(trail, fd, &head);
	if (r < 0)
		return r;
	close(trail->fd);
	trail->fd = TAKE_FD(fd);
	return 0;
}

static void gather(struct kw_trail *trail, const char *text, size_t len)
{
	memcpy(trail->buffer + trail->len, text, len);
	trail->len += len;
}

void kw_trail_write(struct kw_trail *trail, const char *json, size_t len)
{
	char member[KW_CHAIN_MEMBER_LEN];
	size_t body = len - 1, room = body + sizeof(member) + 2;

	if (trail->text) {
		kw_text_event(json, len, trail->colour, trail->text);
		return;
	}
	if (trail->len + room > sizeof(trail->buffer))
		write_out(trail);
	if (room > sizeof(trail->buffer)) {
		trail->error = EMSGSIZE;
		trail->failed++;
		return;
	}
	/* After a line that was cut off the next one stands on its own. */
	if (trail->torn && trail->len == 0)
		gather(trail, "\n", 1);
	kw_chain_next(&trail->head, json, body, &trail->head);
	kw_chain_member(&trail->head, member);
	gather(trail, json, body);
	gather(trail, member, sizeof(member));
	gather(trail, "\n", 1);
}

int kw_trail_flush(struct kw_trail *trail)
{
	int error;

	if (trail->text && fflush(trail->text) == EOF)
		trail->error = errno;
	write_out(trail);
	error = trail->error;
	trail->error = 0;
	return -error;
}

int kw_trail_sync(const struct kw_trail *trail)
{
	if (fdatasync(trail->fd) < 0 && errno != EINVAL && errno != EROFS)
		return -errno;
	return 0;
}

int kw_trail_fd(const struct kw_trail *trail)
{
	return trail->fd;
}

uint64_t kw_trail_failed(const struct kw_trail *trail)
{
	return trail->failed;
}

void kw_trail_head(const struct kw_trail *trail, struct kw_chain *ret)
{
	*ret = trail->written;
}

enum kw_resumed kw_trail_resumed(const struct kw_trail *trail, struct kw_chain *ret_expected,
				 uint64_t *ret_behind)
{
	if (ret_expected)
		*ret_expected = trail->expected;
	if (ret_behind)
		*ret_behind = trail->behind;
	return trail->resumed;
}
