/* SPDX-License-Identifier: BSD-2-Clause */
/* An open plugin instance: requests go in, become calls with a token and a deadline, and come back
 * as answers that are believed only when they fit. Follow one batch: cw_dphost_apply ->
 * request_start -> issue -> (plugin; table.c copies its answer) -> drain -> judge -> issue the next
 * part or finish.
 *
 * A request has at most one call outstanding. The caller's function runs only from drain(),
 * cw_dphost_close() or before a request was started, never inside a call into the plugin: so the
 * plugin is never entered twice. Thread: the loop's. */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "dataplane/host/internal.h"

enum {
	DEADLINE_MS = 5000,
	DEADLINE_MAX_MS = 600000,
	BATCH_MAX = 1024,
	PAGE_DEFAULT = 1024,
	PAGE_MAX = 65536,
	DRAIN_BUDGET = 64, /* answers per turn; then the sockets have theirs */
	NOTES_MAX = 4096,
};

struct request {
	struct cw_list in_deadline;
	enum cw_dpop op;
	uint64_t token;
	int64_t deadline_us;
	void *items; /* bindings or removals, a copy */
	size_t n, pos, part;
	int result;
	int *codes;
	struct cw_dp_counters *counters;
	struct cw_dp_cursor after;
	size_t max;
	char *notes; /* NOTES_MAX octets */
	union {
		cw_dphost_results_t *results;
		cw_dphost_rows_t *rows;
		cw_dphost_stats_t *stats;
		cw_dphost_probe_t *probe;
	} fn;
	void *arg;
};

static void drain(struct cw_dphost *h);

static int code_of(enum cw_dp_status status)
{
	switch (status) {
	case CW_DP_OK:
		return 0;
	case CW_DP_TRANSIENT:
		return -EAGAIN;
	case CW_DP_FULL:
		return CW_E_LIMIT;
	case CW_DP_EXISTS:
		return CW_E_CONFLICT;
	case CW_DP_STALE:
		return CW_E_STALE;
	case CW_DP_INVALID:
	case CW_DP_UNSUPPORTED:
	case CW_DP_FAILED:
		break;
	}
	return CW_E_TEP;
}

void cw_dphost_fault(struct cw_dphost *h, uint64_t *counter, const char *what, uint64_t token)
{
	(*counter)++;
	if (cw_log_limit_ok(&h->limit, cw_clock_now(cw_loop_clock(h->loop)).mono_us, 10, 10000))
		cw_log(CW_LOG_WARNING,
			CW_F(CW_F_EVENT("plugin.fault"), CW_F_STR("tep", h->tep),
				CW_F_STR("plugin", h->plugin->name), CW_F_STR("fault", what),
				CW_F_UINT("token", token)),
			"the plugin broke its contract; its answer is taken as a failure");
}

static void unref(struct cw_dphost *h)
{
	struct cw_dpmsg *m;

	if (--h->refs)
		return;
	while ((m = h->said) != NULL) {
		h->said = m->next;
		(void) cw_free(m);
	}
	(void) pthread_mutex_destroy(&h->lock);
	h->calls = cw_map_free(h->calls);
	h->tep = cw_free(h->tep);
	cw_dpsettings_done(&h->settings);
	(void) cw_free(h);
}

void cw_dphost_enter(struct cw_dphost *h)
{
	h->depth++;
}

void cw_dphost_leave(struct cw_dphost *h)
{
	if (--h->depth == 0)
		drain(h);
}

/* --- requests --- */

static void request_free(struct request *q)
{
	if (!q)
		return;
	(void) cw_free(q->items);
	(void) cw_free(q->codes);
	(void) cw_free(q->counters);
	(void) cw_free(q->notes);
	(void) cw_free(q);
}

