# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# VMs by the thousand, each kind with a policy whose errno is its own: what churn and bypass share.

: "${work:?}" # of lib.sh
# Those without a vCPU three times: they take a fifth of the time.
plain=default=EACCES,sev=EBUSY,sev-es=ENXIO,sev-snp=ENODEV,tdx=ENOSPC,legacy-sev-es=EROFS
sealed_kinds=sev-es+sealed=EMFILE,sev-snp+sealed=ENFILE,tdx+sealed=EDOM,legacy-sev-es+sealed=ERANGE
if build/tests/probe vm=sev-es vcpu try=KVM_GET_REGS 2>>"$work/err" | grep -q could-not-try; then
	# Of the VMs of before 6.10.
	plain=default=EACCES,legacy-sev-es=EROFS
	sealed_kinds=legacy-sev-es+sealed=ERANGE
fi
kinds=$plain,$plain,$sealed_kinds,$plain
tracing=/sys/kernel/tracing

# churn_policies DIRECTORY: a policy for each type, with the errno of each kind of it.
churn_policies() {
	local kind type
	rm -f "$1"/*.yaml
	for kind in ${plain//,/ }; do
		type=${kind%=*}
		printf 'policy: %s\nmatch:\n  vm-types: [%s]\nrules:\n' "$type" "$type" >"$1/$type.yaml"
	done
	for kind in ${plain//,/ } ${sealed_kinds//,/ }; do
		type=${kind%[+=]*}
		type=${type%+sealed}
		cat >>"$1/$type.yaml" <<-EOF
			  - operations: [$([[ $kind == *+sealed* ]] && echo KVM_SET_REGS || echo KVM_GET_CLOCK)]
			    verdict: deny
			    errno: ${kind#*=}
		EOF
	done
}

# churn_cycles N: N cycles by several processes at a time; prints "CYCLES WRONG", and which.
churn_cycles() {
	local i at_once=8 cycling=()
	for i in $(seq $at_once); do
		build/tests/churn cycle $(($1 / at_once)) "$kinds" >"$work/cycle.$i" 2>"$work/wrong.$i" &
		cycling+=($!)
	done
	wait "${cycling[@]}"
	cat "$work"/wrong.* >&2
	cat "$work"/cycle.* | awk -F'[= ]' '{ n += $2; wrong += $4 } END { print n + 0, wrong + 0 }'
}

# The kernel counts the births at each address, so that those at a place that is not new can be told.
watch_addresses() {
	mountpoint -q "$tracing" || mount -t tracefs tracefs "$tracing" || return
	echo 'p:kvmwarden_births kvm_arch_init_vm kvm=%di:x64' >"$tracing/kprobe_events" || return
	echo 'hist:keys=kvm:size=131072' >"$tracing/events/kprobes/kvmwarden_births/trigger"
}

# Prints how many VMs were created where another one had been since watch_addresses().
reused_addresses() {
	awk '/Hits:/ { hits = $2 } /Entries:/ { entries = $2 } END { print hits - entries }' \
		"$tracing/events/kprobes/kvmwarden_births/hist"
}

# The records in the map of the programs that are in force, but for the daemon's own VM.
records() {
	local map
	map=$(bpftool -j map list | jq -r '[.[] | select(.name == "vms")][-1].id')
	# Its flag is KW_VM_CANARY. A line each, which jq would have to keep all of.
	bpftool map dump id "$map" | awk -F'[:,]' '/"kvm_type"/ { of_vm = 1 }
		of_vm && /"flags"/ { n += int($2 / 8) % 2 == 0; of_vm = 0 } END { print n + 0 }'
}

# Once the kernel is done with what was closed.
records_gone() {
	for _ in $(seq 300); do
		[ "$(records)" = 0 ] && return
		sleep 0.1
	done
	return 1
}
