/* SPDX-License-Identifier: GPL-2.0-only */
/* What is counted for Prometheus, the page it gets, and the socket it gets it from. */
#ifndef KVMWARDEN_METRICS_H
#define KVMWARDEN_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "render.h"

/* --- metrics.c: counting ------------------------------------------------------ */

/* Combinations of labels that have a series of their own; the rest is "other", by verdict. */
#define KW_METRICS_SERIES_MAX 4096
#define KW_METRICS_KINDS_MAX 64 /* of events: see kw_kind() */

struct kw_metrics;

/* NULL: out of memory. The others do nothing with NULL: nobody wants metrics. */
struct kw_metrics *kw_metrics_new(void);
struct kw_metrics *kw_metrics_free(struct kw_metrics *metrics); /* returns NULL */

/*
 * One event of the kernel, in a time that does not depend on how many there were. policy: the
 * name, or NULL. True: this is the first that found no series.
 */
bool kw_metrics_count(struct kw_metrics *metrics, const struct kw_event *event, const char *policy);
void kw_metrics_count_kind(struct kw_metrics *metrics, int kind); /* < 0: nothing */
void kw_metrics_count_reload(struct kw_metrics *metrics, bool taken, uint64_t realtime_ns);

/* --- metrics-render.c --------------------------------------------------------- */

#define KW_METRICS_SINKS_MAX 16

struct kw_sink_figures {
	const char *name;
	enum kw_sink_kind kind;
	struct kw_sink_stats stats;
};

/* All that a page says. All borrowed. */
struct kw_metrics_page {
	const struct kw_status *status;
	const struct kw_metrics *metrics;
	struct kw_sink_figures sinks[KW_METRICS_SINKS_MAX];
	size_t sink_count;
	uint64_t resident; /* bytes of the daemon, 0: not known */
};

/* OpenMetrics 1.0. Failures of out are left to ferror(). */
void kw_metrics_render(const struct kw_metrics_page *page, FILE *out);

/* --- metrics-serve.c ---------------------------------------------------------- */

#define KW_METRICS_CLIENTS_MAX 16
#define KW_METRICS_REQUEST_MAX 4096 /* bytes */
#define KW_METRICS_CLIENT_USEC (5 * 1000 * 1000) /* from connection to answer */

struct kw_metrics_server;

/* A port of the loopback interface: "127.0.0.1:9567", "[::1]:9567". -EINVAL: it is none. */
int kw_metrics_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len);

/*
 * Listens on such a port, or on a unix socket if it is a path: see kw_listen(). Whoever connects
 * gets what page() gives, which is asked for at most once a second: *ret is malloc()ed.
 */
int kw_metrics_serve(sd_event *loop, const char *where,
		     int (*page)(void *userdata, char **ret, size_t *ret_len), void *userdata,
		     struct kw_metrics_server **ret);
struct kw_metrics_server *kw_metrics_server_free(struct kw_metrics_server *server); /* NULL */

/* The status of the answer to a whole request, with the empty line at its end: 200, 400, 404, 405. */
unsigned int kw_metrics_judge(const char *request, size_t len, bool *ret_head);

#endif
