#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# The seccomp backend without BPF, on this host's own KVM. The daemon runs where bpf(2) does not work.

load helper
load supervision

every_test() { needs_kvm; }

# under WAY: from here on the daemon is one for whom bpf(2) fails (eperm), or is deadly (kill).
under() {
	kvmwardend=(build/tests/no-bpf "$1" "${kvmwardend[@]}")
}

# start_plain: it is told to do without BPF, and does not even try.
start_plain() {
	under kill
	supervisor=seccomp-plain
	start_supervisor
}

# rule NAME OPERATION VERDICT [MATCH]
rule() {
	cat >"$policies/$1.yaml" <<-END
		policy: $1
		match: {${4:-exe: $vmm}}
		rules: [{operations: ["$2"], verdict: $3, rate-limit: none}]
	END
}

intact() {
	run build/kvmwarden events verify "$events"
	same 0 "$status"
	has "intact, 0 warnings"
}

@test "without a single bpf(2): register writes fail by both entries, everything else works" {
	deny_registers
	start_plain
	registers_are_refused
	vm our-errno=EACCES entry=compat try=KVM_SET_REGS try=KVM_GET_REGS
	[ "$status" = 3 ] || same "compat KVM_SET_REGS refused-by-us EACCES
compat KVM_GET_REGS allowed -" "$(tried)"
	vm our-errno=EACCES high=deadbeef try=KVM_SET_REGS clone-vm=KVM_SET_REGS
	same 2 "$(tried | grep -c 'KVM_SET_REGS refused-by-us EACCES')"

	as=()
	vm try=KVM_SET_REGS
	same "allowed -" "$(outcome)"
	stop_daemon
	intact
}

@test "auto comes to it where bpf(2) is forbidden, with a reason for each backend and for this one" {
	local backend
	deny_registers
	under eperm
	launch --policy-dir "$policies"
	has "backend seccomp-plain, 1 policies, proved by the native and the 32-bit entry" "$(<"$said")"
	for backend in lsm fmod_ret tracepoint; do
		same 1 "$(grep -c "^kvmwardend: backend $backend does not work here: ..." "$said")"
	done
	has "decisions are made without BPF: the kernel" "$(<"$said")"
	same "seccomp true" "$(status_of '"\(.backend) \(.plain | startswith("the kernel"))"')"
	same "seccomp true" "$(jq -r 'select(.event == "started") | "\(.backend) \(.plain != null)"' "$events")"
	as=("${kvmwarden[@]}" run --)
	vm our-errno=EACCES try=KVM_SET_REGS
	same "refused-by-us EACCES" "$(outcome)"
}

@test "auto comes to it without the kernel's type information, and not for want of a bpffs" {
	[ -e /sys/kernel/btf ] || skip "this kernel has none anyway"
	deny_registers
	unshare --mount --propagation private mount -t tmpfs none /sys/kernel/btf ||
		skip "cannot mount over /sys/kernel/btf in a namespace of our own"
	kvmwardend=(unshare --mount --propagation private sh -c
		'mount -t tmpfs none /sys/kernel/btf && exec "$@"' sh "${kvmwardend[@]}")
	launch --policy-dir "$policies"
	has "backend seccomp-plain" "$(<"$said")"
	has "type information" "$(status_of .plain)"
	stop_daemon
	fails 69 "mount it with 'mount -t bpf" unshare --mount --propagation private sh -c \
		'mount -t tmpfs none /sys/fs && exec "$@"' sh build/kvmwardend --socket "$socket" \
		--policy-dir "$policies"
}

@test "where bpf(2) and bpffs are missing nothing is to be pinned, and nothing is degraded" {
	deny_registers
	unshare --mount --propagation private mount -t tmpfs none /sys/fs ||
		skip "cannot mount over /sys/fs in a namespace of our own"
	kvmwardend=(unshare --mount --propagation private sh -c
		'mount -t tmpfs none /sys/fs && exec "$@"' sh
		build/tests/no-bpf eperm build/kvmwardend --socket "$socket" --events "$events")
	launch --policy-dir "$policies"
	same "supervising false" "$(status_of '"\(.enforcement) \(.pinned)"')"
}

@test "--require deny does not come to it" {
	deny_registers
	under eperm
	fails 69 "backend seccomp does not work here: it refuses nothing to a VMM that was not started" \
		"${kvmwardend[@]}" --policy-dir "$policies" --require deny
}

