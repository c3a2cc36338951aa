/* SPDX-License-Identifier: BSD-2-Clause */
/* Clocks, and RFC 3339 text against the C library's calendar. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "tests/lib/cw-cmocka.h"

static void system_clock(void **state)
{
	const struct cw_now a = cw_clock_now(&cw_system_clock);
	const struct cw_now b = cw_clock_now(&cw_system_clock);
	const time_t t = time(NULL);

	(void) state;
	assert_true(b.mono_us >= a.mono_us);
	assert_true(b.boot_ms >= a.boot_ms);
	assert_true(a.boot_ms >= a.mono_us / 1000 - 1); /* boot time counts suspend too */
	assert_in_range(t - a.wall_s, 0, 10);
}

static void fake_clock(void **state)
{
	struct cw_fake_clock f;
	struct cw_now now;

	(void) state;
	cw_fake_clock_init(&f, 1000);
	now = cw_clock_now(&f.clock);
	assert_int_equal(now.wall_s, 1000);
	assert_int_equal(now.mono_us, 0);
	for (unsigned i = 0; i < 4; i++)
		cw_fake_clock_advance(&f, 300);
	now = cw_clock_now(&f.clock);
	assert_int_equal(now.mono_us, 1200000);
	assert_int_equal(now.boot_ms, 1200);
	assert_int_equal(now.wall_s, 1001); /* parts of seconds add up */
	f.at.wall_s = 5;                    /* somebody set the wall clock back */
	cw_fake_clock_advance(&f, 800);
	now = cw_clock_now(&f.clock);
	assert_int_equal(now.wall_s, 6);
	assert_int_equal(now.boot_ms, 2000);
}

static void write_time(void **state)
{
	static const struct {
		int64_t t;
		const char *s;
	} v[] = {{0, "1970-01-01T00:00:00Z"}, {-1, "1969-12-31T23:59:59Z"},
		{951782400, "2000-02-29T00:00:00Z"}, {1772359200, "2026-03-01T10:00:00Z"},
		{INT64_C(253402300799), "9999-12-31T23:59:59Z"},
		{INT64_C(253402300800), "9999-12-31T23:59:59Z"},
		{INT64_MAX, "9999-12-31T23:59:59Z"},
		{INT64_C(-62167219200), "0000-01-01T00:00:00Z"},
		{INT64_MIN, "0000-01-01T00:00:00Z"},
		{INT64_C(-62135596800), "0001-01-01T00:00:00Z"}};
	char buf[CW_TIME_STRLEN];

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(v); i++)
		assert_string_equal(cw_time_str(v[i].t, buf), v[i].s);
}

static void parse_time(void **state)
{
	static const char *const bad[] = {"", "2026-03-01", "2026-03-01T10:00:00",
		"2026-03-01 10:00:00Z", "2026-03-01t10:00:00z", "2026-3-01T10:00:00Z",
		"2026-00-01T10:00:00Z", "2026-13-01T10:00:00Z", "2026-02-29T10:00:00Z",
		"1900-02-29T10:00:00Z", "2026-04-31T10:00:00Z", "2026-01-00T10:00:00Z",
		"2026-01-32T10:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T10:60:00Z",
		"2026-01-01T10:00:60Z", "2026-01-01T10:00:00+", "2026-01-01T10:00:00ZZ",
		"2026-01-01T10-00:00Z", "2026-01-01T10:00-00Z", "-026-01-01T10:00:00Z",
		"2026-01-01T 1:00:00Z", "2026-01-01T10:00:00.0Z", "20260101T100000Z",
		"2026-01-01T10:0Z"};
	int64_t t = 5;

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(bad); i++)
		assert_int_equal(cw_time_parse(bad[i], &t), CW_E_SYNTAX);
	assert_int_equal(t, 5);
	assert_int_equal(cw_time_parse("2026-03-01T10:00:00Z", &t), 0);
	assert_int_equal(t, 1772359200);
	assert_int_equal(cw_time_parse("2026-03-01T10:00Z", &t), 0);
	assert_int_equal(t, 1772359200);
	assert_int_equal(cw_time_parse("2000-02-29T23:59:59Z", &t), 0);
	assert_int_equal(t, 951868799);
}

/* Every day of four centuries around now, and random moments of all ten thousand years. */
static void round_trip(void **state)
{
	const int64_t start = INT64_C(-7000000000), days = 146097;
	char buf[CW_TIME_STRLEN];
	int64_t back;
	uint64_t r;

	(void) state;
	for (int64_t d = 0; d < days; d++) {
		(void) cw_time_str(start + d * 86400, buf);
		if (cw_time_parse(buf, &back) < 0 || back != start + d * 86400)
			fail_msg("%s", buf);
	}
	for (unsigned i = 0; i < 100000; i++) {
		int64_t t;

		assert_int_equal(cw_random(&r, sizeof r), 0);
		t = (int64_t) (r % UINT64_C(315569520000)) - INT64_C(62167219200);
		(void) cw_time_str(t, buf);
		if (cw_time_parse(buf, &back) < 0 || back != t)
			fail_msg("%s", buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(system_clock),
		cmocka_unit_test(fake_clock),
		cmocka_unit_test(write_time),
		cmocka_unit_test(parse_time),
		cmocka_unit_test(round_trip),
	};

	return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
