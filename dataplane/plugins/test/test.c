/* SPDX-License-Identifier: BSD-2-Clause */
/* test: keeps bindings like null and misbehaves on demand, so that hosts can be tested (guide:
 * reliability R10). Never installed. Options:
 *
 *	mode		ok, fail, fail-every=N, transient, hang, lie-count, lie-token, double,
 *			late, lie-list, lie-cursor, crash, abort
 *	ops		operations that misbehave: "apply,remove" by default; "all"; any of apply
 *			remove list stats probe flush
 *	delay_ms	answers that long after the call, from a timer thread
 *	thread		yes: answers come from another thread
 *
 * Thread: the host's, except the answers with thread=yes. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "causeway-dataplane.h"

#include "dataplane/plugins/common/options.h"
#include "dataplane/plugins/common/table.h"

enum mode {
	MODE_OK,
	MODE_FAIL,
	MODE_FAIL_EVERY,
	MODE_TRANSIENT,
	MODE_HANG,
	MODE_LIE_COUNT,
	MODE_LIE_TOKEN,
	MODE_DOUBLE,
	MODE_LATE,
	MODE_LIE_LIST,
	MODE_LIE_CURSOR,
	MODE_CRASH,
	MODE_ABORT,
};
static const char *const mode_names[] = {"ok", "fail", "fail-every", "transient", "hang",
	"lie-count", "lie-token", "double", "late", "lie-list", "lie-cursor", "crash", "abort",
	NULL};

enum op { OP_PROBE, OP_APPLY, OP_REMOVE, OP_LIST, OP_STATS, OP_FLUSH, OP_COUNT };
static const char *const op_names[OP_COUNT] = {
	"probe", "apply", "remove", "list", "stats", "flush"};

/* An answer that waits for its time. */
struct answer {
	struct answer *next;
	struct test *self;
	struct cw_dp_timer *timer;
	enum op op;
	uint64_t token;
	enum cw_dp_status status;
	struct cw_dp_result *results;
	struct cw_dp_row *rows;
	size_t n;
	bool more;
	struct cw_dp_cursor next_cursor;
};

struct test {
	const struct cw_dp_host *host;
	struct cw_dptab *table;
	enum mode mode;
	unsigned ops; /* bit per enum op */
	uint64_t every, calls, items, delay_ms;
	bool thread;
	struct answer *waiting;
};

static const struct cw_dp_option options[] = {
	{"mode", "ok", "how to misbehave"},
	{"ops", "apply,remove", "which operations misbehave"},
	{"delay_ms", "0", "answer this much later"},
	{"thread", "no", "answer from another thread"},
	{"max_bindings", "0", "refuse more than this"},
	{NULL, NULL, NULL},
};

static bool parse_mode(struct test *self, const char *s)
{
	size_t n = strcspn(s, "=");

	self->every = s[n] ? strtoull(s + n + 1, NULL, 10) : 3;
	for (unsigned i = 0; mode_names[i]; i++) {
		if (strlen(mode_names[i]) == n && strncmp(mode_names[i], s, n) == 0) {
			self->mode = (enum mode) i;
			return self->every > 0;
		}
	}
	return false;
}

static bool parse_ops(struct test *self, const char *s)
{
	if (strcmp(s, "all") == 0) {
		self->ops = (1u << OP_COUNT) - 1;
		return true;
	}
	while (*s) {
		size_t n = strcspn(s, ",");
		unsigned i;

		for (i = 0; i < OP_COUNT; i++) {
			if (strlen(op_names[i]) == n && strncmp(op_names[i], s, n) == 0)
				break;
		}
		if (i == OP_COUNT)
			return false;
		self->ops |= 1u << i;
		s += n + (s[n] == ',');
	}
	return true;
}

static bool parse_options(struct test *self, const struct cw_dp_open *open, uint64_t *ret_max,
	char *why, size_t why_n)
{
	static const char *const words[] = {"no", "yes", NULL};
	unsigned thread;

	if (!parse_mode(self, cw_dpopt_get(open, "mode")) ||
		!parse_ops(self, cw_dpopt_get(open, "ops"))) {
		(void) snprintf(why, why_n, "no such mode or operation");
		return false;
	}
	if (!cw_dpopt_u64(open, "delay_ms", 0, 60000, &self->delay_ms, why, why_n) ||
		!cw_dpopt_word(open, "thread", words, &thread, why, why_n) ||
		!cw_dpopt_u64(open, "max_bindings", 0, CW_DPTAB_MAX, ret_max, why, why_n))
		return false;
	self->thread = thread == 1;
	return true;
}

