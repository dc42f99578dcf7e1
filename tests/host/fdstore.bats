#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# What the service manager keeps between daemons: VMMs that run are answered by the next one, and
# whatever else lies in the store stops nothing.

load helper

every_test() { needs_kvm; }

# manage ARGUMENT...: our daemon under tests/hostile/manager, with these arguments of that.
manage() {
	: >"$events"
	build/tests/manager "$@" "$work/notify" "${kvmwardend[@]}" --backend seccomp \
		--policy-dir "$policies" >"$work/managed" 2>>"$said" 3>&- 8>&- </dev/null &
	manager=$!
	children+=("$manager")
	wait_until said_event started
	daemon=$(status_of .pid)
}

# another SIGNAL: the daemon is ended so, and there is the next one.
another() {
	local before=$daemon
	kill "-$1" "$daemon"
	wait_until is_another "$before"
	daemon=$(status_of .pid)
}

is_another() {
	local pid
	pid=$(status_of .pid 2>>"$work/err")
	[ -n "$pid" ] && [ "$pid" != "$1" ]
}

deny() {
	cat >"$policies/registers.yaml" <<-END
		policy: registers
		match: {vm-types: [default]}
		rules: [{operations: [KVM_SET_REGS], verdict: deny, errno: EACCES, rate-limit: none}]
	END
}

@test "VMMs that run are answered by the next daemon, however the last one ended" {
	deny
	manage
	# The keeper does not wait for it: what is known is known from the store.
	as=("${kvmwarden[@]}" run --keep 0 --)
	hold_vm our-errno=EACCES hold try=KVM_SET_REGS try=KVM_GET_REGS try=KVM_SET_FPU
	wait_until grep -q '^stored 2$' "$work/managed"
	another KILL
	another TERM
	another KILL
	same "3" "$(grep -c '^started [0-9]* 2$' "$work/managed")"
	same 1 "$(status_of .supervision.launches)"
	release_vm
	has "KVM_SET_REGS	refused-by-us	EACCES" "$(<"$work/held")"
	has "KVM_GET_REGS	allowed" "$(<"$work/held")"
	has "KVM_SET_FPU	allowed" "$(<"$work/held")"
	same "launch-resumed launch-resumed launch-resumed launch-started" \
		"$(jq -rR 'fromjson? | .event | select(test("launch-(started|resumed)"))' "$events" | sort | xargs)"
	# What has ended is not kept.
	wait_until grep -q '^stored 0$' "$work/managed"
	same 0 "$(status_of .supervision.launches)"
	kill "$manager"
	ends "$manager" 0
}

@test "what is no launch is let go, is told of, and stops nothing" {
	deny
	manage --garbage
	same "$(readlink "/proc/$manager/exe")" "$PWD/build/tests/manager"
	# None of it is left open in the daemon.
	same 0 "$(find "/proc/$daemon/fd" -lname '*memfd:short*' | wc -l)"
	same 0 "$(status_of .supervision.launches)"
	same "launch-0123456789abcdef0123456789abcdef: the descriptor is no listener of seccomp
launch-1: the descriptor is no listener of seccomp
launch-alone: the service manager kept no record of it
launch-: the service manager kept no record of it
something: what the service manager kept is none of ours" \
		"$(jq -r 'select(.event == "launch-refused") | .name + ": " + .message' "$events")"
	as=("${kvmwarden[@]}" run --)
	vm our-errno=EACCES try=KVM_SET_REGS
	same "refused-by-us EACCES" "$(outcome)"
	kill "$manager"
	ends "$manager" 0
}
