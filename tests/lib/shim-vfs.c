/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/lib/shim-vfs.h"

struct shim shim;

static sqlite3_vfs *real;

/* The file SQLite sees; the real one lies behind it. */
struct shim_file {
	sqlite3_file base;
	sqlite3_file *file;
	struct image *image;
	int last_errno;
};

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
	return inner(f)->pMethods->xWrite(inner(f), p, n, at);
}

static int x_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	shim.truncates++;
	if (fails(f, SHIM_TRUNCATE))
		return SQLITE_IOERR_TRUNCATE;
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
	if (rc == SQLITE_OK)
		remember(f);
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
	int rc;

	(void) vfs;
	memset(s, 0, sizeof *s);
	s->file = (sqlite3_file *) (void *) (s + 1);
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
