/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the lease engine share. Not for anybody else. */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "causeway-dataplane.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/map.h"
#include "broker/lease/engine.h"
#include "broker/lease/pager.h"
#include "broker/lease/steady.h"
#include "dataplane/host/host.h"
#include "db/store.h"

enum {
	CW_TEP_BATCH = 1024, /* items on their way to a TEP at once */
	CW_TEP_QUEUE_MAX =
		65536, /* items waiting for one; beyond, a comparison replaces the queue */
	CW_TEP_RETRY_MAX = 4096, /* items a TEP refused, waiting for another try */
	CW_TEP_SEEN = 4096,      /* > 2 * CW_TEP_BATCH: each key once per batch */
	CW_SYNC_PAGE = 4096,
	CW_REFRESH_MS = 50, /* renewals of so long go to the TEP together (ADR 5) */
	CW_REFRESH_SHARE = CW_TEP_BATCH / 2, /* of a batch, for them before anything else */
	CW_REFRESH_URGENT_S = 60, /* a binding that ends so soon goes before other renewals */
};

/* One thing a TEP must do. */
struct cw_work {
	uint64_t lease, generation;
	struct cw_addr6 client6;
	struct cw_addr4 addr;
	struct cw_portset ports;
	int64_t expires_s;
	uint8_t what; /* CW_OUTBOX_* */
	bool confirm; /* the store waits to hear of it */
	bool sync;    /* found by comparison */
	bool awaited; /* a removal that an operator may wait for: that it failed is told too */
	bool there;   /* the TEP may have something for this key already */
	uint8_t tries;
};

static inline uint64_t cw_key_of(struct cw_addr4 addr, uint16_t psid)
{
	return (uint64_t) addr.v << 16 | psid;
}

/* A growing ring. */
struct cw_workq {
	struct cw_work *v;
	size_t head, n, cap;
};
int cw_workq_push(struct cw_workq *q, const struct cw_work *w) CW_MUST_CHECK; /* -ENOMEM */
const struct cw_work *cw_workq_front(const struct cw_workq *q);
void cw_workq_drop(struct cw_workq *q); /* the front one */
void cw_workq_done(struct cw_workq *q);

struct cw_engine_tep;

/* Items on their way. */
struct cw_tep_batch {
	struct cw_engine_tep *tep;
	bool removes;
	size_t n;
	struct cw_work item[CW_TEP_BATCH];
};

/* The comparison of one TEP with the store: two sorted streams, merged. */
struct cw_sync {
	struct cw_engine_tep *tep;
	unsigned refs; /* the TEP's and one per read on its way */
	/* desired: pages of the store, the next one read while this one is merged */
	struct cw_sync_page {
		struct cw_sync *sync;
		struct cw_pager_job job;
		struct cw_lease *lease;
		size_t n, pos;
		uint64_t seq; /* tep->seq when the read began */
		enum { CW_PAGE_EMPTY, CW_PAGE_READING, CW_PAGE_READY } state;
	} page[2];
	unsigned current;
	struct cw_lease_key after; /* of the next read */
	bool want_eof;             /* the last page was read */
	/* actual: the TEP's list */
	struct cw_dp_row *row;
	size_t rows, row_pos, row_cap;
	uint64_t row_seq;
	struct cw_dp_cursor cursor;
	bool listing, have_eof;
	bool waiting; /* to ask for that page again, by the TEP's wake_timer */
	unsigned tries;
	/* keys the live queue dealt with since, and when: those rows may be older than that */
	struct cw_map *touched;
	uint64_t applied, removed, stale;
	int64_t started_us;
	struct cw_drift *drift; /* what it finds */
};

