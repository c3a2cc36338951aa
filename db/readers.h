/* SPDX-License-Identifier: BSD-2-Clause */
/* Readers of the lease store: snapshots on connections of their own, keyset paging. One per thread;
 * a call is one short read transaction, so nothing pins the write-ahead log. Included by
 * db/store.h. */
#pragma once

#include "db/values.h"

struct cw_store;
struct cw_store_reader;
struct cw_op_heartbeat; /* db/store.h */

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
/* One row by its id: likewise. */
int cw_read_tep_id(struct cw_store_reader *r, uint64_t id, struct cw_tep *ret) CW_MUST_CHECK;
int cw_read_pool_id(struct cw_store_reader *r, uint64_t id, struct cw_pool *ret) CW_MUST_CHECK;
int cw_read_user_id(struct cw_store_reader *r, uint64_t id, struct cw_user *ret) CW_MUST_CHECK;
int cw_read_range_id(struct cw_store_reader *r, uint64_t id, struct cw_range *ret) CW_MUST_CHECK;
int cw_read_exclude_id(struct cw_store_reader *r, uint64_t id, struct cw_range *ret) CW_MUST_CHECK;
int cw_read_reservation_id(
	struct cw_store_reader *r, uint64_t id, struct cw_reservation *ret) CW_MUST_CHECK;

int cw_read_leases(struct cw_store_reader *r, const struct cw_lease_filter *filter,
	struct cw_lease_key after, struct cw_lease *to, size_t max) CW_MUST_CHECK;
int cw_read_lease(
	struct cw_store_reader *r, uint64_t id, struct cw_lease *ret) CW_MUST_CHECK; /* -ENOENT */

/* How many there are: takes time in proportion to them. */
int cw_count_leases(struct cw_store_reader *r, const struct cw_lease_filter *filter,
	uint64_t *ret) CW_MUST_CHECK;
enum cw_table {
	CW_TABLE_TEPS,
	CW_TABLE_POOLS,
	CW_TABLE_RESERVATIONS,
	CW_TABLE_USERS,
	CW_TABLE_TOKENS,
	CW_TABLE_HISTORY,
	CW_TABLE_AUDIT,
};
int cw_count_rows(struct cw_store_reader *r, enum cw_table table, uint64_t *ret) CW_MUST_CHECK;
/* The tags of a lease as CW_OP_TAG set them, also after its end for as long as its history lasts:
 * 1 and the JSON text with NUL, 0 if it has none, or a code. */
int cw_read_tags(struct cw_store_reader *r, uint64_t lease, char to[CW_TEXT_MAX]) CW_MUST_CHECK;
/* How full a pool is, from counters: the same cost for any size. 1, 0 if there is no such pool, or
 * a code. */
int cw_read_usage(struct cw_store_reader *r, uint64_t pool_id, struct cw_usage *ret) CW_MUST_CHECK;

/* Who had (addr, port) at wall_s: 1 and *ret, 0 if nobody, or a code. One indexed query. */
int cw_read_who(struct cw_store_reader *r, struct cw_addr4 addr, uint16_t port, int64_t wall_s,
	struct cw_tenure *ret) CW_MUST_CHECK;
int cw_read_history(
	struct cw_store_reader *r, uint64_t after, struct cw_tenure *to, size_t max) CW_MUST_CHECK;

/* Tenures that the filter wants, by lease id. Those of a principal or of a narrow prefix are looked up;
 * else, and for what CW_OP_INDEX has not sorted yet, rows are looked at one by one. */
int cw_read_history_page(struct cw_store_reader *r, const struct cw_history_filter *filter,
	struct cw_page *page, struct cw_tenure *to, size_t max) CW_MUST_CHECK;
/* One tenure by its lease id: 1, 0 or a code. */
int cw_read_tenure(struct cw_store_reader *r, uint64_t lease, struct cw_tenure *ret) CW_MUST_CHECK;

