/* SPDX-License-Identifier: BSD-2-Clause */
/* What is told and counted. Events that no operation of the store causes (TEPs, clocks, jobs) are
 * operations of their own; nobody waits for them. Thread: the loop's. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "broker/lease/engine_int.h"

enum { TOLD_MAX = 256 }; /* on their way at once: a store that stands still is told enough */

static void told(struct cw_loop_task *task)
{
	struct cw_engine_op *op = cw_engine_op_over(task);

	op->engine->telling--;
	(void) cw_free(op);
}

void cw_engine_event(struct cw_engine *e, const char *type, uint64_t object_id, const char *object,
	const char *detail)
{
	struct cw_engine_op *op;
	struct cw_event *ev;

	if (!e->started || e->stopping || e->telling >= TOLD_MAX)
		return;
	op = cw_zalloc(1, sizeof *op);
	if (!op)
		return;
	op->op.kind = CW_OP_EVENT;
	op->op.now = cw_engine_now(e);
	ev = &op->op.u.event;
	ev->object_id = object_id;
	(void) snprintf(ev->type, sizeof ev->type, "%s", type);
	(void) snprintf(ev->object, sizeof ev->object, "%s", object ? object : "");
	(void) snprintf(ev->detail, sizeof ev->detail, "%s", detail ? detail : "");
	e->telling++;
	cw_engine_run_op(e, op, told);
}

/* ---- counters ---- */

/* CW_FAILURES: it is no failure of a lease. */
static enum cw_engine_failure failure_of(int result)
{
	switch (result) {
	case CW_E_POOL_EMPTY:
		return CW_FAIL_POOL_EMPTY;
	case CW_E_QUOTA:
		return CW_FAIL_QUOTA;
	case CW_E_CONFLICT:
		return CW_FAIL_CONFLICT;
	case CW_E_TEP:
		return CW_FAIL_TEP;
	case CW_E_STORE_FULL:
	case CW_E_STORE_IO:
	case CW_E_STORE_CORRUPT:
		return CW_FAIL_STORE;
	default:
		return CW_FAILURES;
	}
}

/* The counters of a pool that a request named, NULL: no memory for them. */
static struct cw_engine_failed *failed_of(struct cw_engine *e, const char *pool)
{
	struct cw_engine_failed *f = cw_map_get(e->failed, pool, strlen(pool));

	if (f)
		return f;
	f = cw_zalloc(1, sizeof *f);
	if (!f)
		return NULL;
	(void) snprintf(f->pool, sizeof f->pool, "%s", pool);
	if (cw_map_put(e->failed, pool, strlen(pool), f, NULL) < 0)
		return cw_free(f);
	return f;
}

static void count_failure(struct cw_engine *e, const char *pool, enum cw_engine_failure why)
{
	struct cw_engine_failed *f;

	if (why == CW_FAILURES)
		return;
	e->stats.failures[why]++;
	f = pool[0] ? failed_of(e, pool) : NULL;
	if (f)
		f->n[why]++;
}

size_t cw_engine_failed(const struct cw_engine *e, struct cw_engine_failed *to, size_t max)
{
	struct cw_engine_failed none = {.pool = ""};
	const struct cw_engine_failed *f;
	size_t iter = 0, n = 1;

	memcpy(none.n, e->stats.failures, sizeof none.n);
	while ((f = cw_map_next(e->failed, &iter)) != NULL) {
		for (unsigned i = 0; i < CW_FAILURES; i++)
			none.n[i] -= f->n[i];
		if (n++ < max)
			to[n - 1] = *f;
	}
	if (max > 0)
		to[0] = none;
	return n;
}

void cw_engine_count(struct cw_engine *e, const struct cw_engine_req *req)
{
	if (req->op.kind != CW_OP_ACQUIRE)
		return;
	if (req->op.result < 0)
		count_failure(e, req->op.u.acquire.pool, failure_of(req->op.result));
	cw_hist_add(&e->stats.alloc_us, cw_hist_times_us,
		(uint64_t) (cw_clock_now(e->clock).mono_us - req->begun_us));
}

void cw_engine_count_transition(struct cw_engine *e, const struct cw_outbox_entry *entry)
{
	unsigned access = (unsigned) entry->lease.access;
	enum cw_engine_counted what = CW_COUNT_GRANT;

	if (entry->what == CW_OUTBOX_REFRESH)
		what = CW_COUNT_RENEW;
	else if (entry->what == CW_OUTBOX_REMOVE)
		what = entry->lease.reason == CW_END_RELEASE  ? CW_COUNT_RELEASE
		       : entry->lease.reason == CW_END_EXPIRE ? CW_COUNT_EXPIRE
		       : entry->lease.reason == CW_END_REVOKE ? CW_COUNT_REVOKE
							      : CW_COUNT_REFUSE;
	if (access < CW_COUNT_ACCESSES)
		e->stats.transitions[what][access]++;
}

int cw_engine_tep_apply_us(const struct cw_engine *e, uint64_t tep_id, struct cw_hist *ret)
{
	const struct cw_engine_tep *t = cw_map_get_u64(e->tep_by_id, tep_id);

	if (!t)
		return -ENOENT;
	*ret = t->apply_us;
	return 0;
}

int cw_engine_store_health(const struct cw_engine *e)
{
	return e->store_health;
}
