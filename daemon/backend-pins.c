/* SPDX-License-Identifier: GPL-2.0-only */
/* A set of programs as pins: how it is put there, and how a later daemon takes it over. */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "backend-internal.h"
#include "pins.h"
#include "util.h"

/*
 * Theory of operation
 *
 * What decides is in the kernel and needs no daemon, so a daemon that starts has
 * nothing to attach if the set that is pinned is the one it would load: the same BPF
 * object, the same programs of it, the same constants. The mark says which set it
 * is. It is pinned after everything else, so that a set with a mark is complete; a set
 * without one is the work of a daemon that was killed over it, and is not used. Even
 * then each pin is looked at: links have to be of the programs they are named by,
 * maps of the kind and size that the BPF object gives them. And whoever adopts
 * proves it afterwards, before anything is said of it.
 *
 * Records of VMs, rate limits, exceptions, the events that nobody has read: all of it
 * is in the maps, and goes on.
 */

const char *const kw_map_names[_KW_MAP_MAX] = {
	[KW_MAP_COUNTERS] = KW_PIN_COUNTERS,
	[KW_MAP_CONDEMNED] = KW_PIN_CONDEMNED,
	[KW_MAP_VMS] = "vms",
	[KW_MAP_TABLES] = "tables",
	[KW_MAP_EMPTY_TABLE] = "empty_table",
	[KW_MAP_EXCEPTIONS] = "exceptions",
	[KW_MAP_LIMITS] = "limits",
	[KW_MAP_STATS] = "stats",
	[KW_MAP_EVENTS] = "events",
	[KW_MAP_BSS] = "bss",
	[KW_MAP_DATA] = "data",
};

