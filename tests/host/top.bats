#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# kvmwarden top: frames, JSON lines, and the screen, on VMs that are really refused something.

load helper
load supervision

every_test() { needs_kvm; }

# stepping_vm STEP...: a VM that goes on behind each 'wait' when next_step is called.
stepping_vm() {
	mkfifo "$work/steps"
	"${as[@]}" "$vmm" vm=default vcpu "$@" <"$work/steps" >"$work/held" 2>&1 3>&- 8>&- &
	vm_pid=$!
	children+=("$vm_pid")
	exec 8>"$work/steps"
	wait_until grep -q "^waiting $vm_pid\$" "$work/held"
}

next_step() {
	echo >&8
}

# refused_vm N: after each next_step it is refused N writes.
refused_vm() {
	deny_registers
	start_supervisor
	stepping_vm our-errno=EACCES wait "repeat=$1:KVM_SET_REGS" wait "repeat=$1:KVM_SET_REGS" hold
}

# frame_of FILTER: what jq's FILTER says of one frame.
frame_of() {
	"${kvmwarden[@]}" --json top --once --interval 0.1 | jq -cr --arg exe "$vmm" "$1"
}

# frames FILTER: the same of all frames in $work/frames, as an array. Other VMs of this host are
# there, too: mine is ours.
frames() {
	jq -ces --argjson pid "$vm_pid" "def mine: .vms[] | select(.pid == \$pid); $1" "$work/frames"
}

frames_say() {
	frames "$1" >"$work/answer"
}

# watching_daemon: enforces that it reports what our VMM does.
watching_daemon() {
	rule watcher KVM_SET_REGS audit
	start_daemon
}

# --- frames -------------------------------------------------------------------

@test "top --once prints one frame: what is enforced, a row for each VM, no escape codes" {
	refused_vm 7
	next_step
	wait_until sh -c "grep -q 'KVM_SET_REGS' '$work/held'"
	run -0 --separate-stderr "${kvmwarden[@]}" top --once --interval 0.1
	same "" "$stderr"
	[[ ${lines[0]} =~ ^kvmwarden\ top\ \ $(hostname)\ \ 20[0-9-]+\ [0-9:]+\ \ rates\ of\ [0-9.]+\ s$ ]]
	[[ ${lines[1]} =~ ^(NOT )?ENFORCING\ \((supervising|auditing)\)\ \ backend\ seccomp,\ generation\ 1,\ 1\ policy:\  ]]
	[[ ${lines[2]} =~ ^VMs\ [1-9][0-9]*\ of\ at\ most\ 65536:\ [1-9][0-9]*\ building,\ [0-9]+\ sealed,\ 0\ condemned$ ]]
	[[ ${lines[3]} =~ ^refused\ 0\.0/s,\ events\ [0-9.]+/s,\ ioctls\ checked\ [0-9.]+/s,\ no\ event\ lost, ]]
	same "by DENIED/S" "${lines[4]}"
	same "ID TYPE STATE VCPUS PID EXE UNIT VERDICTS/S DENIED DENIED/S POLICIES" "$(xargs <<<"${lines[5]}")"
	same "$(my_vms .id) default building 1 $vm_pid $vmm $(my_vms '.creator.unit // "-"') 0.0 7 0.0 registers" \
		"$(grep " $vm_pid " <<<"$output" | xargs)"
	hasnt $'\e'
}

@test "rates and intervals of the frames give what there was, exactly" {
	refused_vm 100
	"${kvmwarden[@]}" --json top --interval 0.1 --sort id >"$work/frames" 3>&- 8>&- &
	children+=("$!")
	wait_until grep -q . "$work/frames"
	next_step
	wait_until frames_say 'any(mine.denied == 100)'
	next_step
	wait_until frames_say 'any(mine.denied == 200)'
	kill "${children[-1]}"
	ends "${children[-1]}" 0
	same 200 "$(frames '[.[] | .seconds * mine.denied_per_second] | add | round')"
	same 200 "$(frames '[.[] | .seconds * .denied_per_second] | add | round')"
	frames 'all(.backend == "seccomp" and .error == null and .states.building >= 1 and
		mine.policies == ["registers"] and mine.verdicts == mine.denied)'
	# In the order that was asked for.
	frames 'all([.vms[].id] | . == sort)'
}

