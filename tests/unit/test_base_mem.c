/* SPDX-License-Identifier: BSD-2-Clause */
/* The door to the heap: overflow, failure on demand, the small helpers. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/lib/cw-cmocka.h"

static void arithmetic(void **state)
{
	size_t r = 7;

	(void) state;
	assert_int_equal(cw_mul(SIZE_MAX, 1, &r), 0);
	assert_true(r == SIZE_MAX);
	assert_int_equal(cw_mul(SIZE_MAX / 2 + 1, 2, &r), -EOVERFLOW);
	assert_true(r == SIZE_MAX); /* untouched */
	assert_int_equal(cw_add(SIZE_MAX - 1, 1, &r), 0);
	assert_int_equal(cw_add(SIZE_MAX, 1, &r), -EOVERFLOW);
	assert_int_equal(cw_mul(0, SIZE_MAX, &r), 0);
	assert_int_equal(r, 0);
}

static void allocate(void **state)
{
	uint8_t *p = cw_zalloc(100, 3);
	void *q;

	(void) state;
	assert_non_null(p);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(p[i], 0);
	memset(p, 5, 300);
	p = cw_realloc(p, 1000, 1);
	assert_non_null(p);
	assert_int_equal(p[299], 5);
	assert_null(cw_realloc(p, SIZE_MAX, 2)); /* p is still ours */
	assert_int_equal(p[0], 5);
	assert_null(cw_free(p));
	assert_null(cw_free(NULL));
	assert_null(cw_zalloc(SIZE_MAX / 2, 3));
	q = cw_zalloc(0, 8); /* NULL means out of memory, so nothing is something */
	assert_non_null(q);
	q = cw_realloc(q, 0, 1);
	assert_non_null(q);
	(void) cw_free(q);
}

static void copies(void **state)
{
	static const char unterminated[3] = {'a', 'b', 'c'};
	char *s = cw_strdup("hello");
	char *part = cw_strndup(unterminated, 3);
	char *shorter = cw_strndup("ab\0cd", 5);
	void *empty = cw_memdup("", 0);
	char *secret = cw_memdup("secret", 7);

	(void) state;
	assert_string_equal(s, "hello");
	assert_string_equal(part, "abc");
	assert_string_equal(shorter, "ab");
	assert_non_null(empty);
	assert_string_equal(secret, "secret");
	assert_null(cw_strdup(NULL));
	assert_null(cw_strndup(NULL, 4));
	(void) cw_free(s);
	(void) cw_free(part);
	(void) cw_free(shorter);
	(void) cw_free(empty);
	assert_null(cw_free_secret(secret, 7));
	assert_null(cw_free_secret(NULL, 7));
}

static void fails_at(void **state)
{
	void *a, *b, *c;
	const unsigned long before = cw_mem_count();

	(void) state;
	cw_mem_fail_at(2);
	a = cw_zalloc(1, 1);
	b = cw_strdup("x");
	c = cw_memdup("x", 1);
	assert_non_null(a);
	assert_null(b);
	assert_non_null(c); /* only once */
	assert_int_equal(cw_mem_count() - before, 3);
	cw_mem_fail_at(1);
	assert_null(cw_realloc(a, 10, 1));
	cw_mem_fail_at(1);
	cw_mem_fail_at(0);
	a = cw_realloc(a, 10, 1);
	assert_non_null(a);
	(void) cw_free(a);
	(void) cw_free(c);
}

static void *allocate_much(void *arg)
{
	unsigned long *failures = arg;

	for (unsigned i = 0; i < 10000; i++) {
		void *p = cw_zalloc(1, 8);

		*failures += p == NULL;
		(void) cw_free(p);
	}
	return NULL;
}

/* The hook is armed before the threads: among all of them exactly one allocation fails. */
static void fails_once_among_threads(void **state)
{
	pthread_t threads[4];
	unsigned long failures[4] = {0}, sum = 0;
	const unsigned long before = cw_mem_count();

	(void) state;
	cw_mem_fail_at(12345);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, allocate_much, &failures[i]), 0);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		sum += failures[i];
	}
	assert_int_equal(sum, 1);
	assert_int_equal(cw_mem_count() - before, 40000);
}

static void cleanup_helpers(void **state)
{
	int fds[2];

	(void) state;
	assert_int_equal(pipe(fds), 0);
	{
		CW_CLEANUP(cw_closep) int fd = fds[0];
		CW_CLEANUP(cw_closep) int none = -1;
		CW_CLEANUP(cw_freep) char *p = cw_strdup("freed at the end of the block");
		CW_CLEANUP(cw_freep) char *nothing = NULL;

		assert_non_null(p);
		assert_null(nothing);
		assert_int_equal(none, -1);
		assert_true(fd >= 0);
	}
	assert_int_equal(fcntl(fds[0], F_GETFD), -1);
	fds[0] = fds[1];
	cw_closep(&fds[1]);
	assert_int_equal(fds[1], -1);
	errno = ENOSPC;
	cw_closep(&fds[0]); /* closed already: fails, and hides no earlier error */
	assert_int_equal(errno, ENOSPC);
}

static char *hand_over(void)
{
	CW_CLEANUP(cw_freep) char *p = cw_strdup("kept");

	return CW_TAKE(p);
}

static void take(void **state)
{
	char *p = hand_over();

	(void) state;
	assert_string_equal(p, "kept");
	(void) cw_free(p);
}

static void compare(void **state)
{
	static const char a[] = "0123456789abcdef";
	char b[sizeof a];

	(void) state;
	memcpy(b, a, sizeof a);
	assert_true(cw_memeq_ct(a, b, sizeof a));
	assert_true(cw_memeq_ct(a, "x", 0));
	for (unsigned i = 0; i < sizeof a; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			b[i] = (char) (a[i] ^ (1 << bit));
			assert_false(cw_memeq_ct(a, b, sizeof a));
		}
		b[i] = a[i];
	}
}

static void random_octets(void **state)
{
	static uint8_t a[100000],
		b[sizeof a]; /* more than getrandom(2) gives at once when interrupted */
	unsigned count[256] = {0};

	(void) state;
	assert_int_equal(cw_random(a, sizeof a), 0);
	assert_int_equal(cw_random(b, sizeof b), 0);
	assert_memory_not_equal(a, b, sizeof a);
	for (unsigned i = 0; i < sizeof a; i++)
		count[a[i]]++;
	for (unsigned i = 0; i < 256; i++) /* 390 expected, standard deviation 20 */
		assert_in_range(count[i], 200, 600);
	assert_int_equal(cw_random(NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arithmetic),
		cmocka_unit_test(allocate),
		cmocka_unit_test(copies),
		cmocka_unit_test(fails_at),
		cmocka_unit_test(fails_once_among_threads),
		cmocka_unit_test(cleanup_helpers),
		cmocka_unit_test(take),
		cmocka_unit_test(compare),
		cmocka_unit_test(random_octets),
	};

	return cmocka_run_group_tests_name("base/mem", tests, NULL, NULL);
}
