#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# What the daemon gave up: as /proc shows it, and as a system call gets to feel that is put into the
# living process, as somebody would who has taken it over. The control is a daemon with --no-confine.

load helper
load ../hostile/taken-over

every_test() { needs_kvm; }

start_tried() {
	start_daemon "$@"
}

has_stage() {
	status_of '.confinement.stages[]' | grep -qx "$1"
}

@test "the daemon keeps CAP_BPF, CAP_KILL to kill for a policy, and no other capability, in all threads, and cannot gain any" {
	start_daemon
	same 0000008000000020 "$(of_threads CapEff)"
	same 0000008000000020 "$(of_threads CapPrm)"
	same 0000000000000000 "$(of_threads CapInh)"
	same 0000000000000000 "$(of_threads CapBnd)"
	same 0000000000000000 "$(of_threads CapAmb)"
	same 1 "$(of_threads NoNewPrivs)"
	same 2 "$(of_threads Seccomp)"
	same 1 "$(of_threads Seccomp_filters)"
	same "process capabilities calls" "$(status_of '.confinement.stages - ["files"] | join(" ")')"
	same '["CAP_KILL","CAP_BPF"]' "$(status_of .confinement.capabilities)"
	same true "$(status_of .confinement.active)"
	same 0 "$(grep -c "not confined" "$said")"
}

@test "with --no-confine it keeps what it has, says so, and status does" {
	start_daemon --no-confine
	same "$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)" "$(of_threads CapEff)"
	same "0 0" "$(of_threads NoNewPrivs) $(of_threads Seccomp)"
	has "warning: --no-confine: whoever takes this process over has all that root has" "$(cat "$said")"
	same '{"active":false,"stages":[],"missing":[],"capabilities":[]}' "$(status_of .confinement)"
	run "${kvmwarden[@]}" status
	has "confined  NO: --no-confine"
}

@test "Landlock is in place, or status says why it is not" {
	start_daemon
	if has_stage files; then
		run "${kvmwarden[@]}" status
		has "confined  process, files, capabilities, calls; it keeps CAP_KILL, CAP_BPF"
		return
	fi
	same files "$(status_of '.confinement.missing[].stage')"
	run "${kvmwarden[@]}" status
	has "NOT files: "
	has "not confined in its files" "$(cat "$said")"
	skip "this kernel has no Landlock"
}

@test "what one needs who has taken the daemon over fails in it, or ends it" {
	try_all confined
}

@test "with --no-confine each of these calls does what it is to do" {
	try_all control --no-confine
}

# start_as MASK EVENTS ARGUMENT...: a daemon with a umask, and its events elsewhere.
start_as() {
	local mask=$1 file=$2
	shift 2
	(
		umask "$mask"
		exec "${kvmwardend[@]}" --backend tracepoint --policy-dir "$policies" --events "$file" "$@" \
			>>"$said" 2>&1 3>&- 8>&- </dev/null
	) &
	daemon=$!
	children+=("$daemon")
	wait_until grep -qs '"event":"started"' "$file"
}

@test "descriptors that were left open are closed, but those that are named" {
	exec 7<README.md
	exec 6>>"$work/named"
	start_as 0022 /dev/fd/6
	same 0 "$(find "/proc/$daemon/fd" -lname '*/README.md' | wc -l)"
	stop_daemon
	same "started stopped" "$(jq -r .event "$work/named" | xargs)"
	start_as 0022 "$work/more" --no-confine
	same 1 "$(find "/proc/$daemon/fd" -lname '*/README.md' | wc -l)"
	exec 6>&- 7<&-
}

@test "what it makes is not for everybody to read, or for less if its umask says so" {
	start_as 0000 "$work/masked"
	stop_daemon
	start_as 0077 "$work/strict"
	same "640 600" "$(stat -c %a "$work/masked" "$work/strict" | xargs)"
}

