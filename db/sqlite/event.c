/* SPDX-License-Identifier: BSD-2-Clause */
/* Events that are rows of their own: written in the transaction of what caused them, told to the
 * front in the order of their ids. The events of leases are rows of the history. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "db/sqlite/sqlite.h"

static int put(struct cw_backend *b, const struct cw_event *e)
{
	sqlite3_stmt *st = b->st[CW_SQ_EVENT];
	int r;

	cw_sq_int(st, 1, (int64_t) e->id);
	cw_sq_int(st, 2, e->wall_s);
	cw_sq_text(st, 3, e->type);
	cw_sq_int(st, 4, (int64_t) e->object_id);
	cw_sq_text(st, 5, e->object);
	cw_sq_text(st, 6, e->detail);
	r = cw_sq_run(b, CW_SQ_EVENT);
	(void) sqlite3_clear_bindings(st); /* the batch's memory moves */
	return r;
}

int cw_sq_event(struct cw_backend *b, struct cw_batch *batch, const char *type, uint64_t object_id,
	const char *object, const char *detail)
{
	struct cw_event *e = cw_batch_event(batch);

	if (!e)
		return cw_sq_fail(b, SQLITE_NOMEM);
	e->id = ++b->seq;
	e->wall_s = b->now.wall_s;
	e->object_id = object_id;
	(void) snprintf(e->type, sizeof e->type, "%s", type);
	(void) snprintf(e->object, sizeof e->object, "%s", object ? object : "");
	(void) snprintf(e->detail, sizeof e->detail, "%s", detail ? detail : "");
	return put(b, e);
}

/* [a-z.-]+ that ends within n octets. */
static bool type_ok(const char *s, size_t n)
{
	return cw_sq_text_ok(s, n) && s[strspn(s, "abcdefghijklmnopqrstuvwxyz.-")] == '\0';
}

int cw_sq_event_op(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch)
{
	struct cw_event *e = &op->u.event;
	int r;

	if (!type_ok(e->type, sizeof e->type) || strncmp(e->type, "lease.", 6) == 0 ||
		!memchr(e->object, 0, sizeof e->object) ||
		!memchr(e->detail, 0, sizeof e->detail) || e->object_id > INT64_MAX)
		return -EINVAL;
	r = cw_sq_event(b, batch, e->type, e->object_id, e->object, e->detail);
	if (r < 0)
		return r;
	e->id = b->seq;
	e->wall_s = op->now.wall_s;
	return 0;
}

/* ---- changes of configuration ---- */

static int range_event(
	struct cw_backend *b, struct cw_batch *batch, const char *type, const struct cw_range *v)
{
	const struct cw_sq_pool *p = cw_sq_pool_by_id(b, v->pool_id);
	char lo[CW_ADDR4_STRLEN], hi[CW_ADDR4_STRLEN], detail[64];

	(void) snprintf(detail, sizeof detail, "{\"from\":\"%s\",\"to\":\"%s\"}",
		cw_addr4_str(v->lo, lo), cw_addr4_str(v->hi, hi));
	return cw_sq_event(b, batch, type, v->pool_id, p ? p->p.name : NULL, detail);
}

static int reservation_event(struct cw_backend *b, struct cw_batch *batch, const char *type,
	const struct cw_reservation *v)
{
	const struct cw_sq_pool *p = cw_sq_pool_by_id(b, v->pool_id);
	char addr[CW_ADDR4_STRLEN], detail[64];

	(void) snprintf(detail, sizeof detail, "{\"address\":\"%s\",\"psid\":%u}",
		cw_addr4_str(v->addr, addr), v->psid);
	return cw_sq_event(b, batch, type, v->pool_id, p ? p->p.name : NULL, detail);
}

static int pool_event(
	struct cw_backend *b, struct cw_batch *batch, const char *type, const struct cw_pool *p)
{
	static const char *const states[] = {"active", "draining", "disabled"};
	char detail[48];

	(void) snprintf(detail, sizeof detail, "{\"state\":\"%s\"}",
		p->state <= CW_POOL_DISABLED ? states[p->state] : "");
	return cw_sq_event(b, batch, type, p->id, p->name, detail);
}

