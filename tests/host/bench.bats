#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# That 'make bench' measures what it says; how long things take is not for a test to say.

load helper

setup_file() {
	needs_kvm
}

@test "the bench tells each cost, and the filter beside ours is as long" {
	run -0 tests/bench/run --quick
	has "KVM_CHECK_EXTENSION"
	has "refused, on the same core"
	jq -e '.length.run == .length.filter and .length.run > 10 and
		([.plain[] | .bare, .filter, .run, ."run/filter"] | length == 12 and all(. > 0)) and
		(.asked.refused.same.run > 0) and (.asked.passed.same.run > 0)' build/bench-quick.json
}
