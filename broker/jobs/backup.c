/* SPDX-License-Identifier: BSD-2-Clause */
/* See backup.h. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "broker/jobs/backup.h"

#define PREFIX "causeway-"
#define SUM    ".sha256"

enum { READ = 65536, FOUND_MAX = 4096, SQLITE_HEAD = 64, SUM_LINE = 256, NAMES_MAX = 60 };

/* DIRECTORY/NAME and suffix. */
static int path_of(char to[static PATH_MAX], const char *dir, const char *name, const char *suffix)
{
	int n = snprintf(to, PATH_MAX, "%s/%s%s", dir, name, suffix);

	return n > 0 && n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int sha256_of(const char *path, char ret[static 65])
{
	CW_CLEANUP(cw_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	char *buf = cw_zalloc(READ, 1);
	unsigned char hash[32];
	ssize_t n = -1;
	bool good = fd >= 0 && c && buf && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1;
	int r = fd < 0 ? -errno : -ENOMEM;

	while (good && (n = read(fd, buf, READ)) > 0)
		good = EVP_DigestUpdate(c, buf, (size_t) n) == 1;
	if (good && n < 0)
		r = -errno;
	good = good && n == 0 && EVP_DigestFinal_ex(c, hash, NULL) == 1;
	for (unsigned i = 0; good && i < sizeof hash; i++)
		(void) snprintf(ret + (size_t) 2 * i, 3, "%02x", hash[i]);
	EVP_MD_CTX_free(c);
	(void) cw_free(buf);
	return good ? 0 : r;
}

static int sync_folder(const char *dir)
{
	CW_CLEANUP(cw_closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* The sum, whole and on disk before it has its name. */
static int write_sum(const char *dir, const char *name, const char *sum)
{
	char part[PATH_MAX], path[PATH_MAX], line[SUM_LINE];
	int n = snprintf(line, sizeof line, "%s  %s\n", sum, name), fd, r;

	r = path_of(part, dir, name, SUM ".part");
	if (r == 0)
		r = path_of(path, dir, name, SUM);
	if (r < 0)
		return r;
	(void) unlink(part);
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, line, (size_t) n) != n || fsync(fd) < 0)
		r = errno ? -errno : -EIO;
	(void) close(fd);
	if (r == 0 && rename(part, path) < 0)
		r = -errno;
	if (r < 0)
		(void) unlink(part);
	return r < 0 ? r : sync_folder(dir);
}

/* ---- which there are ---- */

/* causeway-YYYYMMDDTHHMMSSZ.db */
static bool is_name(const char *s)
{
	static const char form[] = PREFIX "dddddddd"
					  "T"
					  "dddddd"
					  "Z.db";

	if (strlen(s) != sizeof form - 1)
		return false;
	for (size_t i = 0; s[i]; i++) {
		bool digit = form[i] == 'd' && i >= sizeof PREFIX - 1 && i < sizeof form - 4;

		if (digit ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
			return false;
	}
	return true;
}

/* The number of the schema stands in the file's head (sqlite.org/fileformat2.html, user version). */
static bool look_at(const char *path, struct cw_backup_entry *e)
{
	CW_CLEANUP(cw_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	unsigned char head[SQLITE_HEAD];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
		read(fd, head, sizeof head) != (ssize_t) sizeof head)
		return false;
	e->created_wall_s = st.st_mtime;
	e->octets = (uint64_t) st.st_size;
	e->schema = (uint32_t) head[60] << 24 | (uint32_t) head[61] << 16 |
		    (uint32_t) head[62] << 8 | head[63];
	return true;
}

static bool read_sum(const char *path, const char *name, char to[static 65])
{
	CW_CLEANUP(cw_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char line[SUM_LINE] = "";

	if (fd < 0 || read(fd, line, sizeof line - 1) < 67 ||
		strspn(line, "0123456789abcdef") != 64 || strncmp(line + 64, "  ", 2) != 0 ||
		strncmp(line + 66, name, strlen(name)) != 0)
		return false;
	memcpy(to, line, 64);
	to[64] = '\0';
	return true;
}

static bool take(const char *dir, const char *name, struct cw_backup_entry *e)
{
	char path[PATH_MAX], sum[PATH_MAX];

	if (!is_name(name) || path_of(path, dir, name, "") < 0 || path_of(sum, dir, name, SUM) < 0)
		return false;
	(void) snprintf(e->name, sizeof e->name, "%s", name);
	return look_at(path, e) && read_sum(sum, name, e->sha256);
}

static int later(const void *a, const void *b)
{
	return strcmp(((const struct cw_backup_entry *) b)->name,
		((const struct cw_backup_entry *) a)->name);
}

/* All that are whole, newest first; given. */
static int find(const char *dir, struct cw_backup_entry **ret)
{
	struct cw_backup_entry *v = NULL;
	DIR *d = opendir(dir);
	const struct dirent *e;
	int n = 0, cap = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (n < FOUND_MAX && (e = readdir(d)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
		if (n == cap) {
			struct cw_backup_entry *more =
				cw_realloc(v, (size_t) (cap = 2 * cap + 16), sizeof *v);

			if (!more) {
				(void) cw_free(v);
				(void) closedir(d);
				return -ENOMEM;
			}
			v = more;
		}
		n += take(dir, e->d_name, &v[n]);
	}
	(void) closedir(d);
	if (n > 1)
		qsort(v, (size_t) n, sizeof *v, later);
	*ret = v;
	return n;
}

int cw_backup_list(const char *directory, struct cw_backup_entry *to, size_t max)
{
	struct cw_backup_entry *v = NULL;
	int n = find(directory, &v);

	if (n > 0 && (size_t) n > max)
		n = (int) max;
	if (n > 0)
		memcpy(to, v, (size_t) n * sizeof *v);
	(void) cw_free(v);
	return n;
}

/* Sum first: what is left of one that goes is not taken for a backup. */
static void delete_beyond(const char *dir, unsigned keep)
{
	struct cw_backup_entry *v = NULL;
	int n = find(dir, &v);
	char path[PATH_MAX];

	for (int i = (int) keep; i < n; i++) {
		if (path_of(path, dir, v[i].name, SUM) == 0)
			(void) unlink(path);
		if (path_of(path, dir, v[i].name, "") == 0)
			(void) unlink(path);
	}
	(void) cw_free(v);
}

/* What a crash left of one that was being written: only one is at a time. */
static void delete_parts(const char *dir)
{
	static const char part[] = ".part";
	DIR *d = opendir(dir);
	const struct dirent *e;
	char path[PATH_MAX];

	while (d && (e = readdir(d)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
		size_t n = strlen(e->d_name);

		if (n > sizeof part && strncmp(e->d_name, PREFIX, sizeof PREFIX - 1) == 0 &&
			strcmp(e->d_name + n - (sizeof part - 1), part) == 0 &&
			path_of(path, dir, e->d_name, "") == 0)
			(void) unlink(path);
	}
	if (d)
		(void) closedir(d);
}

/* Two within a second, or after the clock was set back: the next second that has none. */
static int free_name(const char *directory, int64_t wall_s, char name[static CW_BACKUP_NAME_MAX],
	char path[static PATH_MAX])
{
	for (unsigned i = 0; i < NAMES_MAX; i++) {
		time_t t = (time_t) wall_s + i;
		struct tm tm;
		int e;

		if (!gmtime_r(&t, &tm) ||
			strftime(name, CW_BACKUP_NAME_MAX, PREFIX "%Y%m%dT%H%M%SZ.db", &tm) == 0)
			return -EINVAL;
		e = path_of(path, directory, name, "");
		if (e < 0 || access(path, F_OK) < 0)
			return e;
	}
	return -EEXIST;
}

int cw_backup_make(struct cw_store_reader *r, const char *directory, unsigned keep, int64_t wall_s,
	char name[static CW_BACKUP_NAME_MAX])
{
	char path[PATH_MAX], sum[65];
	int e;

	if (mkdir(directory, 0700) < 0 && errno != EEXIST)
		return -errno;
	delete_parts(directory);
	e = free_name(directory, wall_s, name, path);
	if (e == 0)
		e = cw_store_backup(r, path);
	if (e == 0)
		e = sha256_of(path, sum);
	if (e == 0)
		e = write_sum(directory, name, sum);
	if (e == 0)
		delete_beyond(directory, keep);
	return e;
}
