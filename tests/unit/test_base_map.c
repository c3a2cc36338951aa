/* SPDX-License-Identifier: BSD-2-Clause */
/* The hash map against a plain array, with removal, visits, long keys and failing memory; SipHash
 * against the vectors of its authors. */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "tests/lib/cw-cmocka.h"

/* Aumasson and Bernstein, "SipHash: a fast short-input PRF", appendix A: key and input 00 01 02 ..
 */
static void siphash_vectors(void **state)
{
	static const struct {
		size_t n;
		uint64_t hash;
	} v24[] = {{0, UINT64_C(0x726fdb47dd0e0e31)}, {1, UINT64_C(0x74f839c593dc67fd)},
		{7, UINT64_C(0xab0200f58b01d137)}, {8, UINT64_C(0x93f5f5799a932462)},
		{15, UINT64_C(0xa129ca6149be45e5)}};
	static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
	uint8_t in[16];

	(void) state;
	for (unsigned i = 0; i < sizeof in; i++)
		in[i] = (uint8_t) i;
	for (unsigned i = 0; i < CW_ARRAY_LEN(v24); i++)
		assert_true(cw_siphash(2, 4, key, in, v24[i].n) == v24[i].hash);
	assert_true(cw_siphash(1, 3, key, in, 15) != v24[4].hash);
}

static void simple(void **state)
{
	struct cw_map *m = cw_map_new();
	int a, b;
	void *old = &b;
	size_t iter = 0;

	(void) state;
	assert_non_null(m);
	assert_null(cw_map_get(m, "x", 1));
	assert_null(cw_map_take(m, "x", 1));
	assert_null(cw_map_next(m, &iter));
	assert_int_equal(cw_map_put(m, "x", 1, &a, &old), 0);
	assert_null(old);
	assert_int_equal(cw_map_put(m, "", 0, &b, NULL), 0); /* an empty key is a key */
	assert_int_equal(cw_map_count(m), 2);
	assert_ptr_equal(cw_map_get(m, "x", 1), &a);
	assert_ptr_equal(cw_map_get(m, NULL, 0), &b);
	assert_null(cw_map_get(m, "xy", 2));
	assert_int_equal(cw_map_put(m, "x", 1, &b, &old), 0);
	assert_ptr_equal(old, &a);
	assert_int_equal(cw_map_count(m), 2);
	assert_ptr_equal(cw_map_take(m, "x", 1), &b);
	assert_null(cw_map_take(m, "x", 1));
	assert_int_equal(cw_map_count(m), 1);
	assert_null(cw_map_free(m));
	assert_null(cw_map_free(NULL));
}

/* A number is the key of its eight octets. */
static void numbers_are_octets(void **state)
{
	struct cw_map *m = cw_map_new();
	const uint64_t key = UINT64_C(0x1122334455667788);
	int a;

	(void) state;
	assert_int_equal(cw_map_put_u64(m, key, &a, NULL), 0);
	assert_ptr_equal(cw_map_get(m, &key, sizeof key), &a);
	assert_ptr_equal(cw_map_take_u64(m, key), &a);
	assert_int_equal(cw_map_count(m), 0);
	(void) cw_map_free(m);
}

/* Keys of all lengths that share their beginning and, in their octets, include NUL. */
static void key_lengths(void **state)
{
	static uint8_t key[256];
	static int values[256];
	struct cw_map *m = cw_map_new();

	(void) state;
	for (unsigned n = 0; n <= 255; n++)
		assert_int_equal(cw_map_put(m, key, n, &values[n], NULL), 0);
	assert_int_equal(cw_map_put(m, key, 256, &values[0], NULL), CW_E_LIMIT);
	assert_null(cw_map_get(m, key, 256));
	assert_null(cw_map_take(m, key, 256));
	assert_int_equal(cw_map_count(m), 256);
	for (unsigned n = 0; n <= 255; n++)
		assert_ptr_equal(cw_map_get(m, key, n), &values[n]);
	for (unsigned n = 0; n <= 255; n += 2)
		assert_ptr_equal(cw_map_take(m, key, n), &values[n]);
	for (unsigned n = 0; n <= 255; n++)
		assert_ptr_equal(cw_map_get(m, key, n), n % 2 ? &values[n] : NULL);
	(void) cw_map_free(m); /* frees the long keys that are left */
}

enum { KEYS = 3000 };

/* How often each value is visited: exactly once if it is in the map, else never. */
static void check_visits(struct cw_map *m, uint8_t *values, const bool *in)
{
	size_t iter = 0;
	uint8_t *v;

	memset(values, 0, KEYS);
	while ((v = cw_map_next(m, &iter)) != NULL)
		(*v)++;
	for (unsigned i = 0; i < KEYS; i++)
		assert_int_equal(values[i], in[i]);
}

/* Random puts and takes against an array; the share of puts swings, so it grows, empties and
 * compacts. */
