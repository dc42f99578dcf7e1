#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# The tools about policies: what they say of files and of recorded events, without a daemon.

load helper

old=tests/policies/tools/old
new=tests/policies/tools/new
log=tests/policies/tools/events.jsonl

# golden ARGUMENT...: what 'kvmwarden policy' answers is what stands on standard input.
golden() {
	run --separate-stderr build/kvmwarden policy "$@"
	diff -u - <(printf '%s\n' "$output")
}

# --- explain --all ------------------------------------------------------------

@test "explain --all is a table: groups, what shares an ioctl, and one line for what is allowed" {
	golden explain --all --policy-dir "$new" --type sev-snp <<-'END'
		sev-snp
		  OPERATION         BUILDING    BY                                   SEALED      BY
		  @set-registers    allow                                            deny EPERM  tests/policies/tools/new/registers.yaml:4
		  KVM_RUN alone     deny EPERM  tests/policies/tools/new/run.yaml:5  deny EPERM  tests/policies/tools/new/run.yaml:5
		  KVM_NMI           deny EPERM  tests/policies/tools/new/nmi.yaml:3  deny EPERM  tests/policies/tools/new/nmi.yaml:3
		  all others (150)  allow                                            allow
	END
}

@test "explain finds the unit in a control group, and a unit alone is enough" {
	cat >"$policies/unit.yaml" <<-END
		policy: unit
		match: {unit: vm-*.scope}
		rules: [{operations: [KVM_NMI], verdict: deny}]
	END
	ask() {
		run "$1" build/kvmwarden policy explain --policy-dir "$policies" --type sev --state sealed \
			--op KVM_NMI "${@:2}"
	}
	ask -0 --unit vm-1.scope
	has "deny with EPERM"
	ask -0 --cgroup /machine.slice/vm-1.scope/emulator
	has "deny with EPERM"
	ask -0 --cgroup /vm-1.scope.d
	has "allow"
	ask -0 --unit ct-1.scope
	has "allow"
	ask -64 --unit vm-1
	has "these end in .service or .scope"
	ask -64 --unit a.scope --cgroup /b.scope
	has "not in the unit"
}

@test "explain knows which commands a type has" {
	run -64 build/kvmwarden policy explain --type tdx --state sealed --op KVM_SEV_DBG_DECRYPT
	has "KVM_SEV_DBG_DECRYPT does not exist on a VM of type tdx"
	run -0 build/kvmwarden --json policy explain --policy-dir policies --all
	same "" "$(jq -r '.[] | select(.type == "tdx" and (.operation | startswith("KVM_SEV_")))' <<<"$output")"
	same tdx "$(jq -r '.[] | select(.operation == "KVM_TDX_INIT_VM") | .type' <<<"$output" | sort -u)"
}

# --- check ----------------------------------------------------------------------

@test "check --json has the place, the message, the hint and the line" {
	run -1 build/kvmwarden policy check --json tests/policies/broken/unknown-operation.yaml
	same "6 9 unknown operation 'KVM_SET_REG' did you mean 'KVM_SET_REGS'?     - KVM_SET_REG" \
		"$(jq -r '.[0] | [.line, .column, .message, .hint, .source] | map(tostring) | join(" ")' <<<"$output" |
			sed 's/      *- /     - /')"
}

# --- diff -----------------------------------------------------------------------

@test "diff says what a change means, with the lines on both sides" {
	golden diff "$old" "$new" <<-'END'
		deny EPERM -> allow
		  KVM_NMI
		  every type; other than unit vm-*.scope or unknown cgroup
		  old: tests/policies/tools/old/nmi.yaml:2 (policy 'nmi', rule 1)
		  new: no rule

		allow -> deny EPERM
		  KVM_RUN alone
		  every type; exe /usr/bin/qemu-* or unknown
		  old: no rule
		  new: tests/policies/tools/new/run.yaml:5 (policy 'run', rule 2)

		audit -> deny EPERM
		  @set-registers
		  sev-es, sev-snp, tdx, unknown; sealed; any VMM
		  old: tests/policies/tools/old/registers.yaml:4 (policy 'registers', rule 1)
		  new: tests/policies/tools/new/registers.yaml:4 (policy 'registers', rule 1)
	END
	same 1 "$status"
}

@test "diff of files that differ only in their text finds nothing, and ends with 0" {
	run -0 build/kvmwarden policy diff policies policies
	same "no difference in meaning" "$output"
	cp policies/protected-state.yaml "$work/a.yaml"
	sed -e 's/^policy: .*/policy: other/' -e '/^#/d' -e 's/"@set-registers"/KVM_SET_FPU, "@set-registers"/' \
		"$work/a.yaml" >"$work/b.yaml"
	run ! cmp -s "$work/a.yaml" "$work/b.yaml"
	run -0 build/kvmwarden policy diff "$work/a.yaml" "$work/b.yaml"
	run -0 build/kvmwarden --json policy diff "$work/a.yaml" "$work/b.yaml"
	same "true true 0" "$(jq -r '[.same, .complete, (.differences | length)] | join(" ")' <<<"$output")"
}

