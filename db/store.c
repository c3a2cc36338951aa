/* SPDX-License-Identifier: BSD-2-Clause */
/* The front of the lease store: queue, writer thread, group commit, parked acquires, hooks. It
 * knows no SQL; a back end (backend.h) does the work of one operation within a transaction.
 *
 * The writer takes all that was queued while the last commit ran (at most batch_max), runs it in
 * one transaction, commits, and only then reports, in order: of each operation its bindings to the
 * outbox hook, then its `done`. So who is told of a lease hears of it before its end, though both
 * were in one batch. There is no timer.
 *
 * An acquire with wait_confirm is parked after its commit, by lease, until the TEP confirms (a
 * CONFIRM releases it when it is dequeued: the lease is on disk already) or the lease ends. While
 * nobody has been answered about a lease, it may be taken back; `answered` remembers that somebody
 * may have been.
 *
 * When the database fails: BUSY (after the wait of the back end) and no memory fail the batch; FULL
 * fails it, and lookups are served alone; an I/O error or damage ends the store's word for good
 * (guide/reliability.md section 2, rule 6). A constraint that refuses what should have worked makes
 * the batch run again one by one.
 *
 * Threads: queue, runners and stats are shared under their locks; everything else is the writer's.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/queue.h"
#include "db/backend.h"
#include "db/store_internal.h"

#define CW_BATCH_KEEP 4096 /* outbox entries whose memory is kept between batches */

/* Acquires that wait for the TEP of one lease. */
struct parked {
	uint64_t lease;
	uint64_t generation;
	bool answered;        /* somebody may know of the lease: it is not taken back */
	struct cw_qnode *ops; /* struct cw_op by their nodes, in order */
	struct cw_qnode **tail;
};

/* A thread inside cw_store_run(). */
struct runner {
	struct runner *next;
	struct cw_op *op;
	bool done;
};

struct cw_store {
	const struct cw_backend_ops *ops;
	struct cw_backend *backend;
	struct cw_store_hooks hooks;
	size_t batch_max, queue_max;
	struct cw_queue queue;
	pthread_t thread;
	bool started;

	struct cw_batch batch;
	struct cw_op **running; /* the operations of the batch */
	size_t *marks;          /* entries before running[i] */
	bool *more;             /* running[i] has not come to its end */
	struct cw_map *parked;  /* lease -> struct parked: acquires */
	size_t n_parked;
	struct cw_map *stopping; /* lease -> struct parked: ends with wait_stopped */
	size_t n_stopping;
	int health; /* 0, CW_E_STORE_FULL, CW_E_BUSY, or for good: CW_E_STORE_IO, CW_E_STORE_CORRUPT */

	pthread_mutex_t run_lock;
	pthread_cond_t run_done;
	struct runner *runners;
	_Atomic unsigned n_runners; /* so that the writer need not lock for nobody */

	pthread_mutex_t stats_lock;
	struct cw_store_stats stats;
	struct cw_db_errors errors;
};

/* ---- answering ---- */

static struct cw_op *op_of(struct cw_qnode *node)
{
	return cw_container_of(node, struct cw_op, node);
}

/* The operation leaves the store. A thread in cw_store_run() gets it instead of `done`. */
static void finish(struct cw_store *s, struct cw_op *op, int result)
{
	op->result = result;
	if (atomic_load(&s->n_runners) == 0) {
		if (op->done)
			op->done(op);
		return;
	}
	(void) pthread_mutex_lock(&s->run_lock);
	for (struct runner *w = s->runners; w; w = w->next) {
		if (w->op == op) {
			w->done = true;
			(void) pthread_cond_broadcast(&s->run_done);
			(void) pthread_mutex_unlock(&s->run_lock);
			return;
		}
	}
	(void) pthread_mutex_unlock(&s->run_lock);
	if (op->done)
		op->done(op);
}

static void set_health(struct cw_store *s, int health)
{
	if (s->health == health)
		return;
	s->health = health;
	if (s->hooks.health)
		s->hooks.health(s->hooks.arg, health);
}

static bool is_final(int result)
{
	return result == CW_E_STORE_IO || result == CW_E_STORE_CORRUPT;
}