struct cw_engine_tep {
	struct cw_engine *engine;
	struct cw_tep tep;
	struct cw_dphost *dp; /* NULL: not open yet */
	enum { CW_TEP_DOWN, CW_TEP_SYNC, CW_TEP_UP } state;
	bool settled; /* the first comparison ended somehow */
	bool dirty;   /* work was dropped: compare again */
	bool dispatching, again_posted, refresh_armed, refresh_due, retry_due, sync_turn;
	unsigned out; /* batches on their way */
	unsigned down_tries;
	uint64_t seq; /* grows with each live entry */
	size_t room;  /* of the batch being made, for what asks now */
	struct cw_workq queue;
	size_t removals;                 /* of what is in the queue */
	struct cw_workq urgent, refresh; /* renewals */
	struct cw_map *overtaken; /* key -> what was queued last while renewals waited, or NULL */
	struct cw_list retries;   /* struct cw_retry */
	size_t n_retries;
	struct cw_map
		*never_sent; /* leases refused while it was down: their removal needs no TEP */
	struct cw_timer *retry_timer, *refresh_timer, *wake_timer;
	struct cw_loop_task again;
	struct cw_sync *sync;
	struct cw_drift *drift; /* of the last comparison that ended well, or NULL */
	uint64_t drifted;       /* of its differences: 0 if they were expected */
	int last_error;
	struct cw_tep_batch apply, remove;
	int64_t apply_begun_us;
	struct cw_hist apply_us;
	struct {
		uint64_t key;
		uint32_t stamp;
	} seen[CW_TEP_SEEN];
	uint32_t stamp;
};

struct cw_retry {
	struct cw_list in_tep;
	struct cw_work work;
	int64_t at_ms;
};

/* Something from the writer thread: a binding to program, or a request that is done. One order for
 * both, so that nobody hears of a lease's end before its beginning. */
struct cw_inbox_item {
	struct cw_engine_req *req; /* NULL: entry */
	struct cw_outbox_entry entry;
};

struct cw_inbox {
	pthread_mutex_t lock;
	struct cw_inbox_item *v[2];
	size_t cap[2], n; /* of the one being filled */
	unsigned fill;
	bool posted, lost;
	struct cw_loop_task task;
};

/* An operation of the engine's own. */
struct cw_engine_op {
	struct cw_op op;
	struct cw_loop_task task; /* its fn gets the result on the loop */
	struct cw_engine *engine;
};

struct cw_confirm_op {
	struct cw_engine_op base;
	struct cw_list in_retry;
	bool removals;
	struct cw_confirm item[];
};

struct cw_sweep {
	struct cw_engine_op base;
	bool running;
	int64_t due_s; /* steady; INT64_MAX: nothing */
	uint64_t runs, leases, failures;
	int last_error;
};

struct cw_heartbeat {
	struct cw_engine_op base;
	bool running;
	int64_t wall_minus_boot_ms; /* as of the last beat */
};

struct cw_engine {
	struct cw_engine_config conf;
	struct cw_loop *loop;
	struct cw_store *store;
	const struct cw_clock *clock;
	struct cw_pager *pager;
	struct cw_steady steady;
	char boot_id[40];
	int64_t grace_until_s; /* steady: nothing expires before */
	bool started, stopping, ready;
	struct cw_engine_tep **teps;
	const struct cw_tep *unopened;  /* that start failed for */
	struct cw_engine_tep **retired; /* taken away, until nothing points to them */
	unsigned n_retired;
	unsigned n_teps;
	struct cw_map *failed; /* struct cw_engine_failed by the pool that was named */
	struct cw_map *tep_by_id;
	struct cw_map *pool_names; /* id -> char * */
	struct cw_map *subs;       /* lease -> one of its subscriptions */
	struct cw_inbox inbox;
	struct cw_loop_task health_task;
	int store_health; /* what was said last */
	int health;       /* written by the writer thread under inbox.lock */
	struct cw_sweep sweep[CW_SWEEP_N];
	struct cw_timer *sweep_timer, *beat_timer, *park_timer, *confirm_timer;
	struct cw_heartbeat beat;
	struct cw_list parked;        /* acquires that wait for a sweep */
	struct cw_list stops;         /* ends that wait for their TEP, by in_parked */
	struct cw_list confirm_retry; /* struct cw_confirm_op */
	bool park_armed;
	uint8_t park_epoch;
	size_t outstanding;  /* operations in the store */
	unsigned telling;    /* of those, events */
	size_t removals_out; /* of those, confirmations of removals */
	struct cw_engine_stats stats;
};

/* engine.c */
int64_t cw_engine_boot_ms(const struct cw_engine *e);
/* When a binding must stop by itself, CLOCK_BOOTTIME. */
int64_t cw_engine_expiry_boot_ms(const struct cw_engine *e, int64_t expires_s);
void cw_engine_settled(struct cw_engine *e); /* a TEP's first comparison ended */
/* Submits op->op (kind, now and u filled); fn runs on the loop when it is done and takes it off the
 * count by cw_engine_op_over(). */
