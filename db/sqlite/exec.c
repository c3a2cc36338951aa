/* SPDX-License-Identifier: BSD-2-Clause */
/* One operation of a transaction: which function does it, and what came of it. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "db/sqlite/sqlite.h"

static int heartbeat(struct cw_backend *b, struct cw_op *op)
{
	sqlite3_stmt *st = b->st[CW_SQ_HEARTBEAT];

	if (!memchr(op->u.heartbeat.boot_id, 0, sizeof op->u.heartbeat.boot_id))
		return -EINVAL;
	cw_sq_text(st, 1, op->u.heartbeat.boot_id);
	cw_sq_int(st, 2, op->u.heartbeat.boot_ms);
	cw_sq_int(st, 3, op->now.steady_s);
	cw_sq_int(st, 4, op->now.wall_s);
	return cw_sq_run(b, CW_SQ_HEARTBEAT);
}

/* Configuration: an event for what changed. */
static int configure(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch)
{
	int r;

	switch (op->kind) {
	case CW_OP_USER_ADD:
	case CW_OP_USER_SET:
	case CW_OP_USER_DEL:
	case CW_OP_CREDENTIALS_SET:
		r = cw_sq_user_op(b, op);
		break;
	case CW_OP_TOKEN_ADD:
	case CW_OP_TOKEN_DEL:
		r = cw_sq_token_op(b, op);
		break;
	default:
		r = cw_sq_pool_op(b, op);
		break;
	}
	return r == 0 ? cw_sq_event_of(b, op, batch) : r;
}

int cw_sq_dispatch(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch)
{
	switch (op->kind) {
	case CW_OP_ACQUIRE:
		return cw_sq_acquire(b, op, batch);
	case CW_OP_FIND:
		return cw_sq_find(b, op);
	case CW_OP_END:
		return cw_sq_end(b, op, batch);
	case CW_OP_EXTEND:
		return cw_sq_extend(b, op, batch);
	case CW_OP_TAG:
		return cw_sq_tag(b, op);
	case CW_OP_CONFIRM:
		return cw_sq_confirm(b, op, batch);
	case CW_OP_EXPIRE:
		return cw_sq_expire(b, op, batch);
	case CW_OP_FREE:
		return cw_sq_free(b, op);
	case CW_OP_PRUNE:
		return cw_sq_prune(b, op);
	case CW_OP_TIDY:
		return cw_sq_tidy(b, op);
	case CW_OP_INDEX:
		return cw_sq_index(b, op);
	case CW_OP_HEARTBEAT:
		return heartbeat(b, op);
	case CW_OP_AUDIT:
		return cw_sq_audit(b, &op->u.audit);
	case CW_OP_EVENT:
		return cw_sq_event_op(b, op, batch);
	case CW_OP_JOB:
		return cw_sq_job(b, op, batch);
	case CW_OP_SAMPLE:
		return cw_sq_sample(b, op);
	case CW_OP_TOKEN_USED:
		return cw_sq_token_op(b, op);
	case CW_OP_GROUP:
		return cw_sq_group(b, op, batch);
	default:
		return configure(b, op, batch);
	}
}

enum cw_exec cw_sq_exec(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch)
{
	int r = cw_sq_cache_need(b);

	b->now = op->now;
	if (r == 0)
		r = op->cause ? cw_sq_caused(b, op, batch) : cw_sq_dispatch(b, op, batch);
	op->result = r < 0 ? r : 0;
	if (b->fault == 0)
		return r == CW_SQ_MORE ? CW_EXEC_MORE : CW_EXEC_DONE;
	op->result = b->fault;
	return b->surprise ? CW_EXEC_SURPRISE : CW_EXEC_ABORT;
}
