/* SPDX-License-Identifier: GPL-2.0-only */
/* What recorded events come to, and a page in which names stay names. */
#define _GNU_SOURCE 1
#include "report.h"

#include "html.h"
#include "json-read.h"
#include "names.h"
#include "unit.h"
#include "util.h"

KW_DEFINE_CLEANUP(json_t, json_decref)

static struct kw_report *report;

static int start(void **state)
{
	(void)state;
	return kw_report_new(&report);
}

static int stop(void **state)
{
	(void)state;
	report = kw_report_free(report);
	return 0;
}

static int add_text(const char *text)
{
	_cleanup_(json_decref_cleanup) json_t *event = kw_json_read(text, strlen(text), 0);

	assert_non_null(event);
	return kw_report_add(report, event);
}

__attribute__((format(printf, 1, 2))) static void add(const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list args;

	va_start(args, format);
	assert_true(vasprintf(&text, format, args) >= 0);
	va_end(args);
	assert_int_equal(add_text(text), 0);
}

static void add_denial(void)
{
	add("{\"version\":1,\"time\":\"2023-11-14T22:13:20.000000000Z\",\"seq\":1,\"host\":\"h\","
	    "\"boot_id\":\"b\",\"event\":\"ioctl\",\"verdict\":\"deny\",\"intended\":\"deny\","
	    "\"operation\":\"KVM_SET_REGS\",\"vm\":{\"id\":7,\"type\":\"sev-snp\",\"sealed\":true},"
	    "\"process\":{\"exe\":\"/usr/bin/vmm\",\"comm\":\"x\"}}");
}

static void add_own(unsigned int seq, const char *members)
{
	add("{\"version\":1,\"time\":\"2026-01-01T10:00:%02u.000000000Z\",\"seq\":%u,\"host\":"
	    "\"h\","
	    "\"boot_id\":\"b\",%s}",
	    seq % 60, seq, members);
}

static char *page(const char *title)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	kw_report_html(report, title, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void end(void)
{
	assert_int_equal(kw_report_end(report), 0);
}

/* --- reports ------------------------------------------------------------------------- */

static void no_events(void **state)
{
	_cleanup_(json_decref_cleanup) json_t *json = NULL;
	_cleanup_free_ char *text = NULL;

	(void)state;
	end();
	text = page("t");
	json = kw_report_json(report);
	assert_non_null(json);
	assert_non_null(strstr(text, "There are no events."));
	assert_null(strstr(text, "<svg"));
	assert_non_null(strstr(text, "</html>"));
}

static void one_event(void **state)
{
	_cleanup_free_ char *text = NULL;

	(void)state;
	add_denial();
	end();
	assert_int_equal(report->events, 1);
	assert_int_equal(report->verdicts[KW_DENY], 1);
	assert_int_equal(kw_report_vm_count(report, false), 1);
	assert_int_equal(report->denials.count, 1);
	assert_string_equal(kw_counts_text(&report->denials.rows[0], KW_DENIAL_EXE),
			    "/usr/bin/vmm");
	assert_string_equal(report->first, "2023-11-14T22:13:20.000000000Z");
	assert_string_equal(report->first, report->last);
	text = page("t");
	assert_non_null(strstr(text, "<svg"));
	assert_non_null(strstr(text, "KVM_SET_REGS"));
	assert_non_null(strstr(text, "sev-snp"));
}

/* "a VM counts once; sealed, when it once was; another counter's has the same id and is another" */
static void vms(void **state)
{
	static const char *const vm = "\"event\":\"ioctl\",\"verdict\":\"audit\",\"vm\":{\"id\":%u,"
				      "\"type\":\"%s\",\"sealed\":%s}";
	char members[256];

	(void)state;
	for (unsigned int i = 1; i <= 6; i++) {
		/* A default one that becomes legacy-sev-es, and is sealed then. */
		snprintf(members, sizeof(members), vm, 1, i < 3 ? "default" : "legacy-sev-es",
			 i == 4 ? "true" : "false");
		add_own(i, members);
	}
	snprintf(members, sizeof(members), vm, 2, "tdx", "false");
	add_own(7, members);
	add_own(1, "\"event\":\"started\"");
	add_own(2, members);
	add_own(3,
		"\"event\":\"ioctl\",\"verdict\":\"deny\",\"vm\":{\"id\":null,\"type\":\"sev\"}");
	end();
	assert_int_equal(report->vms.count[KW_TYPE_LEGACY_SEV_ES], 1);
	assert_int_equal(report->vms.sealed[KW_TYPE_LEGACY_SEV_ES], 1);
	assert_int_equal(report->vms.count[KW_TYPE_TDX], 2);
	assert_int_equal(kw_report_vm_count(report, false), 3);
	assert_int_equal(kw_report_vm_count(report, true), 1);
}

/* "numbers that are missing are said, those that the daemon tells of apart" */
static void gaps(void **state)
{
	_cleanup_free_ char *text = NULL;

	(void)state;
	for (unsigned int seq = 1; seq <= 3; seq++)
		add_own(seq, "\"event\":\"policy-loaded\"");
	assert_true(kw_report_is_complete(report));
	add_own(9, "\"event\":\"lost\",\"count\":5,\"reason\":\"ring-full\"");
	add_own(14, "\"event\":\"policy-loaded\"");
	add_own(59, "\"event\":\"stopped\",\"pinned\":true");
	end();
	assert_false(kw_report_is_complete(report));
	assert_int_equal(report->gaps.told_count, 5);
	assert_int_equal(report->gaps.untold, 4 + 44);
	text = page("t");
	assert_non_null(strstr(text, "This log is not complete."));
	assert_non_null(strstr(text, "<b>5</b> (ring-full)"));
	assert_non_null(strstr(text, "nothing accounts for them: <b>48</b>"));
}

static void repeated(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++)
		add_own(1, "\"event\":\"policy-loaded\"");
	end();
	assert_int_equal(report->gaps.repeated, 1);
	assert_false(kw_report_is_complete(report));
}

