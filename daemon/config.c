/* SPDX-License-Identifier: GPL-2.0-only */
/* The configuration file of kvmwardend. */
#define _GNU_SOURCE 1
#include "config.h"

#include <errno.h>
#include <limits.h>

#include "cli.h"
#include "config-metrics.h"
#include "config-sinks.h"
#include "trusted.h"
#include "util.h"

const char *const kw_config_default_paths[] = {
	KW_CONFIG_DEFAULT,
	"/run/kvmwarden/kvmwarden.conf",
	"/usr/lib/kvmwarden/kvmwarden.conf",
	NULL,
};

/* A value that an option of the same name takes on the command line. */
static int take(struct kw_yaml *yaml, struct kw_options *options, const char *key,
		enum kw_option option)
{
	_cleanup_free_ char *sentence = NULL;
	const char *text, *kept;
	int r;

	r = kw_yaml_scalar(yaml, key, &text);
	if (r < 0)
		return r;
	kept = kw_options_keep(options, text);
	if (!kept)
		return -ENOMEM;
	r = kw_options_take(options, option, kept, &sentence);
	if (r == -EINVAL)
		return kw_yaml_error(yaml, kw_yaml_mark(yaml), "%s", sentence ?: "out of memory");
	return r;
}

static int read_backend(struct kw_yaml *yaml, void *target)
{
	return take(yaml, target, "backend", KW_OPT_BACKEND);
}

static int read_require(struct kw_yaml *yaml, void *target)
{
	return take(yaml, target, "require", KW_OPT_REQUIRE);
}

static int read_vms_max(struct kw_yaml *yaml, void *target)
{
	return take(yaml, target, "vms-max", KW_OPT_VMS_MAX);
}

static int read_on_full(struct kw_yaml *yaml, void *target)
{
	return take(yaml, target, "on-full", KW_OPT_ON_FULL);
}

static int take_path(struct kw_yaml *yaml, struct kw_options *options, const char *key,
		     enum kw_option option)
{
	const char *text;
	int r;

	r = kw_yaml_scalar(yaml, key, &text);
	if (r < 0)
		return r;
	if (text[0] != '/')
		return kw_yaml_error(yaml, kw_yaml_mark(yaml),
				     "'%s' takes a path from the root, not '%s'", key, text);
	return take(yaml, options, key, option);
}

static int read_socket(struct kw_yaml *yaml, void *target)
{
	return take_path(yaml, target, "socket", KW_OPT_SOCKET);
}

static int read_seal(struct kw_yaml *yaml, void *target)
{
	return take_path(yaml, target, "seal", KW_OPT_SEAL);
}

static int read_policy_dir(struct kw_yaml *yaml, const char *text, void *target)
{
	(void)text;
	return take_path(yaml, target, "policy-dirs", KW_OPT_POLICY_DIR);
}

static int read_policy_dirs(struct kw_yaml *yaml, void *target)
{
	return kw_yaml_scalars(yaml, "policy-dirs", read_policy_dir, target);
}

static int read_switch(struct kw_yaml *yaml, const char *key, bool *ret)
{
	const char *text;
	int r;

	r = kw_yaml_scalar(yaml, key, &text);
	if (r < 0)
		return r;
	if (!kw_streq(text, "true") && !kw_streq(text, "false"))
		return kw_yaml_error(yaml, kw_yaml_mark(yaml), "'%s' takes true or false, not '%s'",
				     key, text);
	*ret = kw_streq(text, "true");
	return 0;
}

static int read_pin(struct kw_yaml *yaml, void *target)
{
	return read_switch(yaml, "pin", &((struct kw_options *)target)->pin);
}

static int read_confine(struct kw_yaml *yaml, void *target)
{
	return read_switch(yaml, "confine", &((struct kw_options *)target)->confine);
}

int kw_config_parse(const char *file, const char *text, size_t size, struct kw_options *options,
		    struct kw_diag *reterr)
{
	static const struct kw_yaml_key keys[] = {
		{"backend", false, read_backend},
		{"require", false, read_require},
		{"policy-dirs", false, read_policy_dirs},
		{"socket", false, read_socket},
		{"vms-max", false, read_vms_max},
		{"on-full", false, read_on_full},
		{"seal", false, read_seal},
		{"pin", false, read_pin},
		{"confine", false, read_confine},
		{"events", false, kw_config_read_events},
		{"sinks", false, kw_config_read_sinks},
		{"metrics", false, kw_config_read_metrics},
	};

	return kw_yaml_read(file, text, size, "configuration", keys, KW_ARRAY_SIZE(keys), options,
			    reterr);
}

/* The first that is there; NULL: none. A credential comes from whoever made the unit. */
static const char *find(char buffer[PATH_MAX])
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	int n = credentials ? snprintf(buffer, PATH_MAX, "%s/kvmwarden.conf", credentials) : -1;

	if (n > 0 && n < PATH_MAX && access(buffer, F_OK) == 0)
		return buffer;
	/* One that is there and cannot be looked at is an error later, not one to be passed over. */
	for (size_t i = 0; kw_config_default_paths[i]; i++)
		if (access(kw_config_default_paths[i], F_OK) == 0 || errno != ENOENT)
			return kw_config_default_paths[i];
	return NULL;
}

int kw_config_read(const char *path, struct kw_options *options, struct kw_diag *reterr)
{
	/* What root obeys, only root may write; what is checked is not obeyed. */
	bool strict = !options->check;
	_cleanup_free_ char *text = NULL;
	char buffer[PATH_MAX];
	size_t size = 0;
	int r;

	if (!path)
		path = find(buffer);
	if (!path)
		return 0;
	r = kw_read_trusted(path, "configuration", strict, &text, &size, reterr);
	if (r < 0)
		return r;
	options->config = kw_options_keep(options, path);
	if (!options->config)
		return -ENOMEM;
	return kw_config_parse(options->config, text, size, options, reterr);
}
