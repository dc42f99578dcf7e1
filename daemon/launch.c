/* SPDX-License-Identifier: GPL-2.0-only */
/* One VMM under a seccomp filter of ours: its notifications, and what was let pass of them. */
#define _GNU_SOURCE 1
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#include "task.h"
#include "util.h"

/*
 * Theory of operation
 *
 * An ioctl that is let pass is carried out some time after our answer: how long after is
 * up to the scheduler, and so to whoever runs the process. If its process could get
 * another VM, another vCPU, or a seal in the meantime, and make the descriptor
 * stand for that, it would be carried out on something that nobody decided about. So there
 * are two kinds. Ioctls that are decided about (users) exclude those that change what
 * there is to decide about (changers), as readers exclude writers: while one of one kind
 * may still be under way, one of the other kind waits. Those of one kind do not.
 *
 * When is an ioctl over? seccomp does not tell. Its thread's registers do: they are those
 * at the entry of the last system call until the next one, or an interrupt of user mode,
 * which comes with each tick. And a thread that asks again is done with what it asked
 * before. A VMM's threads do not notice any of it: none that we know of does both at once.
 *
 * Without BPF less is known, and less changes: the types that were asked for are what is decided
 * about, so KVM_CREATE_VM is the only changer, and only if nothing like it was asked for
 * before. What it adds is known from the moment it is let pass, so users need not wait for
 * it; it waits for those that were let pass before.
 * There, registers are shown of threads that sleep only; one that runs is taken to be in
 * its ioctl still, unless it has been in a guest since.
 *
 * Who has to wait for longer than HOLD_NS is answered all the same: a changer is refused, and
 * so is a user that waits for a VM; another one is decided about as if what can be sealed were.
 */
#define HOLD_NS 1000000000ull
#define HOLD_ERRNO EBUSY
#define NO_DECISION_ERRNO EIO

struct kw_launch {
	int listener;
	int memory; /* of the record */
	struct kw_launch_record *record;
	struct kw_launch_stats stats;
	uint64_t since_ns[KW_LAUNCH_SLOTS]; /* CLOCK_MONOTONIC: received */
};

