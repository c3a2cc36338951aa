/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes of users and their credentials. The verifiers are password-equivalent or close to it:
 * they are stored as given and never logged. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "db/sqlite/sqlite.h"

struct seen {
	uint64_t version;
	char name[CW_NAME_MAX];
};

static int user_get(struct cw_backend *b, const struct cw_user *u, struct seen *ret)
{
	sqlite3_stmt *st = b->st[CW_SQ_USER_GET];
	bool ok;
	int r;

	cw_sq_int(st, 1, (int64_t) u->id);
	r = cw_sq_row(b, CW_SQ_USER_GET);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	ret->version = (uint64_t) sqlite3_column_int64(st, 0);
	ok = cw_sq_copy(st, 1, ret->name, sizeof ret->name);
	(void) sqlite3_reset(st);
	if (!ok)
		return cw_sq_fail(b, SQLITE_CORRUPT);
	return u->version > 0 && u->version != ret->version ? CW_E_STALE : 0;
}

/* Parameters 2 to 6 of USER_ADD and USER_SET: 0, -EINVAL, -ENOENT (no such pool). */
static int user_bind(
	struct cw_backend *b, enum cw_sq_statement s, const struct cw_user *u, uint64_t version)
{
	sqlite3_stmt *st = b->st[s];
	int64_t pool = 0;
	int r;

	if (!cw_sq_name_ok(u->name, sizeof u->name) || !memchr(u->pool, 0, sizeof u->pool))
		return -EINVAL;
	if (u->pool[0]) {
		cw_sq_text(b->st[CW_SQ_POOL_NAMED], 1, u->pool);
		r = cw_sq_number(b, CW_SQ_POOL_NAMED, 0, &pool);
		if (r < 0)
			return r;
		if (pool == 0)
			return -ENOENT;
	}
	cw_sq_int(st, 2, (int64_t) version);
	cw_sq_text(st, 3, u->name);
	cw_sq_int(st, 4, u->disabled);
	cw_sq_int(st, 5, u->max_leases);
	if (pool > 0)
		cw_sq_int(st, 6, pool);
	else
		(void) sqlite3_bind_null(st, 6);
	return 0;
}

static int credentials_put(
	struct cw_backend *b, uint64_t id, const struct cw_credential *all, size_t n)
{
	sqlite3_stmt *st = b->st[CW_SQ_CREDENTIAL_ADD];
	int r;

	cw_sq_int(b->st[CW_SQ_CREDENTIALS_DEL], 1, (int64_t) id);
	r = cw_sq_run(b, CW_SQ_CREDENTIALS_DEL);
	for (size_t i = 0; i < n && r == 0; i++) {
		if (!cw_sq_text_ok(all[i].kind, sizeof all[i].kind) ||
			!cw_sq_text_ok(all[i].verifier, sizeof all[i].verifier))
			return -EINVAL;
		cw_sq_int(st, 1, (int64_t) id);
		cw_sq_text(st, 2, all[i].kind);
		cw_sq_text(st, 3, all[i].verifier);
		r = cw_sq_try(b, CW_SQ_CREDENTIAL_ADD);
	}
	(void) sqlite3_clear_bindings(st); /* they point to the submitter's memory */
	return r;
}

static int user_add(struct cw_backend *b, struct cw_op_user *op)
{
	uint64_t id;
	int r = user_bind(b, CW_SQ_USER_ADD, &op->user, 1);

	if (r == 0)
		r = cw_sq_try(b, CW_SQ_USER_ADD);
	if (r < 0)
		return r;
	id = (uint64_t) sqlite3_last_insert_rowid(b->db);
	r = credentials_put(b, id, op->credentials, op->n_credentials);
	if (r < 0)
		return r;
	op->user.id = id;
	op->user.version = 1;
	return 0;
}

static int user_set(struct cw_backend *b, struct cw_op_user *op)
{
	struct seen old;
	int r = user_get(b, &op->user, &old);

	if (r == 0)
		r = user_bind(b, CW_SQ_USER_SET, &op->user, old.version + 1);
	if (r < 0)
		return r;
	cw_sq_int(b->st[CW_SQ_USER_SET], 1, (int64_t) op->user.id);
	r = cw_sq_try(b, CW_SQ_USER_SET);
	if (r == 0)
		op->user.version = old.version + 1;
	return r;
}

static int user_del(struct cw_backend *b, struct cw_op_user *op)
{
	char principal[CW_PRINCIPAL_MAX];
	struct seen old;
	int64_t held;
	int r = user_get(b, &op->user, &old);

	if (r < 0)
		return r;
	(void) snprintf(principal, sizeof principal, "user:%s", old.name);
	cw_sq_text(b->st[CW_SQ_COUNT_LIVE], 1, principal);
	cw_sq_int(b->st[CW_SQ_COUNT_LIVE], 2, 1);
	r = cw_sq_number(b, CW_SQ_COUNT_LIVE, 0, &held);
	if (r < 0)
		return r;
	if (held > 0)
		return CW_E_CONFLICT;
	memcpy(op->user.name, old.name, sizeof op->user.name);
	cw_sq_int(b->st[CW_SQ_USER_DEL], 1, (int64_t) op->user.id);
	return cw_sq_run(b, CW_SQ_USER_DEL);
}

static int credentials_set(struct cw_backend *b, struct cw_op_user *op)
{
	struct seen old;
	int r = user_get(b, &op->user, &old);

	if (r == 0)
		r = credentials_put(b, op->user.id, op->credentials, op->n_credentials);
	if (r < 0)
		return r;
	memcpy(op->user.name, old.name, sizeof op->user.name);
	cw_sq_int(b->st[CW_SQ_USER_TOUCH], 1, (int64_t) op->user.id);
	cw_sq_int(b->st[CW_SQ_USER_TOUCH], 2, (int64_t) old.version + 1);
	r = cw_sq_run(b, CW_SQ_USER_TOUCH);
	if (r == 0)
		op->user.version = old.version + 1;
	return r;
}

static int one(struct cw_backend *b, struct cw_op *op)
{
	switch (op->kind) {
	case CW_OP_USER_ADD:
		return user_add(b, &op->u.user);
	case CW_OP_USER_SET:
		return user_set(b, &op->u.user);
	case CW_OP_USER_DEL:
		return user_del(b, &op->u.user);
	case CW_OP_CREDENTIALS_SET:
		return credentials_set(b, &op->u.user);
	default:
		return -EINVAL;
	}
}

int cw_sq_user_op(struct cw_backend *b, struct cw_op *op)
{
	return cw_sq_in_savepoint(b, op, one);
}
