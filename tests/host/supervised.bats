#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# Real refusals on this host's own KVM, without any LSM: VMMs started by 'kvmwarden run'.

load helper
load supervision

every_test() { needs_kvm; }

@test "register writes fail with the policy's errno, and everything else works" {
	deny_registers
	start_supervisor
	registers_are_refused

	as=()
	vm try=KVM_SET_REGS
	same "allowed -" "$(outcome)"
}

@test "by each entry, whatever stands in the high halves of the registers" {
	deny_registers
	start_supervisor
	vm our-errno=EACCES high=deadbeef try=KVM_SET_REGS
	same "refused-by-us EACCES" "$(outcome)"
	vm our-errno=EACCES entry=compat try=KVM_SET_REGS
	[ "$status" = 3 ] || same "refused-by-us EACCES" "$(outcome)"
	vm entry=compat try=KVM_GET_REGS
	[ "$status" = 3 ] || same "allowed -" "$(outcome)"
	vm our-errno=EACCES entry=x32 try=KVM_SET_REGS
	[ "$status" != 3 ] || skip "the kernel has no x32 entry (the others passed)"
	same "refused-by-us EACCES" "$(outcome)"
}

@test "from children that have the VMM's memory, and after exec" {
	deny_registers
	start_supervisor
	vm our-errno=EACCES clone-vm=KVM_SET_REGS
	same "refused-by-us EACCES" "$(outcome)"
	# KVM lets no other process use the VM.
	vm our-errno=EACCES fork=KVM_SET_REGS
	same "refused-by-kvm EIO" "$(outcome)"
	as=("${kvmwarden[@]}" run -- sh -c 'exec "$@"' sh)
	vm our-errno=EACCES try=KVM_SET_REGS
	same "refused-by-us EACCES" "$(outcome)"
}

@test "events are those of the LSM backend, but for its name" {
	deny_registers
	echo '  - {operations: ["@lifecycle"], verdict: audit}' >>"$policies/registers.yaml"
	start_supervisor
	vm our-errno=EACCES try=KVM_SET_REGS
	wait_until sh -c "grep -q vm-destroyed '$events'"
	same '["vm-created","audit","audit","KVM_CREATE_VM",null,"system","building","native","seccomp","default","registers",2]
["ioctl","deny","deny","KVM_SET_REGS","EACCES","vcpu","building","native","seccomp","default","registers",1]
["vm-destroyed","audit","audit","VM_DESTROY",null,"vm","building","native","seccomp","default","registers",2]' \
		"$(my_events '[.event, .verdict, .intended, .operation, .errno, .scope, .state, .entry,
			.backend, .vm.type, .policy, .rule]')"
	same 1 "$(my_events .vm.id | sort -u | wc -l)"
	"${kvmwarden[@]}" events verify "$events"
}

@test "no descriptor game gets through: 100,000 tries of each, and they do without us" {
	local mode
	deny_registers
	start_supervisor
	for mode in swap hide late; do
		# It is a matter of chance on a busy host: it may take a few more.
		for _ in $(seq 20); do
			run build/tests/swap "$mode" 20000
			same 0 "$status"
			[[ $output =~ passed=([0-9]+) ]]
			[ "${BASH_REMATCH[1]}" = 0 ] || break
		done
		echo "# note: unprotected: $output" >&3
		[ "${BASH_REMATCH[1]}" -gt 0 ]

		run "${as[@]}" build/tests/swap "$mode" 100000
		same 0 "$status"
		echo "# note: under kvmwarden run: $output" >&3
		has " passed=0 "
		[[ $output =~ refused=([1-9][0-9]*) ]]
	done
}

@test "what is audited, killed, excepted and switched is so here as well" {
	rule report KVM_SET_REGS audit
	rule killer KVM_SET_FPU kill
	rule refuse KVM_SET_SREGS deny
	start_supervisor
	as=("${kvmwarden[@]}" run --)
	hold_vm hold our-errno=EPERM try=KVM_SET_REGS try=KVM_SET_SREGS try=KVM_SET_FPU
	"${kvmwarden[@]}" allow --vm "$(my_vms .id)" --operation KVM_SET_SREGS --for 60s --reason test
	exec 8>&-
	ends "$vm_pid" 137
	same "audit KVM_SET_REGS null
allow KVM_SET_SREGS null
kill KVM_SET_FPU \"EPERM\"" "$(my_ioctls '"\(.verdict) \(.operation) \(.errno | tojson)"')"

	"${kvmwarden[@]}" policy mode killer audit
	vm our-errno=EPERM try=KVM_SET_FPU try=KVM_SET_SREGS
	same 0 "$status"
	same "native KVM_SET_FPU allowed -
native KVM_SET_SREGS refused-by-us EPERM" "$(tried)"
}

