/* SPDX-License-Identifier: GPL-2.0-only */
/* Brings a backend into the kernel: load, learn, publish, attach, prove, pin. */
#include "backend.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <bpf/bpf.h>

#include "backend-internal.h"
#include "names.h"
#include "pins.h"
#include "util.h"

/* What libbpf complained of last: the tail of its output, kept for error messages. */
static char libbpf_said[256];

static int remember_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[sizeof(libbpf_said)];
	va_list again;

	if (level != LIBBPF_WARN)
		return 0;
	if (getenv("KVMWARDEN_DEBUG")) {
		va_copy(again, args);
		vfprintf(stderr, format, again);
		va_end(again);
	}
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, "libbpf: ", 8) == 0)
		memmove(line, line + 8, strlen(line + 8) + 1);
	/* The log of the verifier is long, and its first lines say what was refused. */
	if (!libbpf_said[0])
		memcpy(libbpf_said, line, sizeof(line));
	return 0;
}

/* Which programs a backend consists of. kw_files, the iterator, belongs to all. */
struct hook {
	const char *program;
	unsigned int backends; /* one bit per enum kw_backend_id */
	enum {
		ALWAYS,
		COMPAT, /* needed only where the kernel has a separate compat hook */
		AFTER, /* looks behind the hooks; without it they are less, but not nothing */
		AFTER_SVM, /* the same, in kvm_amd and below */
	} need;
};

#define TRAMPOLINES (1u << KW_BACKEND_LSM | 1u << KW_BACKEND_FMOD_RET)

static const struct hook hooks[] = {
	/* Births and ends first: a VM made while we attach is then recorded by one or the other. */
	{"kw_vm_init", TRAMPOLINES, ALWAYS},
	{"kw_vm_destroy", TRAMPOLINES, ALWAYS},
	/* These do nothing but for what went through the hooks. */
	{"kw_after_vcpu", TRAMPOLINES, AFTER},
	{"kw_after_regs", TRAMPOLINES, AFTER},
	{"kw_after_sregs", TRAMPOLINES, AFTER},
	{"kw_after_events", TRAMPOLINES, AFTER},
	{"kw_after_fpu", TRAMPOLINES, AFTER},
	{"kw_after_cap", TRAMPOLINES, AFTER},
	{"kw_after_firmware", TRAMPOLINES, AFTER_SVM},
	{"kw_after_encrypt", TRAMPOLINES, AFTER_SVM},
	{"kw_lsm", 1u << KW_BACKEND_LSM, ALWAYS},
	{"kw_lsm_compat", 1u << KW_BACKEND_LSM, COMPAT},
	{"kw_fmod", 1u << KW_BACKEND_FMOD_RET, ALWAYS},
	{"kw_fmod_compat", 1u << KW_BACKEND_FMOD_RET, COMPAT},
	{"kw_tp_enter", 1u << KW_BACKEND_TRACEPOINT, ALWAYS},
	{"kw_tp_exit", 1u << KW_BACKEND_TRACEPOINT, ALWAYS},
};

_Static_assert(KW_ARRAY_SIZE(hooks) <= KW_LINKS_MAX, "room for every link");

static bool hook_wanted(const struct hook *hook, unsigned int id,
			const struct kw_kernel_facts *facts)
{
	if (!(hook->backends & 1u << id))
		return false;
	switch (hook->need) {
	case COMPAT:
		/* Kernels without it pass 32-bit callers through the native hook. */
		return facts->security_file_ioctl_compat != KW_FACT_NO;
	case AFTER_SVM:
		return facts->kvm_amd == KW_FACT_YES;
	case ALWAYS:
	case AFTER:
		break;
	}
	return true;
}

/*
 * Decides which programs are loaded. Of those that look behind the hooks, some
 * are on functions that a compiler may have made vanish.
 */
static void choose_programs(struct kw_backend *b, const struct kw_kernel_facts *facts)
{
	for (size_t i = 0; i < KW_ARRAY_SIZE(hooks); i++) {
		struct bpf_program *prog =
			bpf_object__find_program_by_name(b->skel->obj, hooks[i].program);
		const char *function = strchr(bpf_program__section_name(prog), '/') + 1;
		bool wanted = hook_wanted(&hooks[i], b->id, facts);

		if (wanted && (hooks[i].need == AFTER || hooks[i].need == AFTER_SVM)) {
			wanted = bpf_program__set_attach_target(prog, 0, function) == 0;
			b->watching |= wanted;
			if (!wanted)
				b->unwatched[b->unwatched_count++] = function;
		}
		bpf_program__set_autoload(prog, wanted);
	}
	b->skel->rodata->kw_after = b->watching;
}

/*
 * Events that were numbered, and neither lost nor taken by a daemon: programs had
 * them whose daemon was gone. To be asked before our own programs have any.
 */
static uint64_t find_unheard(const struct kw_backend *b)
{
	struct kw_counters now;

	kw_backend_counters(b, &now);
	return now.seq - now.lost - now.delivered;
}

