/* SPDX-License-Identifier: BSD-2-Clause */
/* Times of the REST API: RFC 3339 in UTC with whole seconds, "2026-03-01T10:00:00Z", and nothing else. What people
 * type is more forgiving and is read by cw_time_parse(). Thread: any. */
#pragma once

#include "base/defs.h"

#define CW_RFC3339_LEN    20                   /* without NUL */
#define CW_RFC3339_STRLEN (CW_RFC3339_LEN + 1) /* with it */
#define CW_RFC3339_MAX    253402300799         /* the end of 9999 */

/* Seconds since 1970; what lies outside of 1970 to 9999 becomes its nearer end. Returns buf. */
char *cw_rfc3339_str(int64_t wall_s, char buf[static CW_RFC3339_STRLEN]);
/* From 1970 on; no leap seconds (POSIX time has none). 0 or CW_E_SYNTAX. */
int cw_rfc3339_parse(const char *s, size_t n, int64_t *ret_wall_s) CW_MUST_CHECK;
