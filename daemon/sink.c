/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the daemon's events go: a file or standard output. */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>

#include "text.h"
#include "util.h"

struct kw_sink {
	FILE *out;
	bool text;
	bool colour;
	int error; /* since the last flush */
	uint64_t pending;
	uint64_t failed;
};

int kw_sink_open(const char *path, bool json, struct kw_sink **ret)
{
	_cleanup_free_ struct kw_sink *sink = calloc(1, sizeof(*sink));
	int fd;

	if (!sink)
		return -ENOMEM;
	if (path)
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
	else
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	sink->text = !path && !json && isatty(fd);
	sink->colour = sink->text && !getenv("NO_COLOR");
	sink->out = fdopen(fd, "a");
	if (!sink->out) {
		int error = errno;

		close(fd);
		return -error;
	}
	setvbuf(sink->out, NULL, _IOFBF, 64 * 1024);
	*ret = TAKE_PTR(sink);
	return 0;
}

struct kw_sink *kw_sink_free(struct kw_sink *sink)
{
	if (!sink)
		return NULL;
	fclose(sink->out);
	free(sink);
	return NULL;
}

void kw_sink_write(struct kw_sink *sink, const char *json, size_t len)
{
	sink->pending++;
	if (sink->text) {
		kw_text_event(json, len, sink->colour, sink->out);
		return;
	}
	if (fwrite(json, 1, len, sink->out) != len || putc('\n', sink->out) == EOF)
		sink->error = errno ?: EIO;
}

int kw_sink_flush(struct kw_sink *sink)
{
	int error = sink->error;

	if (fflush(sink->out) == EOF)
		error = errno;
	if (error)
		sink->failed += sink->pending;
	sink->pending = 0;
	sink->error = 0;
	clearerr(sink->out);
	return -error;
}

uint64_t kw_sink_failed(const struct kw_sink *sink)
{
	return sink->failed;
}