/* Somebody must act, and then it goes on by itself. Only a write shows that it does. */
static bool is_passing(int result)
{
	return result == CW_E_STORE_FULL || result == CW_E_BUSY;
}

/* ---- parked acquires ---- */

static struct parked *parked_get(struct cw_store *s, uint64_t lease)
{
	return s->n_parked > 0 ? cw_map_get_u64(s->parked, lease) : NULL;
}

/* What it waits for: a confirmation, or its stop. */
static void park(struct cw_store *s, struct cw_op *op)
{
	bool stop = op->kind == CW_OP_END;
	const struct cw_lease *l = stop ? &op->u.end.lease : &op->u.acquire.lease;
	struct cw_map *map = stop ? s->stopping : s->parked;
	struct parked *p = cw_map_get_u64(map, l->id);

	op->node.next = NULL;
	if (!p) {
		p = cw_zalloc(1, sizeof *p);
		if (p && cw_map_put_u64(map, l->id, p, NULL) < 0)
			p = cw_free(p);
		if (!p) {
			/* On disk, but nobody can wait for it: told as a failure, and asking again
			 * finds it. */
			finish(s, op, -ENOMEM);
			return;
		}
		p->lease = l->id;
		p->tail = &p->ops;
		p->answered = stop || op->u.acquire.how != CW_ACQ_GRANTED;
		++*(stop ? &s->n_stopping : &s->n_parked);
	}
	p->generation = l->generation;
	*p->tail = &op->node;
	p->tail = &op->node.next;
	(void) pthread_mutex_lock(&s->stats_lock);
	s->stats.waiting++;
	(void) pthread_mutex_unlock(&s->stats_lock);
}

static void no_longer_waiting(struct cw_store *s, const struct cw_qnode *node)
{
	size_t n = 0;

	for (; node; node = node->next)
		n++;
	(void) pthread_mutex_lock(&s->stats_lock);
	s->stats.waiting -= n;
	(void) pthread_mutex_unlock(&s->stats_lock);
}

static void release(struct cw_store *s, struct parked *p, int result)
{
	struct cw_qnode *node = p->ops, *next;

	(void) cw_map_take_u64(s->parked, p->lease);
	s->n_parked--;
	cw_free(p);
	no_longer_waiting(s, node);
	for (; node; node = next) {
		next = node->next;
		if (result == 0)
			op_of(node)->u.acquire.lease.confirmed = true;
		finish(s, op_of(node), result);
	}
}

/* Ends that wait for their lease to stop: 0, and each gets its own result, or a failure. */
static void release_stopping(struct cw_store *s, struct parked *p, int result)
{
	struct cw_qnode *node = p->ops, *next;

	(void) cw_map_take_u64(s->stopping, p->lease);
	s->n_stopping--;
	cw_free(p);
	no_longer_waiting(s, node);
	for (; node; node = next) {
		next = node->next;
		finish(s, op_of(node), result < 0 ? result : op_of(node)->result);
	}
}

static void release_lease(struct cw_store *s, uint64_t lease, int result)
{
	struct parked *p = parked_get(s, lease);

	if (p)
		release(s, p, result);
}

static void release_all(struct cw_store *s, int result)
{
	while (s->n_parked > 0) {
		size_t iter = 0;

		release(s, cw_map_next(s->parked, &iter), result);
	}
	while (s->n_stopping > 0) {
		size_t iter = 0;

		release_stopping(s, cw_map_next(s->stopping, &iter), result);
	}
}

/* For the back end: may a lease whose TEP refused be taken back? */
static bool unanswered(void *arg, uint64_t lease)
{
	const struct parked *p = parked_get(arg, lease);

	return p && !p->answered;
}

/* Somebody will be told of this lease without waiting. Before the commit, so that an apply that
 * failed in the same batch does not take it back. */
static void note_answer(struct cw_store *s, const struct cw_op *op)
{
	struct parked *p = NULL;

	if (op->result != 0 || s->n_parked == 0)
		return;
	if (op->kind == CW_OP_ACQUIRE && !op->u.acquire.wait_confirm)
		p = parked_get(s, op->u.acquire.lease.id);
	else if (op->kind == CW_OP_FIND)
		p = parked_get(s, op->u.find.lease.id);
	if (p)
		p->answered = true;
}

