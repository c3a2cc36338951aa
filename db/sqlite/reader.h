/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of a reader: its connection and statements, prepared once at open. Files: read.c the lists,
 * leases and who had them; read_log.c history, events, audit; read_misc.c the rest. */
#pragma once

#include "db/sqlite/sqlite.h"

#define CW_SQ_LEASE_SELECT                                           \
	"SELECT " CW_SQ_LEASE ", p.ps_offset, p.ps_len,"             \
	" NOT EXISTS (SELECT 1 FROM outbox o WHERE o.lease = l.id)," \
	" EXISTS (SELECT 1 FROM lease_tag g WHERE g.lease = l.id)"
#define CW_SQ_LEASE_WHERE                                                       \
	" (l.addr, l.psid) > (?1, ?2) AND l.addr <= ?3 AND (?4 >> l.state) & 1" \
	" AND (?5 = 0 OR l.tep = ?5) AND (?6 = 0 OR l.pool = ?6)"               \
	" AND (?8 = 0 OR (?8 >> l.access) & 1) AND (?9 = 0 OR l.expires < ?9)"
#define CW_SQ_USER_SELECT                                                                \
	"SELECT a.id, a.version, a.name, a.disabled, a.max_leases, coalesce(p.name, '')" \
	" FROM account a LEFT JOIN pool p ON p.id = a.pool"
#define CW_SQ_TENURE_COLUMNS                                                                     \
	"SELECT h.id, h.pool, h.tep, h.addr, h.psid, h.ps_offset, h.ps_len, h.access, h.reason," \
	" h.started, h.ended, h.client6, h.principal, h.moved_from, h.end_id, h.ending"
#define CW_SQ_TENURE_SELECT CW_SQ_TENURE_COLUMNS " FROM history h"
#define CW_SQ_TENURE_SELECT_OF                                                               \
	CW_SQ_TENURE_COLUMNS " FROM history_run r CROSS JOIN history_of o ON o.run = r.last" \
			     " CROSS JOIN history h ON h.id = o.id WHERE o.principal = ?2 AND"
#define CW_SQ_RESERVATION  "SELECT id, pool, addr, psid, principal, version FROM reservation"
#define CW_SQ_EVENT_SELECT "SELECT id, wall_s, type, object_id, object, detail FROM event"
#define CW_SQ_AUDIT_SELECT "SELECT id, wall_s, actor, peer, verb, object, detail, hash FROM audit"
#define CW_SQ_TOKEN_SELECT \
	"SELECT id, hash, hint, name, scopes, prefixes, created, expires, last_use FROM token"
#define CW_SQ_RUN_SELECT "SELECT id, job, started, ended, result, count, detail FROM job_run"

