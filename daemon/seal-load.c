/* SPDX-License-Identifier: GPL-2.0-only */
/* Loads the guard, and makes sure that nobody had a hand in it. */
#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "backend-internal.h"
#include "cli.h"
#include "guard.object.h"
#include "seal-internal.h"
#include "seal-token.h"
#include "util.h"

/* In an order in which those that keep others from opening things come first. */
static const struct hook {
	const char *program;
	bool older; /* the name of the hook before it, in older kernels */
} hooks[] = {
	{"kw_guard_map", false},	 {"kw_guard_prog", false},
	{"kw_guard_map_new", false},	 {"kw_guard_map_new_0", true},
	{"kw_guard_prog_new", false},	 {"kw_guard_prog_new_0", true},
	{"kw_guard_map_free", false},	 {"kw_guard_map_free_0", true},
	{"kw_guard_prog_free", false},	 {"kw_guard_prog_free_0", true},
	{"kw_guard_bpf", false},	 {"kw_guard_permission", false},
	{"kw_guard_instantiate", false}, {"kw_guard_unlink", false},
	{"kw_guard_rmdir", false},	 {"kw_guard_rename", false},
	{"kw_guard_mkdir", false},	 {"kw_guard_symlink", false},
	{"kw_guard_link", false},	 {"kw_guard_mknod", false},
	{"kw_guard_chmod", false},	 {"kw_guard_chown", false},
	{"kw_guard_lock", false},	 {"kw_guard_umount", false},
	{"kw_guard_mount", false},	 {"kw_guard_move_mount", false},
	{"kw_guard_remount", false},	 {"kw_guard_ptrace", false},
	{"kw_guard_kill", false},	 {"kw_guard_rlimit", false},
	{"kw_guard_scheduler", false},	 {"kw_guard_nice", false},
	{"kw_guard_ioctl", false},
};

_Static_assert(KW_ARRAY_SIZE(hooks) <= KW_GUARD_HOOKS_MAX, "room for every hook");

const char *kw_guard_program(unsigned int bit)
{
	return bit < KW_ARRAY_SIZE(hooks) ? hooks[bit].program : NULL;
}

static struct bpf_program *program(const struct kw_seal *s, size_t i)
{
	return bpf_object__find_program_by_name(s->skel->obj, hooks[i].program);
}

/* What a kernel does not have is left out, and said in the status. */
static void choose_hooks(struct kw_seal *s)
{
	bool covered;

	for (size_t i = 0; i < KW_ARRAY_SIZE(hooks); i++) {
		const char *hook = strchr(bpf_program__section_name(program(s, i)), '/') + 1;
		bool there = libbpf_find_vmlinux_btf_id(hook, BPF_LSM_MAC) > 0;

		bpf_program__set_autoload(program(s, i), there);
		s->mark.hooks |= (uint64_t)there << i;
		covered = there;
		if (i > 0 && hooks[i].older && !there)
			covered = s->mark.hooks & 1ull << (i - 1);
		if (!covered && (i + 1 == KW_ARRAY_SIZE(hooks) || !hooks[i + 1].older))
			s->missing[s->missing_count++] = hook;
	}
}

int kw_guard_open(struct kw_seal *s, char **reterr)
{
	int r;

	r = kw_backend_register_sections();
	if (r < 0)
		return r;
	kw_libbpf_listen();
	s->skel = guard_bpf__open();
	if (!s->skel)
		return kw_fail(-errno, reterr, "cannot open the guard's BPF object: %s",
			       strerror(errno));
	_Static_assert(sizeof(KW_OBJECT_SHA256) == sizeof(s->mark.object) + 1, "64 digits");
	memcpy(s->mark.object, KW_OBJECT_SHA256, sizeof(s->mark.object));
	snprintf(s->mark.version, sizeof(s->mark.version), "%s", KW_VERSION);
	choose_hooks(s);
	/* It complains of each hook that is not there, which is no news. */
	kw_libbpf_listen();
	return 0;
}

/*
 * Where a map is pinned that goes on when the guard is replaced; NULL: it is each guard's
 * own. In the ring may be what nobody has read.
 */