/* What a TEP confirmed is already on disk: its acquires need not wait for the confirmation's own
 * commit. */
static void release_confirmed(struct cw_store *s, const struct cw_op_confirm *confirm)
{
	for (size_t i = 0; i < confirm->n && s->n_parked > 0; i++) {
		struct parked *p = parked_get(s, confirm->items[i].lease);

		if (p && confirm->items[i].result == 0 &&
			confirm->items[i].generation == p->generation)
			release(s, p, 0);
	}
}

/* A TEP refused what somebody had been answered: the lease stays, those who wait now are told. */
static void release_refused(struct cw_store *s, const struct cw_op_confirm *confirm)
{
	for (size_t i = 0; i < confirm->n && s->n_parked > 0; i++) {
		struct parked *p = parked_get(s, confirm->items[i].lease);

		if (p && confirm->items[i].result != 0 &&
			confirm->items[i].generation == p->generation)
			release(s, p, CW_E_TEP);
	}
}

/* What TEPs said of removals, committed: the leases have stopped, or their TEPs cannot be reached. */
static void release_stopped(struct cw_store *s, const struct cw_op_confirm *confirm)
{
	for (size_t i = 0; i < confirm->n && s->n_stopping > 0; i++) {
		const struct cw_confirm *c = &confirm->items[i];
		struct parked *p = cw_map_get_u64(s->stopping, c->lease);

		if (p && (c->generation == p->generation || (!c->generation && c->result < 0)))
			release_stopping(s, p, c->result == 0 ? 0 : CW_E_TEP);
	}
}

/* Is it to wait now that it is on disk? */
static bool must_wait(const struct cw_op *op)
{
	const struct cw_op_acquire *a = &op->u.acquire;
	const struct cw_op_end *e = &op->u.end;

	if (op->kind == CW_OP_ACQUIRE)
		return op->result == 0 && a->wait_confirm && !a->lease.confirmed;
	return op->kind == CW_OP_END && (op->result == 0 || op->result == CW_E_GONE) &&
	       e->wait_stopped && e->lease.state == CW_LEASE_ENDING;
}

/* ---- one batch ---- */

