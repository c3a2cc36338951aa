/* SPDX-License-Identifier: BSD-2-Clause */
/* How full pools are: now, from the store's counters, and over time, from the samples that the job
 * of that name takes. */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "broker/rest/handle.h"
#include "broker/rest/handlers.h"

enum {
	SAMPLES_MAX = 2000,    /* of one answer */
	SAMPLES_DEFAULT = 300, /* about so many steps if nobody says how long one is */
	STEP_MIN_S = 60,
	STEP_MAX_S = 86400,
	DAY_S = 86400,
	TREND_MIN = 3,             /* samples; two points are no trend */
	TREND_MAX_S = 366 * 86400, /* farther in the future nobody can tell */
};

static int usage_of(struct cw_store_reader *r, const struct cw_pool *p, struct cw_rest_usage *ret)
{
	struct cw_usage u;
	int e = cw_read_usage(r, p->id, &u);

	if (e > 0)
		*ret = (struct cw_rest_usage){
			.pool = p->name,
			.unit = p->ps_len > 0,
			.total = u.total,
			.available = u.available,
			.active = u.active,
			.ending = u.ending,
			.quarantined = u.quarantined,
			.reserved = u.reserved,
			.excluded = u.excluded,
			.used_percent =
				(uint8_t) (u.total ? (u.total - u.available) * 100 / u.total : 0),
			.level = (uint8_t) u.level,
		};
	return e;
}

void cw_rest_do_getUsage(struct cw_rest_request *q)
{
	struct cw_rest_usage shown;
	struct cw_pool pool;
	int r;

	if (!cw_rest_take_query(q, NULL, NULL) || !cw_rest_reader(q) ||
		!cw_rest_take_pool(q, q->reader, q->route.param[0], &pool))
		return;
	r = usage_of(q->reader, &pool, &shown);
	if (r > 0)
		cw_rest_show(q, 200, &cw_rest_usage_object, &shown);
	else
		cw_rest_problem_code(q, r < 0 ? r : -ENOENT);
}

/* A pool that has gone between the two reads is left out. */
static int page(struct cw_rest_request *q, struct cw_rest_list *l, struct cw_store_reader *r,
	struct cw_cursor *at, unsigned max, bool *ret_more)
{
	struct cw_pool rows[16];
	unsigned ask = max < CW_ARRAY_LEN(rows) ? max : (unsigned) CW_ARRAY_LEN(rows);
	int n = cw_read_pools(r, at->a, rows, ask), shown = 0;

	*ret_more = n == (int) ask;
	for (int i = 0; i < n; i++) {
		struct cw_rest_usage row;
		int e = usage_of(r, &rows[i], &row);

		if (e < 0)
			return e;
		if (e > 0) {
			cw_rest_row(q, l, &row);
			shown++;
		}
		at->a = rows[i].id;
	}
	return n < 0 ? n : shown;
}

void cw_rest_do_listUsage(struct cw_rest_request *q)
{
	struct cw_rest_list *l =
		cw_rest_take_list(q, &cw_rest_usage_object, &cw_rest_query_list_usage_object, 0);

	if (!l)
		return;
	l->page = page;
	cw_rest_list(q, l);
}

/* ---- over time ---- */

/* When the line through what was available (least squares) meets zero, or CW_REST_NO_TIME if it does
 * not fall, or only in a future that a line says nothing about. */
static int64_t full_at(const struct cw_sample *v, size_t n, int64_t now)
{
	double mean_t = 0, mean_a = 0, tt = 0, ta = 0, left;

	if (n < TREND_MIN)
		return CW_REST_NO_TIME;
	for (size_t i = 0; i < n; i++) {
		mean_t += (double) (v[i].wall_s - v[0].wall_s) / (double) n;
		mean_a += (double) v[i].available / (double) n;
	}
	for (size_t i = 0; i < n; i++) {
		double t = (double) (v[i].wall_s - v[0].wall_s) - mean_t;

		tt += t * t;
		ta += t * ((double) v[i].available - mean_a);
	}
	if (tt <= 0 || ta >= 0)
		return CW_REST_NO_TIME;
	left = mean_t - mean_a * tt / ta + (double) (v[0].wall_s - now);
	if (left > TREND_MAX_S)
		return CW_REST_NO_TIME;
	return now + (left > 0 ? (int64_t) left : 0);
}

/* Whole minutes, of which there are not too many. */
static bool take_span(struct cw_rest_request *q, struct cw_rest_query_list_samples *a)
{
	const struct cw_rest_object *o = &cw_rest_query_list_samples_object;
	int64_t now = cw_rest_now_wall_s(q);

	if (!CW_REST_HAS(o, a, to))
		a->to = now;
	if (!CW_REST_HAS(o, a, from))
		a->from = a->to - DAY_S;
	if (a->from >= a->to) {
		cw_rest_problem_query(q, "from", "it must be before \"to\"");
		return false;
	}
	if (!CW_REST_HAS(o, a, step_s)) {
		int64_t step = (a->to - a->from + SAMPLES_DEFAULT - 1) / SAMPLES_DEFAULT;

		step = (step + STEP_MIN_S - 1) / STEP_MIN_S * STEP_MIN_S;
		a->step_s = (uint32_t) (step < STEP_MIN_S   ? STEP_MIN_S
					: step > STEP_MAX_S ? STEP_MAX_S
							    : step);
	}
	if ((a->to - a->from) / a->step_s >= SAMPLES_MAX) {
		cw_rest_problem_query(q, "step_s", "that would be more than 2000 samples");
		return false;
	}
	return true;
}

void cw_rest_do_listSamples(struct cw_rest_request *q)
{
	struct cw_rest_query_list_samples asked = {0};
	struct cw_rest_sample *items;
	struct cw_rest_samples shown;
	struct cw_sample *v;
	struct cw_pool pool;
	int n;

	if (!cw_rest_take_query(q, &cw_rest_query_list_samples_object, &asked) ||
		!cw_rest_reader(q) || !cw_rest_take_pool(q, q->reader, q->route.param[0], &pool) ||
		!take_span(q, &asked))
		return;
	v = cw_arena_alloc(q->arena, SAMPLES_MAX, sizeof *v);
	items = cw_arena_alloc(q->arena, SAMPLES_MAX, sizeof *items);
	n = v && items ? cw_read_samples(q->reader, pool.id, asked.from, asked.to, asked.step_s, v,
				 SAMPLES_MAX)
		       : -ENOMEM;
	if (n < 0) {
		cw_rest_problem_code(q, n);
		return;
	}
	for (int i = 0; i < n; i++)
		items[i] = (struct cw_rest_sample){
			.at = v[i].wall_s,
			.available = v[i].available,
			.active = v[i].active,
			.ending = v[i].ending,
			.quarantined = v[i].quarantined,
		};
	shown = (struct cw_rest_samples){
		.pool = pool.name,
		.from = asked.from,
		.to = asked.to,
		.step_s = asked.step_s,
		.items = {items, (size_t) n},
		.full_at = full_at(v, (size_t) n, cw_rest_now_wall_s(q)),
	};
	cw_rest_show(q, 200, &cw_rest_samples_object, &shown);
}
