/* SPDX-License-Identifier: BSD-2-Clause */
/* See schedule.h. */
#include "config.h"

#include "broker/jobs/schedule.h"

int64_t cw_schedule_first(
	int64_t now_s, int64_t now_wall_s, int64_t every_s, int64_t last_wall_s, int64_t soon_s)
{
	int64_t left_s = last_wall_s + every_s - now_wall_s;

	if (every_s <= 0)
		return CW_SCHEDULE_NEVER;
	if (last_wall_s <= 0 || left_s < soon_s)
		left_s = soon_s < every_s ? soon_s : every_s;
	if (left_s > every_s) /* the clock was set back since */
		left_s = every_s;
	return now_s + left_s;
}

int64_t cw_schedule_next(int64_t now_s, int64_t due_s, int64_t every_s)
{
	if (every_s <= 0)
		return CW_SCHEDULE_NEVER;
	if (due_s > now_s || now_s - due_s >= every_s) /* out of turn, or turns were missed */
		return now_s + every_s;
	return due_s + every_s;
}

const char *cw_schedule_ill(const struct cw_schedule_facts *f)
{
	if (f->running && f->running_s > f->stuck_after_s)
		return "stuck";
	if (!f->running && f->last_result < 0)
		return "failed";
	return f->late_s > f->late_after_s ? "late" : NULL;
}