/* Tells the caller, who may close h. */
static void finish(struct request *q, const struct cw_dpmsg *m)
{
	bool ok = q->result == 0 && m;

	for (size_t i = q->pos; q->codes && i < q->n; i++)
		q->codes[i] = q->result; /* what was never answered */
	if (q->result == -ENOMEM)
		q->n = 0;
	switch (q->op) {
	case CW_DPOP_APPLY:
	case CW_DPOP_REMOVE:
	case CW_DPOP_FLUSH:
		q->fn.results(
			q->arg, q->result, q->n ? q->codes : NULL, q->n ? q->counters : NULL, q->n);
		break;
	case CW_DPOP_LIST:
		q->fn.rows(q->arg, q->result, ok ? m->u.rows : NULL, ok ? m->n : 0,
			ok && m->more ? &m->cursor : NULL);
		break;
	case CW_DPOP_STATS:
		q->fn.stats(q->arg, q->result, ok ? m->u.stats : NULL, ok ? m->n : 0);
		break;
	case CW_DPOP_PROBE:
		q->fn.probe(q->arg, q->result, q->notes);
		break;
	}
	request_free(q);
}

static void deadline_arm(struct cw_dphost *h)
{
	const struct request *q;
	int64_t left;

	if (cw_list_empty(&h->by_deadline)) {
		cw_timer_stop(h->deadline);
		return;
	}
	q = cw_container_of(h->by_deadline.next, struct request, in_deadline);
	left = q->deadline_us - cw_clock_now(cw_loop_clock(h->loop)).mono_us;
	cw_timer_start(h->deadline, left > 0 ? (uint64_t) (left + 999) / 1000 : 0);
}

/* The call with this token is over. */
static void forget(struct cw_dphost *h, struct request *q)
{
	bool first = h->by_deadline.next == &q->in_deadline;

	(void) cw_map_take_u64(h->calls, q->token);
	cw_list_remove(&q->in_deadline);
	if (first)
		deadline_arm(h);
}

/* Sends the next part of a request to the plugin; false: it could not even be noted, the request is
 * as it was. */
static bool issue(struct cw_dphost *h, struct request *q)
{
	const struct cw_dp_ops *ops = h->plugin->ops;
	uint64_t deadline_ms = h->caps.deadline_ms;

	q->token = h->next_token++;
	q->part = q->n - q->pos < h->caps.batch_max ? q->n - q->pos : h->caps.batch_max;
	if (cw_map_put_u64(h->calls, q->token, q, NULL) < 0)
		return false;
	q->deadline_us =
		cw_clock_now(cw_loop_clock(h->loop)).mono_us + (int64_t) deadline_ms * 1000;
	cw_list_append(&h->by_deadline, &q->in_deadline);
	if (h->by_deadline.next == &q->in_deadline)
		deadline_arm(h);
	h->depth++; /* not enter/leave: the caller drains */
	switch (q->op) {
	case CW_DPOP_APPLY:
		ops->apply(h->self, q->token, (const struct cw_dp_binding *) q->items + q->pos,
			q->part);
		break;
	case CW_DPOP_REMOVE:
		ops->remove(h->self, q->token, (const struct cw_dp_removal *) q->items + q->pos,
			q->part);
		break;
	case CW_DPOP_LIST:
		ops->list(h->self, q->token, q->after, q->max);
		break;
	case CW_DPOP_STATS:
		ops->stats(h->self, q->token);
		break;
	case CW_DPOP_PROBE:
		ops->probe(h->self, q->token);
		break;
	case CW_DPOP_FLUSH:
		ops->flush(h->self, q->token);
		break;
	}
	h->depth--;
	return true;
}

/* --- answers --- */

static uint64_t cursor_key(const struct cw_dp_cursor *c)
{
	return (uint64_t) c->ipv4[0] << 40 | (uint64_t) c->ipv4[1] << 32 |
	       (uint64_t) c->ipv4[2] << 24 | (uint64_t) c->ipv4[3] << 16 | c->psid;
}

/* NULL, or what is wrong with a page. */
static const char *page_fault(const struct request *q, const struct cw_dpmsg *m)
{
	bool have_last = !q->after.begin;
	uint64_t last = have_last ? cursor_key(&q->after) : 0;

	if (m->n > q->max)
		return "more rows than asked for";
	for (size_t i = 0; i < m->n; i++) {
		const struct cw_dp_binding *b = &m->u.rows[i].binding;
		struct cw_dp_cursor at = {.psid = b->ports.psid};
		uint64_t key;

		memcpy(at.ipv4, b->ipv4, 4);
		key = cursor_key(&at);
		if (!cw_portset_valid(cw_portset_of_dp(b->ports)))
			return "a row with an impossible port set";
		if (have_last && key <= last)
			return "rows out of order";
		last = key;
		have_last = true;
	}
	if (!m->more)
		return NULL;
	if (m->cursor.begin)
		return "a cursor back to the beginning";
	if (m->n ? cursor_key(&m->cursor) < last : have_last && cursor_key(&m->cursor) <= last)
		return "a cursor that does not advance";
	return NULL;
}

