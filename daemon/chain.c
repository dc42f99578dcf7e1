/* SPDX-License-Identifier: GPL-2.0-only */
/* The chain through the lines of events: each carries a hash over it and all before it. */
#include "chain.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <string.h>

_Static_assert(KW_CHAIN_SIZE == SHA256_DIGEST_SIZE, "a head is one hash");

const struct kw_chain kw_chain_genesis;

bool kw_chain_equal(const struct kw_chain *a, const struct kw_chain *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void kw_chain_next(const struct kw_chain *before, const char *body, size_t len,
		   struct kw_chain *ret)
{
	struct sha256_ctx hash;

	sha256_init(&hash);
	sha256_update(&hash, sizeof(before->bytes), before->bytes);
	sha256_update(&hash, len, (const uint8_t *)body);
	sha256_digest(&hash, sizeof(ret->bytes), ret->bytes);
}

static void put_hex(const struct kw_chain *chain, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < KW_CHAIN_SIZE; i++) {
		ret[2 * i] = digits[chain->bytes[i] >> 4];
		ret[2 * i + 1] = digits[chain->bytes[i] & 15];
	}
}

void kw_chain_format(const struct kw_chain *chain, char ret[KW_CHAIN_HEX + 1])
{
	put_hex(chain, ret);
	ret[KW_CHAIN_HEX] = '\0';
}

void kw_chain_member(const struct kw_chain *chain, char *ret)
{
	memcpy(ret, KW_CHAIN_KEY, sizeof(KW_CHAIN_KEY) - 1);
	ret += sizeof(KW_CHAIN_KEY) - 1;
	put_hex(chain, ret);
	memcpy(ret + KW_CHAIN_HEX, KW_CHAIN_END, sizeof(KW_CHAIN_END) - 1);
}

/* Upper case is no digit: a line has one spelling, so any byte that changes is seen. */
static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int kw_chain_parse(const char *hex, size_t len, struct kw_chain *ret)
{
	struct kw_chain chain;

	if (len != KW_CHAIN_HEX)
		return -EINVAL;
	for (size_t i = 0; i < KW_CHAIN_SIZE; i++) {
		int high = digit_of(hex[2 * i]), low = digit_of(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		chain.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*ret = chain;
	return 0;
}

bool kw_chain_split(const char *line, size_t len, size_t *ret_body, struct kw_chain *ret)
{
	const char *member, *hex;

	if (len <= KW_CHAIN_MEMBER_LEN)
		return false;
	member = line + len - KW_CHAIN_MEMBER_LEN;
	hex = member + sizeof(KW_CHAIN_KEY) - 1;
	if (memcmp(member, KW_CHAIN_KEY, sizeof(KW_CHAIN_KEY) - 1) != 0 ||
	    memcmp(hex + KW_CHAIN_HEX, KW_CHAIN_END, sizeof(KW_CHAIN_END) - 1) != 0 ||
	    kw_chain_parse(hex, KW_CHAIN_HEX, ret) < 0)
		return false;
	*ret_body = len - KW_CHAIN_MEMBER_LEN;
	return true;
}
