/* SPDX-License-Identifier: BSD-2-Clause */
/* The audit log as a chain: each row's hash covers the row before, so that a row changed, taken out
 * or put in later does not go unseen (db/values.h says over what). Whoever can rewrite the whole
 * file can make a new chain: who must rule that out keeps the last hash somewhere else. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "db/sqlite/sqlite.h"

struct link {
	uint64_t id;
	int64_t wall_s;
	struct {
		const char *p;
		size_t n;
	} text[5]; /* actor, peer, verb, object, detail */
};

static void be64(uint8_t to[static 8], uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		to[i] = (uint8_t) v;
}

static void digest_freep(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

/* hash becomes that of the link behind the one it is of. */
static int hash_on(const struct link *l, uint8_t hash[static CW_HASH_LEN])
{
	CW_CLEANUP(digest_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t head[16];
	bool ok;

	be64(head, l->id);
	be64(head + 8, (uint64_t) l->wall_s);
	ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) &&
	     EVP_DigestUpdate(ctx, hash, CW_HASH_LEN) && EVP_DigestUpdate(ctx, head, sizeof head);
	for (size_t i = 0; i < CW_ARRAY_LEN(l->text) && ok; i++) {
		be64(head, l->text[i].n);
		ok = EVP_DigestUpdate(ctx, head + 4, 4) &&
		     EVP_DigestUpdate(ctx, l->text[i].p, l->text[i].n);
	}
	return ok && EVP_DigestFinal_ex(ctx, hash, NULL) ? 0 : -ENOMEM;
}

/* The last row's id and hash, after a start or what a rollback may have taken. */
static int know_last(struct cw_backend *b)
{
	sqlite3_stmt *st = b->st[CW_SQ_AUDIT_LAST];
	int r;

	if (b->audit_known)
		return 0;
	b->audit_id = 0;
	memset(b->audit_hash, 0, sizeof b->audit_hash);
	r = cw_sq_row(b, CW_SQ_AUDIT_LAST);
	if (r < 0)
		return r;
	if (r > 0) {
		b->audit_id = (uint64_t) sqlite3_column_int64(st, 0);
		if (sqlite3_column_bytes(st, 1) == CW_HASH_LEN)
			memcpy(b->audit_hash, sqlite3_column_blob(st, 1), CW_HASH_LEN);
		(void) sqlite3_reset(st);
	}
	b->audit_known = true;
	return 0;
}

int cw_sq_audit(struct cw_backend *b, const struct cw_op_audit *a)
{
	const struct {
		const char *p;
		size_t room;
	} texts[] = {{a->actor, sizeof a->actor}, {a->peer, sizeof a->peer},
		{a->verb, sizeof a->verb}, {a->object, sizeof a->object},
		{a->detail, sizeof a->detail}};
	sqlite3_stmt *st = b->st[CW_SQ_AUDIT];
	uint8_t hash[CW_HASH_LEN];
	struct link l;
	int r;

	for (size_t i = 0; i < CW_ARRAY_LEN(texts); i++) {
		l.text[i].p = texts[i].p;
		l.text[i].n = strnlen(texts[i].p, texts[i].room);
		if (l.text[i].n == texts[i].room)
			return -EINVAL;
	}
	r = know_last(b);
	if (r < 0)
		return r;
	l.id = b->audit_id + 1;
	l.wall_s = b->now.wall_s;
	memcpy(hash, b->audit_hash, sizeof hash);
	if (hash_on(&l, hash) < 0)
		return cw_sq_fail(b, SQLITE_NOMEM);
	cw_sq_int(st, 1, (int64_t) l.id);
	cw_sq_int(st, 2, l.wall_s);
	for (int i = 0; i < 5; i++)
		(void) sqlite3_bind_text(st, 3 + i, l.text[i].p, (int) l.text[i].n, SQLITE_STATIC);
	(void) sqlite3_bind_blob(st, 8, hash, sizeof hash, SQLITE_STATIC);
	r = cw_sq_run(b, CW_SQ_AUDIT);
	(void) sqlite3_clear_bindings(st);
	if (r < 0)
		return r;
	b->audit_id = l.id;
	memcpy(b->audit_hash, hash, sizeof hash);
	return 0;
}

/* ---- following it ---- */

static void take_row(sqlite3_stmt *st, struct link *l)
{
	l->id = (uint64_t) sqlite3_column_int64(st, 0);
	l->wall_s = sqlite3_column_int64(st, 1);
	for (int i = 0; i < 5; i++) {
		const char *p = (const char *) sqlite3_column_text(st, 2 + i);

		l->text[i].p = p ? p : "";
		l->text[i].n = (size_t) sqlite3_column_bytes(st, 2 + i);
	}
}

/* How many rows were ever written: the greatest id given out. */
static int rows_given(sqlite3 *db, uint64_t *ret)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(
		db, "SELECT seq FROM sqlite_sequence WHERE name = 'audit'", -1, &st, NULL);

	*ret = 0;
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*ret = (uint64_t) sqlite3_column_int64(st, 0);
	(void) sqlite3_finalize(st);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Up to the end, or to the first break: what follows that cannot be judged. */
static int follow(sqlite3_stmt *st, uint64_t *ret_last, bool *ret_broken)
{
	uint8_t hash[CW_HASH_LEN] = {0};
	bool chained = false;
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		const void *said = sqlite3_column_blob(st, 7);
		bool has = said && sqlite3_column_bytes(st, 7) == CW_HASH_LEN;
		uint64_t before = *ret_last;
		struct link l;

		take_row(st, &l);
		*ret_last = l.id;
		if (has && hash_on(&l, hash) < 0)
			return SQLITE_NOMEM;
		*ret_broken = (chained && (!has || l.id != before + 1)) ||
			      (has && memcmp(hash, said, CW_HASH_LEN) != 0);
		if (*ret_broken)
			return SQLITE_OK;
		chained = chained || has;
	}
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int cw_sq_audit_check(
	sqlite3 *db, void (*fault)(void *arg, const char *text), void *arg, unsigned *count)
{
	uint64_t last = 0, given;
	sqlite3_stmt *st = NULL;
	bool broken = false;
	char text[96];
	int rc = rows_given(db, &given);

	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db,
			"SELECT id, wall_s, actor, peer, verb, object, detail, hash FROM audit"
			" ORDER BY id",
			-1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = follow(st, &last, &broken);
	(void) sqlite3_finalize(st);
	if (rc != SQLITE_OK || (!broken && last == given))
		return rc;
	++*count;
	if (broken)
		(void) snprintf(
			text, sizeof text, "the audit log's chain breaks at row %" PRIu64, last);
	else
		(void) snprintf(text, sizeof text,
			"the audit log ends with row %" PRIu64 ", but %" PRIu64 " were written",
			last, given);
	fault(arg, text);
	return SQLITE_OK;
}