static int test_check(const struct cw_dp_open *open, char *why, size_t why_n)
{
	struct test self = {0};
	uint64_t max;

	return parse_options(&self, open, &max, why, why_n) ? 0 : -EINVAL;
}

static int test_open(const struct cw_dp_host *host, const struct cw_dp_open *open,
	struct cw_dp_caps *ret_caps, void **ret_self, char *why, size_t why_n)
{
	struct test *self = calloc(1, sizeof *self);
	uint64_t max;

	if (!self)
		return -ENOMEM;
	if (!parse_options(self, open, &max, why, why_n)) {
		free(self);
		return -EINVAL;
	}
	self->host = host;
	self->table = cw_dptab_new((uint32_t) max, 0);
	if (!self->table) {
		free(self);
		return -ENOMEM;
	}
	ret_caps->flags = 0;
	ret_caps->ranges = CW_DP_RANGES_PSID;
	ret_caps->deadline_ms = 300;
	ret_caps->batch_max = 100;
	ret_caps->max_bindings = max;
	*ret_self = self;
	return 0;
}

static void answer_free(struct answer *a)
{
	free(a->results);
	free(a->rows);
	free(a);
}

static void test_close(void *p)
{
	struct test *self = p;
	struct answer *a;

	while ((a = self->waiting)) {
		self->waiting = a->next;
		self->host->timer_cancel(self->host->ctx, a->timer);
		answer_free(a);
	}
	self->table = cw_dptab_free(self->table);
	free(self);
}

static void say(struct answer *a)
{
	const struct cw_dp_host *h = a->self->host;
	struct cw_dp_stat stats[] = {{"calls", a->self->calls}, {"items", a->self->items}};

	if (a->op == OP_LIST)
		h->complete_list(h->ctx, a->token, a->status, a->rows, a->n,
			a->more ? &a->next_cursor : NULL);
	else if (a->op == OP_STATS)
		h->complete_stats(h->ctx, a->token, stats, 2);
	else
		h->complete(h->ctx, a->token, a->status, a->results, a->n);
}

static void *say_in_thread(void *arg)
{
	say(arg);
	return NULL;
}

static void deliver(struct answer *a)
{
	pthread_t t;
	bool twice = a->self->mode == MODE_DOUBLE && (a->self->ops & (1u << a->op));

	for (int i = 0; i < 1 + twice; i++) {
		if (a->self->thread && pthread_create(&t, NULL, say_in_thread, a) == 0)
			(void) pthread_join(t, NULL);
		else
			say(a);
	}
	answer_free(a);
}

static void on_timer(void *arg)
{
	struct answer *a = arg, **at = &a->self->waiting;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	deliver(a);
}

/* Sends the answer, in the way the mode wants it. */
static void answer(struct test *self, struct answer *a)
{
	uint64_t wait = self->delay_ms;

	if (self->ops & (1u << a->op)) {
		switch (self->mode) {
		case MODE_HANG:
			answer_free(a);
			return;
		case MODE_LIE_COUNT:
			a->n = a->n ? a->n - 1 : 0;
			break;
		case MODE_LIE_TOKEN:
			a->token += 1000000;
			break;
		case MODE_LATE:
			wait += 600;
			break;
		default:
			break;
		}
	}
	if (!wait) {
		deliver(a);
		return;
	}
	a->timer = self->host->timer_start(self->host->ctx, wait, on_timer, a);
	a->next = self->waiting;
	self->waiting = a;
}

static struct answer *answer_new(struct test *self, enum op op, uint64_t token, size_t n)
{
	struct answer *a = calloc(1, sizeof *a);

	if (a)
		a->results = calloc(n ? n : 1, sizeof *a->results);
	if (!a || !a->results)
		abort(); /* a test program without memory proves nothing */
	a->self = self;
	a->op = op;
	a->token = token;
	a->n = n;
	self->calls++;
	self->items += n;
	if ((self->ops & (1u << op)) && self->mode == MODE_CRASH)
		(void) raise(SIGSEGV);
	if ((self->ops & (1u << op)) && self->mode == MODE_ABORT)
		abort();
	return a;
}

