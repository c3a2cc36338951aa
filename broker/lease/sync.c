/* SPDX-License-Identifier: BSD-2-Clause */
/* Reconcile: makes what a TEP does equal to what the store wants. Both sides come as pages in the
 * order of (address, PSID) and are merged: what is missing or different is applied, what nobody
 * wants is removed, leases that were ENDING are finished, confirmations a crash swallowed are made
 * up for. Memory is a few pages, however many leases there are.
 *
 * It runs beside live traffic. A row read before the live queue dealt with its key may be out of
 * date, so such keys are remembered with the entry's number, and rows older than that are skipped:
 * the live queue has done or will do the right thing. Thread: the loop's; the store is read by the
 * pager's. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/lease/engine_int.h"

#define LIST_TRIES      7 /* 20 ms, 40, ... : 2.5 s together */
#define LIST_AGAIN_MS   20
#define EXPIRY_SLACK_MS 2000 /* a binding whose end differs by less is left alone */

struct touch {
	uint64_t seq;
};

static void sync_unref(struct cw_sync *s)
{
	size_t iter = 0;
	void *touch;

	if (--s->refs)
		return;
	while (s->touched && (touch = cw_map_next(s->touched, &iter)) != NULL)
		(void) cw_free(touch);
	(void) cw_map_free(s->touched);
	(void) cw_free(s->page[0].lease);
	(void) cw_free(s->page[1].lease);
	(void) cw_free(s->row);
	(void) cw_free(s->drift);
	(void) cw_free(s);
}

static bool is_over(const struct cw_sync *s)
{
	return s->tep->sync != s;
}

/* ---- the two streams ---- */

static void page_read(struct cw_sync *s, unsigned i);

static void page_done(struct cw_pager_job *job)
{
	struct cw_sync_page *p = cw_container_of(job, struct cw_sync_page, job);
	struct cw_sync *s = p->sync;
	struct cw_engine_tep *t = s->tep;
	unsigned other = p == &s->page[0] ? 1 : 0;

	if (is_over(s)) {
		sync_unref(s);
		return;
	}
	s->refs--; /* the TEP holds the last one */
	if (job->result < 0) {
		cw_tep_down(t, job->result);
		return;
	}
	p->n = (size_t) job->result;
	p->pos = 0;
	p->state = CW_PAGE_READY;
	if (p->n < job->max) {
		s->want_eof = true;
	} else {
		s->after = (struct cw_lease_key){
			.addr = p->lease[p->n - 1].addr, .psid = p->lease[p->n - 1].ports.psid};
		if (s->page[other].state == CW_PAGE_EMPTY)
			page_read(s, other);
	}
	cw_tep_dispatch(t);
}

static void page_read(struct cw_sync *s, unsigned i)
{
	struct cw_sync_page *p = &s->page[i];

	p->state = CW_PAGE_READING;
	p->seq = s->tep->seq;
	p->job.filter = (struct cw_lease_filter){
		.tep_id = s->tep->tep.id, .states = 1u << CW_LEASE_ACTIVE | 1u << CW_LEASE_ENDING};
	p->job.after = s->after;
	p->job.to = p->lease;
	p->job.max = CW_SYNC_PAGE;
	p->job.done = page_done;
	s->refs++;
	cw_pager_read(s->tep->engine->pager, &p->job);
}

static void list_rows(struct cw_sync *s);

static void list_done(void *arg, int result, const struct cw_dp_row *rows, size_t n,
	const struct cw_dp_cursor *next)
{
	struct cw_sync *s = arg;
	struct cw_engine_tep *t = s->tep;

	s->listing = false;
	if (is_over(s) || result == CW_E_SHUTDOWN) {
		sync_unref(s);
		return;
	}
	s->refs--;
	if (result == 0 && n > s->row_cap) {
		struct cw_dp_row *v = cw_realloc(s->row, n, sizeof *v);

		if (v) {
			s->row = v;
			s->row_cap = n;
		} else {
			result = -ENOMEM;
		}
	}
	if (result == -EAGAIN && s->tries < LIST_TRIES) {
		/* It does not know yet, at its own start: wait for it rather than refuse clients.
		 */
		s->waiting = true;
		cw_timer_start(t->wake_timer, LIST_AGAIN_MS << s->tries++);
		return;
	}
	if (result < 0) {
		cw_tep_down(t, result);
		return;
	}
	s->tries = 0;
	if (n)
		memcpy(s->row, rows, n * sizeof *rows);
	s->rows = n;
	s->row_pos = 0;
	if (next)
		s->cursor = *next;
	else
		s->have_eof = true;
	cw_tep_dispatch(t);
}

