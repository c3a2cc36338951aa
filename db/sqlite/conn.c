/* SPDX-License-Identifier: BSD-2-Clause */
/* The writer's connection: pragmas set and read back, migrations, transactions, checkpoints, and the
 * one function that maps SQLite's results.
 *
 * Checkpoints are run here and not by SQLite's automatic ones: those swallow their errors, and an
 * fsync of the database file that failed once must never be retried as if nothing happened
 * (guide/reliability.md section 2, rule 6). */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "db/sqlite/sqlite.h"

#define CW_SQ_APPLICATION 0x43577931 /* "CWy1": this file is ours */
#define TEXT_OF(x)        #x
#define TEXT(x)           TEXT_OF(x)
#define IS_OURS           /* one row with 0, also for a file that nothing was written to */ \
	"SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_schema)"                           \
	" OR (SELECT application_id FROM pragma_application_id) = " TEXT(CW_SQ_APPLICATION)
#define CW_SQ_BUSY_MS       2000
#define CW_SQ_CHECKPOINT_AT 1000 /* pages of WAL */
#define CW_SQ_RUN_ROWS      8192 /* 6 to 18 ms of the writer's time */

struct cw_migration {
	const char *name;
	const char *sql;
};
#include "db/migrations.h"

static const char *const statements[CW_SQ_COUNT_OF] = {
#define X(name, sql) [CW_SQ_##name] = (sql),
	CW_SQ_STATEMENTS(X)
#undef X
};

/* ---- results ---- */

/* errno of the last call that failed on the database file or its WAL; 0: none did. */
static int file_errno(sqlite3 *db, int which)
{
	sqlite3_file *f = NULL;
	int e = 0;

	if (sqlite3_file_control(db, "main", which, (void *) &f) != SQLITE_OK || !f ||
		!f->pMethods ||
		f->pMethods->xFileControl(f, SQLITE_FCNTL_LAST_ERRNO, &e) != SQLITE_OK)
		return 0;
	return e;
}

/* Writing to a full disk is an answer; so is a quota, which SQLite does not tell from other errors.
 * Only writes can say so: an fsync that fails has lost data, whatever it calls it. The two files
 * remember their last errors for long, so if one of them had another error than these, it counts.
 * The index beside the WAL holds nothing that must last. */
static bool is_space(sqlite3 *db, int rc)
{
	int e[2];

	if (rc == SQLITE_IOERR_SHMSIZE)
		return true;
	if (rc != SQLITE_IOERR_WRITE || !db)
		return false;
	e[0] = file_errno(db, SQLITE_FCNTL_FILE_POINTER);
	e[1] = file_errno(db, SQLITE_FCNTL_JOURNAL_POINTER);
	for (int i = 0; i < 2; i++) {
		if (e[i] != 0 && e[i] != ENOSPC && e[i] != EDQUOT)
			return false;
	}
	return e[0] != 0 || e[1] != 0;
}

int cw_sq_result(sqlite3 *db, int rc, struct cw_db_errors *errors)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		atomic_fetch_add(&errors->busy, 1);
		return CW_E_BUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CONSTRAINT:
		return CW_E_CONFLICT;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* a table or column is missing: the schema is not what user_version says
			    */
		atomic_fetch_add(&errors->corrupt, 1);
		return CW_E_STORE_CORRUPT;
	case SQLITE_IOERR:
		if (rc == SQLITE_IOERR_NOMEM)
			return -ENOMEM;
		if (!is_space(db, rc))
			break;
		atomic_fetch_add(&errors->full, 1);
		return CW_E_STORE_FULL;
	case SQLITE_FULL:
		atomic_fetch_add(&errors->full, 1);
		return CW_E_STORE_FULL;
	default:
		break;
	}
	atomic_fetch_add(&errors->io, 1);
	return CW_E_STORE_IO;
}

int cw_sq_fail(struct cw_backend *b, int rc)
{
	int r = cw_sq_result(b->db, rc, b->errors);

	if (b->fault == 0) {
		b->fault = r;
		b->surprise = (rc & 0xff) == SQLITE_CONSTRAINT;
	}
	return b->fault;
}

