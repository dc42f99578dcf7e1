#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# The command where there is no daemon: answers about policies.

load helper

needs_root() {
	[ "$EUID" = 0 ] || skip "needs root, to become another user"
}

# explain TYPE STATE OPERATION: what the shipped policies say.
explain() {
	run -0 build/kvmwarden --policy-dir policies policy explain --type "$1" --state "$2" --op "$3"
}

# line_of TEXT FILE: where it stands.
line_of() {
	grep -n -m 1 -F -e "$1" "$2" | cut -d : -f 1
}

# --- policy check -------------------------------------------------------------

@test "every broken policy is refused by place and message, with its hint, as text and as JSON" {
	local file expected place message hint answer json wrong=0
	build/kvmwarden policy check --json tests/policies/broken/*.yaml >"$work/json" && return 1
	same "$(find tests/policies/broken -name '*.yaml' | wc -l) true" \
		"$(jq -r '[length, all(.ok == false)] | join(" ")' "$work/json")"
	jq -r '.[] | "\(.file)\t\(.line):\(.column): \(.message)\t\(.hint)"' "$work/json" >"$work/lines"
	for file in tests/policies/broken/*.yaml; do
		# The first lines: "# expect: LINE:COLUMN: TEXT" and "# hint: TEXT"
		expected=$(sed -n '1s/^# expect: //p' "$file")
		place=$(cut -d : -f 1,2 <<<"$expected")
		message=${expected#*: }
		hint=$(sed -n '2s/^# hint: //p' "$file")
		json=$(grep -F "$file	" "$work/lines")
		status=0
		answer=$(build/kvmwarden policy check "$file" 2>&1) || status=$?
		if [ -z "$expected" ] || [ "$status" != 1 ] ||
			[[ $answer != "$file"*": error: "*"$message"* ]] || [[ $answer != *"$hint"* ]] ||
			# A file that is wrong as a whole has no place in it.
			[[ $place != 0:0 && $answer != "$file:$place: "* ]] ||
			[[ $json != "$file	$place: "*"$message"*"$hint"* ]]; then
			printf 'wanted: %s\nhint: %s\ngot %s: %s\n%s\n' "$expected" "$hint" "$status" "$answer" "$json"
			wrong=$((wrong + 1))
		fi
	done
	same 0 "$wrong"
}

@test "the line and a caret under the place are shown" {
	run -1 build/kvmwarden policy check tests/policies/broken/unknown-operation.yaml
	same "        - KVM_SET_REG" "${lines[1]}"
	same "          ^" "${lines[2]}"
}

@test "every good policy and every shipped one passes, and all shipped ones as one set" {
	local file
	for file in tests/policies/good/*.yaml policies/*.yaml policies/optional/*.yaml; do
		run -0 build/kvmwarden policy check "$file"
		has "$file: ok (policy '"
		run -0 build/kvmwarden policy check --json "$file"
		same true "$(jq '.[0].ok' <<<"$output")"
	done
	run -0 build/kvmwarden policy check policies/*.yaml policies/optional/*.yaml
	same "$(find policies -name '*.yaml' | wc -l)" "${#lines[@]}"
}

@test "a broken file among good ones is told, and the good ones are" {
	run -1 --separate-stderr build/kvmwarden policy check policies/vm-lifecycle.yaml \
		tests/policies/broken/alias.yaml policies/protected-state.yaml
	same 2 "$(grep -c ': ok' <<<"$output")"
	has "tests/policies/broken/alias.yaml:3:14: error:" "$stderr"
}

@test "what is no policy file is refused in a sentence, whatever it is" {
	: >"$work/empty.yaml"
	mkdir "$work/directory"
	mkfifo "$work/fifo"
	perl -e 'srand 1; print map { chr int rand 256 } 1 .. 4096' | tr -d '\r' >"$work/junk.yaml"
	printf 'policy: p\0\n' >"$work/nul.yaml"
	head -c 10485760 /dev/zero | tr '\0' '#' >"$work/large.yaml"
	check_refused() {
		run -1 --separate-stderr timeout 10 build/kvmwarden policy check "$work/$1"
		echo "$stderr"
		same "" "$output"
		has "$work/$1" "${stderr_lines[0]}"
		has "$2" "${stderr_lines[0]}"
		# No junk on the terminal.
		same "" "$(LC_ALL=C tr -d '\n -~' <<<"$stderr")"
		((${#stderr} < 1000))
	}
	check_refused empty.yaml "the file holds no policy"
	check_refused directory "is a directory, not a policy file"
	check_refused fifo "is not a regular file"
	check_refused junk.yaml "error: "
	check_refused nul.yaml "not text in UTF-8"
	check_refused large.yaml "is larger than 1048576 bytes"
	check_refused absent.yaml "cannot be opened: No such file or directory"
}

@test "two files with a policy of the same name are refused, and both places are named" {
	printf 'policy: twin\nrules: [{operations: [KVM_NMI], verdict: audit}]\n' >"$policies/a.yaml"
	cp "$policies/a.yaml" "$policies/b.yaml"
	run -1 --separate-stderr build/kvmwarden policy check "$policies/a.yaml" "$policies/b.yaml"
	has "$policies/b.yaml:1:9: error: " "$stderr"
	has "twin" "$stderr"
	has "$policies/a.yaml:1" "$stderr"
	run -1 build/kvmwarden policy show --policy-dir "$policies"
	has "$policies/b.yaml:1:9: error: "
	sed -i 's/twin/other/' "$policies/b.yaml"
	run -0 build/kvmwarden policy check "$policies/a.yaml" "$policies/b.yaml"
}

@test "a 65th policy is refused by name, by the command and by the daemon; 64 are not" {
	local i
	for i in $(seq -w 64); do
		printf 'policy: p%s\nrules: [{operations: [KVM_NMI], verdict: audit}]\n' "$i" \
			>"$policies/$i.yaml"
	done
	run -0 build/kvmwarden policy check "$policies"/*.yaml
	run -0 build/kvmwarden policy show --policy-dir "$policies"
	cp "$policies/64.yaml" "$policies/65.yaml"
	sed -i 's/p64/p65/' "$policies/65.yaml"
	run -1 --separate-stderr build/kvmwarden policy check "$policies"/*.yaml
	has "$policies/65.yaml: error: one policy too many: at most 64 can be active" "$stderr"
	needs_root
	fails 1 "$policies/65.yaml: error: one policy too many: at most 64 can be active" \
		"${kvmwardend[@]}" --policy-dir "$policies"
}

# --- policy explain, groups, show ---------------------------------------------

@test "registers of a sealed VM of a protected type: deny with EPERM, by the line that says so" {
	local type line
	line=$(line_of '- operations: ["@set-registers"]' policies/protected-state.yaml)
	for type in sev-es sev-snp tdx; do
		explain "$type" sealed KVM_SET_REGS
		has "deny with EPERM (mode enforce)"
		has "policies/protected-state.yaml:$line (policy 'protected-state', rule 1)"
	done
}

@test "every operation that writes registers is denied then, and none that reads them" {
	local operation
	run -0 build/kvmwarden policy groups --json
	for operation in $(jq -r '.[] | select(.group == "@set-registers") | .operations[]' <<<"$output"); do
		explain sev-snp sealed "$operation"
		has "deny with EPERM"
	done
	explain sev-snp sealed KVM_GET_REGS
	has "allow"
	explain sev-snp sealed KVM_RUN
	has "allow"
}

@test "while the VM is built, writing registers is allowed" {
	local type
	for type in sev-es sev-snp tdx legacy-sev-es; do
		explain "$type" building KVM_SET_REGS
		has "allow"
		hasnt "deny"
	done
}

@test "on a sealed legacy SEV-ES VM it is audited, where the rule says deny" {
	local line
	line=$(line_of '- operations: ["@set-registers"]' policies/legacy-sev-es.yaml)
	explain legacy-sev-es sealed KVM_SET_REGS
	has "audit, where the rule says deny with EPERM (mode audit)"
	has "policies/legacy-sev-es.yaml:$line (policy 'legacy-sev-es', rule 1)"
}

@test "VMs without protected state are left alone, and every birth is audited" {
	local type
	for type in default sw-protected sev; do
		explain "$type" building KVM_SET_REGS
		has "allow"
		explain "$type" building KVM_CREATE_VM
		has "audit"
		has "vm-lifecycle"
	done
}

@test "explain --json tells the same, for machines" {
	run -0 build/kvmwarden policy explain --json --policy-dir policies --type sev-snp --state sealed \
		--op KVM_SET_REGS
	same "deny deny EPERM enforce protected-state 1 policies/protected-state.yaml" "$(jq -r '[.verdict,
		.intended, .errno, .mode, .policy, .rule, .file] | join(" ")' <<<"$output")"
	run -0 build/kvmwarden policy explain --json --policy-dir policies --all
	jq -e 'length > 1000 and all(.verdict)' <<<"$output"
}

@test "explain goes by executable and user where a policy selects by them" {
	cat >"$policies/selective.yaml" <<-END
		policy: selective
		match: {exe: /usr/bin/qemu-system-*, user: root}
		rules: [{operations: [KVM_SET_REGS], verdict: deny, errno: EACCES}]
	END
	ask() {
		run -0 --separate-stderr build/kvmwarden policy explain --policy-dir "$policies" \
			--type default --state building --op KVM_SET_REGS "$@"
	}
	ask --exe /usr/bin/qemu-system-x86_64 --user root
	has "deny with EACCES"
	ask --exe /usr/bin/qemu-system-x86_64 --user 1
	has "allow"
	ask --exe /usr/bin/cloud-hypervisor --user root
	has "allow"
	ask --user root
	has "deny"
	has "taken to match" "$stderr"
}

@test "the strictest of the policies decides, in whatever order they are read" {
	local verdict
	for verdict in audit kill deny allow; do
		printf 'policy: say-%s\nrules: [{operations: [KVM_NMI], verdict: %s}]\n' "$verdict" "$verdict" \
			>"$policies/$verdict.yaml"
	done
	ask() {
		run -0 build/kvmwarden policy explain --policy-dir "$policies" --type default \
			--state building --op KVM_NMI
	}
	ask
	has "kill"
	rm "$policies/kill.yaml"
	ask
	has "deny"
	rm "$policies/deny.yaml"
	ask
	has "audit"
	rm "$policies/audit.yaml"
	ask
	has "allow"
}

@test "a stronger directory masks a file of the same name, and /dev/null takes it off" {
	mkdir "$work/strong"
	ask() {
		run -0 build/kvmwarden policy explain --policy-dir "$work/strong" --policy-dir policies \
			--type legacy-sev-es --state sealed --op KVM_SET_REGS
	}
	ask
	has "policies/legacy-sev-es.yaml"
	sed 's/^mode: audit/mode: enforce/' policies/legacy-sev-es.yaml >"$work/strong/legacy-sev-es.yaml"
	ask
	has "deny with EPERM (mode enforce)"
	has "$work/strong/legacy-sev-es.yaml"
	ln -sf /dev/null "$work/strong/legacy-sev-es.yaml"
	ask
	has "allow"
}

@test "policy groups names every group that a policy can, and what is in it" {
	run -0 build/kvmwarden policy groups
	has "@set-registers"
	has "  KVM_SET_SREGS2"
	run -0 build/kvmwarden policy groups --json
	same "@set-registers @get-registers @debug @inject @launch @migration @memory @create @lifecycle @all" \
		"$(jq -r '.[].group' <<<"$output" | xargs)"
	same true "$(jq 'all(.[]; (.operations | length) > 0)' <<<"$output")"
}

@test "policy operations lists what a policy can name, as the oracle knows it" {
	run -0 build/kvmwarden policy operations
	has "KVM_SET_SREGS2                       0x4140aecd"
	has "KVM_SEV_DBG_DECRYPT                  KVM_MEMORY_ENCRYPT_OP 17"
	run -0 build/kvmwarden policy operations --json
	jq -r '.[] | [.operation, .ioctl // "-", .family // "-", .member // "-", (.scopes | join(" ")),
		(.groups | sort | join(" "))] | @tsv' <<<"$output" | LC_ALL=C sort >"$work/theirs"
	tests/oracle operations >"$work/ours"
	diff "$work/ours" "$work/theirs"
}

@test "no ioctl of the installed <linux/kvm.h> is without a name, but those of other machines" {
	echo '#include <linux/kvm.h>' | gcc -E -dM - |
		awk '$2 ~ /^KVM_/ && $3 ~ /^_IO(R|W|WR)?\(KVMIO/ { print $2 }' | LC_ALL=C sort >"$work/header"
	[ "$(wc -l <"$work/header")" -gt 150 ]
	build/kvmwarden --json policy operations | jq -r '.[].operation' | LC_ALL=C sort >"$work/known"
	# Of other architectures, and what x86 has lost: KVM_ASSIGN_* in 4.12, the others in 2.6.
	run env LC_ALL=C comm -23 "$work/header" <(LC_ALL=C sort -u "$work/known" <(grep -E \
		-e '^KVM_(ARM|PPC|S390|RISCV|LOONGARCH|MIPS)_' -e '^KVM_(DE)?ASSIGN_' \
		-e '^KVM_(ALLOCATE_RMA|CREATE_SPAPR_TCE|CREATE_SPAPR_TCE_64|DIRTY_TLB)$' \
		-e '^KVM_SET_MEMORY_(ALIAS|REGION)$' "$work/header"))
	same "" "$output"
}

@test "policy explain says of every shipped policy what the oracle says" {
	local file count=0
	for file in policies/*.yaml policies/optional/*.yaml; do
		mkdir "$work/one"
		cp "$file" "$work/one"
		# Types that are not known and states that a type cannot be in are the oracle's no business.
		tests/oracle explain "$file" | sort >"$work/ours"
		build/kvmwarden --json policy explain --all --policy-dir "$work/one" |
			jq -r '.[] | [.type, .state, .operation, .verdict, .intended, .errno // "-",
				.policy // "-", (.file // "-" | sub(".*/"; "")), .line // "-"] | @tsv' |
			sort >"$work/theirs"
		same "" "$(comm -23 "$work/ours" "$work/theirs")"
		count=$((count + $(wc -l <"$work/ours")))
		rm -r "$work/one"
	done
	[ "$count" -gt 10000 ]
}

@test "policy show lists the shipped set with where each came from" {
	run -0 build/kvmwarden policy show --policy-dir policies
	has "protected-state: enforce"
	has "from policies/protected-state.yaml"
	run -0 build/kvmwarden policy show --json --policy-dir policies
	jq . <<<"$output" >"$work/json"
}
