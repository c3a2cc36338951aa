/* SPDX-License-Identifier: BSD-2-Clause */
/* Hash map with keys of up to 255 octets (or 64-bit integers), keyed by SipHash-1-3 with a random
 * key per process so that peers cannot choose collisions. Values are the caller's pointers; the map
 * owns only its table. Thread: the owner's. */
#pragma once

#include "base/defs.h"

struct cw_map;

struct cw_map *cw_map_new(void) CW_MUST_CHECK; /* NULL: out of memory. Given. */
struct cw_map *cw_map_free(struct cw_map *m);  /* not the values; NULL is fine; returns NULL */
size_t cw_map_count(const struct cw_map *m);
/* Borrowed value or NULL. */
void *cw_map_get(const struct cw_map *m, const void *key, size_t n);
void *cw_map_get_u64(const struct cw_map *m, uint64_t key);
/* Copies the key, replaces an older value (*ret_old, may be NULL pointer). value must not be NULL.
 * 0, -ENOMEM or CW_E_LIMIT (key over 255 octets); then nothing changed. */
int cw_map_put(
	struct cw_map *m, const void *key, size_t n, void *value, void **ret_old) CW_MUST_CHECK;
int cw_map_put_u64(struct cw_map *m, uint64_t key, void *value, void **ret_old) CW_MUST_CHECK;
/* The value taken out, or NULL. */
void *cw_map_take(struct cw_map *m, const void *key, size_t n);
void *cw_map_take_u64(struct cw_map *m, uint64_t key);
/* SipHash-c-d of n octets, 64 bits; the map uses 1-3 with its own key. */
uint64_t cw_siphash(unsigned c, unsigned d, const uint64_t key[static 2], const void *p, size_t n);
/* Visits all values; *iter starts at 0; NULL at the end. Only removal of the visited one is
 * allowed. */
void *cw_map_next(const struct cw_map *m, size_t *iter);
