#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# What the documents show works as shown: the commands that need no daemon are run, and every policy
# is checked. A command whose status is not 0 says so: "kvmwarden policy check x.yaml   # exit 1".

load helper

# existing FILE...: those that are there, in the array documents.
existing() {
	local file
	documents=()
	for file in "$@"; do
		[ ! -e "$file" ] || documents+=("$file")
	done
	((${#documents[@]} > 0))
}

# run_commands FILE...: runs what they show; its status is how many do not end as shown.
run_commands() {
	local file line wanted command got wrong=0
	export PATH=$PWD/build:$PATH
	tests/host/doc-blocks commands "$@" >"$work/commands" || return
	while IFS=: read -r file line wanted command; do
		got=0
		timeout "$patience" bash -c "$command" >"$work/out" 2>&1 </dev/null || got=$?
		echo "$file:$line: '$command' ended with $got, as it should with $wanted"
		case $wanted:$got in
		any:0 | any:1 | "$got:$got") continue ;;
		esac
		cat "$work/out"
		wrong=$((wrong + 1))
	done <"$work/commands"
	return $((wrong > 99 ? 99 : wrong))
}

# check_policies FILE...: checks what they show; its status is how many are broken.
check_policies() {
	local policy wrong=0
	rm -rf "$work/shown"
	mkdir "$work/shown"
	tests/host/doc-blocks policies "$work/shown" "$@" || return
	for policy in "$work/shown"/*; do
		[ ! -e "$policy" ] || build/kvmwarden policy check "$policy" || wrong=$((wrong + 1))
	done
	return $((wrong > 99 ? 99 : wrong))
}

# --- the checks themselves ----------------------------------------------------

@test "commands are found in their blocks, with what is expected of each" {
	cat >"$work/sample.md" <<-'END'
		Prose: `kvmwarden policy no-such` is not a block.

		```sh
		kvmwarden policy groups
		# kvmwarden policy no-such
		sudo kvmwarden policy check tests/policies/broken/alias.yaml   # exit 1
		kvmwarden status
		kvmwarden doctor --json | jq .backend
		```

		```console
		$ kvmwarden policy explain --policy-dir policies --type sev-snp \
		    --state sealed --op KVM_SET_REGS
		deny with EPERM (mode enforce)
		```

		```
		kvmwarden policy no-such
		```

		1. ```sh
		   build/kvmwarden policy show --policy-dir policies   # all of them
		   ```
	END
	same "4:0:kvmwarden policy groups
6:1:kvmwarden policy check tests/policies/broken/alias.yaml
8:any:kvmwarden doctor --json | jq .backend
12:0:kvmwarden policy explain --policy-dir policies --type sev-snp --state sealed --op KVM_SET_REGS
22:0:kvmwarden policy show --policy-dir policies" \
		"$(tests/host/doc-blocks commands "$work/sample.md" | cut -d : -f 2-)"
	run -0 run_commands "$work/sample.md"
}

@test "a command that fails is a failure, and so is one that does not as it should" {
	local fence='```'
	printf '%ssh\nkvmwarden policy no-such\n%s\n' "$fence" "$fence" >"$work/bad.md"
	run -1 run_commands "$work/bad.md"
	has "$work/bad.md:2: 'kvmwarden policy no-such' ended with 64, as it should with 0"
	printf '%ssh\nkvmwarden policy groups # exit 1\n%s\n' "$fence" "$fence" >"$work/bad.md"
	run -1 run_commands "$work/bad.md"
}

@test "a policy that is broken is a failure, and no other yaml is looked at" {
	cat >"$work/sample.md" <<-'END'
		```yaml
		# A comment first.
		policy: good
		rules:
		  - operations: [KVM_NMI]
		    verdict: audit
		```

		```yaml
		match: {vm-types: [tdx]}   # only a part
		```
	END
	run -0 check_policies "$work/sample.md"
	has "sample.md-1.yaml: ok (policy 'good', 1 rule)"
	same 1 "${#lines[@]}"
	sed -i 's/KVM_NMI/KVM_NMII/' "$work/sample.md"
	run -1 check_policies "$work/sample.md"
}

# --- the documents ------------------------------------------------------------

@test "every command shown in README.md and docs/ that needs no daemon ends as shown" {
	existing README.md docs/*.md
	run_commands "${documents[@]}"
	[ -s "$work/commands" ] || skip "${documents[*]}: no such command in a sh or console block"
}

@test "every policy shown in README.md and docs/ is a good one" {
	existing README.md docs/*.md
	check_policies "${documents[@]}"
	[ -n "$(ls "$work/shown")" ] || skip "${documents[*]}: no yaml block begins with 'policy:'"
}
