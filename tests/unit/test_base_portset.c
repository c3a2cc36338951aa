/* SPDX-License-Identifier: BSD-2-Clause */
/* Port sets against a model that reads the bits of RFC 7597 5.1 one by one: all (a, k), all ports,
 * all PSIDs of small k and a sample of large k. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/err.h"
#include "tests/lib/cw-cmocka.h"

/* PSID of a port, bit by bit; -1: in no set. */
static int model_psid(unsigned a, unsigned k, unsigned port)
{
	unsigned block = 0, psid = 0;

	for (unsigned bit = 0; bit < a; bit++)
		block = block << 1 | (port >> (15 - bit) & 1);
	for (unsigned bit = a; bit < a + k; bit++)
		psid = psid << 1 | (port >> (15 - bit) & 1);
	return a && !block ? -1 : (int) psid;
}

/* has, psid_of and the ranges of one set agree with the model over all ports. */
static void check_set(unsigned a, unsigned k, unsigned psid)
{
	const struct cw_portset ps = {(uint8_t) a, (uint8_t) k, (uint16_t) psid};
	static uint8_t seen[65536];
	uint16_t lo, hi;
	unsigned mistakes = 0;
	int before = -1;

	assert_true(cw_portset_valid(ps));
	memset(seen, 0, sizeof seen);
	for (unsigned i = 0; i < cw_portset_ranges(ps); i++) {
		assert_true(cw_portset_range(ps, i, &lo, &hi));
		assert_true(lo <= hi);
		assert_true((int) lo > before); /* in order, without overlap */
		before = hi;
		for (unsigned port = lo; port <= hi; port++)
			seen[port] = 1;
	}
	assert_false(cw_portset_range(ps, cw_portset_ranges(ps), &lo, &hi));
	for (unsigned port = 0; port < 65536; port++) {
		const int model = model_psid(a, k, port);

		mistakes += cw_portset_psid_of(ps, (uint16_t) port) != model;
		mistakes += cw_portset_has(ps, (uint16_t) port) != (model == (int) psid);
		mistakes += seen[port] != (model == (int) psid);
	}
	assert_int_equal(mistakes, 0);
}

static void against_model(void **state)
{
	(void) state;
	check_set(0, 0, 0);
	for (unsigned a = 0; a <= 15; a += cw_test_cases(1, 5)) {
		for (unsigned k = 1; k <= 16 && a + k <= 16; k++) {
			const unsigned sets = 1U << k;
			const unsigned step =
				sets <= 4 ? 1 : sets / 3; /* first, two inside, last */

			for (unsigned psid = 0; psid < sets; psid += step)
				check_set(a, k, psid);
			check_set(a, k, sets - 1);
		}
	}
}

/* The sets of one (a, k) are disjoint and, but for the block A = 0, cover all ports. */
static void partition(void **state)
{
	(void) state;
	for (unsigned a = 0; a <= 6; a += cw_test_cases(3, 6)) {
		for (unsigned k = 1; k <= 6; k++) {
			static uint8_t owners[65536];
			uint16_t lo, hi;

			memset(owners, 0, sizeof owners);
			for (unsigned psid = 0; psid < 1U << k; psid++) {
				const struct cw_portset ps = {
					(uint8_t) a, (uint8_t) k, (uint16_t) psid};

				for (unsigned i = 0; cw_portset_range(ps, i, &lo, &hi); i++)
					for (unsigned port = lo; port <= hi; port++)
						owners[port]++;
			}
			for (unsigned port = 0; port < 65536; port++)
				assert_int_equal(owners[port], !(a && port < 65536U >> a));
		}
	}
}

