/* SPDX-License-Identifier: BSD-2-Clause */
/* Pools: list, make, show, change, delete or drain. How full they are is usage.c's, their addresses
 * ranges.c's. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "broker/rest/handle.h"
#include "broker/rest/handlers.h"
#include "broker/rest/pools.h"

#define SYSTEM_OFFSET_MAX 6 /* beyond it every port set has some of the ports 0-1023 */

static struct cw_rest_pool show_pool(const struct cw_pool *p, const char *tep)
{
	return (struct cw_rest_pool){
		.id = p->id,
		.name = p->name,
		.kind = p->ps_len ? CW_REST_POOL_IPV4_PORT : CW_REST_POOL_IPV4,
		.port_set = {.offset = p->ps_offset, .len = p->ps_len},
		.keep_system_ports = p->keep_system_ports,
		.tep = tep,
		.state = (uint8_t) p->state,
		.lifetime_s = p->lifetime_s,
		.lifetime_min_s = p->lifetime_min_s,
		.lifetime_max_s = p->lifetime_max_s,
		.quarantine_s = p->quarantine_s,
		.max_leases = p->max_leases,
		.retention_s = p->retention_s,
		.order = p->order,
		.low_percent = p->low_percent,
		.version = p->version,
	};
}

static void answer_pool(struct cw_rest_request *q, unsigned status, const struct cw_pool *p)
{
	struct cw_rest_pool shown = show_pool(p, cw_rest_tep_name(q, p->tep_id));

	cw_rest_etag(q, p->version);
	cw_rest_show(q, status, &cw_rest_pool_object, &shown);
}

/* The pool of the path. */
static bool take_pool(struct cw_rest_request *q, struct cw_pool *ret)
{
	return cw_rest_reader(q) && cw_rest_take_pool(q, q->reader, q->route.param[0], ret);
}

void cw_rest_do_getPool(struct cw_rest_request *q)
{
	struct cw_pool pool;

	if (cw_rest_take_query(q, NULL, NULL) && take_pool(q, &pool) &&
		cw_rest_modified(q, pool.version))
		answer_pool(q, 200, &pool);
}

/* ---- list ---- */

struct listing {
	const struct cw_rest_query_list_pools *asked;
	uint64_t tep; /* 0: any */
	struct cw_pool rows[64];
};

static bool wanted(const struct listing *s, const struct cw_pool *p)
{
	const struct cw_rest_query_list_pools *a = s->asked;

	return (!a->state || a->state & 1u << p->state) && (!s->tep || p->tep_id == s->tep) &&
	       (!a->name || strcmp(a->name, p->name) == 0) &&
	       (!CW_REST_HAS(&cw_rest_query_list_pools_object, a, kind) ||
		       (a->kind == CW_REST_POOL_IPV4_PORT) == (p->ps_len > 0));
}

static int page(struct cw_rest_request *q, struct cw_rest_list *l, struct cw_store_reader *r,
	struct cw_cursor *at, unsigned max, bool *ret_more)
{
	struct listing *s = l->mine;
	unsigned ask = max < CW_ARRAY_LEN(s->rows) ? max : (unsigned) CW_ARRAY_LEN(s->rows);
	int n = cw_read_pools(r, at->a, s->rows, ask), shown = 0;

	*ret_more = n == (int) ask;
	for (int i = 0; i < n; i++) {
		at->a = s->rows[i].id;
		if (wanted(s, &s->rows[i])) {
			struct cw_rest_pool row =
				show_pool(&s->rows[i], cw_rest_tep_name(q, s->rows[i].tep_id));

			cw_rest_row(q, l, &row);
			shown++;
		}
	}
	return n < 0 ? n : shown;
}

void cw_rest_do_listPools(struct cw_rest_request *q)
{
	struct cw_rest_list *l = cw_rest_take_list(
		q, &cw_rest_pool_object, &cw_rest_query_list_pools_object, sizeof(struct listing));
	struct listing *s = l ? l->mine : NULL;
	struct cw_tep tep;
	int r;

	if (!l || !cw_rest_reader(q))
		return;
	l->page = page;
	s->asked = l->asked;
	if (s->asked->tep) {
		r = cw_read_tep(q->reader, s->asked->tep, &tep);
		if (r == 0)
			cw_rest_problem_query(q, "tep", "there is no such tunnel end point");
		else if (r < 0)
			cw_rest_problem_code(q, r);
		if (r <= 0)
			return;
		s->tep = tep.id;
	}
	cw_rest_list(q, l);
}

/* ---- what members may be ---- */

