/* SPDX-License-Identifier: BSD-2-Clause */
/* Ranges and exclusions of a pool: two tables alike, so one set of functions serves both. Neither is
 * ever changed, so that they have one version for all their life. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "broker/rest/handle.h"
#include "broker/rest/handlers.h"
#include "broker/rest/pools.h"

#define ONLY_VERSION 1

struct kind {
	enum cw_id_kind id;
	const char *path, *word;
	enum cw_op_kind add, del;
	const struct cw_rest_object *object;
	int (*read)(struct cw_store_reader *r, uint64_t pool, uint64_t after, struct cw_range *to,
		size_t max);
	int (*read_id)(struct cw_store_reader *r, uint64_t id, struct cw_range *ret);
};

static const struct kind ranges = {
	.id = CW_ID_RANGE,
	.path = "ranges",
	.word = "range",
	.add = CW_OP_RANGE_ADD,
	.del = CW_OP_RANGE_DEL,
	.object = &cw_rest_range_object,
	.read = cw_read_ranges,
	.read_id = cw_read_range_id,
};
static const struct kind exclusions = {
	.id = CW_ID_EXCLUSION,
	.path = "exclusions",
	.word = "exclusion",
	.add = CW_OP_EXCLUDE_ADD,
	.del = CW_OP_EXCLUDE_DEL,
	.object = &cw_rest_exclusion_object,
	.read = cw_read_excludes,
	.read_id = cw_read_exclude_id,
};

/* What a request of these is about; of the arena. */
struct job {
	const struct kind *kind;
	struct cw_pool pool;
	struct cw_range rows[64];
};

static struct cw_rest_range show_range(const struct cw_range *v, const char *pool)
{
	return (struct cw_rest_range){
		.id = v->id,
		.pool = pool,
		.first = v->lo,
		.last = v->hi,
		.addresses = v->hi.v - v->lo.v + (uint64_t) 1,
	};
}

/* The pool of the path, in what is of the arena. NULL: answered. */
static struct job *take_job(struct cw_rest_request *q, const struct kind *kind)
{
	struct job *j = cw_arena_alloc(q->arena, 1, sizeof *j);

	if (!j) {
		cw_rest_problem_code(q, -ENOMEM);
		return NULL;
	}
	j->kind = kind;
	if (!cw_rest_reader(q) || !cw_rest_take_pool(q, q->reader, q->route.param[0], &j->pool))
		return NULL;
	return j;
}

/* The one of the path, which must be of the pool of the path. */
static bool take_one(struct cw_rest_request *q, const struct job *j, struct cw_range *ret)
{
	uint64_t id;
	int r;

	if (!cw_rest_take_id(q, 1, j->kind->id, &id))
		return false;
	r = j->kind->read_id(q->reader, id, ret);
	if (r < 0)
		cw_rest_problem_code(q, r);
	else if (r == 0 || ret->pool_id != j->pool.id)
		cw_rest_problem(q, CW_PROBLEM_NOT_FOUND, "pool \"%s\" has no such %s", j->pool.name,
			j->kind->word);
	return r > 0 && ret->pool_id == j->pool.id;
}

static void get(struct cw_rest_request *q, const struct kind *kind)
{
	struct cw_rest_range shown;
	struct cw_range range;
	struct job *j;

	if (!cw_rest_take_query(q, NULL, NULL))
		return;
	j = take_job(q, kind);
	if (!j || !take_one(q, j, &range) || !cw_rest_modified(q, ONLY_VERSION))
		return;
	shown = show_range(&range, j->pool.name);
	cw_rest_etag(q, ONLY_VERSION);
	cw_rest_show(q, 200, kind->object, &shown);
}

/* ---- list ---- */