static uint64_t now_us(void)
{
	struct timespec t;

	(void) clock_gettime(CLOCK_MONOTONIC, &t); /* for statistics only */
	return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

/* Runs n operations as one transaction. 0: durable. *ret_surprise: a constraint, try one by one. */
static int attempt(struct cw_store *s, struct cw_op **ops, size_t n, bool *ret_surprise)
{
	uint64_t start;
	bool wrote = false;
	int r = s->ops->begin(s->backend);

	s->batch.n = s->batch.n_events = 0;
	*ret_surprise = false;
	for (size_t i = 0; i < n && r == 0; i++) {
		enum cw_exec e;

		s->marks[i] = s->batch.n;
		e = s->ops->exec(s->backend, ops[i], &s->batch);
		s->more[i] = e == CW_EXEC_MORE;
		if (e == CW_EXEC_DONE || e == CW_EXEC_MORE) {
			note_answer(s, ops[i]);
			continue;
		}
		r = ops[i]->result;
		*ret_surprise = e == CW_EXEC_SURPRISE;
	}
	s->marks[n] = s->batch.n;
	start = now_us();
	if (r == 0)
		r = s->ops->commit(s->backend, &s->batch, &wrote);
	(void) pthread_mutex_lock(&s->stats_lock);
	if (r == 0) {
		uint64_t us = now_us() - start;

		s->stats.commits++;
		s->stats.operations += n;
		s->stats.commit_us_sum += us;
		cw_hist_add(&s->stats.commit_us, cw_hist_times_us, us);
		cw_hist_add(&s->stats.batch, cw_hist_counts, n);
		if (us > s->stats.commit_us_max)
			s->stats.commit_us_max = us;
		if (n > s->stats.batch_max_seen)
			s->stats.batch_max_seen = n;
	} else {
		s->stats.rollbacks++;
	}
	(void) pthread_mutex_unlock(&s->stats_lock);
	if (r < 0) {
		s->ops->rollback(s->backend);
		s->batch.n = s->batch.n_events = 0;
	} else if (wrote && is_passing(s->health)) {
		set_health(s, 0);
	}
	return r;
}

/* The batch's entries up to there, those before *told having been handed out. */
static void tell_outbox(struct cw_store *s, size_t *told, size_t upto)
{
	if (upto > *told && s->hooks.outbox)
		s->hooks.outbox(s->hooks.arg, &s->batch.entries[*told], upto - *told);
	*told = upto;
}

static void tell_events(struct cw_store *s)
{
	const struct cw_live_event *live;
	size_t n;

	if (s->hooks.events && cw_batch_live(&s->batch, &live, &n))
		s->hooks.events(s->hooks.arg, live, n);
}

/* Its next turn comes after what is queued now. */
static void again(struct cw_store *s, struct cw_op *op)
{
	bool closed = false;

	(void) cw_queue_put(&s->queue, &op->node, &closed);
	if (closed)
		finish(s, op, CW_E_SHUTDOWN);
}

/* Reports what `attempt` made durable. */
static void publish(struct cw_store *s, struct cw_op **ops, size_t n)
{
	size_t told = 0;

	tell_events(s);
	for (size_t i = 0; i < n; i++) {
		struct cw_op *op = ops[i];
		const struct cw_op_acquire *a = &op->u.acquire;

		/* New leases wait for their TEP and nobody is told now: theirs go out together. */
		if (op->kind != CW_OP_ACQUIRE || op->result != 0 || !a->wait_confirm ||
			a->how != CW_ACQ_GRANTED || i + 1 == n)
			tell_outbox(s, &told, s->marks[i + 1]);
		if (op->kind == CW_OP_ACQUIRE && op->result == 0 && a->how == CW_ACQ_MOVED)
			release_lease(s, a->old_lease, CW_E_GONE);
		for (size_t k = s->marks[i]; k < s->marks[i + 1]; k++) {
			if (s->batch.entries[k].what == CW_OUTBOX_REMOVE)
				release_lease(s, s->batch.entries[k].lease.id, CW_E_TEP);
		}
		if (op->kind == CW_OP_CONFIRM) {
			release_confirmed(s, &op->u.confirm); /* parked by this very batch */
			release_refused(s, &op->u.confirm);
			release_stopped(s, &op->u.confirm);
		}
		if (must_wait(op))
			park(s, op);
		else if (s->more[i])
			again(s, op);
		else
			finish(s, op, op->result);
	}
}

/* The batch is rolled back and none of it happened: says so to each, and serves what only reads. */
static void fail_batch(struct cw_store *s, struct cw_op **ops, size_t n, int result)
{
	if (is_final(result) || is_passing(result))
		set_health(s, result);
	for (size_t i = 0; i < n; i++) {
		struct cw_op *op = ops[i];
		bool surprise;

		if (op->kind == CW_OP_FIND && result == CW_E_STORE_FULL && n > 1 &&
			attempt(s, &op, 1, &surprise) == 0)
			publish(s, &op, 1);
		else
			finish(s, op, result);
	}
	if (is_final(result))
		release_all(s, result);
}

static void one_by_one(struct cw_store *s, struct cw_op **ops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool surprise = false;
		int r = is_final(s->health) ? s->health : attempt(s, &ops[i], 1, &surprise);

		if (r == 0)
			publish(s, &ops[i], 1);
		else
			fail_batch(s, &ops[i], 1, r);
	}
}

static void run_batch(struct cw_store *s, struct cw_qnode *chain)
{
	size_t n = 0;
	bool surprise = false;
	int r;

	for (struct cw_qnode *node = chain, *next; node; node = next) {
		struct cw_op *op = op_of(node);

		next = node->next;
		s->running[n++] = op;
		if (op->kind == CW_OP_CONFIRM && !is_final(s->health))
			release_confirmed(s, &op->u.confirm);
	}
	r = is_final(s->health) ? s->health : attempt(s, s->running, n, &surprise);
	if (r == 0)
		publish(s, s->running, n);
	else if (surprise)
		one_by_one(s, s->running, n);
	else
		fail_batch(s, s->running, n, r);
	if (s->batch.cap > CW_BATCH_KEEP) /* a big sweep */
		cw_batch_done(&s->batch);
	if (is_final(s->health))
		return;
	r = s->ops->upkeep(s->backend);
	if (is_final(r)) {
		set_health(s, r);
		release_all(s, r);
	}
}

