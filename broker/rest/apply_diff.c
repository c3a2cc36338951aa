/* SPDX-License-Identifier: BSD-2-Clause */
/* See apply.h. Each kind: what is named is looked up and made or changed, then, of the kinds that the
 * body has, what is there and not named goes (prune) or is told of. */
#include "config.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "broker/rest/apply.h"
#include "broker/rest/pools.h"
#include "broker/rest/reservations.h"
#include "broker/rest/teps.h"
#include "broker/rest/users.h"

/* ---- steps ---- */

/* pointer NULL: it goes because nobody names it. NULL: no memory, answered. */
static struct cw_apply_step *add(struct cw_apply *a, enum cw_apply_phase phase, uint8_t action,
	uint8_t kind, const char *name, const char *pointer)
{
	struct cw_apply_step *s = cw_zalloc(1, sizeof *s), **v = a->steps;
	/* What prune would delete is only told. */
	bool told = action == CW_REST_REMOVE && !pointer && !a->asked.prune;

	if (a->n == a->cap) {
		size_t cap = a->cap ? 2 * a->cap : 64;

		/* NOLINTNEXTLINE(bugprone-sizeof-expression): a table of pointers */
		v = cw_realloc(a->steps, cap, sizeof *v);
		if (v) {
			a->steps = v;
			a->cap = cap;
		}
	}
	if (s) {
		s->op = told ? NULL : cw_zalloc(1, sizeof *s->op);
		s->name = cw_arena_strndup(a->q->arena, name, strlen(name));
		pointer = pointer ? pointer : "";
		s->pointer = cw_arena_strndup(a->q->arena, pointer, strlen(pointer));
	}
	if (!s || !v || (!s->op && !told) || !s->name || !s->pointer) {
		if (s)
			(void) cw_free(s->op);
		(void) cw_free(s);
		cw_rest_problem_code(a->q, -ENOMEM);
		return NULL;
	}
	s->phase = phase;
	s->action = action;
	s->kind = kind;
	a->steps[a->n++] = s;
	return s;
}

static void member(struct cw_apply_step *s, const char *name)
{
	if (s->n_members < CW_APPLY_MEMBERS)
		s->members[s->n_members++] = name;
}

/* A change that turned out to be none. */
static void drop_last(struct cw_apply *a)
{
	struct cw_apply_step *s = a->steps[--a->n];

	(void) cw_free(s->op);
	(void) cw_free(s);
}

static bool fail(struct cw_apply *a, enum cw_problem problem, const char *pointer, const char *text)
{
	struct cw_rest_errors *errs = cw_arena_alloc(a->q->arena, 1, sizeof *errs);

	if (!errs) {
		cw_rest_problem_code(a->q, -ENOMEM);
		return false;
	}
	cw_rest_error_add(errs, CW_REST_IN_BODY, pointer, "%s", text);
	cw_rest_problem_errors(a->q, problem, errs);
	return false;
}

static bool failed_code(struct cw_apply *a, int r)
{
	if (r < 0)
		cw_rest_problem_code(a->q, r);
	return r < 0;
}

/* The names of a list of bodies, of which each may be there once. All begin with `seen` and name. */
#define NAMED(list, type, i) (((const struct type *) (list)->items)[i].name)
#define HAS_NAME(list, type, wanted, ret)                                   \
	do {                                                                \
		(ret) = (list)->n;                                          \
		for (size_t k_ = 0; k_ < (list)->n; k_++)                   \
			if (strcmp(NAMED(list, type, k_), (wanted)) == 0) { \
				(ret) = k_;                                 \
				break;                                      \
			}                                                   \
	} while (0)

/* ---- TEPs ---- */