/* clang-format off */
#define CW_SQ_READS(X)                                                                                   \
	X(BEGIN, "BEGIN")                                                                              \
	X(COMMIT, "COMMIT")                                                                            \
	X(TEPS, "SELECT " CW_SQ_TEP " FROM tep t WHERE t.id > ?1 ORDER BY t.id")                       \
	X(POOLS, "SELECT " CW_SQ_POOL " FROM pool p WHERE p.id > ?1 ORDER BY p.id")                    \
	X(RANGES, "SELECT id, pool, lo, hi FROM pool_range WHERE (?2 = 0 OR pool = ?2) AND id > ?1"    \
		" ORDER BY id")                                                                            \
	X(EXCLUDES, "SELECT id, pool, lo, hi FROM exclusion WHERE (?2 = 0 OR pool = ?2) AND id > ?1"   \
		" ORDER BY id")                                                                            \
	X(RESERVATIONS, CW_SQ_RESERVATION " WHERE id > ?1 ORDER BY id")                                \
	X(USERS, CW_SQ_USER_SELECT " WHERE a.id > ?1 ORDER BY a.id")                                         \
	X(TEP, "SELECT " CW_SQ_TEP " FROM tep t WHERE t.name = ?1")                                    \
	X(POOL, "SELECT " CW_SQ_POOL " FROM pool p WHERE p.name = ?1")                                 \
	X(USER, CW_SQ_USER_SELECT " WHERE a.name = ?1")                                                      \
	X(TEP_ID, "SELECT " CW_SQ_TEP " FROM tep t WHERE t.id = ?1")                                   \
	X(POOL_ID, "SELECT " CW_SQ_POOL " FROM pool p WHERE p.id = ?1")                                \
	X(USER_ID, CW_SQ_USER_SELECT " WHERE a.id = ?1")                                               \
	X(RANGE_ID, "SELECT id, pool, lo, hi FROM pool_range WHERE id = ?1")                           \
	X(EXCLUDE_ID, "SELECT id, pool, lo, hi FROM exclusion WHERE id = ?1")                          \
	X(RESERVATION_ID, CW_SQ_RESERVATION " WHERE id = ?1")                                          \
	X(POOL_RANGES, "SELECT lo, hi FROM pool_range WHERE pool = ?1 AND hi >= ?2 ORDER BY lo")       \
	X(LEASES, CW_SQ_LEASE_SELECT " FROM lease l CROSS JOIN pool p ON p.id = l.pool WHERE" CW_SQ_LEASE_WHERE    \
		" ORDER BY l.addr, l.psid")                                                                \
	X(LEASES_OF, CW_SQ_LEASE_SELECT " FROM lease l INDEXED BY lease_holder CROSS JOIN pool p ON p.id = l.pool" \
		" WHERE l.principal = ?7 AND" CW_SQ_LEASE_WHERE " ORDER BY l.addr, l.psid")                      \
	X(LEASE, CW_SQ_LEASE_SELECT " FROM lease l CROSS JOIN pool p ON p.id = l.pool WHERE l.id = ?1")      \
	X(LEASE_COUNT, "SELECT count(*) FROM lease l WHERE" CW_SQ_LEASE_WHERE)                         \
	X(LEASE_COUNT_OF, "SELECT count(*) FROM lease l INDEXED BY lease_holder WHERE l.principal = ?7 AND" \
		CW_SQ_LEASE_WHERE)                                                                         \
	X(TAGS, "SELECT json FROM lease_tag WHERE lease = ?1")                                         \
	X(USE, "SELECT total, reserved, excluded, active, ending, quarantined, aside, level"           \
		" FROM pool_use WHERE pool = ?1")                                                          \
	X(SHAPE, "SELECT ps_len, ps_offset FROM history WHERE addr = ?1 AND (ps_len, ps_offset) > (?2, ?3)" \
		" ORDER BY ps_len, ps_offset LIMIT 1")                                                     \
	X(WHO, CW_SQ_TENURE_SELECT " WHERE h.addr = ?1 AND h.ps_len = ?2 AND h.ps_offset = ?3 AND h.psid = ?4" \
		" AND h.started <= ?5 ORDER BY h.started DESC, h.id DESC LIMIT 16")                        \
	X(HISTORY, CW_SQ_TENURE_SELECT " WHERE h.id > ?1 ORDER BY h.id")                                     \
	X(HISTORY_DOWN, CW_SQ_TENURE_SELECT " WHERE h.id < ?1 AND h.id > coalesce(?2, 0)"              \
		" ORDER BY h.id DESC")                                                                     \
	X(HISTORY_ON, CW_SQ_TENURE_SELECT " INDEXED BY history_who WHERE h.addr BETWEEN ?2 AND ?3"     \
		" AND h.id > ?1 ORDER BY h.id LIMIT ?4")                                                   \
	X(HISTORY_ON_DOWN, CW_SQ_TENURE_SELECT " INDEXED BY history_who WHERE h.addr BETWEEN ?2 AND ?3" \
		" AND h.id < ?1 ORDER BY h.id DESC LIMIT ?4")                                              \
	X(HISTORY_OF, CW_SQ_TENURE_SELECT_OF " o.id > ?1 AND r.last > ?1 ORDER BY r.last, o.id")      \
	X(HISTORY_OF_DOWN, CW_SQ_TENURE_SELECT_OF " o.id < ?1 AND r.first < ?1"                       \
		" ORDER BY r.last DESC, o.id DESC")                                                        \
	X(HISTORY_TAIL, "SELECT coalesce(max(last), 0) FROM history_run")                              \
	X(HISTORY_END, CW_SQ_TENURE_SELECT " WHERE h.end_id > ?1 ORDER BY h.end_id")                   \
	X(HISTORY_END_DOWN, CW_SQ_TENURE_SELECT " WHERE h.end_id < ?1 ORDER BY h.end_id DESC")         \
	X(TENURE, CW_SQ_TENURE_SELECT " WHERE h.id = ?1")                                              \
	X(EVENTS, CW_SQ_EVENT_SELECT " WHERE id > ?1 ORDER BY id")                                     \
	X(EVENTS_DOWN, CW_SQ_EVENT_SELECT " WHERE id < ?1 ORDER BY id DESC")                           \
	X(EVENT_BOUNDS, "SELECT seq, events_pruned FROM broker_state WHERE id = 1")                    \
	X(AUDIT, CW_SQ_AUDIT_SELECT " WHERE id > ?1 ORDER BY id")                                      \
	X(AUDIT_DOWN, CW_SQ_AUDIT_SELECT " WHERE id < ?1 ORDER BY id DESC")                            \
	X(TOKENS, CW_SQ_TOKEN_SELECT " WHERE id > ?1 ORDER BY id")                                     \
	X(TOKEN, CW_SQ_TOKEN_SELECT " WHERE hash = ?1")                                                \
	X(TOKEN_ID, CW_SQ_TOKEN_SELECT " WHERE id = ?1")                                               \
	X(JOBS, "SELECT r.id, j.name, r.started, r.ended, r.result, r.count, r.detail, j.runs,"        \
		" j.failures, j.ok FROM job j LEFT JOIN job_run r ON r.id = j.last WHERE j.name > ?1"      \
		" ORDER BY j.name")                                                                        \
	X(RUNS, CW_SQ_RUN_SELECT " WHERE id > ?1 ORDER BY id")                                         \
	X(RUNS_DOWN, CW_SQ_RUN_SELECT " WHERE id < ?1 ORDER BY id DESC")                               \
	X(RUNS_OF, CW_SQ_RUN_SELECT " WHERE job = ?2 AND id > ?1 ORDER BY id")                         \
	X(RUNS_OF_DOWN, CW_SQ_RUN_SELECT " WHERE job = ?2 AND id < ?1 ORDER BY id DESC")               \
	X(SAMPLES, "SELECT wall_s / ?4 * ?4 AS at, max(active), max(ending), max(quarantined),"        \
		" min(available) FROM pool_sample WHERE pool = ?1 AND wall_s >= ?2 AND wall_s < ?3"        \
		" GROUP BY at ORDER BY at")                                                                \
	X(COUNT_TEPS, "SELECT count(*) FROM tep")                                                      \
	X(COUNT_POOLS, "SELECT count(*) FROM pool")                                                    \
	X(COUNT_RESERVATIONS, "SELECT count(*) FROM reservation")                                      \
	X(COUNT_USERS, "SELECT count(*) FROM account")                                                 \
	X(COUNT_TOKENS, "SELECT count(*) FROM token")                                                  \
	X(COUNT_HISTORY, "SELECT count(*) FROM history")                                               \
	X(COUNT_AUDIT, "SELECT count(*) FROM audit")                                                   \
	X(CREDENTIALS, "SELECT c.kind, c.verifier FROM account a JOIN credential c ON c.account = a.id" \
		" WHERE a.name = ?1 AND a.disabled = 0 ORDER BY c.kind")                                   \
	X(CREDENTIALS_OF, "SELECT kind, verifier FROM credential WHERE account = ?1 ORDER BY kind")    \
	X(HEARTBEAT, "SELECT boot_id, boot_ms, steady_s, wall_s FROM broker_state"                     \
		" WHERE id = 1 AND boot_id IS NOT NULL")                                                   \
	X(NEXT_EXPIRY, "SELECT min(due) FROM lease WHERE state = 1")                                   \
	X(NEXT_REST, "SELECT min(due) FROM lease WHERE state = 3")                                     \
	X(DUE_EXPIRY, "SELECT count(*) FROM (SELECT 1 FROM lease WHERE state = 1 AND due <= ?1 LIMIT ?2)") \
	X(DUE_REST, "SELECT count(*) FROM (SELECT 1 FROM lease WHERE state = 3 AND due <= ?1 LIMIT ?2)")