/* Events by id: of leases and all others, merged. */
int cw_read_events(struct cw_store_reader *r, const struct cw_event_filter *filter,
	struct cw_page *page, struct cw_event *to, size_t max) CW_MUST_CHECK;
/* *ret_newest: the greatest id given out. *ret_pruned: of the events up to this id some have been
 * deleted, so who goes on after a smaller one has missed something. */
int cw_read_event_bounds(
	struct cw_store_reader *r, uint64_t *ret_newest, uint64_t *ret_pruned) CW_MUST_CHECK;
int cw_read_audit(struct cw_store_reader *r, const struct cw_audit_filter *filter,
	struct cw_page *page, struct cw_audit_row *to, size_t max) CW_MUST_CHECK;

/* By id. */
int cw_read_tokens(
	struct cw_store_reader *r, uint64_t after, struct cw_token *to, size_t max) CW_MUST_CHECK;
/* The token with this hash (also one that expired: the caller looks): 1, 0 or a code. */
int cw_read_token(struct cw_store_reader *r, const uint8_t hash[static CW_HASH_LEN],
	struct cw_token *ret) CW_MUST_CHECK;
int cw_read_token_id(struct cw_store_reader *r, uint64_t id, struct cw_token *ret) CW_MUST_CHECK;

/* Every job that ever ran, by name, those behind `after` ("" from the start). */
int cw_read_jobs(
	struct cw_store_reader *r, const char *after, struct cw_job *to, size_t max) CW_MUST_CHECK;
/* Runs of one job (NULL: of all) by id. */
int cw_read_job_runs(struct cw_store_reader *r, const char *name, struct cw_page *page,
	struct cw_job_run *to, size_t max) CW_MUST_CHECK;
/* Of [from, to), one per step_s seconds in which samples were taken, in order of time. */
int cw_read_samples(struct cw_store_reader *r, uint64_t pool_id, int64_t from_wall_s,
	int64_t to_wall_s, int64_t step_s, struct cw_sample *to, size_t max) CW_MUST_CHECK;

/* Credentials of an enabled user by exact name: their number (0: no such user or disabled), or a
 * code. */
int cw_read_credentials(struct cw_store_reader *r, const char *user, struct cw_credential *to,
	size_t max) CW_MUST_CHECK;
/* Those of a user by id, enabled or not: what there is to show, not to log in with. */
int cw_read_credentials_of(struct cw_store_reader *r, uint64_t user, struct cw_credential *to,
	size_t max) CW_MUST_CHECK;
/* What CW_OP_HEARTBEAT wrote last, and when; -ENOENT on a new database. */
int cw_read_heartbeat(struct cw_store_reader *r, struct cw_op_heartbeat *ret,
	struct cw_store_time *ret_at) CW_MUST_CHECK;
/* Earliest due_s among ACTIVE (expiry) and among QUARANTINED leases; INT64_MAX: none. */
int cw_read_next_due(
	struct cw_store_reader *r, int64_t *ret_expiry_s, int64_t *ret_quarantine_s) CW_MUST_CHECK;
/* How many ACTIVE (or QUARANTINED) leases are due at steady_s, max at most: takes time in proportion
 * to them. */
int cw_read_due(struct cw_store_reader *r, bool quarantined, int64_t steady_s, uint64_t max,
	uint64_t *ret) CW_MUST_CHECK;
/* A consistent copy of the database to a new file (mode 0600), verified and fsynced with its
 * directory before 0 is returned. -EEXIST. */
int cw_store_backup(struct cw_store_reader *r, const char *to_path) CW_MUST_CHECK;
/* Looks at the whole database: its file and indexes, and what must hold between leases, history and
 * outbox. `fault` gets each fault as one line (borrowed). The number of faults, 0 = sound, or a
 * code if it could not be read to its end. Takes time in proportion to the file; one read
 * transaction. */
int cw_store_check(struct cw_store_reader *r, void (*fault)(void *arg, const char *text),
	void *arg) CW_MUST_CHECK;
