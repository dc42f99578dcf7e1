# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # helper.bash has the variables
# What tests of VMMs under 'kvmwarden run' share, whoever decides.

supervisor=seccomp # the daemon's backend

start_supervisor() {
	launch --backend "$supervisor" --policy-dir "$policies"
	as=("${kvmwarden[@]}" run --)
}

# deny_registers [ERRNO [TYPES]]: to VMs of these types, else to those KVM takes for plain ones.
deny_registers() {
	cat >"$policies/registers.yaml" <<-END
		policy: registers
		match:
		  vm-types: [${2:-default, legacy-sev-es}]
		rules:
		  - {operations: ["@set-registers"], verdict: deny, errno: ${1:-EACCES}, rate-limit: none}
	END
}

# tried: each attempt of the VMM, as "ENTRY OPERATION OUTCOME ERRNO".
tried() {
	awk -F'\t' 'NF >= 7 { print $3, $5, $6, $7 }' <<<"$output"
}

# registers_are_refused: to be written; all else works.
registers_are_refused() {
	vm our-errno=EACCES try=KVM_SET_REGS try=KVM_SET_SREGS try=KVM_SET_FPU try=@get-registers run
	same 0 "$status"
	same "native KVM_SET_REGS refused-by-us EACCES
native KVM_SET_SREGS refused-by-us EACCES
native KVM_SET_FPU refused-by-us EACCES" "$(tried | head -n 3)"
	same 8 "$(tried | grep -c '^native KVM_GET_.* allowed -$')"
	has "KVM_RUN"
}

# who_waits_is_answered_by_the_next: a daemon is killed, and a VMM asks before there is another one.
who_waits_is_answered_by_the_next() {
	as=("${kvmwarden[@]}" run --keep 30 --)
	hold_vm our-errno=EACCES hold try=KVM_SET_REGS try=KVM_GET_REGS
	kill -KILL "$daemon"
	wait_until is_over "$daemon"
	# It asks while there is nobody, and waits.
	exec 8>&-
	sleep 0.5
	run ! is_over "$vm_pid"
	launch --backend "$supervisor" --policy-dir "$policies"
	ends "$vm_pid" 0
	has "KVM_SET_REGS	refused-by-us	EACCES" "$(<"$work/held")"
	has "KVM_GET_REGS	allowed" "$(<"$work/held")"
	said_event launch-resumed
}
