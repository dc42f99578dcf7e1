/* SPDX-License-Identifier: GPL-2.0-only */
/* Works with a backend that is loaded: rule tables, proof, counters, VM records. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "backend-internal.h"
#include "util.h"

/* An ordinary errno; KVM's own answer to the canary ioctl is EINVAL. */
_Static_assert(KW_CANARY_ERRNO == ENOANO, "KW_CANARY_ERRNO is ENOANO");

unsigned int kw_backend_id(const struct kw_backend *b)
{
	return b->id;
}

bool kw_backend_refuses(const struct kw_backend *b)
{
	return b->id == KW_BACKEND_LSM || b->id == KW_BACKEND_FMOD_RET;
}

bool kw_backend_pinned(const struct kw_backend *b)
{
	return b->epoch != NULL;
}

/*
 * The order matters: the table is complete before it is in force, and the quick
 * way out of the hooks (kw_interesting) covers the old and the new table while
 * they change places. The update of the outer map returns when no program can
 * still be using the old table.
 */
int kw_backend_publish(struct kw_backend *b, const struct kw_ruleset *rules)
{
	const struct bpf_map *like = b->skel->maps.empty_table;
	/* Kernels before 6.2 take a map without type information for one of another kind. */
	LIBBPF_OPTS(bpf_map_create_opts, options, .btf_fd = bpf_object__btf_fd(b->skel->obj),
		    .btf_key_type_id = bpf_map__btf_key_type_id(like),
		    .btf_value_type_id = bpf_map__btf_value_type_id(like));
	volatile __u8 *interesting = b->skel->bss->kw_interesting;
	__u8 wanted[256] = {};
	_cleanup_close_ int fd = -1;
	__u32 zero = 0;
	size_t i;

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "kw_table", sizeof(zero), sizeof(rules->table), 1,
			    &options);
	if (fd < 0)
		return -errno;
	if (bpf_map_update_elem(fd, &zero, &rules->table, BPF_ANY) < 0)
		return -errno;
	if (bpf_map_freeze(fd) < 0)
		return -errno;
	for (i = 0; i < KW_SLOTS; i++)
		if (rules->table.slots[i].command)
			wanted[rules->table.slots[i].command & 0xff] = 1;
	for (i = 0; i < KW_ARRAY_SIZE(wanted); i++)
		if (wanted[i])
			interesting[i] = 1;
	if (bpf_map_update_elem(bpf_map__fd(b->skel->maps.tables), &zero, &fd, BPF_ANY) < 0)
		return -errno;
	for (i = 0; i < KW_ARRAY_SIZE(wanted); i++)
		interesting[i] = wanted[i];
	return 0;
}

int kw_backend_prove(struct kw_backend *b, struct kw_proof *ret)
{
	struct kw_proof proof = {};
	struct kw_stats before, after;
	int r, answer;

	for (unsigned int entry = 0; entry < _KW_ENTRY_MAX; entry++) {
		r = kw_backend_stats(b, &before);
		if (r < 0)
			return r;
		answer = kw_canary_sing(&b->canary, entry);
		if (answer == -ENOSYS) {
			proof.compat_absent = true;
			continue;
		}
		r = kw_backend_stats(b, &after);
		if (r < 0)
			return r;
		proof.entries[entry] = kw_backend_refuses(b) ?
					       answer == KW_CANARY_ERRNO :
					       after.canary[entry] > before.canary[entry];
	}
	proof.passed = proof.entries[KW_ENTRY_NATIVE] &&
		       (proof.entries[KW_ENTRY_COMPAT] || proof.compat_absent);
	*ret = proof;
	return 0;
}

int kw_backend_events_fd(const struct kw_backend *b)
{
	return ring_buffer__epoll_fd(b->ring);
}

int kw_backend_drain(struct kw_backend *b,
		     void (*handle)(void *userdata, const struct kw_event *event), void *userdata)
{
	int r;

	b->handle = handle;
	b->userdata = userdata;
	r = ring_buffer__consume(b->ring);
	b->handle = NULL;
	return r;
}

