/* SPDX-License-Identifier: BSD-2-Clause */
/* Tunnel end points: what the store has of them, and how they are, which the loop knows. Plugins and
 * their options never come from a request but from the section of that name in the configuration. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "broker/rest/handle.h"
#include "broker/rest/handlers.h"
#include "broker/rest/teps.h"

enum { DRAIN_TRIES = 4 };

/* One TEP as it is asked for and shown; of the arena. */
struct view {
	struct cw_tep tep;
	uint64_t bindings;
	bool known; /* to the engine */
	struct cw_engine_tep_status status;
	unsigned http; /* status of the answer */
	unsigned tries;
	bool drain;
	int result; /* of the loop's part */
	struct cw_drift *drift;
};

static struct cw_rest_tep show_tep(const struct view *v)
{
	static const uint8_t states[] = {
		[CW_TEP_IS_STARTING] = CW_REST_TEP_STARTING,
		[CW_TEP_IS_UP] = CW_REST_TEP_UP,
		[CW_TEP_IS_SYNCING] = CW_REST_TEP_SYNCING,
		[CW_TEP_IS_DOWN] = CW_REST_TEP_DOWN,
	};
	const struct cw_engine_tep_status *s = &v->status;

	return (struct cw_rest_tep){
		.id = v->tep.id,
		.name = v->tep.name,
		.plugin = v->tep.plugin,
		.ipv4 = v->tep.has_ipv4 ? v->tep.ipv4 : (struct cw_addr4){0},
		.ipv6 = v->tep.ipv6,
		.draining = v->tep.draining,
		.state = v->known ? states[s->state] : (uint8_t) CW_REST_TEP_STARTING,
		.required = !v->tep.draining,
		.bindings = v->bindings,
		.waiting = v->known ? s->waiting : 0,
		.drift = v->known && s->compared ? s->drift : CW_REST_NONE,
		.compared_at = v->known && s->compared ? s->compared_wall_s : CW_REST_NO_TIME,
		.last_error = v->known && s->last_error ? cw_strerror(s->last_error) : NULL,
		.version = v->tep.version,
	};
}

/* Leases that its pools have: those it should forward for. */
static int count_bindings(struct cw_store_reader *r, uint64_t tep, uint64_t *ret)
{
	struct cw_pool pools[16];
	uint64_t after = 0, count = 0;
	int n;

	while ((n = cw_read_pools(r, after, pools, CW_ARRAY_LEN(pools))) > 0) {
		for (int i = 0; i < n; i++) {
			struct cw_usage u;
			int e = pools[i].tep_id == tep ? cw_read_usage(r, pools[i].id, &u) : 0;

			if (e < 0)
				return e;
			if (e > 0)
				count += u.active;
			after = pools[i].id;
		}
	}
	*ret = count;
	return n;
}

/* The TEP of the path. NULL: answered. */
static struct view *take_view(struct cw_rest_request *q)
{
	struct view *v = cw_arena_alloc(q->arena, 1, sizeof *v);
	int r;

	if (!v) {
		cw_rest_problem_code(q, -ENOMEM);
		return NULL;
	}
	q->mine = v;
	v->http = 200;
	if (!cw_rest_reader(q) || !cw_rest_take_tep(q, q->reader, q->route.param[0], &v->tep))
		return NULL;
	r = count_bindings(q->reader, v->tep.id, &v->bindings);
	if (r < 0)
		cw_rest_problem_code(q, r);
	return r < 0 ? NULL : v;
}

static void ask_status(struct cw_rest_request *q)
{
	struct view *v = q->mine;

	v->known = cw_engine_tep_status(q->rest->parts.engine, v->tep.id, &v->status) == 0;
}

static void answer_view(struct cw_rest_request *q)
{
	const struct view *v = q->mine;
	struct cw_rest_tep shown = show_tep(v);

	if (v->http == 200)
		cw_rest_etag(q, v->tep.version);
	cw_rest_show(q, v->http, &cw_rest_tep_object, &shown);
}

