/* SPDX-License-Identifier: GPL-2.0-only */
/* The manager's clients as they come and go, its events and its socket. */
#include "varlink-peer.h"

#include <sys/stat.h>
#include <sys/un.h>

static void test_who_hangs_up_is_forgotten(void **state)
{
	struct kw_manager_stats stats;
	struct fixture f;
	struct peer p[4];

	(void)state;
	fixture_start(&f);
	f.vm_bytes = 8 * 1024 * 1024;
	assert_int_equal(peer_open(&p[0], &f, 0), 0);
	assert_int_equal(peer_open(&p[1], &f, 0), 0);
	assert_int_equal(peer_open(&p[2], &f, 0), 0);
	assert_int_equal(peer_open(&p[3], &f, 0), 0);
	say_bytes(&p[0], "{\"met", 5); /* half-way through a request */
	say(&p[1], "{\"method\":\"" M "ListVMs\"}"); /* with a reply half sent */
	pump(&f);
	say(&p[2], "{\"method\":\"" M "FollowEvents\",\"more\":true,"
		   "\"parameters\":{\"follow\":true}}");
	pump(&f);
	say(&p[3], "{\"method\":\"" M "GetStatus\"}"); /* before the request is read */
	close(p[3].fd);
	p[3].fd = -1;
	pump(&f);
	kw_manager_stats(f.manager, &stats);
	assert_int_equal(stats.clients, 3);
	peer_close(&p[0]);
	peer_close(&p[1]);
	peer_close(&p[2]);
	kw_manager_stats(f.manager, &stats);
	assert_int_equal(stats.clients, 0);
	kw_manager_event(f.manager, "{}", 2);
	fixture_end(&f);
}

static void test_too_many_clients(void **state)
{
	struct peer p[KW_MANAGER_CLIENTS_MAX], late;
	struct kw_manager_stats stats;
	struct fixture f;
	size_t i;

	(void)state;
	fixture_start(&f);
	for (i = 0; i < KW_ARRAY_SIZE(p); i++)
		assert_int_equal(peer_open(&p[i], &f, 0), 0);
	assert_int_equal(peer_open(&late, &f, 0), -EBUSY);
	hear_the_end(&late);
	peer_close(&late);
	kw_manager_stats(f.manager, &stats);
	assert_int_equal(stats.refused, 1);
	peer_close(&p[5]);
	assert_int_equal(peer_open(&p[5], &f, 0), 0); /* its place is free again */
	say(&p[5], "{\"method\":\"" M "GetStatus\"}");
	hear_text(&p[5], "{\"parameters\":{\"enforcement\":\"enforcing\"}}");
	for (i = 0; i < KW_ARRAY_SIZE(p); i++)
		peer_close(&p[i]);
	fixture_end(&f);
}

static void send_events(struct fixture *f, unsigned int from, unsigned int to)
{
	char json[64];

	for (; from < to; from++)
		kw_manager_event(f->manager, json,
				 snprintf(json, sizeof(json), "{\"seq\":%u}", from));
}

static void hear_event(struct peer *p, unsigned int seq)
{
	char expected[96];

	snprintf(expected, sizeof(expected),
		 "{\"parameters\":{\"event\":{\"seq\":%u}},\"continues\":true}", seq);
	hear_text(p, expected);
}

static void test_recent_events(void **state)
{
	struct fixture f;
	struct peer p;
	unsigned int i;

	(void)state;
	fixture_start(&f);
	assert_int_equal(peer_open(&p, &f, NOBODY), 0);
	say(&p, "{\"method\":\"" M "FollowEvents\",\"more\":true}");
	hear_text(&p, "{\"parameters\":{}}"); /* none yet */

	send_events(&f, 0, 3);
	say(&p, "{\"method\":\"" M "FollowEvents\",\"more\":true}");
	for (i = 0; i < 3; i++)
		hear_event(&p, i);
	hear_text(&p, "{\"parameters\":{}}");

	say(&p, "{\"method\":\"" M "FollowEvents\",\"more\":true,\"parameters\":"
		"{\"recent\":1,\"follow\":null}}");
	hear_event(&p, 2);
	hear_text(&p, "{\"parameters\":{}}");

	send_events(&f, 3, KW_MANAGER_RECENT_MAX + 10);
	say(&p, "{\"method\":\"" M "FollowEvents\",\"more\":true}");
	for (i = 10; i < KW_MANAGER_RECENT_MAX + 10; i++)
		hear_event(&p, i);
	hear_text(&p, "{\"parameters\":{}}");
	hear_nothing(&p);
	peer_close(&p);
	fixture_end(&f);
}

