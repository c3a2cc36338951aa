/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a lease after its grant: looked up, ended, confirmed, expired, freed, and its history
 * pruned. Each transition writes the lease row, its history row and its outbox row in the caller's
 * transaction. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "db/sqlite/sqlite.h"

int cw_sq_lease_get(struct cw_backend *b, enum cw_sq_statement s, bool more, struct cw_lease *ret)
{
	sqlite3_stmt *st = b->st[s];
	const struct cw_sq_pool *p;
	int r = cw_sq_row(b, s);
	bool ok;

	if (r <= 0)
		return r;
	ok = cw_sq_lease_row(st, ret);
	p = ok ? cw_sq_pool_by_id(b, ret->pool_id) : NULL;
	if (!more || !p)
		(void) sqlite3_reset(st);
	if (!p) {
		atomic_fetch_add(&b->errors->corrupt, 1);
		return CW_E_STORE_CORRUPT; /* this row only: the others are served */
	}
	ret->ports = cw_sq_ports(p, ret->ports.psid);
	return 1;
}

int cw_sq_lease_confirmed(struct cw_backend *b, struct cw_lease *l)
{
	int64_t generation;
	int r;

	cw_sq_int(b->st[CW_SQ_OUTBOX_GET], 1, (int64_t) l->id);
	r = cw_sq_number(b, CW_SQ_OUTBOX_GET, 0, &generation);
	if (r < 0)
		return r;
	l->confirmed = generation == 0;
	return 0;
}

int cw_sq_emit(struct cw_backend *b, struct cw_batch *batch, int what, const struct cw_lease *l)
{
	struct cw_outbox_entry *e = cw_batch_emit(batch, what);

	if (!e)
		return cw_sq_fail(b, SQLITE_NOMEM);
	e->lease = *l;
	e->wall_s = b->now.wall_s;
	return 0;
}

static bool holds(const struct cw_lease *l, const char *principal, const struct cw_addr6 *client6)
{
	return (!principal || strcmp(l->principal, principal) == 0) &&
	       (!client6 || cw_addr6_eq(&l->client6, client6));
}

/* The best row of a holder on a shared address whose port set was not named. */
static int lease_on_shared(struct cw_backend *b, struct cw_addr4 addr, const char *principal,
	const struct cw_addr6 *client6, struct cw_lease *ret)
{
	enum cw_sq_statement s = client6 ? CW_SQ_LEASE_ON : CW_SQ_LEASE_ON_ANY;
	struct cw_lease l;
	int r, found = 0;

	cw_sq_int(b->st[s], 1, addr.v);
	cw_sq_text(b->st[s], 2, principal);
	if (client6)
		cw_sq_addr6(b->st[s], 3, client6);
	while ((r = cw_sq_lease_get(b, s, true, &l)) > 0) {
		if (!found || l.state == CW_LEASE_ACTIVE || l.id > ret->id)
			*ret = l;
		found = 1;
		if (l.state == CW_LEASE_ACTIVE)
			break;
	}
	(void) sqlite3_reset(b->st[s]);
	return r < 0 ? r : found;
}

int cw_sq_lease_on(struct cw_backend *b, struct cw_addr4 addr, const struct cw_portset *ports,
	const char *principal, const struct cw_addr6 *client6, struct cw_lease *ret)
{
	const struct cw_sq_range *range = cw_sq_range_of(b, addr);
	int r;

	if (!range)
		return 0;
	if (range->pool->sets > 1 && cw_portset_is_whole(*ports))
		return principal ? lease_on_shared(b, addr, principal, client6, ret) : 0;
	if (!cw_portset_eq(*ports, cw_sq_ports(range->pool, ports->psid)))
		return 0;
	cw_sq_int(b->st[CW_SQ_LEASE_AT], 1, addr.v);
	cw_sq_int(b->st[CW_SQ_LEASE_AT], 2, ports->psid);
	r = cw_sq_lease_get(b, CW_SQ_LEASE_AT, false, ret);
	return r == 1 && !holds(ret, principal, client6) ? 0 : r;
}

