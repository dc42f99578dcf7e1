/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's events: from the ring buffer, and its own, to trail, sinks and followers. */
#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "daemon-internal.h"
#include "event-kinds.h"
#include "names.h"
#include "util.h"

void kw_daemon_host_init(struct kw_daemon *d)
{
	_cleanup_close_ int fd = -1;
	ssize_t n = 0;

	if (gethostname(d->hostname, sizeof(d->hostname) - 1) < 0)
		d->hostname[0] = '\0';
	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		n = read(fd, d->boot_id, sizeof(d->boot_id) - 1);
	d->boot_id[n > 0 ? n : 0] = '\0';
	d->boot_id[strcspn(d->boot_id, "\n")] = '\0';
	d->host.host = d->hostname;
	d->host.boot_id = d->boot_id;
}

/* The wall clock may be set at any time; events carry it as it is when they are written. */
static void refresh_clock(struct kw_daemon *d)
{
	d->host.realtime_offset_ns = kw_clock_ns(CLOCK_REALTIME) - kw_clock_ns(CLOCK_BOOTTIME);
}

static void hand_on(struct kw_daemon *d)
{
	if (d->line.failed) {
		kw_backend_book_unwritten(d->choice.backend, 1);
		fprintf(stderr, "kvmwardend: out of memory: an event was not written\n");
		return;
	}
	kw_metrics_count_kind(d->metrics, d->line_kind);
	kw_daemon_hand_on(d);
}

static void flush(struct kw_daemon *d)
{
	int r = kw_daemon_flush_sinks(d);
	struct kw_chain head;

	if (!d->trail) {
		kw_backend_settle(d->choice.backend);
		return;
	}
	if (r < 0 && !d->trail_failed)
		fprintf(stderr,
			"kvmwardend: cannot write events: %s; carrying on, %llu lost so far\n",
			strerror(-r), (unsigned long long)kw_trail_failed(d->trail));
	d->trail_failed = r < 0;
	kw_backend_book_unwritten(d->choice.backend, kw_trail_failed(d->trail) - d->unwritten);
	d->unwritten = kw_trail_failed(d->trail);
	kw_trail_head(d->trail, &head);
	/* On a terminal there is none, and a file's is not forgotten for that. */
	if (!kw_chain_equal(&head, &kw_chain_genesis))
		kw_backend_remember_chain(d->choice.backend, &head);
	kw_backend_settle(d->choice.backend);
}

static void on_event(void *userdata, const struct kw_event *event)
{
	struct kw_daemon *d = userdata;
	const struct kw_ruleset *rules = kw_daemon_rules(d, event->generation);

	kw_json_reset(&d->line);
	kw_render_event(&d->line, event, rules, &d->host);
	d->line_kind = event->kind; /* the kernel's come first among all kinds */
	d->line_verdict = event->verdict;
	kw_daemon_count(d, event, rules);
	hand_on(d);
}

void kw_daemon_pump(struct kw_daemon *d)
{
	refresh_clock(d);
	kw_backend_drain(d->choice.backend, on_event, d);
	if (d->seal)
		kw_seal_drain(d->seal, on_event, d);
	flush(d);
}

void kw_daemon_event_begin(struct kw_daemon *d, const char *event)
{
	/* What happened before stands before it. */
	kw_daemon_pump(d);
	kw_json_reset(&d->line);
	kw_render_own_event_begin(&d->line, event, kw_backend_next_seq(d->choice.backend),
				  kw_clock_ns(CLOCK_BOOTTIME), &d->host);
	d->line_kind = kw_kind_from_name(event);
	d->line_verdict = -1;
}

void kw_daemon_event_end(struct kw_daemon *d)
{
	kw_render_own_event_end(&d->line);
	hand_on(d);
	flush(d);
}

static uint64_t total_lost(const struct kw_daemon *d)
{
	struct kw_counters counters;

	kw_backend_counters(d->choice.backend, &counters);
	return kw_counters_lost(&counters);
}

void kw_daemon_tell_lost(struct kw_daemon *d, bool try_trail)
{
	kw_backend_book_losses(d->choice.backend);
	/* Where nothing can be written, telling of it would be lost as well. */
	if (d->trail_failed && !try_trail)
		return;
	for (unsigned int loss = 0; loss < _KW_LOSS_MAX; loss++) {
		uint64_t count = kw_backend_untold(d->choice.backend, loss);

		if (!count)
			continue;
		kw_daemon_event_begin(d, "lost");
		kw_json_member_unsigned(&d->line, "count", count);
		kw_json_member_unsigned(&d->line, "total", total_lost(d));
		kw_json_member_string(&d->line, "reason", kw_loss_name(loss));
		kw_daemon_event_end(d);
		if (d->trail_failed)
			return;
		kw_backend_told(d->choice.backend, loss, count);
	}
}

void kw_daemon_member_chain(struct kw_daemon *d)
{
	const char *file = d->options->events ?: "standard output";
	char hex[KW_CHAIN_HEX + 1];
	struct kw_chain expected;
	uint64_t behind;

	if (!d->trail)
		return;
	switch (kw_trail_resumed(d->trail, &expected, &behind)) {
	case KW_RESUMED_NEW:
	case KW_RESUMED_GIVEN:
	case KW_RESUMED_TAIL:
		return;
	case KW_RESUMED_BEHIND:
		fprintf(stderr,
			"kvmwardend: '%s' has %llu events more than was remembered, as after a "
			"kill\n",
			file, (unsigned long long)behind);
		kw_json_member_unsigned(&d->line, "chain_behind", behind);
		return;
	case KW_RESUMED_BROKEN:
		kw_chain_format(&expected, hex);
		fprintf(stderr,
			"kvmwardend: warning: chain-broken: '%s' does not end in what was written "
			"last; "
			"somebody cut or changed its end\n",
			file);
		kw_json_member_string(&d->line, "chain_expected", hex);
		return;
	}
}

