/* SPDX-License-Identifier: GPL-2.0-only */
/* A sink that is a file of lines. */
#include <fcntl.h>
#include <sys/stat.h>

#include "sink-internal.h"
#include "util.h"

#define OPEN_FLAGS (O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
#define OPEN_MODE 0640
#define BUFFER_SIZE (64 * 1024)
#define TURNS 64 /* of records from disk at a time */

/*
 * Lines wait in the buffer for the end of the batch. What a full disk does not take
 * stays there, from the byte on that was not written: when there is room again, the line goes on
 * where it was cut.
 */
struct file {
	struct kw_outlet outlet; /* first */
	char *path;
	int fd;
	int error; /* of the last attempt, or 0 */
	bool torn; /* the file ends within a line, whose rest comes first in the buffer */
	uint64_t lost; /* lines whose rest nobody has */
	size_t start;
	size_t len;
	char buffer[BUFFER_SIZE];
};

static void write_out(struct file *f)
{
	f->error = 0;
	while (f->start < f->len) {
		ssize_t n = write(f->fd, f->buffer + f->start, f->len - f->start);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			f->error = errno;
			break;
		}
		f->start += (size_t)n;
	}
	if (f->start > 0)
		f->torn = f->buffer[f->start - 1] != '\n';
	memmove(f->buffer, f->buffer + f->start, f->len - f->start);
	f->len -= f->start;
	f->start = 0;
}

static int write_line(struct kw_outlet *outlet, const char *data, size_t len, bool now)
{
	struct file *f = (struct file *)outlet;

	if (len + 1 > sizeof(f->buffer))
		return -EMSGSIZE;
	if (f->len + len + 1 > sizeof(f->buffer))
		write_out(f);
	if (f->len + len + 1 > sizeof(f->buffer) || (now && f->error))
		return -EAGAIN;
	memcpy(f->buffer + f->len, data, len);
	f->buffer[f->len + len] = '\n';
	f->len += len + 1;
	return 0;
}

static bool has_room(const struct kw_outlet *outlet)
{
	return ((const struct file *)outlet)->len <= BUFFER_SIZE / 2;
}

static void flush(struct kw_outlet *outlet, bool sync)
{
	struct file *f = (struct file *)outlet;

	write_out(f);
	/* What is no file, such as a pipe, has no disk. */
	if (sync && !f->error && fdatasync(f->fd) < 0 && errno != EINVAL && errno != EROFS)
		f->error = errno;
}

static void retry(struct kw_outlet *outlet)
{
	struct file *f = (struct file *)outlet;

	write_out(f);
	for (unsigned int i = 0; i < TURNS && !f->error && f->outlet.on_room(f->outlet.userdata);
	     i++)
		write_out(f);
	write_out(f);
}

static int reopen(struct kw_outlet *outlet)
{
	struct file *f = (struct file *)outlet;
	int fd;

	write_out(f);
	fd = open(f->path, OPEN_FLAGS, OPEN_MODE);
	if (fd < 0)
		return -errno;
	close(f->fd);
	f->fd = fd;
	/* Part of a line is in the old file; the rest of it would be no line in the new one. */
	if (f->torn) {
		size_t rest = (size_t)((char *)memchr(f->buffer, '\n', f->len) - f->buffer) + 1;

		memmove(f->buffer, f->buffer + rest, f->len - rest);
		f->len -= rest;
		f->torn = false;
		f->lost++;
	}
	return 0;
}

static int fd_of(const struct kw_outlet *outlet)
{
	return ((const struct file *)outlet)->fd;
}

static void stats(const struct kw_outlet *outlet, struct kw_sink_stats *ret)
{
	const struct file *f = (const struct file *)outlet;

	for (size_t i = f->start; i < f->len; i++)
		ret->waiting += f->buffer[i] == '\n';
	ret->lost += f->lost;
	ret->error = f->error ? strerrordesc_np(f->error) ?: "it fails" : NULL;
}

static void free_file(struct kw_outlet *outlet)
{
	struct file *f = (struct file *)outlet;

	write_out(f);
	close(f->fd);
	free(f->path);
	free(f);
}

static const struct kw_outlet_ops ops = {
	.write = write_line,
	.has_room = has_room,
	.flush = flush,
	.retry = retry,
	.reopen = reopen,
	.fd = fd_of,
	.stats = stats,
	.free = free_file,
};

int kw_outlet_file(const char *path, struct kw_outlet **ret, char **reterr)
{
	_cleanup_free_ struct file *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->outlet.ops = &ops;
	f->fd = open(path, OPEN_FLAGS, OPEN_MODE);
	if (f->fd < 0)
		return kw_fail(-errno, reterr, "cannot be opened: %s", strerror(errno));
	f->path = strdup(path);
	if (!f->path) {
		close(f->fd);
		return -ENOMEM;
	}
	*ret = &TAKE_PTR(f)->outlet;
	return 0;
}
