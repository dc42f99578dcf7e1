# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # whoever reads this has work, daemon, children
# The list of tests/hostile/taken-over, tried on a daemon: for tests on the host and in the guest,
# which bring start_tried, status_of and is_over.

inject_options=()

# of_threads FIELD: what /proc says of each thread of the daemon, each value once.
of_threads() {
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$daemon/task"/*/status | sort -u | xargs
}

# places: where the daemon has no business, and a process to be played with.
places() {
	out=$(mktemp -d "${TMPDIR:-/tmp}/kvmwarden-out.XXXXXX")
	mkdir "$out/mount"
	sleep 1000 3>&- 8>&- &
	victim=$!
	children+=("$victim")
	rm -f /tmp/kvmwarden-taken-over
}

forget_places() {
	! mountpoint -q "$out/mount" || umount "$out/mount"
	rm -rf "$out" "$work/node" "$work/new" /tmp/kvmwarden-taken-over
}

# inject CALL ARGUMENT...: what the system call gets, in the daemon's main thread.
# With the options of $inject_options.
inject() {
	local arguments=("${@//OUT/$out}")
	arguments=("${arguments[@]//OWN/$work}")
	[ -e "$out/file" ] || echo something >"$out/file"
	rm -rf "$out/new" "$out/directory" "$out/link" "$work/node"
	build/tests/inject "${inject_options[@]}" "$daemon" "${arguments[@]/#VICTIM/$victim}"
}

# try_all COLUMN ARGUMENT...: each line of the list, on a daemon with these arguments; how many go wrong.
try_all() {
	local column=$1 stage confined control call got wanted wrong=0
	shift
	places
	daemon=
	while IFS='|' read -r stage confined control call; do
		[[ $stage != \#* ]] || continue
		if [ -z "$daemon" ] || is_over "$daemon"; then
			start_tried "$@"
			stages=$(status_of '.confinement.stages | join(" ")')
		fi
		if [ "$column" = confined ] && [[ " $stages " != *" $stage "* ]]; then
			echo "not tried, for want of $stage: $call"
			continue
		fi
		wanted=${!column}
		# shellcheck disable=SC2086 # words
		got=$(inject $call)
		echo "$call: $got"
		if [ "$wanted" = any ] && [[ $got != killed* && -n $got ]]; then
			continue
		fi
		# A daemon that is not killed has to be as well as before.
		if [ "$got" != "$wanted" ] ||
			[[ $got != killed* && $call != execve* && $(status_of .pid) != "$daemon" ]]; then
			echo "    wanted: $wanted"
			wrong=$((wrong + 1))
		fi
	done <tests/hostile/taken-over
	forget_places
	return $((wrong > 99 ? 99 : wrong))
}
