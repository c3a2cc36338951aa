/* SPDX-License-Identifier: BSD-2-Clause */
/* One tunnel end point: the queue of what it must do, one batch on its way at a time, and what
 * happens when it refuses, hangs or is gone.
 *
 *	UP --a batch as a whole fails--> DOWN --back-off over--> SYNC (sync.c) --all equal--> UP
 *
 * Order: entries of one key (address, PSID) reach the TEP in the order the store committed them,
 * for a batch holds each key once and the next batch waits for it. An item the TEP refuses alone
 * is tried again with back-off; one that is overtaken by a newer generation of its key is
 * dropped. While the TEP is down nothing is queued: grants are refused at once, ends stay in the
 * store and are found by the comparison. Thread: the loop's. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/lease/engine_int.h"

/* Batches of one call, if the plugin answers at once; then the loop has its turn. */
#define TURN_BATCHES     8
#define QUICK_TRIES      3 /* of an item that may be tried again, before its client is told no */
#define DOWN_FIRST_MS    1000
#define DOWN_MAX_MS      30000
#define CONFIRM_AGAIN_MS 200

/* ---- ring ---- */

int cw_workq_push(struct cw_workq *q, const struct cw_work *w)
{
	if (q->n == q->cap) {
		size_t cap = q->cap ? q->cap * 2 : 64;
		struct cw_work *v = cw_zalloc(cap, sizeof *v);

		if (!v)
			return -ENOMEM;
		for (size_t i = 0; i < q->n; i++)
			v[i] = q->v[(q->head + i) % q->cap];
		(void) cw_free(q->v);
		q->v = v;
		q->cap = cap;
		q->head = 0;
	}
	q->v[(q->head + q->n++) % q->cap] = *w;
	return 0;
}

const struct cw_work *cw_workq_front(const struct cw_workq *q)
{
	return q->n ? &q->v[q->head] : NULL;
}

void cw_workq_drop(struct cw_workq *q)
{
	q->head = (q->head + 1) % q->cap;
	if (--q->n == 0 && q->cap > CW_TEP_BATCH)
		cw_workq_done(q); /* a burst is over: give its memory back */
}

void cw_workq_done(struct cw_workq *q)
{
	(void) cw_free(q->v);
	*q = (struct cw_workq){0};
}

/* ---- confirmations ---- */

void cw_tep_confirm_again(void *engine)
{
	struct cw_engine *e = engine;
	struct cw_list now, *it;

	cw_list_init(&now);
	cw_list_splice(&now, &e->confirm_retry);
	while ((it = cw_list_pop(&now)) != NULL) {
		struct cw_confirm_op *c = cw_container_of(it, struct cw_confirm_op, in_retry);

		e->stats.confirms_again++;
		cw_tep_confirm(e, c->item, c->base.op.u.confirm.n, c->removals);
		(void) cw_free(c);
	}
}

static void confirm_done(struct cw_loop_task *task)
{
	struct cw_confirm_op *c =
		cw_container_of(cw_engine_op_over(task), struct cw_confirm_op, base);
	struct cw_engine *e = c->base.engine;
	int r = c->base.op.result;

	if (CW_FAILPOINT(CONFIRM_AFTER_COMMIT) < 0)
		r = CW_E_BUSY;
	if (c->removals)
		e->removals_out--;
	if ((r == CW_E_BUSY || r == CW_E_STORE_FULL) && !e->stopping) {
		/* The TEP did it; only the note is missing. Until it is written the address stays
		 * taken. */
		cw_list_append(&e->confirm_retry, &c->in_retry);
		cw_timer_start(e->confirm_timer, CONFIRM_AGAIN_MS);
		return;
	}
	if (r == 0 && c->removals && !e->stopping) {
		cw_sweep_removed(e);
		cw_engine_unpark(e, true);
	}
	(void) cw_free(c);
}

