/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine's life, its requests, and what happens when the store reports a transition: one log
 * line, the subscriber is told, the TEP gets work. Thread: the loop's, except the hooks and `done`
 * functions, which run on the store's writer thread and only put something into the inbox. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/lease/engine_int.h"

#define JUMP_S        (INT64_C(30) * 86400)
#define GRACE_S       300
#define TEPS_AT_ONCE  16
#define POOLS_AT_ONCE 16
#define PARK_TRIES    3
#define PARK_MS       500
#define STOP_TRIES    11 /* of PARK_MS: longer than a TEP's deadline */

/* ---- time ---- */

int64_t cw_engine_boot_ms(const struct cw_engine *e)
{
	return cw_clock_now(e->clock).boot_ms;
}

struct cw_store_time cw_engine_now(const struct cw_engine *e)
{
	struct cw_now now = cw_clock_now(e->clock);

	return (struct cw_store_time){
		.steady_s = cw_steady_s(&e->steady, now.boot_ms), .wall_s = now.wall_s};
}

uint32_t cw_engine_remaining_s(const struct cw_engine *e, const struct cw_lease *lease)
{
	int64_t left = lease->expires_s - cw_engine_now(e).steady_s;

	if (left < 0)
		return 0;
	return left > UINT32_MAX ? UINT32_MAX : (uint32_t) left;
}

int64_t cw_engine_expiry_boot_ms(const struct cw_engine *e, int64_t expires_s)
{
	/* While nothing expires after a clock jump, nothing may stop forwarding either. */
	return cw_steady_boot_ms(
		&e->steady, expires_s > e->grace_until_s ? expires_s : e->grace_until_s);
}

static int read_boot_id(char *to, size_t n)
{
	CW_CLEANUP(cw_closep)
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t k;

	memset(to, 0, n);
	if (fd < 0)
		return -errno;
	k = read(fd, to, n - 1);
	if (k <= 0)
		return k < 0 ? -errno : -EIO;
	to[strcspn(to, "\n")] = 0;
	return 0;
}

static int start_time(struct cw_engine *e, struct cw_store_reader *reader)
{
	struct cw_now now = cw_clock_now(e->clock);
	struct cw_op_heartbeat hb;
	struct cw_store_time at;
	enum cw_steady_how how;
	int r;

	if (e->conf.boot_id)
		(void) snprintf(e->boot_id, sizeof e->boot_id, "%s", e->conf.boot_id);
	else if (read_boot_id(e->boot_id, sizeof e->boot_id) < 0)
		e->boot_id[0] = 0; /* never equal to a heartbeat's: the wall clock decides */
	r = cw_read_heartbeat(reader, &hb, &at);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && !hb.boot_id[0])
		hb.boot_id[0] = '?';
	how = cw_steady_init(&e->steady, r == 0 ? &hb : NULL, &at, e->boot_id, now,
		e->conf.clock_jump_s ? e->conf.clock_jump_s : JUMP_S);
	e->grace_until_s = INT64_MIN;
	if (how == CW_STEADY_JUMP || how == CW_STEADY_BACKWARDS) {
		e->stats.clock_jumps++;
		e->grace_until_s = cw_steady_s(&e->steady, now.boot_ms) +
				   (e->conf.clock_grace_s ? e->conf.clock_grace_s : GRACE_S);
		cw_log(CW_LOG_WARNING,
			CW_F(CW_F_EVENT("clock.jump"), CW_F_STR("how", cw_steady_how_name(how)),
				CW_F_INT("from_s", at.wall_s), CW_F_INT("to_s", now.wall_s)),
			"the wall clock cannot be believed: leases go on where they were, none expires for a grace period");
	}
	return 0;
}

/* ---- what the writer thread hands over ---- */

static int inbox_room(struct cw_inbox *in, size_t more)
{
	size_t cap = in->cap[in->fill];
	struct cw_inbox_item *v;

	if (in->n + more <= cap)
		return 0;
	cap = cap ? cap * 2 : 64;
	while (cap < in->n + more)
		cap *= 2;
	v = cw_realloc(in->v[in->fill], cap, sizeof *v);
	if (!v)
		return -ENOMEM;
	in->v[in->fill] = v;
	in->cap[in->fill] = cap;
	return 0;
}

static void inbox_wake_locked(struct cw_engine *e)
{
	if (!e->inbox.posted) {
		e->inbox.posted = true;
		cw_loop_post(e->loop, &e->inbox.task);
	}
}

