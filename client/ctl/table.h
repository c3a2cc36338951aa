/* SPDX-License-Identifier: BSD-2-Clause */
/* What goes to a terminal: widths of columns, texts made safe for it. No I/O. Thread: any. */
#pragma once

#include <stdbool.h>

#include "base/defs.h"

struct json_t;

enum { CW_CTL_COLUMNS_MAX = 32, CW_CTL_GAP = 2 };

/* Columns of a terminal that n octets of UTF-8 take: one for each character. */
size_t cw_ctl_width(const char *s, size_t n) CW_PURE;
/* Octets of the longest beginning that takes at most `width` columns. */
size_t cw_ctl_fit(const char *s, size_t n, size_t width) CW_PURE;

/* Widths of n columns whose texts would like `natural`, with gaps between, on `terminal` columns (0: as wide as they like).
 * The widest give first, and none less than `least` (its heading) while that is possible, then less. */
void cw_ctl_layout(const size_t *natural, const size_t *least, unsigned n, size_t terminal,
	size_t *ret_widths);

/* A JSON value as people read it, on one line: what others sent cannot steer the terminal. Given; NULL: out of memory. */
char *cw_ctl_cell(const struct json_t *v) CW_MUST_CHECK;
/* The same as a field of CSV: null is empty, quoted where needed. */
char *cw_ctl_csv(const struct json_t *v) CW_MUST_CHECK;
/* Control characters, also those of C1 and those that turn text round, and octets that are no UTF-8 become '?'. In place. */
void cw_ctl_tame(char *s);
/* For jansson's iterators, which take no const; nothing may be changed. */
static inline struct json_t *cw_ctl_mutable(const struct json_t *v)
{
	const union {
		const struct json_t *borrowed;
		struct json_t *same;
	} u = {.borrowed = v};

	return u.same;
}

/* Compact JSON; given (cw_free; cw_free_secret). NULL: out of memory. */
char *cw_ctl_text(const struct json_t *v) CW_MUST_CHECK;