int cw_sq_find(struct cw_backend *b, struct cw_op *op)
{
	struct cw_op_find *f = &op->u.find;
	const struct cw_addr6 *client6 = cw_addr6_is_unspecified(&f->client6) ? NULL : &f->client6;
	struct cw_lease l;
	int r;

	if (!memchr(f->principal, 0, sizeof f->principal) || (f->id == 0 && !f->principal[0]))
		return -EINVAL;
	if (f->id > 0) {
		cw_sq_int(b->st[CW_SQ_LEASE_ID], 1, (int64_t) f->id);
		r = cw_sq_lease_get(b, CW_SQ_LEASE_ID, false, &l);
		if (r == 1 && f->principal[0] && !holds(&l, f->principal, client6))
			r = 0;
		if (r == 1 && l.state != CW_LEASE_ACTIVE && l.state != CW_LEASE_ENDING)
			r = 0;
	} else if (f->named) {
		r = cw_sq_lease_on(b, f->addr, &f->ports, f->principal, client6, &l);
		if (r == 1 && l.state != CW_LEASE_ACTIVE)
			r = 0;
	} else {
		cw_sq_text(b->st[CW_SQ_LEASE_LIVE], 1, f->principal);
		cw_sq_addr6(b->st[CW_SQ_LEASE_LIVE], 2, &f->client6);
		r = cw_sq_lease_get(b, CW_SQ_LEASE_LIVE, false, &l);
	}
	if (r <= 0)
		return r < 0 ? r : CW_E_NOT_YOURS;
	r = cw_sq_lease_confirmed(b, &l);
	if (r < 0)
		return r;
	f->lease = l;
	return 0;
}

/* The statement before this one must have changed exactly the row that was just read. */
static int changed_one(struct cw_backend *b)
{
	return sqlite3_changes(b->db) == 1 ? 0 : cw_sq_fail(b, SQLITE_CORRUPT);
}

/* ACTIVE -> ENDING; the TEP must stop. *l becomes what the row says now. */
static int end_row(
	struct cw_backend *b, struct cw_lease *l, enum cw_end_reason reason, struct cw_batch *batch)
{
	sqlite3_stmt *st = b->st[CW_SQ_LEASE_END];
	struct cw_sq_pool *p;
	int r;

	l->state = CW_LEASE_ENDING;
	l->reason = reason;
	l->generation = ++b->seq;
	l->confirmed = false;
	cw_sq_int(st, 1, l->addr.v);
	cw_sq_int(st, 2, l->ports.psid);
	cw_sq_int(st, 3, reason);
	cw_sq_int(st, 4, (int64_t) l->generation);
	r = cw_sq_run(b, CW_SQ_LEASE_END);
	if (r == 0)
		r = changed_one(b);
	if (r < 0)
		return r;
	cw_sq_int(b->st[CW_SQ_HISTORY_REASON], 1, (int64_t) l->id);
	cw_sq_int(b->st[CW_SQ_HISTORY_REASON], 2, reason);
	cw_sq_int(b->st[CW_SQ_HISTORY_REASON], 3, (int64_t) l->generation);
	cw_sq_int(b->st[CW_SQ_HISTORY_REASON], 4, b->now.wall_s);
	r = cw_sq_run(b, CW_SQ_HISTORY_REASON);
	if (r == 0 && reason == CW_END_TEP) { /* who asks again is not told of it */
		cw_sq_int(b->st[CW_SQ_KEY_REFUSED], 1, (int64_t) l->id);
		r = cw_sq_run(b, CW_SQ_KEY_REFUSED);
	}
	if (r < 0)
		return r;
	p = cw_sq_pool_by_id(b, l->pool_id);
	if (p)
		cw_sq_use_change(b, p, CW_LEASE_ACTIVE, CW_LEASE_ENDING, false);
	st = b->st[CW_SQ_OUTBOX_PUT];
	cw_sq_int(st, 1, (int64_t) l->id);
	cw_sq_int(st, 2, (int64_t) l->generation);
	cw_sq_int(st, 3, CW_OUTBOX_REMOVE);
	r = cw_sq_run(b, CW_SQ_OUTBOX_PUT);
	return r < 0 ? r : cw_sq_emit(b, batch, CW_OUTBOX_REMOVE, l);
}

