/* SPDX-License-Identifier: BSD-2-Clause */
/* A lease table that its own constraints contradict: some sectors of the disk told something else
 * than was written. Rows that cannot be right go to damaged_lease, all others stay, the indexes are
 * made anew from what is left; all in one transaction, so a crash in it changes nothing. If the
 * table cannot be read to its end, nothing is changed either and the start is refused: then rows
 * are lost that only a backup has. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "db/sqlite/sqlite.h"

#define CW_SQ_INDEXES_MAX 16

/* What every row of lease must fulfil: the checks of the table (0001-first.sql), its types, its
 * foreign keys, and what the code keeps besides. coalesce: what is NULL is not right either. */
#define IS_RIGHT                                                                                       \
	"coalesce(typeof(addr) = 'integer' AND addr BETWEEN 0 AND 4294967295"                          \
	" AND typeof(psid) = 'integer' AND psid BETWEEN 0 AND 65535"                                   \
	" AND typeof(id) = 'integer' AND id > 0 AND typeof(generation) = 'integer'"                    \
	" AND generation BETWEEN id AND (SELECT seq FROM broker_state)"                                \
	" AND EXISTS (SELECT 1 FROM pool_range r WHERE r.lo = range_lo AND r.hi = range_hi"            \
	" AND r.pool = lease.pool AND r.ps_len = lease.ps_len)"                                        \
	" AND addr BETWEEN range_lo AND range_hi AND psid < 1 << ps_len"                               \
	" AND typeof(state) = 'integer' AND state BETWEEN 0 AND 3 AND live IS (state = 1)"             \
	" AND typeof(withheld) = 'integer' AND withheld IN (0, 1)"                                     \
	" AND typeof(reason) = 'integer' AND reason BETWEEN 0 AND 6 AND (state = 1) = (reason = 0)"    \
	" AND typeof(access) = 'integer' AND access BETWEEN 1 AND 4"                                   \
	" AND typeof(due) = 'integer' AND typeof(expires) = 'integer'"                                 \
	" AND (state <> 1 OR due = expires) AND typeof(granted) = 'integer'"                           \
	" AND typeof(lifetime) = 'integer' AND lifetime BETWEEN 0 AND 4294967295"                      \
	" AND typeof(client6) = 'blob' AND length(client6) = 16"                                       \
	" AND typeof(principal) = 'text' AND length(CAST(principal AS BLOB)) BETWEEN 1 AND 127"        \
	" AND instr(principal, char(0)) = 0"                                                           \
	" AND (tep IS NULL AND state NOT IN (1, 2) OR EXISTS (SELECT 1 FROM tep t WHERE t.id = tep))," \
	" 0)"

/* Held, and its history names another place or holder: one of them is damaged. */
#define IS_CONTRADICTED                                                                  \
	"(state IN (1, 2) AND NOT EXISTS (SELECT 1 FROM history h WHERE h.id = lease.id" \
	" AND h.ended IS NULL AND h.addr = lease.addr AND h.psid = lease.psid"           \
	" AND h.client6 = lease.client6 AND h.principal = lease.principal))"

#define IS_TWICE "id IN (SELECT id FROM lease GROUP BY id HAVING count(*) > 1)"

#define IS_BAD "NOT " IS_RIGHT " OR " IS_CONTRADICTED " OR " IS_TWICE

static const char *const steps[] = {
	"CREATE TEMP TABLE bad AS SELECT CAST(addr AS INTEGER) AS addr, CAST(psid AS INTEGER) AS psid,"
	" format('lease %s, state %s, expires %s, client %s, principal %s', quote(id), quote(state),"
	" quote(expires), quote(client6), quote(principal)) AS content, id FROM lease WHERE " IS_BAD,
	"INSERT OR IGNORE INTO damaged_lease (addr, psid, content) SELECT addr, psid, content FROM bad",
	/* Where history says it was, if that is somewhere else. */
	"INSERT OR IGNORE INTO damaged_lease (addr, psid, content) SELECT h.addr, h.psid, bad.content"
	" FROM bad JOIN history h ON h.id = bad.id WHERE h.ended IS NULL",
	"DELETE FROM lease WHERE " IS_BAD,
	/* And whose tenure lasts by its history, but has no row any more. */
	"INSERT OR IGNORE INTO damaged_lease (addr, psid, content)"
	" SELECT addr, psid, format('lease %d, only its history is left', id) FROM history h"
	" WHERE ended IS NULL AND NOT EXISTS (SELECT 1 FROM lease l WHERE l.addr = h.addr"
	" AND l.psid = h.psid AND l.id = h.id)",
	"DELETE FROM outbox WHERE lease IN (SELECT id FROM bad)", "DROP TABLE bad",
	"DELETE FROM pool_use", /* counted again at the first use */
};

struct indexes {
	char *name[CW_SQ_INDEXES_MAX], *sql[CW_SQ_INDEXES_MAX];
	size_t n;
};

static void indexes_done(struct indexes *x)
{
	for (size_t i = 0; i < x->n; i++) {
		sqlite3_free(x->name[i]);
		sqlite3_free(x->sql[i]);
	}
}

static int indexes_read(sqlite3 *db, struct indexes *x)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db,
		"SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'lease'"
		" AND sql IS NOT NULL",
		-1, &st, NULL);

	while (rc == SQLITE_OK && x->n < CW_SQ_INDEXES_MAX) {
		rc = sqlite3_step(st);
		if (rc != SQLITE_ROW)
			break;
		x->name[x->n] = sqlite3_mprintf("DROP INDEX \"%w\"", sqlite3_column_text(st, 0));
		x->sql[x->n] = sqlite3_mprintf("%s", sqlite3_column_text(st, 1));
		x->n++;
		rc = x->name[x->n - 1] && x->sql[x->n - 1] ? SQLITE_OK : SQLITE_NOMEM;
	}
	(void) sqlite3_finalize(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int run_all(sqlite3 *db, char *const *sql, size_t n, int rc)
{
	for (size_t i = 0; i < n && rc == SQLITE_OK; i++)
		rc = sqlite3_exec(db, sql[i], NULL, NULL, NULL);
	return rc;
}

int cw_sq_salvage(sqlite3 *db)
{
	struct indexes x = {.n = 0};
	int rc = sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL);

	if (rc == SQLITE_OK)
		rc = indexes_read(db, &x);
	rc = run_all(db, x.name, x.n, rc);
	for (size_t i = 0; i < CW_ARRAY_LEN(steps) && rc == SQLITE_OK; i++)
		rc = sqlite3_exec(db, steps[i], NULL, NULL, NULL);
	rc = run_all(db, x.sql, x.n, rc);
	indexes_done(&x);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	if (!sqlite3_get_autocommit(db))
		(void) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}