static void list_rows(struct cw_sync *s)
{
	s->listing = true;
	s->row_seq = s->tep->seq;
	s->refs++;
	cw_dphost_list(s->tep->dp, s->cursor, CW_SYNC_PAGE, list_done, s);
}

/* The next desired lease; NULL and *ret_wait: not read yet, NULL alone: there is none. */
static const struct cw_lease *want_front(struct cw_sync *s, bool *ret_wait)
{
	struct cw_sync_page *p = &s->page[s->current];

	while (p->state == CW_PAGE_READY && p->pos == p->n) {
		p->state = CW_PAGE_EMPTY;
		if (!s->want_eof && s->page[s->current ^ 1].state != CW_PAGE_READING)
			page_read(s, s->current);
		s->current ^= 1;
		p = &s->page[s->current];
	}
	*ret_wait = p->state == CW_PAGE_READING || (p->state == CW_PAGE_EMPTY && !s->want_eof);
	return p->state == CW_PAGE_READY ? &p->lease[p->pos] : NULL;
}

/* The next binding of the TEP, likewise. */
static const struct cw_dp_row *have_front(struct cw_sync *s, bool *ret_wait)
{
	/* A plugin may answer inside the call, with an empty page that is not the last. */
	for (unsigned i = 0; s->row_pos == s->rows && !s->have_eof && !s->listing && !s->waiting &&
			     !is_over(s) && i < 64;
		i++)
		list_rows(s);
	*ret_wait = s->row_pos == s->rows && !s->have_eof;
	return s->row_pos < s->rows ? &s->row[s->row_pos] : NULL;
}

/* ---- the merge ---- */

static struct cw_addr4 row_addr(const struct cw_dp_row *r)
{
	const uint8_t *b = r->binding.ipv4;

	return (struct cw_addr4){
		(uint32_t) b[0] << 24 | (uint32_t) b[1] << 16 | (uint32_t) b[2] << 8 | b[3]};
}

static bool was_touched(struct cw_sync *s, uint64_t key, uint64_t seq)
{
	const struct touch *touch =
		cw_map_count(s->touched) ? cw_map_get_u64(s->touched, key) : NULL;

	return touch && touch->seq > seq;
}

static bool binding_equal(
	const struct cw_engine *e, const struct cw_lease *w, const struct cw_dp_binding *b)
{
	return b->generation == w->generation &&
	       memcmp(b->ipv6, w->client6.b, sizeof b->ipv6) == 0 &&
	       cw_portset_eq(cw_portset_of_dp(b->ports), w->ports) &&
	       llabs(b->expires_boot_ms - cw_engine_expiry_boot_ms(e, w->expires_s)) <=
		       EXPIRY_SLACK_MS;
}

static struct cw_work work_of(const struct cw_lease *w)
{
	return (struct cw_work){
		.lease = w->id,
		.generation = w->generation,
		.client6 = w->client6,
		.addr = w->addr,
		.ports = w->ports,
		.expires_s = w->expires_s,
		.what = w->state == CW_LEASE_ENDING ? CW_OUTBOX_REMOVE : CW_OUTBOX_APPLY,
		.confirm = !w->confirmed,
		.sync = true,
		.there = true,
	};
}

/* A binding nobody wants. false: no room in the batch. */
static bool put_stale(struct cw_sync *s, const struct cw_dp_row *row)
{
	const struct cw_work w = {
		.lease = row->binding.lease,
		.generation = row->binding.generation,
		.addr = row_addr(row),
		.ports = cw_portset_of_dp(row->binding.ports),
		.what = CW_OUTBOX_REMOVE,
		.sync = true,
	};

	if (!cw_tep_add(s->tep, &w))
		return false;
	if (s->stale++ == 0)
		cw_log(CW_LOG_WARNING,
			CW_F(CW_F_EVENT("tep.stale"), CW_F_STR("tep", s->tep->tep.name),
				CW_F_ADDR4("addr4", w.addr), CW_F_PORTSET("ports", w.ports),
				CW_F_UINT("lease", w.lease)),
			"the tunnel end point forwards for a lease the store does not know: removed (the first of maybe many)");
	return true;
}

/* What a desired lease needs, given what is there (row NULL: nothing). false: no room in the batch.
 */
