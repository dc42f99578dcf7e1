/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes a policy of what was learnt. */
#define _GNU_SOURCE 1
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "learn.h"
#include "names.h"
#include "operation-set.h"
#include "util.h"

#define NAME_MAX_LEN 64 /* of a policy */
#define ANY ((1u << _KW_STATE_MAX) - 1)

/* Of each operation the states, one bit per enum kw_state. */
struct plan {
	uint8_t allow[KW_OPERATIONS_MAX];
	uint8_t deny[KW_OPERATIONS_MAX]; /* before that */
};

/* What a rule on the ioctl would allow as well. */
static void plan_members(struct plan *plan, unsigned int ioctl)
{
	const struct kw_operation *operation;

	for (unsigned int i = 0; (operation = kw_operation(i)); i++) {
		if (!operation->family || operation->parent != ioctl || operation->hidden)
			continue;
		plan->deny[i] = plan->allow[ioctl] & ~plan->allow[i];
		/* Where the ioctl is allowed in every state, this is in the same rule. */
		if (plan->allow[ioctl] == ANY && plan->allow[i])
			plan->allow[i] = ANY;
	}
}

static struct plan make_plan(const struct kw_learn *learn)
{
	struct plan plan = {};

	for (unsigned int i = 0; i < kw_operation_count(); i++)
		for (unsigned int state = 0; i != KW_OP_VM_DESTROY && state < _KW_STATE_MAX;
		     state++)
			if (learn->cells[i][state].count)
				plan.allow[i] |= 1u << state;
	for (unsigned int i = 0; i < kw_operation_count(); i++)
		if (plan.allow[i])
			plan_members(&plan, i);
	return plan;
}