void cw_tep_confirm(struct cw_engine *e, const struct cw_confirm *items, size_t n, bool removals)
{
	struct cw_confirm_op *c;

	if (!n || e->stopping)
		return;
	c = cw_zalloc(1, sizeof *c + n * sizeof c->item[0]);
	if (!c) {
		cw_engine_resync(e); /* what is not confirmed is found by the comparison */
		return;
	}
	memcpy(c->item, items, n * sizeof items[0]);
	c->removals = removals;
	c->base.op.kind = CW_OP_CONFIRM;
	c->base.op.now = cw_engine_now(e);
	c->base.op.u.confirm.items = c->item;
	c->base.op.u.confirm.n = n;
	cw_list_init(&c->in_retry);
	if (removals)
		e->removals_out++;
	e->stats.confirms += n;
	cw_engine_run_op(e, &c->base, confirm_done);
}

/* ---- results ---- */

static bool item_ok(const struct cw_work *w, int result)
{
	/* Of a removal: a newer generation is there, so the one that had to go is gone. */
	return result == 0 || (result == CW_E_STALE && w->what == CW_OUTBOX_REMOVE);
}

static void item_failed(struct cw_engine_tep *t, struct cw_work *w, int result)
{
	static struct cw_log_limit limit;
	struct cw_engine *e = t->engine;

	if (w->what == CW_OUTBOX_REMOVE)
		e->stats.remove_failures++;
	else
		e->stats.apply_failures++;
	if (cw_log_limit_ok(&limit, cw_clock_now(e->clock).mono_us, 10, 10000))
		cw_log(CW_LOG_WARNING,
			CW_F(CW_F_EVENT("tep.refused"), CW_F_STR("tep", t->tep.name),
				CW_F_STR("op", w->what == CW_OUTBOX_REMOVE ? "remove" : "apply"),
				CW_F_UINT("lease", w->lease), CW_F_ADDR4("addr4", w->addr),
				CW_F_ERR(result)),
			"the tunnel end point refused a binding, it will be tried again");
	if (result == CW_E_STALE)
		t->dirty = true; /* it has something newer than the store: a restored backup */
	cw_order_retry_later(t, w);
}

/* Tells the store what became of a batch; items that are to be tried again go back. */
static void batch_results(struct cw_tep_batch *b, const int *items)
{
	struct cw_engine_tep *t = b->tep;
	struct cw_engine *e = t->engine;
	struct cw_confirm *confirm = cw_zalloc(b->n, sizeof *confirm);
	size_t n = 0;

	if (!confirm)
		t->dirty = true; /* then nothing is confirmed now */
	for (size_t i = 0; i < b->n; i++) {
		struct cw_work *w = &b->item[i];
		bool ok = item_ok(w, items[i]);
		/* What may work in a moment is no answer yet. */
		bool answer = ok || items[i] != -EAGAIN || w->tries >= QUICK_TRIES;

		if (w->confirm && confirm &&
			(ok || (answer && (w->what == CW_OUTBOX_APPLY || w->awaited))))
			confirm[n++] =
				(struct cw_confirm){w->lease, w->generation, ok ? 0 : CW_E_TEP};
		if (!ok)
			item_failed(t, w, items[i]);
		else if (w->sync && t->sync && w->what == CW_OUTBOX_REMOVE)
			t->sync->removed++;
		else if (w->sync && t->sync)
			t->sync->applied++;
	}
	if (CW_FAILPOINT(RECONCILE_PAGE) < 0) {
		t->dirty = true;
		n = 0;
	}
	cw_tep_confirm(e, confirm, n, b->removes);
	(void) cw_free(confirm);
}

/* The TEP cannot be asked: clients that wait hear it now, the rest is found by the comparison. */
static void refuse(struct cw_engine_tep *t, const struct cw_work *w, size_t n, bool sent)
{
	struct cw_confirm *confirm = cw_zalloc(n ? n : 1, sizeof *confirm);
	size_t k = 0;
	char *mark = (char *) t;

	for (size_t i = 0; confirm && i < n; i++) {
		if (!w[i].confirm || (w[i].what != CW_OUTBOX_APPLY && !w[i].awaited))
			continue;
		confirm[k++] = (struct cw_confirm){w[i].lease, w[i].generation, CW_E_TEP};
		/* Its removal, which the rollback will ask for, has nothing to remove. */
		if (w[i].what == CW_OUTBOX_APPLY && !sent && w[i].tries == 0 && !w[i].there)
			(void) !cw_map_put_u64(t->never_sent, w[i].lease, mark, NULL);
	}
	cw_tep_confirm(t->engine, confirm, k, false);
	(void) cw_free(confirm);
}

