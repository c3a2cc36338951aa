/* SPDX-License-Identifier: BSD-2-Clause */
/* What time does to leases: expiry, end of quarantine, pruning of history, each as operations of a
 * bounded size that queue like everybody else's, so that allocations go on between them
 * (reliability guide R11). Nothing polls: the store says when the next lease is due, grants and
 * renewals tell of earlier ones. And the heartbeat that carries the time line over a restart.
 * Thread: the loop's. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/lease/engine_int.h"

/* Leases of one operation: few, for allocations wait behind it; twice as many for each LAG_S it is
 * late, for then flushes are what takes the time. */
#define BATCH         64
#define LAG_S         2
#define LAG_DOUBLINGS 3
#define LOOK_MAX_MS   60000 /* longest sleep: a suspend must not stretch it further */
#define RETRY_S       1     /* after an operation that failed */
#define PRUNE_EVERY_S 3600
#define PRUNE_MORE_S  1
#define BEAT_MS       10000
#define WALL_STEP_MS  5000 /* between two heartbeats */
#define TEP_BACKLOG   8192 /* a slow TEP holds expiry back, not the other way round */

static bool tep_backlog(const struct cw_engine *e)
{
	for (unsigned i = 0; i < e->n_teps; i++)
		if (e->teps[i]->queue.n > TEP_BACKLOG)
			return true;
	return false;
}

static bool is_due(const struct cw_engine *e, unsigned kind, int64_t now_s)
{
	if (e->sweep[kind].due_s > now_s)
		return false;
	return kind != CW_SWEEP_EXPIRE || (now_s >= e->grace_until_s && !tep_backlog(e));
}

static unsigned batch_size(const struct cw_engine *e, const struct cw_sweep *s)
{
	unsigned base = e->conf.sweep_batch ? e->conf.sweep_batch : BATCH;
	int64_t late_s = cw_engine_now(e).steady_s - s->due_s;
	int64_t doublings = late_s / LAG_S;

	if (late_s < 0 || s->due_s <= 0)
		return base;
	return base << (doublings < LAG_DOUBLINGS ? doublings : LAG_DOUBLINGS);
}

static void sweep_done(struct cw_loop_task *task);

static void sweep_run(struct cw_engine *e, unsigned kind)
{
	static const enum cw_op_kind kinds[] = {CW_OP_EXPIRE, CW_OP_FREE, CW_OP_PRUNE};
	struct cw_sweep *s = &e->sweep[kind];

	s->running = true;
	s->base.op.kind = kinds[kind];
	s->base.op.now = cw_engine_now(e);
	s->base.op.u.sweep = (struct cw_op_sweep){.limit = batch_size(e, s)};
	e->stats.sweeps++;
	cw_engine_run_op(e, &s->base, sweep_done);
}

static void arm(struct cw_engine *e)
{
	int64_t now_ms = cw_engine_boot_ms(e), first_ms = INT64_MAX;

	for (unsigned kind = 0; kind < CW_SWEEP_N; kind++) {
		const struct cw_sweep *s = &e->sweep[kind];
		int64_t due_s = s->due_s;

		if (s->running || due_s == INT64_MAX)
			continue;
		if (kind == CW_SWEEP_EXPIRE && due_s < e->grace_until_s)
			due_s = e->grace_until_s;
		if (cw_steady_boot_ms(&e->steady, due_s) < first_ms)
			first_ms = cw_steady_boot_ms(&e->steady, due_s);
	}
	if (first_ms == INT64_MAX) {
		cw_timer_stop(e->sweep_timer);
		return;
	}
	/* Due already and not running: held back by a TEP; look again soon. */
	first_ms = first_ms <= now_ms ? 100 : first_ms - now_ms;
	cw_timer_start(
		e->sweep_timer, (uint64_t) (first_ms > LOOK_MAX_MS ? LOOK_MAX_MS : first_ms));
}

void cw_sweep_look(struct cw_engine *e)
{
	int64_t now_s = cw_engine_now(e).steady_s;

	if (!e->ready || e->stopping)
		return;
	for (unsigned kind = 0; kind < CW_SWEEP_N; kind++)
		if (!e->sweep[kind].running && is_due(e, kind, now_s))
			sweep_run(e, kind);
	arm(e);
}

static void on_sweep_timer(void *arg)
{
	cw_sweep_look(arg);
}

static void sweep_done(struct cw_loop_task *task)
{
	struct cw_sweep *s = cw_container_of(cw_engine_op_over(task), struct cw_sweep, base);
	struct cw_engine *e = s->base.engine;
	unsigned kind = (unsigned) (s - e->sweep);
	int64_t now_s = cw_engine_now(e).steady_s;
	const struct cw_op_sweep *r = &s->base.op.u.sweep;

	s->running = false;
	s->runs++;
	s->last_error = s->base.op.result < 0 ? s->base.op.result : 0;
	s->failures += s->base.op.result < 0;
	s->leases += s->base.op.result < 0 ? 0 : r->count;
	if (s->base.op.result < 0) {
		s->due_s = now_s + RETRY_S;
		if (s->base.op.result != CW_E_BUSY && s->base.op.result != CW_E_SHUTDOWN)
			cw_log(CW_LOG_WARNING,
				CW_F(CW_F_EVENT("sweep.failed"), CW_F_ERR(s->base.op.result)),
				"leases cannot be swept, will be tried again");
	} else if (kind == CW_SWEEP_PRUNE) {
		s->due_s = now_s + (r->count == r->limit ? PRUNE_MORE_S : PRUNE_EVERY_S);
	} else {
		e->stats.sweep_leases += r->count;
		/* due_s may have been lowered by a grant while the operation ran: the earlier one
		 * counts. */
		if (s->due_s <= now_s || r->next_due_s < s->due_s)
			s->due_s = r->next_due_s;
		if (r->count == 0 && s->due_s <= now_s)
			s->due_s =
				now_s + RETRY_S; /* the store does not see it as due: never spin */
	}
	cw_sweep_look(e);
	/* There is room, or no hope of any. */
	if ((kind == CW_SWEEP_FREE && s->base.op.result == 0 && r->count) || !cw_sweep_may_free(e))
		cw_engine_unpark(e, true);
}

