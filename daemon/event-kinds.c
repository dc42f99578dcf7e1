/* SPDX-License-Identifier: GPL-2.0-only */
/* All kinds of events that there are. */
#include "event-kinds.h"

#include <string.h>
#include <syslog.h>

#include "kvmwarden.h"
#include "util.h"

/*
 * Those of enum kw_event_kind come first, the others follow. Ids stay what they are for ever: who looks
 * for an event has them written down.
 */
static const struct kw_kind kinds[] = {
	[KW_EVENT_IOCTL] = {"ioctl", "6793cea4539946f3a8c332f348a710ba", LOG_NOTICE},
	[KW_EVENT_VM_CREATED] = {"vm-created", "10bc15945a41450595eae31d4e12e898", LOG_INFO},
	[KW_EVENT_VM_DESTROYED] = {"vm-destroyed", "3ce09bd8127946c69156902850c9f9dd", LOG_INFO},
	[KW_EVENT_RACE] = {"race", "d16b4f811b8b44cb87755ddc4c256f26", LOG_CRIT},
	[KW_EVENT_VMS_FULL] = {"vms-full", "4120b3b13c034c58bdf159383caa54d7", LOG_WARNING},
	[KW_EVENT_TAMPERING] = {"tampering", "7c6eee7765254689911be93db26a07b1", LOG_CRIT},
	{"started", "b20cb61332654c939da010580b8c00a6", LOG_INFO},
	{"stopped", "24ca55e1229a4facaa54b155021320ca", LOG_INFO},
	{"reopened", "f6b9cedc1785458985ac74347f3daabe", LOG_INFO},
	{"unloaded", "4d443568176c41d88b0e8338e53e2c00", LOG_WARNING},
	{"policy-loaded", "9908664fafdc4b6d99944b52c9b1a7ca", LOG_INFO},
	{"policy-refused", "a115a415a27b4a92bb83dc32322204e0", LOG_ERR},
	{"policy-mode", "d567c846de7d442fb990c16c67744a6e", LOG_NOTICE},
	{"lost", "4a17fd84cc0444f78f13c7dc4ed1d6fd", LOG_WARNING},
	{"suppressed", "97775a2bd3834f7e9b7d3795bf8261da", LOG_NOTICE},
	{"proof-failed", "295e6a9b74114e2e8ff49edbf1468db1", LOG_CRIT},
	{"proof-passed", "92f98aad18d64a54bb290d7cc3be9845", LOG_NOTICE},
	{"exception-granted", "0cf56f4f805f432ea7c929d92adb9a6c", LOG_NOTICE},
	{"exception-ended", "9981c3c189094c4f830040c055f68980", LOG_NOTICE},
	{"launch-started", "69db3e6dc7c04733bad9b63dcb18986f", LOG_INFO},
	{"launch-resumed", "61b35747c2cb4215adbbf6ddc8a400cc", LOG_INFO},
	{"launch-ended", "8b3414462261414e9f6c3f8dabc4bbf9", LOG_INFO},
	{"launch-refused", "abe31c512f104d61969cb77e20734772", LOG_WARNING},
	{"launch-outdated", "c1de78cb82ef4dfe8ecc516263475807", LOG_WARNING},
};

_Static_assert(KW_ARRAY_SIZE(kinds) <= 64, "filters have one bit for each");

const struct kw_kind *kw_kind(unsigned int index)
{
	return index < KW_ARRAY_SIZE(kinds) ? &kinds[index] : NULL;
}

const char *kw_event_kind_name(unsigned int kind)
{
	return kind < _KW_EVENT_MAX ? kinds[kind].name : "unknown";
}

int kw_kind_from_name(const char *name)
{
	for (unsigned int i = 0; i < KW_ARRAY_SIZE(kinds); i++)
		if (kw_streq(kinds[i].name, name))
			return (int)i;
	return -EINVAL;
}

const char *kw_kind_list(unsigned int index)
{
	return index < KW_ARRAY_SIZE(kinds) ? kinds[index].name : NULL;
}

/* What was done to somebody counts for more than that it was seen. */
int kw_event_priority(const char *event, const char *verdict)
{
	int kind = kw_kind_from_name(event);
	int priority = kind < 0 ? LOG_NOTICE : kinds[kind].priority;

	if (kw_streq(verdict, "kill") && priority > LOG_ERR)
		return LOG_ERR;
	if (kw_streq(verdict, "deny") && priority > LOG_WARNING)
		return LOG_WARNING;
	return priority;
}