/* clang-format on */

enum cw_sq_read {
#define X(name, sql) CW_SQ_READ_##name,
	CW_SQ_READS(X)
#undef X
		CW_SQ_READ_COUNT_OF
};

struct cw_sq_reader {
	struct cw_store_reader base; /* first */
	sqlite3 *db;
	struct cw_db_errors *errors;
	sqlite3_stmt *st[CW_SQ_READ_COUNT_OF];
};

static inline struct cw_sq_reader *cw_sq_inside(struct cw_store_reader *r)
{
	return cw_container_of(r, struct cw_sq_reader, base);
}

/* 1 a row, 0 the end, or a code. The statement stays as it is: reset it. */
int cw_sq_step(struct cw_sq_reader *r, enum cw_sq_read what);
/* Collects rows into an array: decode() fills an item from the row, or says the row is no good (it
 * is left out and counted). Resets the statement. The number of items, or a code. */
int cw_sq_collect(struct cw_sq_reader *r, enum cw_sq_read what, void *to, size_t size, size_t max,
	bool (*decode)(sqlite3_stmt *st, void *item));
/* Likewise of rows whose first column is their id, from where `page` is: those that `wants` likes,
 * NULL: all. `up` and `down` are bound but for ?1, the id. */
int cw_sq_walk(struct cw_sq_reader *r, enum cw_sq_read up, enum cw_sq_read down,
	struct cw_page *page, void *to, size_t size, size_t max,
	bool (*decode)(sqlite3_stmt *st, void *item),
	bool (*wants)(const void *item, const void *filter), const void *filter);