@test "top --count ends after so many frames, and when nobody reads any more" {
	start_daemon
	run -0 "${kvmwarden[@]}" --json top --interval 0.1 --count 3
	same 3 "${#lines[@]}"
	same 1 "$(jq -s '[.[].generation] | unique | length' <<<"$output")"
	"${kvmwarden[@]}" top --interval 0.1 >"$work/pipe" > >(head -n 1 >"$work/line") 3>&- &
	ends "$!" 0
	run -71 sh -c '"$@" >/dev/full' sh "${kvmwarden[@]}" top --once --interval 0.1
	has "No space left on device"
}

@test "what does not refuse is said loudly, and a daemon without VMs says so" {
	rule strict KVM_SET_REGS deny
	start_daemon
	run -0 "${kvmwarden[@]}" top --once --interval 0.1
	[[ ${lines[1]} == "NOT ENFORCING (auditing)  backend tracepoint, generation 1, 1 policy: "* ]]
	hold_vm try=KVM_SET_REGS hold
	# Reported, not refused.
	# shellcheck disable=SC2016 # $exe is jq's
	same '["default","building",0,1]' \
		"$(frame_of '.vms[] | select(.exe == $exe) | [.type, .state, .denied, .verdicts]')"
	release_vm
	rm "$policies"/*
	"${kvmwarden[@]}" reload
	run -0 "${kvmwarden[@]}" top --once --interval 0.1
	has "NO POLICIES: nothing is refused" "${lines[1]}"
}

@test "it is sorted as asked for" {
	watching_daemon
	hold_vm hold
	mkfifo "$work/second"
	"$vmm" vm=default vcpu vcpu hold <"$work/second" >"$work/second-held" 2>&1 3>&- 8>&- &
	children+=("$!")
	exec 7>"$work/second"
	wait_until grep -q "^holding" "$work/second-held"
	ask() {
		"${kvmwarden[@]}" --json top --once --interval 0.1 --sort "$1" |
			jq -c --arg exe "$vmm" '[.vms[] | select(.exe == $exe) | .vcpus]'
	}
	same "[1,2]" "$(ask id)"
	same "[2,1]" "$(ask VCPUS)"
	same "[1,2]" "$(ask denied/s)"
	exec 7>&-
}

@test "the cost of our programs is shown while the kernel counts it" {
	local counted
	start_daemon
	counted=$(sysctl -n kernel.bpf_stats_enabled)
	[ "$counted" = 0 ] || skip "kernel.bpf_stats_enabled is on already"
	run -0 "${kvmwarden[@]}" top --once --interval 0.1
	has "cost not counted" "${lines[3]}"
	same null "$(frame_of .cpus)"
}

@test "names that a terminal would obey are made safe" {
	vmm=$work/$'a\e[31m\nvmm'
	cp build/tests/probe "$vmm"
	start_daemon
	hold_vm hold
	run -0 "${kvmwarden[@]}" top --once --interval 0.1
	has '/a\x1b[31m\x0avmm'
	hasnt $'\e'
	on_screen "${kvmwarden[@]}" top --interval 0.1 --sort exe
	shows '/a\x1b[31m\x0avmm'
}

# --- a daemon that goes away --------------------------------------------------

@test "frames go on while there is no daemon, and say so; the last one decides the status" {
	start_daemon
	"${kvmwarden[@]}" --json top --interval 0.1 >"$work/frames" 3>&- &
	children+=("$!")
	wait_until jq -es 'any(.error == null)' "$work/frames"
	stop_daemon
	wait_until jq -es 'any(.error != null)' "$work/frames"
	same '[true,null,[]]' "$(jq -cs 'map(select(.error)) | first |
		[(.error | startswith("kvmwardend is not running")), .enforcement, .vms]' "$work/frames")"
	start_daemon
	wait_until jq -es 'last | .error == null and .seconds > 0' "$work/frames"
	kill "${children[-2]}"
	ends "${children[-2]}" 0

	"${kvmwarden[@]}" top --interval 0.1 --count 50 >"$work/frames" 3>&- &
	children+=("$!")
	wait_until grep -q . "$work/frames"
	stop_daemon_only
	ends "${children[-1]}" 69
	grep -q "^NO ANSWER FROM THE DAEMON: kvmwardend is not running" "$work/frames"
}

# The daemon is not the last of our children.
stop_daemon_only() {
	kill "$daemon"
	ends "$daemon" 0
}

# --- the screen ---------------------------------------------------------------

# on_screen COMMAND...: runs it on a terminal of 120x30, where its status and what it did to the
# terminal are noted.
on_screen() {
	command -v tmux >/dev/null || skip "this machine has no tmux"
	export TMUX_TMPDIR=$work LC_ALL=C.UTF-8
	unset TMUX
	# -N: a command that comes too early starts no server of its own, which would outlive us.
	tmux=(tmux -u -N -L top -f /dev/null)
	tmux -u -L top -f /dev/null -D 3>&- 8>&- &
	children+=("$!")
	cat >"$work/session" <<-'END'
		#!/bin/sh
		# Ctrl-C is for all that is in the foreground.
		trap : INT
		stty -g >before
		sh -c 'echo $$ >pid; exec "$@"' sh "$@" 2>complaint
		echo $? >ended
		stty -g >after
		echo "it has ended"
		exec sleep 60
	END
	chmod 0755 "$work/session"
	wait_until "${tmux[@]}" new-session -d -x 120 -y 30 -c "$work" "$work/session" "$@"
}

screen() {
	"${tmux[@]}" capture-pane -p
}

screen_has() {
	[[ $(screen) == *"$1"* ]]
}

shows() {
	wait_until screen_has "$1" || {
		screen
		return 1
	}
}

screen_lacks() {
	! screen_has "$1"
}

press() {
	"${tmux[@]}" send-keys "$@"
}

# left STATUS: it has ended so, and the terminal is as it was.
left() {
	wait_until test -s "$work/after" || {
		screen
		return 1
	}
	same "$1" "$(<"$work/ended")"
	same "$(<"$work/before")" "$(<"$work/after")"
	shows "it has ended"
	same "0 1" "$("${tmux[@]}" display-message -p '#{alternate_on} #{cursor_flag}')"
	screen_lacks "kvmwarden top  "
}

@test "the screen has header and rows, and goes on by itself" {
	refused_vm 50
	on_screen "${kvmwarden[@]}" top --interval 0.1 --sort exe
	shows "  backend seccomp, generation 1, 1 policy"
	shows "by EXE; h: help, q: quit"
	shows "  default  building  1"
	same 1 "$(screen | grep -c " $vm_pid ")"
	same "kvmwarden top" "$(screen | head -n 1 | cut -c -13)"
	next_step
	shows " 50 "
	press q
	left 0
	same "" "$(<"$work/complaint")"
}

@test "keys sort, filter, help and look again" {
	refused_vm 5
	on_screen "${kvmwarden[@]}" top --interval 3600 --sort denied/s
	shows "by DENIED/S; h: help"
	shows "default  building"
	press d
	shows "No VM was refused anything."
	shows "by DENIED/S, only VMs that were refused something"
	next_step
	wait_until grep -q KVM_SET_REGS "$work/held"
	press Space
	shows "default  building"
	shows " 5 "
	press d
	wait_until screen_lacks ", only VMs"
	press s
	shows "by POLICIES;"
	press s
	shows "by ID;"
	press h
	shows "space  looks again now"
	screen_lacks "VERDICTS/S  DENIED"
	press h
	shows "default  building"
	press Down PageDown Up Home C-l Escape x
	shows "default  building"
	press q
	left 0
}

@test "a terminal that gets small or large is filled, whatever its size" {
	local size
	watching_daemon
	hold_vm hold
	on_screen "${kvmwarden[@]}" top --interval 0.1 --sort exe
	shows "default  building"
	for size in "40 10" "10 3" "1 1" "300 60" "40 10"; do
		"${tmux[@]}" resize-window -x "${size% *}" -y "${size#* }"
		# Frames go on.
		wait_until screen_has "k"
	done
	shows "kvmwarden top"
	shows "ENFORCING  backend trace"
	shows "  default  building"
	screen_lacks "POLICIES"
	"${tmux[@]}" resize-window -x 160 -y 30
	shows "  watcher"
	press q
	left 0
}

@test "what is longer than the screen is scrolled to" {
	local second
	watching_daemon
	hold_vm hold
	"$vmm" vm=default vcpu hold <"$work/hold" >"$work/second-held" 2>&1 3>&- 8>&- &
	second=$!
	children+=("$second")
	wait_until grep -q "^holding" "$work/second-held"
	on_screen "${kvmwarden[@]}" top --interval 0.1 --sort exe
	shows " $second "
	"${tmux[@]}" resize-window -x 120 -y 7
	wait_until screen_lacks " $second "
	shows " $vm_pid "
	press Down
	shows " $second "
	screen_lacks " $vm_pid "
	shows "DENIED/S"
	press Home
	shows " $vm_pid "
	press NPage
	shows " $second "
	press q
	left 0
}

@test "it ends with its terminal" {
	start_daemon
	on_screen "${kvmwarden[@]}" top --interval 0.1
	shows "h: help, q: quit"
	"${tmux[@]}" kill-session
	wait_until is_over "$(<"$work/pid")"
}

@test "stopped and continued by the shell, it draws again" {
	start_daemon
	on_screen sh -c 'exec bash --norc -i 2>&1'
	press "PS1='prompt: '" Enter
	shows "prompt: "
	press "${kvmwarden[*]} top --interval 0.1" Enter
	shows "h: help, q: quit"
	press C-z
	shows "Stopped"
	screen_lacks "h: help, q: quit"
	press fg Enter
	shows "h: help, q: quit"
	press q
	wait_until screen_lacks "h: help, q: quit"
	press exit Enter
	wait_until test -s "$work/after"
}

@test "signals and Ctrl-C leave the terminal as it was" {
	local signal
	start_daemon
	for signal in TERM INT HUP QUIT C-c; do
		rm -f "$work/after" "$work/pid"
		if [ -z "${tmux[*]}" ]; then
			on_screen "${kvmwarden[@]}" top --interval 0.1
		else
			"${tmux[@]}" respawn-pane -k -c "$work" "$work/session" "${kvmwarden[@]}" top --interval 0.1
		fi
		shows "h: help, q: quit"
		echo "$signal"
		if [ "$signal" = C-c ]; then
			press C-c
		else
			kill "-$signal" "$(<"$work/pid")"
		fi
		left 0
	done
}

@test "the screen says that the daemon was killed, and goes on when there is one again" {
	watching_daemon
	hold_vm hold
	on_screen "${kvmwarden[@]}" top --interval 0.1 --sort exe
	shows "ENFORCING  backend"
	shows "default  building"
	kill -KILL "$daemon"
	shows "NO ANSWER FROM THE DAEMON: kvmwardend is not running"
	screen_lacks "default  building"
	screen_lacks ENFORCING
	start_daemon
	shows "ENFORCING  backend"
	shows "default  building"
	shows "rates of "
	press q
	left 0
}

@test "a daemon that does not answer holds the screen for seconds, not for ever" {
	start_daemon
	on_screen "${kvmwarden[@]}" top --interval 0.1
	shows "h: help"
	kill -STOP "$daemon"
	shows "NO ANSWER FROM THE DAEMON: kvmwardend did not answer within 3 seconds"
	press q
	left 0
	kill -CONT "$daemon"
}

@test "colours are for terminals whose user wants them" {
	rule strict KVM_SET_REGS deny
	start_daemon
	on_screen env TERM=screen-256color "${kvmwarden[@]}" top --interval 0.1
	shows "NOT ENFORCING"
	has $'\e[31m' "$("${tmux[@]}" capture-pane -pe)"
	"${tmux[@]}" respawn-pane -k -c "$work" "$work/session" env NO_COLOR=1 TERM=screen-256color \
		"${kvmwarden[@]}" top --interval 0.1
	shows "NOT ENFORCING"
	wait_until screen_lacks "it has ended"
	hasnt $'\e[31m' "$("${tmux[@]}" capture-pane -pe)"
	# Where there is no screen, frames follow.
	"${tmux[@]}" respawn-pane -k -c "$work" "$work/session" env TERM=no-such-terminal \
		"${kvmwarden[@]}" top --interval 0.1
	wait_until grep -q "no screen on this terminal (TERM=no-such-terminal); frames follow" "$work/complaint"
	shows "NOT ENFORCING"
	hasnt "h: help" "$(screen)"
}

# --- the document -------------------------------------------------------------

@test "the commands that docs/top.md shows work" {
	local command count=0
	deny_registers
	start_supervisor
	hold_vm hold
	mkdir "$work/bin"
	printf '#!/bin/sh\nexec "%s/build/kvmwarden" --socket "%s" "$@"\n' "$PWD" "$socket" >"$work/bin/kvmwarden"
	chmod 0755 "$work/bin/kvmwarden"
	while read -r command; do
		echo "$command"
		PATH=$work/bin:$PATH run -0 timeout "$patience" bash -o pipefail -c "$command" </dev/null
		[ -n "$output" ]
		count=$((count + 1))
	done < <(tests/host/doc-blocks frames docs/top.md)
	((count >= 3))
}
