#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helper.bash has the variables; bats sets output and status
# That 'make bench' measures what it says; how long things take is not for a test to say.

load helper

every_test() { needs_kvm; }

@test "the bench tells each cost, and the filter beside ours is as long" {
	run -0 tests/bench/run --quick
	has "KVM_CHECK_EXTENSION"
	has "refused, on the same core"
	jq -e '.length.run == .length.filter and .length.run > 10 and
		([.plain[] | .bare, .filter, .run, ."run/filter" | .median] | length == 12 and all(. > 0)) and
		([.asked[].same | .bare, .run, ."run-plain", .reference | .median] |
			length == 8 and all(. > 0))' build/bench-quick.json
}

@test "the bench fails where its VMM is not refused as the policy says" {
	sed 's/errno: EACCES/errno: EPERM/' tests/bench/run >"$work/other"
	run -1 cmp -s "$work/other" tests/bench/run
	# It looks for the tree from where it is.
	mkdir -p "$work/tree/tests/bench"
	ln -s "$PWD/build" "$PWD/policies" "$work/tree"
	mv "$work/other" "$work/tree/tests/bench/run"
	run perl "$work/tree/tests/bench/run" --quick
	[ "$status" != 0 ]
	has "notify: refused: Operation not permitted"
}

@test "the bench knows a VMM that has no filter" {
	sleep "$patience" &
	children+=($!)
	run build/tests/notify inspect $!
	[ "$output" != 0 ] || skip "this kernel does not tell of filters (CONFIG_CHECKPOINT_RESTORE)"
	same 1 "$status"
	has "the process has no filter"
}

@test "the bench of the daemon starts it, counts its VMs, and loses no event untold" {
	run -0 tests/bench/daemon --quick
	has "from exec to READY"
	jq -e '.daemon | .ready_ms > .exec_ms and .resident_mib["10"] > 0 and
		.events.written > 0 and .events.written + .events.lost >= .events.asked' build/bench-quick.json
}