/* No such tenure, or one that is over? */
static int gone_or_unknown(struct cw_backend *b, uint64_t id)
{
	int64_t had;
	int r;

	cw_sq_int(b->st[CW_SQ_HISTORY_HAS], 1, (int64_t) id);
	r = cw_sq_number(b, CW_SQ_HISTORY_HAS, 0, &had);
	if (r < 0)
		return r;
	return had ? CW_E_GONE : CW_E_NOT_YOURS;
}

int cw_sq_end(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch)
{
	struct cw_op_end *e = &op->u.end;
	const struct cw_addr6 *client6 = cw_addr6_is_unspecified(&e->client6) ? NULL : &e->client6;
	const char *principal = e->principal[0] ? e->principal : NULL;
	struct cw_lease l;
	int r;

	e->lease = (struct cw_lease){0};
	if (!memchr(e->principal, 0, sizeof e->principal) || e->reason <= CW_END_NONE ||
		e->reason >= CW_END_MOVE)
		return -EINVAL;
	if (e->id > 0) {
		cw_sq_int(b->st[CW_SQ_LEASE_ID], 1, (int64_t) e->id);
		r = cw_sq_lease_get(b, CW_SQ_LEASE_ID, false, &l);
		if (r == 0)
			return gone_or_unknown(b, e->id);
		if (r == 1 && principal && !holds(&l, principal, client6))
			return CW_E_NOT_YOURS;
	} else {
		r = cw_sq_lease_on(b, e->addr, &e->ports, principal, client6, &l);
	}
	if (r <= 0)
		return r < 0 ? r : CW_E_NOT_YOURS;
	e->lease = l; /* ENDING: it may be waited for */
	if (l.state != CW_LEASE_ACTIVE)
		return CW_E_GONE;
	r = end_row(b, &e->lease, e->reason, batch);
	if (r < 0)
		e->lease = l;
	return r;
}

int cw_sq_extend(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch)
{
	struct cw_op_extend *e = &op->u.extend;
	struct cw_lease l;
	int r;

	cw_sq_int(b->st[CW_SQ_LEASE_ID], 1, (int64_t) e->id);
	r = cw_sq_lease_get(b, CW_SQ_LEASE_ID, false, &l);
	if (r == 0)
		return gone_or_unknown(b, e->id);
	if (r == 1 && l.state != CW_LEASE_ACTIVE)
		return CW_E_GONE;
	if (r == 1)
		r = cw_sq_renew(b, &l, e->lifetime_s, batch);
	if (r == 0)
		e->lease = l;
	return r;
}

int cw_sq_tag_set(struct cw_backend *b, uint64_t lease, const char *json)
{
	enum cw_sq_statement s = json[0] ? CW_SQ_TAG_PUT : CW_SQ_TAG_DEL;
	int r;

	cw_sq_int(b->st[s], 1, (int64_t) lease);
	if (s == CW_SQ_TAG_PUT)
		cw_sq_text(b->st[s], 2, json);
	r = cw_sq_run(b, s);
	(void) sqlite3_clear_bindings(b->st[s]);
	return r;
}

int cw_sq_tag(struct cw_backend *b, struct cw_op *op)
{
	const struct cw_op_tag *t = &op->u.tag;
	struct cw_lease l;
	int r;

	if (!memchr(t->json, 0, sizeof t->json))
		return -EINVAL;
	cw_sq_int(b->st[CW_SQ_LEASE_ID], 1, (int64_t) t->id);
	r = cw_sq_lease_get(b, CW_SQ_LEASE_ID, false, &l);
	if (r == 0)
		return gone_or_unknown(b, t->id);
	if (r < 0)
		return r;
	if (l.state != CW_LEASE_ACTIVE && l.state != CW_LEASE_ENDING)
		return CW_E_GONE;
	return cw_sq_tag_set(b, t->id, t->json);
}