/* The status a mode wants for item number i, or OK. */
static enum cw_dp_status item_status(const struct test *self, enum op op, uint64_t i)
{
	if (!(self->ops & (1u << op)))
		return CW_DP_OK;
	switch (self->mode) {
	case MODE_FAIL:
		return CW_DP_FAILED;
	case MODE_TRANSIENT:
		return CW_DP_TRANSIENT;
	case MODE_FAIL_EVERY:
		return (i + 1) % self->every == 0 ? CW_DP_FAILED : CW_DP_OK;
	default:
		return CW_DP_OK;
	}
}

static void test_apply(void *p, uint64_t token, const struct cw_dp_binding *items, size_t n)
{
	struct test *self = p;
	uint64_t first = self->items;
	struct answer *a = answer_new(self, OP_APPLY, token, n);

	for (size_t i = 0; i < n; i++) {
		a->results[i].status = item_status(self, OP_APPLY, first + i);
		if (a->results[i].status == CW_DP_OK)
			a->results[i].status = cw_dptab_apply(self->table, &items[i]);
	}
	answer(self, a);
}

static void test_remove(void *p, uint64_t token, const struct cw_dp_removal *items, size_t n)
{
	struct test *self = p;
	uint64_t first = self->items;
	struct answer *a = answer_new(self, OP_REMOVE, token, n);

	for (size_t i = 0; i < n; i++) {
		a->results[i].status = item_status(self, OP_REMOVE, first + i);
		if (a->results[i].status == CW_DP_OK)
			a->results[i].status = cw_dptab_remove(self->table, &items[i], NULL);
	}
	answer(self, a);
}

static void test_list(void *p, uint64_t token, struct cw_dp_cursor after, size_t max)
{
	struct test *self = p;
	struct answer *a = answer_new(self, OP_LIST, token, 0);
	bool lie = self->ops & (1u << OP_LIST);
	long n;

	if (max > 1000)
		max = 1000;
	a->rows = calloc(max ? max : 1, sizeof *a->rows);
	n = a->rows ? cw_dptab_list(self->table, after, max, a->rows, &a->more, &a->next_cursor)
		    : -1;
	if (n < 0)
		a->status = CW_DP_TRANSIENT;
	a->n = n > 0 ? (size_t) n : 0;
	if (lie && self->mode == MODE_LIE_LIST && a->n > 1) {
		struct cw_dp_row row = a->rows[0];

		a->rows[0] = a->rows[a->n - 1];
		a->rows[a->n - 1] = row;
	}
	if (lie && self->mode == MODE_LIE_CURSOR) {
		a->more = true;
		a->next_cursor = after;
	}
	a->status = item_status(self, OP_LIST, 0);
	answer(self, a);
}

static void plain(void *p, enum op op, uint64_t token)
{
	struct answer *a = answer_new(p, op, token, 0);

	a->status = item_status(p, op, 0);
	answer(p, a);
}

static void test_probe(void *p, uint64_t token)
{
	struct test *self = p;

	self->host->probe_note(self->host->ctx, token, "mode is for tests only");
	plain(p, OP_PROBE, token);
}

static void test_stats(void *p, uint64_t token)
{
	plain(p, OP_STATS, token);
}

static void test_flush(void *p, uint64_t token)
{
	struct test *self = p;

	cw_dptab_flush(self->table);
	plain(p, OP_FLUSH, token);
}

static const struct cw_dp_ops ops = {
	.open = test_open,
	.close = test_close,
	.probe = test_probe,
	.apply = test_apply,
	.remove = test_remove,
	.list = test_list,
	.stats = test_stats,
	.flush = test_flush,
};

const struct cw_dp_plugin cw_dataplane_plugin = {
	.abi = CW_DP_ABI,
	.size = sizeof cw_dataplane_plugin,
	.name = "test",
	.version = "1",
	.help = "Misbehaves on demand; for tests.",
	.needs = "",
	.options = options,
	.ops = &ops,
	.check = test_check,
};