void cw_rest_check_pool(const struct cw_pool *p, const char *at, struct cw_rest_errors *errs)
{
	char pointer[96];

	if (p->lifetime_min_s > p->lifetime_s) {
		(void) snprintf(pointer, sizeof pointer, "%s/lifetime_min_s", at);
		cw_rest_error_add(errs, CW_REST_IN_BODY, pointer, "%u is more than lifetime_s, %u",
			p->lifetime_min_s, p->lifetime_s);
	}
	if (p->lifetime_max_s < p->lifetime_s) {
		(void) snprintf(pointer, sizeof pointer, "%s/lifetime_max_s", at);
		cw_rest_error_add(errs, CW_REST_IN_BODY, pointer, "%u is less than lifetime_s, %u",
			p->lifetime_max_s, p->lifetime_s);
	}
	if (p->ps_len && p->ps_offset > SYSTEM_OFFSET_MAX && p->keep_system_ports) {
		(void) snprintf(pointer, sizeof pointer, "%s/keep_system_ports", at);
		cw_rest_error_add(errs, CW_REST_IN_BODY, pointer,
			"with an offset over %d every port set has some of them",
			SYSTEM_OFFSET_MAX);
	}
}

static bool fits(struct cw_rest_request *q, const struct cw_pool *p)
{
	struct cw_rest_errors *errs = cw_arena_alloc(q->arena, 1, sizeof *errs);

	if (!errs) {
		cw_rest_problem_code(q, -ENOMEM);
		return false;
	}
	cw_rest_check_pool(p, "", errs);
	if (errs->n)
		cw_rest_problem_errors(q, CW_PROBLEM_INVALID_BODY, errs);
	return errs->n == 0;
}

/* ---- make ---- */

struct cw_pool cw_rest_new_pool(const struct cw_rest_pool_create *b)
{
	const struct cw_rest_object *o = &cw_rest_pool_create_object;
	struct cw_pool p = {
		.ps_offset = b->port_set.offset,
		.ps_len = b->port_set.len,
		.state = (enum cw_pool_state) b->state,
		.lifetime_s = b->lifetime_s ? b->lifetime_s : 3600,
		.quarantine_s = CW_REST_HAS(o, b, quarantine_s) ? b->quarantine_s : 60,
		.max_leases = b->max_leases,
		.retention_s = CW_REST_HAS(o, b, retention_s) ? b->retention_s : 15552000,
		.order = CW_REST_HAS(o, b, order) ? b->order : 100,
		.low_percent = CW_REST_HAS(o, b, low_percent) ? b->low_percent : CW_POOL_LOW,
	};

	(void) snprintf(p.name, sizeof p.name, "%s", b->name);
	p.keep_system_ports = CW_REST_HAS(o, b, keep_system_ports)
				      ? b->keep_system_ports
				      : !p.ps_len || p.ps_offset <= SYSTEM_OFFSET_MAX;
	/* Bounds that were not named give way to the lifetime that was. */
	p.lifetime_min_s = b->lifetime_min_s   ? b->lifetime_min_s
			   : p.lifetime_s < 60 ? p.lifetime_s
					       : 60;
	p.lifetime_max_s = b->lifetime_max_s      ? b->lifetime_max_s
			   : p.lifetime_s > 86400 ? p.lifetime_s
						  : 86400;
	return p;
}

struct cw_range *cw_rest_ranges_of(struct cw_arena *arena, const struct cw_rest_array *a)
{
	const struct cw_rest_range4 *from = a->items;
	struct cw_range *to = cw_arena_alloc(arena, a->n ? a->n : 1, sizeof *to);

	for (size_t i = 0; to && i < a->n; i++)
		to[i] = (struct cw_range){.lo = from[i].lo, .hi = from[i].hi};
	return to;
}

static void complete_created(struct cw_op *op)
{
	(void) cw_id_str(CW_ID_POOL, op->u.pool.pool.id, op->cause->object);
}

static int record_created(const struct cw_op *op, unsigned *ret_status, char *to, size_t n)
{
	struct cw_rest_pool shown = show_pool(&op->u.pool.pool, op->u.pool.tep);

	*ret_status = 201;
	return cw_rest_record(&cw_rest_pool_object, &shown, to, n);
}

/* Names are looked at first: whoever took the name meanwhile is told of an overlap, with its name. */
static void refuse_create(struct cw_rest_request *q)
{
	const struct cw_op_pool *p = &q->req.op.u.pool;
	struct cw_pool other;
	int r;

	if (!cw_rest_reader(q))
		return;
	r = cw_read_pool(q->reader, p->pool.name, &other);
	if (r > 0)
		cw_rest_problem_member(
			q, CW_PROBLEM_EXISTS, "name", "there is a pool of this name");
	else if (r < 0)
		cw_rest_problem_code(q, r);
	else
		cw_rest_problem_overlap(q, p);
}

