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
	return b->id != KW_BACKEND_TRACEPOINT;
}

bool kw_backend_sweeps(const struct kw_backend *b)
{
	return b->id == KW_BACKEND_TRACEPOINT || b->id == KW_BACKEND_SECCOMP;
}

/* Of whose calls, for VMs that cannot be sealed: KW_CONCERNS_*. */
static __u8 concerns_of(const struct kw_table *table, unsigned int operation, unsigned int state)
{
	__u8 concerns = 0;

	for (uint32_t type = KW_TYPE_DEFAULT; type <= KW_TYPE_SEV; type++)
		if (kw_ruleset_concerns(table, operation, state, type))
			concerns |= KW_CONCERNS_DEFAULT << type;
	return concerns;
}

/* Which calls of this ioctl have to be looked at: enum kw_interest. */
static __u8 interest_in(const struct kw_table *table, const struct kw_slot *slot)
{
	uint16_t sync = table->members[KW_FAMILY_RUN][KW_MEMBER_SYNC_REGS];
	__u8 concerns = concerns_of(table, slot->operation, KW_STATE_BUILDING);

	/*
	 * Of KVM_RUN nothing is named in memory but whether there are registers. Those that a
	 * policy refuses to a sealed vCPU after.h has to know of: a context that is moved to
	 * this VM seals it while the call waits.
	 */
	if (slot->command == KW_CMD_RUN) {
		concerns |= concerns_of(table, sync, KW_STATE_BUILDING);
		concerns |= concerns_of(table, sync, KW_STATE_SEALED);
		if (kw_ruleset_has_verdict(table, slot->operation))
			return KW_INTERESTING_YES | concerns;
		return kw_ruleset_has_verdict(table, sync) ? KW_INTERESTING_DIRTY | concerns : 0;
	}
	/* What is asked for is in memory, or it is no operation of anybody's. */
	if (slot->family || slot->operation == KW_OP_CANARY)
		concerns = KW_CONCERNS_ALL;
	return KW_INTERESTING_YES | concerns;
}

int kw_backend_find_btf(struct kw_backend *b)
{
	struct bpf_map_info like = {};
	__u32 len = sizeof(like);

	if (bpf_obj_get_info_by_fd(b->maps[KW_MAP_EMPTY_TABLE], &like, &len) < 0)
		return -errno;
	b->table_btf = bpf_btf_get_fd_by_id(like.btf_id);
	return b->table_btf < 0 ? -errno : 0;
}

/* A table as an inner map: *ret is its descriptor. */
static int make_table(const struct kw_backend *b, const struct kw_ruleset *rules, int *ret)
{
	struct bpf_map_info like = {};
	__u32 len = sizeof(like), zero = 0;
	LIBBPF_OPTS(bpf_map_create_opts, options);
	_cleanup_close_ int fd = -1;

	/* Kernels before 6.2 take a map without type information for one of another kind. */
	if (bpf_obj_get_info_by_fd(b->maps[KW_MAP_EMPTY_TABLE], &like, &len) < 0)
		return -errno;
	options.btf_fd = b->table_btf;
	options.btf_key_type_id = like.btf_key_type_id;
	options.btf_value_type_id = like.btf_value_type_id;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "kw_table", sizeof(zero), sizeof(*rules->table), 1,
			    &options);
	if (fd < 0 || bpf_map_update_elem(fd, &zero, rules->table, BPF_ANY) < 0 ||
	    bpf_map_freeze(fd) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

/*
 * The order matters: the table is complete before it is in force, and the quick
 * way out of the hooks (kw_interesting) covers the old and the new table while
 * they change places. The update of the outer map returns when no program can
 * still be using the old table.
 */
int kw_backend_publish(struct kw_backend *b, const struct kw_ruleset *rules)
{
	volatile __u8 *interesting = b->plain ? NULL : b->bss->kw_interesting;
	__u8 wanted[256] = {};
	_cleanup_close_ int fd = -1;
	__u32 zero = 0;
	size_t i;
	int r;

	if (b->plain) {
		kw_plain_publish(b->plain, 0, rules);
		return 0;
	}
	r = make_table(b, rules, &fd);
	if (r < 0)
		return r;
	for (i = 0; i < KW_SLOTS; i++)
		if (rules->table->slots[i].command)
			wanted[rules->table->slots[i].command & 0xff] |=
				interest_in(rules->table, &rules->table->slots[i]);
	for (i = 0; i < KW_ARRAY_SIZE(wanted); i++)
		interesting[i] |= wanted[i];
	if (bpf_map_update_elem(b->maps[KW_MAP_TABLES], &zero, &fd, BPF_ANY) < 0)
		return -errno;
	for (i = 0; i < KW_ARRAY_SIZE(wanted); i++)
		interesting[i] = wanted[i];
	b->counters->generation = rules->generation;
	return 0;
}

int kw_backend_publish_set(struct kw_backend *b, uint32_t set, const struct kw_ruleset *rules)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (b->plain) {
		kw_plain_publish(b->plain, set, rules);
		return 0;
	}
	if (!rules)
		return bpf_map_delete_elem(b->maps[KW_MAP_TABLES], &set) < 0 ? -errno : 0;
	r = make_table(b, rules, &fd);
	if (r < 0)
		return r;
	if (bpf_map_update_elem(b->maps[KW_MAP_TABLES], &set, &fd, BPF_ANY) < 0)
		return -errno;
	b->counters->generation = rules->generation;
	return 0;
}

