#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# The command where there is no daemon: exit statuses, diagnostics, answers about policies.

load helper

nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)

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

# --- exit statuses ------------------------------------------------------------

@test "help and version go to standard output, with status 0" {
	local arguments
	for arguments in --help "status --help" "policy --help" "policy check --help" \
		"policy learn --help"; do
		# shellcheck disable=SC2086 # words
		run -0 --separate-stderr build/kvmwarden $arguments
		has "Usage: kvmwarden"
		same "" "$stderr"
	done
	run -0 --separate-stderr build/kvmwardend --help
	has "Usage: kvmwardend"
	same "" "$stderr"
	run -0 build/kvmwarden --version
	[[ $output =~ ^kvmwarden\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
	run -0 build/kvmwardend --version
	[[ $output =~ ^kvmwardend\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "the help documents every exit status of this suite" {
	local status_documented
	run -0 build/kvmwarden --help
	for status_documented in "0 fine" "1 it is not as it should be" "64 usage" "69 the daemon" \
		"71 the system failed" "77 no permission"; do
		has "$status_documented"
	done
	run -0 build/kvmwardend --help
	for status_documented in "0 ended as asked" "1 broken policy" "64 usage" \
		"71 system error" "77 not root"; do
		has "$status_documented"
	done
}

@test "a command line that cannot be understood ends with 64 and one sentence" {
	local line
	while read -r line; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr build/kvmwarden --socket "$socket" $line
		echo "kvmwarden $line: $stderr"
		same 64 "$status"
		same "" "$output"
		same 1 "${#stderr_lines[@]}"
	done <<-END
		--no-such-option
		no-such-command
		status surplus
		status --wait
		status --wait soon
		status --wait -1
		status --no-such-option
		vms surplus
		top surplus
		top --interval
		top --interval 0
		top --interval 0.0001
		top --interval .5
		top --interval -1
		top --interval 3601
		top --count 0
		top --count some
		top --sort denyed/s
		events surplus
		events -n some
		events -n -1
		events --verdict denyy
		events --vm 0
		events --vm x
		events -f --file events.jsonl
		policy no-such-part
		policy check
		policy check --no-such-option
		policy diff
		policy diff policies
		policy diff policies policies policies
		policy groups surplus
		policy learn
		policy learn a b
		policy learn --exe
		policy learn --exe /*/* -
		policy simulate
		policy operations surplus
		policy show surplus
		policy explain
		policy explain --type sev-snp
		policy explain --type sev-snp --state sealed --op KVM_SET_RGES
		policy explain --type sev-snpp --state sealed --op KVM_SET_REGS
		policy explain --type sev-snp --state seald --op KVM_SET_REGS
		policy explain --type sev-snp --state sealed --op KVM_CREATE_VM
		policy explain --type sev-snp --state sealed --op KVM_SET_REGS --user no-such-user
		doctor surplus
		reload surplus
		unload
		unload surplus
		unload --yes surplus
		unload --token
	END
}

@test "without arguments the command prints its usage on standard error and ends with 64" {
	run -64 --separate-stderr build/kvmwarden
	same "" "$output"
	has "Usage: kvmwarden" "$stderr"
	run -64 --separate-stderr build/kvmwarden policy
	same "" "$output"
	has "Usage: kvmwarden policy" "$stderr"
}

@test "a shared option without its value ends with 64" {
	local option
	for option in --socket --policy-dir; do
		run -64 build/kvmwarden status "$option"
		has "option '$option' needs a value"
	done
}

@test "a wrong word is answered with the right one" {
	run -64 build/kvmwarden statsu
	has "did you mean 'status'?"
	run -64 build/kvmwarden --socket "$socket" events --verdict denny
	has "did you mean 'deny'?"
	run -64 build/kvmwarden --socket "$socket" top --sort DENIDE
	has "did you mean 'DENIED'?"
	run -64 build/kvmwarden policy explain --type sev-snp --state sealed --op KVM_SET_RGES
	has "did you mean 'KVM_SET_REGS'?"
	run -64 build/kvmwarden policy explain --type sev-spn --state sealed --op KVM_SET_REGS
	has "did you mean 'sev-snp'?"
}

@test "without a daemon what needs one ends with 69 and says that it is not running" {
	local line
	for line in status vms top "top --once" "--json top" events "events -f" reload "unload --yes" "--json status"; do
		# shellcheck disable=SC2086 # words
		run -69 --separate-stderr "${kvmwarden[@]}" $line
		same "" "$output"
		same "kvmwarden: kvmwardend is not running (no socket $socket)" "$stderr"
	done
	# Its socket, but nobody behind it.
	perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1) or die' "$socket"
	run -69 "${kvmwarden[@]}" status
	has "nobody listens on $socket"
}

@test "status --wait gives up with 69 when the daemon does not come" {
	local before=$SECONDS
	run -69 "${kvmwarden[@]}" status --wait 1
	((SECONDS - before >= 1 && SECONDS - before < 10))
}

@test "who may not reach the socket is answered with 77" {
	needs_root
	cp build/kvmwarden "$work/kvmwarden"
	mkdir -m 0700 "$work/closed"
	run -77 "${nobody[@]}" "$work/kvmwarden" --socket "$work/closed/socket" status
	has "no permission to use $work/closed/socket"
	chmod 0755 "$work/closed"
	run -69 "${nobody[@]}" "$work/kvmwarden" --socket "$work/closed/socket" status
}

@test "a socket path longer than a socket's can be is a system error, 71" {
	run -71 build/kvmwarden --socket "/tmp/$(printf '%0120d' 0)" status
	has "File name too long"
}

@test "output that cannot be written ends with 71" {
	local line
	for line in --version --help "policy groups" "policy groups --json" \
		"policy operations" "policy operations --json" \
		"policy show --policy-dir policies" "policy check policies/vm-lifecycle.yaml" \
		"doctor" "--json doctor"; do
		echo "kvmwarden $line"
		# shellcheck disable=SC2016,SC2086 # for the inner shell; words
		run -71 sh -c 'build/kvmwarden "$@" >/dev/full' sh $line
	done
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

# --- doctor -------------------------------------------------------------------

@test "doctor needs no root: it says what it cannot know" {
	needs_root
	cp build/kvmwarden "$work/kvmwarden"
	cd / || return
	run --separate-stderr "${nobody[@]}" "$work/kvmwarden" doctor
	[ "$status" = 0 ] || [ "$status" = 1 ]
	same "" "$stderr"
	has "/dev/kvm"
	has "By these facts kvmwardend"
	run --separate-stderr "${nobody[@]}" "$work/kvmwarden" --json doctor
	same "" "$stderr"
	same true "$(jq '.checks | length > 10 and all(.check and .result and .meaning)' <<<"$output")"
}

@test "doctor's exit status is whether a backend that refuses is possible, by its own JSON" {
	local possible
	run build/kvmwarden doctor --json
	possible=$(jq .refuses <<<"$output")
	case $possible in
	true) same 0 "$status" ;;
	false) same 1 "$status" ;;
	*) same "true or false" "$possible" ;;
	esac
	same "lsm fmod_ret tracepoint seccomp" \
		"$(jq -r '.checks[].check | select(startswith("backend ")) | .[8:]' <<<"$output" | xargs)"
}

# --- events from a file -------------------------------------------------------

# event SEQ VERDICT VM: a line of an event file.
event() {
	printf '{"version":1,"time":"2026-01-01T00:00:00.000000000Z","seq":%s,"event":"ioctl",' "$1"
	printf '"verdict":"%s","vm":{"id":%s}}\n' "$2" "$3"
}

@test "events reads a file of JSON lines without a daemon, and filters" {
	{ event 1 audit 1; event 2 deny 2; event 3 audit 2; } >"$work/log"
	run -0 build/kvmwarden --json events --file "$work/log"
	same "1 2 3" "$(jq .seq <<<"$output" | xargs)"
	run -0 build/kvmwarden --json events --file "$work/log" --vm 2
	same "2 3" "$(jq .seq <<<"$output" | xargs)"
	run -0 build/kvmwarden --json events --file "$work/log" --verdict audit -n 1
	same "3" "$(jq .seq <<<"$output" | xargs)"
	run -0 build/kvmwarden --json events --file - <"$work/log"
	same 3 "${#lines[@]}"
	run -0 build/kvmwarden --json events --file "$work/log" -n 0
	same "" "$output"
}

@test "a line that is cut short is told by number, exits 1, and hides no other" {
	{ event 1 audit 1; echo '{"version":1,"ti'; event 3 audit 2; } >"$work/log"
	run -1 --separate-stderr build/kvmwarden --json events --file "$work/log"
	same "1 3" "$(jq .seq <<<"$output" | xargs)"
	same "kvmwarden: $work/log:2: not a JSON object" "$stderr"
	run -1 build/kvmwarden events --file "$work/absent"
	has "cannot open $work/absent"
}

@test "what events prints of a file cannot write to the terminal what it likes" {
	printf '%s\n' '{"version":1,"seq":1,"time":"2026-01-01T00:00:00.000000000Z","event":"ioctl","verdict":"audit","operation":"KVM_SET_REGS","process":{"pid":1,"comm":"a\u001b]0;b\u0007c","exe":"/x\u001b[2J"}}' >"$work/log"
	run -0 build/kvmwarden events --file "$work/log"
	has "KVM_SET_REGS"
	same "" "$(LC_ALL=C tr -cd '\001-\010\013-\037' <<<"$output")"
}