void cw_rest_do_getTep(struct cw_rest_request *q)
{
	struct view *v;

	if (!cw_rest_take_query(q, NULL, NULL))
		return;
	v = take_view(q);
	if (v && cw_rest_modified(q, v->tep.version))
		cw_rest_on_loop(q, ask_status, answer_view);
}

/* ---- list ---- */

struct listing {
	const struct cw_rest_query_list_teps *asked;
	struct view *v; /* all there were when the request came */
	size_t n;
};

static bool wanted(const struct listing *s, const struct view *v)
{
	const struct cw_rest_tep shown = show_tep(v);

	return (!s->asked->name || strcmp(s->asked->name, v->tep.name) == 0) &&
	       (!s->asked->state || s->asked->state & 1u << shown.state);
}

static int page(struct cw_rest_request *q, struct cw_rest_list *l, struct cw_store_reader *r,
	struct cw_cursor *at, unsigned max, bool *ret_more)
{
	struct listing *s = l->mine;
	unsigned shown = 0;
	size_t i = 0;

	(void) r;
	while (i < s->n && s->v[i].tep.id <= at->a)
		i++;
	for (; i < s->n && shown < max; i++) {
		at->a = s->v[i].tep.id;
		if (wanted(s, &s->v[i])) {
			struct cw_rest_tep row = show_tep(&s->v[i]);

			cw_rest_row(q, l, &row);
			shown++;
		}
	}
	*ret_more = i < s->n;
	return (int) shown;
}

static void ask_all(struct cw_rest_request *q)
{
	struct listing *s = ((struct cw_rest_list *) q->mine)->mine;

	for (size_t i = 0; i < s->n; i++)
		s->v[i].known = cw_engine_tep_status(q->rest->parts.engine, s->v[i].tep.id,
					&s->v[i].status) == 0;
}

static void list(struct cw_rest_request *q)
{
	cw_rest_list(q, q->mine);
}

/* There are few of them: all are read before the loop is asked about them. */
static int read_all(struct cw_rest_request *q, struct listing *s)
{
	uint64_t count, after = 0;
	int r = cw_count_rows(q->reader, CW_TABLE_TEPS, &count);

	if (r < 0)
		return r;
	s->v = cw_arena_alloc(q->arena, count ? (size_t) count : 1, sizeof *s->v);
	if (!s->v)
		return -ENOMEM;
	while (s->n < count) {
		struct view *v = &s->v[s->n];

		r = cw_read_teps(q->reader, after, &v->tep, 1);
		if (r <= 0)
			return r;
		r = count_bindings(q->reader, v->tep.id, &v->bindings);
		if (r < 0)
			return r;
		after = v->tep.id;
		s->n++;
	}
	return 0;
}

void cw_rest_do_listTeps(struct cw_rest_request *q)
{
	struct cw_rest_list *l = cw_rest_take_list(
		q, &cw_rest_tep_object, &cw_rest_query_list_teps_object, sizeof(struct listing));
	struct listing *s = l ? l->mine : NULL;
	int r;

	if (!l || !cw_rest_reader(q))
		return;
	s->asked = l->asked;
	l->page = page;
	q->mine = l;
	r = read_all(q, s);
	if (r < 0)
		cw_rest_problem_code(q, r);
	else
		cw_rest_on_loop(q, ask_all, list);
}

/* ---- make ---- */

/* The section of that name, or NULL. Borrowed from the configuration. */
static const struct cw_tep *configured(const struct cw_rest *rest, const char *name)
{
	const struct cw_config *c = rest->parts.config;

	for (size_t i = 0; i < c->n_teps; i++)
		if (strcmp(c->teps[i].tep.name, name) == 0)
			return &c->teps[i].tep;
	return NULL;
}

int cw_rest_new_tep(const struct cw_rest *rest, const struct cw_rest_tep_create *b,
	struct cw_tep *ret, char *why, size_t why_n)
{
	const struct cw_tep *conf = configured(rest, b->name);

