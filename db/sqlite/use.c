/* SPDX-License-Identifier: BSD-2-Clause */
/* How full pools are, without ever counting leases: each transition adds to counters in the cache,
 * which are written once per pool and commit. What of a pool can be lent at all follows from its
 * configuration and is computed when the cache is built. Only a pool whose row is missing (a new
 * schema, damaged leases put aside) has its leases counted. Levels are looked at when a commit is
 * about to be made, so what came and went within one transaction is no event. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "db/sqlite/sqlite.h"

#define CW_SQ_FULL_BACK  95 /* percent: not full any more */
#define CW_SQ_HYSTERESIS 5  /* points below low_percent: not low any more */

static void touch(struct cw_backend *b, struct cw_sq_pool *p)
{
	if (p->use.dirty)
		return;
	p->use.dirty = true;
	p->use.next_dirty = b->cache->used;
	b->cache->used = p;
}

bool cw_sq_aside(
	const struct cw_backend *b, const struct cw_sq_pool *p, struct cw_addr4 addr, uint16_t psid)
{
	return psid < p->n_system || cw_sq_excluded(p, addr) ||
	       (b->cache->n_reserved > 0 && cw_sq_reserved(b, addr, psid));
}

static int64_t *counter(struct cw_sq_use *u, enum cw_lease_state s)
{
	switch (s) {
	case CW_LEASE_ACTIVE:
		return &u->active;
	case CW_LEASE_ENDING:
		return &u->ending;
	case CW_LEASE_QUARANTINED:
		return &u->quarantined;
	default:
		return NULL;
	}
}

void cw_sq_use_change(struct cw_backend *b, struct cw_sq_pool *p, enum cw_lease_state from,
	enum cw_lease_state to, bool aside)
{
	int64_t *less = counter(&p->use, from), *more = counter(&p->use, to);

	if (less)
		--*less;
	if (more)
		++*more;
	if (aside)
		p->use.aside += (more != NULL) - (less != NULL);
	touch(b, p);
}

/* ---- what can be lent ---- */

static uint64_t common(uint32_t lo, uint32_t hi, uint32_t from, uint32_t to)
{
	uint32_t first = lo > from ? lo : from, last = hi < to ? hi : to;

	return first > last ? 0 : (uint64_t) last - first + 1;
}

static void add_range(const struct cw_sq_range *range, struct cw_sq_use *now)
{
	const struct cw_sq_pool *p = range->pool;
	uint64_t addresses = (uint64_t) range->hi - range->lo + 1, out = 0;

	for (size_t i = 0; i < p->n_excl; i++)
		out += common(range->lo, range->hi, p->excl[i].lo, p->excl[i].hi);
	now->total += (int64_t) (addresses * p->sets);
	now->excluded += (int64_t) (out * p->sets + (addresses - out) * p->n_system);
}

/* A reserved place counts as such also where all are excluded; a damaged one is excluded. */
static void add_reserved(
	struct cw_sq_use *now, const struct cw_sq_pool *p, const struct cw_sq_reserved *v)
{
	bool out = v->psid < p->n_system || cw_sq_excluded(p, (struct cw_addr4){v->addr});

	if (!v->damaged) {
		now->reserved++;
		now->excluded -= out;
	} else if (!out) {
		now->excluded++;
	}
}

/* The first three counters of every pool. */
static void measure(struct cw_backend *b)
{
	const struct cw_sq_cache *c = b->cache;

	for (size_t i = 0; i < c->n_ranges; i++)
		add_range(&c->ranges[i], &c->ranges[i].pool->use);
	for (size_t i = 0; i < c->n_reserved; i++) {
		const struct cw_sq_reserved *v = &c->reserved[i];
		const struct cw_sq_range *range = cw_sq_range_of(b, (struct cw_addr4){v->addr});

		/* Reserved and damaged at once: counted as the first of the two. */
		if (range && (i == 0 || v[-1].addr != v->addr || v[-1].psid != v->psid))
			add_reserved(&range->pool->use, range->pool, v);
	}
}

