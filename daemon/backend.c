/* SPDX-License-Identifier: GPL-2.0-only */
/* Brings a backend into force: adopt or load, learn, publish, attach, prove, pin. */
#include "backend.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/random.h>

#include "backend-internal.h"
#include "pins.h"
#include "util.h"

/*
 * Tells the programs who we are, and then which f_ops are KVM's, by looking at
 * files of our own. In this order: programs that an earlier daemon pinned have
 * to know us before we create a VM, which their policies may forbid.
 */
static int learn(struct kw_backend *b, char **reterr)
{
	unsigned int i;
	int r;

	b->data->kw_learn_fds[KW_SCOPE_SYSTEM] = INT_MAX;
	r = kw_backend_walk(b);
	if (r == 0) {
		r = kw_canary_open(&b->canary, reterr);
		if (r == 0) {
			for (i = 0; i < _KW_SCOPE_MAX; i++)
				b->data->kw_learn_fds[i] = b->canary.fds[i];
			r = kw_backend_walk(b);
		}
	}
	for (i = 0; i < _KW_SCOPE_MAX; i++)
		b->data->kw_learn_fds[i] = -1;
	if (r < 0)
		return *reterr ? r
			       : kw_fail(r, reterr,
					 "cannot walk over open files with a BPF iterator: %s",
					 strerror(-r));
	for (i = 0; i < KW_SCOPE_DEVICE; i++)
		if (!b->bss->kw_fops[i])
			return kw_fail(-EIO, reterr,
				       "the BPF iterator did not find our own KVM files");
	return 0;
}

static int prove(struct kw_backend *b, char **reterr)
{
	struct kw_proof proof;
	int r;

	r = kw_backend_prove(b, &proof);
	if (r < 0)
		return kw_fail(r, reterr, "the proof could not be tried: %s", strerror(-r));
	if (proof.passed)
		return 0;
	if (b->id == KW_BACKEND_LSM && !proof.entries[KW_ENTRY_NATIVE])
		return kw_fail(
			-EOPNOTSUPP, reterr,
			"it attached and refused nothing: 'bpf' is not in the kernel's lsm= list");
	return kw_fail(-EOPNOTSUPP, reterr,
		       "it attached, but our canary ioctl was not %s by the %s entry",
		       kw_backend_refuses(b) ? "refused" : "seen",
		       proof.entries[KW_ENTRY_NATIVE] ? "32-bit" : "native");
}

/* Would this backend replace a pinned set that refuses by one that cannot? 1, 0, or -errno. */
static int is_step_down(unsigned int id)
{
	static const char *const refusing[] = {"kw_lsm", "kw_fmod"};

	return id == KW_BACKEND_TRACEPOINT ? kw_pins_have_program(refusing, KW_ARRAY_SIZE(refusing))
					   : 0;
}

/*
 * An event that libbpf has moved on from is out of the ring. Not before: a daemon that is
 * killed in the callback leaves it there, and the next one would count it a second time.
 */
void kw_backend_count_taken(struct kw_backend *b)
{
	__atomic_add_fetch(&b->counters->feeds[b->mark.feed].delivered, b->taken, __ATOMIC_RELAXED);
	b->taken = 0;
}

static int on_event(void *context, void *data, size_t size)
{
	struct kw_backend *b = context;

	kw_backend_count_taken(b);
	b->taken = 1;
	__atomic_add_fetch(&b->counters->pending, 1, __ATOMIC_RELAXED);
	if (size >= sizeof(struct kw_event) && b->handle)
		b->handle(b->userdata, data);
	/* Else a caller that is refused all the time would keep us here for ever. */
	return ++b->drained < KW_DRAIN_MAX ? 0 : -EAGAIN;
}

/* What both a set that was loaded and one that was adopted need before they are fed. */
static int make_ready(struct kw_backend *b, const struct kw_backend_wish *wish, char **reterr)
{
	int r;

	r = kw_backend_map_memory(b, reterr);
	if (r < 0)
		return r;
	if (getrandom(&b->bss->kw_canary_argument, sizeof(__u32), 0) < 0)
		return kw_fail(-errno, reterr, "no random number: %s", strerror(errno));
	r = learn(b, reterr);
	if (r < 0)
		return r;
	r = kw_backend_find_btf(b);
	if (r < 0)
		return kw_fail(r, reterr, "cannot find the type of a rule table: %s", strerror(-r));
	b->ring = ring_buffer__new(b->maps[KW_MAP_EVENTS], on_event, b, NULL);
	if (!b->ring)
		return kw_fail(-errno, reterr, "cannot map the ring buffer: %s", strerror(errno));
	b->bss->kw_full_refuses = wish->full_refuses;
	return 0;
}

static void step_back(struct kw_backend *b)
{
	ring_buffer__free(b->ring);
	b->ring = NULL;
	kw_canary_done(&b->canary);
	kw_backend_plain_done(b);
	free(b->trial_filter.filter);
	b->trial_filter.filter = NULL;
	kw_backend_let_go(b);
	free(b->epoch);
	b->epoch = NULL;
	b->adopted = false;
}

/* Takes over the set that is pinned, if it is the one we would load and it answers. */
static bool adopt(struct kw_backend *b, const struct kw_backend_wish *wish)
{
	const struct kw_mark mark = b->mark;
	_cleanup_free_ char *why = NULL;

	if (kw_backend_adopt(b) <= 0)
		return false;
	if (make_ready(b, wish, &why) == 0 && prove(b, &why) == 0)
		return true;
	step_back(b);
	b->mark = mark;
	return false;
}

