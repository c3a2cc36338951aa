/* SPDX-License-Identifier: BSD-2-Clause */
/* Every result code has a text and a token of its own. */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "tests/lib/cw-cmocka.h"

static void own_codes(void **state)
{
	(void) state;
	for (int a = CW_E_SCHEMA; a <= CW_E_POOL_EMPTY; a++) {
		assert_string_not_equal(cw_strerror(a), "unknown error");
		assert_string_not_equal(cw_err_name(a), "unknown");
		for (int b = CW_E_SCHEMA; b < a; b++) {
			assert_string_not_equal(cw_strerror(a), cw_strerror(b));
			assert_string_not_equal(cw_err_name(a), cw_err_name(b));
		}
		for (const char *p = cw_err_name(a); *p; p++)
			assert_true(islower((unsigned char) *p) || *p == '-');
	}
	assert_string_equal(cw_err_name(CW_E_POOL_EMPTY), "pool-empty");
	assert_string_equal(cw_err_name(CW_E_TEP), "tep");
}

static void errno_codes(void **state)
{
	(void) state;
	assert_string_equal(cw_err_name(-ENOENT), "enoent");
	assert_string_equal(cw_strerror(-ENOENT), "No such file or directory");
	assert_string_equal(cw_err_name(-EAGAIN), "eagain");
	assert_string_equal(cw_err_name(-4095), "eof");
	assert_string_equal(cw_strerror(-4095), "end of file");
}

static void other_values(void **state)
{
	static const int odd[] = {INT32_MIN, INT32_MIN + 1, -5000, -4096, -1000, -1099, -600};

	(void) state;
	for (unsigned i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		assert_string_equal(cw_strerror(odd[i]), "unknown error");
		assert_string_equal(cw_err_name(odd[i]), "unknown");
	}
	assert_string_equal(cw_strerror(0), "success");
	assert_string_equal(cw_err_name(0), "ok");
	assert_string_equal(cw_err_name(7), "ok");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_codes),
		cmocka_unit_test(errno_codes),
		cmocka_unit_test(other_values),
	};

	return cmocka_run_group_tests_name("base/err", tests, NULL, NULL);
}