/* ---- the rows ---- */

static int count_leases(struct cw_backend *b, struct cw_sq_pool *p)
{
	sqlite3_stmt *st = b->st[CW_SQ_USE_COUNT];
	int r;

	cw_sq_int(st, 1, (int64_t) p->p.id);
	while ((r = cw_sq_row(b, CW_SQ_USE_COUNT)) > 0) {
		int64_t *n = counter(&p->use, (enum cw_lease_state) sqlite3_column_int(st, 0));

		if (n)
			*n = sqlite3_column_int64(st, 1);
		p->use.aside += sqlite3_column_int64(st, 2);
	}
	p->use.resize = true;
	touch(b, p);
	return r;
}

int cw_sq_use_load(struct cw_backend *b)
{
	sqlite3_stmt *st = b->st[CW_SQ_USES];
	int r;

	measure(b);
	while ((r = cw_sq_row(b, CW_SQ_USES)) > 0) {
		struct cw_sq_pool *p = cw_sq_pool_by_id(b, (uint64_t) sqlite3_column_int64(st, 0));
		struct cw_sq_use *u;

		if (!p)
			continue;
		u = &p->use;
		u->known = true;
		u->active = sqlite3_column_int64(st, 4);
		u->ending = sqlite3_column_int64(st, 5);
		u->quarantined = sqlite3_column_int64(st, 6);
		u->aside = sqlite3_column_int64(st, 7);
		u->level = sqlite3_column_int(st, 8);
		if (u->total == sqlite3_column_int64(st, 1) &&
			u->reserved == sqlite3_column_int64(st, 2) &&
			u->excluded == sqlite3_column_int64(st, 3))
			continue;
		u->resize = true;
		touch(b, p);
	}
	for (size_t i = 0; i < b->cache->n_pools && r == 0; i++) {
		if (!b->cache->pools[i].use.known)
			r = count_leases(b, &b->cache->pools[i]);
	}
	return r;
}

int cw_sq_use_new(struct cw_backend *b, uint64_t pool)
{
	cw_sq_int(b->st[CW_SQ_USE_PUT], 1, (int64_t) pool);
	for (int i = 2; i <= 9; i++)
		cw_sq_int(b->st[CW_SQ_USE_PUT], i, 0);
	return cw_sq_run(b, CW_SQ_USE_PUT);
}

int cw_sq_use_flush(struct cw_backend *b)
{
	for (struct cw_sq_pool *p = b->cache->used; p; p = p->use.next_dirty) {
		const struct cw_sq_use *u = &p->use;
		enum cw_sq_statement s = u->resize ? CW_SQ_USE_PUT : CW_SQ_USE_SET;
		sqlite3_stmt *st = b->st[s];
		int i = 0, r;

		cw_sq_int(st, ++i, (int64_t) p->p.id);
		if (u->resize) {
			cw_sq_int(st, ++i, u->total);
			cw_sq_int(st, ++i, u->reserved);
			cw_sq_int(st, ++i, u->excluded);
		}
		cw_sq_int(st, ++i, u->active);
		cw_sq_int(st, ++i, u->ending);
		cw_sq_int(st, ++i, u->quarantined);
		cw_sq_int(st, ++i, u->aside);
		cw_sq_int(st, ++i, u->level);
		r = cw_sq_run(b, s);
		if (r < 0)
			return r;
		p->use.dirty = p->use.resize = false;
	}
	b->cache->used = NULL;
	return 0;
}

int cw_sq_use_aside(struct cw_backend *b, uint64_t pool, uint32_t lo, uint32_t hi, int64_t *ret)
{
	cw_sq_int(b->st[CW_SQ_ASIDE], 1, lo);
	cw_sq_int(b->st[CW_SQ_ASIDE], 2, hi);
	cw_sq_int(b->st[CW_SQ_ASIDE], 3, (int64_t) pool);
	return cw_sq_number(b, CW_SQ_ASIDE, 0, ret);
}

