/* SPDX-License-Identifier: GPL-2.0-only */
/* The manager's wire: what clients may send it, and what they are told. */
#include "varlink-peer.h"

/* Tests run from the top of the tree. */
#define IDL "daemon/io.kvmwarden.Manager.varlink"

static void test_the_service_describes_itself(void **state)
{
	json_t *root, *idl;
	struct fixture f;
	struct peer p;
	char buf[8192];
	FILE *file;
	size_t n;

	(void)state;
	fixture_start(&f);
	assert_int_equal(peer_open(&p, &f, NOBODY), 0);
	say(&p, "{\"method\":\"" S "GetInfo\"}");
	root = hear(&p);
	idl = json_object_get(json_object_get(root, "parameters"), "interfaces");
	assert_string_equal(json_string_value(json_array_get(idl, 0)), KW_INTERFACE);
	json_decref(root);

	say(&p, "{\"method\":\"" S "GetInterfaceDescription\",\"parameters\":"
		"{\"interface\":\"io.kvmwarden.Manager\"}}");
	root = hear(&p);
	file = fopen(IDL, "re");
	assert_non_null(file);
	n = fread(buf, 1, sizeof(buf) - 1, file);
	buf[n] = '\0';
	fclose(file);
	assert_string_equal(json_string_value(json_object_get(json_object_get(root, "parameters"),
							      "description")),
			    buf);
	json_decref(root);
	peer_close(&p);
	fixture_end(&f);
}

/* One request of somebody who connects for it: this reply, and nothing after it. */
static void ask(struct fixture *f, uid_t uid, const char *request, const char *reply)
{
	struct peer p;

	assert_int_equal(peer_open(&p, f, uid), 0);
	say(&p, request);
	hear_text(&p, reply);
	hear_nothing(&p);
	peer_close(&p);
}