static void on_outbox(void *arg, const struct cw_outbox_entry *entries, size_t n)
{
	struct cw_engine *e = arg;
	struct cw_inbox *in = &e->inbox;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		if (entries[i].what == CW_OUTBOX_APPLY)
			r = CW_FAILPOINT(GRANT_AFTER_COMMIT);
		else if (entries[i].what == CW_OUTBOX_REMOVE)
			r = CW_FAILPOINT(END_AFTER_COMMIT);
	}
	(void) pthread_mutex_lock(&in->lock);
	if (r < 0 || inbox_room(in, n) < 0) {
		in->lost = true; /* a comparison finds them again */
	} else {
		for (size_t i = 0; i < n; i++) {
			struct cw_inbox_item *it = &in->v[in->fill][in->n++];

			it->req = NULL;
			it->entry = entries[i];
		}
	}
	inbox_wake_locked(e);
	(void) pthread_mutex_unlock(&in->lock);
}

static void req_finished(struct cw_engine_req *req);

static void on_req_posted(struct cw_loop_task *task)
{
	req_finished(cw_container_of(task, struct cw_engine_req, task));
}

static void on_req_done(struct cw_op *op)
{
	struct cw_engine_req *req = cw_container_of(op, struct cw_engine_req, op);
	struct cw_engine *e = req->engine;
	struct cw_inbox *in = &e->inbox;

	(void) pthread_mutex_lock(&in->lock);
	if (inbox_room(in, 1) == 0) {
		in->v[in->fill][in->n++].req = req;
		inbox_wake_locked(e);
	} else {
		req->task.fn = on_req_posted; /* out of order rather than never */
		cw_loop_post(e->loop, &req->task);
	}
	(void) pthread_mutex_unlock(&in->lock);
}

static void on_events(void *arg, const struct cw_live_event *events, size_t n)
{
	const struct cw_engine *e = arg;

	e->conf.events(e->conf.events_arg, events, n);
}

static void on_health(void *arg, int result)
{
	struct cw_engine *e = arg;

	(void) pthread_mutex_lock(&e->inbox.lock);
	e->health = result;
	inbox_wake_locked(e);
	(void) pthread_mutex_unlock(&e->inbox.lock);
}

/* ---- transitions ---- */

static const char *transition_of(struct cw_engine *e, const struct cw_outbox_entry *entry)
{
	cw_engine_count_transition(e, entry);
	if (entry->what == CW_OUTBOX_APPLY) {
		e->stats.grants++;
		return "lease.grant";
	}
	if (entry->what == CW_OUTBOX_REFRESH) {
		e->stats.renewals++;
		return "lease.renew";
	}
	switch (entry->lease.reason) {
	case CW_END_RELEASE:
		e->stats.releases++;
		return "lease.release";
	case CW_END_EXPIRE:
		e->stats.expiries++;
		return "lease.expire";
	case CW_END_REVOKE:
		e->stats.revocations++;
		return "lease.revoke";
	case CW_END_TEP:
		e->stats.rollbacks++;
		return "lease.rollback";
	case CW_END_REJECT:
		e->stats.rejections++;
		return "lease.reject";
	case CW_END_MOVE: /* has no entry, see acquired() */
	case CW_END_NONE:
		break;
	}
	return "lease.end";
}

static void log_transition(struct cw_engine *e, const struct cw_outbox_entry *entry)
{
	const struct cw_lease *l = &entry->lease;
	const struct cw_engine_tep *t = cw_map_get_u64(e->tep_by_id, l->tep_id);
	const char *event = transition_of(e, entry);
	const char *pool = cw_map_get_u64(e->pool_names, l->pool_id);

	if (!cw_log_enabled(CW_LOG_INFO))
		return;
	cw_log(CW_LOG_INFO,
		CW_F(CW_F_EVENT(event), CW_F_STR("access", cw_access_name(l->access)),
			CW_F_STR("principal", l->principal), CW_F_UINT("lease", l->id),
			CW_F_STR("pool", pool ? pool : "?"), CW_F_ADDR4("addr4", l->addr),
			CW_F_PORTSET("ports", l->ports), CW_F_ADDR6("addr6", &l->client6),
			CW_F_STR("tep", t ? t->tep.name : "?"),
			CW_F_UINT("lifetime_s", l->lifetime_s)),
		entry->what == CW_OUTBOX_REMOVE ? "lease ended" : "lease held");
}

