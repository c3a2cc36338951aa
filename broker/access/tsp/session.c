/* SPDX-License-Identifier: BSD-2-Clause */
/* Policy of TSP sessions. Identity is the authenticated user, else the client's IPv6 address; one
 * lease per (identity, client IPv6); a named IPv4 must be held, an authenticated user may take it
 * along; who holds nothing gets 308, never somebody else's silently.
 *
 * A session notes each lease it told its client of (struct cw_tsp_hold), to push a delete when it ends
 * (DSTM 2.3). A new lease of a 2.x session is an offer until accept (RFC 5572 4.4.3); if the
 * session ends before, it is given back, unless another session of the same client has got it
 * meanwhile, or has asked and will. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/access/tsp/session_int.h"

#define HOLDS_MAX     1024 /* per session; who has so many gets no new lease on it */
#define SERVER_V4_LEN 30   /* as every sample has it */

/* One request in the engine; it may outlive its session. */
struct request {
	struct cw_engine_req req;
	struct cw_tsp_access *access;
	struct cw_list in_access;
	struct cw_tsp_session *session; /* NULL: gone */
	bool revoke_if_orphan;          /* nobody will hear of this new lease: give it back */
	bool holder_only;    /* a create that gets nothing new: looked up, then restarted */
	uint32_t lifetime_s; /* as it asked */
	uint64_t inherits;   /* left by another session of this client: this one's, or given back */
};

/* ---- holds ---- */

static void hold_free(struct cw_tsp_hold *h)
{
	struct cw_tsp_access *a = h->session->access;

	cw_engine_unsubscribe(a->engine, &h->sub);
	if (h->offered)
		(void) cw_map_take_u64(a->offers, h->lease);
	cw_list_remove(&h->in_session);
	h->session->n_holds--;
	(void) cw_free(h);
}

static struct cw_tsp_hold *hold_find(struct cw_tsp_session *s, uint64_t lease)
{
	cw_list_for_each (it, &s->holds) {
		struct cw_tsp_hold *h = cw_container_of(it, struct cw_tsp_hold, in_session);

		if (h->lease == lease)
			return h;
	}
	return NULL;
}

static void fill_sides(const struct cw_tsp_access *a, uint64_t tep_id, struct cw_addr4 addr,
	struct cw_portset ports, const struct cw_addr6 *client6, struct cw_tsp_msg *m)
{
	const struct cw_tep *tep = cw_engine_tep(a->engine, tep_id);

	m->type = CW_TSP_V4V6;
	m->client.present = true;
	m->client.has_v4 = m->client.has_v4_len = m->client.has_v6 = true;
	m->client.v4 = addr;
	m->client.v4_len = 32;
	m->client.v6 = *client6;
	m->client.has_portset = !cw_portset_is_whole(ports);
	m->client.portset = ports;
	if (!tep)
		return;
	m->server.present = true;
	m->server.has_v4 = m->server.has_v4_len = tep->has_ipv4;
	m->server.v4 = tep->ipv4;
	m->server.v4_len = SERVER_V4_LEN;
	m->server.has_v6 = true;
	m->server.v6 = tep->ipv6;
}

/* Is this end what our own running request asks for? Then the reply tells the client, not a push.
 */
static bool end_is_ours(const struct cw_tsp_session *s, const struct cw_lease *l)
{
	const struct cw_op *op = s->request ? &s->request->req.op : NULL;

	if (!op)
		return false;
	if (op->kind == CW_OP_END)
		return l->reason == CW_END_RELEASE && op->u.end.addr.v == l->addr.v;
	return op->kind == CW_OP_ACQUIRE && l->reason == CW_END_MOVE && op->u.acquire.named &&
	       op->u.acquire.addr.v == l->addr.v;
}

