/* SPDX-License-Identifier: BSD-2-Clause */
/* The lease store: the only state that must never be lost, and the only door to it. Callers submit
 * operations; one writer thread takes all that is queued into one transaction, makes it durable and
 * only then reports each result (group commit). The database guards uniqueness: (address, PSID) is
 * a primary key, ranges of pools cannot overlap, and the port-set shape (offset, length) is fixed
 * per pool.
 *
 * Life of a lease (one tenure, one lease id):
 *
 *	acquire --> ACTIVE --release, expire, revoke, TEP failure--> ENDING
 *	ENDING --stopped--> QUARANTINED --due--> FREE
 *
 * Every step writes the lease row, its history row and (where the tunnel end point must be told) an
 * outbox row in one transaction. ACTIVE means held and on disk; whether its TEP has confirmed is
 * the outbox's business. ENDING means forwarding may still go on: the address stays taken.
 * QUARANTINED and FREE rows remember who had the address last.
 *
 * Two time lines. Deadlines (due_s, expires_s) are on the caller's steady time line, which never
 * jumps; what people ask for later (history, audit) is wall-clock time. The store never asks the
 * system for the time.
 *
 * Threads: submit from any; `done` and `outbox` hooks run on the writer thread and must not block
 * (they post to their own loop). Readers are separate: one struct cw_store_reader per thread, on
 * connections of their own. */
#pragma once

#include <stdbool.h>

#include "base/defs.h"
#include "base/hist.h"
#include "base/queue.h"
#include "db/readers.h"
#include "db/values.h"

/* ---- operations ---- */

enum cw_op_kind {
	CW_OP_ACQUIRE,   /* grant, restart or move a lease */
	CW_OP_FIND,      /* one lease by what its holder knows */
	CW_OP_END,       /* release, revoke, reject: ACTIVE -> ENDING */
	CW_OP_CONFIRM,   /* what a TEP answered to outbox entries */
	CW_OP_EXPIRE,    /* up to `limit` due leases: ACTIVE -> ENDING */
	CW_OP_FREE,      /* up to `limit` leases whose quarantine is over: -> FREE */
	CW_OP_PRUNE,     /* up to `limit` history rows beyond their pool's retention */
	CW_OP_HEARTBEAT, /* remembers the time lines across restarts */
	CW_OP_AUDIT,
	CW_OP_POOL_ADD,
	CW_OP_POOL_SET,
	CW_OP_POOL_DEL,
	CW_OP_RANGE_ADD,
	CW_OP_RANGE_DEL,
	CW_OP_EXCLUDE_ADD,
	CW_OP_EXCLUDE_DEL,
	CW_OP_RESERVE_ADD,
	CW_OP_RESERVE_DEL,
	CW_OP_TEP_ADD,
	CW_OP_TEP_SET,
	CW_OP_TEP_DEL,
	CW_OP_USER_ADD,
	CW_OP_USER_SET,
	CW_OP_USER_DEL,
	CW_OP_CREDENTIALS_SET,
	CW_OP_FORGET_DAMAGED, /* lends the addresses of damaged rows again (u.sweep.count) */
	CW_OP_EXTEND,         /* an operator's renewal of a lease */
	CW_OP_TAG,            /* what people keep with a lease */
	CW_OP_RESERVE_SET,    /* its principal only */
	CW_OP_EVENT,          /* something happened that no operation of the store caused */
	CW_OP_TOKEN_ADD,
	CW_OP_TOKEN_DEL,
	CW_OP_TOKEN_USED,
	CW_OP_JOB,    /* a job's run began or ended */
	CW_OP_SAMPLE, /* remembers how full each pool is now */
	CW_OP_TIDY,   /* up to `limit` old rows of all kinds but history and audit */
	CW_OP_INDEX,  /* sorts some thousand more tenures by principal, if there are so many */
	CW_OP_GROUP,  /* several of configuration as one, all or nothing */
};

