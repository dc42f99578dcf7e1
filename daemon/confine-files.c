/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon gives up what it does not need: files, by Landlock. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "confine-internal.h"
#include "pins.h"
#include "util.h"

/*
 * Theory of operation
 *
 * Landlock knows hierarchies: what is allowed for a directory is so for all that is, or will be,
 * below it, whatever it is called then. It is asked when something is opened by name; what is
 * open stays as it is.
 *
 * A policy can be replaced in more ways than by writing to it. The directory may be a link
 * that is turned to another one, or be moved away for a new one, so the directory that holds
 * it can be read, too, unless that is one of the root's own, such as /etc. Its files may
 * be links, whose targets' directories are those of the start; packages have theirs
 * below /usr, which holds no secrets. A reload that finds policies elsewhere is refused, with
 * a hint to start the daemon anew.
 */

/* Newer than the headers of Debian 12; the kernel says which of them it knows. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ull << 14) /* ABI 3, Linux 6.2 */
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ull << 15) /* ABI 5, Linux 6.10 */
#endif

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define APPEND (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE)
#define REPLACE                                                               \
	(APPEND | LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_MAKE_REG | \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE)

/* What can be asked for of a file that is no directory. */
#define OF_FILES                                                      \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
	 LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_TRUNCATE | \
	 LANDLOCK_ACCESS_FS_IOCTL_DEV)

void kw_places_done(struct kw_places *list)
{
	while (list->count)
		free(list->places[--list->count].path);
	free(list->places);
	*list = (struct kw_places){};
}

/* Takes the path; NULL is one there was no memory for. */
static void add(struct kw_places *list, char *path, uint64_t rights)
{
	struct kw_place *places =
		path ? reallocarray(list->places, list->count + 1, sizeof(*places)) : NULL;

	if (!places) {
		free(path);
		list->failed = true;
		return;
	}
	list->places = places;
	places[list->count++] = (struct kw_place){path, rights};
}

static void add_copy(struct kw_places *list, const char *path, uint64_t rights)
{
	add(list, strdup(path), rights);
}

/* The directory that a path is in, by its name alone. */
static char *directory_of(const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	while (len > 0 && path[len - 1] != '/')
		len--;
	while (len > 1 && path[len - 1] == '/')
		len--;
	return len ? strndup(path, len) : strdup(".");
}

/* Is it the root, or in it? */
static bool is_at_the_top(const char *absolute)
{
	return strrchr(absolute, '/') == absolute;
}

/* Adds what a path stands for now; nothing is there: no rule. */
static void add_resolved(struct kw_places *list, const char *path, uint64_t rights)
{
	char *resolved = realpath(path, NULL);

	if (resolved)
		add(list, resolved, rights);
	else if (errno == ENOMEM)
		list->failed = true;
}

/* Adds the directory that a path is in, unless that would be half of the host. */
static void add_parent(struct kw_places *list, const char *path, uint64_t rights)
{
	_cleanup_free_ char *parent = directory_of(path);
	char *resolved = parent ? realpath(parent, NULL) : NULL;

	list->failed |= !parent || (!resolved && errno == ENOMEM);
	if (resolved && is_at_the_top(resolved))
		free(resolved);
	else if (resolved)
		add(list, resolved, rights);
}

/*
 * Adds a directory that we write in. The root is not ours, wherever the socket is: then
 * what is written there is not, which is said when it is tried.
 */
static void add_own(struct kw_places *list, const char *path, uint64_t rights)
{
	_cleanup_free_ char *parent = directory_of(path);
	char *resolved = parent ? realpath(parent, NULL) : NULL;

	list->failed |= !parent || (!resolved && errno == ENOMEM);
	if (resolved && kw_streq(resolved, "/"))
		free(resolved);
	else if (resolved)
		add(list, resolved, rights);
}

static void add_policies(struct kw_places *list, const struct kw_confine_wish *wish)
{
	for (size_t i = 0; wish->policy_dirs[i]; i++) {
		add_resolved(list, wish->policy_dirs[i], READ);
		add_parent(list, wish->policy_dirs[i], READ);
	}
	for (size_t i = 0; wish->policies && i < wish->policies->count; i++) {
		_cleanup_free_ char *file = realpath(wish->policies->policies[i].file, NULL);

		/* The file alone where its directory would be too much. */
		if (file) {
			add_copy(list, file, LANDLOCK_ACCESS_FS_READ_FILE);
			add_parent(list, file, READ);
		}
	}
}

/*
 * SIGUSR1 opens it anew, after it was moved away; its end is read then. What is no file, but
 * a pipe or a device, is never made anew.
 */
