/* SPDX-License-Identifier: GPL-2.0-only */
/* Metrics: what is counted, what the page says of it, and which requests get it. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event-kinds.h"
#include "metrics.h"
#include "names.h"
#include "util.h"

static const struct kw_confinement confinement;

static char *page_of(const struct kw_metrics *metrics, const struct kw_status *status)
{
	struct kw_metrics_page page = {.status = status, .metrics = metrics, .resident = 4096};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	page.sinks[0].name = "a\"b\\c\nd";
	page.sinks[0].kind = KW_SINK_FILE;
	page.sinks[0].stats.written = 3;
	page.sink_count = 1;
	assert_non_null(out);
	kw_metrics_render(&page, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void assert_line(const char *page, const char *line)
{
	size_t len = strlen(line);
	const char *at = page;

	while ((at = strstr(at, line))) {
		if ((at == page || at[-1] == '\n') && at[len] == '\n')
			return;
		at += len;
	}
	fail_msg("no line '%s' in:\n%s", line, page);
}

static struct kw_event event(enum kw_verdict verdict, unsigned int operation)
{
	return (struct kw_event){.verdict = verdict,
				 .operation = (uint16_t)operation,
				 .vm_type = KW_TYPE_SEV_SNP,
				 .backend = KW_BACKEND_LSM};
}

static const struct kw_status idle = {.enforcement = KW_ENFORCING,
				      .backend = KW_BACKEND_LSM,
				      .refuses = true,
				      .proved = {true, true},
				      .proved_ns = 1500000000,
				      .since_ns = 2000000001,
				      .confinement = &confinement};

static void test_counts(void **state)
{
	struct kw_metrics *metrics = kw_metrics_new();
	struct kw_event denied =
		event(KW_DENY, (unsigned int)kw_operation_from_name("KVM_SET_REGS"));
	struct kw_event audited =
		event(KW_AUDIT, (unsigned int)kw_operation_from_name("KVM_SET_REGS"));
	struct kw_status status = idle;
	char *page;

	(void)state;
	status.vms_by[KW_TYPE_SEV_SNP][KW_STATE_SEALED] = 2;
	status.counters.lost[KW_LOSS_RING] = 5;
	for (int i = 0; i < 3; i++)
		assert_false(kw_metrics_count(metrics, &denied, "guard"));
	kw_metrics_count(metrics, &denied, "other");
	kw_metrics_count(metrics, &audited, NULL);
	kw_metrics_count_kind(metrics, kw_kind_from_name("started"));
	kw_metrics_count_kind(metrics, -1);
	kw_metrics_count_reload(metrics, true, 1000000000);
	kw_metrics_count_reload(metrics, false, 3000000000);
	page = page_of(metrics, &status);
	assert_line(page, "kvmwarden_verdicts_total{verdict=\"deny\",operation=\"KVM_SET_REGS\","
			  "vm_type=\"sev-snp\",policy=\"guard\",backend=\"lsm\"} 3");
	assert_line(page, "kvmwarden_verdicts_total{verdict=\"deny\",operation=\"KVM_SET_REGS\","
			  "vm_type=\"sev-snp\",policy=\"other\",backend=\"lsm\"} 1");
	assert_line(page, "kvmwarden_verdicts_total{verdict=\"audit\",operation=\"KVM_SET_REGS\","
			  "vm_type=\"sev-snp\",policy=\"\",backend=\"lsm\"} 1");
	assert_line(page, "kvmwarden_events_total{event=\"started\"} 1");
	assert_line(page, "kvmwarden_events_lost_total{reason=\"ring-full\"} 5");
	assert_line(page, "kvmwarden_vms{type=\"sev-snp\",state=\"sealed\"} 2");
	assert_line(page, "kvmwarden_reloads_total{result=\"refused\"} 1");
	assert_line(page, "kvmwarden_last_reload_successful 0");
	assert_line(page, "kvmwarden_last_reload_timestamp_seconds 3.000000000");
	assert_line(page, "kvmwarden_proof_timestamp_seconds 1.500000000");
	assert_line(page, "kvmwarden_start_time_seconds 2.000000001");
	assert_line(page, "kvmwarden_enforcing 1");
	assert_line(page, "kvmwarden_resident_memory_bytes 4096");
	/* The only escapes that there are. */
	assert_line(page, "kvmwarden_sink_written_total{sink=\"a\\\"b\\\\c\\nd\",kind=\"file\"} 3");
	assert_string_equal(page + strlen(page) - 6, "# EOF\n");
	free(page);
	kw_metrics_free(metrics);
}

