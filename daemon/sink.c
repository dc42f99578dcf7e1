/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the daemon's events go: a file or standard output. */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>

#include "text.h"
#include "util.h"

/* Lines are gathered here and written by one write(2) per batch. */
#define BUFFER_SIZE (64 * 1024)

struct kw_sink {
	int fd;
	FILE *text; /* for a terminal, or NULL: JSON lines */
	bool colour;
	bool torn; /* the file ends within a line */
	int error; /* since the last flush */
	uint64_t failed;
	size_t len;
	char buffer[BUFFER_SIZE];
};

int kw_sink_open(const char *path, bool json, struct kw_sink **ret)
{
	_cleanup_free_ struct kw_sink *sink = calloc(1, sizeof(*sink));
	_cleanup_close_ int fd = -1;

	if (!sink)
		return -ENOMEM;
	if (path)
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
	else
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!path && !json && isatty(fd)) {
		sink->text = fdopen(fd, "a");
		if (!sink->text)
			return -errno;
		sink->colour = !getenv("NO_COLOR");
	}
	sink->fd = TAKE_FD(fd);
	*ret = TAKE_PTR(sink);
	return 0;
}

static uint64_t count_lines(const char *text, size_t len)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	return lines;
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
	if (done > 0)
		sink->torn = sink->buffer[done - 1] != '\n';
	sink->failed += count_lines(sink->buffer + done, sink->len - done);
	/* The newline that ends a torn line is no event. */
	if (done == 0 && sink->len > 0 && sink->buffer[0] == '\n')
		sink->failed--;
	sink->len = 0;
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
	free(sink);
	return NULL;
}

void kw_sink_write(struct kw_sink *sink, const char *json, size_t len)
{
	if (sink->text) {
		kw_text_event(json, len, sink->colour, sink->text);
		return;
	}
	if (sink->len + len + 2 > sizeof(sink->buffer))
		write_out(sink);
	if (len + 2 > sizeof(sink->buffer)) {
		sink->error = EMSGSIZE;
		sink->failed++;
		return;
	}
	/* After a line that was cut off the next one stands on its own. */
	if (sink->torn && sink->len == 0)
		sink->buffer[sink->len++] = '\n';
	memcpy(sink->buffer + sink->len, json, len);
	sink->len += len;
	sink->buffer[sink->len++] = '\n';
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
