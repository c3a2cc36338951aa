/* SPDX-License-Identifier: BSD-2-Clause */
/* A backup in the place of the database, with the broker stopped: copied beside it, compared, flushed, then renamed. What was
 * there is kept beside it under another name. Whatever is interrupted can be repeated: the lock that a broker holds is held
 * meanwhile (db/sqlite/claim.c), and a broker refuses to start from what lies between two renames, because its count of
 * commits (PATH.commits) goes last. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/ctl/run.h"

enum { BLOCK = 1 << 20, HEADER = 100, HEX = 65 };

struct restore {
	struct cw_ctl *c;
	const char *from;
	char db[PATH_MAX], part[PATH_MAX];
	char aside[64]; /* behind the name of what was there */
	bool dry, had;  /* had: there was a database */
	int lock_fd, db_fd;
	char sum[HEX]; /* of the backup */
	uint64_t octets;
};

static uint32_t be(const uint8_t *p, unsigned n)
{
	uint32_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

/* The header of an SQLite database (its documentation, "The Database Header"): complete, and one file. */
static int check_header(const char *file, int fd, uint64_t octets)
{
	uint8_t h[HEADER];
	uint64_t page;

	if (pread(fd, h, sizeof h, 0) != sizeof h || memcmp(h, "SQLite format 3", 16) != 0) {
		cw_ctl_say("%s is no backup of a database", file);
		return CW_EXIT_FAILURE;
	}
	page = be(h + 16, 2) == 1 ? 65536 : be(h + 16, 2);
	if (page * be(h + 28, 4) != octets) {
		cw_ctl_say("%s is cut short: %" PRIu64 " octets of %" PRIu64, file, octets,
			page * be(h + 28, 4));
		return CW_EXIT_FAILURE;
	}
	if (h[18] != 1 || h[19] != 1) {
		cw_ctl_say(
			"%s is the file of a running broker, not a backup: its newest leases are in another file",
			file);
		return CW_EXIT_FAILURE;
	}
	return CW_EXIT_OK;
}

/* Octets of a file to another one (to >= 0), and their sum. */
static int copy(int from, int to, char sum[static HEX], uint64_t *ret_n)
{
	CW_CLEANUP(cw_freep) uint8_t *block = cw_zalloc(BLOCK, 1);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	ssize_t got = 1;
	int r = block && md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) ? 0 : -ENOMEM;

	*ret_n = 0;
	while (r == 0 && got > 0) {
		got = pread(from, block, BLOCK, (off_t) *ret_n);
		if (got < 0)
			r = -errno;
		else if (!EVP_DigestUpdate(md, block, (size_t) got))
			r = -ENOMEM;
		else if (to >= 0 && got > 0 &&
			 pwrite(to, block, (size_t) got, (off_t) *ret_n) != got)
			r = errno ? -errno : -ENOSPC;
		*ret_n += got > 0 ? (uint64_t) got : 0;
	}
	if (r == 0 && !EVP_DigestFinal_ex(md, digest, &n))
		r = -ENOMEM;
	for (unsigned i = 0; r == 0 && i < n && 2 * i + 3 <= HEX; i++)
		(void) snprintf(sum + (size_t) 2 * i, 3, "%02x", digest[i]);
	EVP_MD_CTX_free(md);
	return r;
}

/* ---- the lock ---- */

static int claim_one(const char *path, int flags, int *ret_fd)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);

	if (fd < 0)
		return errno == ENOENT ? CW_EXIT_OK : cw_ctl_failed(-errno, path);
	*ret_fd = fd;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return CW_EXIT_OK;
	if (errno != EWOULDBLOCK)
		return cw_ctl_failed(-errno, path);
	cw_ctl_say("a broker has this database open: stop it first (systemctl stop causewayd)");
	return CW_CTL_CONFLICT;
}

