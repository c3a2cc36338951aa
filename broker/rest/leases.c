/* SPDX-License-Identifier: BSD-2-Clause */
/* Leases: show, list, allocate, extend, tag, revoke. What changes one goes the way of every access:
 * through the engine, answered when it is on disk and its TEP did it. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "broker/rest/handle.h"
#include "broker/rest/handlers.h"

/* ---- rows ---- */

/* wall_minus_steady: the difference of the time lines. Texts are the row's and the caller's. */
static struct cw_rest_lease show_lease(const struct cw_lease *l, const char *pool, const char *tep,
	const char *tags, int64_t wall_minus_steady)
{
	return (struct cw_rest_lease){
		.id = l->id,
		.pool = pool,
		.address = l->addr,
		.ports = l->ports,
		.ipv6 = l->client6,
		.owner = l->principal,
		.access = (uint8_t) l->access,
		.state = (uint8_t) l->state,
		.confirmed = l->confirmed,
		.tep = tep,
		.granted_at = l->granted_wall_s,
		.expires_at = l->expires_s + wall_minus_steady,
		.lifetime_s = l->lifetime_s,
		.end_reason = (uint8_t) l->reason,
		.tags = tags && tags[0] ? tags : NULL,
	};
}

/* The version of a lease as clients see it: what may change without a new generation is mixed in. */
static uint64_t version_of(const struct cw_rest_lease *l, uint64_t generation)
{
	uint64_t v = generation * 31 + (uint64_t) l->expires_at;

	v = v * 31 + l->state * 2u + l->confirmed;
	for (const char *p = l->tags ? l->tags : ""; *p; p++)
		v = v * 31 + (unsigned char) *p;
	return v;
}

static bool read_lease(struct cw_rest_request *q, uint64_t id, struct cw_lease *ret,
	struct cw_rest_lease *ret_shown)
{
	struct cw_store_reader *r = cw_rest_reader(q);
	char *tags = cw_arena_alloc(q->arena, 1, CW_TEXT_MAX);
	int e;

	if (!r)
		return false;
	e = tags ? cw_read_lease(r, id, ret) : -ENOMEM;
	if (e == 0 && ret->tagged)
		e = cw_read_tags(r, id, tags);
	if (e < 0) {
		cw_rest_problem_code(q, e);
		return false;
	}
	*ret_shown = show_lease(ret, cw_rest_pool_name(q, ret->pool_id),
		cw_rest_tep_name(q, ret->tep_id), e > 0 ? tags : NULL, cw_rest_wall_of(q, 0));
	return true;
}

void cw_rest_do_getLease(struct cw_rest_request *q)
{
	struct cw_rest_lease shown;
	struct cw_lease lease;
	uint64_t id, version;

	if (!cw_rest_take_query(q, NULL, NULL) || !cw_rest_take_id(q, 0, CW_ID_LEASE, &id) ||
		!read_lease(q, id, &lease, &shown))
		return;
	version = version_of(&shown, lease.generation);
	if (!cw_rest_modified(q, version))
		return;
	cw_rest_etag(q, version);
	cw_rest_show(q, 200, &cw_rest_lease_object, &shown);
}

/* ---- list ---- */

struct listing {
	struct cw_lease_filter filter;
	char owner[CW_PRINCIPAL_MAX];
	const char *q; /* a part of owner or tags */
	struct cw_lease rows[256];
};

/* The cursor of leases: address and port set, + 1, for 0 is the begin. */
static struct cw_lease_key key_of(const struct cw_cursor *at)
{
	uint64_t k = at->a - 1;

	if (!at->a)
		return (struct cw_lease_key){.begin = true};
	return (struct cw_lease_key){.addr = {(uint32_t) (k >> 16)}, .psid = (uint16_t) k};
}

static bool wanted(const struct cw_rest_lease *l, const char *q)
{
	return !q || strstr(l->owner, q) || (l->tags && strstr(l->tags, q));
}

static int page(struct cw_rest_request *q, struct cw_rest_list *l, struct cw_store_reader *r,
	struct cw_cursor *at, unsigned max, bool *ret_more)
{
	struct listing *s = l->mine;
	unsigned ask = max < CW_ARRAY_LEN(s->rows) ? max : (unsigned) CW_ARRAY_LEN(s->rows);
	int n = cw_read_leases(r, &s->filter, key_of(at), s->rows, ask), shown = 0;
	int64_t wall = cw_rest_wall_of(q, 0);

