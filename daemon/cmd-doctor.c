/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden doctor": what this kernel offers, what is missing, how to get it. */
#define _GNU_SOURCE 1

#include "cli.h"
#include "client.h"
#include "doctor.h"
#include "json-read.h"
#include "json.h"
#include "names.h"
#include "plan.h"
#include "text.h"
#include "usage.h"
#include "util.h"

static bool refuses(unsigned int backend)
{
	return backend == KW_BACKEND_LSM || backend == KW_BACKEND_FMOD_RET;
}

static void print_conclusion(const struct kw_kernel_facts *facts, unsigned int backend)
{
	const char *reason = NULL;

	if (backend == KW_BACKEND_LSM) {
		puts("By these facts kvmwardend uses the lsm backend; it proves that when it "
		     "starts.");
		return;
	}
	if (backend == KW_BACKEND_NONE)
		printf("By these facts kvmwardend does not start");
	else if (backend == KW_BACKEND_SECCOMP)
		printf("By these facts kvmwardend uses the %s backend, which refuses ioctls only "
		       "to "
		       "VMMs that 'kvmwarden run' starts",
		       kw_kernel_facts_no_bpf(facts) ? kw_means_name(KW_MEANS_TYPES)
						     : kw_backend_name(backend));
	else
		printf("By these facts kvmwardend uses the %s backend, %s",
		       kw_backend_name(backend),
		       refuses(backend) ? "which refuses ioctls too" : "which cannot refuse");
	kw_kernel_facts_backend(facts, KW_BACKEND_LSM, &reason);
	printf("; not lsm: %s.\n", reason);
}

static int print_table(const struct kw_kernel_facts *facts, const struct kw_checks *checks)
{
	struct kw_text_table table = {.columns = 3};
	size_t i;
	int r;

	kw_text_table_add(&table, "CHECK");
	kw_text_table_add(&table, "RESULT");
	kw_text_table_add(&table, "MEANING");
	for (i = 0; i < checks->count; i++) {
		const struct kw_check *check = &checks->list[i];

		kw_text_table_add(&table, check->name);
		kw_text_table_add(&table, kw_check_result_name(check->result));
		kw_text_table_add(&table, check->meaning);
		if (!check->remedy)
			continue;
		kw_text_table_add(&table, "");
		kw_text_table_add(&table, "");
		kw_text_table_addf(&table, "-> %s", check->remedy);
	}
	printf("Linux %s\n\n", facts->release);
	r = kw_text_table_print(&table, "", stdout);
	kw_text_table_done(&table);
	return r;
}

static int print_json(const struct kw_kernel_facts *facts, const struct kw_checks *checks,
		      unsigned int backend)
{
	struct kw_json json = {};
	json_t *value;
	size_t i;
	int r = -ENOMEM;

	kw_json_open_object(&json);
	kw_json_member_string(&json, "kernel", facts->release);
	kw_json_member_string(&json, "backend", kw_backend_name(backend));
	kw_json_member_string(&json, "plain",
			      backend == KW_BACKEND_SECCOMP ? kw_kernel_facts_no_bpf(facts) : NULL);
	kw_json_member_bool(&json, "refuses", refuses(backend));
	kw_json_key(&json, "checks");
	kw_json_open_array(&json);
	for (i = 0; i < checks->count; i++) {
		const struct kw_check *check = &checks->list[i];

		kw_json_open_object(&json);
		kw_json_member_string(&json, "check", check->name);
		kw_json_member_string(&json, "result", kw_check_result_name(check->result));
		kw_json_member_string(&json, "meaning", check->meaning);
		kw_json_member_string(&json, "remedy", check->remedy);
		kw_json_close_object(&json);
	}
	kw_json_close_array(&json);
	kw_json_close_object(&json);
	value = json.failed ? NULL : kw_json_read(json.text, json.len, 0);
	if (value)
		r = kw_client_print_json(value) == KW_EXIT_OK ? 0 : -EIO;
	json_decref(value);
	kw_json_done(&json);
	return r;
}

static const char *by_entry(json_t *proof, const char *entry)
{
	json_t *value = json_object_get(proof, entry);

	return json_is_null(value)   ? "not there on this kernel"
	       : json_is_true(value) ? "answered by our programs"
				     : "NOT answered by our programs";
}

/* Not what could be, but what is: the daemon tries its canary now. */
static int prove(const struct kw_cli *cli)
{
	json_t *reply = NULL, *status, *proof;
	bool passed, refuses;
	int r;

	r = kw_client_ask_or_complain(cli, "Prove", NULL, &reply);
	if (r != KW_EXIT_OK)
		return r;
	status = json_object_get(reply, "status");
	proof = json_object_get(status, "proof");
	refuses = json_is_true(json_object_get(status, "refuses"));
	passed = json_is_true(json_object_get(proof, "native")) &&
		 !json_is_false(json_object_get(proof, "compat"));
	if (cli->json)
		r = kw_client_print_json(proof);
	else
		printf("native entry  %s\n32-bit entry  %s\n%s: the %s backend %s\n",
		       by_entry(proof, "native"), by_entry(proof, "compat"),
		       passed ? "proved" : "NOT proved", kw_text_member(status, "backend"),
		       !passed	 ? "does not do what it should"
		       : refuses ? "refuses"
				 : "sees what is asked, and cannot refuse it");
	json_decref(reply);
	return r != KW_EXIT_OK ? r : passed && refuses ? KW_EXIT_OK : KW_EXIT_FINDING;
}

int kw_cmd_doctor(const struct kw_cli *cli, int argc, char **argv)
{
	struct kw_getopt getopt;
	struct kw_kernel_facts facts;
	struct kw_checks checks;
	unsigned int backend;
	int r;

	bool wants_proof = false;

	kw_usage_getopt("doctor", "", &getopt);
	while ((r = getopt_long(argc, argv, getopt.letters, getopt.options, NULL)) >= 0) {
		if (r != 'p')
			return KW_EXIT_USAGE;
		wants_proof = true;
	}
	if (optind < argc)
		return kw_cli_unexpected("doctor", argv[optind]);
	if (wants_proof)
		return prove(cli);
	kw_kernel_facts_gather("", &facts);
	if (geteuid() == 0)
		kw_kernel_facts_try_load(&facts);
	kw_doctor_examine(&facts, &checks);
	backend = kw_doctor_backend(&facts);
	if (cli->json) {
		r = print_json(&facts, &checks, backend);
	} else {
		r = print_table(&facts, &checks);
		putchar('\n');
		print_conclusion(&facts, backend);
	}
	/* Whoever did not get to read it is told so, rather than what it said. */
	if (r < 0 || fflush(stdout) == EOF)
		return KW_EXIT_OS;
	return refuses(backend) ? KW_EXIT_OK : KW_EXIT_FINDING;
}
