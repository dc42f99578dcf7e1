/* SPDX-License-Identifier: GPL-2.0-only */
/* Records that wait on disk, first in, first out, over restarts too. */
#include "spool.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "util.h"

/*
 * Theory of operation
 *
 * The file is a head, which says where the oldest record is, and records, each after its
 * length. It is written to at the end alone, and cut to its head when the last record is gone. So
 * a crash leaves at worst a record that was sent already, or one that is cut off. The numbers
 * are the machine's own: the file does not leave it.
 */

struct head {
	char magic[8];
	uint64_t at;
};

static const char magic[8] = "KWSPOOL1";

struct kw_spool {
	int fd;
	uint64_t max;
	uint64_t at; /* of the oldest record */
	uint64_t end;
	uint64_t waiting;
	uint32_t peeked; /* length of the record that was handed out; 0: none */
	char *record;
};

static int read_at(int fd, void *data, size_t len, uint64_t at)
{
	ssize_t n = pread(fd, data, len, (off_t)at);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -ENODATA;
}

static int write_at(int fd, const void *data, size_t len, uint64_t at)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int store_head(struct kw_spool *spool)
{
	struct head head = {.at = spool->at};

	memcpy(head.magic, magic, sizeof(magic));
	return write_at(spool->fd, &head, sizeof(head), 0);
}

static int empty(struct kw_spool *spool)
{
	spool->at = spool->end = sizeof(struct head);
	spool->waiting = 0;
	if (ftruncate(spool->fd, sizeof(struct head)) < 0)
		return -errno;
	return store_head(spool);
}

/* Counts what is there. What cannot be a record ends it. */
static int recall(struct kw_spool *spool, uint64_t size, uint64_t *ret_dropped)
{
	struct head head;
	uint32_t len;
	int r;

	r = read_at(spool->fd, &head, sizeof(head), 0);
	if (r < 0 && r != -ENODATA)
		return r;
	if (r < 0 || memcmp(head.magic, magic, sizeof(magic)) != 0 || head.at < sizeof(head) ||
	    head.at > size) {
		*ret_dropped = size > 0;
		return empty(spool);
	}
	spool->at = spool->end = head.at;
	while (spool->end < size) {
		r = read_at(spool->fd, &len, sizeof(len), spool->end);
		if (r < 0 && r != -ENODATA)
			return r;
		if (r < 0 || len == 0 || len > KW_SPOOL_RECORD_MAX ||
		    spool->end + sizeof(len) + len > size) {
			*ret_dropped = 1;
			break;
		}
		spool->end += sizeof(len) + len;
		spool->waiting++;
	}
	if (!spool->waiting)
		return empty(spool);
	return ftruncate(spool->fd, (off_t)spool->end) < 0 ? -errno : 0;
}

int kw_spool_open(const char *path, uint64_t max, struct kw_spool **ret, uint64_t *ret_dropped)
{
	_cleanup_free_ struct kw_spool *spool = calloc(1, sizeof(*spool));
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (!spool)
		return -ENOMEM;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*ret_dropped = 0;
	spool->fd = fd;
	spool->max = max;
	r = recall(spool, (uint64_t)st.st_size, ret_dropped);
	if (r < 0)
		return r;
	spool->fd = TAKE_FD(fd);
	*ret = TAKE_PTR(spool);
	return 0;
}

struct kw_spool *kw_spool_free(struct kw_spool *spool)
{
	if (!spool)
		return NULL;
	close(spool->fd);
	free(spool->record);
	free(spool);
	return NULL;
}

uint64_t kw_spool_waiting(const struct kw_spool *spool)
{
	return spool->waiting;
}

int kw_spool_put(struct kw_spool *spool, const char *data, size_t len)
{
	uint32_t head = (uint32_t)len;
	int r;

	if (len == 0 || len > KW_SPOOL_RECORD_MAX)
		return -EMSGSIZE;
	if (spool->end + sizeof(head) + len > spool->max)
		return -ENOSPC;
	r = write_at(spool->fd, &head, sizeof(head), spool->end);
	if (r == 0)
		r = write_at(spool->fd, data, len, spool->end + sizeof(head));
	if (r < 0) {
		/* A failure to take it back is found by the next one who opens it. */
		if (ftruncate(spool->fd, (off_t)spool->end) < 0)
			return -errno;
		return r;
	}
	spool->end += sizeof(head) + len;
	spool->waiting++;
	return 0;
}

int kw_spool_peek(struct kw_spool *spool, const char **ret, size_t *ret_len)
{
	uint32_t len;
	char *record;
	int r;

	if (!spool->waiting)
		return 0;
	r = read_at(spool->fd, &len, sizeof(len), spool->at);
	if (r < 0)
		return r;
	if (len == 0 || len > KW_SPOOL_RECORD_MAX)
		return -EBADMSG;
	record = realloc(spool->record, len);
	if (!record)
		return -ENOMEM;
	spool->record = record;
	r = read_at(spool->fd, record, len, spool->at + sizeof(len));
	if (r < 0)
		return r;
	spool->peeked = len;
	*ret = record;
	*ret_len = len;
	return 1;
}

int kw_spool_drop(struct kw_spool *spool)
{
	if (!spool->peeked)
		return -EINVAL;
	spool->at += sizeof(spool->peeked) + spool->peeked;
	spool->peeked = 0;
	spool->waiting--;
	if (spool->waiting)
		return store_head(spool);
	free(spool->record);
	spool->record = NULL;
	return empty(spool);
}