static const char *stats_fault(const struct cw_dpmsg *m)
{
	for (size_t i = 0; i < m->n; i++) {
		if (!m->u.stats[i].name)
			return "a statistic without a name";
	}
	return NULL;
}

/* NULL, or why this answer cannot be one to that request. */
static const char *answer_fault(const struct request *q, const struct cw_dpmsg *m)
{
	switch (m->kind) {
	case CW_DPMSG_RESULTS:
		if (q->op == CW_DPOP_STATS)
			return "the wrong kind of answer";
		if (q->op == CW_DPOP_LIST)
			return m->status == CW_DP_OK ? "the wrong kind of answer" : NULL;
		if (m->status == CW_DP_OK && (m->n != q->part || (m->n && m->no_results)))
			return "a wrong number of results";
		return NULL;
	case CW_DPMSG_ROWS:
		if (q->op != CW_DPOP_LIST)
			return "the wrong kind of answer";
		return m->status == CW_DP_OK ? page_fault(q, m) : NULL;
	case CW_DPMSG_STATS:
		return q->op == CW_DPOP_STATS ? stats_fault(m) : "the wrong kind of answer";
	case CW_DPMSG_NOTE:
		break;
	}
	return NULL;
}

static void note(struct request *q, const struct cw_dpmsg *m)
{
	size_t used = strlen(q->notes), n = m->n;

	if (used + n + 2 > NOTES_MAX)
		return;
	if (used)
		q->notes[used++] = '\n';
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char) m->u.text[i];

		q->notes[used + i] = (char) (c < 0x20 || c == 0x7f ? '?' : c);
	}
	q->notes[used + n] = '\0';
}

static void stray(struct cw_dphost *h, const struct cw_dpmsg *m)
{
	for (size_t i = 0; i < CW_ARRAY_LEN(h->expired); i++) {
		if (h->expired[i] == m->token && m->token) {
			if (m->kind != CW_DPMSG_NOTE)
				h->expired[i] = 0;
			cw_dphost_fault(
				h, &h->faults.late, "an answer after its deadline", m->token);
			return;
		}
	}
	cw_dphost_fault(h, &h->faults.lies, "an unknown or repeated token", m->token);
}

static void take_results(struct cw_dphost *h, struct request *q, const struct cw_dpmsg *m)
{
	q->result = code_of(m->status);
	if (m->status != CW_DP_OK)
		return; /* pos stays: finish() gives the rest this code */
	for (size_t i = 0; i < q->part; i++) {
		const struct cw_dp_result *r = &m->u.results[i];

		if (r->status > CW_DP_FAILED)
			cw_dphost_fault(h, &h->faults.lies, "an unknown status", m->token);
		q->codes[q->pos + i] = code_of(r->status);
		if (q->counters)
			q->counters[q->pos + i] = r->counters;
	}
	q->pos += q->part;
}

/* One thing a plugin said. The caller holds a reference; h may be closed afterwards. */
static void judge(struct cw_dphost *h, const struct cw_dpmsg *m)
{
	struct request *q = cw_map_get_u64(h->calls, m->token);
	const char *fault;

	if (!q || (m->kind == CW_DPMSG_NOTE && q->op != CW_DPOP_PROBE)) {
		stray(h, m);
		return;
	}
	if (m->kind == CW_DPMSG_NOTE) {
		note(q, m);
		return;
	}
	fault = answer_fault(q, m);
	forget(h, q);
	if (fault) {
		cw_dphost_fault(h, &h->faults.lies, fault, m->token);
		q->result = CW_E_TEP;
	} else if (q->codes) {
		take_results(h, q, m);
	} else {
		q->result = code_of(m->status);
	}
	if (q->result == 0 && q->pos < q->n) {
		if (issue(h, q))
			return;
		q->result = -EAGAIN;
	}
	finish(q, m);
}