static bool one_tep(struct cw_apply *a, const struct cw_rest_tep_create *b, const char *at)
{
	const struct cw_rest_object *o = &cw_rest_tep_create_object;
	struct cw_apply_step *s;
	char why[256] = "";
	struct cw_tep have, t;
	int r = cw_read_tep(a->q->reader, b->name, &have);

	if (failed_code(a, r))
		return false;
	if (r == 0) {
		if (cw_rest_new_tep(a->q->rest, b, &t, why, sizeof why) < 0)
			return fail(a, CW_PROBLEM_NOT_CONFIGURED, at, why);
		s = add(a, CW_APPLY_TEPS, CW_REST_CREATE, CW_REST_KIND_TEP, b->name, at);
		if (s) {
			s->op->kind = CW_OP_TEP_ADD;
			s->op->u.tep = t;
		}
		return s != NULL;
	}
	t = have;
	if (CW_REST_HAS(o, b, ipv4)) {
		t.has_ipv4 = b->ipv4.v != 0;
		t.ipv4 = b->ipv4;
	}
	t.ipv6 = b->ipv6;
	if (CW_REST_HAS(o, b, draining))
		t.draining = b->draining;
	s = add(a, CW_APPLY_TEPS, CW_REST_CHANGE, CW_REST_KIND_TEP, b->name, at);
	if (!s)
		return false;
	s->op->kind = CW_OP_TEP_SET;
	s->op->u.tep = t;
	s->id_kind = CW_ID_TEP;
	s->id = have.id;
	if (t.has_ipv4 != have.has_ipv4 || (t.has_ipv4 && t.ipv4.v != have.ipv4.v))
		member(s, "ipv4");
	if (!cw_addr6_eq(&t.ipv6, &have.ipv6))
		member(s, "ipv6");
	if (t.draining != have.draining)
		member(s, "draining");
	if (!s->n_members)
		drop_last(a);
	return true;
}

static bool surplus_teps(struct cw_apply *a)
{
	struct cw_tep have;
	uint64_t after = 0;
	size_t at;
	int n;

	while ((n = cw_read_teps(a->q->reader, after, &have, 1)) > 0) {
		after = have.id;
		HAS_NAME(&a->body.teps, cw_rest_tep_create, have.name, at);
		if (at == a->body.teps.n) {
			struct cw_apply_step *s = add(a, CW_APPLY_TEPS_GO, CW_REST_REMOVE,
				CW_REST_KIND_TEP, have.name, NULL);

			if (!s)
				return false;
			s->id_kind = CW_ID_TEP;
			s->id = have.id;
			if (s->op) {
				s->op->kind = CW_OP_TEP_DEL;
				s->op->u.tep = have;
			}
		}
	}
	return !failed_code(a, n);
}

/* ---- pools and their ranges ---- */

struct range_kind {
	uint8_t kind;
	enum cw_id_kind id;
	enum cw_op_kind add, del;
	int (*read)(struct cw_store_reader *r, uint64_t pool, uint64_t after, struct cw_range *to,
		size_t max);
};
static const struct range_kind range_kinds[2] = {
	{CW_REST_KIND_RANGE, CW_ID_RANGE, CW_OP_RANGE_ADD, CW_OP_RANGE_DEL, cw_read_ranges},
	{CW_REST_KIND_EXCLUSION, CW_ID_EXCLUSION, CW_OP_EXCLUDE_ADD, CW_OP_EXCLUDE_DEL,
		cw_read_excludes},
};

static bool range_step(struct cw_apply *a, const struct range_kind *k, const struct cw_pool *p,
	const struct cw_range *v, const char *at)
{
	char name[160], lo[CW_ADDR4_STRLEN], hi[CW_ADDR4_STRLEN];
	struct cw_apply_step *s;

	(void) snprintf(name, sizeof name, "%s %s-%s", p->name, cw_addr4_str(v->lo, lo),
		cw_addr4_str(v->hi, hi));
	s = add(a, v->id ? CW_APPLY_RANGES_GO : CW_APPLY_RANGES,
		v->id ? CW_REST_REMOVE : CW_REST_CREATE, k->kind, name, at);
	if (!s)
		return false;
	s->op->kind = v->id ? k->del : k->add;
	s->op->u.range = *v;
	s->op->u.range.pool_id = p->id;
	s->id_kind = k->id;
	s->id = v->id;
	return true;
}

