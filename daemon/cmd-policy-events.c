/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of "kvmwarden policy" that read recorded events share. */
#define _GNU_SOURCE 1
#include "cmd-policy-events.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cmd-policy.h"
#include "explain.h"
#include "text.h"
#include "util.h"

static int complain(const char *part, const char *file, const char *what, int error)
{
	fprintf(stderr, "kvmwarden policy %s: cannot %s %s: %s\n", part, what, file,
		strerror(error));
	return KW_EXIT_DATA;
}

static int read_all(struct kw_recording *recording,
		    int (*add)(void *target, const struct kw_recorded *event), void *target,
		    struct kw_tally *tally)
{
	struct kw_line line = {};
	int r;

	while ((r = kw_recording_next(recording, &line)) > 0) {
		kw_tally_add(tally, &line);
		if (line.kind == KW_LINE_EVENT)
			r = add(target, &line.event);
		if (r < 0)
			break;
	}
	return r;
}

int kw_policy_read_events(const char *part, const char *file,
			  int (*add)(void *target, const struct kw_recorded *event), void *target,
			  struct kw_tally *tally)
{
	_cleanup_(kw_recording_done) struct kw_recording recording = {};
	_cleanup_fclose_ FILE *opened = NULL;
	int r;

	if (!kw_streq(file, "-"))
		opened = fopen(file, "re");
	recording.in = kw_streq(file, "-") ? stdin : opened;
	if (!recording.in)
		return complain(part, file, "open", errno);
	r = read_all(&recording, add, target, tally);
	if (r == -ENOMEM)
		return kw_policy_no_memory();
	return r < 0 ? complain(part, file, "read", -r) : KW_EXIT_OK;
}

static void print_count(const char *prefix, uint64_t count, const char *what, FILE *out)
{
	if (count)
		fprintf(out, "%s%" PRIu64 " %s\n", prefix, count, what);
}

void kw_policy_print_tally(const struct kw_tally *tally, const char *prefix, FILE *out)
{
	print_count(prefix, tally->own, "lines are about the daemon itself", out);
	if (tally->strange) {
		fprintf(out, "%s%" PRIu64 " events are of what this version does not know:", prefix,
			tally->strange);
		for (size_t i = 0; i < tally->word_count; i++) {
			fputs(i ? ", " : " ", out);
			kw_text_safe(out, tally->words[i]);
		}
		fputs(tally->word_count == KW_TALLY_MAX ? "...\n" : "\n", out);
	}
	for (size_t i = 0; i < tally->broken && i < KW_TALLY_MAX; i++)
		fprintf(out, "%sline %" PRIu64 " could not be read: %s\n", prefix,
			tally->broken_lines[i], tally->broken_why[i]);
	if (tally->broken > KW_TALLY_MAX)
		fprintf(out, "%s%" PRIu64 " more lines could not be read\n", prefix,
			tally->broken - KW_TALLY_MAX);
	print_count(prefix, tally->lost, "events were lost when this was recorded", out);
	print_count(prefix, tally->held_back, "events were held back by a rate limit", out);
}

json_t *kw_policy_tally_json(const struct kw_tally *tally)
{
	json_t *lines = json_array(), *words = json_array();

	for (size_t i = 0; i < tally->broken && i < KW_TALLY_MAX; i++)
		json_array_append_new(lines, json_pack("{s:I, s:s}", "line",
						       (json_int_t)tally->broken_lines[i], "why",
						       tally->broken_why[i]));
	for (size_t i = 0; i < tally->word_count; i++)
		json_array_append_new(words, kw_json_text(tally->words[i]));
	return json_pack("{s:I, s:I, s:I, s:o, s:I, s:o, s:I, s:I}", "events",
			 (json_int_t)tally->events, "own", (json_int_t)tally->own, "unknown",
			 (json_int_t)tally->strange, "unknown_words", words, "broken",
			 (json_int_t)tally->broken, "broken_lines", lines, "lost",
			 (json_int_t)tally->lost, "held_back", (json_int_t)tally->held_back);
}
