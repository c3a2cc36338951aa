/* SPDX-License-Identifier: BSD-2-Clause */
/* See handle.h. */
#include "config.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "broker/rest/handle.h"
#include "schema/rest/header.h"
#include "schema/rest/query.h"
#include "schema/rest/read.h"

enum { STRETCH = 4096 };

/* ---- what came ---- */

bool cw_rest_take_query(struct cw_rest_request *q, const struct cw_rest_object *o, void *to)
{
	struct cw_rest_errors errs = {0};
	int r = cw_rest_query(o, q->query, strlen(q->query), q->arena, to, &errs);

	if (r == CW_E_SYNTAX)
		cw_rest_problem_errors(q, CW_PROBLEM_INVALID_QUERY, &errs);
	else if (r < 0)
		cw_rest_problem_code(q, r);
	return r == 0;
}

bool cw_rest_take_body(struct cw_rest_request *q, const struct cw_rest_object *o, void *to)
{
	struct cw_rest_errors *errs = cw_arena_alloc(q->arena, 1, sizeof *errs);
	enum cw_problem problem = CW_PROBLEM_OVERLOADED;
	int r = errs ? 0 : -ENOMEM;

	if (!cw_content_is_json(cw_rest_header(q, "Content-Type"))) {
		cw_rest_problem(
			q, CW_PROBLEM_UNSUPPORTED_MEDIA_TYPE, "the body must be application/json");
		return false;
	}
	if (r == 0)
		r = cw_rest_read_body(
			o, q->body ? q->body : "", q->body_n, q->arena, to, errs, &problem);
	if (r == -ENOMEM)
		cw_rest_problem_code(q, r);
	else if (r < 0)
		cw_rest_problem_errors(q, problem, errs);
	return r == 0;
}

bool cw_rest_take_id(struct cw_rest_request *q, unsigned i, enum cw_id_kind kind, uint64_t *ret)
{
	const char *text = q->route.param[i];

	if (cw_id_parse(kind, text, strlen(text), ret) == 0)
		return true;
	cw_rest_problem(q, CW_PROBLEM_NOT_FOUND, NULL);
	return false;
}

/* r: 1, 0 or a code. */
static bool found(struct cw_rest_request *q, int r, const char *kind, const char *text)
{
	if (r == 0)
		cw_rest_problem(q, CW_PROBLEM_NOT_FOUND, "there is no %s \"%s\"", kind, text);
	else if (r < 0)
		cw_rest_problem_code(q, r);
	return r > 0;
}

#define TAKE(name, kind, word)                                                         \
	bool cw_rest_take_##name(struct cw_rest_request *q, struct cw_store_reader *r, \
		const char *text, struct cw_##name *ret)                               \
	{                                                                              \
		uint64_t id;                                                           \
                                                                                       \
		return found(q,                                                        \
			cw_id_parse(kind, text, strlen(text), &id) == 0                \
				? cw_read_##name##_id(r, id, ret)                      \
				: cw_read_##name(r, text, ret),                        \
			word, text);                                                   \
	}
TAKE(pool, CW_ID_POOL, "pool")
TAKE(tep, CW_ID_TEP, "tunnel end point")
TAKE(user, CW_ID_USER, "user")

/* ---- reading ---- */

struct cw_store_reader *cw_rest_reader(struct cw_rest_request *q)
{
	int r = q->reader ? 0 : cw_rest_readers_take(q->rest->readers, &q->reader);

	if (r < 0)
		cw_rest_problem_code(q, r);
	return r < 0 ? NULL : q->reader;
}

int64_t cw_rest_now_us(const struct cw_rest_request *q)
{
	return cw_clock_now(cw_loop_clock(q->rest->parts.loop)).mono_us;
}

int64_t cw_rest_now_wall_s(const struct cw_rest_request *q)
{
	return cw_clock_now(cw_loop_clock(q->rest->parts.loop)).wall_s;
}

int64_t cw_rest_now_steady_s(const struct cw_rest_request *q)
{
	return cw_rest_now_wall_s(q) -
	       atomic_load_explicit(&q->rest->wall_minus_steady_s, memory_order_relaxed);
}

int64_t cw_rest_wall_of(const struct cw_rest_request *q, int64_t steady_s)
{
	return steady_s + atomic_load_explicit(&q->rest->wall_minus_steady_s, memory_order_relaxed);
}

