/* SPDX-License-Identifier: GPL-2.0-only */
/* The VMs of recorded events, each once. */
#include "report-internal.h"
#include "util.h"

/* A power of two, half of which are used at most. */
#define SLOTS (2 * KW_REPORT_VMS_MAX)

struct seen {
	uint64_t id;
	uint32_t epoch; /* from 1; 0: the slot is free */
	uint16_t type;
	bool sealed;
};

struct kw_vm_set {
	size_t count;
	struct seen slots[SLOTS];
};

int kw_vm_set_new(struct kw_vm_set **ret)
{
	/* Of zeros that the kernel gives only what is used costs memory. */
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

struct kw_vm_set *kw_vm_set_free(struct kw_vm_set *set)
{
	free(set);
	return NULL;
}

static size_t hash(uint32_t epoch, uint64_t id)
{
	uint64_t value = (id ^ (uint64_t)epoch << 40) * 0x9e3779b97f4a7c15;

	return (value >> 40) % SLOTS;
}

bool kw_vm_set_add(struct kw_vm_set *set, uint32_t epoch, uint64_t id, unsigned int type,
		   bool sealed)
{
	size_t i = hash(epoch, id);
	struct seen *seen;

	while (set->slots[i].epoch && (set->slots[i].epoch != epoch || set->slots[i].id != id))
		i = (i + 1) % SLOTS;
	seen = &set->slots[i];
	if (!seen->epoch) {
		if (set->count == KW_REPORT_VMS_MAX)
			return false;
		set->count++;
		*seen = (struct seen){.id = id, .epoch = epoch, .type = (uint16_t)type};
	}
	/* A default one may turn out to be legacy-sev-es, and not the other way round. */
	if (seen->type == KW_TYPE_UNKNOWN || seen->type == KW_TYPE_DEFAULT)
		seen->type = (uint16_t)type;
	seen->sealed |= sealed;
	return true;
}

void kw_vm_set_sum(const struct kw_vm_set *set, struct kw_report_vms *vms)
{
	for (size_t i = 0; i < SLOTS; i++) {
		if (!set->slots[i].epoch)
			continue;
		vms->count[set->slots[i].type]++;
		vms->sealed[set->slots[i].type] += set->slots[i].sealed;
	}
}