static void created(struct cw_rest_request *q)
{
	const struct cw_op_pool *p = &q->req.op.u.pool;
	int r = q->req.op.result;

	if (r == CW_E_CONFLICT) {
		refuse_create(q);
	} else if (r == -ENOENT) {
		cw_rest_problem(
			q, CW_PROBLEM_NOT_FOUND, "there is no tunnel end point \"%s\"", p->tep);
	} else if (r < 0) {
		cw_rest_problem_code(q, r);
	} else {
		struct cw_rest_pool shown = show_pool(&p->pool, p->tep);

		cw_rest_created(q, "/v1/pools/", p->pool.version, &cw_rest_pool_object, &shown);
	}
}

void cw_rest_do_createPool(struct cw_rest_request *q)
{
	struct cw_rest_pool_create *body = cw_arena_alloc(q->arena, 1, sizeof *body);
	struct cw_op_pool *p = &q->req.op.u.pool;
	char detail[256];

	if (!body) {
		cw_rest_problem_code(q, -ENOMEM);
		return;
	}
	if (!cw_rest_take_query(q, NULL, NULL) ||
		!cw_rest_take_body(q, &cw_rest_pool_create_object, body))
		return;
	q->req.op.kind = CW_OP_POOL_ADD;
	p->pool = cw_rest_new_pool(body);
	(void) snprintf(p->tep, sizeof p->tep, "%s", body->tep);
	p->ranges = cw_rest_ranges_of(q->arena, &body->ranges);
	p->n_ranges = body->ranges.n;
	p->excludes = cw_rest_ranges_of(q->arena, &body->exclusions);
	p->n_excludes = body->exclusions.n;
	if (!p->ranges || !p->excludes) {
		cw_rest_problem_code(q, -ENOMEM);
		return;
	}
	(void) snprintf(detail, sizeof detail,
		"{\"name\":\"%s\",\"tep\":\"%s\",\"ranges\":%zu,\"exclusions\":%zu}", p->pool.name,
		p->tep, p->n_ranges, p->n_excludes);
	if (!fits(q, &p->pool) || !cw_rest_cause(q, "", detail))
		return;
	q->cause.complete = complete_created;
	q->cause.answer = record_created;
	cw_rest_submit(q, created);
}

/* ---- change ---- */

static void change(const struct cw_rest_pool_patch *b, struct cw_pool *p)
{
	const struct cw_rest_object *o = &cw_rest_pool_patch_object;

	if (b->name)
		(void) snprintf(p->name, sizeof p->name, "%s", b->name);
	if (CW_REST_HAS(o, b, keep_system_ports))
		p->keep_system_ports = b->keep_system_ports;
	if (CW_REST_HAS(o, b, state))
		p->state = (enum cw_pool_state) b->state;
	if (CW_REST_HAS(o, b, lifetime_s))
		p->lifetime_s = b->lifetime_s;
	if (CW_REST_HAS(o, b, lifetime_min_s))
		p->lifetime_min_s = b->lifetime_min_s;
	if (CW_REST_HAS(o, b, lifetime_max_s))
		p->lifetime_max_s = b->lifetime_max_s;
	if (CW_REST_HAS(o, b, quarantine_s))
		p->quarantine_s = b->quarantine_s;
	if (CW_REST_HAS(o, b, max_leases))
		p->max_leases = b->max_leases;
	if (CW_REST_HAS(o, b, retention_s))
		p->retention_s = b->retention_s;
	if (CW_REST_HAS(o, b, order))
		p->order = b->order;
	if (CW_REST_HAS(o, b, low_percent))
		p->low_percent = b->low_percent;
}

/* The first leases that are in the way, or users that may only have this pool. */
static void refuse_in_use(struct cw_rest_request *q, const struct cw_pool *p, const char *what)
{
	struct cw_rest_errors *errs = cw_arena_alloc(q->arena, 1, sizeof *errs);
	int r = errs ? cw_rest_name_leases(
			       q, p->id, (struct cw_addr4){0}, (struct cw_addr4){UINT32_MAX}, errs)
		     : -ENOMEM;

	if (r < 0)
		cw_rest_problem_code(q, r);
	else if (r > 0)
		cw_rest_problem_errors(q, CW_PROBLEM_IN_USE, errs);
	else
		cw_rest_problem(q, CW_PROBLEM_IN_USE, "%s", what);
}

