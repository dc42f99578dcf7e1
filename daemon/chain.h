/* SPDX-License-Identifier: GPL-2.0-only */
/* The chain through the lines of events: each carries a hash over it and all before it. */
#ifndef KVMWARDEN_CHAIN_H
#define KVMWARDEN_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A line is BODY,"chain":"HEX"}, where BODY,} would be the event alone, and HEX
 * the SHA-256 of the head before it (32 bytes) and BODY. The head after the
 * line is that hash; before the first line of all it is 32 zeros.
 *
 * Quotes within a string are escaped, so BODY cannot have the member's text in
 * it, whatever an attacker calls his executable; and a part of a line never
 * looks like a whole one.
 */
#define KW_CHAIN_SIZE 32
#define KW_CHAIN_HEX (2 * KW_CHAIN_SIZE)
#define KW_CHAIN_KEY ",\"chain\":\""
#define KW_CHAIN_END "\"}"
#define KW_CHAIN_MEMBER_LEN (sizeof(KW_CHAIN_KEY) - 1 + KW_CHAIN_HEX + sizeof(KW_CHAIN_END) - 1)

struct kw_chain {
	uint8_t bytes[KW_CHAIN_SIZE];
};

extern const struct kw_chain kw_chain_genesis;

bool kw_chain_equal(const struct kw_chain *a, const struct kw_chain *b);

/* The head after a line, of the head before it and its body. */
void kw_chain_next(const struct kw_chain *before, const char *body, size_t len,
		   struct kw_chain *ret);

/* Writes the member that ends a line, KW_CHAIN_MEMBER_LEN bytes, no NUL. */
void kw_chain_member(const struct kw_chain *chain, char *ret);

/*
 * Of a line without its newline: how long its body is, and what its chain says.
 * false: it does not end in a chain.
 */
bool kw_chain_split(const char *line, size_t len, size_t *ret_body, struct kw_chain *ret);

/* 64 digits and a NUL. */
void kw_chain_format(const struct kw_chain *chain, char ret[KW_CHAIN_HEX + 1]);
/* Exactly 64 digits, lower case as we write them; -EINVAL for anything else. */
int kw_chain_parse(const char *hex, size_t len, struct kw_chain *ret);

#endif
