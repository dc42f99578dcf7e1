/* SPDX-License-Identifier: GPL-2.0-only */
/* The seal: a guard in the kernel that keeps others from our maps, links, pins and process. */
#include "seal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <bpf/bpf.h>

#include "backend-internal.h"
#include "seal-internal.h"
#include "seal-token.h"
#include "util.h"

/*
 * Theory of operation
 *
 * The guard is pinned like the programs it guards, and outlives the daemon with them.
 * A daemon that finds one has to be let in by the token before it can so much as
 * lock the directory of the pins; if it is the guard it would load, it goes on
 * with it, else it loads its own, which is in force before the old one is taken off.
 *
 * Whatever is to be guarded is made by a keeper while the guard is in force: see
 * bpf/guard.bpf.c. So the guard comes first and the programs that decide come second.
 * When all is taken off the guard goes first as well: what is left after that can
 * be removed by root alone, whatever happens in between.
 */

static const char *const map_pins[] = {"keepers", "guarded", "attempts"};

/* The 22nd field; the second may have blanks and parentheses in it. */
uint64_t kw_seal_ticks(uint32_t pid)
{
	char path[sizeof("/proc/4294967295/stat")], line[1024], *at;
	_cleanup_fclose_ FILE *f = NULL;
	unsigned long long ticks = 0;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f))
		return 0;
	at = strrchr(line, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (at)
		ticks = strtoull(at + 1, NULL, 10);
	return ticks;
}

static int on_attempt(void *context, void *data, size_t size)
{
	struct kw_seal *s = context;

	__atomic_add_fetch(&s->counters->pending, 1, __ATOMIC_RELAXED);
	if (size >= sizeof(struct kw_event) && s->handle)
		s->handle(s->userdata, data);
	return ++s->drained < KW_DRAIN_MAX ? 0 : -EAGAIN;
}

int kw_seal_events_fd(const struct kw_seal *s)
{
	return ring_buffer__epoll_fd(s->ring);
}

int kw_seal_drain(struct kw_seal *s, void (*handle)(void *userdata, const struct kw_event *event),
		  void *userdata)
{
	int r;

	s->drained = 0;
	s->handle = handle;
	s->userdata = userdata;
	r = ring_buffer__consume(s->ring);
	s->handle = NULL;
	return r;
}

/* Whatever is there; the mark last, so that a guard which has it is complete. */
static int pin_all(struct kw_seal *s)
{
	const int maps[] = {s->keepers, s->guarded, s->attempts};
	const char *name;
	size_t n = 0;
	int r;

	if (mkdir(KW_PINS_GUARD, 0700) < 0)
		return -errno;
	r = kw_pin_put(s->counters_map, KW_PINS, KW_PIN_COUNTERS);
	if (r < 0 && r != -EEXIST)
		return r;
	for (size_t i = 0; i < KW_ARRAY_SIZE(maps); i++) {
		r = kw_pin_put(maps[i], KW_PINS_GUARD, map_pins[i]);
		if (r < 0)
			return r;
	}
	for (unsigned int i = 0; (name = kw_guard_program(i)); i++) {
		r = s->mark.hooks & 1ull << i ? kw_pin_put(s->links[n++], KW_PINS_GUARD, name) : 0;
		if (r < 0)
			return r;
	}
	return kw_pin_mark(KW_PINS_GUARD, &s->mark, sizeof(s->mark));
}

/* Pins that were there before the guard. */
static int take_inodes(const char *path, void *userdata)
{
	const struct kw_seal *s = userdata;
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct kw_guard_value value = {};
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		struct kw_guard_key key = {.kind = KW_GUARD_INODE, .object = entry->d_ino};

		/* Also the directory itself; not the one it is in. */
		if (kw_streq(entry->d_name, ".."))
			continue;
		if (bpf_map_update_elem(s->guarded, &key, &value, BPF_ANY) < 0)
			return -errno;
	}
	return 0;
}

/* Is the guard that is pinned the one we would load? Then it is ours now. */
static int adopt(struct kw_seal *s)
{
	int *const maps[] = {&s->keepers, &s->guarded, &s->attempts};
	struct kw_guard_mark mark = {};
	const char *name;

	if (kw_pin_read(KW_PINS_GUARD, KW_PIN_MARK, &mark, sizeof(mark)) < 0 ||
	    memcmp(mark.object, s->mark.object, sizeof(mark.object)) != 0 ||
	    mark.hooks != s->mark.hooks)
		return -ENOENT;
	for (size_t i = 0; i < KW_ARRAY_SIZE(maps); i++) {
		*maps[i] = kw_pin_get(KW_PINS_GUARD, map_pins[i]);
		if (*maps[i] < 0)
			return *maps[i];
	}
	s->counters_map = kw_pin_get(KW_PINS, KW_PIN_COUNTERS);
	if (s->counters_map < 0)
		return s->counters_map;
	for (unsigned int i = 0; (name = kw_guard_program(i)); i++) {
		if (!(s->mark.hooks & 1ull << i))
			continue;
		s->links[s->link_count] = kw_pin_get(KW_PINS_GUARD, name);
		if (s->links[s->link_count] < 0)
			return s->links[s->link_count];
		s->link_count++;
	}
	return 0;
}

