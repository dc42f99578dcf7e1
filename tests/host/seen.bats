#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# Which calls the tracepoint backend takes for KVM's, by whichever entry and descriptor.

load helper

every_test() { needs_kvm; }

# uncounted STEP...: our VMM's steps leave the count of checked ioctls as it was. To be repeated:
# other VMs of this host are counted, too.
uncounted() {
	local before
	before=$(status_of .counters.checked)
	vm "$@"
	[ "$before" = "$(status_of .counters.checked)" ]
}

@test "the number of KVM_SET_REGS on a file that is not KVM's is no event and is not counted" {
	local fd
	rule watcher KVM_SET_REGS audit
	start_daemon
	for fd in pipe socket stats file; do
		wait_until uncounted "fd=$fd" try=0x4090ae82
		has "	$fd	"
		same "refused-by-kvm ENOTTY" "$(outcome)"
	done
	same "" "$(my_ioctls .)"

	uncounted try=0x4090ae82 && return 1
	same "allowed -" "$(outcome)"
	same 1 "$(my_ioctls .seq | wc -l)"
}

@test "an operation that no rule names is not counted" {
	rule watcher KVM_SET_REGS audit
	start_daemon
	wait_until uncounted try=KVM_SET_SREGS run
}

@test "dup'd and passed descriptors are the vCPU they stand for" {
	local fd
	rule watcher KVM_SET_REGS audit
	start_daemon
	for fd in dup passed; do
		vm "fd=$fd" try=KVM_SET_REGS
		same "allowed -" "$(outcome)"
	done
	same 2 "$(my_ioctls .seq | wc -l)"
}

@test "garbage in the high halves of the registers is not seen, as the kernel does not see it" {
	rule watcher KVM_SET_REGS audit
	start_daemon
	vm high=deadbeef try=KVM_SET_REGS
	same "allowed -" "$(outcome)"
	same "KVM_SET_REGS 0x4090ae82 native" \
		"$(my_ioctls '[.operation, .command, .entry] | join(" ")')"
}

@test "the 32-bit entry is seen, and told apart" {
	rule watcher KVM_SET_REGS audit
	start_daemon
	vm entry=compat try=KVM_SET_REGS
	[ "$status" != 3 ] || skip "this kernel has no 32-bit entry"
	same "allowed -" "$(outcome)"
	same "compat 0x4090ae82" "$(my_ioctls '[.entry, .command] | join(" ")')"
	vm try=KVM_SET_REGS
	same "compat native" "$(my_ioctls .entry | xargs)"
}

@test "the x32 entry is seen" {
	rule watcher KVM_SET_REGS audit
	start_daemon
	vm entry=x32 try=KVM_SET_REGS
	[ "$status" != 3 ] || skip "this kernel has no x32 entry"
	same 1 "$(my_ioctls .seq | wc -l)"
}

@test "a child with the VMM's memory is the VMM; one without it gets KVM's own EIO and is no event" {
	rule watcher KVM_SET_REGS audit
	start_daemon
	vm fork=KVM_SET_REGS
	same "refused-by-kvm EIO" "$(outcome)"
	same "" "$(my_ioctls .)"
	vm clone-vm=KVM_SET_REGS
	same "allowed -" "$(outcome)"
	same 1 "$(my_ioctls .seq | wc -l)"
}

@test "an ioctl is told with its vCPU, by whichever descriptor" {
	rule watcher @set-registers audit
	start_daemon
	vm vcpu vcpu try=@set-registers
	same 2 "$(my_ioctls .vm.vcpu | sort -u)"
	same 8 "$(my_ioctls .operation | sort -u | wc -l)"
}