int cw_sq_run(struct cw_backend *b, enum cw_sq_statement s)
{
	int rc = sqlite3_step(b->st[s]);

	(void) sqlite3_reset(b->st[s]); /* says the same again */
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : cw_sq_fail(b, rc);
}

int cw_sq_try(struct cw_backend *b, enum cw_sq_statement s)
{
	int rc = sqlite3_step(b->st[s]);

	(void) sqlite3_reset(b->st[s]);
	if ((rc & 0xff) == SQLITE_CONSTRAINT)
		return CW_E_CONFLICT;
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : cw_sq_fail(b, rc);
}

int cw_sq_row(struct cw_backend *b, enum cw_sq_statement s)
{
	int rc = sqlite3_step(b->st[s]);

	if (rc == SQLITE_ROW)
		return 1;
	(void) sqlite3_reset(b->st[s]);
	return rc == SQLITE_DONE ? 0 : cw_sq_fail(b, rc);
}

int cw_sq_number(struct cw_backend *b, enum cw_sq_statement s, int64_t none, int64_t *ret)
{
	int r = cw_sq_row(b, s);

	if (r < 0)
		return r;
	*ret = none;
	if (r == 0)
		return 0;
	if (sqlite3_column_type(b->st[s], 0) != SQLITE_NULL)
		*ret = sqlite3_column_int64(b->st[s], 0);
	(void) sqlite3_reset(b->st[s]);
	return 0;
}

/* ---- opening ---- */

int cw_sq_connect(const char *path, bool memory, bool readonly, sqlite3 **ret)
{
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	int rc;

	/* The database of tests lives in memory and is shared by name within the process. */
	if (memory)
		flags |= SQLITE_OPEN_URI | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	else
		flags |= readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
	rc = sqlite3_open_v2(path, ret, flags, NULL);
	if (rc != SQLITE_OK)
		return rc;
	(void) sqlite3_busy_timeout(*ret, CW_SQ_BUSY_MS);
	(void) sqlite3_db_config(*ret, SQLITE_DBCONFIG_DQS_DDL, 0, (int *) NULL);
	(void) sqlite3_db_config(*ret, SQLITE_DBCONFIG_DQS_DML, 0, (int *) NULL);
	(void) sqlite3_db_config(*ret, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *) NULL);
	(void) sqlite3_db_config(*ret, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, (int *) NULL);
	return SQLITE_OK;
}

static uint64_t backend_wal_bytes(struct cw_backend *b)
{
	char wal[PATH_MAX];
	struct stat st;
	int n = snprintf(wal, sizeof wal, "%s-wal", b->path);

	if (b->memory || n < 0 || (size_t) n >= sizeof wal || stat(wal, &st) < 0)
		return 0;
	return (uint64_t) st.st_size;
}

/* What SQLite says of a file that cannot be used, and what can be done about it. */
static void say_unusable(struct cw_backend *b, char *why, size_t n, int rc, const char *what)
{
	/* SQLITE_ERROR: its own text cannot be compiled, so it is not what a release made. */
	bool damaged = (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB ||
		       (rc & 0xff) == SQLITE_ERROR;
	const char *then = damaged ? "; restore a backup" : "";
	size_t len = strcspn(what, "\n"); /* a malformed schema is cited over many lines */

	/* A checkpoint that did not come to its end leaves a file that is whole with its WAL only. */
	if (damaged && cw_sq_seen_more(b, 0) > 0 && backend_wal_bytes(b) == 0)
		then = "; put its -wal file back, or restore a backup";
	if (n > 0)
		(void) snprintf(
			why, n, "%s: %.*s%s", b->path, len < 100 ? (int) len : 100, what, then);
}

/* First column of the first row as text; "" without a row. */
static int query_text(sqlite3 *db, const char *sql, char *to, size_t n)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

	to[0] = '\0';
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		const unsigned char *s = sqlite3_column_text(st, 0);

		(void) snprintf(to, n, "%s", s ? (const char *) s : "");
		rc = sqlite3_step(st);
	}
	(void) sqlite3_finalize(st);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* Each pragma is set and read back: SQLite ignores what it does not know. */
