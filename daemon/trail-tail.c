/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a file of events ends: what a trail that appends to it has to know. */
#define _GNU_SOURCE 1
#include "trail-tail.h"

#include <errno.h>
#include <sys/stat.h>

#include "util.h"

/* Fills a buffer from the end of a file of this size; another process may cut it meanwhile. */
static int read_end(int fd, off_t size, char **ret, size_t *ret_len)
{
	size_t want = size < KW_TAIL_MAX ? (size_t)size : KW_TAIL_MAX, len = 0;
	_cleanup_free_ char *buffer = malloc(want);
	ssize_t n = 1;

	if (!buffer)
		return -ENOMEM;
	while (len < want && n != 0) {
		n = pread(fd, buffer + len, want - len, size - (off_t)(want - len));
		if (n < 0 && errno != EINTR)
			return -errno;
		len += n > 0 ? (size_t)n : 0;
	}
	*ret = TAKE_PTR(buffer);
	*ret_len = len;
	return 0;
}

/* From the last line to the first: the head, and how far behind it the expected one is. */
static void look_back(const char *text, size_t len, const struct kw_chain *expected,
		      struct kw_tail *tail)
{
	struct kw_chain chain, first;
	size_t end = len, body;

	while (end > 0) {
		const char *newline = memrchr(text, '\n', end);
		size_t start = newline ? (size_t)(newline - text) + 1 : 0;

		if (kw_chain_split(text + start, end - start, &body, &chain)) {
			if (!tail->chained)
				tail->head = chain;
			tail->chained = true;
			if (!expected)
				return;
			tail->found = kw_chain_equal(&chain, expected);
			if (tail->found)
				return;
			tail->behind++;
			/* The file may be younger than what is remembered: it was rotated. */
			kw_chain_next(expected, text + start, body, &first);
			tail->found = start == 0 && kw_chain_equal(&first, &chain);
		}
		end = newline ? start - 1 : 0;
	}
}

int kw_tail_read(int fd, const struct kw_chain *expected, struct kw_tail *ret)
{
	_cleanup_free_ char *text = NULL;
	struct kw_tail tail = {};
	struct stat st;
	size_t len = 0;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode) && st.st_size > 0) {
		r = read_end(fd, st.st_size, &text, &len);
		if (r < 0)
			return r;
	}
	tail.empty = len == 0;
	tail.torn = len > 0 && text[len - 1] != '\n';
	if (len > 0)
		look_back(text, len, expected, &tail);
	*ret = tail;
	return 0;
}