static void test_answers(void **state)
{
	static const struct {
		const char *rule, *request, *reply;
		uid_t uid;
	} rows[] = {
		{"status for everybody who is let in", "{\"method\":\"" M "GetStatus\"}",
		 "{\"parameters\":{\"enforcement\":\"enforcing\"}}", NOBODY},
		{"null for no parameters", "{\"method\":\"" M "GetStatus\",\"parameters\":null}",
		 "{\"parameters\":{\"enforcement\":\"enforcing\"}}", NOBODY},
		{"\"more\" of what has no more", "{\"method\":\"" M "ListVMs\",\"more\":true}",
		 "{\"parameters\":{\"vms\":[]}}", NOBODY},
		{"unknown method", "{\"method\":\"" M "Explode\"}",
		 "{\"error\":\"" S "MethodNotFound\",\"parameters\":{\"method\":\"" M "Explode\"}}",
		 0},
		{"unknown interface", "{\"method\":\"com.example.X.Do\"}",
		 "{\"error\":\"" S
		 "InterfaceNotFound\",\"parameters\":{\"interface\":\"com.example.X\"}}",
		 0},
		{"a method without an interface", "{\"method\":\"Do\"}",
		 "{\"error\":\"" S "InterfaceNotFound\",\"parameters\":{\"interface\":\"Do\"}}", 0},
		{"description of an unknown interface",
		 "{\"method\":\"" S
		 "GetInterfaceDescription\",\"parameters\":{\"interface\":\"x.y\"}}",
		 "{\"error\":\"" S "InterfaceNotFound\",\"parameters\":{\"interface\":\"x.y\"}}",
		 0},
		{"missing parameter", "{\"method\":\"" S "GetInterfaceDescription\"}",
		 "{\"error\":\"" S
		 "InvalidParameter\",\"parameters\":{\"parameter\":\"interface\"}}",
		 0},
		{"unknown parameter", "{\"method\":\"" M "GetStatus\",\"parameters\":{\"x\":1}}",
		 "{\"error\":\"" S "InvalidParameter\",\"parameters\":{\"parameter\":\"x\"}}", 0},
		{"negative count",
		 "{\"method\":\"" M "FollowEvents\",\"more\":true,\"parameters\":{\"recent\":-1}}",
		 "{\"error\":\"" S "InvalidParameter\",\"parameters\":{\"parameter\":\"recent\"}}",
		 0},
		{"wrong type",
		 "{\"method\":\"" M "FollowEvents\",\"more\":true,\"parameters\":{\"follow\":1}}",
		 "{\"error\":\"" S "InvalidParameter\",\"parameters\":{\"parameter\":\"follow\"}}",
		 0},
		{"a stream without \"more\"", "{\"method\":\"" M "FollowEvents\"}",
		 "{\"error\":\"" S "ExpectedMore\",\"parameters\":{}}", 0},
		{"no upgrades", "{\"method\":\"" M "GetStatus\",\"upgrade\":true}",
		 "{\"error\":\"" S "MethodNotImplemented\",\"parameters\":{\"method\":\"" M
		 "GetStatus\"}}",
		 0},
		{"reload is for root", "{\"method\":\"" M "Reload\"}",
		 "{\"error\":\"" S "PermissionDenied\",\"parameters\":{}}", NOBODY},
		{"unload is for root", "{\"method\":\"" M "Unload\"}",
		 "{\"error\":\"" S "PermissionDenied\",\"parameters\":{}}", 1},
		{"root may unload", "{\"method\":\"" M "Unload\"}", "{\"parameters\":{}}", 0},
		{"a failure has a sentence", "{\"method\":\"" M "Reload\"}",
		 "{\"error\":\"" M
		 "Failed\",\"parameters\":{\"message\":\"50-a.yaml:3:1: unknown key "
		 "'polcy'\",\"errno\":\"EINVAL\"}}",
		 0},
	};
	struct fixture f;
	size_t i;

	(void)state;
	fixture_start(&f);
	for (i = 0; i < KW_ARRAY_SIZE(rows); i++) {
		print_message("# %s\n", rows[i].rule);
		ask(&f, rows[i].uid, rows[i].request, rows[i].reply);
	}
	assert_int_equal(f.unloads, 1);
	fixture_end(&f);
}

/* What root asks for at run time: who may, what is refused, and that a failure is told why. */
static void test_changes_at_run_time(void **state)
{
#define CALL(method, parameters) "{\"method\":\"" M method "\",\"parameters\":{" parameters "}}"
#define INVALID(name) \
	"{\"error\":\"" S "InvalidParameter\",\"parameters\":{\"parameter\":\"" name "\"}}"
#define FAILED(message, error)                                              \
	"{\"error\":\"" M "Failed\",\"parameters\":{\"message\":\"" message \
	"\",\"errno\":\"" error "\"}}"
#define ALLOW(seconds, reason)                                                 \
	CALL("Allow", "\"vm\":3,\"operation\":\"@debug\",\"seconds\":" seconds \
		      ",\"reason\":\"" reason "\"")
	static const struct {
		const char *request, *reply;
		uid_t uid;
	} rows[] = {
		{CALL("SetPolicyMode", "\"policy\":\"p\",\"mode\":\"audit\""),
		 "{\"parameters\":{\"policy\":\"p\",\"mode\":0,\"uid\":0}}", 0},
		{CALL("SetPolicyMode", "\"policy\":\"p\",\"mode\":\"file\""),
		 "{\"parameters\":{\"policy\":\"p\",\"mode\":-1,\"uid\":0}}", 0},
		{CALL("SetPolicyMode", "\"policy\":\"nobody\",\"mode\":\"audit\""),
		 FAILED("there is no policy 'nobody' in force", "ENOENT"), 0},
		{CALL("SetPolicyMode", "\"policy\":\"p\",\"mode\":\"loud\""), INVALID("mode"), 0},
		{CALL("SetPolicyMode", "\"mode\":\"audit\""), INVALID("policy"), 0},
		{CALL("SetPolicyMode", "\"policy\":\"p\",\"mode\":\"audit\""),
		 "{\"error\":\"" S "PermissionDenied\",\"parameters\":{}}", NOBODY},
		{ALLOW("60", "why"),
		 "{\"parameters\":{\"vm\":3,\"operation\":\"@debug\",\"seconds\":60,"
		 "\"reason\":\"why\"}}",
		 0},
		{ALLOW("86401", "why"), INVALID("seconds"), 0},
		{ALLOW("0", "why"), INVALID("seconds"), 0},
		{ALLOW("1e9", "why"), INVALID("seconds"), 0},
		{ALLOW("60", ""), INVALID("reason"), 0},
		{CALL("Allow", "\"vm\":-1"), INVALID("vm"), 0},
		{CALL("Allow", "\"vm\":1"), INVALID("operation"), 0},
		{ALLOW("60", "why"), "{\"error\":\"" S "PermissionDenied\",\"parameters\":{}}",
		 NOBODY},
		{CALL("EndException", "\"exception\":7"),
		 FAILED("there is no exception 7", "ENOENT"), 0},
		{CALL("EndException", "\"exception\":8"),
		 FAILED("No such file or directory", "ENOENT"), 0},
		{CALL("EndException", "\"exception\":0"), INVALID("exception"), 0},
	};
	struct fixture f;
	size_t i;

	(void)state;
	fixture_start(&f);
	for (i = 0; i < KW_ARRAY_SIZE(rows); i++) {
		print_message("# %s\n", rows[i].request);
		ask(&f, rows[i].uid, rows[i].request, rows[i].reply);
	}
	fixture_end(&f);
#undef CALL
#undef INVALID
#undef FAILED
#undef ALLOW
}