	if (!conf) {
		(void) snprintf(why, why_n, "the configuration has no section tep \"%s\"", b->name);
		return -ENOENT;
	}
	*ret = *conf;
	ret->has_ipv4 = b->ipv4.v != 0;
	ret->ipv4 = b->ipv4;
	ret->ipv6 = b->ipv6;
	ret->draining = b->draining;
	return cw_engine_check_tep(ret, rest->parts.config->plugin_dir, why, why_n);
}

static void complete_created(struct cw_op *op)
{
	(void) cw_id_str(CW_ID_TEP, op->u.tep.id, op->cause->object);
}

/* It has just been made: nobody knows more of it yet. */
static int record_created(const struct cw_op *op, unsigned *ret_status, char *to, size_t n)
{
	const struct view v = {.tep = op->u.tep};
	struct cw_rest_tep shown = show_tep(&v);

	*ret_status = 201;
	return cw_rest_record(&cw_rest_tep_object, &shown, to, n);
}

static void created(struct cw_rest_request *q)
{
	const struct view v = {.tep = q->req.op.u.tep};
	struct cw_rest_tep shown = show_tep(&v);

	if (q->req.op.result == CW_E_CONFLICT)
		cw_rest_problem_member(
			q, CW_PROBLEM_EXISTS, "name", "there is a tunnel end point of this name");
	else if (q->req.op.result < 0)
		cw_rest_problem_code(q, q->req.op.result);
	else
		cw_rest_created(q, "/v1/teps/", v.tep.version, &cw_rest_tep_object, &shown);
}

void cw_rest_do_createTep(struct cw_rest_request *q)
{
	struct cw_rest_tep_create body = {0};
	char why[256] = "";

	if (!cw_rest_take_query(q, NULL, NULL) ||
		!cw_rest_take_body(q, &cw_rest_tep_create_object, &body))
		return;
	if (cw_rest_new_tep(q->rest, &body, &q->req.op.u.tep, why, sizeof why) < 0) {
		cw_rest_problem(q, CW_PROBLEM_NOT_CONFIGURED, "%s", why);
		return;
	}
	q->req.op.kind = CW_OP_TEP_ADD;
	if (!cw_rest_cause(q, "", cw_rest_body_detail(q)))
		return;
	q->cause.complete = complete_created;
	q->cause.answer = record_created;
	cw_rest_submit(q, created);
}

/* ---- change ---- */

/* What needs it: pools first, for leases are theirs. */
static void refuse_in_use(struct cw_rest_request *q, uint64_t tep)
{
	struct cw_rest_errors *errs = cw_arena_alloc(q->arena, 1, sizeof *errs);
	struct cw_pool pools[16];
	uint64_t after = 0;
	int n = errs ? 0 : -ENOMEM;

	if (!cw_rest_reader(q))
		return;
	while (n >= 0 && (n = cw_read_pools(q->reader, after, pools, CW_ARRAY_LEN(pools))) > 0) {
		for (int i = 0; i < n && errs->n < 10; i++) {
			char id[CW_ID_STRLEN];

			if (pools[i].tep_id == tep)
				cw_rest_error_add(errs, CW_REST_IN_PATH, "", "%s: pool \"%s\"",
					cw_id_str(CW_ID_POOL, pools[i].id, id), pools[i].name);
		}
		after = pools[n - 1].id;
	}
	if (n < 0)
		cw_rest_problem_code(q, n);
	else
		cw_rest_problem_errors(q, CW_PROBLEM_IN_USE, errs);
}

static void updated(struct cw_rest_request *q)
{
	struct view *v = q->mine;
	int r = q->req.op.result;

	if (r == CW_E_CONFLICT) {
		refuse_in_use(q, v->tep.id);
	} else if (r < 0) {
		cw_rest_problem_code(q, r);
	} else {
		v->tep = q->req.op.u.tep;
		cw_rest_on_loop(q, ask_status, answer_view);
	}
}

