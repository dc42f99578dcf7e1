/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden run": starts a VMM under a seccomp filter whose questions the daemon answers. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include "cli.h"
#include "filter.h"
#include "keeper.h"
#include "listen.h"
#include "policy.h"
#include "shortfall.h"
#include "supervisor.h"
#include "usage.h"
#include "util.h"

#define KEEP_SECONDS 30
#define SECONDS_MAX (24 * 60 * 60)
#define EXIT_CANNOT_EXEC 126 /* as of env(1) and the shells */
#define EXIT_NOT_FOUND 127

struct request {
	const char *socket; /* the launch socket */
	char *set; /* directory, absolute, or NULL: the policies in force */
	uint32_t wait; /* seconds, for the daemon to come up */
	uint32_t keep; /* seconds, for the next daemon */
	bool alone;
	char **command;
};

static int complain(int status, const char *format, const char *what, const char *why)
{
	fprintf(stderr, "kvmwarden run: ");
	fprintf(stderr, format, what, why);
	fprintf(stderr, "; nothing was started\n");
	return status;
}

static int parse_seconds(const char *name, const char *text, uint32_t *ret)
{
	if (kw_parse_u32(text, SECONDS_MAX, ret) == 0)
		return KW_EXIT_OK;
	fprintf(stderr, "kvmwarden run: --%s wants seconds, 0 to %d, not '%s'\n", name, SECONDS_MAX,
		text);
	return KW_EXIT_USAGE;
}

static int parse(int argc, char **argv, struct request *ret)
{
	struct kw_getopt getopt;
	int c, status = KW_EXIT_OK;

	/* "+": what follows the first word is the VMM's. */
	kw_usage_getopt("run", "+", &getopt);
	while (status == KW_EXIT_OK &&
	       (c = getopt_long(argc, argv, getopt.letters, getopt.options, NULL)) != -1) {
		switch (c) {
		case 'p':
			free(ret->set);
			ret->set = realpath(optarg, NULL);
			if (!ret->set)
				return complain(KW_EXIT_FINDING, "cannot use '%s': %s", optarg,
						strerror(errno));
			break;
		case 'w':
			status = parse_seconds("wait", optarg, &ret->wait);
			break;
		case 'k':
			status = parse_seconds("keep", optarg, &ret->keep);
			break;
		case 'u':
			ret->alone = true;
			break;
		default:
			status = KW_EXIT_USAGE;
			break;
		}
	}
	ret->command = argv + optind;
	/* Options of ours are taken out wherever they stand, but for those behind "--". */
	if (status == KW_EXIT_OK && (optind >= argc || !kw_streq(argv[optind - 1], "--"))) {
		fprintf(stderr, "kvmwarden run: which VMM? 'kvmwarden run -- VMM ARGUMENT...'\n");
		return KW_EXIT_USAGE;
	}
	return status;
}

/* Becomes the VMM. */
static int become(char **command)
{
	int error;

	execvp(command[0], command);
	error = errno;
	fprintf(stderr, "kvmwarden run: cannot execute '%s': %s\n", command[0], strerror(error));
	return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXEC;
}

static int connect_to_daemon(const struct request *q, int *ret)
{
	const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
	uint64_t until = kw_clock_ns(CLOCK_MONOTONIC) + q->wait * 1000000000ull;
	int r;

	for (;;) {
		r = kw_connect(q->socket, SOCK_SEQPACKET, ret);
		if (r != -ENOENT && r != -ECONNREFUSED)
			break;
		if (kw_clock_ns(CLOCK_MONOTONIC) >= until)
			break;
		nanosleep(&pause, NULL);
	}
	if (r == -EACCES || r == -EPERM)
		return complain(KW_EXIT_NOPERM, "no permission for '%s'%s", q->socket,
				": root and the group kvm may be supervised");
	if (r < 0)
		return complain(KW_EXIT_UNAVAILABLE, "cannot connect to the daemon at '%s': %s",
				q->socket, strerror(-r));
	return KW_EXIT_OK;
}

/* What the daemon said instead of what was asked for. */
static int complain_of_reply(const json_t *reply)
{
	const char *why = json_string_value(json_object_get(reply, "error"));
	const json_t *status = json_object_get(reply, "status");

	return complain(json_is_integer(status) ? (int)json_integer_value(status)
						: KW_EXIT_UNAVAILABLE,
			"the daemon %s: %s", "refuses", why ?: "it gave no answer");
}