static void tell_subscribers(struct cw_engine *e, const struct cw_lease *lease)
{
	struct cw_engine_sub *sub;

	while ((sub = cw_map_get_u64(e->subs, lease->id)) != NULL) {
		cw_engine_unsubscribe(e, sub);
		sub->ended(sub, lease);
	}
}

static void entry_arrived(struct cw_engine *e, const struct cw_outbox_entry *entry)
{
	struct cw_engine_tep *t = cw_map_get_u64(e->tep_by_id, entry->lease.tep_id);

	log_transition(e, entry);
	if (e->conf.transition)
		e->conf.transition(e->conf.arg, (int) entry->what, &entry->lease);
	if (entry->what == CW_OUTBOX_REMOVE)
		tell_subscribers(e, &entry->lease);
	else
		cw_sweep_expiry_at(e, entry->lease.expires_s);
	if (e->stopping)
		return; /* found again at the next start */
	if (t) {
		cw_tep_submit(t, entry);
	} else if (entry->what != CW_OUTBOX_REFRESH) {
		const struct cw_confirm no = {entry->lease.id, entry->lease.generation,
			entry->what == CW_OUTBOX_APPLY ? CW_E_TEP : 0};

		cw_log(CW_LOG_ERR,
			CW_F(CW_F_EVENT("tep.unknown"), CW_F_UINT("tep", entry->lease.tep_id)),
			"a lease belongs to a tunnel end point that is not open here");
		cw_tep_confirm(e, &no, 1, entry->what == CW_OUTBOX_REMOVE);
	}
}

static void on_inbox(struct cw_loop_task *task)
{
	struct cw_engine *e = cw_container_of(task, struct cw_engine, inbox.task);
	struct cw_inbox *in = &e->inbox;
	struct cw_inbox_item *v;
	size_t n;
	bool lost;
	int health;

	(void) pthread_mutex_lock(&in->lock);
	v = in->v[in->fill];
	n = in->n;
	lost = in->lost;
	health = e->health;
	in->fill ^= 1;
	in->n = 0;
	in->posted = in->lost = false;
	e->health = 1;
	(void) pthread_mutex_unlock(&in->lock);

	for (size_t i = 0; i < n; i++) {
		if (v[i].req)
			req_finished(v[i].req);
		else
			entry_arrived(e, &v[i].entry);
	}
	for (unsigned i = 0; i < e->n_teps; i++)
		cw_tep_dispatch(e->teps[i]);
	cw_change_collect(e);
	if (lost) {
		e->stats.inbox_lost++;
		cw_engine_resync(e);
	}
	if (health <= 0)
		e->store_health = health;
	if (health <= 0 && e->conf.health)
		e->conf.health(e->conf.arg, health);
}

/* ---- requests ---- */

void cw_engine_resubmit(struct cw_engine *e, struct cw_engine_req *req)
{
	req->op.now = cw_engine_now(e);
	req->op.done = on_req_done;
	e->outstanding++;
	cw_store_submit(e->store, &req->op);
}

static void park_arm(struct cw_engine *e)
{
	bool need = !cw_list_empty(&e->parked) || !cw_list_empty(&e->stops);

	if (!e->park_armed && need)
		cw_timer_start(e->park_timer, PARK_MS);
	e->park_armed = need;
}

/* Who waits for a stop hears when it is late: a TEP that is down may be so for long. */
static void look_at_stops(struct cw_engine *e)
{
	cw_list_for_each (it, &e->stops) {
		struct cw_engine_req *req = cw_container_of(it, struct cw_engine_req, in_parked);
		const struct cw_confirm late = {req->op.u.end.id, 0, CW_E_TEP};

		if (req->tries < UINT8_MAX && ++req->tries >= STOP_TRIES)
			cw_tep_confirm(e, &late, 1, true);
	}
}

void cw_engine_submit(struct cw_engine *e, struct cw_engine_req *req)
{
	req->engine = e;
	req->tries = 0;
	req->begun_us = cw_clock_now(e->clock).mono_us;
	e->stats.requests++;
	cw_list_init(&req->in_parked);
	if (req->op.kind == CW_OP_END && req->op.u.end.wait_stopped) {
		cw_list_append(&e->stops, &req->in_parked);
		park_arm(e);
	}
	cw_engine_resubmit(e, req);
}