void cw_rest_do_updateTep(struct cw_rest_request *q)
{
	const struct cw_rest_object *o = &cw_rest_tep_patch_object;
	struct cw_rest_tep_patch body = {0};
	struct cw_tep *t = &q->req.op.u.tep;
	char id[CW_ID_STRLEN];
	struct view *v;

	if (!cw_rest_take_query(q, NULL, NULL) || !cw_rest_take_body(q, o, &body))
		return;
	v = take_view(q);
	if (!v || !cw_rest_if_match(q, v->tep.version))
		return;
	*t = v->tep;
	if (CW_REST_HAS(o, &body, ipv4)) {
		t->has_ipv4 = body.ipv4.v != 0;
		t->ipv4 = body.ipv4;
	}
	if (CW_REST_HAS(o, &body, ipv6))
		t->ipv6 = body.ipv6;
	if (CW_REST_HAS(o, &body, draining))
		t->draining = body.draining;
	q->req.op.kind = CW_OP_TEP_SET;
	if (cw_rest_cause(q, cw_id_str(CW_ID_TEP, t->id, id), cw_rest_body_detail(q)))
		cw_rest_submit(q, updated);
}

static void deleted(struct cw_rest_request *q)
{
	const struct view *v = q->mine;

	if (q->req.op.result == 0)
		cw_rest_answer(q, 204, NULL);
	else if (q->req.op.result == CW_E_CONFLICT)
		refuse_in_use(q, v->tep.id);
	else
		cw_rest_problem_code(q, q->req.op.result);
}

void cw_rest_do_deleteTep(struct cw_rest_request *q)
{
	char id[CW_ID_STRLEN], detail[96];
	struct view *v;

	if (!cw_rest_take_query(q, NULL, NULL))
		return;
	v = take_view(q);
	if (!v || !cw_rest_if_match(q, v->tep.version))
		return;
	q->req.op.kind = CW_OP_TEP_DEL;
	q->req.op.u.tep = v->tep;
	(void) snprintf(detail, sizeof detail, "{\"name\":\"%s\"}", v->tep.name);
	if (cw_rest_cause(q, cw_id_str(CW_ID_TEP, v->tep.id, id), detail))
		cw_rest_submit(q, deleted);
}

/* ---- drain, resync ---- */

static void set_draining(struct cw_rest_request *q);

/* Somebody else changed it between reading and writing: once more with what is there now. */
static void draining_set(struct cw_rest_request *q)
{
	struct view *v = q->mine;
	int r = q->req.op.result;

	if (r == CW_E_STALE && v->tries++ < DRAIN_TRIES && cw_rest_reader(q)) {
		r = cw_read_tep_id(q->reader, v->tep.id, &v->tep);
		if (r > 0) {
			set_draining(q);
			return;
		}
		q->req.op.result = r < 0 ? r : -ENOENT;
	}
	updated(q);
}

static void set_draining(struct cw_rest_request *q)
{
	struct view *v = q->mine;
	char id[CW_ID_STRLEN], detail[32];

	if (v->tep.draining == v->drain) {
		cw_rest_on_loop(q, ask_status, answer_view);
		return;
	}
	q->req.op.kind = CW_OP_TEP_SET;
	q->req.op.u.tep = v->tep;
	q->req.op.u.tep.draining = v->drain;
	(void) snprintf(detail, sizeof detail, "{\"draining\":%s}", v->drain ? "true" : "false");
	if (cw_rest_cause(q, cw_id_str(CW_ID_TEP, v->tep.id, id), detail))
		cw_rest_submit(q, draining_set);
}

static void drain(struct cw_rest_request *q, bool on)
{
	struct view *v;

	if (!cw_rest_take_query(q, NULL, NULL))
		return;
	v = take_view(q);
	if (!v)
		return;
	v->drain = on;
	set_draining(q);
}

void cw_rest_do_drainTep(struct cw_rest_request *q)
{
	drain(q, true);
}

