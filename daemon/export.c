/* SPDX-License-Identifier: GPL-2.0-only */
/* Plans in the formats that other VMMs and container runtimes load. */
#define _GNU_SOURCE 1
#include "export.h"

#include <errno.h>
#include <jansson.h>

#include "filter.h"
#include "names.h"
#include "util.h"

#define LOW_32 0xffffffffull
#define TITLE "made by kvmwarden policy export"

/* A sentence of one thing that is left out, malloc()ed. */
static char *describe(const struct kw_shortfall *s)
{
	char *text = NULL;

	if (asprintf(&text, "not expressed: %s:%u: %s%s: %s", s->policy->file, s->rule->line,
		     kw_operation(s->operation)->name, s->more ? " and more" : "", s->reason) < 0)
		return NULL;
	return text;
}

static const char *operation_name(uint32_t command)
{
	for (unsigned int scope = 0; scope < _KW_SCOPE_MAX; scope++) {
		int index = kw_operation_from_command(command, scope);

		if (index >= 0)
			return kw_operation(index)->name;
	}
	return "an ioctl";
}

int kw_export_pfc(const struct kw_plan *plan, const struct kw_shortfalls *lacks, FILE *out)
{
	_cleanup_free_ char *why = NULL;
	scmp_filter_ctx filter;
	int r;

	r = kw_filter_build(plan, &filter, &why);
	if (r < 0)
		return r;
	fprintf(out, "# " TITLE "\n");
	for (size_t i = 0; i < lacks->count; i++) {
		_cleanup_free_ char *text = describe(&lacks->list[i]);

		fprintf(out, "# %s\n", text ?: "out of memory");
	}
	for (size_t i = 0; i < plan->count; i++)
		fprintf(out, "# 0x%08x is %s\n", plan->entries[i].command,
			operation_name(plan->entries[i].command));
	fflush(out);
	r = seccomp_export_pfc(filter, fileno(out));
	seccomp_release(filter);
	return r;
}

/* Takes over value; NULL stands for no memory, as everywhere in jansson. */
static int add_lacks(json_t *list, const struct kw_shortfalls *lacks)
{
	int r = json_array_append_new(list, json_string(TITLE));

	for (size_t i = 0; i < lacks->count && r == 0; i++) {
		_cleanup_free_ char *text = describe(&lacks->list[i]);

		r = text ? json_array_append_new(list, json_string(text)) : -1;
	}
	return r;
}

static int dump(json_t *value, FILE *out)
{
	int r = value ? json_dumpf(value, out, JSON_INDENT(2)) : -1;

	json_decref(value);
	fputc('\n', out);
	return r < 0 ? -ENOMEM : 0;
}

/* In the specification's order as in libseccomp's: the mask, then what has to be left. */
static json_t *oci_arg(unsigned int index, uint64_t wanted)
{
	return json_pack("{s:i, s:I, s:I, s:s}", "index", index, "value", (json_int_t)LOW_32,
			 "valueTwo", (json_int_t)wanted, "op", "SCMP_CMP_MASKED_EQ");
}

static int oci_rule(json_t *list, const struct kw_plan_entry *entry, json_t *type)
{
	static const char *const actions[] = {
		[KW_PLAN_REFUSE] = "SCMP_ACT_ERRNO",
		[KW_PLAN_KILL] = "SCMP_ACT_KILL_PROCESS",
		[KW_PLAN_NOTIFY] = "SCMP_ACT_NOTIFY",
	};
	json_t *rule = json_pack("{s:[s], s:s, s:[o]}", "names", "ioctl", "action",
				 actions[entry->disposition], "args", oci_arg(1, entry->command));
	int r = rule ? 0 : -1;

	if (r == 0 && entry->disposition == KW_PLAN_REFUSE)
		r = json_object_set_new(rule, "errnoRet", json_integer(entry->error));
	if (r == 0 && type)
		r = json_array_append_new(json_object_get(rule, "args"), type);
	return r < 0 ? r : json_array_append_new(list, rule);
}

/* KVM_CREATE_VM by type: a rule each. */
static int oci_entry(json_t *list, const struct kw_plan_entry *entry)
{
	int r = 0;

	if (!entry->types)
		return oci_rule(list, entry, NULL);
	for (uint32_t type = 0; type < KW_TYPE_UNKNOWN && r == 0; type++)
		if (entry->types & 1u << type)
			r = oci_rule(list, entry, oci_arg(2, type));
	if (r == 0 && (entry->types & 1u << KW_TYPE_UNKNOWN))
		r = oci_rule(list, entry,
			     json_pack("{s:i, s:i, s:s}", "index", 2, "value", KW_TYPE_TDX, "op",
				       "SCMP_CMP_GT"));
	return r;
}

