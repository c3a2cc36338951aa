/* SPDX-License-Identifier: BSD-2-Clause */
/* Users and what they log in with. A password lives as long as its request; the store has verifiers.
 * Making one takes a few milliseconds of a server thread. */
#include "config.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "broker/rest/handle.h"
#include "broker/rest/handlers.h"
#include "broker/rest/users.h"
#include "schema/rest/read.h"

static const struct {
	uint64_t bit;
	const char *kind;
} kinds[CW_AUTH_KINDS] = {
	{CW_REST_SCRAM_SHA_256, "SCRAM-SHA-256"},
	{CW_REST_SCRAM_SHA_1, "SCRAM-SHA-1"},
	{CW_REST_DIGEST_MD5, "DIGEST-MD5"},
};

static struct cw_rest_user show_user(const struct cw_user *u)
{
	return (struct cw_rest_user){
		.id = u->id,
		.name = u->name,
		.disabled = u->disabled,
		.max_leases = u->max_leases,
		.pool = u->pool[0] ? u->pool : NULL,
		.version = u->version,
	};
}

static void answer_user(struct cw_rest_request *q, const struct cw_user *u)
{
	struct cw_rest_user shown = show_user(u);

	cw_rest_etag(q, u->version);
	cw_rest_show(q, 200, &cw_rest_user_object, &shown);
}

/* The user of the path. */
static bool take_user(struct cw_rest_request *q, struct cw_user *ret)
{
	return cw_rest_reader(q) && cw_rest_take_user(q, q->reader, q->route.param[0], ret);
}

void cw_rest_do_getUser(struct cw_rest_request *q)
{
	struct cw_user user;

	if (cw_rest_take_query(q, NULL, NULL) && take_user(q, &user) &&
		cw_rest_modified(q, user.version))
		answer_user(q, &user);
}

/* ---- list ---- */

struct listing {
	const struct cw_rest_query_list_users *asked;
	struct cw_user rows[64];
};

static bool wanted(const struct listing *s, const struct cw_user *u)
{
	const struct cw_rest_query_list_users *a = s->asked;

	return (!a->name || strcmp(a->name, u->name) == 0) &&
	       (!a->pool || strcmp(a->pool, u->pool) == 0) &&
	       (!CW_REST_HAS(&cw_rest_query_list_users_object, a, disabled) ||
		       a->disabled == u->disabled);
}

static int page(struct cw_rest_request *q, struct cw_rest_list *l, struct cw_store_reader *r,
	struct cw_cursor *at, unsigned max, bool *ret_more)
{
	struct listing *s = l->mine;
	unsigned ask = max < CW_ARRAY_LEN(s->rows) ? max : (unsigned) CW_ARRAY_LEN(s->rows);
	int n = cw_read_users(r, at->a, s->rows, ask), shown = 0;

	*ret_more = n == (int) ask;
	for (int i = 0; i < n; i++) {
		at->a = s->rows[i].id;
		if (wanted(s, &s->rows[i])) {
			struct cw_rest_user row = show_user(&s->rows[i]);

			cw_rest_row(q, l, &row);
			shown++;
		}
	}
	return n < 0 ? n : shown;
}

void cw_rest_do_listUsers(struct cw_rest_request *q)
{
	struct cw_rest_list *l = cw_rest_take_list(
		q, &cw_rest_user_object, &cw_rest_query_list_users_object, sizeof(struct listing));
	struct listing *s = l ? l->mine : NULL;

	if (!l)
		return;
	l->page = page;
	s->asked = l->asked;
	cw_rest_list(q, l);
}

/* ---- verifiers ---- */

/* Is it one of a blank-separated list? */
static bool offered(const char *mechanisms, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = mechanisms; *p; p += strcspn(p, " ")) {
		p += strspn(p, " ");
		if (strncmp(p, name, n) == 0 && (p[n] == ' ' || p[n] == '\0'))
			return true;
	}
	return false;
}

