/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes of pools, ranges, exclusions and TEPs (reservations: reserve.c). Each runs in a savepoint, so that
 * one refused half-way leaves nothing behind, and throws the writer's cache away. What a range or
 * an exclusion may not do, the tables refuse; the code looks first only where the answer is another
 * one. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "db/sqlite/sqlite.h"

bool cw_sq_text_ok(const char *s, size_t n)
{
	return s[0] != '\0' && memchr(s, 0, n);
}

bool cw_sq_name_ok(const char *s, size_t n)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-";

	return cw_sq_text_ok(s, n) && s[strspn(s, allowed)] == '\0';
}

static int last_id(struct cw_backend *b, uint64_t *ret)
{
	*ret = (uint64_t) sqlite3_last_insert_rowid(b->db);
	return 0;
}

/* ---- never-used slots that come back ---- */

int cw_sq_unused_add(struct cw_backend *b, uint64_t range, uint64_t first, uint64_t last)
{
	sqlite3_stmt *touch = b->st[CW_SQ_UNUSED_TOUCH], *del = b->st[CW_SQ_UNUSED_DEL],
		     *put = b->st[CW_SQ_UNUSED_PUT];
	int r;

	for (;;) {
		uint64_t next, end;

		cw_sq_int(touch, 1, (int64_t) range);
		cw_sq_int(touch, 2, (int64_t) first);
		cw_sq_int(touch, 3, (int64_t) last);
		r = cw_sq_row(b, CW_SQ_UNUSED_TOUCH);
		if (r <= 0)
			break;
		next = (uint64_t) sqlite3_column_int64(touch, 0);
		end = (uint64_t) sqlite3_column_int64(touch, 1);
		(void) sqlite3_reset(touch);
		first = next < first ? next : first;
		last = end > last ? end : last;
		cw_sq_int(del, 1, (int64_t) range);
		cw_sq_int(del, 2, (int64_t) end);
		r = cw_sq_run(b, CW_SQ_UNUSED_DEL);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	cw_sq_int(put, 1, (int64_t) range);
	cw_sq_int(put, 2, (int64_t) last);
	cw_sq_int(put, 3, (int64_t) first);
	return cw_sq_run(b, CW_SQ_UNUSED_PUT);
}

/* The addresses lo..hi of a pool are no longer kept back. */
static int give_back(struct cw_backend *b, uint64_t pool, unsigned sets, uint32_t lo, uint32_t hi)
{
	sqlite3_stmt *st = b->st[CW_SQ_POOL_RANGES];
	int r;

	cw_sq_int(st, 1, (int64_t) pool);
	while ((r = cw_sq_row(b, CW_SQ_POOL_RANGES)) > 0) {
		uint64_t range = (uint64_t) sqlite3_column_int64(st, 0);
		uint32_t from = (uint32_t) sqlite3_column_int64(st, 1),
			 to = (uint32_t) sqlite3_column_int64(st, 2);
		uint32_t first = lo > from ? lo : from, last = hi < to ? hi : to;

		if (first > last)
			continue;
		r = cw_sq_unused_add(b, range, (uint64_t) (first - from) * sets,
			(last - from + (uint64_t) 1) * sets - 1);
		if (r < 0)
			break;
	}
	(void) sqlite3_reset(st);
	return r;
}

int cw_sq_withhold(struct cw_backend *b, uint64_t pool, uint32_t lo, uint32_t hi)
{
	int64_t before, after;
	int r = cw_sq_use_aside(b, pool, lo, hi, &before);

	cw_sq_int(b->st[CW_SQ_WITHHOLD], 1, lo);
	cw_sq_int(b->st[CW_SQ_WITHHOLD], 2, hi);
	if (r == 0)
		r = cw_sq_run(b, CW_SQ_WITHHOLD);
	if (r == 0)
		r = cw_sq_use_aside(b, pool, lo, hi, &after);
	return r == 0 ? cw_sq_use_aside_add(b, pool, after - before) : r;
}

/* CW_E_CONFLICT if a lease of the pool in lo..hi is in a state up to `upto`. */
static int must_be_idle(
	struct cw_backend *b, uint64_t pool, uint32_t lo, uint32_t hi, enum cw_lease_state upto)
{
	sqlite3_stmt *st = b->st[CW_SQ_HELD];
	int64_t held;
	int r;

	cw_sq_int(st, 1, lo);
	cw_sq_int(st, 2, hi);
	cw_sq_int(st, 3, (int64_t) pool);
	cw_sq_int(st, 4, upto);
	r = cw_sq_number(b, CW_SQ_HELD, 0, &held);
	if (r < 0)
		return r;
	return held ? CW_E_CONFLICT : 0;
}

/* ---- ranges, exclusions, reservations ---- */

static int range_add(struct cw_backend *b, uint64_t pool, unsigned sets,
	const struct cw_range *range, uint64_t *ret_id)
{
	sqlite3_stmt *st = b->st[CW_SQ_RANGE_ADD];
	uint64_t id, last = (range->hi.v - range->lo.v + (uint64_t) 1) * sets - 1;
	int r;

	if (range->lo.v > range->hi.v)
		return -EINVAL;
	cw_sq_int(st, 1, (int64_t) pool);
	cw_sq_int(st, 2, range->lo.v);
	cw_sq_int(st, 3, range->hi.v);
	r = cw_sq_try(b, CW_SQ_RANGE_ADD);
	if (r < 0)
		return r;
	r = last_id(b, &id);
	if (r == 0)
		r = cw_sq_unused_add(b, id, 0, last);
	if (r == 0)
		*ret_id = id;
	return r;
}

static int exclude_add(
	struct cw_backend *b, uint64_t pool, const struct cw_range *range, uint64_t *ret_id)
{
	sqlite3_stmt *st = b->st[CW_SQ_EXCLUDE_ADD];
	int r;

	if (range->lo.v > range->hi.v)
		return -EINVAL;
	r = must_be_idle(b, pool, range->lo.v, range->hi.v, CW_LEASE_ENDING);
	if (r < 0)
		return r;
	cw_sq_int(st, 1, (int64_t) pool);
	cw_sq_int(st, 2, range->lo.v);
	cw_sq_int(st, 3, range->hi.v);
	r = cw_sq_try(b, CW_SQ_EXCLUDE_ADD);
	if (r < 0)
		return r;
	(void) last_id(b, ret_id);
	return cw_sq_withhold(b, pool, range->lo.v, range->hi.v);
}

/* Fills pool, lo, hi of the row `id` that statement s reads. */
static int range_get(
	struct cw_backend *b, enum cw_sq_statement s, uint64_t id, struct cw_range *ret)
{
	sqlite3_stmt *st = b->st[s];
	int r;

	cw_sq_int(st, 1, (int64_t) id);
	r = cw_sq_row(b, s);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret = (struct cw_range){
		.id = id,
		.pool_id = (uint64_t) sqlite3_column_int64(st, 0),
		.lo = {(uint32_t) sqlite3_column_int64(st, 1)},
		.hi = {(uint32_t) sqlite3_column_int64(st, 2)},
	};
	(void) sqlite3_reset(st);
	return 0;
}

/* ---- taking ranges away, which may hold millions of free rows ---- */

/* Rows of one turn: those only looked at, and those deleted. */
#define CW_SQ_LOOK_ROWS   8192
#define CW_SQ_FORGET_ROWS 512
#define CW_SQ_FORGETTING  (UINT64_C(1) << 63) /* of op->at; else the rows are looked at first */

/* The rows of one range from op->at on: all must be free; `forget` deletes them. Their places count
 * as never used from then on, so that the range is whole if this goes no further. 0: at its end,
 * CW_SQ_MORE: *left rows were seen, or a code. */
static int range_rows(struct cw_backend *b, struct cw_op *op, const struct cw_sq_range *range,
	bool forget, unsigned *left)
{
	sqlite3_stmt *run = b->st[CW_SQ_LEASE_RUN], *del = b->st[CW_SQ_FORGET];
	uint64_t from = op->at & ~CW_SQ_FORGETTING, last = 0;
	unsigned n = 0;
	bool held = false;
	int r;

	if (from < (uint64_t) range->lo << 16)
		from = (uint64_t) range->lo << 16;
	cw_sq_int(run, 1, (int64_t) (from >> 16));
	cw_sq_int(run, 2, (int64_t) (from & 0xffff));
	cw_sq_int(run, 3, range->hi);
	cw_sq_int(run, 4, *left);
	while (!held && (r = cw_sq_row(b, CW_SQ_LEASE_RUN)) > 0) {
		last = (uint64_t) sqlite3_column_int64(run, 0) << 16 |
		       (uint64_t) sqlite3_column_int64(run, 1);
		held = sqlite3_column_int(run, 2) != CW_LEASE_FREE;
		n++;
	}
	(void) sqlite3_reset(run);
	if (held)
		return CW_E_CONFLICT;
	if (r < 0 || n == 0)
		return r;
	if (forget) {
		uint64_t slot = ((last >> 16) - range->lo) * range->pool->sets + (last & 0xffff);

		cw_sq_int(del, 1, (int64_t) (from >> 16));
		cw_sq_int(del, 2, (int64_t) (from & 0xffff));
		cw_sq_int(del, 3, (int64_t) (last >> 16));
		cw_sq_int(del, 4, (int64_t) (last & 0xffff));
		r = cw_sq_run(b, CW_SQ_FORGET);
		if (r == 0)
			r = cw_sq_unused_add(b, range->id, 0, slot);
		if (r < 0)
			return r;
	}
	op->at = (op->at & CW_SQ_FORGETTING) | (last + 1);
	*left -= n;
	return *left == 0 ? CW_SQ_MORE : 0;
}

/* All rows of the pool's ranges, or of the one with that id: first looked at, then deleted. */
static int clear_ranges(struct cw_backend *b, struct cw_op *op, uint64_t pool, uint64_t id)
{
	for (;;) {
		bool forget = op->at & CW_SQ_FORGETTING;
		unsigned left = forget ? CW_SQ_FORGET_ROWS : CW_SQ_LOOK_ROWS;

		for (size_t i = 0; i < b->cache->n_ranges; i++) {
			const struct cw_sq_range *range = &b->cache->ranges[i];
			int r;

			if (range->pool->p.id != pool || (id > 0 && range->id != id) ||
				range->hi < (op->at & ~CW_SQ_FORGETTING) >> 16)
				continue;
			r = range_rows(b, op, range, forget, &left);
			if (r != 0)
				return r;
		}
		if (forget)
			return 0;
		op->at = CW_SQ_FORGETTING;
	}
}

/* Is there a row that statement s, already bound, finds? 0, CW_E_CONFLICT or the fault. */
static int must_be_none(struct cw_backend *b, enum cw_sq_statement s)
{
	int64_t found;
	int r = cw_sq_number(b, s, 0, &found);

	return r == 0 && found ? CW_E_CONFLICT : r;
}

static int range_row_del(struct cw_backend *b, uint64_t id)
{
	cw_sq_int(b->st[CW_SQ_RANGE_DEL], 1, (int64_t) id);
	return cw_sq_try(b, CW_SQ_RANGE_DEL);
}

static int range_del(struct cw_backend *b, struct cw_op *op, const struct cw_range *range)
{
	int r;

	cw_sq_int(b->st[CW_SQ_RANGE_RESERVED], 1, range->lo.v);
	cw_sq_int(b->st[CW_SQ_RANGE_RESERVED], 2, range->hi.v);
	r = must_be_none(b, CW_SQ_RANGE_RESERVED);
	if (r == 0)
		r = clear_ranges(b, op, range->pool_id, range->id);
	return r == 0 ? range_row_del(b, range->id) : r;
}

static int range_op(struct cw_backend *b, struct cw_op *op)
{
	struct cw_range *range = &op->u.range;
	const struct cw_sq_pool *p;
	struct cw_range old;
	int r;

	switch (op->kind) {
	case CW_OP_RANGE_ADD:
	case CW_OP_EXCLUDE_ADD:
		p = cw_sq_pool_by_id(b, range->pool_id);
		if (!p)
			return -ENOENT;
		return op->kind == CW_OP_RANGE_ADD
			       ? range_add(b, p->p.id, p->sets, range, &range->id)
			       : exclude_add(b, p->p.id, range, &range->id);
	case CW_OP_RANGE_DEL:
		r = range_get(b, CW_SQ_RANGE_GET, range->id, &old);
		if (r == 0)
			*range = old;
		return r < 0 ? r : range_del(b, op, &old);
	default: /* CW_OP_EXCLUDE_DEL */
		r = range_get(b, CW_SQ_EXCLUDE_GET, range->id, &old);
		if (r < 0)
			return r;
		*range = old;
		p = cw_sq_pool_by_id(b, old.pool_id);
		cw_sq_int(b->st[CW_SQ_EXCLUDE_DEL], 1, (int64_t) old.id);
		r = cw_sq_run(b, CW_SQ_EXCLUDE_DEL);
		if (r == 0)
			r = cw_sq_withhold(b, old.pool_id, old.lo.v, old.hi.v);
		return r < 0 ? r : give_back(b, old.pool_id, p->sets, old.lo.v, old.hi.v);
	}
}

/* ---- pools ---- */

/* Fills in what was left 0, checks the rest: 0 or -EINVAL. */
static int pool_check(struct cw_pool *p)
{
	if (!cw_sq_name_ok(p->name, sizeof p->name) || p->state > CW_POOL_DISABLED ||
		p->low_percent > 100 ||
		!cw_portset_valid((struct cw_portset){p->ps_offset, p->ps_len, 0}))
		return -EINVAL;
	/* The ports 0-1023 would be in every set: nothing could be leased. */
	if (p->ps_len > 0 && p->ps_offset > 6 && p->keep_system_ports)
		return -EINVAL;
	if (p->lifetime_s == 0)
		p->lifetime_s = 3600;
	if (p->lifetime_min_s == 0)
		p->lifetime_min_s = p->lifetime_s < 60 ? p->lifetime_s : 60;
	if (p->lifetime_max_s == 0)
		p->lifetime_max_s = p->lifetime_s > 86400 ? p->lifetime_s : 86400;
	return p->lifetime_s < p->lifetime_min_s || p->lifetime_s > p->lifetime_max_s ? -EINVAL : 0;
}

static void pool_bind(sqlite3_stmt *st, const struct cw_pool *p)
{
	cw_sq_int(st, 2, (int64_t) p->version);
	cw_sq_text(st, 3, p->name);
	cw_sq_int(st, 4, (int64_t) p->tep_id);
	cw_sq_int(st, 5, p->ps_offset);
	cw_sq_int(st, 6, p->ps_len);
	cw_sq_int(st, 7, p->keep_system_ports);
	cw_sq_int(st, 8, p->state);
	cw_sq_int(st, 9, p->lifetime_s);
	cw_sq_int(st, 10, p->lifetime_min_s);
	cw_sq_int(st, 11, p->lifetime_max_s);
	cw_sq_int(st, 12, p->quarantine_s);
	cw_sq_int(st, 13, p->max_leases);
	cw_sq_int(st, 14, p->retention_s);
	cw_sq_int(st, 15, p->order);
	cw_sq_int(st, 16, p->low_percent);
}

/* By name if there is one: *id, or -ENOENT. */
static int named_id(
	struct cw_backend *b, enum cw_sq_statement s, const char *name, size_t n, uint64_t *id)
{
	int64_t found;
	int r;

	if (!memchr(name, 0, n))
		return -EINVAL;
	if (!name[0])
		return 0;
	cw_sq_text(b->st[s], 1, name);
	r = cw_sq_number(b, s, 0, &found);
	if (r < 0)
		return r;
	if (found == 0)
		return -ENOENT;
	*id = (uint64_t) found;
	return 0;
}

static int pool_add(struct cw_backend *b, struct cw_op_pool *op)
{
	struct cw_pool p = op->pool;
	uint64_t ignored;
	int r = pool_check(&p);

	if (r == 0)
		r = named_id(b, CW_SQ_TEP_NAMED, op->tep, sizeof op->tep, &p.tep_id);
	if (r < 0)
		return r;
	p.version = 1;
	pool_bind(b->st[CW_SQ_POOL_ADD], &p);
	r = cw_sq_try(b, CW_SQ_POOL_ADD);
	if (r < 0)
		return r;
	(void) last_id(b, &p.id);
	r = cw_sq_use_new(b, p.id);
	if (r < 0)
		return r;
	for (size_t i = 0; i < op->n_ranges; i++) {
		r = range_add(b, p.id, 1u << p.ps_len, &op->ranges[i], &ignored);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < op->n_excludes; i++) {
		r = exclude_add(b, p.id, &op->excludes[i], &ignored);
		if (r < 0)
			return r;
	}
	op->pool = p;
	return 0;
}

/* The row, if it is the one that was last seen: 0, -ENOENT, CW_E_STALE. */
static int pool_get(struct cw_backend *b, const struct cw_pool *seen, struct cw_pool *ret)
{
	sqlite3_stmt *st = b->st[CW_SQ_POOL_GET];
	bool ok;
	int r;

	cw_sq_int(st, 1, (int64_t) seen->id);
	r = cw_sq_row(b, CW_SQ_POOL_GET);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	ok = cw_sq_pool_row(st, ret);
	(void) sqlite3_reset(st);
	if (!ok)
		return cw_sq_fail(b, SQLITE_CORRUPT);
	return seen->version > 0 && seen->version != ret->version ? CW_E_STALE : 0;
}

/* Has leases that are forwarded, or may be: they are known by their TEP's addresses. */
static bool is_live(const struct cw_sq_pool *p)
{
	return p && (p->use.active > 0 || p->use.ending > 0);
}

static int pool_set(struct cw_backend *b, struct cw_op_pool *op)
{
	struct cw_pool p = op->pool, old;
	int r = pool_get(b, &op->pool, &old);

	if (r < 0)
		return r;
	if (p.tep_id == 0)
		p.tep_id = old.tep_id;
	r = pool_check(&p);
	if (r == 0)
		r = named_id(b, CW_SQ_TEP_NAMED, op->tep, sizeof op->tep, &p.tep_id);
	if (r == 0 && p.tep_id != old.tep_id && is_live(cw_sq_pool_by_id(b, p.id)))
		r = CW_E_CONFLICT;
	if (r < 0)
		return r;
	p.version = old.version + 1;
	cw_sq_int(b->st[CW_SQ_POOL_SET], 1, (int64_t) p.id);
	pool_bind(b->st[CW_SQ_POOL_SET], &p);
	r = cw_sq_try(b, CW_SQ_POOL_SET);
	if (r < 0)
		return r;
	if (p.ps_len > 0 && p.keep_system_ports != old.keep_system_ports) {
		for (size_t i = 0; i < b->cache->n_ranges && r == 0; i++) {
			const struct cw_sq_range *range = &b->cache->ranges[i];

			if (range->pool->p.id == p.id)
				r = cw_sq_withhold(b, p.id, range->lo, range->hi);
		}
		if (r == 0 && !p.keep_system_ports)
			r = give_back(b, p.id, 1u << p.ps_len, 0, UINT32_MAX);
	}
	if (r == 0)
		op->pool = p;
	return r;
}

static int pool_del(struct cw_backend *b, struct cw_op *op)
{
	static const enum cw_sq_statement steps[] = {CW_SQ_POOL_UNEXCLUDE, CW_SQ_POOL_UNRESERVE};
	struct cw_pool old;
	int r = pool_get(b, &op->u.pool.pool, &old);

	if (r < 0)
		return r;
	old.version = op->u.pool.pool.version; /* of the next turn too */
	op->u.pool.pool = old;
	cw_sq_int(b->st[CW_SQ_POOL_USED], 1, (int64_t) old.id);
	r = must_be_none(b, CW_SQ_POOL_USED);
	if (r == 0)
		r = clear_ranges(b, op, old.id, 0);
	for (size_t i = 0; i < CW_ARRAY_LEN(steps) && r == 0; i++) {
		cw_sq_int(b->st[steps[i]], 1, (int64_t) old.id);
		r = cw_sq_run(b, steps[i]);
	}
	for (size_t i = 0; r == 0 && i < b->cache->n_ranges; i++) {
		if (b->cache->ranges[i].pool->p.id == old.id)
			r = range_row_del(b, b->cache->ranges[i].id);
	}
	if (r != 0)
		return r;
	cw_sq_int(b->st[CW_SQ_POOL_RETIRE], 1, (int64_t) old.id);
	r = cw_sq_run(b, CW_SQ_POOL_RETIRE);
	if (r < 0)
		return r;
	cw_sq_int(b->st[CW_SQ_POOL_DEL], 1, (int64_t) old.id);
	return cw_sq_try(b, CW_SQ_POOL_DEL);
}

/* ---- TEPs ---- */

static int tep_check(const struct cw_tep *t)
{
	return cw_sq_name_ok(t->name, sizeof t->name) &&
			       cw_sq_name_ok(t->plugin, sizeof t->plugin) &&
			       memchr(t->options, 0, sizeof t->options)
		       ? 0
		       : -EINVAL;
}

static void tep_bind(sqlite3_stmt *st, const struct cw_tep *t)
{
	cw_sq_int(st, 2, (int64_t) t->version);
	cw_sq_text(st, 3, t->name);
	cw_sq_text(st, 4, t->plugin);
	cw_sq_text(st, 5, t->options);
	if (t->has_ipv4)
		cw_sq_int(st, 6, t->ipv4.v);
	else
		(void) sqlite3_bind_null(st, 6);
	cw_sq_addr6(st, 7, &t->ipv6);
	cw_sq_int(st, 8, t->draining);
}

static int tep_add(struct cw_backend *b, struct cw_tep *t)
{
	uint64_t version = t->version;
	int r = tep_check(t);

	if (r < 0)
		return r;
	t->version = 1;
	tep_bind(b->st[CW_SQ_TEP_ADD], t);
	r = cw_sq_try(b, CW_SQ_TEP_ADD);
	if (r == 0)
		return last_id(b, &t->id);
	t->version = version;
	return r;
}

static int tep_get(struct cw_backend *b, const struct cw_tep *seen, struct cw_tep *ret)
{
	sqlite3_stmt *st = b->st[CW_SQ_TEP_GET];
	bool ok;
	int r;

	cw_sq_int(st, 1, (int64_t) seen->id);
	r = cw_sq_row(b, CW_SQ_TEP_GET);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	ok = cw_sq_tep_row(st, ret);
	(void) sqlite3_reset(st);
	if (!ok)
		return cw_sq_fail(b, SQLITE_CORRUPT);
	return seen->version > 0 && seen->version != ret->version ? CW_E_STALE : 0;
}

static bool tep_is_live(const struct cw_backend *b, uint64_t id)
{
	for (size_t i = 0; i < b->cache->n_pools; i++)
		if (b->cache->pools[i].p.tep_id == id && is_live(&b->cache->pools[i]))
			return true;
	return false;
}

static int tep_set(struct cw_backend *b, struct cw_tep *t)
{
	struct cw_tep old, set = *t;
	int r = tep_get(b, t, &old);
	bool moves;

	if (r == 0)
		r = tep_check(t);
	if (r < 0)
		return r;
	moves = t->has_ipv4 != old.has_ipv4 || (t->has_ipv4 && t->ipv4.v != old.ipv4.v) ||
		!cw_addr6_eq(&t->ipv6, &old.ipv6);
	if (moves && tep_is_live(b, t->id))
		return CW_E_CONFLICT;
	set.version = old.version + 1;
	cw_sq_int(b->st[CW_SQ_TEP_SET], 1, (int64_t) set.id);
	tep_bind(b->st[CW_SQ_TEP_SET], &set);
	r = cw_sq_try(b, CW_SQ_TEP_SET);
	if (r == 0)
		*t = set;
	return r;
}

static int tep_del(struct cw_backend *b, struct cw_tep *t)
{
	struct cw_tep old;
	int r = tep_get(b, t, &old);

	if (r < 0)
		return r;
	*t = old;
	cw_sq_int(b->st[CW_SQ_TEP_DEL], 1, (int64_t) old.id);
	return cw_sq_try(b, CW_SQ_TEP_DEL); /* pools and live leases on it refuse */
}

/* ---- */

static int one(struct cw_backend *b, struct cw_op *op)
{
	switch (op->kind) {
	case CW_OP_POOL_ADD:
		return pool_add(b, &op->u.pool);
	case CW_OP_POOL_SET:
		return pool_set(b, &op->u.pool);
	case CW_OP_POOL_DEL:
		return pool_del(b, op);
	case CW_OP_RANGE_ADD:
	case CW_OP_RANGE_DEL:
	case CW_OP_EXCLUDE_ADD:
	case CW_OP_EXCLUDE_DEL:
		return range_op(b, op);
	case CW_OP_RESERVE_ADD:
	case CW_OP_RESERVE_SET:
	case CW_OP_RESERVE_DEL:
		return cw_sq_reservation(b, op);
	case CW_OP_FORGET_DAMAGED:
		return cw_sq_forget_damaged(b, op);
	case CW_OP_TEP_ADD:
		return tep_add(b, &op->u.tep);
	case CW_OP_TEP_SET:
		return tep_set(b, &op->u.tep);
	case CW_OP_TEP_DEL:
		return tep_del(b, &op->u.tep);
	default:
		return -EINVAL;
	}
}

int cw_sq_in_savepoint(
	struct cw_backend *b, struct cw_op *op, int (*fn)(struct cw_backend *b, struct cw_op *op))
{
	int r = cw_sq_cache_flush(b), r_end = 0;

	if (r == 0)
		r = cw_sq_run(b, CW_SQ_SAVE);
	if (r < 0)
		return r;
	r = fn(b, op);
	if (b->fault == 0 && r < 0)
		r_end = cw_sq_run(b, CW_SQ_BACK);
	b->levels_due = b->levels_due || r >= 0;
	if (b->fault == 0)
		r_end = cw_sq_run(b, CW_SQ_RELEASE);
	cw_sq_cache_drop(b);
	return r_end < 0 && r >= 0 ? r_end : r;
}

int cw_sq_pool_op(struct cw_backend *b, struct cw_op *op)
{
	return cw_sq_in_savepoint(b, op, one);
}