static int set_pragmas(struct cw_backend *b, unsigned cache_kib, char *why, size_t why_n)
{
	char cache[32], sql[96], got[32];
	const struct {
		const char *name, *set, *want;
	} pragmas[] = {
		{"journal_mode", "WAL", b->memory ? "memory" : "wal"},
		{"synchronous", "FULL", "2"},
		{"foreign_keys", "ON", "1"},
		{"recursive_triggers", "ON", "1"}, /* REPLACE runs delete triggers too */
		{"mmap_size", "0",
			b->memory ? "" : "0"}, /* a failing disk is a result, not SIGBUS */
		{"trusted_schema", "OFF", "0"},
		{"cell_size_check", "ON", "1"},
		{"secure_delete", "FAST", "2"},
		{"temp_store", "MEMORY", "2"},
		{"wal_autocheckpoint", "0", "0"}, /* ours, see upkeep */
		{"cache_size", cache, cache},
	};

	(void) snprintf(cache, sizeof cache, "-%u", cache_kib);
	for (size_t i = 0; i < CW_ARRAY_LEN(pragmas); i++) {
		int rc;

		(void) snprintf(sql, sizeof sql, "PRAGMA %s=%s", pragmas[i].name, pragmas[i].set);
		rc = query_text(b->db, sql, got, sizeof got);
		(void) snprintf(sql, sizeof sql, "PRAGMA %s", pragmas[i].name);
		if (rc == SQLITE_OK)
			rc = query_text(b->db, sql, got, sizeof got);
		if (rc != SQLITE_OK) {
			say_unusable(b, why, why_n, rc, sqlite3_errmsg(b->db));
			return rc;
		}
		if (strcmp(got, pragmas[i].want) != 0) {
			(void) snprintf(why, why_n, "%s: SQLite did not take %s=%s (it says '%s')",
				b->path, pragmas[i].name, pragmas[i].set, got);
			return SQLITE_IOERR;
		}
	}
	return SQLITE_OK;
}

static int exec_sql(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int migrate_one(sqlite3 *db, size_t number)
{
	char sql[64];
	int rc = exec_sql(db, "BEGIN EXCLUSIVE");

	if (rc != SQLITE_OK)
		return rc;
	rc = exec_sql(db, cw_migrations[number - 1].sql);
	(void) snprintf(sql, sizeof sql, "PRAGMA application_id=%d", CW_SQ_APPLICATION);
	if (rc == SQLITE_OK)
		rc = exec_sql(db, sql);
	(void) snprintf(sql, sizeof sql, "PRAGMA user_version=%zu", number);
	if (rc == SQLITE_OK)
		rc = exec_sql(db, sql);
	if (rc == SQLITE_OK)
		rc = exec_sql(db, "COMMIT");
	if (rc != SQLITE_OK && !sqlite3_get_autocommit(db))
		(void) exec_sql(db, "ROLLBACK");
	return rc;
}

/* 0, CW_E_SCHEMA, or what the database says. */
static int migrate(struct cw_backend *b, char *why, size_t why_n)
{
	char version[16], application[16], objects[16];
	long have;
	int rc = query_text(b->db, "PRAGMA user_version", version, sizeof version);

	if (rc == SQLITE_OK)
		rc = query_text(b->db, "PRAGMA application_id", application, sizeof application);
	if (rc == SQLITE_OK)
		rc = query_text(
			b->db, "SELECT count(*) FROM sqlite_schema", objects, sizeof objects);
	if (rc != SQLITE_OK)
		goto fail;
	have = strtol(version, NULL, 10);
	if (strcmp(objects, "0") != 0 && strtol(application, NULL, 10) != CW_SQ_APPLICATION) {
		cw_sq_say(why, why_n, b->path,
			"this is not a database of Causeway; name another file");
		return CW_E_SCHEMA;
	}
	if (have < 0 || (size_t) have > CW_ARRAY_LEN(cw_migrations)) {
		(void) snprintf(why, why_n,
			"%s: written by a newer release (schema %ld, this one knows %zu); install that release "
			"or restore a backup",
			b->path, have, CW_ARRAY_LEN(cw_migrations));
		return CW_E_SCHEMA;
	}
	for (size_t i = (size_t) have + 1; i <= CW_ARRAY_LEN(cw_migrations); i++) {
		rc = migrate_one(b->db, i);
		if (rc != SQLITE_OK)
			goto fail;
	}
	return 0;
fail:
	say_unusable(b, why, why_n, rc, sqlite3_errstr(rc)); /* a ROLLBACK came after it */
	return cw_sq_result(b->db, rc, b->errors);
}

static int on_commit(void *arg, sqlite3 *db, const char *name, int frames)
{
	struct cw_backend *b = arg;

	(void) db;
	(void) name;
	b->wal_frames = frames;
	return SQLITE_OK;
}

static int prepare_all(struct cw_backend *b)
{
	for (size_t i = 0; i < CW_SQ_COUNT_OF; i++) {
		int rc = sqlite3_prepare_v3(
			b->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &b->st[i], NULL);

		if (rc != SQLITE_OK)
			return rc;
	}
	return SQLITE_OK;
}

static struct cw_backend *backend_close(struct cw_backend *b, bool clean)
{
	if (!b)
		return NULL;
	cw_sq_cache_drop(b);
	for (size_t i = 0; i < CW_SQ_COUNT_OF; i++)
		(void) sqlite3_finalize(b->st[i]);
	/* Who copies the one file after a clean end has everything, whatever readers are still
	 * open. A failure leaves it in the WAL, where the next start finds it. */
	if (b->db && clean && !b->memory &&
		sqlite3_wal_checkpoint_v2(b->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) ==
			SQLITE_OK)
		cw_sq_seen_end(b);
	/* See rebuild_indexes(). */
	if (b->db && !clean && b->seen_fd >= 0 && atomic_load(&b->errors->corrupt) > 0)
		cw_sq_seen_broken(b);
	/* After an I/O error nothing more is written; the WAL is read again at the next start. */
	if (b->db && !clean)
		(void) sqlite3_db_config(b->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *) NULL);
	(void) sqlite3_close(b->db);
	cw_closep(&b->seen_fd);
	cw_closep(&b->file_fd); /* after SQLite: its locks of the file go with any descriptor */
	cw_closep(&b->lock_fd);
	cw_free(b->path);
	return cw_free(b);
}

