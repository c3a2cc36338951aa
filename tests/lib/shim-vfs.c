/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/shim-vfs.h"

struct shim shim;

static sqlite3_vfs *real;

/* The file SQLite sees; the real one lies behind it. */
struct shim_file {
	sqlite3_file base;
	sqlite3_file *file;
	struct image *image;
	int number; /* of the file, for the recorder; -1: not recorded */
	int last_errno;
};

/* ---- the recorder ---- */

enum { SECTOR = 512, FILES_MAX = 8 };

static struct change {
	enum { WRITE, TRUNCATE, SYNC, CREATE, DELETE, FOLDER } what;
	int file;
	sqlite3_int64 at; /* TRUNCATE: the new size */
	size_t n;
	uint8_t *p;
} * changes;
static size_t n_changes, changes_cap;
static char file_names[FILES_MAX][160];
static int n_files;

static int file_number(const char *path)
{
	for (int i = 0; i < n_files; i++) {
		if (strcmp(file_names[i], path) == 0)
			return i;
	}
	if (n_files == FILES_MAX)
		abort();
	(void) snprintf(file_names[n_files], sizeof file_names[0], "%s", path);
	return n_files++;
}

static void note_change(int what, int file, sqlite3_int64 at, const void *p, size_t n)
{
	struct change *c;

	if (file < 0 && what != FOLDER)
		return;
	if (n_changes == changes_cap) {
		changes_cap = changes_cap ? changes_cap * 2 : 1024;
		changes = realloc(changes, changes_cap * sizeof *changes);
		if (!changes)
			abort();
	}
	c = &changes[n_changes++];
	*c = (struct change){.what = what, .file = file, .at = at, .n = n};
	if (n) {
		c->p = malloc(n);
		if (!c->p)
			abort();
		memcpy(c->p, p, n);
	}
}

/* Names of new and deleted files are on the disk when their folder was synced. SQLite and the store
 * call the C library for that, and find these. */
