/* SPDX-License-Identifier: BSD-2-Clause */
/* Who wants an operation: its row of the audit log, and the record that makes a repeated request
 * give the same answer. Both are written in the transaction of the effect, so there is never one
 * without the other, whatever crashes. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "db/sqlite/sqlite.h"

static bool is_sane(const struct cw_op *op)
{
	const struct cw_op_cause *c = op->cause;

	if (c->key_n == 0)
		return true;
	switch (op->kind) {
	case CW_OP_CONFIRM:
	case CW_OP_POOL_DEL:
	case CW_OP_RANGE_DEL:
		return false;
	case CW_OP_GROUP:
		if (op->u.group.dry_run)
			return false;
		break;
	default:
		break;
	}
	return c->key_n <= sizeof c->key && cw_sq_text_ok(c->scope, sizeof c->scope) && c->answer;
}

/* The lease an operation with a record is about; NULL: none. */
static struct cw_lease *lease_of(struct cw_op *op)
{
	switch (op->kind) {
	case CW_OP_ACQUIRE:
		return &op->u.acquire.lease;
	case CW_OP_END:
		return &op->u.end.lease;
	case CW_OP_EXTEND:
		return &op->u.extend.lease;
	default:
		return NULL;
	}
}

/* ---- again ---- */

/* What the front looks at to know whether there is still something to wait for. */
static int load_lease(struct cw_backend *b, struct cw_op *op, uint64_t id)
{
	struct cw_lease *l = lease_of(op);
	int r;

	if (!l || id == 0)
		return 0;
	memset(l, 0, sizeof *l);
	l->confirmed = true;
	cw_sq_int(b->st[CW_SQ_LEASE_ID], 1, (int64_t) id);
	r = cw_sq_lease_get(b, CW_SQ_LEASE_ID, false, l);
	if (r < 0)
		return r;
	if (op->kind == CW_OP_ACQUIRE)
		op->u.acquire.how = CW_ACQ_RESTARTED; /* somebody may know of it */
	if (r == 1 && l->state == CW_LEASE_ACTIVE)
		return cw_sq_lease_confirmed(b, l);
	l->confirmed = true;
	return 0;
}

/* 1: answered from the record, 0: there is none, or a code. */
static int replay(struct cw_backend *b, struct cw_op *op)
{
	struct cw_op_cause *c = op->cause;
	sqlite3_stmt *st = b->st[CW_SQ_KEY_GET];
	const void *request, *body;
	uint64_t lease;
	size_t n;
	bool same;
	int r;

	cw_sq_text(st, 1, c->scope);
	(void) sqlite3_bind_blob(st, 2, c->key, (int) c->key_n, SQLITE_STATIC);
	r = cw_sq_row(b, CW_SQ_KEY_GET);
	if (r <= 0)
		return r;
	request = sqlite3_column_blob(st, 0);
	body = sqlite3_column_blob(st, 2);
	n = (size_t) sqlite3_column_bytes(st, 2);
	lease = (uint64_t) sqlite3_column_int64(st, 3);
	if (sqlite3_column_int64(st, 4) + CW_SQ_KEY_KEPT_S <= op->now.steady_s) {
		(void) sqlite3_reset(st);
		return 0; /* not swept yet; a new one takes its place */
	}
	if (!request || sqlite3_column_bytes(st, 0) != CW_HASH_LEN || n > sizeof c->body) {
		(void) sqlite3_reset(st);
		return cw_sq_fail(b, SQLITE_CORRUPT);
	}
	same = memcmp(request, c->request, CW_HASH_LEN) == 0;
	if (same) {
		c->status = (unsigned) sqlite3_column_int(st, 1);
		c->body_n = n;
		if (n > 0)
			memcpy(c->body, body, n);
	}
	(void) sqlite3_reset(st);
	if (!same)
		return CW_E_KEY_REUSED;
	r = load_lease(b, op, lease);
	if (r < 0)
		return r;
	c->replayed = true;
	return 1;
}

/* ---- the first time ---- */

/* What the operation did must go: the transaction is done again without it. */
static int undo(struct cw_backend *b, int result)
{
	b->fault = result;
	b->surprise = true;
	return result;
}

static int record(struct cw_backend *b, struct cw_op *op)
{
	struct cw_op_cause *c = op->cause;
	struct cw_lease *l = lease_of(op);
	sqlite3_stmt *st = b->st[CW_SQ_KEY_PUT];
	bool confirmed = l && l->confirmed;
	int n, r;

	if (l && op->kind == CW_OP_ACQUIRE && op->u.acquire.wait_confirm)
		l->confirmed = true; /* it will be when this is answered */
	n = c->answer(op, &c->status, c->body, sizeof c->body);
	if (l)
		l->confirmed = confirmed;
	if (n < 0 || (size_t) n > sizeof c->body)
		return undo(b, n < 0 ? n : -EMSGSIZE);
	c->body_n = (size_t) n;
	cw_sq_text(st, 1, c->scope);
	(void) sqlite3_bind_blob(st, 2, c->key, (int) c->key_n, SQLITE_STATIC);
	(void) sqlite3_bind_blob(st, 3, c->request, CW_HASH_LEN, SQLITE_STATIC);
	cw_sq_int(st, 4, c->status);
	(void) sqlite3_bind_blob(st, 5, c->body, n, SQLITE_STATIC);
	if (l)
		cw_sq_int(st, 6, (int64_t) l->id);
	else
		(void) sqlite3_bind_null(st, 6);
	cw_sq_int(st, 7, op->now.steady_s);
	r = cw_sq_run(b, CW_SQ_KEY_PUT);
	(void) sqlite3_clear_bindings(st); /* the submitter's memory */
	return r;
}

static int write_audit(struct cw_backend *b, const struct cw_op_cause *c)
{
	struct cw_op_audit a;

	memcpy(a.actor, c->actor, sizeof a.actor);
	memcpy(a.peer, c->peer, sizeof a.peer);
	memcpy(a.verb, c->verb, sizeof a.verb);
	memcpy(a.object, c->object, sizeof a.object);
	memcpy(a.detail, c->detail, sizeof a.detail);
	return cw_sq_audit(b, &a);
}

static bool texts_end(const struct cw_op_cause *c)
{
	return memchr(c->actor, 0, sizeof c->actor) && memchr(c->peer, 0, sizeof c->peer) &&
	       memchr(c->verb, 0, sizeof c->verb) && memchr(c->object, 0, sizeof c->object) &&
	       memchr(c->detail, 0, sizeof c->detail);
}

int cw_sq_caused(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch)
{
	struct cw_op_cause *c = op->cause;
	int r;

	c->replayed = false;
	c->body_n = 0;
	if (!is_sane(op) || !texts_end(c))
		return -EINVAL;
	if (c->key_n > 0) {
		r = replay(b, op);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	r = cw_sq_dispatch(b, op, batch);
	if (r != 0)
		return r; /* failed, or not at its end */
	if (c->complete)
		c->complete(op);
	if (c->actor[0] && !(op->kind == CW_OP_GROUP && op->u.group.dry_run)) {
		r = write_audit(b, c);
		if (r < 0 && b->fault == 0)
			return undo(b, r); /* what `complete` wrote has no end */
	}
	return r == 0 && c->key_n > 0 ? record(b, op) : r;
}