static void backend_closep(struct cw_backend **b)
{
	*b = backend_close(*b, false);
}

/* What everything depends on is checked, without the indexes' content: a second for a million
 * leases. History, users and audit are by whoever reads them. */
static int check_tables(struct cw_backend *b, char *why, size_t why_n)
{
	static const char *const tables[] = {
		"broker_state", "tep", "pool", "pool_range", "exclusion", "unused", "lease"};

	for (size_t i = 0; i < CW_ARRAY_LEN(tables); i++) {
		bool leases = strcmp(tables[i], "lease") == 0;
		char sql[64], got[160];
		int rc;

		(void) snprintf(sql, sizeof sql, "PRAGMA quick_check('%s')", tables[i]);
		rc = query_text(b->db, sql, got, sizeof got);
		if (rc == SQLITE_OK && leases && strcmp(got, "ok") != 0 &&
			cw_sq_salvage(b->db) == SQLITE_OK)
			rc = query_text(b->db, sql, got, sizeof got);
		if (rc == SQLITE_OK && strcmp(got, "ok") == 0)
			continue;
		(void) snprintf(why, why_n, "%s: damaged (%s: %s); restore a backup", b->path,
			tables[i], rc == SQLITE_OK ? got : sqlite3_errmsg(b->db));
		return cw_sq_result(b->db, rc == SQLITE_OK ? SQLITE_CORRUPT : rc, b->errors);
	}
	return 0;
}

/* Before anything is written: what is missing may still be put back. */
static int check_whole(struct cw_backend *b, char *why, size_t why_n)
{
	char commits[24];
	uint64_t missing;
	int rc;

	if (b->memory)
		return 0;
	rc = query_text(b->db, "SELECT commits FROM broker_state", commits, sizeof commits);
	/* None yet: all of a young database is in its WAL, or it is older than the number. */
	if (rc == SQLITE_ERROR)
		rc = query_text(b->db, IS_OURS, commits, sizeof commits);
	/* A file of another kind is refused by who looks for that. */
	if (rc != SQLITE_OK || commits[0] == '\0' ||
		(missing = cw_sq_seen_more(b, strtoull(commits, NULL, 10))) == 0)
		return 0;
	return cw_sq_refuse_missing(b, missing, "its -wal file", why, why_n);
}

