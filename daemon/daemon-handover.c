/* SPDX-License-Identifier: GPL-2.0-only */
/* What the daemon leaves to the next one: read, taken up, written. */
#include <errno.h>

#include "daemon-internal.h"
#include "util.h"

/* Its path, or NULL when nothing is to be left. */
static char *state_path(const struct kw_daemon *d)
{
	char *path = NULL;

	if (!d->options->pin || asprintf(&path, "%s.state", d->options->socket) < 0)
		return NULL;
	return path;
}

void kw_daemon_recall(struct kw_daemon *d)
{
	_cleanup_free_ char *path = state_path(d), *why = NULL;
	int r;

	if (!path)
		return;
	r = kw_handover_load(path, d->boot_id, &d->handover, &why);
	if (r == 0 || r == -ENOENT || r == -ESTALE)
		return;
	fprintf(stderr,
		"kvmwardend: warning: '%s' cannot be used: %s; modes that were switched "
		"at run time are those of the files again\n",
		path, why ?: strerror(-r));
}

void kw_daemon_resume(struct kw_daemon *d)
{
	if (kw_backend_adopted(d->choice.backend))
		return;
	/* Their events are gone with their ring; numbers may begin anew. */
	for (size_t i = 0; i < KW_GENERATIONS_KEPT; i++)
		d->handover.generations[i] = kw_ruleset_free(d->handover.generations[i]);
}

void kw_daemon_save(struct kw_daemon *d)
{
	_cleanup_free_ char *path = state_path(d);
	int r;

	if (!path)
		return;
	r = kw_handover_save(path, &d->handover, d->boot_id);
	if (r < 0 && !d->state_failed)
		fprintf(stderr,
			"kvmwardend: warning: cannot write '%s': %s; a later daemon will "
			"not know of exceptions and modes\n",
			path, strerror(-r));
	d->state_failed = r < 0;
}

void kw_daemon_forget_state(struct kw_daemon *d)
{
	_cleanup_free_ char *path = state_path(d);

	if (path)
		unlink(path);
}