/* Everything said so far, up to the budget. Never inside itself or a call into the plugin. */
static void drain(struct cw_dphost *h)
{
	unsigned budget = DRAIN_BUDGET;
	bool post = false;

	if (h->draining || h->depth || h->closed)
		return;
	h->refs++;
	h->draining = true;
	while (!h->closed) {
		struct cw_dpmsg *m;

		(void) pthread_mutex_lock(&h->lock);
		m = h->said;
		if (m && budget == 0) {
			post = !h->posted;
			h->posted = true;
			m = NULL;
		} else if (m) {
			h->said = m->next;
			if (!h->said)
				h->said_tail = &h->said;
		}
		(void) pthread_mutex_unlock(&h->lock);
		if (!m)
			break;
		budget--;
		judge(h, m);
		(void) cw_free(m);
	}
	h->draining = false;
	if (post)
		cw_loop_post(h->loop, &h->task);
	unref(h);
}

static void on_task(struct cw_loop_task *task)
{
	struct cw_dphost *h = cw_container_of(task, struct cw_dphost, task);

	(void) pthread_mutex_lock(&h->lock);
	h->posted = false;
	(void) pthread_mutex_unlock(&h->lock);
	if (h->closed)
		unref(h);
	else
		drain(h);
}

static void on_deadline(void *arg)
{
	struct cw_dphost *h = arg;

	h->refs++;
	while (!h->closed && !cw_list_empty(&h->by_deadline)) {
		struct request *q =
			cw_container_of(h->by_deadline.next, struct request, in_deadline);

		if (q->deadline_us > cw_clock_now(cw_loop_clock(h->loop)).mono_us)
			break;
		h->expired[h->expired_at++ % CW_ARRAY_LEN(h->expired)] = q->token;
		cw_dphost_fault(h, &h->faults.deadlines, "no answer within the deadline", q->token);
		forget(h, q);
		q->result = CW_E_TEP;
		finish(q, NULL);
	}
	if (!h->closed)
		deadline_arm(h);
	unref(h);
}

/* --- open and close --- */

/* What open and check get; borrows everything. */
static struct cw_dp_open open_args(
	const struct cw_dphost_config *conf, const char *tep, const struct cw_dpsettings *s)
{
	struct cw_dp_open o = {
		.size = sizeof o,
		.n_settings = (uint32_t) s->n,
		.tep = tep,
		.settings = s->list,
	};

	if (conf->has_ipv4) {
		for (unsigned i = 0; i < 4; i++)
			o.ipv4[i] = (uint8_t) (conf->ipv4.v >> (24 - 8 * i));
	}
	memcpy(o.ipv6, conf->ipv6.b, sizeof o.ipv6);
	return o;
}

static int settle(struct cw_dphost *h, const struct cw_dphost_config *conf, char *why, size_t why_n)
{
	struct cw_dp_open o = open_args(conf, h->tep, &h->settings);
	int r;

	h->caps.size = sizeof h->caps;
	(void) snprintf(why, why_n, "the plugin gave no reason");
	cw_dphost_enter(h);
	r = h->plugin->ops->open(&h->table, &o, &h->caps, &h->self, why, why_n);
	h->depth--;
	if (r < 0)
		return r;
	if (h->caps.deadline_ms == 0)
		h->caps.deadline_ms = DEADLINE_MS;
	if (h->caps.deadline_ms > DEADLINE_MAX_MS)
		h->caps.deadline_ms = DEADLINE_MAX_MS;
	if (h->caps.batch_max == 0)
		h->caps.batch_max = BATCH_MAX;
	return 0;
}