static void add_events(struct kw_places *list, const char *path, bool rotates)
{
	uint64_t rights = APPEND | LANDLOCK_ACCESS_FS_MAKE_REG |
			  (rotates ? LANDLOCK_ACCESS_FS_REMOVE_FILE : 0);
	_cleanup_free_ char *file = realpath(path, NULL);
	struct stat st;

	if (!file)
		return;
	add_copy(list, file, APPEND);
	if (stat(file, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	/* The name may be a link: a new file is made where that leads to. */
	add_own(list, path, rights);
	add_own(list, file, rights);
}

static void add_sink(struct kw_places *list, const struct kw_sink_wish *sink)
{
	if (sink->kind == KW_SINK_FILE)
		add_events(list, sink->path, kw_rotates(&sink->rotation));
	/* Its socket is removed at the end. */
	if (sink->kind == KW_SINK_SOCKET)
		add_own(list, sink->path, LANDLOCK_ACCESS_FS_REMOVE_FILE);
}

void kw_confine_places(const struct kw_confine_wish *wish, struct kw_places *ret)
{
	struct kw_places list = {};

	/* The state is replaced as a whole, the socket removed at the end. */
	add_own(&list, wish->socket, wish->pin ? REPLACE : LANDLOCK_ACCESS_FS_REMOVE_FILE);
	if (wish->events)
		add_events(&list, wish->events, wish->rotates);
	for (size_t i = 0; i < wish->sink_count; i++)
		add_sink(&list, &wish->sinks[i]);
	if (wish->metrics && wish->metrics[0] == '/')
		add_own(&list, wish->metrics, LANDLOCK_ACCESS_FS_REMOVE_FILE);
	if (wish->pin) {
		add_copy(&list, KW_PINS,
			 LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
				 LANDLOCK_ACCESS_FS_REMOVE_DIR);
		/* To remove it as a whole. Only what is empty can be. */
		add_parent(&list, KW_PINS, LANDLOCK_ACCESS_FS_REMOVE_DIR);
	}
	add_policies(&list, wish);
	/* Also for the time zone of a terminal's events. */
	add_copy(&list, "/usr", READ);
	add_resolved(&list, "/etc/localtime", LANDLOCK_ACCESS_FS_READ_FILE);
	/* For users that a policy names; useradd(8) replaces it: its new one is not ours to read. */
	add_copy(&list, "/etc/passwd", LANDLOCK_ACCESS_FS_READ_FILE);
	/* When processes were started, and what is open of ours. */
	add_copy(&list, "/proc", READ);
	/* On which the guard is asked. */
	add_copy(&list, "/dev/null", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_IOCTL_DEV);
	*ret = list;
}

/* --- the kernel --------------------------------------------------------------- */

/* Everything that a version of Landlock knows of files. */
static uint64_t rights_of(long abi)
{
	uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

	if (abi >= 2)
		rights |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi >= 5)
		rights |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
	return rights;
}

static int allow(int ruleset, const struct kw_place *place, uint64_t known)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = place->rights & known};
	_cleanup_close_ int fd = open(place->path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= OF_FILES;
	rule.parent_fd = fd;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return -errno;
	return 0;
}

/* As the kernel has it: newer versions know more of it than the headers of Debian 12. */
struct ruleset {
	uint64_t files;
	uint64_t net;
	uint64_t scoped;
};

#define SCOPE_SIGNAL (1ull << 1) /* ABI 6, Linux 6.12 */

static int restrict_to(const struct kw_places *list, const struct ruleset *wanted, char **reterr)
{
	_cleanup_close_ int ruleset = -1;
	int r;

	/* What it does not know may be there if it is zero. */
	ruleset = (int)syscall(SYS_landlock_create_ruleset, wanted, sizeof(*wanted), 0);
	if (ruleset < 0)
		return kw_fail(-errno, reterr, "cannot make a Landlock ruleset: %s",
			       strerror(errno));
	for (size_t i = 0; i < list->count; i++) {
		r = allow(ruleset, &list->places[i], wanted->files);
		if (r < 0)
			return kw_fail(r, reterr, "cannot name '%s' to Landlock: %s",
				       list->places[i].path, strerror(-r));
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return kw_fail(-errno, reterr, "Landlock does not take us: %s", strerror(errno));
	return 1;
}

/* Why there can be none; NULL: there can. abi is the version, or -errno. */
static const char *obstacle(const struct kw_confine_wish *wish, long abi)
{
	if (wish->inspects)
		return "Landlock would keep the daemon from looking into VMMs, as this backend "
		       "does";
	if (abi == -ENOSYS)
		return "this kernel has no Landlock";
	if (abi == -EOPNOTSUPP)
		return "'landlock' is not in the kernel's lsm= list";
	return NULL;
}

int kw_confine_files(const struct kw_confine_wish *wish, char **ret_missing, char **reterr)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	const char *why = obstacle(wish, abi < 0 ? -errno : abi);
	struct ruleset wanted = {.files = rights_of(abi)};
	struct kw_places list;
	int r;

	if (why) {
		*ret_missing = strdup(why);
		return *ret_missing ? 0 : -ENOMEM;
	}
	if (abi < 0)
		return kw_fail(-errno, reterr, "cannot ask for Landlock: %s", strerror(errno));
	/* uid 0 may send signals to root's other processes, without any capability. */
	if (abi >= 6 && !wish->supervises)
		wanted.scoped = SCOPE_SIGNAL;
	kw_confine_places(wish, &list);
	r = list.failed ? -ENOMEM : restrict_to(&list, &wanted, reterr);
	kw_places_done(&list);
	return r;
}
