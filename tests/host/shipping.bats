#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2013,SC2016,SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# Events beyond this host: by the journal's own means, and by what reads files elsewhere.

load helper

every_test() { needs_kvm; }

@test "systemd-journal-upload takes events to another host's systemd-journal-remote, with their fields" {
	local fields='with_entries(select(.key | test("^(KVMWARDEN_|OBJECT_PID|MESSAGE)")))'
	local remote
	remote=$(tests/vm/unpack systemd-journal-remote)
	rule watcher KVM_SET_REGS audit
	LD_LIBRARY_PATH=$remote/usr/lib/x86_64-linux-gnu tests/host/two-hosts "$work" "$vmm" "$remote/lib/systemd"
	run -0 journalctl -q -D "$work/remote" -o json KVMWARDEN_OPERATION=KVM_SET_REGS
	same "$(jq -S "$fields" "$work/sent")" "$(jq -S "$fields" <<<"$output")"
	same "audit watcher $vmm" "$(jq -r '[.KVMWARDEN_VERDICT, .KVMWARDEN_POLICY, .KVMWARDEN_PROCESS_EXE] | join(" ")' <<<"$output")"
}

@test "rsyslog reads the event file, and forwards what is in it by its members" {
	local root
	root=$(tests/vm/unpack rsyslog)
	export LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu
	rule watcher KVM_SET_REGS audit
	start_daemon
	mkdir "$work/rsyslog"
	{
		echo "global(workDirectory=\"$work/rsyslog\")"
		sed -n '/^```rsyslog/,/^```$/{/^```/!p}' docs/shipping.md |
			sed "s,/var/log/kvmwarden/events.jsonl,$events,; s,/var/log/kvmwarden-denials.log,$work/forwarded,; s,\"deny\",\"audit\","
	} >"$work/rsyslog.conf"
	modules=$root/usr/lib/x86_64-linux-gnu/rsyslog
	run -0 "$root/usr/sbin/rsyslogd" -M "$modules" -N1 -f "$work/rsyslog.conf"
	"$root/usr/sbin/rsyslogd" -M "$modules" -n -i "$work/rsyslog.pid" -f "$work/rsyslog.conf" >"$work/rsyslogd" 2>&1 3>&- &
	children+=("$!")
	vm try=KVM_SET_REGS
	"${kvmwarden[@]}" vms
	wait_until grep -q KVM_SET_REGS "$work/forwarded"
	same "audit KVM_SET_REGS $vmm" "$(grep KVM_SET_REGS "$work/forwarded" | jq -r '[.verdict, .operation, .process.exe] | join(" ")')"
	# Over rotation, too.
	mv "$events" "$events.1"
	kill -USR1 "$daemon"
	wait_until test -s "$events"
	vm try=KVM_SET_REGS
	"${kvmwarden[@]}" vms
	two_lines() { [ "$(wc -l <"$work/forwarded")" = 2 ]; }
	wait_until two_lines
}

@test "logrotate moves a file of events away, and no event with it" {
	command -v logrotate || skip "logrotate is not installed"
	rule watcher KVM_SET_REGS audit
	start_daemon
	vm try=KVM_SET_REGS
	sed "s,/var/log/kvmwarden/[a-z*.]*,$events,; s,systemctl kill .*,kill -USR1 $daemon," systemd/kvmwarden.logrotate >"$work/logrotate"
	logrotate --force --state "$work/state" "$work/logrotate"
	wait_until said_event reopened
	vm try=KVM_SET_REGS
	"${kvmwarden[@]}" vms
	stop_daemon
	same "KVM_SET_REGS KVM_SET_REGS" "$(jq -r 'select(.event == "ioctl").operation' "$events".1 "$events" | xargs)"
	run -0 "${kvmwarden[@]}" events verify "$events".1 "$events"
}

@test "a million events to file, journal and socket: what is lost and what is written are all there was" {
	rule watcher KVM_SET_REGS audit
	run -0 tests/host/flood "$work" "$vmm" 1000000
	echo "# note: $(jq -rc '[.counters.events, .lost["ring-full"]], (.sinks[] | [.name, .written, .lost, .missed])' <<<"$output" | xargs)" >&3
	same 0 "$(jq '.counters.events - ([.lost | to_entries[] | .value | numbers] | add) - (.sinks[] | select(.name == "second").produced)' <<<"$output")"
	same true "$(jq '.counters.events > 1000000' <<<"$output")"
	same "0 0 0" "$(jq -r '[.sinks[] | .produced + .recalled - .written - .lost - .waiting - .spooled] | join(" ")' <<<"$output")"
	# Who does not read misses what he does not read, and nobody else does.
	same true "$(jq '.sinks[] | select(.name == "followers").missed > 0' <<<"$output")"
	same 0 "$(jq '.sinks[] | select(.name == "second").lost' <<<"$output")"
	# With the one that the daemon ended with.
	same "$(jq '.sinks[] | select(.name == "second").written + 1' <<<"$output")" "$(wc -l <"$work/second.jsonl")"
	run -0 "${kvmwarden[@]}" events verify "$work/trail.jsonl"
}
