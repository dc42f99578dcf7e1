/* SPDX-License-Identifier: GPL-2.0-only */
/* Times and sizes as people write them. */
#include "quantity.h"

#include "util.h"

struct unit {
	const char *name;
	uint64_t factor;
};

static int parse(const char *text, const struct unit *units, size_t count, uint64_t max,
		 uint64_t *ret)
{
	size_t digits = strspn(text, "0123456789");
	char number[sizeof("18446744073709551615")];
	uint64_t value;
	int r;

	if (digits == 0)
		return -EINVAL;
	if (digits >= sizeof(number))
		return -ERANGE;
	memcpy(number, text, digits);
	number[digits] = '\0';
	for (size_t i = 0; i < count; i++) {
		if (!kw_streq(text + digits, units[i].name))
			continue;
		r = kw_parse_u64(number, max / units[i].factor, &value);
		if (r < 0 || value == 0)
			return r < 0 ? r : -ERANGE;
		*ret = value * units[i].factor;
		return 0;
	}
	return -EINVAL;
}

int kw_parse_seconds(const char *text, uint64_t max, uint64_t *ret)
{
	static const struct unit units[] = {
		{"s", 1}, {"min", 60}, {"h", 60 * 60}, {"d", 24 * 60 * 60}};

	return parse(text, units, KW_ARRAY_SIZE(units), max, ret);
}

int kw_parse_bytes(const char *text, uint64_t max, uint64_t *ret)
{
	static const struct unit units[] = {
		{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}};

	return parse(text, units, KW_ARRAY_SIZE(units), max, ret);
}