void cw_rest_do_undrainTep(struct cw_rest_request *q)
{
	drain(q, false);
}

static void ask_resync(struct cw_rest_request *q)
{
	struct view *v = q->mine;

	v->result = cw_engine_resync_tep(q->rest->parts.engine, v->tep.id);
	ask_status(q);
}

static void resynced(struct cw_rest_request *q)
{
	const struct view *v = q->mine;

	if (v->result == 0)
		answer_view(q);
	else if (v->known && v->status.last_error)
		cw_rest_problem(q, CW_PROBLEM_TEP_FAILED, "it is down and asked again: %s",
			cw_strerror(v->status.last_error));
	else
		cw_rest_problem_code(q, v->result);
}

/* Who asked for it is on disk before it is done. */
static void noted(struct cw_rest_request *q)
{
	if (q->req.op.result < 0)
		cw_rest_problem_code(q, q->req.op.result);
	else
		cw_rest_on_loop(q, ask_resync, resynced);
}

void cw_rest_do_resyncTep(struct cw_rest_request *q)
{
	char object[CW_ID_STRLEN];
	struct view *v;

	if (!cw_rest_take_query(q, NULL, NULL))
		return;
	v = take_view(q);
	if (!v)
		return;
	v->http = 202;
	cw_rest_audit(q, cw_id_str(CW_ID_TEP, v->tep.id, object), NULL);
	cw_rest_submit(q, noted);
}

/* ---- drift ---- */

static void ask_drift(struct cw_rest_request *q)
{
	struct view *v = q->mine;
	const struct cw_drift *d = cw_engine_drift(q->rest->parts.engine, v->tep.id);

	v->known = d != NULL;
	if (d)
		*v->drift = *d;
}

static struct cw_rest_binding show_binding(const struct cw_drift_binding *b)
{
	return (struct cw_rest_binding){
		.address = b->addr, .ports = b->ports, .ipv6 = b->client6, .lease = b->lease};
}

static void answer_drift(struct cw_rest_request *q)
{
	const struct view *v = q->mine;
	const struct cw_drift *d = v->drift;
	size_t n = d->differences < CW_DRIFT_ITEMS ? (size_t) d->differences : CW_DRIFT_ITEMS;
	struct cw_rest_drift_item *items = cw_arena_alloc(q->arena, CW_DRIFT_ITEMS, sizeof *items);
	struct cw_rest_binding *b = cw_arena_alloc(q->arena, 2 * CW_DRIFT_ITEMS, sizeof *b);
	struct cw_rest_drift shown = {
		.tep = v->tep.name,
		.compared_at = v->known ? d->compared_wall_s : CW_REST_NO_TIME,
		.wanted = d->wanted,
		.actual = d->actual,
		.differences = d->differences,
		.items = {items, n},
	};

	if (!items || !b) {
		cw_rest_problem_code(q, -ENOMEM);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		b[2 * i] = show_binding(&d->item[i].wanted);
		b[2 * i + 1] = show_binding(&d->item[i].actual);
		items[i] = (struct cw_rest_drift_item){
			.kind = (uint8_t) d->item[i].kind,
			.wanted = d->item[i].kind == CW_DRIFT_EXTRA ? NULL : &b[2 * i],
			.actual = d->item[i].kind == CW_DRIFT_MISSING ? NULL : &b[2 * i + 1],
		};
	}
	cw_rest_show(q, 200, &cw_rest_drift_object, &shown);
}

void cw_rest_do_getDrift(struct cw_rest_request *q)
{
	struct view *v;

	if (!cw_rest_take_query(q, NULL, NULL))
		return;
	v = take_view(q);
	if (!v)
		return;
	v->drift = cw_arena_alloc(q->arena, 1, sizeof *v->drift);
	if (v->drift)
		cw_rest_on_loop(q, ask_drift, answer_drift);
	else
		cw_rest_problem_code(q, -ENOMEM);
}