static bool put_wanted(struct cw_sync *s, const struct cw_lease *want, const struct cw_dp_row *row)
{
	struct cw_engine *e = s->tep->engine;
	struct cw_work w = work_of(want);

	if (want->state == CW_LEASE_ACTIVE && want->confirmed && row &&
		binding_equal(e, want, &row->binding))
		return true;
	/* Its time ran out while we were away: the sweep ends it, and that removes it. */
	if (want->state == CW_LEASE_ACTIVE && want->expires_s <= cw_engine_now(e).steady_s &&
		cw_engine_now(e).steady_s >= e->grace_until_s)
		return true;
	if (row && row->binding.generation > want->generation) {
		/* The TEP is ahead of the store (a restored backup): its binding must go before
		 * ours can come. */
		if (!put_stale(s, row))
			return false;
		if (want->state == CW_LEASE_ACTIVE && cw_workq_push(&s->tep->queue, &w) < 0)
			s->tep->dirty = true;
		return true;
	}
	if (row && row->binding.generation == want->generation && want->state == CW_LEASE_ACTIVE &&
		memcmp(row->binding.ipv6, want->client6.b, sizeof row->binding.ipv6) != 0) {
		/* Same generation, other content cannot come from this store. */
		if (!put_stale(s, row))
			return false;
		if (cw_workq_push(&s->tep->queue, &w) < 0)
			s->tep->dirty = true;
		return true;
	}
	return cw_tep_add(s->tep, &w);
}

static void tell_drift(const struct cw_engine_tep *t)
{
	char detail[128];

	(void) snprintf(detail, sizeof detail,
		"{\"differences\":%llu,\"wanted\":%llu,\"actual\":%llu}",
		(unsigned long long) t->drift->differences, (unsigned long long) t->drift->wanted,
		(unsigned long long) t->drift->actual);
	cw_engine_event(t->engine, "tep.drift", t->tep.id, t->tep.name, detail);
}

static void finish(struct cw_sync *s)
{
	struct cw_engine_tep *t = s->tep;
	struct cw_engine *e = t->engine;
	int64_t took_us = cw_clock_now(e->clock).mono_us - s->started_us;
	char detail[96];

	(void) cw_free(t->drift);
	t->drift = s->drift;
	s->drift = NULL;
	t->drift->compared_wall_s = cw_engine_now(e).wall_s;

	e->stats.syncs++;
	e->stats.sync_applied += s->applied;
	e->stats.sync_removed += s->removed;
	e->stats.sync_stale += s->stale;
	cw_log(CW_LOG_NOTICE,
		CW_F(CW_F_EVENT("tep.sync"), CW_F_STR("tep", t->tep.name),
			CW_F_UINT("applied", s->applied), CW_F_UINT("removed", s->removed),
			CW_F_UINT("stale", s->stale), CW_F_INT("dur_us", took_us)),
		"the tunnel end point does what the store wants");
	(void) snprintf(detail, sizeof detail, "{\"applied\":%llu,\"removed\":%llu,\"stale\":%llu}",
		(unsigned long long) s->applied, (unsigned long long) s->removed,
		(unsigned long long) s->stale);
	/* After a start of either side the bindings are expected to be gone. */
	t->drifted = t->down_tries > 0 || !t->settled ? 0 : t->drift->differences;
	if (t->down_tries > 0 || !t->settled)
		cw_engine_event(e, "tep.up", t->tep.id, t->tep.name, NULL);
	else if (t->drifted > 0)
		tell_drift(t);
	cw_engine_event(e, "tep.synced", t->tep.id, t->tep.name, detail);
	cw_sync_end(t);
	cw_tep_up(t);
}

/* ---- drift ---- */

static struct cw_drift_binding binding_of(const struct cw_lease *l)
{
	return (struct cw_drift_binding){l->id, l->addr, l->ports, l->client6};
}

static struct cw_drift_binding binding_there(const struct cw_dp_row *row)
{
	struct cw_drift_binding b = {.lease = row->binding.lease,
		.addr = row_addr(row),
		.ports = cw_portset_of_dp(row->binding.ports)};

	memcpy(b.client6.b, row->binding.ipv6, sizeof b.client6.b);
	return b;
}

/* What people are told: not what the broker itself has under way. */
static void note_difference(
	struct cw_sync *s, const struct cw_lease *want, const struct cw_dp_row *row)
{
	struct cw_drift *d = s->drift;
	struct cw_drift_item item = {.kind = CW_DRIFT_EXTRA};