static void lease_ended(struct cw_engine_sub *sub, const struct cw_lease *l)
{
	struct cw_tsp_hold *h = cw_container_of(sub, struct cw_tsp_hold, sub);
	struct cw_tsp_session *s = h->session;
	struct cw_tsp_msg m = {.action = CW_TSP_DELETE};
	bool ours = end_is_ours(s, l);

	fill_sides(s->access, h->tep, h->addr, h->ports, &h->client6, &m);
	hold_free(h);
	if (s->closed)
		return;
	if (!ours && s->peer.transport != CW_TSP_ON_UDP) {
		if (cw_tsp_server_push_delete(s->server, &m) == 0)
			s->access->stats.pushes++;
		else
			s->access->stats.push_failures++;
	}
	/* While a request runs its reply says whether the session holds a lease. */
	if (!s->n_holds && !s->request)
		cw_tsp_server_set_lease(s->server, false, cw_tsp_access_now_ms(s->access));
	s->ops->changed(s->io);
}

static void hold_note(struct cw_tsp_session *s, const struct cw_lease *l, bool offered)
{
	struct cw_tsp_hold *h = hold_find(s, l->id);

	if (!h) {
		if (s->n_holds >= HOLDS_MAX)
			return;
		h = cw_zalloc(1, sizeof *h);
		if (!h)
			return; /* without it the end is not pushed: the lease still ends */
		h->session = s;
		h->lease = l->id;
		h->sub.ended = lease_ended;
		if (cw_engine_subscribe(s->access->engine, &h->sub, l->id) < 0) {
			(void) cw_free(h);
			return;
		}
		cw_list_append(&s->holds, &h->in_session);
		s->n_holds++;
	}
	h->tep = l->tep_id;
	h->addr = l->addr;
	h->ports = l->ports;
	h->client6 = l->client6;
	if (offered && !h->offered)
		h->offered = cw_map_put_u64(s->access->offers, l->id, h, NULL) == 0;
}

/* Another session got the lease: what was offered here is not this session's to give back any more.
 */
static void offer_overtaken(
	struct cw_tsp_access *a, uint64_t lease, const struct cw_tsp_session *by)
{
	struct cw_tsp_hold *h = cw_map_get_u64(a->offers, lease);

	if (!h || h->session == by)
		return;
	(void) cw_map_take_u64(a->offers, lease);
	h->offered = false;
}

/* ---- requests ---- */

static enum cw_tsp_event event_of(int result)
{
	switch (result) {
	case 0:
		return CW_TSP_DONE;
	case CW_E_POOL_EMPTY:
	case CW_E_QUOTA:
	case CW_E_POLICY:
		return CW_TSP_POOL_EMPTY;
	case CW_E_NOT_YOURS:
	case CW_E_GONE:
	case CW_E_CONFLICT:
		return CW_TSP_ADDRESS;
	case CW_E_TEP:
		return CW_TSP_TEP;
	case CW_E_BUSY:
	case CW_E_SHUTDOWN:
		return CW_TSP_OVERLOAD;
	default:
		return CW_TSP_INTERNAL;
	}
}

static void answer(
	struct cw_tsp_session *s, enum cw_tsp_event ev, const struct cw_tsp_msg *m, unsigned flags)
{
	s->access->stats.answers[ev]++;
	cw_tsp_server_reply(s->server, ev, m, flags, cw_tsp_access_now_ms(s->access));
}

static void answer_lease(
	struct cw_tsp_session *s, const struct cw_lease *l, uint32_t left, unsigned flags)
{
	struct cw_tsp_msg m = {.action = CW_TSP_INFO, .has_lifetime = true};

	fill_sides(s->access, l->tep_id, l->addr, l->ports, &l->client6, &m);
	/* DSTM counts seconds; RFC 5572 4.7.1 minutes, only if configured. Never 0, which some take
	 * for "for ever". */
	if (s->profile->minutes && cw_tsp_server_version(s->server) == CW_TSP_V2)
		left /= 60;
	m.lifetime = left ? left : 1;
	answer(s, CW_TSP_DONE, &m, flags);
}

static void nobody_hears(struct cw_engine_req *req)
{
	struct request *r = cw_container_of(req, struct request, req);

	r->access->pending--;
	cw_list_remove(&r->in_access);
	(void) cw_free(r);
}

/* Gives a lease back that was never taken. r may be a finished request. */
static void give_back(struct cw_tsp_access *a, uint64_t lease)
{
	struct request *r = cw_zalloc(1, sizeof *r);

	if (!r)
		return; /* it expires */
	r->access = a;
	a->pending++;
	cw_list_append(&a->requests, &r->in_access);
	r->req.op.kind = CW_OP_END;
	r->req.op.u.end = (struct cw_op_end){.id = lease, .reason = CW_END_REJECT};
	r->req.done = nobody_hears;
	cw_engine_submit(a->engine, &r->req);
}

