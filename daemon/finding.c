/* SPDX-License-Identifier: GPL-2.0-only */
/* What can be wrong with recorded events, where, and how it is said. */
#include "finding.h"

#include <inttypes.h>
#include <stdio.h>

#include "util.h"

static const char *const names[] = {
	[KW_FINDING_CHANGED] = "changed",
	[KW_FINDING_MISSING] = "missing",
	[KW_FINDING_REORDERED] = "reordered",
	[KW_FINDING_REPEATED] = "repeated",
	[KW_FINDING_INSERTED] = "inserted",
	[KW_FINDING_MALFORMED] = "malformed",
	[KW_FINDING_UNCHAINED] = "unchained",
	[KW_FINDING_CUT] = "cut",
	[KW_FINDING_BEGINS_ANEW] = "begins-anew",
	[KW_FINDING_NUMBER_REPEATED] = "number-repeated",
	[KW_FINDING_UNTOLD] = "untold",
	[KW_FINDING_GAPS] = "gaps",
	[KW_FINDING_HEAD] = "head",
	[KW_FINDING_BEYOND_HEAD] = "beyond-head",
	[KW_WARNING_TORN] = "torn",
	[KW_WARNING_BEGINS_ANEW] = "chain-begins",
	[KW_WARNING_NUMBERS_ANEW] = "numbers-begin",
	[KW_WARNING_MIDDLE] = "middle",
	[KW_WARNING_UNTOLD_YET] = "untold-yet",
};
_Static_assert(KW_ARRAY_SIZE(names) == _KW_FINDING_MAX, "a name for each");

bool kw_finding_is_warning(enum kw_finding_kind kind)
{
	return kind >= KW_WARNING_TORN;
}

const char *kw_finding_name(enum kw_finding_kind kind)
{
	return names[kind];
}

/* Sentences without a number in them. */
static const char *plain_text(enum kw_finding_kind kind)
{
	static const char *const texts[_KW_FINDING_MAX] = {
		[KW_FINDING_CHANGED] = "it does not follow from the line before: this line was "
				       "changed, or what stood between them removed",
		[KW_FINDING_INSERTED] =
			"it was put in here, or changed: the next line follows from "
			"the one before it",
		[KW_FINDING_MALFORMED] = "it is no event",
		[KW_FINDING_UNCHAINED] = "it is an event without a chain: the daemon did not write "
					 "it so",
		[KW_FINDING_BEGINS_ANEW] =
			"a chain begins anew here, although no daemon started and "
			"no machine: what stood before it may have been removed",
		[KW_FINDING_GAPS] = "the numbers have too many gaps to account for them",
		[KW_FINDING_HEAD] =
			"the last chain is not the one given with --head: the end was cut "
			"off, or changed",
		[KW_WARNING_BEGINS_ANEW] =
			"a chain begins anew here, as a daemon does that does not "
			"know the end of the one before; nothing ties the two",
		[KW_WARNING_NUMBERS_ANEW] =
			"the numbers of events begin anew, and no event tells of "
			"a start",
		[KW_WARNING_MIDDLE] =
			"it follows a line that is not here: it was not checked itself, "
			"nor is it known what stood before it; --start tells",
	};

	return texts[kind];
}

void kw_finding_text(const struct kw_finding *finding, const char *other,
		     char ret[KW_FINDING_TEXT_MAX])
{
	const char *plain = plain_text(finding->kind), *many = finding->count == 1 ? "" : "s";
	const uint64_t n = finding->count, first = finding->first, line = finding->other.line;
	const size_t size = KW_FINDING_TEXT_MAX;

	ret[0] = '\0';
	if (plain)
		snprintf(ret, size, "%s", plain);
	else if (finding->kind == KW_FINDING_MISSING)
		snprintf(ret, size,
			 "%" PRIu64 " line%s missing, or changed, before it: number%s %" PRIu64
			 " to %" PRIu64,
			 n, n == 1 ? " is" : "s are", many, first, first + n - 1);
	else if (finding->kind == KW_FINDING_REORDERED && line == 0)
		snprintf(ret, size, "it is not in its place: it belongs at the very start");
	else if (finding->kind == KW_FINDING_REORDERED)
		snprintf(ret, size, "it is not in its place: it belongs behind %.255s:%" PRIu64,
			 other, line);
	else if (finding->kind == KW_FINDING_REPEATED)
		snprintf(ret, size, "it is %.255s:%" PRIu64 " once more", other, line);
	else if (finding->kind == KW_FINDING_CUT)
		snprintf(ret, size,
			 "%" PRIu64 " line%s cut short, and the next one does not follow from what "
			 "stands before",
			 n, n == 1 ? " is" : "s are");
	else if (finding->kind == KW_FINDING_NUMBER_REPEATED)
		snprintf(ret, size, "number %" PRIu64 " was there before", first);
	else if (finding->kind == KW_FINDING_UNTOLD)
		snprintf(ret, size,
			 "%" PRIu64 " event%s missing that no 'lost' event tells of, the first of "
			 "them before this line: number %" PRIu64,
			 n, n == 1 ? " is" : "s are", first);
	else if (finding->kind == KW_FINDING_BEYOND_HEAD)
		snprintf(ret, size,
			 "the chain given with --head is that of %.255s:%" PRIu64 "; %" PRIu64
			 " line%s follow%s it",
			 other, line, n, many, n == 1 ? "s" : "");
	else if (finding->kind == KW_WARNING_TORN)
		snprintf(ret, size,
			 "%" PRIu64
			 " line%s cut short, as by a full disk or a kill; nothing else is "
			 "missing here",
			 n, n == 1 ? " was" : "s were");
	else if (finding->kind == KW_WARNING_UNTOLD_YET)
		snprintf(ret, size,
			 "%" PRIu64 " event%s missing before this line, and the daemon had no time "
			 "to tell of it",
			 n, n == 1 ? " is" : "s are");
}