# dumps ARGUMENT...: does a daemon with these arguments that crashes leave a memory image?
dumps() {
	: >"$events"
	(
		cd "$work" || exit
		ulimit -c unlimited
		perl -e '
			my $events = shift;
			my $pid = fork // die;
			if (!$pid) { exec @ARGV or die }
			sleep 1 until -s $events;
			kill "ABRT", $pid;
			waitpid $pid, 0;
			printf "%d %s\n", $? & 127, $? & 128 ? "core" : "none"' "$events" "${kvmwardend[@]}" \
			--backend tracepoint --policy-dir "$policies" "$@" 2>>"$said" 3>&- 8>&-
	)
}

@test "a daemon that crashes leaves no memory image" {
	same "6 none" "$(dumps)"
	[ "$(ulimit -H -c)" = unlimited ] || skip "core files are limited here, so there is no control"
	same "6 core" "$(dumps --no-confine)"
}

@test "policies may be replaced by a directory that is moved in, or by turning a link" {
	mkdir "$work/holds" "$work/holds/one" "$work/holds/two"
	ln -s one "$work/holds/set"
	rule first KVM_SET_REGS audit
	mv "$policies/first.yaml" "$work/holds/one"
	rule second KVM_SET_REGS audit
	mv "$policies/second.yaml" "$work/holds/two"
	launch --backend tracepoint --policy-dir "$work/holds/set"
	same first "$(status_of '.policies[].name')"
	ln -sfn two "$work/holds/set"
	run -0 "${kvmwarden[@]}" reload
	same second "$(status_of '.policies[].name')"
	rm "$work/holds/set"
	mv "$work/holds/one" "$work/holds/set"
	run -0 "${kvmwarden[@]}" reload
	same first "$(status_of '.policies[].name')"
}

@test "a policy that is linked from elsewhere is read at the start, and changed there" {
	mkdir "$work/elsewhere"
	rule linked KVM_SET_REGS audit
	mv "$policies/linked.yaml" "$work/elsewhere"
	ln -s "$work/elsewhere/linked.yaml" "$policies/linked.yaml"
	start_daemon
	sed -i 's/^policy: linked/policy: changed/' "$work/elsewhere/linked.yaml"
	run -0 "${kvmwarden[@]}" reload
	same changed "$(status_of '.policies[].name')"
}

@test "a link to where no policy was at the start is refused with a hint, and the old set stays" {
	rule first KVM_SET_REGS audit
	start_daemon
	has_stage files || skip "this kernel has no Landlock"
	out=$(mktemp -d "${TMPDIR:-/tmp}/kvmwarden-out.XXXXXX")
	rule second KVM_SET_REGS audit
	mv "$policies/second.yaml" "$out"
	ln -s "$out/second.yaml" "$policies/second.yaml"
	run --separate-stderr "${kvmwarden[@]}" reload
	same 1 "$status"
	has "second.yaml: error: cannot be opened: Permission denied" "$stderr"
	has "reads only where policies were when it was started" "$stderr"
	same first "$(status_of '.policies[].name')"
	stop_daemon
	start_daemon
	same "first second" "$(status_of '[.policies[].name] | sort | join(" ")')"
	rm -rf "$out"
}

@test "an event file that only a capability can make anew is warned of" {
	mkdir "$work/theirs"
	chown 65534:65534 "$work/theirs"
	chmod 0755 "$work/theirs"
	start_as 0022 "$work/theirs/events"
	has "SIGUSR1 cannot make it anew" "$(cat "$said")"
	mv "$work/theirs/events" "$work/theirs/old"
	kill -USR1 "$daemon"
	wait_until grep -q "the old file stays in use" "$said"
	stop_daemon
	same stopped "$(tail -n 1 "$work/theirs/old" | jq -r .event)"
}

@test "sd_notify reaches the service manager" {
	perl -MIO::Socket::UNIX -e '
		my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => shift) or die "$!\n";
		$| = 1;
		while (defined $s->recv(my $text, 4096)) { print "$text\n" }' "$work/notify" >"$work/notified" 3>&- 8>&- &
	children+=("$!")
	wait_until test -S "$work/notify"
	NOTIFY_SOCKET=$work/notify start_daemon
	wait_until grep -q READY=1 "$work/notified"
	stop_daemon
	wait_until grep -q STOPPING=1 "$work/notified"
}
