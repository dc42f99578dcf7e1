/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon gives up what it does not need: process and capabilities. */
#include "confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "confine-internal.h"
#include "util.h"

/*
 * Theory of operation
 *
 * To start, the daemon must be all that root is: it loads programs into the kernel. From
 * then on it answers whoever may connect to its socket, reads what VMMs brought into its
 * rings, and parses files of policies. Whoever takes it over by one of these is to get a
 * process that holds descriptors, and little else. It can be had in stages, because each of
 * them takes away what the ones before it needed:
 *
 *   process       kw_confine_begin(), first of all in kw_daemon_run(). Nothing is executed by
 *                 this process, so nothing is lost by no-new-privs, an empty bounding set and
 *                 secure bits that let uid 0 gain nothing by exec(2). No core file and no
 *                 /proc/PID/mem without CAP_SYS_PTRACE: there is a token in memory for a while,
 *                 and policies. Descriptors that somebody left open are closed. Capabilities that
 *                 no part of the start has use for go here, the others, which are in the
 *                 table below with the reason for each, in the next stage.
 *
 *   files         kw_confine_serve(), from serve(): after start(), so that all programs, maps,
 *                 links, rings, KVM's files, the socket and the event file are open. uid 0 owns
 *                 most of the host's files, with or without capabilities. Landlock takes those
 *                 away: what may be opened, made and removed by name is in confine-files.c.
 *                 While there are capabilities, as it takes some to name a place that is
 *                 behind a directory of somebody else.
 *
 *   capabilities  At once after that. What the loop does, it does on descriptors. One
 *                 call is left that has none: the rule table of a reload is a new map, frozen
 *                 before it is in force, and where unprivileged BPF is off, as it should be,
 *                 making a map takes CAP_BPF. Maps that are made at the start and filled later
 *                 would do for so many reloads as there are maps; to use one again it must
 *                 not be frozen, and then root could write to the table that is in force,
 *                 which is the worse of the two. So CAP_BPF stays, and the next stage leaves
 *                 of bpf(2) only what can be done with it on maps of our own.
 *
 *   calls         seccomp, see main-filter.c. Last, as the stages before it are system calls
 *                 that it does not let pass. On all threads at once (TSYNC).
 *
 * Capabilities and Landlock are a thread's, and nothing can take them from another one; so
 * there must not be any until then. A thread that is made later is confined from its
 * first instruction on.
 *
 * What it is worth: this keeps the host from the daemon. It does not keep enforcement from
 * it, as letting go of its programs, exchanging tables and removing pins is what the daemon is for.
 */

enum {
	FOR_START = 1, /* all of the table is kept until the loop */
	FOR_LOOP = 2,
	FOR_SUPERVISION = 4,
	FOR_INSPECTION = 8,
};

/* What is needed of what root has. */
static const struct {
	const char *name;
	unsigned int capability;
	unsigned int needed;
} table[] = {
	/* To load programs. To make the map of a reload, and to freeze it before Linux 6.5. */
	{"CAP_BPF", CAP_BPF, FOR_START | FOR_LOOP},
	/* For programs that trace, and read the kernel's memory. */
	{"CAP_PERFMON", CAP_PERFMON, FOR_START},
	/* To open programs, maps and type information by number, and to mount the bpffs. */
	{"CAP_SYS_ADMIN", CAP_SYS_ADMIN, FOR_START},
	/* To give the socket to the group. */
	{"CAP_CHOWN", CAP_CHOWN, FOR_START},
	/* For an event file in a directory, or policies behind one, that others own. */
	{"CAP_DAC_OVERRIDE", CAP_DAC_OVERRIDE, FOR_START},
	{"CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH, FOR_START},
	/* See struct kw_confine_wish. */
	{"CAP_KILL", CAP_KILL, FOR_SUPERVISION},
	{"CAP_SYS_PTRACE", CAP_SYS_PTRACE, FOR_INSPECTION},
};

const char *kw_confine_stage_name(enum kw_confine_stage stage)
{
	switch (stage) {
	case KW_CONFINE_PROCESS:
		return "process";
	case KW_CONFINE_CAPABILITIES:
		return "capabilities";
	case KW_CONFINE_FILES:
		return "files";
	case KW_CONFINE_CALLS:
		return "calls";
	case _KW_CONFINE_MAX:
		break;
	}
	return "unknown";
}

const char *kw_confine_capability_name(unsigned int capability)
{
	for (size_t i = 0; i < KW_ARRAY_SIZE(table); i++)
		if (table[i].capability == capability)
			return table[i].name;
	return "unknown";
}

void kw_confinement_done(struct kw_confinement *c)
{
	for (unsigned int i = 0; i < _KW_CONFINE_MAX; i++)
		free(c->missing[i]);
	*c = (struct kw_confinement){};
}

/* --- capabilities ------------------------------------------------------------- */

/*
 * Leaves, of those that we have, the ones of the table: permitted and effective, and
 * nothing that an exec(2) could inherit. *ret are those that are left.
 */
static int keep_capabilities(unsigned int needed, uint64_t *ret)
{
	uint64_t kept = 0;

	if (capng_get_caps_process() < 0)
		return -EIO;
	for (size_t i = 0; i < KW_ARRAY_SIZE(table); i++)
		if (table[i].needed & needed &&
		    capng_have_capability(CAPNG_PERMITTED, table[i].capability))
			kept |= 1ull << table[i].capability;
	capng_clear(CAPNG_SELECT_CAPS);
	for (unsigned int i = 0; i < 64; i++)
		if (kept & 1ull << i &&
		    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, i) < 0)
			return -EINVAL;
	if (capng_apply(CAPNG_SELECT_CAPS) < 0)
		return errno ? -errno : -EPERM;
	*ret = kept;
	return 0;
}

