/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages in and out of a stream socket, each ended by a NUL. */
#include "varlink.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CHUNK 16384

void kw_inbox_done(struct kw_inbox *inbox)
{
	free(inbox->data);
	*inbox = (struct kw_inbox){.max = inbox->max};
}

/* Moves what is left to the front and makes room for one more chunk. */
static int inbox_make_room(struct kw_inbox *inbox)
{
	size_t size;
	char *data;

	if (inbox->start > 0) {
		memmove(inbox->data, inbox->data + inbox->start, inbox->len - inbox->start);
		inbox->len -= inbox->start;
		inbox->scanned -= inbox->start;
		inbox->start = 0;
	}
	if (inbox->len < inbox->size)
		return 0;
	if (inbox->size >= inbox->max)
		return -EMSGSIZE;
	size = inbox->size ? inbox->size * 2 : CHUNK;
	if (size > inbox->max)
		size = inbox->max;
	data = realloc(inbox->data, size);
	if (!data)
		return -ENOMEM;
	inbox->data = data;
	inbox->size = size;
	return 0;
}

int kw_inbox_receive(struct kw_inbox *inbox, int fd)
{
	ssize_t n;
	int r;

	r = inbox_make_room(inbox);
	if (r < 0)
		return r;
	n = recv(fd, inbox->data + inbox->len, inbox->size - inbox->len, 0);
	if (n < 0)
		return -errno;
	inbox->len += n;
	return n;
}

bool kw_inbox_ready(struct kw_inbox *inbox)
{
	const char *end;

	if (inbox->scanned == inbox->len)
		return false;
	end = memchr(inbox->data + inbox->scanned, 0, inbox->len - inbox->scanned);
	inbox->scanned = end ? (size_t)(end - inbox->data) : inbox->len;
	return end;
}

const char *kw_inbox_next(struct kw_inbox *inbox, size_t *ret_len)
{
	const char *text;

	if (!kw_inbox_ready(inbox))
		return NULL;
	text = inbox->data + inbox->start;
	*ret_len = inbox->scanned - inbox->start;
	inbox->scanned++;
	inbox->start = inbox->scanned;
	return text;
}

void kw_outbox_done(struct kw_outbox *outbox)
{
	free(outbox->data);
	*outbox = (struct kw_outbox){};
}

size_t kw_outbox_pending(const struct kw_outbox *outbox)
{
	return outbox->len - outbox->start;
}

int kw_outbox_reserve(struct kw_outbox *outbox, size_t len)
{
	size_t pending = kw_outbox_pending(outbox);
	size_t size = outbox->size ? outbox->size : CHUNK;
	char *data;

	if (len <= outbox->size - outbox->len)
		return 0;
	if (len > SIZE_MAX / 4 - pending)
		return -ENOMEM;
	/* Moving is cheap as long as it frees at least as much as it moves. */
	if (outbox->start >= pending && len <= outbox->size - pending) {
		memmove(outbox->data, outbox->data + outbox->start, pending);
		outbox->start = 0;
		outbox->len = pending;
		return 0;
	}
	while (size - outbox->len < len)
		size *= 2;
	data = realloc(outbox->data, size);
	if (!data)
		return -ENOMEM;
	outbox->data = data;
	outbox->size = size;
	return 0;
}

int kw_outbox_append(struct kw_outbox *outbox, const char *text, size_t len)
{
	int r;

	r = kw_outbox_reserve(outbox, len);
	if (r < 0)
		return r;
	memcpy(outbox->data + outbox->len, text, len);
	outbox->len += len;
	return 0;
}

int kw_outbox_flush(struct kw_outbox *outbox, int fd)
{
	ssize_t n;

	while (kw_outbox_pending(outbox) > 0) {
		n = send(fd, outbox->data + outbox->start, kw_outbox_pending(outbox), MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		outbox->start += n;
	}
	outbox->start = 0;
	outbox->len = 0;
	if (outbox->size > CHUNK)
		kw_outbox_done(outbox);
	return 0;
}
