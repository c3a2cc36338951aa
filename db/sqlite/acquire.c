/* SPDX-License-Identifier: BSD-2-Clause */
/* Which address somebody gets. The order is that of struct cw_op_acquire: the live lease, the
 * reservation, the last address, a never-used one, the least recently freed one. Everything is
 * decided before the first write, so an acquire that fails has changed nothing. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "db/sqlite/sqlite.h"

#define CW_SQ_STICKY_MAX 64  /* rows of LEASE_LAST_ANY that are looked at */
#define CW_SQ_RECLAIM    256 /* quarantined rows freed at once when a pool is full */

struct ask {
	struct cw_op_acquire *a;
	const struct cw_store_time *now;
	struct cw_batch *batch;
	const struct cw_sq_pool *only; /* NULL: any */
	uint32_t limit;                /* leases of the principal, 0: none */
	bool full, quota, policy;      /* why pools were passed over */
};

/* A place that may be granted. */
struct place {
	struct cw_sq_pool *pool;
	struct cw_addr4 addr;
	uint16_t psid;
	bool has_row;
	uint64_t tep_id;           /* of the row */
	bool withheld;             /* reserved for the asker: a new row is marked so */
	enum cw_lease_state state; /* FREE, also without a row, or QUARANTINED */
};

static bool suits(const struct ask *ask, const struct cw_sq_pool *p)
{
	if (ask->only && ask->only != p)
		return false;
	return p->sets == 1 || (ask->a->ports_ok && p->ports_per_set >= ask->a->ports_min);
}

static bool is_open(const struct cw_sq_pool *p)
{
	return p->p.state == CW_POOL_ACTIVE && !p->tep_draining;
}

static uint32_t lifetime(const struct cw_pool *p, uint32_t want)
{
	if (want == 0)
		want = p->lifetime_s;
	if (want < p->lifetime_min_s)
		return p->lifetime_min_s;
	return want > p->lifetime_max_s ? p->lifetime_max_s : want;
}

static bool is_asker(const struct ask *ask, const struct cw_lease *l)
{
	return strcmp(l->principal, ask->a->principal) == 0;
}

/* ---- writing ---- */

/* The same tenure with its time restarted. The generation stays: the binding is the same. */
int cw_sq_renew(
	struct cw_backend *b, struct cw_lease *l, uint32_t lifetime_s, struct cw_batch *batch)
{
	const struct cw_sq_pool *p = cw_sq_pool_by_id(b, l->pool_id);
	sqlite3_stmt *st = b->st[CW_SQ_LEASE_RENEW];
	int64_t until_s = l->expires_s;
	int r;

	l->lifetime_s = lifetime(&p->p, lifetime_s);
	l->expires_s = l->due_s = b->now.steady_s + l->lifetime_s;
	cw_sq_int(st, 1, l->addr.v);
	cw_sq_int(st, 2, l->ports.psid);
	cw_sq_int(st, 3, l->expires_s);
	cw_sq_int(st, 4, l->lifetime_s);
	r = cw_sq_run(b, CW_SQ_LEASE_RENEW);
	if (r == 0)
		r = cw_sq_lease_confirmed(b, l);
	if (r == 0)
		r = cw_sq_emit(b, batch, CW_OUTBOX_REFRESH, l);
	if (r == 0)
		batch->entries[batch->n - 1].until_s = until_s;
	return r;
}

static int restart(struct cw_backend *b, struct ask *ask, struct cw_lease *l)
{
	const struct cw_sq_pool *p = cw_sq_pool_by_id(b, l->pool_id);
	int r;

	if (p->p.state == CW_POOL_DISABLED || (ask->only && ask->only != p))
		return CW_E_POLICY;
	r = cw_sq_renew(b, l, ask->a->lifetime_s, ask->batch);
	if (r < 0)
		return r;
	ask->a->how = CW_ACQ_RESTARTED;
	ask->a->lease = *l;
	return 0;
}