/* Issues the canary ioctl, in the way that this backend should answer. */
static int sing(struct kw_backend *b, unsigned int entry)
{
	if (b->id == KW_BACKEND_SECCOMP)
		return kw_backend_sing_filtered(b, entry);
	return kw_canary_sing(&b->canary, entry, b->bss->kw_canary_argument);
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
		answer = sing(b, entry);
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
	return b->plain ? kw_plain_events_fd(b->plain) : ring_buffer__epoll_fd(b->ring);
}

int kw_backend_drain(struct kw_backend *b,
		     void (*handle)(void *userdata, const struct kw_event *event), void *userdata)
{
	int r;

	if (b->plain)
		return kw_plain_drain(b->plain, handle, userdata);
	b->drained = 0;
	b->handle = handle;
	b->userdata = userdata;
	r = ring_buffer__consume(b->ring);
	kw_backend_count_taken(b);
	b->handle = NULL;
	return r;
}

void kw_backend_settle(struct kw_backend *b)
{
	__atomic_store_n(&b->counters->pending, 0, __ATOMIC_RELAXED);
}

/* What an earlier daemon had taken when it was killed. Once, at start. */
void kw_backend_book_killed(struct kw_backend *b)
{
	b->counters->lost[KW_LOSS_KILLED] +=
		__atomic_exchange_n(&b->counters->pending, 0, __ATOMIC_RELAXED);
}

/*
 * A set that was replaced may have had events until its programs were gone, which
 * takes the kernel a moment: this is asked again and again, and books what is new.
 */
void kw_backend_book_losses(struct kw_backend *b)
{
	for (unsigned int i = 0; i < KW_FEEDS; i++)
		if (i != b->mark.feed)
			kw_backend_book_feed(b, i);
}

void kw_backend_book_feed(struct kw_backend *b, unsigned int number)
{
	struct kw_feed *feed = &b->counters->feeds[number];
	uint64_t unread = __atomic_load_n(&feed->written, __ATOMIC_RELAXED) - feed->delivered;

	feed->delivered += unread;
	b->counters->lost[KW_LOSS_NO_DAEMON] += unread;
}

void kw_backend_book_unwritten(struct kw_backend *b, uint64_t count)
{
	b->counters->lost[KW_LOSS_UNWRITTEN] += count;
}

/* Beside the one that is known, and then in its place: we may be killed at any moment. */
void kw_backend_remember_chain(struct kw_backend *b, const struct kw_chain *head)
{
	uint64_t slot = b->counters->chain == 1 ? 2 : 1;

	memcpy(b->counters->chains[slot - 1], head, sizeof(*head));
	__atomic_store_n(&b->counters->chain, slot, __ATOMIC_RELEASE);
}

bool kw_counters_chain(const struct kw_counters *counters, struct kw_chain *ret)
{
	if (counters->chain != 1 && counters->chain != 2)
		return false;
	memcpy(ret, counters->chains[counters->chain - 1], sizeof(*ret));
	return true;
}

_Static_assert(sizeof(struct kw_chain) == 32, "a chain's head is a SHA-256");

uint64_t kw_backend_untold(const struct kw_backend *b, enum kw_loss loss)
{
	return __atomic_load_n(&b->counters->lost[loss], __ATOMIC_RELAXED) -
	       b->counters->told[loss];
}

void kw_backend_told(struct kw_backend *b, enum kw_loss loss, uint64_t count)
{
	b->counters->told[loss] += count;
}

uint64_t kw_backend_next_seq(struct kw_backend *b)
{
	__atomic_add_fetch(&b->counters->pending, 1, __ATOMIC_RELAXED);
	return __atomic_add_fetch(&b->counters->seq, 1, __ATOMIC_RELAXED);
}

void kw_backend_counters(const struct kw_backend *b, struct kw_counters *ret)
{
	memcpy(ret, b->counters, sizeof(*ret));
}

