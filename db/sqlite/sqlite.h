/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of the SQLite back end: the writer's connection, its statements, and what it keeps in
 * memory of pools, ranges, exclusions, reservations and TEPs (struct cw_sq_cache, rebuilt from the
 * tables after a rollback or a change of configuration). Thread: the writer, but for what
 * reader_open reads (path, memory), which never changes.
 *
 * Files: conn.c open, pragmas, migrations, results; claim.c one broker per file; cache.c the cache
 * and never-used slots; salvage.c damaged leases; seen.c what was lost; exec.c one operation,
 * cause.c who wanted it; acquire.c, lease.c the life of leases; use.c how full pools are; pool.c,
 * reserve.c, user.c, token.c configuration, group.c many of it as one; event.c, audit.c, job.c;
 * read.c, read_log.c, read_misc.c readers; backup.c; check.c. */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>

#include "base/defs.h"
#include "db/backend.h"
#include "db/sqlite/sql.h"
#include "db/store.h"

enum cw_sq_statement {
#define X(name, sql) CW_SQ_##name,
	CW_SQ_STATEMENTS(X)
#undef X
		CW_SQ_COUNT_OF
};

/* Sorted by lo within a pool; never overlapping. */
struct cw_sq_excl {
	uint64_t pool;
	uint32_t lo, hi;
};

struct cw_sq_range {
	uint64_t id;
	struct cw_sq_pool *pool;
	uint32_t lo, hi;
};

/* Slots [next, last] of a range were never leased. */
struct cw_sq_unused {
	uint64_t range;
	uint64_t pool;
	uint64_t next, last;
	uint32_t lo, hi; /* of the range */
	bool dirty;
	struct cw_sq_unused *next_dirty;
};

/* The counters of a pool (0004-operators.sql). */
struct cw_sq_use {
	int64_t total, reserved, excluded;
	int64_t active, ending, quarantined, aside;
	int level;   /* enum cw_pool_level */
	bool known;  /* there is a row */
	bool dirty;  /* it says something else */
	bool resize; /* likewise of the first three */
	struct cw_sq_pool *next_dirty;
};

struct cw_sq_pool {
	struct cw_pool p;
	unsigned sets;          /* port sets per address; 1 = whole addresses */
	unsigned n_system;      /* PSIDs below this are not leased */
	uint32_t ports_per_set; /* 65536 for whole addresses */
	bool tep_draining;
	bool maybe_free; /* false: no FREE row that is not withheld */
	const struct cw_sq_excl *excl;
	size_t n_excl;
	struct cw_sq_unused *unused; /* the first `at` are used up */
	size_t n_unused, at;
	struct cw_sq_use use;
};

struct cw_sq_reserved {
	uint32_t addr;
	uint16_t psid;
	bool damaged; /* nobody's */
};

struct cw_sq_cache {
	struct cw_sq_pool *pools; /* by (place, id) */
	struct cw_sq_pool **by_id, **by_name;
	struct cw_sq_range *ranges; /* by lo */
	struct cw_sq_excl *excl;    /* by (pool, lo) */
	struct cw_sq_unused *unused;
	struct cw_sq_reserved *reserved; /* by (addr, psid) */
	size_t n_pools, n_ranges, n_excl, n_unused, n_reserved;
	struct cw_sq_unused *dirty;
	struct cw_sq_pool *used; /* pools whose counters changed */
};

struct cw_backend {
	sqlite3 *db;
	char *path; /* file name or URI */
	bool memory;
	int lock_fd, file_fd; /* PATH.lock and PATH, locked for this broker */
	struct cw_db_errors *errors;
	/* The first failure of the database within the running operation: the front rolls back. */
	int fault;
	bool surprise;            /* it was a constraint */
	int64_t changes;          /* of the connection when the transaction began */
	int wal_frames;           /* after the last commit */
	uint64_t full_seen;       /* errors->full at the last checkpoint */
	int checkpoint_at;        /* pages of WAL */
	int run_rows;             /* tenures in a run of history_of */
	struct cw_store_time now; /* of the operation that runs or ran last */
	bool levels_due;          /* a change of configuration may have changed pools' levels */
	bool audit_known;         /* the next two are those of the last row */
	uint64_t audit_id;
	uint8_t audit_hash[CW_HASH_LEN];
	uint64_t seq;              /* last id or generation given out */
	uint64_t commits;          /* that wrote, in this database's life */
	int seen_fd;               /* PATH.commits, or -1 */
	struct cw_sq_cache *cache; /* NULL: to be rebuilt */
	sqlite3_stmt *st[CW_SQ_COUNT_OF];
};

