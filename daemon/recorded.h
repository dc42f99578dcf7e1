/* SPDX-License-Identifier: GPL-2.0-only */
/* Recorded events, the JSON lines of kvmwardend, as far as decisions depend on them. */
#ifndef KVMWARDEN_RECORDED_H
#define KVMWARDEN_RECORDED_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "decide.h"

/* Longer lines are no events: a path has 255 bytes, the name of a policy file 4096. */
#define KW_RECORDED_LINE_MAX 65536
#define KW_RECORDED_TIME_MAX sizeof("2026-11-23T15:04:05.123456789Z")
#define KW_RECORDED_WORD_MAX 64

/* A decision that was recorded. */
struct kw_recorded {
	enum kw_event_kind kind;
	uint64_t seq;
	uint64_t vm_id; /* 0: none */
	uint64_t held_back; /* events like it that a rate limit held back before it */
	unsigned int operation; /* also a hidden one */
	unsigned int state;
	unsigned int verdict; /* what was done */
	unsigned int intended;
	unsigned int error; /* errno, or 0 */
	uint32_t type; /* KW_TYPE_NONE: an ioctl on /dev/kvm */
	uint32_t flags;
	struct kw_identity who; /* the VM's creator; the uid is the caller's */
	char time[KW_RECORDED_TIME_MAX]; /* empty if it is none */
};

enum kw_line_kind {
	KW_LINE_EVENT, /* .event */
	KW_LINE_OWN, /* about the daemon; if events were lost, .lost says how many */
	KW_LINE_STRANGE, /* .why and .word: it needs a newer version */
	KW_LINE_BROKEN, /* .why */
	_KW_LINE_MAX,
};

struct kw_line {
	enum kw_line_kind kind;
	uint64_t number; /* from 1 */
	struct kw_recorded event;
	uint64_t lost;
	const char *why; /* static: "unknown operation", "not a JSON object" */
	char word[KW_RECORDED_WORD_MAX]; /* cut off; any characters */
};

struct kw_recording {
	FILE *in; /* borrowed */
	char *line; /* owned */
	uint64_t number;
};

/* The next line that is not blank: 1; 0 at the end; or a negative errno. */
int kw_recording_next(struct kw_recording *recording, struct kw_line *ret);
void kw_recording_done(struct kw_recording *recording);

/* A line without its newline. */
void kw_recorded_parse(const char *text, size_t len, struct kw_line *ret);

/* What a recording held, and what was of no use. */
#define KW_TALLY_MAX 10 /* lines and words that are kept */

struct kw_tally {
	uint64_t events;
	uint64_t own;
	uint64_t strange;
	uint64_t broken;
	uint64_t lost; /* events that the recording says it lacks */
	uint64_t held_back; /* and those that a rate limit held back */
	uint64_t broken_lines[KW_TALLY_MAX]; /* the first ones */
	const char *broken_why[KW_TALLY_MAX];
	char words[KW_TALLY_MAX][KW_RECORDED_WORD_MAX]; /* of what is strange */
	size_t word_count;
};

void kw_tally_add(struct kw_tally *tally, const struct kw_line *line);

/* The verdict on it under other policies. */
struct kw_ruleset;
void kw_recorded_decide(const struct kw_ruleset *rs, const struct kw_recorded *event,
			struct kw_decision *ret);

#endif
