/* SPDX-License-Identifier: BSD-2-Clause */
/* Places where a test makes the program fail, wait or die: `CW_FAILPOINT(GRANT_AFTER_COMMIT)`.
 * Only configure's --enable-failpoints compiles them in; otherwise it is 0. The environment says
 * which one acts:
 *
 *	CW_FAILPOINT="grant.after-commit=kill"		SIGKILL at the first visit
 *	CW_FAILPOINT="end.after-remove=kill:3"		at the third
 *	CW_FAILPOINT="reconcile.page=delay"		20 ms at each visit
 *	CW_FAILPOINT="grant.after-apply=error:2"	the second visit reports -EIO
 *
 * and CW_FAILPOINT_LOG names a file that gets one line per point at its first visit. Thread: any.
 */
#pragma once

#include <stdio.h>

#include "base/defs.h"

#define CW_FAILPOINT_DEF(id, name, where) CW_FP_##id,
enum cw_failpoint {
#include "base/failpoint.def"
	CW_FP_COUNT,
};
#undef CW_FAILPOINT_DEF

/* 0, or -EIO where the environment asks for an error here. Call through CW_FAILPOINT(). */
int cw_failpoint_visit(enum cw_failpoint at);
/* "name<TAB>where" per point; returns how many of them this build has compiled in (0 or all). */
unsigned cw_failpoint_list(FILE *to);

#ifdef CW_FAILPOINTS
#define CW_FAILPOINT(id) cw_failpoint_visit(CW_FP_##id)
#else
static inline int cw_failpoint_none(enum cw_failpoint at)
{
	(void) at;
	return 0;
}
#define CW_FAILPOINT(id) cw_failpoint_none(CW_FP_##id)
#endif
