/* SPDX-License-Identifier: GPL-2.0-only */
/* The reader of policy files: text that is none, too much of it, and too deep. */
#define _GNU_SOURCE 1
#include "policy.h"
#include "trusted.h"

#include <errno.h>
#include <time.h>

#include "broken.h"
#include "yaml-reader.h"

static void not_text(void **state)
{
	static const unsigned char junk[] = {0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0xff, 0xfe};
	static const unsigned char utf16[] = {0xff, 0xfe, 'p', 0, ':', 0};

	(void)state;
	expect_broken(write_bytes("junk", junk, sizeof(junk)), 1, 1, "not text in UTF-8");
	expect_broken(write_bytes("utf16", utf16, sizeof(utf16)), 1, 1, "not text in UTF-8");
	expect_broken(write_text("latin1", "policy: p\n# \xc3\xa9\xc3\xa9 gr\xfc\xdf\n"), 2, 8,
		      "not text in UTF-8");
	expect_broken(write_bytes("nul", "policy: \0", 9), 1, 9, "not text in UTF-8");
	expect_broken(write_text("hang", "%\xf7"), 1, 2, "not text in UTF-8");
	expect_broken(write_text("nothing", ""), 0, 0, "holds no policy");
}

/* "what looks like a comment is one": libyaml knows more line breaks than editors show */
static void odd_breaks(void **state)
{
	static const char *const breaks[] = {"\r", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"};
	char text[256];

	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(breaks); i++) {
		snprintf(text, sizeof(text),
			 "policy: p\r\n# harmless%smode: audit\nrules:\n"
			 "  - {operations: [KVM_RUN], verdict: audit}\n",
			 breaks[i]);
		expect_broken(write_text("break", text), 2, 11, "something else than a newline");
	}
	expect_broken(write_text("break", "policy: p\r"), 1, 10, "something else than a newline");
}

static void begin_with(char *text, const char *start)
{
	while (*start)
		*text++ = *start++;
}

static void too_large(void **state)
{
	const size_t size = 10 * 1024 * 1024;
	_cleanup_(kw_diag_done) struct kw_diag diag = {}, word = {};
	_cleanup_free_ char *text = malloc(size);

	(void)state;
	assert_non_null(text);
	memset(text, '#', size);
	assert_int_equal(read_broken(write_bytes("large", text, size), &diag), -EFBIG);
	expect_broken(at("large"), 0, 0, "is larger than 1048576 bytes");
	expect_broken(write_bytes("limit", text, KW_TRUSTED_MAX), 0, 0, "holds no policy");
	expect_broken(write_bytes("limit", text, KW_TRUSTED_MAX + 1), 0, 0, "is larger");
	/* One word of almost that size: the message must not be as long. */
	memset(text, 'x', KW_TRUSTED_MAX);
	begin_with(text, "mode: ");
	read_broken(write_bytes("word", text, KW_TRUSTED_MAX), &word);
	assert_true(strlen(word.message) < 1000);
}

static void too_deep(void **state)
{
	_cleanup_free_ char *text = malloc(100000);
	char bomb[1024];
	size_t len;

	(void)state;
	assert_non_null(text);
	memset(text, '[', 100000);
	begin_with(text, "rules: ");
	expect_broken(write_bytes("deep", text, 100000), 1, 9, "a rule is a mapping");
	memset(text, '[', 100000);
	begin_with(text, "rules: [{operations: ");
	expect_broken(write_bytes("deep", text, 100000), 1, 23, "takes a single value, not a list");
	/* Where nobody looks before the depth is checked. */
	memset(text, '[', 100000);
	expect_broken(write_bytes("deep", text, 100000), 1, 1, "a policy is a mapping");

	len = snprintf(bomb, sizeof(bomb), "a: &a [x, x]\nb: [*a, *a]\n");
	expect_broken(write_bytes("bomb", bomb, len), 1, 1, "unknown key 'a'");
	len = snprintf(bomb, sizeof(bomb), "policy: p\nrules: &a [*a, *a]\n");
	expect_broken(write_bytes("bomb", bomb, len), 2, 8, "anchors are not allowed");
}

/* "as much text as is read at all is refused at once": no shape of it costs more than its size */
static void large_shapes(void **state)
{
	static const struct {
		const char *start, *repeated;
	} shapes[] = {
		{"", "["},
		{"", "{"},
		{"", "- "},
		{"", "? "},
		{"", "[\n"},
		{"", "\n"},
		{"", "---\n"},
		{"policy: ", "*a "},
		{"policy: ", "&a "},
		{"policy: ", "!a "},
		{"policy: \"", "\\u2028"},
		{"policy: |\n", " x\n"},
		{"description: ", "x\n "},
		{"rules: ", "- "},
		{"rules: [", "{"},
		{"rules: [{operations: [", "KVM_XEN_VCPU_SET_ATTR,"},
		{"rules: [{operations: [", "'@all',"},
		{"match: {vm-types: [", "tdx,"},
		{"match: {user: ", "x"},
	};
	_cleanup_free_ char *text = malloc(KW_TRUSTED_MAX);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < KW_ARRAY_SIZE(shapes); i++) {
		_cleanup_(kw_diag_done) struct kw_diag diag = {};
		const char *repeated = shapes[i].repeated;
		const size_t start = strlen(shapes[i].start);
		clock_t began;

		begin_with(text, shapes[i].start);
		for (size_t j = start; j < KW_TRUSTED_MAX; j++)
			text[j] = repeated[(j - start) % strlen(repeated)];
		write_bytes("shape", text, KW_TRUSTED_MAX);
		began = clock();
		read_broken(at("shape"), &diag);
		/* Where the work is not proportional it takes many minutes. */
		if (clock() - began > 30 * CLOCKS_PER_SEC)
			fail_msg("1 MiB of '%s' behind '%s': %g s", repeated, shapes[i].start,
				 (double)(clock() - began) / CLOCKS_PER_SEC);
	}
}

static int read_nested(struct kw_yaml *yaml, void *target)
{
	const char *text;

	if (yaml->event.type == YAML_SCALAR_EVENT)
		return kw_yaml_scalar(yaml, "nested", &text);
	return kw_yaml_sequence(yaml, "nested", read_nested, target);
}

/* "a reader that goes as deep as it is led is stopped": no policy can, as it is now */
static void depth_limit(void **state)
{
	static const struct kw_yaml_key keys[] = {{"a", true, read_nested}};
	char text[2 * KW_YAML_DEPTH_MAX + 16];

	(void)state;
	/* The mapping is the first level. */
	for (int depth = 1; depth < KW_YAML_DEPTH_MAX + 3; depth++) {
		_cleanup_(kw_diag_done) struct kw_diag diag = {};
		int r, n = sprintf(text, "a: ");

		for (int i = 1; i < depth; i++)
			text[n++] = '[';
		text[n++] = 'x';
		for (int i = 1; i < depth; i++)
			text[n++] = ']';
		r = kw_yaml_read("f", text, n, "test", keys, 1, NULL, &diag);
		assert_int_equal(r, depth <= KW_YAML_DEPTH_MAX ? 0 : -EINVAL);
		if (r == 0)
			continue;
		assert_string_equal(diag.message, "nested deeper than 16 levels");
		assert_int_equal(diag.column, 3 + KW_YAML_DEPTH_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(not_text),	cmocka_unit_test(odd_breaks),
		cmocka_unit_test(too_large),	cmocka_unit_test(too_deep),
		cmocka_unit_test(large_shapes), cmocka_unit_test(depth_limit),
	};

	return cmocka_run_group_tests_name("policy-text", tests, scratch_make, scratch_remove);
}