static void acquire_answered(struct cw_tsp_session *s, const struct cw_op_acquire *q)
{
	bool v2 = cw_tsp_server_version(s->server) == CW_TSP_V2;
	struct cw_tsp_hold *before = hold_find(s, q->lease.id);
	bool offer = q->how == CW_ACQ_GRANTED || (before && before->offered);
	uint32_t left = cw_engine_remaining_s(s->access->engine, &q->lease);

	if (q->how != CW_ACQ_GRANTED)
		offer_overtaken(s->access, q->lease.id, s);
	/* It has just begun: that a new second has, too, is no second less. */
	if (left + 1 == q->lease.lifetime_s)
		left++;
	/* Before the answer: the machine may report the offer's end inside it. */
	hold_note(s, &q->lease, offer && v2);
	answer_lease(s, &q->lease, left, offer ? CW_TSP_REPLY_OFFER : CW_TSP_REPLY_LEASE);
}

static void request_answered(struct cw_tsp_session *s, const struct cw_op *op)
{
	struct cw_tsp_hold *h;

	if (op->result < 0) {
		answer(s, event_of(op->result), NULL, 0);
	} else if (op->kind == CW_OP_ACQUIRE) {
		acquire_answered(s, &op->u.acquire);
	} else if (op->kind == CW_OP_FIND) {
		hold_note(s, &op->u.find.lease, false);
		answer_lease(s, &op->u.find.lease,
			cw_engine_remaining_s(s->access->engine, &op->u.find.lease),
			CW_TSP_REPLY_LEASE);
	} else {
		h = hold_find(s, op->u.end.lease.id);
		if (h)
			hold_free(h);
		answer(s, CW_TSP_DONE, NULL, 0);
	}
	if (!s->n_holds && !s->closed)
		cw_tsp_server_set_lease(s->server, false, cw_tsp_access_now_ms(s->access));
}

/* A lease that its session leaves without anybody having taken it. If the same client has come
 * again, its request will get it, or has got it as far as the store goes: then it is that one's. */
static void leave(struct cw_tsp_access *a, uint64_t lease, const char *principal,
	const struct cw_addr6 *client6)
{
	cw_list_for_each (it, &a->requests) {
		struct request *other = cw_container_of(it, struct request, in_access);
		const struct cw_op_acquire *q = &other->req.op.u.acquire;

		if (other->req.op.kind != CW_OP_ACQUIRE || !cw_addr6_eq(&q->client6, client6) ||
			strcmp(q->principal, principal) != 0)
			continue;
		other->inherits = lease;
		return;
	}
	give_back(a, lease);
}

/* The request is over; what it was granted without anybody to hear of it, or had inherited and did
 * not get. */
static void settle(const struct request *r, bool heard)
{
	const struct cw_op_acquire *q = &r->req.op.u.acquire;
	bool got = r->req.op.kind == CW_OP_ACQUIRE && r->req.op.result == 0;
	bool mine = got && (q->how == CW_ACQ_GRANTED || q->lease.id == r->inherits);

	if (r->inherits && !(got && q->lease.id == r->inherits))
		leave(r->access, r->inherits, q->principal, &q->client6);
	if (mine && !heard && r->revoke_if_orphan &&
		!cw_engine_is_subscribed(r->access->engine, q->lease.id)) {
		r->access->stats.offers_lost++;
		leave(r->access, q->lease.id, q->principal, &q->client6);
	}
}

/* The lease that a create may still have was found; false: not that. */
static bool restart_found(struct request *r)
{
	struct cw_op *op = &r->req.op;
	const struct cw_op_find f = op->u.find;

	if (!r->holder_only || op->kind != CW_OP_FIND || op->result < 0)
		return false;
	op->kind = CW_OP_ACQUIRE;
	op->u.acquire = (struct cw_op_acquire){.client6 = f.client6,
		.access = CW_ACCESS_TSP,
		.named = true,
		.held_only = true,
		.addr = f.lease.addr,
		.ports = f.lease.ports,
		.lifetime_s = r->lifetime_s,
		.wait_confirm = true};
	memcpy(op->u.acquire.principal, f.principal, sizeof f.principal);
	cw_engine_submit(r->access->engine, &r->req);
	return true;
}

