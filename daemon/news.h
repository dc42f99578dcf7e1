/* SPDX-License-Identifier: GPL-2.0-only */
/* One event on its way to sinks, and the formats it can get there. */
#ifndef KVMWARDEN_NEWS_H
#define KVMWARDEN_NEWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct kw_news {
	const char *json; /* an object, without newline; borrowed */
	size_t len;
	int kind; /* index of kw_kind(), or -1 */
	int verdict; /* enum kw_verdict, or -1: it has none */
	json_t *parsed; /* once a format needed it; kw_news_done() */
};

static inline void kw_news_done(struct kw_news *news)
{
	json_decref(news->parsed);
	news->parsed = NULL;
}

/* Something was refused, or somebody killed. */
bool kw_news_is_denial(const struct kw_news *news);

enum kw_format {
	KW_FORMAT_JSON, /* as in the trail, but without its chain */
	KW_FORMAT_TEXT, /* as "kvmwarden events" shows it, without colours */
	KW_FORMAT_ECS, /* Elastic Common Schema 8 */
	KW_FORMAT_OCSF, /* Open Cybersecurity Schema Framework 1.3 */
	_KW_FORMAT_MAX,
};

const char *kw_format_name(enum kw_format format);
int kw_format_from_name(const char *name); /* or -EINVAL */
const char *kw_format_list(unsigned int index); /* for kw_nearest() */

/*
 * One line without its newline. -EBADMSG: the event is no JSON object, -ENOMEM; failures of out
 * are left to ferror().
 */
int kw_format_event(enum kw_format format, struct kw_news *news, FILE *out);

/*
 * A datagram of the journal's native protocol: MESSAGE, PRIORITY, and each member of the event as
 * a field, KVMWARDEN_VM_TYPE for "vm": {"type"}. As kw_format_event().
 */
int kw_format_journal(struct kw_news *news, FILE *out);

/*
 * A datagram of syslog(3)'s: priority of the facility authpriv, time, name and pid, then the event
 * as text, or in another format after "@cee: ". As kw_format_event().
 */
int kw_format_syslog(enum kw_format format, struct kw_news *news, FILE *out);

/* For the above. The parsed event, borrowed; NULL: it is no object. */
json_t *kw_news_parse(struct kw_news *news);
int kw_format_ecs(json_t *event, FILE *out);
int kw_format_ocsf(json_t *event, FILE *out);

#endif