/* The batch as a whole failed: what was done all the same is noted, clients that wait hear the rest
 * now. */
static void batch_failed(struct cw_tep_batch *b, const int *items, size_t n)
{
	size_t done = 0;

	/* Answered items to the front, in place. */
	for (size_t i = 0; i < b->n && n == b->n; i++) {
		if (items[i] != 0)
			continue;
		struct cw_work w = b->item[i];

		b->item[i] = b->item[done];
		b->item[done++] = w;
	}
	for (size_t i = 0; i < done; i++) {
		const struct cw_confirm yes = {b->item[i].lease, b->item[i].generation, 0};

		if (b->item[i].confirm)
			cw_tep_confirm(b->tep->engine, &yes, 1, b->removes);
	}
	refuse(b->tep, b->item + done, b->n - done, true);
	b->n = 0;
}

static void on_results(
	void *arg, int result, const int *items, const struct cw_dp_counters *counters, size_t n)
{
	struct cw_tep_batch *b = arg;
	struct cw_engine_tep *t = b->tep;

	(void) counters;
	t->out--;
	if (!b->removes)
		cw_hist_add(&t->apply_us, cw_hist_times_us,
			(uint64_t) (cw_clock_now(t->engine->clock).mono_us - t->apply_begun_us));
	if (result == CW_E_SHUTDOWN || t->engine->stopping) {
		b->n = 0;
		return;
	}
	if (result == -ENOMEM && n == 0) { /* of ours: nothing was sent */
		for (size_t i = 0; i < b->n; i++)
			cw_order_retry_later(t, &b->item[i]);
		b->n = 0;
		return;
	}
	if ((b->removes ? CW_FAILPOINT(END_AFTER_REMOVE) : CW_FAILPOINT(GRANT_AFTER_APPLY)) < 0) {
		result = CW_E_TEP;
		n = 0;
	}
	if ((result < 0 && result != -EAGAIN) || n != b->n) {
		batch_failed(b, items, n);
		cw_tep_down(t, result < 0 ? result : CW_E_TEP);
		return;
	}
	batch_results(b, items);
	b->n = 0;
	cw_tep_dispatch(t);
}

/* ---- sending ---- */

static void send_removes(struct cw_engine_tep *t)
{
	static struct cw_dp_removal to[CW_TEP_BATCH]; /* borrowed for the call only */
	struct cw_tep_batch *b = &t->remove;

	for (size_t i = 0; i < b->n; i++) {
		const struct cw_work *w = &b->item[i];

		to[i] = (struct cw_dp_removal){.ports = cw_dp_ports_of(w->ports),
			.lease = w->lease,
			.generation = w->generation};
		for (unsigned k = 0; k < 4; k++)
			to[i].ipv4[k] = (uint8_t) (w->addr.v >> (24 - 8 * k));
	}
	t->engine->stats.removals += b->n;
	cw_dphost_remove(t->dp, to, b->n, on_results, b);
}

static void send_applies(struct cw_engine_tep *t)
{
	static struct cw_dp_binding to[CW_TEP_BATCH];
	struct cw_tep_batch *b = &t->apply;

	for (size_t i = 0; i < b->n; i++) {
		const struct cw_work *w = &b->item[i];

		to[i] = (struct cw_dp_binding){.ports = cw_dp_ports_of(w->ports),
			.lease = w->lease,
			.generation = w->generation,
			.expires_boot_ms = cw_engine_expiry_boot_ms(t->engine, w->expires_s)};
		for (unsigned k = 0; k < 4; k++)
			to[i].ipv4[k] = (uint8_t) (w->addr.v >> (24 - 8 * k));
		memcpy(to[i].ipv6, w->client6.b, sizeof to[i].ipv6);
		if (w->what == CW_OUTBOX_REFRESH)
			t->engine->stats.refreshes++;
		else
			t->engine->stats.applies++;
	}
	t->apply_begun_us = cw_clock_now(t->engine->clock).mono_us;
	cw_dphost_apply(t->dp, to, b->n, on_results, b);
}

