#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# Policies as filters for others: what the formats say, and real container runtimes that load one.

load helper

# policy NAME RULES [MATCH]
policy() {
	printf 'policy: %s\n%s\nrules: %s\n' "$1" "${3:-}" "$2" >"$policies/$1.yaml"
}

exported() {
	run --separate-stderr build/kvmwarden policy export --policy-dir "$policies" "$@"
}

@test "oci: what needs nobody to be asked, and the reasons for the rest" {
	policy all '[{operations: [KVM_SET_REGS], verdict: deny, errno: EACCES}, {operations: [KVM_SET_FPU], verdict: kill}]'
	policy some '[{operations: [KVM_SET_SREGS], state: sealed, verdict: deny}]'
	policy types '[{operations: [KVM_CREATE_VM], verdict: deny, errno: ENODEV}]' 'match: {vm-types: [default]}'
	exported --format oci
	same 0 "$status"
	jq -e '.defaultAction == "SCMP_ACT_ALLOW" and has("listenerPath") == false and
		(.architectures | sort == ["SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64"])' <<<"$output"
	# KVM_SET_REGS, compared in 32 bits.
	jq -e 'any(.syscalls[]; . == {names: ["ioctl"], action: "SCMP_ACT_ERRNO", errnoRet: 13,
		args: [{index: 1, value: 4294967295, valueTwo: 1083223682, op: "SCMP_CMP_MASKED_EQ"}]})' <<<"$output"
	jq -e 'any(.syscalls[]; .action == "SCMP_ACT_KILL_PROCESS")' <<<"$output"
	# KVM_CREATE_VM by type, and whatever is none that we know.
	jq -e 'any(.syscalls[]; .errnoRet == 19 and .args[1].valueTwo == 0) and
		any(.syscalls[]; .errnoRet == 19 and .args[1].op == "SCMP_CMP_GT")' <<<"$output"
	jq -e 'any(.comment[]; test("some.yaml:3: KVM_SET_SREGS: .*sealed"))' <<<"$output"
	has "some.yaml:3: error: KVM_SET_SREGS" "$stderr"
	jq -e '[.syscalls[].action] | index("SCMP_ACT_NOTIFY") == null' <<<"$output"
}

@test "oci with a listener: all that seccomp can do is asked for there" {
	policy some '[{operations: [KVM_SET_SREGS], state: sealed, verdict: deny}]'
	exported --format oci --listener /run/somewhere
	same "0 " "$status $stderr"
	jq -e '.listenerPath == "/run/somewhere" and ([.syscalls[].action] | unique == ["SCMP_ACT_NOTIFY"])' <<<"$output"
}

@test "libseccomp-pfc: libseccomp's own words, names, and what is not in it" {
	policy all '[{operations: [KVM_SET_REGS], verdict: deny}]'
	policy some '[{operations: [KVM_SET_SREGS], state: sealed, verdict: deny}]'
	exported --format libseccomp-pfc
	same 0 "$status"
	has "# 0x4090ae82 is KVM_SET_REGS"
	has "# pseudo filter code start"
	has "action ERRNO(1);"
	has "not expressed: $policies/some.yaml:3: KVM_SET_SREGS"
}

@test "firecracker: for each kind of thread, with one errno" {
	policy all '[{operations: [KVM_SET_REGS, KVM_SET_FPU], verdict: deny, errno: EACCES}, {operations: [KVM_SET_SREGS], verdict: deny}]'
	policy some '[{operations: [KVM_SET_SREGS2], state: sealed, verdict: deny}]'
	exported --format firecracker
	same 0 "$status"
	jq -e 'keys == ["api", "vcpu", "vmm"] and all(.[]; .default_action == "allow" and .filter_action == {errno: 13} and
		(.filter | length == 3) and all(.filter[]; .syscall == "ioctl" and .args[0].type == "dword" and
		.args[0].op == "eq" and (keys - ["syscall", "comment", "args"] | length == 0)))' <<<"$output"
	jq -e 'any(.vmm.filter[]; .comment | test("KVM_SET_SREGS; the policy says EPERM"))' <<<"$output"
	jq -e '.vmm.filter[0].comment | test("not expressed: .*some.yaml:3")' <<<"$output"
}

@test "what is asked for must be there" {
	exported
	same 64 "$status"
	has "which --format" "$stderr"
	exported --format oc
	same 64 "$status"
	has "did you mean 'oci'" "$stderr"
	exported --format firecracker --listener /x
	same 64 "$status"
	echo 'policy: [' >"$policies/bad.yaml"
	exported --format oci
	same 1 "$status"
	same "" "$output"
	has "bad.yaml:" "$stderr"
}

