/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory of one request: a chain of blocks, newest first, the oldest kept over a reset. Every piece
 * is rounded up to max_align_t and counted against the cap as rounded. Thread: the owner's. */
#include "config.h"

#include <string.h>

#include "base/arena.h"
#include "base/mem.h"

#define ALIGN       _Alignof(max_align_t)
#define FIRST_BLOCK ((size_t) 2048)
#define BLOCK       ((size_t) 16384)

struct block {
	struct block *older;
	size_t size; /* of data */
	size_t used;
	_Alignas(max_align_t) char data[];
};

struct cw_arena {
	size_t cap;
	size_t used;
	struct block *newest;
};

static struct block *block_new(size_t size, struct block *older)
{
	struct block *b;
	size_t total;

	if (cw_add(sizeof *b, size, &total) < 0)
		return NULL;
	b = cw_zalloc(total, 1);
	if (!b)
		return NULL;
	b->older = older;
	b->size = size;
	return b;
}

struct cw_arena *cw_arena_new(size_t cap)
{
	struct cw_arena *a = cw_zalloc(1, sizeof *a);

	if (!a)
		return NULL;
	a->cap = cap;
	a->newest = block_new(cap < FIRST_BLOCK ? cap : FIRST_BLOCK, NULL);
	if (!a->newest)
		return cw_free(a);
	return a;
}

/* Frees all blocks but the oldest. */
static void drop_blocks(struct cw_arena *a)
{
	while (a->newest->older) {
		struct block *b = a->newest;

		a->newest = b->older;
		(void) cw_free(b);
	}
}

struct cw_arena *cw_arena_free(struct cw_arena *a)
{
	if (!a)
		return NULL;
	drop_blocks(a);
	(void) cw_free(a->newest);
	return cw_free(a);
}

void cw_arena_freep(struct cw_arena **a)
{
	*a = cw_arena_free(*a);
}

void cw_arena_reset(struct cw_arena *a)
{
	drop_blocks(a);
	explicit_bzero(
		a->newest->data, a->newest->used); /* pieces may hold secrets, and must be zero */
	a->newest->used = 0;
	a->used = 0;
}

void *cw_arena_alloc(struct cw_arena *a, size_t n, size_t size)
{
	struct block *b = a->newest;
	size_t want, round;
	char *p;

	if (cw_mul(n, size, &want) < 0 || cw_add(want, ALIGN - 1, &round) < 0)
		return NULL;
	round = round / ALIGN * ALIGN;
	if (!round)
		round = ALIGN;
	if (round > a->cap - a->used)
		return NULL;
	if (round > b->size - b->used) {
		b = block_new(round > BLOCK ? round : BLOCK, b);
		if (!b)
			return NULL;
		a->newest = b;
	}
	p = b->data + b->used;
	b->used += round;
	a->used += round;
	return p;
}

char *cw_arena_strndup(struct cw_arena *a, const char *s, size_t n)
{
	const size_t len = strnlen(s, n);
	size_t total;
	char *p;

	if (cw_add(len, 1, &total) < 0)
		return NULL;
	p = cw_arena_alloc(a, total, 1);
	if (p)
		memcpy(p, s, len);
	return p;
}

size_t cw_arena_used(const struct cw_arena *a)
{
	return a->used;
}