int cw_sq_use_aside_add(struct cw_backend *b, uint64_t pool, int64_t delta)
{
	if (delta == 0)
		return 0;
	cw_sq_int(b->st[CW_SQ_ASIDE_ADD], 1, (int64_t) pool);
	cw_sq_int(b->st[CW_SQ_ASIDE_ADD], 2, delta);
	return cw_sq_run(b, CW_SQ_ASIDE_ADD);
}

/* ---- levels ---- */

static int64_t lendable(const struct cw_sq_use *u)
{
	return u->total - u->reserved - u->excluded;
}

static int64_t taken(const struct cw_sq_use *u)
{
	return u->active + u->ending + u->quarantined - u->aside;
}

static int level_now(const struct cw_sq_pool *p)
{
	const struct cw_sq_use *u = &p->use;
	int64_t all = lendable(u), part = taken(u) * 100, low = p->p.low_percent;
	int64_t back = low > CW_SQ_HYSTERESIS ? low - CW_SQ_HYSTERESIS : 0;

	if (all <= 0)
		return CW_POOL_OK;
	if (part >= all * 100 || (u->level == CW_POOL_IS_FULL && part > all * CW_SQ_FULL_BACK))
		return CW_POOL_IS_FULL;
	if (low > 0 && (part >= all * low || (u->level != CW_POOL_OK && part > all * back)))
		return CW_POOL_IS_LOW;
	return CW_POOL_OK;
}

static int tell(
	struct cw_backend *b, struct cw_batch *batch, const struct cw_sq_pool *p, const char *type)
{
	char detail[96];
	int64_t all = lendable(&p->use), used = taken(&p->use);

	(void) snprintf(detail, sizeof detail, "{\"taken\":%" PRId64 ",\"available\":%" PRId64 "}",
		used, all > used ? all - used : 0);
	return cw_sq_event(b, batch, type, p->p.id, p->p.name, detail);
}

static int set_level(struct cw_backend *b, struct cw_batch *batch, struct cw_sq_pool *p)
{
	int was = p->use.level, now = level_now(p), r = 0;

	if (now == was)
		return 0;
	p->use.level = now;
	touch(b, p);
	if (was == CW_POOL_OK && p->p.low_percent > 0)
		r = tell(b, batch, p, "pool.low");
	if (r == 0 && now == CW_POOL_IS_FULL)
		r = tell(b, batch, p, "pool.full");
	if (r == 0 && now == CW_POOL_OK)
		r = tell(b, batch, p, "pool.ok");
	return r;
}

int cw_sq_use_levels(struct cw_backend *b, struct cw_batch *batch)
{
	int r = 0;

	for (struct cw_sq_pool *p = b->cache->used; p && r == 0 && !b->levels_due;
		p = p->use.next_dirty)
		r = set_level(b, batch, p);
	for (size_t i = 0; i < b->cache->n_pools && r == 0 && b->levels_due; i++)
		r = set_level(b, batch, &b->cache->pools[i]);
	if (r == 0)
		b->levels_due = false;
	return r;
}

/* ---- samples ---- */

int cw_sq_sample(struct cw_backend *b, struct cw_op *op)
{
	sqlite3_stmt *st = b->st[CW_SQ_SAMPLE];

	for (size_t i = 0; i < b->cache->n_pools; i++) {
		const struct cw_sq_pool *p = &b->cache->pools[i];
		int64_t left = lendable(&p->use) - taken(&p->use);
		int r;

		cw_sq_int(st, 1, (int64_t) p->p.id);
		cw_sq_int(st, 2, op->now.wall_s);
		cw_sq_int(st, 3, p->use.active);
		cw_sq_int(st, 4, p->use.ending);
		cw_sq_int(st, 5, p->use.quarantined);
		cw_sq_int(st, 6, left > 0 ? left : 0);
		r = cw_sq_run(b, CW_SQ_SAMPLE);
		if (r < 0)
			return r;
	}
	return 0;
}