void cw_engine_run_op(
	struct cw_engine *e, struct cw_engine_op *op, void (*fn)(struct cw_loop_task *task));
struct cw_engine_op *cw_engine_op_over(struct cw_loop_task *task);
void cw_engine_unpark(struct cw_engine *e, bool all); /* addresses came back */
void cw_engine_park(struct cw_engine *e, struct cw_engine_req *req);
void cw_engine_resubmit(struct cw_engine *e, struct cw_engine_req *req);

/* tep.c */
int cw_tep_new(
	struct cw_engine *e, const struct cw_tep *tep, struct cw_engine_tep **ret) CW_MUST_CHECK;
struct cw_engine_tep *cw_tep_free(struct cw_engine_tep *t);
int cw_tep_open(struct cw_engine_tep *t, char *why, size_t why_n) CW_MUST_CHECK;
void cw_tep_close(struct cw_engine_tep *t);
void cw_tep_submit(struct cw_engine_tep *t, const struct cw_outbox_entry *entry);
void cw_tep_dispatch(struct cw_engine_tep *t);
void cw_tep_down(struct cw_engine_tep *t, int why);
void cw_tep_up(struct cw_engine_tep *t);
bool cw_tep_removing(const struct cw_engine_tep *t); /* its removals wait or are on their way */
void cw_tep_poke(struct cw_engine_tep *t);           /* what waits for a timer is looked at now */
/* Adds to the batch being made. false: no room, or that key is in it already. */
bool cw_tep_add(struct cw_engine_tep *t, const struct cw_work *w);
void cw_tep_confirm(struct cw_engine *e, const struct cw_confirm *items, size_t n, bool removals);
void cw_tep_confirm_again(void *engine); /* those the store could not take */

/* order.c */
/* Tries it again later; without memory or room the TEP is compared again instead. */
void cw_order_retry_later(struct cw_engine_tep *t, const struct cw_work *w);
void cw_order_on_retry(void *arg); /* of retry_timer; arg: the TEP */
void cw_order_drop_retries(struct cw_engine_tep *t);
/* Puts those that are due into the batch being made. */
bool cw_order_collect_retries(struct cw_engine_tep *t);
/* w goes out: older applies of its key are not tried again. */
void cw_order_supersede(struct cw_engine_tep *t, const struct cw_work *w);
/* w was queued: older renewals of its key that wait are over. */
void cw_order_overtake(struct cw_engine_tep *t, const struct cw_work *w);
/* Puts the renewals that wait into the batch being made, the urgent ones first. */
bool cw_order_collect_refreshes(struct cw_engine_tep *t);
size_t cw_order_refreshes(const struct cw_engine_tep *t); /* how many wait */
void cw_order_drop_refreshes(struct cw_engine_tep *t);

/* change.c */
/* An operation of somebody's has been done: TEPs come and go, pools have names. */
void cw_change_done(struct cw_engine *e, const struct cw_op *op);
void cw_change_collect(struct cw_engine *e); /* frees what is retired as far as it can be */

/* told.c */
void cw_engine_count(struct cw_engine *e, const struct cw_engine_req *req);
void cw_engine_count_transition(struct cw_engine *e, const struct cw_outbox_entry *entry);

/* sync.c */
void cw_sync_start(struct cw_engine_tep *t);
void cw_sync_end(struct cw_engine_tep *t); /* also when none runs */
/* A live entry passed: rows read before are out of date for its key. */
void cw_sync_touch(struct cw_engine_tep *t, uint64_t key);
/* Fills the batch being made; true if it put something in. Ends the comparison when nothing is
 * left. */
bool cw_sync_collect(struct cw_engine_tep *t);

/* sweep.c */
void cw_sweep_start(struct cw_engine *e);
void cw_sweep_stop(struct cw_engine *e);
void cw_sweep_look(struct cw_engine *e); /* starts what is due, arms the timer */
void cw_sweep_expiry_at(struct cw_engine *e, int64_t due_s); /* a lease ends then */
void cw_sweep_removed(struct cw_engine *e);                  /* quarantines began */
bool cw_sweep_may_free(
	const struct cw_engine *e); /* addresses may come back soon without anybody giving one up */
void cw_beat_start(struct cw_engine *e);
void cw_beat_stop(struct cw_engine *e);
