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