static void let_go(struct kw_seal *s)
{
	int *const fds[] = {&s->keepers, &s->guarded, &s->attempts, &s->counters_map};

	kw_seal_open(s);
	for (size_t i = 0; i < KW_ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

/* Nobody but us: keepers of the past are dead, or had their time. */
static void dismiss_others(const struct kw_seal *s)
{
	uint32_t pid, next, self = (uint32_t)getpid();
	bool more = bpf_map_get_next_key(s->keepers, NULL, &pid) == 0;

	for (; more; pid = next) {
		more = bpf_map_get_next_key(s->keepers, &pid, &next) == 0;
		if (pid != self)
			bpf_map_delete_elem(s->keepers, &pid);
	}
}

static int map_memory(struct kw_seal *s)
{
	void *at = mmap(NULL, sizeof(*s->counters), PROT_READ | PROT_WRITE, MAP_SHARED,
			s->counters_map, 0);

	if (at == MAP_FAILED)
		return -errno;
	s->counters = at;
	s->ring = ring_buffer__new(s->attempts, on_attempt, s, NULL);
	return s->ring ? 0 : -errno;
}

static int load(struct kw_seal *s, const struct kw_guard_token *token, char **reterr)
{
	int r;

	r = kw_guard_load(s, token, reterr);
	if (r < 0)
		return r;
	kw_seal_place(s->pins);
	if (!s->skel->bss->kw_mount)
		return kw_fail(-EIO, reterr, "the guard does not learn where our pins are");
	take_inodes(KW_PINS, s);
	kw_pins_each_epoch(take_inodes, s);
	/* The one before us, if any: what it keeps we keep by now. */
	r = kw_pins_remove_guard();
	if (r == 0)
		r = pin_all(s);
	return r < 0 ? kw_fail(r, reterr, "cannot pin the guard: %s", strerror(-r)) : 0;
}

static int close_up(struct kw_seal *s, const struct kw_guard_token *token, char **reterr)
{
	int r;

	r = kw_guard_open(s, reterr);
	if (r < 0)
		return r;
	if (kw_seal_exists() && adopt(s) == 0) {
		s->adopted = true;
		kw_seal_place(s->pins);
		dismiss_others(s);
	} else {
		let_go(s);
		r = load(s, token, reterr);
		if (r < 0)
			return r;
	}
	guard_bpf__destroy(s->skel);
	s->skel = NULL;
	r = map_memory(s);
	return r < 0 ? kw_fail(r, reterr, "cannot map the guard's ring: %s", strerror(-r)) : 0;
}

int kw_seal_close(const struct kw_guard_token *token, int pins, struct kw_seal **ret, char **reterr)
{
	struct kw_seal *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->pins = pins;
	s->keepers = s->guarded = s->attempts = s->counters_map = -1;
	r = close_up(s, token, reterr);
	if (r < 0) {
		kw_seal_undo(s);
		kw_seal_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

int kw_seal_take_links(struct kw_seal *s, const struct kw_backend *backend)
{
	struct kw_guard_key key, next;
	bool more = bpf_map_get_next_key(s->guarded, NULL, &key) == 0;
	struct kw_guard_value value = {};
	int fd;

	for (; more; key = next) {
		more = bpf_map_get_next_key(s->guarded, &key, &next) == 0;
		if (key.kind == KW_GUARD_LINK)
			bpf_map_delete_elem(s->guarded, &key);
	}
	for (size_t i = 0; i < 2 * KW_GUARD_HOOKS_MAX; i++) {
		struct bpf_link_info info = {};
		__u32 len = sizeof(info);

		fd = i < s->link_count ? s->links[i] : kw_backend_link(backend, i - s->link_count);
		if (fd < 0)
			break;
		if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
			return -errno;
		key = (struct kw_guard_key){.kind = KW_GUARD_LINK, .object = info.id};
		if (bpf_map_update_elem(s->guarded, &key, &value, BPF_ANY) < 0)
			return -errno;
	}
	return 0;
}

void kw_seal_open(struct kw_seal *s)
{
	while (s->link_count)
		close(s->links[--s->link_count]);
}

void kw_seal_undo(struct kw_seal *s)
{
	if (s && !s->adopted && s->link_count)
		kw_pins_remove_guard();
}

struct kw_seal *kw_seal_free(struct kw_seal *s)
{
	if (!s)
		return NULL;
	ring_buffer__free(s->ring);
	if (s->counters)
		munmap(s->counters, sizeof(*s->counters));
	let_go(s);
	guard_bpf__destroy(s->skel);
	free(s);
	return NULL;
}

bool kw_seal_has_guest(const struct kw_seal *s)
{
	uint32_t pid, *at = NULL;
	uint64_t ticks;

	for (; bpf_map_get_next_key(s->keepers, at, &pid) == 0; at = &pid)
		if (pid != (uint32_t)getpid() &&
		    bpf_map_lookup_elem(s->keepers, &pid, &ticks) == 0 &&
		    kw_seal_ticks(pid) == ticks)
			return true;
	return false;
}

const char *const *kw_seal_missing(const struct kw_seal *s, size_t *ret_count)
{
	*ret_count = s->missing_count;
	return s->missing;
}