/* History and outbox of a tenure that begins. */
static int begin_tenure(
	struct cw_backend *b, struct ask *ask, const struct cw_lease *l, uint64_t moved_from)
{
	sqlite3_stmt *st = b->st[CW_SQ_HISTORY_NEW];
	int r;

	cw_sq_int(st, 1, (int64_t) l->id);
	cw_sq_int(st, 2, (int64_t) l->pool_id);
	cw_sq_int(st, 3, (int64_t) l->tep_id);
	cw_sq_int(st, 4, l->addr.v);
	cw_sq_int(st, 5, l->ports.psid);
	cw_sq_int(st, 6, l->ports.offset);
	cw_sq_int(st, 7, l->ports.len);
	cw_sq_int(st, 8, l->access);
	cw_sq_int(st, 9, l->granted_wall_s);
	cw_sq_addr6(st, 10, &l->client6);
	cw_sq_text(st, 11, l->principal);
	if (moved_from > 0)
		cw_sq_int(st, 12, (int64_t) moved_from);
	else
		(void) sqlite3_bind_null(st, 12);
	r = cw_sq_run(b, CW_SQ_HISTORY_NEW);
	if (r < 0)
		return r;
	st = b->st[CW_SQ_OUTBOX_PUT];
	cw_sq_int(st, 1, (int64_t) l->id);
	cw_sq_int(st, 2, (int64_t) l->generation);
	cw_sq_int(st, 3, CW_OUTBOX_APPLY);
	r = cw_sq_run(b, CW_SQ_OUTBOX_PUT);
	return r < 0 ? r : cw_sq_emit(b, ask->batch, CW_OUTBOX_APPLY, l);
}

static void bind_row(sqlite3_stmt *st, const struct cw_lease *l)
{
	cw_sq_int(st, 1, l->addr.v);
	cw_sq_int(st, 2, l->ports.psid);
	cw_sq_int(st, 3, (int64_t) l->id);
	cw_sq_int(st, 4, (int64_t) l->pool_id);
	cw_sq_int(st, 5, l->access);
	cw_sq_int(st, 6, l->expires_s);
	cw_sq_int(st, 7, l->granted_wall_s);
	cw_sq_int(st, 8, l->lifetime_s);
	cw_sq_addr6(st, 9, &l->client6);
}

/* The first row of its place: 1, 0 if there is one after all, or the fault. */
static int insert_row(struct cw_backend *b, const struct cw_lease *l, bool withheld)
{
	const struct cw_sq_range *range = cw_sq_range_of(b, l->addr);
	sqlite3_stmt *st = b->st[CW_SQ_LEASE_NEW];
	int r;

	if (!range)
		return cw_sq_fail(b, SQLITE_CORRUPT);
	bind_row(st, l);
	cw_sq_text(st, 10, l->principal);
	cw_sq_int(st, 11, l->ports.len);
	cw_sq_int(st, 12, (int64_t) l->tep_id);
	cw_sq_int(st, 13, withheld);
	cw_sq_int(st, 14, range->lo);
	cw_sq_int(st, 15, range->hi);
	r = cw_sq_run(b, CW_SQ_LEASE_NEW);
	return r < 0 ? r : sqlite3_changes(b->db);
}

/* Writes *l over its row (LEASE_GRANT, LEASE_MOVE): 1 or the fault. Neither names `tep`: with a
 * foreign key among its columns SQLite would keep a journal for the one statement. */
static int update_row(struct cw_backend *b, enum cw_sq_statement s, const struct cw_lease *l)
{
	int r;

	bind_row(b->st[s], l);
	if (s == CW_SQ_LEASE_GRANT)
		cw_sq_text(b->st[s], 10, l->principal);
	r = cw_sq_run(b, s);
	if (r < 0)
		return r;
	return sqlite3_changes(b->db) == 1 ? 1 : cw_sq_fail(b, SQLITE_CORRUPT);
}

