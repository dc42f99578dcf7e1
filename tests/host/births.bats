#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# Births and ends of VMs on this host's own KVM: who created what, and when it was gone.

load helper

every_test() { needs_kvm; }

@test "a VM's birth is an event and a record, with its type and who created it" {
	local wanted
	as=(setpriv --ruid=4242)
	launch --backend tracepoint --policy-dir "$shipped"
	hold_vm hold
	wanted="default created $vm_pid 4242 a-vmm $vmm"
	same "$wanted" "$(my_vms '[.type, .provenance, .creator.pid, .creator.uid, .creator.comm,
		.creator.exe] | join(" ")')"
	same "${wanted/created/KVM_CREATE_VM}" "$(my_events 'select(.event == "vm-created") |
		[.vm.type, .operation, .process.pid, .process.uid, .process.comm, .process.exe] | join(" ")')"
	same "audit vm-lifecycle 12" \
		"$(my_events 'select(.event == "vm-created") | [.verdict, .policy, .line] | join(" ")')"
	same "$(my_vms .id)" "$(my_events 'select(.event == "vm-created").vm.id')"
}

@test "the record of a VM has its cgroup and its unit" {
	local mount unit=kvmwarden-test-$$.scope
	mount=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
	mkdir "$mount/$unit" || skip "cannot create a cgroup in '$mount'"
	scratch_cgroup=$mount/$unit
	# shellcheck disable=SC2016 # for the inner shell
	as=(sh -c 'echo $$ >"$0"/cgroup.procs && exec "$@"' "$scratch_cgroup")
	launch --backend tracepoint --policy-dir "$shipped"
	hold_vm hold
	same "$(stat -c %i "$scratch_cgroup") $unit" \
		"$(my_vms '[.creator.cgroup_id, .creator.unit] | join(" ")')"
	same "$(stat -c %i "$scratch_cgroup") /$unit $unit" "$(my_events 'select(.event == "vm-created") |
		.process | [.cgroup_id, .cgroup, .unit] | join(" ")')"
	release_vm
}

@test "a VM that is gone is forgotten, and its end is an event that names its creator" {
	local id
	launch --backend tracepoint --policy-dir "$shipped"
	hold_vm hold
	id=$(my_vms .id)
	same "" "$(my_events 'select(.event == "vm-destroyed")')"
	release_vm
	same "" "$(my_vms .)"
	same "$id $vm_pid audit VM_DESTROY" "$(my_events 'select(.event == "vm-destroyed") |
		[.vm.id, .process.pid, .verdict, .operation] | join(" ")')"
}

@test "a VM that was killed is forgotten, too" {
	launch --backend tracepoint --policy-dir "$shipped"
	hold_vm hold
	kill -KILL "$vm_pid"
	ends "$vm_pid" 137
	same "" "$(my_vms .)"
	same 1 "$(my_events 'select(.event == "vm-destroyed").seq' | wc -l)"
}

@test "a VM lives on while a vCPU of it is open, though its own descriptor is closed" {
	launch --backend tracepoint --policy-dir "$shipped"
	hold_vm close=vm hold
	same "$vm_pid" "$(my_vms .creator.pid)"
	same "$vm_pid" "$(my_vms .creator.pid)"
	same "" "$(my_events 'select(.event == "vm-destroyed")')"
}

@test "a VM all of whose descriptors are closed is gone, though its process lives" {
	launch --backend tracepoint --policy-dir "$shipped"
	hold_vm close=all hold
	same "" "$(my_vms .)"
	same "$vm_pid" "$(my_events 'select(.event == "vm-destroyed").process.pid')"
	is_over "$vm_pid" && return 1
	release_vm
}

@test "vCPUs are counted, and several VMs of a process are told apart" {
	launch --backend tracepoint --policy-dir "$shipped"
	hold_vm vcpu vm=default vcpu vcpu vcpu hold
	same "2 3" "$(my_vms .vcpus | sort | xargs)"
	same 2 "$(my_vms .id | sort -u | wc -l)"
}

@test "the daemon does not list the VM it proves itself with" {
	local found
	start_daemon
	found=$("${kvmwarden[@]}" --json vms | jq -c --argjson pid "$daemon" \
		'.vms[] | select(.creator.pid == $pid)')
	same "" "$found"
}

@test "a VM that existed before the daemon is adopted with its identity before it is ready" {
	rule watcher KVM_SET_REGS audit
	hold_vm hold try=KVM_SET_REGS
	start_daemon
	same "default adopted $vm_pid $vmm 1" "$(my_vms '[.type, .provenance, .creator.pid,
		.creator.exe, .vcpus] | join(" ")')"
	same "" "$(my_events 'select(.event == "vm-created")')"
	release_vm
	same "KVM_SET_REGS $vm_pid true" \
		"$(my_ioctls '[.operation, .process.pid, .vm.adopted] | join(" ")')"
}

@test "policies apply to an adopted VM" {
	rule killer KVM_SET_REGS kill
	hold_vm hold try=KVM_SET_REGS
	start_daemon
	exec 8>&-
	ends "$vm_pid" 137
}

@test "a VM whose place another one takes at once has its end on record, too" {
	launch --backend tracepoint --policy-dir "$shipped"
	run "$vmm" vm=default vcpu close=all vm=default vcpu close=all vm=default vcpu close=all
	same "3 vm-created 3 vm-destroyed" "$(my_events .event | sort | uniq -c | xargs)"
}
