/* SPDX-License-Identifier: BSD-2-Clause */
/* The arena: zeroed, aligned, capped, reusable, safe without memory. */
#include "config.h"

#include <stddef.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "tests/lib/cw-cmocka.h"

static void zeroed_and_aligned(void **state)
{
	struct cw_arena *a = cw_arena_new(1 << 20);
	uint8_t *before = NULL;

	(void) state;
	for (unsigned round = 0; round < 3; round++) {
		for (size_t n = 0; n < 400; n++) {
			uint8_t *p = cw_arena_alloc(a, n, 1);

			assert_non_null(p);
			assert_ptr_not_equal(p, before); /* also of size 0 */
			assert_int_equal((uintptr_t) p % _Alignof(max_align_t), 0);
			for (size_t i = 0; i < n; i++)
				assert_int_equal(p[i], 0);
			memset(p, 0xee, n);
			before = p;
		}
		cw_arena_reset(a);
		assert_int_equal(cw_arena_used(a), 0);
	}
	assert_null(cw_arena_free(a));
	assert_null(cw_arena_free(NULL));
}

static void capped(void **state)
{
	struct cw_arena *a = cw_arena_new(1000);
	CW_CLEANUP(cw_arena_freep) struct cw_arena *nothing = cw_arena_new(0);
	unsigned n = 0;

	(void) state;
	assert_null(cw_arena_alloc(a, 1001, 1));
	while (cw_arena_alloc(a, 1, 1))
		n++;
	assert_int_equal(n, 1000 / 16); /* small pieces count as what they take */
	assert_true(cw_arena_used(a) <= 1000);
	cw_arena_reset(a);
	assert_non_null(cw_arena_alloc(a, 992, 1));
	assert_null(cw_arena_alloc(a, 1, 1));
	assert_null(cw_arena_alloc(a, SIZE_MAX, 1));
	assert_null(cw_arena_alloc(a, SIZE_MAX / 2, 3));
	assert_non_null(nothing);
	assert_null(cw_arena_alloc(nothing, 1, 1));
	(void) cw_arena_free(a);
}

static void large_pieces(void **state)
{
	struct cw_arena *a = cw_arena_new(SIZE_MAX);
	char *big = cw_arena_alloc(a, 100, 1000);
	char *small = cw_arena_alloc(a, 1, 10);

	(void) state;
	assert_non_null(big);
	assert_non_null(small);
	memset(big, 1, 100000);
	assert_int_equal(small[0], 0);
	assert_null(cw_arena_alloc(a, SIZE_MAX - 200000, 1)); /* the system's limit, not the cap */
	(void) cw_arena_free(a);
}

static void strings(void **state)
{
	struct cw_arena *a = cw_arena_new(1000);
	static const char unterminated[2] = {'a', 'b'};

	(void) state;
	assert_string_equal(cw_arena_strndup(a, unterminated, 2), "ab");
	assert_string_equal(cw_arena_strndup(a, "hello", 3), "hel");
	assert_string_equal(cw_arena_strndup(a, "hello", 100), "hello");
	assert_string_equal(cw_arena_strndup(a, "", 0), "");
	(void) cw_arena_free(a);
}

static void out_of_memory(void **state)
{
	struct cw_arena *a;

	(void) state;
	for (unsigned k = 1; k <= 2; k++) {
		cw_mem_fail_at(k);
		assert_null(cw_arena_new(100));
	}
	a = cw_arena_new(100000);
	cw_mem_fail_at(1);
	assert_null(cw_arena_alloc(a, 50000, 1));
	cw_mem_fail_at(0);
	assert_int_equal(cw_arena_used(a), 0); /* what failed does not count */
	assert_non_null(cw_arena_alloc(a, 50000, 1));
	(void) cw_arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeroed_and_aligned),
		cmocka_unit_test(capped),
		cmocka_unit_test(large_pieces),
		cmocka_unit_test(strings),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests_name("base/arena", tests, NULL, NULL);
}