static void against_model(void **state)
{
	static uint8_t values[KEYS];
	static bool in[KEYS];
	struct cw_map *m = cw_map_new();
	size_t count = 0;
	uint32_t r;

	(void) state;
	for (unsigned step = 0; step < 200000; step++) {
		const unsigned puts = step / 20000 % 2 ? 30 : 70;
		unsigned i;

		assert_int_equal(cw_random(&r, sizeof r), 0);
		i = r % KEYS;
		if (r / KEYS % 100 < puts) {
			void *old;

			assert_int_equal(cw_map_put_u64(m, i, &values[i], &old), 0);
			assert_ptr_equal(old, in[i] ? &values[i] : NULL);
			count += !in[i];
			in[i] = true;
		} else {
			assert_ptr_equal(cw_map_take_u64(m, i), in[i] ? &values[i] : NULL);
			count -= in[i];
			in[i] = false;
		}
		assert_int_equal(cw_map_count(m), count);
		assert_ptr_equal(cw_map_get_u64(m, r % KEYS), in[i] ? &values[i] : NULL);
		if (step % 10000 == 0)
			check_visits(m, values, in);
	}
	check_visits(m, values, in);
	(void) cw_map_free(m);
}

/* Taking out what is being visited disturbs nothing, up to the last. */
static void take_while_visiting(void **state)
{
	static uint64_t values[1000];
	struct cw_map *m = cw_map_new();
	size_t iter = 0;
	uint64_t *v;
	unsigned seen = 0;

	(void) state;
	for (uint64_t i = 0; i < 1000; i++) {
		values[i] = i;
		assert_int_equal(cw_map_put_u64(m, i, &values[i], NULL), 0);
	}
	while ((v = cw_map_next(m, &iter)) != NULL) {
		seen++;
		if (*v % 3)
			assert_ptr_equal(cw_map_take_u64(m, *v), v);
	}
	assert_int_equal(seen, 1000);
	assert_int_equal(cw_map_count(m), 334);
	iter = 0;
	while ((v = cw_map_next(m, &iter)) != NULL)
		assert_ptr_equal(cw_map_take_u64(m, *v), v);
	assert_int_equal(cw_map_count(m), 0);
	assert_int_equal(cw_map_put_u64(m, 5, &values[5], NULL), 0);
	assert_ptr_equal(cw_map_get_u64(m, 5), &values[5]);
	(void) cw_map_free(m);
}

/* One in, one out for ever must neither grow nor slow down: the holes are closed. */
static void steady_turnover(void **state)
{
	struct cw_map *m = cw_map_new();
	unsigned long before;
	int v;

	(void) state;
	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(cw_map_put_u64(m, i, &v, NULL), 0);
	before = cw_mem_count();
	for (uint64_t i = 10; i < 100000; i++) {
		assert_int_equal(cw_map_put_u64(m, i, &v, NULL), 0);
		assert_ptr_equal(cw_map_take_u64(m, i - 10), &v);
	}
	assert_in_range(cw_mem_count() - before, 0, 4);
	assert_int_equal(cw_map_count(m), 10);
	(void) cw_map_free(m);
}

/* Whichever allocation fails, the map is as before and goes on working. */
static void out_of_memory(void **state)
{
	static int values[100];
	char key[100][40];

	(void) state;
	cw_mem_fail_at(1);
	assert_null(cw_map_new());
	for (unsigned k = 1; k < 200; k++) {
		struct cw_map *m = cw_map_new();
		unsigned failures = 0;

		assert_non_null(m);
		cw_mem_fail_at(k);
		for (unsigned i = 0; i < 100; i++) {
			void *old = &values[0];
			int r;

			(void) snprintf(key[i], sizeof key[i], "a key longer than inline %u", i);
			r = cw_map_put(m, key[i], strlen(key[i]), &values[i], &old);
			if (r == 0)
				continue;
			assert_int_equal(r, -ENOMEM);
			failures++;
			assert_ptr_equal(old, &values[0]); /* written only on success */
			assert_int_equal(cw_map_count(m), i);
			assert_null(cw_map_get(m, key[i], strlen(key[i])));
			assert_int_equal(
				cw_map_put(m, key[i], strlen(key[i]), &values[i], NULL), 0);
		}
		cw_mem_fail_at(0);
		for (unsigned i = 0; i < 100; i++)
			assert_ptr_equal(cw_map_get(m, key[i], strlen(key[i])), &values[i]);
		(void) cw_map_free(m);
		if (!failures)
			return; /* k is beyond all allocations */
	}
	fail_msg("the last allocation was never reached");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_vectors),
		cmocka_unit_test(simple),
		cmocka_unit_test(numbers_are_octets),
		cmocka_unit_test(key_lengths),
		cmocka_unit_test(against_model),
		cmocka_unit_test(take_while_visiting),
		cmocka_unit_test(steady_turnover),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests_name("base/map", tests, NULL, NULL);
}