static int publish(struct kw_backend *b, struct kw_ruleset *rules, char **reterr)
{
	int r;

	/* Records remember what matches by generation: no two tables may have the same. */
	kw_ruleset_renumber(rules, b->counters->generation + 1);
	r = kw_backend_publish(b, rules);
	return r < 0 ? kw_fail(r, reterr, "cannot publish the rule table: %s", strerror(-r)) : 0;
}

/* A new set: it is attached, proved and pinned before older ones are let go. */
static int load(struct kw_backend *b, struct kw_ruleset *rules, const struct kw_backend_wish *wish,
		char **reterr)
{
	int r;

	r = kw_backend_load(b, wish->pin, reterr);
	if (r < 0)
		return r;
	r = make_ready(b, wish, reterr);
	if (r < 0)
		return r;
	/* None of our programs has written anything yet. */
	kw_backend_book_feed(b, b->mark.feed);
	r = publish(b, rules, reterr);
	if (r < 0)
		return r;
	r = kw_backend_attach(b, reterr);
	if (r < 0)
		return r;
	r = prove(b, reterr);
	if (r < 0)
		return r;
	return wish->pin ? kw_backend_pin(b, reterr) : 0;
}

static int bring_up(struct kw_backend *b, const struct kw_kernel_facts *facts,
		    struct kw_ruleset *rules, const struct kw_backend_wish *wish, char **reterr)
{
	int r;

	r = kw_backend_prepare(b, facts, wish, reterr);
	if (r < 0)
		return r;
	if (wish->pin && adopt(b, wish))
		r = publish(b, rules, reterr);
	else
		r = load(b, rules, wish, reterr);
	if (r < 0)
		return r;
	kw_backend_note_unwatched(b);
	/* All that is needed from here on is held by descriptors. */
	kvmwarden_bpf__destroy(b->skel);
	b->skel = NULL;
	/* Ours may be the only set left: whatever goes wrong from here on, it stays. */
	if (wish->pin)
		b->leftovers = kw_pins_remove_others(b->epoch);
	kw_backend_book_killed(b);
	return 0;
}

/* Nothing of it, held by nothing. */
static struct kw_backend *make(unsigned int id)
{
	struct kw_backend *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->id = id;
	b->canary = KW_CANARY_NONE;
	b->walker = -1;
	b->judge = -1;
	b->table_btf = -1;
	for (enum kw_map i = 0; i < _KW_MAP_MAX; i++)
		b->maps[i] = -1;
	return b;
}

/* With BPF programs. On failure nothing of ours is left: what an earlier daemon pinned goes on. */
static int open_loaded(unsigned int id, const struct kw_kernel_facts *facts,
		       struct kw_ruleset *rules, const struct kw_backend_wish *wish,
		       struct kw_backend **ret, char **reterr)
{
	struct kw_backend *b = make(id);
	int r;

	if (!b)
		return -ENOMEM;
	r = bring_up(b, facts, rules, wish, reterr);
	if (r < 0) {
		if (b->epoch && !b->adopted) {
			kw_pins_remove_epoch(b->epoch);
			kw_pins_forget_shared();
		}
		kw_backend_free(b);
		return r;
	}
	*ret = b;
	return 0;
}

static int open_plain(const char *why, struct kw_ruleset *rules, const struct kw_backend_wish *wish,
		      struct kw_backend **ret, char **reterr)
{
	struct kw_backend *b = make(KW_BACKEND_SECCOMP);
	int r;

	if (!b)
		return -ENOMEM;
	r = kw_backend_make_plain(b, why, rules, wish, reterr);
	if (r < 0) {
		kw_backend_free(b);
		return r;
	}
	*ret = b;
	return 0;
}

int kw_backend_open(unsigned int id, const struct kw_kernel_facts *facts, struct kw_ruleset *rules,
		    const struct kw_backend_wish *wish, struct kw_backend **ret, char **reterr)
{
	_cleanup_free_ char *answer = NULL;
	const char *predicted;
	int r;

	if (id == KW_BACKEND_SECCOMP && wish->no_bpf)
		return open_plain(wish->no_bpf, rules, wish, ret, reterr);
	r = wish->pin ? is_step_down(id) : 0;
	if (r < 0)
		return kw_fail(r, reterr, "cannot look at %s: %s", KW_PINS, strerror(-r));
	if (r > 0)
		return kw_fail(-EBUSY, reterr,
			       "a set that refuses ioctls is pinned, which this backend cannot "
			       "replace; 'kvmwarden unload --yes' ends it");
	r = open_loaded(id, facts, rules, wish, ret, &answer);
	if (r < 0 && id == KW_BACKEND_SECCOMP && !kw_is_shortage(r)) {
		predicted = kw_kernel_facts_no_bpf(facts);
		return open_plain(predicted ?: answer ?: strerror(-r), rules, wish, ret, reterr);
	}
	if (r < 0)
		*reterr = TAKE_PTR(answer);
	return r;
}

struct kw_backend *kw_backend_free(struct kw_backend *b)
{
	if (!b)
		return NULL;
	step_back(b);
	kvmwarden_bpf__destroy(b->skel);
	free(b);
	return NULL;
}

int kw_backend_unload(struct kw_backend *b)
{
	int r = b->epoch ? kw_pins_remove_all() : 0;

	free(b->epoch);
	b->epoch = NULL;
	kw_backend_detach(b);
	return r;
}

int kw_backend_leftovers(const struct kw_backend *b)
{
	return b->leftovers;
}

bool kw_backend_adopted(const struct kw_backend *b)
{
	return b->adopted;
}

const struct kw_mark *kw_backend_mark(const struct kw_backend *b)
{
	return &b->mark;
}

int kw_backend_link(const struct kw_backend *b, size_t n)
{
	return n < b->link_count ? b->links[n] : -1;
}
