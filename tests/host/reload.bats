#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# A new policy set while the daemon runs.

load helper

every_test() { needs_kvm; }

@test "SIGHUP puts a new set in force, as the next generation" {
	rule watcher KVM_SET_REGS audit
	start_daemon
	vm try=KVM_SET_REGS try=KVM_SET_SREGS
	same "KVM_SET_REGS 1" "$(my_ioctls '[.operation, .generation] | join(" ")')"
	forget_events
	rule watcher KVM_SET_SREGS audit
	rule another KVM_SET_FPU audit
	kill -HUP "$daemon"
	wait_until said_event policy-loaded
	same "2 2" "$(jq -r 'select(.event == "policy-loaded") | [.generation, .policies] | join(" ")' \
		"$events")"
	same 2 "$(status_of .generation)"
	vm try=KVM_SET_REGS try=KVM_SET_SREGS
	same "KVM_SET_SREGS 2" "$(my_ioctls '[.operation, .generation] | join(" ")')"
	has "generation 2 is in force: 2 policies" "$(cat "$said")"
}

@test "a VM that lives through a reload is decided by the new set" {
	rule watcher KVM_SET_REGS audit
	start_daemon
	hold_vm try=KVM_SET_REGS hold try=KVM_SET_REGS marker=survived
	rule watcher KVM_SET_REGS kill
	"${kvmwarden[@]}" reload
	exec 8>&-
	ends "$vm_pid" 137
	hasnt survived "$(cat "$work/held")"
	same "audit 1 kill 2" "$(my_ioctls '[.verdict, .generation] | join(" ")' | xargs)"
}

@test "SIGHUP with a broken set changes nothing, and says by place and hint what is wrong" {
	rule watcher KVM_SET_REGS audit
	start_daemon
	rule watcher KVM_SET_RGES kill
	kill -HUP "$daemon"
	wait_until said_event policy-refused
	same "$policies/watcher.yaml 6 23 1" "$(jq -r 'select(.event == "policy-refused") |
		[.file, .line, .column, .generation] | join(" ")' "$events")"
	has "$policies/watcher.yaml:6:23: error: unknown operation 'KVM_SET_RGES'" "$(cat "$said")"
	has "hint: did you mean 'KVM_SET_REGS'?" "$(cat "$said")"
	has "generation 1 stays in force" "$(cat "$said")"
	has "watcher.yaml:6:23" "$(status_of .policy_error)"
	same 1 "$(status_of .generation)"
	vm try=KVM_SET_REGS run
	has "KVM_RUN"
	same "audit 1" "$(my_ioctls '[.verdict, .generation] | join(" ")')"

	rule watcher KVM_SET_REGS kill
	kill -HUP "$daemon"
	wait_until said_event policy-loaded
	same "null 2" "$(status_of '[(.policy_error | tojson), .generation] | join(" ")')"
	vm try=KVM_SET_REGS
	same 137 "$status"
}

@test "one broken file among good ones keeps the whole old set" {
	rule watcher KVM_SET_REGS audit
	start_daemon
	rule watcher KVM_SET_SREGS audit
	rule broken KVM_SET_RGES audit
	run -1 "${kvmwarden[@]}" reload
	vm try=KVM_SET_REGS try=KVM_SET_SREGS
	same "KVM_SET_REGS" "$(my_ioctls .operation)"
}

@test "'kvmwarden reload' puts a new set in force and names its generation" {
	start_daemon
	vm try=KVM_SET_REGS
	same "" "$(my_ioctls .)"
	rule watcher KVM_SET_REGS audit
	run -0 "${kvmwarden[@]}" reload
	has "Generation 2"
	run -0 "${kvmwarden[@]}" --json reload
	same 3 "$(jq .generation <<<"$output")"
	vm try=KVM_SET_REGS
	same 3 "$(my_ioctls .generation)"
}

@test "'kvmwarden reload' of a broken set exits 1, says what is wrong, and changes nothing" {
	rule watcher KVM_SET_REGS audit
	start_daemon
	rule watcher KVM_SET_RGES kill
	run -1 "${kvmwarden[@]}" reload
	has "$policies/watcher.yaml:6:23: error: unknown operation 'KVM_SET_RGES'"
	has "did you mean 'KVM_SET_REGS'?"
	said_event policy-refused
	same 1 "$(status_of .generation)"
	vm try=KVM_SET_REGS
	same "audit 1" "$(my_ioctls '[.verdict, .generation] | join(" ")')"
}