/* ACQUIRE. One lease per (principal, client6) and pool choice: a holder that asks again without
 * naming an address gets the same lease with its time restarted.
 *  - no address named: the caller's live lease; else its reservation; else its last address if that
 * is free (its own quarantine does not count against it); else a never-used one; else the least
 * recently freed one.
 *  - address named, `held_only`: the asker must hold it: restarted; or moved to client6 if
 * `may_move`; else CW_E_NOT_YOURS / CW_E_GONE.
 *  - address named, not held_only: that address if it is free, else CW_E_CONFLICT.
 * Failures: CW_E_POOL_EMPTY, CW_E_QUOTA, CW_E_POLICY (pool or TEP draining or disabled, user
 * disabled, no such pool), and the above.
 * Draining pools and TEPs give no new leases, but the old ones may be restarted and moved; in a
 * disabled pool they may not. Quotas count ACTIVE leases. A reservation counts more than an
 * exclusion. */
struct cw_op_acquire {
	char principal[CW_PRINCIPAL_MAX];
	struct cw_addr6 client6;
	enum cw_access access;
	char pool[CW_NAME_MAX]; /* empty: every ACTIVE pool in order */
	bool ports_ok;          /* the client can live with a port set: shared pools too */
	uint32_t ports_min;     /* at least so many ports, if ports_ok */
	bool named, held_only, may_move;
	struct cw_addr4 addr;    /* if named */
	struct cw_portset ports; /* if named and not whole */
	uint32_t lifetime_s;     /* 0: the pool's default; clamped to the pool's bounds */
	uint32_t max_leases; /* quota of the principal over all pools; 0: none. Users' own limits
				hold as well */
	/* Report only when the TEP has confirmed the binding (or refused it, or the lease went to
	 * ENDING: CW_E_TEP; or was moved away: CW_E_GONE). Otherwise as soon as it is on disk. */
	bool wait_confirm;
	const char *tags; /* as CW_OP_TAG, in the same transaction; NULL: those there are stay */
	/* out */
	char pool_name[CW_NAME_MAX], tep_name[CW_NAME_MAX]; /* with a cause */
	struct cw_lease lease;
	enum { CW_ACQ_GRANTED, CW_ACQ_RESTARTED, CW_ACQ_MOVED } how;
	uint64_t old_lease; /* MOVED: the tenure that ended by it */
};

/* FIND by (principal, client6[, addr]) or by id. CW_E_NOT_YOURS if there is no such live lease: an
 * ACTIVE one, by id an ENDING one too. With addr or id, client6 all zero is any. On a shared
 * address whole `ports` stand for the holder's set, here as in ACQUIRE with held_only and in END.
 */
struct cw_op_find {
	uint64_t id; /* 0: by the rest */
	char principal[CW_PRINCIPAL_MAX];
	struct cw_addr6 client6;
	bool named;
	struct cw_addr4 addr;
	struct cw_portset ports;
	struct cw_lease lease; /* out */
};

/* END. With wait_stopped, `done` comes when forwarding has stopped: the lease is QUARANTINED or FREE
 * on disk. CW_E_TEP if the TEP could not be reached (it stays ENDING and is tried again; a CONFIRM
 * that says so releases who waits). One that is ENDING already is waited for as well, and then the
 * answer is CW_E_GONE, as for one that has ended.
 * With principal set, the holder must match (client6 too unless all zero), else
 * CW_E_NOT_YOURS. Already ENDING or later: CW_E_GONE. */
struct cw_op_end {
	uint64_t id; /* 0: by (principal, client6, addr, ports) */
	char principal[CW_PRINCIPAL_MAX];
	struct cw_addr6 client6;
	struct cw_addr4 addr;
	struct cw_portset ports;
	enum cw_end_reason reason;
	bool wait_stopped;
	struct cw_lease lease; /* out: as of the end */
};

/* EXTEND: restarts the time of an ACTIVE lease, clamped to the bounds of its pool (0: its default).
 * Works in every pool, as an operator wants it. CW_E_GONE, CW_E_NOT_YOURS (no such lease). */
struct cw_op_extend {
	uint64_t id;
	uint32_t lifetime_s;
	struct cw_lease lease; /* out */
};

/* TAG: replaces what people keep with a lease that is not over (CW_E_GONE, CW_E_NOT_YOURS); "" takes
 * it away. -EINVAL: NUL missing. The store does not look into it. */
struct cw_op_tag {
	uint64_t id;
	char json[CW_TEXT_MAX];
};