	*ret_more = n == (int) ask;
	for (int i = 0; i < n; i++) {
		const struct cw_lease *row = &s->rows[i];
		char tags[CW_TEXT_MAX];
		/* Asking for those of each row costs more than all the rest of it. */
		int e = row->tagged ? cw_read_tags(r, row->id, tags) : 0;
		struct cw_rest_lease lease;

		if (e < 0)
			return e;
		lease = show_lease(row, cw_rest_pool_name(q, row->pool_id),
			cw_rest_tep_name(q, row->tep_id), e > 0 ? tags : NULL, wall);
		if (wanted(&lease, s->q)) {
			cw_rest_row(q, l, &lease);
			shown++;
		}
		at->a = ((uint64_t) row->addr.v << 16 | row->ports.psid) + 1;
	}
	return n < 0 ? n : shown;
}

static int total(
	struct cw_rest_request *q, struct cw_rest_list *l, struct cw_store_reader *r, uint64_t *ret)
{
	struct listing *s = l->mine;

	(void) q;
	return cw_count_leases(r, &s->filter, ret);
}

/* The names of a filter: what is not there is the client's mistake, not an empty list. */
static bool take_filter(
	struct cw_rest_request *q, const struct cw_rest_query_list_leases *asked, struct listing *s)
{
	const struct cw_rest_object *o = &cw_rest_query_list_leases_object;
	struct cw_store_reader *r = cw_rest_reader(q);
	struct cw_pool pool;
	struct cw_tep tep;

	if (!r)
		return false;
	s->filter.states = (unsigned) asked->state;
	s->filter.access = (unsigned) asked->access;
	s->q = asked->q;
	if (asked->pool) {
		if (!cw_rest_take_pool(q, r, asked->pool, &pool))
			return false;
		s->filter.pool_id = pool.id;
	}
	if (asked->tep) {
		if (!cw_rest_take_tep(q, r, asked->tep, &tep))
			return false;
		s->filter.tep_id = tep.id;
	}
	if (asked->user || asked->owner) {
		(void) snprintf(s->owner, sizeof s->owner, "%s%s",
			asked->owner ? "" : "user:", asked->owner ? asked->owner : asked->user);
		s->filter.principal = s->owner;
	}
	if (CW_REST_HAS(o, asked, ip))
		s->filter.prefix = asked->ip;
	if (CW_REST_HAS(o, asked, expires_before))
		s->filter.expires_before_s = asked->expires_before - cw_rest_wall_of(q, 0);
	return true;
}

void cw_rest_do_listLeases(struct cw_rest_request *q)
{
	struct cw_rest_list *l = cw_rest_take_list(q, &cw_rest_lease_object,
		&cw_rest_query_list_leases_object, sizeof(struct listing));
	struct listing *s = l ? l->mine : NULL;

	if (!l || !take_filter(q, l->asked, s))
		return;
	l->page = page;
	if (!s->q) /* which the store does not know of */
		l->total = total;
	cw_rest_list(q, l);
}

/* ---- allocate ---- */

/* Also on the store's writer, within the transaction: what it needs is in the operation. */
static struct cw_rest_lease show_acquired(const struct cw_op *op)
{
	const struct cw_op_acquire *a = &op->u.acquire;
	struct cw_rest_lease shown = show_lease(
		&a->lease, a->pool_name, a->tep_name, a->tags, op->now.wall_s - op->now.steady_s);

	shown.confirmed = true; /* or nobody is told */
	return shown;
}

static int render_acquired(const struct cw_op *op, unsigned *ret_status, char *to, size_t n)
{
	struct cw_rest_lease shown = show_acquired(op);
	struct cw_json_out o;

	cw_json_out_init(&o, to, n);
	cw_rest_render(&o, &cw_rest_lease_object, &shown);
	*ret_status = op->u.acquire.how == CW_ACQ_GRANTED ? 201 : 200;
	return o.err ? o.err : (int) o.len;
}

/* What the audit log keeps of it, and of which lease. */
static void complete_acquired(struct cw_op *op)
{
	const struct cw_lease *l = &op->u.acquire.lease;

	char addr[CW_ADDR4_STRLEN];

	(void) cw_id_str(CW_ID_LEASE, l->id, op->cause->object);
	(void) snprintf(op->cause->detail, sizeof op->cause->detail,
		"{\"address\":\"%s\",\"psid\":%u}", cw_addr4_str(l->addr, addr), l->ports.psid);
}

static void location(struct cw_rest_request *q, uint64_t lease)
{
	char id[CW_ID_STRLEN], path[64];

	(void) snprintf(path, sizeof path, "/v1/leases/%s", cw_id_str(CW_ID_LEASE, lease, id));
	cw_rest_add_header(q, "Location", path);
}

/* When somebody's time ends next: then it is worth asking again. Not if the pool that was named has only what was not
 * asked for. */
