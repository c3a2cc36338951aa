/* SPDX-License-Identifier: BSD-2-Clause */
/* When jobs are due, and when they are not well. */
#include "config.h"

#include "broker/jobs/schedule.h"
#include "tests/lib/cw-cmocka.h"

static void test_first(void **state)
{
	(void) state;
	assert_int_equal(cw_schedule_first(100, 5000, 0, 4000, 30), CW_SCHEDULE_NEVER);
	assert_int_equal(cw_schedule_first(100, 5000, 3600, 0, 30), 130); /* never ran */
	assert_int_equal(cw_schedule_first(100, 5000, 3600, 4000, 30), 2700);
	assert_int_equal(cw_schedule_first(100, 500000, 3600, 4000, 30), 130);   /* overdue */
	assert_int_equal(cw_schedule_first(100, 5000, 3600, 1000000, 30), 3700); /* clock back */
	assert_int_equal(cw_schedule_first(100, 5000, 10, 0, 30), 110);
}

static void test_next(void **state)
{
	(void) state;
	assert_int_equal(cw_schedule_next(100, 100, 0), CW_SCHEDULE_NEVER);
	assert_int_equal(cw_schedule_next(105, 100, 60), 160);   /* no drift */
	assert_int_equal(cw_schedule_next(160, 100, 60), 220);   /* a turn was missed */
	assert_int_equal(cw_schedule_next(5000, 100, 60), 5060); /* many: once */
	assert_int_equal(cw_schedule_next(90, 100, 60), 150);    /* asked for before its turn */
	assert_int_equal(cw_schedule_next(90, CW_SCHEDULE_NEVER, 60), 150);
}

static void test_ill(void **state)
{
	struct cw_schedule_facts f = {.stuck_after_s = 100, .late_after_s = 60};

	(void) state;
	assert_null(cw_schedule_ill(&f));
	f.late_s = 60;
	assert_null(cw_schedule_ill(&f));
	f.late_s = 61;
	assert_string_equal(cw_schedule_ill(&f), "late");
	f.last_result = -5;
	assert_string_equal(cw_schedule_ill(&f), "failed");
	f.running = true; /* the next try is on its way */
	f.late_s = 0;
	f.running_s = 100;
	assert_null(cw_schedule_ill(&f));
	f.running_s = 101;
	assert_string_equal(cw_schedule_ill(&f), "stuck");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_ill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