/* The pool may have gone to another TEP since the row was leased last. */
static int update_tep(struct cw_backend *b, const struct cw_lease *l)
{
	sqlite3_stmt *st = b->st[CW_SQ_LEASE_TEP];

	cw_sq_int(st, 1, l->addr.v);
	cw_sq_int(st, 2, l->ports.psid);
	cw_sq_int(st, 3, (int64_t) l->tep_id);
	return cw_sq_run(b, CW_SQ_LEASE_TEP);
}

static struct cw_lease new_tenure(
	struct cw_backend *b, const struct ask *ask, const struct cw_sq_pool *p)
{
	uint32_t life = lifetime(&p->p, ask->a->lifetime_s);
	struct cw_lease l = {
		.id = ++b->seq,
		.generation = b->seq,
		.pool_id = p->p.id,
		.tep_id = p->p.tep_id,
		.client6 = ask->a->client6,
		.state = CW_LEASE_ACTIVE,
		.access = ask->a->access,
		.granted_wall_s = ask->now->wall_s,
		.expires_s = ask->now->steady_s + life,
		.due_s = ask->now->steady_s + life,
		.lifetime_s = life,
	};

	memcpy(l.principal, ask->a->principal, sizeof l.principal);
	return l;
}

/* 1: granted, 0: the place has a row after all, or the fault. */
static int grant(struct cw_backend *b, struct ask *ask, const struct place *at)
{
	struct cw_lease l = new_tenure(b, ask, at->pool);
	int r;

	l.addr = at->addr;
	l.ports = cw_sq_ports(at->pool, at->psid);
	if (at->has_row && at->tep_id != l.tep_id) {
		r = update_tep(b, &l);
		if (r < 0)
			return r;
	}
	r = at->has_row ? update_row(b, CW_SQ_LEASE_GRANT, &l) : insert_row(b, &l, at->withheld);
	if (r == 0)
		b->seq--; /* nobody has seen that number */
	if (r <= 0)
		return r;
	r = begin_tenure(b, ask, &l, 0);
	if (r < 0)
		return r;
	cw_sq_use_change(b, at->pool, at->state, CW_LEASE_ACTIVE, at->withheld);
	ask->a->how = CW_ACQ_GRANTED;
	ask->a->lease = l;
	return 1;
}

/* The same principal takes its address to another IPv6 address: one tenure ends, another begins. */
static int move(struct cw_backend *b, struct ask *ask, const struct cw_lease *old)
{
	const struct cw_sq_pool *p = cw_sq_pool_by_id(b, old->pool_id);
	struct cw_lease l;
	int r;

	if (p->p.state == CW_POOL_DISABLED || (ask->only && ask->only != p))
		return CW_E_POLICY;
	l = new_tenure(b, ask, p);
	l.addr = old->addr;
	l.ports = old->ports;
	l.tep_id = old->tep_id; /* where the binding is */
	r = update_row(b, CW_SQ_LEASE_MOVE, &l);
	if (r < 0)
		return r;
	cw_sq_int(b->st[CW_SQ_HISTORY_MOVED], 1, (int64_t) old->id);
	cw_sq_int(b->st[CW_SQ_HISTORY_MOVED], 2, ask->now->wall_s);
	r = cw_sq_run(b, CW_SQ_HISTORY_MOVED);
	if (r < 0)
		return r;
	cw_sq_int(b->st[CW_SQ_OUTBOX_DEL], 1, (int64_t) old->id);
	r = cw_sq_run(b, CW_SQ_OUTBOX_DEL);
	if (r == 0)
		r = begin_tenure(b, ask, &l, old->id);
	if (r < 0)
		return r;
	ask->batch->entries[ask->batch->n - 1].replaces = true;
	ask->batch->entries[ask->batch->n - 1].moved_from = old->id;
	ask->a->how = CW_ACQ_MOVED;
	ask->a->old_lease = old->id;
	ask->a->lease = l;
	return 0;
}

/* ---- policy ---- */

