/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden status": what is enforced, by which backend, since when, and how it was proved. */
#define _GNU_SOURCE 1
#include <inttypes.h>
#include <time.h>

#include "backend.h"
#include "cli.h"
#include "client.h"
#include "cmd-status.h"
#include "names.h"
#include "render.h"
#include "stamp.h"
#include "text.h"
#include "usage.h"
#include "util.h"

#define POLL_NS 50000000
#define WAIT_SECONDS_MAX 86400

KW_DEFINE_CLEANUP(json_t, json_decref)

static bool is_enforcing(json_t *status)
{
	return kw_enforces(kw_text_member(status, "enforcement"));
}

static bool is_auditing(json_t *status)
{
	return kw_streq(kw_text_member(status, "enforcement"), "auditing");
}

#define PROOF_MAX 128

static void describe_proof(json_t *status, char ret[PROOF_MAX])
{
	json_t *proof = json_object_get(status, "proof");
	json_t *compat = json_object_get(proof, "compat");
	bool native = json_is_true(json_object_get(proof, "native"));
	char time[KW_TEXT_TIME_MAX];

	kw_text_time(kw_text_member(proof, "time"), false, time);
	if (!*time)
		snprintf(ret, PROOF_MAX, "not proved yet");
	else if (native && json_is_null(compat))
		snprintf(ret, PROOF_MAX,
			 "proved %s by the native entry (the kernel has no 32-bit one)", time);
	else if (native && json_is_true(compat))
		snprintf(ret, PROOF_MAX, "proved %s by native and 32-bit entry", time);
	else
		snprintf(ret, PROOF_MAX, "NOT proved %s: by %s", time,
			 native			? "the native entry only"
			 : json_is_true(compat) ? "the 32-bit entry only"
						: "no entry");
}

/* "enforcing: lsm backend, 3 policies, proved ..." or "auditing: why". */
static void print_verdict(json_t *status)
{
	size_t policies = json_array_size(json_object_get(status, "policies"));
	const char *reason = kw_text_member(status, "reason");
	char proof[PROOF_MAX];

	kw_text_safe(stdout, kw_text_member(status, "enforcement"));
	if (*reason) {
		printf(": ");
		kw_text_safe(stdout, reason);
		printf("\n\n");
		return;
	}
	printf(": ");
	kw_text_safe(stdout, *kw_text_member(status, "plain") ? kw_means_name(KW_MEANS_TYPES)
							      : kw_text_member(status, "backend"));
	printf(" backend, ");
	if (policies == 0)
		printf("no policies, so nothing is refused");
	else
		printf("%zu %s", policies, policies == 1 ? "policy" : "policies");
	describe_proof(status, proof);
	printf(", %s\n\n", proof);
}

/* Nothing where there is none. */
static void add_seal(struct kw_text_table *table, json_t *status)
{
	json_t *hook;
	size_t i;

	if (!json_is_true(json_object_get(status, "sealed")))
		return;
	kw_text_table_add(table, "sealed");
	kw_text_table_add(table, "only who has the token reaches our maps, pins and daemon");
	json_array_foreach (json_object_get(status, "unguarded"), i, hook) {
		kw_text_table_add(table, "");
		kw_text_table_addf(table, "but this kernel has no hook %s",
				   json_string_value(hook));
	}
}

static void add_backend(struct kw_text_table *table, json_t *status)
{
	bool refuses = json_is_true(json_object_get(status, "refuses"));
	bool pinned = json_is_true(json_object_get(status, "pinned"));
	const char *plain = kw_text_member(status, "plain");
	char proof[PROOF_MAX];

	describe_proof(status, proof);
	kw_text_table_add(table, "backend");
	if (kw_streq(kw_text_member(status, "backend"), kw_backend_name(KW_BACKEND_SECCOMP)))
		kw_text_table_addf(
			table, "%s, answers VMMs that 'kvmwarden run' starts; it takes a daemon",
			*plain ? kw_means_name(KW_MEANS_TYPES) : "seccomp");
	else
		kw_text_table_addf(table, "%s, %s; %s", kw_text_member(status, "backend"),
				   refuses ? "refuses ioctls"
					   : "cannot refuse, only report and kill",
				   pinned ? "pinned: it outlives the daemon"
					  : "not pinned: it ends with the daemon");
	if (*plain) {
		kw_text_table_add(table, "");
		kw_text_table_addf(table, "without BPF: %s", plain);
	}
	add_seal(table, status);
	kw_text_table_add(table, "proof");
	kw_text_table_add(table, proof);
}