uint64_t cw_rest_mechanisms(const struct cw_rest *rest, const struct cw_rest_password *p)
{
	uint64_t set = p->mechanisms;

	for (unsigned i = 0; i < CW_AUTH_KINDS && !p->mechanisms; i++)
		if (offered(rest->parts.config->mechanisms, kinds[i].kind))
			set |= kinds[i].bit;
	if (!p->mechanisms && !p->allow_equivalent)
		set &= ~(uint64_t) CW_REST_DIGEST_MD5;
	/* PLAIN, and what needs no verifier today, are served by this one. */
	return set ? set : (uint64_t) CW_REST_SCRAM_SHA_256;
}

int cw_rest_verifiers(const struct cw_rest *rest, const char *user,
	const struct cw_rest_password *p, struct cw_credential to[static CW_AUTH_KINDS],
	const char **ret_member)
{
	uint64_t set = cw_rest_mechanisms(rest, p);
	char list[64] = "";
	int r;

	*ret_member = "mechanisms";
	if (set & CW_REST_DIGEST_MD5 && !p->allow_equivalent)
		return CW_E_POLICY;
	if (set & CW_REST_DIGEST_MD5 && !rest->parts.config->realm)
		return CW_E_POLICY;
	*ret_member = "password";
	for (unsigned i = 0; i < CW_AUTH_KINDS; i++)
		if (set & kinds[i].bit)
			(void) snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s",
				list[0] ? " " : "", kinds[i].kind);
	r = cw_auth_verifiers(list, user, rest->parts.config->realm, p->text, to);
	return r;
}

/* Verifiers of the arena, into the operation; the password has gone then. */
static bool take_verifiers(
	struct cw_rest_request *q, const char *user, const struct cw_rest_password *p)
{
	struct cw_op_user *u = &q->req.op.u.user;
	struct cw_credential *made = cw_arena_alloc(q->arena, CW_AUTH_KINDS, sizeof *made);
	const char *member = "";
	int r = made ? cw_rest_verifiers(q->rest, user, p, made, &member) : -ENOMEM;

	if (r == CW_E_POLICY)
		cw_rest_problem_member(q, CW_PROBLEM_INVALID_BODY, member,
			"DIGEST-MD5 stores what is as good as the password: it wants \"allow_password_equivalent\": true, and a realm");
	else if (r == CW_E_SYNTAX)
		cw_rest_problem_member(q, CW_PROBLEM_INVALID_BODY, member,
			"it cannot be prepared for a login (RFC 4013)");
	else if (r < 0)
		cw_rest_problem_code(q, r);
	if (r < 0)
		return false;
	u->credentials = made;
	u->n_credentials = (size_t) r;
	return true;
}

/* They are in the store now, or nowhere. */
static void forget_verifiers(struct cw_rest_request *q)
{
	struct cw_op_user *u = &q->req.op.u.user;

	if (u->credentials)
		OPENSSL_cleanse((void *) (uintptr_t) u->credentials,
			u->n_credentials * sizeof *u->credentials);
}

/* ---- make ---- */

static void complete_created(struct cw_op *op)
{
	(void) cw_id_str(CW_ID_USER, op->u.user.user.id, op->cause->object);
}

static int record_created(const struct cw_op *op, unsigned *ret_status, char *to, size_t n)
{
	struct cw_rest_user shown = show_user(&op->u.user.user);

	*ret_status = 201;
	return cw_rest_record(&cw_rest_user_object, &shown, to, n);
}

static void created(struct cw_rest_request *q)
{
	const struct cw_user *u = &q->req.op.u.user.user;
	int r = q->req.op.result;

	forget_verifiers(q);
	if (r == CW_E_CONFLICT) {
		cw_rest_problem_member(
			q, CW_PROBLEM_EXISTS, "name", "there is a user of this name");
	} else if (r == -ENOENT) {
		cw_rest_problem_member(q, CW_PROBLEM_INVALID_BODY, "pool", "there is no such pool");
	} else if (r < 0) {
		cw_rest_problem_code(q, r);
	} else {
		struct cw_rest_user shown = show_user(u);

		cw_rest_created(q, "/v1/users/", u->version, &cw_rest_user_object, &shown);
	}
}

