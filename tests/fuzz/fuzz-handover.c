/* SPDX-License-Identifier: GPL-2.0-only */
/* Fuzzes the reader of the state that a daemon leaves: what it takes, it writes as it was. */
#undef NDEBUG
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "handover.h"

#define BOOT_ID "b007"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_written(const struct kw_handover *state)
{
	struct kw_json first = {}, second = {};
	struct kw_handover again = {};
	char *why = NULL;
	int r;

	kw_handover_render(&first, state, BOOT_ID);
	assert(!first.failed);
	r = kw_handover_parse(first.text, first.len, BOOT_ID, &again, &why);
	assert(r == 0 && !why);
	kw_handover_render(&second, &again, BOOT_ID);
	assert(first.len == second.len && memcmp(first.text, second.text, first.len) == 0);
	kw_handover_done(&again);
	kw_json_done(&first);
	kw_json_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kw_handover state = {};
	char *why = NULL;
	int r;

	r = kw_handover_parse((const char *)data, size, BOOT_ID, &state, &why);
	if (r == 0) {
		assert(!why && state.granted_count <= KW_GRANTED_MAX &&
		       state.override_count <= KW_OVERRIDES_MAX);
		check_written(&state);
		kw_handover_done(&state);
	} else {
		assert(r == -116 /* ESTALE */ || (r == -22 /* EINVAL */ && why && *why));
	}
	free(why);
	return 0;
}