@test "check --backend says what it cannot decide, with file, line and reason" {
	policy dbg '[{operations: [KVM_SEV_DBG_DECRYPT], verdict: deny}]'
	policy state '[{operations: [KVM_SET_FPU], state: sealed, verdict: deny}]'
	run build/kvmwarden policy check --backend seccomp "$policies/state.yaml"
	same 0 "$status"
	run build/kvmwarden policy check --backend seccomp-plain "$policies/state.yaml"
	same 1 "$status"
	has "state.yaml:3:"
	has "not known without BPF"
	run build/kvmwarden policy check --backend seccomp "$policies/dbg.yaml" "$policies/state.yaml"
	same 1 "$status"
	has "dbg.yaml:3:"
	has "stands in memory that the VMM can change after any look"
	run build/kvmwarden policy check --backend lsm "$policies/dbg.yaml"
	same 0 "$status"
}

# --- runtimes -----------------------------------------------------------------

# bundle PROFILE: a container in $work/bundle that has our probe and /dev/kvm.
bundle() {
	local file
	mkdir -p "$work/bundle/rootfs/bin"
	while read -r file; do
		cp --parents "$file" "$work/bundle/rootfs"
	done < <(ldd build/tests/probe | grep -o '/[^ ]*')
	cp build/tests/probe "$work/bundle/rootfs/bin"
	rm -f "$work/bundle/config.json"
	(cd "$work/bundle" && "$runtime" spec)
	jq --slurpfile profile "$1" '.process.terminal = false | .root.readonly = true |
		.process.args = ["/bin/probe", "our-errno=EACCES", "vm=default", "vcpu", "try=KVM_SET_REGS", "try=KVM_GET_REGS"] |
		.linux.devices = [{path: "/dev/kvm", type: "c", major: 10, minor: 232, fileMode: 438, uid: 0, gid: 0}] |
		.linux.resources.devices = [{allow: true, type: "c", major: 10, minor: 232, access: "rwm"}] |
		.linux.seccomp = ($profile[0] | if . == {} then null else del(.comment) end) |
		del(.. | nulls)' "$work/bundle/config.json" >"$work/config"
	mv "$work/config" "$work/bundle/config.json"
}

# container PROFILE: what came of it, as "OPERATION OUTCOME ERRNO", a line each.
container() {
	bundle "$1"
	run --separate-stderr "$runtime" --root "$work/state" run --bundle "$work/bundle" "kvmwarden-test-$$"
	awk -F'\t' 'NF >= 7 { print $5, $6, $7 }' <<<"$output" >"$work/outcomes"
}

# in_containers RUNTIME: as it is, under a filter alone, and asking the daemon.
in_containers() {
	runtime=$1
	needs_kvm
	command -v "$runtime" >"$work/path" || skip "there is no $runtime"
	policy all '[{operations: [KVM_SET_REGS], verdict: deny, errno: EACCES, rate-limit: none}]'
	echo '{}' >"$work/none"
	container "$work/none"
	# The control, which says whether containers with KVM can be run here at all.
	[ "$(<"$work/outcomes")" = "KVM_SET_REGS allowed -
KVM_GET_REGS allowed -" ] || skip "$runtime runs no container here: $(tail -n 1 <<<"$stderr")"

	build/kvmwarden policy export --policy-dir "$policies" --format oci >"$work/alone"
	container "$work/alone"
	same "KVM_SET_REGS refused-by-us EACCES
KVM_GET_REGS allowed -" "$(<"$work/outcomes")"

	launch --backend seccomp --policy-dir "$policies"
	build/kvmwarden policy export --policy-dir "$policies" --format oci --listener "$work/oci" >"$work/asking"
	container "$work/asking"
	same "KVM_SET_REGS refused-by-us EACCES
KVM_GET_REGS allowed -" "$(<"$work/outcomes")"
	wait_until said_event launch-ended
	same "container kvmwarden-test-$$" "$(jq -r 'select(.event == "launch-started") | .name' "$events")"
	same "deny seccomp all" "$(jq -r 'select(.operation == "KVM_SET_REGS") | [.verdict, .backend, .policy] | join(" ")' "$events")"
	# Without a rule the same container may do it: it is the daemon that decides.
	policy all '[{operations: [KVM_SET_REGS], state: sealed, verdict: deny}]'
	"${kvmwarden[@]}" reload
	container "$work/asking"
	same "KVM_SET_REGS allowed -
KVM_GET_REGS allowed -" "$(<"$work/outcomes")"
}

@test "a container that runc starts asks the daemon" {
	in_containers runc
}

@test "a container that crun starts asks the daemon" {
	in_containers crun
}
