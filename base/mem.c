/* SPDX-License-Identifier: BSD-2-Clause */
/* The one door to the heap: overflow-checked sizes and the failing allocator of the tests. NULL
 * means out of memory and nothing else, so a size of zero still gives a pointer. Thread: any. */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/mem.h"

static unsigned long allocations; /* atomic */
static unsigned long countdown;   /* atomic; 0: no failure wanted */

void cw_mem_fail_at(unsigned long k)
{
	__atomic_store_n(&countdown, k, __ATOMIC_RELAXED);
}

unsigned long cw_mem_count(void)
{
	return __atomic_load_n(&allocations, __ATOMIC_RELAXED);
}

/* Counts an allocation; true if it is the one that a test wants to see fail. */
static bool must_fail(void)
{
	unsigned long left = __atomic_load_n(&countdown, __ATOMIC_RELAXED);

	(void) __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
	while (left) {
		if (__atomic_compare_exchange_n(
			    &countdown, &left, left - 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return left == 1;
	}
	return false;
}

int cw_mul(size_t a, size_t b, size_t *ret)
{
	size_t r;

	if (__builtin_mul_overflow(a, b, &r))
		return -EOVERFLOW;
	*ret = r;
	return 0;
}

int cw_add(size_t a, size_t b, size_t *ret)
{
	size_t r;

	if (__builtin_add_overflow(a, b, &r))
		return -EOVERFLOW;
	*ret = r;
	return 0;
}

void *cw_zalloc(size_t n, size_t size)
{
	size_t total;

	if (must_fail() || cw_mul(n, size, &total) < 0 || total > PTRDIFF_MAX)
		return NULL;
	return calloc(1, total ? total : 1);
}

void *cw_realloc(void *p, size_t n, size_t size)
{
	size_t total;

	if (must_fail() || cw_mul(n, size, &total) < 0 || total > PTRDIFF_MAX)
		return NULL;
	return realloc(p, total ? total : 1);
}

char *cw_strdup(const char *s)
{
	return s ? cw_strndup(s, strlen(s)) : NULL;
}

char *cw_strndup(const char *s, size_t n)
{
	const size_t len = s ? strnlen(s, n) : 0;
	size_t total;
	char *p;

	if (!s || cw_add(len, 1, &total) < 0)
		return NULL;
	p = cw_zalloc(total, 1);
	if (p)
		memcpy(p, s, len);
	return p;
}

void *cw_memdup(const void *p, size_t n)
{
	void *copy = cw_zalloc(n, 1);

	if (copy && n)
		memcpy(copy, p, n);
	return copy;
}

void *cw_free(void *p)
{
	free(p);
	return NULL;
}

void cw_freep(void *p)
{
	void *victim;

	memcpy(&victim, p, sizeof victim); /* p is the address of a pointer of any type */
	free(victim);
}

void *cw_free_secret(void *p, size_t n)
{
	if (p)
		explicit_bzero(p, n);
	free(p);
	return NULL;
}

void cw_closep(int *fd)
{
	const int saved = errno;

	if (*fd >= 0)
		(void) close(*fd);
	*fd = -1;
	errno = saved;
}

int cw_memeq_ct(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a;
	const volatile uint8_t *y = b;
	unsigned diff = 0;

	for (size_t i = 0; i < n; i++)
		diff |= (unsigned) (x[i] ^ y[i]);
	return diff == 0;
}

int cw_random(void *p, size_t n)
{
	uint8_t *to = p;

	while (n) {
		const ssize_t r = getrandom(to, n, 0);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		to += r;
		n -= (size_t) r;
	}
	return 0;
}