/* The strings of an array, as far as there is room. */
static void join(json_t *array, char *ret, size_t size)
{
	size_t i, len = 0;
	json_t *item;

	json_array_foreach (array, i, item) {
		int n = snprintf(ret + len, size - len, "%s%s", i ? ", " : "",
				 json_string_value(item));

		if (n < 0 || (size_t)n >= size - len)
			return;
		len += (size_t)n;
	}
}

static void add_daemon(struct kw_text_table *table, json_t *status)
{
	char since[KW_TEXT_TIME_MAX];

	kw_text_time(kw_text_member(status, "since"), false, since);
	kw_text_table_add(table, "daemon");
	kw_text_table_addf(table, "kvmwardend %s, pid %" JSON_INTEGER_FORMAT ", since %s",
			   kw_text_member(status, "daemon_version"),
			   json_integer_value(json_object_get(status, "pid")), since);
	if (!json_is_true(json_object_get(status, "adopted")))
		return;
	kw_text_time(kw_text_member(status, "attached"), false, since);
	kw_text_table_add(table, "programs");
	kw_text_table_addf(table, "of an earlier daemon, in force since %s", since);
}

/* What the daemon gave up, and whatever it could not. */
static void add_confinement(struct kw_text_table *table, json_t *status)
{
	json_t *confinement = json_object_get(status, "confinement"), *item;
	char stages[128] = "", kept[128] = "";
	size_t i;

	if (!json_is_object(confinement))
		return;
	kw_text_table_add(table, "confined");
	if (!json_is_true(json_object_get(confinement, "active"))) {
		kw_text_table_add(table, "NO: --no-confine; it keeps all that root has");
		return;
	}
	join(json_object_get(confinement, "stages"), stages, sizeof(stages));
	join(json_object_get(confinement, "capabilities"), kept, sizeof(kept));
	kw_text_table_addf(table, "%s; %s%s", *stages ? stages : "in nothing",
			   *kept ? "it keeps " : "it has no capabilities", kept);
	json_array_foreach (json_object_get(confinement, "missing"), i, item) {
		kw_text_table_add(table, "");
		kw_text_table_addf(table, "NOT %s: %s", kw_text_member(item, "stage"),
				   kw_text_member(item, "reason"));
	}
}

static void add_policies(struct kw_text_table *table, json_t *status)
{
	json_t *policies = json_object_get(status, "policies");
	json_t *policy;
	size_t i;

	json_array_foreach (policies, i, policy) {
		json_int_t rules = json_integer_value(json_object_get(policy, "rules"));
		const char *mode = kw_text_member(policy, "mode");
		const char *file_mode = kw_text_member(policy, "file_mode");

		kw_text_table_add(table, i == 0 ? "policies" : "");
		kw_text_table_addf(table, "%s: %s%s%s%s, %" JSON_INTEGER_FORMAT " %s, %s",
				   kw_text_member(policy, "name"), mode,
				   kw_streq(mode, file_mode) ? "" : " (OVERRIDE; the file says ",
				   kw_streq(mode, file_mode) ? "" : file_mode,
				   kw_streq(mode, file_mode) ? "" : ")", rules,
				   rules == 1 ? "rule" : "rules", kw_text_member(policy, "file"));
	}
	if (*kw_text_member(status, "policy_error")) {
		kw_text_table_add(table, "refused");
		kw_text_table_addf(table, "the last change: %s",
				   kw_text_member(status, "policy_error"));
	}
}