static int user_limits(struct cw_backend *b, struct ask *ask)
{
	sqlite3_stmt *st = b->st[CW_SQ_USER_LIMITS];
	uint32_t limit;
	uint64_t pool;
	bool disabled;
	int r;

	if (strncmp(ask->a->principal, "user:", 5) != 0)
		return 0;
	cw_sq_text(st, 1, ask->a->principal + 5);
	r = cw_sq_row(b, CW_SQ_USER_LIMITS);
	if (r <= 0)
		return r;
	disabled = sqlite3_column_int(st, 0) != 0;
	limit = (uint32_t) sqlite3_column_int64(st, 1);
	pool = (uint64_t) sqlite3_column_int64(st, 2);
	(void) sqlite3_reset(st);
	if (disabled)
		return CW_E_POLICY;
	if (limit > 0 && (ask->limit == 0 || limit < ask->limit))
		ask->limit = limit;
	if (pool > 0) {
		const struct cw_sq_pool *p = cw_sq_pool_by_id(b, pool);

		if (!p || (ask->only && ask->only != p))
			return CW_E_POLICY;
		ask->only = p;
	}
	return 0;
}

/* May the principal have one more lease, anywhere (p NULL) or in this pool? 1, 0, or the fault. */
static int below_quota(struct cw_backend *b, struct ask *ask, const struct cw_sq_pool *p)
{
	enum cw_sq_statement s = p ? CW_SQ_COUNT_LIVE_POOL : CW_SQ_COUNT_LIVE;
	uint32_t limit = p ? p->p.max_leases : ask->limit;
	int64_t n;
	int r;

	if (limit == 0)
		return 1;
	cw_sq_text(b->st[s], 1, ask->a->principal);
	cw_sq_int(b->st[s], 2, limit);
	if (p)
		cw_sq_int(b->st[s], 3, (int64_t) p->p.id);
	r = cw_sq_number(b, s, 0, &n);
	if (r < 0)
		return r;
	if (n < limit)
		return 1;
	ask->quota = true;
	return 0;
}

/* May this pool give the asker a new lease now? 1, 0, or the fault. */
static int may_use(struct cw_backend *b, struct ask *ask, const struct cw_sq_pool *p)
{
	if (!suits(ask, p))
		return 0;
	if (!is_open(p)) {
		ask->policy = true;
		return 0;
	}
	return below_quota(b, ask, p);
}

/* Is this place free for the asker? 1 and *ret, 0, or a code. row: what is there, NULL if it must
 * be looked up. */
static int place_free(struct cw_backend *b, struct ask *ask, struct cw_sq_pool *p,
	struct cw_addr4 addr, uint16_t psid, const struct cw_lease *row, struct place *ret)
{
	bool reserved = b->cache->n_reserved > 0 && cw_sq_reserved(b, addr, psid);
	struct cw_lease l;
	int r = 1;

	if (psid < p->n_system || (!reserved && cw_sq_excluded(p, addr)))
		return 0;
	if (reserved) { /* a reservation counts more than an exclusion */
		sqlite3_stmt *st = b->st[CW_SQ_RESERVED_AT];
		bool mine;

		cw_sq_int(st, 1, addr.v);
		cw_sq_int(st, 2, psid);
		r = cw_sq_row(b, CW_SQ_RESERVED_AT);
		if (r < 0)
			return r;
		mine = r == 1 &&
		       strcmp((const char *) sqlite3_column_text(st, 0), ask->a->principal) == 0;
		(void) sqlite3_reset(st);
		if (!mine)
			return 0;
	}
	if (!row) {
		cw_sq_int(b->st[CW_SQ_LEASE_AT], 1, addr.v);
		cw_sq_int(b->st[CW_SQ_LEASE_AT], 2, psid);
		r = cw_sq_lease_get(b, CW_SQ_LEASE_AT, false, &l);
		if (r < 0)
			return r;
		row = &l;
	}
	if (r == 1 && row->state != CW_LEASE_FREE &&
		(row->state != CW_LEASE_QUARANTINED ||
			(!is_asker(ask, row) && row->due_s > ask->now->steady_s)))
		return 0;
	*ret = (struct place){.pool = p,
		.addr = addr,
		.psid = psid,
		.has_row = r == 1,
		.tep_id = r == 1 ? row->tep_id : 0,
		.withheld = reserved,
		.state = r == 1 ? row->state : CW_LEASE_FREE};
	return 1;
}