/* The bounding set and the secure bits. False: we may not. */
static bool close_exec(void)
{
	capng_clear(CAPNG_SELECT_BOUNDS);
	return capng_apply(CAPNG_SELECT_BOUNDS) == 0 &&
	       prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECUREBITS,
		     SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
			     SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
			     SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
		     0, 0, 0) == 0;
}

/* --- descriptors -------------------------------------------------------------- */

/* Is this "/dev/fd/N" of the descriptor? Then somebody passes a file by it. */
static bool is_named(const char *path, unsigned int fd)
{
	static const char *const prefixes[] = {"/dev/fd/", "/proc/self/fd/"};
	uint32_t number;

	for (size_t i = 0; path && i < KW_ARRAY_SIZE(prefixes); i++) {
		size_t len = strlen(prefixes[i]);

		if (strncmp(path, prefixes[i], len) == 0 &&
		    kw_parse_u32(path + len, INT32_MAX, &number) == 0 && number == fd)
			return true;
	}
	return false;
}

/* How many descriptors from 3 on the service manager gave to this very process. */
static uint32_t listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	uint32_t number;

	if (!pid || !count || kw_parse_u32(pid, INT32_MAX, &number) < 0 ||
	    number != (uint32_t)getpid() || kw_parse_u32(count, INT32_MAX, &number) < 0)
		return 0;
	return number;
}

static int close_strays(const struct kw_confine_wish *wish)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc/self/fd");
	uint32_t given = listen_fds(), fd;
	const struct dirent *entry;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (kw_parse_u32(entry->d_name, INT32_MAX, &fd) < 0 || fd < 3 + given ||
		    (int)fd == dirfd(dir) || is_named(wish->events, fd) ||
		    is_named(wish->token, fd))
			continue;
		close((int)fd);
	}
	return 0;
}

/* --- stages ------------------------------------------------------------------- */

int kw_confine_begin(struct kw_confinement *c, const struct kw_confine_wish *wish, char **reterr)
{
	uint64_t kept;
	int r;

	c->wanted = true;
	r = close_strays(wish);
	if (r < 0)
		return kw_fail(r, reterr, "cannot list our own descriptors: %s", strerror(-r));
	/* What we make is ours, and at most our group's to read; a stricter mask stays. */
	umask(umask(0) | 0027);
	/* It opens /dev/urandom when it is first used, which may be in the loop. */
	json_object_seed(0);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return kw_fail(-errno, reterr, "cannot set attributes of the process: %s",
			       strerror(errno));
	if (capng_get_caps_process() < 0 || !close_exec()) {
		c->missing[KW_CONFINE_PROCESS] =
			strdup("without CAP_SETPCAP the bounding set and the secure bits stay");
		if (!c->missing[KW_CONFINE_PROCESS])
			return -ENOMEM;
	}
	r = keep_capabilities(~0u, &kept);
	if (r < 0)
		return kw_fail(r, reterr, "cannot drop capabilities: %s", strerror(-r));
	c->stages[KW_CONFINE_PROCESS] = !c->missing[KW_CONFINE_PROCESS];
	return 0;
}

/* Is this the only thread of the process? */
static bool is_alone(void)
{
	struct stat st;

	/* Its links are itself, its parent, and one for each thread. */
	return stat("/proc/self/task", &st) == 0 && st.st_nlink == 3;
}

int kw_confine_serve(struct kw_confinement *c, const struct kw_confine_wish *wish, char **reterr)
{
	int r;

	if (!is_alone())
		return kw_fail(-EBUSY, reterr,
			       "there are other threads, which nothing can confine");
	r = kw_confine_files(wish, &c->missing[KW_CONFINE_FILES], reterr);
	if (r < 0)
		return r;
	c->stages[KW_CONFINE_FILES] = r > 0;
	r = keep_capabilities(FOR_LOOP | (wish->supervises ? FOR_SUPERVISION : 0) |
				      (wish->inspects ? FOR_INSPECTION : 0),
			      &c->capabilities);
	if (r < 0)
		return kw_fail(r, reterr, "cannot drop capabilities: %s", strerror(-r));
	c->stages[KW_CONFINE_CAPABILITIES] = true;
	r = kw_confine_calls(&c->missing[KW_CONFINE_CALLS], reterr);
	if (r < 0)
		return r;
	c->stages[KW_CONFINE_CALLS] = r > 0;
	return 0;
}
