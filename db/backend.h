/* SPDX-License-Identifier: BSD-2-Clause */
/* What a database must do for the lease store. The front (store.c) owns the queue, the writer
 * thread, the group commit, the parked acquires and the hooks; a back end owns the SQL and the
 * allocation, and knows no thread. One back end per folder of db/.
 *
 * All writer functions are called from one thread at a time (the writer). reader_open may be called
 * from any thread; a reader belongs to the thread that uses it. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/defs.h"
#include "db/store.h"

/* Written by the back end wherever it maps a result of its library, read by cw_store_stats(). */
struct cw_db_errors {
	_Atomic uint64_t busy, full, io, corrupt;
	_Atomic bool rebuilt;     /* the indexes of lease, at the start */
	_Atomic uint64_t damaged; /* rows of lease put aside and not forgotten, as of the start */
};

/* What the operations of one transaction tell the TEPs, in order. */
struct cw_batch {
	struct cw_outbox_entry *entries;
	size_t n, cap;
	/* Rows of events it wrote, in the order of their ids, also by the commit itself. */
	struct cw_event *events;
	size_t n_events, cap_events;
	struct cw_live_event *live; /* both, see cw_batch_live() */
	size_t cap_live;
	/* Has nobody been answered yet about this lease, and does an acquire of this process wait
	 * for its TEP? */
	bool (*unanswered)(void *arg, uint64_t lease);
	void *arg;
};

/* A new entry (zeroed but for `what`), or NULL: out of memory. Borrowed until the next call. */
struct cw_outbox_entry *cw_batch_emit(struct cw_batch *batch, int what) CW_MUST_CHECK;
/* Likewise an event, zeroed. */
struct cw_event *cw_batch_event(struct cw_batch *batch) CW_MUST_CHECK;

enum cw_exec {
	/* op->result is set; with a failure nothing was changed. An acquire with wait_confirm whose
	 * lease is not confirmed, also a replayed one, is to wait for that; an end with wait_stopped
	 * whose lease is ENDING for its stop, also with CW_E_GONE. */
	CW_EXEC_DONE,
	CW_EXEC_MORE,     /* so far so good; to be run again after others */
	CW_EXEC_ABORT,    /* the database failed: roll back; op->result says how */
	CW_EXEC_SURPRISE, /* a constraint refused what should have worked: roll back, try operations
			     one by one */
};

struct cw_backend; /* the back end's own */
struct cw_store_reader;

struct cw_backend_ops {
	const char *name;
	unsigned schema; /* number of its newest schema */
	/* See cw_store_open(). */
	int (*open)(const struct cw_store_config *conf, struct cw_db_errors *errors, char *why,
		size_t why_n, struct cw_backend **ret);
	/* clean: leave the database tidy; false: touch the disk no more. NULL is fine. */
	struct cw_backend *(*close)(struct cw_backend *b, bool clean);
	/* 0 or a code; after a failure of any of the three, rollback. *ret_wrote: not only reads.
	 */
	int (*begin)(struct cw_backend *b);
	enum cw_exec (*exec)(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch);
	int (*commit)(struct cw_backend *b, struct cw_batch *batch, bool *ret_wrote);
	void (*rollback)(struct cw_backend *b);
	/* Housekeeping after the answers of a commit went out (checkpoint). A failure is the
	 * store's. */
	int (*upkeep)(struct cw_backend *b);
	uint64_t (*wal_bytes)(struct cw_backend *b);
	int (*reader_open)(struct cw_backend *b, struct cw_store_reader **ret);
};