int kw_backend_stats_by_cpu(const struct kw_backend *b, struct kw_stats **ret)
{
	int cpus = b->plain ? 1 : libbpf_num_possible_cpus();
	_cleanup_free_ struct kw_stats *each = NULL;
	__u32 zero = 0;

	if (cpus < 0)
		return cpus;
	each = calloc(cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	if (b->plain)
		kw_plain_stats(b->plain, each);
	else if (bpf_map_lookup_elem(b->maps[KW_MAP_STATS], &zero, each) < 0)
		return -errno;
	*ret = TAKE_PTR(each);
	return cpus;
}

static void add_stats(struct kw_stats *sum, const struct kw_stats *each)
{
	sum->checked += each->checked;
	sum->adopted += each->adopted;
	for (unsigned int entry = 0; entry < _KW_ENTRY_MAX; entry++)
		sum->canary[entry] += each->canary[entry];
	sum->suppressed += each->suppressed;
	sum->excepted += each->excepted;
	sum->unreadable += each->unreadable;
	sum->races += each->races;
	sum->lost += each->lost;
}

int kw_backend_stats(const struct kw_backend *b, struct kw_stats *ret)
{
	_cleanup_free_ struct kw_stats *each = NULL;
	struct kw_stats sum = {};
	int cpus;

	cpus = kw_backend_stats_by_cpu(b, &each);
	if (cpus < 0)
		return cpus;
	for (int i = 0; each && i < cpus; i++)
		add_stats(&sum, &each[i]);
	*ret = sum;
	return 0;
}

size_t kw_backend_programs(const struct kw_backend *b,
			   struct kw_program ret[static KW_PROGRAMS_MAX])
{
	for (size_t i = 0; i < b->link_count; i++) {
		struct bpf_prog_info info = {};
		__u32 len = sizeof(info);

		if (bpf_obj_get_info_by_fd(b->programs[i], &info, &len) < 0)
			info = (struct bpf_prog_info){};
		ret[i] = (struct kw_program){
			.name = b->names[i],
			.runs = info.run_cnt,
			.ns = info.run_time_ns,
			.missed = info.recursion_misses,
		};
	}
	return b->link_count;
}

int kw_backend_iterate(int program, const struct bpf_link_create_opts *options)
{
	_cleanup_close_ int link = -1, fd = -1;
	char buffer[64];
	ssize_t n;

	link = bpf_link_create(program, 0, BPF_TRACE_ITER, options);
	if (link < 0)
		return -errno;
	fd = bpf_iter_create(link);
	if (fd < 0)
		return -errno;
	/* The program writes nothing: reading to the end is what makes it run. */
	do
		n = read(fd, buffer, sizeof(buffer));
	while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	return n < 0 ? -errno : 0;
}

int kw_backend_walk(struct kw_backend *b)
{
	return kw_backend_iterate(b->walker, NULL);
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
	int map = b->maps[KW_MAP_VMS];
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
	uint32_t walks; /* so many in a row it must have been missed by */
};

/* Removes a record that the last walks did not meet. */
static int drop_unmet(void *userdata, uint64_t key, const struct kw_vm *vm)
{
	const struct dropping *d = userdata;
	struct kw_backend *b = d->backend;

	if (b->bss->kw_sweep - vm->sweep < d->walks ||
	    bpf_map_delete_elem(b->maps[KW_MAP_VMS], &key) < 0)
		return 0;
	__atomic_sub_fetch(&b->bss->kw_vms, 1, __ATOMIC_RELAXED);
	d->gone(d->userdata, vm);
	return 0;
}

int kw_backend_sweep(struct kw_backend *b, void (*gone)(void *userdata, const struct kw_vm *vm),
		     void *userdata)
{
	struct dropping dropping = {.backend = b, .gone = gone, .userdata = userdata, .walks = 2};
	int r;

	/* They end with their launches. */
	if (b->plain)
		return 0;
	b->bss->kw_sweep++;
	r = kw_backend_walk(b);
	if (r < 0 || !kw_backend_sweeps(b))
		return r;
	if (b->id == KW_BACKEND_SECCOMP)
		return kw_backend_drop_ended(b, gone, userdata);
	return each_record(b, drop_unmet, &dropping);
}

int kw_backend_drop_ended(struct kw_backend *b,
			  void (*gone)(void *userdata, const struct kw_vm *vm), void *userdata)
{
	const struct kw_inquiry inquiry = {.tid = (uint32_t)gettid(), .kind = KW_INQUIRY_MARK};
	struct dropping dropping = {.backend = b, .gone = gone, .userdata = userdata, .walks = 1};
	struct kw_ruling ruling;
	int r;

	/* They end with their launches. */
	if (b->plain)
		return 0;
	b->bss->kw_sweep++;
	r = kw_backend_judge(b, &inquiry, NULL, &ruling);
	if (r < 0 || !ruling.given)
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

	if (b->plain)
		return kw_plain_each_vm(b->plain, visit, userdata);
	return each_record(b, visit_vm, &visiting);
}