/* The character that begins at p, of valid UTF-8; and how many bytes it is long. */
static uint32_t decode(const unsigned char *p, unsigned int *ret_len)
{
	static const unsigned char payload[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	unsigned int len = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
	uint32_t c = *p & payload[len];

	for (unsigned int i = 1; i < len && p[i]; i++)
		c = c << 6 | (p[i] & 0x3f);
	*ret_len = len;
	return c;
}

/* Controls, breaks of lines that are not seen as such, and marks of byte order. */
static bool is_unprintable(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff ||
	       (c & 0xfffe) == 0xfffe;
}

/* A scalar that stands for exactly this text, whatever is in it. */
static void write_quoted(const char *text, FILE *out)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned int len;

	putc('"', out);
	for (; *p; p += len) {
		uint32_t c = decode(p, &len);

		if (is_unprintable(c))
			fprintf(out, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
		else if (c == '"' || c == '\\')
			fprintf(out, "\\%c", (int)c);
		else
			fprintf(out, "%.*s", (int)len, (const char *)p);
		/* What is cut off at the end of the text is not valid: it ends there. */
		if (strlen((const char *)p) < len)
			break;
	}
	putc('"', out);
}

static void write_name(const char *path, FILE *out)
{
	const char *slash = strrchr(path, '/'), *p = slash ? slash + 1 : path;
	size_t len = 0;

	for (; *p && len < NAME_MAX_LEN; p++) {
		unsigned char c = isalnum((unsigned char)*p) ? tolower((unsigned char)*p) : '-';

		/* It begins with a letter or a digit. */
		if (len == 0 && c == '-')
			continue;
		putc(c, out);
		len++;
	}
	fputs(len ? "" : "learnt", out);
}

/* In seconds: what is behind them is of no use to a reader. */
static void write_time(const char *time, FILE *out)
{
	fprintf(out, "%.19sZ", time);
}

static void write_span(const struct kw_learnt *learnt, FILE *out)
{
	if (!learnt->first[0])
		return;
	fputs(", ", out);
	write_time(learnt->first, out);
	if (strncmp(learnt->first, learnt->last, 19) == 0)
		return;
	fputs(" to ", out);
	write_time(learnt->last, out);
}

static void write_types(const struct kw_learn *learn, FILE *out)
{
	const char *comma = "";

	for (unsigned int type = 0; kw_type_list(type); type++) {
		if (!(learn->types & (1u << type)))
			continue;
		fprintf(out, "%s%s", comma, kw_type_name(type));
		comma = ", ";
	}
}

static bool has_types(const struct kw_learn *learn)
{
	return learn->types & ((1u << KW_TYPE_UNKNOWN) - 1);
}

static void write_count(uint64_t count, const char *sentence, FILE *out)
{
	if (count)
		fprintf(out, "# %" PRIu64 " %s\n", count, sentence);
}

static void write_remarks(const struct kw_learn *learn, FILE *out)
{
	write_count(learn->refused.count,
		    "events were refused when this was recorded: these are not allowed here.", out);
	write_count(learn->objected,
		    "events are allowed here that a policy in mode audit would have refused.", out);
	write_count(learn->unreadable.count,
		    "commands could not be read: no policy can allow these.", out);
	write_count(learn->anonymous, "events of unknown executables were left out.", out);
	write_count(learn->others, "events of others were left out.", out);
	if (!learn->cells[KW_OP_CREATE_VM][KW_STATE_BUILDING].count)
		fputs("# KVM_CREATE_VM was not recorded, so that no new VM can be created: add "
		      "it?\n",
		      out);
}

static void write_header(const struct kw_learn *learn, FILE *out)
{
	fprintf(out, "# Learnt by 'kvmwarden policy learn' from %" PRIu64 " events of %s%zu VM%s",
		learn->all.count, learn->vm_count == KW_LEARN_VMS_MAX ? "at least " : "",
		learn->vm_count, learn->vm_count == 1 ? "" : "s");
	write_span(&learn->all, out);
	fputs(".\n", out);
	write_remarks(learn, out);
	fputs("#\n"
	      "# It allows what was seen and refuses everything else: whatever was not exercised,\n"
	      "# such as reset, hotplug, migration and the ways out of a crash. Read it, edit it, "
	      "and\n"
	      "# run it in mode audit before you enforce it: what it would refuse is then "
	      "reported.\n",
	      out);
	if (has_types(learn))
		fputs("# It says nothing of VMs of other types, nor of ioctls on /dev/kvm other "
		      "than\n"
		      "# KVM_CREATE_VM for these types. Without vm-types it would, by the same "
		      "rules.\n",
		      out);
}

static int write_match(const struct kw_learn *learn, FILE *out)
{
	const char *exe = learn->filter.exe ?: learn->exes[0].path;

	if (!learn->filter.exe && learn->exe_count != 1)
		return -EINVAL;
	if (!learn->filter.exe && strchr(exe, '*'))
		return -EINVAL;
	fputs("match:\n  exe: ", out);
	write_quoted(exe, out);
	if (learn->filter.unit) {
		fputs("\n  unit: ", out);
		write_quoted(learn->filter.unit, out);
	}
	if (has_types(learn)) {
		fputs("\n  vm-types: [", out);
		write_types(learn, out);
		fputs("]", out);
	}
	putc('\n', out);
	return 0;
}

static void add_learnt(struct kw_learnt *sum, const struct kw_learnt *learnt)
{
	if (!learnt->count)
		return;
	sum->count += learnt->count;
	if (learnt->first[0] && (!sum->first[0] || strcmp(learnt->first, sum->first) < 0))
		memcpy(sum->first, learnt->first, sizeof(sum->first));
	if (strcmp(learnt->last, sum->last) > 0)
		memcpy(sum->last, learnt->last, sizeof(sum->last));
}

/* What was seen of a word, in the states of its rule. */
static struct kw_learnt sum_of(const struct kw_learn *learn, const struct kw_operation_word *word,
			       uint8_t states)
{
	const struct kw_group *group = word->group ? kw_group_from_name(word->name) : NULL;
	struct kw_learnt sum = {};

	for (unsigned int state = 0; state < _KW_STATE_MAX; state++) {
		if (!(states & (1u << state)))
			continue;
		if (!group)
			add_learnt(&sum, &learn->cells[word->index][state]);
		for (size_t i = 0; group && i < group->count; i++)
			add_learnt(&sum, &learn->cells[group->operations[i]][state]);
	}
	return sum;
}

static void write_word(const struct kw_learn *learn, const struct kw_operation_word *word,
		       uint8_t states, FILE *out)
{
	const struct kw_learnt sum = sum_of(learn, word, states);
	int len = fprintf(out, word->group ? "      - \"%s\"" : "      - %s", word->name);

	if (sum.count) {
		fprintf(out, "%*s # %" PRIu64 " time%s", len < 40 ? 40 - len : 0, "", sum.count,
			sum.count == 1 ? "" : "s");
		write_span(&sum, out);
	}
	putc('\n', out);
}

/*
 * A rule for the operations that the plan has for exactly these states. A word
 * that is .alone here is an ioctl whose other members were denied before.
 */
static void write_rule(const struct kw_learn *learn, const uint8_t *plan, uint8_t states,
		       const char *verdict, FILE *out)
{
	const struct kw_operation_set universe = kw_operation_set_all();
	struct kw_operation_words words;
	struct kw_operation_set set = {};

	for (unsigned int i = 0; i < kw_operation_count(); i++)
		if (plan[i] == states)
			kw_operation_set_add(&set, i);
	kw_operation_set_words(&set, &universe, &words);
	if (!words.count)
		return;
	fputs("  - operations:\n", out);
	for (size_t i = 0; i < words.count; i++)
		write_word(learn, &words.words[i], states, out);
	if (states != ANY)
		fprintf(out, "    state: %s\n",
			kw_state_name(states == 1u << KW_STATE_SEALED ? KW_STATE_SEALED
								      : KW_STATE_BUILDING));
	fprintf(out, "    verdict: %s\n", verdict);
}

static void write_rules(const struct kw_learn *learn, FILE *out)
{
	static const uint8_t states[] = {ANY, 1u << KW_STATE_BUILDING, 1u << KW_STATE_SEALED};
	const struct plan plan = make_plan(learn);
	bool denies = false;

	for (unsigned int i = 0; i < kw_operation_count(); i++)
		denies |= plan.deny[i] != 0;
	fputs("rules:\n", out);
	if (denies)
		fputs("  # Not seen, but a rule on the ioctl they share would allow them.\n", out);
	for (size_t i = 0; i < KW_ARRAY_SIZE(states); i++)
		write_rule(learn, plan.deny, states[i], "deny", out);
	for (size_t i = 0; i < KW_ARRAY_SIZE(states); i++)
		write_rule(learn, plan.allow, states[i], "allow", out);
	fputs("  - operations: [\"@all\"]\n    verdict: deny\n", out);
}

int kw_learn_write(const struct kw_learn *learn, const struct kw_learn_style *style, FILE *out)
{
	int r;

	write_header(learn, out);
	fputs("policy: ", out);
	if (style->name)
		fputs(style->name, out);
	else
		write_name(learn->filter.exe ?: learn->exes[0].path, out);
	fprintf(out, "\nmode: %s\n", style->enforce ? "enforce" : "audit");
	r = write_match(learn, out);
	if (r < 0)
		return r;
	write_rules(learn, out);
	return ferror(out) ? -ENOMEM : 0;
}
