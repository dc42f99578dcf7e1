#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# 'kvmwarden run' at its edges: what it says, other filters, other processes, policies that change.

load helper
load supervision

every_test() { needs_kvm; }

@test "it says what it takes, and how it ends" {
	run -0 "${kvmwarden[@]}" run --help
	has "Usage: kvmwarden run"
	# Behind "--" it is the VMM's.
	start_supervisor
	# shellcheck disable=SC2016 # for the inner shell
	run -0 "${as[@]}" sh -c 'printf "%s\n" "$1"' sh --help
	same "--help" "$output"
	run -0 "${kvmwarden[@]}" help
	has "starts a VMM under a seccomp filter"
	run -64 --separate-stderr "${kvmwarden[@]}" run --keep soon -- true
	has "--keep wants seconds" "$stderr"
	run -126 --separate-stderr "${as[@]}" "$work"
	run -127 --separate-stderr "${as[@]}" "$work/missing"
	run -42 "${as[@]}" sh -c 'exit 42'
}

@test "under a filter with a listener there is no second one: nothing is started" {
	start_supervisor
	run -69 --separate-stderr "${as[@]}" "${as[@]}" echo started
	has "it is under a filter with a listener already, and the kernel allows one" "$stderr"
	hasnt started
}

@test "a filter without a listener goes with ours, and the stricter answer counts" {
	mkdir "$work/own"
	rule refuse KVM_SET_REGS deny
	printf 'policy: own\nrules: [{operations: [KVM_SET_SREGS], verdict: deny, errno: ENODEV}]\n' >"$work/own/own.yaml"
	start_supervisor
	as+=("${kvmwarden[@]}" run --unsupervised --policy-set "$work/own" --)
	vm our-errno=EPERM try=KVM_SET_REGS try=KVM_SET_SREGS try=KVM_SET_FPU
	same "KVM_SET_REGS refused-by-us EPERM
KVM_SET_SREGS refused-by-kvm ENODEV
KVM_SET_FPU allowed -" "$(awk -F'\t' 'NF >= 7 { print $5, $6, $7 }' <<<"$output")"
}

@test "ioctls on /dev/kvm are decided by who asks, with a VM and without, by each way of asking" {
	local backend
	rule refuse KVM_GET_MSR_INDEX_LIST deny
	sed -i '/vm-types/d' "$policies/refuse.yaml"
	rule creation KVM_CREATE_VM deny
	sed -i 's/vm-types: .*/vm-types: [sev-snp]/' "$policies/creation.yaml"
	for backend in seccomp seccomp-plain tracepoint; do
		launch --backend "$backend" --policy-dir "$policies"
		as=("${kvmwarden[@]}" run --)
		run "${as[@]}" "$vmm" vm=default close=vm our-errno=EPERM fd=system try=KVM_GET_MSR_INDEX_LIST \
			try=KVM_GET_API_VERSION
		same "KVM_GET_MSR_INDEX_LIST refused-by-us
KVM_GET_API_VERSION allowed" "$(awk -F'\t' 'NF >= 7 { print $5, $6 }' <<<"$output")"
		vm our-errno=EPERM fd=system try=KVM_GET_MSR_INDEX_LIST fd=vcpu raw-vm=4
		has "KVM_GET_MSR_INDEX_LIST	refused-by-us	EPERM"
		has "EPERM" "$(grep KVM_CREATE_VM <<<"$output$stderr")"
		same 2 "$(my_ioctls 'select(.operation == "KVM_GET_MSR_INDEX_LIST") | .seq' | wc -l)"
		stop_daemon
	done
	as=()
	vm fd=system try=KVM_GET_MSR_INDEX_LIST
	hasnt refused-by-us
}

@test "a rule that comes by a reload reaches VMMs whose filter asks about its operation, and later ones" {
	rule refuse KVM_SET_REGS audit
	start_supervisor
	hold_vm hold our-errno=EPERM try=KVM_SET_REGS try=KVM_SET_FPU
	rule refuse KVM_SET_REGS deny
	rule more KVM_SET_FPU deny
	"${kvmwarden[@]}" reload
	release_vm
	has "KVM_SET_REGS	refused-by-us	EPERM" "$(<"$work/held")"
	has "KVM_SET_FPU	allowed" "$(<"$work/held")"
	vm our-errno=EPERM try=KVM_SET_FPU
	same "refused-by-us EPERM" "$(outcome)"
}

@test "a debugger outside that makes the VMM issue the ioctl gets the VMM's answer" {
	local vcpu
	rule refuse KVM_SET_REGS deny
	start_supervisor
	hold_vm hold
	vcpu=$(find "/proc/$vm_pid/fd" -lname 'anon_inode:kvm-vcpu:*' -printf '%f\n')
	# KVM_GET_REGS and KVM_SET_REGS, with an address that cannot be read.
	same EFAULT "$(build/tests/inject "$vm_pid" ioctl "$vcpu" 0x8090ae81 0)"
	same EPERM "$(build/tests/inject "$vm_pid" ioctl "$vcpu" 0x4090ae82 0)"
	release_vm
	as=()
	hold_vm hold
	vcpu=$(find "/proc/$vm_pid/fd" -lname 'anon_inode:kvm-vcpu:*' -printf '%f\n')
	same EFAULT "$(build/tests/inject "$vm_pid" ioctl "$vcpu" 0x4090ae82 0)"
	release_vm
}