@test "status and doctor tell which of the two it is, and why" {
	start_plain
	run "${kvmwarden[@]}" status
	same 0 "$status"
	has "backend   seccomp-plain, answers VMMs that 'kvmwarden run' starts; it takes a daemon"
	has "without BPF: --backend seccomp-plain says so"
	has "no others are, nor are they known"
	run "${kvmwarden[@]}" doctor --prove
	same 0 "$status"
	run -1 build/tests/no-bpf eperm "${kvmwarden[@]}" doctor
	has "possible as seccomp-plain: refuses ioctls to VMMs that 'kvmwarden run' starts"
	has "By these facts kvmwardend uses the seccomp-plain backend"
}

@test "a type that was not asked for is not touched, one that was counts for all of the launch" {
	deny_registers EACCES sev-snp
	start_plain
	vm try=KVM_SET_REGS
	same "allowed -" "$(outcome)"
	# Whether this KVM can make one does not matter: it was asked.
	as=("${kvmwarden[@]}" run -- sh -c '"$@" raw-vm=4 >/dev/null 2>&1; exec "$@" vm=default vcpu our-errno=EACCES try=KVM_SET_REGS' sh)
	run "${as[@]}" "$vmm"
	same "refused-by-us EACCES" "$(outcome)"
	# Another launch is another one.
	as=("${kvmwarden[@]}" run --)
	vm try=KVM_SET_REGS
	same "allowed -" "$(outcome)"
}

@test "what asks for what is not known is refused with its line: at the launch, at the reload" {
	cp policies/protected-state.yaml "$policies"
	start_plain
	has "warning: $policies/protected-state.yaml:" "$(<"$said")"
	vm marker=started
	same 1 "$status"
	has "$policies/protected-state.yaml:" "$stderr"
	has "only 'state: any'" "$stderr"
	has "nothing was started" "$stderr"
	run "${kvmwarden[@]}" status
	same 1 "$status"
	has "auditing: $policies/protected-state.yaml:"

	# It is no worse to have a set that can be decided; back to the other there is no way.
	rm "$policies/protected-state.yaml"
	deny_registers
	"${kvmwarden[@]}" reload
	vm our-errno=EACCES try=KVM_SET_REGS
	same "refused-by-us EACCES" "$(outcome)"
	cp policies/protected-state.yaml "$policies"
	run "${kvmwarden[@]}" reload
	same 1 "$status"
	has "$policies/protected-state.yaml:"
	vm our-errno=EACCES try=KVM_SET_REGS
	same "refused-by-us EACCES" "$(outcome)"
	same "supervising" "$(status_of .enforcement)"
	# The same in a mode that refuses nothing, and out of it.
	sed -i 's/^mode: .*/mode: audit/' "$policies/protected-state.yaml"
	"${kvmwarden[@]}" reload
	run "${kvmwarden[@]}" policy mode protected-state enforce
	[ "$status" != 0 ]
	has "protected-state.yaml:"
	same audit "$(status_of '.policies[] | select(.name == "protected-state").mode')"
}

