#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# The daemon on this host's own KVM, by the backend that every kernel takes: it cannot refuse,
# but it must see everything, tell it, and kill.

load helper

setup_file() {
	needs_kvm
}

# --- start and end ------------------------------------------------------------

@test "the daemon says which backend it chose, and why not each stronger one, in a sentence each" {
	local backend stronger
	launch --policy-dir policies
	backend=$(status_of .backend)
	has "backend $backend, 3 policies, proved by the native and the 32-bit entry" "$(cat "$said")"
	stronger=$(status_of '.refusals[].backend' | xargs)
	case $backend in
	lsm) same "" "$stronger" ;;
	fmod_ret) same "lsm" "$stronger" ;;
	tracepoint) same "lsm fmod_ret" "$stronger" ;;
	esac
	for backend in $stronger; do
		same 1 "$(grep -c "^kvmwardend: backend $backend does not work here: ..." "$said")"
	done
	same 0 "$(grep -c '^libbpf:' "$said")"
}

@test "SIGTERM ends the daemon with 0: its socket and its programs are gone, its last event says so" {
	start_daemon
	[ -S "$socket" ]
	stop_daemon TERM
	[ ! -e "$socket" ]
	same stopped "$(tail -n 1 "$events" | jq -r .event)"
	nothing_left
}

@test "SIGINT ends it just so" {
	start_daemon
	stop_daemon INT
	[ ! -e "$socket" ]
}

@test "a backend that cannot refuse does not start under --require deny" {
	fails 69 "--require deny" "${kvmwardend[@]}" --policy-dir policies --backend tracepoint --require deny
	has "not enforcing anything" "$stderr"
	[ ! -e "$socket" ]
}

@test "under --require deny alone the daemon refuses ioctls or does not start" {
	launch --policy-dir policies
	if [ "$(status_of .refuses)" = true ]; then
		skip "a backend that refuses works here"
	fi
	stop_daemon
	fails 69 "backend tracepoint does not work here" "${kvmwardend[@]}" --policy-dir policies \
		--require deny
	has "backend lsm does not work here" "$stderr"
	has "backend fmod_ret does not work here" "$stderr"
}

@test "with --no-pin nothing is left of a daemon that was killed, and a new one takes its socket" {
	rule killer KVM_SET_REGS kill
	start_daemon
	vm try=KVM_SET_REGS
	same 137 "$status"
	kill -KILL "$daemon"
	ends "$daemon" 137
	[ -S "$socket" ]
	nothing_left
	vm try=KVM_SET_REGS
	same 0 "$status"
	start_daemon
	vm try=KVM_SET_REGS
	same 137 "$status"
}

@test "a second daemon on the same socket is refused in a sentence, and the first one stays" {
	start_daemon
	fails 71 "$socket: Address already in use" "${kvmwardend[@]}" --events "$work/other.jsonl" \
		--backend tracepoint --policy-dir policies
	same "$daemon" "$(status_of .pid)"
	[ ! -s "$work/other.jsonl" ]
}

@test "without --events the events are JSON lines on standard output" {
	build/kvmwardend --no-pin --backend tracepoint --socket "$socket" --policy-dir policies \
		>"$events" 2>"$said" 3>&- </dev/null &
	daemon=$!
	children+=("$daemon")
	wait_until is_ready
	vm
	"${kvmwarden[@]}" vms
	stop_daemon
	same "started vm-created vm-destroyed stopped" \
		"$(jq -r --arg exe "$vmm" 'select(.process == null or .process.exe == $exe) | .event' \
			"$events" | xargs)"
}

# --- births and ends ----------------------------------------------------------

@test "a VM's birth is an event and a record, with its type and who created it" {
	local wanted
	as=(setpriv --ruid=4242)
	launch --backend tracepoint --policy-dir policies
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
	launch --backend tracepoint --policy-dir policies
	hold_vm hold
	same "$(stat -c %i "$scratch_cgroup") $unit" \
		"$(my_vms '[.creator.cgroup_id, .creator.unit] | join(" ")')"
	same "$(stat -c %i "$scratch_cgroup") /$unit $unit" "$(my_events 'select(.event == "vm-created") |
		.process | [.cgroup_id, .cgroup, .unit] | join(" ")')"
	release_vm
}

