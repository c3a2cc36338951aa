/* SPDX-License-Identifier: BSD-2-Clause */
/* Was the WAL taken away? After a crash it holds leases that were answered and are nowhere else,
 * and SQLite takes a database without one for whole. So the file says while a broker uses it: the
 * mark is set at start and brought into the file itself, past the WAL, and taken off by a clean
 * end. A file with the mark and without a WAL has lost something. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "db/sqlite/sqlite.h"

/* The path as part of a URI. */
static bool escape(const char *path, char *to, size_t n)
{
	size_t k = 0;

	for (; *path; path++) {
		bool special = strchr("%?#", *path) != NULL;
		int r = snprintf(to + k, n - k, special ? "%%%02X" : "%c", (unsigned) *path & 255u);

		if (r < 0 || (size_t) r >= n - k)
			return false;
		k += (size_t) r;
	}
	return true;
}

bool cw_sq_wal_lost(const char *path)
{
	char wal[PATH_MAX], uri[3 * PATH_MAX], escaped[2 * PATH_MAX];
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	struct stat file;
	bool marked = false;
	int n = snprintf(wal, sizeof wal, "%s-wal", path);

	if (n < 0 || (size_t) n >= sizeof wal || access(wal, F_OK) == 0 || errno != ENOENT ||
		stat(path, &file) < 0 || file.st_size == 0 ||
		!escape(path, escaped, sizeof escaped))
		return false;
	/* immutable: nothing is made beside it, so that the next start finds it as this one did. */
	(void) snprintf(uri, sizeof uri, "file:%s?immutable=1", escaped);
	if (sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL) == SQLITE_OK &&
		sqlite3_prepare_v2(db, "SELECT in_use FROM broker_state", -1, &st, NULL) ==
			SQLITE_OK)
		marked = sqlite3_step(st) == SQLITE_ROW && sqlite3_column_int(st, 0) == 1;
	(void) sqlite3_finalize(st);
	(void) sqlite3_close(db);
	return marked; /* what cannot be read is refused by the open that follows */
}

int cw_sq_mark(sqlite3 *db, bool in_use)
{
	int rc = sqlite3_exec(db,
		in_use ? "UPDATE broker_state SET in_use = 1"
		       : "UPDATE broker_state SET in_use = 0",
		NULL, NULL, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	return rc;
}