refused_so_often() {
	[ "$(grep -c '"event":"policy-refused"' "$events")" = "$1" ]
}

@test "'kvmwarden reload', SIGHUP and the unit's ExecReload say the same of a broken set" {
	local message reload
	message="$policies/watcher.yaml:6:23: error: unknown operation 'KVM_SET_RGES'"
	rule watcher KVM_SET_REGS audit
	start_daemon
	rule watcher KVM_SET_RGES kill
	run -1 "${kvmwarden[@]}" reload
	has "$message"
	reload=$(sed -n 's|^ExecReload=/usr/bin/kvmwarden ||p' systemd/kvmwardend.service)
	# shellcheck disable=SC2086 # words of a command line
	run -1 "${kvmwarden[@]}" $reload
	has "$message"
	kill -HUP "$daemon"
	wait_until refused_so_often 3
	same 3 "$(grep -cF "$message" "$said")"
	same 1 "$(jq -r 'select(.event == "policy-refused") | .message' "$events" | sort -u | wc -l)"
}

@test "'kvmwarden policy mode' switches a policy, which a reload leaves as it is" {
	rule watcher KVM_SET_REGS kill
	start_daemon
	run -0 "${kvmwarden[@]}" policy mode watcher audit
	has "generation 2"
	vm try=KVM_SET_REGS
	same 0 "$status"
	same "audit kill" "$(my_ioctls '[.verdict, .intended] | join(" ")')"
	run -0 "${kvmwarden[@]}" reload
	same "audit enforce" "$(status_of '.policies[0] | [.mode, .file_mode] | join(" ")')"
	run -0 "${kvmwarden[@]}" policy mode watcher file
	vm try=KVM_SET_REGS
	same 137 "$status"
	same "audit enforce" "$(jq -r 'select(.event == "policy-mode") | .mode' "$events" | xargs)"
	run -1 "${kvmwarden[@]}" policy mode nobody audit
	has "there is no policy 'nobody' in force"
	run -64 "${kvmwarden[@]}" policy mode watcher loud
}

@test "an exception spares a VM from being killed, for a while" {
	local id
	rule watcher KVM_SET_REGS kill
	start_daemon
	hold_vm hold try=KVM_SET_REGS marker=survived
	id=$("${kvmwarden[@]}" --json vms | jq --argjson pid "$vm_pid" \
		'.vms[] | select(.creator.pid == $pid) | .id')
	run -0 "${kvmwarden[@]}" allow --vm "$id" --operation KVM_SET_REGS --for 1min --reason "a test"
	has "Exception 1: VM $id may use KVM_SET_REGS until "
	exec 8>&-
	ends "$vm_pid" 0
	has survived "$(cat "$work/held")"
	same "allow kill 1" "$(my_ioctls '[.verdict, .intended, .exception] | join(" ")')"
	wait_until said_event exception-ended
	same "the VM is gone" "$(jq -r 'select(.event == "exception-ended") | .why' "$events")"
}

@test "a policy that root does not own, or others can write, is refused" {
	rule watcher KVM_SET_REGS audit
	start_daemon
	chmod 0666 "$policies/watcher.yaml"
	run -1 "${kvmwarden[@]}" reload
	has "can be written by others than root"
	chmod 0644 "$policies/watcher.yaml"
	chown 4242 "$policies/watcher.yaml"
	run -1 "${kvmwarden[@]}" reload
	has "belongs to uid 4242, not to root"
	chown 0 "$policies/watcher.yaml"
	run -0 "${kvmwarden[@]}" reload
}

@test "64 policies are in force at once, and the last of them decides" {
	local i
	for i in $(seq -w 63); do
		rule "p$i" KVM_SET_SREGS audit
	done
	rule p64 KVM_SET_REGS kill
	start_daemon
	same 64 "$(status_of '.policies | length')"
	vm try=KVM_SET_SREGS
	same "p01" "$(my_ioctls .policy)"
	vm try=KVM_SET_REGS
	same 137 "$status"
}