static void request_done(struct cw_engine_req *req)
{
	struct request *r = cw_container_of(req, struct request, req);
	struct cw_tsp_session *s = r->session;

	if (s && restart_found(r))
		return;
	if (r->holder_only && (req->op.result == CW_E_NOT_YOURS || req->op.result == CW_E_GONE))
		req->op.result = CW_E_QUOTA;
	r->access->pending--;
	cw_list_remove(&r->in_access);
	if (s) {
		s->request = NULL;
		request_answered(s, &req->op);
		s->ops->changed(s->io);
	}
	settle(r, s != NULL);
	(void) cw_free(r);
}

/* The requester as the store knows it. false: too long a name to be one. */
static bool principal_of(const struct cw_tsp_session *s, const struct cw_addr6 *client6,
	char to[static CW_PRINCIPAL_MAX])
{
	char text[CW_ADDR6_STRLEN];
	int n;

	if (s->anonymous)
		n = snprintf(to, CW_PRINCIPAL_MAX, "ip6:%s", cw_addr6_str(client6, text));
	else
		n = snprintf(to, CW_PRINCIPAL_MAX, "user:%s", s->user);
	return n > 0 && n < CW_PRINCIPAL_MAX;
}

/* An ANONYMOUS client is its address, so it must be the one it sends from (guide section 8). */
static bool source_fits(const struct cw_tsp_session *s, const struct cw_addr6 *client6)
{
	return !s->anonymous || s->peer.source.exempt || !s->profile->anonymous_source_check ||
	       cw_addr6_eq(client6, &s->peer.source.addr);
}

static bool client6_allowed(const struct cw_tsp_session *s, const struct cw_addr6 *a)
{
	if (cw_engine_is_tep6(s->access->engine, a))
		return false;
	if (!s->profile->n_client_prefix || cw_addr6_is_loopback(a))
		return true;
	for (size_t i = 0; i < s->profile->n_client_prefix; i++)
		if (cw_prefix6_has(&s->profile->client_prefix[i], a))
			return true;
	return false;
}

static uint32_t lifetime_asked(const struct cw_tsp_session *s, const struct cw_tsp_msg *m)
{
	uint64_t asked = m->has_lifetime ? m->lifetime : 0;

	if (s->profile->minutes && cw_tsp_server_version(s->server) == CW_TSP_V2)
		asked *= 60;
	return asked > UINT32_MAX ? UINT32_MAX : (uint32_t) asked;
}

static void fill_acquire(
	const struct cw_tsp_session *s, const struct cw_tsp_msg *m, struct cw_op_acquire *q)
{
	q->client6 = m->client.v6;
	q->access = CW_ACCESS_TSP;
	q->ports_ok = m->ports_min || m->client.has_portset;
	q->named = q->held_only = m->client.has_v4;
	q->may_move = !s->anonymous;
	q->addr = m->client.v4;
	q->ports = m->client.has_portset ? m->client.portset : CW_PORTSET_WHOLE;
	q->lifetime_s = lifetime_asked(s, m);
	q->max_leases = s->profile->leases_per_principal;
	q->wait_confirm = true;
}

/* What is refused before the store is asked; CW_TSP_DONE: nothing. CW_TSP_POOL_EMPTY: only who has
 * a lease gets that again, for deployed clients create anew where they should renew. */
static enum cw_tsp_event judge(const struct cw_tsp_session *s, const struct cw_tsp_msg *m)
{
	bool create = m->action == CW_TSP_CREATE;

	/* Naming what one does not hold is 308 whoever asks; a tunnel to somewhere else is a bad
	 * address. */
	if (!source_fits(s, &m->client.v6))
		return create && !m->client.has_v4 ? CW_TSP_BAD_V6 : CW_TSP_ADDRESS;
	if (create && !client6_allowed(s, &m->client.v6))
		return CW_TSP_BAD_V6;
	if (m->action == CW_TSP_DELETE && !m->client.has_v4)
		return CW_TSP_BAD_V4;
	if (!create || m->client.has_v4)
		return CW_TSP_DONE;
	/* One more would be nobody's to give back if the connection dies, or to announce the end
	 * of. */
	if (s->profile->redirect_always || s->n_holds >= HOLDS_MAX)
		return CW_TSP_POOL_EMPTY;
	if (s->anonymous && !s->peer.source.exempt && s->profile->leases_per_network &&
		cw_netcount_get(s->access->networks, &m->client.v6) >=
			s->profile->leases_per_network)
		return CW_TSP_POOL_EMPTY;
	return CW_TSP_DONE;
}