/* The last run found a row and an index at odds, which no start can afford to look for. The rows
 * count: they are what was granted. */
static int rebuild_indexes(struct cw_backend *b, char *why, size_t why_n)
{
	int rc;

	if (b->memory || !cw_sq_seen_doubt(b))
		return 0;
	rc = exec_sql(b->db, "REINDEX lease");
	if (rc != SQLITE_OK) {
		(void) snprintf(why, why_n, "%s: damaged (indexes of lease: %s); restore a backup",
			b->path, sqlite3_errmsg(b->db));
		return cw_sq_result(
			b->db, (rc & 0xff) == SQLITE_CONSTRAINT ? SQLITE_CORRUPT : rc, b->errors);
	}
	atomic_store(&b->errors->rebuilt, true);
	return 0;
}

/* Counters of pools that a new schema, or a damaged row put aside, left to be made: readers want
 * them at once. */
static int settle_use(struct cw_backend *b)
{
	int r;

	if (!b->cache->used)
		return 0;
	b->levels_due = true;
	r = cw_sq_run(b, CW_SQ_BEGIN);
	if (r == 0)
		r = cw_sq_use_flush(b);
	return r == 0 ? cw_sq_run(b, CW_SQ_COMMIT) : r;
}

/* What only readers use may be what is damaged: then no start either, rather than none later. */
static int be_readable(struct cw_backend *b)
{
	struct cw_store_reader *reader = NULL;
	int r = cw_sq_reader_open(b, &reader);

	(void) cw_store_reader_close(reader);
	return r;
}

static int open_file(
	struct cw_backend *b, const struct cw_store_config *conf, char *why, size_t why_n)
{
	int rc, r;
	int64_t seq = 0, commits = 0, damaged = 0;

	rc = cw_sq_connect(b->path, b->memory, false, &b->db);
	if (rc != SQLITE_OK) {
		int e = b->db ? sqlite3_system_errno(b->db) : 0;

		cw_sq_say(why, why_n, b->path, b->db ? sqlite3_errmsg(b->db) : "out of memory");
		if ((rc & 0xff) == SQLITE_CANTOPEN && e > 0)
			return -e;
		return cw_sq_result(b->db, rc, b->errors);
	}
	rc = set_pragmas(b, conf->cache_kib ? conf->cache_kib : 16384, why, why_n);
	if (rc != SQLITE_OK)
		return cw_sq_result(b->db, rc, b->errors);
	r = check_whole(b, why, why_n);
	if (r == 0)
		r = migrate(b, why, why_n);
	if (r < 0)
		return r;
	r = check_tables(b, why, why_n);
	if (r == 0)
		r = rebuild_indexes(b, why, why_n);
	if (r < 0)
		return r;
	rc = prepare_all(b);
	if (rc != SQLITE_OK) {
		say_unusable(b, why, why_n, rc, sqlite3_errmsg(b->db));
		return cw_sq_result(b->db, rc, b->errors);
	}
	(void) sqlite3_wal_hook(b->db, on_commit, b);
	r = cw_sq_number(b, CW_SQ_SEQ_GET, 0, &seq);
	if (r == 0)
		r = cw_sq_number(b, CW_SQ_COMMITS_GET, 0, &commits);
	if (r == 0)
		r = cw_sq_number(b, CW_SQ_DAMAGED_COUNT, 0, &damaged);
	if (r == 0)
		r = cw_sq_cache_need(b);
	if (r == 0)
		r = settle_use(b);
	if (r == 0)
		r = be_readable(b);
	if (r < 0) {
		say_unusable(b, why, why_n, r == CW_E_STORE_CORRUPT ? SQLITE_CORRUPT : SQLITE_OK,
			cw_strerror(r));
		return r;
	}
	b->seq = (uint64_t) seq;
	b->commits = (uint64_t) commits;
	b->errors->damaged = (uint64_t) damaged;
	if (!b->memory)
		cw_sq_seen_begin(b);
	return 0;
}