/* Those of the body against those there are; both are wanted whole. */
static bool pool_ranges(struct cw_apply *a, const struct range_kind *k, const struct cw_pool *p,
	const struct cw_rest_array *want, const char *at)
{
	const struct cw_rest_range4 *w = want->items;
	bool *found = cw_arena_alloc(a->q->arena, want->n ? want->n : 1, sizeof *found);
	struct cw_range have;
	uint64_t after = 0;
	size_t i;
	int n;

	if (!found)
		return !failed_code(a, -ENOMEM);
	while ((n = k->read(a->q->reader, p->id, after, &have, 1)) > 0) {
		after = have.id;
		for (i = 0; i < want->n; i++)
			if (w[i].lo.v == have.lo.v && w[i].hi.v == have.hi.v)
				break;
		if (i < want->n)
			found[i] = true;
		else if (!range_step(a, k, p, &have, at))
			return false;
	}
	if (failed_code(a, n))
		return false;
	for (i = 0; i < want->n; i++) {
		const struct cw_range v = {.lo = w[i].lo, .hi = w[i].hi};

		if (!found[i] && !range_step(a, k, p, &v, at))
			return false;
	}
	return true;
}

static bool pool_fits(struct cw_apply *a, const struct cw_pool *p, const char *at)
{
	struct cw_rest_errors *errs = cw_arena_alloc(a->q->arena, 1, sizeof *errs);

	if (!errs)
		return !failed_code(a, -ENOMEM);
	cw_rest_check_pool(p, at, errs);
	if (errs->n)
		cw_rest_problem_errors(a->q, CW_PROBLEM_INVALID_BODY, errs);
	return errs->n == 0;
}

static bool new_pool(struct cw_apply *a, const struct cw_rest_pool_create *b, const char *at)
{
	const struct cw_pool p = cw_rest_new_pool(b);
	struct cw_apply_step *s;
	struct cw_op_pool *op;

	if (!pool_fits(a, &p, at))
		return false;
	s = add(a, CW_APPLY_POOLS, CW_REST_CREATE, CW_REST_KIND_POOL, b->name, at);
	if (!s)
		return false;
	s->op->kind = CW_OP_POOL_ADD;
	op = &s->op->u.pool;
	op->pool = p;
	(void) snprintf(op->tep, sizeof op->tep, "%s", b->tep);
	op->ranges = cw_rest_ranges_of(a->q->arena, &b->ranges);
	op->n_ranges = b->ranges.n;
	op->excludes = cw_rest_ranges_of(a->q->arena, &b->exclusions);
	op->n_excludes = b->exclusions.n;
	return (op->ranges && op->excludes) || !failed_code(a, -ENOMEM);
}