bool cw_tep_add(struct cw_engine_tep *t, const struct cw_work *w)
{
	struct cw_tep_batch *b = w->what == CW_OUTBOX_REMOVE ? &t->remove : &t->apply;
	uint64_t key = cw_key_of(w->addr, w->ports.psid);
	size_t slot = (size_t) (key * 0x9e3779b97f4a7c15u >> 52) % CW_TEP_SEEN;

	if (t->apply.n + t->remove.n >= t->room)
		return false;
	while (t->seen[slot].stamp == t->stamp) {
		if (t->seen[slot].key == key)
			return false;
		slot = (slot + 1) % CW_TEP_SEEN;
	}
	t->seen[slot].key = key;
	t->seen[slot].stamp = t->stamp;
	b->item[b->n++] = *w;
	return true;
}

static bool collect_queue(struct cw_engine_tep *t)
{
	const struct cw_work *w;
	bool any = t->retry_due && cw_order_collect_retries(t);

	while ((w = cw_workq_front(&t->queue)) != NULL && cw_tep_add(t, w)) {
		t->removals -= w->what == CW_OUTBOX_REMOVE;
		cw_workq_drop(&t->queue);
		any = true;
	}
	return any;
}

/* Live work and the comparison take turns. Renewals have a share of each batch that neither can
 * take, and fill what room is left: a TEP that cannot follow delays new leases, but it must not
 * stop a lease that was renewed. Ends keep the other half. */
static bool collect(struct cw_engine_tep *t)
{
	size_t renewals = t->refresh_due ? cw_order_refreshes(t) : 0;
	bool any = false;

	t->room = CW_TEP_BATCH - (renewals < CW_REFRESH_SHARE ? renewals : CW_REFRESH_SHARE);

	if (++t->stamp == 0) {
		memset(t->seen, 0, sizeof t->seen);
		t->stamp = 1;
	}
	t->sync_turn = !t->sync_turn;
	if (t->sync && t->sync_turn)
		any = cw_sync_collect(t);
	if (!any)
		any = collect_queue(t);
	if (!any && t->sync && !t->sync_turn)
		any = cw_sync_collect(t);
	t->room = CW_TEP_BATCH;
	if (t->refresh_due && t->state != CW_TEP_DOWN)
		any |= cw_order_collect_refreshes(t);
	for (size_t i = 0; t->n_retries && i < t->apply.n; i++)
		cw_order_supersede(t, &t->apply.item[i]);
	for (size_t i = 0; t->n_retries && i < t->remove.n; i++)
		cw_order_supersede(t, &t->remove.item[i]);
	return any;
}

static void on_again(struct cw_loop_task *task)
{
	struct cw_engine_tep *t = cw_container_of(task, struct cw_engine_tep, again);

	t->again_posted = false;
	t->engine->outstanding--;
	cw_tep_dispatch(t);
}

void cw_tep_dispatch(struct cw_engine_tep *t)
{
	unsigned turn;

	if (t->dispatching || t->engine->stopping)
		return;
	t->dispatching = true;
	for (turn = 0; turn < TURN_BATCHES; turn++) {
		if (t->dirty && !t->sync && t->state == CW_TEP_UP && !t->out)
			cw_sync_start(t);
		if (t->out || t->state == CW_TEP_DOWN || !collect(t))
			break;
		t->out = (t->remove.n > 0) + (t->apply.n > 0);
		/* A plugin may answer inside the call and even be down then. */
		if (t->remove.n)
			send_removes(t);
		if (t->apply.n) {
			if (t->state == CW_TEP_DOWN) {
				t->out--;
				refuse(t, t->apply.item, t->apply.n, false);
				t->apply.n = 0;
			} else {
				send_applies(t);
			}
		}
	}
	t->dispatching = false;
	if (turn == TURN_BATCHES && !t->again_posted) {
		t->again_posted = true;
		t->engine->outstanding++;
		cw_loop_post(t->engine->loop, &t->again);
	}
}

/* ---- entries ---- */

static void on_refresh_timer(void *arg)
{
	struct cw_engine_tep *t = arg;

	t->refresh_armed = false;
	t->refresh_due = true;
	cw_tep_dispatch(t);
}