/* ---- conn.c ---- */

/* The one place where results of SQLite become ours; counts in `errors`. 0 for OK, ROW, DONE. */
int cw_sq_result(sqlite3 *db, int rc, struct cw_db_errors *errors);
/* Remembers a failure as the operation's fault and returns it. */
int cw_sq_fail(struct cw_backend *b, int rc);
/* Steps a statement that gives no row, and resets it: 0 or the fault. */
int cw_sq_run(struct cw_backend *b, enum cw_sq_statement s);
/* Like run, but a refusing constraint is an answer (CW_E_CONFLICT), no fault. */
int cw_sq_try(struct cw_backend *b, enum cw_sq_statement s);
/* 1: a row is there (reset when done with it), 0: none (is reset), or the fault (is reset). */
int cw_sq_row(struct cw_backend *b, enum cw_sq_statement s);
/* Runs a statement whose first row, if any, has one integer: *ret, or `none` without a row or if
 * NULL. */
int cw_sq_number(struct cw_backend *b, enum cw_sq_statement s, int64_t none, int64_t *ret);
/* Opens a connection with the pragmas both writer and readers have. *ret is set if memory allowed,
 * also on failure. */
int cw_sq_connect(const char *path, bool memory, bool readonly, sqlite3 **ret);

/* ---- claim.c: one line in why (n octets) when one fails ---- */

void cw_sq_say(char *why, size_t n, const char *path, const char *what); /* "PATH: what" */
/* Takes PATH.lock, makes the file if there is none, and takes it as well: it may have another name,
 * and somebody may have removed PATH.lock. -EBUSY, -errno, CW_E_STORE_CORRUPT. */
int cw_sq_claim(struct cw_backend *b, char *why, size_t why_n);
/* Commits that PATH.commits knows of are not there; `what` is to be put back. Returns a code. */
int cw_sq_refuse_missing(
	struct cw_backend *b, uint64_t missing, const char *what, char *why, size_t why_n);
/* fsync of the folder a path is in: the name of a new file is on disk. 0 or -errno. */
int cw_sq_sync_folder(const char *path);

static inline void cw_sq_int(sqlite3_stmt *st, int i, int64_t v)
{
	(void) sqlite3_bind_int64(st, i, v);
}

static inline void cw_sq_text(sqlite3_stmt *st, int i, const char *s)
{
	(void) sqlite3_bind_text(st, i, s, -1, SQLITE_STATIC);
}

static inline void cw_sq_addr6(sqlite3_stmt *st, int i, const struct cw_addr6 *a)
{
	(void) sqlite3_bind_blob(st, i, a->b, sizeof a->b, SQLITE_STATIC);
}

/* Copies a text column of at most n - 1 octets; false if it does not fit (nobody wrote that). */
bool cw_sq_copy(sqlite3_stmt *st, int col, char *to, size_t n);
/* Decode one row that starts at column 0; false: it holds what no release writes. */
bool cw_sq_pool_row(sqlite3_stmt *st, struct cw_pool *ret);
bool cw_sq_tep_row(sqlite3_stmt *st, struct cw_tep *ret);
/* The lease but for its port set's shape, which is the pool's: ports.psid only. */
bool cw_sq_lease_row(sqlite3_stmt *st, struct cw_lease *ret);

/* ---- cache.c ---- */

/* Makes sure the cache is there. 0 or the fault. */
int cw_sq_cache_need(struct cw_backend *b);
/* Writes what changed in it. Before commit, and before SQL touches `unused`. */
int cw_sq_cache_flush(struct cw_backend *b);
void cw_sq_cache_drop(struct cw_backend *b);
struct cw_sq_pool *cw_sq_pool_by_id(const struct cw_backend *b, uint64_t id);
struct cw_sq_pool *cw_sq_pool_by_name(const struct cw_backend *b, const char *name);
const struct cw_sq_range *cw_sq_range_of(const struct cw_backend *b, struct cw_addr4 a);
bool cw_sq_excluded(const struct cw_sq_pool *p, struct cw_addr4 a);
bool cw_sq_reserved(const struct cw_backend *b, struct cw_addr4 a, uint16_t psid);
struct cw_portset cw_sq_ports(const struct cw_sq_pool *p, uint16_t psid);
/* The lowest never-used slot of the pool that may be leased to anybody: 1 and *ret, 0 if there is
 * none. It stays until cw_sq_unused_take() says it is taken, or that a row is there already (then
 * the run of rows is passed over: 0 or the fault). */
