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

#include "base/addr.h"
#include "base/defs.h"
#include "base/queue.h"

#define CW_NAME_MAX      64  /* pool, TEP and user names, with NUL; [A-Za-z0-9._@-]+ */
#define CW_PRINCIPAL_MAX 128 /* with NUL; "user:alice", "ip6:2001:db8::1", later "duid:..." */
#define CW_TEXT_MAX      1024

/* ---- values ---- */

struct cw_store_time {
	int64_t steady_s; /* deadlines */
	int64_t wall_s;   /* history, audit */
};

enum cw_lease_state { CW_LEASE_FREE, CW_LEASE_ACTIVE, CW_LEASE_ENDING, CW_LEASE_QUARANTINED };
enum cw_access { CW_ACCESS_TSP = 1, CW_ACCESS_DHCP6, CW_ACCESS_REST, CW_ACCESS_GATEWAY };
enum cw_end_reason {
	CW_END_NONE,
	CW_END_RELEASE, /* the client gave it back */
	CW_END_EXPIRE,  /* its time ran out */
	CW_END_REVOKE,  /* an operator took it */
	CW_END_TEP,     /* the tunnel end point refused it, the client was told no */
	CW_END_REJECT,  /* an offer was rejected or not accepted in time */
	CW_END_MOVE,    /* the same user took it along to another IPv6 address */
};
/* Stable lower-case words for both, for logs and APIs; never NULL. */
const char *cw_lease_state_name(enum cw_lease_state s);
const char *cw_end_reason_name(enum cw_end_reason r);
const char *cw_access_name(enum cw_access a);

struct cw_lease {
	uint64_t id;         /* one tenure; grows, never used twice */
	uint64_t generation; /* grows with every change a TEP must see; also over tenures of one
				address */
	uint64_t pool_id;
	uint64_t tep_id;
	struct cw_addr4 addr;
	struct cw_portset ports;
	struct cw_addr6 client6;
	enum cw_lease_state state;
	enum cw_end_reason reason; /* once ENDING */
	enum cw_access access;
	bool confirmed; /* no outbox row left: its TEP did what the state says */
	int64_t granted_wall_s;
	int64_t expires_s; /* steady: end of the tenure (ACTIVE), else when it was to end */
	int64_t due_s;     /* steady: expiry (ACTIVE), end of quarantine, or time it became free */
	uint32_t lifetime_s; /* as granted or renewed last */
	char principal[CW_PRINCIPAL_MAX];
};

/* A TEP as the store knows it. plugin and options come from the configuration file only, never from
 * an API. */
struct cw_tep {
	uint64_t id;
	uint64_t version; /* grows with each change: the ETag */
	char name[CW_NAME_MAX];
	char plugin[CW_NAME_MAX];
	char options[CW_TEXT_MAX]; /* "key=value" lines, each ended by '\n' */
	bool has_ipv4;
	struct cw_addr4 ipv4; /* its own tunnel address, told to clients */
	struct cw_addr6 ipv6; /* where clients send their tunnel packets */
	bool draining;        /* gives no new leases */
};

enum cw_pool_state { CW_POOL_ACTIVE, CW_POOL_DRAINING, CW_POOL_DISABLED };

struct cw_pool {
	uint64_t id;
	uint64_t version;
	char name[CW_NAME_MAX];
	uint64_t tep_id;
	uint8_t ps_offset,
		ps_len; /* port-set shape; len 0 = whole addresses. Fixed for the pool's life */
	bool keep_system_ports; /* shared pools: the sets holding ports 0-1023 are not leased */
	enum cw_pool_state state;
	uint32_t lifetime_s; /* default given */
	uint32_t lifetime_min_s, lifetime_max_s;
	uint32_t quarantine_s;
	uint32_t max_leases;  /* per principal in this pool; 0 = no limit */
	uint32_t retention_s; /* history kept this long after the end; 0 = for ever */
	uint32_t order;       /* pools are tried by (order, id) */
};

struct cw_range {
	uint64_t id;
	uint64_t pool_id;
	struct cw_addr4 lo, hi; /* inclusive */
};

struct cw_reservation {
	uint64_t id;
	uint64_t pool_id;
	struct cw_addr4 addr;
	uint16_t psid;
	char principal[CW_PRINCIPAL_MAX];
};

