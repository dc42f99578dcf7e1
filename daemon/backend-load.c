/* SPDX-License-Identifier: GPL-2.0-only */
/* Loads and attaches a set of programs. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include <bpf/bpf.h>

#include "backend-internal.h"
#include "kvmwarden.object.h"
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

const char *kw_libbpf_said(void)
{
	return libbpf_said;
}

void kw_libbpf_listen(void)
{
	libbpf_set_print(remember_libbpf);
	libbpf_said[0] = '\0';
}

/* Those that refuse by themselves have nothing to be asked. */
bool kw_backend_has_judge(unsigned int id)
{
	return id == KW_BACKEND_TRACEPOINT || id == KW_BACKEND_SECCOMP;
}

/* Which programs a backend attaches. kw_files, the iterator, belongs to all. */
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

const char *kw_backend_hook(unsigned int bit)
{
	return bit < KW_ARRAY_SIZE(hooks) ? hooks[bit].program : NULL;
}

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

static struct bpf_program *program_of(const struct kw_backend *b, const struct hook *hook)
{
	return bpf_object__find_program_by_name(b->skel->obj, hook->program);
}

static const char *function_of(const struct bpf_program *prog)
{
	return strchr(bpf_program__section_name(prog), '/') + 1;
}

static bool is_optional(const struct hook *hook)
{
	return hook->need == AFTER || hook->need == AFTER_SVM;
}

/*
 * Decides which programs are loaded. Of those that look behind the hooks, some
 * are on functions that a compiler may have made vanish.
 */
static int choose_programs(struct kw_backend *b, char **reterr)
{
	int r;

	bpf_program__set_autoload(b->skel->progs.kw_judge, kw_backend_has_judge(b->id));
	for (size_t i = 0; i < KW_ARRAY_SIZE(hooks); i++) {
		struct bpf_program *prog = program_of(b, &hooks[i]);
		bool wanted = b->wanted & 1ull << i;

		if (wanted && is_optional(&hooks[i])) {
			r = bpf_program__set_attach_target(prog, 0, function_of(prog));
			if (r < 0 && r != -ESRCH && r != -ENOENT)
				return kw_fail(r, reterr, "cannot look for %s in the kernel: %s",
					       function_of(prog), strerror(-r));
			wanted = r == 0;
			if (wanted)
				b->mark.flags |= KW_MARK_AFTER;
		}
		bpf_program__set_autoload(prog, wanted);
		if (wanted)
			b->mark.hooks |= 1ull << i;
	}
	return 0;
}

bool kw_backend_hooks_fit(const struct kw_backend *b, uint64_t there)
{
	uint64_t needed = 0;

	/* The functions behind the hooks are those of the kernel that runs, now as then. */
	for (size_t i = 0; i < KW_ARRAY_SIZE(hooks); i++)
		if (!is_optional(&hooks[i]))
			needed |= b->wanted & 1ull << i;
	return (needed & ~there) == 0 && (there & ~b->wanted) == 0;
}

void kw_backend_note_unwatched(struct kw_backend *b)
{
	for (size_t i = 0; i < KW_ARRAY_SIZE(hooks); i++) {
		char *name = b->unwatched_names[b->unwatched_count];

		if (!(b->wanted & ~b->mark.hooks & 1ull << i))
			continue;
		/* The object goes, the name stays. */
		snprintf(name, sizeof(b->unwatched_names[0]), "%s",
			 function_of(program_of(b, &hooks[i])));
		b->unwatched[b->unwatched_count++] = name;
	}
}

/* libbpf has errors of its own, above those of the system. */
static const char *reason(int error)
{
	static char text[128];

	libbpf_strerror(error, text, sizeof(text));
	return text;
}

int kw_backend_prepare(struct kw_backend *b, const struct kw_kernel_facts *facts,
		       const struct kw_backend_wish *wish, char **reterr)
{
	int r;

	/* Taken for absent, its VMs would be taken for plain ones, and less would be looked at. */
	if (facts->kvm_amd == KW_FACT_UNKNOWN)
		return kw_fail(-EIO, reterr, "cannot find out whether kvm_amd is loaded");
	r = kw_backend_register_sections();
	if (r < 0)
		return r;
	kw_libbpf_listen();
	b->skel = kvmwarden_bpf__open();
	if (!b->skel)
		return kw_fail(-errno, reterr, "cannot open the BPF object: %s", reason(-errno));
	b->mark = (struct kw_mark){.backend = b->id, .vms_max = wish->vms_max};
	_Static_assert(sizeof(KW_OBJECT_SHA256) == sizeof(b->mark.object) + 1, "64 digits");
	memcpy(b->mark.object, KW_OBJECT_SHA256, sizeof(b->mark.object));
	snprintf(b->mark.version, sizeof(b->mark.version), "%s", KW_VERSION);
	if (facts->kvm_amd == KW_FACT_YES)
		b->mark.flags |= KW_MARK_SVM;
	if (facts->bpf_rdonly_cast == KW_FACT_YES)
		b->mark.flags |= KW_MARK_TYPED_LOADS;
	for (size_t i = 0; i < KW_ARRAY_SIZE(hooks); i++)
		if (hook_wanted(&hooks[i], b->id, facts))
			b->wanted |= 1ull << i;
	return 0;
}