/* ---- where: each returns 1 with the place, 0, or a code ---- */

static int own_reservation(struct cw_backend *b, struct ask *ask, struct place *ret)
{
	sqlite3_stmt *st = b->st[CW_SQ_RESERVED_FOR];
	int r, got = 0;

	if (b->cache->n_reserved == 0)
		return 0;
	cw_sq_text(st, 1, ask->a->principal);
	while (got == 0 && (r = cw_sq_row(b, CW_SQ_RESERVED_FOR)) != 0) {
		struct cw_sq_pool *p;
		struct cw_addr4 addr;

		if (r < 0)
			return r;
		p = cw_sq_pool_by_id(b, (uint64_t) sqlite3_column_int64(st, 0));
		addr.v = (uint32_t) sqlite3_column_int64(st, 1);
		if (!p)
			continue;
		got = may_use(b, ask, p);
		if (got == 1)
			got = place_free(
				b, ask, p, addr, (uint16_t) sqlite3_column_int(st, 2), NULL, ret);
	}
	(void) sqlite3_reset(st);
	return got;
}

/* Goes through rows of statement s (bound), newest tenure wins; with `exact`, only those of the
 * asker's client6. */
static int best_of(struct cw_backend *b, struct ask *ask, enum cw_sq_statement s, bool *ret_exact,
	unsigned *ret_rows, struct place *ret)
{
	uint64_t best = 0;
	struct cw_lease l;
	int r, usable;

	*ret_exact = false;
	*ret_rows = 0;
	while ((r = cw_sq_lease_get(b, s, true, &l)) > 0) {
		struct cw_sq_pool *p = cw_sq_pool_by_id(b, l.pool_id);
		bool exact = cw_addr6_eq(&l.client6, &ask->a->client6);
		struct place at;

		++*ret_rows;
		if (best > 0 && (*ret_exact > exact || (*ret_exact == exact && l.id < best)))
			continue;
		usable = may_use(b, ask, p);
		if (usable == 1)
			usable = place_free(b, ask, p, l.addr, l.ports.psid, &l, &at);
		if (usable < 0) {
			(void) sqlite3_reset(b->st[s]);
			return usable;
		}
		if (usable == 0)
			continue;
		best = l.id;
		*ret_exact = exact;
		*ret = at;
	}
	return r < 0 ? r : best > 0;
}

/* The last address of this client, else of this principal. */
static int last_address(struct cw_backend *b, struct ask *ask, struct place *ret)
{
	struct place other;
	unsigned rows;
	bool exact;
	int r, r_exact;

	cw_sq_text(b->st[CW_SQ_LEASE_LAST_ANY], 1, ask->a->principal);
	r = best_of(b, ask, CW_SQ_LEASE_LAST_ANY, &exact, &rows, ret);
	if (r < 0 || exact || rows < CW_SQ_STICKY_MAX)
		return r;
	/* So many rows that the client's own may not have been among them. */
	cw_sq_text(b->st[CW_SQ_LEASE_LAST], 1, ask->a->principal);
	cw_sq_addr6(b->st[CW_SQ_LEASE_LAST], 2, &ask->a->client6);
	r_exact = best_of(b, ask, CW_SQ_LEASE_LAST, &exact, &rows, &other);
	if (r_exact != 0)
		*ret = other;
	return r_exact != 0 ? r_exact : r;
}

