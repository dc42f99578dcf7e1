/* SPDX-License-Identifier: GPL-2.0-only */
/* A host's facts, from files as they might be, and what they are worth. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posture.h"
#include "util.h"

static char root[] = "/tmp/kvmwarden-posture.XXXXXX";

static void put(const char *name, const char *bytes, size_t len)
{
	char path[256], *slash;
	FILE *out;

	snprintf(path, sizeof(path), "%s%s", root, name);
	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

static void say(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

static int make_root(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static const struct kw_posture_fact *fact(const struct kw_posture *posture, const char *name)
{
	for (size_t i = 0; i < KW_POSTURE_FACTS; i++)
		if (kw_streq(posture->facts[i].name, name))
			return &posture->facts[i];
	fail_msg("no fact '%s'", name);
	return NULL;
}

static void assert_verdict(const struct kw_posture *posture, const char *name,
			   enum kw_posture_verdict verdict)
{
	if (fact(posture, name)->verdict != verdict)
		fail_msg("%s is %s", name, kw_posture_verdict_name(fact(posture, name)->verdict));
}

/* A host that says nothing is no good one; it has no /dev/mem, though. */
static void test_silent(void **state)
{
	struct kw_posture_host host;
	struct kw_posture posture;

	(void)state;
	kw_posture_gather(root, &host);
	kw_posture_judge(&host, NULL, "nobody is there", &posture);
	for (size_t i = 0; i < KW_POSTURE_FACTS; i++)
		if (!kw_streq(posture.facts[i].name, "enforcement") &&
		    !kw_streq(posture.facts[i].name, "dev-mem"))
			assert_int_equal(posture.facts[i].verdict, KW_POSTURE_UNKNOWN);
	assert_verdict(&posture, "enforcement", KW_POSTURE_BAD);
	assert_string_equal(fact(&posture, "enforcement")->detail, "nobody is there");
	assert_int_equal(posture.score, 5);
}

static json_t *status(const char *enforcement, const char *backend, bool sealed, const char *mode)
{
	json_t *json = json_pack("{s:s, s:s, s:b, s:[{s:s}]}", "enforcement", enforcement,
				 "backend", backend, "sealed", sealed, "policies", "mode", mode);

	assert_non_null(json);
	return json;
}

static void test_best(void **state)
{
	static const char enabled[] = {6, 0, 0, 0, 1};
	json_t *json = status("enforcing", "lsm", true, "enforce");
	struct kw_posture_host host;
	struct kw_posture posture;

	(void)state;
	say("/sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	say("/sys/module/kvm_amd/parameters/sev_es", "Y\n");
	say("/sys/module/kvm_amd/parameters/sev_snp", "Y\n");
	say("/proc/sys/kernel/unprivileged_bpf_disabled", "2\n");
	say("/proc/sys/kernel/yama/ptrace_scope", "1\n");
	say("/sys/kernel/mm/ksm/run", "0\n");
	say("/dev/mem", "");
	say("/dev/kvm", "");
	put("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", enabled,
	    sizeof(enabled));
	kw_posture_gather(root, &host);
	assert_int_equal(host.lockdown, KW_LOCKDOWN_CONFIDENTIALITY);
	assert_int_equal(host.sev_snp, 1);
	assert_int_equal(host.tdx, -1);
	assert_int_equal(host.secure_boot, 1);
	host.kvm_mode = 0660;
	kw_posture_judge(&host, json, NULL, &posture);
	assert_int_equal(posture.score, 100);
	json_decref(json);
}

static void test_worst(void **state)
{
	json_t *json = status("auditing", "tracepoint", false, "audit");
	struct kw_posture_host host = {.lockdown = KW_LOCKDOWN_NONE,
				       .sev_es = 1,
				       .dev_mem = 1,
				       .kvm_mode = 0666,
				       .ksm = 1,
				       .tdx = -1};
	struct kw_posture posture;

	(void)state;
	kw_posture_judge(&host, json, NULL, &posture);
	for (size_t i = 0; i < KW_POSTURE_FACTS; i++)
		assert_int_equal(posture.facts[i].verdict, KW_POSTURE_BAD);
	assert_int_equal(posture.score, 0);
	/* One after the other is bettered, and is worth what it says. */
	host.kexec_disabled = 1;
	kw_posture_judge(&host, json, NULL, &posture);
	assert_int_equal(posture.score, fact(&posture, "kexec")->points);
	host.kexec_disabled = 0;
	host.ksm = 2;
	kw_posture_judge(&host, json, NULL, &posture);
	assert_int_equal(posture.score, fact(&posture, "ksm")->points);
	json_decref(json);
}

static void test_sum(void **state)
{
	struct kw_posture_host host = {};
	struct kw_posture posture;
	unsigned int sum = 0;

	(void)state;
	kw_posture_judge(&host, NULL, "", &posture);
	for (size_t i = 0; i < KW_POSTURE_FACTS; i++) {
		sum += posture.facts[i].points;
		assert_true(posture.facts[i].points > 0);
		assert_non_null(posture.facts[i].advice);
	}
	assert_int_equal(sum, 100);
}

static void test_garbage(void **state)
{
	struct kw_posture_host host;

	(void)state;
	say("/sys/kernel/security/lockdown", "what\n");
	say("/sys/kernel/mm/ksm/run", "\n");
	say("/proc/sys/kernel/yama/ptrace_scope", "99999999999999\n");
	say("/sys/module/kvm_amd/parameters/sev_snp", "maybe");
	kw_posture_gather(root, &host);
	assert_int_equal(host.lockdown, KW_LOCKDOWN_UNKNOWN);
	assert_int_equal(host.ksm, -1);
	assert_int_equal(host.ptrace_scope, -1);
	assert_int_equal(host.sev_snp, -1);
}

static void test_vmm(void **state)
{
	struct kw_posture_vmm vmm;
	char own[256], link[256];
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);

	(void)state;
	assert_true(n > 0);
	own[n] = '\0';
	kw_posture_look_at("", getpid(), own, &vmm);
	assert_string_equal(vmm.seccomp, "none");
	assert_string_equal(vmm.no_new_privs, "no");
	kw_posture_look_at("", getpid(), "/somebody/else", &vmm);
	assert_string_equal(vmm.seccomp, "-");
	say("/proc/77/status", "Name:\tqemu\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n");
	snprintf(link, sizeof(link), "%s/proc/77/exe", root);
	assert_int_equal(symlink("/usr/bin/qemu", link), 0);
	kw_posture_look_at(root, 77, "/usr/bin/qemu", &vmm);
	assert_string_equal(vmm.seccomp, "filter");
	assert_string_equal(vmm.no_new_privs, "yes");
	kw_posture_look_at(root, 78, "/usr/bin/qemu", &vmm);
	assert_string_equal(vmm.seccomp, "-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silent),	cmocka_unit_test(test_best),
		cmocka_unit_test(test_worst),	cmocka_unit_test(test_sum),
		cmocka_unit_test(test_garbage), cmocka_unit_test(test_vmm),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