static void say_exhausted(struct cw_rest_request *q)
{
	const struct cw_pool *pool = q->mine;
	int64_t expiry, rest, wait;
	char text[24];

	if (pool->ps_len && !q->req.op.u.acquire.ports_ok) {
		cw_rest_problem_member(q, CW_PROBLEM_INVALID_BODY, "ports_ok",
			"must be true: the pool lends port sets of its addresses, never a whole one");
		return;
	}
	if (!cw_rest_reader(q))
		return;
	if (cw_read_next_due(q->reader, &expiry, &rest) == 0) {
		wait = (expiry < rest ? expiry : rest) - cw_rest_now_steady_s(q);
		(void) snprintf(text, sizeof text, "%lld",
			(long long) (wait < 1       ? 1
				     : wait > 86400 ? 86400
						    : wait));
		cw_rest_add_header(q, "Retry-After", text);
	}
	cw_rest_problem(q, CW_PROBLEM_POOL_EXHAUSTED, NULL);
}

static void acquired(struct cw_rest_request *q)
{
	const struct cw_op *op = &q->req.op;
	struct cw_rest_lease shown;

	if (op->result == CW_E_POOL_EMPTY) {
		say_exhausted(q);
		return;
	}
	if (op->result == CW_E_CONFLICT) {
		cw_rest_problem(q, CW_PROBLEM_ADDRESS_TAKEN, NULL);
		return;
	}
	if (op->result < 0) {
		cw_rest_problem_code(q, op->result);
		return;
	}
	location(q, op->u.acquire.lease.id);
	if (cw_rest_replayed(q))
		return;
	shown = show_acquired(op);
	cw_rest_show(
		q, op->u.acquire.how == CW_ACQ_GRANTED ? 201 : 200, &cw_rest_lease_object, &shown);
}

/* The port set of an address that is named with a PSID has the shape of its pool. */
static bool take_named(struct cw_rest_request *q, const struct cw_rest_lease_create *body,
	const struct cw_pool *pool, struct cw_op_acquire *a)
{
	const struct cw_rest_object *o = &cw_rest_lease_create_object;

	if (!CW_REST_HAS(o, body, address)) {
		if (!CW_REST_HAS(o, body, psid))
			return true;
		cw_rest_problem_member(q, CW_PROBLEM_INVALID_BODY, "psid", "needs \"address\"");
		return false;
	}
	a->named = true;
	a->addr = body->address;
	if (!CW_REST_HAS(o, body, psid))
		return true;
	a->ports = (struct cw_portset){
		.offset = pool->ps_offset, .len = pool->ps_len, .psid = (uint16_t) body->psid};
	a->ports_ok = true;
	if (pool->id && pool->ps_len && cw_portset_valid(a->ports))
		return true;
	cw_rest_problem_member(q, CW_PROBLEM_INVALID_BODY, "psid",
		"needs \"pool\", one that is shared and has so many port sets");
	return false;
}

/* A tunnel can end there, and it is no TEP's own address. */
static bool take_ipv6(struct cw_rest_request *q, const struct cw_addr6 *a)
{
	struct cw_rest_errors errs = {0};
	struct cw_store_reader *r = cw_rest_reader(q);
	struct cw_tep some[16];
	uint64_t after = 0;
	bool good = cw_addr6_is_tunnel_end(a);
	int n = 0;

	if (!r)
		return false;
	while (good && (n = cw_read_teps(r, after, some, CW_ARRAY_LEN(some))) > 0) {
		for (int i = 0; i < n; i++)
			good = good && !cw_addr6_eq(&some[i].ipv6, a);
		after = some[n - 1].id;
	}
	if (n < 0) {
		cw_rest_problem_code(q, n);
	} else if (!good) {
		cw_rest_error_add(&errs, CW_REST_IN_BODY, "/ipv6",
			"no tunnel can end there: it must be a global address, and not a TEP's own");
		cw_rest_problem_errors(q, CW_PROBLEM_INVALID_BODY, &errs);
	}
	return good && n == 0;
}