@test "a VM that is gone is forgotten, and its end is an event that names its creator" {
	local id
	launch --backend tracepoint --policy-dir policies
	hold_vm hold
	id=$(my_vms .id)
	same "" "$(my_events 'select(.event == "vm-destroyed")')"
	release_vm
	same "" "$(my_vms .)"
	same "$id $vm_pid audit VM_DESTROY" "$(my_events 'select(.event == "vm-destroyed") |
		[.vm.id, .process.pid, .verdict, .operation] | join(" ")')"
}

@test "a VM that was killed is forgotten, too" {
	launch --backend tracepoint --policy-dir policies
	hold_vm hold
	kill -KILL "$vm_pid"
	ends "$vm_pid" 137
	same "" "$(my_vms .)"
	same 1 "$(my_events 'select(.event == "vm-destroyed").seq' | wc -l)"
}

@test "a VM lives on while a vCPU of it is open, though its own descriptor is closed" {
	launch --backend tracepoint --policy-dir policies
	hold_vm close=vm hold
	same "$vm_pid" "$(my_vms .creator.pid)"
	same "$vm_pid" "$(my_vms .creator.pid)"
	same "" "$(my_events 'select(.event == "vm-destroyed")')"
}

@test "a VM all of whose descriptors are closed is gone, though its process lives" {
	launch --backend tracepoint --policy-dir policies
	hold_vm close=all hold
	same "" "$(my_vms .)"
	same "$vm_pid" "$(my_events 'select(.event == "vm-destroyed").process.pid')"
	is_over "$vm_pid" && return 1
	release_vm
}

@test "vCPUs are counted, and several VMs of a process are told apart" {
	launch --backend tracepoint --policy-dir policies
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

# --- kill ---------------------------------------------------------------------

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
	launch --backend tracepoint --policy-dir policies
	vm try=@set-registers run
	same "vm-created vm-destroyed" "$(my_events .event | xargs)"
}

# --- what is seen -------------------------------------------------------------

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

# --- reload -------------------------------------------------------------------

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

# --- events -------------------------------------------------------------------

@test "the sequence has no gap from the first event to the last" {
	rule watcher @set-registers audit
	start_daemon
	vm try=@set-registers try=@set-registers
	"${kvmwarden[@]}" reload
	"$vmm" vm=default vcpu repeat=500:KVM_SET_REGS >"$work/one" 3>&- &
	children+=("$!")
	"$vmm" vm=default vcpu repeat=500:KVM_SET_REGS >"$work/two" 3>&- &
	children+=("$!")
	ends "${children[-1]}" 0
	ends "${children[-2]}" 0
	same 1016 "$(my_ioctls .seq | wc -l)"
	same 0 "$(status_of .counters.events_lost)"
	stop_daemon
	same "started stopped" "$(jq -r .event "$events" | sed -n '1p;$p' | xargs)"
	same true "$(jq -s '[.[].seq] == [range(1; length + 1)]' "$events")"
}

