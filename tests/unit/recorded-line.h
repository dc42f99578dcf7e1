/* SPDX-License-Identifier: GPL-2.0-only */
/* Events as the daemon writes them: rendered by its own code from a few words. */
#ifndef KVMWARDEN_TEST_RECORDED_LINE_H
#define KVMWARDEN_TEST_RECORDED_LINE_H

#include "identity-text.h"
#include "names.h"
#include "recorded.h"
#include "render.h"
#include "ruleset-of.h"
#include "unit.h"

/* Of struct said a test names the first few members: the others are zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* What a test says of an event; zeros are an audited ioctl on a vCPU of a default VM. */
struct said {
	const char *operation;
	unsigned int state;
	unsigned int type;
	unsigned int verdict; /* 0: audit */
	unsigned int error;
	unsigned int kind;
	uint64_t vm;
	uint64_t seconds;
	const char *exe; /* NULL: /usr/bin/vmm */
	const char *cgroup;
	uint32_t uid;
};

static inline unsigned int said_operation(const char *name)
{
	for (unsigned int i = 0; i < kw_operation_count(); i++)
		if (kw_streq(kw_operation(i)->name, name))
			return i;
	fail_msg("there is no operation '%s'", name);
	return 0;
}

/* The JSON line; lives until the next call. */
static inline const char *line_of(const struct said *said)
{
	static const struct kw_origin_host host = {.host = "h", .boot_id = "b"};
	static struct kw_json json;
	static uint64_t seq;
	struct kw_event event = {
		.seq = ++seq,
		.time_ns = said->seconds * 1000000000ull,
		.vm_id = said->vm,
		.kind = said->kind,
		.verdict = said->verdict ?: KW_AUDIT,
		.intended = said->verdict ?: KW_AUDIT,
		.error = said->error,
		.operation = said_operation(said->operation),
		.scope = KW_SCOPE_VCPU,
		.state = said->state,
		.policy = KW_NONE,
		.rule = KW_NONE,
		.vm_type = said->type,
		.vm_flags = kw_type_flags(said->type),
		.caller = kw_identity_unknown(),
	};

	kw_identity_set_exe(&event.caller, said->exe ?: "/usr/bin/vmm");
	kw_identity_set_cgroup(&event.caller, said->cgroup ?: "/vm.scope");
	event.caller.uid = said->uid;
	kw_json_reset(&json);
	kw_render_event(&json, &event, NULL, &host);
	assert_false(json.failed);
	return json.text;
}

static inline struct kw_line parse_line(const char *text)
{
	struct kw_line line = {};

	kw_recorded_parse(text, strlen(text), &line);
	return line;
}

static inline struct kw_recorded recorded(const struct said *said)
{
	struct kw_line line = parse_line(line_of(said));

	assert_int_equal(line.kind, KW_LINE_EVENT);
	return line.event;
}

#endif
