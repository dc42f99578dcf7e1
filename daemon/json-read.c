/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads JSON, also where memory is short. */
#include "json-read.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

/*
 * Theory of operation
 *
 * The lexer of jansson (2.14, and all before) gathers a token in a buffer that grows,
 * and does not look whether growing failed. The token then has no end, and unescaping
 * it walks over whatever lies behind it on the heap. So while a text is read, an
 * allocation that fails is served from a reserve, and the text ends there: jansson
 * takes it a few bytes at a time, and the reserve is more than those can ask for.
 */
#define RESERVE (512 * 1024)
#define CHUNK 64

static struct {
	bool reading;
	bool short_of_memory;
	size_t used;
	_Alignas(16) char bytes[RESERVE];
} reserve;

static void *allocate(size_t size)
{
	void *memory = malloc(size);

	if (memory || !reserve.reading)
		return memory;
	reserve.short_of_memory = true;
	size = (size + 15) & ~(size_t)15;
	if (size > sizeof(reserve.bytes) - reserve.used)
		return NULL;
	memory = reserve.bytes + reserve.used;
	reserve.used += size;
	return memory;
}

static void release(void *memory)
{
	char *p = memory;

	if (p < reserve.bytes || p >= reserve.bytes + sizeof(reserve.bytes))
		free(memory);
}

struct text {
	const char *next;
	size_t left;
};

static size_t give(void *buffer, size_t size, void *data)
{
	struct text *text = data;
	size_t len = text->left < CHUNK ? text->left : CHUNK;

	if (reserve.short_of_memory)
		return (size_t)-1;
	if (len > size)
		len = size;
	memcpy(buffer, text->next, len);
	text->next += len;
	text->left -= len;
	return len;
}

json_t *kw_json_read(const char *text, size_t len, size_t flags)
{
	static bool ready;
	struct text rest = {.next = text, .left = len};
	json_t *root;

	if (!ready)
		json_set_alloc_funcs(allocate, release);
	ready = true;
	reserve.short_of_memory = false;
	reserve.used = 0;
	reserve.reading = true;
	root = json_load_callback(give, &rest, flags, NULL);
	reserve.reading = false;
	/* What is in the reserve must not outlive this. */
	if (reserve.short_of_memory) {
		json_decref(root);
		return NULL;
	}
	return root;
}