static void test_following(void **state)
{
	struct peer p, root;
	struct fixture f;
	unsigned int i;

	(void)state;
	fixture_start(&f);
	send_events(&f, 0, 5);
	assert_int_equal(peer_open(&p, &f, NOBODY), 0);
	say(&p, "{\"method\":\"" M "FollowEvents\",\"more\":true,\"parameters\":"
		"{\"recent\":2,\"follow\":true}}");
	hear_event(&p, 3);
	hear_event(&p, 4);
	hear_text(&p, "{\"parameters\":{},\"continues\":true}");
	hear_nothing(&p);
	send_events(&f, 5, 105);
	for (i = 5; i < 105; i++)
		hear_event(&p, i);
	hear_nothing(&p);

	/* An event that an operation causes, while another client waits for its reply. */
	assert_int_equal(peer_open(&root, &f, 0), 0);
	say(&root, "{\"method\":\"" M "Reload\"}");
	json_decref(hear(&root));
	hear_text(&p, "{\"parameters\":{\"event\":{\"event\":\"policy-refused\"}},"
		      "\"continues\":true}");
	peer_close(&root);
	peer_close(&p);
	fixture_end(&f);
}

static void test_the_last_events_go_out_at_the_end(void **state)
{
	struct fixture f;
	struct peer p;

	(void)state;
	fixture_start(&f);
	assert_int_equal(peer_open(&p, &f, NOBODY), 0);
	say(&p,
	    "{\"method\":\"" M "FollowEvents\",\"more\":true,\"parameters\":{\"follow\":true}}");
	hear_text(&p, "{\"parameters\":{},\"continues\":true}");
	send_events(&f, 0, 1);
	f.manager = kw_manager_free(f.manager);
	hear_event(&p, 0);
	hear_the_end(&p);
	peer_close(&p);
	fixture_end(&f);
}

/* Reads until nothing is left; what was read and what was said to be lost, in order. */
static void drain(struct peer *p, unsigned int *next, unsigned int *lost)
{
	int error = 0;
	json_t *root;

	while ((root = hear_or(p, &error))) {
		json_t *event = json_object_get(json_object_get(root, "parameters"), "event");
		json_t *seq = json_object_get(event, "seq");

		if (seq) {
			assert_int_equal(json_integer_value(seq), *next);
			(*next)++;
		} else {
			assert_string_equal(json_string_value(json_object_get(event, "event")),
					    "lost");
			*lost += json_integer_value(json_object_get(event, "count"));
			*next += json_integer_value(json_object_get(event, "count"));
		}
		json_decref(root);
	}
	assert_int_equal(error, -EAGAIN);
}

static void test_a_slow_follower_loses_and_knows(void **state)
{
	const unsigned int flood = 200000;
	unsigned int next = 0, lost = 0, quick_next = 0, quick_lost = 0, i;
	struct kw_manager_stats stats;
	struct peer slow, quick;
	struct fixture f;

	(void)state;
	fixture_start(&f);
	assert_int_equal(peer_open(&slow, &f, NOBODY), 0);
	assert_int_equal(peer_open(&quick, &f, NOBODY), 0);
	say(&slow,
	    "{\"method\":\"" M "FollowEvents\",\"more\":true,\"parameters\":{\"follow\":true}}");
	hear_text(&slow, "{\"parameters\":{},\"continues\":true}");
	say(&quick,
	    "{\"method\":\"" M "FollowEvents\",\"more\":true,\"parameters\":{\"follow\":true}}");
	hear_text(&quick, "{\"parameters\":{},\"continues\":true}");

	for (i = 0; i < flood; i += 1000) {
		send_events(&f, i, i + 1000);
		drain(&quick, &quick_next, &quick_lost);
	}
	kw_manager_stats(f.manager, &stats);
	assert_true(stats.lost > 0);
	assert_int_equal(quick_next, flood); /* the slow one does not hold it up */
	assert_int_equal(quick_lost, 0);

	drain(&slow, &next, &lost);
	assert_int_equal(next, flood); /* each event came, or was counted, in order */
	assert_int_equal(lost, stats.lost);

	send_events(&f, flood, flood + 10); /* and it goes on */
	drain(&slow, &next, &lost);
	assert_int_equal(next, flood + 10);
	assert_int_equal(lost, stats.lost);
	peer_close(&slow);
	peer_close(&quick);
	fixture_end(&f);
}

