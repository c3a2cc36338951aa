/* SPDX-License-Identifier: BSD-2-Clause */
/* Apply: what there should be, in one transaction. apply_diff.c finds the difference; here it is
 * made, or only tried, and told. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "broker/rest/apply.h"
#include "broker/rest/handlers.h"
#include "schema/rest/read.h"

/* ---- the answer ---- */

/* What was made has its number in the operation. */
static uint64_t id_made(const struct cw_op *op, enum cw_id_kind *ret_kind)
{
	switch (op->kind) {
	case CW_OP_TEP_ADD:
		*ret_kind = CW_ID_TEP;
		return op->u.tep.id;
	case CW_OP_POOL_ADD:
		*ret_kind = CW_ID_POOL;
		return op->u.pool.pool.id;
	case CW_OP_RANGE_ADD:
		*ret_kind = CW_ID_RANGE;
		return op->u.range.id;
	case CW_OP_EXCLUDE_ADD:
		*ret_kind = CW_ID_EXCLUSION;
		return op->u.range.id;
	case CW_OP_RESERVE_ADD:
		*ret_kind = CW_ID_RESERVATION;
		return op->u.reservation.id;
	default: /* CW_OP_USER_ADD */
		*ret_kind = CW_ID_USER;
		return op->u.user.user.id;
	}
}

/* What was only tried has no number that stays. */
static const char *id_of(const struct cw_apply *a, const struct cw_apply_step *s)
{
	enum cw_id_kind kind = s->id_kind;
	uint64_t id = s->id;
	char text[CW_ID_STRLEN];

	if (s->action == CW_REST_CREATE) {
		if (a->asked.dry_run)
			return NULL;
		id = id_made(s->op, &kind);
	}
	(void) cw_id_str(kind, id, text);
	return cw_arena_strndup(a->q->arena, text, strlen(text));
}

static void answer(struct cw_rest_request *q)
{
	struct cw_apply *a = q->mine;
	struct cw_rest_apply_change *v = cw_arena_alloc(q->arena, a->n ? a->n : 1, sizeof *v);
	struct cw_rest_apply_result shown = {.dry_run = a->asked.dry_run};
	size_t n = 0, left = a->n;

	if (!v) {
		cw_rest_problem_code(q, -ENOMEM);
		return;
	}
	for (size_t i = 0; i < a->n; i++) {
		const struct cw_apply_step *s = a->steps[i];

		v[s->op ? n++ : --left] = (struct cw_rest_apply_change){
			.action = s->action,
			.kind = s->kind,
			.name = s->name,
			.id = id_of(a, s),
			.members = {s->members, s->n_members},
		};
	}
	shown.changed = n > 0;
	shown.changes = (struct cw_rest_array){v, n};
	shown.left = (struct cw_rest_array){v + left, a->n - left};
	cw_rest_show(q, 200, &cw_rest_apply_result_object, &shown);
}

/* ---- what was in the way ---- */

static void name_leases(
	struct cw_rest_request *q, const struct cw_apply_step *s, struct cw_rest_errors *errs)
{
	struct cw_addr4 lo = {0}, hi = {UINT32_MAX};
	uint64_t pool = 0;

	if (s->op->kind == CW_OP_POOL_DEL || s->op->kind == CW_OP_POOL_SET) {
		pool = s->id;
	} else if (s->op->kind == CW_OP_RANGE_DEL || s->op->kind == CW_OP_EXCLUDE_ADD) {
		pool = s->op->u.range.pool_id;
		lo = s->op->u.range.lo;
		hi = s->op->u.range.hi;
	}
	if (pool && cw_rest_reader(q))
		(void) !cw_rest_name_leases(q, pool, lo, hi, errs);
}

static void refuse(struct cw_rest_request *q, const struct cw_apply_step *s, int result)
{
	static const char *const words[] = {"make", "change", "delete"};
	struct cw_rest_errors *errs = cw_arena_alloc(q->arena, 1, sizeof *errs);
	bool overlaps = s->op->kind == CW_OP_POOL_ADD || s->op->kind == CW_OP_RANGE_ADD ||
			s->op->kind == CW_OP_EXCLUDE_ADD || s->op->kind == CW_OP_RESERVE_ADD;
	enum cw_problem problem = result == -EINVAL                     ? CW_PROBLEM_INVALID_BODY
				  : result == -ENOENT                   ? CW_PROBLEM_NOT_FOUND
				  : result == CW_E_CONFLICT && overlaps ? CW_PROBLEM_OVERLAP
				  : result == CW_E_CONFLICT || result == CW_E_STALE
					  ? CW_PROBLEM_IN_USE
					  : CW_PROBLEMS;

	if (!errs || problem == CW_PROBLEMS) {
		cw_rest_problem_code(q, errs ? result : -ENOMEM);
		return;
	}
	cw_rest_error_add(errs, CW_REST_IN_BODY, s->pointer, "cannot %s \"%s\": %s",
		words[s->action], s->name, cw_strerror(result));
	if (result == CW_E_CONFLICT) {
		unsigned before = errs->n;

		name_leases(q, s, errs);
		if (errs->n > before)
			problem = CW_PROBLEM_IN_USE;
	}
	cw_rest_problem_errors(q, problem, errs);
}

/* ---- */

static void applied(struct cw_rest_request *q)
{
	const struct cw_op_group *g = &q->req.op.u.group;
	struct cw_apply *a = q->mine;
	int r = q->req.op.result;
	size_t i = 0, at = 0;

	if (r == 0) {
		answer(q);
	} else if (g->failed < g->n) {
		while (!a->steps[i]->op || at++ < g->failed)
			i++;
		refuse(q, a->steps[i], r);
	} else {
		cw_rest_problem_code(q, r);
	}
	cw_apply_done(a);
}

/* One group of all of them. */
static bool make_group(struct cw_rest_request *q, struct cw_apply *a)
{
	struct cw_op_group *g = &q->req.op.u.group;
	char detail[64];

	/* NOLINTNEXTLINE(bugprone-sizeof-expression): a table of pointers */
	a->ops = cw_zalloc(a->n ? a->n : 1, sizeof *a->ops);
	if (!a->ops) {
		cw_rest_problem_code(q, -ENOMEM);
		return false;
	}
	*g = (struct cw_op_group){.ops = a->ops, .dry_run = a->asked.dry_run};
	for (size_t i = 0; i < a->n; i++)
		if (a->steps[i]->op)
			a->ops[g->n++] = a->steps[i]->op;
	q->req.op.kind = CW_OP_GROUP;
	(void) snprintf(detail, sizeof detail, "{\"changes\":%zu,\"prune\":%s}", g->n,
		a->asked.prune ? "true" : "false");
	/* What was only tried is nobody's deed. */
	return a->asked.dry_run || cw_rest_cause(q, "", detail);
}

void cw_rest_do_apply(struct cw_rest_request *q)
{
	struct cw_apply *a = cw_arena_alloc(q->arena, 1, sizeof *a);
	bool good;

	if (!a) {
		cw_rest_problem_code(q, -ENOMEM);
		return;
	}
	a->q = q;
	q->mine = a;
	good = cw_rest_take_query(q, &cw_rest_query_apply_object, &a->asked) &&
	       cw_rest_take_body(q, &cw_rest_apply_request_object, &a->body) && cw_rest_reader(q) &&
	       cw_apply_compare(a) && make_group(q, a);
	cw_rest_wipe(&cw_rest_apply_request_object, &a->body);
	if (good && q->req.op.u.group.n > 0) {
		cw_rest_submit(q, applied);
		return;
	}
	if (good)
		answer(q);
	cw_apply_done(a);
}
