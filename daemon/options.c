/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line of kvmwardend. */
#include "options.h"

#include <stdio.h>

#include "cli.h"
#include "config-sinks.h"
#include "config.h"
#include "kvmwarden.h"
#include "names.h"
#include "plan.h"
#include "usage.h"
#include "util.h"

#define VMS_MAX_LEAST 64
#define VMS_MAX_MOST (1 << 20)

static int add_dir(struct kw_options *options, const char *dir)
{
	const char **dirs;
	size_t n = 0;

	while (options->policy_dirs && options->policy_dirs[n])
		n++;
	dirs = reallocarray(options->policy_dirs, n + 2, sizeof(*dirs));
	if (!dirs)
		return -ENOMEM;
	dirs[n] = dir;
	dirs[n + 1] = NULL;
	options->policy_dirs = dirs;
	return 0;
}

static int take_backend(struct kw_options *options, const char *value, char **reterr)
{
	int backend;

	options->plain = kw_streq(value, kw_means_name(KW_MEANS_TYPES));
	if (options->plain) {
		options->backend = KW_BACKEND_SECCOMP;
		return 0;
	}
	backend = kw_streq(value, "auto") ? KW_BACKEND_NONE : kw_backend_from_name(value);
	if (backend < 0 || (backend == KW_BACKEND_NONE && !kw_streq(value, "auto")))
		return kw_fail(-EINVAL, reterr, "unknown backend '%s'", value);
	options->backend = (unsigned int)backend;
	return 0;
}

int kw_options_take(struct kw_options *options, enum kw_option option, const char *value,
		    char **reterr)
{
	switch (option) {
	case KW_OPT_BACKEND:
		return take_backend(options, value, reterr);
	case KW_OPT_REQUIRE:
		if (!kw_streq(value, "deny") && !kw_streq(value, "nothing"))
			return kw_fail(-EINVAL, reterr,
				       "'require' takes 'deny' or 'nothing', not '%s'", value);
		options->require_deny = kw_streq(value, "deny");
		return 0;
	case KW_OPT_POLICY_DIR:
		return add_dir(options, value);
	case KW_OPT_EVENTS:
		options->events = value;
		options->no_events = false;
		return 0;
	case KW_OPT_JSON:
		options->json = true;
		return 0;
	case KW_OPT_SOCKET:
		options->socket = value;
		return 0;
	case KW_OPT_NO_PIN:
		options->pin = false;
		return 0;
	case KW_OPT_NO_CONFINE:
		options->confine = false;
		return 0;
	case KW_OPT_SEAL:
		options->seal = value;
		return 0;
	case KW_OPT_VMS_MAX:
		if (kw_parse_u32(value, VMS_MAX_MOST, &options->vms_max) < 0 ||
		    options->vms_max < VMS_MAX_LEAST)
			return kw_fail(-EINVAL, reterr,
				       "'vms-max' takes a number from 64 to 1048576, not '%s'",
				       value);
		return 0;
	case KW_OPT_ON_FULL:
		if (!kw_streq(value, "refuse") && !kw_streq(value, "audit"))
			return kw_fail(-EINVAL, reterr,
				       "'on-full' takes 'refuse' or 'audit', not '%s'", value);
		options->full_refuses = kw_streq(value, "refuse");
		return 0;
	case KW_OPT_CHECK:
		options->check = true;
		return 0;
	case KW_OPT_CONFIG:
	case KW_OPT_HELP:
	case KW_OPT_VERSION:
		break;
	}
	return 0;
}

static int usage(const char *sentence)
{
	fprintf(stderr, "kvmwardend: %s; see kvmwardend --help\n", sentence);
	return KW_EXIT_USAGE;
}

/* What has to go with what. A seal is of LSM programs, on what is pinned. */
static int check(struct kw_options *options)
{
	if (!options->seal)
		return 0;
	if (!options->pin)
		return usage("--seal keeps what is pinned; it does not go with --no-pin");
	if (options->backend != KW_BACKEND_NONE && options->backend != KW_BACKEND_LSM)
		return usage("--seal needs the backend lsm");
	options->backend = KW_BACKEND_LSM;
	return 0;
}