static int least_recent(struct cw_backend *b, struct cw_sq_pool *p, struct place *ret)
{
	struct cw_lease l;
	int r;

	if (!p->maybe_free)
		return 0;
	cw_sq_int(b->st[CW_SQ_LEASE_LRU], 1, (int64_t) p->p.id);
	r = cw_sq_lease_get(b, CW_SQ_LEASE_LRU, false, &l);
	if (r == 0)
		p->maybe_free = false;
	if (r == 1)
		*ret = (struct place){.pool = p,
			.addr = l.addr,
			.psid = l.ports.psid,
			.has_row = true,
			.tep_id = l.tep_id};
	return r;
}

/* 1: granted from the pool, 0: it is empty, or a code. */
static int grant_from(struct cw_backend *b, struct ask *ask, struct cw_sq_pool *p)
{
	struct place at = {.pool = p};
	int r;

	while (cw_sq_unused_peek(b, p, &at.addr, &at.psid)) {
		r = grant(b, ask, &at);
		if (r == 1)
			cw_sq_unused_take(b, p);
		if (r != 0)
			return r;
		r = cw_sq_unused_skip(b, p);
		if (r < 0)
			return r;
	}
	r = least_recent(b, p, &at);
	if (r == 1)
		r = grant(b, ask, &at);
	if (r == 0)
		ask->full = true;
	return r;
}

static int grant_any(struct cw_backend *b, struct ask *ask)
{
	for (;;) {
		unsigned freed;
		int r;

		ask->full = false;
		for (size_t i = 0; i < b->cache->n_pools; i++) {
			r = may_use(b, ask, &b->cache->pools[i]);
			if (r == 1)
				r = grant_from(b, ask, &b->cache->pools[i]);
			if (r != 0)
				return r;
		}
		if (!ask->full)
			return 0;
		/* Quarantines that are over but not yet swept: full is only what is really full. */
		r = cw_sq_free_due(b, ask->now->steady_s, CW_SQ_RECLAIM, &freed);
		if (r < 0)
			return r;
		if (freed == 0)
			return 0;
	}
}

/* ---- the three ways of asking ---- */

static int acquire_any(struct cw_backend *b, struct ask *ask)
{
	sqlite3_stmt *st = b->st[CW_SQ_LEASE_LIVE];
	struct place at;
	struct cw_lease l;
	int r;

	cw_sq_text(st, 1, ask->a->principal);
	cw_sq_addr6(st, 2, &ask->a->client6);
	while ((r = cw_sq_lease_get(b, CW_SQ_LEASE_LIVE, true, &l)) > 0) {
		const struct cw_sq_pool *p = cw_sq_pool_by_id(b, l.pool_id);

		if (!suits(ask, p))
			continue;
		if (p->p.state != CW_POOL_DISABLED)
			break;
		ask->policy = true;
	}
	(void) sqlite3_reset(st);
	if (r < 0)
		return r;
	if (r == 1)
		return restart(b, ask, &l);
	r = below_quota(b, ask, NULL);
	if (r <= 0)
		return r < 0 ? r : CW_E_QUOTA;
	r = own_reservation(b, ask, &at);
	if (r == 0)
		r = last_address(b, ask, &at);
	if (r == 1)
		r = grant(b, ask, &at);
	if (r == 0)
		r = grant_any(b, ask);
	if (r != 0)
		return r < 0 ? r : 0;
	if (ask->full)
		return CW_E_POOL_EMPTY;
	if (ask->quota)
		return CW_E_QUOTA;
	return ask->policy ? CW_E_POLICY : CW_E_POOL_EMPTY;
}

static int acquire_held(struct cw_backend *b, struct ask *ask)
{
	const struct cw_op_acquire *a = ask->a;
	struct cw_lease l, other;
	int r, r_other;

	r = cw_sq_lease_on(b, a->addr, &a->ports, a->principal, &a->client6, &l);
	if (r < 0)
		return r;
	if (r == 1 && l.state == CW_LEASE_ACTIVE)
		return restart(b, ask, &l);
	r_other = cw_sq_lease_on(b, a->addr, &a->ports, a->principal, NULL, &other);
	if (r_other < 0)
		return r_other;
	if (r_other == 1 && other.state == CW_LEASE_ACTIVE)
		return a->may_move ? move(b, ask, &other) : CW_E_NOT_YOURS;
	return r == 1 || r_other == 1 ? CW_E_GONE : CW_E_NOT_YOURS;
}