static void submit_while_down(struct cw_engine_tep *t, const struct cw_work *w)
{
	const struct cw_confirm gone = {w->lease, w->generation, 0};

	if (w->what == CW_OUTBOX_REMOVE && cw_map_take_u64(t->never_sent, w->lease))
		cw_tep_confirm(t->engine, &gone, 1, true);
	else
		refuse(t, w, 1, false);
}

void cw_tep_submit(struct cw_engine_tep *t, const struct cw_outbox_entry *entry)
{
	const struct cw_lease *l = &entry->lease;
	/* Somebody asks again for what the TEP has not confirmed yet and waits for it, like for a
	 * grant. */
	bool again = entry->what == CW_OUTBOX_REFRESH && !l->confirmed;
	int what = again ? CW_OUTBOX_APPLY : (int) entry->what;
	const struct cw_work w = {
		.lease = l->id,
		.generation = l->generation,
		.client6 = l->client6,
		.addr = l->addr,
		.ports = l->ports,
		.expires_s = l->expires_s,
		.what = (uint8_t) what,
		.confirm = what != CW_OUTBOX_REFRESH,
		.awaited = what == CW_OUTBOX_REMOVE && l->reason == CW_END_REVOKE,
		.there = again || entry->replaces,
	};
	int64_t left_s = what == CW_OUTBOX_REFRESH
				 ? entry->until_s - cw_engine_now(t->engine).steady_s
				 : INT64_MAX;
	bool urgent = left_s < CW_REFRESH_URGENT_S;
	struct cw_workq *q = what != CW_OUTBOX_REFRESH ? &t->queue
			     : urgent                  ? &t->urgent
						       : &t->refresh;

	t->seq++;
	if (t->state == CW_TEP_DOWN) {
		submit_while_down(t, &w);
		return;
	}
	cw_sync_touch(t, cw_key_of(w.addr, w.ports.psid));
	if (q != &t->refresh)
		cw_order_overtake(t, &w);
	if (q->n >= CW_TEP_QUEUE_MAX || cw_workq_push(q, &w) < 0) {
		/* Clients that wait are told; everything else is in the store. */
		t->dirty = true;
		refuse(t, &w, 1, false);
		return;
	}
	t->removals += what == CW_OUTBOX_REMOVE;
	if (left_s <= 1) {
		t->refresh_due = true; /* not even the moment that others share */
	} else if (what == CW_OUTBOX_REFRESH && !t->refresh_armed && !t->refresh_due) {
		t->refresh_armed = true;
		cw_timer_start(t->refresh_timer, CW_REFRESH_MS);
	}
}

bool cw_tep_removing(const struct cw_engine_tep *t)
{
	return t->removals || t->remove.n;
}

/* ---- down and up ---- */

void cw_tep_down(struct cw_engine_tep *t, int why)
{
	int64_t wait_ms = DOWN_FIRST_MS;
	const struct cw_work *w;
	char detail[64];

	cw_sync_end(t);
	t->last_error = why;
	if (t->state != CW_TEP_DOWN || !t->settled) {
		t->engine->stats.tep_downs++;
		cw_log(CW_LOG_ERR,
			CW_F(CW_F_EVENT("tep.down"), CW_F_STR("tep", t->tep.name), CW_F_ERR(why)),
			"the tunnel end point does not work: no new leases on it, tried again with back-off");
		(void) snprintf(detail, sizeof detail, "{\"why\":\"%s\"}", cw_err_name(why));
		cw_engine_event(t->engine, "tep.down", t->tep.id, t->tep.name, detail);
	}
	t->state = CW_TEP_DOWN;
	for (; (w = cw_workq_front(&t->queue)) != NULL; cw_workq_drop(&t->queue))
		refuse(t, w, 1, false);
	t->removals = 0;
	cw_order_drop_refreshes(t);
	cw_order_drop_retries(t);
	for (unsigned i = 0; i < t->down_tries && wait_ms < DOWN_MAX_MS; i++)
		wait_ms *= 2;
	t->down_tries++;
	cw_timer_start(t->wake_timer, (uint64_t) (wait_ms < DOWN_MAX_MS ? wait_ms : DOWN_MAX_MS));
	if (!t->settled) {
		t->settled = true;
		cw_engine_settled(t->engine);
	}
}