struct bpf_map *kw_backend_map_of(const struct kw_backend *b, enum kw_map map)
{
	/* libbpf prefixes these two with the object's name. */
	if (map == KW_MAP_BSS)
		return b->skel->maps.bss;
	if (map == KW_MAP_DATA)
		return b->skel->maps.data;
	return bpf_object__find_map_by_name(b->skel->obj, kw_map_names[map]);
}

/*
 * Maps that go on where an earlier daemon's ended: sequence numbers, VM ids, and
 * which VMs are condemned.
 */
static int reuse_shared(struct kw_backend *b, char **reterr)
{
	char path[KW_PIN_PATH_MAX];
	int r, fd;

	for (enum kw_map i = 0; i < KW_MAP_OWN; i++) {
		snprintf(path, sizeof(path), "%s/%s", KW_PINS, kw_map_names[i]);
		fd = bpf_obj_get(path);
		/* Any other reason would leave us with a map that the pinned programs do not use. */
		if (fd < 0 && errno != ENOENT)
			return kw_fail(-errno, reterr, "cannot use %s: %s", path, strerror(errno));
		r = fd < 0 ? 0 : bpf_map__reuse_fd(kw_backend_map_of(b, i), fd);
		if (fd >= 0)
			close(fd);
		if (r < 0)
			return kw_fail(r, reterr, "%s is not a map of ours: %s; remove it", path,
				       strerror(-r));
	}
	return 0;
}

/* Takes the descriptors out of libbpf's hands. */
static int take_maps(struct kw_backend *b)
{
	for (enum kw_map i = 0; i < _KW_MAP_MAX; i++) {
		b->maps[i] = fcntl(bpf_map__fd(kw_backend_map_of(b, i)), F_DUPFD_CLOEXEC, 3);
		if (b->maps[i] < 0)
			return -errno;
	}
	/* Of all that have no writer but programs: no process is to write to them. */
	if (bpf_map_freeze(b->maps[KW_MAP_EMPTY_TABLE]) < 0 ||
	    bpf_map_freeze(b->maps[KW_MAP_STATS]) < 0)
		return -errno;
	b->walker = fcntl(bpf_program__fd(b->skel->progs.kw_files), F_DUPFD_CLOEXEC, 3);
	if (b->walker < 0)
		return -errno;
	if (!kw_backend_has_judge(b->id))
		return 0;
	b->judge = fcntl(bpf_program__fd(b->skel->progs.kw_judge), F_DUPFD_CLOEXEC, 3);
	return b->judge < 0 ? -errno : 0;
}

int kw_backend_load(struct kw_backend *b, bool pin, char **reterr)
{
	int r;

	r = choose_programs(b, reterr);
	if (r < 0)
		return r;
	b->mark.attached_ns = kw_clock_ns(CLOCK_REALTIME);
	b->skel->rodata->kw_backend = b->id;
	b->skel->rodata->kw_after = b->mark.flags & KW_MARK_AFTER;
	b->skel->rodata->kw_svm = b->mark.flags & KW_MARK_SVM;
	b->skel->rodata->kw_typed_loads = b->mark.flags & KW_MARK_TYPED_LOADS;
	b->skel->rodata->kw_vms_max = b->mark.vms_max;
	r = bpf_map__set_max_entries(b->skel->maps.vms, b->mark.vms_max + KW_VMS_SPARE);
	if (r == 0 && pin) {
		r = kw_pins_new_epoch(&b->epoch, &b->mark.feed);
		if (r < 0)
			return kw_fail(r, reterr, "cannot make a directory in %s: %s", KW_PINS,
				       strerror(-r));
		b->mark.feed %= KW_FEEDS;
		b->skel->rodata->kw_feed = b->mark.feed;
		r = reuse_shared(b, reterr);
	}
	if (r < 0)
		return r;
	r = kvmwarden_bpf__load(b->skel);
	if (r == -EPERM)
		return kw_fail(r, reterr, KW_REASON_FORBIDDEN);
	if (r < 0)
		return kw_fail(r, reterr, "the kernel refuses to load its programs: %s%s%s",
			       reason(r), *kw_libbpf_said() ? "; libbpf: " : "", kw_libbpf_said());
	r = take_maps(b);
	return r < 0 ? kw_fail(r, reterr, "cannot hold the maps: %s", strerror(-r)) : 0;
}

int kw_backend_attach(struct kw_backend *b, char **reterr)
{
	struct bpf_program *prog;
	struct bpf_link *link;
	size_t n;

	for (size_t i = 0; i < KW_ARRAY_SIZE(hooks); i++) {
		if (!(b->mark.hooks & 1ull << i))
			continue;
		prog = bpf_object__find_program_by_name(b->skel->obj, hooks[i].program);
		link = bpf_program__attach(prog);
		if (!link)
			return kw_fail(-errno, reterr, "cannot attach %s to %s: %s",
				       hooks[i].program, bpf_program__section_name(prog),
				       strerror(errno));
		n = b->link_count++;
		b->names[n] = hooks[i].program;
		b->links[n] = fcntl(bpf_link__fd(link), F_DUPFD_CLOEXEC, 3);
		b->programs[n] = fcntl(bpf_program__fd(prog), F_DUPFD_CLOEXEC, 3);
		bpf_link__destroy(link);
		if (b->links[n] < 0 || b->programs[n] < 0)
			return kw_fail(-errno, reterr, "cannot hold %s: %s", hooks[i].program,
				       strerror(errno));
	}
	return 0;
}