/* Forwarding has stopped: ENDING -> QUARANTINED, or FREE. */
static int stopped(struct cw_backend *b, const struct cw_lease *l, const struct cw_store_time *now)
{
	struct cw_sq_pool *p = cw_sq_pool_by_id(b, l->pool_id);
	int64_t rest = p && l->reason != CW_END_TEP ? p->p.quarantine_s
						    : 0; /* nobody was told of it: no rest */
	sqlite3_stmt *st = b->st[CW_SQ_LEASE_STOP];
	int r;

	/* Both ends are cut to whole seconds: never less than was promised. */
	rest += rest > 0;
	cw_sq_int(st, 1, l->addr.v);
	cw_sq_int(st, 2, l->ports.psid);
	cw_sq_int(st, 3, rest > 0 ? CW_LEASE_QUARANTINED : CW_LEASE_FREE);
	cw_sq_int(st, 4, now->steady_s + rest);
	r = cw_sq_run(b, CW_SQ_LEASE_STOP);
	if (r == 0)
		r = changed_one(b);
	if (r < 0)
		return r;
	if (p) {
		cw_sq_use_change(b, p, CW_LEASE_ENDING,
			rest > 0 ? CW_LEASE_QUARANTINED : CW_LEASE_FREE,
			rest == 0 && cw_sq_aside(b, p, l->addr, l->ports.psid));
		p->maybe_free = p->maybe_free || rest == 0;
	}
	cw_sq_int(b->st[CW_SQ_HISTORY_ENDED], 1, (int64_t) l->id);
	cw_sq_int(b->st[CW_SQ_HISTORY_ENDED], 2, now->wall_s);
	r = cw_sq_run(b, CW_SQ_HISTORY_ENDED);
	if (r < 0)
		return r;
	cw_sq_int(b->st[CW_SQ_OUTBOX_DEL], 1, (int64_t) l->id);
	return cw_sq_run(b, CW_SQ_OUTBOX_DEL);
}

static int confirm_one(struct cw_backend *b, const struct cw_confirm *c,
	const struct cw_store_time *now, struct cw_batch *batch)
{
	sqlite3_stmt *st = b->st[CW_SQ_OUTBOX_APPLIED];
	struct cw_lease l;
	uint64_t generation;
	int what, r;

	if (c->result == 0) {
		cw_sq_int(st, 1, (int64_t) c->lease);
		cw_sq_int(st, 2, (int64_t) c->generation);
		r = cw_sq_run(b, CW_SQ_OUTBOX_APPLIED);
		if (r < 0 || sqlite3_changes(b->db) == 1)
			return r;
	}
	st = b->st[CW_SQ_OUTBOX_GET];
	cw_sq_int(st, 1, (int64_t) c->lease);
	r = cw_sq_row(b, CW_SQ_OUTBOX_GET);
	if (r <= 0)
		return r;
	generation = (uint64_t) sqlite3_column_int64(st, 0);
	what = sqlite3_column_int(st, 1);
	(void) sqlite3_reset(st);
	if (generation != c->generation)
		return 0; /* late: something newer is on its way to the TEP */
	if (what == CW_OUTBOX_APPLY ? !batch->unanswered(batch->arg, c->lease) : c->result != 0)
		return 0;
	cw_sq_int(b->st[CW_SQ_LEASE_ID], 1, (int64_t) c->lease);
	r = cw_sq_lease_get(b, CW_SQ_LEASE_ID, false, &l);
	if (r == 0)
		return cw_sq_fail(b, SQLITE_CORRUPT);
	if (r < 0)
		return b->fault; /* a bad row stays as it is; the others are confirmed */
	return what == CW_OUTBOX_APPLY ? end_row(b, &l, CW_END_TEP, batch) : stopped(b, &l, now);
}

int cw_sq_confirm(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch)
{
	for (size_t i = 0; i < op->u.confirm.n; i++) {
		int r = confirm_one(b, &op->u.confirm.items[i], &op->now, batch);

		if (r < 0)
			return r;
	}
	return 0;
}

