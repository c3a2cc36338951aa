/* SPDX-License-Identifier: BSD-2-Clause */
/* What the lease store keeps, as values: no behaviour, no ownership, everything in the struct.
 * db/store.h has the operations that change it, db/readers.h the ways to look at it; users include
 * db/store.h, which has all three. */
#pragma once

#include <stdbool.h>

#include "base/addr.h"
#include "base/defs.h"

#define CW_NAME_MAX      64  /* pool, TEP and user names, with NUL; [A-Za-z0-9._@-]+ */
#define CW_PRINCIPAL_MAX 128 /* with NUL; "user:alice", "ip6:2001:db8::1", later "duid:..." */
#define CW_TEXT_MAX      1024
#define CW_PEER_MAX      64  /* with NUL; "unix:1000", "[2001:db8::1]:4711" */
#define CW_TYPE_MAX      32  /* of an event, with NUL; "pool.low" */
#define CW_KEY_MAX       255 /* octets of an Idempotency-Key */
#define CW_ANSWER_MAX    4096
#define CW_HASH_LEN      32 /* SHA-256 */
#define CW_POOL_LOW      85 /* the low_percent for who has no opinion */

/* ---- leases ---- */

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
/* Stable lower-case words for all, for logs and APIs; never NULL. */
const char *cw_lease_state_name(enum cw_lease_state s);
const char *cw_end_reason_name(enum cw_end_reason r);
const char *cw_access_name(enum cw_access a);
/* The type of the event of such an end: "lease.release". */
const char *cw_end_event_name(enum cw_end_reason r);

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
	bool tagged;    /* cw_read_tags() has something; set by readers only */
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
	/* pool.low is raised when so much of what can be lent is taken; 0: never. See struct
	 * cw_usage. */
	uint8_t low_percent;
};

struct cw_range {
	uint64_t id;
	uint64_t pool_id;
	struct cw_addr4 lo, hi; /* inclusive */
};

struct cw_reservation {
	uint64_t id;
	uint64_t version;
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

/* ---- history ---- */

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
	uint64_t moved_from;   /* the tenure this one continues at another IPv6 address; 0: none */
	uint64_t end_id;       /* id of the event of its end; 0: it lasts, or was moved */
	int64_t ending_wall_s; /* when its end was decided (forwarding stops later); with end_id */
};
struct cw_history_filter {
	const char *principal;    /* NULL: any */
	struct cw_prefix4 prefix; /* all zero: any */
	uint64_t pool_id;         /* 0: any */
	/* Tenures that were there at some moment of [from, to); to 0: no end. */
	int64_t from_wall_s, to_wall_s;
};

struct cw_lease_key {
	struct cw_addr4 addr;
	uint16_t psid;
	bool begin; /* true: from the very first */
};
struct cw_lease_filter {
	uint64_t pool_id;         /* 0: any */
	uint64_t tep_id;          /* 0: any */
	unsigned states;          /* bit mask of 1u << enum cw_lease_state; 0: all but FREE */
	const char *principal;    /* NULL: any */
	struct cw_prefix4 prefix; /* addresses in it; all zero: any */
	unsigned access;          /* bit mask of 1u << enum cw_access; 0: any */
	int64_t expires_before_s; /* steady; 0: any */
};

/* ---- what happened ---- */

/* Events have one number space with leases and grow in the order of commits. Two kinds are rows of
 * the history itself: a grant or move (id = the lease's) and an end (id = the generation its REMOVE
 * entry has). Their types, and what `tenure` holds the rest of:
 *	lease.grant lease.move lease.release lease.expire lease.revoke lease.refuse lease.reject
 * All others are rows of their own. The store writes, in the transaction of what causes them:
 *	pool.create pool.change pool.delete pool.range.add pool.range.delete pool.exclusion.add
 *	pool.exclusion.delete pool.reservation.add pool.reservation.change pool.reservation.delete
 *	tep.create tep.change tep.delete user.create user.change user.delete user.credentials
 *	token.create token.delete pool.low pool.full pool.ok job.fail
 * and its users write the rest by CW_OP_EVENT (auth.fail, config.*, clock.jump, store.*, tep.*...).
 * Renewals are no events. */