@test "an example that diff gives is one: explain says the same of it" {
	local row
	run -1 build/kvmwarden --json policy diff "$old" "$new"
	printf '%s' "$output" >"$work/diff"
	jq -r '.differences[] | [.types[0], .states[-1], .operations[0], .example.exe // "-",
		.example.cgroup // "-", .example.uid, .old.verdict, .new.verdict] | @tsv' "$work/diff" >"$work/rows"
	same 3 "$(wc -l <"$work/rows")"
	while IFS=$'\t' read -r -a row; do
		echo "${row[*]}"
		ask() {
			local who=(--user "${row[5]}")
			[ "${row[3]}" = - ] || who+=(--exe "${row[3]}")
			[ "${row[4]}" = - ] || who+=(--cgroup "${row[4]}")
			build/kvmwarden --json policy explain --policy-dir "$1" --type "${row[0]}" \
				--state "${row[1]}" --op "${row[2]}" "${who[@]}" | jq -r .verdict
		}
		same "${row[6]}" "$(ask "$old")"
		same "${row[7]}" "$(ask "$new")"
	done <"$work/rows"
}

@test "diff that cannot answer ends with neither 0 nor 1, and says why" {
	local i
	run -65 build/kvmwarden policy diff policies tests/policies/broken/alias.yaml
	has "aliases are not allowed"
	run -65 build/kvmwarden policy diff policies "$work/absent"
	has "cannot be opened"
	for i in $(seq 60); do
		printf 'policy: p%s\nmatch: {exe: /e%s*, unit: u%s.scope, uid: %s}\n%s\n' "$i" "$i" "$i" "$i" \
			'rules: [{operations: [KVM_NMI], verdict: deny}]' >"$policies/$i.yaml"
	done
	run -65 --separate-stderr build/kvmwarden policy diff "$policies" "$policies"
	has "NOT COMPLETE" "$stderr"
	run -65 --separate-stderr build/kvmwarden --json policy diff "$policies" "$policies"
	same false "$(jq .complete <<<"$output")"
}

# --- simulate -------------------------------------------------------------------

@test "simulate tells what recorded events would have been under other policies" {
	golden simulate "$new" "$log" <<-'END'
		COUNT  OPERATION     TYPE     STATE   WHO                       WAS    WOULD BE    BY                                         FIRST SEQ
		3      KVM_RUN       sev-snp  sealed  /usr/bin/qemu-kvm, uid 7  audit  deny EPERM  tests/policies/tools/new/run.yaml:5        6
		1      KVM_SET_REGS  sev-snp  sealed  /usr/bin/qemu-kvm, uid 7  audit  deny EPERM  tests/policies/tools/new/registers.yaml:4  9

		9 events replayed, 0 of them with the same result
		  4 audit -> deny: would be refused
		  5 audit -> allow: would not be reported
		  1 lines are about the daemon itself
		  1 events are of what this version does not know: KVM_FROM_THE_FUTURE
		  line 12 could not be read: the last line is cut short
	END
	same 1 "$status"
}

@test "simulate reads standard input, policy directories and files, and has JSON" {
	run -1 build/kvmwarden --json --policy-dir "$new" policy simulate - <"$log"
	same "9 4 1 1 1" "$(jq -r '[.replayed, .other_answers, .input.own, .input.unknown, .input.broken] |
		join(" ")' <<<"$output")"
	same "KVM_RUN audit deny 3 true" "$(jq -r '.differences[0] | [.operation, .was.verdict,
		.would_be.verdict, .count, .matters] | map(tostring) | join(" ")' <<<"$output")"
	run -1 build/kvmwarden policy simulate "$new/run.yaml" "$new/registers.yaml" "$log"
	has "4 audit -> deny"
	# Only reports would be missing: nobody is answered otherwise.
	sed '$d' "$log" >"$work/log"
	run -0 build/kvmwarden policy simulate policies/vm-lifecycle.yaml "$work/log"
	run -65 build/kvmwarden policy simulate policies "$work/absent"
	has "cannot open"
	run -65 build/kvmwarden policy simulate tests/policies/broken/alias.yaml "$work/log"
	run -64 build/kvmwarden policy simulate
	run -64 build/kvmwarden --policy-dir policies policy simulate policies "$log"
}