/* Names of a few pools and TEPs: a list has many rows of each. */
struct cw_rest_names {
	unsigned n;
	struct {
		uint64_t id;
		bool is_tep;
		char name[CW_NAME_MAX];
	} v[32];
};

static const char *name_of(struct cw_rest_request *q, uint64_t id, bool is_tep)
{
	struct cw_rest_names *names = q->names;
	struct cw_pool pool;
	struct cw_tep tep;
	int r;

	if (!names)
		names = q->names = cw_arena_alloc(q->arena, 1, sizeof *names);
	if (!names || !q->reader)
		return "";
	for (unsigned i = 0; i < names->n; i++)
		if (names->v[i].id == id && names->v[i].is_tep == is_tep)
			return names->v[i].name;
	if (names->n == CW_ARRAY_LEN(names->v))
		names->n = 0;
	r = is_tep ? cw_read_tep_id(q->reader, id, &tep) : cw_read_pool_id(q->reader, id, &pool);
	names->v[names->n].id = id;
	names->v[names->n].is_tep = is_tep;
	(void) snprintf(names->v[names->n].name, sizeof names->v[0].name, "%s",
		r <= 0   ? ""
		: is_tep ? tep.name
			 : pool.name);
	return names->v[names->n++].name;
}

const char *cw_rest_body_detail(struct cw_rest_request *q)
{
	return q->body_n < CW_TEXT_MAX ? cw_arena_strndup(q->arena, q->body, q->body_n) : NULL;
}

const char *cw_rest_pool_name(struct cw_rest_request *q, uint64_t id)
{
	return name_of(q, id, false);
}

const char *cw_rest_tep_name(struct cw_rest_request *q, uint64_t id)
{
	return name_of(q, id, true);
}

void cw_rest_forget_names(struct cw_rest_request *q)
{
	if (q->names)
		q->names->n = 0;
}

/* ---- preconditions ---- */

void cw_rest_etag(struct cw_rest_request *q, uint64_t version)
{
	char tag[CW_ETAG_STRLEN];

	cw_rest_add_header(q, "ETag", cw_etag_str(version, tag));
}

bool cw_rest_modified(struct cw_rest_request *q, uint64_t version)
{
	const char *list = cw_rest_header(q, "If-None-Match");

	if (!list || !cw_if_none_match(list, version))
		return true;
	cw_rest_etag(q, version);
	cw_rest_answer(q, 304, NULL);
	return false;
}

bool cw_rest_if_match(struct cw_rest_request *q, uint64_t version)
{
	const char *value = cw_rest_header(q, "If-Match");
	char tag[CW_ETAG_STRLEN];
	uint64_t seen = 0;
	int r = value ? cw_if_match(value, &seen) : 0;

	if (!value)
		cw_rest_problem(q, CW_PROBLEM_PRECONDITION_REQUIRED,
			"send If-Match with the ETag of what you saw");
	else if (r == CW_E_SYNTAX)
		cw_rest_problem(q, CW_PROBLEM_INVALID_HEADER,
			"If-Match is one ETag as it was given, in its quotation marks");
	else if (r < 0 || seen != version)
		cw_rest_problem(q, CW_PROBLEM_STALE, "it is at %s now", cw_etag_str(version, tag));
	else
		return true;
	return false;
}

/* ---- changing ---- */

/* The same request: operation, path, query, body. */
static bool hash_request(const struct cw_rest_request *q, uint8_t ret[static CW_HASH_LEN])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool good = c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1 &&
		    EVP_DigestUpdate(c, q->operation->name, strlen(q->operation->name) + 1) == 1 &&
		    EVP_DigestUpdate(c, q->path, strlen(q->path) + 1) == 1 &&
		    EVP_DigestUpdate(c, q->query, strlen(q->query) + 1) == 1 &&
		    EVP_DigestUpdate(c, q->body ? q->body : "", q->body_n) == 1 &&
		    EVP_DigestFinal_ex(c, ret, NULL) == 1;

	EVP_MD_CTX_free(c);
	return good;
}

/* A plain hash of a body with a password would be an easier thing to guess it by than its verifier.
 * As costly as that one: RFC 5802 5.1. */