static int prepare(struct cw_loop *loop, const struct cw_dphost_config *conf, char *why,
	size_t why_n, struct cw_dphost *h)
{
	int r;

	(void) pthread_mutex_init(&h->lock, NULL);
	h->loop = loop;
	h->thread = pthread_self();
	h->refs = 1;
	h->next_token = 1;
	h->said_tail = &h->said;
	h->task.fn = on_task;
	cw_list_init(&h->by_deadline);
	cw_list_init(&h->timers);
	cw_list_init(&h->watches);
	cw_dphost_table_init(h);
	(void) snprintf(why, why_n, "out of memory");
	h->tep = cw_strdup(conf->tep);
	h->calls = cw_map_new();
	if (!h->tep || !h->calls)
		return -ENOMEM;
	r = cw_timer_new(loop, on_deadline, h, &h->deadline);
	if (r < 0)
		return r;
	r = cw_dpload(conf->plugin, conf->directory, why, why_n, &h->handle, &h->plugin);
	if (r < 0)
		return r;
	r = cw_dpsettings_parse(h->plugin, conf->options, why, why_n, &h->settings);
	if (r < 0)
		return r;
	return settle(h, conf, why, why_n);
}

/* What open took, except the plugin's instance. */
static void undo(struct cw_dphost *h)
{
	bool posted;

	h->closed = true;
	cw_dphost_drop_timers(h);
	cw_dphost_drop_watches(h);
	h->deadline = cw_timer_free(h->deadline);
	(void) pthread_mutex_lock(&h->lock);
	posted = h->posted;
	(void) pthread_mutex_unlock(&h->lock);
	if (posted)
		h->refs++; /* on_task gives it back */
	if (h->handle)
		(void) dlclose(h->handle);
	h->handle = NULL;
	h->plugin = NULL;
	unref(h);
}

int cw_dphost_open(struct cw_loop *loop, const struct cw_dphost_config *conf, char *why,
	size_t why_n, struct cw_dphost **ret)
{
	struct cw_dphost *h = cw_zalloc(1, sizeof *h);
	int r;

	if (!h) {
		(void) snprintf(why, why_n, "out of memory");
		return -ENOMEM;
	}
	r = prepare(loop, conf, why, why_n, h);
	if (r < 0) {
		undo(h);
		return r;
	}
	*ret = h;
	return 0;
}

struct cw_dphost *cw_dphost_close(struct cw_dphost *h)
{
	if (!h || h->closed)
		return NULL;
	h->closed = true;
	h->refs++;
	h->depth++;
	h->plugin->ops->close(h->self);
	h->depth--;
	while (!cw_list_empty(&h->by_deadline)) {
		struct request *q =
			cw_container_of(h->by_deadline.next, struct request, in_deadline);

		(void) cw_map_take_u64(h->calls, q->token);
		cw_list_remove(&q->in_deadline);
		q->result = CW_E_SHUTDOWN;
		finish(q, NULL);
	}
	undo(h);
	unref(h);
	return NULL;
}

/* The plugin's own look at its settings, if it was built with one. */
static int ask_check(const struct cw_dp_plugin *p, const struct cw_dp_open *o, char *why, size_t n)
{
	int r;

	if (p->size < offsetof(struct cw_dp_plugin, check) + sizeof p->check || !p->check)
		return 0;
	(void) snprintf(why, n, "the plugin gave no reason");
	r = p->check(o, why, n);
	return r < 0 ? r : 0;
}

int cw_dphost_check(const struct cw_dphost_config *conf, char *why, size_t why_n)
{
	const struct cw_dp_plugin *plugin;
	struct cw_dpsettings settings;
	void *handle;
	int r = cw_dpload(conf->plugin, conf->directory, why, why_n, &handle, &plugin);

	if (r < 0)
		return r;
	r = cw_dpsettings_parse(plugin, conf->options, why, why_n, &settings);
	if (r == 0) {
		const struct cw_dp_open o = open_args(conf, conf->tep, &settings);

		r = ask_check(plugin, &o, why, why_n);
		cw_dpsettings_done(&settings);
	}
	(void) dlclose(handle);
	return r;
}

const struct cw_dp_caps *cw_dphost_caps(const struct cw_dphost *h)
{
	return &h->caps;
}

const struct cw_dphost_faults *cw_dphost_faults(const struct cw_dphost *h)
{
	return &h->faults;
}

/* --- operations --- */

static void request_start(struct cw_dphost *h, struct request *q)
{
	if (h->closed ||
		h->depth) { /* depth: a plugin cannot reach this, its host's code must not either */
		q->result = CW_E_SHUTDOWN;
		finish(q, NULL);
		return;
	}
	if (!issue(h, q)) {
		q->result = -ENOMEM;
		finish(q, NULL);
		return;
	}
	drain(h);
}

