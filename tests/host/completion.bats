#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2013,SC2016,SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# Help and completions: what they offer is what the commands take.

load helper

# Each command with a title, by name.
commands() {
	build/kvmwarden --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]\+\( [a-z]\+\)\?\)  .*/\1/p'
}

@test "every command tells what it takes, and takes the options it tells of" {
	local command option
	[ "$(commands | wc -l)" -gt 20 ]
	while read -r command; do
		# shellcheck disable=SC2086 # words
		run -0 --separate-stderr build/kvmwarden $command --help
		same "Usage: kvmwarden $command" "$(head -n 1 <<<"$output" | cut -c "1-$((17 + ${#command}))")"
		for option in $(sed -n 's/^  \(-., \)\{0,1\}--\([a-z-]*\).*/\2/p' <<<"$output"); do
			# What follows is nonsense; that the option is unknown is not said.
			# shellcheck disable=SC2086 # words
			run --separate-stderr timeout 5 build/kvmwarden --socket "$work/none" $command "--$option"
			hasnt "unknown option '--$option'" "$stderr"
			hasnt "unrecognized option" "$stderr"
		done
		# shellcheck disable=SC2086 # words
		run -64 --separate-stderr build/kvmwarden --socket "$work/none" $command --nonsense
		has "--nonsense" "$stderr"
	done < <(commands | grep -vx 'policy\|fleet\|completion')
}

@test "help takes a command, as --help does" {
	run -0 build/kvmwarden help policy explain
	same "$output" "$(build/kvmwarden policy explain --help)"
	run -64 build/kvmwarden help polcy
	has "did you mean 'policy'?"
	run -64 build/kvmwarden completion csh
	has "bash, zsh or fish"
}

# bash_offers WORDS...: what bash completes the last word to, sorted.
bash_offers() {
	bash --norc -c '
		compopt() { :; }
		. "$1"
		shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
		"_$1"
		printf "%s\n" "${COMPREPLY[@]}"
	' bash "$work/bash" "$@" | sort | xargs
}

@test "bash completes commands, options, values and files" {
	build/kvmwarden completion bash >"$work/bash"
	run -0 shellcheck "$work/bash"
	same "events" "$(bash_offers kvmwarden ev)"
	same "verify" "$(bash_offers kvmwarden events v)"
	same "--verdict --version --vm" "$(bash_offers kvmwarden events --v)"
	same "--head --help" "$(bash_offers kvmwarden events verify --he)"
	same "allow audit deny kill" "$(bash_offers kvmwarden events --verdict "")"
	same "deny" "$(bash_offers kvmwarden events --verdict = de)"
	same "explain export" "$(bash_offers kvmwarden --json --socket x policy e)"
	same "explain export" "$(bash_offers kvmwarden --socket = x policy e)"
	same "KVM_SET_SREGS KVM_SET_SREGS2" "$(bash_offers kvmwarden policy explain --op KVM_SET_SR)"
	same "policies" "$(bash_offers kvmwarden policy check polic)"
	same "seccomp seccomp-alone seccomp-plain" "$(bash_offers kvmwarden policy check --backend sec)"
	same "crun" "$(bash_offers kvmwarden run --wait 5 -- crun)"
	same "auto fmod_ret lsm seccomp seccomp-plain tracepoint" "$(bash_offers kvmwardend --backend "")"
}

@test "fish completes the same" {
	command -v fish || skip "fish is not installed"
	build/kvmwarden completion fish >"$work/fish"
	# fish_offers LINE
	fish_offers() {
		HOME=$work XDG_CONFIG_HOME=$work fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$work/fish" "$1" |
			cut -f 1 | sort | xargs
	}
	same "events" "$(fish_offers "kvmwarden ev")"
	same "verify" "$(fish_offers "kvmwarden events ver")"
	same "--verdict --version --vm" "$(fish_offers "kvmwarden events --v")"
	same "allow audit deny kill" "$(fish_offers "kvmwarden events --verdict ")"
	same "explain export" "$(fish_offers "kvmwarden policy ex")"
	same "building sealed" "$(fish_offers "kvmwarden policy explain --state ")"
	same "auto fmod_ret lsm seccomp seccomp-plain tracepoint" "$(fish_offers "kvmwardend --backend ")"
}

@test "zsh completes the same" {
	command -v zsh || skip "zsh is not installed"
	mkdir "$work/functions"
	build/kvmwarden completion zsh >"$work/functions/_kvmwarden"
	# zsh_offers LINE: its completion system wants a terminal, and lists what there is on it.
	zsh_offers() {
		TERM=dumb zsh -f tests/host/zsh-offers "$work/functions" "$1" |
			grep -oE -- '--[a-z]+|\b[a-z][a-z_-]+\b' | sort -u | xargs
	}
	has "explain export" " $(zsh_offers "kvmwarden policy ex") "
	has "allow audit deny" " $(zsh_offers "kvmwarden events --verdict ") "
	has "--verdict --version --vm" " $(zsh_offers "kvmwarden events --v") "
	has "building" " $(zsh_offers "kvmwarden policy explain --state ") "
	has "tracepoint" " $(zsh_offers "kvmwardend --backend ") "
}

@test "the ids of living VMs are offered" {
	needs_kvm
	start_daemon
	hold_vm hold
	build/kvmwarden completion bash >"$work/bash"
	printf '#!/bin/sh\nexec "%s" --socket "%s" "$@"\n' "$PWD/build/kvmwarden" "$socket" >"$work/kvmwarden"
	chmod +x "$work/kvmwarden"
	same "$(my_vms .id)" "$(PATH=$work:$PATH bash_offers kvmwarden events --vm "$(my_vms .id)")"
	release_vm
}
