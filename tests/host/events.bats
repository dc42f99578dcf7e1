#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# The trail of events: complete, valid, followed.

load helper

every_test() { needs_kvm; }

@test "the sequence has no gap from the first event to the last" {
	rule watcher @set-registers audit
	start_daemon
	vm try=@set-registers try=@set-registers
	"${kvmwarden[@]}" reload
	"$vmm" vm=default vcpu repeat=500:KVM_SET_REGS >"$work/one" 3>&- &
	children+=("$!")
	"$vmm" vm=default vcpu repeat=500:KVM_SET_REGS >"$work/two" 3>&- &
	children+=("$!")
	ends "${children[-1]}" 0
	ends "${children[-2]}" 0
	same 1016 "$(my_ioctls .seq | wc -l)"
	same 0 "$(status_of .counters.events_lost)"
	stop_daemon
	same "started stopped" "$(jq -r .event "$events" | sed -n '1p;$p' | xargs)"
	# Lines of different CPUs may stand a few places from their order.
	same true "$(jq -s '[.[].seq] | sort == [range(1; length + 1)]' "$events")"
}

@test "events conform to the schema, by our checker as by somebody else's" {
	local line
	rule watcher @set-registers audit
	rule life @lifecycle audit
	start_daemon
	vm try=@set-registers entry=compat try=KVM_SET_REGS
	rule broken KVM_SET_RGES audit
	run -1 "${kvmwarden[@]}" reload
	rm "$policies/broken.yaml"
	run -0 "${kvmwarden[@]}" reload
	"${kvmwarden[@]}" vms
	stop_daemon
	same "ioctl policy-loaded policy-refused started stopped vm-created vm-destroyed" \
		"$(jq -r .event "$events" | sort -u | xargs)"
	# One of each kind, and each of them spoilt in many ways.
	jq -sc 'group_by(.event)[] | .[0]' "$events" tests/trail/events.jsonl >"$work/kinds"
	jq -c '. as $e | ., (keys[] as $k | ($e | del(.[$k])), ($e | .[$k] = (null, -1, "x", [1], {"a": 1})))' \
		"$work/kinds" >"$work/spoilt"
	/usr/bin/python3 tests/host/judge docs/events.schema.json <"$work/spoilt" >"$work/judged"
	while read -r line; do
		echo "$line" >"$work/line"
		build/tests/conform "$work/line" 2>>"$work/complaints" && echo good || echo bad
	done <"$work/spoilt" >"$work/ours"
	cmp "$work/judged" "$work/ours"
	[ "$(grep -c good "$work/ours")" -gt 20 ]
	[ "$(grep -c bad "$work/ours")" -gt 200 ]
}

# follow NAME: a follower that has caught up; what it prints is in $work/NAME.
follow() {
	"${kvmwarden[@]}" --json events -f >"$work/$1" 3>&- </dev/null &
	follower=$!
	children+=("$follower")
	wait_until grep -q '"event":"started"' "$work/$1"
}

@test "events -f shows what happened, and then what happens, as it happens" {
	rule watcher KVM_SET_REGS audit
	start_daemon
	follow seen
	vm try=KVM_SET_REGS
	wait_until grep -q '"operation":"KVM_SET_REGS"' "$work/seen"
	is_over "$follower" && return 1
	stop_daemon
	ends "$follower" 69
	same "$(jq -c .seq "$events" | xargs)" "$(jq -c .seq "$work/seen" | xargs)"
}

@test "two followers see the same, and one that leaves does not take the other with it" {
	local first
	rule watcher KVM_SET_REGS audit
	start_daemon
	follow one
	first=$follower
	follow two
	vm try=KVM_SET_REGS
	wait_until grep -q KVM_SET_REGS "$work/one"
	wait_until grep -q KVM_SET_REGS "$work/two"
	cmp "$work/one" "$work/two"
	kill -INT "$first"
	ends "$first" 0
	forget_events
	vm try=KVM_SET_REGS
	my_ioctls .seq >"$work/seq"
	wait_until grep -q "\"seq\":$(cat "$work/seq")," "$work/two"
	is_over "$follower" && return 1
	[ "$(jq -s 'map(select(.event == "ioctl")) | length' "$work/one")" = 1 ]
}

@test "events filters by verdict, by VM and by count" {
	local id
	rule watcher KVM_SET_REGS audit
	rule killer KVM_SET_SREGS kill
	start_daemon
	vm try=KVM_SET_REGS
	vm try=KVM_SET_REGS try=KVM_SET_SREGS
	id=$(my_ioctls 'select(.verdict == "kill").vm.id')
	run -0 "${kvmwarden[@]}" --json events --verdict kill
	same "KVM_SET_SREGS" "$(jq -r .operation <<<"$output")"
	run -0 "${kvmwarden[@]}" --json events --vm "$id"
	same "KVM_SET_REGS KVM_SET_SREGS" "$(jq -r .operation <<<"$output" | xargs)"
	run -0 "${kvmwarden[@]}" --json events --vm "$id" -n 1
	same "KVM_SET_SREGS" "$(jq -r .operation <<<"$output")"
	run -0 "${kvmwarden[@]}" events --vm "$id" --verdict audit
	same 1 "${#lines[@]}"
	has "KVM_SET_REGS"
	has "watcher"
}

@test "events that cannot be written are counted and told, and enforcement goes on" {
	rule killer KVM_SET_REGS kill
	"${kvmwardend[@]}" --events /dev/full --backend tracepoint --policy-dir "$policies" \
		>"$said" 2>&1 3>&- </dev/null &
	daemon=$!
	children+=("$daemon")
	"${kvmwarden[@]}" status --wait "$patience"
	has "cannot write events: No space left on device; carrying on" "$(cat "$said")"
	vm try=KVM_SET_REGS
	same 137 "$status"
	run -0 "${kvmwarden[@]}" --json events --verdict kill
	has "KVM_SET_REGS"
}
