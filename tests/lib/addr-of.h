/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses from text, for tests; a text that is none fails the test. */
#pragma once

#include <string.h>

#include "base/addr.h"
#include "tests/lib/cw-cmocka.h"

static inline struct cw_addr6 six(const char *s)
{
	struct cw_addr6 a;

	assert_int_equal(cw_addr6_parse(s, strlen(s), &a), 0);
	return a;
}

static inline struct cw_addr4 four(const char *s)
{
	struct cw_addr4 a;

	assert_int_equal(cw_addr4_parse(s, strlen(s), &a), 0);
	return a;
}