void cw_engine_sweep_state(
	const struct cw_engine *e, enum cw_engine_sweep which, struct cw_engine_sweep_state *ret)
{
	const struct cw_sweep *s = &e->sweep[which];

	*ret = (struct cw_engine_sweep_state){
		.due_s = s->due_s,
		.running = s->running,
		.held = which == CW_SWEEP_EXPIRE &&
			(cw_engine_now(e).steady_s < e->grace_until_s || tep_backlog(e)),
		.runs = s->runs,
		.leases = s->leases,
		.failures = s->failures,
		.last_error = s->last_error,
	};
}

void cw_sweep_expiry_at(struct cw_engine *e, int64_t due_s)
{
	struct cw_sweep *s = &e->sweep[CW_SWEEP_EXPIRE];

	if (due_s >= s->due_s)
		return;
	s->due_s = due_s;
	if (e->ready && !e->stopping)
		arm(e);
}

void cw_sweep_removed(struct cw_engine *e)
{
	struct cw_sweep *s = &e->sweep[CW_SWEEP_FREE];
	int64_t soon_s = cw_engine_now(e).steady_s + 1;

	/* When their quarantine ends is the store's knowledge: ask it, at most once a second. */
	if (s->due_s > soon_s) {
		s->due_s = soon_s;
		if (e->ready && !e->stopping)
			arm(e);
	}
}

bool cw_sweep_may_free(const struct cw_engine *e)
{
	int64_t now_s = cw_engine_now(e).steady_s;

	for (unsigned i = 0; i < e->n_teps; i++)
		if (cw_tep_removing(e->teps[i]))
			return true;
	if (e->sweep[CW_SWEEP_FREE].running || e->sweep[CW_SWEEP_FREE].due_s <= now_s + 1)
		return true;
	return e->sweep[CW_SWEEP_EXPIRE].running || is_due(e, CW_SWEEP_EXPIRE, now_s) ||
	       e->removals_out;
}

void cw_sweep_start(struct cw_engine *e)
{
	e->sweep[CW_SWEEP_PRUNE].due_s = cw_engine_now(e).steady_s + PRUNE_MORE_S;
	if (cw_timer_new(e->loop, on_sweep_timer, e, &e->sweep_timer) < 0) {
		cw_log(CW_LOG_ERR, CW_F(CW_F_EVENT("sweep.failed"), CW_F_ERR(-ENOMEM)),
			"no memory for a timer: leases will not expire");
		e->ready = false;
		return;
	}
	cw_sweep_look(e);
}

void cw_sweep_stop(struct cw_engine *e)
{
	if (e->sweep_timer)
		cw_timer_stop(e->sweep_timer);
}

/* ---- heartbeat ---- */

static void beat_done(struct cw_loop_task *task)
{
	cw_container_of(cw_engine_op_over(task), struct cw_heartbeat, base)->running = false;
}

static void beat(struct cw_engine *e)
{
	struct cw_heartbeat *b = &e->beat;
	struct cw_now now = cw_clock_now(e->clock);
	int64_t diff_ms = now.wall_s * 1000 - now.boot_ms;
	char detail[48];

	if (b->running)
		return; /* the store is busy: the older beat stands */
	if (llabs(diff_ms - b->wall_minus_boot_ms) > WALL_STEP_MS) {
		e->stats.clock_jumps++;
		cw_log(CW_LOG_NOTICE,
			CW_F(CW_F_EVENT("clock.jump"), CW_F_STR("how", "running"),
				CW_F_INT("step_ms", diff_ms - b->wall_minus_boot_ms)),
			"the wall clock was set; leases do not depend on it");
		(void) snprintf(detail, sizeof detail, "{\"step_s\":%lld}",
			(long long) ((diff_ms - b->wall_minus_boot_ms) / 1000));
		cw_engine_event(e, "clock.jump", 0, NULL, detail);
	}
	b->wall_minus_boot_ms = diff_ms;
	b->running = true;
	b->base.op.kind = CW_OP_HEARTBEAT;
	cw_steady_heartbeat(&e->steady, now, e->boot_id, &b->base.op.u.heartbeat, &b->base.op.now);
	cw_engine_run_op(e, &b->base, beat_done);
}

static void on_beat_timer(void *arg)
{
	struct cw_engine *e = arg;

	if (e->stopping)
		return;
	beat(e);
	cw_timer_start(e->beat_timer, BEAT_MS);
}

void cw_beat_start(struct cw_engine *e)
{
	struct cw_now now = cw_clock_now(e->clock);

	e->beat.wall_minus_boot_ms = now.wall_s * 1000 - now.boot_ms;
	if (cw_timer_new(e->loop, on_beat_timer, e, &e->beat_timer) == 0)
		cw_timer_start(e->beat_timer, BEAT_MS);
	beat(e);
}

void cw_beat_stop(struct cw_engine *e)
{
	if (e->beat_timer)
		cw_timer_stop(e->beat_timer);
	beat(e);
}
