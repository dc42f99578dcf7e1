#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2013,SC2016,SC2030,SC2031,SC2034,SC2154 # helper.bash has the variables; tests are processes
# Metrics, as Prometheus sees them.

load helper

every_test() { needs_kvm; }

# A port that nobody listens on.
free_port() {
	perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport'
}

# start_serving WHERE: a daemon, confined as ever, with a policy that reports.
start_serving() {
	rule watcher @set-registers audit
	cat >"$work/kvmwarden.conf" <<-END
		events: {to: $events}
		sinks: [{to: "file:$work/second.jsonl", name: second}]
		metrics: {listen: "$1"}
	END
	kvmwardend=(build/kvmwardend --config "$work/kvmwarden.conf" --no-pin --socket "$socket")
	start_daemon
}

# sample FILE NAME LABELS: its value.
sample() {
	awk -v wanted="$2" '{ name = $1 } name == wanted { print $2 }' "$1"
}

unpack_prometheus() {
	prometheus=$(tests/vm/unpack prometheus)/usr/bin
}

@test "the page is OpenMetrics, and counts what happened" {
	local port
	port=$(free_port)
	start_serving "127.0.0.1:$port"
	vm try=KVM_SET_REGS try=KVM_SET_REGS try=KVM_SET_SREGS
	"${kvmwarden[@]}" vms
	sleep 1.1 # the page is made once a second
	run -0 curl -sS -D "$work/headers" -o "$work/page" "http://127.0.0.1:$port/metrics"
	has "200 OK" "$(<"$work/headers")"
	has "application/openmetrics-text; version=1.0.0" "$(<"$work/headers")"
	same 2 "$(sample "$work/page" 'kvmwarden_verdicts_total{verdict="audit",operation="KVM_SET_REGS",vm_type="default",policy="watcher",backend="tracepoint"}')"
	same 1 "$(sample "$work/page" 'kvmwarden_verdicts_total{verdict="audit",operation="KVM_SET_SREGS",vm_type="default",policy="watcher",backend="tracepoint"}')"
	same "$(sample "$work/page" 'kvmwarden_sink_produced_total{sink="second",kind="file"}')" \
		"$(sample "$work/page" 'kvmwarden_sink_written_total{sink="second",kind="file"}')"
	same "$(status_of .generation)" "$(sample "$work/page" kvmwarden_policy_generation)"
	echo nonsense >"$policies/broken.yaml"
	run -1 "${kvmwarden[@]}" reload
	sleep 1.1
	curl -sS "http://127.0.0.1:$port/metrics" >"$work/page"
	same 1 "$(sample "$work/page" 'kvmwarden_reloads_total{result="refused"}')"
	same 0 "$(sample "$work/page" kvmwarden_last_reload_successful)"
	unpack_prometheus
	run -0 "$prometheus/promtool" check rules docs/monitoring/kvmwarden.rules.yml
	# Its check is of the older format, which has no end; what it says of style is not asked for.
	run bash -c '"$1" check metrics < <(grep -v "^# EOF\|^# UNIT\|info$" "$2" | grep -v "_info{")' bash "$prometheus/promtool" "$work/page"
	hasnt "error while linting"
	same 405 "$(curl -s -o "$work/out" -w '%{http_code}' -X POST "http://127.0.0.1:$port/metrics")"
	same 404 "$(curl -s -o "$work/out" -w '%{http_code}' "http://127.0.0.1:$port/")"
}

@test "a unix socket serves the same, and goes with the daemon" {
	start_serving "$work/metrics"
	run -0 curl -sS --unix-socket "$work/metrics" http://localhost/metrics
	has "kvmwarden_build_info"
	has "# EOF"
	same 660 "$(stat -c %a "$work/metrics")"
	stop_daemon
	[ ! -e "$work/metrics" ]
}

@test "what is not of this host is refused, by line and column" {
	printf 'metrics: {listen: "0.0.0.0:9567"}\n' >"$work/kvmwarden.conf"
	run -1 build/kvmwardend --check --config "$work/kvmwarden.conf" --policy-dir "$policies"
	has "$work/kvmwarden.conf:1:19: error: 'listen' takes a path from the root, 127.0.0.1:PORT or [::1]:PORT, not '0.0.0.0:9567'"
}

@test "a port that is taken ends the start, and says so" {
	local port
	port=$(free_port)
	start_serving "127.0.0.1:$port"
	run -71 "${kvmwardend[@]}" --backend tracepoint --policy-dir "$policies" --socket "$work/other"
	has "cannot serve metrics on '127.0.0.1:$port': Address already in use"
}

