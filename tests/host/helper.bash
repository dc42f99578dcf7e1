# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # the tests read what is set here; bats sets status
# What the host tests share: a place to work, a daemon, a VMM of their own, and expectations.

bats_require_minimum_version 1.5.0

PATH=$PATH:/usr/sbin:/sbin
patience=20 # seconds that anything here may take, at most

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	work=$(mktemp -d "${TMPDIR:-/tmp}/kvmwarden-test.XXXXXX")
	chmod 0755 "$work"
	policies=$work/policies
	# The daemon wants files that belong to root; the tree may be anybody's.
	shipped=$work/shipped
	mkdir "$policies" "$shipped"
	cp policies/*.yaml "$shipped"
	socket=$work/socket
	events=$work/events.jsonl
	said=$work/said
	kvmwarden=("$PWD/build/kvmwarden" --socket "$socket")
	kvmwardend=("$PWD/build/kvmwardend" --config none --no-pin --socket "$socket" --events "$events")
	# A copy: a policy that names it touches no other VM of this host.
	vmm=$work/a-vmm
	cp build/tests/probe "$vmm"
	as=()
	children=()
	scratch_cgroup=
	# What a file says of all its tests: bats takes a skip in setup_file for a failure.
	if declare -F every_test >/dev/null; then every_test; fi
}

teardown() {
	local pid
	exec 8>&-
	for pid in "${children[@]}"; do
		is_over "$pid" || kill "$pid"
	done
	for pid in "${children[@]}"; do
		wait_until is_over "$pid" || kill -KILL "$pid"
	done
	[ -z "$scratch_cgroup" ] || rmdir "$scratch_cgroup"
	conforming
	rm -rf "$work"
}

# Whatever else was asked of them, all events are what the schema says.
conforming() {
	[ ! -s "$events" ] || build/tests/conform "$events" 2>"$work/conform" ||
		{ cat "$work/conform"; return 1; }
}

needs_kvm() {
	[ "$EUID" = 0 ] || skip "needs root, to load BPF programs"
	[ -c /dev/kvm ] || skip "this machine has no /dev/kvm"
}

# --- waiting ------------------------------------------------------------------

never=111 # the status of a condition that will not come true any more

# wait_until COMMAND...: returns once the command succeeds.
wait_until() {
	local deadline=$((SECONDS + patience)) answer
	while answer=0 && "$@" || answer=$?; [ "$answer" != 0 ]; do
		[ "$answer" != "$never" ] || return
		if ((SECONDS >= deadline)); then
			echo "still not so after $patience s: $*"
			return 1
		fi
		sleep 0.01
	done
}

is_over() {
	[ ! -e "/proc/$1" ] || grep -qs '^State:.Z' "/proc/$1/status"
}

# ends PID STATUS: it ends by itself, with this status.
ends() {
	local got=0
	wait_until is_over "$1"
	wait "$1" || got=$?
	same "$2" "$got"
}

# --- expectations -------------------------------------------------------------

# same WANTED GOT
same() {
	[ "$1" = "$2" ] && return
	printf 'wanted: %s\ngot:    %s\n' "$1" "$2"
	return 1
}

# has TEXT [WHERE]: it occurs in the output of the last command, or in WHERE.
has() {
	local where=${2-$output}
	[[ $where == *"$1"* ]] && return
	printf 'wanted: ...%s...\ngot:    %s\n' "$1" "$where"
	return 1
}

hasnt() {
	local where=${2-$output}
	[[ $where != *"$1"* ]] && return
	printf 'unwanted: %s\ngot:      %s\n' "$1" "$where"
	return 1
}

# fails STATUS SENTENCE COMMAND...: ends so, says so in a few lines, leaves nothing loaded.
fails() {
	local wanted=$1 sentence=$2
	shift 2
	run --separate-stderr timeout --kill-after=5 "$patience" "$@"
	# shellcheck disable=SC2154 # bats sets stderr
	printf '%s\n' "$stderr"
	same "$wanted" "$status"
	has "$sentence" "$stderr"
	# A reason may quote it; what it would print by itself is not for users.
	same 0 "$(grep -c '^libbpf:' <<<"$stderr")"
	if [ "$(wc -l <<<"$stderr")" -gt 6 ]; then
		echo "that is more than 6 lines"
		return 1
	fi
	[ "$EUID" != 0 ] || nothing_left
}

# Programs of ours that are loaded although no process holds them.
orphans() {
	local id
	for id in $(bpftool prog list | sed -n 's/^\([0-9]*\): .* name kw_.*/\1/p'); do
		grep -qsx "prog_id:[[:space:]]*$id" /proc/[0-9]*/fdinfo/* || echo "$id"
	done
}

no_orphans() {
	[ -z "$(orphans)" ]
}

# The kernel frees programs a moment after the last descriptor is closed.
nothing_left() {
	wait_until no_orphans
}

# --- the daemon ---------------------------------------------------------------

is_ready() {
	if is_over "$daemon"; then
		echo "the daemon ended:"
		cat "$said"
		return "$never"
	fi
	said_event started
}

# launch ARGUMENT...: starts a daemon, with nothing but what it cannot do without.
launch() {
	conforming
	: >"$events"
	"${kvmwardend[@]}" "$@" >>"$said" 2>&1 3>&- 8>&- </dev/null &
	daemon=$!
	children+=("$daemon")
	wait_until is_ready
}

# start_daemon ARGUMENT...: the weakest backend, which every kernel takes, with $policies.
start_daemon() {
	launch --backend tracepoint --policy-dir "$policies" "$@"
}

# stop_daemon [SIGNAL]: it ends with status 0.
stop_daemon() {
	kill "-${1:-TERM}" "$daemon"
	ends "$daemon" 0
}

# status FILTER: what jq's FILTER says of the status.
status_of() {
	"${kvmwarden[@]}" --json status | jq -cr "$1"
}

# my_vms FILTER: of the VMs of our VMM.
my_vms() {
	"${kvmwarden[@]}" --json vms |
		jq -cr --arg exe "$vmm" ".vms[] | select(.creator.exe == \$exe) | $1"
}

# my_events FILTER: of the events of our VMM, all there are by now.
my_events() {
	"${kvmwarden[@]}" vms >>"$work/vms"
	jq -cr --arg exe "$vmm" "select(.process.exe? == \$exe) | $1" "$events"
}

# my_ioctls FILTER: the same without births and ends.
my_ioctls() {
	my_events "select(.event == \"ioctl\") | $1"
}

# forget_events: the events up to here are of no interest any more.
forget_events() {
	"${kvmwarden[@]}" vms >>"$work/vms"
	conforming
	: >"$events"
}

# said_event NAME: has the daemon written an event of this name?
said_event() {
	[[ $(<"$events") == *"\"event\":\"$1\""* ]]
}

# --- policies -----------------------------------------------------------------

# rule NAME OPERATION VERDICT [MODE]: a policy for our VMM, of a single rule in line 6, which
# reports everything.
rule() {
	local limit=", rate-limit: none"
	[ "$3" != allow ] || limit=
	cat >"$policies/$1.yaml" <<-END
		policy: $1
		mode: ${4:-enforce}
		match:
		  vm-types: [default]
		  exe: $vmm
		rules: [{operations: ["$2"], verdict: $3$limit}]
	END
}

# --- VMs ----------------------------------------------------------------------

# vm STEP...: runs our VMM; bats keeps its output and status.
vm() {
	run --separate-stderr "${as[@]}" "$vmm" vm=default vcpu "$@"
}

# outcome: what came of the last attempt, as "OUTCOME ERRNO".
outcome() {
	awk -F'\t' '!/^#/ && NF >= 7 { o = $6 " " $7 } END { print o }' <<<"$output"
}

# hold_vm STEP...: a VM that lives until release_vm; the steps after 'hold' come then.
hold_vm() {
	rm -f "$work/hold"
	mkfifo "$work/hold"
	"${as[@]}" "$vmm" vm=default vcpu "$@" <"$work/hold" >"$work/held" 2>&1 3>&- 8>&- &
	vm_pid=$!
	children+=("$vm_pid")
	exec 8>"$work/hold"
	wait_until grep -q "^holding $vm_pid\$" "$work/held"
}

release_vm() {
	exec 8>&-
	ends "$vm_pid" 0
}
