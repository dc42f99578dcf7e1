/* SPDX-License-Identifier: GPL-2.0-only */
/* Rates are differences of what the daemon counts, over the time between two looks. */
#define _GNU_SOURCE 1
#include "top.h"

#include <strings.h>

#include "names.h"
#include "text.h"
#include "util.h"

struct kw_top_sample {
	uint64_t time_ns;
	json_t *status;
	json_t *list; /* what the VMs borrow from */
	struct kw_top_vm *vms; /* by id */
	size_t count;
};

KW_DEFINE_CLEANUP(struct kw_top_sample, kw_top_sample_free)

const char *kw_top_column_name(unsigned int column)
{
	static const char *const names[] = {
		[KW_TOP_ID] = "ID",
		[KW_TOP_TYPE] = "TYPE",
		[KW_TOP_STATE] = "STATE",
		[KW_TOP_VCPUS] = "VCPUS",
		[KW_TOP_PID] = "PID",
		[KW_TOP_EXE] = "EXE",
		[KW_TOP_UNIT] = "UNIT",
		[KW_TOP_VERDICT_RATE] = "VERDICTS/S",
		[KW_TOP_DENIED] = "DENIED",
		[KW_TOP_DENIED_RATE] = "DENIED/S",
		[KW_TOP_POLICIES] = "POLICIES",
	};
	_Static_assert(KW_ARRAY_SIZE(names) == _KW_TOP_COLUMN_MAX, "a column has a name");

	return column < _KW_TOP_COLUMN_MAX ? names[column] : NULL;
}

int kw_top_column_from_name(const char *name)
{
	for (unsigned int i = 0; i < _KW_TOP_COLUMN_MAX; i++)
		if (strcasecmp(name, kw_top_column_name(i)) == 0)
			return (int)i;
	return -EINVAL;
}

const char *kw_top_vm_state(const struct kw_top_vm *vm)
{
	return vm->condemned ? "CONDEMNED" : vm->state;
}

/* --- one look --------------------------------------------------------------- */

/* 0 for what is absent or no number. */
static uint64_t number(json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value > 0 ? (uint64_t)value : 0;
}

static int read_vm(json_t *json, struct kw_top_vm *ret)
{
	json_t *creator = json_object_get(json, "creator");
	json_t *names = json_object_get(json, "policies");

	*ret = (struct kw_top_vm){
		.id = number(json, "id"),
		.vcpus = number(json, "vcpus"),
		.pid = number(creator, "pid"),
		.denied = number(json, "denied"),
		.condemned = json_is_true(json_object_get(json, "condemned")),
		.type = kw_text_member(json, "type"),
		.state = kw_text_member(json, "state"),
		.exe = kw_text_member(creator, "exe"),
		.unit = kw_text_member(creator, "unit"),
		.names = json_is_array(names) ? names : NULL,
		.policies = kw_text_join(names),
	};
	ret->verdicts = number(json, "audited") + ret->denied + number(json, "killed");
	return ret->policies ? 0 : -ENOMEM;
}

static int by_id(const void *a, const void *b)
{
	const struct kw_top_vm *left = a, *right = b;

	return (left->id > right->id) - (left->id < right->id);
}

int kw_top_sample_new(json_t *status, json_t *vms, uint64_t time_ns, struct kw_top_sample **ret)
{
	_cleanup_(kw_top_sample_free_cleanup) struct kw_top_sample *sample = NULL;
	size_t i, count = json_array_size(vms);
	json_t *vm;
	int r;

	sample = calloc(1, sizeof(*sample));
	if (!sample)
		return -ENOMEM;
	sample->time_ns = time_ns;
	sample->status = json_incref(status);
	sample->list = json_incref(vms);
	sample->vms = calloc(count ? count : 1, sizeof(*sample->vms));
	if (!sample->vms)
		return -ENOMEM;
	json_array_foreach (vms, i, vm) {
		r = read_vm(vm, &sample->vms[i]);
		if (r < 0)
			return r;
		sample->count++;
	}
	qsort(sample->vms, sample->count, sizeof(*sample->vms), by_id);
	*ret = TAKE_PTR(sample);
	return 0;
}

struct kw_top_sample *kw_top_sample_free(struct kw_top_sample *sample)
{
	size_t i;

	if (!sample)
		return NULL;
	for (i = 0; i < sample->count; i++)
		free(sample->vms[i].policies);
	free(sample->vms);
	json_decref(sample->list);
	json_decref(sample->status);
	free(sample);
	return NULL;
}

json_t *kw_top_sample_status(const struct kw_top_sample *sample)
{
	return sample->status;
}

/* --- two looks -------------------------------------------------------------- */

/* A counter that went back began anew: all that it has is of this interval. */
static double rate(uint64_t before, uint64_t now, double seconds)
{
	if (seconds <= 0)
		return 0;
	return (double)(now < before ? now : now - before) / seconds;
}

static uint64_t counter(const struct kw_top_sample *sample, const char *name)
{
	return number(json_object_get(sample->status, "counters"), name);
}

static uint64_t of_programs(const struct kw_top_sample *sample, const char *key)
{
	uint64_t sum = 0;
	json_t *program;
	size_t i;

	json_array_foreach (json_object_get(sample->status, "programs"), i, program)
		sum += number(program, key);
	return sum;
}

