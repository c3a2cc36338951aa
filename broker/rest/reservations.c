/* SPDX-License-Identifier: BSD-2-Clause */
/* Reservations: addresses, or port sets, that are kept for a principal. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "broker/rest/handle.h"
#include "broker/rest/handlers.h"
#include "broker/rest/reservations.h"

static struct cw_rest_reservation show_reservation(
	const struct cw_reservation *v, const char *pool, bool shared)
{
	return (struct cw_rest_reservation){
		.id = v->id,
		.pool = pool,
		.address = v->addr,
		.psid = shared ? v->psid : CW_REST_NONE,
		.owner = v->principal,
		.version = v->version,
	};
}

/* The pools of a few rows in a row are mostly the same. */
struct place {
	uint64_t id;
	struct cw_pool pool;
};

static int look_up(struct cw_store_reader *r, uint64_t pool, struct place *at)
{
	int e;

	if (at->id == pool)
		return 0;
	e = cw_read_pool_id(r, pool, &at->pool);
	if (e == 0)
		at->pool = (struct cw_pool){0}; /* it has gone meanwhile */
	at->id = e < 0 ? 0 : pool;
	return e < 0 ? e : 0;
}

/* The reservation of the path and its pool. */
static bool take_reservation(
	struct cw_rest_request *q, struct cw_reservation *ret, struct place *ret_place)
{
	uint64_t id;
	int r;

	if (!cw_rest_take_id(q, 0, CW_ID_RESERVATION, &id) || !cw_rest_reader(q))
		return false;
	r = cw_read_reservation_id(q->reader, id, ret);
	if (r == 0)
		r = -ENOENT;
	if (r > 0)
		r = look_up(q->reader, ret->pool_id, ret_place);
	if (r < 0)
		cw_rest_problem_code(q, r);
	return r >= 0;
}

static void answer_reservation(
	struct cw_rest_request *q, const struct cw_reservation *v, const struct cw_pool *pool)
{
	struct cw_rest_reservation shown = show_reservation(v, pool->name, pool->ps_len > 0);

	cw_rest_etag(q, v->version);
	cw_rest_show(q, 200, &cw_rest_reservation_object, &shown);
}

void cw_rest_do_getReservation(struct cw_rest_request *q)
{
	struct cw_reservation v;
	struct place at = {0};

	if (cw_rest_take_query(q, NULL, NULL) && take_reservation(q, &v, &at) &&
		cw_rest_modified(q, v.version))
		answer_reservation(q, &v, &at.pool);
}

/* ---- list ---- */

struct listing {
	const struct cw_rest_query_list_reservations *asked;
	uint64_t pool;                /* 0: any */
	char owner[CW_PRINCIPAL_MAX]; /* "": any */
	bool has_prefix;
	struct place at;
	struct cw_reservation rows[64];
};

static bool wanted(const struct listing *s, const struct cw_reservation *v)
{
	return (!s->pool || v->pool_id == s->pool) &&
	       (!s->owner[0] || strcmp(v->principal, s->owner) == 0) &&
	       (!s->has_prefix || cw_prefix4_has(&s->asked->ip, v->addr));
}

static int page(struct cw_rest_request *q, struct cw_rest_list *l, struct cw_store_reader *r,
	struct cw_cursor *at, unsigned max, bool *ret_more)
{
	struct listing *s = l->mine;
	unsigned ask = max < CW_ARRAY_LEN(s->rows) ? max : (unsigned) CW_ARRAY_LEN(s->rows);
	int n = cw_read_reservations(r, at->a, s->rows, ask), shown = 0;

	*ret_more = n == (int) ask;
	for (int i = 0; i < n; i++) {
		struct cw_rest_reservation row;
		int e;

		at->a = s->rows[i].id;
		if (!wanted(s, &s->rows[i]))
			continue;
		e = look_up(r, s->rows[i].pool_id, &s->at);
		if (e < 0)
			return e;
		if (!s->at.pool.id)
			continue;
		row = show_reservation(&s->rows[i], s->at.pool.name, s->at.pool.ps_len > 0);
		cw_rest_row(q, l, &row);
		shown++;
	}
	return n < 0 ? n : shown;
}