/* CONFIRM: what the TEP answered, per outbox entry. An apply that failed ends the lease (reason
 * CW_END_TEP) only while an acquire of this process still waits for it: what may have been answered
 * is never rolled back (then those who wait get CW_E_TEP and the lease stays). A remove that
 * succeeded moves ENDING -> QUARANTINED (or FREE if nobody was told of the lease or the pool has no
 * quarantine). A failed remove leaves the row: it is tried again; who waits for it to stop gets
 * CW_E_TEP, also by an entry with generation 0, which says nothing else. Entries of an older
 * generation are ignored. */
struct cw_confirm {
	uint64_t lease;
	uint64_t generation;
	int result; /* 0 or a code */
};
struct cw_op_confirm {
	const struct cw_confirm *items; /* the submitter's until done */
	size_t n;
};

/* EXPIRE, FREE, PRUNE: `limit` rows at most; `count` says how many were done, next_due_s when the
 * next is due (INT64_MAX: none; for PRUNE on the wall clock). INDEX knows no limit; `count` 0: there
 * are not enough yet. It takes the writer some 6 to 18 ms, so jobs call it with pauses. The bindings to stop come through the
 * outbox hook as for every end. */
struct cw_op_sweep {
	unsigned limit;
	unsigned count;     /* out */
	int64_t next_due_s; /* out */
};

struct cw_op_heartbeat {
	char boot_id[40];
	int64_t boot_ms;
};

/* AUDIT: something that changes nothing, like reading the history. What changes something has a
 * cause instead. */
struct cw_op_audit {
	char actor[CW_PRINCIPAL_MAX], peer[CW_PEER_MAX], verb[CW_NAME_MAX],
		object[CW_PRINCIPAL_MAX], detail[CW_TEXT_MAX];
};

/* TIDY: what is older than this goes (0: nothing of the kind). Idempotency records go after a day,
 * always. */
struct cw_op_tidy {
	unsigned limit;
	int64_t keep_events_s, keep_samples_s, keep_job_runs_s;
	unsigned count; /* out: == limit: there may be more */
};

/* CRUD. _ADD fills id and version; CW_E_CONFLICT if the name exists or something overlaps. _SET and
 * _DEL need the id and the version last seen (0: whatever is there), CW_E_STALE if it changed;
 * -ENOENT; deleting or shrinking under live leases is CW_E_CONFLICT (ranges and pools: under
 * quarantined ones too; their free rows go with them, some at a time with other operations in
 * between: what a crash, or a grant meanwhile, cuts short is whole and can be asked for again).
 * -EINVAL: what no row may hold. POOL_ADD takes its first ranges and exclusions along, all or
 * nothing; lifetimes left 0 become 3600, 60 and 86400 seconds (default, least, most), as far as
 * they fit each other. A pool's port-set shape never changes, nor can its ports 0-1023 be kept if
 * every set has some (offset > 6); the TEP of a pool, and the addresses of a TEP, do not while ACTIVE
 * or ENDING leases are there (CW_E_CONFLICT). Ranges and exclusions have no version and are not changed, only
 * added and deleted; of a reservation the principal can be. RESERVE_ADD with pool_id 0 finds the
 * pool by the address and fills it in. */
struct cw_op_pool {
	struct cw_pool pool;
	char tep[CW_NAME_MAX];         /* ADD, SET: by name; empty: pool.tep_id (SET: 0 keeps it) */
	const struct cw_range *ranges; /* ADD */
	size_t n_ranges;
	const struct cw_range *excludes; /* ADD */
	size_t n_excludes;
};
struct cw_op_user {
	struct cw_user user;
	const struct cw_credential *credentials; /* USER_ADD, CREDENTIALS_SET: replaces all */
	size_t n_credentials;
};

/* TOKEN_ADD fills id; CW_E_CONFLICT: there is one of that name or hash. TOKEN_DEL by id: -ENOENT.
 * TOKEN_USED by id: keeps now.wall_s if what is kept is a minute older; writes nothing else, and a
 * token that is gone is no failure. */

/* JOB: with run.id 0 a run begins or is told of at its end, and gets its id; with an id it ends
 * (ended_wall_s > 0; -ENOENT). A result below 0 is an event job.fail. */
struct cw_op_job {
	struct cw_job_run run;
};