static int page(struct cw_rest_request *q, struct cw_rest_list *l, struct cw_store_reader *r,
	struct cw_cursor *at, unsigned max, bool *ret_more)
{
	struct job *j = l->mine;
	unsigned ask = max < CW_ARRAY_LEN(j->rows) ? max : (unsigned) CW_ARRAY_LEN(j->rows);
	int n = j->kind->read(r, j->pool.id, at->a, j->rows, ask);

	*ret_more = n == (int) ask;
	for (int i = 0; i < n; i++) {
		struct cw_rest_range row = show_range(&j->rows[i], j->pool.name);

		cw_rest_row(q, l, &row);
		at->a = row.id;
	}
	return n;
}

static void list(
	struct cw_rest_request *q, const struct kind *kind, const struct cw_rest_object *query)
{
	struct cw_rest_list *l = cw_rest_take_list(q, kind->object, query, 0);

	if (!l)
		return;
	l->mine = take_job(q, kind);
	l->page = page;
	if (l->mine)
		cw_rest_list(q, l);
}

/* ---- what is in the way ---- */

/* One range of a body against all of a kind that a pool has. */
struct against {
	const struct kind *kind;
	const struct cw_pool *pool;
	const char *pointer;
	struct cw_range want;
};

static int name_overlaps(
	struct cw_store_reader *r, const struct against *a, struct cw_rest_errors *errs)
{
	struct cw_range rows[32];
	uint64_t after = 0;
	int n;

	while ((n = a->kind->read(r, a->pool->id, after, rows, CW_ARRAY_LEN(rows))) > 0) {
		for (int i = 0; i < n; i++) {
			char id[CW_ID_STRLEN], lo[CW_ADDR4_STRLEN], hi[CW_ADDR4_STRLEN];

			after = rows[i].id;
			if (rows[i].lo.v <= a->want.hi.v && rows[i].hi.v >= a->want.lo.v)
				cw_rest_error_add(errs, CW_REST_IN_BODY, a->pointer,
					"overlaps %s: %s-%s of pool \"%s\"",
					cw_id_str(a->kind->id, rows[i].id, id),
					cw_addr4_str(rows[i].lo, lo), cw_addr4_str(rows[i].hi, hi),
					a->pool->name);
		}
	}
	return n;
}

/* Ranges of all pools may not overlap. */
static int name_range_overlaps(struct cw_store_reader *r, const struct cw_range *want,
	const char *pointer, struct cw_rest_errors *errs)
{
	struct cw_pool pools[8];
	uint64_t after = 0;
	int n;

	while ((n = cw_read_pools(r, after, pools, CW_ARRAY_LEN(pools))) > 0) {
		for (int i = 0; i < n; i++) {
			struct against a = {&ranges, &pools[i], pointer, *want};
			int e = name_overlaps(r, &a, errs);

			after = pools[i].id;
			if (e < 0)
				return e;
		}
	}
	return n;
}

/* Those of one body among themselves: each with those before it. */
static void name_each_other(
	const struct cw_range *v, size_t n, const char *list, struct cw_rest_errors *errs)
{
	char pointer[48];

	for (size_t i = 1; i < n; i++) {
		for (size_t k = 0; k < i; k++) {
			if (v[k].lo.v > v[i].hi.v || v[k].hi.v < v[i].lo.v)
				continue;
			(void) snprintf(pointer, sizeof pointer, "/%s/%zu", list, i);
			cw_rest_error_add(errs, CW_REST_IN_BODY, pointer, "overlaps number %zu", k);
		}
	}
}

void cw_rest_problem_overlap(struct cw_rest_request *q, const struct cw_op_pool *p)
{
	struct cw_rest_errors *errs = cw_arena_alloc(q->arena, 1, sizeof *errs);
	char pointer[48];
	int r = errs ? 0 : -ENOMEM;

	if (r == 0) {
		name_each_other(p->ranges, p->n_ranges, "ranges", errs);
		name_each_other(p->excludes, p->n_excludes, "exclusions", errs);
	}
	for (size_t i = 0; i < p->n_ranges && r == 0 && errs->n < CW_REST_ERRORS_MAX; i++) {
		(void) snprintf(pointer, sizeof pointer, "/ranges/%zu", i);
		r = name_range_overlaps(q->reader, &p->ranges[i], pointer, errs);
	}
	if (r < 0)
		cw_rest_problem_code(q, r);
	else
		cw_rest_problem_errors(q, CW_PROBLEM_OVERLAP, errs);
}

