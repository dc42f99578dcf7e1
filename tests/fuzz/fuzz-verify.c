/* SPDX-License-Identifier: GPL-2.0-only */
/* Fuzzes the verifier of trails: a good trail is spoilt as the input says, or the input is one. */

/*
 * The fuzzer cannot make hashes, so a byte of the input is what to do next: to a
 * trail that is written as the daemon writes it. What is asserted, beyond what the
 * sanitizers see:
 *
 * - a trail that was left alone is intact, however its events are numbered, if
 *   all that is missing is told of;
 * - one that was not is found out, with the anchors known;
 * - text of any kind is read to its end.
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "util.h"
#include "verify.h"

/* Few, so that many are tried: what is compared is what is near. */
#define LINES_MAX 64
#define LINE_MAX 512

struct spoilt {
	char lines[LINES_MAX][LINE_MAX];
	size_t count;
	struct kw_chain head;
	uint64_t seq, untold;
	unsigned int boot;
	bool changed;
};

static uint64_t findings;

static void count_finding(void *userdata, const struct kw_finding *finding)
{
	char text[KW_FINDING_TEXT_MAX];

	(void)userdata;
	assert(finding->kind < _KW_FINDING_MAX);
	kw_finding_text(finding, "another", text);
	assert(text[0] && kw_finding_name(finding->kind));
	findings += !kw_finding_is_warning(finding->kind);
}

static struct kw_verify *begin(const struct kw_anchors *anchors)
{
	static const struct kw_findings to = {count_finding, NULL};
	struct kw_verify *v = NULL;

	findings = 0;
	assert(kw_verify_new(anchors, &to, &v) == 0);
	assert(kw_verify_file(v) == 0);
	return v;
}

static void end(struct kw_verify *v)
{
	struct kw_verified verified;

	assert(kw_verify_end(v, &verified) == 0);
	kw_verify_free(v);
}

/* Lines of the input itself. */
static void verify_text(const char *text, size_t size)
{
	struct kw_verify *v = begin(&(struct kw_anchors){});

	while (size > 0) {
		const char *newline = memchr(text, '\n', size);
		size_t len = newline ? (size_t)(newline - text) : size;

		assert(kw_verify_line(v, text, len) == 0);
		text += len + !!newline;
		size -= len + !!newline;
	}
	end(v);
}

static void add(struct spoilt *s, const char *event, const char *more)
{
	char *line = s->lines[s->count];
	size_t len;

	if (s->count == LINES_MAX)
		return;
	s->seq++;
	len = (size_t)snprintf(
		line, LINE_MAX,
		"{\"version\":1,\"time\":\"2026-11-23T15:%02zu:00.000000000Z\",\"seq\":%llu,"
		"\"event\":\"%s\",\"boot_id\":\"%u\"%s",
		s->count % 60, (unsigned long long)s->seq, event, s->boot, more);
	kw_chain_next(&s->head, line, len, &s->head);
	kw_chain_member(&s->head, line + len);
	line[len + KW_CHAIN_MEMBER_LEN] = '\0';
	s->count++;
}

static void tell(struct spoilt *s)
{
	char more[96];

	snprintf(more, sizeof(more), ",\"count\":%llu,\"reason\":\"unwritten\"",
		 (unsigned long long)s->untold);
	add(s, "lost", more);
	s->untold = 0;
}

static void swap(struct spoilt *s, size_t a, size_t b)
{
	char line[LINE_MAX];

	if (a >= s->count || b >= s->count || a == b)
		return;
	memcpy(line, s->lines[a], LINE_MAX);
	memcpy(s->lines[a], s->lines[b], LINE_MAX);
	memcpy(s->lines[b], line, LINE_MAX);
	s->changed = true;
}

static void write_trail(struct spoilt *s, uint8_t what)
{
	switch (what % 8) {
	case 0:
		tell(s);
		add(s, "started", "");
		break;
	case 1:
		s->untold++;
		s->seq++;
		break;
	case 2:
		tell(s);
		break;
	case 3:
		tell(s);
		s->boot++;
		s->seq = 0;
		break;
	case 4:
		tell(s);
		s->seq = 0;
		add(s, "started", "");
		break;
	default:
		add(s, "ioctl", ",\"verdict\":\"deny\"");
		break;
	}
}

static void spoil(struct spoilt *s, const uint8_t how[4])
{
	size_t a = how[1] % s->count, b = how[2] % s->count, len = strlen(s->lines[a]);

	if (len == 0)
		return;
	switch (how[0] % 4) {
	case 0:
		swap(s, a, b);
		break;
	case 1:
		s->lines[a][how[2] % len] ^= how[3] ?: 1;
		s->changed = true;
		break;
	case 2:
		memmove(s->lines[a], s->lines[a + 1], (--s->count - a) * LINE_MAX);
		s->changed = true;
		break;
	case 3:
		s->lines[a][how[2] % len] = '\0';
		s->changed = true;
		break;
	}
}

static void verify_spoilt(const struct spoilt *s, const struct kw_chain *head)
{
	struct kw_verify *v = begin(&(struct kw_anchors){&kw_chain_genesis, head});

	for (size_t i = 0; i < s->count; i++)
		assert(kw_verify_line(v, s->lines[i], strlen(s->lines[i])) == 0);
	end(v);
}

/* Two changes may undo each other: then there is none. */
static bool is_as_written(const struct spoilt *s, const struct kw_chain *head)
{
	struct kw_chain at = kw_chain_genesis, said;
	size_t body;

	for (size_t i = 0; i < s->count; i++) {
		if (!kw_chain_split(s->lines[i], strlen(s->lines[i]), &body, &said))
			return false;
		kw_chain_next(&at, s->lines[i], body, &at);
		if (!kw_chain_equal(&at, &said))
			return false;
	}
	return kw_chain_equal(&at, head);
}

/* libFuzzer declares it nowhere. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct spoilt s; /* large */
	size_t written;

	verify_text((const char *)data, size);
	if (size < 2)
		return 0;
	written = 1 + data[0] % (LINES_MAX / 3);
	s = (struct spoilt){};
	add(&s, "started", "");
	for (size_t i = 1; i < size && i < written; i++)
		write_trail(&s, data[i]);
	tell(&s);
	verify_spoilt(&s, &s.head);
	assert(findings == 0);
	for (size_t i = written; i + 4 <= size && i < written + 12 && s.count > 0; i += 4)
		spoil(&s, data + i);
	if (!s.changed || is_as_written(&s, &s.head))
		return 0;
	verify_spoilt(&s, &s.head);
	assert(findings > 0);
	return 0;
}