/* Members that the body has and that differ. */
#define TAKE(name_)                                                                           \
	do {                                                                                  \
		if (CW_REST_HAS(o, b, name_) && (uint64_t) p->name_ != (uint64_t) b->name_) { \
			p->name_ = (__typeof__(p->name_)) b->name_;                           \
			member(s, #name_);                                                    \
		}                                                                             \
	} while (0)

static bool same_pool(struct cw_apply *a, const struct cw_rest_pool_create *b,
	const struct cw_pool *have, const char *at)
{
	const struct cw_rest_object *o = &cw_rest_pool_create_object;
	struct cw_apply_step *s =
		add(a, CW_APPLY_POOLS, CW_REST_CHANGE, CW_REST_KIND_POOL, b->name, at);
	struct cw_pool *p;

	if (!s)
		return false;
	s->op->kind = CW_OP_POOL_SET;
	s->id_kind = CW_ID_POOL;
	s->id = have->id;
	p = &s->op->u.pool.pool;
	*p = *have;
	TAKE(keep_system_ports);
	TAKE(state);
	TAKE(lifetime_s);
	TAKE(lifetime_min_s);
	TAKE(lifetime_max_s);
	TAKE(quarantine_s);
	TAKE(max_leases);
	TAKE(retention_s);
	TAKE(order);
	TAKE(low_percent);
	if (strcmp(cw_rest_tep_name(a->q, have->tep_id), b->tep) != 0) {
		(void) snprintf(s->op->u.pool.tep, sizeof s->op->u.pool.tep, "%s", b->tep);
		member(s, "tep");
	}
	if (!pool_fits(a, p, at))
		return false;
	if (!s->n_members)
		drop_last(a);
	return true;
}

static bool one_pool(struct cw_apply *a, const struct cw_rest_pool_create *b, const char *at)
{
	const struct cw_rest_object *o = &cw_rest_pool_create_object;
	struct cw_pool have;
	struct cw_tep tep;
	size_t named;
	int r = cw_read_tep(a->q->reader, b->tep, &tep);

	HAS_NAME(&a->body.teps, cw_rest_tep_create, b->tep, named);
	if (r == 0 && named == a->body.teps.n)
		return fail(a, CW_PROBLEM_NOT_FOUND, at, "there is no such tunnel end point");
	if (r >= 0)
		r = cw_read_pool(a->q->reader, b->name, &have);
	if (failed_code(a, r))
		return false;
	if (r == 0)
		return new_pool(a, b, at);
	if (CW_REST_HAS(o, b, port_set) &&
		(b->port_set.offset != have.ps_offset || b->port_set.len != have.ps_len))
		return fail(a, CW_PROBLEM_INVALID_BODY, at,
			"the port sets of a pool stay as they were made");
	return same_pool(a, b, &have, at) &&
	       (!CW_REST_HAS(o, b, ranges) ||
		       pool_ranges(a, &range_kinds[0], &have, &b->ranges, at)) &&
	       (!CW_REST_HAS(o, b, exclusions) ||
		       pool_ranges(a, &range_kinds[1], &have, &b->exclusions, at));
}

static bool surplus_pools(struct cw_apply *a)
{
	struct cw_pool have;
	uint64_t after = 0;
	size_t at;
	int n;

	while ((n = cw_read_pools(a->q->reader, after, &have, 1)) > 0) {
		after = have.id;
		HAS_NAME(&a->body.pools, cw_rest_pool_create, have.name, at);
		if (at == a->body.pools.n) {
			struct cw_apply_step *s = add(a, CW_APPLY_POOLS_GO, CW_REST_REMOVE,
				CW_REST_KIND_POOL, have.name, NULL);

			if (!s)
				return false;
			s->id_kind = CW_ID_POOL;
			s->id = have.id;
			if (s->op) {
				s->op->kind = CW_OP_POOL_DEL;
				s->op->u.pool.pool = have;
			}
		}
	}
	return !failed_code(a, n);
}

/* ---- reservations ---- */

static uint64_t psid_of(const struct cw_rest_reservation_create *b)
{
	return CW_REST_HAS(&cw_rest_reservation_create_object, b, psid) ? b->psid : CW_REST_NONE;
}

/* Bodies by (address, PSID). */
static const struct cw_rest_reservation_create *wanted_at(
	const struct cw_apply *a, const struct cw_reservation *v, size_t *ret)
{
	const struct cw_rest_reservation_create *b = a->body.reservations.items;

	for (*ret = 0; *ret < a->body.reservations.n; ++*ret) {
		uint64_t psid = psid_of(&b[*ret]);

		if (b[*ret].address.v == v->addr.v && (psid == CW_REST_NONE ? 0 : psid) == v->psid)
			return &b[*ret];
	}
	return NULL;
}

/* The pool it will be in: one of the body that has the address, or one that is there. 1, 0, code. */
static int pool_of(
	const struct cw_apply *a, const struct cw_rest_reservation_create *b, struct cw_pool *ret)
{
	const struct cw_rest_pool_create *p = a->body.pools.items;

	for (size_t i = 0; i < a->body.pools.n; i++) {
		const struct cw_rest_range4 *v = p[i].ranges.items;

		for (size_t k = 0; k < p[i].ranges.n; k++) {
			if (v[k].lo.v > b->address.v || v[k].hi.v < b->address.v)
				continue;
			*ret = cw_rest_new_pool(&p[i]);
			return 1;
		}
	}
	return cw_rest_find_pool(a->q->reader, b->address, ret);
}

static bool new_reservation(
	struct cw_apply *a, const struct cw_rest_reservation_create *b, const char *at)
{
	char addr[CW_ADDR4_STRLEN];
	uint64_t psid = psid_of(b);
	struct cw_apply_step *s;
	struct cw_pool p;
	const char *wrong;
	int r = pool_of(a, b, &p);

	if (failed_code(a, r))
		return false;
	if (r == 0 || (b->pool && strcmp(b->pool, p.name) != 0))
		return fail(a, CW_PROBLEM_NOT_FOUND, at, "no such pool has the address");
	wrong = cw_rest_check_psid(&p, psid);
	if (wrong)
		return fail(a, CW_PROBLEM_INVALID_BODY, at, wrong);
	s = add(a, CW_APPLY_RESERVATIONS, CW_REST_CREATE, CW_REST_KIND_RESERVATION,
		cw_addr4_str(b->address, addr), at);
	if (!s)
		return false;
	s->op->kind = CW_OP_RESERVE_ADD; /* the pool may be new: it is found by the address */
	s->op->u.reservation = (struct cw_reservation){
		.addr = b->address, .psid = psid == CW_REST_NONE ? 0 : (uint16_t) psid};
	(void) snprintf(s->op->u.reservation.principal, sizeof s->op->u.reservation.principal, "%s",
		b->owner);
	return true;
}

static bool old_reservation(struct cw_apply *a, const struct cw_reservation *have, bool *found)
{
	char addr[CW_ADDR4_STRLEN], at[48];
	const struct cw_rest_reservation_create *b;
	struct cw_apply_step *s;
	size_t i;

	b = wanted_at(a, have, &i);
	if (b)
		found[i] = true;
	if (b && strcmp(b->owner, have->principal) == 0)
		return true;
	(void) snprintf(at, sizeof at, "/reservations/%zu", i);
	s = add(a, b ? CW_APPLY_RESERVATIONS : CW_APPLY_RESERVATIONS_GO,
		b ? CW_REST_CHANGE : CW_REST_REMOVE, CW_REST_KIND_RESERVATION,
		cw_addr4_str(have->addr, addr), b ? at : NULL);
	if (!s)
		return false;
	s->id_kind = CW_ID_RESERVATION;
	s->id = have->id;
	if (s->op) {
		s->op->kind = b ? CW_OP_RESERVE_SET : CW_OP_RESERVE_DEL;
		s->op->u.reservation = *have;
	}
	if (b) {
		member(s, "owner");
		(void) snprintf(s->op->u.reservation.principal,
			sizeof s->op->u.reservation.principal, "%s", b->owner);
	}
	return true;
}

static bool reservations(struct cw_apply *a)
{
	const struct cw_rest_array *want = &a->body.reservations;
	const struct cw_rest_reservation_create *b = want->items;
	bool *found = cw_arena_alloc(a->q->arena, want->n ? want->n : 1, sizeof *found);
	struct cw_reservation have;
	uint64_t after = 0;
	int n;

	if (!found)
		return !failed_code(a, -ENOMEM);
	while ((n = cw_read_reservations(a->q->reader, after, &have, 1)) > 0) {
		after = have.id;
		if (!old_reservation(a, &have, found))
			return false;
	}
	if (failed_code(a, n))
		return false;
	for (size_t i = 0; i < want->n; i++) {
		char at[48];

		(void) snprintf(at, sizeof at, "/reservations/%zu", i);
		if (!found[i] && !new_reservation(a, &b[i], at))
			return false;
	}
	return true;
}

/* ---- users ---- */

/* 1: it logs in with just these already; 0; or a code. */
static int password_fits(
	struct cw_apply *a, const struct cw_user *have, const struct cw_rest_password *p)
{
	struct cw_credential v[CW_AUTH_KINDS];
	struct cw_sasl_verifier check = {0};
	int n = cw_read_credentials_of(a->q->reader, have->id, v, CW_AUTH_KINDS), r;

	if (n <= 0 || cw_rest_mechanisms_of(v, (size_t) n) != cw_rest_mechanisms(a->q->rest, p)) {
		OPENSSL_cleanse(v, sizeof v);
		return n < 0 ? n : 0;
	}
	(void) snprintf(check.kind, sizeof check.kind, "%s", v[0].kind);
	(void) snprintf(check.text, sizeof check.text, "%s", v[0].verifier);
	r = cw_sasl_check_password(&check, have->name, p->text);
	OPENSSL_cleanse(v, sizeof v);
	OPENSSL_cleanse(&check, sizeof check);
	return r > 0;
}

static bool put_credentials(struct cw_apply *a, struct cw_apply_step *s,
	const struct cw_rest_user_create *b, const char *at)
{
	const struct cw_rest_password p = {
		b->password, b->mechanisms, b->allow_password_equivalent};
	const char *which = "";
	int r;

	s->credentials = cw_zalloc(CW_AUTH_KINDS, sizeof *s->credentials);
	r = s->credentials ? cw_rest_verifiers(a->q->rest, b->name, &p, s->credentials, &which)
			   : -ENOMEM;
	if (r == CW_E_POLICY || r == CW_E_SYNTAX)
		return fail(a, CW_PROBLEM_INVALID_BODY, at,
			r == CW_E_POLICY ? "DIGEST-MD5 stores what is as good as the password"
					 : "the password cannot be prepared for a login");
	if (failed_code(a, r))
		return false;
	s->op->u.user.credentials = s->credentials;
	s->op->u.user.n_credentials = (size_t) r;
	return true;
}

static bool new_user(struct cw_apply *a, const struct cw_rest_user_create *b, const char *at)
{
	struct cw_apply_step *s =
		add(a, CW_APPLY_USERS, CW_REST_CREATE, CW_REST_KIND_USER, b->name, at);
	struct cw_user *u;

	if (!s)
		return false;
	s->op->kind = CW_OP_USER_ADD;
	u = &s->op->u.user.user;
	u->disabled = b->disabled;
	u->max_leases = b->max_leases;
	(void) snprintf(u->name, sizeof u->name, "%s", b->name);
	(void) snprintf(u->pool, sizeof u->pool, "%s", b->pool ? b->pool : "");
	return !b->password || put_credentials(a, s, b, at);
}

static bool user_members(struct cw_apply *a, const struct cw_rest_user_create *b,
	const struct cw_user *have, const char *at)
{
	const struct cw_rest_object *o = &cw_rest_user_create_object;
	struct cw_apply_step *s =
		add(a, CW_APPLY_USERS, CW_REST_CHANGE, CW_REST_KIND_USER, b->name, at);
	const char *pool = b->pool ? b->pool : "";
	struct cw_user *p;

	if (!s)
		return false;
	s->op->kind = CW_OP_USER_SET;
	s->id_kind = CW_ID_USER;
	s->id = have->id;
	p = &s->op->u.user.user;
	*p = *have;
	p->version = 0; /* its credentials may change in the same go */
	TAKE(disabled);
	TAKE(max_leases);
	if (CW_REST_HAS(o, b, pool) && strcmp(pool, have->pool) != 0) {
		(void) snprintf(p->pool, sizeof p->pool, "%s", pool);
		member(s, "pool");
	}
	if (!s->n_members)
		drop_last(a);
	return true;
}

static bool one_user(struct cw_apply *a, const struct cw_rest_user_create *b, const char *at)
{
	const struct cw_rest_password p = {
		b->password, b->mechanisms, b->allow_password_equivalent};
	struct cw_apply_step *s;
	struct cw_user have;
	int r = cw_read_user(a->q->reader, b->name, &have);

	if (failed_code(a, r))
		return false;
	if (r == 0)
		return new_user(a, b, at);
	if (!user_members(a, b, &have, at))
		return false;
	r = b->password ? password_fits(a, &have, &p) : 1;
	if (r != 0)
		return !failed_code(a, r);
	s = add(a, CW_APPLY_USERS, CW_REST_CHANGE, CW_REST_KIND_CREDENTIALS, b->name, at);
	if (!s)
		return false;
	s->op->kind = CW_OP_CREDENTIALS_SET;
	s->op->u.user.user.id = have.id;
	(void) snprintf(s->op->u.user.user.name, sizeof have.name, "%s", have.name);
	s->id_kind = CW_ID_USER;
	s->id = have.id;
	member(s, "password");
	return put_credentials(a, s, b, at);
}

static bool surplus_users(struct cw_apply *a)
{
	struct cw_user have;
	uint64_t after = 0;
	size_t at;
	int n;

	while ((n = cw_read_users(a->q->reader, after, &have, 1)) > 0) {
		after = have.id;
		HAS_NAME(&a->body.users, cw_rest_user_create, have.name, at);
		if (at == a->body.users.n) {
			struct cw_apply_step *s = add(a, CW_APPLY_USERS_GO, CW_REST_REMOVE,
				CW_REST_KIND_USER, have.name, NULL);

			if (!s)
				return false;
			s->id_kind = CW_ID_USER;
			s->id = have.id;
			if (s->op) {
				s->op->kind = CW_OP_USER_DEL;
				s->op->u.user.user = have;
			}
		}
	}
	return !failed_code(a, n);
}

/* ---- all ---- */

/* Each name once. */
#define ONCE(list, type, word)                                                             \
	for (size_t i = 0; i < (list)->n; i++) {                                           \
		size_t first;                                                              \
		HAS_NAME(list, type, NAMED(list, type, i), first);                         \
		(void) snprintf(at, sizeof at, "/" word "/%zu/name", i);                   \
		if (first < i)                                                             \
			return fail(a, CW_PROBLEM_INVALID_BODY, at, "it is named before"); \
	}
#define EACH(list, type, word, fn)                                         \
	for (size_t i = 0; i < (list)->n; i++) {                           \
		(void) snprintf(at, sizeof at, "/" word "/%zu", i);        \
		if (!fn(a, &((const struct type *) (list)->items)[i], at)) \
			return false;                                      \
	}

static bool each_once(struct cw_apply *a)
{
	char at[64];

	ONCE(&a->body.teps, cw_rest_tep_create, "teps");
	ONCE(&a->body.pools, cw_rest_pool_create, "pools");
	ONCE(&a->body.users, cw_rest_user_create, "users");
	return true;
}

static bool reservations_once(struct cw_apply *a)
{
	const struct cw_rest_reservation_create *b = a->body.reservations.items;

	for (size_t i = 0; i < a->body.reservations.n; i++) {
		uint64_t psid = psid_of(&b[i]);
		const struct cw_reservation v = {
			.addr = b[i].address, .psid = psid == CW_REST_NONE ? 0 : (uint16_t) psid};
		char at[64];
		size_t first;

		(void) wanted_at(a, &v, &first);
		(void) snprintf(at, sizeof at, "/reservations/%zu", i);
		if (first < i)
			return fail(a, CW_PROBLEM_INVALID_BODY, at, "it is named before");
	}
	return true;
}

/* In the order they are made; within a phase as they came. */
static void in_order(struct cw_apply *a, struct cw_apply_step **to)
{
	size_t n = 0;

	for (unsigned phase = 0; phase < CW_APPLY_PHASES; phase++)
		for (size_t i = 0; i < a->n; i++)
			if (a->steps[i]->phase == phase)
				to[n++] = a->steps[i];
	(void) cw_free(a->steps);
	a->steps = to;
}

bool cw_apply_compare(struct cw_apply *a)
{
	const struct cw_rest_object *o = &cw_rest_apply_request_object;
	const struct cw_rest_apply_request *b = &a->body;
	struct cw_apply_step **ordered;
	char at[64];

	if (!each_once(a) || !reservations_once(a))
		return false;
	EACH(&b->teps, cw_rest_tep_create, "teps", one_tep);
	EACH(&b->pools, cw_rest_pool_create, "pools", one_pool);
	EACH(&b->users, cw_rest_user_create, "users", one_user);
	if ((CW_REST_HAS(o, b, teps) && !surplus_teps(a)) ||
		(CW_REST_HAS(o, b, pools) && !surplus_pools(a)) ||
		(CW_REST_HAS(o, b, users) && !surplus_users(a)) ||
		(CW_REST_HAS(o, b, reservations) && !reservations(a)))
		return false;
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): a table of pointers */
	ordered = cw_zalloc(a->n ? a->n : 1, sizeof *ordered);
	if (!ordered)
		return !failed_code(a, -ENOMEM);
	in_order(a, ordered);
	return true;
}

void cw_apply_done(struct cw_apply *a)
{
	for (size_t i = 0; i < a->n; i++) {
		struct cw_apply_step *s = a->steps[i];

		if (s->credentials)
			OPENSSL_cleanse(s->credentials, CW_AUTH_KINDS * sizeof *s->credentials);
		(void) cw_free(s->credentials);
		(void) cw_free(s->op);
		(void) cw_free(s);
	}
	(void) cw_free(a->steps);
	(void) cw_free(a->ops);
	a->steps = NULL;
	a->ops = NULL;
	a->n = 0;
}
