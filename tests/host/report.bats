#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# What recorded events come to: on the terminal, as JSON, and as a page that a browser opens.

load helper

trail=(tests/trail/events.jsonl.1 tests/trail/events.jsonl)

# report ARGUMENT...: bats keeps its output and status.
report() {
	run --separate-stderr build/kvmwarden report "$@"
}

# numbers FILTER FILE...: what jq's FILTER says of the report.
numbers() {
	local filter=$1
	shift
	build/kvmwarden --json report "$@" | jq -cr "$filter"
}

# a_day [HOST]: made-up events of a day are in $events.
a_day() {
	tests/host/report-events "$@" >"$events"
}

# browse ARGUMENT... PAGE: the browser, without a window, on a page.
browse() {
	command -v chromium >/dev/null || skip "this machine has no chromium"
	timeout --kill-after=5 90 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
		--disable-background-networking --disable-component-update --disable-sync --hide-scrollbars \
		--user-data-dir="$work/browser" "${@:1:$#-1}" "file://${*: -1}" 2>"$work/browser.err" </dev/null
}

# --- numbers ------------------------------------------------------------------

@test "a short table says what there was, what is missing, and who was refused what" {
	a_day
	report "$events"
	same 0 "$status"
	has "hosts      snp-07.example.net"
	has "MISSING    37 events lost as the daemon tells, 0 numbers that nothing accounts for"
	has "VMs        180, 124 sealed"
	has "verdicts   6 allow, 543 audit, 313 deny, 1 kill; 1500 held back by rate limits"
	has "KVM_SEV_DBG_DECRYPT"
	has "and 3 more rows"
	has "bpftool reached for kvmwarden itself: open-map"
}

@test "files come in any order, and one of them from standard input" {
	local one two three
	one=$(build/kvmwarden --json report "${trail[@]}")
	two=$(build/kvmwarden --json report "${trail[1]}" "${trail[0]}")
	three=$(build/kvmwarden --json report "${trail[1]}" - <"${trail[0]}")
	same "$one" "$two"
	same "$one" "$three"
	same '[12,3,0,"h"]' "$(jq -c '[.events, .missing.lost, .missing.untold, .hosts[0]]' <<<"$one")"
	# Without the older one numbers begin later, which is not missed.
	same '[7,0]' "$(numbers '[.events, .missing.untold]' "${trail[1]}")"
	# Hosts do not get in each other's way.
	a_day one.example
	tests/host/report-events two.example >"$work/two.jsonl"
	same '["one.example","two.example"] 0 360' \
		"$(numbers '"\(.hosts) \(.missing.untold) \(.vms.count)"' "$events" "$work/two.jsonl")"
	paste -d '\n' "$events" "$work/two.jsonl" >"$work/both.jsonl"
	same "0 360" "$(numbers '"\(.missing.untold) \(.vms.count)"' "$work/both.jsonl")"
}

@test "the numbers are those that jq counts" {
	a_day
	same "$(jq -s '[.[].verdict // empty] | [["allow", "audit", "deny", "kill"][] as $v | map(select(. == $v)) | length]' \
		"$events" | jq -c .)" "$(numbers '.verdicts | [.allow, .audit, .deny, .kill]' "$events")"
	same "$(jq -s '[.[].vm.id? // empty] | unique | length' "$events")" "$(numbers .vms.count "$events")"
	same "$(jq -s '[.[].verdict // empty] | length' "$events")" \
		"$(numbers '[.timeline.buckets[] | .allow + .audit + .deny + .kill] | add' "$events")"
	same "$(jq -s 'map(select(.verdict == "deny" or .verdict == "kill")) | length' "$events")" \
		"$(numbers '[.denials[].count] | add' "$events")"
}

@test "an event that is gone is missed, and a file that is given twice is noticed" {
	a_day
	sed -i 300,302d "$events"
	same "false 37 3" "$(numbers '.missing | "\(.complete) \(.lost) \(.untold)"' "$events")"
	build/kvmwarden report --html "$work/page.html" "$events"
	has "This log is not complete." "$(<"$work/page.html")"
	has "nothing accounts for them: <b>3</b>" "$(<"$work/page.html")"
	same "7" "$(numbers .missing.repeated "${trail[1]}" "${trail[1]}")"
}