static int tep_event(
	struct cw_backend *b, struct cw_batch *batch, const char *type, const struct cw_tep *t)
{
	return cw_sq_event(b, batch, type, t->id, t->name,
		t->draining ? "{\"draining\":true}" : "{\"draining\":false}");
}

static int user_event(
	struct cw_backend *b, struct cw_batch *batch, const char *type, const struct cw_user *u)
{
	return cw_sq_event(b, batch, type, u->id, u->name,
		u->disabled ? "{\"disabled\":true}" : "{\"disabled\":false}");
}

int cw_sq_event_of(struct cw_backend *b, const struct cw_op *op, struct cw_batch *batch)
{
	static const char *const types[] = {
		[CW_OP_POOL_ADD] = "pool.create",
		[CW_OP_POOL_SET] = "pool.change",
		[CW_OP_POOL_DEL] = "pool.delete",
		[CW_OP_RANGE_ADD] = "pool.range.add",
		[CW_OP_RANGE_DEL] = "pool.range.delete",
		[CW_OP_EXCLUDE_ADD] = "pool.exclusion.add",
		[CW_OP_EXCLUDE_DEL] = "pool.exclusion.delete",
		[CW_OP_RESERVE_ADD] = "pool.reservation.add",
		[CW_OP_RESERVE_SET] = "pool.reservation.change",
		[CW_OP_RESERVE_DEL] = "pool.reservation.delete",
		[CW_OP_TEP_ADD] = "tep.create",
		[CW_OP_TEP_SET] = "tep.change",
		[CW_OP_TEP_DEL] = "tep.delete",
		[CW_OP_USER_ADD] = "user.create",
		[CW_OP_USER_SET] = "user.change",
		[CW_OP_USER_DEL] = "user.delete",
		[CW_OP_CREDENTIALS_SET] = "user.credentials",
		[CW_OP_TOKEN_ADD] = "token.create",
		[CW_OP_TOKEN_DEL] = "token.delete",
	};
	const char *type = (size_t) op->kind < CW_ARRAY_LEN(types) ? types[op->kind] : NULL;
	int r;

	if (!type)
		return 0;
	r = cw_sq_cache_need(b); /* for the names of pools */
	if (r < 0)
		return r;
	switch (op->kind) {
	case CW_OP_POOL_ADD:
	case CW_OP_POOL_SET:
	case CW_OP_POOL_DEL:
		return pool_event(b, batch, type, &op->u.pool.pool);
	case CW_OP_RESERVE_ADD:
	case CW_OP_RESERVE_SET:
	case CW_OP_RESERVE_DEL:
		return reservation_event(b, batch, type, &op->u.reservation);
	case CW_OP_TEP_ADD:
	case CW_OP_TEP_SET:
	case CW_OP_TEP_DEL:
		return tep_event(b, batch, type, &op->u.tep);
	case CW_OP_TOKEN_ADD:
	case CW_OP_TOKEN_DEL:
		return cw_sq_event(b, batch, type, op->u.token.id, op->u.token.name, NULL);
	case CW_OP_RANGE_ADD:
	case CW_OP_RANGE_DEL:
	case CW_OP_EXCLUDE_ADD:
	case CW_OP_EXCLUDE_DEL:
		return range_event(b, batch, type, &op->u.range);
	default:
		return user_event(b, batch, type, &op->u.user.user);
	}
}

/* ---- */

int cw_sq_events_prune(struct cw_backend *b, enum cw_sq_statement s, unsigned *ret_count)
{
	sqlite3_stmt *st = b->st[s], *upto = b->st[CW_SQ_EVENTS_PRUNED];
	int64_t newest = 0;
	unsigned n = 0;
	int r;

	while ((r = cw_sq_row(b, s)) > 0) {
		int64_t id = sqlite3_column_int64(st, 1);

		newest = id > newest ? id : newest;
		n++;
		if (s == CW_SQ_EVENT_PRUNE)
			continue;
		cw_sq_int(b->st[CW_SQ_TAG_DEL], 1, sqlite3_column_int64(st, 0));
		r = cw_sq_run(b, CW_SQ_TAG_DEL);
		if (r < 0)
			break;
	}
	(void) sqlite3_reset(st);
	if (r < 0)
		return r;
	*ret_count = n;
	if (n == 0)
		return 0;
	cw_sq_int(upto, 1, newest);
	return cw_sq_run(b, CW_SQ_EVENTS_PRUNED);
}
