/* SPDX-License-Identifier: BSD-2-Clause */
/* Ids of the REST API: a prefix that says what it is of, and the number of the row, which the log has too. To
 * clients they are opaque. Thread: any. */
#pragma once

#include <stdbool.h>

#include "base/defs.h"

enum cw_id_kind {
	CW_ID_POOL,        /* pl_ */
	CW_ID_RANGE,       /* rg_ */
	CW_ID_EXCLUSION,   /* ex_ */
	CW_ID_RESERVATION, /* rs_ */
	CW_ID_LEASE,       /* ls_ */
	CW_ID_USER,        /* us_ */
	CW_ID_TEP,         /* tp_ */
	CW_ID_TOKEN,       /* tk_ */
	CW_ID_SESSION,     /* se_ */
	CW_ID_RUN,         /* jr_ */
	CW_ID_KINDS
};

#define CW_ID_STRLEN 24 /* with NUL */

/* The text of row number `id`, 1 to 2^63 - 1. Returns buf. */
char *cw_id_str(enum cw_id_kind kind, uint64_t id, char buf[static CW_ID_STRLEN]);
/* The one spelling of an id of this kind: no leading zeros, no sign. 0 or CW_E_SYNTAX. */
int cw_id_parse(enum cw_id_kind kind, const char *s, size_t n, uint64_t *ret) CW_MUST_CHECK;
/* Of whichever kind it is. 0 or CW_E_SYNTAX. */
int cw_id_parse_any(
	const char *s, size_t n, enum cw_id_kind *ret_kind, uint64_t *ret) CW_MUST_CHECK;
