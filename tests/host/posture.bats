#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2013,SC2016,SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# One host's posture, and many hosts in one table.

load helper

@test "without a daemon the host's facts are there, and that none answers" {
	run -1 "${kvmwarden[@]}" posture
	has "no socket $socket"
	has "Which VMs run nobody says"
	has "Score: "
	run -1 "${kvmwarden[@]}" --json posture
	same "bad null null" "$(jq -r '[(.facts[] | select(.fact == "enforcement").verdict), .vms, .status] | map(tostring) | join(" ")' <<<"$output")"
	same "$(jq '[.facts[] | select(.verdict == "good").points] | add' <<<"$output")" "$(jq .score <<<"$output")"
	run -0 "${kvmwarden[@]}" posture --threshold 0
	run -1 "${kvmwarden[@]}" posture --threshold 100
	run -64 "${kvmwarden[@]}" posture --threshold 101
}

@test "docs/posture.md has the facts as they are" {
	run "${kvmwarden[@]}" --json posture
	same "$(jq -r '.facts[] | "\(.fact) \(.points) \(.advice)"' <<<"$output")" \
		"$(sed -n 's/^| `\([a-z-]*\)` | \([0-9]*\) | .* | \(.*\) |$/\1 \2 \3/p' docs/posture.md | tr -d '`')"
}

@test "with a daemon each VM is there, with what its VMM has done for itself" {
	needs_kvm
	rule killer KVM_SET_SREGS kill
	start_daemon
	hold_vm hold
	run "${kvmwarden[@]}" posture
	has "enforcement        good     30/30   enforcing"
	has "every-vmm          bad       0/10   backend tracepoint"
	has "policy-modes       good     10/10   0 of 1 only report"
	same "default building $vmm none" "$(awk -v id="$(my_vms .id)" '$1 == id { print $2, $3, $4, $6 }' <<<"$output")"
	run -0 "${kvmwarden[@]}" --json posture
	same "$(my_vms .id) none no" "$(jq -r --arg exe "$vmm" '.vms[] | select(.creator.exe == $exe) | [.id, .seccomp, .no_new_privs] | map(tostring) | join(" ")' <<<"$output")"
	hasnt $'\e'
	release_vm
}

@test "the table has colours on a terminal only" {
	command -v script || skip "this machine has no script(1)"
	run script -qec "build/kvmwarden --socket $socket posture" /dev/null
	has $'\e[31mbad'
	run env NO_COLOR=1 script -qec "build/kvmwarden --socket $socket posture" /dev/null
	hasnt $'\e['
	run "${kvmwarden[@]}" posture
	hasnt $'\e'
}

@test "exports of many hosts become one table, the worst first" {
	needs_kvm
	rule killer KVM_SET_SREGS kill
	start_daemon
	"${kvmwarden[@]}" --json posture | jq -c '.host = "good"' >"$work/fleet"
	"${kvmwarden[@]}" --json status | jq '.host = "plain"' >>"$work/fleet"
	"${kvmwarden[@]}" --json status | jq '.host = "odd" | .policies[0].name = "another"' >>"$work/fleet"
	run -0 "${kvmwarden[@]}" fleet report "$work/fleet"
	has "3 hosts, 0 do not enforce, 1 have other policies than most."
	same "odd plain good" "$(awk 'NR > 1 && NF > 5 && !/hosts/ { print $1 }' <<<"$output" | xargs)"
	stop_daemon
	"${kvmwarden[@]}" --json posture | jq -c '.host = "dead"' >"$work/dead" || :
	run -1 "${kvmwarden[@]}" --json fleet report "$work/fleet" "$work/dead"
	same "dead" "$(jq -r '.hosts[0].host' <<<"$output")"
	same "1 1" "$(jq -r '[.not_enforcing, .differing] | join(" ")' <<<"$output")"
	run -1 "${kvmwarden[@]}" fleet report - <"$work/dead"
	has "NOT ENFORCING"
}

@test "a broken export is told by file, line and column, and hides no other" {
	printf '{"host": "a", "time": "2026-01-01T00:00:00Z", "enforcement": "enforcing"}\n' >"$work/good"
	printf '{"host": \n nonsense' >"$work/bad"
	run -65 --separate-stderr "${kvmwarden[@]}" fleet report "$work/bad" "$work/missing" "$work/good"
	has "$work/bad:2:" "$stderr"
	has "$work/missing" "$stderr"
	has "1 hosts, 0 do not enforce"
	run -65 --separate-stderr "${kvmwarden[@]}" fleet report <(echo '{}')
	has "neither of 'kvmwarden --json status' nor" "$stderr"
	run -65 "${kvmwarden[@]}" fleet report /dev/null
	has "no export"
	run -64 "${kvmwarden[@]}" fleet report
	run -64 "${kvmwarden[@]}" fleet
}

@test "a name in an export is a name, and no order to a terminal" {
	jq -n '{host: "a\u001b[2Jb", time: "2026-01-01T00:00:00Z", enforcement: "enforcing"}' >"$work/hostile"
	run -0 "${kvmwarden[@]}" fleet report "$work/hostile"
	hasnt $'\e'
	has 'a\x1b[2Jb'
}