/*
 * Maps that go on where an earlier daemon's ended: sequence numbers, VM ids, and
 * which VMs are condemned.
 */
static int reuse_shared(struct kw_backend *b, char **reterr)
{
	struct bpf_map *map;
	char path[256];
	int r, fd;

	for (size_t i = 0; kw_pins_shared[i]; i++) {
		snprintf(path, sizeof(path), "%s/%s", KW_PINS, kw_pins_shared[i]);
		map = bpf_object__find_map_by_name(b->skel->obj, kw_pins_shared[i]);
		fd = bpf_obj_get(path);
		r = fd < 0 ? 0 : bpf_map__reuse_fd(map, fd);
		if (fd >= 0)
			close(fd);
		if (r < 0)
			return kw_fail(r, reterr, "%s is not a map of ours: %s; remove it", path,
				       strerror(-r));
	}
	return 0;
}

static int pin_shared(struct kw_backend *b)
{
	char path[256];
	int r;

	for (size_t i = 0; kw_pins_shared[i]; i++) {
		snprintf(path, sizeof(path), "%s/%s", KW_PINS, kw_pins_shared[i]);
		if (access(path, F_OK) == 0)
			continue;
		r = bpf_map__pin(bpf_object__find_map_by_name(b->skel->obj, kw_pins_shared[i]),
				 path);
		if (r < 0)
			return r;
	}
	return 0;
}

static int load(struct kw_backend *b, const struct kw_kernel_facts *facts, bool pin, char **reterr)
{
	int r;

	b->skel = kvmwarden_bpf__open();
	if (!b->skel)
		return kw_fail(-errno, reterr, "cannot open the BPF object: %s", strerror(errno));
	b->skel->rodata->kw_backend = b->id;
	if (getrandom(&b->skel->bss->kw_canary_argument, sizeof(__u32), 0) < 0)
		return kw_fail(-errno, reterr, "no random number: %s", strerror(errno));
	b->skel->rodata->kw_svm = facts->kvm_amd == KW_FACT_YES;
	b->skel->rodata->kw_typed_loads = facts->bpf_rdonly_cast == KW_FACT_YES;
	choose_programs(b, facts);
	r = pin ? reuse_shared(b, reterr) : 0;
	if (r < 0)
		return r;
	libbpf_said[0] = '\0';
	r = kvmwarden_bpf__load(b->skel);
	if (r == -EPERM)
		return kw_fail(r, reterr, KW_REASON_FORBIDDEN);
	if (r < 0)
		return kw_fail(r, reterr, "the kernel refuses to load its programs: %s%s%s",
			       strerror(-r), libbpf_said[0] ? "; libbpf: " : "", libbpf_said);
	b->counters = mmap(NULL, sizeof(*b->counters), PROT_READ | PROT_WRITE, MAP_SHARED,
			   bpf_map__fd(b->skel->maps.counters), 0);
	if (b->counters == MAP_FAILED) {
		b->counters = NULL;
		return kw_fail(-errno, reterr, "cannot map the counters: %s", strerror(errno));
	}
	b->unheard = find_unheard(b);
	return 0;
}

/*
 * Tells the programs who we are, and then which f_ops are KVM's, by looking at
 * files of our own. In this order: programs that an earlier daemon pinned have
 * to know us before we create a VM, which their policies may forbid.
 */
static int learn(struct kw_backend *b, char **reterr)
{
	unsigned int i;
	int r;

	b->skel->data->kw_learn_fds[KW_SCOPE_SYSTEM] = INT_MAX;
	r = kw_backend_walk(b);
	if (r == 0) {
		r = kw_canary_open(&b->canary, reterr);
		if (r < 0)
			return r;
		for (i = 0; i < _KW_SCOPE_MAX; i++)
			b->skel->data->kw_learn_fds[i] = b->canary.fds[i];
		r = kw_backend_walk(b);
	}
	for (i = 0; i < _KW_SCOPE_MAX; i++)
		b->skel->data->kw_learn_fds[i] = -1;
	if (r < 0)
		return kw_fail(r, reterr, "cannot walk over open files with a BPF iterator: %s",
			       strerror(-r));
	for (i = 0; i < KW_SCOPE_DEVICE; i++)
		if (!b->skel->bss->kw_fops[i])
			return kw_fail(-EIO, reterr,
				       "the BPF iterator did not find our own KVM files");
	return 0;
}

