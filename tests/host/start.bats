#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# The daemon's start and end on this host's own KVM, and who may ask it what.

load helper

every_test() { needs_kvm; }

@test "the daemon says which backend it chose, and why not each stronger one, in a sentence each" {
	local backend stronger
	launch --policy-dir "$shipped"
	backend=$(status_of .backend)
	has "backend $backend, 3 policies, proved by the native and the 32-bit entry" "$(cat "$said")"
	stronger=$(status_of '.refusals[].backend' | xargs)
	case $backend in
	lsm) same "" "$stronger" ;;
	fmod_ret) same "lsm" "$stronger" ;;
	tracepoint) same "lsm fmod_ret" "$stronger" ;;
	esac
	for backend in $stronger; do
		same 1 "$(grep -c "^kvmwardend: backend $backend does not work here: ..." "$said")"
	done
	same 0 "$(grep -c '^libbpf:' "$said")"
}

@test "SIGTERM ends the daemon with 0: its socket and its programs are gone, its last event says so" {
	start_daemon
	[ -S "$socket" ]
	stop_daemon TERM
	[ ! -e "$socket" ]
	same stopped "$(tail -n 1 "$events" | jq -r .event)"
	nothing_left
}

@test "SIGINT ends it just so" {
	start_daemon
	stop_daemon INT
	[ ! -e "$socket" ]
}

@test "a backend that cannot refuse does not start under --require deny" {
	fails 69 "--require deny" "${kvmwardend[@]}" --policy-dir "$shipped" --backend tracepoint --require deny
	has "not enforcing anything" "$stderr"
	[ ! -e "$socket" ]
}

@test "under --require deny alone the daemon refuses ioctls or does not start" {
	launch --policy-dir "$shipped"
	if [ "$(status_of .refuses)" = true ]; then
		skip "a backend that refuses works here"
	fi
	stop_daemon
	fails 69 "backend tracepoint does not work here" "${kvmwardend[@]}" --policy-dir "$shipped" \
		--require deny
	has "backend lsm does not work here" "$stderr"
	has "backend fmod_ret does not work here" "$stderr"
}

@test "with --no-pin nothing is left of a daemon that was killed, and a new one takes its socket" {
	rule killer KVM_SET_REGS kill
	start_daemon
	vm try=KVM_SET_REGS
	same 137 "$status"
	kill -KILL "$daemon"
	ends "$daemon" 137
	[ -S "$socket" ]
	nothing_left
	vm try=KVM_SET_REGS
	same 0 "$status"
	start_daemon
	vm try=KVM_SET_REGS
	same 137 "$status"
}

@test "a second daemon on the same socket is refused in a sentence, and the first one stays" {
	start_daemon
	fails 71 "another one listens on '$socket'" "${kvmwardend[@]}" --events "$work/other.jsonl" \
		--backend tracepoint --policy-dir "$shipped"
	same "$daemon" "$(status_of .pid)"
	[ ! -s "$work/other.jsonl" ]
}

@test "without --events the events are JSON lines on standard output" {
	: >"$events" # which the shell of the daemon creates when it comes to it
	build/kvmwardend --no-pin --backend tracepoint --socket "$socket" --policy-dir "$shipped" \
		>"$events" 2>"$said" 3>&- </dev/null &
	daemon=$!
	children+=("$daemon")
	wait_until is_ready
	vm
	"${kvmwarden[@]}" vms
	stop_daemon
	same "started vm-created vm-destroyed stopped" \
		"$(jq -r --arg exe "$vmm" 'select(.process == null or .process.exe == $exe) | .event' \
			"$events" | xargs)"
}

@test "who is neither root nor in the group may not ask, and is told so" {
	start_daemon
	cp build/kvmwarden "$work/kvmwarden"
	run -0 "$work/kvmwarden" --socket "$socket" vms
	run -77 setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$work/kvmwarden" --socket "$socket" vms
	has "no permission"
}

@test "unload ends the daemon" {
	rule killer KVM_SET_REGS kill
	start_daemon
	run -0 "${kvmwarden[@]}" unload --yes
	ends "$daemon" 0
	nothing_left
	vm try=KVM_SET_REGS run
	has "KVM_RUN"
}