static void test_garbage_ends_the_conversation(void **state)
{
	static const struct {
		const char *rule, *text;
	} rows[] = {
		{"no JSON", "hello"},
		{"nothing at all", ""},
		{"cut off", "{\"method\":\"" M "GetStatus\""},
		{"something after it", "{\"method\":\"" M "GetStatus\"} x"},
		{"not an object", "[]"},
		{"no method", "{}"},
		{"method is no string", "{\"method\":1}"},
		{"a name twice", "{\"method\":\"" M "GetStatus\",\"method\":\"" M "Unload\"}"},
		{"unknown member", "{\"method\":\"" M "GetStatus\",\"mroe\":true}"},
		{"\"more\" is no boolean", "{\"method\":\"" M "GetStatus\",\"more\":1}"},
		{"parameters are no object", "{\"method\":\"" M "GetStatus\",\"parameters\":[]}"},
		{"not UTF-8", "{\"method\":\"\xff\"}"},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n"},
	};
	struct fixture f;
	struct peer p;
	size_t i;

	(void)state;
	fixture_start(&f);
	for (i = 0; i < KW_ARRAY_SIZE(rows); i++) {
		print_message("# %s\n", rows[i].rule);
		assert_int_equal(peer_open(&p, &f, 0), 0);
		say(&p, rows[i].text);
		hear_the_end(&p);
		peer_close(&p);
	}
	fixture_end(&f);
}

static void test_deep_nesting_is_refused(void **state)
{
	char deep[32 * 1024];
	struct fixture f;
	struct peer p;

	(void)state;
	fixture_start(&f);
	assert_int_equal(peer_open(&p, &f, 0), 0);
	memset(deep, '[', sizeof(deep));
	deep[sizeof(deep) - 1] = '\0';
	say(&p, deep);
	hear_the_end(&p);
	peer_close(&p);
	fixture_end(&f);
}