static void add_exceptions(struct kw_text_table *table, json_t *status)
{
	char until[KW_TEXT_TIME_MAX];
	json_t *exception;
	size_t i;

	json_array_foreach (json_object_get(status, "exceptions"), i, exception) {
		kw_text_time(kw_text_member(exception, "until"), false, until);
		kw_text_table_add(table, i == 0 ? "exceptions" : "");
		kw_text_table_addf(table,
				   "%" JSON_INTEGER_FORMAT ": VM %" JSON_INTEGER_FORMAT
				   " may use %s until %s, used %" JSON_INTEGER_FORMAT " times: %s",
				   json_integer_value(json_object_get(exception, "exception")),
				   json_integer_value(json_object_get(exception, "vm")),
				   kw_text_member(exception, "operation"), until,
				   json_integer_value(json_object_get(exception, "uses")),
				   kw_text_member(exception, "reason"));
	}
}

/* Whether races with the hooks are seen; nothing where the backend could not do it anyway. */
static void add_after(struct kw_text_table *table, json_t *status)
{
	json_t *after = json_object_get(status, "after_the_fact"), *function;
	json_t *missing = json_object_get(after, "missing");
	size_t i;

	if (!json_is_true(json_object_get(after, "active"))) {
		kw_text_table_add(table, "races");
		kw_text_table_add(table, "not seen: this backend cannot look behind its hooks");
		return;
	}
	json_array_foreach (missing, i, function) {
		kw_text_table_add(table, i == 0 ? "races" : "");
		kw_text_table_addf(table, "not seen where %s is: this kernel does not let us look",
				   json_string_value(function));
	}
}

static void add_refusals(struct kw_text_table *table, json_t *status)
{
	json_t *refusal;
	size_t i;

	json_array_foreach (json_object_get(status, "refusals"), i, refusal) {
		kw_text_table_add(table, i == 0 ? "not in use" : "");
		kw_text_table_addf(table, "%s: %s", kw_text_member(refusal, "backend"),
				   kw_text_member(refusal, "reason"));
	}
}

static void add_supervision(struct kw_text_table *table, json_t *status)
{
	json_t *supervision = json_object_get(status, "supervision");
	json_int_t launches = json_integer_value(json_object_get(supervision, "launches"));
	json_int_t others = json_integer_value(json_object_get(supervision, "vms_unsupervised"));
	json_int_t failed = json_integer_value(json_object_get(supervision, "failed"));
	json_int_t outdated = json_integer_value(json_object_get(supervision, "outdated"));

	if (!json_is_object(supervision))
		return;
	kw_text_table_add(table, "launches");
	kw_text_table_addf(table,
			   "%" JSON_INTEGER_FORMAT " by 'kvmwarden run'; %" JSON_INTEGER_FORMAT
			   " ioctls asked about, %" JSON_INTEGER_FORMAT " refused",
			   launches, json_integer_value(json_object_get(supervision, "asked")),
			   json_integer_value(json_object_get(supervision, "refused")));
	if (outdated) {
		kw_text_table_add(table, "");
		kw_text_table_addf(table,
				   "%" JSON_INTEGER_FORMAT
				   " of them under a filter that is older than "
				   "what policies name now",
				   outdated);
	}
	if (failed) {
		kw_text_table_add(table, "");
		kw_text_table_addf(table,
				   "%" JSON_INTEGER_FORMAT
				   " refused because no decision was to be had",
				   failed);
	}
	if (others) {
		kw_text_table_add(table, "");
		kw_text_table_addf(table, "%" JSON_INTEGER_FORMAT " VMs are not supervised",
				   others);
	}
}

