#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# Kill, deny and audit by the tracepoint backend, which every kernel takes: it cannot refuse, but
# it must tell, and kill.

load helper

every_test() { needs_kvm; }

@test "kill kills the VMM before its vCPU runs with the new registers" {
	start_daemon
	vm reg=rbx:1234 try=KVM_SET_REGS show-regs run
	same 0 "$status"
	has "KVM_RUN"
	has "rbx=0x1234"

	rule killer KVM_SET_REGS kill
	"${kvmwarden[@]}" reload
	vm reg=rbx:1234 try=KVM_SET_REGS show-regs run
	same 137 "$status"
	hasnt "KVM_RUN"
	hasnt "rbx"
	same "kill kill KVM_SET_REGS killer 6 native" "$(my_ioctls '[.verdict, .intended, .operation,
		.policy, .line, .entry] | join(" ")')"
}

@test "kill kills by the 32-bit entry as well" {
	start_daemon
	vm entry=compat try=KVM_SET_REGS run
	[ "$status" != 3 ] || skip "this kernel has no 32-bit entry"
	same 0 "$status"
	has "KVM_RUN"

	rule killer KVM_SET_REGS kill
	"${kvmwarden[@]}" reload
	vm entry=compat try=KVM_SET_REGS run
	same 137 "$status"
	hasnt "KVM_RUN"
	same "kill compat" "$(my_ioctls '[.verdict, .entry] | join(" ")')"
}

@test "kill kills whatever stands in the high halves of the registers" {
	rule killer KVM_SET_REGS kill
	start_daemon
	vm high=deadbeef try=KVM_SET_REGS run
	same 137 "$status"
	hasnt "KVM_RUN"
}

@test "kill on KVM_CREATE_VM leaves no VM to use" {
	rule killer KVM_CREATE_VM kill
	start_daemon
	vm marker=survived
	same 137 "$status"
	hasnt "survived"
	same "kill KVM_CREATE_VM" "$(my_ioctls '[.verdict, .operation] | join(" ")')"
}

@test "kill strikes only the VMM that the policy names" {
	rule killer KVM_SET_REGS kill
	start_daemon
	run -0 build/tests/probe vm=default vcpu try=KVM_SET_REGS run
	has "KVM_RUN"
}

@test "kill in a policy in mode audit is only told" {
	rule killer KVM_SET_REGS kill audit
	start_daemon
	vm try=KVM_SET_REGS run
	same 0 "$status"
	same "audit kill" "$(my_ioctls '[.verdict, .intended] | join(" ")')"
}

# --- deny, where it cannot be done --------------------------------------------

@test "deny is told as audit with what was intended, and status says auditing and exits 1" {
	rule denier KVM_SET_REGS deny
	start_daemon
	vm try=KVM_SET_REGS
	same "allowed -" "$(outcome)"
	same "audit deny null denier" "$(my_ioctls \
		'[.verdict, .intended, (.errno | tojson), .policy] | join(" ")')"
	run -1 "${kvmwarden[@]}" status
	has "auditing: policies in force say deny"
	run -1 "${kvmwarden[@]}" --json status
	same "auditing false" "$(jq -r '[.enforcement, .refuses] | join(" ")' <<<"$output")"
	has "warning: policies in force say deny" "$(cat "$said")"
}

@test "where policies only audit and kill, the same backend is enforcing, and status exits 0" {
	rule watcher KVM_SET_REGS audit
	rule killer KVM_SET_SREGS kill
	rule wisher KVM_SET_FPU deny audit
	start_daemon
	run -0 "${kvmwarden[@]}" status --wait 10
	has "enforcing: tracepoint backend, 3 policies"
	hasnt "warning" "$(cat "$said")"
}

@test "deny of KVM_CREATE_VM is told at the birth" {
	rule denier KVM_CREATE_VM deny
	start_daemon
	vm marker=created
	has "created"
	same "vm-created audit deny" "$(my_events '[.event, .verdict, .intended] | join(" ")')"
}

@test "the shipped policies say nothing of the registers of a VM whose registers are open" {
	launch --backend tracepoint --policy-dir "$shipped"
	vm try=@set-registers run
	same "vm-created vm-destroyed" "$(my_events .event | xargs)"
}