static void count_request(struct cw_tsp_stats *st, enum cw_tsp_action action)
{
	if (action == CW_TSP_CREATE)
		st->creates++;
	else if (action == CW_TSP_DELETE)
		st->deletes++;
	else
		st->infos++;
}

static void on_request(void *arg, const struct cw_tsp_msg *m)
{
	struct cw_tsp_session *s = arg;
	struct cw_tsp_access *a = s->access;
	enum cw_tsp_event ev = CW_TSP_DONE;
	struct request *r;
	struct cw_op *op;

	count_request(&a->stats, m->action);
	s->requests++;
	if (!cw_limits_request(a->limits, &s->peer.source, cw_tsp_access_now_ms(a)) ||
		a->stopping || a->pending >= s->profile->pending_max)
		ev = CW_TSP_OVERLOAD;
	else
		ev = judge(s, m);
	if (ev != CW_TSP_DONE && ev != CW_TSP_POOL_EMPTY) {
		answer(s, ev, NULL, 0);
		return;
	}
	r = cw_zalloc(1, sizeof *r);
	if (!r) {
		answer(s, CW_TSP_INTERNAL, NULL, 0);
		return;
	}
	op = &r->req.op;
	r->access = a;
	r->session = s;
	r->req.done = request_done;
	r->holder_only = ev == CW_TSP_POOL_EMPTY;
	r->lifetime_s = lifetime_asked(s, m);
	if (m->action == CW_TSP_CREATE && !r->holder_only) {
		op->kind = CW_OP_ACQUIRE;
		fill_acquire(s, m, &op->u.acquire);
		(void) principal_of(s, &m->client.v6, op->u.acquire.principal);
	} else if (m->action == CW_TSP_DELETE) {
		op->kind = CW_OP_END;
		op->u.end = (struct cw_op_end){
			.client6 = m->client.v6, .addr = m->client.v4, .reason = CW_END_RELEASE};
		op->u.end.ports = m->client.has_portset ? m->client.portset : CW_PORTSET_WHOLE;
		(void) principal_of(s, &m->client.v6, op->u.end.principal);
	} else {
		op->kind = CW_OP_FIND;
		op->u.find = (struct cw_op_find){
			.client6 = m->client.v6, .named = m->client.has_v4, .addr = m->client.v4};
		op->u.find.ports = m->client.has_portset ? m->client.portset : CW_PORTSET_WHOLE;
		(void) principal_of(s, &m->client.v6, op->u.find.principal);
	}
	s->request = r;
	a->pending++;
	cw_list_append(&a->requests, &r->in_access);
	cw_engine_submit(a->engine, &r->req);
}

static void hold_leave(struct cw_tsp_session *s, struct cw_tsp_hold *h)
{
	struct cw_addr6 client6 = h->client6;
	char principal[CW_PRINCIPAL_MAX];
	uint64_t lease = h->lease;

	(void) principal_of(s, &client6, principal);
	hold_free(h);
	leave(s->access, lease, principal, &client6);
}

static void on_offer(void *arg, enum cw_tsp_offer what)
{
	struct cw_tsp_session *s = arg;
	struct cw_tsp_access *a = s->access;

	if (what == CW_TSP_OFFER_ACCEPTED)
		a->stats.accepts++;
	else if (what == CW_TSP_OFFER_REJECTED)
		a->stats.rejects++;
	else
		a->stats.offers_lost++;
	cw_list_for_each_safe (it, tmp, &s->holds) {
		struct cw_tsp_hold *h = cw_container_of(it, struct cw_tsp_hold, in_session);

		if (!h->offered)
			continue;
		if (what == CW_TSP_OFFER_ACCEPTED) {
			(void) cw_map_take_u64(a->offers, h->lease);
			h->offered = false;
		} else {
			hold_leave(s, h);
		}
	}
}