/* A move ends a tenure without an outbox entry of its own: the new binding replaces the old one. */
static void acquired(struct cw_engine *e, const struct cw_op_acquire *a)
{
	struct cw_lease old = a->lease;

	if (a->how != CW_ACQ_MOVED)
		return;
	old.id = a->old_lease;
	old.state = CW_LEASE_ENDING;
	old.reason = CW_END_MOVE;
	e->stats.moves++;
	cw_log(CW_LOG_INFO,
		CW_F(CW_F_EVENT("lease.move"), CW_F_STR("principal", old.principal),
			CW_F_UINT("lease", old.id), CW_F_UINT("to_lease", a->lease.id),
			CW_F_ADDR4("addr4", old.addr), CW_F_ADDR6("addr6", &a->lease.client6)),
		"lease taken along to another IPv6 address");
	tell_subscribers(e, &old);
}

static void req_finished(struct cw_engine_req *req)
{
	struct cw_engine *e = req->engine;

	e->outstanding--;
	cw_list_remove(&req->in_parked);
	/* Full, but only because nobody has looked at the clock: free what is due and try again. */
	if (req->op.kind == CW_OP_ACQUIRE && req->op.result == CW_E_POOL_EMPTY && !e->stopping &&
		req->tries < PARK_TRIES && cw_sweep_may_free(e)) {
		cw_engine_park(e, req);
		return;
	}
	if (req->op.result == 0 && req->op.kind == CW_OP_ACQUIRE) {
		acquired(e, &req->op.u.acquire);
		req->op.result = CW_FAILPOINT(ANSWER_BEFORE_SEND);
	}
	cw_engine_count(e, req);
	if (req->op.result >= 0 && !e->stopping)
		cw_change_done(e, &req->op);
	req->done(req);
}

void cw_engine_park(struct cw_engine *e, struct cw_engine_req *req)
{
	req->tries++;
	req->epoch = e->park_epoch;
	cw_list_append(&e->parked, &req->in_parked);
	e->stats.parked++;
	park_arm(e);
	cw_sweep_look(e);
}

void cw_engine_unpark(struct cw_engine *e, bool all)
{
	cw_list_for_each_safe (it, tmp, &e->parked) {
		struct cw_engine_req *req = cw_container_of(it, struct cw_engine_req, in_parked);

		if (!all && req->epoch == e->park_epoch)
			continue;
		if (!all)
			req->tries = PARK_TRIES; /* waited long enough: the next answer stands */
		cw_list_remove(&req->in_parked);
		e->stats.parked--;
		cw_engine_resubmit(e, req);
	}
}

/* Twice within a request's stay at most: it waits between one and two periods. */
static void on_park_timer(void *arg)
{
	struct cw_engine *e = arg;

	e->park_armed = false;
	cw_engine_unpark(e, false);
	look_at_stops(e);
	e->park_epoch++;
	park_arm(e);
}

static void on_op_done(struct cw_op *op)
{
	struct cw_engine_op *mine = cw_container_of(op, struct cw_engine_op, op);

	cw_loop_post(mine->engine->loop, &mine->task);
}

void cw_engine_run_op(
	struct cw_engine *e, struct cw_engine_op *op, void (*fn)(struct cw_loop_task *task))
{
	op->engine = e;
	op->task.fn = fn;
	op->op.done = on_op_done;
	e->outstanding++;
	cw_store_submit(e->store, &op->op);
}

struct cw_engine_op *cw_engine_op_over(struct cw_loop_task *task)
{
	struct cw_engine_op *op = cw_container_of(task, struct cw_engine_op, task);

	op->engine->outstanding--;
	return op;
}

/* ---- subscriptions ---- */

int cw_engine_subscribe(struct cw_engine *e, struct cw_engine_sub *sub, uint64_t lease)
{
	struct cw_engine_sub *first = cw_map_get_u64(e->subs, lease);

	sub->lease = lease;
	cw_list_init(&sub->peers);
	if (first) {
		cw_list_append(&first->peers, &sub->peers);
	} else if (cw_map_put_u64(e->subs, lease, sub, NULL) < 0) {
		sub->lease = 0;
		return -ENOMEM;
	}
	e->stats.subscriptions++;
	return 0;
}

void cw_engine_unsubscribe(struct cw_engine *e, struct cw_engine_sub *sub)
{
	if (!sub->lease)
		return;
	if (cw_map_get_u64(e->subs, sub->lease) == sub) {
		if (cw_list_empty(&sub->peers)) {
			(void) cw_map_take_u64(e->subs, sub->lease);
		} else {
			struct cw_engine_sub *next =
				cw_container_of(sub->peers.next, struct cw_engine_sub, peers);

			/* The key is there: replacing a value allocates nothing. */
			(void) !cw_map_put_u64(e->subs, sub->lease, next, NULL);
		}
	}
	cw_list_remove(&sub->peers);
	sub->lease = 0;
	e->stats.subscriptions--;
}

