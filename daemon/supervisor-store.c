/* SPDX-License-Identifier: GPL-2.0-only */
/* What the service manager keeps of launches while there is no daemon: its fd store. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <systemd/sd-daemon.h>

#include "supervisor-internal.h"
#include "util.h"

/*
 * Theory of operation
 *
 * A launch is its listener, "launch-ID", and its record, "record-ID-N". The record of a daemon is
 * not that of the next one, which begins with a copy, so N rises: the new one is stored before the
 * old one is removed, and where both are there the higher one counts. The listener is the same for
 * all of them; the service manager knows a file that it has, whatever its name, and takes it once.
 * Nothing is received from a listener before its record is stored.
 *
 * Without a service manager nobody keeps anything, and all of this does nothing; the keeper of
 * "kvmwarden run" has the same.
 */
#define LISTENER "launch-"
#define RECORD "record-"

static void name_record(const struct supervised *one, uint32_t number, char ret[96])
{
	snprintf(ret, 96, RECORD "%s-%u", kw_launch_record(one->launch)->id, number);
}

static void give(const char *name, int fd)
{
	_cleanup_free_ char *state = NULL;

	if (asprintf(&state, "FDSTORE=1\nFDNAME=%s", name) > 0)
		sd_pid_notify_with_fds(0, 0, state, &fd, 1);
}

static void take_back(const char *name)
{
	sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

void kw_supervisor_store(struct supervised *one)
{
	_cleanup_close_ int record = kw_launch_record_fd(one->launch);
	char name[96];

	if (record < 0)
		return;
	snprintf(name, sizeof(name), LISTENER "%s", kw_launch_record(one->launch)->id);
	give(name, kw_launch_listener(one->launch));
	name_record(one, one->stored + 1, name);
	give(name, record);
	if (one->stored++) {
		name_record(one, one->stored - 1, name);
		take_back(name);
	}
}

void kw_supervisor_unstore(const struct supervised *one)
{
	char name[96];

	snprintf(name, sizeof(name), LISTENER "%s", kw_launch_record(one->launch)->id);
	take_back(name);
	name_record(one, one->stored, name);
	take_back(name);
}

/* --- the next daemon ---------------------------------------------------------- */

struct stored {
	char **names;
	int count; /* from SD_LISTEN_FDS_START on */
};

static void refuse(struct kw_supervisor *s, const char *name, const char *why)
{
	struct kw_launch_record record = {};

	snprintf(record.name, sizeof(record.name), "%s", name);
	s->ops->tell(s->ops->userdata, KW_LAUNCH_REFUSED, &record, why);
}

/* The record of an id with the highest number; -1: there is none. */
static int find_record(const struct stored *stored, const char *id, uint32_t *ret_number)
{
	size_t len = strlen(id);
	int found = -1;

	for (int i = 0; i < stored->count; i++) {
		const char *name = stored->names[i];
		uint32_t number;

		if (strncmp(name, RECORD, strlen(RECORD)) != 0 ||
		    strncmp(name + strlen(RECORD), id, len) != 0 ||
		    name[strlen(RECORD) + len] != '-' ||
		    kw_parse_u32(name + strlen(RECORD) + len + 1, INT32_MAX, &number) < 0 ||
		    (found >= 0 && number <= *ret_number))
			continue;
		found = SD_LISTEN_FDS_START + i;
		*ret_number = number;
	}
	return found;
}

/* Takes the listener. */
static void resume(struct kw_supervisor *s, const struct stored *stored, const char *name,
		   int listener)
{
	_cleanup_free_ char *why = NULL;
	struct kw_launch *launch;
	struct kw_plan plan = {};
	uint32_t number = 0, set;
	int r, status, record;

	record = find_record(stored, name + strlen(LISTENER), &number);
	if (record < 0) {
		close(listener);
		refuse(s, name, "the service manager kept no record of it");
		return;
	}
	r = kw_launch_resume(listener, record, &launch);
	if (r < 0) {
		refuse(s, name, kw_supervisor_why(r));
		return;
	}
	r = s->ops->plan(s->ops->userdata, kw_launch_record(launch)->set, &plan, &set, &status,
			 &why);
	kw_plan_done(&plan);
	if (r != 0) {
		s->ops->tell(s->ops->userdata, KW_LAUNCH_REFUSED, kw_launch_record(launch),
			     r > 0 ? KW_NO_FILTERS : why);
		kw_launch_free(launch);
		return;
	}
	kw_supervisor_add(s, launch, set, KW_LAUNCH_RESUMED, number);
}

void kw_supervisor_take_stored(struct kw_supervisor *s)
{
	struct stored stored = {};

	stored.count = sd_listen_fds_with_names(1, &stored.names);
	for (int i = 0; i < stored.count; i++) {
		if (strncmp(stored.names[i], LISTENER, strlen(LISTENER)) == 0)
			resume(s, &stored, stored.names[i], SD_LISTEN_FDS_START + i);
		else if (strncmp(stored.names[i], RECORD, strlen(RECORD)) != 0)
			refuse(s, stored.names[i], "what the service manager kept is none of ours");
	}
	/* Records have been copied; listeners belong to their launches. */
	for (int i = 0; i < stored.count; i++) {
		if (strncmp(stored.names[i], LISTENER, strlen(LISTENER)) != 0)
			close(SD_LISTEN_FDS_START + i);
		free(stored.names[i]);
	}
	free(stored.names);
}
