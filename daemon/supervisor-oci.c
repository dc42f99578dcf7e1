/* SPDX-License-Identifier: GPL-2.0-only */
/* Containers: a runtime hands us the notification descriptor of one it is about to start. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <jansson.h>
#include <time.h>

#include "json-read.h"
#include "supervisor-internal.h"
#include "util.h"

/*
 * runtime-spec, config-linux.md, "The Container Process State": .fds names the descriptors in
 * their order, the one of seccomp is "seccompFd". .metadata is listenerMetadata of the
 * profile, in which we take the name of a directory with policies.
 */
static int read_state(const struct message *message, struct kw_launch_record *ret, size_t *ret_fd,
		      char **reterr)
{
	json_t *state = kw_json_read(message->text, (size_t)message->len, 0);
	json_t *fds = json_object_get(state, "fds"), *name;
	const char *metadata = json_string_value(json_object_get(state, "metadata"));
	const char *id = json_string_value(json_object_get(json_object_get(state, "state"), "id"));
	size_t i, found = SIZE_MAX;
	int r = 0;

	json_array_foreach (fds, i, name)
		if (json_is_string(name) && kw_streq(json_string_value(name), "seccompFd"))
			found = i;
	if (found >= KW_ARRAY_SIZE(message->fds) || message->fds[found] < 0)
		r = kw_fail(-EPROTO, reterr, "a container came without its seccomp descriptor");
	else if (metadata && strlen(metadata) >= sizeof(ret->set))
		r = kw_fail(-EPROTO, reterr, "a container's listenerMetadata is too long");
	*ret_fd = found;
	ret->foreign = true;
	ret->pid = (uint32_t)json_integer_value(json_object_get(state, "pid"));
	ret->started_ns = kw_clock_ns(CLOCK_REALTIME);
	snprintf(ret->set, sizeof(ret->set), "%s", r == 0 && metadata ? metadata : "");
	snprintf(ret->name, sizeof(ret->name), "container %s", id ?: "");
	json_decref(state);
	return r;
}

static int begin(struct kw_supervisor *s, struct message *message, struct kw_launch_record *record,
		 char **reterr)
{
	const struct kw_supervisor_ops *ops = s->ops;
	struct kw_plan plan = {};
	struct kw_launch *launch;
	size_t which;
	uint32_t set;
	int r, status;

	r = read_state(message, record, &which, reterr);
	if (r < 0)
		return r;
	r = kw_launch_new_id(record->id);
	if (r < 0)
		return r;
	r = ops->plan(ops->userdata, record->set, &plan, &set, &status, reterr);
	kw_plan_done(&plan);
	if (r > 0)
		return kw_fail(-EBUSY, reterr, KW_NO_FILTERS);
	if (r < 0)
		return r;
	r = kw_launch_new(TAKE_FD(message->fds[which]), record, &launch);
	if (r < 0) {
		ops->release(ops->userdata, set);
		return kw_fail(r, reterr, "%s", kw_supervisor_why(r));
	}
	return kw_supervisor_add(s, launch, set, KW_LAUNCH_STARTED, 0);
}

/* What goes wrong here closes the descriptor: the container's notified calls fail with ENOSYS. */
void kw_supervisor_oci(struct client *client, struct message *message)
{
	const struct kw_supervisor_ops *ops = client->supervisor->ops;
	_cleanup_free_ char *why = NULL;
	int r;

	r = begin(client->supervisor, message, &client->record, &why);
	if (r < 0)
		ops->tell(ops->userdata, KW_LAUNCH_REFUSED, &client->record, why ?: strerror(-r));
}
