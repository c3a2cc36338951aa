/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory of one request: allocated piece by piece, freed at once, with a hard cap that is also the
 * bound for hostile input. Thread: the owner's. */
#pragma once

#include "base/defs.h"

struct cw_arena;

/* cap: the most bytes this arena may ever hand out. NULL: out of memory. Given. */
struct cw_arena *cw_arena_new(size_t cap) CW_MUST_CHECK;
struct cw_arena *cw_arena_free(struct cw_arena *a); /* NULL is fine; returns NULL */
void cw_arena_freep(struct cw_arena **a);
void cw_arena_reset(struct cw_arena *a); /* gives back all pieces, keeps the first block */
/* Zeroed, aligned for any type. NULL: cap reached or out of memory. Lives as long as the arena. */
void *cw_arena_alloc(struct cw_arena *a, size_t n, size_t size) CW_MUST_CHECK;
char *cw_arena_strndup(struct cw_arena *a, const char *s, size_t n) CW_MUST_CHECK;
size_t cw_arena_used(const struct cw_arena *a);