static void *writer(void *arg)
{
	struct cw_store *s = arg;
	struct cw_qnode *chain;

	while ((chain = cw_queue_wait(&s->queue, s->batch_max, -1)))
		run_batch(s, chain);
	release_all(s, CW_E_SHUTDOWN);
	return NULL;
}

/* ---- the public face ---- */

static struct cw_store *store_free(struct cw_store *s, bool clean)
{
	if (!s)
		return NULL;
	if (s->ops)
		(void) s->ops->close(s->backend, clean && !is_final(s->health));
	cw_queue_done(&s->queue);
	(void) pthread_mutex_destroy(&s->run_lock);
	(void) pthread_cond_destroy(&s->run_done);
	(void) pthread_mutex_destroy(&s->stats_lock);
	(void) cw_map_free(s->parked);
	(void) cw_map_free(s->stopping);
	cw_batch_done(&s->batch);
	cw_free(s->running);
	cw_free(s->marks);
	cw_free(s->more);
	return cw_free(s);
}

static int init_locks(struct cw_store *s)
{
	int r = pthread_mutex_init(&s->run_lock, NULL);

	if (r == 0)
		r = pthread_cond_init(&s->run_done, NULL);
	if (r == 0)
		r = pthread_mutex_init(&s->stats_lock, NULL);
	return r == 0 ? cw_queue_init(&s->queue) : -r;
}

int cw_store_open(
	const struct cw_store_config *conf, char *why, size_t why_n, struct cw_store **ret)
{
	static const struct cw_backend_ops *const backends[] = {&cw_sqlite_backend};
	struct cw_store *s;
	int r;

	(void) snprintf(why, why_n, "%s", "");
	s = cw_zalloc(1, sizeof *s);
	r = s ? init_locks(s) : -ENOMEM;
	if (r < 0) {
		(void) snprintf(why, why_n, "%s", cw_strerror(r));
		cw_free(s);
		return r;
	}
	s->batch_max = conf->batch_max ? conf->batch_max : 64;
	s->queue_max = conf->queue_max ? conf->queue_max : 65536;
	s->batch.unanswered = unanswered;
	s->batch.arg = s;
	s->parked = cw_map_new();
	s->stopping = cw_map_new();
	s->running = cw_zalloc(s->batch_max, sizeof(struct cw_op *));
	s->marks = cw_zalloc(s->batch_max + 1, sizeof *s->marks);
	s->more = cw_zalloc(s->batch_max, sizeof *s->more);
	r = s->parked && s->stopping && s->running && s->marks && s->more ? 0 : -ENOMEM;
	for (size_t i = 0; r == 0 && i < CW_ARRAY_LEN(backends); i++) {
		if (conf->backend && strcmp(conf->backend, backends[i]->name) == 0)
			s->ops = backends[i];
	}
	if (r == 0 && (!s->ops || !conf->path || !conf->path[0])) {
		(void) snprintf(why, why_n, "no back end \"%s\", or no path",
			conf->backend ? conf->backend : "");
		r = -EINVAL;
	}
	if (r == 0)
		r = s->ops->open(conf, &s->errors, why, why_n, &s->backend);
	if (r < 0) {
		if (why_n > 0 && why[0] == '\0')
			(void) snprintf(why, why_n, "%s", cw_strerror(r));
		(void) store_free(s, false);
		return r;
	}
	*ret = s;
	return 0;
}

int cw_store_start(struct cw_store *s, const struct cw_store_hooks *hooks)
{
	sigset_t all, old;
	int r;

	s->hooks = *hooks;
	(void) sigfillset(&all);
	(void) pthread_sigmask(SIG_BLOCK, &all, &old); /* signals are the loop's */
	r = pthread_create(&s->thread, NULL, writer, s);
	(void) pthread_sigmask(SIG_SETMASK, &old, NULL);
	s->started = r == 0;
	return -r;
}

/* Work that frees addresses or keeps time must get through when clients have filled the queue, and
 * who holds a lease keeps it before others get new ones. */