static void note_folder(int fd)
{
	struct stat st;

	if (shim.record && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		note_change(FOLDER, -1, 0, NULL, 0);
}

int fsync(int fd)
{
	int r = (int) syscall(SYS_fsync, fd);

	if (r == 0)
		note_folder(fd);
	return r;
}

int fdatasync(int fd)
{
	int r = (int) syscall(SYS_fdatasync, fd);

	if (r == 0)
		note_folder(fd);
	return r;
}

size_t shim_recorded(void)
{
	return n_changes;
}

void shim_record_forget(void)
{
	for (size_t i = 0; i < n_changes; i++)
		free(changes[i].p);
	free(changes);
	changes = NULL;
	n_changes = changes_cap = 0;
	n_files = 0;
}

/* One file as it is being put together. */
struct disk {
	uint8_t *p;
	size_t n, cap;
	bool exists;
};

static void disk_size(struct disk *d, size_t n)
{
	if (n > d->cap) {
		d->cap = n * 2;
		d->p = realloc(d->p, d->cap);
		if (!d->p)
			abort();
	}
	if (n > d->n)
		memset(d->p + d->n, 0, n - d->n);
	d->n = n;
}

static void disk_put(struct disk *d, sqlite3_int64 at, const uint8_t *p, size_t n)
{
	if ((size_t) at + n > d->n)
		disk_size(d, (size_t) at + n);
	memcpy(d->p + at, p, n);
}

/* Each sector of the write is there or not. */
static void disk_tear(struct disk *d, const struct change *c, unsigned *seed)
{
	for (size_t from = 0; from < c->n;) {
		size_t n = SECTOR - (size_t) (c->at + (sqlite3_int64) from) % SECTOR;

		if (n > c->n - from)
			n = c->n - from;
		if (rand_r(seed) >> 4 & 1)
			disk_put(d, c->at + (sqlite3_int64) from, c->p + from, n);
		from += n;
	}
}

static void disk_change(struct disk *d, const struct change *c)
{
	if (c->what == WRITE)
		disk_put(d, c->at, c->p, c->n);
	else if (c->what == TRUNCATE)
		disk_size(d, (size_t) c->at);
	else if (c->what == CREATE)
		d->exists = true;
	else if (c->what == DELETE)
		*d = (struct disk){.p = d->p, .cap = d->cap};
}

static bool is_name(const struct change *c)
{
	return c->what == CREATE || c->what == DELETE;
}

void shim_replay(size_t at, unsigned *seed, const char *to)
{
	enum { KEEP_ALL, KEEP_NONE, KEEP_SOME } how = (unsigned) rand_r(seed) / 8 % 3;
	size_t durable[FILES_MAX] = {0}, names = 0; /* changes before this one are */
	struct disk disks[FILES_MAX] = {0};

	for (size_t i = 0; i < at; i++) {
		if (changes[i].what == SYNC)
			durable[changes[i].file] = i;
		else if (changes[i].what == FOLDER)
			names = i;
	}
	for (size_t i = 0; i < at; i++) {
		const struct change *c = &changes[i];
		unsigned fate = (unsigned) rand_r(seed) / 8 % 3;

		if (c->what == FOLDER)
			continue;
		if (i < (is_name(c) ? names : durable[c->file]) || how == KEEP_ALL ||
			(how == KEEP_SOME && fate == 0))
			disk_change(&disks[c->file], c);
		else if (how == KEEP_SOME && fate == 1 && c->what == WRITE)
			disk_tear(&disks[c->file], c, seed);
	}
	for (int i = 0; i < n_files; i++) {
		char path[256];
		FILE *f;

		(void) snprintf(path, sizeof path, "%s%s", to, strrchr(file_names[i], '/'));
		(void) remove(path);
		f = disks[i].exists ? fopen(path, "we") : NULL;
		if (f && (fwrite(disks[i].p, 1, disks[i].n, f) != disks[i].n || fclose(f) != 0))
			abort();
		free(disks[i].p);
	}
}

/* What a file has on the disk. */
static struct image {
	char path[160];
	uint8_t *p;
	sqlite3_int64 n;
} images[16];
static size_t n_images;

static sqlite3_file *inner(sqlite3_file *f)
{
	return ((struct shim_file *) (void *) f)->file;
}

static int number_of(sqlite3_file *f)
{
	return ((struct shim_file *) (void *) f)->number;
}

/* Does this call fail? */
static bool fails(sqlite3_file *f, unsigned what)
{
	long n;

	if (!(shim.fail_what & what) || shim.fail_at == 0)
		return false;
	n = ++shim.counted;
	if (n < shim.fail_at || (n > shim.fail_at && !shim.fail_on))
		return false;
	shim.failed++;
	/* As the unix VFS: what it makes SQLITE_FULL of, it forgets. */
	((struct shim_file *) (void *) f)->last_errno =
		what != SHIM_SYNC && shim.fail_errno == ENOSPC ? 0 : shim.fail_errno;
	return true;
}

/* The whole file as it is now is durable. */
static void remember(sqlite3_file *f)
{
	struct image *image = ((struct shim_file *) (void *) f)->image;
	sqlite3_int64 n = 0;

	if (!shim.power || !image || inner(f)->pMethods->xFileSize(inner(f), &n) != SQLITE_OK)
		return;
	free(image->p);
	image->p = malloc((size_t) n + 1);
	image->n = n;
	if (!image->p ||
		(n > 0 && inner(f)->pMethods->xRead(inner(f), image->p, (int) n, 0) != SQLITE_OK))
		abort();
}

static struct image *image_of(const char *path)
{
	for (size_t i = 0; i < n_images; i++) {
		if (strcmp(images[i].path, path) == 0)
			return &images[i];
	}
	if (n_images == sizeof images / sizeof images[0])
		abort();
	(void) snprintf(images[n_images].path, sizeof images[0].path, "%s", path);
	return &images[n_images++];
}

void shim_power_forget(void)
{
	for (size_t i = 0; i < n_images; i++)
		free(images[i].p);
	memset(images, 0, sizeof images);
	n_images = 0;
}

void shim_power_cut(const char *from, const char *to)
{
	size_t len = strlen(from);

	for (size_t i = 0; i < n_images; i++) {
		char path[256];
		FILE *f;

		if (strncmp(images[i].path, from, len) != 0 || images[i].path[len] != '/' ||
			!images[i].p)
			continue;
		(void) snprintf(path, sizeof path, "%s%s", to, images[i].path + len);
		f = fopen(path, "we");
		if (!f || fwrite(images[i].p, 1, (size_t) images[i].n, f) != (size_t) images[i].n ||
			fclose(f) != 0)
			abort();
	}
}

static int x_close(sqlite3_file *f)
{
	return inner(f)->pMethods ? inner(f)->pMethods->xClose(inner(f)) : SQLITE_OK;
}

static int x_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	return inner(f)->pMethods->xRead(inner(f), p, n, at);
}

static int x_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	sqlite3_int64 size = 0;
	/* Asked for only by the tests that need it: benchmarks pass through here as well. */
	bool grows = (shim.fail_what & SHIM_GROW) &&
		     inner(f)->pMethods->xFileSize(inner(f), &size) == SQLITE_OK && at + n > size;

	shim.writes++;
	/* As the unix VFS answers: a full disk is a result of its own. */
	if (fails(f, SHIM_WRITE) || (grows && fails(f, SHIM_GROW)))
		return shim.fail_errno == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
	note_change(WRITE, number_of(f), at, p, (size_t) n);
	return inner(f)->pMethods->xWrite(inner(f), p, n, at);
}

static int x_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	shim.truncates++;
	if (fails(f, SHIM_TRUNCATE))
		return SQLITE_IOERR_TRUNCATE;
	note_change(TRUNCATE, number_of(f), size, NULL, 0);
	return inner(f)->pMethods->xTruncate(inner(f), size);
}