/* Asks what the filter has to look like. > 0: it is not needed here. */
static int ask_for_plan(const struct request *q, int fd, struct kw_plan *ret, bool *ret_needless)
{
	char *name = strrchr(q->command[0], '/');
	json_t *request = json_pack("{s:s, s:s?, s:s?}", "method", "Plan", "policySet", q->set,
				    "name", name ? name + 1 : q->command[0]);
	_cleanup_free_ char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	_cleanup_free_ char *why = NULL;
	json_t *reply = NULL;
	int r, given = -1, status = KW_EXIT_OK;

	json_decref(request);
	if (!text)
		return complain(KW_EXIT_OS, "%s%s", "out of memory, or no UTF-8 in its name", "");
	r = kw_message_send(fd, text, NULL);
	if (r == 0)
		r = kw_message_receive(fd, &reply, &given);
	if (given >= 0)
		close(given);
	if (r < 0)
		return complain(KW_EXIT_UNAVAILABLE, "the daemon %s: %s", "is gone", strerror(-r));
	if (json_is_string(json_object_get(reply, "enforcedBy")))
		*ret_needless = true;
	else if (!json_is_array(json_object_get(reply, "plan")))
		status = complain_of_reply(reply);
	else if (kw_plan_parse(json_object_get(reply, "plan"), ret, &why) < 0)
		status = complain(KW_EXIT_OS, "the daemon's plan cannot be read%s%s", ": ",
				  why ?: "out of memory");
	json_decref(reply);
	return status;
}

static int load_filter(const struct kw_plan *plan, int *ret_listener)
{
	_cleanup_free_ char *why = NULL;
	struct sock_fprog program = {};
	int r;

	r = kw_filter_make(plan, &program, &why);
	if (r < 0)
		return complain(KW_EXIT_OS, "no filter can be made: %s%s", why ?: strerror(-r), "");
	r = kw_filter_load(&program, ret_listener);
	free(program.filter);
	if (r < 0)
		return complain(KW_EXIT_UNAVAILABLE, "the kernel refuses the filter: %s%s",
				strerror(-r),
				r == -EBUSY ? ": it is under a filter with a listener already, and "
					      "the kernel allows one"
					    : "");
	return KW_EXIT_OK;
}

static int run_supervised(const struct request *q)
{
	struct kw_keeper keeper;
	_cleanup_free_ char *why = NULL;
	struct kw_plan plan = {};
	bool needless = false;
	int fd, r, listener = -1, status;

	status = connect_to_daemon(q, &fd);
	if (status != KW_EXIT_OK)
		return status;
	status = ask_for_plan(q, fd, &plan, &needless);
	if (status != KW_EXIT_OK || needless) {
		close(fd);
		return status != KW_EXIT_OK ? status : become(q->command);
	}
	r = kw_keeper_start(fd, q->socket, q->keep, &keeper);
	if (r < 0)
		return complain(KW_EXIT_OS, "cannot start its keeper: %s%s", strerror(-r), "");
	status = load_filter(&plan, &listener);
	kw_plan_done(&plan);
	if (status == KW_EXIT_OK && kw_keeper_supervise(&keeper, listener, &status, &why) < 0)
		complain(status, "the VMM would not be supervised: %s%s", why ?: "out of memory",
			 "");
	/* With it the VMM could answer itself. */
	if (listener >= 0)
		close(listener);
	kw_keeper_done(&keeper);
	return status != KW_EXIT_OK ? status : become(q->command);
}

/* Without a daemon: what does not depend on anything but the ioctl. */
static int run_alone(const struct kw_cli *cli, const struct request *q)
{
	const char *own[] = {q->set, NULL};
	struct kw_cli mine = {.policy_dirs = q->set ? own : cli->policy_dirs};
	struct kw_plan plan = {};
	int status;

	status = kw_plan_load_alone(&mine, &plan);
	if (status != KW_EXIT_OK)
		return status;
	status = load_filter(&plan, NULL);
	kw_plan_done(&plan);
	return status != KW_EXIT_OK ? status : become(q->command);
}

/* The launch socket lies beside the manager's. */
static char *launch_socket(const char *manager)
{
	const char *slash = strrchr(manager, '/');
	char *path = NULL;

	if (asprintf(&path, "%.*s%s", slash ? (int)(slash - manager) + 1 : 0, manager,
		     KW_LAUNCH_SOCKET) < 0)
		return NULL;
	return path;
}

int kw_cmd_run(const struct kw_cli *cli, int argc, char **argv)
{
	_cleanup_free_ char *socket = launch_socket(cli->socket);
	struct request q = {.socket = socket, .keep = KEEP_SECONDS};
	int status;

	if (!socket)
		return complain(KW_EXIT_OS, "%s%s", "out of memory", "");
	status = parse(argc, argv, &q);
	if (status == KW_EXIT_OK)
		status = q.alone ? run_alone(cli, &q) : run_supervised(&q);
	free(q.set);
	return status;
}
