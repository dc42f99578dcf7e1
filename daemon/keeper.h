/* SPDX-License-Identifier: GPL-2.0-only */
/* The process that stays beside a VMM so that a new daemon can go on where the old one ended. */
#ifndef KVMWARDEN_KEEPER_H
#define KVMWARDEN_KEEPER_H

#include <jansson.h>

/*
 * Theory of operation
 *
 * Whoever has the descriptor of a filter's notifications can answer them, and while somebody
 * has it nobody is answered otherwise. So the VMM must never have it, and a daemon that is killed
 * must not be the only one who has it. "kvmwarden run" becomes the VMM; before that it forks a
 * keeper, outside the filter, which is no child of the VMM and cannot be looked into by
 * processes of its user. The keeper takes the listener over, brings it to the daemon, and waits:
 * for the end of the VMM, which is its own, or for the end of the daemon. Then it brings the
 * listener to the next one. If none comes in time it lets go, and the VMM's notified ioctls
 * fail with ENOSYS: it is not left hanging, and nothing passes.
 */
struct kw_keeper {
	int channel; /* to the keeper */
};

/*
 * Starts one, connected to the daemon by fd (owned from here on). For how long it waits for
 * another daemon is told in seconds.
 */
int kw_keeper_start(int fd, const char *socket, unsigned int seconds, struct kw_keeper *ret);

/*
 * Has the keeper bring the listener to the daemon, and returns when that supervises. -errno
 * with *reterr: it does not, and the VMM must not be started; *ret_status is an enum kw_exit.
 */
int kw_keeper_supervise(struct kw_keeper *keeper, int listener, int *ret_status, char **reterr);
void kw_keeper_done(struct kw_keeper *keeper); /* of our end of the channel only */

/* A message with at most two descriptors (-1: none). */
int kw_message_send(int fd, const char *text, const int fds[2]);
/* The next one, parsed, and its descriptor or -1: -EPROTO, -ECONNRESET at the end. */
int kw_message_receive(int fd, json_t **ret, int *ret_fd);

#endif