void cw_rest_do_createLease(struct cw_rest_request *q)
{
	const struct cw_rest_object *o = &cw_rest_lease_create_object;
	struct cw_rest_lease_create *body = cw_arena_alloc(q->arena, 1, sizeof *body);
	struct cw_op_acquire *a = &q->req.op.u.acquire;
	struct cw_pool *pool = cw_arena_alloc(q->arena, 1, sizeof *pool);

	if (!body || !pool) {
		cw_rest_problem_code(q, -ENOMEM);
		return;
	}
	*pool = (struct cw_pool){0};
	if (!cw_rest_take_query(q, NULL, NULL) || !cw_rest_take_body(q, o, body) ||
		!take_ipv6(q, &body->ipv6))
		return;
	if (body->pool &&
		(!cw_rest_reader(q) || !cw_rest_take_pool(q, q->reader, body->pool, pool)))
		return;
	q->mine = pool;
	q->req.op.kind = CW_OP_ACQUIRE;
	if (body->owner)
		(void) snprintf(a->principal, sizeof a->principal, "%s", body->owner);
	else
		(void) snprintf(a->principal, sizeof a->principal, "rest:%.*s",
			(int) (sizeof a->principal - sizeof "rest:"),
			q->who.name[0] ? q->who.name : q->who.actor);
	(void) snprintf(a->pool, sizeof a->pool, "%s", pool->name);
	a->client6 = body->ipv6;
	a->access = CW_ACCESS_REST;
	a->ports_ok = body->ports_ok;
	a->ports_min = body->ports_min;
	a->lifetime_s = body->lifetime_s;
	a->tags = body->tags;
	a->wait_confirm = true;
	if (!take_named(q, body, pool, a) || !cw_rest_cause(q, "", NULL))
		return;
	q->cause.complete = complete_acquired;
	q->cause.answer = render_acquired;
	cw_rest_submit(q, acquired);
}

/* ---- extend, tag ---- */

static void updated(struct cw_rest_request *q)
{
	uint64_t id = q->req.op.kind == CW_OP_TAG ? q->req.op.u.tag.id : q->req.op.u.extend.id;
	struct cw_rest_lease shown;
	struct cw_lease lease;

	if (q->req.op.result < 0) {
		cw_rest_problem_code(q, q->req.op.result);
		return;
	}
	if (!read_lease(q, id, &lease, &shown))
		return;
	cw_rest_etag(q, version_of(&shown, lease.generation));
	cw_rest_show(q, 200, &cw_rest_lease_object, &shown);
}

static void tag(struct cw_rest_request *q, uint64_t id, const char *tags)
{
	struct cw_op_tag *t = &q->req.op.u.tag;
	char text[CW_ID_STRLEN];

	q->req.op.kind = CW_OP_TAG;
	*t = (struct cw_op_tag){.id = id};
	(void) snprintf(t->json, sizeof t->json, "%s", tags && strcmp(tags, "{}") != 0 ? tags : "");
	if (cw_rest_cause(q, cw_id_str(CW_ID_LEASE, id, text), tags))
		cw_rest_submit(q, updated);
}

static void extended(struct cw_rest_request *q)
{
	const struct cw_rest_lease_patch *body = q->mine;

	if (q->req.op.result == 0 && CW_REST_HAS(&cw_rest_lease_patch_object, body, tags))
		tag(q, q->req.op.u.extend.id, body->tags);
	else
		updated(q);
}

void cw_rest_do_updateLease(struct cw_rest_request *q)
{
	const struct cw_rest_object *o = &cw_rest_lease_patch_object;
	struct cw_rest_lease_patch *body = cw_arena_alloc(q->arena, 1, sizeof *body);
	char text[CW_ID_STRLEN], detail[64];
	uint64_t id;

	if (!body) {
		cw_rest_problem_code(q, -ENOMEM);
		return;
	}
	if (!cw_rest_take_query(q, NULL, NULL) || !cw_rest_take_id(q, 0, CW_ID_LEASE, &id) ||
		!cw_rest_take_body(q, o, body))
		return;
	q->mine = body;
	if (!CW_REST_HAS(o, body, lifetime_s)) {
		tag(q, id, body->tags);
		return;
	}
	q->req.op.kind = CW_OP_EXTEND;
	q->req.op.u.extend = (struct cw_op_extend){.id = id, .lifetime_s = body->lifetime_s};
	(void) snprintf(detail, sizeof detail, "{\"lifetime_s\":%u}", body->lifetime_s);
	if (cw_rest_cause(q, cw_id_str(CW_ID_LEASE, id, text), detail))
		cw_rest_submit(q, extended);
}

/* ---- revoke ---- */

static void revoked(struct cw_rest_request *q)
{
	int r = q->req.op.result;

	if (r == 0 || r == CW_E_GONE)
		cw_rest_answer(q, 204, NULL);
	else
		cw_rest_problem_code(q, r);
}

void cw_rest_do_revokeLease(struct cw_rest_request *q)
{
	char text[CW_ID_STRLEN];
	uint64_t id;

	if (!cw_rest_take_query(q, NULL, NULL) || !cw_rest_take_id(q, 0, CW_ID_LEASE, &id))
		return;
	q->req.op.kind = CW_OP_END;
	q->req.op.u.end =
		(struct cw_op_end){.id = id, .reason = CW_END_REVOKE, .wait_stopped = true};
	if (cw_rest_cause(q, cw_id_str(CW_ID_LEASE, id, text), NULL))
		cw_rest_submit(q, revoked);
}
