/* SPDX-License-Identifier: BSD-2-Clause */
/* The query of a request to our structs, by the tables of fields.h: percent-decoded, known keys only, each once unless
 * its field is WORDS. All that is wrong is found. Thread: any. */
#pragma once

#include "base/arena.h"
#include "schema/rest/fields.h"
#include "schema/rest/problem.h"

enum {
	CW_QUERY_MAX = 8192, /* octets of the whole */
	CW_QUERY_PAIRS_MAX = 64,
};

/* raw: what stands behind the "?", as it came. o NULL: an operation without a query. to: zeroed, then filled; texts are
 * of the arena. 0; CW_E_SYNTAX: errs has at least one; -ENOMEM. */
int cw_rest_query(const struct cw_rest_object *o, const char *raw, size_t n, struct cw_arena *arena,
	void *to, struct cw_rest_errors *errs) CW_MUST_CHECK;

/* Percent-decoding of one piece (RFC 3986 2.1); `plus`: "+" is a blank, as in queries. Octets written, at most n, with a
 * NUL behind them; CW_E_SYNTAX: a broken escape, a control character or no UTF-8. to has room for n + 1. */
int cw_percent_decode(const char *s, size_t n, bool plus, char *to) CW_MUST_CHECK;