static const char *shared_pin(const struct kw_seal *s, const struct bpf_map *map)
{
	if (map == s->skel->maps.counters)
		return KW_PINS "/" KW_PIN_COUNTERS;
	if (map == s->skel->maps.attempts)
		return KW_PINS_GUARD "/attempts";
	return NULL;
}

static int reuse_shared(const struct kw_seal *s)
{
	struct bpf_map *map;
	int r = 0;

	bpf_object__for_each_map(map, s->skel->obj)
	{
		const char *path = shared_pin(s, map);
		_cleanup_close_ int fd = path ? bpf_obj_get(path) : -1;

		if (path && fd < 0 && errno != ENOENT)
			return -errno;
		r = fd < 0 ? 0 : bpf_map__reuse_fd(map, fd);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Is the kernel able to read memory by typed loads? Found out as the backend does. */
static bool has_typed_loads(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool found = btf && btf__find_by_name_kind(btf, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;

	btf__free(btf);
	return found;
}

static int attach(struct kw_seal *s, char **reterr)
{
	for (size_t i = 0; i < KW_ARRAY_SIZE(hooks); i++) {
		struct bpf_link *link;
		size_t n = s->link_count;

		if (!(s->mark.hooks & 1ull << i))
			continue;
		link = bpf_program__attach(program(s, i));
		if (!link)
			return kw_fail(-errno, reterr, "cannot attach %s: %s", hooks[i].program,
				       strerror(errno));
		s->links[n] = fcntl(bpf_link__fd(link), F_DUPFD_CLOEXEC, 3);
		bpf_link__destroy(link);
		if (s->links[n] < 0)
			return kw_fail(-errno, reterr, "cannot hold %s: %s", hooks[i].program,
				       strerror(errno));
		s->link_count++;
	}
	return 0;
}

/* The guard's own programs and maps: what is opened by a keeper is guarded. */
static int open_again(const struct kw_seal *s)
{
	struct bpf_map *map;

	for (size_t i = 0; i < s->link_count; i++) {
		_cleanup_close_ int fd = -1;
		struct bpf_link_info info = {};
		__u32 len = sizeof(info);

		if (bpf_obj_get_info_by_fd(s->links[i], &info, &len) < 0)
			return -errno;
		fd = bpf_prog_get_fd_by_id(info.prog_id);
		if (fd < 0)
			return -errno;
	}
	bpf_object__for_each_map(map, s->skel->obj)
	{
		_cleanup_close_ int fd = -1;
		struct bpf_map_info info = {};
		__u32 len = sizeof(info);

		if (bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &len) < 0)
			return -errno;
		fd = bpf_map_get_fd_by_id(info.id);
		if (fd < 0)
			return -errno;
	}
	return 0;
}

/* Who has descriptors of this map, we twice? The guard counts when we open it once more. */
static int count_users(const struct kw_seal *s, const struct bpf_map *map, uint32_t *ret)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	struct kw_guard_key key, *at = NULL;
	struct kw_guard_value value;
	_cleanup_close_ int again = -1;

	if (bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &len) < 0)
		return -errno;
	again = bpf_map_get_fd_by_id(info.id);
	if (again < 0)
		return -errno;
	for (; bpf_map_get_next_key(s->guarded, at, &key) == 0; at = &key) {
		if (key.kind != KW_GUARD_MAP || bpf_map_lookup_elem(s->guarded, &key, &value) < 0)
			continue;
		if (value.id == info.id) {
			*ret = value.users;
			return 0;
		}
	}
	return -ENOENT;
}

/*
 * Others could open our maps until the guard was attached. From then on they cannot:
 * if nobody has one now, nobody ever will, and what the maps hold is what counts.
 */
static int check_users(struct kw_seal *s, char **reterr)
{
	struct bpf_map *map;
	uint32_t users = 0;
	int r;

	bpf_object__for_each_map(map, s->skel->obj)
	{
		const char *path = shared_pin(s, map);

		/* The constants are frozen, and what was pinned an earlier guard kept. */
		if (map == s->skel->maps.rodata || (path && access(path, F_OK) == 0))
			continue;
		r = count_users(s, map, &users);
		if (r < 0)
			return kw_fail(r, reterr, "cannot find %s among what is guarded: %s",
				       bpf_map__name(map), strerror(-r));
		if (users != 2)
			return kw_fail(-EBUSY, reterr,
				       "somebody else opened the guard's map %s while it was made",
				       bpf_map__name(map));
	}
	return 0;
}

