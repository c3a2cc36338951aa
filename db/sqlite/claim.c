/* SPDX-License-Identifier: BSD-2-Clause */
/* The database file for one broker at a time, and only if it is what the last one left. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "db/sqlite/sqlite.h"

void cw_sq_say(char *why, size_t n, const char *path, const char *what)
{
	if (n > 0)
		(void) snprintf(why, n, "%s: %s", path, what);
}

int cw_sq_sync_folder(const char *path)
{
	CW_CLEANUP(cw_closep) int fd = -1;
	char folder[PATH_MAX] = ".";
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t) (slash - path) + (slash == path) : 0;

	if (n >= sizeof folder)
		return -ENAMETOOLONG;
	if (slash) {
		memcpy(folder, path, n);
		folder[n] = '\0';
	}
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int cw_sq_refuse_missing(
	struct cw_backend *b, uint64_t missing, const char *what, char *why, size_t why_n)
{
	(void) snprintf(why, why_n,
		"%s: the last %" PRIu64 " commits before the crash are missing: put %s back, "
		"or remove %s.commits to go on without them",
		b->path, missing, what, b->path);
	atomic_fetch_add(&b->errors->corrupt, 1);
	return CW_E_STORE_CORRUPT;
}

static int lock_file(struct cw_backend *b, int fd, char *why, size_t why_n)
{
	int e;

	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	e = errno;
	cw_sq_say(why, why_n, b->path,
		e == EWOULDBLOCK ? "another broker has this database open" : cw_strerror(-e));
	return e == EWOULDBLOCK ? -EBUSY : -e;
}

int cw_sq_claim(struct cw_backend *b, char *why, size_t why_n)
{
	char lock[PATH_MAX];
	struct stat st;
	bool existed = access(b->path, F_OK) == 0;
	int r, n = snprintf(lock, sizeof lock, "%s.lock", b->path);
	uint64_t missing;

	if (n < 0 || (size_t) n >= sizeof lock)
		return -ENAMETOOLONG;
	b->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (b->lock_fd < 0) {
		int e = errno;

		cw_sq_say(why, why_n, lock, cw_strerror(-e));
		return -e;
	}
	r = lock_file(b, b->lock_fd, why, why_n);
	if (r < 0)
		return r;
	/* SQLite removes the WAL of a file that is empty or was not there. */
	if ((stat(b->path, &st) < 0 ? errno == ENOENT : st.st_size == 0) &&
		(missing = cw_sq_seen_more(b, 0)) > 0)
		return cw_sq_refuse_missing(b, missing, "it and its -wal file", why, why_n);
	b->file_fd = open(b->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (b->file_fd < 0) {
		int e = errno;

		cw_sq_say(why, why_n, b->path, cw_strerror(-e));
		return -e;
	}
	r = lock_file(b, b->file_fd, why, why_n);
	if (r < 0)
		return r;
	/* Also what a crash in the first start leaves, but then the lock file says nothing yet. */
	if (existed && fstat(b->file_fd, &st) == 0 && st.st_size == 0 &&
		fstat(b->lock_fd, &st) == 0 && st.st_size > 0) {
		cw_sq_say(why, why_n, b->path,
			"an empty file where leases were; restore a backup, or remove it to begin anew");
		atomic_fetch_add(&b->errors->corrupt, 1);
		return CW_E_STORE_CORRUPT;
	}
	return cw_sq_sync_folder(b->path);
}
