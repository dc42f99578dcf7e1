/* SPDX-License-Identifier: GPL-2.0-only */
/* A checker for the part of JSON Schema that docs/events.schema.json uses. */
#ifndef KVMWARDEN_TEST_SCHEMA_H
#define KVMWARDEN_TEST_SCHEMA_H

#include "unit.h"

#include <jansson.h>
#include <regex.h>

#include "util.h"

/* Tests run from the top of the tree. */
#define SCHEMA "docs/events.schema.json"

/* An unknown keyword is a failure: the schema cannot outgrow the checker unnoticed. */

static json_t *schema;

static inline bool conforms(json_t *rule, json_t *value, const char *where, bool loud);

static inline bool complain(bool loud, const char *where, const char *what, const char *detail)
{
	if (loud)
		print_error("%s: %s %s\n", where, what, detail);
	return false;
}

static inline bool has_type(const char *type, json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return kw_streq(type, "object");
	case JSON_ARRAY:
		return kw_streq(type, "array");
	case JSON_STRING:
		return kw_streq(type, "string");
	case JSON_INTEGER:
		return kw_streq(type, "integer");
	case JSON_REAL:
		return kw_streq(type, "number");
	case JSON_TRUE:
	case JSON_FALSE:
		return kw_streq(type, "boolean");
	case JSON_NULL:
		return kw_streq(type, "null");
	}
	return false;
}

static inline bool check_type(json_t *types, json_t *value)
{
	json_t *type;
	size_t i;

	if (json_is_string(types))
		return has_type(json_string_value(types), value);
	json_array_foreach (types, i, type) {
		if (has_type(json_string_value(type), value))
			return true;
	}
	return false;
}

static inline bool check_enum(json_t *values, json_t *value)
{
	json_t *allowed;
	size_t i;

	json_array_foreach (values, i, allowed) {
		if (json_equal(allowed, value))
			return true;
	}
	return false;
}

/* The schema's patterns, compiled once: told apart by where they stand in it. */
static struct {
	const char *text;
	regex_t regex;
} patterns[32];

static inline const regex_t *pattern(const char *text)
{
	size_t i;

	for (i = 0; i < KW_ARRAY_SIZE(patterns); i++) {
		if (patterns[i].text == text)
			return &patterns[i].regex;
		if (patterns[i].text)
			continue;
		assert_int_equal(regcomp(&patterns[i].regex, text, REG_EXTENDED | REG_NOSUB), 0);
		patterns[i].text = text;
		return &patterns[i].regex;
	}
	fail_msg("more than %zu patterns", KW_ARRAY_SIZE(patterns));
	return NULL;
}

static inline bool check_pattern(const char *text, json_t *value)
{
	if (!json_is_string(value))
		return true;
	return regexec(pattern(text), json_string_value(value), 0, NULL, 0) == 0;
}

static inline bool check_required(json_t *names, json_t *value, const char *where, bool loud)
{
	json_t *name;
	size_t i;

	if (!json_is_object(value))
		return true;
	json_array_foreach (names, i, name) {
		if (!json_object_get(value, json_string_value(name)))
			return complain(loud, where, "lacks", json_string_value(name));
	}
	return true;
}

static inline bool check_properties(json_t *rules, json_t *value, bool loud)
{
	const char *name;
	json_t *rule, *member;

	json_object_foreach (rules, name, rule) {
		member = json_object_get(value, name);
		if (member && !conforms(rule, member, name, loud))
			return false;
	}
	return true;
}

static inline bool check_each(json_t *rules, json_t *value, const char *where, bool loud)
{
	json_t *rule;
	size_t i;

	json_array_foreach (rules, i, rule) {
		if (!conforms(rule, value, where, loud))
			return false;
	}
	return true;
}

static inline bool check_items(json_t *rule, json_t *value, const char *where, bool loud)
{
	json_t *item;
	size_t i;

	json_array_foreach (value, i, item) {
		if (!conforms(rule, item, where, loud))
			return false;
	}
	return true;
}

static inline bool check_ref(const char *ref, json_t *value, const char *where, bool loud)
{
	json_t *rule;

	assert_memory_equal(ref, "#/$defs/", 8);
	rule = json_object_get(json_object_get(schema, "$defs"), ref + 8);
	assert_non_null(rule);
	return conforms(rule, value, where, loud);
}

static inline bool check_keyword(const char *keyword, json_t *rule, json_t *arg, json_t *value,
				 const char *where, bool loud)
{
	if (kw_streq(keyword, "type"))
		return check_type(arg, value) || complain(loud, where, "is of a wrong type", "");
	if (kw_streq(keyword, "enum"))
		return check_enum(arg, value) || complain(loud, where, "is not in the enum", "");
	if (kw_streq(keyword, "const"))
		return json_equal(arg, value) || complain(loud, where, "is not the const", "");
	if (kw_streq(keyword, "pattern"))
		return check_pattern(json_string_value(arg), value) ||
		       complain(loud, where, "does not match", json_string_value(arg));
	if (kw_streq(keyword, "minimum"))
		return !json_is_integer(value) ||
		       json_integer_value(value) >= json_integer_value(arg) ||
		       complain(loud, where, "is below the minimum", "");
	if (kw_streq(keyword, "required"))
		return check_required(arg, value, where, loud);
	if (kw_streq(keyword, "properties"))
		return check_properties(arg, value, loud);
	if (kw_streq(keyword, "items"))
		return check_items(arg, value, where, loud);
	if (kw_streq(keyword, "allOf"))
		return check_each(arg, value, where, loud);
	if (kw_streq(keyword, "$ref"))
		return check_ref(json_string_value(arg), value, where, loud);
	if (kw_streq(keyword, "if"))
		return !conforms(arg, value, where, false) ||
		       conforms(json_object_get(rule, "then"), value, where, loud);
	if (kw_streq(keyword, "then") || kw_streq(keyword, "description") ||
	    kw_streq(keyword, "title") || kw_streq(keyword, "$schema") ||
	    kw_streq(keyword, "$defs"))
		return true;
	fail_msg("the checker does not know the keyword '%s'", keyword);
	return false;
}

static inline bool conforms(json_t *rule, json_t *value, const char *where, bool loud)
{
	const char *keyword;
	json_t *arg;

	json_object_foreach (rule, keyword, arg) {
		if (!check_keyword(keyword, rule, arg, value, where, loud))
			return false;
	}
	return true;
}

static inline bool load_schema(void)
{
	json_error_t error;

	schema = json_load_file(SCHEMA, JSON_REJECT_DUPLICATES, &error);
	if (!schema)
		print_error("%s: %s\n", SCHEMA, error.text);
	return schema;
}

static inline void free_schema(void)
{
	size_t i;

	for (i = 0; i < KW_ARRAY_SIZE(patterns) && patterns[i].text; i++)
		regfree(&patterns[i].regex);
	memset(patterns, 0, sizeof(patterns));
	json_decref(schema);
	schema = NULL;
}

/* The value conforms to one of the $defs. */
static inline void assert_def(const char *name, json_t *value)
{
	assert_true(conforms(json_object_get(json_object_get(schema, "$defs"), name), value, name,
			     true));
}

#endif