static void on_delete_acked(void *arg, const struct cw_tsp_msg *m)
{
	struct cw_tsp_session *s = arg;

	(void) m;
	s->access->stats.delete_acks++;
}

/* ---- login ---- */

static bool name_ok(const char *name)
{
	size_t n = strlen(name);

	for (const char *p = name; *p; p++)
		if ((unsigned char) *p < ' ' || *p == 127)
			return false;
	return n > 0 && n < CW_PRINCIPAL_MAX - sizeof "user:";
}

static enum cw_tsp_sasl_result logged_in(struct cw_tsp_session *s)
{
	const char *user = cw_auth_user(s->auth);

	s->anonymous = !user;
	if (user) {
		if (!name_ok(user))
			return CW_TSP_SASL_FAILED;
		s->user = cw_strdup(user);
		if (!s->user)
			return CW_TSP_SASL_BUSY;
	}
	s->authenticated = true;
	s->access->stats.logins++;
	cw_limits_login_good(s->access->limits, &s->peer.source);
	return CW_TSP_SASL_DONE;
}

static void sasl_done(void *arg, enum cw_sasl_result result, const void *data, size_t n)
{
	static const enum cw_tsp_sasl_result as[] = {
		[CW_SASL_CONTINUE] = CW_TSP_SASL_CONTINUE,
		[CW_SASL_DONE] = CW_TSP_SASL_DONE,
		[CW_SASL_FAILED] = CW_TSP_SASL_FAILED,
		[CW_SASL_BUSY] = CW_TSP_SASL_BUSY,
	};
	struct cw_tsp_session *s = arg;
	struct cw_tsp_access *a = s->access;
	enum cw_tsp_sasl_result to = result == CW_SASL_DONE ? logged_in(s) : as[result];
	uint32_t delay_ms = 0;

	if (to == CW_TSP_SASL_FAILED) {
		cw_tsp_access_login_failed(
			a, cw_tsp_server_mech(s->server), cw_auth_user(s->auth), s->peer.sa);
		delay_ms =
			cw_limits_login_failed(a->limits, &s->peer.source, cw_tsp_access_now_ms(a));
	} else if (to == CW_TSP_SASL_BUSY) {
		a->stats.login_busy++;
	}
	cw_tsp_server_sasl_result(s->server, to, data, n, delay_ms, cw_tsp_access_now_ms(a));
	s->ops->changed(s->io);
}

static void on_sasl_start(void *arg, const char *mech, const void *data, size_t n)
{
	struct cw_tsp_session *s = arg;

	s->auth = cw_auth_end(s->auth);
	if (cw_auth_start(s->access->auth, mech, data, n, s->external, sasl_done, s, &s->auth) < 0)
		sasl_done(s, CW_SASL_BUSY, NULL, 0);
}

static void on_sasl_step(void *arg, const void *data, size_t n)
{
	struct cw_tsp_session *s = arg;

	if (!s->auth || cw_auth_step(s->auth, data, n) < 0)
		sasl_done(s, CW_SASL_BUSY, NULL, 0);
}

static void on_sasl_abort(void *arg)
{
	struct cw_tsp_session *s = arg;

	s->auth = cw_auth_end(s->auth);
}

/* ---- the machine's other side ---- */

static void on_send(void *arg, const void *p, size_t n)
{
	struct cw_tsp_session *s = arg;

	s->octets_out += n;
	s->ops->send(s->io, p, n);
}

static void on_close(void *arg, enum cw_tsp_close reason)
{
	struct cw_tsp_session *s = arg;

	s->closed = true;
	s->access->stats.closes[reason]++;
	cw_log(CW_LOG_DEBUG,
		CW_F(CW_F_EVENT("session.close"), CW_F_STR("access", "tsp"),
			CW_F_STR("reason", cw_tsp_close_name(reason)), CW_F_PEER(s->peer.sa)),
		"session ends");
	s->ops->close(s->io, reason);
}

static const struct cw_tsp_server_ops server_ops = {
	.send = on_send,
	.sasl_start = on_sasl_start,
	.sasl_step = on_sasl_step,
	.sasl_abort = on_sasl_abort,
	.request = on_request,
	.offer = on_offer,
	.delete_acked = on_delete_acked,
	.close = on_close,
};