static int print_page(json_t *status)
{
	struct kw_text_table table = {.columns = 2};
	int r;

	print_verdict(status);
	add_backend(&table, status);
	add_daemon(&table, status);
	add_confinement(&table, status);
	add_policies(&table, status);
	add_exceptions(&table, status);
	add_supervision(&table, status);
	add_after(&table, status);
	kw_status_add_counts(&table, status);
	kw_status_add_sinks(&table, status);
	kw_status_add_cost(&table, status);
	kw_status_add_troubles(&table, status);
	add_refusals(&table, status);
	r = kw_text_table_print(&table, "  ", stdout);
	kw_text_table_done(&table);
	return r < 0 ? KW_EXIT_OS : KW_EXIT_OK;
}

/*
 * Asks until the daemon enforces, or says that it can only report, or time is
 * up. The last answer is what counts.
 */
static int ask(const struct kw_cli *cli, uint64_t wait_ns, json_t **ret)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	const uint64_t start = kw_clock_ns(CLOCK_MONOTONIC);

	while (kw_clock_ns(CLOCK_MONOTONIC) - start < wait_ns) {
		_cleanup_free_ char *sentence = NULL;
		json_t *status = NULL;
		int r;

		r = kw_client_ask(cli->socket, "GetStatus", NULL, &status, &sentence);
		if (r == 0 && (is_enforcing(status) || is_auditing(status))) {
			*ret = status;
			return KW_EXIT_OK;
		}
		json_decref(status);
		nanosleep(&pause, NULL);
	}
	return kw_client_ask_or_complain(cli, "GetStatus", NULL, ret);
}

/* No daemon: what the kernel itself says of the set that is pinned. Takes root. */
static void print_pinned(const struct kw_cli *cli)
{
	const char *backend;
	struct kw_pinned pinned;
	char since[KW_TEXT_TIME_MAX];
	time_t seconds;
	struct tm tm;

	if (kw_backend_read_pinned(&pinned) < 0)
		return;
	backend = kw_backend_name(pinned.mark.backend);
	if (cli->json) {
		_cleanup_(json_decref_cleanup) json_t *json = json_pack(
			"{s:n, s:s, s:s, s:i, s:I, s:I, s:I}", "daemon_version", "enforcement",
			"unattended", "backend", backend, "programs", (int)pinned.programs,
			"generation", (json_int_t)pinned.counters.generation, "events",
			(json_int_t)pinned.counters.seq, "events_lost",
			(json_int_t)kw_counters_lost(&pinned.counters));

		if (json && kw_stamp(json) == 0)
			kw_client_print_json(json);
		return;
	}
	seconds = (time_t)(pinned.mark.attached_ns / 1000000000);
	strftime(since, sizeof(since), "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &tm));
	printf("unattended: %u programs of the %s backend are pinned, in force since %s, with "
	       "generation %" PRIu64 " of the policies; no daemon writes their events\n",
	       pinned.programs, backend, since, (uint64_t)pinned.counters.generation);
}

int kw_cmd_status(const struct kw_cli *cli, int argc, char **argv)
{
	struct kw_getopt getopt;
	_cleanup_(json_decref_cleanup) json_t *status = NULL;
	uint64_t wait_seconds = 0;
	int c, r;

	kw_usage_getopt("status", "", &getopt);
	while ((c = getopt_long(argc, argv, getopt.letters, getopt.options, NULL)) >= 0) {
		if (c != 'w')
			return KW_EXIT_USAGE;
		if (kw_parse_u64(optarg, WAIT_SECONDS_MAX, &wait_seconds) < 0) {
			fprintf(stderr, "kvmwarden status: '%s' is no number of seconds\n", optarg);
			return KW_EXIT_USAGE;
		}
	}
	if (optind < argc)
		return kw_cli_unexpected("status", argv[optind]);
	r = ask(cli, wait_seconds * 1000000000, &status);
	if (r != KW_EXIT_OK) {
		print_pinned(cli);
		return r;
	}
	if (cli->json && kw_stamp(status) < 0)
		return KW_EXIT_OS;
	r = cli->json ? kw_client_print_json(status) : print_page(status);
	if (r != KW_EXIT_OK)
		return r;
	return is_enforcing(status) ? KW_EXIT_OK : KW_EXIT_FINDING;
}
