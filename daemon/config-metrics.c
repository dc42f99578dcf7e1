/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of the configuration that is about metrics. */
#include "config-metrics.h"

#include <errno.h>

#include "config-sinks.h"
#include "metrics.h"
#include "util.h"

static int read_listen(struct kw_yaml *yaml, void *target)
{
	struct kw_options *options = target;
	struct sockaddr_storage address;
	socklen_t len;
	const char *text;
	int r;

	r = kw_yaml_scalar(yaml, "listen", &text);
	if (r < 0)
		return r;
	/* Whoever reads them learns what runs here: nobody from outside of the host does. */
	if (text[0] != '/' && kw_metrics_address(text, &address, &len) < 0)
		return kw_yaml_error(yaml, kw_yaml_mark(yaml),
				     "'listen' takes a path from the root, 127.0.0.1:PORT or "
				     "[::1]:PORT, not '%s'",
				     text);
	options->metrics = kw_options_keep(options, text);
	return options->metrics ? 0 : -ENOMEM;
}

int kw_config_read_metrics(struct kw_yaml *yaml, void *target)
{
	static const struct kw_yaml_key keys[] = {
		{"listen", true, read_listen},
	};

	return kw_yaml_mapping(yaml, "metrics", keys, KW_ARRAY_SIZE(keys), target);
}
