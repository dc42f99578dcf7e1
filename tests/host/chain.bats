#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# The chain through the events: over restarts and rotation, and what 'events verify' makes of it.

load helper

every_test() { needs_kvm; }

# again: a daemon that finds the events of the one before.
again() {
	local before
	before=$(grep -c '"event":"started"' "$events" || :)
	"${kvmwardend[@]}" --backend tracepoint --policy-dir "$policies" >>"$said" 2>&1 \
		3>&- 8>&- </dev/null &
	daemon=$!
	children+=("$daemon")
	wait_until has_started "$((before + 1))"
}

has_started() {
	[ "$(grep -c '"event":"started"' "$events")" = "$1" ]
}

verify() {
	run "$PWD/build/kvmwarden" events verify "$@"
}

# intact LINES FILE...: nothing is wrong with them; sets output.
intact() {
	verify "${@:2}"
	same 0 "$status"
	has "lines           $1"
	has "intact, 0 warnings"
}

last_chain() {
	tail -n 1 "$1" | jq -r .chain
}

@test "a daemon's events are a chain, followers get them without it, and restarts go on with it" {
	local chain
	rule watcher KVM_SET_REGS audit
	start_daemon
	vm try=KVM_SET_REGS
	same 1 "$(my_ioctls .seq | wc -l)"
	run -0 "${kvmwarden[@]}" --json events -n 100
	same "" "$(jq -r '.chain // empty' <<<"$output")"
	stop_daemon
	same "$(wc -l <"$events")" "$(jq -r .chain "$events" | grep -cE '^[0-9a-f]{64}$')"
	intact 3 "$events"
	again
	vm try=KVM_SET_REGS
	stop_daemon
	intact 6 "$events"
	chain=$(last_chain "$events")
	has "chain           $chain"
	intact 6 --head "$chain" - <"$events"
	hasnt "not known"
	run -0 build/kvmwarden --json events verify "$events"
	same "true 6 genesis 0 0" "$(jq -r '[.intact, .lines, .from, .finding_count, .warning_count] | join(" ")' <<<"$output")"
}

@test "kill -9 and a restart leave a chain" {
	rule watcher KVM_SET_REGS audit
	start_daemon
	vm repeat=50:KVM_SET_REGS
	same 50 "$(my_ioctls .seq | wc -l)"
	kill -KILL "$daemon"
	wait_until is_over "$daemon"
	again
	vm try=KVM_SET_REGS
	stop_daemon
	intact 54 "$events"
}

@test "kill -9 in the middle of a storm, again and again, leaves a chain" {
	local i
	rule watcher KVM_SET_REGS audit
	start_daemon
	"$vmm" vm=default vcpu repeat=100000000:KVM_SET_REGS >"$work/storm" 2>&1 3>&- &
	children+=("$!")
	for i in 1 2 3; do
		kill -KILL "$daemon"
		wait_until is_over "$daemon"
		again
	done
	kill "${children[1]}"
	stop_daemon
	run build/kvmwarden --json events verify "$events"
	# What the last daemon was killed before telling is not the chain's matter.
	same "" "$(jq -r '.findings[] | select(.kind != "untold") | .text' <<<"$output")"
	[ "$(jq .lines <<<"$output")" -gt 100 ]
}

@test "a file that was moved away is followed by the next one, in this order only" {
	rule watcher KVM_SET_REGS audit
	start_daemon
	vm try=KVM_SET_REGS
	my_ioctls .seq
	mv "$events" "$events.1"
	kill -USR1 "$daemon"
	wait_until test -s "$events"
	vm try=KVM_SET_REGS
	stop_daemon
	same "started ioctl" "$(jq -r .event "$events.1" | xargs)"
	same "reopened ioctl stopped" "$(jq -r .event "$events" | xargs)"
	intact 5 "$events.1" "$events"
	verify "$events" "$events.1"
	same 1 "$status"
	has "$events:1: reordered: it is not in its place: it belongs behind $events.1:2"
	verify "$events"
	same 0 "$status"
	has "$events:1: warning: middle:"
	has "not known       what stood before the first line"
	intact 3 --start "$(last_chain "$events.1")" "$events"
}

@test "a file that cannot be opened again stays in use, and that is said" {
	mkdir "$work/log"
	events=$work/log/events
	start_daemon --events "$events"
	mv "$work/log" "$work/moved"
	kill -USR1 "$daemon"
	wait_until grep -q "cannot open '$events' again: No such file or directory; the old file stays in use" "$said"
	stop_daemon
	intact 2 "$work/moved/events"
}