/* RFC 7597 appendix A, example 1: a = 6, k = 8, PSID 0x34. */
static void rfc_example(void **state)
{
	const struct cw_portset ps = {6, 8, 0x34};
	uint16_t lo, hi;

	(void) state;
	assert_int_equal(cw_portset_ranges(ps), 63);
	assert_true(cw_portset_range(ps, 0, &lo, &hi));
	assert_int_equal(lo, 1232);
	assert_int_equal(hi, 1235);
	assert_true(cw_portset_range(ps, 1, &lo, &hi));
	assert_int_equal(lo, 2256);
	assert_int_equal(hi, 2259);
	assert_true(cw_portset_range(ps, 62, &lo, &hi));
	assert_int_equal(lo, 64720);
	assert_int_equal(hi, 64723);
}

static void invalid(void **state)
{
	static const struct cw_portset bad[] = {{1, 0, 0}, {0, 0, 1}, {16, 0, 0}, {0, 17, 0},
		{15, 2, 0}, {1, 16, 0}, {0, 1, 2}, {4, 8, 256}, {255, 255, 0}};
	uint16_t lo, hi;

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(bad); i++) {
		assert_false(cw_portset_valid(bad[i]));
		assert_int_equal(cw_portset_ranges(bad[i]), 0);
		assert_false(cw_portset_range(bad[i], 0, &lo, &hi));
		for (unsigned port = 0; port < 65536; port += 4095) {
			assert_int_equal(cw_portset_psid_of(bad[i], (uint16_t) port), -1);
			assert_false(cw_portset_has(bad[i], (uint16_t) port));
		}
	}
	assert_true(cw_portset_valid((struct cw_portset){15, 1, 1}));
	assert_true(cw_portset_valid((struct cw_portset){0, 16, 65535}));
}

static void compare(void **state)
{
	const struct cw_portset ps = {4, 8, 7};

	(void) state;
	assert_true(cw_portset_is_whole(CW_PORTSET_WHOLE));
	assert_true(cw_portset_has(CW_PORTSET_WHOLE, 0));
	assert_true(cw_portset_has(CW_PORTSET_WHOLE, 65535));
	assert_false(cw_portset_is_whole(ps));
	assert_true(cw_portset_eq(ps, (struct cw_portset){4, 8, 7}));
	assert_false(cw_portset_eq(ps, (struct cw_portset){3, 8, 7}));
	assert_false(cw_portset_eq(ps, (struct cw_portset){4, 7, 7}));
	assert_false(cw_portset_eq(ps, (struct cw_portset){4, 8, 6}));
}

static void text(void **state)
{
	static const char *const good[] = {"0/0/0", "0/16/65535", "6/8/52", "15/1/1", "0/1/0"};
	static const char *const bad[] = {"", "/", "//", "0/0", "0/0/", "0/0/0/", "0/0/0/0",
		"1/0/0", "0/0/1", "16/0/0", "0/17/0", "15/2/0", "0/1/2", "00/0/0", "0/00/0",
		"0/1/01", " 0/1/0", "0/1/0 ", "-0/1/0", "0/1/65536", "a/1/0", "272/1/0", "0/257/0"};
	char buf[24];
	struct cw_portset ps = {9, 9, 9};

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(bad); i++)
		assert_int_equal(cw_portset_parse(bad[i], strlen(bad[i]), &ps), CW_E_SYNTAX);
	assert_int_equal(ps.psid, 9);
	for (unsigned i = 0; i < CW_ARRAY_LEN(good); i++) {
		assert_int_equal(cw_portset_parse(good[i], strlen(good[i]), &ps), 0);
		assert_string_equal(cw_portset_str(ps, buf), good[i]);
	}
	assert_int_equal(cw_portset_parse("6/8/529", 6, &ps), 0); /* n bounds it */
	assert_int_equal(ps.psid, 52);
	assert_string_equal(
		cw_portset_str((struct cw_portset){255, 255, 65535}, buf), "255/255/65535");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_model),
		cmocka_unit_test(partition),
		cmocka_unit_test(rfc_example),
		cmocka_unit_test(invalid),
		cmocka_unit_test(compare),
		cmocka_unit_test(text),
	};

	return cmocka_run_group_tests_name("base/portset", tests, NULL, NULL);
}
