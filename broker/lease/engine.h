/* SPDX-License-Identifier: BSD-2-Clause */
/* The lease engine: what stands between the accesses, the store and the tunnel end points
 * (DESIGN.md section 4). It knows no wire and no SQL.
 *
 *	access --request--> engine --op--> store (durable) --outbox--> engine --batch--> TEP
 *	access <--done----- engine <------ store <--confirm------------ engine <--result--
 *
 * It keeps no lease in memory: the store is the desired state, each TEP reports the actual one,
 * and after a restart or a TEP's failure the two are compared page by page. Per TEP there is one
 * queue and one batch on its way. Files: engine.c (life, requests, events), tep.c (queues,
 * batches, failures), order.c (what waits), sync.c (reconcile), sweep.c (expiry, quarantine,
 * history), change.c (TEPs come and go), pager.c (reads off the loop), steady.c (time). Thread: the loop's, all of it; what
 * the store's writer thread hands over meets the loop in one ordered inbox. */
#pragma once

#include <stdbool.h>

#include "base/defs.h"
#include "base/list.h"
#include "base/loop.h"
#include "db/store.h"

struct cw_engine;

struct cw_engine_config {
	struct cw_loop *loop;   /* borrowed */
	struct cw_store *store; /* opened, not started; borrowed */
	const char *plugin_dir; /* NULL: the compiled-in one; borrowed */
	const char *boot_id;    /* NULL: the kernel's; tests give their own */
	unsigned sweep_batch;   /* leases per expiry operation while it keeps up; 0 = 64 */
	int64_t clock_jump_s;  /* a longer absence by the wall clock is not believed; 0 = 30 days */
	int64_t clock_grace_s; /* then nothing expires for so long; 0 = 300 */
	/* Every TEP was compared with the store, or is known to be down. Once. */
	void (*ready)(void *arg);
	/* As the store's hook of that name, on the loop thread. */
	void (*health)(void *arg, int result);
	/* Every transition of a lease (CW_OUTBOX_*), and each live lease once, as CW_OUTBOX_APPLY,
	 * before ready. May be NULL. */
	void (*transition)(void *arg, int what, const struct cw_lease *lease);
	void *arg;
	/* The store's hook of that name, on its writer's thread. May be NULL. */
	void (*events)(void *arg, const struct cw_live_event *events, size_t n);
	void *events_arg;
};

/* A request of an access: embed it, fill op.kind (ACQUIRE, FIND, END or what the store offers else)
 * and op.u, submit. It is the engine's until done was called, which happens once, on the loop
 * thread, never inside submit. */
struct cw_engine_req {
	struct cw_op op;
	void (*done)(struct cw_engine_req *req);
	/* the engine's */
	struct cw_engine *engine;
	struct cw_loop_task task;
	struct cw_list in_parked;
	uint8_t tries, epoch;
	int64_t begun_us;
};

/* Who wants to know that a lease ended. Embed it; `ended` runs on the loop thread, once, after the
 * subscription was taken off. */
struct cw_engine_sub {
	struct cw_list peers; /* the engine's */
	uint64_t lease;       /* 0: not subscribed */
	void (*ended)(struct cw_engine_sub *sub, const struct cw_lease *lease);
};

