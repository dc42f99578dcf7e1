/* SPDX-License-Identifier: GPL-2.0-only */
/* Events and VMs as JSON. */
#include "render.h"

#include <stdio.h>
#include <string.h>

#include "event-kinds.h"
#include "names.h"

static size_t path_length(const struct kw_path *path)
{
	return strnlen(path->text, path->len < KW_PATH_MAX ? path->len : KW_PATH_MAX);
}

/* Null when unknown. Of a path that was too long the end is there, and a member says so. */
static void member_path(struct kw_json *json, const char *key, const char *truncated_key,
			const struct kw_path *path)
{
	bool known = !(path->flags & KW_PATH_UNKNOWN);

	kw_json_member_bytes(json, key, known ? path->text : NULL, path_length(path));
	if (path->flags & KW_PATH_TRUNCATED)
		kw_json_member_bool(json, truncated_key, true);
}

static void member_unit(struct kw_json *json, const struct kw_identity *who)
{
	size_t end = (size_t)who->unit_offset + who->unit_len;
	bool known = who->unit_len > 0 && end <= path_length(&who->cgroup);

	kw_json_member_bytes(json, "unit", known ? who->cgroup.text + who->unit_offset : NULL,
			     who->unit_len);
}

static void render_identity(struct kw_json *json, const struct kw_identity *who)
{
	kw_json_open_object(json);
	kw_json_member_unsigned(json, "pid", who->pid);
	kw_json_member_unsigned(json, "tid", who->tid);
	kw_json_member_unsigned(json, "uid", who->uid);
	kw_json_member_unsigned(json, "gid", who->gid);
	kw_json_member_bytes(json, "comm", who->comm, strnlen(who->comm, sizeof(who->comm)));
	member_path(json, "exe", "exe_truncated", &who->exe);
	kw_json_member_unsigned(json, "cgroup_id", who->cgroup_id);
	member_path(json, "cgroup", "cgroup_truncated", &who->cgroup);
	member_unit(json, who);
	kw_json_close_object(json);
}

static void member_host(struct kw_json *json, const struct kw_origin_host *host)
{
	kw_json_member_string(json, "host", host->host);
	kw_json_member_string(json, "boot_id", host->boot_id);
}

static void member_operation(struct kw_json *json, const struct kw_event *event)
{
	const struct kw_operation *operation = kw_operation(event->operation);
	char command[sizeof("0x00000000")];

	snprintf(command, sizeof(command), "0x%08x", event->command);
	kw_json_member_string(json, "operation", operation ? operation->name : command);
	kw_json_member_string(json, "command", event->command ? command : NULL);
}

static void member_errno(struct kw_json *json, unsigned int error)
{
	const char *name = kw_errno_name(error);
	char number[sizeof("65535")];

	snprintf(number, sizeof(number), "%u", error & 0xffff);
	kw_json_member_string(json, "errno", !error ? NULL : name ? name : number);
}

static void render_event_vm(struct kw_json *json, const struct kw_event *event)
{
	kw_json_open_object(json);
	kw_json_key(json, "id");
	if (event->vm_id)
		kw_json_unsigned(json, event->vm_id);
	else
		kw_json_null(json);
	kw_json_member_string(json, "type", kw_type_name(event->vm_type));
	kw_json_member_unsigned(json, "kvm_type", event->kvm_type);
	kw_json_member_bool(json, "private_memory", event->vm_flags & KW_VM_PRIVATE_MEMORY);
	kw_json_member_bool(json, "protected_state", event->vm_flags & KW_VM_PROTECTED_STATE);
	kw_json_member_bool(json, "sealed", event->vm_flags & KW_VM_SEALED);
	kw_json_member_bool(json, "adopted", event->vm_flags & KW_VM_ADOPTED);
	kw_json_member_bool(json, "condemned", event->vm_flags & KW_VM_CONDEMNED);
	kw_json_key(json, "vcpu");
	if (event->vcpu >= 0)
		kw_json_signed(json, event->vcpu);
	else
		kw_json_null(json);
	kw_json_close_object(json);
}

/* Which line of which file decided. */
static void member_origin(struct kw_json *json, const struct kw_event *event,
			  const struct kw_ruleset *rules)
{
	const struct kw_policy *policy = NULL;
	const struct kw_rule *rule = NULL;

	if (rules) {
		policy = kw_ruleset_policy(rules, event->policy);
		rule = kw_ruleset_rule(rules, event->policy, event->rule);
	}
	kw_json_member_string(json, "policy", policy ? policy->name : NULL);
	if (!policy && event->policy != KW_NONE)
		kw_json_member_unsigned(json, "policy_index", event->policy);
	kw_json_key(json, "rule");
	if (event->rule != KW_NONE)
		kw_json_unsigned(json, (uint64_t)event->rule + 1);
	else
		kw_json_null(json);
	kw_json_member_string(json, "file", policy ? policy->file : NULL);
	kw_json_key(json, "line");
	if (rule)
		kw_json_unsigned(json, rule->line);
	else
		kw_json_null(json);
}

/* Somebody reached for what is sealed: no operation, no VM, no policy. */
static void render_tampering(struct kw_json *json, const struct kw_event *event,
			     const struct kw_origin_host *host)
{
	kw_json_member_string(json, "verdict", kw_verdict_name(event->verdict));
	kw_json_member_string(json, "act", kw_act_name(event->command));
	kw_json_member_unsigned(json, "detail", event->vm_id);
	member_errno(json, event->error);
	member_host(json, host);
	kw_json_key(json, "process");
	render_identity(json, &event->caller);
}

