/* SPDX-License-Identifier: GPL-2.0-only */
/* Unix sockets that are found by their names. */
#ifndef KVMWARDEN_LISTEN_H
#define KVMWARDEN_LISTEN_H

#include <sys/stat.h>
#include <sys/types.h>

/*
 * Listens on path with a socket of this type (non-blocking), of mode 0660 and of the group
 * if /etc/group has it. Its directory is made, 0711, if it is not there; its mode else is
 * its owner's business. A stale socket is replaced. -EADDRINUSE: somebody listens there,
 * -ENOTSOCK: it is something else, -ENAMETOOLONG, and others. *ret_stat tells it from a later one.
 */
int kw_listen(const char *path, int type, const char *group, int backlog, int *ret,
	      struct stat *ret_stat);

/* Removes the socket, unless another one has its name by now. */
void kw_listen_end(const char *path, const struct stat *st);

/* Connects to one. -errno. */
int kw_connect(const char *path, int type, int *ret);

#endif