@test "events are those of the other backends: at the request, of the launch's end, complete, in a chain" {
	local wrong
	deny_registers
	echo '  - {operations: ["@lifecycle"], verdict: audit}' >>"$policies/registers.yaml"
	start_plain
	vm our-errno=EACCES try=KVM_SET_REGS
	wait_until said_event vm-destroyed
	same '["vm-created","audit","audit","KVM_CREATE_VM",null,"system","building","native","seccomp","default","registers",2]
["ioctl","deny","deny","KVM_SET_REGS","EACCES","vcpu","building","native","seccomp","default","registers",1]
["vm-destroyed","audit","audit","VM_DESTROY",null,"vm","building","native","seccomp","default","registers",2]' \
		"$(my_events '[.event, .verdict, .intended, .operation, .errno, .scope, .state, .entry,
			.backend, .vm.type, .policy, .rule]')"
	same 1 "$(my_events .vm.id | sort -u | wc -l)"
	same "a-vmm $vmm $(id -u)" "$(my_ioctls '"\(.process.comm) \(.process.exe) \(.process.uid)"')"
	wrong=$(jq -c --slurpfile schema docs/events.schema.json '
		($schema[0].required + ["seq"] +
		 if .process then $schema[0]["$defs"].verdict_event.required else [] end) - keys
		| select(. != [])' "$events")
	same "" "$wrong"
	stop_daemon
	same "$(wc -l <"$events")" "$(tail -n 1 "$events" | jq .seq)"
	intact
}

@test "a storm that its queue cannot hold is lost in the books, and not in the verdicts" {
	local lost
	deny_registers
	start_plain
	vm our-errno=EACCES repeat=20000:KVM_SET_REGS
	same "refused-by-us EACCES=20000" "$(outcome)"
	lost=$(status_of '.lost["ring-full"]')
	same 20000 "$((lost + $(grep -c '"operation":"KVM_SET_REGS"' "$events")))"
	stop_daemon
	intact
	[ "$lost" = 0 ] || has "counted losses  $lost ring-full"
}

@test "what is audited, killed, excepted and switched is so here as well" {
	rule report KVM_SET_REGS audit
	rule killer KVM_SET_FPU kill
	rule refuse KVM_SET_SREGS deny
	start_plain
	hold_vm hold our-errno=EPERM try=KVM_SET_REGS try=KVM_SET_SREGS try=KVM_SET_FPU
	same "default building 1 true created" \
		"$(my_vms '"\(.type) \(.state) \(.policies | length > 0 | if . then 1 else 0 end) \(.supervised) \(.provenance)"')"
	"${kvmwarden[@]}" allow --vm "$(my_vms .id)" --operation KVM_SET_SREGS --for 60s --reason test
	exec 8>&-
	ends "$vm_pid" 137
	same "audit KVM_SET_REGS null
allow KVM_SET_SREGS null
kill KVM_SET_FPU \"EPERM\"" "$(my_ioctls '"\(.verdict) \(.operation) \(.errno | tojson)"')"
	wait_until said_event exception-ended
	same '1 "the VM is gone"' "$(jq -c 'select(.event == "exception-ended") | .uses, .why' "$events" | xargs -d '\n')"

	"${kvmwarden[@]}" policy mode killer audit
	vm our-errno=EPERM try=KVM_SET_FPU try=KVM_SET_SREGS
	same 0 "$status"
	same "native KVM_SET_FPU allowed -
native KVM_SET_SREGS refused-by-us EPERM" "$(tried)"
}

@test "rate limits hold back, and what they held back is told" {
	cat >"$policies/one.yaml" <<-END
		policy: one
		rules: [{operations: [KVM_SET_REGS], verdict: deny, rate-limit: 3/s}]
	END
	start_plain
	vm our-errno=EPERM repeat=50:KVM_SET_REGS
	same 3 "$(my_ioctls .seq | wc -l)"
	wait_until said_event suppressed
	same '47 "KVM_SET_REGS"' "$(jq -c 'select(.event == "suppressed") | .count, .operation' "$events" | xargs -d '\n')"
}

@test "by whom it was asked: executable, deleted or not, and user" {
	rule mine KVM_SET_REGS deny "exe: $vmm"
	rule not-mine KVM_SET_FPU deny "exe: $vmm.other"
	rule root KVM_SET_SREGS deny "user: '0'"
	start_plain
	vm our-errno=EPERM try=KVM_SET_REGS try=KVM_SET_FPU try=KVM_SET_SREGS
	same "native KVM_SET_REGS refused-by-us EPERM
native KVM_SET_FPU allowed -
native KVM_SET_SREGS refused-by-us EPERM" "$(tried)"
	# The name it had when it asked for its VM; a child with another one has no VM of it.
	hold_vm hold our-errno=EPERM try=KVM_SET_REGS
	rm "$vmm"
	release_vm
	has "KVM_SET_REGS	refused-by-us	EPERM" "$(<"$work/held")"
	cp build/tests/probe "$vmm"
	# shellcheck disable=SC2016 # for the inner shell
	run "${as[@]}" sh -c 'cp "$1" "$1.gone"; exec 9<"$1.gone"; rm "$1.gone"; exec "/proc/self/fd/9" vm=default vcpu our-errno=EPERM try=KVM_SET_REGS' sh "$vmm"
	same "allowed -" "$(outcome)"
}

@test "who cannot be looked at matches every pattern" {
	rule other KVM_SET_REGS deny "exe: $vmm.other"
	rule user KVM_SET_FPU deny "user: '4711'"
	# Neither CAP_SYS_PTRACE nor all that the VMM may do.
	kvmwardend=(setpriv --bounding-set=-all --inh-caps=-all "${kvmwardend[@]}")
	start_plain
	vm our-errno=EPERM try=KVM_SET_REGS try=KVM_SET_FPU
	same "native KVM_SET_REGS refused-by-us EPERM
native KVM_SET_FPU allowed -" "$(tried)"
	same "null" "$(jq -r 'select(.event == "ioctl").process.exe' "$events")"
}

@test "by unit, which it may have left since" {
	local mount
	mount=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
	mkdir "$mount/kvmwarden-test-$$.scope" || skip "cannot create a cgroup in '$mount'"
	scratch_cgroup=$mount/kvmwarden-test-$$.scope
	rule unit KVM_SET_REGS deny "unit: 'kvmwarden-test-*.scope'"
	start_plain
	vm try=KVM_SET_REGS
	same "allowed -" "$(outcome)"
	# shellcheck disable=SC2016 # for the inner shell
	as=(sh -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' sh "$scratch_cgroup" "${as[@]}")
	vm our-errno=EPERM try=KVM_SET_REGS
	same "refused-by-us EPERM" "$(outcome)"
	same "$(stat -c %i "$scratch_cgroup") /kvmwarden-test-$$.scope kvmwarden-test-$$.scope" \
		"$(my_ioctls '.process | "\(.cgroup_id) \(.cgroup) \(.unit)"')"
	hold_vm hold our-errno=EPERM try=KVM_SET_REGS
	echo "$vm_pid" >"$mount/cgroup.procs"
	release_vm
	has "KVM_SET_REGS	refused-by-us	EPERM" "$(<"$work/held")"
	wait_until sh -c "! grep -q . $scratch_cgroup/cgroup.procs"
}

@test "the next daemon knows what was asked for, and by whom" {
	deny_registers
	rule mine KVM_SET_GUEST_DEBUG deny
	start_plain
	who_waits_is_answered_by_the_next
	same "deny default false $vmm" \
		"$(my_ioctls '"\(.verdict) \(.vm.type) \(.vm.adopted) \(.process.exe)"')"
	stop_daemon
	intact
}

@test "a launch may have policies of its own, which have to be decidable as well" {
	mkdir "$work/own"
	deny_registers
	mv "$policies/registers.yaml" "$work/own"
	start_plain
	as=("${kvmwarden[@]}" run --policy-set "$work/own" --keep 30 --)
	vm our-errno=EACCES try=KVM_SET_REGS
	same "refused-by-us EACCES" "$(outcome)"
	same registers "$(my_ioctls .policy)"
	as=("${kvmwarden[@]}" run --)
	vm try=KVM_SET_REGS
	same "allowed -" "$(outcome)"

	cp policies/protected-state.yaml "$work/own"
	as=("${kvmwarden[@]}" run --policy-set "$work/own" --)
	vm marker=started
	same 1 "$status"
	has "$work/own/protected-state.yaml:" "$stderr"
}

@test "no descriptor game gets through" {
	local mode
	deny_registers
	start_plain
	for mode in swap hide late; do
		run build/tests/swap "$mode" 20000
		same 0 "$status"
		[[ $output =~ passed=([0-9]+) ]]
		[ "${BASH_REMATCH[1]}" -gt 0 ]
		run "${as[@]}" build/tests/swap "$mode" 20000
		same 0 "$status"
		echo "# note: without BPF: $output" >&3
		has " passed=0 "
		[[ $output =~ refused=([1-9][0-9]*) ]]
	done
}

@test "a VM of another type waits for what was let pass before, as long as that may be under way" {
	rule watch KVM_SET_REGS audit "vm-types: [default, legacy-sev-es]"
	start_plain
	run "${as[@]}" build/tests/second sleeping 1
	hasnt EBUSY
	run "${as[@]}" build/tests/second blocked 1
	has "answer=EBUSY msec=1"
	# It computes, or it is in it still: nobody can tell.
	run "${as[@]}" build/tests/second spinning 1
	has "answer=EBUSY msec=1"
	same 2 "$(status_of .supervision.failed)"
	# Another one of a type that is known changes nothing.
	run "${as[@]}" build/tests/second blocked 0
	has "answer=0 msec="
}