static void render_verdict(struct kw_json *json, const struct kw_event *event,
			   const struct kw_ruleset *rules, const struct kw_origin_host *host)
{
	kw_json_member_string(json, "verdict", kw_verdict_name(event->verdict));
	kw_json_member_string(json, "intended", kw_verdict_name(event->intended));
	member_operation(json, event);
	member_errno(json, event->error);
	kw_json_member_string(json, "scope", kw_scope_name(event->scope));
	kw_json_member_string(json, "state", kw_state_name(event->state));
	kw_json_member_string(json, "entry", kw_entry_name(event->entry));
	kw_json_member_string(json, "backend", kw_backend_name(event->backend));
	kw_json_member_unsigned(json, "generation", event->generation);
	member_host(json, host);
	kw_json_key(json, "vm");
	if (event->vm_type == KW_TYPE_NONE)
		kw_json_null(json);
	else
		render_event_vm(json, event);
	kw_json_key(json, "process");
	render_identity(json, &event->caller);
	member_origin(json, event, rules);
	kw_json_key(json, "exception");
	if (event->exception)
		kw_json_unsigned(json, event->exception);
	else
		kw_json_null(json);
}

void kw_render_event(struct kw_json *json, const struct kw_event *event,
		     const struct kw_ruleset *rules, const struct kw_origin_host *host)
{
	kw_json_open_object(json);
	kw_json_member_unsigned(json, "version", KW_EVENT_VERSION);
	kw_json_member_time(json, "time", event->time_ns + host->realtime_offset_ns);
	kw_json_member_unsigned(json, "seq", event->seq);
	kw_json_member_string(json, "event", kw_event_kind_name(event->kind));
	if (event->kind == KW_EVENT_TAMPERING)
		render_tampering(json, event, host);
	else
		render_verdict(json, event, rules, host);
	kw_json_member_unsigned(json, "suppressed", event->suppressed);
	kw_json_close_object(json);
}

void kw_render_own_event_begin(struct kw_json *json, const char *event, uint64_t seq,
			       uint64_t time_ns, const struct kw_origin_host *host)
{
	kw_json_open_object(json);
	kw_json_member_unsigned(json, "version", KW_EVENT_VERSION);
	kw_json_member_time(json, "time", time_ns + host->realtime_offset_ns);
	kw_json_member_unsigned(json, "seq", seq);
	kw_json_member_string(json, "event", event);
	member_host(json, host);
}

void kw_render_own_event_end(struct kw_json *json)
{
	kw_json_close_object(json);
}

static unsigned int type_in_force(const struct kw_vm *vm)
{
	if (vm->type == KW_TYPE_DEFAULT && (vm->flags & KW_VM_ES))
		return KW_TYPE_LEGACY_SEV_ES;
	return vm->type;
}

/*
 * The record's own mask where it is of this generation. The kernel matches an
 * older record anew at its next checked ioctl, with the result computed here.
 */
static uint64_t matched_policies(const struct kw_vm *vm, const struct kw_ruleset *rules)
{
	unsigned int type = type_in_force(vm);
	uint64_t matched = 0;
	uint32_t i;

	if (vm->match_generation == rules->generation)
		return vm->matched[type == KW_TYPE_LEGACY_SEV_ES];
	for (i = 0; i < rules->table->policies && i < KW_POLICIES_MAX; i++)
		if (kw_selector_matches(&rules->table->selectors[i], &vm->creator, type, vm->flags))
			matched |= 1ull << i;
	return matched;
}

static void render_matched(struct kw_json *json, const struct kw_vm *vm,
			   const struct kw_ruleset *rules)
{
	uint64_t matched;
	unsigned int i;

	if (!rules) {
		kw_json_null(json);
		return;
	}
	matched = matched_policies(vm, rules);
	kw_json_open_array(json);
	for (i = 0; i < KW_POLICIES_MAX; i++) {
		const struct kw_policy *policy = kw_ruleset_policy(rules, i);

		if (policy && (matched & (1ull << i)))
			kw_json_string(json, policy->name);
	}
	kw_json_close_array(json);
}

void kw_render_vm(struct kw_json *json, const struct kw_vm *vm, const struct kw_ruleset *rules,
		  const struct kw_origin_host *host)
{
	bool sealed = vm->flags & KW_VM_SEALED;
	bool adopted = vm->flags & KW_VM_ADOPTED;

	kw_json_open_object(json);
	kw_json_member_unsigned(json, "id", vm->id);
	kw_json_member_string(json, "type", kw_type_name(type_in_force(vm)));
	kw_json_member_unsigned(json, "kvm_type", vm->kvm_type);
	kw_json_member_string(json, "state",
			      kw_state_name(sealed ? KW_STATE_SEALED : KW_STATE_BUILDING));
	kw_json_member_unsigned(json, "vcpus", vm->vcpus);
	kw_json_member_bool(json, "private_memory", vm->flags & KW_VM_PRIVATE_MEMORY);
	kw_json_member_bool(json, "protected_state", vm->flags & KW_VM_PROTECTED_STATE);
	kw_json_member_bool(json, "condemned", vm->flags & KW_VM_CONDEMNED);
	kw_json_member_bool(json, "supervised", vm->flags & KW_VM_SUPERVISED);
	kw_json_member_string(json, "provenance", adopted ? "adopted" : "created");
	kw_json_member_time(json, "since", vm->born_ns + host->realtime_offset_ns);
	kw_json_key(json, "creator");
	render_identity(json, &vm->creator);
	kw_json_key(json, "policies");
	render_matched(json, vm, rules);
	kw_json_member_unsigned(json, "audited", vm->audited);
	kw_json_member_unsigned(json, "denied", vm->denied);
	kw_json_member_unsigned(json, "killed", vm->killed);
	kw_json_close_object(json);
}