uint64_t kw_backend_next_seq(struct kw_backend *b)
{
	return __atomic_add_fetch(&b->counters->seq, 1, __ATOMIC_RELAXED);
}

void kw_backend_counters(const struct kw_backend *b, struct kw_counters *ret)
{
	const volatile struct kw_counters *now = b->counters;

	*ret = (struct kw_counters){
		.next_vm_id = now->next_vm_id,
		.seq = now->seq,
		.lost = now->lost,
		.vms_full = now->vms_full,
		.no_memory = now->no_memory,
	};
}

int kw_backend_stats(const struct kw_backend *b, struct kw_stats *ret)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct kw_stats *each = NULL;
	struct kw_stats sum = {};
	__u32 zero = 0;

	if (cpus < 0)
		return cpus;
	each = calloc(cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(b->skel->maps.stats), &zero, each) < 0)
		return -errno;
	for (int i = 0; i < cpus; i++) {
		sum.checked += each[i].checked;
		sum.adopted += each[i].adopted;
		for (unsigned int entry = 0; entry < _KW_ENTRY_MAX; entry++)
			sum.canary[entry] += each[i].canary[entry];
	}
	*ret = sum;
	return 0;
}

uint64_t kw_backend_missed(const struct kw_backend *b)
{
	struct bpf_program *prog;
	uint64_t missed = 0;

	bpf_object__for_each_program(prog, b->skel->obj) {
		struct bpf_prog_info info = {};
		__u32 len = sizeof(info);
		int fd = bpf_program__fd(prog);

		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0)
			missed += info.recursion_misses;
	}
	return missed;
}

int kw_backend_walk(struct kw_backend *b)
{
	struct bpf_link *link;
	char buffer[64];
	ssize_t n;
	int fd;

	link = bpf_program__attach_iter(b->skel->progs.kw_files, NULL);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0) {
		int error = errno;

		bpf_link__destroy(link);
		return -error;
	}
	/* The program writes nothing: reading to the end is what makes it run. */
	do
		n = read(fd, buffer, sizeof(buffer));
	while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	n = n < 0 ? -errno : 0;
	close(fd);
	bpf_link__destroy(link);
	return (int)n;
}

/* Removes the records that the last two walks did not meet. */
static void drop_unmet(struct kw_backend *b, void (*gone)(void *userdata, const struct kw_vm *vm),
		       void *userdata)
{
	int map = bpf_map__fd(b->skel->maps.vms);
	uint32_t sweep = b->skel->bss->kw_sweep;
	uint64_t key, next;
	struct kw_vm vm;
	int r;

	for (r = bpf_map_get_next_key(map, NULL, &next); r == 0;) {
		key = next;
		r = bpf_map_get_next_key(map, &key, &next);
		if (bpf_map_lookup_elem(map, &key, &vm) < 0 || sweep - vm.sweep < 2)
			continue;
		if (bpf_map_delete_elem(map, &key) == 0 && !(vm.flags & KW_VM_CANARY))
			gone(userdata, &vm);
	}
}

int kw_backend_sweep(struct kw_backend *b, void (*gone)(void *userdata, const struct kw_vm *vm),
		     void *userdata)
{
	int r;

	b->skel->bss->kw_sweep++;
	r = kw_backend_walk(b);
	if (r < 0)
		return r;
	if (b->id == KW_BACKEND_TRACEPOINT)
		drop_unmet(b, gone, userdata);
	return 0;
}

int kw_backend_each_vm(struct kw_backend *b,
		       int (*visit)(void *userdata, const struct kw_vm *vm), void *userdata)
{
	int map = bpf_map__fd(b->skel->maps.vms);
	uint64_t key, next;
	struct kw_vm vm;
	int r;

	for (r = bpf_map_get_next_key(map, NULL, &next); r == 0;
	     r = bpf_map_get_next_key(map, &key, &next)) {
		key = next;
		if (bpf_map_lookup_elem(map, &key, &vm) < 0 || (vm.flags & KW_VM_CANARY))
			continue;
		r = visit(userdata, &vm);
		if (r < 0)
			return r;
	}
	return 0;
}