bool cw_engine_is_subscribed(const struct cw_engine *e, uint64_t lease)
{
	return cw_map_get_u64(e->subs, lease) != NULL;
}

/* ---- questions ---- */

const struct cw_tep *cw_engine_tep(const struct cw_engine *e, uint64_t tep_id)
{
	const struct cw_engine_tep *t = cw_map_get_u64(e->tep_by_id, tep_id);

	return t ? &t->tep : NULL;
}

bool cw_engine_is_tep6(const struct cw_engine *e, const struct cw_addr6 *a)
{
	for (unsigned i = 0; i < e->n_teps; i++)
		if (cw_addr6_eq(&e->teps[i]->tep.ipv6, a))
			return true;
	return false;
}

bool cw_engine_can_grant(const struct cw_engine *e)
{
	for (unsigned i = 0; i < e->n_teps; i++)
		if (e->teps[i]->state != CW_TEP_DOWN && !e->teps[i]->tep.draining)
			return true;
	return false;
}

void cw_engine_stats(const struct cw_engine *e, struct cw_engine_stats *ret)
{
	*ret = e->stats;
	ret->outstanding = e->outstanding;
}

size_t cw_engine_outstanding(const struct cw_engine *e)
{
	return e->outstanding + cw_pager_outstanding(e->pager);
}

void cw_engine_poke(struct cw_engine *e)
{
	look_at_stops(e);
	cw_sweep_look(e);
	for (unsigned i = 0; i < e->n_teps && !e->stopping; i++)
		cw_tep_poke(e->teps[i]);
}

void cw_engine_settled(struct cw_engine *e)
{
	if (e->ready || e->stopping)
		return;
	for (unsigned i = 0; i < e->n_teps; i++)
		if (!e->teps[i]->settled)
			return;
	e->ready = true;
	cw_sweep_start(e);
	if (e->conf.ready)
		e->conf.ready(e->conf.arg);
}

/* ---- life ---- */

static int load_pools(struct cw_engine *e, struct cw_store_reader *reader)
{
	struct cw_pool some[POOLS_AT_ONCE];
	uint64_t after = 0;
	int n;

	while ((n = cw_read_pools(reader, after, some, POOLS_AT_ONCE)) > 0) {
		for (int i = 0; i < n; i++) {
			char *name = cw_strdup(some[i].name);
			void *old = NULL;

			if (!name || cw_map_put_u64(e->pool_names, some[i].id, name, &old) < 0) {
				(void) cw_free(name);
				return -ENOMEM;
			}
			(void) cw_free(old);
		}
		after = some[n - 1].id;
	}
	return n;
}

static int load_teps(struct cw_engine *e, struct cw_store_reader *reader, char *why, size_t why_n)
{
	struct cw_tep some[TEPS_AT_ONCE];
	uint64_t after = 0;
	int n;

	while ((n = cw_read_teps(reader, after, some, TEPS_AT_ONCE)) > 0) {
		/* NOLINTNEXTLINE(bugprone-sizeof-expression): a table of pointers */
		struct cw_engine_tep **v = cw_realloc(e->teps, e->n_teps + (size_t) n, sizeof *v);

		if (!v)
			return -ENOMEM;
		e->teps = v;
		for (int i = 0; i < n; i++) {
			struct cw_engine_tep *t;
			int r = cw_tep_new(e, &some[i], &t);

			if (r < 0)
				return r;
			e->teps[e->n_teps++] = t;
			r = cw_map_put_u64(e->tep_by_id, t->tep.id, t, NULL);
			if (r < 0)
				return r;
			r = cw_tep_open(t, why, why_n);
			if (r < 0) {
				e->unopened = &t->tep;
				return r;
			}
		}
		after = some[n - 1].id;
	}
	return n;
}