static void create(struct cw_rest_request *q, const struct cw_rest_user_create *body)
{
	const struct cw_rest_password password = {
		body->password, body->mechanisms, body->allow_password_equivalent};
	struct cw_op_user *u = &q->req.op.u.user;
	char detail[256];

	u->user.disabled = body->disabled;
	u->user.max_leases = body->max_leases;
	(void) snprintf(u->user.name, sizeof u->user.name, "%s", body->name);
	(void) snprintf(u->user.pool, sizeof u->user.pool, "%s", body->pool ? body->pool : "");
	if (password.text && !take_verifiers(q, body->name, &password))
		return;
	q->secret = password.text != NULL;
	q->req.op.kind = CW_OP_USER_ADD;
	(void) snprintf(detail, sizeof detail,
		"{\"name\":\"%s\",\"disabled\":%s,\"max_leases\":%u,\"pool\":\"%s\",\"credentials\":%zu}",
		u->user.name, u->user.disabled ? "true" : "false", u->user.max_leases, u->user.pool,
		u->n_credentials);
	if (!cw_rest_cause(q, "", detail)) {
		forget_verifiers(q);
		return;
	}
	q->cause.complete = complete_created;
	q->cause.answer = record_created;
	cw_rest_submit(q, created);
}

void cw_rest_do_createUser(struct cw_rest_request *q)
{
	struct cw_rest_user_create body = {0};

	if (cw_rest_take_query(q, NULL, NULL) &&
		cw_rest_take_body(q, &cw_rest_user_create_object, &body))
		create(q, &body);
	cw_rest_wipe(&cw_rest_user_create_object, &body);
}

/* ---- change ---- */

static void updated(struct cw_rest_request *q)
{
	int r = q->req.op.result;

	if (r == 0)
		answer_user(q, &q->req.op.u.user.user);
	else if (r == -ENOENT && q->mine)
		cw_rest_problem_member(q, CW_PROBLEM_INVALID_BODY, "pool", "there is no such pool");
	else
		cw_rest_problem_code(q, r);
}

void cw_rest_do_updateUser(struct cw_rest_request *q)
{
	const struct cw_rest_object *o = &cw_rest_user_patch_object;
	struct cw_rest_user_patch body = {0};
	struct cw_user *u = &q->req.op.u.user.user;
	char id[CW_ID_STRLEN];

	if (!cw_rest_take_query(q, NULL, NULL) || !cw_rest_take_body(q, o, &body) ||
		!take_user(q, u) || !cw_rest_if_match(q, u->version))
		return;
	if (CW_REST_HAS(o, &body, disabled))
		u->disabled = body.disabled;
	if (CW_REST_HAS(o, &body, max_leases))
		u->max_leases = body.max_leases;
	if (CW_REST_HAS(o, &body, pool))
		(void) snprintf(u->pool, sizeof u->pool, "%s", body.pool ? body.pool : "");
	q->mine = (void *) (uintptr_t) body.pool;
	q->req.op.kind = CW_OP_USER_SET;
	if (cw_rest_cause(q, cw_id_str(CW_ID_USER, u->id, id), cw_rest_body_detail(q)))
		cw_rest_submit(q, updated);
}

/* ---- take away ---- */

static void name_leases(struct cw_rest_request *q, const char *user)
{
	char principal[CW_PRINCIPAL_MAX], id[CW_ID_STRLEN], place[CW_PLACE_STRLEN];
	const struct cw_lease_filter filter = {
		.principal = principal, .states = 1u << CW_LEASE_ACTIVE | 1u << CW_LEASE_ENDING};
	struct cw_rest_errors *errs = cw_arena_alloc(q->arena, 1, sizeof *errs);
	struct cw_lease rows[10];
	int n;

	if (!cw_rest_reader(q))
		return;
	(void) snprintf(principal, sizeof principal, "user:%s", user);
	n = errs ? cw_read_leases(q->reader, &filter, (struct cw_lease_key){.begin = true}, rows,
			   CW_ARRAY_LEN(rows))
		 : -ENOMEM;
	for (int i = 0; i < n; i++)
		cw_rest_error_add(errs, CW_REST_IN_PATH, "", "%s: %s",
			cw_id_str(CW_ID_LEASE, rows[i].id, id),
			cw_rest_place(rows[i].addr, &rows[i].ports, place));
	if (n < 0)
		cw_rest_problem_code(q, n);
	else
		cw_rest_problem_errors(q, CW_PROBLEM_IN_USE, errs);
}

