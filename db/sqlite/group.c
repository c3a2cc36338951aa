/* SPDX-License-Identifier: BSD-2-Clause */
/* Several operations of configuration as one: each in its own savepoint within the group's, which
 * goes back as a whole if one fails, or if they were only tried. */
#include "config.h"

#include <errno.h>

#include "base/err.h"
#include "db/sqlite/sqlite.h"

static bool may_be_grouped(const struct cw_op *op)
{
	if (op->cause && op->cause->key_n > 0)
		return false;
	switch (op->kind) {
	case CW_OP_POOL_ADD:
	case CW_OP_POOL_SET:
	case CW_OP_POOL_DEL:
	case CW_OP_RANGE_ADD:
	case CW_OP_RANGE_DEL:
	case CW_OP_EXCLUDE_ADD:
	case CW_OP_EXCLUDE_DEL:
	case CW_OP_RESERVE_ADD:
	case CW_OP_RESERVE_SET:
	case CW_OP_RESERVE_DEL:
	case CW_OP_TEP_ADD:
	case CW_OP_TEP_SET:
	case CW_OP_TEP_DEL:
	case CW_OP_USER_ADD:
	case CW_OP_USER_SET:
	case CW_OP_USER_DEL:
	case CW_OP_CREDENTIALS_SET:
	case CW_OP_TOKEN_ADD:
	case CW_OP_TOKEN_DEL:
		return true;
	default:
		return false;
	}
}

/* To its end, however many turns it would take alone. */
static int run_one(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch)
{
	int r;

	op->at = 0;
	op->now = b->now;
	do {
		r = cw_sq_cache_need(b); /* the one before threw it away */
		if (r == 0)
			r = op->cause ? cw_sq_caused(b, op, batch) : cw_sq_dispatch(b, op, batch);
	} while (r == CW_SQ_MORE);
	op->result = r;
	return r;
}

static int run_all(struct cw_backend *b, struct cw_op_group *g, struct cw_batch *batch)
{
	g->failed = g->n;
	for (size_t i = 0; i < g->n; i++) {
		int r = run_one(b, g->ops[i], batch);

		if (b->fault != 0)
			return b->fault;
		if (r == 0)
			continue;
		if (g->failed == g->n)
			g->failed = i;
		if (!g->dry_run)
			break;
	}
	return g->failed < g->n ? g->ops[g->failed]->result : 0;
}

int cw_sq_group(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch)
{
	struct cw_op_group *g = &op->u.group;
	size_t events = batch->n_events;
	int r, r_end = 0;

	for (size_t i = 0; i < g->n; i++) {
		if (!may_be_grouped(g->ops[i]))
			return -EINVAL;
		g->ops[i]->result = -ECANCELED;
	}
	r = cw_sq_cache_flush(b);
	if (r == 0)
		r = cw_sq_run(b, CW_SQ_SAVE);
	if (r < 0)
		return r;
	r = run_all(b, g, batch);
	if (b->fault == 0 && (r < 0 || g->dry_run)) {
		r_end = cw_sq_run(b, CW_SQ_BACK);
		batch->n_events = events;
		b->audit_known = false;
	}
	if (b->fault == 0)
		r_end = cw_sq_run(b, CW_SQ_RELEASE);
	cw_sq_cache_drop(b);
	return r_end < 0 && r >= 0 ? r_end : r;
}
