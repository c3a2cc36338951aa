/* SPDX-License-Identifier: BSD-2-Clause */
/* cmocka with the headers it forgets. A test program runs exactly one group of cases:
 *
 *	int main(void)
 *	{
 *		const struct CMUnitTest tests[] = {cmocka_unit_test(empty_input), ...};
 *
 *		return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
 *	}
 */
#pragma once

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <stdlib.h>

/* For loops over very many cases of one kind: all of them, or so many under tools that make every
 * step tens of times slower and look at memory or threads, not at results (tap-run, contrib/check
 * set CW_TEST_SPARSE). */
static inline unsigned cw_test_cases(unsigned all, unsigned sparse)
{
	return getenv("CW_TEST_SPARSE") ? sparse : all;
}