/* Reservations in the way, likewise; ten of them at most. */
static int name_reservations(struct cw_rest_request *q, const struct cw_pool *pool,
	const struct cw_range *v, struct cw_rest_errors *errs)
{
	struct cw_reservation rows[16];
	uint64_t after = 0;
	int n, named = 0;

	while ((n = cw_read_reservations(q->reader, after, rows, CW_ARRAY_LEN(rows))) > 0) {
		for (int i = 0; i < n && named < 10; i++) {
			const struct cw_portset ports = {.len = pool->ps_len, .psid = rows[i].psid};
			char id[CW_ID_STRLEN], place[CW_PLACE_STRLEN];

			if (rows[i].addr.v < v->lo.v || rows[i].addr.v > v->hi.v)
				continue;
			cw_rest_error_add(errs, CW_REST_IN_PATH, "", "%s: %s, kept for %s",
				cw_id_str(CW_ID_RESERVATION, rows[i].id, id),
				cw_rest_place(rows[i].addr, &ports, place), rows[i].principal);
			named++;
		}
		after = rows[n - 1].id;
	}
	return n;
}

static void refuse_in_use(
	struct cw_rest_request *q, const struct cw_pool *pool, const struct cw_range *v)
{
	struct cw_rest_errors *errs = cw_arena_alloc(q->arena, 1, sizeof *errs);
	int r = errs ? cw_rest_name_leases(q, pool->id, v->lo, v->hi, errs) : -ENOMEM;

	if (r >= 0)
		r = name_reservations(q, pool, v, errs);
	if (r < 0)
		cw_rest_problem_code(q, r);
	else if (errs->n)
		cw_rest_problem_errors(q, CW_PROBLEM_IN_USE, errs);
	else
		cw_rest_problem(q, CW_PROBLEM_IN_USE, "damaged leases need it");
}

/* ---- make ---- */

static void complete_created(struct cw_op *op)
{
	const struct job *j = cw_rest_of_op(op)->mine;

	(void) cw_id_str(j->kind->id, op->u.range.id, op->cause->object);
}

static int record_created(const struct cw_op *op, unsigned *ret_status, char *to, size_t n)
{
	const struct job *j = cw_rest_of_op(op)->mine;
	struct cw_rest_range shown = show_range(&op->u.range, j->pool.name);

	*ret_status = 201;
	return cw_rest_record(j->kind->object, &shown, to, n);
}

static void refuse_create(struct cw_rest_request *q, const struct job *j)
{
	struct cw_rest_errors *errs = cw_arena_alloc(q->arena, 1, sizeof *errs);
	const struct cw_range *v = &q->req.op.u.range;
	const struct against a = {&exclusions, &j->pool, "/range", *v};
	int r = errs ? 0 : -ENOMEM;

	if (r == 0)
		r = j->kind == &ranges ? name_range_overlaps(q->reader, v, "/range", errs)
				       : name_overlaps(q->reader, &a, errs);
	if (r < 0)
		cw_rest_problem_code(q, r);
	else if (errs->n || j->kind == &ranges)
		cw_rest_problem_errors(q, CW_PROBLEM_OVERLAP, errs);
	else
		refuse_in_use(q, &j->pool, v);
}