static int backend_open(const struct cw_store_config *conf, struct cw_db_errors *errors, char *why,
	size_t why_n, struct cw_backend **ret)
{
	static _Atomic unsigned memories;
	CW_CLEANUP(backend_closep) struct cw_backend *b = cw_zalloc(1, sizeof *b);
	char name[48];
	int r;

	if (!b)
		return -ENOMEM;
	b->lock_fd = b->file_fd = b->seen_fd = -1;
	b->checkpoint_at = CW_SQ_CHECKPOINT_AT;
	b->run_rows = CW_SQ_RUN_ROWS;
	b->errors = errors;
	b->memory = strcmp(conf->path, ":memory:") == 0;
	(void) snprintf(name, sizeof name, "file:/cw-%u?vfs=memdb", atomic_fetch_add(&memories, 1));
	b->path = cw_strdup(b->memory ? name : conf->path);
	if (!b->path)
		return -ENOMEM;
	if (!b->memory) {
		r = cw_sq_claim(b, why, why_n);
		if (r < 0)
			return r;
	}
	r = open_file(b, conf, why, why_n);
	if (r < 0)
		return r;
	if (!b->memory) {
		r = cw_sq_sync_folder(b->path); /* the WAL is new as well */
		if (r < 0) {
			cw_sq_say(why, why_n, b->path, cw_strerror(r));
			return r;
		}
		/* From now on the file is not empty; see cw_sq_claim(). */
		(void) !pwrite(b->lock_fd, "1\n", 2, 0);
	}
	*ret = CW_TAKE(b);
	return 0;
}

/* ---- transactions ---- */

static int backend_begin(struct cw_backend *b)
{
	b->changes = sqlite3_total_changes64(b->db);
	b->fault = 0;
	b->surprise = false;
	return cw_sq_run(b, CW_SQ_BEGIN);
}

static int backend_commit(struct cw_backend *b, struct cw_batch *batch, bool *ret_wrote)
{
	bool wrote;
	int r = 0;

	if (b->levels_due)
		r = cw_sq_cache_need(b);
	if (r == 0 && b->cache)
		r = cw_sq_use_levels(b, batch);
	if (r == 0)
		r = cw_sq_cache_flush(b);
	if (r < 0)
		return r;
	wrote = sqlite3_total_changes64(b->db) != b->changes;
	if (wrote) {
		cw_sq_int(b->st[CW_SQ_NUMBERS_SET], 1, (int64_t) b->seq);
		cw_sq_int(b->st[CW_SQ_NUMBERS_SET], 2, (int64_t) ++b->commits);
		r = cw_sq_run(b, CW_SQ_NUMBERS_SET);
		if (r < 0)
			return r;
	}
	r = cw_sq_run(b, CW_SQ_COMMIT);
	if (r < 0)
		return r;
	if (wrote)
		cw_sq_seen(b);
	*ret_wrote = wrote;
	return 0;
}

/* What memory knew of the transaction is forgotten with it. A sequence number that was never
 * committed was never seen outside, so going on from a higher one than the table's is as right as
 * from the same. */
static void backend_rollback(struct cw_backend *b)
{
	if (!sqlite3_get_autocommit(b->db))
		(void) exec_sql(b->db, "ROLLBACK");
	cw_sq_cache_drop(b);
	b->audit_known = false;
	b->fault = 0;
	b->surprise = false;
}

static int backend_upkeep(struct cw_backend *b)
{
	int rc, r;

	/* On a full disk a checkpoint lets the WAL start again in the space it has. */
	if (b->wal_frames < b->checkpoint_at && b->full_seen == b->errors->full)
		return 0;
	rc = sqlite3_wal_checkpoint_v2(b->db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	if ((rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED)
		return 0; /* a reader or a backup: next time */
	r = cw_sq_result(b->db, rc, b->errors);
	b->full_seen = b->errors->full;
	/* The leases are safe in the WAL; it grows until there is room for the database file. */
	return r == CW_E_STORE_FULL || r == -ENOMEM ? 0 : r;
}

const struct cw_backend_ops cw_sqlite_backend = {
	.name = "sqlite",
	.schema = CW_ARRAY_LEN(cw_migrations),
	.open = backend_open,
	.close = backend_close,
	.begin = backend_begin,
	.exec = cw_sq_exec,
	.commit = backend_commit,
	.rollback = backend_rollback,
	.upkeep = backend_upkeep,
	.wal_bytes = backend_wal_bytes,
	.reader_open = cw_sq_reader_open,
};