@test "clients that want something else do not keep it from others, nor from events" {
	local port start
	port=$(free_port)
	start_serving "127.0.0.1:$port"
	# 100 that say nothing, one that says it byte by byte, one that never ends, one that never reads.
	perl -MIO::Socket::INET -e '
		my $port = shift;
		my @silent = map { IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $port) } 1 .. 100;
		print "there\n"; close STDOUT; sleep 20' "$port" >"$work/silent" 3>&- &
	children+=("$!")
	wait_until grep -q there "$work/silent"
	run -0 perl -MIO::Socket::INET -e '
		$SIG{PIPE} = "IGNORE";
		my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $ARGV[0]) or exit 0;
		print $s "GET /metrics HTTP/1.1\r\n", "X: " . ("y" x 1000000); my $answer = join "", <$s>;
		print length $answer ? $answer =~ /^HTTP\/1.1 400/ ? "" : $answer : ""' "$port"
	same "" "$output"
	vm try=KVM_SET_REGS
	same 1 "$(my_ioctls .operation | wc -l)"
	# Those who say nothing are gone after five seconds.
	start=$SECONDS
	serves() { curl -sS -m 2 "http://127.0.0.1:$port/metrics" 2>>"$work/curl" | grep -q '# EOF'; }
	wait_until serves
	((SECONDS - start < 12))
}

@test "Prometheus scrapes the daemon, answers what happened, and raises an alert" {
	local port own
	unpack_prometheus
	port=$(free_port)
	start_serving "127.0.0.1:$port"
	vm try=KVM_SET_REGS
	own=$(free_port)
	mkdir "$work/prometheus"
	sed 's/for: [12]m/for: 1s/' docs/monitoring/kvmwarden.rules.yml >"$work/rules.yml"
	cat >"$work/prometheus.yml" <<-END
		global: {scrape_interval: 1s, evaluation_interval: 1s}
		rule_files: ["$work/rules.yml"]
		scrape_configs:
		  - job_name: kvmwarden
		    static_configs: [{targets: ["127.0.0.1:$port"]}]
	END
	"$prometheus/prometheus" --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/prometheus" \
		--web.listen-address="127.0.0.1:$own" --log.level=error >"$work/prometheus.log" 2>&1 3>&- &
	children+=("$!")
	# query EXPRESSION: the value.
	query() {
		curl -sS -G "http://127.0.0.1:$own/api/v1/query" --data-urlencode "query=$1" 2>>"$work/curl" | jq -r '.data.result[0].value[1]'
	}
	is() { [ "$(query "$1")" = "$2" ]; }
	wait_until is 'up{job="kvmwarden"}' 1
	wait_until is 'kvmwarden_verdicts_total{operation="KVM_SET_REGS",verdict="audit"}' 1
	same "tracepoint" "$(curl -sS -G "http://127.0.0.1:$own/api/v1/query" --data-urlencode 'query=kvmwarden_backend_info' | jq -r '.data.result[0].metric.backend')"
	rule killer KVM_SET_REGS deny
	"${kvmwarden[@]}" reload
	# This backend cannot refuse: that is what the alert is for.
	wait_until is 'ALERTS{alertname="KvmwardenNotEnforcing",alertstate="firing"}' 1
	stop_daemon
	wait_until is 'ALERTS{alertname="KvmwardenAbsent",alertstate="firing"}' 1
}

@test "rules and dashboard ask for what the page has" {
	local name
	start_serving "$work/metrics"
	vm try=KVM_SET_REGS
	# Every family is there once there was a reload.
	"${kvmwarden[@]}" reload
	sleep 1.1
	curl -sS --unix-socket "$work/metrics" http://localhost/metrics >"$work/page"
	{
		jq -r '.panels[].targets[].expr' docs/monitoring/kvmwarden-dashboard.json
		sed -n 's/.*expr: //p' docs/monitoring/kvmwarden.rules.yml
	} | grep -v '^label_values' | grep -o 'kvmwarden_[a-z_]*' | sort -u >"$work/asked"
	[ "$(wc -l <"$work/asked")" -gt 12 ]
	while read -r name; do
		grep -q "^${name}[{ ]" "$work/page" || { echo "nothing is called $name"; return 1; }
	done <"$work/asked"
	# And docs/metrics.md lists each family that the page has.
	same "$(sed -n 's/^# TYPE \(kvmwarden_[a-z_]*\) .*/\1/p' "$work/page" | sort)" \
		"$(grep -o '^| `kvmwarden_[a-z_]*`' docs/metrics.md | tr -d '|` ' | sort)"
}