int cw_sq_unused_peek(
	struct cw_backend *b, struct cw_sq_pool *p, struct cw_addr4 *ret_addr, uint16_t *ret_psid);
void cw_sq_unused_take(struct cw_backend *b, struct cw_sq_pool *p);
int cw_sq_unused_skip(struct cw_backend *b, struct cw_sq_pool *p);

/* ---- acquire.c, lease.c: 0 or a code; look at b->fault ---- */

int cw_sq_acquire(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch);
/* The lease's time restarted, clamped to its pool's bounds. */
int cw_sq_renew(
	struct cw_backend *b, struct cw_lease *l, uint32_t lifetime_s, struct cw_batch *batch);
int cw_sq_find(struct cw_backend *b, struct cw_op *op);
int cw_sq_end(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch);
int cw_sq_confirm(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch);
int cw_sq_expire(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch);
int cw_sq_free(struct cw_backend *b, struct cw_op *op);
int cw_sq_prune(struct cw_backend *b, struct cw_op *op);
/* QUARANTINED -> FREE for up to limit rows that are due; *ret_count. */
int cw_sq_free_due(struct cw_backend *b, int64_t now_s, unsigned limit, unsigned *ret_count);
/* Steps s once for a lease row with its shape filled in: 1, 0, or a code (fault, or
 * CW_E_STORE_CORRUPT for a row nobody wrote). Resets it unless `more`. */
int cw_sq_lease_get(struct cw_backend *b, enum cw_sq_statement s, bool more, struct cw_lease *ret);
/* Is there an outbox row? Sets l->confirmed. */
int cw_sq_lease_confirmed(struct cw_backend *b, struct cw_lease *l);
/* The holder's ACTIVE or any lease on an address whose port set he did not name, or at (addr,
 * psid). client6 NULL: any. 1, 0 or a code. A live one is preferred. */
int cw_sq_lease_on(struct cw_backend *b, struct cw_addr4 addr, const struct cw_portset *ports,
	const char *principal, const struct cw_addr6 *client6, struct cw_lease *ret);
int cw_sq_emit(struct cw_backend *b, struct cw_batch *batch, int what, const struct cw_lease *l);

int cw_sq_extend(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch);
int cw_sq_tag(struct cw_backend *b, struct cw_op *op);
int cw_sq_tag_set(struct cw_backend *b, uint64_t lease, const char *json); /* "": none */

/* ---- use.c: how full pools are ---- */

/* Fills p->use of every pool of a new cache: from pool_use, or by counting leases. */
int cw_sq_use_load(struct cw_backend *b);
/* One place of p less in state `from`, one more in `to`; aside: it could not be lent to everybody. */
void cw_sq_use_change(struct cw_backend *b, struct cw_sq_pool *p, enum cw_lease_state from,
	enum cw_lease_state to, bool aside);
/* Could this place not be lent to everybody? */
bool cw_sq_aside(const struct cw_backend *b, const struct cw_sq_pool *p, struct cw_addr4 addr,
	uint16_t psid);
/* The row of a new pool. */
int cw_sq_use_new(struct cw_backend *b, uint64_t pool);
/* Writes the counters that changed. */
int cw_sq_use_flush(struct cw_backend *b);
/* Events of pools that became low, full, or neither; before the flush of a commit. */
int cw_sq_use_levels(struct cw_backend *b, struct cw_batch *batch);
/* Rows of lo..hi that count as aside, by the tables; what a change of them did is then added. */
int cw_sq_use_aside(struct cw_backend *b, uint64_t pool, uint32_t lo, uint32_t hi, int64_t *ret);
int cw_sq_use_aside_add(struct cw_backend *b, uint64_t pool, int64_t delta);
int cw_sq_sample(struct cw_backend *b, struct cw_op *op);

/* ---- event.c ---- */

/* Writes an event of now. Texts may be NULL: "". 0 or the fault. */
int cw_sq_event(struct cw_backend *b, struct cw_batch *batch, const char *type, uint64_t object_id,
	const char *object, const char *detail);
