/* SPDX-License-Identifier: BSD-2-Clause */
/* An online copy in one step. In small steps the copy starts again with every commit and under load
 * never ends (guide/reliability.md section 2, rule 8); one step takes a snapshot, and commits go on
 * beside it. The copy is made under another name, checked, flushed, and only then linked to the one
 * asked for: under that name there is a whole backup or none. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "db/sqlite/sqlite.h"

static int copy_all(sqlite3 *from, sqlite3 *to)
{
	sqlite3_backup *copy = sqlite3_backup_init(to, "main", from, "main");
	int rc;

	if (!copy)
		return sqlite3_errcode(to);
	rc = sqlite3_backup_step(copy, -1);
	(void) sqlite3_backup_finish(copy);
	return rc == SQLITE_DONE ? SQLITE_OK : rc == SQLITE_OK ? SQLITE_BUSY : rc;
}

static int first_text_is(sqlite3 *db, const char *sql, const char *want)
{
	sqlite3_stmt *st = NULL;
	const unsigned char *s;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		s = sqlite3_column_text(st, 0);
		rc = s && strcmp((const char *) s, want) == 0 ? SQLITE_OK : SQLITE_CORRUPT;
	}
	(void) sqlite3_finalize(st);
	return rc;
}

static int write_copy(sqlite3 *from, const char *path)
{
	struct cw_db_errors errors = {0}; /* of the copy, not of the store */
	sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(path, &db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	int r;

	if (rc == SQLITE_OK)
		rc = copy_all(from, db);
	/* One file only: a WAL beside it would have to be kept with it. */
	if (rc == SQLITE_OK)
		rc = first_text_is(db, "PRAGMA journal_mode=DELETE", "delete");
	if (rc == SQLITE_OK)
		rc = first_text_is(db, "PRAGMA integrity_check(1)", "ok");
	r = cw_sq_result(db, rc, &errors);
	(void) sqlite3_close(db);
	return r;
}

static int sync_file(const char *path)
{
	CW_CLEANUP(cw_closep) int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int cw_sq_backup(struct cw_store_reader *r, const char *to_path)
{
	char part[PATH_MAX];
	int n = snprintf(part, sizeof part, "%s.part", to_path), fd, ret;

	if (n < 0 || (size_t) n >= sizeof part)
		return -ENAMETOOLONG;
	if (access(to_path, F_OK) == 0)
		return -EEXIST; /* link() says so too, but after the work */
	(void) unlink(part);    /* what a crash left */
	fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	(void) close(fd);
	ret = write_copy(cw_sq_reader_db(r), part);
	if (ret == 0)
		ret = sync_file(part);
	if (ret == 0 && link(part, to_path) < 0)
		ret = -errno;
	(void) unlink(part);
	if (ret < 0)
		return ret;
	return cw_sq_sync_folder(to_path);
}