int cw_engine_new(const struct cw_engine_config *conf, struct cw_engine **ret)
{
	struct cw_engine *e = cw_zalloc(1, sizeof *e);
	int r;

	if (!e)
		return -ENOMEM;
	e->conf = *conf;
	e->loop = conf->loop;
	e->store = conf->store;
	e->clock = cw_loop_clock(conf->loop);
	e->health = 1; /* nothing to say */
	e->inbox.task.fn = on_inbox;
	cw_list_init(&e->parked);
	cw_list_init(&e->stops);
	cw_list_init(&e->confirm_retry);
	r = -pthread_mutex_init(&e->inbox.lock, NULL);
	if (r < 0) {
		(void) cw_free(e);
		return r;
	}
	e->tep_by_id = cw_map_new();
	e->pool_names = cw_map_new();
	e->failed = cw_map_new();
	e->subs = cw_map_new();
	r = e->tep_by_id && e->pool_names && e->failed && e->subs ? 0 : -ENOMEM;
	if (r == 0)
		r = cw_timer_new(e->loop, on_park_timer, e, &e->park_timer);
	if (r == 0)
		r = cw_timer_new(e->loop, cw_tep_confirm_again, e, &e->confirm_timer);
	if (r < 0) {
		(void) cw_engine_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

const struct cw_tep *cw_engine_unopened(const struct cw_engine *e)
{
	return e->unopened;
}

int cw_engine_start(struct cw_engine *e, char *why, size_t why_n)
{
	const struct cw_store_hooks hooks = {.arg = e,
		.outbox = on_outbox,
		.events = e->conf.events ? on_events : NULL,
		.health = on_health};
	struct cw_store_reader *reader = NULL;
	int r;

	(void) snprintf(why, why_n, "%s", "the lease store cannot be read");
	r = cw_store_reader_open(e->store, &reader);
	if (r < 0)
		return r;
	r = start_time(e, reader);
	if (r == 0)
		r = load_pools(e, reader);
	if (r == 0)
		r = load_teps(e, reader, why, why_n);
	if (r == 0) {
		int64_t expiry_s, free_s;

		r = cw_read_next_due(reader, &expiry_s, &free_s);
		if (r == 0) {
			e->sweep[CW_SWEEP_EXPIRE].due_s = expiry_s;
			e->sweep[CW_SWEEP_FREE].due_s = free_s;
		}
	}
	(void) cw_store_reader_close(reader);
	if (r < 0)
		return r;
	r = cw_pager_new(e->loop, e->store, &e->pager);
	if (r < 0)
		return r;
	r = cw_store_start(e->store, &hooks);
	if (r < 0)
		return r;
	e->started = true;
	if (e->stats.clock_jumps)
		cw_engine_event(e, "clock.jump", 0, NULL, "{\"how\":\"start\"}");
	cw_beat_start(e);
	for (unsigned i = 0; i < e->n_teps; i++)
		cw_sync_start(e->teps[i]);
	cw_engine_settled(e); /* there may be no TEP */
	return 0;
}

void cw_engine_stop(struct cw_engine *e)
{
	struct cw_list *it;

	if (e->stopping)
		return;
	e->stopping = true;
	cw_sweep_stop(e);
	for (unsigned i = 0; i < e->n_teps; i++)
		cw_tep_close(e->teps[i]);
	cw_pager_stop(e->pager);
	cw_timer_stop(e->confirm_timer);
	while ((it = cw_list_pop(&e->confirm_retry)) != NULL)
		(void) cw_free(cw_container_of(
			it, struct cw_confirm_op, in_retry)); /* its outbox rows stay */
	cw_engine_unpark(e, true); /* the store answers them one way or the other */
	cw_timer_stop(e->park_timer);
	if (e->started)
		cw_beat_stop(e);
}

static void free_values(struct cw_map *m)
{
	size_t iter = 0;
	void *v;

	while (m && (v = cw_map_next(m, &iter)) != NULL)
		(void) cw_free(v);
}

struct cw_engine *cw_engine_free(struct cw_engine *e)
{
	if (!e)
		return NULL;
	for (unsigned i = 0; i < e->n_teps; i++)
		(void) cw_tep_free(e->teps[i]);
	(void) cw_free(e->teps);
	for (unsigned i = 0; i < e->n_retired; i++)
		(void) cw_tep_free(e->retired[i]);
	(void) cw_free(e->retired);
	(void) cw_pager_free(e->pager);
	e->park_timer = cw_timer_free(e->park_timer);
	e->confirm_timer = cw_timer_free(e->confirm_timer);
	e->sweep_timer = cw_timer_free(e->sweep_timer);
	e->beat_timer = cw_timer_free(e->beat_timer);
	free_values(e->pool_names);
	(void) cw_map_free(e->pool_names);
	free_values(e->failed);
	(void) cw_map_free(e->failed);
	(void) cw_map_free(e->tep_by_id);
	(void) cw_map_free(e->subs);
	(void) cw_free(e->inbox.v[0]);
	(void) cw_free(e->inbox.v[1]);
	(void) pthread_mutex_destroy(&e->inbox.lock);
	return cw_free(e);
}