static void refuse_update(struct cw_rest_request *q)
{
	const struct cw_pool *p = &q->req.op.u.pool.pool;
	struct cw_pool other;
	int r;

	if (!cw_rest_reader(q))
		return;
	r = cw_read_pool(q->reader, p->name, &other);
	if (r < 0)
		cw_rest_problem_code(q, r);
	else if (r > 0 && other.id != p->id)
		cw_rest_problem_member(
			q, CW_PROBLEM_EXISTS, "name", "there is a pool of this name");
	else
		refuse_in_use(q, p, "its leases keep it where it is");
}

static void updated(struct cw_rest_request *q)
{
	const struct cw_op_pool *p = &q->req.op.u.pool;
	int r = q->req.op.result;

	if (r == CW_E_CONFLICT)
		refuse_update(q);
	else if (r == -ENOENT && p->tep[0])
		cw_rest_problem(q, CW_PROBLEM_NOT_FOUND,
			"there is no such pool, or no tunnel end point \"%s\"", p->tep);
	else if (r < 0)
		cw_rest_problem_code(q, r);
	else if (cw_rest_reader(q))
		answer_pool(q, 200, &p->pool);
}

void cw_rest_do_updatePool(struct cw_rest_request *q)
{
	struct cw_rest_pool_patch *body = cw_arena_alloc(q->arena, 1, sizeof *body);
	struct cw_op_pool *p = &q->req.op.u.pool;
	char id[CW_ID_STRLEN];

	if (!body) {
		cw_rest_problem_code(q, -ENOMEM);
		return;
	}
	if (!cw_rest_take_query(q, NULL, NULL) ||
		!cw_rest_take_body(q, &cw_rest_pool_patch_object, body) ||
		!take_pool(q, &p->pool) || !cw_rest_if_match(q, p->pool.version))
		return;
	q->req.op.kind = CW_OP_POOL_SET;
	change(body, &p->pool);
	if (body->tep)
		(void) snprintf(p->tep, sizeof p->tep, "%s", body->tep);
	if (fits(q, &p->pool) &&
		cw_rest_cause(q, cw_id_str(CW_ID_POOL, p->pool.id, id), cw_rest_body_detail(q)))
		cw_rest_submit(q, updated);
}

/* ---- delete ---- */

static void drained(struct cw_rest_request *q)
{
	if (q->req.op.result < 0)
		cw_rest_problem_code(q, q->req.op.result);
	else if (cw_rest_reader(q))
		answer_pool(q, 202, &q->req.op.u.pool.pool);
}

static void drain(struct cw_rest_request *q)
{
	struct cw_op_pool *p = &q->req.op.u.pool;

	p->tep[0] = '\0';
	if (p->pool.state == CW_POOL_DRAINING || p->pool.state == CW_POOL_DISABLED) {
		answer_pool(q, 202, &p->pool); /* it takes nobody already */
		return;
	}
	p->pool.state = CW_POOL_DRAINING;
	q->req.op.kind = CW_OP_POOL_SET;
	(void) snprintf(q->cause.detail, sizeof q->cause.detail, "{\"state\":\"draining\"}");
	cw_rest_submit(q, drained);
}

static void deleted(struct cw_rest_request *q)
{
	const struct cw_rest_query_delete_pool *asked = q->mine;
	const struct cw_pool *p = &q->req.op.u.pool.pool;
	struct cw_usage usage;
	int r = q->req.op.result;

	if (r == 0) {
		cw_rest_answer(q, 204, NULL);
		return;
	}
	if (r != CW_E_CONFLICT) {
		cw_rest_problem_code(q, r);
		return;
	}
	if (!cw_rest_reader(q))
		return;
	r = cw_read_usage(q->reader, p->id, &usage);
	if (r < 0)
		cw_rest_problem_code(q, r);
	else if (r > 0 && asked->drain && usage.active + usage.ending + usage.quarantined > 0)
		drain(q);
	else
		refuse_in_use(q, p, "users are bound to it, or it has damaged leases");
}

void cw_rest_do_deletePool(struct cw_rest_request *q)
{
	struct cw_rest_query_delete_pool *asked = cw_arena_alloc(q->arena, 1, sizeof *asked);
	struct cw_op_pool *p = &q->req.op.u.pool;
	char id[CW_ID_STRLEN], detail[96];

	if (!asked) {
		cw_rest_problem_code(q, -ENOMEM);
		return;
	}
	if (!cw_rest_take_query(q, &cw_rest_query_delete_pool_object, asked) ||
		!take_pool(q, &p->pool) || !cw_rest_if_match(q, p->pool.version))
		return;
	q->mine = asked;
	q->req.op.kind = CW_OP_POOL_DEL;
	(void) snprintf(detail, sizeof detail, "{\"name\":\"%s\"}", p->pool.name);
	if (cw_rest_cause(q, cw_id_str(CW_ID_POOL, p->pool.id, id), detail))
		cw_rest_submit(q, deleted);
}
