/* SPDX-License-Identifier: GPL-2.0-only */
#include "stamp.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

int kw_stamp(json_t *object)
{
	const time_t now = (time_t)(kw_clock_ns(CLOCK_REALTIME) / 1000000000);
	char host[256] = "", text[32];
	struct tm tm;

	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	if (json_object_set_new(object, "host", json_string(host)) < 0 ||
	    json_object_set_new(object, "time", json_string(text)) < 0)
		return -ENOMEM;
	return 0;
}