static const struct kw_origin *origin_of(struct kw_daemon *d, const struct kw_limit_key *key)
{
	const struct kw_ruleset *rules = kw_daemon_rules(d, key->generation);

	if (!rules || !rules->table || !kw_ruleset_policy(rules, key->policy) ||
	    key->state >= _KW_STATE_MAX)
		return NULL;
	return &rules->table->origins[key->operation][key->state][key->policy];
}

static bool is_over(void *userdata, const struct kw_limit_key *key, const struct kw_limit *limit)
{
	struct kw_daemon *d = userdata;
	const struct kw_origin *origin = origin_of(d, key);
	uint64_t age = kw_clock_ns(CLOCK_BOOTTIME) - limit->since_ns;

	/* No rule makes these; else, of rules long gone no further event comes. */
	if (key->policy == KW_NONE)
		return age >= KW_LIMIT_SECONDS * 1000000000ull;
	return !origin || age >= origin->limit_seconds * 1000000000ull;
}

static void tell_suppressed(void *userdata, const struct kw_limit_key *key,
			    const struct kw_limit *limit)
{
	struct kw_daemon *d = userdata;
	const struct kw_origin *origin = origin_of(d, key);
	const struct kw_ruleset *rules = kw_daemon_rules(d, key->generation);
	const struct kw_policy *policy = rules ? kw_ruleset_policy(rules, key->policy) : NULL;
	const struct kw_rule *rule = origin ? kw_ruleset_rule(rules, key->policy, origin->rule)
					    : NULL;
	/* What a condemned VM is refused need not have a name. */
	const struct kw_operation *operation = kw_operation(key->operation);

	kw_daemon_event_begin(d, "suppressed");
	kw_json_member_unsigned(&d->line, "count", limit->suppressed);
	kw_json_key(&d->line, "vm");
	if (key->vm >> 63)
		kw_json_null(&d->line);
	else
		kw_json_unsigned(&d->line, key->vm);
	kw_json_member_string(&d->line, "operation", operation ? operation->name : NULL);
	kw_json_member_string(&d->line, "state", kw_state_name(key->state));
	kw_json_member_string(&d->line, "policy", policy ? policy->name : NULL);
	kw_json_member_string(&d->line, "file", policy ? policy->file : NULL);
	kw_json_member_unsigned(&d->line, "line", rule ? rule->line : 0);
	kw_daemon_event_end(d);
}

void kw_daemon_tell_suppressed(struct kw_daemon *d)
{
	struct kw_stats stats;

	if (kw_backend_stats(d->choice.backend, &stats) < 0)
		return;
	/* While nothing was held back, and none waits for its interval to end, no map is walked. */
	if (stats.suppressed == d->suppressed_seen && !d->limits_waiting)
		return;
	d->suppressed_seen = stats.suppressed;
	d->limits_waiting = kw_backend_end_limits(d->choice.backend, is_over, tell_suppressed, d);
}

/* Where no hook tells: the event the hook would have written. */
void kw_daemon_vm_gone(struct kw_daemon *d, const struct kw_vm *vm, const struct kw_ruleset *rules)
{
	bool es = vm->type == KW_TYPE_DEFAULT && (vm->flags & KW_VM_ES);
	struct kw_event event = {
		.time_ns = kw_clock_ns(CLOCK_BOOTTIME),
		.generation = rules->generation,
		.vm_id = vm->id,
		.kind = KW_EVENT_VM_DESTROYED,
		.operation = KW_OP_VM_DESTROY,
		.scope = KW_SCOPE_VM,
		.state = vm->flags & KW_VM_SEALED ? KW_STATE_SEALED : KW_STATE_BUILDING,
		.vcpu = -1,
		.backend = (uint16_t)kw_backend_id(d->choice.backend),
		.vm_type = (uint16_t)(es ? KW_TYPE_LEGACY_SEV_ES : vm->type),
		.vm_flags = vm->flags,
		.kvm_type = vm->kvm_type,
		.caller = vm->creator,
	};
	const struct kw_subject subject = {event.vm_type, vm->flags, &vm->creator};
	struct kw_decision decision;

	kw_ruleset_explain(rules, event.operation, event.state, &subject, &decision);
	if (decision.verdict == KW_ALLOW)
		return;
	event.verdict = decision.verdict;
	event.intended = decision.intended;
	event.policy = decision.policy;
	event.rule = decision.rule;
	/* What the ring holds by now has a lower number, and is to stand before it. */
	kw_daemon_pump(d);
	event.seq = kw_backend_next_seq(d->choice.backend);
	on_event(d, &event);
}

static void on_gone(void *userdata, const struct kw_vm *vm)
{
	struct kw_daemon *d = userdata;

	kw_daemon_vm_gone(d, vm, kw_daemon_rules(d, d->generation));
}

void kw_daemon_drop_ended(struct kw_daemon *d)
{
	if (kw_backend_id(d->choice.backend) != KW_BACKEND_SECCOMP)
		return;
	kw_backend_drop_ended(d->choice.backend, on_gone, d);
	flush(d);
}

int kw_daemon_sweep(struct kw_daemon *d, unsigned int times)
{
	int r = 0;

	kw_daemon_pump(d);
	while (times-- && r == 0)
		r = kw_backend_sweep(d->choice.backend, on_gone, d);
	flush(d);
	return r;
}
