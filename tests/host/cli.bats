#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# The command where there is no daemon: exit statuses, diagnostics, events from a file.

load helper

nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)

needs_root() {
	[ "$EUID" = 0 ] || skip "needs root, to become another user"
}

# --- exit statuses ------------------------------------------------------------

@test "help and version go to standard output, with status 0" {
	local arguments
	for arguments in --help "status --help" "policy --help" "policy check --help" \
		"policy learn --help"; do
		# shellcheck disable=SC2086 # words
		run -0 --separate-stderr build/kvmwarden $arguments
		has "Usage: kvmwarden"
		same "" "$stderr"
	done
	run -0 --separate-stderr build/kvmwardend --help
	has "Usage: kvmwardend"
	same "" "$stderr"
	run -0 build/kvmwarden --version
	[[ $output =~ ^kvmwarden\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
	run -0 build/kvmwardend --version
	[[ $output =~ ^kvmwardend\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "the help documents every exit status of this suite" {
	local status_documented
	run -0 build/kvmwarden --help
	for status_documented in "0 fine" "1 it is not as it should be" "64 usage" "69 the daemon" \
		"71 the system failed" "77 no permission"; do
		has "$status_documented"
	done
	run -0 build/kvmwardend --help
	for status_documented in "0 ended as asked" "1 broken policy" "64 usage" \
		"71 system error" "77 not root"; do
		has "$status_documented"
	done
}

@test "a command line that cannot be understood ends with 64 and one sentence" {
	local line
	while read -r line; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr build/kvmwarden --socket "$socket" $line
		echo "kvmwarden $line: $stderr"
		same 64 "$status"
		same "" "$output"
		same 1 "${#stderr_lines[@]}"
	done <<-END
		--no-such-option
		no-such-command
		status surplus
		status --wait
		status --wait soon
		status --wait -1
		status --no-such-option
		vms surplus
		top surplus
		top --interval
		top --interval 0
		top --interval 0.0001
		top --interval .5
		top --interval -1
		top --interval 3601
		top --count 0
		top --count some
		top --sort denyed/s
		events surplus
		events -n some
		events -n -1
		events --verdict denyy
		events --vm 0
		events --vm x
		events -f --file events.jsonl
		policy no-such-part
		policy check
		policy check --no-such-option
		policy diff
		policy diff policies
		policy diff policies policies policies
		policy groups surplus
		policy learn
		policy learn a b
		policy learn --exe
		policy learn --exe /*/* -
		policy simulate
		policy operations surplus
		policy show surplus
		policy explain
		policy explain --type sev-snp
		policy explain --type sev-snp --state sealed --op KVM_SET_RGES
		policy explain --type sev-snpp --state sealed --op KVM_SET_REGS
		policy explain --type sev-snp --state seald --op KVM_SET_REGS
		policy explain --type sev-snp --state sealed --op KVM_CREATE_VM
		policy explain --type sev-snp --state sealed --op KVM_SET_REGS --user no-such-user
		doctor surplus
		reload surplus
		unload
		unload surplus
		unload --yes surplus
		unload --token
	END
}

@test "without arguments the command prints its usage on standard error and ends with 64" {
	run -64 --separate-stderr build/kvmwarden
	same "" "$output"
	has "Usage: kvmwarden" "$stderr"
	run -64 --separate-stderr build/kvmwarden policy
	same "" "$output"
	has "Usage: kvmwarden policy" "$stderr"
}

@test "a shared option without its value ends with 64" {
	local option
	for option in --socket --policy-dir; do
		run -64 build/kvmwarden status "$option"
		has "option '$option' needs a value"
	done
}

@test "a wrong word is answered with the right one" {
	run -64 build/kvmwarden statsu
	has "did you mean 'status'?"
	run -64 build/kvmwarden --socket "$socket" events --verdict denny
	has "did you mean 'deny'?"
	run -64 build/kvmwarden --socket "$socket" top --sort DENIDE
	has "did you mean 'DENIED'?"
	run -64 build/kvmwarden policy explain --type sev-snp --state sealed --op KVM_SET_RGES
	has "did you mean 'KVM_SET_REGS'?"
	run -64 build/kvmwarden policy explain --type sev-spn --state sealed --op KVM_SET_REGS
	has "did you mean 'sev-snp'?"
}

@test "without a daemon what needs one ends with 69 and says that it is not running" {
	local line
	for line in status vms top "top --once" "--json top" events "events -f" reload "unload --yes" "--json status"; do
		# shellcheck disable=SC2086 # words
		run -69 --separate-stderr "${kvmwarden[@]}" $line
		same "" "$output"
		same "kvmwarden: kvmwardend is not running (no socket $socket)" "$stderr"
	done
	# Its socket, but nobody behind it.
	perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1) or die' "$socket"
	run -69 "${kvmwarden[@]}" status
	has "nobody listens on $socket"
}

@test "status --wait gives up with 69 when the daemon does not come" {
	local before=$SECONDS
	run -69 "${kvmwarden[@]}" status --wait 1
	((SECONDS - before >= 1 && SECONDS - before < 10))
}

@test "who may not reach the socket is answered with 77" {
	needs_root
	cp build/kvmwarden "$work/kvmwarden"
	mkdir -m 0700 "$work/closed"
	run -77 "${nobody[@]}" "$work/kvmwarden" --socket "$work/closed/socket" status
	has "no permission to use $work/closed/socket"
	chmod 0755 "$work/closed"
	run -69 "${nobody[@]}" "$work/kvmwarden" --socket "$work/closed/socket" status
}

@test "a socket path longer than a socket's can be is a system error, 71" {
	run -71 build/kvmwarden --socket "/tmp/$(printf '%0120d' 0)" status
	has "File name too long"
}

@test "output that cannot be written ends with 71" {
	local line
	for line in --version --help "policy groups" "policy groups --json" \
		"policy operations" "policy operations --json" \
		"policy show --policy-dir policies" "policy check policies/vm-lifecycle.yaml" \
		"doctor" "--json doctor"; do
		echo "kvmwarden $line"
		# shellcheck disable=SC2016,SC2086 # for the inner shell; words
		run -71 sh -c 'build/kvmwarden "$@" >/dev/full' sh $line
	done
}

# --- doctor -------------------------------------------------------------------

@test "doctor needs no root: it says what it cannot know" {
	needs_root
	cp build/kvmwarden "$work/kvmwarden"
	cd / || return
	run --separate-stderr "${nobody[@]}" "$work/kvmwarden" doctor
	[ "$status" = 0 ] || [ "$status" = 1 ]
	same "" "$stderr"
	has "/dev/kvm"
	has "By these facts kvmwardend"
	run --separate-stderr "${nobody[@]}" "$work/kvmwarden" --json doctor
	same "" "$stderr"
	same true "$(jq '.checks | length > 10 and all(.check and .result and .meaning)' <<<"$output")"
}

@test "doctor's exit status is whether a backend that refuses is possible, by its own JSON" {
	local possible
	run build/kvmwarden doctor --json
	possible=$(jq .refuses <<<"$output")
	case $possible in
	true) same 0 "$status" ;;
	false) same 1 "$status" ;;
	*) same "true or false" "$possible" ;;
	esac
	same "lsm fmod_ret tracepoint seccomp" \
		"$(jq -r '.checks[].check | select(startswith("backend ")) | .[8:]' <<<"$output" | xargs)"
}

# --- events from a file -------------------------------------------------------

# event SEQ VERDICT VM: a line of an event file.
event() {
	printf '{"version":1,"time":"2026-01-01T00:00:00.000000000Z","seq":%s,"event":"ioctl",' "$1"
	printf '"verdict":"%s","vm":{"id":%s}}\n' "$2" "$3"
}

@test "events reads a file of JSON lines without a daemon, and filters" {
	{ event 1 audit 1; event 2 deny 2; event 3 audit 2; } >"$work/log"
	run -0 build/kvmwarden --json events --file "$work/log"
	same "1 2 3" "$(jq .seq <<<"$output" | xargs)"
	run -0 build/kvmwarden --json events --file "$work/log" --vm 2
	same "2 3" "$(jq .seq <<<"$output" | xargs)"
	run -0 build/kvmwarden --json events --file "$work/log" --verdict audit -n 1
	same "3" "$(jq .seq <<<"$output" | xargs)"
	run -0 build/kvmwarden --json events --file - <"$work/log"
	same 3 "${#lines[@]}"
	run -0 build/kvmwarden --json events --file "$work/log" -n 0
	same "" "$output"
}

@test "a line that is cut short is told by number, exits 1, and hides no other" {
	{ event 1 audit 1; echo '{"version":1,"ti'; event 3 audit 2; } >"$work/log"
	run -1 --separate-stderr build/kvmwarden --json events --file "$work/log"
	same "1 3" "$(jq .seq <<<"$output" | xargs)"
	same "kvmwarden: $work/log:2: not a JSON object" "$stderr"
	run -1 build/kvmwarden events --file "$work/absent"
	has "cannot open $work/absent"
}

@test "what events prints of a file cannot write to the terminal what it likes" {
	printf '%s\n' '{"version":1,"seq":1,"time":"2026-01-01T00:00:00.000000000Z","event":"ioctl","verdict":"audit","operation":"KVM_SET_REGS","process":{"pid":1,"comm":"a\u001b]0;b\u0007c","exe":"/x\u001b[2J"}}' >"$work/log"
	run -0 build/kvmwarden events --file "$work/log"
	has "KVM_SET_REGS"
	same "" "$(LC_ALL=C tr -cd '\001-\010\013-\037' <<<"$output")"
}
