/* SPDX-License-Identifier: BSD-2-Clause */
/* Bearer tokens of this API: 256 random bits that are shown once; the store has their SHA-256. */
#include "config.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "broker/rest/auth.h"
#include "broker/rest/handle.h"
#include "broker/rest/handlers.h"
#include "schema/rest/header.h"
#include "schema/rest/read.h"
#include "schema/rest/scope.h"

enum {
	PREFIXES_MAX = 10,
	RANDOM_OCTETS = 32,
	HINT_LEN = 7, /* of it, for people to tell tokens apart: 24 bits are no secret */
};

/* Blank-separated in the store, a list here. Pieces point into `text`, which is cut. */
static struct cw_rest_token show_token(
	const struct cw_token *t, char text[static 512], const char *list[static PREFIXES_MAX])
{
	size_t n = 0;
	char *rest = NULL;

	(void) snprintf(text, 512, "%s", t->prefixes);
	for (char *p = strtok_r(text, " ", &rest); p && n < PREFIXES_MAX;
		p = strtok_r(NULL, " ", &rest))
		list[n++] = p;
	return (struct cw_rest_token){
		.id = t->id,
		.name = t->name,
		.hint = t->hint,
		.scopes = (uint32_t) t->scopes,
		.prefixes = {list, n},
		.created_at = t->created_wall_s,
		.expires_at = t->expires_wall_s ? t->expires_wall_s : CW_REST_NO_TIME,
		.last_used_at = t->last_use_wall_s ? t->last_use_wall_s : CW_REST_NO_TIME,
	};
}

/* The token of the path. */
static bool take_token(struct cw_rest_request *q, struct cw_token *ret)
{
	uint64_t id;
	int r;

	if (!cw_rest_take_id(q, 0, CW_ID_TOKEN, &id) || !cw_rest_reader(q))
		return false;
	r = cw_read_token_id(q->reader, id, ret);
	if (r <= 0)
		cw_rest_problem_code(q, r < 0 ? r : -ENOENT);
	return r > 0;
}

void cw_rest_do_getToken(struct cw_rest_request *q)
{
	const char *list[PREFIXES_MAX];
	struct cw_rest_token shown;
	struct cw_token token;
	char text[512];

	if (!cw_rest_take_query(q, NULL, NULL) || !take_token(q, &token))
		return;
	shown = show_token(&token, text, list);
	cw_rest_show(q, 200, &cw_rest_token_object, &shown);
}

/* ---- list ---- */

static int page(struct cw_rest_request *q, struct cw_rest_list *l, struct cw_store_reader *r,
	struct cw_cursor *at, unsigned max, bool *ret_more)
{
	struct cw_token rows[16];
	unsigned ask = max < CW_ARRAY_LEN(rows) ? max : (unsigned) CW_ARRAY_LEN(rows);
	int n = cw_read_tokens(r, at->a, rows, ask);

	*ret_more = n == (int) ask;
	for (int i = 0; i < n; i++) {
		const char *list[PREFIXES_MAX];
		char text[512];
		struct cw_rest_token row = show_token(&rows[i], text, list);

		cw_rest_row(q, l, &row);
		at->a = row.id;
	}
	return n;
}

void cw_rest_do_listTokens(struct cw_rest_request *q)
{
	struct cw_rest_list *l =
		cw_rest_take_list(q, &cw_rest_token_object, &cw_rest_query_list_tokens_object, 0);

	if (!l)
		return;
	l->page = page;
	cw_rest_list(q, l);
}

/* ---- make ---- */

/* A new one: 0, or why there is no randomness. */
static int make_token(char to[static CW_BEARER_LEN + 1])
{
	uint8_t secret[RANDOM_OCTETS];
	int r = cw_random(secret, sizeof secret);

	memcpy(to, "cw_", 3);
	if (r == 0)
		r = cw_base64url_encode(secret, sizeof secret, to + 3, CW_BEARER_LEN + 1 - 3);
	OPENSSL_cleanse(secret, sizeof secret);
	return r < 0 ? r : 0;
}

static void complete_created(struct cw_op *op)
{
	(void) cw_id_str(CW_ID_TOKEN, op->u.token.id, op->cause->object);
}