static bool stretch(struct cw_op_cause *c)
{
	uint8_t plain[CW_HASH_LEN];
	int r;

	memcpy(plain, c->request, sizeof plain);
	r = PKCS5_PBKDF2_HMAC((const char *) plain, sizeof plain, (const unsigned char *) c->key,
		(int) c->key_n, STRETCH, EVP_sha256(), CW_HASH_LEN, c->request);
	OPENSSL_cleanse(plain, sizeof plain);
	return r == 1;
}

static bool take_key(struct cw_rest_request *q)
{
	const char *value = cw_rest_header(q, "Idempotency-Key");
	char key[CW_IDEMPOTENCY_KEY_MAX + 1];
	int n;

	if (!value || q->operation->repeat != CW_REST_key)
		return true;
	n = cw_idempotency_key(value, key);
	if (n < 0) {
		cw_rest_problem(q, CW_PROBLEM_INVALID_HEADER,
			"Idempotency-Key is 1 to %d printable characters", CW_IDEMPOTENCY_KEY_MAX);
		return false;
	}
	memcpy(q->cause.key, key, (size_t) n);
	q->cause.key_n = (size_t) n;
	(void) snprintf(q->cause.scope, sizeof q->cause.scope, "%.63s", q->who.actor);
	if (hash_request(q, q->cause.request) && (!q->secret || stretch(&q->cause)))
		return true;
	cw_rest_problem_code(q, -ENOMEM);
	return false;
}

bool cw_rest_cause(struct cw_rest_request *q, const char *object, const char *detail)
{
	struct cw_op_cause *c = &q->cause;

	(void) snprintf(c->actor, sizeof c->actor, "%s", q->who.actor);
	(void) snprintf(c->peer, sizeof c->peer, "%s", q->who.peer);
	(void) snprintf(c->verb, sizeof c->verb, "%s", q->operation->name);
	(void) snprintf(c->object, sizeof c->object, "%s", object);
	(void) snprintf(c->detail, sizeof c->detail, "%s", detail ? detail : "{}");
	q->req.op.cause = c;
	return take_key(q);
}

void cw_rest_audit(struct cw_rest_request *q, const char *object, const char *detail)
{
	struct cw_op_audit *a = &q->req.op.u.audit;

	q->req.op.kind = CW_OP_AUDIT;
	(void) snprintf(a->actor, sizeof a->actor, "%s", q->who.actor);
	(void) snprintf(a->peer, sizeof a->peer, "%s", q->who.peer);
	(void) snprintf(a->verb, sizeof a->verb, "%s", q->operation->name);
	(void) snprintf(a->object, sizeof a->object, "%s", object);
	(void) snprintf(a->detail, sizeof a->detail, "%s", detail ? detail : "{}");
}

bool cw_rest_replayed(struct cw_rest_request *q)
{
	if (q->req.op.result != 0 || !q->cause.replayed)
		return false;
	cw_json_put_raw(&q->out, q->cause.body, q->cause.body_n);
	cw_rest_add_header(q, "Idempotency-Replayed", "true");
	cw_rest_answer_json(q, q->cause.status);
	return true;
}

void cw_rest_show(
	struct cw_rest_request *q, unsigned status, const struct cw_rest_object *o, const void *p)
{
	cw_rest_render(&q->out, o, p);
	cw_rest_answer_json(q, status);
}

int cw_rest_record(const struct cw_rest_object *o, const void *p, char *to, size_t n)
{
	struct cw_json_out out;

	cw_json_out_init(&out, to, n);
	cw_rest_render(&out, o, p);
	return out.err ? out.err : (int) out.len;
}

struct cw_rest_request *cw_rest_of_op(const struct cw_op *op)
{
	return cw_container_of(op->cause, struct cw_rest_request, cause);
}

/* Of the recorded answer: Location and ETag are not kept with it. fixed: the version of what never
 * changes and does not show one. */
static void recorded_headers(struct cw_rest_request *q, const char *base, uint64_t fixed)
{
	static const char id[] = "{\"id\":\"", version[] = ",\"version\":";
	const char *body = q->cause.body, *end = body + q->cause.body_n, *p;
	char path[160];

	if (q->cause.body_n < sizeof id || memcmp(body, id, sizeof id - 1) != 0)
		return;
	p = memchr(body + sizeof id - 1, '"', q->cause.body_n - (sizeof id - 1));
	(void) snprintf(path, sizeof path, "%s%.*s", base,
		p ? (int) (p - body - (sizeof id - 1)) : 0, body + sizeof id - 1);
	cw_rest_add_header(q, "Location", path);
	p = memmem(body, q->cause.body_n, version, sizeof version - 1);
	if (p && p + sizeof version - 1 < end)
		cw_rest_etag(q, strtoull(p + sizeof version - 1, NULL, 10));
	else if (fixed)
		cw_rest_etag(q, fixed);
}