/* Readers embed this first. One function per cw_read_*, see db/store.h. */
struct cw_reader_ops {
	struct cw_store_reader *(*close)(struct cw_store_reader *r);
	int (*teps)(struct cw_store_reader *r, uint64_t after, struct cw_tep *to, size_t max);
	int (*pools)(struct cw_store_reader *r, uint64_t after, struct cw_pool *to, size_t max);
	int (*ranges)(struct cw_store_reader *r, uint64_t pool_id, uint64_t after,
		struct cw_range *to, size_t max);
	int (*excludes)(struct cw_store_reader *r, uint64_t pool_id, uint64_t after,
		struct cw_range *to, size_t max);
	int (*reservations)(
		struct cw_store_reader *r, uint64_t after, struct cw_reservation *to, size_t max);
	int (*users)(struct cw_store_reader *r, uint64_t after, struct cw_user *to, size_t max);
	int (*tep)(struct cw_store_reader *r, const char *name, struct cw_tep *ret);
	int (*pool)(struct cw_store_reader *r, const char *name, struct cw_pool *ret);
	int (*user)(struct cw_store_reader *r, const char *name, struct cw_user *ret);
	int (*tep_id)(struct cw_store_reader *r, uint64_t id, struct cw_tep *ret);
	int (*pool_id)(struct cw_store_reader *r, uint64_t id, struct cw_pool *ret);
	int (*user_id)(struct cw_store_reader *r, uint64_t id, struct cw_user *ret);
	int (*range_id)(struct cw_store_reader *r, uint64_t id, struct cw_range *ret);
	int (*exclude_id)(struct cw_store_reader *r, uint64_t id, struct cw_range *ret);
	int (*reservation_id)(struct cw_store_reader *r, uint64_t id, struct cw_reservation *ret);
	int (*leases)(struct cw_store_reader *r, const struct cw_lease_filter *filter,
		struct cw_lease_key after, struct cw_lease *to, size_t max);
	int (*lease)(struct cw_store_reader *r, uint64_t id, struct cw_lease *ret);
	int (*count_leases)(
		struct cw_store_reader *r, const struct cw_lease_filter *filter, uint64_t *ret);
	int (*count_rows)(struct cw_store_reader *r, enum cw_table table, uint64_t *ret);
	int (*tags)(struct cw_store_reader *r, uint64_t lease, char to[CW_TEXT_MAX]);
	int (*usage)(struct cw_store_reader *r, uint64_t pool_id, struct cw_usage *ret);
	int (*who)(struct cw_store_reader *r, struct cw_addr4 addr, uint16_t port, int64_t wall_s,
		struct cw_tenure *ret);
	int (*history)(struct cw_store_reader *r, uint64_t after, struct cw_tenure *to, size_t max);
	int (*history_page)(struct cw_store_reader *r, const struct cw_history_filter *filter,
		struct cw_page *page, struct cw_tenure *to, size_t max);
	int (*tenure)(struct cw_store_reader *r, uint64_t lease, struct cw_tenure *ret);
	int (*events)(struct cw_store_reader *r, const struct cw_event_filter *filter,
		struct cw_page *page, struct cw_event *to, size_t max);
	int (*event_bounds)(struct cw_store_reader *r, uint64_t *ret_newest, uint64_t *ret_pruned);
	int (*audit)(struct cw_store_reader *r, const struct cw_audit_filter *filter,
		struct cw_page *page, struct cw_audit_row *to, size_t max);
	int (*tokens)(struct cw_store_reader *r, uint64_t after, struct cw_token *to, size_t max);
	int (*token)(struct cw_store_reader *r, const uint8_t hash[static CW_HASH_LEN],
		struct cw_token *ret);
	int (*token_id)(struct cw_store_reader *r, uint64_t id, struct cw_token *ret);
	int (*jobs)(struct cw_store_reader *r, const char *after, struct cw_job *to, size_t max);
	int (*job_runs)(struct cw_store_reader *r, const char *name, struct cw_page *page,
		struct cw_job_run *to, size_t max);
	int (*samples)(struct cw_store_reader *r, uint64_t pool_id, int64_t from_wall_s,
		int64_t to_wall_s, int64_t step_s, struct cw_sample *to, size_t max);
	int (*credentials)(
		struct cw_store_reader *r, const char *user, struct cw_credential *to, size_t max);
	int (*credentials_of)(
		struct cw_store_reader *r, uint64_t user, struct cw_credential *to, size_t max);
	int (*heartbeat)(struct cw_store_reader *r, struct cw_op_heartbeat *ret,
		struct cw_store_time *ret_at);
	int (*due)(struct cw_store_reader *r, bool quarantined, int64_t steady_s, uint64_t max,
		uint64_t *ret);
	int (*next_due)(
		struct cw_store_reader *r, int64_t *ret_expiry_s, int64_t *ret_quarantine_s);
	int (*backup)(struct cw_store_reader *r, const char *to_path);
	int (*check)(
		struct cw_store_reader *r, void (*fault)(void *arg, const char *text), void *arg);
};

struct cw_store_reader {
	const struct cw_reader_ops *ops;
};

extern const struct cw_backend_ops cw_sqlite_backend;
