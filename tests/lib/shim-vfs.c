/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>
#include <time.h>

#include "tests/lib/shim-vfs.h"

struct shim shim;

static sqlite3_vfs *real;
static _Thread_local int last_errno;

/* The file SQLite sees; the real one lies behind it. */
struct shim_file {
	sqlite3_file base;
	sqlite3_file *file;
};

static sqlite3_file *inner(sqlite3_file *f)
{
	return ((struct shim_file *) (void *) f)->file;
}

/* Does this call fail? */
static bool fails(unsigned what)
{
	long n;

	if (!(shim.fail_what & what) || shim.fail_at == 0)
		return false;
	n = ++shim.counted;
	if (n < shim.fail_at || (n > shim.fail_at && !shim.fail_on))
		return false;
	shim.failed++;
	last_errno = shim.fail_errno;
	return true;
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
	shim.writes++;
	/* As the unix VFS answers: a full disk is a result of its own. */
	if (fails(SHIM_WRITE))
		return shim.fail_errno == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
	return inner(f)->pMethods->xWrite(inner(f), p, n, at);
}

static int x_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	shim.truncates++;
	if (fails(SHIM_TRUNCATE))
		return SQLITE_IOERR_TRUNCATE;
	return inner(f)->pMethods->xTruncate(inner(f), size);
}

static int x_sync(sqlite3_file *f, int flags)
{
	shim.syncs++;
	if (shim.sync_delay_us > 0) {
		struct timespec t = {.tv_sec = shim.sync_delay_us / 1000000,
			.tv_nsec = (long) (shim.sync_delay_us % 1000000) * 1000};

		while (nanosleep(&t, &t) < 0 && errno == EINTR)
			;
	}
	if (fails(SHIM_SYNC))
		return SQLITE_IOERR_FSYNC;
	return inner(f)->pMethods->xSync(inner(f), flags);
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
	if (rc == SQLITE_OK)
		s->base.pMethods = &methods;
	return rc;
}

static int v_error(sqlite3_vfs *vfs, int n, char *text)
{
	int e = last_errno;

	(void) vfs;
	last_errno = 0;
	return e != 0 ? e : real->xGetLastError(real, n, text);
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
	vfs.xGetLastError = v_error;
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
	last_errno = 0;
}