@test "another file in the place of the one that was moved away is told of" {
	start_daemon
	cp "$events" "$work/other"
	"${kvmwarden[@]}" reload
	mv "$events" "$events.1"
	mv "$work/other" "$events"
	kill -USR1 "$daemon"
	wait_until said_event reopened
	has "chain-broken: '$events' does not end in what was written last" "$(cat "$said")"
	same "$(last_chain "$events.1")" "$(jq -r 'select(.event == "reopened").chain_expected' "$events")"
	stop_daemon
}

@test "what was changed, removed or moved is found, by file and line" {
	local sum
	rule watcher KVM_SET_REGS audit
	start_daemon
	vm repeat=20:KVM_SET_REGS
	same 20 "$(my_ioctls .seq | wc -l)"
	stop_daemon
	sum=$(last_chain "$events")
	sed '7s/audit/allow/' "$events" >"$work/changed"
	verify "$work/changed"
	same 1 "$status"
	has "$work/changed:7: changed: "
	has "not intact: 1 finding, 0 warnings"
	sed '7,9d' "$events" >"$work/removed"
	verify "$work/removed"
	same 1 "$status"
	has "$work/removed:7: missing: 3 lines are missing, or changed, before it: numbers 7 to 9"
	sed '7{h;d};12{G}' "$events" >"$work/moved"
	verify "$work/moved"
	same 1 "$status"
	has "$work/moved:12: reordered: "
	has "belongs behind $work/moved:6"
	sed '$d' "$events" >"$work/cut"
	verify "$work/cut"
	same 0 "$status"
	has "not known       lines cut off at the end"
	verify --head "$sum" "$work/cut"
	same 1 "$status"
	has "$work/cut:21: head: "
	intact 22 --head "$sum" "$events"
}

@test "a loss that was counted is told, and no tampering" {
	local lost
	rule watcher KVM_SET_REGS audit
	start_daemon
	kill -STOP "$daemon"
	vm repeat=4000:KVM_SET_REGS
	kill -CONT "$daemon"
	wait_until said_event lost
	lost=$(status_of .counters.events_lost)
	[ "$lost" -gt 0 ]
	stop_daemon
	intact "$(wc -l <"$events")" "$events"
	has "counted losses  $lost ring-full"
	# The line that tells of it is what covers it.
	grep -v '"event":"lost"' "$events" >"$work/untold"
	verify "$work/untold"
	same 1 "$status"
	has "missing: $((lost + 1)) lines are missing, or changed, before it"
}

@test "lines that could not be written are told once there is room again, and the chain holds" {
	local unwritten
	rule watcher KVM_SET_REGS audit
	start_daemon
	prlimit --pid "$daemon" --fsize=20000:
	vm repeat=200:KVM_SET_REGS
	wait_until grep -q "cannot write events: File too large; carrying on" "$said"
	same 20000 "$(wc -c <"$events")"
	prlimit --pid "$daemon" --fsize=unlimited:
	vm try=KVM_SET_REGS
	wait_until said_event lost
	unwritten=$(status_of .counters.events_unwritten)
	[ "$unwritten" -gt 100 ]
	stop_daemon
	verify "$events"
	same 0 "$status"
	has "counted losses  $unwritten unwritten"
	has "warning: torn: 1 line was cut short"
	has "intact, 1 warning"
}

@test "what reads recorded events takes those with a chain" {
	local trail=tests/trail/events.jsonl.1
	run -0 build/kvmwarden policy learn "$trail"
	has "KVM_SET_REGS"
	run -1 build/kvmwarden policy simulate tests/policies/tools/new "$trail"
	has "4 events replayed"
	hasnt "could not be read"
	run -0 build/kvmwarden --json events --file "$trail"
	same 5 "${#lines[@]}"
}

@test "a file that is none, and a command line that is none" {
	verify
	same 64 "$status"
	verify --head 12 "$events"
	same 64 "$status"
	has "no chain, which is 64 digits of 0-9 and a-f: '12'"
	verify "$work/none"
	same 65 "$status"
	has "cannot open $work/none: No such file or directory"
	: >"$work/empty"
	verify "$work/empty"
	same 65 "$status"
	has "$work/empty: no event with a chain in it"
	verify /bin/true
	same 1 "$status"
}
