/* SPDX-License-Identifier: BSD-2-Clause */
/* What must wait before it goes to a TEP, and the order that keeps: applies that were refused
 * (tried again with back-off) and renewals (sent together, ADR 5). Work of one key reaches the TEP
 * in the order of its generations, or not at all: an older apply that came after a removal would
 * bring back a binding that has ended. Thread: the loop's. */
#include "config.h"

#include <errno.h>

#include "base/mem.h"
#include "broker/lease/engine_int.h"

#define RETRY_FIRST_MS 50
#define RETRY_MAX_MS   30000

/* ---- retries ---- */

static void retry_arm(struct cw_engine_tep *t)
{
	int64_t now_ms = cw_engine_boot_ms(t->engine), first_ms = INT64_MAX;

	cw_list_for_each (it, &t->retries) {
		const struct cw_retry *r = cw_container_of(it, struct cw_retry, in_tep);

		if (r->at_ms <= now_ms)
			t->retry_due = true;
		else if (r->at_ms < first_ms)
			first_ms = r->at_ms;
	}
	if (first_ms != INT64_MAX)
		cw_timer_start(t->retry_timer, (uint64_t) (first_ms - now_ms));
}

void cw_order_drop_retries(struct cw_engine_tep *t)
{
	struct cw_list *it;

	while ((it = cw_list_pop(&t->retries)) != NULL)
		(void) cw_free(cw_container_of(it, struct cw_retry, in_tep));
	t->n_retries = 0;
	t->retry_due = false;
}

void cw_order_retry_later(struct cw_engine_tep *t, const struct cw_work *w)
{
	struct cw_retry *r = t->n_retries < CW_TEP_RETRY_MAX ? cw_zalloc(1, sizeof *r) : NULL;
	int64_t wait_ms = RETRY_FIRST_MS;

	if (!r) {
		t->dirty = true;
		return;
	}
	for (unsigned i = 0; i < w->tries && wait_ms < RETRY_MAX_MS; i++)
		wait_ms *= 3;
	r->work = *w;
	r->work.tries++;
	r->at_ms = cw_engine_boot_ms(t->engine) + (wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS);
	cw_list_append(&t->retries, &r->in_tep);
	t->n_retries++;
	retry_arm(t);
}

/* What goes out now is newer than the applies of its key that wait: those must never follow it, for
 * they would bring back a binding that has ended, or an end that was put off. */
void cw_order_supersede(struct cw_engine_tep *t, const struct cw_work *w)
{
	cw_list_for_each_safe (it, tmp, &t->retries) {
		struct cw_retry *r = cw_container_of(it, struct cw_retry, in_tep);

		if (r->work.what == CW_OUTBOX_REMOVE || r->work.generation > w->generation ||
			cw_key_of(r->work.addr, r->work.ports.psid) !=
				cw_key_of(w->addr, w->ports.psid))
			continue;
		cw_list_remove(&r->in_tep);
		(void) cw_free(r);
		t->n_retries--;
	}
}

void cw_order_on_retry(void *arg)
{
	struct cw_engine_tep *t = arg;

	retry_arm(t);
	cw_tep_dispatch(t);
}

/* They are older than anything in the queue, so they go before it. */
bool cw_order_collect_retries(struct cw_engine_tep *t)
{
	int64_t now_ms = cw_engine_boot_ms(t->engine);
	bool any = false;

	t->retry_due = false;
	cw_list_for_each_safe (it, tmp, &t->retries) {
		struct cw_retry *r = cw_container_of(it, struct cw_retry, in_tep);

		if (r->at_ms > now_ms)
			continue;
		if (!cw_tep_add(t, &r->work)) {
			t->retry_due = true;
			continue;
		}
		cw_list_remove(&r->in_tep);
		(void) cw_free(r);
		t->n_retries--;
		any = true;
	}
	return any;
}

/* ---- renewals that wait ---- */

/* A renewal waits a moment (ADR 5), and other work of its key passes it meanwhile: a newer
 * generation, or a later renewal that is urgent. */
struct overtaken {
	uint64_t generation;
	int64_t expires_s;
};

size_t cw_order_refreshes(const struct cw_engine_tep *t)
{
	return t->urgent.n + t->refresh.n;
}

static void clear_overtaken(struct cw_engine_tep *t)
{
	size_t iter = 0;
	void *o;

	if (!t->overtaken)
		return;
	while ((o = cw_map_next(t->overtaken, &iter)) != NULL)
		(void) cw_free(o);
	t->overtaken = cw_map_free(t->overtaken);
}

void cw_order_drop_refreshes(struct cw_engine_tep *t)
{
	cw_workq_done(&t->urgent);
	cw_workq_done(&t->refresh);
	clear_overtaken(t);
	t->refresh_due = false;
}

void cw_order_overtake(struct cw_engine_tep *t, const struct cw_work *w)
{
	uint64_t key = cw_key_of(w->addr, w->ports.psid);
	struct overtaken *o;

	if (!cw_order_refreshes(t))
		return;
	if (!t->overtaken)
		t->overtaken = cw_map_new();
	o = t->overtaken ? cw_map_get_u64(t->overtaken, key) : NULL;
	if (!o && t->overtaken) {
		o = cw_zalloc(1, sizeof *o);
		if (o && cw_map_put_u64(t->overtaken, key, o, NULL) < 0)
			o = cw_free(o);
	}
	if (o) {
		o->generation = w->generation;
		o->expires_s = w->expires_s;
		return;
	}
	/* Without a note of it none of them may go any more: a comparison brings what they had. */
	cw_order_drop_refreshes(t);
	t->dirty = true;
}

static bool is_overtaken(const struct cw_engine_tep *t, const struct cw_work *w)
{
	const struct overtaken *o =
		t->overtaken ? cw_map_get_u64(t->overtaken, cw_key_of(w->addr, w->ports.psid))
			     : NULL;

	return o && (o->generation > w->generation ||
			    (o->generation == w->generation && o->expires_s > w->expires_s));
}

static bool collect_from(struct cw_engine_tep *t, struct cw_workq *q)
{
	const struct cw_work *w;
	bool any = false;

	while ((w = cw_workq_front(q)) != NULL) {
		bool over = is_overtaken(t, w);

		if (!over && !cw_tep_add(t, w))
			break;
		cw_workq_drop(q);
		any |= !over;
	}
	return any;
}

bool cw_order_collect_refreshes(struct cw_engine_tep *t)
{
	bool any = collect_from(t, &t->urgent);

	any |= collect_from(t, &t->refresh);
	t->refresh_due = cw_order_refreshes(t) > 0;
	if (!t->refresh_due)
		clear_overtaken(t);
	return any;
}