static int x_sync(sqlite3_file *f, int flags)
{
	int rc;

	shim.syncs++;
	if (shim.sync_delay_us > 0) {
		struct timespec t = {.tv_sec = shim.sync_delay_us / 1000000,
			.tv_nsec = (long) (shim.sync_delay_us % 1000000) * 1000};

		while (nanosleep(&t, &t) < 0 && errno == EINTR)
			;
	}
	if (fails(f, SHIM_SYNC))
		return SQLITE_IOERR_FSYNC;
	rc = inner(f)->pMethods->xSync(inner(f), flags);
	if (rc == SQLITE_OK) {
		remember(f);
		note_change(SYNC, number_of(f), 0, NULL, 0);
	}
	return rc;
}

static int x_file_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	return inner(f)->pMethods->xFileSize(inner(f), ret);
}

static int x_lock(sqlite3_file *f, int level)
{
	return inner(f)->pMethods->xLock(inner(f), level);
}

static int x_unlock(sqlite3_file *f, int level)
{
	return inner(f)->pMethods->xUnlock(inner(f), level);
}

static int x_check_reserved(sqlite3_file *f, int *ret)
{
	return inner(f)->pMethods->xCheckReservedLock(inner(f), ret);
}

static int x_control(sqlite3_file *f, int op, void *arg)
{
	int e = ((struct shim_file *) (void *) f)->last_errno;

	if (op == SQLITE_FCNTL_LAST_ERRNO && e != 0) {
		*(int *) arg = e;
		return SQLITE_OK;
	}
	return inner(f)->pMethods->xFileControl(inner(f), op, arg);
}

static int x_sector_size(sqlite3_file *f)
{
	return inner(f)->pMethods->xSectorSize(inner(f));
}

static int x_characteristics(sqlite3_file *f)
{
	return inner(f)->pMethods->xDeviceCharacteristics(inner(f));
}

static int x_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
	return inner(f)->pMethods->xShmMap(inner(f), page, size, extend, ret);
}

static int x_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return inner(f)->pMethods->xShmLock(inner(f), offset, n, flags);
}

static void x_shm_barrier(sqlite3_file *f)
{
	inner(f)->pMethods->xShmBarrier(inner(f));
}

static int x_shm_unmap(sqlite3_file *f, int del)
{
	return inner(f)->pMethods->xShmUnmap(inner(f), del);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2, /* no memory mapping: every write passes here */
	.xClose = x_close,
	.xRead = x_read,
	.xWrite = x_write,
	.xTruncate = x_truncate,
	.xSync = x_sync,
	.xFileSize = x_file_size,
	.xLock = x_lock,
	.xUnlock = x_unlock,
	.xCheckReservedLock = x_check_reserved,
	.xFileControl = x_control,
	.xSectorSize = x_sector_size,
	.xDeviceCharacteristics = x_characteristics,
	.xShmMap = x_shm_map,
	.xShmLock = x_shm_lock,
	.xShmBarrier = x_shm_barrier,
	.xShmUnmap = x_shm_unmap,
};

static int v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	struct shim_file *s = (struct shim_file *) (void *) f;
	bool there = shim.record && name && access(name, F_OK) == 0;
	int known = n_files, rc;

	(void) vfs;
	memset(s, 0, sizeof *s);
	s->file = (sqlite3_file *) (void *) (s + 1);
	s->number = shim.record && name &&
				    flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL |
						    SQLITE_OPEN_MAIN_JOURNAL)
			    ? file_number(name)
			    : -1;
	if (s->number >= 0 && (!there || n_files > known))
		note_change(CREATE, s->number, 0, NULL, 0);
	if (s->number >= 0 && there && n_files > known) /* since before the power came */
		note_change(FOLDER, -1, 0, NULL, 0);
	s->file->pMethods = NULL;
	rc = real->xOpen(real, name, s->file, flags, ret_flags);
	if (rc != SQLITE_OK)
		return rc;
	s->base.pMethods = &methods;
	if (shim.power && name && flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) {
		s->image = image_of(name);
		remember(f); /* what is there was there before the power came */
	}
	return rc;
}

static int v_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
	int rc = real->xDelete(real, name, sync_folder);

	(void) vfs;
	if (shim.record && rc == SQLITE_OK)
		note_change(DELETE, file_number(name), 0, NULL, 0);
	if (shim.record && rc == SQLITE_OK && sync_folder)
		note_change(FOLDER, -1, 0, NULL, 0);
	return rc;
}

int shim_register(void)
{
	static sqlite3_vfs vfs;

	if (real)
		return SQLITE_OK;
	real = sqlite3_vfs_find(NULL);
	vfs = *real; /* what is not named here is the real one's: it takes its own pAppData from
			there */
	vfs.zName = "shim";
	vfs.szOsFile = (int) sizeof(struct shim_file) + real->szOsFile;
	vfs.xOpen = v_open;
	vfs.xDelete = v_delete;
	return sqlite3_vfs_register(&vfs, 1);
}

void shim_arm(unsigned what, long k, int error, bool on)
{
	shim.fail_what = what;
	shim.fail_at = k;
	shim.fail_errno = error;
	shim.fail_on = on;
	shim.counted = 0;
	shim.failed = 0;
}
