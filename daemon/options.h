/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line of kvmwardend. */
#ifndef KVMWARDEN_OPTIONS_H
#define KVMWARDEN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
};

/*
 * Returns 0, or > 0 when there is nothing to run: then *ret_status is the exit
 * status (after --help, --version, or a usage error that has been printed).
 */
int kw_options_parse(int argc, char **argv, struct kw_options *ret, int *ret_status);
void kw_options_done(struct kw_options *options);

#endif