int cw_sq_expire(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch)
{
	struct cw_op_sweep *sweep = &op->u.sweep;
	int64_t bad = 0;

	sweep->count = 0;
	while (sweep->count < sweep->limit) {
		struct cw_lease l;
		int r;

		cw_sq_int(b->st[CW_SQ_EXPIRED], 1, op->now.steady_s);
		cw_sq_int(b->st[CW_SQ_EXPIRED], 2, bad);
		r = cw_sq_lease_get(b, CW_SQ_EXPIRED, false, &l);
		if (r == CW_E_STORE_CORRUPT && b->fault == 0) {
			bad++;
			continue;
		}
		if (r == 0)
			break;
		if (r == 1)
			r = end_row(b, &l, CW_END_EXPIRE, batch);
		if (r < 0)
			return r;
		sweep->count++;
	}
	return cw_sq_number(b, CW_SQ_NEXT_EXPIRY, INT64_MAX, &sweep->next_due_s);
}

int cw_sq_free_due(struct cw_backend *b, int64_t now_s, unsigned limit, unsigned *ret_count)
{
	sqlite3_stmt *rested = b->st[CW_SQ_RESTED], *set = b->st[CW_SQ_LEASE_FREE];
	unsigned n;

	for (n = 0; n < limit; n++) {
		struct cw_addr4 addr;
		struct cw_sq_pool *p;
		uint16_t psid;
		int r;

		cw_sq_int(rested, 1, now_s);
		r = cw_sq_row(b, CW_SQ_RESTED);
		if (r < 0)
			return r;
		if (r == 0)
			break;
		addr.v = (uint32_t) sqlite3_column_int64(rested, 0);
		psid = (uint16_t) sqlite3_column_int(rested, 1);
		cw_sq_int(set, 1, addr.v);
		cw_sq_int(set, 2, psid);
		cw_sq_int(set, 3, now_s);
		p = cw_sq_pool_by_id(b, (uint64_t) sqlite3_column_int64(rested, 2));
		(void) sqlite3_reset(rested);
		r = cw_sq_run(b, CW_SQ_LEASE_FREE);
		if (r == 0)
			r = changed_one(b);
		if (r < 0)
			return r;
		if (p) {
			p->maybe_free = true;
			cw_sq_use_change(b, p, CW_LEASE_QUARANTINED, CW_LEASE_FREE,
				cw_sq_aside(b, p, addr, psid));
		}
	}
	*ret_count = n;
	return 0;
}

int cw_sq_free(struct cw_backend *b, struct cw_op *op)
{
	struct cw_op_sweep *sweep = &op->u.sweep;
	int r = cw_sq_free_due(b, op->now.steady_s, sweep->limit, &sweep->count);

	if (r < 0)
		return r;
	return cw_sq_number(b, CW_SQ_NEXT_REST, INT64_MAX, &sweep->next_due_s);
}

/* History beyond the retention of its pool; pools that are gone left theirs behind. */
int cw_sq_prune(struct cw_backend *b, struct cw_op *op)
{
	struct cw_op_sweep *sweep = &op->u.sweep;
	sqlite3_stmt *pools = b->st[CW_SQ_RETENTIONS], *prune = b->st[CW_SQ_HISTORY_PRUNE];
	int r;

	sweep->count = 0;
	sweep->next_due_s = INT64_MAX;
	while ((r = cw_sq_row(b, CW_SQ_RETENTIONS)) > 0) {
		int64_t pool = sqlite3_column_int64(pools, 0),
			keep = sqlite3_column_int64(pools, 1), oldest;
		unsigned n;

		cw_sq_int(prune, 1, pool);
		cw_sq_int(prune, 2, op->now.wall_s - keep);
		cw_sq_int(prune, 3, sweep->limit - sweep->count);
		r = cw_sq_events_prune(b, CW_SQ_HISTORY_PRUNE, &n);
		if (r < 0)
			break;
		sweep->count += n;
		cw_sq_int(b->st[CW_SQ_HISTORY_OLDEST], 1, pool);
		r = cw_sq_number(b, CW_SQ_HISTORY_OLDEST, INT64_MAX, &oldest);
		if (r < 0)
			break;
		if (oldest != INT64_MAX && oldest + keep < sweep->next_due_s)
			sweep->next_due_s = oldest + keep;
	}
	(void) sqlite3_reset(pools);
	return r;
}