static void deleted(struct cw_rest_request *q)
{
	if (q->req.op.result == 0)
		cw_rest_answer(q, 204, NULL);
	else if (q->req.op.result == CW_E_CONFLICT)
		name_leases(q, q->req.op.u.user.user.name);
	else
		cw_rest_problem_code(q, q->req.op.result);
}

void cw_rest_do_deleteUser(struct cw_rest_request *q)
{
	struct cw_user *u = &q->req.op.u.user.user;
	char id[CW_ID_STRLEN], detail[96];

	if (!cw_rest_take_query(q, NULL, NULL) || !take_user(q, u) ||
		!cw_rest_if_match(q, u->version))
		return;
	q->req.op.kind = CW_OP_USER_DEL;
	(void) snprintf(detail, sizeof detail, "{\"name\":\"%s\"}", u->name);
	if (cw_rest_cause(q, cw_id_str(CW_ID_USER, u->id, id), detail))
		cw_rest_submit(q, deleted);
}

/* ---- credentials ---- */

uint64_t cw_rest_mechanisms_of(const struct cw_credential *v, size_t n)
{
	uint64_t set = 0;

	for (size_t i = 0; i < n; i++)
		for (unsigned k = 0; k < CW_AUTH_KINDS; k++)
			if (strcmp(v[i].kind, kinds[k].kind) == 0)
				set |= kinds[k].bit;
	return set;
}

void cw_rest_do_getCredentials(struct cw_rest_request *q)
{
	struct cw_credential v[CW_AUTH_KINDS];
	struct cw_rest_credentials shown;
	struct cw_user user;
	int n;

	if (!cw_rest_take_query(q, NULL, NULL) || !take_user(q, &user))
		return;
	n = cw_read_credentials_of(q->reader, user.id, v, CW_AUTH_KINDS);
	if (n < 0) {
		cw_rest_problem_code(q, n);
		return;
	}
	shown = (struct cw_rest_credentials){
		.user = user.name, .mechanisms = cw_rest_mechanisms_of(v, (size_t) n)};
	OPENSSL_cleanse(v, sizeof v);
	cw_rest_show(q, 200, &cw_rest_credentials_object, &shown);
}

static void credentials_set(struct cw_rest_request *q)
{
	const struct cw_op_user *u = &q->req.op.u.user;
	struct cw_rest_credentials shown = {.user = u->user.name,
		.mechanisms = cw_rest_mechanisms_of(u->credentials, u->n_credentials)};

	forget_verifiers(q);
	if (q->req.op.result < 0)
		cw_rest_problem_code(q, q->req.op.result);
	else if (u->n_credentials)
		cw_rest_show(q, 200, &cw_rest_credentials_object, &shown);
	else
		cw_rest_answer(q, 204, NULL);
}

static void set_credentials(struct cw_rest_request *q)
{
	const struct cw_op_user *u = &q->req.op.u.user;
	char id[CW_ID_STRLEN], detail[64];

	q->req.op.kind = CW_OP_CREDENTIALS_SET;
	(void) snprintf(detail, sizeof detail, "{\"credentials\":%zu}", u->n_credentials);
	if (cw_rest_cause(q, cw_id_str(CW_ID_USER, u->user.id, id), detail))
		cw_rest_submit(q, credentials_set);
	else
		forget_verifiers(q);
}

void cw_rest_do_setCredentials(struct cw_rest_request *q)
{
	struct cw_rest_credentials_set body = {0};
	struct cw_user *u = &q->req.op.u.user.user;

	if (cw_rest_take_query(q, NULL, NULL) &&
		cw_rest_take_body(q, &cw_rest_credentials_set_object, &body) && take_user(q, u) &&
		cw_rest_if_match(q, u->version)) {
		const struct cw_rest_password password = {
			body.password, body.mechanisms, body.allow_password_equivalent};

		if (take_verifiers(q, u->name, &password))
			set_credentials(q);
	}
	cw_rest_wipe(&cw_rest_credentials_set_object, &body);
}

void cw_rest_do_deleteCredentials(struct cw_rest_request *q)
{
	struct cw_user *u = &q->req.op.u.user.user;

	if (cw_rest_take_query(q, NULL, NULL) && take_user(q, u) && cw_rest_if_match(q, u->version))
		set_credentials(q);
}