static int claim(struct restore *s)
{
	char lock[PATH_MAX + 8];
	int r;

	(void) snprintf(lock, sizeof lock, "%s.lock", s->db);
	r = claim_one(lock, O_CREAT, &s->lock_fd);
	return r == CW_EXIT_OK ? claim_one(s->db, 0, &s->db_fd) : r;
}

/* The folder of a file: in to, or a constant. */
static const char *folder_of(const char *path, char to[static PATH_MAX])
{
	char *slash;

	(void) snprintf(to, PATH_MAX, "%s", path);
	slash = strrchr(to, '/');
	if (!slash)
		return ".";
	slash[slash == to] = '\0';
	return to;
}

static int sync_folder(const char *path)
{
	char folder[PATH_MAX];
	CW_CLEANUP(cw_closep)
	int fd = open(folder_of(path, folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* ---- the copy ---- */

/* Root restores for the broker's user. */
static int give(int fd, const struct stat *owner)
{
	return fchown(fd, owner->st_uid, owner->st_gid) < 0 && geteuid() == 0 ? -errno : 0;
}

/* The same without writing. */
static int only_read(struct restore *s, int from)
{
	uint64_t n = 0;
	int r = copy(from, -1, s->sum, &n);

	return cw_ctl_failed(r == 0 && n != s->octets ? CW_E_STALE : r, s->from);
}

static int write_part(struct restore *s, int from, const struct stat *owner)
{
	CW_CLEANUP(cw_closep) int to = -1;
	char again[HEX] = "";
	uint64_t n = 0;
	int r;

	(void) unlink(s->part); /* what an interrupted one left */
	to = open(s->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to < 0)
		return cw_ctl_failed(-errno, s->part);
	r = copy(from, to, s->sum, &n);
	if (r == 0 && n != s->octets)
		r = CW_E_STALE; /* somebody writes to it */
	if (r == 0)
		r = give(to, owner);
	if (r == 0 && fsync(to) < 0)
		r = -errno;
	if (r == 0)
		r = copy(to, -1, again, &n);
	if (r == 0 && strcmp(again, s->sum) != 0)
		r = -EIO;
	return cw_ctl_failed(r, s->part);
}

/* NAME to NAME.before-restore-..., if there is one. */
static int put_aside(const struct restore *s, const char *suffix)
{
	char from[PATH_MAX + 16], to[PATH_MAX + 96];

	(void) snprintf(from, sizeof from, "%s%s", s->db, suffix);
	(void) snprintf(to, sizeof to, "%s%s%s", s->db, s->aside, suffix);
	return rename(from, to) == 0 || errno == ENOENT ? 0 : -errno;
}

static int change_over(const struct restore *s)
{
	char shm[PATH_MAX + 8];
	int r = put_aside(s, "-wal");

	(void) snprintf(shm, sizeof shm, "%s-shm", s->db);
	if (r == 0 && unlink(shm) < 0 && errno != ENOENT)
		r = -errno;
	if (r == 0)
		r = put_aside(s, "");
	if (r == 0 && rename(s->part, s->db) < 0)
		r = -errno;
	if (r == 0)
		r = sync_folder(s->db);
	if (r == 0)
		r = put_aside(s, ".commits");
	if (r == 0)
		r = sync_folder(s->db);
	return cw_ctl_failed(r, s->db);
}

/* The sum a backup must have: the one that was given, else that of the file the broker wrote beside it. "": none. */
static int wanted_sum(const struct restore *s, char to[static HEX])
{
	const char *given = cw_ctl_value(s->c->line, "sha256");
	char beside[PATH_MAX], *line = NULL;
	size_t n;
	int r;

	(void) snprintf(to, HEX, "%s", given ? given : "");
	if (given ||
		(size_t) snprintf(beside, sizeof beside, "%s.sha256", s->from) >= sizeof beside)
		return CW_EXIT_OK;
	r = cw_ctl_secret(beside, &line, &n);
	if (r < 0)
		return r == -ENOENT ? CW_EXIT_OK : cw_ctl_failed(r, beside);
	/* As sha256sum(1) writes it: the sum, then the name. What is there and is no sum fits nothing. */
	(void) snprintf(to, HEX, "%.*s", n ? (int) strcspn(line, " \t") : 1, n ? line : "-");
	(void) cw_free(line);
	return CW_EXIT_OK;
}

/* Whose the database is, and will be: that of the one there is, else of its folder. */
static int find_owner(const struct restore *s, struct stat *ret)
{
	char to[PATH_MAX];
	const char *folder = folder_of(s->db, to);

	if (s->db_fd >= 0)
		return fstat(s->db_fd, ret) < 0 ? cw_ctl_failed(-errno, s->db) : CW_EXIT_OK;
	return stat(folder, ret) < 0 ? cw_ctl_failed(-errno, folder) : CW_EXIT_OK;
}

static int restore(struct restore *s)
{
	CW_CLEANUP(cw_closep) int from = open(s->from, O_RDONLY | O_CLOEXEC);
	char want[HEX];
	struct stat st, owner;
	int r;

	if (from < 0 || fstat(from, &st) < 0)
		return cw_ctl_failed(-errno, s->from);
	s->octets = (uint64_t) st.st_size;
	r = check_header(s->from, from, s->octets);
	if (r == CW_EXIT_OK)
		r = wanted_sum(s, want);
	if (r == CW_EXIT_OK)
		r = claim(s);
	if (r == CW_EXIT_OK)
		r = find_owner(s, &owner);
	if (r != CW_EXIT_OK)
		return r;
	if (s->db_fd >= 0 && owner.st_ino == st.st_ino && owner.st_dev == st.st_dev)
		return cw_ctl_usage("%s is the database itself", s->from);
	r = s->dry ? only_read(s, from) : write_part(s, from, &owner);
	if (r == CW_EXIT_OK && *want && strcasecmp(want, s->sum) != 0) {
		cw_ctl_say("%s has SHA-256 %s, not the one it must have: it is damaged", s->from,
			s->sum);
		r = CW_EXIT_FAILURE;
	}
	s->had = s->db_fd >= 0;
	if (s->dry)
		return r;
	/* The lock may be new, too. */
	if (r == CW_EXIT_OK)
		r = cw_ctl_failed(give(s->lock_fd, &owner), s->db);
	if (r == CW_EXIT_OK)
		r = change_over(s);
	if (r != CW_EXIT_OK)
		(void) unlink(s->part);
	return r;
}

int cw_ctl_run_restore(struct cw_ctl *c)
{
	const char *db = cw_ctl_value(c->line, "database");
	struct restore s = {.c = c,
		.from = c->line->args[0],
		.dry = cw_ctl_is_on(c->line, "dry-run"),
		.lock_fd = -1,
		.db_fd = -1};
	int r;

	if (!db)
		db = CW_STATEDIR "/causeway.db";
	if ((size_t) snprintf(s.part, sizeof s.part, "%s.restore", db) >= sizeof s.part)
		return cw_ctl_usage("--database is too long");
	(void) snprintf(s.db, sizeof s.db, "%s", db);
	(void) snprintf(s.aside, sizeof s.aside, ".before-restore-%" PRId64, c->now_s);
	r = restore(&s);
	cw_closep(&s.db_fd);
	cw_closep(&s.lock_fd);
	if (r == CW_EXIT_OK && s.dry && !c->out.quiet)
		(void) fprintf(c->out.f,
			"%s can be put in the place of %s (%" PRIu64
			" octets, SHA-256 %s); nothing was changed: a dry run\n",
			s.from, s.db, s.octets, s.sum);
	else if (r == CW_EXIT_OK && !c->out.quiet)
		(void) fprintf(c->out.f,
			"%s is in the place of %s (%" PRIu64 " octets, SHA-256 %s)\n"
			"%s%s%snow: causewayd --check-db, then start the broker\n",
			s.from, s.db, s.octets, s.sum,
			s.had ? "what was there has the ending " : "", s.had ? s.aside : "",
			s.had ? "; " : "");
	return r;
}