/* One row or none by what is bound: 1, 0 or a code. */
int cw_sq_one_row(struct cw_sq_reader *r, enum cw_sq_read what, void *ret, size_t size,
	bool (*decode)(sqlite3_stmt *st, void *item));
/* Several statements on one snapshot. 0 or a code. */
int cw_sq_begin_read(struct cw_sq_reader *r);
void cw_sq_end_read(struct cw_sq_reader *r);
/* Within [from, to); to 0: no end. */
static inline bool cw_sq_when(int64_t wall_s, int64_t from_s, int64_t to_s)
{
	return wall_s >= from_s && (to_s == 0 || wall_s < to_s);
}
#define CW_SQ_LOOK 10000 /* rows looked at in one call */
/* The row of CW_SQ_TENURE_SELECT into a struct cw_tenure. */
bool cw_sq_tenure_row(sqlite3_stmt *st, void *item);
/* Not over by wall_s. What began and ended within one second was there in that second, or nobody would
 * ever have had it. */
static inline bool cw_sq_tenure_reaches(const struct cw_tenure *t, int64_t wall_s)
{
	return t->ended_wall_s > wall_s ||
	       (t->ended_wall_s == t->started_wall_s && t->started_wall_s >= wall_s);
}

/* ---- read_log.c, read_misc.c: see db/readers.h ---- */

int cw_sq_read_history_page(struct cw_store_reader *r, const struct cw_history_filter *filter,
	struct cw_page *page, struct cw_tenure *to, size_t max);
int cw_sq_read_tenure(struct cw_store_reader *r, uint64_t lease, struct cw_tenure *ret);
int cw_sq_read_events(struct cw_store_reader *r, const struct cw_event_filter *filter,
	struct cw_page *page, struct cw_event *to, size_t max);
int cw_sq_read_event_bounds(struct cw_store_reader *r, uint64_t *ret_newest, uint64_t *ret_pruned);
int cw_sq_read_audit(struct cw_store_reader *r, const struct cw_audit_filter *filter,
	struct cw_page *page, struct cw_audit_row *to, size_t max);
int cw_sq_read_job_runs(struct cw_store_reader *r, const char *name, struct cw_page *page,
	struct cw_job_run *to, size_t max);
int cw_sq_read_tokens(struct cw_store_reader *r, uint64_t after, struct cw_token *to, size_t max);
int cw_sq_read_token(
	struct cw_store_reader *r, const uint8_t hash[static CW_HASH_LEN], struct cw_token *ret);
int cw_sq_read_token_id(struct cw_store_reader *r, uint64_t id, struct cw_token *ret);
int cw_sq_read_jobs(struct cw_store_reader *r, const char *after, struct cw_job *to, size_t max);
int cw_sq_read_samples(struct cw_store_reader *r, uint64_t pool_id, int64_t from_wall_s,
	int64_t to_wall_s, int64_t step_s, struct cw_sample *to, size_t max);
int cw_sq_count_rows(struct cw_store_reader *r, enum cw_table table, uint64_t *ret);
int cw_sq_read_tags(struct cw_store_reader *r, uint64_t lease, char to[CW_TEXT_MAX]);
int cw_sq_read_usage(struct cw_store_reader *r, uint64_t pool_id, struct cw_usage *ret);
