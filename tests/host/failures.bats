#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# The daemon where something is missing or wrong: it ends with the right status and a sentence that
# helps, and leaves nothing loaded. What is taken away is so in a mount namespace of its own.

load helper

setup_file() {
	[ "$EUID" = 0 ] || skip "needs root, to take away what the daemon needs"
}

# The daemon, with its own socket and events; more arguments follow.
start=()

setup() {
	eval "$(declare -f host_setup)"
	host_setup
	start=("$PWD/build/kvmwardend" --socket "$socket" --events "$events" --policy-dir policies)
}

# without MOUNTS COMMAND...: runs it in a mount namespace in which the shell command MOUNTS was run.
without() {
	# shellcheck disable=SC2016 # for the inner shell
	unshare --mount --propagation private sh -c 'eval "$1" && shift && exec "$@"' sh "$@"
}