static int check_constants(const struct kw_seal *s, char **reterr)
{
	struct guard_bpf__rodata rodata = {};
	_cleanup_free_ char *value = calloc(1, bpf_map__value_size(s->skel->maps.rodata));
	__u32 zero = 0;

	if (!value)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(s->skel->maps.rodata), &zero, value) < 0)
		return kw_fail(-errno, reterr, "cannot read the guard's constants: %s",
			       strerror(errno));
	memcpy(&rodata, value,
	       bpf_map__value_size(s->skel->maps.rodata) < sizeof(rodata)
		       ? bpf_map__value_size(s->skel->maps.rodata)
		       : sizeof(rodata));
	if (rodata.kw_loader_pid != s->skel->rodata->kw_loader_pid ||
	    rodata.kw_loader_pid != (uint32_t)getpid())
		return kw_fail(-EBUSY, reterr, "somebody else wrote to the guard's constants");
	return 0;
}

/* From here on the token counts. Both maps are written as a whole: whatever was in them. */
static int begin(struct kw_seal *s, const struct kw_guard_token *token)
{
	__u32 zero = 0, pid, *at = NULL;
	uint64_t ticks = kw_seal_ticks((uint32_t)getpid());

	while (bpf_map_get_next_key(s->keepers, at, &pid) == 0)
		bpf_map_delete_elem(s->keepers, &pid);
	pid = (uint32_t)getpid();
	if (bpf_map_update_elem(s->keepers, &pid, &ticks, BPF_ANY) < 0)
		return -errno;
	if (bpf_map_update_elem(bpf_map__fd(s->skel->maps.secret), &zero, token, BPF_ANY) < 0)
		return -errno;
	s->skel->bss->kw_sb = 0;
	s->skel->bss->kw_mount = 0;
	__atomic_store_n(&s->skel->bss->kw_sealed, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static int take_maps(struct kw_seal *s)
{
	struct {
		int *fd;
		const struct bpf_map *map;
	} const maps[] = {
		{&s->keepers, s->skel->maps.keepers},
		{&s->guarded, s->skel->maps.guarded},
		{&s->attempts, s->skel->maps.attempts},
		{&s->counters_map, s->skel->maps.counters},
	};

	for (size_t i = 0; i < KW_ARRAY_SIZE(maps); i++) {
		*maps[i].fd = fcntl(bpf_map__fd(maps[i].map), F_DUPFD_CLOEXEC, 3);
		if (*maps[i].fd < 0)
			return -errno;
	}
	return 0;
}

int kw_guard_load(struct kw_seal *s, const struct kw_guard_token *token, char **reterr)
{
	int r;

	s->skel->rodata->kw_loader_pid = (uint32_t)getpid();
	s->skel->rodata->kw_loader_ticks = kw_seal_ticks((uint32_t)getpid());
	s->skel->rodata->kw_typed_loads = has_typed_loads();
	r = reuse_shared(s);
	if (r < 0)
		return kw_fail(r, reterr, "cannot go on with the maps of the guard before: %s",
			       strerror(-r));
	r = guard_bpf__load(s->skel);
	if (r < 0)
		return kw_fail(r, reterr, "the kernel refuses to load the guard: %s%s%s",
			       strerror(-r), *kw_libbpf_said() ? "; libbpf: " : "",
			       kw_libbpf_said());
	r = take_maps(s);
	if (r < 0)
		return kw_fail(r, reterr, "cannot hold the guard's maps: %s", strerror(-r));
	r = attach(s, reterr);
	if (r < 0)
		return r;
	r = open_again(s);
	if (r < 0)
		return kw_fail(r, reterr, "cannot guard the guard: %s", strerror(-r));
	r = check_constants(s, reterr);
	if (r < 0)
		return r;
	r = check_users(s, reterr);
	if (r < 0)
		return r;
	r = begin(s, token);
	if (r < 0)
		return kw_fail(r, reterr, "cannot fill the guard's maps: %s", strerror(-r));
	if (!kw_seal_exists())
		return kw_fail(-EOPNOTSUPP, reterr,
			       "the guard attached and does not answer: 'bpf' is not in the "
			       "kernel's lsm= list");
	return 0;
}