enum cw_engine_counted {
	CW_COUNT_GRANT,
	CW_COUNT_RENEW,
	CW_COUNT_RELEASE,
	CW_COUNT_EXPIRE,
	CW_COUNT_REVOKE,
	CW_COUNT_REFUSE, /* by its TEP, or by the client */
	CW_COUNTED
};
enum { CW_COUNT_ACCESSES = CW_ACCESS_GATEWAY + 1 };
/* Why a request for a lease got none. */
enum cw_engine_failure {
	CW_FAIL_POOL_EMPTY,
	CW_FAIL_QUOTA,
	CW_FAIL_CONFLICT,
	CW_FAIL_TEP, /* refused it, or is down */
	CW_FAIL_STORE,
	CW_FAILURES
};
/* Of requests that named a pool, or ("") named none. */
struct cw_engine_failed {
	char pool[CW_NAME_MAX];
	uint64_t n[CW_FAILURES];
};
struct cw_engine_stats {
	uint64_t grants, renewals, moves, releases, expiries, revocations, rollbacks, rejections;
	uint64_t requests;
	uint64_t failures[CW_FAILURES];
	uint64_t applies, removals, refreshes, apply_failures, remove_failures, confirms;
	uint64_t tep_downs, syncs, sync_applied, sync_removed, sync_stale;
	uint64_t sweeps, sweep_leases, clock_jumps, inbox_lost, confirms_again;
	size_t parked, outstanding, subscriptions;
	uint64_t transitions[CW_COUNTED][CW_COUNT_ACCESSES]; /* by enum cw_access */
	struct cw_hist alloc_us;                             /* acquires, from submit to done */
};

int cw_engine_new(
	const struct cw_engine_config *conf, struct cw_engine **ret) CW_MUST_CHECK; /* given */
/* Continues the time line, opens the TEPs, starts the store's writer and the comparison of every
 * TEP. 0, or a code with one line in why. */
int cw_engine_start(struct cw_engine *e, char *why, size_t why_n) CW_MUST_CHECK;
/* After a start that failed: the TEP that could not be opened, if that was why; else NULL.
 * Borrowed. */
const struct cw_tep *cw_engine_unopened(const struct cw_engine *e);
/* Whether a start could open this TEP, as far as can be told without opening it. Codes as
 * cw_dphost_check(), one line in why. Thread: any. */
int cw_engine_check_tep(
	const struct cw_tep *tep, const char *plugin_dir, char *why, size_t why_n) CW_MUST_CHECK;
/* No new work from here on: sweeps end, TEPs are closed (their bindings stay as their plugins
 * promise), a last heartbeat is written. The store is closed by its owner next; done then runs for
 * every request that is left. */
void cw_engine_stop(struct cw_engine *e);
/* Operations whose results have not arrived yet; the loop must run until there is none. */
size_t cw_engine_outstanding(const struct cw_engine *e);
struct cw_engine *cw_engine_free(
	struct cw_engine *e); /* stopped, nothing outstanding. NULL is fine */

void cw_engine_submit(struct cw_engine *e, struct cw_engine_req *req);
/* One subscription per sub and time. -ENOMEM. */
int cw_engine_subscribe(
	struct cw_engine *e, struct cw_engine_sub *sub, uint64_t lease) CW_MUST_CHECK;
void cw_engine_unsubscribe(
	struct cw_engine *e, struct cw_engine_sub *sub); /* also when not subscribed */
bool cw_engine_is_subscribed(const struct cw_engine *e, uint64_t lease); /* by anybody */

/* Now on both lines, and the seconds a lease has left. */
struct cw_store_time cw_engine_now(const struct cw_engine *e);
uint32_t cw_engine_remaining_s(const struct cw_engine *e, const struct cw_lease *lease);
/* The TEP of a lease as clients are told of it; NULL if it is not known. Borrowed, until the next
 * turn of the loop. */
const struct cw_tep *cw_engine_tep(const struct cw_engine *e, uint64_t tep_id);
/* Whether an address is a TEP's own, which no client may name. */
bool cw_engine_is_tep6(const struct cw_engine *e, const struct cw_addr6 *a);
/* At least one TEP takes new bindings. */
bool cw_engine_can_grant(const struct cw_engine *e);
void cw_engine_stats(const struct cw_engine *e, struct cw_engine_stats *ret);
/* The same failures by pool, in no order: up to max into `to`, the first of which is that of no pool.
 * How many there are. */
