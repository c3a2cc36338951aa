/* SPDX-License-Identifier: BSD-2-Clause */
/* When a job is due next, and whether it is well: no I/O, no state. Times are on the steady line,
 * which nobody sets: a clock set back by a year does not put off backups for a year. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/defs.h"

#define CW_SCHEDULE_NEVER INT64_MAX

/* At the start: when the first run is due. last_wall_s: begin of the last one, 0: none ever. What is
 * overdue, and what never ran, runs after soon_s. */
int64_t cw_schedule_first(int64_t now_s, int64_t now_wall_s, int64_t every_s, int64_t last_wall_s,
	int64_t soon_s) CW_PURE;
/* After a run that was due at due_s: the next one. Those that were missed are not made up for. */
int64_t cw_schedule_next(int64_t now_s, int64_t due_s, int64_t every_s) CW_PURE;

struct cw_schedule_facts {
	int last_result; /* of the last run; 0 or a code */
	bool running;
	int64_t running_s; /* for how long */
	int64_t late_s;    /* for how long work, or the run itself, has been due; 0: it is not */
	int64_t stuck_after_s; /* a run that takes longer is stuck */
	int64_t late_after_s;
};
/* NULL: it is well; else a word why not: "failed", "stuck", "late". */
const char *cw_schedule_ill(const struct cw_schedule_facts *f) CW_PURE;