/* GROUP: the operations one after another, each seeing what those before it did; all or nothing. Of
 * configuration: POOL_*, RANGE_*, EXCLUDE_*, RESERVE_*, TEP_*, USER_*, CREDENTIALS_SET, TOKEN_ADD,
 * TOKEN_DEL; others are -EINVAL. Each has its result; the group's is that of the first that failed,
 * those behind it were not tried (-ECANCELED). dry_run: every one is tried whatever became of
 * those before it, each has its result, nothing stays. Their `done` and `now` are not used; a cause
 * of theirs is audited and may have no key. Range by range it may take long: for configuration
 * that a person made. */
struct cw_op;
struct cw_op_group {
	struct cw_op *const *ops; /* the submitter's until done */
	size_t n;
	bool dry_run;
	size_t failed; /* out: index of the first that failed; n: none */
};

/* Who wants an operation and why; the submitter's until done. NULL in the operation: the broker
 * itself, which leaves no audit row.
 *
 * If the operation succeeds, one audit row is written in the transaction of its effect.
 *
 * With key_n > 0 it has an Idempotency-Key: the answer that `answer` renders is kept in the same
 * transaction for 24 hours of the steady time line. The same (scope, key) with the same request
 * executes nothing and is audited by nothing: 0, `replayed`, and the answer as it was kept; with
 * another request CW_E_KEY_REUSED. Failures are not kept: the same key tries again. An ACQUIRE with
 * wait_confirm (or an END with wait_stopped) that is replayed before what it waits for has come
 * waits too and fails as it does; a lease that its TEP refuses takes its records with it. Works for
 * every operation but CONFIRM and those of many turns (POOL_DEL, RANGE_DEL: -EINVAL), which a
 * second try finds done. */
struct cw_op_cause {
	char actor[CW_PRINCIPAL_MAX]; /* "" : no audit row */
	char peer[CW_PEER_MAX];
	char verb[CW_NAME_MAX];
	char object[CW_PRINCIPAL_MAX];
	char detail[CW_TEXT_MAX]; /* JSON without secrets */
	/* Called on the writer's thread when the operation has succeeded, before audit row and
	 * record are written; may fill in object and detail from its results. NULL: nothing to do. */
	void (*complete)(struct cw_op *op);

	char scope[CW_NAME_MAX]; /* of the key: whose it is */
	char key[CW_KEY_MAX];
	size_t key_n;
	uint8_t request[CW_HASH_LEN]; /* what makes it the same request */
	/* Renders status and body from op->u, after `complete`, on the writer's thread; must not
	 * block. The body's length, or a code: then the operation fails with it and has no effect.
	 * A lease that is waited for is shown as confirmed. */
	int (*answer)(const struct cw_op *op, unsigned *ret_status, char *to, size_t n);
	/* out, with a key */
	bool replayed;
	unsigned status;
	size_t body_n;
	char body[CW_ANSWER_MAX];
};

struct cw_op {
	struct cw_qnode node; /* the store's while it runs */
	uint64_t at;          /* likewise: how far an operation of many turns has got */
	enum cw_op_kind kind;
	struct cw_store_time now;
	struct cw_op_cause *cause;
	/* Called once on the writer thread when the result is known (durable for everything that
	 * writes). */
	void (*done)(struct cw_op *op);
	int result; /* 0, CW_E_*; CW_E_STORE_FULL, CW_E_STORE_IO, CW_E_STORE_CORRUPT, CW_E_BUSY,
		       CW_E_SHUTDOWN */
	union {
		struct cw_op_acquire acquire;
		struct cw_op_find find;
		struct cw_op_end end;
		struct cw_op_confirm confirm;
		struct cw_op_sweep sweep;
		struct cw_op_heartbeat heartbeat;
		struct cw_op_audit audit;
		struct cw_op_pool pool;
		struct cw_range range; /* RANGE_*, EXCLUDE_* */
		struct cw_reservation reservation;
		struct cw_tep tep;
		struct cw_op_user user;
		struct cw_op_extend extend;
		struct cw_op_tag tag;
		struct cw_event event; /* EVENT: type, object_id, object, detail; id is filled */
		struct cw_token token;
		struct cw_op_job job;
		struct cw_op_tidy tidy;
		struct cw_op_group group;
	} u;
};