static int make_record(struct kw_launch *l)
{
	struct kw_launch_record *record;

	l->memory = memfd_create("kvmwarden-launch", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	/* Others get it for reading; as it would be, its mode would let them open it again. */
	if (l->memory < 0 || fchmod(l->memory, 0600) < 0 ||
	    ftruncate(l->memory, sizeof(*l->record)) < 0 ||
	    fcntl(l->memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	record = mmap(NULL, sizeof(*record), PROT_READ | PROT_WRITE, MAP_SHARED, l->memory, 0);
	if (record == MAP_FAILED)
		return -errno;
	l->record = record;
	l->record->size = sizeof(*l->record);
	return 0;
}

static int make_launch(int listener, struct kw_launch **ret)
{
	struct kw_launch *l = calloc(1, sizeof(*l));
	int r;

	if (!l || !kw_notify_is_listener(listener)) {
		close(listener);
		r = l ? -ENOTTY : -ENOMEM;
		free(l);
		return r;
	}
	l->listener = listener;
	l->memory = -1;
	r = make_record(l);
	if (!l->record) {
		kw_launch_free(l);
		return r < 0 ? r : -EIO;
	}
	*ret = l;
	return 0;
}

int kw_launch_new(int listener, const struct kw_launch_record *record, struct kw_launch **ret)
{
	struct kw_launch *l;
	int r;

	r = make_launch(listener, &l);
	if (r < 0)
		return r;
	l->record->uid = record->uid;
	l->record->pid = record->pid;
	l->record->started_ns = record->started_ns;
	memcpy(l->record->id, record->id, sizeof(record->id));
	memcpy(l->record->set, record->set, sizeof(record->set));
	memcpy(l->record->name, record->name, sizeof(record->name));
	memcpy(l->record->commands, record->commands, sizeof(record->commands));
	l->record->command_count = record->command_count;
	l->record->foreign = record->foreign;
	*ret = l;
	return 0;
}

/* It comes from elsewhere: its id becomes a part of what the service manager is told. */
static bool is_sound(const struct kw_launch_record *record)
{
	return record->size == sizeof(*record) && !record->id[KW_LAUNCH_ID_LEN] &&
	       strspn(record->id, "0123456789abcdef") == KW_LAUNCH_ID_LEN &&
	       memchr(record->set, '\0', sizeof(record->set)) &&
	       memchr(record->name, '\0', sizeof(record->name)) &&
	       record->command_count <= KW_LAUNCH_COMMANDS && record->asked.count <= KW_ASKED_MAX;
}

int kw_launch_resume(int listener, int record_fd, struct kw_launch **ret)
{
	struct kw_launch *l;
	uint64_t now = kw_clock_ns(CLOCK_MONOTONIC);
	int r;

	r = make_launch(listener, &l);
	if (r < 0)
		return r;
	if (pread(record_fd, l->record, sizeof(*l->record), 0) != sizeof(*l->record) ||
	    !is_sound(l->record)) {
		kw_launch_free(l);
		return -EINVAL;
	}
	for (size_t i = 0; i < KW_LAUNCH_SLOTS; i++)
		l->since_ns[i] = now;
	*ret = l;
	return 0;
}

struct kw_launch *kw_launch_free(struct kw_launch *l)
{
	if (!l)
		return NULL;
	if (l->record)
		munmap(l->record, sizeof(*l->record));
	if (l->memory >= 0)
		close(l->memory);
	close(l->listener);
	free(l);
	return NULL;
}

int kw_launch_listener(const struct kw_launch *l)
{
	return l->listener;
}

int kw_launch_record_fd(const struct kw_launch *l)
{
	char path[sizeof("/proc/self/fd/2147483647")];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", l->memory);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

const struct kw_launch_record *kw_launch_record(const struct kw_launch *l)
{
	return l->record;
}

struct kw_asked *kw_launch_asked(struct kw_launch *l)
{
	return &l->record->asked;
}

const struct kw_launch_stats *kw_launch_stats(const struct kw_launch *l)
{
	return &l->stats;
}

static bool changes(const struct kw_judge *judge, uint32_t command)
{
	if (command == KVM_CREATE_VM)
		return true;
	return !judge->by_types && (command == KVM_CREATE_VCPU ||
				    command == KVM_MEMORY_ENCRYPT_OP || command == KVM_ENABLE_CAP);
}

/* Is the thread in that ioctl still, for all we know? */
static bool is_under_way(struct kw_passed *passed, const struct kw_judge *judge)
{
	const struct kw_inquiry inquiry = {.tid = passed->tid, .kind = KW_INQUIRY_PEEK};
	struct kw_ruling answer;

	if (judge->judge(judge->userdata, &inquiry, NULL, &answer) < 0)
		return true;
	if (answer.given && answer.running) {
		if (!passed->guest_ticks)
			passed->guest_ticks = answer.guest_ticks + 1;
		return answer.guest_ticks + 1 <= passed->guest_ticks;
	}
	return answer.given && kw_notify_is_ioctl(answer.nr) &&
	       (uint32_t)answer.args[0] == passed->fd &&
	       (uint32_t)answer.args[1] == passed->command;
}

/* Does something that was let pass exclude an ioctl of this kind? What is over is forgotten. */
static bool is_excluded(struct kw_launch *l, bool changer, const struct kw_judge *judge)
{
	bool excluded = false;

	for (size_t i = 0; i < KW_LAUNCH_PASSED; i++) {
		struct kw_passed *passed = &l->record->passed[i];

		if (!passed->tid || (passed->changes != 0) == changer)
			continue;
		if (is_under_way(passed, judge))
			excluded = true;
		else
			passed->tid = 0;
	}
	return excluded;
}

/* May there be a VM soon that nobody has seen? */
static bool is_creating(const struct kw_launch *l)
{
	for (size_t i = 0; i < KW_LAUNCH_PASSED; i++)
		if (l->record->passed[i].tid && l->record->passed[i].command == KVM_CREATE_VM)
			return true;
	return false;
}

static struct kw_passed *find_passed(struct kw_launch *l, uint32_t tid)
{
	for (size_t i = 0; i < KW_LAUNCH_PASSED; i++)
		if (l->record->passed[i].tid == tid)
			return &l->record->passed[i];
	return NULL;
}

/* Room for one more; none if that many threads are in an ioctl that was let pass. */
static struct kw_passed *make_room(struct kw_launch *l, const struct kw_judge *judge)
{
	struct kw_passed *room = find_passed(l, 0);

	if (room)
		return room;
	is_excluded(l, true, judge);
	is_excluded(l, false, judge);
	return find_passed(l, 0);
}

/* While the thread waits its number stands for it; then the process is held by its pidfd. */
static void kill_process(struct kw_launch *l, const struct seccomp_notif *notif)
{
	_cleanup_close_ int fd = -1;
	uint32_t tgid;

	if (kw_task_tgid(notif->pid, &tgid) < 0)
		return;
	fd = pidfd_open((pid_t)tgid, 0);
	if (fd < 0 || !kw_notify_waits(l->listener, notif->id))
		return;
	pidfd_send_signal(fd, SIGKILL, NULL, 0);
	l->stats.killed++;
}

static void refuse(struct kw_launch *l, struct seccomp_notif *notif, int error)
{
	kw_notify_refuse(l->listener, notif->id, error);
	notif->id = 0;
}

/* It has to wait for something else to end, but not for ever. */
static void hold(struct kw_launch *l, struct seccomp_notif *notif, uint64_t age)
{
	if (age < HOLD_NS) {
		l->stats.held++;
		return;
	}
	l->stats.failed++;
	refuse(l, notif, HOLD_ERRNO);
}

static void let_pass(struct kw_launch *l, struct seccomp_notif *notif, const struct kw_call *call,
		     struct kw_passed *room, const struct kw_judge *judge)
{
	if (room)
		*room = (struct kw_passed){
			.tid = notif->pid,
			.fd = call->fd,
			.command = call->command,
			.changes = changes(judge, call->command),
		};
	if (kw_notify_continue(l->listener, notif->id) < 0 && room)
		room->tid = 0;
	notif->id = 0;
}

/* Asks, and does what the answer says; it may be to ask again, while it is not too old. */
static void decide(struct kw_launch *l, struct seccomp_notif *notif, const struct kw_call *call,
		   struct kw_passed *room, bool excluded, const struct kw_judge *judge,
		   uint32_t set, uint64_t age)
{
	const struct kw_inquiry inquiry = {
		.arg = call->arg,
		.tid = notif->pid,
		.command = call->command,
		.entry = call->entry,
		.set = set,
		.sealing = excluded,
	};
	struct kw_ruling answer = {};
	int r;

	/* Of a thread that we cannot see, in another pid namespace, nothing is known. */
	r = notif->pid ? judge->judge(judge->userdata, &inquiry, &l->record->asked, &answer)
		       : -ESRCH;
	if (!kw_notify_waits(l->listener, notif->id)) {
		notif->id = 0;
		return;
	}
	if (r == 0 && answer.again) {
		hold(l, notif, age);
		return;
	}
	l->stats.asked++;
	if (r < 0 || !answer.given || answer.vms > KW_JUDGED_MAX) {
		l->stats.failed++;
		refuse(l, notif, NO_DECISION_ERRNO);
		return;
	}
	if (answer.verdict == KW_KILL)
		kill_process(l, notif);
	if (answer.error) {
		l->stats.refused++;
		refuse(l, notif, (int)answer.error);
		return;
	}
	if (call->command == KVM_CREATE_VM)
		l->record->asked.types |= 1u << kw_asked_type(call->arg);
	let_pass(l, notif, call, room, judge);
}

/* Does a changer wait that came before this one? Else users could keep it waiting for ever. */
static bool comes_after_changer(const struct kw_launch *l, size_t slot,
				const struct kw_judge *judge)
{
	for (size_t i = 0; i < KW_LAUNCH_SLOTS; i++) {
		const struct seccomp_notif *other = &l->record->slots[i].notif;
		struct kw_call call;

		if (other->id && l->since_ns[i] < l->since_ns[slot] &&
		    kw_notify_call(&other->data, &call) && changes(judge, call.command))
			return true;
	}
	return false;
}

/* Answers one notification, or leaves it for later. */
static void look_at(struct kw_launch *l, size_t slot, const struct kw_judge *judge, uint32_t set)
{
	struct seccomp_notif *notif = &l->record->slots[slot].notif;
	uint64_t age = kw_clock_ns(CLOCK_MONOTONIC) - l->since_ns[slot];
	bool excluded, full = false, changer, late = age >= HOLD_NS;
	struct kw_passed *passed, *room = NULL;
	struct kw_call call;

	if (!kw_notify_waits(l->listener, notif->id)) {
		notif->id = 0;
		return;
	}
	/* The filter asks about nothing else. */
	if (!kw_notify_call(&notif->data, &call)) {
		refuse(l, notif, NO_DECISION_ERRNO);
		return;
	}
	passed = notif->pid ? find_passed(l, notif->pid) : NULL;
	if (passed)
		passed->tid = 0;
	changer = changes(judge, call.command);
	excluded = is_excluded(l, changer, judge) ||
		   (!changer && comes_after_changer(l, slot, judge));
	/* Where types count, nobody has to wait for the end of a changer. */
	if (!changer || !judge->by_types) {
		room = make_room(l, judge);
		full = !room;
	}
	/* Whether it changes anything the judge knows, if that is a matter of types. */
	if (full || (excluded && (changer ? !judge->by_types : !late || is_creating(l))))
		hold(l, notif, age);
	else
		decide(l, notif, &call, room, excluded, judge, set, age);
}

static ssize_t free_slot(const struct kw_launch *l)
{
	for (ssize_t i = 0; i < KW_LAUNCH_SLOTS; i++)
		if (!l->record->slots[i].notif.id)
			return i;
	return -1;
}

/* Takes what there is, as far as there is room. -EPIPE: and there will never be more. */
static int receive(struct kw_launch *l)
{
	struct pollfd poll_fd = {.fd = l->listener, .events = POLLIN};
	ssize_t slot;
	int r;

	while ((slot = free_slot(l)) >= 0) {
		if (poll(&poll_fd, 1, 0) <= 0)
			return 0;
		if (!(poll_fd.revents & POLLIN))
			return poll_fd.revents & (POLLHUP | POLLERR) ? -EPIPE : 0;
		r = kw_notify_receive(l->listener, &l->record->slots[slot]);
		if (r == 0)
			l->since_ns[slot] = kw_clock_ns(CLOCK_MONOTONIC);
		else
			l->record->slots[slot].notif.id = 0;
		if (r < 0 && r != -EAGAIN)
			return r;
	}
	return 0;
}

int kw_launch_serve(struct kw_launch *l, const struct kw_judge *judge, uint32_t set)
{
	int r, waiting = 0;

	r = receive(l);
	for (size_t i = 0; i < KW_LAUNCH_SLOTS; i++) {
		if (!l->record->slots[i].notif.id)
			continue;
		look_at(l, i, judge, set);
		waiting |= l->record->slots[i].notif.id != 0;
	}
	return r < 0 ? r : waiting;
}