/* "what was held back counts, be it told by the next event or by one of its own" */
static void held_back(void **state)
{
	(void)state;
	add_own(1, "\"event\":\"ioctl\",\"verdict\":\"deny\",\"operation\":\"KVM_NMI\",\"vm\":null,"
		   "\"suppressed\":4");
	add_own(2, "\"event\":\"suppressed\",\"count\":3,\"operation\":\"KVM_NMI\"");
	end();
	assert_int_equal(report->held_back, 7);
	assert_int_equal(report->denials.rows[0].more, 4);
}

static bool has_note(enum kw_note_rank rank, const char *part)
{
	for (size_t i = 0; i < report->notes.count; i++)
		if (report->notes.rows[i].rank == rank &&
		    strstr(kw_counts_text(&report->notes.rows[i], KW_NOTE_TEXT), part))
			return true;
	return false;
}

static void findings(void **state)
{
	(void)state;
	add_own(1, "\"event\":\"started\",\"enforcement\":\"auditing\",\"backend\":\"tracepoint\"");
	add_own(2, "\"event\":\"started\",\"enforcement\":\"enforcing\",\"backend\":\"lsm\","
		   "\"adopted\":true");
	add_own(3,
		"\"event\":\"ioctl\",\"verdict\":\"allow\",\"intended\":\"deny\",\"exception\":1,"
		"\"operation\":\"KVM_SET_REGS\",\"policy\":\"p\",\"vm\":null");
	add_own(4, "\"event\":\"ioctl\",\"verdict\":\"audit\",\"intended\":\"kill\","
		   "\"operation\":\"KVM_NMI\",\"policy\":\"p\",\"vm\":null");
	add_own(5, "\"event\":\"proof-failed\"");
	add_own(6, "\"event\":\"from-the-future\"");
	add_own(7, "\"event\":\"tampering\",\"verdict\":\"deny\",\"act\":\"open-map\","
		   "\"process\":{\"exe\":null,\"comm\":\"x\"}");
	end();
	assert_true(has_note(KW_NOTE_WARNING, "was only auditing"));
	assert_true(has_note(KW_NOTE_PLAIN, "took over the set of programs"));
	assert_true(has_note(KW_NOTE_WARNING, "by an exception to policy 'p'"));
	assert_true(has_note(KW_NOTE_WARNING, "where policy 'p' says kill"));
	assert_true(has_note(KW_NOTE_ALARM, "a proof failed"));
	assert_true(has_note(KW_NOTE_PLAIN, "does not know"));
	assert_true(has_note(KW_NOTE_ALARM, "[x] reached for kvmwarden itself: open-map"));
	assert_int_equal(report->spared, 2);
	assert_int_equal(report->excepted, 1);
	assert_int_equal(report->backends, 1u << KW_BACKEND_LSM | 1u << KW_BACKEND_TRACEPOINT);
	/* The worst come first. */
	assert_int_equal(report->notes.rows[0].rank, KW_NOTE_ALARM);
}

/* "any object with a name is an event; what its members are is not believed" */
static void strange_members(void **state)
{
	_cleanup_(json_decref_cleanup) json_t *json = NULL;
	_cleanup_free_ char *text = NULL;

	(void)state;
	assert_int_equal(add_text("{}"), -EINVAL);
	assert_int_equal(add_text("{\"event\":7}"), -EINVAL);
	add("{\"event\":\"ioctl\",\"verdict\":\"deny\",\"vm\":[],\"process\":\"x\",\"line\":\"y\","
	    "\"seq\":-4,\"time\":\"2026-99-99T99:99:99.000000000Z\",\"suppressed\":9e99}");
	add("{\"event\":\"lost\",\"count\":9223372036854775807,\"reason\":17}");
	add("{\"event\":\"lost\",\"count\":9223372036854775807}");
	end();
	json = kw_report_json(report);
	assert_non_null(json);
	text = page("t");
	assert_int_equal(report->gaps.told_count, INT64_MAX);
	assert_int_equal(report->timeline.count, 0);
}