@test "every line of the event file is a JSON object with the members the schema requires" {
	local wrong
	rule watcher @set-registers audit
	rule life @lifecycle audit
	start_daemon
	vm try=@set-registers entry=compat try=KVM_SET_REGS
	rule broken KVM_SET_RGES audit
	run -1 "${kvmwarden[@]}" reload
	rm "$policies/broken.yaml"
	run -0 "${kvmwarden[@]}" reload
	"${kvmwarden[@]}" vms
	stop_daemon
	same "ioctl policy-loaded policy-refused started stopped vm-created vm-destroyed" \
		"$(jq -r .event "$events" | sort -u | xargs)"
	same "$(wc -l <"$events")" "$(jq -c . "$events" | wc -l)"
	wrong=$(jq -c --slurpfile schema docs/events.schema.json '
		($schema[0].required + ["seq"] +
		 if .event | . == "ioctl" or startswith("vm-")
		 then $schema[0]["$defs"].verdict_event.required else [] end) - keys
		| select(length > 0)' "$events")
	same "" "$wrong"
}

# follow NAME: a follower that has caught up; what it prints is in $work/NAME.
follow() {
	"${kvmwarden[@]}" --json events -f >"$work/$1" 3>&- </dev/null &
	follower=$!
	children+=("$follower")
	wait_until grep -q '"event":"started"' "$work/$1"
}

@test "events -f shows what happened, and then what happens, as it happens" {
	rule watcher KVM_SET_REGS audit
	start_daemon
	follow seen
	vm try=KVM_SET_REGS
	wait_until grep -q '"operation":"KVM_SET_REGS"' "$work/seen"
	is_over "$follower" && return 1
	stop_daemon
	ends "$follower" 69
	same "$(jq -c .seq "$events" | xargs)" "$(jq -c .seq "$work/seen" | xargs)"
}

@test "two followers see the same, and one that leaves does not take the other with it" {
	local first
	rule watcher KVM_SET_REGS audit
	start_daemon
	follow one
	first=$follower
	follow two
	vm try=KVM_SET_REGS
	wait_until grep -q KVM_SET_REGS "$work/one"
	wait_until grep -q KVM_SET_REGS "$work/two"
	cmp "$work/one" "$work/two"
	kill -INT "$first"
	ends "$first" 0
	forget_events
	vm try=KVM_SET_REGS
	my_ioctls .seq >"$work/seq"
	wait_until grep -q "\"seq\":$(cat "$work/seq")," "$work/two"
	is_over "$follower" && return 1
	[ "$(jq -s 'map(select(.event == "ioctl")) | length' "$work/one")" = 1 ]
}

@test "events filters by verdict, by VM and by count" {
	local id
	rule watcher KVM_SET_REGS audit
	rule killer KVM_SET_SREGS kill
	start_daemon
	vm try=KVM_SET_REGS
	vm try=KVM_SET_REGS try=KVM_SET_SREGS
	id=$(my_ioctls 'select(.verdict == "kill").vm.id')
	run -0 "${kvmwarden[@]}" --json events --verdict kill
	same "KVM_SET_SREGS" "$(jq -r .operation <<<"$output")"
	run -0 "${kvmwarden[@]}" --json events --vm "$id"
	same "KVM_SET_REGS KVM_SET_SREGS" "$(jq -r .operation <<<"$output" | xargs)"
	run -0 "${kvmwarden[@]}" --json events --vm "$id" -n 1
	same "KVM_SET_SREGS" "$(jq -r .operation <<<"$output")"
	run -0 "${kvmwarden[@]}" events --vm "$id" --verdict audit
	same 1 "${#lines[@]}"
	has "KVM_SET_REGS"
	has "watcher"
}

@test "events that cannot be written are counted and told, and enforcement goes on" {
	rule killer KVM_SET_REGS kill
	"${kvmwardend[@]}" --events /dev/full --backend tracepoint --policy-dir "$policies" \
		>"$said" 2>&1 3>&- </dev/null &
	daemon=$!
	children+=("$daemon")
	"${kvmwarden[@]}" status --wait "$patience"
	has "cannot write events: No space left on device; carrying on" "$(cat "$said")"
	vm try=KVM_SET_REGS
	same 137 "$status"
	run -0 "${kvmwarden[@]}" --json events --verdict kill
	has "KVM_SET_REGS"
}

# --- who may ask --------------------------------------------------------------

@test "who is neither root nor in the group may not ask, and is told so" {
	start_daemon
	cp build/kvmwarden "$work/kvmwarden"
	run -0 "$work/kvmwarden" --socket "$socket" vms
	run -77 setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$work/kvmwarden" --socket "$socket" vms
	has "no permission"
}

@test "unload ends the daemon" {
	rule killer KVM_SET_REGS kill
	start_daemon
	run -0 "${kvmwarden[@]}" unload --yes
	ends "$daemon" 0
	nothing_left
	vm try=KVM_SET_REGS run
	has "KVM_RUN"
}
