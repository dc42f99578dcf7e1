#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# The daemon where something is missing or wrong: it ends with the right status and a sentence that
# helps, and leaves nothing loaded. What is taken away is so only in a mount namespace of the test.

load helper

every_test() { needs_root; }
needs_root() {
	[ "$EUID" = 0 ] || skip "needs root, to take away what the daemon needs"
}

# after STATUS SENTENCE MOUNTS COMMAND...: COMMAND fails so after the shell command MOUNTS.
after() {
	# shellcheck disable=SC2016 # for the inner shell
	fails "$1" "$2" unshare --mount --propagation private \
		sh -c 'eval "$1" && shift && exec "$@"' sh "${@:3}"
}

needs_mount_over() {
	unshare --mount --propagation private mount -t tmpfs none "$1" ||
		skip "cannot mount over $1 in a namespace of our own"
}

# --- what the daemon needs ----------------------------------------------------

@test "without root: 77, and who it takes" {
	# Where another user can read them.
	cp build/kvmwardend "$work/kvmwardend"
	cp policies/*.yaml "$policies"
	fails 77 "kvmwardend: not root: loading BPF programs and using /dev/kvm need it" \
		setpriv --reuid=65534 --regid=65534 --clear-groups "$work/kvmwardend" --no-pin \
		--socket "$work/s" --policy-dir "$policies"
}

@test "without /dev/kvm: 69, and how to get it" {
	needs_mount_over /dev
	after 69 "KVM is not available: there is no usable /dev/kvm; load kvm_amd or kvm_intel" \
		"mount -t tmpfs none /dev" "${kvmwardend[@]}" --policy-dir "$shipped"
	same 1 "${#stderr_lines[@]}"
}

@test "with something else in the place of /dev/kvm: 69, and what failed on it" {
	needs_kvm
	after 69 "/dev/kvm is there, but KVM_GET_API_VERSION fails: Inappropriate ioctl for device" \
		"mount --bind /dev/null /dev/kvm" "${kvmwardend[@]}" --policy-dir "$shipped"
	same 1 "${#stderr_lines[@]}"
}

@test "without the kernel's type information, if VMMs of all kinds are to be refused: 69, and how to get it" {
	local backend
	[ -e /sys/kernel/btf ] || skip "this kernel has none anyway"
	needs_mount_over /sys/kernel/btf
	# What does without, and refuses less: plain.bats.
	for backend in "--require deny" "--backend lsm" "--backend tracepoint"; do
		# shellcheck disable=SC2086 # words
		after 69 "it must be built with CONFIG_DEBUG_INFO_BTF" \
			"mount -t tmpfs none /sys/kernel/btf" "${kvmwardend[@]}" --policy-dir "$shipped" $backend
		same 1 "${#stderr_lines[@]}"
	done
}

@test "without bpffs, without a place for one, and without --no-pin: 69, and how to get it" {
	needs_kvm
	needs_mount_over /sys/fs
	after 69 "mount it with 'mount -t bpf -o mode=0700 bpf /sys/fs/bpf', or use --no-pin" \
		"mount -t tmpfs none /sys/fs" build/kvmwardend --socket "$socket" --policy-dir "$shipped"
	same 1 "${#stderr_lines[@]}"
}

@test "as root without any capability: 69, and a reason for each backend" {
	local backend
	needs_kvm
	fails 69 "no backend works here; not enforcing anything" \
		setpriv --bounding-set=-all --inh-caps=-all "${kvmwardend[@]}" --policy-dir "$shipped" \
		--require deny
	for backend in lsm fmod_ret tracepoint seccomp; do
		has "backend $backend does not work here: " "$stderr"
	done
}

@test "with fewer file descriptors than it needs: 71, and which step failed" {
	needs_kvm
	fails 71 "Too many open files" prlimit --nofile=10 "${kvmwardend[@]}" --policy-dir "$shipped"
	has "not enforcing anything" "$stderr"
}

@test "in the same namespace with nothing taken away the daemon starts" {
	needs_kvm
	unshare --mount --propagation private "${kvmwardend[@]}" --backend tracepoint \
		--policy-dir "$shipped" >"$said" 2>&1 3>&- </dev/null &
	daemon=$!
	children+=("$daemon")
	: >"$events"
	wait_until is_ready
	stop_daemon
}

# --- policies -----------------------------------------------------------------

@test "a broken policy: 1, by place, message and hint" {
	cp tests/policies/broken/unknown-operation.yaml "$policies"
	fails 1 "$policies/unknown-operation.yaml:6:9: error: unknown operation 'KVM_SET_REG'" \
		"${kvmwardend[@]}" --policy-dir "$policies"
	has "hint: did you mean 'KVM_SET_REGS'?" "$stderr"
}

@test "every broken policy: 1, before anything is touched" {
	local file wrong=0
	for file in tests/policies/broken/*.yaml; do
		cp "$file" "$policies/one.yaml"
		status=0
		timeout 10 "${kvmwardend[@]}" --policy-dir "$policies" 2>"$said" || status=$?
		if [ "$status" != 1 ] || [[ $(<"$said") != "$policies/one.yaml:"*" error: "* ]] ||
			[ "$(wc -l <"$said")" -gt 6 ]; then
			echo "$file: $status: $(<"$said")"
			wrong=$((wrong + 1))
		fi
	done
	same 0 "$wrong"
	[ ! -e "$events" ]
}

@test "a policy directory that is not there: 1, and its name" {
	fails 1 "$work/absent: error: cannot be opened: No such file or directory" \
		"${kvmwardend[@]}" --policy-dir "$work/absent"
}

@test "a policy that others than root can write: 1, and why" {
	cp policies/vm-lifecycle.yaml "$policies"
	chmod 0666 "$policies/vm-lifecycle.yaml"
	fails 1 "can be written by others than root" "${kvmwardend[@]}" --policy-dir "$policies"
	chmod 0644 "$policies/vm-lifecycle.yaml"
	chmod 0777 "$policies"
	fails 1 "can be written by others than root" "${kvmwardend[@]}" --policy-dir "$policies"
	chmod 0755 "$policies"
	chown 65534 "$policies"
	fails 1 "belongs to uid 65534, not to root" "${kvmwardend[@]}" --policy-dir "$policies"
}

# --- where it is told to write ------------------------------------------------

@test "an events file that cannot be written: 71, and its name" {
	needs_kvm
	fails 71 "cannot write events to '$work/absent/events': No such file or directory" "${kvmwardend[@]}" \
		--backend tracepoint --policy-dir "$shipped" --events "$work/absent/events"
	fails 71 "'$work': Is a directory" "${kvmwardend[@]}" \
		--backend tracepoint --policy-dir "$shipped" --events "$work"
	[ ! -e "$socket" ]
}

@test "a socket that cannot be made: 71, and its path" {
	local long
	needs_kvm
	fails 71 "cannot listen on '$work/no/such/socket': No such file or directory" "${kvmwardend[@]}" \
		--backend tracepoint --policy-dir "$shipped" --socket "$work/no/such/socket"
	long=$work/$(printf '%0120d' 0)
	fails 71 "'$long': File name too long" "${kvmwardend[@]}" \
		--backend tracepoint --policy-dir "$shipped" --socket "$long"
}

# --- the command line ---------------------------------------------------------

@test "a command line that cannot be understood: 64, in one line" {
	local line
	while read -r line; do
		# shellcheck disable=SC2086 # words
		fails 64 "" build/kvmwardend --no-pin --socket "$socket" $line
		same 1 "${#stderr_lines[@]}"
		same "" "$output"
	done <<-END
		--no-such-option
		surplus
		--backend nosuch
		--backend none
		--backend
		--require kill
		--require
		--events
		--socket
		--policy-dir
	END
	fails 64 "unknown backend 'nosuch'" build/kvmwardend --no-pin --backend nosuch
	fails 64 "'require' takes 'deny' or 'nothing', not 'kill'" build/kvmwardend --no-pin --require kill
}