struct cw_event {
	uint64_t id;
	int64_t wall_s;
	char type[CW_TYPE_MAX]; /* [a-z.-]+ */
	uint64_t object_id; /* row of what it is about: of the lease, pool, TEP, user or token; 0 */
	char object[CW_PRINCIPAL_MAX]; /* its name; "" for leases */
	char detail[CW_TEXT_MAX];      /* JSON object, or "" */
	bool has_tenure;               /* lease.* */
	struct cw_tenure tenure;
};
struct cw_event_filter {
	/* "pool.low": this; "pool": everything that begins with "pool."; NULL: any. */
	const char *type;
	uint64_t object_id;             /* 0: any; wants a type */
	int64_t from_wall_s, to_wall_s; /* [from, to); to 0: no end */
};

/* One row of the audit log. hash = SHA-256(hash of the row before, 32 zero octets for the first |
 * id and wall_s as 64 bits big-endian | actor, peer, verb, object, detail, each behind its length
 * as 32 bits big-endian). Rows older than the chain have a hash of zeros. */
struct cw_audit_row {
	uint64_t id;
	int64_t wall_s;
	char actor[CW_PRINCIPAL_MAX], peer[CW_PEER_MAX], verb[CW_NAME_MAX],
		object[CW_PRINCIPAL_MAX], detail[CW_TEXT_MAX];
	uint8_t hash[CW_HASH_LEN];
};
struct cw_audit_filter {
	const char *actor, *verb, *object; /* exact; NULL: any */
	int64_t from_wall_s, to_wall_s;    /* [from, to); to 0: no end */
};

/* Where a walk over rows with ids is. A call looks at a bounded number of rows, so it may find
 * fewer than were asked for, even none, and yet there are more. */
struct cw_page {
	uint64_t at; /* in: rows beyond this id, 0 from the start; out: where to go on */
	bool newest; /* from the newest to the oldest */
	bool more;   /* out */
};

/* ---- how full ---- */

/* Places of a pool: addresses, or port sets of its shape. Every place that can be lent to anybody
 * is available or taken. `reserved` and `excluded` (which counts the sets with ports 0-1023 of a
 * pool that keeps them, and damaged rows) cannot be lent to anybody, but may be held all the same.
 *
 * The pool's level: LOW from low_percent of the places that can be lent to anybody, FULL when none
 * is available, and back one by one when 5 points below (FULL: 95 percent). One event for each
 * step, in the transaction that makes it: pool.low, pool.full, and for the way back to OK pool.ok.
 * With low_percent 0 there is no LOW. */
enum cw_pool_level { CW_POOL_OK, CW_POOL_IS_LOW, CW_POOL_IS_FULL };
struct cw_usage {
	uint64_t total, reserved, excluded, available;
	uint64_t active, ending, quarantined; /* wherever they are */
	enum cw_pool_level level;
};

/* What CW_OP_SAMPLE kept: of one pool, the most taken and the least available within a step. */
struct cw_sample {
	int64_t wall_s; /* begin of the step */
	uint64_t active, ending, quarantined, available;
};

/* ---- tokens, jobs ---- */

struct cw_token {
	uint64_t id;
	uint8_t hash[CW_HASH_LEN]; /* SHA-256 of the token, which nobody keeps */
	char hint[16];             /* its first characters, for people */
	char name[CW_NAME_MAX];
	uint64_t scopes;    /* bits; their meaning is schema/rest's */
	char prefixes[512]; /* where it may come from, "2001:db8::/32 192.0.2.0/24"; "": anywhere */
	int64_t created_wall_s;
	int64_t expires_wall_s;  /* 0: never */
	int64_t last_use_wall_s; /* 0: never; at most a minute old */
};

struct cw_job_run {
	uint64_t id;
	char name[CW_NAME_MAX];
	int64_t started_wall_s;
	int64_t ended_wall_s; /* 0: runs, or was cut short by a crash */
	int result;           /* 0 or a code, once ended */
	uint64_t count;       /* what it dealt with */
	char detail[CW_TEXT_MAX];
};
struct cw_job {
	char name[CW_NAME_MAX];
	uint64_t runs, failures; /* ended, in the life of the database */
	int64_t ok_wall_s;       /* end of the last one without a failure; 0: none */
	struct cw_job_run last;  /* ended or not */
};
