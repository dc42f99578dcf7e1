/* SPDX-License-Identifier: GPL-2.0-only */
/* Appends JSON to a buffer: for events and replies, where names may be any bytes. */
#ifndef KVMWARDEN_JSON_H
#define KVMWARDEN_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Start with (struct kw_json){}; end with kw_json_done(). The buffer grows and
 * can be used again after kw_json_reset(), so that a steady stream of events
 * allocates nothing. After a failed allocation .failed is set, everything
 * further is ignored, and .text must not be used.
 */
struct kw_json {
	char *text; /* NUL-terminated */
	size_t len;
	size_t size;
	bool failed;
	bool comma; /* the next member or element needs one */
};

void kw_json_done(struct kw_json *json);
void kw_json_reset(struct kw_json *json);

void kw_json_open_object(struct kw_json *json);
void kw_json_close_object(struct kw_json *json);
void kw_json_open_array(struct kw_json *json);
void kw_json_close_array(struct kw_json *json);

/* key is a literal of ours and not escaped; it is followed by one value. */
void kw_json_key(struct kw_json *json, const char *key);

/*
 * Bytes that are not UTF-8 become U+FFFD, one each; control characters, 0x7f,
 * quotes and backslashes are escaped. Returns false when a byte was replaced:
 * the caller then adds the raw bytes in hex, so that no two names look alike.
 */
bool kw_json_string(struct kw_json *json, const char *text);
bool kw_json_bytes(struct kw_json *json, const char *text, size_t len);
void kw_json_unsigned(struct kw_json *json, uint64_t value);
void kw_json_signed(struct kw_json *json, int64_t value);
void kw_json_bool(struct kw_json *json, bool value);
void kw_json_null(struct kw_json *json);
/* Text that is JSON already. */
void kw_json_raw(struct kw_json *json, const char *text, size_t len);

/* Key and value. A name that is not UTF-8 gets a second member KEY_hex. NULL gives null. */
void kw_json_member_string(struct kw_json *json, const char *key, const char *text);
void kw_json_member_bytes(struct kw_json *json, const char *key, const char *text, size_t len);
void kw_json_member_unsigned(struct kw_json *json, const char *key, uint64_t value);
void kw_json_member_signed(struct kw_json *json, const char *key, int64_t value);
void kw_json_member_bool(struct kw_json *json, const char *key, bool value);

/* RFC 3339 in UTC with nanoseconds. */
void kw_json_member_time(struct kw_json *json, const char *key, uint64_t realtime_ns);

#endif
