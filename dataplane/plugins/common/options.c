/* SPDX-License-Identifier: BSD-2-Clause */
/* See options.h. */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier) */

#include "dataplane/plugins/common/options.h"

#include <stdio.h>
#include <string.h>

const char *cw_dpopt_get(const struct cw_dp_open *open, const char *name)
{
	for (uint32_t i = 0; i < open->n_settings; i++) {
		if (strcmp(open->settings[i].name, name) == 0)
			return open->settings[i].value;
	}
	return "";
}

bool cw_dpopt_u64(const struct cw_dp_open *open, const char *name, uint64_t min, uint64_t max,
	uint64_t *ret, char *why, size_t why_n)
{
	const char *s = cw_dpopt_get(open, name);
	uint64_t v = 0;
	bool ok = *s != '\0';

	for (; ok && *s; s++) {
		ok = *s >= '0' && *s <= '9' && !__builtin_mul_overflow(v, (uint64_t) 10, &v) &&
		     !__builtin_add_overflow(v, (uint64_t) (*s - '0'), &v);
	}
	if (!ok || v < min || v > max) {
		(void) snprintf(why, why_n, "option %s: \"%s\" is not a number from %llu to %llu",
			name, cw_dpopt_get(open, name), (unsigned long long) min,
			(unsigned long long) max);
		return false;
	}
	*ret = v;
	return true;
}

bool cw_dpopt_word(const struct cw_dp_open *open, const char *name, const char *const *words,
	unsigned *ret, char *why, size_t why_n)
{
	const char *s = cw_dpopt_get(open, name);
	size_t used;

	for (unsigned i = 0; words[i]; i++) {
		if (strcmp(s, words[i]) == 0) {
			*ret = i;
			return true;
		}
	}
	(void) snprintf(why, why_n, "option %s: \"%s\" is none of:", name, s);
	for (unsigned i = 0; words[i]; i++) {
		used = strlen(why);
		(void) snprintf(why + used, why_n - used, " %s", words[i]);
	}
	return false;
}

const char *cw_dpopt_errno(int err)
{
	const char *text = strerrordesc_np(err);

	return text ? text : "unknown error";
}
