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

/* Which calls of this ioctl have to be looked at: enum kw_interest. */
static enum kw_interest interest_in(const struct kw_table *table, const struct kw_slot *slot)
{
	uint16_t sync = table->members[KW_FAMILY_RUN][KW_MEMBER_SYNC_REGS];

	if (slot->command != KW_CMD_RUN || kw_ruleset_has_verdict(table, slot->operation))
		return KW_INTERESTING_YES;
	return kw_ruleset_has_verdict(table, sync) ? KW_INTERESTING_DIRTY : KW_INTERESTING_NO;
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
	__u8 wanted[256] = {}, both;
	_cleanup_close_ int fd = -1;
	__u32 zero = 0;
	size_t i;

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "kw_table", sizeof(zero), sizeof(*rules->table), 1,
			    &options);
	if (fd < 0)
		return -errno;
	if (bpf_map_update_elem(fd, &zero, rules->table, BPF_ANY) < 0)
		return -errno;
	if (bpf_map_freeze(fd) < 0)
		return -errno;
	for (i = 0; i < KW_SLOTS; i++)
		if (rules->table->slots[i].command)
			wanted[rules->table->slots[i].command & 0xff] =
				interest_in(rules->table, &rules->table->slots[i]);
	for (i = 0; i < KW_ARRAY_SIZE(wanted); i++) {
		both = wanted[i] > interesting[i] ? wanted[i] : interesting[i];
		interesting[i] = both;
	}
	if (bpf_map_update_elem(bpf_map__fd(b->skel->maps.tables), &zero, &fd, BPF_ANY) < 0)
		return -errno;
	for (i = 0; i < KW_ARRAY_SIZE(wanted); i++)
		interesting[i] = wanted[i];
	return 0;
}

int kw_backend_prove(struct kw_backend *b, struct kw_proof *ret)
{
	struct kw_proof proof = {};
	struct kw_stats before = {}, after = {};
	int r, answer;

	for (unsigned int entry = 0; entry < _KW_ENTRY_MAX; entry++) {
		r = kw_backend_stats(b, &before);
		if (r < 0)
			return r;
		answer = kw_canary_sing(&b->canary, entry, b->skel->bss->kw_canary_argument);
		if (answer == -ENOSYS) {
			proof.compat_absent = true;
			continue;
		}
		r = kw_backend_stats(b, &after);
		if (r < 0)
			return r;
		/* Our programs must have seen it, and the errno must be theirs. */
		proof.entries[entry] = after.canary[entry] > before.canary[entry] &&
				       (!kw_backend_refuses(b) || answer == KW_CANARY_ERRNO);
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

	b->drained = 0;
	b->handle = handle;
	b->userdata = userdata;
	r = ring_buffer__consume(b->ring);
	b->handle = NULL;
	return r;
}

uint64_t kw_backend_unheard(const struct kw_backend *b)
{
	return b->unheard;
}

uint64_t kw_backend_next_seq(struct kw_backend *b)
{
	__atomic_add_fetch(&b->counters->delivered, 1, __ATOMIC_RELAXED);
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
		.delivered = now->delivered,
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
		sum.suppressed += each[i].suppressed;
		sum.excepted += each[i].excepted;
		sum.unreadable += each[i].unreadable;
		sum.races += each[i].races;
	}
	*ret = sum;
	return 0;
}

uint64_t kw_backend_missed(const struct kw_backend *b)
{
	struct bpf_program *prog;
	uint64_t missed = 0;

	bpf_object__for_each_program (prog, b->skel->obj) {
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

/* Records per system call; the kernel fails if one bucket of its hash holds more. */
#define BATCH 256

/* Visits all records, the canary's not, until a visit fails. Batches do not start anew when a
 * record goes away meanwhile, as bpf_map_get_next_key() does. */
static int each_record(const struct kw_backend *b,
		       int (*visit)(void *userdata, uint64_t key, const struct kw_vm *vm),
		       void *userdata)
{
	_cleanup_free_ struct kw_vm *vms = calloc(BATCH, sizeof(*vms));
	int map = bpf_map__fd(b->skel->maps.vms);
	uint64_t keys[BATCH];
	uint32_t position, count;
	bool first = true, last = false;

	if (!vms)
		return -ENOMEM;
	while (!last) {
		count = BATCH;
		if (bpf_map_lookup_batch(map, first ? NULL : &position, &position, keys, vms,
					 &count, NULL) < 0) {
			if (errno != ENOENT)
				return -errno;
			last = true;
		}
		first = false;
		for (uint32_t i = 0; i < count; i++) {
			int r = vms[i].flags & KW_VM_CANARY ? 0 : visit(userdata, keys[i], &vms[i]);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

struct dropping {
	struct kw_backend *backend;
	void (*gone)(void *userdata, const struct kw_vm *vm);
	void *userdata;
};

/* Removes a record that the last two walks did not meet. */
static int drop_unmet(void *userdata, uint64_t key, const struct kw_vm *vm)
{
	const struct dropping *d = userdata;
	const struct kvmwarden_bpf *skel = d->backend->skel;

	if (skel->bss->kw_sweep - vm->sweep >= 2 &&
	    bpf_map_delete_elem(bpf_map__fd(skel->maps.vms), &key) == 0)
		d->gone(d->userdata, vm);
	return 0;
}

int kw_backend_sweep(struct kw_backend *b, void (*gone)(void *userdata, const struct kw_vm *vm),
		     void *userdata)
{
	struct dropping dropping = {.backend = b, .gone = gone, .userdata = userdata};
	int r;

	b->skel->bss->kw_sweep++;
	r = kw_backend_walk(b);
	if (r < 0 || b->id != KW_BACKEND_TRACEPOINT)
		return r;
	return each_record(b, drop_unmet, &dropping);
}

struct visiting {
	int (*visit)(void *userdata, const struct kw_vm *vm);
	void *userdata;
};

static int visit_vm(void *userdata, uint64_t key, const struct kw_vm *vm)
{
	const struct visiting *v = userdata;

	(void)key;
	return v->visit(v->userdata, vm);
}

int kw_backend_each_vm(struct kw_backend *b, int (*visit)(void *userdata, const struct kw_vm *vm),
		       void *userdata)
{
	struct visiting visiting = {.visit = visit, .userdata = userdata};

	return each_record(b, visit_vm, &visiting);
}