/* "more different denials, hosts and VMs than are kept are said to be more" */
static void bounded(void **state)
{
	_cleanup_free_ char *text = NULL;

	(void)state;
	for (unsigned int i = 0; i < KW_REPORT_DENIALS_MAX + 25; i++)
		add("{\"event\":\"ioctl\",\"verdict\":\"deny\",\"host\":\"h%u\",\"seq\":%u,\"vm\":"
		    "null,"
		    "\"operation\":\"o%u\"}",
		    i % 100, 1 + i / 100, i);
	for (unsigned int i = 0; i < KW_REPORT_VMS_MAX + 3; i++)
		add("{\"event\":\"vm-created\",\"host\":\"h1\",\"vm\":{\"id\":%u,\"type\":\"tdx\"}"
		    "}",
		    i);
	end();
	assert_int_equal(report->denials.count, KW_REPORT_DENIALS_MAX);
	assert_int_equal(report->denials.beyond, 25);
	assert_int_equal(report->host_count, KW_REPORT_HOSTS_MAX);
	assert_true(report->other_hosts);
	assert_true(report->gaps.unchecked);
	assert_int_equal(kw_report_vm_count(report, false), KW_REPORT_VMS_MAX);
	assert_int_equal(report->vms.beyond, 3);
	text = page("t");
	assert_non_null(strstr(text, "And 25 more"));
}

/* --- the page --------------------------------------------------------------------------- */

static char *html_of(const char *text)
{
	char *html = NULL;
	size_t size;
	FILE *out = open_memstream(&html, &size);

	assert_non_null(out);
	kw_html_text(out, text);
	assert_int_equal(fclose(out), 0);
	return html;
}

static void escaping(void **state)
{
	static const struct {
		const char *text, *html;
	} rows[] = {
		{"", ""},
		{"a<b>&c", "a&lt;b&gt;&amp;c"},
		{"\"x\" 'y'", "&quot;x&quot; &#39;y&#39;"},
		{"a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f"},
		{"\u202e", "\\xe2\\x80\\xae"},
		{"äö\u20ac\U0001f600", "äö\u20ac\U0001f600"},
		/* Not UTF-8: no byte of it may take the next one along. */
		{"\xe2<", "\\xe2&lt;"},
		{"\xc0\xbc", "\\xc0\\xbc"},
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},
		{"\xf5\xff", "\\xf5\\xff"},
		{"&lt;", "&amp;lt;"},
	};

	(void)state;
	for (size_t i = 0; i < KW_ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *html = html_of(rows[i].text);

		assert_string_equal(html, rows[i].html);
	}
}

#define HOSTILE "<script>alert(1)</script>\"'><img src=x onerror=y>"
#define HOSTILE_JSON "<script>alert(1)</script>\\\"'><img src=x onerror=y>\\u001b\\n"

/* "no name, wherever it comes from, is anything but text" */
static void hostile_names(void **state)
{
	_cleanup_free_ char *text = NULL, *escaped = html_of(HOSTILE);
	const char *p;

	(void)state;
	add("{\"event\":\"ioctl\",\"verdict\":\"kill\",\"host\":\"" HOSTILE_JSON
	    "\",\"operation\":\"" HOSTILE_JSON "\",\"process\":{\"exe\":\"/" HOSTILE_JSON
	    "\"},\"vm\":{\"id\":1,\"type\":\"" HOSTILE_JSON "\"},\"policy\":\"" HOSTILE_JSON
	    "\",\"file\":\"" HOSTILE_JSON "\",\"line\":3,"
	    "\"time\":\"" HOSTILE_JSON "\",\"backend\":\"" HOSTILE_JSON "\"}");
	add("{\"event\":\"" HOSTILE_JSON "\",\"host\":\"other\"}");
	add("{\"event\":\"lost\",\"reason\":\"<script>\\\"\",\"count\":1}");
	add("{\"event\":\"policy-refused\",\"message\":\"" HOSTILE_JSON "\"}");
	end();
	text = page(HOSTILE);
	assert_null(strcasestr(text, "<script"));
	assert_null(strcasestr(text, "<img"));
	assert_null(strchr(text, '\x1b'));
	assert_non_null(strstr(text, escaped));
	/* Title, heading, host, operation, executable, policy, rule, kind of event... */
	p = text;
	for (unsigned int i = 0; i < 8; i++) {
		p = strstr(p, "&lt;script&gt;alert(1)&lt;/");
		assert_non_null(p);
		p++;
	}
}

static void self_contained(void **state)
{
	_cleanup_free_ char *text = NULL;

	(void)state;
	add_denial();
	end();
	text = page("t");
	assert_null(strstr(text, "http:"));
	assert_null(strstr(text, "https:"));
	assert_null(strstr(text, "url("));
	assert_null(strstr(text, "@import"));
	assert_null(strstr(text, "src="));
	assert_non_null(strstr(text, "default-src 'none'"));
}

#define REPORT_TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REPORT_TEST(no_events),	    REPORT_TEST(one_event),
		REPORT_TEST(vms),	    REPORT_TEST(gaps),
		REPORT_TEST(repeated),	    REPORT_TEST(held_back),
		REPORT_TEST(findings),	    REPORT_TEST(strange_members),
		REPORT_TEST(bounded),	    cmocka_unit_test(escaping),
		REPORT_TEST(hostile_names), REPORT_TEST(self_contained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