	if (want && (want->state != CW_LEASE_ACTIVE || !want->confirmed))
		return;
	if (want && row && row->binding.lease == want->id &&
		memcmp(row->binding.ipv6, want->client6.b, sizeof row->binding.ipv6) == 0)
		return;
	if (want) {
		item.kind = row ? CW_DRIFT_DIFFERENT : CW_DRIFT_MISSING;
		item.wanted = binding_of(want);
	}
	if (row)
		item.actual = binding_there(row);
	if (d->differences < CW_DRIFT_ITEMS)
		d->item[d->differences] = item;
	d->differences++;
}

/* One step of the merge; 1: go on, 0: stop (no room, or a page is missing), -1: both ends reached.
 */
static int merge_one(struct cw_sync *s)
{
	bool wait_want, wait_have;
	const struct cw_dp_row *row = have_front(s, &wait_have);
	const struct cw_lease *want;
	uint64_t want_key, row_key, key;

	if (is_over(s))
		return 0;
	want = want_front(s, &wait_want);
	if (wait_want || wait_have)
		return 0;
	if (!want && !row)
		return -1;
	want_key = want ? cw_key_of(want->addr, want->ports.psid) : UINT64_MAX;
	row_key = row ? cw_key_of(row_addr(row), row->binding.ports.psid) : UINT64_MAX;
	key = want_key < row_key ? want_key : row_key;
	if (want_key != key)
		want = NULL;
	if (row_key != key)
		row = NULL;
	/* An absent row is as old as its page, so both ages count. */
	if (!was_touched(s, key,
		    s->page[s->current].seq < s->row_seq ? s->page[s->current].seq : s->row_seq)) {
		if (!(want ? put_wanted(s, want, row) : put_stale(s, row)))
			return 0;
		note_difference(s, want, row);
	}
	s->drift->wanted += want && want->state == CW_LEASE_ACTIVE;
	s->drift->actual += row != NULL;
	if (want && !s->tep->settled && want->state == CW_LEASE_ACTIVE &&
		s->tep->engine->conf.transition)
		s->tep->engine->conf.transition(s->tep->engine->conf.arg, CW_OUTBOX_APPLY, want);
	if (want)
		s->page[s->current].pos++;
	if (row)
		s->row_pos++;
	return 1;
}

bool cw_sync_collect(struct cw_engine_tep *t)
{
	struct cw_sync *s = t->sync;
	int r;

	s->refs++; /* a failing list ends us inside the merge */
	do
		r = merge_one(s);
	while (r > 0);
	if (r < 0 && !is_over(s) && t->apply.n + t->remove.n == 0)
		finish(s);
	sync_unref(s);
	return t->apply.n + t->remove.n > 0 && t->state != CW_TEP_DOWN;
}

/* ---- life ---- */

void cw_sync_touch(struct cw_engine_tep *t, uint64_t key)
{
	struct cw_sync *s = t->sync;
	struct touch *touch;

	if (!s)
		return;
	touch = cw_map_get_u64(s->touched, key);
	if (!touch) {
		touch = cw_zalloc(1, sizeof *touch);
		if (!touch || cw_map_put_u64(s->touched, key, touch, NULL) < 0) {
			(void) cw_free(touch);
			cw_tep_down(t, -ENOMEM); /* compare again when there is memory */
			return;
		}
	}
	touch->seq = t->seq;
}

void cw_sync_start(struct cw_engine_tep *t)
{
	struct cw_sync *s = cw_zalloc(1, sizeof *s);
	struct cw_map *fresh = cw_map_new();

	if (fresh) {
		(void) cw_map_free(t->never_sent);
		t->never_sent = fresh;
	}
	t->dirty = false;
	if (s) {
		s->refs = 1;
		s->tep = t;
		s->touched = cw_map_new();
		s->page[0].sync = s->page[1].sync = s;
		s->page[0].lease = cw_zalloc(CW_SYNC_PAGE, sizeof(struct cw_lease));
		s->page[1].lease = cw_zalloc(CW_SYNC_PAGE, sizeof(struct cw_lease));
		s->drift = cw_zalloc(1, sizeof *s->drift);
	}
	if (!s || !s->touched || !s->drift || !s->page[0].lease || !s->page[1].lease) {
		if (s)
			sync_unref(s);
		cw_tep_down(t, -ENOMEM);
		return;
	}
	s->after.begin = true;
	s->cursor.begin = 1;
	s->started_us = cw_clock_now(t->engine->clock).mono_us;
	t->sync = s;
	t->state = CW_TEP_SYNC;
	page_read(s, 0);
	cw_tep_dispatch(t);
}

void cw_sync_end(struct cw_engine_tep *t)
{
	struct cw_sync *s = t->sync;

	if (!s)
		return;
	t->sync = NULL;
	sync_unref(s);
}
