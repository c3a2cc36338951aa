/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole file looked at, for causewayd --check-db and whoever doubts a disk: SQLite's own check
 * of every page and index, foreign keys, and what must hold between the tables, which no constraint
 * can say. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "db/sqlite/sqlite.h"

#define CW_SQ_FAULTS "20" /* lines of one kind that are told */

/* Each row is a fault as one line of text; no row is good. "ok" is how integrity_check says so. */
static const char *const checks[] = {
	"PRAGMA integrity_check(" CW_SQ_FAULTS ")",
	"SELECT format('%s: row %d refers to a row of %s that is not there', \"table\", rowid, parent)"
	" FROM pragma_foreign_key_check LIMIT " CW_SQ_FAULTS,
	"SELECT format('lease %d is held, but its history says it ended or is missing', l.id)"
	" FROM lease l LEFT JOIN history h ON h.id = l.id"
	" WHERE l.state IN (1, 2) AND (h.id IS NULL OR h.ended IS NOT NULL"
	" OR h.addr <> l.addr OR h.psid <> l.psid OR h.client6 <> l.client6 OR h.principal <> l.principal)"
	" LIMIT " CW_SQ_FAULTS,
	"SELECT format('history says that lease %d lasts, but nobody holds it', h.id)"
	" FROM history h LEFT JOIN lease l ON l.id = h.id"
	" WHERE h.ended IS NULL AND (l.id IS NULL OR l.state NOT IN (1, 2)) LIMIT " CW_SQ_FAULTS,
	"SELECT format('lease %d is to be stopped, but no tunnel end point is told', l.id)"
	" FROM lease l LEFT JOIN outbox o ON o.lease = l.id AND o.what = 2 AND o.generation = l.generation"
	" WHERE l.state = 2 AND o.lease IS NULL LIMIT " CW_SQ_FAULTS,
	"SELECT format('a tunnel end point is to be told of lease %d, which is neither held nor ending', o.lease)"
	" FROM outbox o LEFT JOIN lease l ON l.id = o.lease AND l.state = CASE o.what WHEN 0 THEN 1 ELSE 2 END"
	" WHERE l.id IS NULL LIMIT " CW_SQ_FAULTS,
	"SELECT format('%d.%d.%d.%d, port set %d, was put aside, its row was damaged (%s)', addr >> 24 & 255,"
	" addr >> 16 & 255, addr >> 8 & 255, addr & 255, psid, content) FROM damaged_lease",
	"SELECT format('lease %d is due at another time than it ends', id) FROM lease"
	" WHERE state = 1 AND due <> expires LIMIT " CW_SQ_FAULTS,
	"SELECT format('lease %d has a number beyond the last one given out', id)"
	" FROM lease WHERE generation > (SELECT seq FROM broker_state) LIMIT " CW_SQ_FAULTS,
	"SELECT format('event %d has a number beyond the last one given out', id) FROM"
	" (SELECT id FROM event UNION ALL SELECT end_id FROM history WHERE end_id IS NOT NULL)"
	" WHERE id > (SELECT seq FROM broker_state) LIMIT " CW_SQ_FAULTS,
	"SELECT format('event %d has a number that was given out twice', id) FROM event"
	" WHERE EXISTS (SELECT 1 FROM history h WHERE h.id = event.id)"
	" OR EXISTS (SELECT 1 FROM history h WHERE h.end_id = event.id) LIMIT " CW_SQ_FAULTS,
	"SELECT format('lease %d is ending, but its history does not say so', l.id)"
	" FROM lease l JOIN history h ON h.id = l.id WHERE l.state = 2 AND h.end_id IS NOT l.generation"
	" LIMIT " CW_SQ_FAULTS,
	"SELECT format('lease %d is not found by its principal', h.id) FROM history h"
	" WHERE h.id <= (SELECT max(last) FROM history_run) AND NOT EXISTS (SELECT 1 FROM history_of o"
	" WHERE o.run = (SELECT min(last) FROM history_run WHERE last >= h.id)"
	" AND o.principal = h.principal AND o.id = h.id) LIMIT " CW_SQ_FAULTS,
	"SELECT format('lease %d has tags, but no history', lease) FROM lease_tag"
	" WHERE NOT EXISTS (SELECT 1 FROM history h WHERE h.id = lease) LIMIT " CW_SQ_FAULTS,
	"SELECT format('pool %s: %d active, %d ending, %d in quarantine, %d of them aside by its counters,"
	" but %d, %d, %d, %d by its leases', p.name, u.active, u.ending, u.quarantined, u.aside,"
	" coalesce(n.active, 0), coalesce(n.ending, 0), coalesce(n.quarantined, 0), coalesce(n.aside, 0))"
	" FROM pool p LEFT JOIN pool_use u ON u.pool = p.id LEFT JOIN (SELECT pool, sum(state = 1) AS active,"
	" sum(state = 2) AS ending, sum(state = 3) AS quarantined,"
	" sum(state <> 0 AND " CW_SQ_IS_ASIDE
	") AS aside FROM lease GROUP BY pool) n ON n.pool = p.id"
	" WHERE (u.active, u.ending, u.quarantined, u.aside) IS NOT (coalesce(n.active, 0),"
	" coalesce(n.ending, 0), coalesce(n.quarantined, 0), coalesce(n.aside, 0)) LIMIT " CW_SQ_FAULTS,
	"SELECT format('pool %s: %d places, %d reserved by its counters, but %d, %d by its configuration',"
	" p.name, u.total, u.reserved, n.total, n.reserved) FROM pool p JOIN pool_use u ON u.pool = p.id"
	" JOIN (SELECT q.id AS pool, (SELECT coalesce(sum(hi - lo + 1 << q.ps_len), 0) FROM pool_range"
	" WHERE pool = q.id) AS total, (SELECT count(*) FROM reservation WHERE pool = q.id) AS reserved"
	" FROM pool q) n ON n.pool = p.id"
	" WHERE u.total <> n.total OR u.reserved <> n.reserved LIMIT " CW_SQ_FAULTS,
};

static int run_check(sqlite3 *db, const char *sql, void (*fault)(void *arg, const char *text),
	void *arg, unsigned *count)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		const char *text;

		rc = sqlite3_step(st);
		if (rc != SQLITE_ROW)
			break;
		text = (const char *) sqlite3_column_text(st, 0);
		if (!text || strcmp(text, "ok") != 0) {
			++*count;
			fault(arg, text ? text : "a fault without a text");
		}
	}
	(void) sqlite3_finalize(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int cw_sq_check(struct cw_store_reader *r, void (*fault)(void *arg, const char *text), void *arg)
{
	sqlite3 *db = cw_sq_reader_db(r);
	struct cw_db_errors errors = {0}; /* told to the caller, not counted as the store's */
	unsigned count = 0;
	int rc = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);

	for (size_t i = 0; i < CW_ARRAY_LEN(checks) && rc == SQLITE_OK; i++)
		rc = run_check(db, checks[i], fault, arg, &count);
	if (rc == SQLITE_OK)
		rc = cw_sq_audit_check(db, fault, arg, &count);
	if (rc != SQLITE_OK)
		fault(arg, sqlite3_errmsg(db));
	(void) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc == SQLITE_OK ? (int) count : cw_sq_result(db, rc, &errors);
}