@test "a reload reaches VMMs that run" {
	rule refuse KVM_SET_REGS allow
	rule other KVM_SET_REGS audit
	start_supervisor
	hold_vm hold our-errno=EPERM try=KVM_SET_REGS
	rule refuse KVM_SET_REGS deny
	"${kvmwarden[@]}" reload
	release_vm
	has "KVM_SET_REGS	refused-by-us	EPERM" "$(<"$work/held")"
}

@test "what policies begin to name reaches VMMs that are started then, and of others it is said" {
	rule registers KVM_SET_REGS deny
	start_supervisor
	hold_vm our-errno=EPERM hold try=KVM_SET_REGS try=KVM_SET_FPU
	same 0 "$(status_of .supervision.outdated)"
	rule fpu KVM_SET_FPU deny
	"${kvmwarden[@]}" reload
	same 1 "$(status_of .supervision.outdated)"
	same auditing "$(status_of .enforcement)"
	run "${kvmwarden[@]}" status
	same 1 "$status"
	has "1 of them under a filter that is older than what policies name now"
	has "does not ask about KVM_SET_FPU" "$(jq -r 'select(.event == "launch-outdated") | .message' "$events")"
	vm our-errno=EPERM try=KVM_SET_FPU
	same "refused-by-us EPERM" "$(outcome)"
	release_vm
	has "KVM_SET_REGS	refused-by-us	EPERM" "$(<"$work/held")"
	# This is what there was to be said.
	has "KVM_SET_FPU	allowed" "$(<"$work/held")"
	wait_until said_event launch-ended
	same "supervising 0" "$(status_of '.enforcement + " \(.supervision.outdated)"')"
}

@test "a launch may have policies of its own" {
	mkdir "$work/own"
	deny_registers ENODEV
	mv "$policies/registers.yaml" "$work/own"
	start_supervisor
	vm try=KVM_SET_REGS
	same "allowed -" "$(outcome)"
	as=("${kvmwarden[@]}" run --policy-set "$work/own" --)
	vm our-errno=ENODEV try=KVM_SET_REGS
	same "refused-by-us ENODEV" "$(outcome)"
	same "\"$work/own\"" "$(jq -c 'select(.event == "launch-started") | .policy_set' "$events" |
		tail -n 1)"
	same registers "$(my_ioctls .policy)"

	as=("${kvmwarden[@]}" run --policy-set "$work/nowhere" --)
	vm
	same 1 "$status"
	has "$work/nowhere" "$stderr"
}

@test "what cannot be decided soundly is not started" {
	cp policies/optional/no-mirror.yaml "$policies"
	start_supervisor
	vm
	same 1 "$status"
	has "$policies/no-mirror.yaml:20: KVM_CAP_VM_COPY_ENC_CONTEXT_FROM" "$stderr"
	has "nothing was started" "$stderr"
	hasnt "KVM_RUN"
	run "${kvmwarden[@]}" status
	same 1 "$status"
	has "auditing: $policies/no-mirror.yaml:20: KVM_CAP_VM_COPY_ENC_CONTEXT_FROM"

	# What can be decided takes its place; back to the other there is no way.
	rm "$policies/no-mirror.yaml"
	deny_registers
	"${kvmwarden[@]}" reload
	same supervising "$(status_of .enforcement)"
	hold_vm hold our-errno=EACCES try=KVM_SET_REGS
	cp policies/optional/no-mirror.yaml "$policies"
	run "${kvmwarden[@]}" reload
	same 1 "$status"
	has "$policies/no-mirror.yaml:20:"
	same supervising "$(status_of .enforcement)"
	release_vm
	has "KVM_SET_REGS	refused-by-us	EACCES" "$(<"$work/held")"
}

@test "the VMM has no descriptor of ours, cannot gain privileges, and keeps its own" {
	start_supervisor
	local script='ls /proc/self/fd | tr "\n" " "' own
	own=$(sh -c "$script" 7</dev/null)
	same "$own" "$("${as[@]}" sh -c "$script" 7</dev/null)"
	has " 7 " "$own"
	run "${as[@]}" cat /proc/self/status
	has "NoNewPrivs:	1"
	has "Seccomp:	2"
	run "${as[@]}" sh -c 'echo $$; exit 42'
	same 42 "$status"
}

@test "a wrapper, as libvirt wants one for an emulator, is the VMM: its pid, arguments, output and status" {
	deny_registers
	start_supervisor
	cat >"$work/emulator" <<-END
		#!/bin/sh
		exec ${kvmwarden[*]@Q} run -- "$vmm" "\$@"
	END
	chmod 0755 "$work/emulator"
	run --separate-stderr "$work/emulator" our-errno=EACCES vm=default vcpu try=KVM_SET_REGS
	same "0 refused-by-us EACCES" "$status $(outcome)"
	run --separate-stderr "$work/emulator" no-such-step
	same 2 "$status"
	sed -i "s|\"$vmm\"|/bin/sh -c 'echo \$\$'|" "$work/emulator"
	"$work/emulator" >"$work/pid" 3>&- 8>&- &
	local pid=$!
	wait "$pid"
	same "$pid" "$(<"$work/pid")"
}

