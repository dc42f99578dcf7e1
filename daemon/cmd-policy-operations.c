/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden policy operations": every operation that a rule can name. */
#define _GNU_SOURCE 1
#include "cmd-policy.h"

#include <stdio.h>

#include "names.h"
#include "util.h"

/* Of those that share an ioctl: what tells them apart. */
static const char *const families[] = {
	[KW_FAMILY_NONE] = NULL, [KW_FAMILY_SEV] = "sev", [KW_FAMILY_TDX] = "tdx",
	[KW_FAMILY_CAP] = "cap", [KW_FAMILY_RUN] = "run",
};
_Static_assert(KW_ARRAY_SIZE(families) == _KW_FAMILY_MAX, "a family without a name");

#define SCOPES_WIDTH ((int)sizeof("system vm vcpu device"))

static bool is_in_group(unsigned int operation, const struct kw_group *group)
{
	for (size_t i = 0; i < group->count; i++)
		if (group->operations[i] == operation)
			return true;
	return false;
}

/* NULL if it is no ioctl, nor shares one. */
static const struct kw_operation *ioctl_of(const struct kw_operation *op)
{
	if (op->parent)
		return kw_operation(op->parent);
	return op->command ? op : NULL;
}

/* SYNC_REGS is told apart by a field that is not zero: its number is ours alone. */
static bool has_number(const struct kw_operation *op)
{
	return op->parent && op->family != KW_FAMILY_RUN;
}

static json_t *number_json(uint32_t command)
{
	return command ? json_sprintf("0x%08x", command) : json_null();
}

static json_t *scopes_json(const struct kw_operation *op)
{
	json_t *names = json_array();

	for (unsigned int i = 0; i < _KW_SCOPE_MAX; i++)
		if ((op->scopes & (1u << i)) &&
		    json_array_append_new(names, json_string(kw_scope_name(i)))) {
			json_decref(names);
			return NULL;
		}
	return names;
}

static json_t *groups_json(unsigned int index)
{
	json_t *names = json_array();

	for (size_t i = 0; i < kw_group_count(); i++)
		if (is_in_group(index, kw_group(i)) &&
		    json_array_append_new(names, json_string(kw_group(i)->name))) {
			json_decref(names);
			return NULL;
		}
	return names;
}

static json_t *operation_json(unsigned int index)
{
	const struct kw_operation *op = kw_operation(index);
	const struct kw_operation *shared = ioctl_of(op);

	return json_pack("{s:s, s:s?, s:o, s:o, s:s?, s:o, s:b, s:o, s:o}", "operation", op->name,
			 "ioctl", op->parent ? shared->name : NULL, "number",
			 number_json(shared ? shared->command : 0), "number_32bit",
			 number_json(op->compat_command), "family",
			 op->parent ? families[op->family] : NULL, "member",
			 has_number(op) ? json_integer(op->member) : json_null(), "refusable",
			 op->refusable, "scopes", scopes_json(op), "groups", groups_json(index));
}

static int dump_all(void)
{
	json_t *all = json_array();

	for (unsigned int i = 0; i < kw_operation_count(); i++)
		if (!kw_operation(i)->hidden && json_array_append_new(all, operation_json(i))) {
			json_decref(all);
			return kw_policy_dump(NULL);
		}
	return kw_policy_dump(all);
}

/* The number of columns that this took. */
static int print_scopes(const struct kw_operation *op)
{
	int width = 0;

	for (unsigned int i = 0; i < _KW_SCOPE_MAX; i++)
		if (op->scopes & (1u << i))
			width += printf("%s%s", width ? " " : "", kw_scope_name(i));
	return width;
}

/* @all is left out: the head of the table says that. */
static void print_groups(unsigned int index, int padding)
{
	for (size_t i = 0; i < kw_group_count(); i++) {
		if (kw_streq(kw_group(i)->name, "@all") || !is_in_group(index, kw_group(i)))
			continue;
		printf("%*s %s", padding, "", kw_group(i)->name);
		padding = 0;
	}
	putchar('\n');
}

static void print_operation(unsigned int index)
{
	const struct kw_operation *op = kw_operation(index);
	const struct kw_operation *shared = ioctl_of(op);

	printf("%-36s ", op->name);
	if (has_number(op))
		printf("%-21s %-4u ", shared->name, op->member);
	else if (op->parent)
		printf("%-26s ", shared->name);
	else if (shared)
		printf("0x%08x %15s ", shared->command, "");
	else
		printf("%-26s ", "-");
	print_groups(index, SCOPES_WIDTH - print_scopes(op));
}

int kw_policy_operations(const struct kw_cli *cli, int argc, char **argv)
{
	int status;

	status = kw_policy_options(argc, argv, NULL, NULL);
	if (status != KW_EXIT_OK)
		return status;
	status = kw_policy_no_arguments(argc, argv);
	if (status != KW_EXIT_OK)
		return status;
	if (cli->json)
		return dump_all();
	printf("%-36s %-26s %-*s %s\n", "OPERATION", "NUMBER, OR WHAT IT SHARES", SCOPES_WIDTH,
	       "ON", "GROUPS, BESIDE @all");
	for (unsigned int i = 0; i < kw_operation_count(); i++)
		if (!kw_operation(i)->hidden)
			print_operation(i);
	return KW_EXIT_OK;
}