size_t cw_engine_failed(const struct cw_engine *e, struct cw_engine_failed *to, size_t max);
/* Looks at the clock again now, and asks TEPs that are down: after a resume, and in tests that
 * moved their clock. */
void cw_engine_poke(struct cw_engine *e);
/* Writes an event that no operation causes (CW_OP_EVENT); nobody waits for it. object and detail may
 * be NULL. Before the start and after the stop it is dropped. */
void cw_engine_event(struct cw_engine *e, const char *type, uint64_t object_id, const char *object,
	const char *detail);
/* What time does to leases, by itself: expiry, end of quarantine, history. */
enum cw_engine_sweep { CW_SWEEP_EXPIRE, CW_SWEEP_FREE, CW_SWEEP_PRUNE, CW_SWEEP_N };
struct cw_engine_sweep_state {
	int64_t due_s; /* steady: when the next is due; INT64_MAX: none */
	bool running;
	bool held; /* what is due waits: after a clock jump, or for a TEP that has too much to do */
	uint64_t runs, leases, failures; /* since the start */
	int last_error;                  /* of the last run; 0 */
};
void cw_engine_sweep_state(
	const struct cw_engine *e, enum cw_engine_sweep which, struct cw_engine_sweep_state *ret);
/* As the store's hook of that name said last: 0, or why nothing can be written. */
int cw_engine_store_health(const struct cw_engine *e);
/* Compares all TEPs with the store again. */
void cw_engine_resync(struct cw_engine *e);

/* ---- how a TEP is ---- */

/* TEPs and pools that are made, changed or taken away through cw_engine_submit() are opened,
 * changed and closed here as soon as the store has them: a TEP that cannot be opened counts as down
 * and is tried again. */
struct cw_engine_tep_status {
	enum { CW_TEP_IS_STARTING, CW_TEP_IS_UP, CW_TEP_IS_SYNCING, CW_TEP_IS_DOWN } state;
	uint64_t waiting; /* changes it has not answered yet */
	bool compared;    /* the next two are known */
	/* Differences the last comparison found, all of which it put right; after a start of either side,
	 * when bindings are expected to be gone, 0. */
	uint64_t drift;
	int64_t compared_wall_s;
	int last_error; /* why it went down last, until it is up again; 0 */
};
/* -ENOENT: there is no such TEP. */
int cw_engine_tep_status(
	const struct cw_engine *e, uint64_t tep_id, struct cw_engine_tep_status *ret) CW_MUST_CHECK;
/* How long its batches of bindings took. -ENOENT. */
int cw_engine_tep_apply_us(
	const struct cw_engine *e, uint64_t tep_id, struct cw_hist *ret) CW_MUST_CHECK;
/* Compares one again, soon: 0; CW_E_TEP: it is down, and asked again now; -ENOENT. */
int cw_engine_resync_tep(struct cw_engine *e, uint64_t tep_id) CW_MUST_CHECK;

/* What a comparison found. Bindings that no TEP has confirmed yet, and leases that end, are on
 * their way and no difference. */
enum { CW_DRIFT_ITEMS = 100 };
enum cw_drift_kind { CW_DRIFT_MISSING, CW_DRIFT_EXTRA, CW_DRIFT_DIFFERENT };
struct cw_drift_binding {
	uint64_t lease;
	struct cw_addr4 addr;
	struct cw_portset ports;
	struct cw_addr6 client6;
};
struct cw_drift {
	int64_t compared_wall_s;
	uint64_t wanted, actual, differences;
	struct cw_drift_item {
		enum cw_drift_kind kind;
		struct cw_drift_binding wanted; /* not if EXTRA */
		struct cw_drift_binding actual; /* not if MISSING */
	} item[CW_DRIFT_ITEMS];                 /* the first ones */
};
/* That of the last comparison that came to its end; NULL: none did. Borrowed, until the next turn
 * of the loop. */
const struct cw_drift *cw_engine_drift(const struct cw_engine *e, uint64_t tep_id);
