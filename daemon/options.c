/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line of kvmwardend. */
#include "options.h"

#include <getopt.h>
#include <stdio.h>

#include "cli.h"
#include "kvmwarden.h"
#include "names.h"
#include "plan.h"
#include "util.h"

static const char help[] =
	"Usage: kvmwardend [OPTION...]\n"
	"Enforces policies on the ioctls of KVM virtual machines, and tells what happened.\n"
	"\n"
	"  --backend NAME      auto (default), lsm, fmod_ret, tracepoint, seccomp, or\n"
	"                      seccomp-plain, which does without BPF\n"
	"  --require deny      do not run unless the backend refuses ioctls to every VMM: lsm,\n"
	"                      fmod_ret\n"
	"  --policy-dir DIR    read policies from here instead of the default search path;\n"
	"                      may be repeated, the first one is the strongest\n"
	"  --events FILE       append events to FILE instead of standard output\n"
	"  --json              events as JSON lines on a terminal, too\n"
	"  --socket PATH       where to listen (default " KW_SOCKET_DEFAULT ")\n"
	"  --vms-max N         VMs at a time that are known, 64 to 1048576 (default 65536)\n"
	"  --on-full WHAT      to KVM_CREATE_VM beyond that: refuse (default), or audit\n"
	"  --seal TOKENFILE    keep other processes, root's too, from programs, maps, pins and\n"
	"                      daemon; only who has the token can end that\n"
	"  --no-pin            stop enforcing when the daemon ends\n"
	"  --no-confine        keep all capabilities, files and system calls: for sanitizers and\n"
	"                      debuggers of the daemon\n"
	"  --help, --version\n"
	"\n"
	"Signals: HUP reloads the policies; USR1 opens the file of --events anew, after it was\n"
	"moved away; TERM and INT end the daemon; unless --no-pin was given, enforcement goes on\n"
	"then, until 'kvmwarden unload'.\n"
	"\n"
	"Exit status: 0 ended as asked, 1 broken policy, 64 usage, 69 the kernel lacks\n"
	"something, 71 system error, 77 not root.\n";

#define VMS_MAX_LEAST 64
#define VMS_MAX_MOST (1 << 20)

enum {
	OPT_BACKEND = 256,
	OPT_REQUIRE,
	OPT_POLICY_DIR,
	OPT_EVENTS,
	OPT_JSON,
	OPT_SOCKET,
	OPT_NO_PIN,
	OPT_NO_CONFINE,
	OPT_SEAL,
	OPT_VMS_MAX,
	OPT_ON_FULL,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{"backend", required_argument, NULL, OPT_BACKEND},
	{"require", required_argument, NULL, OPT_REQUIRE},
	{"policy-dir", required_argument, NULL, OPT_POLICY_DIR},
	{"events", required_argument, NULL, OPT_EVENTS},
	{"json", no_argument, NULL, OPT_JSON},
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"seal", required_argument, NULL, OPT_SEAL},
	{"no-pin", no_argument, NULL, OPT_NO_PIN},
	{"no-confine", no_argument, NULL, OPT_NO_CONFINE},
	{"vms-max", required_argument, NULL, OPT_VMS_MAX},
	{"on-full", required_argument, NULL, OPT_ON_FULL},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{},
};

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "kvmwardend: %s '%s'; see kvmwardend --help\n", what, value);
	return KW_EXIT_USAGE;
}

static int add_dir(struct kw_options *options, const char *dir)
{
	const char **dirs;
	size_t n = 0;

	while (options->policy_dirs && options->policy_dirs[n])
		n++;
	dirs = reallocarray(options->policy_dirs, n + 2, sizeof(*dirs));
	if (!dirs) {
		fprintf(stderr, "kvmwardend: cannot keep the options: out of memory\n");
		return KW_EXIT_OS;
	}
	dirs[n] = dir;
	dirs[n + 1] = NULL;
	options->policy_dirs = dirs;
	return 0;
}

/* Takes one option; returns 0, or the exit status. */
static int take(struct kw_options *options, int option, const char *value)
{
	int backend;

	switch (option) {
	case OPT_BACKEND:
		if (kw_streq(value, "auto")) {
			options->backend = KW_BACKEND_NONE;
			options->plain = false;
			return 0;
		}
		options->plain = kw_streq(value, kw_means_name(KW_MEANS_TYPES));
		if (options->plain) {
			options->backend = KW_BACKEND_SECCOMP;
			return 0;
		}
		backend = kw_backend_from_name(value);
		if (backend <= KW_BACKEND_NONE)
			return usage("unknown backend", value);
		options->backend = (unsigned int)backend;
		return 0;
	case OPT_REQUIRE:
		if (!kw_streq(value, "deny"))
			return usage("--require takes 'deny', not", value);
		options->require_deny = true;
		return 0;
	case OPT_POLICY_DIR:
		return add_dir(options, value);
	case OPT_EVENTS:
		options->events = value;
		return 0;
	case OPT_JSON:
		options->json = true;
		return 0;
	case OPT_SOCKET:
		options->socket = value;
		return 0;
	case OPT_NO_PIN:
		options->pin = false;
		return 0;
	case OPT_NO_CONFINE:
		options->confine = false;
		return 0;
	case OPT_SEAL:
		options->seal = value;
		return 0;
	case OPT_VMS_MAX:
		if (kw_parse_u32(value, VMS_MAX_MOST, &options->vms_max) < 0 ||
		    options->vms_max < VMS_MAX_LEAST)
			return usage("--vms-max takes a number from 64 to 1048576, not", value);
		return 0;
	case OPT_ON_FULL:
		if (!kw_streq(value, "refuse") && !kw_streq(value, "audit"))
			return usage("--on-full takes 'refuse' or 'audit', not", value);
		options->full_refuses = kw_streq(value, "refuse");
		return 0;
	}
	return KW_EXIT_USAGE;
}

/* What has to go with what. A seal is of LSM programs, on what is pinned. */
static int check(struct kw_options *options)
{
	if (!options->seal)
		return 0;
	if (!options->pin) {
		fputs("kvmwardend: --seal keeps what is pinned; it does not go with --no-pin\n",
		      stderr);
		return KW_EXIT_USAGE;
	}
	if (options->backend != KW_BACKEND_NONE && options->backend != KW_BACKEND_LSM)
		return usage("--seal needs the backend lsm, not",
			     kw_backend_name(options->backend));
	options->backend = KW_BACKEND_LSM;
	return 0;
}

int kw_options_parse(int argc, char **argv, struct kw_options *ret, int *ret_status)
{
	struct kw_options options = {
		.socket = KW_SOCKET_DEFAULT,
		.pin = true,
		.confine = true,
		.vms_max = KW_VMS_MAX,
		.full_refuses = true,
	};
	int option, status = 0;

	while (!status && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == OPT_HELP || option == OPT_VERSION) {
			fputs(option == OPT_HELP ? help : "kvmwardend " KW_VERSION "\n", stdout);
			kw_options_done(&options);
			*ret_status = KW_EXIT_OK;
			return 1;
		}
		status = take(&options, option, optarg);
	}
	if (!status && optind < argc)
		status = usage("unexpected argument", argv[optind]);
	if (!status)
		status = check(&options);
	if (status) {
		kw_options_done(&options);
		*ret_status = status;
		return 1;
	}
	*ret = options;
	return 0;
}

void kw_options_done(struct kw_options *options)
{
	free(options->policy_dirs);
	options->policy_dirs = NULL;
}