@test "a line that cannot be read is named, does not hide the others, and costs the status" {
	{
		head -n 5 "${trail[0]}"
		printf '{"event":"lo\n[1]\n{"no":1}\n'
		head -c 70000 /dev/zero | tr '\0' x
		printf '\n'
	} >"$work/bad.jsonl"
	report --html "$work/page.html" "$work/bad.jsonl"
	same 1 "$status"
	has "$work/bad.jsonl:6:12: not a JSON object" "$stderr"
	has "$work/bad.jsonl:7: not a JSON object" "$stderr"
	has "$work/bad.jsonl:8: an object without the member 'event'" "$stderr"
	has "$work/bad.jsonl:9: a line too long for an event" "$stderr"
	has "Lines that could not be read: <b>4</b>" "$(<"$work/page.html")"
	report "$work/absent"
	same 1 "$status"
	has "cannot open $work/absent: No such file or directory" "$stderr"
	perl -e 'srand 1; print map { chr int rand 256 } 1 .. 300000' >"$work/junk"
	report "$work/junk"
	same 1 "$status"
	has "more lines could not be read" "$stderr"
}

@test "ten times the events take no more memory" {
	a_day
	cat >"$work/more" <<-'END'
		my @lines = <STDIN>;
		for my $round (1 .. shift) {
			print map { s/"boot_id":"[^"]*"/"boot_id":"$round"/r } @lines;
		}
	END
	peak() {
		perl "$work/more" "$1" <"$events" | perl -e '
			my $pid = fork // die;
			if (!$pid) { open STDOUT, ">", "/dev/null"; exec @ARGV or die; }
			waitpid $pid, 0;
			exit 1 if $?;
			my $rusage = "\0" x 144;
			syscall(98, -1, $rusage) == 0 or die "getrusage: $!"; # RUSAGE_CHILDREN, on x86-64
			print +(unpack "q18", $rusage)[4], "\n";' build/kvmwarden report -
	}
	local few many
	few=$(peak 20)
	many=$(peak 200)
	echo "$few KiB, $many KiB"
	# VMs are told apart, up to 65536: they have 16 bytes each.
	((many - few < 2048))
}

# --- the page -----------------------------------------------------------------

@test "the page is written whole, or not at all, and nothing else is written over" {
	a_day
	build/kvmwarden report --html "$work/page.html" "$events"
	has "</html>" "$(tail -n 1 "$work/page.html")"
	same 644 "$(umask 022 && build/kvmwarden report --html "$work/page.html" "$events" && stat -c %a "$work/page.html")"
	same 600 "$(umask 077 && build/kvmwarden report --html "$work/page.html" "$events" && stat -c %a "$work/page.html")"
	echo old >"$work/page.html"
	# A file may have 1 KiB here.
	run -71 bash -c 'trap "" XFSZ; ulimit -f 1; exec "$@"' - build/kvmwarden report --html "$work/page.html" "$events"
	has "cannot write $work/page.html: File too large"
	same old "$(<"$work/page.html")"
	same "" "$(find "$work" -name 'page.html.*')"
	run -71 build/kvmwarden report --html /dev/null "$events"
	has "no regular file"
	[ -c /dev/null ]
	run -71 build/kvmwarden report --html "$work" "$events"
	run -71 build/kvmwarden report --html "$work/no/such/page.html" "$events"
	has "No such file or directory"
	cp "$events" "$work/copy"
	run -71 build/kvmwarden report --html "$events" "$events"
	has "it is one of the files that are read"
	cmp "$events" "$work/copy"
}

@test "wrong arguments are refused" {
	run -64 build/kvmwarden report
	has "it takes 'EVENTS-FILE...'"
	run -64 build/kvmwarden report --html - "${trail[@]}"
	run -64 build/kvmwarden report --no-such "${trail[@]}"
	run -64 build/kvmwarden repport
	has "did you mean 'report'?"
}

