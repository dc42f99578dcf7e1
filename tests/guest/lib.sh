# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the scripts that run in the guest share: TAP, and a daemon to talk to.

set -u
work=$(mktemp -d)
socket=$work/kvmwarden.sock
events=$work/events.jsonl
daemon=
count=0
# The daemon wants policies that belong to root; the tree may be anybody's.
shipped=$work/shipped
install -d -m 0755 "$shipped"
install -m 0644 policies/*.yaml "$shipped"
kvmwarden=(build/kvmwarden --socket "$socket")

# result STATUS DESCRIPTION [EXPLANATION]: one TAP line, and why when it failed.
result() {
	count=$((count + 1))
	if [ "$1" = 0 ]; then
		printf 'ok %d - %s\n' "$count" "$2"
		return
	fi
	printf 'not ok %d - %s\n' "$count" "$2"
	[ -z "${3:-}" ] || printf '%s\n' "$3" | sed 's/^/# /'
}

# check DESCRIPTION COMMAND...: passes if the command does.
check() {
	local what=$1 said
	shift
	said=$("$@" 2>&1)
	result $? "$what" "$said"
}

# same DESCRIPTION WANTED GOT
same() {
	[ "$2" = "$3" ]
	result $? "$1" "wanted: $2
got: $3"
}

skip() {
	count=$((count + 1))
	printf 'ok %d - %s # SKIP %s\n' "$count" "$1" "$2"
}

# Whatever else was asked of them, all events are what the schema says.
conforming() {
	[ ! -s "$events" ] || build/tests/conform "$events" >>"$work/nonconforming" 2>&1
}
: >"$work/nonconforming"

# forget_events: those up to here are of no interest any more.
forget_events() {
	conforming || strange=1
	: >"$events"
}
strange=0

plan() {
	conforming || strange=1
	result "$strange" "every event conforms to the schema" "$(head -n 20 "$work/nonconforming")"
	printf '1..%d\n' "$count"
}

# start_daemon ARGUMENT...: returns once it is ready; what it said is in $work/said.
start_daemon() {
	forget_events
	build/kvmwardend --socket "$socket" --events "$events" --no-pin "$@" >"$work/said" 2>&1 9>&- &
	daemon=$!
	"${kvmwarden[@]}" status --wait 60 >"$work/status" 2>&1 && return
	sed 's/^/# kvmwardend: /' "$work/said"
	return 1
}

# Stops the daemon by SIGTERM; its exit status.
stop_daemon() {
	[ -n "$daemon" ] || return 0
	kill -TERM "$daemon"
	wait "$daemon"
	local status=$?
	daemon=
	return $status
}

# Without a word from the shell about who was killed.
kill_daemon() {
	kill -KILL "$daemon"
	wait "$daemon" 2>>"$work/err"
	daemon=
}

# outcome STEP...: the outcome and errno of the last attempt of the probe, which $launcher starts.
launcher=()
outcome() {
	"${launcher[@]}" build/tests/probe "$@" 2>>"$work/err" |
		awk -F'\t' '!/^#/ && NF >= 7 { o = $6 " " $7 } END { print o }'
}

# until_seen PATTERN FILE: waits for a line, so many tenths of a second.
patience=100
until_seen() {
	for _ in $(seq "$patience"); do
		grep -q "$1" "$2" && return
		sleep 0.1
	done
	return 1
}

# The events so far, after all that happened before this call has been written.
settled_events() {
	"${kvmwarden[@]}" vms >/dev/null
	cat "$events"
}

# events_by FILTER: of each line of the event file. A daemon that is killed while it writes may
# leave a part of a line.
events_by() {
	jq -rR "fromjson? | $1" "$events"
}

bail() {
	printf 'Bail out! %s\n' "$1"
	exit 1
}

trap 'stop_daemon; rm -rf "$work"' EXIT
