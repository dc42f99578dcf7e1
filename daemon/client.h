/* SPDX-License-Identifier: GPL-2.0-only */
/* The command's side of the control socket. */
#ifndef KVMWARDEN_CLIENT_H
#define KVMWARDEN_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

#include "cli.h"

struct kw_client;

/*
 * Errors of the functions below; *reterr is then one malloc()ed sentence.
 *   -ENOENT, -ECONNREFUSED  the daemon is not running
 *   -EACCES, -EPERM         no permission to connect, or to do that
 *   -EAGAIN                 no answer in time
 *   -EREMOTEIO              the daemon could not do it: its own sentence
 *   -ECONNRESET, -EPROTO    it hung up, or said something else
 *   -ENOMEM
 */
int kw_client_connect(const char *path, struct kw_client **ret, char **reterr);
/* The same; an answer is waited for so long, instead of half a minute. */
int kw_client_connect_for(const char *path, unsigned int seconds, struct kw_client **ret,
			  char **reterr);
struct kw_client *kw_client_free(struct kw_client *client); /* returns NULL; NULL is fine */

/* Sends a call of io.kvmwarden.Manager; parameters is borrowed and may be NULL. */
int kw_client_call(struct kw_client *client, const char *method, json_t *parameters, bool more,
		   char **reterr);

/* Waits for a reply: its parameters, to be json_decref()ed, and whether more will come. */
int kw_client_reply(struct kw_client *client, json_t **ret, bool *ret_continues, char **reterr);

/* From here on replies may take for ever: events do. */
void kw_client_wait_for_ever(struct kw_client *client);

/* Calls, and waits for the one reply; parameters is borrowed and may be NULL. */
int kw_client_ask_on(struct kw_client *client, const char *method, json_t *parameters, json_t **ret,
		     char **reterr);

/* Connects, calls, and waits for the one reply; parameters is borrowed and may be NULL. */
int kw_client_ask(const char *path, const char *method, json_t *parameters, json_t **ret,
		  char **reterr);

/* Which exit status an error is. */
enum kw_exit kw_client_exit(int error);

/* As kw_client_ask(); prints the sentence and returns an exit status. */
int kw_client_ask_or_complain(const struct kw_cli *cli, const char *method, json_t *parameters,
			      json_t **ret);

/* Prints value as JSON, indented on a terminal; returns an exit status. */
int kw_client_print_json(json_t *value);

#endif