static struct request *request_new(
	enum cw_dpop op, const void *items, size_t n, size_t size, void *arg)
{
	struct request *q = cw_zalloc(1, sizeof *q);
	size_t total;

	if (!q)
		return NULL;
	q->op = op;
	q->n = n;
	q->arg = arg;
	if (cw_mul(n, size, &total) == 0) {
		q->items = cw_memdup(items, total);
		q->codes = cw_zalloc(n, sizeof *q->codes);
	}
	if (!q->items || !q->codes) {
		request_free(q);
		return NULL;
	}
	return q;
}

void cw_dphost_apply(struct cw_dphost *h, const struct cw_dp_binding *b, size_t n,
	cw_dphost_results_t *fn, void *arg)
{
	struct request *q;

	if (n == 0) {
		fn(arg, 0, NULL, NULL, 0);
		return;
	}
	q = request_new(CW_DPOP_APPLY, b, n, sizeof *b, arg);
	if (!q) {
		fn(arg, -ENOMEM, NULL, NULL, 0);
		return;
	}
	q->fn.results = fn;
	request_start(h, q);
}

void cw_dphost_remove(struct cw_dphost *h, const struct cw_dp_removal *r, size_t n,
	cw_dphost_results_t *fn, void *arg)
{
	struct request *q;

	if (n == 0) {
		fn(arg, 0, NULL, NULL, 0);
		return;
	}
	q = request_new(CW_DPOP_REMOVE, r, n, sizeof *r, arg);
	if (q)
		q->counters = cw_zalloc(n, sizeof *q->counters);
	if (!q || !q->counters) {
		request_free(q);
		fn(arg, -ENOMEM, NULL, NULL, 0);
		return;
	}
	q->fn.results = fn;
	request_start(h, q);
}

void cw_dphost_list(
	struct cw_dphost *h, struct cw_dp_cursor after, size_t max, cw_dphost_rows_t *fn, void *arg)
{
	struct request *q = cw_zalloc(1, sizeof *q);

	if (!q) {
		fn(arg, -ENOMEM, NULL, 0, NULL);
		return;
	}
	q->op = CW_DPOP_LIST;
	q->after = after;
	q->max = max == 0 ? PAGE_DEFAULT : max < PAGE_MAX ? max : PAGE_MAX;
	q->fn.rows = fn;
	q->arg = arg;
	request_start(h, q);
}

void cw_dphost_stats(struct cw_dphost *h, cw_dphost_stats_t *fn, void *arg)
{
	struct request *q = cw_zalloc(1, sizeof *q);

	if (!q) {
		fn(arg, -ENOMEM, NULL, 0);
		return;
	}
	q->op = CW_DPOP_STATS;
	q->fn.stats = fn;
	q->arg = arg;
	request_start(h, q);
}

void cw_dphost_probe(struct cw_dphost *h, cw_dphost_probe_t *fn, void *arg)
{
	struct request *q = cw_zalloc(1, sizeof *q);

	if (q)
		q->notes = cw_zalloc(1, NOTES_MAX);
	if (!q || !q->notes) {
		request_free(q);
		fn(arg, -ENOMEM, "");
		return;
	}
	q->op = CW_DPOP_PROBE;
	q->fn.probe = fn;
	q->arg = arg;
	request_start(h, q);
}

void cw_dphost_flush(struct cw_dphost *h, cw_dphost_results_t *fn, void *arg)
{
	struct request *q = cw_zalloc(1, sizeof *q);

	if (!q) {
		fn(arg, -ENOMEM, NULL, NULL, 0);
		return;
	}
	q->op = CW_DPOP_FLUSH;
	q->fn.results = fn;
	q->arg = arg;
	request_start(h, q);
}

struct cw_dp_ports cw_dp_ports_of(struct cw_portset ps)
{
	return (struct cw_dp_ports){.offset = ps.offset, .len = ps.len, .psid = ps.psid};
}

struct cw_portset cw_portset_of_dp(struct cw_dp_ports p)
{
	return (struct cw_portset){.offset = p.offset, .len = p.len, .psid = p.psid};
}