@test "simulate and learn stand whatever a file has in it" {
	perl -e 'srand 1; print map { chr int rand 256 } 1 .. 300000' >"$work/junk"
	head -c 3000000 /dev/zero | tr '\0' '[' >"$work/deep"
	{ printf '{"event":"'; head -c 3000000 /dev/zero | tr '\0' 'x'; printf '"}\n'; cat "$log"; } >"$work/huge"
	run -1 build/kvmwarden policy simulate policies "$work/junk"
	has "0 events replayed"
	run -1 build/kvmwarden policy simulate policies "$work/deep"
	has "line 1 could not be read"
	run -1 build/kvmwarden policy simulate policies "$work/huge"
	has "9 events replayed"
	has "line 1 could not be read: a line too long for an event"
	run -1 build/kvmwarden policy learn "$work/junk"
	has "there are no events to learn from"
	run -0 --separate-stderr build/kvmwarden policy learn "$work/huge"
	has "a line too long" "$stderr"
}

# --- learn ----------------------------------------------------------------------

@test "learn prints the smallest policy for what was recorded, to be read by a person" {
	golden learn "$log" <<-'END'
		# Learnt by 'kvmwarden policy learn' from 9 events of 1 VM, 2026-01-01T10:00:01Z to 2026-01-01T10:00:30Z.
		#
		# It allows what was seen and refuses everything else: whatever was not exercised,
		# such as reset, hotplug, migration and the ways out of a crash. Read it, edit it, and
		# run it in mode audit before you enforce it: what it would refuse is then reported.
		# It says nothing of VMs of other types, nor of ioctls on /dev/kvm other than
		# KVM_CREATE_VM for these types. Without vm-types it would, by the same rules.
		policy: qemu-kvm
		mode: audit
		match:
		  exe: "/usr/bin/qemu-kvm"
		  vm-types: [sev-snp]
		rules:
		  # Not seen, but a rule on the ioctl they share would allow them.
		  - operations:
		      - SYNC_REGS
		    state: sealed
		    verdict: deny
		  - operations:
		      - KVM_SET_REGS                     # 2 times, 2026-01-01T10:00:05Z to 2026-01-01T10:00:20Z
		    verdict: allow
		  - operations:
		      - KVM_CREATE_VM                    # 1 time, 2026-01-01T10:00:01Z
		      - KVM_CREATE_VCPU                  # 1 time, 2026-01-01T10:00:03Z
		      - KVM_SEV_INIT2                    # 1 time, 2026-01-01T10:00:02Z
		    state: building
		    verdict: allow
		  - operations:
		      - KVM_RUN                          # 3 times, 2026-01-01T10:00:06Z to 2026-01-01T10:00:08Z
		    state: sealed
		    verdict: allow
		  - operations: ["@all"]
		    verdict: deny
	END
	same 0 "$status"
	has "KVM_FROM_THE_FUTURE" "$stderr"
}

@test "the policy learnt is a good one, and refuses nothing of what it was learnt from" {
	local mode
	for mode in "" --enforce; do
		# shellcheck disable=SC2086 # no word, or one
		build/kvmwarden policy learn $mode "$log" 2>/dev/null >"$work/learnt.yaml"
		run -0 build/kvmwarden policy check "$work/learnt.yaml"
		sed '$d' "$log" >"$work/log"
		run -0 build/kvmwarden --json policy simulate "$work/learnt.yaml" "$work/log"
		same "9 0 allow" "$(jq -r '[.replayed, .other_answers, (.differences | map(.would_be.verdict) |
			unique[])] | join(" ")' <<<"$output")"
	done
	sed 's/KVM_SEV_INIT2/KVM_SEV_DBG_DECRYPT/' "$work/log" >"$work/other"
	run -1 build/kvmwarden policy simulate "$work/learnt.yaml" "$work/other"
	has "1 audit -> deny: would be refused"
}

@test "learn refuses to mix executables, lists them, and takes the one that is chosen" {
	{ sed '$d' "$log"; sed -n '$d; s/qemu-kvm/cloud-hypervisor/p' "$log" | head -n 2; } >"$work/log"
	run -1 --separate-stderr build/kvmwarden policy learn "$work/log"
	same "" "$output"
	has "choose with --exe" "$stderr"
	has "9  /usr/bin/qemu-kvm" "$stderr"
	has "2  /usr/bin/cloud-hypervisor" "$stderr"
	run -1 --separate-stderr build/kvmwarden --json policy learn "$work/log"
	same "9 2" "$(jq -r '.executables[].events' <<<"$output" | xargs)"
	run -0 --separate-stderr build/kvmwarden policy learn --exe /usr/bin/cloud-hypervisor --name mine "$work/log"
	has "policy: mine"
	has '# 9 events of others were left out.'
	hasnt "KVM_RUN"
	run -0 --separate-stderr build/kvmwarden policy learn --exe '/usr/bin/*' --unit 'vm-*.scope' --vm 1 "$work/log"
	has 'unit: "vm-*.scope"'
	run -1 build/kvmwarden policy learn --vm 77 "$work/log"
	has "all are of others"
	run -64 build/kvmwarden policy learn --vm x "$work/log"
	run -64 build/kvmwarden policy learn
	run -1 build/kvmwarden policy learn --exe /usr/bin/qemu-kvm --name 'No Name' "$work/log"
	has "is no name for a policy"
}
