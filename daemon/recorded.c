/* SPDX-License-Identifier: GPL-2.0-only */
/* Recorded events, the JSON lines of kvmwardend, as far as decisions depend on them. */
#define _GNU_SOURCE 1
#include "recorded.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "event-kinds.h"
#include "identity-text.h"
#include "json-read.h"
#include "names.h"
#include "ruleset.h"
#include "text.h"
#include "util.h"

KW_DEFINE_CLEANUP(json_t, json_decref)

static void broken(struct kw_line *line, const char *why)
{
	line->kind = KW_LINE_BROKEN;
	line->why = why;
}

static void strange(struct kw_line *line, const char *why, const char *word)
{
	line->kind = KW_LINE_STRANGE;
	line->why = why;
	snprintf(line->word, sizeof(line->word), "%s", word);
}

/* The value of a hexadecimal digit; anything else is 0. */
static unsigned int digit_of(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	return isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : 0;
}

/*
 * A name: its raw bytes if it was not UTF-8, else its text. NULL when it is
 * unknown. bytes has room for KW_PATH_MAX + 1: a longer one is cut off.
 */
static const char *name_of(json_t *process, const char *key, const char *hex_key, char *bytes)
{
	const char *hex = json_string_value(json_object_get(process, hex_key));
	size_t n = 0;

	if (!hex)
		return json_string_value(json_object_get(process, key));
	for (; hex[0] && hex[1] && n < KW_PATH_MAX; hex += 2)
		bytes[n++] = (char)(digit_of(hex[0]) << 4 | digit_of(hex[1]));
	bytes[n] = '\0';
	return bytes;
}

static void read_identity(json_t *process, struct kw_identity *who)
{
	json_t *uid = json_object_get(process, "uid");
	char bytes[KW_PATH_MAX + 1];

	*who = kw_identity_unknown();
	kw_identity_set_exe(who, name_of(process, "exe", "exe_hex", bytes));
	kw_identity_set_cgroup(who, name_of(process, "cgroup", "cgroup_hex", bytes));
	if (json_is_true(json_object_get(process, "exe_truncated")))
		who->exe.flags |= KW_PATH_TRUNCATED;
	if (json_is_true(json_object_get(process, "cgroup_truncated")))
		who->cgroup.flags |= KW_PATH_TRUNCATED;
	if (json_is_integer(uid))
		who->uid = (uint32_t)json_integer_value(uid);
}

static uint64_t unsigned_member(json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value > 0 ? value : 0;
}

/* false: line says why not. */
static bool read_vm(json_t *vm, struct kw_line *line)
{
	struct kw_recorded *event = &line->event;
	const char *name = kw_text_member(vm, "type");
	int type;

	event->type = KW_TYPE_NONE;
	if (json_is_null(vm))
		return true;
	type = kw_type_from_name(name);
	if (!json_is_object(vm) || !*name) {
		broken(line, "an event without its VM");
		return false;
	}
	if (type < 0) {
		strange(line, "unknown VM type", name);
		return false;
	}
	event->type = type;
	event->vm_id = unsigned_member(vm, "id");
	if (json_is_true(json_object_get(vm, "private_memory")))
		event->flags |= KW_VM_PRIVATE_MEMORY;
	if (json_is_true(json_object_get(vm, "protected_state")))
		event->flags |= KW_VM_PROTECTED_STATE;
	return true;
}

/* An event may also be of one that no policy can name. */
static int find_operation(const char *name)
{
	for (unsigned int i = 0; i < kw_operation_count(); i++)
		if (kw_streq(kw_operation(i)->name, name))
			return i;
	return -EINVAL;
}

static unsigned int read_errno(json_t *object)
{
	const char *name = kw_text_member(object, "errno");
	int error = kw_errno_from_name(name);
	uint32_t number = 0;

	if (error > 0)
		return error;
	kw_parse_u32(name, UINT16_MAX, &number);
	return number;
}

/* Only a time may be printed as one: it ends up in what others read. */
static void read_time(json_t *object, char *ret)
{
	static const char shape[] = "0000-00-00T00:00:00.000000000Z";
	const char *text = kw_text_member(object, "time");

	_Static_assert(sizeof(shape) == KW_RECORDED_TIME_MAX, "another length");
	ret[0] = '\0';
	if (strlen(text) != strlen(shape))
		return;
	for (size_t i = 0; i < strlen(shape); i++)
		if (shape[i] == '0' ? !isdigit((unsigned char)text[i]) : text[i] != shape[i])
			return;
	memcpy(ret, text, sizeof(shape));
}

