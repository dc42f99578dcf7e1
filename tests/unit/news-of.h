/* SPDX-License-Identifier: GPL-2.0-only */
/* An event on its way to a sink. */
#ifndef KVMWARDEN_TEST_NEWS_OF_H
#define KVMWARDEN_TEST_NEWS_OF_H

#include "event-kinds.h"
#include "names.h"
#include "news.h"

/* verdict < 0: it has none. Its text lives until the next call. */
static inline struct kw_news news_of(int kind, int verdict, unsigned int number)
{
	static char text[512];
	int len;

	len = snprintf(text, sizeof(text),
		       "{\"version\":1,\"time\":\"2026-01-01T10:00:07.123456789Z\",\"seq\":%u,"
		       "\"event\":\"%s\"%s%s%s,\"operation\":\"KVM_SET_REGS\",\"host\":\"h\","
		       "\"vm\":{\"id\":1,\"type\":\"sev-snp\",\"vcpu\":null},"
		       "\"process\":{\"pid\":42,\"tid\":43,\"uid\":107,\"comm\":\"a\\nb\","
		       "\"exe\":\"/usr/bin/vmm\"},\"policy\":\"p\",\"file\":\"p.yaml\",\"line\":6}",
		       number, kw_kind((unsigned int)kind)->name,
		       verdict < 0 ? "" : ",\"verdict\":\"",
		       verdict < 0 ? "" : kw_verdict_name(verdict), verdict < 0 ? "" : "\"");
	return (struct kw_news){.json = text, .len = (size_t)len, .kind = kind, .verdict = verdict};
}

#endif
