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

@test "what starts a VMM is found, be it a command or a script" {
	cat >"$work/sample.md" <<-'END'
		```sh
		sudo kvmwarden run --wait 5 -- qemu-system-x86_64 \
		    -M microvm
		kvmwarden run --help
		```

		```sh
		#!/bin/sh
		exec /usr/bin/kvmwarden run -- /usr/bin/qemu-system-x86_64 "$@"
		```

		```ini
		[Service]
		ExecStart=/usr/bin/true
		```
	END
	mkdir "$work/scripts"
	tests/host/doc-blocks launches "$work/scripts" "$work/sample.md"
	same "sample.md-2 sample.md-7" "$(find "$work/scripts" -type f -printf '%f\n' | sort | xargs)"
	same "kvmwarden run --wait 5 -- qemu-system-x86_64 -M microvm" "$(tail -n 1 "$work/scripts/sample.md-2")"
	same "[Service]
ExecStart=/usr/bin/true" "$(tests/host/doc-blocks units "$work/sample.md")"
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

@test "every configuration shown in README.md and docs/ is a good one" {
	local shown
	existing README.md docs/*.md
	mkdir "$work/configurations"
	tests/host/doc-blocks configurations "$work/configurations" "${documents[@]}"
	[ -n "$(ls "$work/configurations")" ]
	for shown in "$work/configurations"/* systemd/kvmwarden.conf; do
		cp "$shown" "$work/kvmwarden.conf"
		run -0 build/kvmwardend --check --config "$work/kvmwarden.conf" --policy-dir "$shipped"
		has "configuration: $work/kvmwarden.conf"
	done
}

@test "a configuration among the credentials is the one that is read" {
	mkdir "$work/credentials"
	cp systemd/kvmwarden.conf "$work/credentials"
	CREDENTIALS_DIRECTORY=$work/credentials run -0 build/kvmwardend --check --policy-dir "$shipped"
	has "configuration: $work/credentials/kvmwarden.conf, 1 sinks"
}

@test "every VMM shown under kvmwarden run is started under a filter, with its arguments" {
	needs_kvm
	local script
	existing README.md docs/*.md
	mkdir "$work/scripts" "$work/bin"
	tests/host/doc-blocks launches "$work/scripts" "${documents[@]}"
	[ -n "$(ls "$work/scripts")" ]
	# In the place of QEMU, which has nothing to boot here.
	printf '#!/bin/sh\ngrep Seccomp: /proc/self/status; echo "$@"\n' >"$work/bin/qemu-system-x86_64"
	printf '#!/bin/sh\nexec "%s/build/kvmwarden" --socket "%s" "$@"\n' "$PWD" "$socket" >"$work/bin/kvmwarden"
	chmod 0755 "$work/bin"/*
	launch --backend seccomp --policy-dir "$policies"
	export PATH=$work/bin:$PATH
	for script in "$work/scripts"/*; do
		sed -i "s,/usr/bin/,$work/bin/,g" "$script"
		: >"$events"
		run -0 timeout "$patience" "$script" -name its-arguments
		same "Seccomp:	2" "${lines[0]}"
		wait_until said_event launch-ended
		same qemu-system-x86_64 "$(jq -r 'select(.event == "launch-started") | .name' "$events")"
	done
	has its-arguments
}

@test "what is shown of units is in those that are installed" {
	local line
	existing README.md docs/*.md
	tests/host/doc-blocks units "${documents[@]}" >"$work/units"
	[ -s "$work/units" ]
	while read -r line; do
		[ -z "$line" ] || grep -qxF -e "$line" systemd/*
	done <"$work/units"
}

newer_systemd() {
	[ "$(pkg-config --modversion libsystemd | grep -o '^[0-9]*')" -ge 253 ]
}

@test "make install has all that is needed, and systemd takes the units" {
	local root=$work/root unit
	make -s install DESTDIR="$root"
	same "$(grep . <<-LIST
		usr/bin/kvmwarden
		usr/lib/kvmwarden/kvmwarden.conf
		usr/lib/systemd/catalog/kvmwarden.catalog
		usr/lib/systemd/system-preset/90-kvmwarden.preset
		usr/lib/systemd/system/kvmwarden-gate.service
		usr/lib/systemd/system/kvmwarden-gate.target
		usr/lib/systemd/system/kvmwardend.service
		$(newer_systemd && echo usr/lib/systemd/system/kvmwardend.service.d/notify-reload.conf)
		usr/lib/sysusers.d/kvmwarden.conf
		usr/lib/tmpfiles.d/kvmwarden.conf
		usr/sbin/kvmwardend
		usr/share/bash-completion/completions/kvmwarden
		usr/share/bash-completion/completions/kvmwardend
		usr/share/fish/vendor_completions.d/kvmwarden.fish
		usr/share/fish/vendor_completions.d/kvmwardend.fish
		usr/share/kvmwarden/kvmwarden.logrotate
		usr/share/kvmwarden/monitoring/kvmwarden-dashboard.json
		usr/share/kvmwarden/monitoring/kvmwarden.rules.yml
		usr/share/kvmwarden/systemd/libvirt-gate.conf
		usr/share/kvmwarden/systemd/metrics.conf
		usr/share/kvmwarden/systemd/seccomp.conf
		usr/share/kvmwarden/systemd/vmm@.service
		usr/share/man/man1/kvmwarden.1
		usr/share/man/man5/kvmwarden-policy.5
		usr/share/man/man5/kvmwarden.conf.5
		usr/share/man/man7/kvmwarden-events.7
		usr/share/man/man7/kvmwarden-threat-model.7
		usr/share/man/man8/kvmwardend.8
		usr/share/zsh/vendor-completions/_kvmwarden
	LIST
	)" "$(cd "$root" && find . -type f ! -name '*.yaml' -printf '%P\n' | LC_ALL=C sort)"
	same "$(find policies -name '*.yaml' | wc -l)" "$(find "$root" -name '*.yaml' | wc -l)"
	run -0 "$root/usr/bin/kvmwarden" policy check "$root/usr/lib/kvmwarden/policy.d"/*.yaml
	command -v systemd-analyze >/dev/null || skip "this machine has no systemd-analyze (the rest passed)"
	mkdir -p "$work/units/kvmwardend.service.d"
	for unit in "$root/usr/lib/systemd/system"/*.* "$root/usr/share/kvmwarden/systemd"/*.service; do
		[ -f "$unit" ] || continue
		sed -E "s,=/usr/(s?bin/kvmwarden),=$root/usr/\1," "$unit" >"$work/units/${unit##*/}"
		# Nothing is said of a good one.
		run -0 systemd-analyze verify --man=no "$work/units/${unit##*/}"
		same "" "$(grep -F "${unit##*/}" <<<"$output" || :)"
	done
	sed "s,=/usr/sbin/,=$root/usr/sbin/," systemd/seccomp.conf >"$work/units/kvmwardend.service.d/seccomp.conf"
	run -0 systemd-analyze verify --man=no "$work/units/kvmwardend.service"
	echo "NoSuchThing=1" >>"$work/units/kvmwardend.service.d/seccomp.conf"
	run systemd-analyze verify --man=no "$work/units/kvmwardend.service"
	has NoSuchThing
}

@test "the unit leaves the daemon little that it does not need" {
	command -v systemd-analyze >/dev/null || skip "this machine has no systemd-analyze"
	# In tenths: an exposure of at most 2.0, and one that would be missed.
	run -0 systemd-analyze security --offline=true --threshold=20 --no-pager systemd/kvmwardend.service
	sed '/^CapabilityBoundingSet=/d; /^SystemCallFilter=/d' systemd/kvmwardend.service >"$work/kvmwardend.service"
	run ! systemd-analyze security --offline=true --threshold=20 --no-pager "$work/kvmwardend.service"
}