int kw_export_oci(const struct kw_plan *plan, const struct kw_shortfalls *lacks,
		  const char *listener, FILE *out)
{
	json_t *root = json_pack("{s:[], s:s, s:[s, s, s], s:[]}", "comment", "defaultAction",
				 "SCMP_ACT_ALLOW", "architectures", "SCMP_ARCH_X86_64",
				 "SCMP_ARCH_X86", "SCMP_ARCH_X32", "syscalls");
	int r = root ? add_lacks(json_object_get(root, "comment"), lacks) : -1;

	if (r == 0 && listener)
		r = json_object_set_new(root, "listenerPath", json_string(listener));
	for (size_t i = 0; i < plan->count && r == 0; i++)
		r = oci_entry(json_object_get(root, "syscalls"), &plan->entries[i]);
	if (r < 0) {
		json_decref(root);
		root = NULL;
	}
	return dump(root, out);
}

/* The errno that most rules have. */
static unsigned int usual_errno(const struct kw_plan *plan)
{
	size_t counts[UINT8_MAX + 1] = {}, most = EPERM;

	for (size_t i = 0; i < plan->count; i++)
		if (plan->entries[i].disposition == KW_PLAN_REFUSE)
			counts[plan->entries[i].error]++;
	for (size_t i = 0; i < KW_ARRAY_SIZE(counts); i++)
		if (counts[i] > counts[most])
			most = i;
	return (unsigned int)most;
}

/* "dword": of the 64 bits the lower 32 are compared. */
static json_t *firecracker_arg(unsigned int index, const char *op, uint32_t value)
{
	return json_pack("{s:i, s:s, s:s, s:I}", "index", index, "type", "dword", "op", op, "val",
			 (json_int_t)value);
}

static int firecracker_rule(json_t *list, const struct kw_plan_entry *entry, unsigned int error,
			    json_t *type)
{
	_cleanup_free_ char *comment = NULL;
	json_t *rule;
	int r = 0;

	if (asprintf(&comment, "%s%s%s", operation_name(entry->command),
		     entry->error == error		  ? ""
		     : entry->disposition == KW_PLAN_KILL ? "; the policy says kill"
							  : "; the policy says ",
		     entry->error == error || !entry->error ? "" : kw_errno_name(entry->error)) < 0)
		comment = NULL;
	rule = json_pack("{s:s, s:s, s:[o]}", "syscall", "ioctl", "comment",
			 comment ?: "out of memory", "args",
			 firecracker_arg(1, "eq", entry->command));
	if (rule && type)
		r = json_array_append_new(json_object_get(rule, "args"), type);
	return rule && r == 0 ? json_array_append_new(list, rule) : -1;
}

static int firecracker_entry(json_t *list, const struct kw_plan_entry *entry, unsigned int error)
{
	int r = 0;

	if (!entry->types)
		return firecracker_rule(list, entry, error, NULL);
	for (uint32_t type = 0; type < KW_TYPE_UNKNOWN && r == 0; type++)
		if (entry->types & 1u << type)
			r = firecracker_rule(list, entry, error, firecracker_arg(2, "eq", type));
	if (r == 0 && (entry->types & 1u << KW_TYPE_UNKNOWN))
		r = firecracker_rule(list, entry, error, firecracker_arg(2, "gt", KW_TYPE_TDX));
	return r;
}

/* Fields it does not know are errors to its reader: words go to the first rule's comment. */
static int add_header(json_t *list, const struct kw_shortfalls *lacks)
{
	json_t *first = json_array_get(list, 0);
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out;

	if (!first)
		return 0;
	out = open_memstream(&text, &size);
	if (!out)
		return -1;
	fprintf(out, "%s; " TITLE, json_string_value(json_object_get(first, "comment")));
	for (size_t i = 0; i < lacks->count; i++) {
		_cleanup_free_ char *one = describe(&lacks->list[i]);

		fprintf(out, "; %s", one ?: "out of memory");
	}
	if (fclose(out) == EOF)
		return -1;
	return json_object_set_new(first, "comment", json_string(text));
}

int kw_export_firecracker(const struct kw_plan *plan, const struct kw_shortfalls *lacks, FILE *out)
{
	static const char *const threads[] = {"vmm", "api", "vcpu"};
	unsigned int error = usual_errno(plan);
	json_t *root = json_object(), *rules = json_array();
	int r = root && rules ? 0 : -1;

	for (size_t i = 0; i < plan->count && r == 0; i++)
		r = firecracker_entry(rules, &plan->entries[i], error);
	if (r == 0)
		r = add_header(rules, lacks);
	for (size_t i = 0; i < KW_ARRAY_SIZE(threads) && r == 0; i++)
		r = json_object_set_new(root, threads[i],
					json_pack("{s:s, s:{s:i}, s:O}", "default_action", "allow",
						  "filter_action", "errno", error, "filter",
						  rules));
	json_decref(rules);
	if (r < 0) {
		json_decref(root);
		root = NULL;
	}
	return dump(root, out);
}
