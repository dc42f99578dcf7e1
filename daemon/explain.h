/* SPDX-License-Identifier: GPL-2.0-only */
/* Says which verdict a rule set gives, and which line of which file decides. */
#ifndef KVMWARDEN_EXPLAIN_H
#define KVMWARDEN_EXPLAIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "ruleset.h"

/* What is asked. */
struct kw_question {
	unsigned int operation;
	unsigned int state; /* enum kw_state */
	struct kw_subject subject;
};

/*
 * Can the operation be issued on a VM of this type in this state? KW_TYPE_NONE
 * stands for an ioctl on /dev/kvm; KVM_CREATE_VM, which is one, is decided by
 * the type asked for. Where there is no VM yet the state is "building". The
 * commands of KVM_MEMORY_ENCRYPT_OP are those of TDX or of SEV, by the type.
 */
bool kw_question_makes_sense(unsigned int operation, unsigned int type, unsigned int state);

/* Two lines of text. */
void kw_explain_print(const struct kw_ruleset *rs, const struct kw_question *question, FILE *out);

/* An object; NULL when there is no memory. Rules are counted from 1, as in the text. */
json_t *kw_explain_json(const struct kw_ruleset *rs, const struct kw_question *question);

/* A JSON string, in which bytes that are not UTF-8 are written as \xNN. */
json_t *kw_json_text(const char *text);

#endif
