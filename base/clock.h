/* SPDX-License-Identifier: BSD-2-Clause */
/* Time as an argument: everything that decides by time asks a struct cw_clock, and tests pass a
 * fake one. Thread: the system clock any, a fake clock its owner's. */
#pragma once

#include "base/defs.h"

/* What a moment looks like on each clock. */
struct cw_now {
	int64_t wall_s;  /* seconds since 1970 UTC, CLOCK_REALTIME: for the store and for people */
	int64_t boot_ms; /* CLOCK_BOOTTIME: for deadlines of leases, runs on in suspend */
	int64_t mono_us; /* CLOCK_MONOTONIC: for timers and durations */
};

struct cw_clock {
	struct cw_now (*now)(const struct cw_clock *clock);
};

/* For tests: stands still until somebody writes `at`. */
struct cw_fake_clock {
	struct cw_clock clock;
	struct cw_now at;
};

extern const struct cw_clock cw_system_clock;
struct cw_now cw_clock_now(const struct cw_clock *clock);
void cw_fake_clock_init(struct cw_fake_clock *fake, int64_t wall_s);
void cw_fake_clock_advance(struct cw_fake_clock *fake, int64_t ms); /* all three clocks */
/* RFC 3339 UTC "2026-03-01T10:00:00Z". */
#define CW_TIME_STRLEN 24
char *cw_time_str(int64_t wall_s, char buf[static CW_TIME_STRLEN]);
/* The same form back, seconds or no seconds; 0 or CW_E_SYNTAX. */
int cw_time_parse(const char *s, int64_t *ret_wall_s) CW_MUST_CHECK;
