/* SPDX-License-Identifier: BSD-2-Clause */
/* What a plugin may call: log, clock, timers, and the completions, which may come from any thread:
 * they are copied here and judged later, on the loop thread (host.c). Thread: said at each
 * function. */
#include "config.h"

#include <string.h>

#include "base/mem.h"
#include "dataplane/host/internal.h"

enum { MESSAGE_ITEMS_MAX = 1 << 20, NOTE_MAX = 512 };

struct cw_dp_timer {
	struct cw_list in_host;
	struct cw_dphost *h;
	struct cw_timer *timer;
	void (*fn)(void *arg);
	void *arg;
};

/* Any thread. */
static void table_log(void *ctx, enum cw_dp_log_level level, const char *text)
{
	const struct cw_dphost *h = ctx;

	if (level > CW_DP_LOG_DEBUG)
		level = CW_DP_LOG_DEBUG;
	cw_log((enum cw_log_level) level,
		CW_F(CW_F_EVENT("plugin.log"), CW_F_STR("tep", h->tep),
			CW_F_STR("plugin", h->plugin->name), CW_F_STR("text", text ? text : "")),
		"the plugin says");
}

/* Any thread. */
static int64_t table_now_boot_ms(void *ctx)
{
	const struct cw_dphost *h = ctx;

	return cw_clock_now(cw_loop_clock(h->loop)).boot_ms;
}

/* Any thread. Without memory the answer is lost, and the deadline says so. */
static struct cw_dpmsg *message_new(uint64_t token, const void *items, size_t n, size_t size)
{
	struct cw_dpmsg *m;
	size_t total;

	if (n > MESSAGE_ITEMS_MAX) /* no host asks for that many: judged as a wrong count */
		n = MESSAGE_ITEMS_MAX;
	if (cw_mul(items ? n : 0, size, &total) < 0 || cw_add(total, sizeof *m, &total) < 0)
		return NULL;
	m = cw_zalloc(1, total);
	if (!m)
		return NULL;
	m->token = token;
	m->n = n;
	if (items && n)
		memcpy(&m->u, items, n * size);
	m->no_results = !items;
	return m;
}

/* Any thread. */
static void message_put(struct cw_dphost *h, struct cw_dpmsg *m)
{
	bool post;

	if (!m)
		return;
	(void) pthread_mutex_lock(&h->lock);
	*h->said_tail = m;
	h->said_tail = &m->next;
	/* Inside a call from the host the answer waits for the call's return. */
	post = !h->posted && !(pthread_equal(h->thread, pthread_self()) && h->depth);
	if (post)
		h->posted = true;
	(void) pthread_mutex_unlock(&h->lock);
	if (post)
		cw_loop_post(h->loop, &h->task);
}

/* Any thread. */
static void table_complete(void *ctx, uint64_t token, enum cw_dp_status status,
	const struct cw_dp_result *results, size_t n)
{
	struct cw_dpmsg *m = message_new(token, results, n, sizeof *results);

	if (m) {
		m->kind = CW_DPMSG_RESULTS;
		m->status = status;
	}
	message_put(ctx, m);
}

/* Any thread. */
static void table_complete_list(void *ctx, uint64_t token, enum cw_dp_status status,
	const struct cw_dp_row *rows, size_t n, const struct cw_dp_cursor *next)
{
	struct cw_dpmsg *m = message_new(token, rows, rows ? n : 0, sizeof *rows);

	if (m) {
		m->kind = CW_DPMSG_ROWS;
		m->status = status;
		m->more = next != NULL;
		if (next)
			m->cursor = *next;
	}
	message_put(ctx, m);
}

/* Any thread. */
static void table_complete_stats(
	void *ctx, uint64_t token, const struct cw_dp_stat *stats, size_t n)
{
	struct cw_dpmsg *m = message_new(token, stats, stats ? n : 0, sizeof *stats);

	if (m)
		m->kind = CW_DPMSG_STATS;
	message_put(ctx, m);
}

/* Any thread. */
static void table_probe_note(void *ctx, uint64_t token, const char *text)
{
	size_t n = text ? strnlen(text, NOTE_MAX) : 0;
	struct cw_dpmsg *m = n ? message_new(token, text, n, 1) : NULL;

	if (m)
		m->kind = CW_DPMSG_NOTE;
	message_put(ctx, m);
}

static void timer_drop(struct cw_dp_timer *t)
{
	cw_list_remove(&t->in_host);
	t->timer = cw_timer_free(t->timer);
	(void) cw_free(t);
}

static void on_timer(void *arg)
{
	struct cw_dp_timer *t = arg;
	struct cw_dphost *h = t->h;
	void (*fn)(void *a) = t->fn;
	void *fn_arg = t->arg;

	timer_drop(t);
	cw_dphost_enter(h);
	fn(fn_arg);
	cw_dphost_leave(h);
}

/* Loop thread. */
static struct cw_dp_timer *table_timer_start(
	void *ctx, uint64_t after_ms, void (*fn)(void *arg), void *arg)
{
	struct cw_dphost *h = ctx;
	struct cw_dp_timer *t;

	if (!pthread_equal(h->thread, pthread_self()))
		return NULL;
	t = cw_zalloc(1, sizeof *t);
	if (!t)
		return NULL;
	if (cw_timer_new(h->loop, on_timer, t, &t->timer) < 0) {
		(void) cw_free(t);
		return NULL;
	}
	t->h = h;
	t->fn = fn;
	t->arg = arg;
	cw_list_append(&h->timers, &t->in_host);
	cw_timer_start(t->timer, after_ms);
	return t;
}

/* Loop thread. */
static void table_timer_cancel(void *ctx, struct cw_dp_timer *t)
{
	(void) ctx;
	if (t)
		timer_drop(t);
}

void cw_dphost_drop_timers(struct cw_dphost *h)
{
	while (!cw_list_empty(&h->timers))
		timer_drop(cw_container_of(h->timers.next, struct cw_dp_timer, in_host));
}

void cw_dphost_table_init(struct cw_dphost *h)
{
	h->table = (struct cw_dp_host){
		.size = sizeof h->table,
		.ctx = h,
		.log = table_log,
		.now_boot_ms = table_now_boot_ms,
		.complete = table_complete,
		.complete_list = table_complete_list,
		.complete_stats = table_complete_stats,
		.probe_note = table_probe_note,
		.timer_start = table_timer_start,
		.timer_cancel = table_timer_cancel,
		.watch = cw_dphost_watch,
		.unwatch = cw_dphost_unwatch,
	};
}