int cw_tsp_session_new(struct cw_tsp_access *a, const struct cw_tsp_peer *peer,
	const struct cw_tsp_session_ops *ops, void *io, struct cw_tsp_session **ret)
{
	struct cw_tsp_session *s = cw_zalloc(1, sizeof *s);
	int r;

	if (!s)
		return -ENOMEM;
	s->access = a;
	s->ops = ops;
	s->io = io;
	s->peer = *peer;
	s->since_ms = s->last_ms = cw_tsp_access_now_ms(a);
	cw_list_init(&s->holds);
	s->profile = cw_tsp_profile_ref(a->profile);
	r = cw_tsp_server_new(&s->profile->conf[peer->transport][peer->source.exempt], &server_ops,
		s, s->since_ms, &s->server);
	if (r < 0) {
		(void) cw_tsp_profile_unref(s->profile);
		(void) cw_free(s);
		return r;
	}
	a->stats.sessions[peer->transport]++;
	a->stats.open[peer->transport]++;
	s->id = ++a->session_ids;
	cw_list_append(&a->sessions, &s->in_access);
	*ret = s;
	return 0;
}

int cw_tsp_session_set_external(struct cw_tsp_session *s, const char *name)
{
	char *copy = cw_strdup(name);

	if (!copy)
		return -ENOMEM;
	(void) cw_free(s->external);
	s->external = copy;
	return 0;
}

struct cw_tsp_session *cw_tsp_session_free(struct cw_tsp_session *s)
{
	if (!s)
		return NULL;
	if (!s->closed)
		cw_tsp_server_lost(s->server);
	s->closed = true;
	s->access->stats.strays += cw_tsp_server_strays(s->server);
	s->auth = cw_auth_end(s->auth);
	if (s->request) {
		s->request->revoke_if_orphan = s->request->req.op.kind == CW_OP_ACQUIRE &&
					       cw_tsp_server_version(s->server) == CW_TSP_V2;
		s->request->session = NULL;
	}
	while (!cw_list_empty(&s->holds)) {
		struct cw_tsp_hold *h =
			cw_container_of(s->holds.next, struct cw_tsp_hold, in_session);

		if (h->offered) /* after the session's end */
			hold_leave(s, h);
		else
			hold_free(h);
	}
	s->access->stats.open[s->peer.transport]--;
	cw_list_remove(&s->in_access);
	(void) cw_tsp_server_free(s->server);
	(void) cw_tsp_profile_unref(s->profile);
	(void) cw_free(s->external);
	(void) cw_free(s->user);
	return cw_free(s);
}

void cw_tsp_session_input(struct cw_tsp_session *s, const void *p, size_t n)
{
	s->octets_in += n;
	s->last_ms = cw_tsp_access_now_ms(s->access);
	cw_tsp_server_input(s->server, p, n, s->last_ms);
}

void cw_tsp_session_eof(struct cw_tsp_session *s)
{
	cw_tsp_server_eof(s->server, cw_tsp_access_now_ms(s->access));
}

void cw_tsp_session_lost(struct cw_tsp_session *s)
{
	if (s->closed)
		return;
	s->closed = true;
	cw_tsp_server_lost(s->server);
}

void cw_tsp_session_refuse(struct cw_tsp_session *s)
{
	cw_tsp_session_lost(s);
	on_close(s, CW_TSP_CLOSE_BUSY);
	s->ops->changed(s->io);
}

void cw_tsp_session_tick(struct cw_tsp_session *s)
{
	cw_tsp_server_tick(s->server, cw_tsp_access_now_ms(s->access));
}

int64_t cw_tsp_session_deadline(const struct cw_tsp_session *s)
{
	return cw_tsp_server_deadline(s->server);
}

bool cw_tsp_session_wants_input(const struct cw_tsp_session *s)
{
	return cw_tsp_server_wants_input(s->server);
}

bool cw_tsp_session_busy(const struct cw_tsp_session *s)
{
	return cw_tsp_server_busy(s->server) || s->request;
}

enum cw_tsp_state cw_tsp_session_state(const struct cw_tsp_session *s)
{
	return cw_tsp_server_state(s->server);
}