struct cw_user {
	uint64_t id;
	uint64_t version;
	char name[CW_NAME_MAX];
	bool disabled;
	uint32_t max_leases;    /* over all pools; 0 = no limit */
	char pool[CW_NAME_MAX]; /* only from this pool; empty = any */
};

/* What a user proves with. kind: "SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5"
 * (password-equivalent); the verifier's text is the business of schema/sasl. */
struct cw_credential {
	char kind[24];
	char verifier[256];
};

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
	/* out */
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

/* END. With principal set, the holder must match (client6 too unless all zero), else
 * CW_E_NOT_YOURS. Already ENDING or later: CW_E_GONE. */
struct cw_op_end {
	uint64_t id; /* 0: by (principal, client6, addr, ports) */
	char principal[CW_PRINCIPAL_MAX];
	struct cw_addr6 client6;
	struct cw_addr4 addr;
	struct cw_portset ports;
	enum cw_end_reason reason;
	struct cw_lease lease; /* out */
};

/* CONFIRM: what the TEP answered, per outbox entry. An apply that failed ends the lease (reason
 * CW_END_TEP) only while an acquire of this process still waits for it: what may have been answered
 * is never rolled back (then those who wait get CW_E_TEP and the lease stays). A remove that
 * succeeded moves ENDING -> QUARANTINED (or FREE if nobody was told of the lease or the pool has no
 * quarantine). A failed remove leaves the row: it is tried again. Entries of an older generation
 * are ignored. */
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
 * next is due (INT64_MAX: none; for PRUNE on the wall clock). The bindings to stop come through the
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

struct cw_op_audit {
	char actor[CW_PRINCIPAL_MAX], verb[CW_NAME_MAX], object[CW_PRINCIPAL_MAX],
		detail[CW_TEXT_MAX];
};

/* CRUD. _ADD fills id and version; CW_E_CONFLICT if the name exists or something overlaps. _SET and
 * _DEL need the id and the version last seen (0: whatever is there), CW_E_STALE if it changed;
 * -ENOENT; deleting or shrinking under live leases is CW_E_CONFLICT (ranges and pools: under
 * quarantined ones too; their free rows go with them, some at a time with other operations in
 * between: what a crash, or a grant meanwhile, cuts short is whole and can be asked for again).
 * -EINVAL: what no row may hold. POOL_ADD takes its first ranges and exclusions along, all or
 * nothing; lifetimes left 0 become 3600, 60 and 86400 seconds (default, least, most), as far as
 * they fit each other. A pool's port-set shape never changes, nor can its ports 0-1023 be kept if
 * every set has some (offset > 6). Ranges, exclusions and reservations have no version and are not
 * changed, only added and deleted. */
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

struct cw_op {
	struct cw_qnode node; /* the store's while it runs */
	uint64_t at;          /* likewise: how far an operation of many turns has got */
	enum cw_op_kind kind;
	struct cw_store_time now;
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
	} u;
};

/* A binding to program. Delivered after commit, in commit order, whoever caused it. */
struct cw_outbox_entry {
	enum {
		CW_OUTBOX_APPLY,   /* new or moved: must be confirmed */
		CW_OUTBOX_REFRESH, /* same binding, later expiry: no row, no confirmation */
		CW_OUTBOX_REMOVE,  /* must be confirmed before the address can be used again */
	} what;
	bool replaces;   /* APPLY of a move: the binding of the tenure before is there */
	int64_t until_s; /* REFRESH: the expiry before this renewal, steady */
	struct cw_lease lease;
};