void cw_tep_up(struct cw_engine_tep *t)
{
	if (t->state == CW_TEP_DOWN)
		return;
	t->state = CW_TEP_UP;
	t->down_tries = 0;
	t->last_error = 0;
	if (!t->settled) {
		t->settled = true;
		cw_engine_settled(t->engine);
	}
}

static void on_wake_timer(void *arg)
{
	struct cw_engine_tep *t = arg;
	char why[256];

	if (t->engine->stopping)
		return;
	if (t->sync && t->sync->waiting) {
		t->sync->waiting = false;
		cw_tep_dispatch(t);
		return;
	}
	if (t->out || t->sync) {
		cw_timer_start(t->wake_timer, DOWN_FIRST_MS);
		return;
	}
	if (!t->dp && cw_tep_open(t, why, sizeof why) < 0) {
		cw_tep_down(t, CW_E_TEP);
		return;
	}
	cw_sync_start(t);
}

void cw_tep_poke(struct cw_engine_tep *t)
{
	cw_order_on_retry(t);
	if (t->refresh_armed)
		on_refresh_timer(t);
	if (t->state == CW_TEP_DOWN)
		on_wake_timer(t);
}

/* Borrows from both. */
static struct cw_dphost_config config_of(const struct cw_tep *t, const char *plugin_dir)
{
	return (struct cw_dphost_config){
		.plugin = t->plugin,
		.directory = plugin_dir,
		.tep = t->name,
		.has_ipv4 = t->has_ipv4,
		.ipv4 = t->ipv4,
		.ipv6 = t->ipv6,
		.options = t->options,
	};
}

int cw_engine_check_tep(const struct cw_tep *tep, const char *plugin_dir, char *why, size_t why_n)
{
	const struct cw_dphost_config conf = config_of(tep, plugin_dir);

	return cw_dphost_check(&conf, why, why_n);
}

int cw_tep_open(struct cw_engine_tep *t, char *why, size_t why_n)
{
	const struct cw_dphost_config conf = config_of(&t->tep, t->engine->conf.plugin_dir);
	char text[512] = "";
	int r = cw_dphost_open(t->engine->loop, &conf, text, sizeof text, &t->dp);

	if (r < 0) /* a plugin does not know which of several it is */
		(void) snprintf(why, why_n, "tep \"%s\": %s", t->tep.name, text);
	return r;
}

void cw_tep_close(struct cw_engine_tep *t)
{
	cw_sync_end(t);
	t->dp = cw_dphost_close(t->dp);
	cw_timer_stop(t->retry_timer);
	cw_timer_stop(t->refresh_timer);
	cw_timer_stop(t->wake_timer);
	cw_order_drop_retries(t);
}

int cw_tep_new(struct cw_engine *e, const struct cw_tep *tep, struct cw_engine_tep **ret)
{
	struct cw_engine_tep *t = cw_zalloc(1, sizeof *t);
	int r;

	if (!t)
		return -ENOMEM;
	t->engine = e;
	t->tep = *tep;
	t->apply.tep = t->remove.tep = t;
	t->remove.removes = true;
	t->again.fn = on_again;
	cw_list_init(&t->retries);
	t->never_sent = cw_map_new();
	r = t->never_sent ? 0 : -ENOMEM;
	if (r == 0)
		r = cw_timer_new(e->loop, cw_order_on_retry, t, &t->retry_timer);
	if (r == 0)
		r = cw_timer_new(e->loop, on_refresh_timer, t, &t->refresh_timer);
	if (r == 0)
		r = cw_timer_new(e->loop, on_wake_timer, t, &t->wake_timer);
	if (r < 0) {
		(void) cw_tep_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

struct cw_engine_tep *cw_tep_free(struct cw_engine_tep *t)
{
	if (!t)
		return NULL;
	cw_sync_end(t);
	t->dp = cw_dphost_close(t->dp);
	cw_order_drop_retries(t);
	t->retry_timer = cw_timer_free(t->retry_timer);
	t->refresh_timer = cw_timer_free(t->refresh_timer);
	t->wake_timer = cw_timer_free(t->wake_timer);
	(void) cw_map_free(t->never_sent);
	(void) cw_free(t->drift);
	cw_workq_done(&t->queue);
	cw_order_drop_refreshes(t);
	return cw_free(t);
}
