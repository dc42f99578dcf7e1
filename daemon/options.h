/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line of kvmwardend. */
#ifndef KVMWARDEN_OPTIONS_H
#define KVMWARDEN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sink.h"

struct kw_options {
	unsigned int backend; /* enum kw_backend_id; KW_BACKEND_NONE: the strongest that works */
	bool plain; /* of the seccomp backend: without BPF */
	bool require_deny; /* refuse to run with a backend that cannot refuse */
	const char **policy_dirs; /* NULL-terminated, owned; NULL: the default search path */
	const char *socket;
	const char *events; /* file for events; NULL: stdout */
	bool pin;
	bool confine; /* give up what the loop does not need */
	const char *seal; /* file of the token; NULL: not sealed */
	uint32_t vms_max; /* VMs at a time that are recorded */
	bool full_refuses; /* beyond it KVM_CREATE_VM is refused, not only reported */
	bool json; /* JSON lines even on a terminal */
	bool no_events; /* no trail at all */
	struct kw_rotation rotation; /* of the file of events */
	enum kw_sync sync; /* of it */
	struct kw_sink_wish *sinks; /* owned */
	size_t sink_count;
	const char *metrics; /* where they are served: a path or a loopback port; NULL: nowhere */
	const char *config; /* the file that was read, or NULL */
	bool check; /* only say whether configuration and policies are good */
	char **kept; /* strings of the configuration: kw_options_keep() */
	size_t kept_count;
};

/* What can be said on the command line and in the configuration. */
enum kw_option {
	KW_OPT_BACKEND = 256,
	KW_OPT_REQUIRE,
	KW_OPT_POLICY_DIR,
	KW_OPT_EVENTS,
	KW_OPT_JSON,
	KW_OPT_SOCKET,
	KW_OPT_NO_PIN,
	KW_OPT_NO_CONFINE,
	KW_OPT_SEAL,
	KW_OPT_VMS_MAX,
	KW_OPT_ON_FULL,
	KW_OPT_CONFIG,
	KW_OPT_CHECK,
	KW_OPT_HELP,
	KW_OPT_VERSION,
};

/*
 * Takes one option with its value, which must stay there. -EINVAL with *reterr (malloc()ed), a
 * sentence that quotes the value; -ENOMEM.
 */
int kw_options_take(struct kw_options *options, enum kw_option option, const char *value,
		    char **reterr);

/*
 * Returns 0, or > 0 when there is nothing to run: then *ret_status is the exit
 * status (after --help, --version, or a usage error that has been printed).
 */
int kw_options_parse(int argc, char **argv, struct kw_options *ret, int *ret_status);
void kw_options_done(struct kw_options *options);

#endif