int kw_pin_get(const char *dir, const char *name)
{
	char path[KW_PIN_PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

int kw_pin_read(const char *dir, const char *name, void *ret, size_t size)
{
	_cleanup_close_ int fd = kw_pin_get(dir, name);
	struct bpf_map_info info = {};
	__u32 len = sizeof(info), zero = 0;

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != size)
		return -EUCLEAN;
	return bpf_map_lookup_elem(fd, &zero, ret) < 0 ? -errno : 0;
}

int kw_backend_read_mark(const char *epoch, struct kw_mark *ret)
{
	return kw_pin_read(epoch, KW_PIN_MARK, ret, sizeof(*ret));
}

/* Is this the set that we would load? Who loaded it, when, and its feed make no difference. */
static bool is_ours(const struct kw_backend *b, const struct kw_mark *mark)
{
	return memcmp(mark->object, b->mark.object, sizeof(mark->object)) == 0 &&
	       mark->backend == b->mark.backend && mark->vms_max == b->mark.vms_max &&
	       (mark->flags & ~KW_MARK_AFTER) == b->mark.flags &&
	       kw_backend_hooks_fit(b, mark->hooks);
}

/* Takes a pinned link, and the program that it attaches, which must be the one of that name. */
static int take_link(struct kw_backend *b, const char *name)
{
	struct bpf_link_info link = {};
	struct bpf_prog_info prog = {};
	__u32 len = sizeof(link);
	size_t n = b->link_count++;

	b->names[n] = name;
	b->programs[n] = -1;
	b->links[n] = kw_pin_get(b->epoch, name);
	if (b->links[n] < 0)
		return b->links[n];
	if (bpf_obj_get_info_by_fd(b->links[n], &link, &len) < 0)
		return -errno;
	b->programs[n] = bpf_prog_get_fd_by_id(link.prog_id);
	if (b->programs[n] < 0)
		return -errno;
	len = sizeof(prog);
	if (bpf_obj_get_info_by_fd(b->programs[n], &prog, &len) < 0)
		return -errno;
	return strncmp(prog.name, name, sizeof(prog.name) - 1) == 0 ? 0 : -EUCLEAN;
}

/* Takes a pinned map, which must be like the one of the BPF object. */
static int take_map(struct kw_backend *b, enum kw_map which)
{
	const struct bpf_map *like = kw_backend_map_of(b, which);
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	b->maps[which] = kw_pin_get(which < KW_MAP_OWN ? KW_PINS : b->epoch, kw_map_names[which]);
	if (b->maps[which] < 0)
		return b->maps[which];
	if (bpf_obj_get_info_by_fd(b->maps[which], &info, &len) < 0)
		return -errno;
	return info.type == bpf_map__type(like) && info.value_size == bpf_map__value_size(like)
		       ? 0
		       : -EUCLEAN;
}

static int take_all(struct kw_backend *b)
{
	const char *name;
	int r;

	for (enum kw_map i = 0; i < _KW_MAP_MAX; i++) {
		r = take_map(b, i);
		if (r < 0)
			return r;
	}
	b->walker = kw_pin_get(b->epoch, KW_PIN_WALKER);
	if (b->walker < 0)
		return b->walker;
	if (kw_backend_has_judge(b->id)) {
		b->judge = kw_pin_get(b->epoch, KW_PIN_JUDGE);
		if (b->judge < 0)
			return b->judge;
	}
	for (unsigned int i = 0; (name = kw_backend_hook(i)); i++) {
		r = b->mark.hooks & 1ull << i ? take_link(b, name) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int try_epoch(const char *epoch, void *userdata)
{
	struct kw_backend *b = userdata;
	struct kw_mark mark = {}, wish;

	if (kw_backend_read_mark(epoch, &mark) < 0 || !is_ours(b, &mark))
		return 0;
	wish = b->mark;
	b->mark = mark;
	b->epoch = strdup(epoch);
	if (!b->epoch)
		return -ENOMEM;
	if (take_all(b) == 0) {
		b->adopted = true;
		return 1;
	}
	kw_backend_let_go(b);
	b->mark = wish;
	free(b->epoch);
	b->epoch = NULL;
	return 0;
}

int kw_backend_adopt(struct kw_backend *b)
{
	return kw_pins_each_epoch(try_epoch, b);
}

int kw_pin_put(int fd, const char *dir, const char *name)
{
	char path[KW_PIN_PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return bpf_obj_pin(fd, path) < 0 ? -errno : 0;
}

int kw_pin_mark(const char *dir, const void *mark, size_t size)
{
	_cleanup_close_ int fd = -1;
	__u32 zero = 0;

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "kw_mark", sizeof(zero), (__u32)size, 1, NULL);
	if (fd < 0)
		return -errno;
	if (bpf_map_update_elem(fd, &zero, mark, BPF_ANY) < 0)
		return -errno;
	if (bpf_map_freeze(fd) < 0)
		return -errno;
	return kw_pin_put(fd, dir, KW_PIN_MARK);
}

int kw_backend_pin(struct kw_backend *b, char **reterr)
{
	int r = 0;

	for (enum kw_map i = 0; i < _KW_MAP_MAX && r == 0; i++) {
		r = kw_pin_put(b->maps[i], i < KW_MAP_OWN ? KW_PINS : b->epoch, kw_map_names[i]);
		if (r == -EEXIST && i < KW_MAP_OWN)
			r = 0;
	}
	if (r == 0)
		r = kw_pin_put(b->walker, b->epoch, KW_PIN_WALKER);
	if (r == 0 && b->judge >= 0)
		r = kw_pin_put(b->judge, b->epoch, KW_PIN_JUDGE);
	for (size_t i = 0; i < b->link_count && r == 0; i++)
		r = kw_pin_put(b->links[i], b->epoch, b->names[i]);
	if (r == 0)
		r = kw_pin_mark(b->epoch, &b->mark, sizeof(b->mark));
	return r < 0 ? kw_fail(r, reterr, "cannot pin to %s: %s", b->epoch, strerror(-r)) : 0;
}

static __u32 link_id(int fd)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) < 0 ? 0 : info.id;
}

bool kw_backend_pinned(const struct kw_backend *b)
{
	struct kw_mark mark;

	if (!b->epoch || kw_backend_read_mark(b->epoch, &mark) < 0)
		return false;
	for (size_t i = 0; i < b->link_count; i++) {
		_cleanup_close_ int fd = kw_pin_get(b->epoch, b->names[i]);

		if (fd < 0 || link_id(fd) != link_id(b->links[i]))
			return false;
	}
	return true;
}

static int read_epoch(const char *epoch, void *userdata)
{
	struct kw_pinned *pinned = userdata;
	const char *name;

	if (kw_backend_read_mark(epoch, &pinned->mark) < 0)
		return 0;
	for (unsigned int i = 0; (name = kw_backend_hook(i)); i++) {
		_cleanup_close_ int fd = pinned->mark.hooks & 1ull << i ? kw_pin_get(epoch, name)
									: -1;

		pinned->programs += fd >= 0;
	}
	return 1;
}

int kw_backend_read_pinned(struct kw_pinned *ret)
{
	struct kw_pinned pinned = {};
	int r;

	r = kw_pin_read(KW_PINS, KW_PIN_COUNTERS, &pinned.counters, sizeof(pinned.counters));
	if (r < 0)
		return r;
	if (kw_pins_each_epoch(read_epoch, &pinned) <= 0)
		return -ENOENT;
	*ret = pinned;
	return 0;
}

/* NULL when it cannot be mapped; the size is the value's. */
static void *map_value(int fd, size_t size)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	void *at;

	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return NULL;
	/* The kernel's size ends with the last member, the structure's may be padded. */
	if (((info.value_size + 7) & ~7u) < size) {
		errno = EUCLEAN;
		return NULL;
	}
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return at == MAP_FAILED ? NULL : at;
}

int kw_backend_map_memory(struct kw_backend *b, char **reterr)
{
	b->counters = map_value(b->maps[KW_MAP_COUNTERS], sizeof(*b->counters));
	if (b->counters)
		b->bss = map_value(b->maps[KW_MAP_BSS], sizeof(*b->bss));
	if (b->bss)
		b->data = map_value(b->maps[KW_MAP_DATA], sizeof(*b->data));
	if (!b->data)
		return kw_fail(-errno, reterr, "cannot map the programs' variables: %s",
			       strerror(errno));
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void kw_backend_detach(struct kw_backend *b)
{
	while (b->link_count) {
		b->link_count--;
		close_fd(&b->links[b->link_count]);
		close_fd(&b->programs[b->link_count]);
	}
}

void kw_backend_let_go(struct kw_backend *b)
{
	kw_backend_detach(b);
	close_fd(&b->walker);
	close_fd(&b->judge);
	close_fd(&b->table_btf);
	if (b->data)
		munmap(b->data, sizeof(*b->data));
	if (b->bss)
		munmap(b->bss, sizeof(*b->bss));
	if (b->counters)
		munmap(b->counters, sizeof(*b->counters));
	b->data = NULL;
	b->bss = NULL;
	b->counters = NULL;
	for (enum kw_map i = 0; i < _KW_MAP_MAX; i++)
		close_fd(&b->maps[i]);
}