static size_t queue_bound(const struct cw_store *s, const struct cw_op *op)
{
	switch (op->kind) {
	case CW_OP_ACQUIRE:
		return s->queue_max + (op->u.acquire.held_only ? s->queue_max / 2 : 0);
	case CW_OP_END:
	case CW_OP_CONFIRM:
	case CW_OP_EXPIRE:
	case CW_OP_FREE:
	case CW_OP_HEARTBEAT:
		return s->queue_max * 2;
	default:
		return s->queue_max;
	}
}

void cw_store_submit(struct cw_store *s, struct cw_op *op)
{
	bool closed = false;

	op->at = 0;
	if (cw_queue_count(&s->queue) >= queue_bound(s, op)) {
		finish(s, op, CW_E_BUSY);
		return;
	}
	(void) cw_queue_put(&s->queue, &op->node, &closed);
	if (closed)
		finish(s, op, CW_E_SHUTDOWN);
}

int cw_store_run(struct cw_store *s, struct cw_op *op)
{
	struct runner me = {.op = op};

	(void) pthread_mutex_lock(&s->run_lock);
	me.next = s->runners;
	/* Taken out again before this function returns. */
	s->runners = &me; /* cppcheck-suppress autoVariables */
	atomic_fetch_add(&s->n_runners, 1);
	(void) pthread_mutex_unlock(&s->run_lock);
	if (!s->started && op->kind == CW_OP_ACQUIRE)
		op->u.acquire.wait_confirm = false; /* nobody is there to confirm */
	if (!s->started && op->kind == CW_OP_END)
		op->u.end.wait_stopped = false;
	cw_store_submit(s, op);
	while (!s->started && cw_store_step(s) > 0)
		;
	(void) pthread_mutex_lock(&s->run_lock);
	while (!me.done)
		(void) pthread_cond_wait(&s->run_done, &s->run_lock);
	for (struct runner **p = &s->runners; *p; p = &(*p)->next) {
		if (*p == &me) {
			*p = me.next;
			atomic_fetch_sub(&s->n_runners, 1);
			break;
		}
	}
	(void) pthread_mutex_unlock(&s->run_lock);
	return op->result;
}

struct cw_store *cw_store_close(struct cw_store *s)
{
	if (!s)
		return NULL;
	cw_queue_close(&s->queue);
	if (s->started) {
		(void) pthread_join(s->thread, NULL);
	} else {
		while (cw_store_step(s) > 0)
			;
		release_all(s, CW_E_SHUTDOWN);
	}
	return store_free(s, true);
}

unsigned cw_store_schema(void)
{
	return cw_sqlite_backend.schema;
}

void cw_store_stats(struct cw_store *s, struct cw_store_stats *ret)
{
	(void) pthread_mutex_lock(&s->stats_lock);
	*ret = s->stats;
	(void) pthread_mutex_unlock(&s->stats_lock);
	ret->err_busy = s->errors.busy;
	ret->err_full = s->errors.full;
	ret->err_io = s->errors.io;
	ret->err_corrupt = s->errors.corrupt;
	ret->damaged = s->errors.damaged;
	ret->rebuilt = s->errors.rebuilt;
	ret->queued = cw_queue_count(&s->queue);
	ret->wal_bytes = s->ops->wal_bytes(s->backend);
}

int cw_store_reader_open(struct cw_store *s, struct cw_store_reader **ret)
{
	return s->ops->reader_open(s->backend, ret);
}

/* ---- without the thread ---- */

void cw_store_set_hooks(struct cw_store *s, const struct cw_store_hooks *hooks)
{
	s->hooks = *hooks;
}

size_t cw_store_step(struct cw_store *s)
{
	struct cw_qnode *chain = cw_queue_take(&s->queue, s->batch_max);
	size_t n = 0;

	for (const struct cw_qnode *node = chain; node; node = node->next)
		n++;
	if (n > 0)
		run_batch(s, chain);
	return n;
}

struct cw_backend *cw_store_backend(struct cw_store *s)
{
	return s->backend;
}

struct cw_store *cw_store_abandon(struct cw_store *s)
{
	size_t iter = 0;
	struct parked *p;

	while ((p = cw_map_next(s->parked, &iter)))
		cw_free(p);
	iter = 0;
	while ((p = cw_map_next(s->stopping, &iter)))
		cw_free(p);
	return store_free(s, false);
}