/*
 * Runs that are not counted any more stand still while ioctls are checked. What did not run
 * took nothing, but that the kernel would have counted it shows only in earlier runs.
 */
static double cpus(const struct kw_top_sample *before, const struct kw_top_sample *now,
		   double seconds)
{
	uint64_t runs = of_programs(now, "runs");

	if (seconds <= 0 || runs == 0)
		return -1;
	if (runs == of_programs(before, "runs") &&
	    counter(now, "checked") != counter(before, "checked"))
		return -1;
	return rate(of_programs(before, "ns"), of_programs(now, "ns"), seconds) / 1e9;
}

/* The same VM in the earlier sample, or NULL. A set of programs that is not pinned gives the ids anew. */
static const struct kw_top_vm *earlier(const struct kw_top_sample *before,
				       const struct kw_top_vm *vm)
{
	const struct kw_top_vm *found;

	if (!before || before->count == 0)
		return NULL;
	found = bsearch(vm, before->vms, before->count, sizeof(*vm), by_id);
	return found && found->pid == vm->pid && kw_streq(found->exe, vm->exe) ? found : NULL;
}

static void add_row(struct kw_top *top, const struct kw_top_sample *before,
		    const struct kw_top_vm *vm)
{
	const struct kw_top_vm *then = earlier(before, vm);
	struct kw_top_row *row = &top->rows[top->count++];

	*row = (struct kw_top_row){
		.vm = vm,
		.verdict_rate = rate(then ? then->verdicts : 0, vm->verdicts, top->seconds),
		.denied_rate = rate(then ? then->denied : 0, vm->denied, top->seconds),
	};
	top->denied_rate += row->denied_rate;
	if (vm->condemned)
		top->condemned++;
	else if (kw_streq(vm->state, kw_state_name(KW_STATE_SEALED)))
		top->sealed++;
	else
		top->building++;
}

int kw_top_compare(const struct kw_top_sample *before, const struct kw_top_sample *now,
		   struct kw_top *ret)
{
	struct kw_top top = {.cpus = -1};
	size_t i;

	top.rows = calloc(now->count ? now->count : 1, sizeof(*top.rows));
	if (!top.rows)
		return -ENOMEM;
	if (before && now->time_ns > before->time_ns) {
		top.seconds = (double)(now->time_ns - before->time_ns) / 1e9;
		top.checked_rate =
			rate(counter(before, "checked"), counter(now, "checked"), top.seconds);
		top.event_rate =
			rate(counter(before, "events"), counter(now, "events"), top.seconds);
		top.cpus = cpus(before, now, top.seconds);
	}
	for (i = 0; i < now->count; i++)
		add_row(&top, before, &now->vms[i]);
	kw_top_sort(&top, KW_TOP_DENIED_RATE);
	*ret = top;
	return 0;
}

void kw_top_done(struct kw_top *top)
{
	free(top->rows);
	*top = (struct kw_top){.cpus = -1};
}

/* --- order ------------------------------------------------------------------ */

static int compare_numbers(double a, double b)
{
	return (a > b) - (a < b);
}

static int compare(const struct kw_top_row *a, const struct kw_top_row *b,
		   enum kw_top_column column)
{
	switch (column) {
	case KW_TOP_ID:
	case _KW_TOP_COLUMN_MAX:
		break;
	case KW_TOP_TYPE:
		return strcmp(a->vm->type, b->vm->type);
	case KW_TOP_STATE:
		return strcmp(kw_top_vm_state(a->vm), kw_top_vm_state(b->vm));
	case KW_TOP_VCPUS:
		return -compare_numbers((double)a->vm->vcpus, (double)b->vm->vcpus);
	case KW_TOP_PID:
		return compare_numbers((double)a->vm->pid, (double)b->vm->pid);
	case KW_TOP_EXE:
		return strcmp(a->vm->exe, b->vm->exe);
	case KW_TOP_UNIT:
		return strcmp(a->vm->unit, b->vm->unit);
	case KW_TOP_VERDICT_RATE:
		return -compare_numbers(a->verdict_rate, b->verdict_rate);
	case KW_TOP_DENIED:
		return -((a->vm->denied > b->vm->denied) - (a->vm->denied < b->vm->denied));
	case KW_TOP_DENIED_RATE:
		return -compare_numbers(a->denied_rate, b->denied_rate);
	case KW_TOP_POLICIES:
		return strcmp(a->vm->policies, b->vm->policies);
	}
	return 0;
}

static int by_column(const void *a, const void *b, void *column)
{
	const struct kw_top_row *left = a, *right = b;
	int order = compare(left, right, *(enum kw_top_column *)column);

	return order ? order : by_id(left->vm, right->vm);
}

void kw_top_sort(struct kw_top *top, enum kw_top_column column)
{
	if (top->count > 1)
		qsort_r(top->rows, top->count, sizeof(*top->rows), by_column, &column);
}

void kw_top_only_denials(struct kw_top *top)
{
	size_t i, kept = 0;

	for (i = 0; i < top->count; i++)
		if (top->rows[i].vm->denied > 0)
			top->rows[kept++] = top->rows[i];
	top->count = kept;
}
