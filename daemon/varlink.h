/* SPDX-License-Identifier: GPL-2.0-only */
/* The framing of the varlink protocol: JSON objects, each ended by a NUL, on a stream socket. */
#ifndef KVMWARDEN_VARLINK_H
#define KVMWARDEN_VARLINK_H

#include <stdbool.h>
#include <stddef.h>

#define KW_INTERFACE "io.kvmwarden.Manager"
#define KW_INTERFACE_SERVICE "org.varlink.service"

/* What was received. Start with (struct kw_inbox){ .max = ... }. */
struct kw_inbox {
	size_t max; /* the longest message, with its NUL */
	char *data;
	size_t start; /* of the first message not handed out */
	size_t scanned; /* no NUL between start and here */
	size_t len;
	size_t size;
};

void kw_inbox_done(struct kw_inbox *inbox);

/*
 * One recv(2). The number of bytes; 0 at the end of the stream; -EAGAIN, -EINTR
 * and others of the socket; -EMSGSIZE when a message is longer than max.
 * Messages handed out before are no longer valid.
 */
int kw_inbox_receive(struct kw_inbox *inbox, int fd);

/* Is a whole message there? */
bool kw_inbox_ready(struct kw_inbox *inbox);

/* The next whole message, NUL-terminated, owned by the inbox; NULL when there is none. */
const char *kw_inbox_next(struct kw_inbox *inbox, size_t *ret_len);

/* What is still to be sent. Start with (struct kw_outbox){}. */
struct kw_outbox {
	char *data;
	size_t start;
	size_t len;
	size_t size;
};

void kw_outbox_done(struct kw_outbox *outbox);
size_t kw_outbox_pending(const struct kw_outbox *outbox);

/* Makes room for len bytes: the next appends of that many in total do not fail. */
int kw_outbox_reserve(struct kw_outbox *outbox, size_t len);
int kw_outbox_append(struct kw_outbox *outbox, const char *text, size_t len);

/* Sends what the socket takes: 0 when all is gone, -EAGAIN when not, or its error. */
int kw_outbox_flush(struct kw_outbox *outbox, int fd);

#endif
