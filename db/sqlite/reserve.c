/* SPDX-License-Identifier: BSD-2-Clause */
/* Places kept for one principal, and those whose leases were damaged. Within the savepoint of
 * pool.c. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "db/sqlite/sqlite.h"

static int reservation_add(struct cw_backend *b, struct cw_reservation *v)
{
	const struct cw_sq_range *range = cw_sq_range_of(b, v->addr);
	const struct cw_sq_pool *p = v->pool_id > 0 ? cw_sq_pool_by_id(b, v->pool_id)
				     : range        ? range->pool
						    : NULL;
	sqlite3_stmt *st = b->st[CW_SQ_RESERVE_ADD];
	int r;

	if (!p)
		return v->pool_id > 0 ? -ENOENT : -EINVAL;
	if (!range || range->pool != p || v->psid >= p->sets ||
		!cw_sq_text_ok(v->principal, sizeof v->principal))
		return -EINVAL;
	if (v->psid < p->n_system)
		return CW_E_CONFLICT;
	cw_sq_int(st, 1, (int64_t) p->p.id);
	cw_sq_int(st, 2, v->addr.v);
	cw_sq_int(st, 3, v->psid);
	cw_sq_text(st, 4, v->principal);
	r = cw_sq_try(b, CW_SQ_RESERVE_ADD);
	if (r < 0)
		return r;
	v->id = (uint64_t) sqlite3_last_insert_rowid(b->db);
	v->pool_id = p->p.id;
	v->version = 1;
	return cw_sq_withhold(b, p->p.id, v->addr.v, v->addr.v);
}

/* The row, if it is the one that was last seen: 0, -ENOENT, CW_E_STALE. */
static int reservation_get(
	struct cw_backend *b, const struct cw_reservation *seen, struct cw_reservation *ret)
{
	sqlite3_stmt *st = b->st[CW_SQ_RESERVE_GET];
	bool ok;
	int r;

	cw_sq_int(st, 1, (int64_t) seen->id);
	r = cw_sq_row(b, CW_SQ_RESERVE_GET);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret = (struct cw_reservation){
		.id = seen->id,
		.pool_id = (uint64_t) sqlite3_column_int64(st, 0),
		.addr = {(uint32_t) sqlite3_column_int64(st, 1)},
		.psid = (uint16_t) sqlite3_column_int(st, 2),
		.version = (uint64_t) sqlite3_column_int64(st, 3),
	};
	ok = cw_sq_copy(st, 4, ret->principal, sizeof ret->principal);
	(void) sqlite3_reset(st);
	if (!ok)
		return cw_sq_fail(b, SQLITE_CORRUPT);
	return seen->version > 0 && seen->version != ret->version ? CW_E_STALE : 0;
}

static int reservation_set(struct cw_backend *b, struct cw_reservation *v)
{
	sqlite3_stmt *st = b->st[CW_SQ_RESERVE_SET];
	struct cw_reservation now;
	int r = reservation_get(b, v, &now);

	if (r < 0)
		return r;
	if (!cw_sq_text_ok(v->principal, sizeof v->principal))
		return -EINVAL;
	memcpy(now.principal, v->principal, sizeof now.principal);
	now.version++;
	cw_sq_int(st, 1, (int64_t) now.id);
	cw_sq_int(st, 2, (int64_t) now.version);
	cw_sq_text(st, 3, now.principal);
	r = cw_sq_try(b, CW_SQ_RESERVE_SET);
	(void) sqlite3_clear_bindings(st);
	if (r == 0)
		*v = now;
	return r;
}

static int reservation_del(struct cw_backend *b, struct cw_reservation *v)
{
	const struct cw_sq_range *range;
	struct cw_reservation old;
	uint64_t slot;
	int r = reservation_get(b, v, &old);

	if (r < 0)
		return r;
	range = cw_sq_range_of(b, old.addr);
	if (!range)
		return cw_sq_fail(b, SQLITE_CORRUPT);
	slot = old.psid + (uint64_t) (old.addr.v - range->lo) * range->pool->sets;
	cw_sq_int(b->st[CW_SQ_RESERVE_DEL], 1, (int64_t) old.id);
	r = cw_sq_run(b, CW_SQ_RESERVE_DEL);
	if (r == 0)
		r = cw_sq_withhold(b, old.pool_id, old.addr.v, old.addr.v);
	if (r == 0)
		r = cw_sq_unused_add(b, range->id, slot, slot);
	if (r == 0)
		*v = old;
	return r;
}

int cw_sq_reservation(struct cw_backend *b, struct cw_op *op)
{
	switch (op->kind) {
	case CW_OP_RESERVE_ADD:
		return reservation_add(b, &op->u.reservation);
	case CW_OP_RESERVE_SET:
		return reservation_set(b, &op->u.reservation);
	default:
		return reservation_del(b, &op->u.reservation);
	}
}

/* What is held at the same place after all counts as lent to somebody again. */
static int damaged_del(struct cw_backend *b, int64_t id, struct cw_addr4 addr)
{
	const struct cw_sq_range *range = cw_sq_range_of(b, addr);
	int64_t before = 0, after = 0;
	int r = 0;

	if (range)
		r = cw_sq_use_aside(b, range->pool->p.id, addr.v, addr.v, &before);
	cw_sq_int(b->st[CW_SQ_DAMAGED_DEL], 1, id);
	if (r == 0)
		r = cw_sq_run(b, CW_SQ_DAMAGED_DEL);
	if (r == 0 && range)
		r = cw_sq_use_aside(b, range->pool->p.id, addr.v, addr.v, &after);
	return r == 0 && range ? cw_sq_use_aside_add(b, range->pool->p.id, after - before) : r;
}

/* Whoever held these leases lost them: their places are as if never used. */
int cw_sq_forget_damaged(struct cw_backend *b, struct cw_op *op)
{
	sqlite3_stmt *next = b->st[CW_SQ_DAMAGED_NEXT], *lost = b->st[CW_SQ_HISTORY_LOST],
		     *at = b->st[CW_SQ_LEASE_AT];
	int64_t id = 0;
	int r;

	op->u.sweep.count = 0;
	for (;; op->u.sweep.count++) {
		const struct cw_sq_range *range;
		struct cw_addr4 addr;
		uint64_t slot;

		cw_sq_int(next, 1, id);
		r = cw_sq_row(b, CW_SQ_DAMAGED_NEXT);
		if (r <= 0)
			return r;
		id = sqlite3_column_int64(next, 0);
		addr.v = (uint32_t) sqlite3_column_int64(next, 1);
		slot = (uint64_t) sqlite3_column_int64(next, 2);
		(void) sqlite3_reset(next);
		r = damaged_del(b, id, addr);
		if (r < 0)
			return r;
		cw_sq_int(lost, 1, addr.v);
		cw_sq_int(lost, 2, (int64_t) slot);
		cw_sq_int(lost, 3, op->now.wall_s);
		r = cw_sq_run(b, CW_SQ_HISTORY_LOST);
		if (r < 0)
			return r;
		cw_sq_int(at, 1, addr.v);
		cw_sq_int(at, 2, (int64_t) slot);
		r = cw_sq_row(b, CW_SQ_LEASE_AT);
		(void) sqlite3_reset(at);
		range = cw_sq_range_of(b, addr);
		if (r == 0 && range && slot < range->pool->sets) {
			slot += (uint64_t) (addr.v - range->lo) * range->pool->sets;
			r = cw_sq_unused_add(b, range->id, slot, slot);
		}
		if (r < 0)
			return r;
	}
}