@test "the keeper is nobody's child, cannot be looked into, and ends with the VMM" {
	local keeper
	start_supervisor
	hold_vm hold
	keeper=$(pgrep -f "run -- $vmm vm=default vcpu hold" | grep -vx "$vm_pid")
	[ -n "$keeper" ]
	hasnt "PPid:	$vm_pid" "$(<"/proc/$keeper/status")"
	# Of what is not dumpable root owns everything.
	run setpriv --reuid nobody --regid nogroup --clear-groups ls "/proc/$keeper/fd"
	[ "$status" != 0 ]
	release_vm
	wait_until is_over "$keeper"
}

@test "without a daemon nothing is started" {
	as=("${kvmwarden[@]}" run --)
	vm marker=started
	same 69 "$status"
	has "nothing was started" "$stderr"
	hasnt started
	run --separate-stderr "${kvmwarden[@]}" run "$vmm"
	same 64 "$status"
	start_supervisor
	run -127 --separate-stderr "${kvmwarden[@]}" run -- "$work/missing"
	has "cannot execute" "$stderr"
}

@test "it waits for a daemon that is about to start" {
	deny_registers
	{ sleep 1; "${kvmwardend[@]}" --backend seccomp --policy-dir "$policies" >>"$said" 2>&1 3>&- & echo $! >"$work/pid"; wait; } &
	children+=($!)
	as=("${kvmwarden[@]}" run --wait 15 --)
	vm our-errno=EACCES try=KVM_SET_REGS
	children+=("$(<"$work/pid")")
	same "refused-by-us EACCES" "$(outcome)"
}

@test "the next daemon goes on where one was killed, also with who waits" {
	deny_registers
	start_supervisor
	who_waits_is_answered_by_the_next
}

@test "if none comes, what is asked about fails, and nothing hangs" {
	deny_registers
	start_supervisor
	as=("${kvmwarden[@]}" run --keep 1 --)
	hold_vm our-errno=ENOSYS hold try=KVM_SET_REGS try=KVM_GET_REGS
	kill -KILL "$daemon"
	release_vm
	has "KVM_SET_REGS	refused-by-us	ENOSYS" "$(<"$work/held")"
	has "KVM_GET_REGS	allowed" "$(<"$work/held")"
}

@test "under the tracepoint backend it refuses, too, and tells once" {
	deny_registers
	start_daemon
	as=("${kvmwarden[@]}" run --)
	vm our-errno=EACCES try=KVM_SET_REGS
	same "refused-by-us EACCES" "$(outcome)"
	same "deny EACCES seccomp" "$(my_ioctls '[.verdict, .errno, .backend] | join(" ")')"
	as=()
	forget_events
	vm try=KVM_SET_REGS
	same "allowed -" "$(outcome)"
	same "audit deny tracepoint" "$(my_ioctls '[.verdict, .intended, .backend] | join(" ")')"
}

@test "status tells who is supervised, and who is not" {
	deny_registers
	start_supervisor
	run "${kvmwarden[@]}" status
	same 0 "$status"
	has "supervising: "
	hold_vm hold
	same "true" "$(my_vms .supervised)"
	same "1 0" "$(status_of '"\(.supervision.launches) \(.supervision.vms_unsupervised)"')"
	release_vm
	as=()
	hold_vm hold
	same "false" "$(my_vms .supervised)"
	run "${kvmwarden[@]}" status
	same 1 "$status"
	has "not started by 'kvmwarden run'"
	release_vm
}

@test "unsupervised: what needs nobody is refused by the filter alone" {
	cat >"$policies/plain.yaml" <<-END
		policy: plain
		rules: [{operations: [KVM_SET_REGS], verdict: deny, errno: ENOTTY}]
	END
	as=("${kvmwarden[@]}" --policy-dir "$policies" run --unsupervised --)
	vm our-errno=ENOTTY try=KVM_SET_REGS entry=compat try=KVM_SET_REGS entry=native try=KVM_SET_FPU
	same "refused-by-us ENOTTY" "$(awk -F'\t' '$5 == "KVM_SET_REGS" { print $6, $7 }' <<<"$output" | sort -u | grep -v could)"
	same "allowed -" "$(outcome)"
	deny_registers
	vm
	same 1 "$status"
	has "registers.yaml:5: error: KVM_SET_REGS and 7 more" "$stderr"
	has "a filter alone does not know the type of a VM" "$stderr"
}

@test "killing the daemon at any moment of 100 launches leaves none hanging and none unprotected" {
	run tests/hostile/launches 100
	echo "# note: $output" >&3
	same 0 "$status"
	has " unprotected=0 hanging=0 "
}
