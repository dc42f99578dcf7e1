# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# A host of its own, as far as its journal goes: for scripts that write to one. To be sourced first.

# Goes on in a mount namespace where nothing of the host's journal is.
if [ -z "${KW_OWN_JOURNAL:-}" ]; then
	KW_OWN_JOURNAL=1 exec unshare --mount --propagation private "$0" "$@"
fi
mkdir -p /run/systemd /run/log
mount -t tmpfs tmpfs /run/systemd
mount -t tmpfs tmpfs /run/log
[ ! -d /var/log/journal ] || mount -t tmpfs tmpfs /var/log/journal
mkdir -p /run/systemd/journal /run/log/journal
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || :; wait' EXIT

# until_there COMMAND...: waits until it succeeds, a minute at most.
until_there() {
	for _ in $(seq 600); do
		! "$@" 2>/dev/null || return 0
		sleep 0.1
	done
	echo "${0##*/}: still not so: $*" >&2
	return 1
}

# start_journald DIR: what it says is in DIR/journald.
start_journald() {
	/lib/systemd/systemd-journald >"$1/journald" 2>&1 &
	pids+=("$!")
	until_there test -S /run/systemd/journal/socket
}

# start_daemon DIR: with DIR/kvmwarden.conf and DIR/policies; its socket is DIR/socket.
start_daemon() {
	build/kvmwardend --config "$1/kvmwarden.conf" --no-pin --backend tracepoint --policy-dir "$1/policies" \
		--socket "$1/socket" >"$1/daemon" 2>&1 &
	pids+=("$!")
	build/kvmwarden --socket "$1/socket" status --wait 20 >"$1/status" || [ $? = 1 ]
}
