/* SPDX-License-Identifier: BSD-2-Clause */
/* All heap memory of the project goes through here: sizes are overflow-checked, and tests make the
 * k-th allocation fail. Thread: any. */
#pragma once

#include "base/defs.h"

/* n elements of `size` bytes, zeroed. NULL: out of memory or n * size > PTRDIFF_MAX. Given. */
void *cw_zalloc(size_t n, size_t size) CW_MUST_CHECK;
/* Like realloc(p, n * size) with the overflow check; the new part is not zeroed. p stays valid on
 * failure. */
void *cw_realloc(void *p, size_t n, size_t size) CW_MUST_CHECK;
char *cw_strdup(const char *s) CW_MUST_CHECK;            /* NULL in, NULL out. Given. */
char *cw_strndup(const char *s, size_t n) CW_MUST_CHECK; /* always NUL-terminated. Given. */
void *cw_memdup(const void *p, size_t n) CW_MUST_CHECK;  /* Given. */
void *cw_free(void *p);                                  /* free(); NULL is fine; returns NULL */
/* For CW_CLEANUP: frees what *p points to. */
void cw_freep(void *p);
/* Overwrites n bytes so that the compiler keeps it, then frees. For secrets. */
void *cw_free_secret(void *p, size_t n);
/* -EOVERFLOW instead of wrapping. */
int cw_mul(size_t a, size_t b, size_t *ret) CW_MUST_CHECK;
int cw_add(size_t a, size_t b, size_t *ret) CW_MUST_CHECK;
/* Closes *fd if it is >= 0 and sets it to -1. For CW_CLEANUP. */
void cw_closep(int *fd);
/* Equal without telling where the first difference is: for verifiers, tokens, MACs. */
int cw_memeq_ct(const void *a, const void *b, size_t n) CW_MUST_CHECK;
/* Fills p from getrandom(2). -errno on failure, and then nothing may be trusted. */
int cw_random(void *p, size_t n) CW_MUST_CHECK;

/* Test hook: the k-th allocation from now on (1 = the next) returns NULL, once; 0 switches it off.
 * cw_mem_count() is the number of allocations so far. Not thread-safe: set before threads start. */
void cw_mem_fail_at(unsigned long k);
unsigned long cw_mem_count(void);