/* The query's names; what is not there is the client's mistake. */
static bool take_filter(struct cw_rest_request *q, struct listing *s)
{
	const struct cw_rest_query_list_reservations *a = s->asked;
	struct cw_pool pool;
	int r;

	if (a->owner && a->user) {
		cw_rest_problem_query(q, "user", "\"owner\" says it already");
		return false;
	}
	if (a->owner || a->user)
		(void) snprintf(s->owner, sizeof s->owner, "%s%s", a->user ? "user:" : "",
			a->user ? a->user : a->owner);
	s->has_prefix = CW_REST_HAS(&cw_rest_query_list_reservations_object, a, ip);
	if (!a->pool)
		return true;
	if (!cw_rest_reader(q))
		return false;
	r = cw_read_pool(q->reader, a->pool, &pool);
	if (r == 0)
		cw_rest_problem_query(q, "pool", "there is no such pool");
	else if (r < 0)
		cw_rest_problem_code(q, r);
	else
		s->pool = pool.id;
	return r > 0;
}

void cw_rest_do_listReservations(struct cw_rest_request *q)
{
	struct cw_rest_list *l = cw_rest_take_list(q, &cw_rest_reservation_object,
		&cw_rest_query_list_reservations_object, sizeof(struct listing));
	struct listing *s = l ? l->mine : NULL;

	if (!l)
		return;
	l->page = page;
	s->asked = l->asked;
	if (take_filter(q, s))
		cw_rest_list(q, l);
}

/* ---- make ---- */

static void complete_created(struct cw_op *op)
{
	(void) cw_id_str(CW_ID_RESERVATION, op->u.reservation.id, op->cause->object);
}

/* q->mine: the pool. */
static int record_created(const struct cw_op *op, unsigned *ret_status, char *to, size_t n)
{
	const struct cw_pool *pool = cw_rest_of_op(op)->mine;
	struct cw_rest_reservation shown =
		show_reservation(&op->u.reservation, pool->name, pool->ps_len > 0);

	*ret_status = 201;
	return cw_rest_record(&cw_rest_reservation_object, &shown, to, n);
}

/* It is somebody's, or nobody's: the pool may keep the sets with ports 0 to 1023. */
static void refuse_create(struct cw_rest_request *q)
{
	const struct cw_reservation *v = &q->req.op.u.reservation;
	struct cw_reservation rows[32];
	uint64_t after = 0;
	int n;

	if (!cw_rest_reader(q))
		return;
	while ((n = cw_read_reservations(q->reader, after, rows, CW_ARRAY_LEN(rows))) > 0) {
		for (int i = 0; i < n; i++) {
			if (rows[i].addr.v == v->addr.v && rows[i].psid == v->psid) {
				cw_rest_problem_member(
					q, CW_PROBLEM_EXISTS, "address", "it is reserved already");
				return;
			}
		}
		after = rows[n - 1].id;
	}
	if (n < 0)
		cw_rest_problem_code(q, n);
	else
		cw_rest_problem_member(q, CW_PROBLEM_INVALID_BODY, "psid",
			"the pool keeps the port sets with ports 0 to 1023");
}

static void created(struct cw_rest_request *q)
{
	const struct cw_reservation *v = &q->req.op.u.reservation;
	const struct cw_pool *pool = q->mine;
	int r = q->req.op.result;

	if (r == CW_E_CONFLICT) {
		refuse_create(q);
	} else if (r == -EINVAL) {
		cw_rest_problem_member(q, CW_PROBLEM_INVALID_BODY, "address",
			"it is not in the ranges of that pool");
	} else if (r < 0) {
		cw_rest_problem_code(q, r);
	} else {
		struct cw_rest_reservation shown =
			show_reservation(v, pool->name, pool->ps_len > 0);

		cw_rest_created(
			q, "/v1/reservations/", v->version, &cw_rest_reservation_object, &shown);
	}
}

int cw_rest_find_pool(struct cw_store_reader *r, struct cw_addr4 addr, struct cw_pool *ret)
{
	struct cw_range rows[32];
	uint64_t after = 0;
	int n;

	while ((n = cw_read_ranges(r, 0, after, rows, CW_ARRAY_LEN(rows))) > 0) {
		for (int i = 0; i < n; i++)
			if (rows[i].lo.v <= addr.v && addr.v <= rows[i].hi.v)
				return cw_read_pool_id(r, rows[i].pool_id, ret);
		after = rows[n - 1].id;
	}
	return n;
}

/* The pool that is named, or that has the address. */
static bool take_pool(
	struct cw_rest_request *q, const struct cw_rest_reservation_create *b, struct cw_pool *ret)
{
	int r;