/* q->mine is the token: this is the one time that it is seen. */
static void created(struct cw_rest_request *q)
{
	const struct cw_token *t = &q->req.op.u.token;
	const char *list[PREFIXES_MAX];
	char text[512], path[64], id[CW_ID_STRLEN];
	struct cw_rest_token_created shown;
	int r = q->req.op.result;

	if (r == 0) {
		shown = (struct cw_rest_token_created){
			.token = q->mine, .info = show_token(t, text, list)};
		(void) snprintf(
			path, sizeof path, "/v1/tokens/%s", cw_id_str(CW_ID_TOKEN, t->id, id));
		cw_rest_add_header(q, "Location", path);
		cw_rest_add_header(q, "Cache-Control", "no-store");
		cw_rest_show(q, 201, &cw_rest_token_created_object, &shown);
	} else if (r == CW_E_CONFLICT) {
		cw_rest_problem_member(
			q, CW_PROBLEM_EXISTS, "name", "there is a token of this name");
	} else {
		cw_rest_problem_code(q, r);
	}
	OPENSSL_cleanse(q->mine, CW_BEARER_LEN);
}

/* Nobody gives what they do not have. */
static bool may_give(struct cw_rest_request *q, uint32_t scopes)
{
	uint32_t missing = cw_scope_missing(q->who.scopes, scopes);
	char detail[96];

	if (!missing)
		return true;
	(void) snprintf(detail, sizeof detail, "%s is not yours to give", cw_scope_name(missing));
	cw_rest_problem_scope(q, missing, "scopes", detail);
	return false;
}

/* For the audit: words, for people read it. */
static void tell_scopes(const struct cw_token *t, char *to, size_t n)
{
	const uint32_t scopes = (uint32_t) t->scopes;
	size_t at = (size_t) snprintf(to, n, "{\"name\":\"%s\",\"scopes\":\"", t->name);

	for (uint32_t left = scopes; left && at < n; left &= left - 1)
		at += (size_t) snprintf(
			to + at, n - at, "%s%s", left == scopes ? "" : " ", cw_scope_name(left));
	if (at < n)
		(void) snprintf(to + at, n - at, "\"}");
}

/* What the body asks for, but for the secret. */
static void fill(
	struct cw_rest_request *q, const struct cw_rest_token_create *b, struct cw_token *t)
{
	const char *const *prefixes = b->prefixes.items;
	size_t n = 0;

	*t = (struct cw_token){.scopes = b->scopes, .created_wall_s = cw_rest_now_wall_s(q)};
	(void) snprintf(t->name, sizeof t->name, "%s", b->name);
	for (size_t i = 0; i < b->prefixes.n && n < sizeof t->prefixes; i++)
		n += (size_t) snprintf(
			t->prefixes + n, sizeof t->prefixes - n, "%s%s", i ? " " : "", prefixes[i]);
	if (CW_REST_HAS(&cw_rest_token_create_object, b, lifetime_s))
		t->expires_wall_s = t->created_wall_s + b->lifetime_s;
}

void cw_rest_do_createToken(struct cw_rest_request *q)
{
	struct cw_rest_token_create *body = cw_arena_alloc(q->arena, 1, sizeof *body);
	char *text = cw_arena_alloc(q->arena, 1, CW_BEARER_LEN + 1);
	struct cw_token *t = &q->req.op.u.token;
	char detail[320];
	int r;

	if (!body || !text) {
		cw_rest_problem_code(q, -ENOMEM);
		return;
	}
	if (!cw_rest_take_query(q, NULL, NULL) ||
		!cw_rest_take_body(q, &cw_rest_token_create_object, body) ||
		!may_give(q, body->scopes))
		return;
	r = make_token(text);
	if (r < 0) {
		cw_rest_problem_code(q, r);
		return;
	}
	fill(q, body, t);
	(void) snprintf(t->hint, sizeof t->hint, "%.*s", HINT_LEN, text);
	if (!cw_rest_token_hash(text, CW_BEARER_LEN, t->hash)) {
		cw_rest_problem_code(q, -EIO);
		return;
	}
	q->mine = text;
	q->req.op.kind = CW_OP_TOKEN_ADD;
	tell_scopes(t, detail, sizeof detail);
	if (!cw_rest_cause(q, "", detail))
		return;
	q->cause.complete = complete_created;
	cw_rest_submit(q, created);
}

/* ---- take away ---- */

static void deleted(struct cw_rest_request *q)
{
	if (q->req.op.result == 0)
		cw_rest_answer(q, 204, NULL);
	else
		cw_rest_problem_code(q, q->req.op.result);
}

void cw_rest_do_deleteToken(struct cw_rest_request *q)
{
	char id[CW_ID_STRLEN], detail[96];
	struct cw_token token;

	if (!cw_rest_take_query(q, NULL, NULL) || !take_token(q, &token))
		return;
	q->req.op.kind = CW_OP_TOKEN_DEL;
	q->req.op.u.token = token;
	(void) snprintf(detail, sizeof detail, "{\"name\":\"%s\"}", token.name);
	if (cw_rest_cause(q, cw_id_str(CW_ID_TOKEN, token.id, id), detail))
		cw_rest_submit(q, deleted);
}