/* The first pass: the options that are about the others. > 0: *ret_status is all there is to say. */
static int look_ahead(int argc, char **argv, const char **ret_config, bool *ret_check,
		      int *ret_status)
{
	struct kw_getopt getopt;
	int option;

	kw_usage_getopt_daemon(&getopt);
	while ((option = getopt_long(argc, argv, getopt.letters, getopt.options, NULL)) != -1) {
		switch (option) {
		case KW_OPT_HELP:
		case KW_OPT_VERSION:
			if (option == KW_OPT_HELP)
				kw_usage_print(kw_usage_find("kvmwardend", ""), stdout);
			else
				puts("kvmwardend " KW_VERSION);
			*ret_status = KW_EXIT_OK;
			return 1;
		case KW_OPT_CONFIG:
			*ret_config = optarg;
			break;
		case KW_OPT_CHECK:
			*ret_check = true;
			break;
		case '?':
			*ret_status = KW_EXIT_USAGE;
			return 1;
		}
	}
	return 0;
}

/* An exit status. */
static int read_config(const char *path, struct kw_options *options)
{
	struct kw_diag diag = {};
	int r;

	if (path && kw_streq(path, "none"))
		return KW_EXIT_OK;
	r = kw_config_read(path, options, &diag);
	if (r == 0)
		return KW_EXIT_OK;
	kw_diag_set(&diag, path, 0, 0, "%s", strerror(-r));
	kw_diag_print(&diag, stderr);
	kw_diag_done(&diag);
	fputs("kvmwardend: cannot start with this configuration\n", stderr);
	return r == -ENOMEM ? KW_EXIT_OS : KW_EXIT_FINDING;
}

/* The second pass: what the command line says counts for more than the configuration. */
static int read_command_line(int argc, char **argv, struct kw_options *options)
{
	struct kw_getopt getopt;
	bool dirs = false;
	int option;

	kw_usage_getopt_daemon(&getopt);
	while ((option = getopt_long(argc, argv, getopt.letters, getopt.options, NULL)) != -1) {
		_cleanup_free_ char *sentence = NULL;
		int r;

		/* The first one takes the place of those of the configuration. */
		if (option == KW_OPT_POLICY_DIR && !dirs) {
			free(options->policy_dirs);
			options->policy_dirs = NULL;
			dirs = true;
		}
		r = kw_options_take(options, (enum kw_option)option, optarg, &sentence);
		if (r == -EINVAL)
			return usage(sentence ?: "out of memory");
		if (r < 0) {
			fputs("kvmwardend: out of memory\n", stderr);
			return KW_EXIT_OS;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "kvmwardend: unexpected argument '%s'; see kvmwardend --help\n",
			argv[optind]);
		return KW_EXIT_USAGE;
	}
	return check(options);
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
	const char *config = NULL;

	if (look_ahead(argc, argv, &config, &options.check, ret_status))
		return 1;
	*ret_status = read_config(config, &options);
	if (*ret_status == KW_EXIT_OK)
		*ret_status = read_command_line(argc, argv, &options);
	if (*ret_status != KW_EXIT_OK) {
		kw_options_done(&options);
		return 1;
	}
	*ret = options;
	return 0;
}

const char *kw_options_keep(struct kw_options *options, const char *text)
{
	char **kept = reallocarray(options->kept, options->kept_count + 1, sizeof(*kept));

	if (!kept)
		return NULL;
	options->kept = kept;
	kept[options->kept_count] = strdup(text);
	return kept[options->kept_count] ? kept[options->kept_count++] : NULL;
}

void kw_options_done(struct kw_options *options)
{
	free(options->policy_dirs);
	for (size_t i = 0; i < options->sink_count; i++)
		kw_sink_wish_done(&options->sinks[i]);
	free(options->sinks);
	for (size_t i = 0; i < options->kept_count; i++)
		free(options->kept[i]);
	free(options->kept);
	*options = (struct kw_options){};
}