@test "a browser shows all of it" {
	a_day
	build/kvmwarden report --html "$work/page.html" --title "One day & night" "$events"
	browse --dump-dom "$work/page.html" >"$work/dom"
	for text in "<h1>One day &amp; night</h1>" "<dd>snp-07.example.net</dd>" "This log is not complete." \
		"KVM_SEV_DBG_DECRYPT" "protected-state" "VMs by type" "ticket 4711: rescue of a hung guest" \
		"unknown operation 'KVM_SET_REG'" "took over the set of programs" "</footer>"; do
		has "$text" "$(<"$work/dom")"
	done
	# The browser found nothing to mend: as many elements as we wrote.
	for element in svg rect tr td section details; do
		same "$(grep -o "<${element}[ >]" "$work/page.html" | wc -l)" "$(grep -o "<${element}[ >]" "$work/dom" | wc -l)"
	done
	for size in 1280,900 500,900; do
		browse --window-size="$size" --screenshot="$work/shot.png" "$work/page.html"
		same PNG "$(head -c 4 "$work/shot.png" | tail -c 3)"
	done
}

@test "a hostile name makes no element in a browser, and no request" {
	local beacon='<img src=http://beacon.invalid/x>'
	local hostile="/<script>alert(1)</script>\"'>$beacon<svg onload=alert(1)>"
	tests/host/report-events '</title><script>alert(2)</script>' |
		jq -c --arg hostile "$hostile" '(.process? // empty).exe = $hostile + "\u0007\u202e" | .policy = $hostile' >"$events"
	build/kvmwarden report --html "$work/page.html" --title "</h1>$hostile" "$events"
	browse --dump-dom --log-net-log="$work/net.json" "$work/page.html" >"$work/dom"
	has '/&lt;script&gt;alert(1)&lt;' "$(<"$work/dom")"
	has '\x07\xe2\x80\xae' "$(<"$work/dom")"
	same 0 "$(grep -ciE '<(script|img|iframe|link|object)' "$work/dom")"
	same 0 "$(grep -ci '<[^>]* on[a-z]*=' "$work/dom")"
	[ -s "$work/net.json" ]
	same 0 "$(grep -c 'beacon\.invalid' "$work/net.json")"
	# It would have been seen.
	echo "<!DOCTYPE html>$beacon" >"$work/page.html"
	browse --dump-dom --log-net-log="$work/net.json" "$work/page.html" >"$work/dom"
	grep -q 'beacon\.invalid' "$work/net.json"
}

# --- a daemon's events --------------------------------------------------------------

@test "what a daemon recorded is reported, with a VMM that calls itself markup" {
	needs_kvm
	vmm="$work/<b>&<script>alert(1)"
	cp build/tests/probe "$vmm"
	rule watcher KVM_SET_REGS audit
	rule killer KVM_SET_SREGS kill
	start_daemon
	vm try=KVM_SET_REGS
	vm try=KVM_SET_REGS try=KVM_SET_SREGS
	run -0 "${kvmwarden[@]}" reload
	stop_daemon
	build/kvmwarden --json report --html "$work/page.html" "$events" >"$work/report.json"
	same "true tracepoint 1 KVM_SET_SREGS killer $policies/killer.yaml:6" \
		"$(jq -r '"\(.missing.complete) \(.backends[0]) \(.verdicts.kill) " + (.denials[0] |
			"\(.operation) \(.policy) \(.rule)")' "$work/report.json")"
	same "$vmm" "$(jq -r '.denials[0].exe' "$work/report.json")"
	same 2 "$(jq '.verdicts.audit' "$work/report.json")"
	has "No event is known to be missing." "$(<"$work/page.html")"
	same 0 "$(grep -c '<script' "$work/page.html")"
	has '<wbr>&lt;b&gt;&amp;&lt;script&gt;alert(1)</td>' "$(<"$work/page.html")"
}
