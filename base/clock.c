/* SPDX-License-Identifier: BSD-2-Clause */
/* The system's clocks, a fake one for tests, and RFC 3339 text. No state. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"

#define DAY_S      INT64_C(86400)
#define YEAR0_S    INT64_C(-62167219200) /* 0000-01-01T00:00:00Z */
#define YEAR9999_S INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

static struct cw_now system_now(const struct cw_clock *clock)
{
	struct timespec wall = {0}, boot = {0}, mono = {0};

	(void) clock;
	(void) clock_gettime(CLOCK_REALTIME, &wall);
	(void) clock_gettime(CLOCK_BOOTTIME, &boot);
	(void) clock_gettime(CLOCK_MONOTONIC, &mono);
	return (struct cw_now){
		.wall_s = wall.tv_sec,
		.boot_ms = (int64_t) boot.tv_sec * 1000 + boot.tv_nsec / 1000000,
		.mono_us = (int64_t) mono.tv_sec * 1000000 + mono.tv_nsec / 1000,
	};
}

const struct cw_clock cw_system_clock = {.now = system_now};

struct cw_now cw_clock_now(const struct cw_clock *clock)
{
	return clock->now(clock);
}

static struct cw_now fake_now(const struct cw_clock *clock)
{
	const struct cw_fake_clock *fake =
		(const struct cw_fake_clock *) (const void *) ((const char *) clock -
							       offsetof(struct cw_fake_clock,
								       clock));

	return fake->at;
}

void cw_fake_clock_init(struct cw_fake_clock *fake, int64_t wall_s)
{
	*fake = (struct cw_fake_clock){.clock = {.now = fake_now}, .at = {.wall_s = wall_s}};
}

void cw_fake_clock_advance(struct cw_fake_clock *fake, int64_t ms)
{
	/* The wall clock keeps whole seconds: carry what the boot clock passes over. */
	const int64_t before = fake->at.boot_ms / 1000;

	fake->at.boot_ms += ms;
	fake->at.mono_us += ms * 1000;
	fake->at.wall_s += fake->at.boot_ms / 1000 - before;
}

char *cw_time_str(int64_t wall_s, char buf[static CW_TIME_STRLEN])
{
	struct tm tm = {0};
	time_t t;

	/* Outside of four-digit years RFC 3339 has no form: say the nearest moment it can. */
	if (wall_s < YEAR0_S)
		wall_s = YEAR0_S;
	if (wall_s > YEAR9999_S)
		wall_s = YEAR9999_S;
	t = (time_t) wall_s;
	(void) gmtime_r(&t, &tm);
	if (!strftime(buf, CW_TIME_STRLEN, "%4Y-%m-%dT%H:%M:%SZ", &tm))
		buf[0] = '\0';
	return buf;
}

/* Exactly n digits at s. */
static int digits(const char *s, size_t n, uint64_t min, uint64_t max, int64_t *ret)
{
	uint64_t v;

	if (cw_parse_u64(s, n, min, max, &v) < 0)
		return CW_E_SYNTAX;
	*ret = (int64_t) v;
	return 0;
}

static int64_t days_of_month(int64_t year, int64_t month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

/* Days from 1970-01-01 to the first of a month of the proleptic Gregorian calendar. */
static int64_t days_to(int64_t year, int64_t month)
{
	const int64_t y = year + 400; /* keep the divisions below positive */
	int64_t days = y * 365 + (y + 3) / 4 - (y + 99) / 100 + (y + 399) / 400;

	for (int64_t m = 1; m < month; m++)
		days += days_of_month(year, m);
	return days - 719528 - 146097;
}

int cw_time_parse(const char *s, int64_t *ret_wall_s)
{
	const size_t n = strlen(s);
	int64_t year, month, day, hour, min, sec = 0;

	/* "2026-03-01T10:00:00Z" or "2026-03-01T10:00Z" */
	if ((n != 20 && n != 17) || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' ||
		s[n - 1] != 'Z' || (n == 20 && s[16] != ':'))
		return CW_E_SYNTAX;
	if (digits(s, 4, 0, 9999, &year) < 0 || digits(s + 5, 2, 1, 12, &month) < 0 ||
		digits(s + 8, 2, 1, 31, &day) < 0 || digits(s + 11, 2, 0, 23, &hour) < 0 ||
		digits(s + 14, 2, 0, 59, &min) < 0)
		return CW_E_SYNTAX;
	if (n == 20 && digits(s + 17, 2, 0, 59, &sec) < 0)
		return CW_E_SYNTAX;
	if (day > days_of_month(year, month))
		return CW_E_SYNTAX;
	*ret_wall_s = (days_to(year, month) + day - 1) * DAY_S + hour * 3600 + min * 60 + sec;
	return 0;
}