void cw_rest_created(struct cw_rest_request *q, const char *base, uint64_t version,
	const struct cw_rest_object *o, const void *p)
{
	char path[160], id[CW_ID_STRLEN];
	uint64_t number;

	if (q->cause.replayed) {
		recorded_headers(q, base, version);
		(void) cw_rest_replayed(q);
		return;
	}
	memcpy(&number, (const char *) p + o->fields[0].offset, sizeof number);
	(void) snprintf(path, sizeof path, "%s%s", base,
		cw_id_str((enum cw_id_kind) o->fields[0].base, number, id));
	cw_rest_add_header(q, "Location", path);
	if (version)
		cw_rest_etag(q, version);
	cw_rest_show(q, 201, o, p);
}

/* ---- problems that name something ---- */

static void problem_at(struct cw_rest_request *q, enum cw_problem problem, enum cw_rest_where where,
	const char *name, const char *detail)
{
	struct cw_rest_errors *errs = cw_arena_alloc(q->arena, 1, sizeof *errs);
	char pointer[64] = "";

	if (!errs) {
		cw_rest_problem_code(q, -ENOMEM);
		return;
	}
	cw_rest_pointer_add(pointer, sizeof pointer, name, strlen(name));
	cw_rest_error_add(errs, where, pointer, "%s", detail);
	cw_rest_problem_errors(q, problem, errs);
}

void cw_rest_problem_query(struct cw_rest_request *q, const char *key, const char *detail)
{
	problem_at(q, CW_PROBLEM_INVALID_QUERY, CW_REST_IN_QUERY, key, detail);
}

void cw_rest_problem_member(
	struct cw_rest_request *q, enum cw_problem problem, const char *member, const char *detail)
{
	problem_at(q, problem, CW_REST_IN_BODY, member, detail);
}

void cw_rest_problem_scope(
	struct cw_rest_request *q, uint32_t missing, const char *member, const char *detail)
{
	struct cw_rest_errors errs = {0};
	struct cw_problem_text t = {
		.problem = CW_PROBLEM_INSUFFICIENT_SCOPE,
		.scope = missing,
		.errs = &errs,
	};
	char pointer[64] = "";

	cw_rest_pointer_add(pointer, sizeof pointer, member, strlen(member));
	cw_rest_error_add(&errs, CW_REST_IN_BODY, pointer, "%s", detail);
	cw_rest_problem_text(q, &t);
}

const char *cw_rest_place(
	struct cw_addr4 addr, const struct cw_portset *ports, char to[static CW_PLACE_STRLEN])
{
	char text[CW_ADDR4_STRLEN];

	(void) snprintf(to, CW_PLACE_STRLEN, ports->len ? "%s, psid %u" : "%s",
		cw_addr4_str(addr, text), ports->psid);
	return to;
}

int cw_rest_name_leases(struct cw_rest_request *q, uint64_t pool, struct cw_addr4 lo,
	struct cw_addr4 hi, struct cw_rest_errors *errs)
{
	enum { NAMED = 10 };
	const struct cw_lease_filter filter = {.pool_id = pool};
	struct cw_lease_key after = {.addr = {lo.v - 1}, .psid = UINT16_MAX, .begin = lo.v == 0};
	struct cw_lease *rows = cw_arena_alloc(q->arena, NAMED, sizeof *rows);
	int n = rows ? cw_read_leases(q->reader, &filter, after, rows, NAMED) : -ENOMEM, named = 0;

	for (int i = 0; i < n && rows[i].addr.v <= hi.v; i++, named++) {
		char id[CW_ID_STRLEN], place[CW_PLACE_STRLEN];

		cw_rest_error_add(errs, CW_REST_IN_PATH, "", "%s: %s, %s of %s",
			cw_id_str(CW_ID_LEASE, rows[i].id, id),
			cw_rest_place(rows[i].addr, &rows[i].ports, place),
			cw_lease_state_name(rows[i].state), rows[i].principal);
	}
	return n < 0 ? n : named;
}
