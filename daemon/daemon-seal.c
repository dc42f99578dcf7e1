/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon and its seal: when it is shown the token, when it closes. */
#include <errno.h>

#include "cli.h"
#include "daemon-internal.h"
#include "pins.h"
#include "seal-token.h"
#include "util.h"

static int complain(int status, const char *why)
{
	fprintf(stderr, "kvmwardend: %s\n", why ? why : "out of memory");
	return status;
}

int kw_daemon_seal_enter(struct kw_daemon *d)
{
	_cleanup_free_ char *why = NULL;
	bool sealed = kw_seal_exists();
	int r;

	if (!d->options->seal)
		return sealed ? complain(KW_EXIT_UNAVAILABLE,
					 "this host is sealed: a daemon needs --seal TOKENFILE "
					 "here, "
					 "with the token of the one that sealed it")
			      : KW_EXIT_OK;
	r = kw_token_read(d->options->seal, &d->token, &why);
	if (r < 0)
		return complain(r == -ENOENT || r == -EINVAL ? KW_EXIT_USAGE : KW_EXIT_NOPERM, why);
	if (!sealed && kw_pins_mount() == 0 && kw_pins_exist())
		return complain(KW_EXIT_UNAVAILABLE,
				"programs are pinned that were never sealed: others may have their "
				"maps open, and would keep them; 'kvmwarden unload --yes' first");
	if (!sealed)
		return KW_EXIT_OK;
	r = kw_seal_show(&d->token);
	if (r < 0)
		return complain(KW_EXIT_NOPERM, "this host is sealed, with another token");
	if (access(KW_PINS_GUARD "/mark", F_OK) < 0)
		return complain(KW_EXIT_UNAVAILABLE,
				"this host is sealed, but there are no pins of ours: is something "
				"mounted over " KW_PINS "?");
	return KW_EXIT_OK;
}

int kw_daemon_seal_close(struct kw_daemon *d)
{
	_cleanup_free_ char *why = NULL;
	int r;

	if (!d->options->seal)
		return KW_EXIT_OK;
	if (d->pins_lock < 0)
		return complain(KW_EXIT_UNAVAILABLE, "there is no bpffs, so nothing to seal");
	r = kw_seal_close(&d->token, d->pins_lock, &d->seal, &why);
	kw_token_wipe(&d->token);
	if (r < 0) {
		fprintf(stderr, "kvmwardend: cannot seal: %s\n", why ? why : strerror(-r));
		return KW_EXIT_UNAVAILABLE;
	}
	return KW_EXIT_OK;
}

int kw_daemon_seal_ready(struct kw_daemon *d)
{
	int r = d->seal ? kw_seal_take_links(d->seal, d->choice.backend) : 0;

	if (r == 0)
		return KW_EXIT_OK;
	fprintf(stderr, "kvmwardend: cannot seal the links: %s\n", strerror(-r));
	return KW_EXIT_OS;
}