/* Sends a request of this many bytes, its NUL included, as the server takes it. */
static void say_sized(struct peer *p, size_t size)
{
	static const char request[] = "{\"method\":\"" M "GetStatus\"";
	char *text = malloc(size);
	size_t sent = 0;
	ssize_t n;

	assert_non_null(text);
	memset(text, ' ', size);
	memcpy(text, request, sizeof(request) - 1);
	text[size - 2] = '}';
	text[size - 1] = '\0';
	while (sent < size) {
		n = send(p->fd, text + sent, size - sent, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			break;
		if (n > 0)
			sent += n;
		pump(p->fixture);
	}
	free(text);
}

static void test_size_limit(void **state)
{
	struct fixture f;
	struct peer p;

	(void)state;
	fixture_start(&f);
	assert_int_equal(peer_open(&p, &f, 0), 0);
	say_sized(&p, KW_MANAGER_REQUEST_MAX);
	hear_text(&p, "{\"parameters\":{\"enforcement\":\"enforcing\"}}");
	say_sized(&p, KW_MANAGER_REQUEST_MAX + 1);
	hear_the_end(&p);
	peer_close(&p);
	fixture_end(&f);
}

static void test_requests_come_in_any_pieces(void **state)
{
	static const char two[] = "{\"method\":\"" M "GetStatus\"}\0{\"method\":\"" M "ListVMs\"}";
	struct fixture f;
	struct peer p;
	size_t i;

	(void)state;
	fixture_start(&f);
	assert_int_equal(peer_open(&p, &f, 0), 0);
	say_bytes(&p, two, sizeof(two)); /* both at once */
	hear_text(&p, "{\"parameters\":{\"enforcement\":\"enforcing\"}}");
	hear_text(&p, "{\"parameters\":{\"vms\":[]}}");
	for (i = 0; i < sizeof(two); i++) { /* byte by byte */
		say_bytes(&p, two + i, 1);
		pump(&f);
	}
	hear_text(&p, "{\"parameters\":{\"enforcement\":\"enforcing\"}}");
	hear_text(&p, "{\"parameters\":{\"vms\":[]}}");
	hear_nothing(&p);
	peer_close(&p);
	fixture_end(&f);
}

static void test_oneway_is_done_in_silence(void **state)
{
	struct fixture f;
	struct peer p;

	(void)state;
	fixture_start(&f);
	assert_int_equal(peer_open(&p, &f, 0), 0);
	say(&p, "{\"method\":\"" M "Unload\",\"oneway\":true}");
	say(&p, "{\"method\":\"" M "FollowEvents\",\"oneway\":true,\"more\":true,"
		"\"parameters\":{\"follow\":true}}");
	hear_nothing(&p);
	assert_int_equal(f.unloads, 1);
	kw_manager_event(f.manager, "{}", 2);
	hear_nothing(&p);
	say(&p, "{\"method\":\"" M "GetStatus\"}");
	hear_text(&p, "{\"parameters\":{\"enforcement\":\"enforcing\"}}");
	peer_close(&p);
	fixture_end(&f);
}

static void test_a_half_closed_socket_gets_its_answers(void **state)
{
	struct fixture f;
	struct peer p;

	(void)state;
	fixture_start(&f);
	assert_int_equal(peer_open(&p, &f, 0), 0);
	say(&p, "{\"method\":\"" M "GetStatus\"}");
	say(&p, "{\"method\":\"" M "ListVMs\"}");
	say_bytes(&p, "{\"met", 5); /* and one that never ends */
	shutdown(p.fd, SHUT_WR);
	hear_text(&p, "{\"parameters\":{\"enforcement\":\"enforcing\"}}");
	hear_text(&p, "{\"parameters\":{\"vms\":[]}}");
	hear_the_end(&p);
	peer_close(&p);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_service_describes_itself),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_changes_at_run_time),
		cmocka_unit_test(test_garbage_ends_the_conversation),
		cmocka_unit_test(test_deep_nesting_is_refused),
		cmocka_unit_test(test_size_limit),
		cmocka_unit_test(test_requests_come_in_any_pieces),
		cmocka_unit_test(test_oneway_is_done_in_silence),
		cmocka_unit_test(test_a_half_closed_socket_gets_its_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