static void read_decision(json_t *object, enum kw_event_kind kind, struct kw_line *line)
{
	struct kw_recorded *event = &line->event;
	json_t *process = json_object_get(object, "process");
	const char *operation = kw_text_member(object, "operation");
	int verdict = kw_verdict_from_name(kw_text_member(object, "verdict"));
	int intended = kw_verdict_from_name(kw_text_member(object, "intended"));
	int state = kw_state_from_name(kw_text_member(object, "state"));
	int index = find_operation(operation);

	if (!*operation || !json_is_object(process) || verdict < 0 || state < 0)
		return broken(line, "an event without its operation, state, verdict or process");
	if (index < 0)
		return strange(line, "unknown operation", operation);
	if (state == KW_STATE_SEALED && kw_operation(index)->scopes == 1u << KW_SCOPE_SYSTEM)
		return broken(line, "nothing is sealed on /dev/kvm");
	*event = (struct kw_recorded){
		.kind = kind,
		.operation = index,
		.state = state,
		.verdict = verdict,
		.intended = intended < 0 ? verdict : intended,
		.error = read_errno(object),
		.seq = unsigned_member(object, "seq"),
		.held_back = unsigned_member(object, "suppressed"),
	};
	if (!read_vm(json_object_get(object, "vm"), line))
		return;
	/* What it will have; of one that was refused there is nothing to ask. */
	if (index == KW_OP_CREATE_VM)
		event->flags = kw_type_flags(event->type);
	read_identity(process, &event->who);
	read_time(object, event->time);
	line->kind = KW_LINE_EVENT;
}

static int kind_of(const char *name)
{
	/* No policy has a part in tampering. */
	for (unsigned int kind = 0; kind < _KW_EVENT_MAX; kind++)
		if (kind != KW_EVENT_TAMPERING && kw_streq(kw_event_kind_name(kind), name))
			return kind;
	return -EINVAL;
}

void kw_recorded_parse(const char *text, size_t len, struct kw_line *ret)
{
	_cleanup_(json_decref_cleanup) json_t *object = kw_json_read(text, len, 0);
	const char *name = kw_text_member(object, "event");
	int kind = kind_of(name);

	ret->lost = 0;
	ret->why = "";
	ret->word[0] = '\0';
	if (!json_is_object(object))
		return broken(ret, "not a JSON object");
	if (!*name)
		return broken(ret, "no event");
	if (kind >= 0)
		return read_decision(object, kind, ret);
	if (json_object_get(object, "operation"))
		return strange(ret, "unknown kind of event", name);
	ret->kind = KW_LINE_OWN;
	if (kw_streq(name, "lost"))
		ret->lost = unsigned_member(object, "count");
}

/* Of a line that is too long nothing is kept: *ret_len is beyond the limit. 0: the end. */
static int read_line(struct kw_recording *recording, size_t *ret_len)
{
	size_t len = 0;
	int c;

	while ((c = getc_unlocked(recording->in)) != EOF && c != '\n') {
		if (len < KW_RECORDED_LINE_MAX)
			recording->line[len] = (char)c;
		len += len <= KW_RECORDED_LINE_MAX;
	}
	if (c == EOF && ferror(recording->in))
		return errno > 0 ? -errno : -EIO;
	*ret_len = len;
	recording->number++;
	return c != EOF || len > 0;
}

static bool is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isspace((unsigned char)text[i]))
			return false;
	return true;
}

int kw_recording_next(struct kw_recording *recording, struct kw_line *ret)
{
	size_t len = 0;
	int r;

	if (!recording->line)
		recording->line = malloc(KW_RECORDED_LINE_MAX);
	if (!recording->line)
		return -ENOMEM;
	do {
		r = read_line(recording, &len);
		if (r <= 0)
			return r;
	} while (len <= KW_RECORDED_LINE_MAX && is_blank(recording->line, len));
	ret->number = recording->number;
	if (len > KW_RECORDED_LINE_MAX)
		broken(ret, "a line too long for an event");
	else
		kw_recorded_parse(recording->line, len, ret);
	if (ret->kind == KW_LINE_BROKEN && feof(recording->in))
		ret->why = "the last line is cut short";
	return 1;
}

void kw_recording_done(struct kw_recording *recording)
{
	free(recording->line);
	*recording = (struct kw_recording){};
}

/* Of these as many as there is room for, each once. */
static void note_word(struct kw_tally *tally, const struct kw_line *line)
{
	for (size_t i = 0; i < tally->word_count; i++)
		if (kw_streq(tally->words[i], line->word))
			return;
	if (tally->word_count < KW_TALLY_MAX)
		snprintf(tally->words[tally->word_count++], KW_RECORDED_WORD_MAX, "%s", line->word);
}

void kw_tally_add(struct kw_tally *tally, const struct kw_line *line)
{
	switch (line->kind) {
	case KW_LINE_EVENT:
		tally->events++;
		tally->held_back += line->event.held_back;
		break;
	case KW_LINE_OWN:
		tally->own++;
		tally->lost += line->lost;
		break;
	case KW_LINE_STRANGE:
		tally->strange++;
		note_word(tally, line);
		break;
	case KW_LINE_BROKEN:
		if (tally->broken < KW_TALLY_MAX) {
			tally->broken_lines[tally->broken] = line->number;
			tally->broken_why[tally->broken] = line->why;
		}
		tally->broken++;
		break;
	case _KW_LINE_MAX:
		break;
	}
}

void kw_recorded_decide(const struct kw_ruleset *rs, const struct kw_recorded *event,
			struct kw_decision *ret)
{
	const struct kw_subject subject = {event->type, event->flags, &event->who};

	kw_ruleset_explain(rs, event->operation, event->state, &subject, ret);
}