/* Nothing further is read from a client that does not take its reply. */
static void test_a_client_that_does_not_read(void **state)
{
	static const char request[] = "{\"method\":\"" M "ListVMs\"}";
	unsigned int i, queued;
	struct fixture f;
	struct peer p;

	(void)state;
	fixture_start(&f);
	f.vm_bytes = 4 * 1024 * 1024;
	assert_int_equal(peer_open(&p, &f, 0), 0);
	for (queued = 0; queued < 100000; queued++) {
		if (send(p.fd, request, sizeof(request), MSG_NOSIGNAL) < 0)
			break;
		pump(&f);
	}
	assert_true(queued < 100000); /* the socket is full: we do not take them */
	for (i = 0; i < 2; i++) {
		json_t *root = hear(&p);

		assert_int_equal(json_array_size(json_object_get(
					 json_object_get(root, "parameters"), "vms")),
				 f.vm_bytes / 2);
		json_decref(root);
	}
	peer_close(&p);
	fixture_end(&f);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

static void test_the_socket(void **state)
{
	char base[] = "/tmp/kw-test-XXXXXX", directory[64], path[96], denied[96];
	struct kw_manager *second = NULL;
	struct fixture f = {};
	struct peer p = {.fixture = &f, .in.max = 65536};
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(base));
	snprintf(directory, sizeof(directory), "%s/run", base);
	snprintf(path, sizeof(path), "%s/io.kvmwarden.Manager", directory);
	assert_true(sd_event_new(&f.loop) >= 0);
	assert_int_equal(kw_manager_new(f.loop, path, &ops, &f, &f.manager), 0);
	assert_int_equal(stat(directory, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0660);

	/* Our own credentials, by SO_PEERCRED. */
	p.fd = connect_to(path);
	assert_true(p.fd >= 0);
	say(&p, "{\"method\":\"" M "Unload\"}");
	snprintf(denied, sizeof(denied), "{\"error\":\"%sPermissionDenied\",\"parameters\":{}}", S);
	hear_text(&p, getuid() == 0 ? "{\"parameters\":{}}" : denied);
	peer_close(&p);

	/* A second daemon does not take it away from a living one. */
	assert_int_equal(kw_manager_new(f.loop, path, &ops, &f, &second), -EADDRINUSE);
	assert_null(second);

	f.manager = kw_manager_free(f.manager);
	assert_int_equal(stat(path, &st), -1);

	/* Whoever replaces it keeps it. */
	assert_int_equal(kw_manager_new(f.loop, path, &ops, &f, &f.manager), 0);
	unlink(path);
	assert_int_equal(symlink("/nonexistent", path), 0);
	f.manager = kw_manager_free(f.manager);
	assert_int_equal(lstat(path, &st), 0);
	unlink(path);

	rmdir(directory);
	rmdir(base);
	fixture_end(&f);
}

static void test_a_stale_socket_is_replaced(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char base[] = "/tmp/kw-test-XXXXXX";
	struct fixture f = {};
	int fd;

	(void)state;
	assert_non_null(mkdtemp(base));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", base);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(connect_to(address.sun_path), -ECONNREFUSED);

	assert_true(sd_event_new(&f.loop) >= 0);
	assert_int_equal(kw_manager_new(f.loop, address.sun_path, &ops, &f, &f.manager), 0);
	fd = connect_to(address.sun_path);
	assert_true(fd >= 0);
	close(fd);
	fixture_end(&f);
	assert_int_equal(rmdir(base), 0); /* the socket is gone, and so is its other name */
}

static void test_a_path_that_is_too_long(void **state)
{
	struct fixture f = {};
	char path[200];

	(void)state;
	memset(path, 'x', sizeof(path));
	memcpy(path, "/tmp/", 5);
	path[sizeof(path) - 1] = '\0';
	assert_true(sd_event_new(&f.loop) >= 0);
	assert_int_equal(kw_manager_new(f.loop, path, &ops, &f, &f.manager), -ENAMETOOLONG);
	assert_null(f.manager);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_hangs_up_is_forgotten),
		cmocka_unit_test(test_too_many_clients),
		cmocka_unit_test(test_recent_events),
		cmocka_unit_test(test_following),
		cmocka_unit_test(test_the_last_events_go_out_at_the_end),
		cmocka_unit_test(test_a_slow_follower_loses_and_knows),
		cmocka_unit_test(test_a_client_that_does_not_read),
		cmocka_unit_test(test_the_socket),
		cmocka_unit_test(test_a_stale_socket_is_replaced),
		cmocka_unit_test(test_a_path_that_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