static int attach(struct kw_backend *b, char **reterr)
{
	struct bpf_program *prog;
	struct bpf_link *link;

	for (size_t i = 0; i < KW_ARRAY_SIZE(hooks); i++) {
		prog = bpf_object__find_program_by_name(b->skel->obj, hooks[i].program);
		if (!bpf_program__autoload(prog))
			continue;
		link = bpf_program__attach(prog);
		if (!link)
			return kw_fail(-errno, reterr, "cannot attach %s to %s: %s",
				       hooks[i].program, bpf_program__section_name(prog),
				       strerror(errno));
		b->programs[b->link_count] = hooks[i].program;
		b->links[b->link_count++] = link;
	}
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

/* Pins our links, and then takes off those of earlier daemons. */
static int pin_all(struct kw_backend *b, char **reterr)
{
	char path[256];
	int r;

	r = kw_pins_new_epoch(&b->epoch);
	if (r == 0)
		r = pin_shared(b);
	if (r < 0)
		return kw_fail(r, reterr, "cannot pin to %s: %s", KW_PINS, strerror(-r));
	for (size_t i = 0; i < b->link_count; i++) {
		snprintf(path, sizeof(path), "%s/%s", b->epoch, b->programs[i]);
		r = bpf_link__pin(b->links[i], path);
		if (r < 0)
			return kw_fail(r, reterr, "cannot pin %s: %s", path, strerror(-r));
	}
	/* Ours may be the only set left: whatever goes wrong from here on, it stays. */
	b->leftovers = kw_pins_remove_others(b->epoch);
	return 0;
}

bool kw_backend_pinned(const struct kw_backend *b)
{
	char path[256];

	for (size_t i = 0; b->epoch && i < b->link_count; i++) {
		snprintf(path, sizeof(path), "%s/%s", b->epoch, b->programs[i]);
		if (access(path, F_OK) < 0)
			return false;
	}
	return b->epoch != NULL;
}

int kw_backend_leftovers(const struct kw_backend *b)
{
	return b->leftovers;
}

/* Would this backend replace a pinned set that refuses by one that cannot? */
static bool is_step_down(unsigned int id)
{
	static const char *const refusing[] = {"kw_lsm", "kw_fmod"};

	return id == KW_BACKEND_TRACEPOINT &&
	       kw_pins_have_program(refusing, KW_ARRAY_SIZE(refusing));
}

static int on_event(void *context, void *data, size_t size)
{
	struct kw_backend *b = context;

	__atomic_add_fetch(&b->counters->delivered, 1, __ATOMIC_RELAXED);
	if (size >= sizeof(struct kw_event) && b->handle)
		b->handle(b->userdata, data);
	/* Else a caller that is refused all the time would keep us here for ever. */
	return ++b->drained < KW_DRAIN_MAX ? 0 : -EAGAIN;
}

static int bring_up(struct kw_backend *b, const struct kw_kernel_facts *facts,
		    const struct kw_ruleset *rules, bool pin, char **reterr)
{
	int r;

	r = load(b, facts, pin, reterr);
	if (r < 0)
		return r;
	r = learn(b, reterr);
	if (r < 0)
		return r;
	r = kw_backend_publish(b, rules);
	if (r < 0)
		return kw_fail(r, reterr, "cannot publish the rule table: %s", strerror(-r));
	b->ring = ring_buffer__new(bpf_map__fd(b->skel->maps.events), on_event, b, NULL);
	if (!b->ring)
		return kw_fail(-errno, reterr, "cannot map the ring buffer: %s", strerror(errno));
	r = attach(b, reterr);
	if (r < 0)
		return r;
	r = prove(b, reterr);
	if (r < 0)
		return r;
	if (pin) {
		r = pin_all(b, reterr);
		if (r < 0)
			return r;
	}
	__atomic_add_fetch(&b->counters->lost, b->unheard, __ATOMIC_RELAXED);
	return 0;
}

int kw_backend_open(unsigned int id, const struct kw_kernel_facts *facts,
		    const struct kw_ruleset *rules, bool pin, struct kw_backend **ret,
		    char **reterr)
{
	struct kw_backend *b;
	int r;

	if (pin && is_step_down(id))
		return kw_fail(-EBUSY, reterr,
			       "a set that refuses ioctls is pinned, which this backend cannot "
			       "replace; 'kvmwarden unload --yes' ends it");
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->id = id;
	b->canary = KW_CANARY_NONE;
	libbpf_set_print(remember_libbpf);
	r = kw_backend_register_sections();
	if (r == 0)
		r = bring_up(b, facts, rules, pin, reterr);
	if (r < 0) {
		/* Ours only: what an earlier daemon pinned goes on. */
		if (b->epoch)
			kw_pins_remove_epoch(b->epoch);
		kw_backend_free(b);
		return r;
	}
	*ret = b;
	return 0;
}

struct kw_backend *kw_backend_free(struct kw_backend *b)
{
	if (!b)
		return NULL;
	ring_buffer__free(b->ring);
	for (size_t i = 0; i < b->link_count; i++)
		bpf_link__destroy(b->links[i]);
	if (b->counters)
		munmap(b->counters, sizeof(*b->counters));
	kvmwarden_bpf__destroy(b->skel);
	kw_canary_done(&b->canary);
	free(b->epoch);
	free(b);
	return NULL;
}

int kw_backend_unload(struct kw_backend *b)
{
	int r = 0;

	for (size_t i = 0; i < b->link_count; i++)
		bpf_link__detach(b->links[i]);
	if (b->epoch)
		r = kw_pins_remove_all();
	free(b->epoch);
	b->epoch = NULL;
	for (size_t i = 0; i < b->link_count; i++)
		bpf_link__destroy(b->links[i]);
	b->link_count = 0;
	return r;
}