/* What is beyond the limit is counted, and said to be so, once. */
static void test_overflow(void **state)
{
	struct kw_metrics *metrics = kw_metrics_new();
	struct kw_event one = event(KW_DENY, 1);
	unsigned int told = 0;
	char name[16], *page;

	(void)state;
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < KW_METRICS_SERIES_MAX + 10; i++) {
			snprintf(name, sizeof(name), "p%d", i);
			told += kw_metrics_count(metrics, &one, name);
		}
	assert_int_equal(told, 1);
	page = page_of(metrics, &idle);
	assert_line(page, "kvmwarden_verdict_series 4096");
	assert_line(page, "kvmwarden_verdict_series_overflow_total 20");
	assert_line(
		page,
		"kvmwarden_verdicts_total{verdict=\"deny\",operation=\"other\",vm_type=\"other\","
		"policy=\"other\",backend=\"other\"} 20");
	assert_non_null(strstr(page, "policy=\"p4095\",backend=\"lsm\"} 2\n"));
	assert_null(strstr(page, "policy=\"p4096\""));
	free(page);
	kw_metrics_free(metrics);
	assert_false(kw_metrics_count(NULL, &one, "p"));
}

/* Each family is described before its samples, and once. */
static void test_families(void **state)
{
	struct kw_metrics *metrics = kw_metrics_new();
	char *page = page_of(metrics, &idle), *rest = page, *line, family[128] = "";
	unsigned int families = 0;

	(void)state;
	while ((line = strsep(&rest, "\n")) && *line) {
		if (strncmp(line, "# TYPE ", 7) == 0) {
			snprintf(family, sizeof(family), "%.*s", (int)strcspn(line + 7, " "),
				 line + 7);
			families++;
		} else if (line[0] == '#') {
			assert_true(kw_streq(line, "# EOF") || strstr(line, family));
		} else {
			assert_int_equal(strncmp(line, family, strlen(family)), 0);
		}
	}
	assert_true(families > 30);
	free(page);
	kw_metrics_free(metrics);
}

static void test_requests(void **state)
{
	static const struct {
		const char *request;
		unsigned int status;
		bool head;
	} rows[] = {
		{"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 200, false},
		{"GET /metrics HTTP/1.0\n\n", 200, false},
		{"GET /metrics?x=y HTTP/1.1\r\n\r\n", 200, false},
		{"HEAD /metrics HTTP/1.1\r\n\r\n", 200, true},
		{"GET / HTTP/1.1\r\n\r\n", 404, false},
		{"GET /metricsx HTTP/1.1\r\n\r\n", 404, false},
		{"GET /metric HTTP/1.1\r\n\r\n", 404, false},
		{"POST /metrics HTTP/1.1\r\n\r\n", 405, false},
		{"get /metrics HTTP/1.1\r\n\r\n", 400, false},
		{"GET  /metrics HTTP/1.1\r\n\r\n", 400, false},
		{"GET /metrics\r\n\r\n", 400, false},
		{"GET /metrics HTTP/2\r\n\r\n", 400, false},
		{"GET /metrics HTTP/1.1 \r\n\r\n", 400, false},
		{"GET", 400, false},
		{"\n\n", 400, false},
		{"\r\n\r\n", 400, false},
	};

	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(rows); i++) {
		/* Without the byte behind it, so that reading too far shows. */
		size_t len = strlen(rows[i].request);
		char *request = malloc(len);
		bool head;

		memcpy(request, rows[i].request, len);
		if (kw_metrics_judge(request, len, &head) != rows[i].status || head != rows[i].head)
			fail_msg("%s", rows[i].request);
		free(request);
	}
}

static void test_addresses(void **state)
{
	static const char *const bad[] = {
		"",	     "127.0.0.1",   "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
		"0.0.0.0:1", "127.0.0.2:9", "[::]:9567",  "[::1]9567",	 "localhost:9567"};
	struct sockaddr_storage address;
	socklen_t len;

	(void)state;
	assert_int_equal(kw_metrics_address("127.0.0.1:9567", &address, &len), 0);
	assert_int_equal(address.ss_family, AF_INET);
	assert_int_equal(kw_metrics_address("[::1]:9567", &address, &len), 0);
	assert_int_equal(address.ss_family, AF_INET6);
	for (size_t i = 0; i < KW_ARRAY_SIZE(bad); i++)
		assert_int_equal(kw_metrics_address(bad[i], &address, &len), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),	  cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_families),  cmocka_unit_test(test_requests),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