/* The event of an operation of configuration that succeeded, if it is one. */
int cw_sq_event_of(struct cw_backend *b, const struct cw_op *op, struct cw_batch *batch);
int cw_sq_event_op(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch);
/* Deletes by statement s (bound), which returns (id, event's id), and remembers up to where events
 * are missing. *ret_count. */
int cw_sq_events_prune(struct cw_backend *b, enum cw_sq_statement s, unsigned *ret_count);

/* ---- audit.c ---- */

/* Appends to the chain. The texts end within their arrays: -EINVAL. */
int cw_sq_audit(struct cw_backend *b, const struct cw_op_audit *a);
/* Follows the chain from its begin; `fault` gets each break as one line. SQLite's result. */
int cw_sq_audit_check(
	sqlite3 *db, void (*fault)(void *arg, const char *text), void *arg, unsigned *count);

/* ---- exec.c, cause.c, group.c ---- */

#define CW_SQ_KEY_KEPT_S 86400 /* of the steady time line */

enum cw_exec cw_sq_exec(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch);
/* The operation itself, without its cause. */
int cw_sq_dispatch(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch);
/* The operation with its cause: replayed, or run, audited and recorded. */
int cw_sq_caused(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch);
int cw_sq_group(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch);

/* ---- token.c, job.c ---- */

int cw_sq_token_op(struct cw_backend *b, struct cw_op *op);
int cw_sq_job(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch);
int cw_sq_tidy(struct cw_backend *b, struct cw_op *op);
int cw_sq_index(struct cw_backend *b, struct cw_op *op);

/* ---- pool.c, user.c ---- */

enum { CW_SQ_MORE = 1 }; /* of an operation: not at its end, run it again */

int cw_sq_pool_op(struct cw_backend *b, struct cw_op *op);
/* [first, last] of a range may hold never-used slots: joined with the intervals it touches. */
int cw_sq_unused_add(struct cw_backend *b, uint64_t range, uint64_t first, uint64_t last);
/* Rows of lo..hi: withheld or not, as exclusions, reservations and the pools say now; those of the
 * pool whose configuration changed may do. */
int cw_sq_withhold(struct cw_backend *b, uint64_t pool, uint32_t lo, uint32_t hi);
/* reserve.c */
int cw_sq_reservation(struct cw_backend *b, struct cw_op *op);
int cw_sq_forget_damaged(struct cw_backend *b, struct cw_op *op);
int cw_sq_user_op(struct cw_backend *b, struct cw_op *op);
/* Runs fn so that its failure leaves nothing behind; drops the cache. */
int cw_sq_in_savepoint(
	struct cw_backend *b, struct cw_op *op, int (*fn)(struct cw_backend *b, struct cw_op *op));
/* A name of the form [A-Za-z0-9._@-]+ that ends within n octets. */
bool cw_sq_name_ok(const char *s, size_t n);
/* NUL within n octets, and not empty. */
bool cw_sq_text_ok(const char *s, size_t n);

/* ---- salvage.c ---- */

/* Puts rows of lease aside that cannot be right. No transaction may be open, no statement prepared
 * on lease in use. SQLite's result; unless it is SQLITE_OK nothing was changed. */
int cw_sq_salvage(sqlite3 *db);

/* ---- seen.c ---- */

/* How many more commits a crash's PATH.commits knows of; 0: none, or there is no such file. */
uint64_t cw_sq_seen_more(const struct cw_backend *b, uint64_t commits);
bool cw_sq_seen_doubt(const struct cw_backend *b); /* the last run: cw_sq_seen_broken() */
void cw_sq_seen_begin(struct cw_backend *b);
void cw_sq_seen(struct cw_backend *b);        /* b->commits is on disk */
void cw_sq_seen_broken(struct cw_backend *b); /* it ends because of CW_E_STORE_CORRUPT */
void cw_sq_seen_end(struct cw_backend *b);    /* cleanly, with all in the database file */

/* ---- read.c, backup.c, check.c ---- */

struct cw_sq_reader;
int cw_sq_reader_open(struct cw_backend *b, struct cw_store_reader **ret);
sqlite3 *cw_sq_reader_db(struct cw_store_reader *r);
int cw_sq_backup(struct cw_store_reader *r, const char *to_path);
int cw_sq_check(struct cw_store_reader *r, void (*fault)(void *arg, const char *text), void *arg);