static int acquire_named(struct cw_backend *b, struct ask *ask)
{
	const struct cw_op_acquire *a = ask->a;
	const struct cw_sq_range *range = cw_sq_range_of(b, a->addr);
	struct cw_lease l;
	struct place at;
	int r;

	if (!range || !cw_portset_eq(a->ports, cw_sq_ports(range->pool, a->ports.psid)))
		return CW_E_CONFLICT;
	r = cw_sq_lease_on(b, a->addr, &a->ports, NULL, NULL, &l);
	if (r < 0)
		return r;
	if (r == 1 && l.state == CW_LEASE_ACTIVE && is_asker(ask, &l)) {
		if (cw_addr6_eq(&l.client6, &a->client6))
			return restart(b, ask, &l);
		if (a->may_move)
			return move(b, ask, &l);
	}
	if ((ask->only && ask->only != range->pool) || !is_open(range->pool))
		return CW_E_POLICY;
	r = place_free(b, ask, range->pool, a->addr, a->ports.psid, NULL, &at);
	if (r <= 0)
		return r < 0 ? r : CW_E_CONFLICT;
	r = below_quota(b, ask, NULL);
	if (r == 1)
		r = below_quota(b, ask, range->pool);
	if (r <= 0)
		return r < 0 ? r : CW_E_QUOTA;
	r = grant(b, ask, &at);
	return r == 0 ? cw_sq_fail(b, SQLITE_CORRUPT) : r < 0 ? r : 0;
}

/* What the answer to an operator tells besides the lease. */
static int told(struct cw_backend *b, struct cw_op_acquire *a)
{
	const struct cw_sq_pool *p = cw_sq_pool_by_id(b, a->lease.pool_id);
	sqlite3_stmt *st = b->st[CW_SQ_TEP_GET];
	struct cw_tep tep = {0};
	int r;

	cw_sq_int(st, 1, (int64_t) a->lease.tep_id);
	r = cw_sq_row(b, CW_SQ_TEP_GET);
	if (r > 0 && !cw_sq_tep_row(st, &tep))
		r = cw_sq_fail(b, SQLITE_CORRUPT);
	(void) sqlite3_reset(st);
	if (r < 0)
		return r;
	memcpy(a->tep_name, tep.name, sizeof a->tep_name);
	if (p)
		memcpy(a->pool_name, p->p.name, sizeof a->pool_name);
	return 0;
}

static int acquire(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch)
{
	struct cw_op_acquire *a = &op->u.acquire;
	struct ask ask = {.a = a, .now = &op->now, .batch = batch, .limit = a->max_leases};
	int r;

	if (!cw_sq_text_ok(a->principal, sizeof a->principal) ||
		!memchr(a->pool, 0, sizeof a->pool) || a->access < CW_ACCESS_TSP ||
		a->access > CW_ACCESS_GATEWAY || !cw_portset_valid(a->ports))
		return -EINVAL;
	a->old_lease = 0;
	if (a->pool[0]) {
		ask.only = cw_sq_pool_by_name(b, a->pool);
		if (!ask.only)
			return CW_E_POLICY;
	}
	r = user_limits(b, &ask);
	if (r < 0)
		return r;
	if (!a->named)
		return acquire_any(b, &ask);
	return a->held_only ? acquire_held(b, &ask) : acquire_named(b, &ask);
}

int cw_sq_acquire(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch)
{
	struct cw_op_acquire *a = &op->u.acquire;
	int r;

	if (a->tags && strlen(a->tags) >= CW_TEXT_MAX)
		return -EINVAL;
	r = acquire(b, op, batch);
	if (r == 0 && a->tags)
		r = cw_sq_tag_set(b, a->lease.id, a->tags);
	return r == 0 && op->cause ? told(b, a) : r;
}