	if (!cw_rest_reader(q))
		return false;
	if (b->pool)
		return cw_rest_take_pool(q, q->reader, b->pool, ret);
	r = cw_rest_find_pool(q->reader, b->address, ret);
	if (r == 0)
		cw_rest_problem(q, CW_PROBLEM_NOT_FOUND, "no pool has the address");
	else if (r < 0)
		cw_rest_problem_code(q, r);
	return r > 0;
}

const char *cw_rest_check_psid(const struct cw_pool *p, uint64_t psid)
{
	if (p->ps_len && psid == CW_REST_NONE)
		return "the pool lends port sets: say which";
	if (!p->ps_len && psid != CW_REST_NONE)
		return "the pool lends whole addresses";
	return p->ps_len && psid >= 1u << p->ps_len ? "the pool has fewer port sets" : NULL;
}

void cw_rest_do_createReservation(struct cw_rest_request *q)
{
	const struct cw_rest_object *o = &cw_rest_reservation_create_object;
	struct cw_rest_reservation_create body = {0};
	struct cw_pool *pool = cw_arena_alloc(q->arena, 1, sizeof *pool);
	struct cw_reservation *v = &q->req.op.u.reservation;
	const char *wrong;

	if (!pool) {
		cw_rest_problem_code(q, -ENOMEM);
		return;
	}
	if (!cw_rest_take_query(q, NULL, NULL) || !cw_rest_take_body(q, o, &body) ||
		!take_pool(q, &body, pool))
		return;
	if (!CW_REST_HAS(o, &body, psid))
		body.psid = CW_REST_NONE;
	wrong = cw_rest_check_psid(pool, body.psid);
	if (wrong) {
		cw_rest_problem_member(q, CW_PROBLEM_INVALID_BODY, "psid", wrong);
		return;
	}
	q->mine = pool;
	*v = (struct cw_reservation){.pool_id = pool->id,
		.addr = body.address,
		.psid = body.psid == CW_REST_NONE ? 0 : (uint16_t) body.psid};
	(void) snprintf(v->principal, sizeof v->principal, "%s", body.owner);
	q->req.op.kind = CW_OP_RESERVE_ADD;
	if (!cw_rest_cause(q, "", cw_rest_body_detail(q)))
		return;
	q->cause.complete = complete_created;
	q->cause.answer = record_created;
	cw_rest_submit(q, created);
}

/* ---- change, take away ---- */

static void updated(struct cw_rest_request *q)
{
	if (q->req.op.result < 0)
		cw_rest_problem_code(q, q->req.op.result);
	else
		answer_reservation(q, &q->req.op.u.reservation, q->mine);
}

void cw_rest_do_updateReservation(struct cw_rest_request *q)
{
	struct cw_reservation *v = &q->req.op.u.reservation;
	struct cw_rest_reservation_patch body = {0};
	struct place *at = cw_arena_alloc(q->arena, 1, sizeof *at);
	char id[CW_ID_STRLEN];

	if (!at) {
		cw_rest_problem_code(q, -ENOMEM);
		return;
	}
	if (!cw_rest_take_query(q, NULL, NULL) ||
		!cw_rest_take_body(q, &cw_rest_reservation_patch_object, &body) ||
		!take_reservation(q, v, at) || !cw_rest_if_match(q, v->version))
		return;
	(void) snprintf(v->principal, sizeof v->principal, "%s", body.owner);
	q->mine = &at->pool;
	q->req.op.kind = CW_OP_RESERVE_SET;
	if (cw_rest_cause(q, cw_id_str(CW_ID_RESERVATION, v->id, id), cw_rest_body_detail(q)))
		cw_rest_submit(q, updated);
}

static void deleted(struct cw_rest_request *q)
{
	if (q->req.op.result < 0)
		cw_rest_problem_code(q, q->req.op.result);
	else
		cw_rest_answer(q, 204, NULL);
}

void cw_rest_do_deleteReservation(struct cw_rest_request *q)
{
	struct cw_reservation *v = &q->req.op.u.reservation;
	char id[CW_ID_STRLEN], addr[CW_ADDR4_STRLEN], detail[96];
	struct place at = {0};

	if (!cw_rest_take_query(q, NULL, NULL) || !take_reservation(q, v, &at) ||
		!cw_rest_if_match(q, v->version))
		return;
	q->req.op.kind = CW_OP_RESERVE_DEL;
	(void) snprintf(detail, sizeof detail, "{\"address\":\"%s\",\"psid\":%u}",
		cw_addr4_str(v->addr, addr), v->psid);
	if (cw_rest_cause(q, cw_id_str(CW_ID_RESERVATION, v->id, id), detail))
		cw_rest_submit(q, deleted);
}
