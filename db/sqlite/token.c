/* SPDX-License-Identifier: BSD-2-Clause */
/* Bearer tokens: their hashes and what they may do. The token itself never comes here. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "db/sqlite/sqlite.h"

static int token_add(struct cw_backend *b, struct cw_op *op)
{
	struct cw_token *t = &op->u.token;
	sqlite3_stmt *st = b->st[CW_SQ_TOKEN_ADD];
	int r;

	if (!cw_sq_name_ok(t->name, sizeof t->name) || !memchr(t->hint, 0, sizeof t->hint) ||
		!memchr(t->prefixes, 0, sizeof t->prefixes) || t->expires_wall_s < 0)
		return -EINVAL;
	(void) sqlite3_bind_blob(st, 1, t->hash, sizeof t->hash, SQLITE_STATIC);
	cw_sq_text(st, 2, t->hint);
	cw_sq_text(st, 3, t->name);
	cw_sq_int(st, 4, (int64_t) t->scopes);
	cw_sq_text(st, 5, t->prefixes);
	cw_sq_int(st, 6, op->now.wall_s);
	cw_sq_int(st, 7, t->expires_wall_s);
	r = cw_sq_try(b, CW_SQ_TOKEN_ADD);
	(void) sqlite3_clear_bindings(st); /* the submitter's memory */
	if (r < 0)
		return r;
	t->id = (uint64_t) sqlite3_last_insert_rowid(b->db);
	t->created_wall_s = op->now.wall_s;
	t->last_use_wall_s = 0;
	return 0;
}

static int token_del(struct cw_backend *b, struct cw_token *t)
{
	sqlite3_stmt *st = b->st[CW_SQ_TOKEN_NAME];
	bool ok;
	int r;

	cw_sq_int(st, 1, (int64_t) t->id);
	r = cw_sq_row(b, CW_SQ_TOKEN_NAME);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	ok = cw_sq_copy(st, 0, t->name, sizeof t->name);
	(void) sqlite3_reset(st);
	if (!ok)
		return cw_sq_fail(b, SQLITE_CORRUPT);
	cw_sq_int(b->st[CW_SQ_TOKEN_DEL], 1, (int64_t) t->id);
	return cw_sq_run(b, CW_SQ_TOKEN_DEL);
}

int cw_sq_token_op(struct cw_backend *b, struct cw_op *op)
{
	switch (op->kind) {
	case CW_OP_TOKEN_ADD:
		return token_add(b, op);
	case CW_OP_TOKEN_DEL:
		return token_del(b, &op->u.token);
	default: /* CW_OP_TOKEN_USED */
		cw_sq_int(b->st[CW_SQ_TOKEN_USED], 1, (int64_t) op->u.token.id);
		cw_sq_int(b->st[CW_SQ_TOKEN_USED], 2, op->now.wall_s);
		return cw_sq_run(b, CW_SQ_TOKEN_USED);
	}
}