struct cw_store_hooks {
	void *arg;
	/* entries are borrowed for the call. */
	void (*outbox)(void *arg, const struct cw_outbox_entry *entries, size_t n);
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
void cw_store_stats(struct cw_store *s, struct cw_store_stats *ret);

/* ---- readers: snapshots on their own connections, keyset paging ---- */

struct cw_store_reader;

int cw_store_reader_open(struct cw_store *s, struct cw_store_reader **ret) CW_MUST_CHECK;
struct cw_store_reader *cw_store_reader_close(struct cw_store_reader *r);

/* Each list function fills up to max rows whose key is greater than `after` (0 = from the start) in
 * key order, and returns their number, or a code. The key is the row's id; for leases it is
 * (address, PSID). One short read transaction per call. */
int cw_read_teps(
	struct cw_store_reader *r, uint64_t after, struct cw_tep *to, size_t max) CW_MUST_CHECK;
int cw_read_pools(
	struct cw_store_reader *r, uint64_t after, struct cw_pool *to, size_t max) CW_MUST_CHECK;
int cw_read_ranges(struct cw_store_reader *r, uint64_t pool_id, uint64_t after, struct cw_range *to,
	size_t max) CW_MUST_CHECK;
int cw_read_excludes(struct cw_store_reader *r, uint64_t pool_id, uint64_t after,
	struct cw_range *to, size_t max) CW_MUST_CHECK;
int cw_read_reservations(struct cw_store_reader *r, uint64_t after, struct cw_reservation *to,
	size_t max) CW_MUST_CHECK;
int cw_read_users(
	struct cw_store_reader *r, uint64_t after, struct cw_user *to, size_t max) CW_MUST_CHECK;

/* One row by its exact name: 1 and *ret, 0 if there is none, or a code. */
int cw_read_tep(struct cw_store_reader *r, const char *name, struct cw_tep *ret) CW_MUST_CHECK;
int cw_read_pool(struct cw_store_reader *r, const char *name, struct cw_pool *ret) CW_MUST_CHECK;
int cw_read_user(struct cw_store_reader *r, const char *name, struct cw_user *ret) CW_MUST_CHECK;

struct cw_lease_key {
	struct cw_addr4 addr;
	uint16_t psid;
	bool begin; /* true: from the very first */
};
struct cw_lease_filter {
	uint64_t pool_id;      /* 0: any */
	uint64_t tep_id;       /* 0: any */
	unsigned states;       /* bit mask of 1u << enum cw_lease_state; 0: all but FREE */
	const char *principal; /* NULL: any */
};
int cw_read_leases(struct cw_store_reader *r, const struct cw_lease_filter *filter,
	struct cw_lease_key after, struct cw_lease *to, size_t max) CW_MUST_CHECK;
int cw_read_lease(
	struct cw_store_reader *r, uint64_t id, struct cw_lease *ret) CW_MUST_CHECK; /* -ENOENT */

/* One tenure as history keeps it. ended_wall_s is INT64_MAX while it lasts. */
struct cw_tenure {
	uint64_t lease;
	uint64_t pool_id, tep_id;
	struct cw_addr4 addr;
	struct cw_portset ports;
	struct cw_addr6 client6;
	enum cw_access access;
	enum cw_end_reason reason;
	int64_t started_wall_s, ended_wall_s;
	char principal[CW_PRINCIPAL_MAX];
};
/* Who had (addr, port) at wall_s: 1 and *ret, 0 if nobody, or a code. One indexed query. */
int cw_read_who(struct cw_store_reader *r, struct cw_addr4 addr, uint16_t port, int64_t wall_s,
	struct cw_tenure *ret) CW_MUST_CHECK;
int cw_read_history(
	struct cw_store_reader *r, uint64_t after, struct cw_tenure *to, size_t max) CW_MUST_CHECK;

/* Credentials of an enabled user by exact name: their number (0: no such user or disabled), or a
 * code. */
int cw_read_credentials(struct cw_store_reader *r, const char *user, struct cw_credential *to,
	size_t max) CW_MUST_CHECK;
/* What CW_OP_HEARTBEAT wrote last, and when; -ENOENT on a new database. */
int cw_read_heartbeat(struct cw_store_reader *r, struct cw_op_heartbeat *ret,
	struct cw_store_time *ret_at) CW_MUST_CHECK;
/* Earliest due_s among ACTIVE (expiry) and among QUARANTINED leases; INT64_MAX: none. */
int cw_read_next_due(
	struct cw_store_reader *r, int64_t *ret_expiry_s, int64_t *ret_quarantine_s) CW_MUST_CHECK;
/* A consistent copy of the database to a new file (mode 0600), verified and fsynced with its
 * directory before 0 is returned. -EEXIST. */
int cw_store_backup(struct cw_store_reader *r, const char *to_path) CW_MUST_CHECK;
/* Looks at the whole database: its file and indexes, and what must hold between leases, history and
 * outbox. `fault` gets each fault as one line (borrowed). The number of faults, 0 = sound, or a
 * code if it could not be read to its end. Takes time in proportion to the file; one read
 * transaction. */
int cw_store_check(struct cw_store_reader *r, void (*fault)(void *arg, const char *text),
	void *arg) CW_MUST_CHECK;