/* A binding to program. Delivered after commit, in commit order, whoever caused it. */
struct cw_outbox_entry {
	enum {
		CW_OUTBOX_APPLY,   /* new or moved: must be confirmed */
		CW_OUTBOX_REFRESH, /* same binding, later expiry: no row, no confirmation */
		CW_OUTBOX_REMOVE,  /* must be confirmed before the address can be used again */
	} what;
	bool replaces;       /* APPLY of a move: the binding of the tenure before is there */
	int64_t until_s;     /* REFRESH: the expiry before this renewal, steady */
	int64_t wall_s;      /* when: of the operation */
	uint64_t moved_from; /* replaces: the tenure before */
	struct cw_lease lease;
};

/* An event as it happens. cw_live_event_fill() makes it what a reader would read. */
struct cw_live_event {
	uint64_t id;
	const struct cw_outbox_entry *lease; /* lease.*: APPLY is its begin, REMOVE its end; */
	const struct cw_event *event;        /* or any other */
};
void cw_live_event_fill(const struct cw_live_event *live, struct cw_event *ret);

struct cw_store_hooks {
	void *arg;
	/* entries are borrowed for the call. */
	void (*outbox)(void *arg, const struct cw_outbox_entry *entries, size_t n);
	/* What a commit made happen, in the order of the ids, before anybody is answered about it.
	 * Borrowed for the call; none: there was something, but no memory to tell it. NULL: nobody
	 * wants to know. */
	void (*events)(void *arg, const struct cw_live_event *events, size_t n);
	/* The store can no longer vouch for its disk (CW_E_STORE_IO, CW_E_STORE_CORRUPT), or space
	 * ran out (CW_E_STORE_FULL), or another program keeps the database locked (CW_E_BUSY), or
	 * one of these two is over (0). Once per change. */
	void (*health)(void *arg, int result);
};

/* ---- the store ---- */

struct cw_store;

struct cw_store_config {
	const char *backend; /* "sqlite" */
	const char *path;    /* of the database file; ":memory:" for tests */
	unsigned batch_max;  /* operations per transaction; 0 = 64 */
	unsigned queue_max;  /* operations waiting; beyond: CW_E_BUSY at once; 0 = 65536 */
	unsigned cache_kib;  /* page cache of the writer; 0 = 16384 */
};

struct cw_store_stats {
	uint64_t commits, operations, rollbacks;
	uint64_t err_busy, err_full, err_io, err_corrupt;
	uint64_t batch_max_seen;
	uint64_t commit_us_sum, commit_us_max;
	struct cw_hist commit_us, batch; /* of times, of operations per commit */
	uint64_t wal_bytes;
	bool rebuilt;     /* the start made the indexes of leases anew: the run before had found the
			 database at odds with itself (CW_E_STORE_CORRUPT) */
	uint64_t damaged; /* leases put aside because their rows cannot be right, as of
				   the start; their addresses are not lent */
	size_t queued, waiting; /* waiting: acquires parked for a confirmation */
};

/* Opens or creates the database, sets and reads back each pragma, migrates, and checks it as far as
 * a start may take: leases whose rows cannot be right are put aside (stats.damaged), and one that
 * cannot be read to its end is refused. Does not start the writer. why (n octets) gets one line an
 * operator can act on when it fails. CW_E_SCHEMA, CW_E_STORE_*, -EACCES, -EBUSY (another broker has
 * it open), -ENOMEM. *ret given. */
int cw_store_open(const struct cw_store_config *conf, char *why, size_t why_n,
	struct cw_store **ret) CW_MUST_CHECK;
/* Starts the writer thread; hooks are copied. 0 or -errno. */
int cw_store_start(struct cw_store *s, const struct cw_store_hooks *hooks) CW_MUST_CHECK;
/* Hands an operation over; `done` is always called, also on refusal (then maybe inside this call).
 */
void cw_store_submit(struct cw_store *s, struct cw_op *op);
/* Runs one operation and waits for it; `done` is not called. For start-up, tools and tests; never
 * on a loop. Before cw_store_start() it runs in the caller's thread, and wait_confirm is ignored.
 */
int cw_store_run(struct cw_store *s, struct cw_op *op);
/* Finishes what is queued (parked acquires get CW_E_SHUTDOWN), stops the writer, closes. NULL is
 * fine. */
struct cw_store *cw_store_close(struct cw_store *s);
/* Number of the newest schema this release writes. */
unsigned cw_store_schema(void);
void cw_store_stats(struct cw_store *s, struct cw_store_stats *ret);
