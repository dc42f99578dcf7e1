/* SPDX-License-Identifier: GPL-2.0-only */
/* Trails of events as the daemon writes them, to be spoilt; and what is found in them. */
#ifndef KVMWARDEN_TEST_TRAIL_MADE_H
#define KVMWARDEN_TEST_TRAIL_MADE_H

#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "unit.h"
#include "util.h"
#include "verify.h"

#define TRAIL_MAX 8192

struct trail {
	char *lines[TRAIL_MAX]; /* owned; NULL: here the next file begins */
	size_t count;
	struct kw_chain head;
	uint64_t seq;
	const char *boot;
	unsigned int seconds;
};

static inline void trail_done(struct trail *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->lines[i]);
	*t = (struct trail){};
}

static inline void trail_raw(struct trail *t, const char *text)
{
	assert_true(t->count < TRAIL_MAX);
	t->lines[t->count++] = text ? strdup(text) : NULL;
}

/* A line with this number; more is members, each after a comma. */
static inline void trail_numbered(struct trail *t, uint64_t seq, const char *event,
				  const char *more)
{
	char line[1024];
	int len;

	len = snprintf(
		line, sizeof(line) - KW_CHAIN_MEMBER_LEN - 1,
		"{\"version\":1,\"time\":\"2026-11-23T15:%02u:%02u.000000000Z\",\"seq\":%llu,"
		"\"event\":\"%s\",\"host\":\"h\",\"boot_id\":\"%s\"%s",
		t->seconds / 60 % 60, t->seconds % 60, (unsigned long long)seq, event,
		t->boot ?: "one", more ?: "");
	kw_chain_next(&t->head, line, (size_t)len, &t->head);
	kw_chain_member(&t->head, line + len);
	line[(size_t)len + KW_CHAIN_MEMBER_LEN] = '\0';
	trail_raw(t, line);
}

static inline void trail_own(struct trail *t, const char *event)
{
	trail_numbered(t, ++t->seq, event, NULL);
}

static inline void trail_ioctls(struct trail *t, unsigned int count)
{
	while (count--)
		trail_numbered(t, ++t->seq, "ioctl", ",\"verdict\":\"audit\",\"policy\":\"p\"");
}

static inline void trail_lost(struct trail *t, unsigned int count, unsigned int total,
			      const char *reason)
{
	char more[128];

	snprintf(more, sizeof(more), ",\"count\":%u,\"total\":%u,\"reason\":\"%s\"", count, total,
		 reason);
	trail_numbered(t, ++t->seq, "lost", more);
}

/* What was found, each as "KIND LINE" or "KIND FILE:LINE" beyond the first file. */
struct found {
	char text[1024];
	unsigned int findings, warnings;
	struct kw_verified verified;
};

static inline void take_finding(void *userdata, const struct kw_finding *finding)
{
	struct found *found = userdata;
	size_t len = strlen(found->text);
	char sentence[KW_FINDING_TEXT_MAX];

	kw_finding_text(finding, "other", sentence);
	assert_true(sentence[0]);
	if (kw_finding_is_warning(finding->kind))
		found->warnings++;
	else
		found->findings++;
	len += (size_t)snprintf(found->text + len, sizeof(found->text) - len, "%s%s ",
				len ? ", " : "", kw_finding_name(finding->kind));
	if (len < sizeof(found->text) && finding->at.file)
		len += (size_t)snprintf(found->text + len, sizeof(found->text) - len,
					"%zu:", finding->at.file + 1);
	if (len < sizeof(found->text))
		snprintf(found->text + len, sizeof(found->text) - len, "%llu",
			 (unsigned long long)finding->at.line);
}

static inline struct found verify_trail(const struct trail *t, const struct kw_anchors *anchors)
{
	struct found found = {};
	const struct kw_findings findings = {take_finding, &found};
	struct kw_verify *v = NULL;

	assert_int_equal(kw_verify_new(anchors, &findings, &v), 0);
	assert_int_equal(kw_verify_file(v), 0);
	for (size_t i = 0; i < t->count; i++) {
		if (!t->lines[i])
			assert_int_equal(kw_verify_file(v), 0);
		else
			assert_int_equal(kw_verify_line(v, t->lines[i], strlen(t->lines[i])), 0);
	}
	assert_int_equal(kw_verify_end(v, &found.verified), 0);
	kw_verify_free(v);
	return found;
}

#endif