static void created(struct cw_rest_request *q)
{
	const struct job *j = q->mine;
	struct cw_rest_range shown;
	char base[128];

	if (q->req.op.result == CW_E_CONFLICT) {
		if (cw_rest_reader(q))
			refuse_create(q, j);
		return;
	}
	if (q->req.op.result < 0) {
		cw_rest_problem_code(q, q->req.op.result);
		return;
	}
	shown = show_range(&q->req.op.u.range, j->pool.name);
	(void) snprintf(base, sizeof base, "/v1/pools/%s/%s/", j->pool.name, j->kind->path);
	cw_rest_created(q, base, ONLY_VERSION, j->kind->object, &shown);
}

static void create(struct cw_rest_request *q, const struct kind *kind)
{
	struct cw_rest_range_create body = {0};
	char detail[160], lo[CW_ADDR4_STRLEN], hi[CW_ADDR4_STRLEN];
	struct job *j;

	if (!cw_rest_take_query(q, NULL, NULL) ||
		!cw_rest_take_body(q, &cw_rest_range_create_object, &body))
		return;
	j = take_job(q, kind);
	if (!j)
		return;
	q->mine = j;
	q->req.op.kind = kind->add;
	q->req.op.u.range =
		(struct cw_range){.pool_id = j->pool.id, .lo = body.range.lo, .hi = body.range.hi};
	(void) snprintf(detail, sizeof detail, "{\"pool\":\"%s\",\"first\":\"%s\",\"last\":\"%s\"}",
		j->pool.name, cw_addr4_str(body.range.lo, lo), cw_addr4_str(body.range.hi, hi));
	if (!cw_rest_cause(q, "", detail))
		return;
	q->cause.complete = complete_created;
	q->cause.answer = record_created;
	cw_rest_submit(q, created);
}

/* ---- delete ---- */

static void deleted(struct cw_rest_request *q)
{
	const struct job *j = q->mine;
	int r = q->req.op.result;

	if (r == 0)
		cw_rest_answer(q, 204, NULL);
	else if (r != CW_E_CONFLICT)
		cw_rest_problem_code(q, r);
	else if (cw_rest_reader(q))
		refuse_in_use(q, &j->pool, &j->rows[0]);
}

static void take_away(struct cw_rest_request *q, const struct kind *kind)
{
	char id[CW_ID_STRLEN], detail[160], lo[CW_ADDR4_STRLEN], hi[CW_ADDR4_STRLEN];
	struct cw_range range;
	struct job *j;

	if (!cw_rest_take_query(q, NULL, NULL))
		return;
	j = take_job(q, kind);
	if (!j || !take_one(q, j, &range) || !cw_rest_if_match(q, ONLY_VERSION))
		return;
	j->rows[0] = range;
	q->mine = j;
	q->req.op.kind = kind->del;
	q->req.op.u.range = range;
	(void) snprintf(detail, sizeof detail, "{\"pool\":\"%s\",\"first\":\"%s\",\"last\":\"%s\"}",
		j->pool.name, cw_addr4_str(range.lo, lo), cw_addr4_str(range.hi, hi));
	if (cw_rest_cause(q, cw_id_str(kind->id, range.id, id), detail))
		cw_rest_submit(q, deleted);
}

/* ---- */

void cw_rest_do_listRanges(struct cw_rest_request *q)
{
	list(q, &ranges, &cw_rest_query_list_ranges_object);
}

void cw_rest_do_createRange(struct cw_rest_request *q)
{
	create(q, &ranges);
}

void cw_rest_do_getRange(struct cw_rest_request *q)
{
	get(q, &ranges);
}

void cw_rest_do_deleteRange(struct cw_rest_request *q)
{
	take_away(q, &ranges);
}

void cw_rest_do_listExclusions(struct cw_rest_request *q)
{
	list(q, &exclusions, &cw_rest_query_list_exclusions_object);
}

void cw_rest_do_createExclusion(struct cw_rest_request *q)
{
	create(q, &exclusions);
}

void cw_rest_do_getExclusion(struct cw_rest_request *q)
{
	get(q, &exclusions);
}

void cw_rest_do_deleteExclusion(struct cw_rest_request *q)
{
	take_away(q, &exclusions);
}
